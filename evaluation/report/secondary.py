"""What the page says of secondary outcomes and groups: which outcome was declared, and what stands out with all looked at."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evaluation.report import remarks, sentences
from evaluation.report.tables import Table, p_cell, table
from evaluation.report.words import Words, capital
from evaluation.result import Estimate, Result, Secondary

_DATE = re.compile(r"^(\d{4})-(\d{2})-(\d{2})$")


def present(result: Result) -> bool:
    """Whether the spec asked for any: also where none could be estimated."""
    return bool(result.secondary) or any(one.kind == "secondary" for one in result.failures)


def intro(result: Result, words: Words) -> list[str]:
    """Which outcome is the declared one, and what all the others are."""
    declared = "" if result.primary is None else date(result.primary.declared, words)
    outcome = words.text(result.design.outcome_label)
    key = "primary_on" if declared else "primary"
    return [words(f"secondary.{key}", outcome=outcome, date=declared), words("secondary.rest")]


def many(result: Result, words: Words) -> list[str]:
    """What looking at many does, and what the adjusted p-values do about it; nothing where there is one."""
    count = sum(one.p_adjusted is not None for one in result.secondary)
    if count < 2:
        return []
    alpha = 1.0 - result.headline.level
    level = _alpha(result, words)
    share = words.share(min(1.0, count * alpha))
    said = [
        words("secondary.chance", count=words.number(count), level=level, share=share),
        words("secondary.adjusted", level=level),
    ]
    methods = {one.method for one in result.secondary if one.p_adjusted is not None}
    if "romano_wolf" in methods:
        plural = sentences.group(result, words)
        said.append(words("secondary.joint", plural=plural, units=words.listed(result.design.treated)))
    if "holm" in methods:
        said.append(words("secondary.holm"))
    return said


def findings(result: Result, words: Words) -> list[str]:
    """Which stay below the level, which go the wrong way, and what follows from a group that stands out."""
    if all(one.p_adjusted is None for one in result.secondary):
        return []
    found = [one for one in result.secondary if stands_out(one)]
    level = _alpha(result, words)
    said = [words("secondary.found", level=level, names=_names(found, words))] if found else []
    said = said or [words("secondary.found_none", level=level)]
    worse = [one for one in found if _worse(one)]
    if worse:
        said.append(words("secondary.worse", names=_names(worse, words)))
    if any(one.kind == "group" for one in result.secondary):
        said.append(words("secondary.groups"))
    own = result.headline.p_value
    if own is not None and result.primary is not None and result.primary.p_adjusted_all is not None:
        said.append(
            words(
                "secondary.own",
                p=p_cell(own, words),
                count=words.number(result.primary.tests),
                adjusted=p_cell(result.primary.p_adjusted_all, words),
            )
        )
    return said


def notes(result: Result, words: Words) -> list[tuple[str, str]]:
    """Remarks on each result that are not the headline's as well, with its name."""
    known = {remarks.note_sentence(note, result, words) for note in result.headline.notes}
    said: dict[str, list[str]] = {}
    for one in result.secondary:
        for note in one.estimate.notes:
            sentence = remarks.note_sentence(note, result, words)
            if sentence not in known:
                said.setdefault(sentence, []).append(words.text(one.label))
        if one.estimate.inference != result.headline.inference:
            how = words("secondary.inference", inference=sentences.inference(one.estimate.inference, words))
            said.setdefault(how, []).append(words.text(one.label))
    return [(capital(words.listed(list(dict.fromkeys(names)))), sentence) for sentence, names in said.items()]


def stands_out(one: Secondary) -> bool:
    """Whether its adjusted p-value is no larger than what the intervals' level leaves."""
    return one.p_adjusted is not None and one.p_adjusted <= 1.0 - one.estimate.level + 1e-9


def results_table(result: Result, words: Words) -> Table | None:
    """The primary outcome and every secondary result, each in its own unit."""
    if not result.secondary:
        return None
    design, headline = result.design, result.headline
    tests = words.number(result.primary.tests if result.primary is not None else 1 + len(result.secondary))
    head = [words(f"secondary.column.{key}") for key in ("name", "kind", "effect", "interval", "p", "adjusted")]
    head.append(words("secondary.column.all", count=tests))
    over_all = None if result.primary is None else result.primary.p_adjusted_all
    rows = [
        (
            capital(words.text(design.outcome_label)), words("secondary.kind.primary"),
            *_size(headline, design.decimals, words.text(design.outcome_unit), words),
            p_cell(headline.p_value, words), words("secondary.not_adjusted"), p_cell(over_all, words),
        ),
        *(
            (
                capital(words.text(one.label)), words(f"secondary.kind.{one.kind}"),
                *_size(one.estimate, one.decimals, words.text(one.outcome_unit), words),
                *(p_cell(p, words) for p in (one.estimate.p_value, one.p_adjusted, one.p_adjusted_all)),
            )
            for one in result.secondary
        ),
    ]  # fmt: skip
    caption = words(
        "secondary.caption", window=words.span(*design.window), level=sentences.level(result.headline, words)
    )
    return table(caption, head, rows, (0, 1, 2, 3))


def date(declared: str, words: Words) -> str:
    """A date of the form 2026-11-22 in words; anything else as it is."""
    match = _DATE.match(declared)
    if match is None or not 1 <= int(match[2]) <= 12:
        return declared
    month = words.phrases["period.months"].split(" ")[int(match[2]) - 1]
    return words("period.date", day=str(int(match[3])), month=month, year=match[1])


def csv_rows(result: Result) -> tuple[tuple[str, ...], list[Sequence[object]]]:
    """Columns and rows of secondary.csv: the primary outcome first; no rows where there are no secondary ones."""
    fields = (
        "effect", "std_error", "lower", "upper", "level", "p_value", "baseline", "percent", "inference", "n_units", "n_treated",
        "n_periods",
    )  # fmt: skip
    head = ("kind", "label", "unit", "better", *fields, "p_adjusted", "n_family", "adjusted_by", "p_adjusted_all")
    if not result.secondary:
        return head, []

    def told(estimate: Estimate) -> list[object]:
        return [getattr(estimate, key) for key in fields]

    design, primary = result.design, result.primary
    over_all = None if primary is None else primary.p_adjusted_all
    label, unit = (_plain(text) for text in (design.outcome_label, design.outcome_unit))
    first = ("primary", label, unit, design.better, *told(result.headline), None, None, "", over_all)
    return head, [
        first,
        *(
            (
                one.kind, _plain(one.label), _plain(one.outcome_unit), one.better, *told(one.estimate),
                one.p_adjusted, one.n_family, one.method, one.p_adjusted_all,
            )
            for one in result.secondary
        ),
    ]  # fmt: skip


def interval(estimate: Estimate, decimals: int, words: Words) -> str | None:
    """The interval in words, without its unit; None without one."""
    if estimate.lower is None or estimate.upper is None:
        return None
    lower, upper = (words.number(value, decimals) for value in (estimate.lower, estimate.upper))
    return words("number.interval", lower=lower, upper=upper)


def _size(estimate: Estimate, decimals: int, unit: str, words: Words) -> tuple[str, str]:
    number = words.number(estimate.effect, decimals)
    effect = words("number.amount", number=number, unit=unit) if unit else number
    return effect, interval(estimate, decimals, words) or words("number.missing")


def _worse(one: Secondary) -> bool:
    return (one.better == "higher" and one.estimate.effect < 0) or (one.better == "lower" and one.estimate.effect > 0)


def _names(some: Sequence[Secondary], words: Words) -> str:
    return words.listed([words.text(one.label) for one in some])


def _alpha(result: Result, words: Words) -> str:
    share = 1.0 - result.headline.level
    return words.percent(share, 0 if abs(share * 100 - round(share * 100)) < 1e-9 else 1)


def _plain(text: dict[str, str]) -> str:
    return text.get("en") or next(iter(text.values()), "")
