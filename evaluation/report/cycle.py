"""The section on the business cycle: what was taken out, how much that was, and what else the answer could have been."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import facts
from evaluation.report.remarks import reason
from evaluation.report.sentences import adjustment, amount, cycle_sentences
from evaluation.report.tables import Table, table
from evaluation.report.words import Words, capital
from evaluation.result import LadderRung, Result, Value


@dataclass(frozen=True, slots=True)
class Section:
    """The running text around the figures, and the coefficients of the headline's adjustment."""

    intro: list[str]
    ladder: list[str]
    bad_control: list[str]
    coefficients: Table | None


def section(result: Result, words: Words) -> Section:
    """Everything the section says beside its figures."""
    return Section(
        [*cycle_sentences(result, words), *change_sentences(result, words)],
        ladder_sentences(result, words),
        bad_control_sentences(result, words),
        coefficients(result, words),
    )


# -- the rungs ---------------------------------------------------------------------------------------------------------


def rung_name(rung: LadderRung, words: Words) -> str:
    """The name of a rung, with what tells it from another of the same adjustment."""
    name = adjustment(rung.adjust, words)
    if not rung.variant:
        return name
    key = f"cycle.variant.{rung.variant}"
    return words("cycle.with_variant", adjust=name, variant=words(key) if key in words else rung.variant)


def rung_label(rung: LadderRung, words: Words) -> str:
    """The name as it stands beside a row: marked where the rung is the one advised, or is not to be believed."""
    name = capital(rung_name(rung, words))
    if rung.status == "comparison":
        return words("cycle.label.comparison", name=name)
    return words("cycle.label.recommended", name=name) if rung.recommended else name


def rung_state(rung: LadderRung, words: Words) -> str:
    """What the table says about a rung: the headline, the one advised, or why it is not to be believed or not there."""
    if rung.status == "comparison":
        return words("cycle.state.comparison", reason=reason(rung.reason, words))
    if rung.status == "not_run":
        return words("cycle.state.not_run", reason=reason(rung.reason, words))
    if rung.headline:
        return words("cycle.state.headline_recommended" if rung.recommended else "cycle.state.headline")
    if rung.recommended:
        return words("cycle.state.recommended")
    few = next((note.facts for note in rung.notes if note.code == "smallest_p"), {})
    count, smallest = facts.number(few.get("count")), facts.number(few.get("smallest_p"))
    if count is None or smallest is None:
        return ""
    return words("cycle.state.smallest_p", count=words.number(count), smallest=words.number(smallest, 3))


# -- the running text --------------------------------------------------------------------------------------------------


def change_sentences(result: Result, words: Words) -> list[str]:
    """The observed change, what happened elsewhere meanwhile, and what the headline's adjustment takes out beyond that."""
    design, found = result.design, []
    parts = {part.name: part.amount for part in result.cycle.waterfall}
    if "raw_change" in parts and "national_cycle" in parts:
        found.append(
            words(
                "cycle.text.change",
                before=words.before(design.before, each=facts.several_starts(result)),
                window=words.span(*design.window),
                outcome=words.text(design.outcome_label),
                units=words.listed(design.treated),
                change=amount(parts["raw_change"], result, words),
                national=amount(parts["national_cycle"] + parts.get("composition", 0.0), result, words),
            )
        )
    left = parts.get("rest", 0.0)
    if result.cycle.adjust == "none" and abs(left) >= 0.5 * 10.0**-design.decimals:
        found.append(words("cycle.text.left_in", measured=amount(-left, result, words)))
    own = next((rung for rung in result.cycle.ladder if rung.headline and rung.adjust != "none"), None)
    if own is not None and own.removed is not None:
        removed = _with_interval(own.removed, own.removed_lower, own.removed_upper, result, words)
        found.append(words("cycle.text.removed", removed=removed))
    return found


def ladder_sentences(result: Result, words: Words) -> list[str]:
    """Which ways of taking the cycle out can be believed, how far they lie apart, and what the recommended one says."""
    believed = [rung for rung in result.cycle.ladder if rung.status == "valid" and rung.effect is not None]
    found = []
    if len(believed) > 1:
        effects = [rung.effect or 0.0 for rung in believed]
        decimals = result.design.decimals
        found.append(
            words(
                "cycle.text.believed",
                count=words.number(len(believed)),
                low=words.number(min(effects), decimals),
                high=amount(max(effects), result, words),
            )
        )
        lower, upper = result.headline.lower, result.headline.upper
        if lower is not None and upper is not None:
            outside = sum(not lower <= value <= upper for value in effects)
            key = "cycle.text.outside" if outside else "cycle.text.inside"
            found.append(words(key, outside=words.number(outside)))
    advised = next((rung for rung in result.cycle.ladder if rung.recommended), None)
    if advised is None:
        return found
    name = rung_name(advised, words)
    if advised.status == "not_run" or advised.effect is None:
        found.append(words("cycle.text.recommended_missing", name=name, reason=reason(advised.reason, words)))
    elif advised.headline:
        found.append(words("cycle.text.recommended_headline", name=name))
    else:
        effect = _with_interval(advised.effect, advised.lower, advised.upper, result, words)
        found.append(words("cycle.text.recommended", name=name, effect=effect))
        if advised.removed is not None:
            removed = _with_interval(advised.removed, advised.removed_lower, advised.removed_upper, result, words)
            none = amount(advised.effect + advised.removed, result, words)
            found.append(words("cycle.text.recommended_removed", none=none, removed=removed))
    return found


def bad_control_sentences(result: Result, words: Words) -> list[str]:
    """What it means that the programme may itself have moved the series; nothing where no own series is used."""
    known = result.cycle.bad_control
    if known is None:
        return []
    values = {key: facts.number(value) for key, value in known.items()}
    name = series_name(str(known.get("series", "")), result, words)
    units = words.listed(result.design.treated)
    key = "headline" if known.get("headline") else "recommended"
    found = [words(f"bad_control.{key}", series=name, units=units), words("bad_control.danger")]
    slope, error = values.get("slope"), values.get("slope_se")
    if slope is not None and error is not None:
        decimals = max(result.design.decimals, 2)
        error_written = words.telling(error, decimals)
        found.append(
            words("bad_control.slope", slope=_amount_telling(slope, decimals, result, words), error=error_written)
        )
    effects = [
        (name, value)
        for name in ("own", "neighbours", "predicted")
        if (value := values.get(f"effect_{name}")) is not None
    ]
    if len(effects) > 1:
        listed = [
            words("bad_control.effect", variant=words(f"cycle.variant.{name}"), effect=amount(value, result, words))
            for name, value in effects
        ]
        spread = amount(values.get("spread") or 0.0, result, words)
        found.append(words("bad_control.effects", effects=words.listed(listed), spread=spread))
    whole, half, moved = (values.get(key) for key in ("whole", "half", "moved"))
    if whole is not None and half is not None and moved is not None:
        slots = {key: words.telling(value, 2) for key, value in (("whole", whole), ("half", half), ("moved", moved))}
        found.append(words("bad_control.whole", units=units, **slots))
    return found


def series_name(code: str, result: Result, words: Words) -> str:
    """What a series of the business cycle is called; its column's name where the spec gives it no label."""
    label = next((words.text(one.label) for one in result.cycle.series if one.name == code), "")
    return label or code.replace("_", " ")


def _with_interval(value: float, lower: float | None, upper: float | None, result: Result, words: Words) -> str:
    """An amount with its interval: "−0.06 points (from −0.49 to 0.36)"."""
    written = amount(value, result, words)
    if lower is None or upper is None:
        return written
    ends = {key: words.number(end, result.design.decimals) for key, end in (("lower", lower), ("upper", upper))}
    return words("cycle.text.with_interval", amount=written, interval=words("number.interval", **ends))


def _amount_telling(value: float, decimals: int, result: Result, words: Words) -> str:
    return words("number.amount", number=words.telling(value, decimals), unit=words.text(result.design.outcome_unit))


# -- the coefficients --------------------------------------------------------------------------------------------------


FOR_MACHINES = frozenset({"slopes", "rule"})
"""Facts about an adjustment that only the file holds: codes that no reader needs."""


def coefficients(result: Result, words: Words) -> Table | None:
    """What the headline's adjustment estimated; of what there is one of for every unit, the treated ones' only."""
    rows = [
        (_term(name, result, words), unit, _value(name, value, result, words))
        for name, unit, value in terms(result.cycle.terms)
        if name not in FOR_MACHINES and (not unit or unit in result.design.treated)
    ]
    head = [words(f"cycle.column.{key}") for key in ("term", "unit", "value")]
    return table(words("cycle.coefficients"), head, rows, (0, 1)) if rows else None


def terms(known: dict[str, Value]) -> list[tuple[str, str, Value]]:
    """(term, unit, value) of every coefficient and fact; the unit is empty where it is one for all."""
    rows: list[tuple[str, str, Value]] = []
    for name, value in known.items():
        if isinstance(value, dict):
            rows += [(name, unit, one) for unit, one in value.items()]
        elif value is not None and value != "":
            rows.append((name, "", value))
    return rows


def _term(code: str, result: Result, words: Words) -> str:
    """What a coefficient is called; the factors' and averages' are numbered, or named after their series."""
    if (key := f"cycle.term.{code}") in words:
        return words(key)
    kind, _, rest = code.partition("_")
    if rest and (key := f"cycle.term.{kind}_of") in words:
        of_outcome = f"cycle.term.{rest}"
        return words(key, name=words(of_outcome) if of_outcome in words else series_name(rest, result, words))
    return capital(code.replace("_", " "))


def _value(name: str, value: Value, result: Result, words: Words) -> str:
    if name == "series":
        return series_name(str(value), result, words)
    if name == "use" and (key := f"cycle.variant.{value}") in words:
        return words(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "" if value is None else str(value)
    return words.number(value) if isinstance(value, int) else words.telling(value, 3)
