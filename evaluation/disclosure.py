"""Disclosure control: what may leave when the data are not public.

Units whose cells rest on too few persons disappear from every list and remark that names units. What cannot be made safe is
refused. The thresholds are the spec's, the mechanism is here. A Result made from a ready panel holds no count of persons, so
the base that counts are rounded to is recorded and has nothing to act on. One made from registers does: a count below the
minimum is taken away, with whatever else would give it back, and so is a count so near a total that it tells about everybody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from evaluation.errors import DisclosureError
from evaluation.result import (
    BalanceRow,
    CheckResult,
    Cycle,
    Disclosure,
    Estimate,
    FlowStep,
    Note,
    PeriodEffect,
    Population,
    Result,
    Value,
)

HIDDEN = "*"

CUMULATIVE = frozenset({"dead"})
"""States nobody leaves: the difference between two periods counts persons too."""
MEANS = frozenset({"annual_hours", "hours_if_any"})
"""Measures that are no share of persons."""
PERSON_NOTES = frozenset({"off_support"})
"""Remarks whose `count` is one of persons."""


def protect(
    result: Result, *, public: bool, minimum: int, base: int, sizes_known: bool, small: tuple[str, ...]
) -> Result:
    """The Result with disclosure rules applied.

    Parameters
    ----------
    public : bool
        Published statistics: nothing is taken away.
    minimum, base : int
        The smallest number of persons behind a published cell; counts are rounded to multiples of `base`.
    sizes_known : bool
        The panel says how many persons are behind each cell.
    small : tuple of str
        Units with a cell below `minimum`.

    Raises
    ------
    DisclosureError
        Sizes are unknown, or a treated unit (or everybody it is compared with) is too small to be published.
    """
    if public:
        return replace(result, disclosure=Disclosure(public=True, minimum=minimum, round=base))
    if not sizes_known:
        raise DisclosureError(
            "[data]: the data are not said to be public, and no column says how many persons are behind each cell; write "
            "`public = true` if they are published statistics, or name that column as `size`"
        )
    treated = [name for name in result.design.treated if name in small]
    if treated:
        raise DisclosureError(
            f"a cell of the treated unit {', '.join(treated)} rests on fewer than {minimum} persons; nothing about it may be "
            "published. Use longer periods or larger units"
        )
    hidden = frozenset(small)
    actions: list[Note] = []
    if hidden:
        text = (
            f"{len(hidden)} units with fewer than {minimum} persons in a cell are not named and not shown one by one."
        )
        actions.append(Note("small_units_hidden", text, {"count": len(hidden), "minimum": minimum}))
    flow, population = result.flow, result.population
    cycle = protected_cycle(result.cycle, hidden, minimum, base, population)
    if population is not None:
        if min(population.treated, population.controls) < minimum:
            raise DisclosureError(
                f"fewer than {minimum} persons are treated or compared with; nothing about them may be published. Widen "
                "[register.who] or add units"
            )
        flow = protected_flow(result.flow, minimum, base)
        population = protected_population(population, minimum, base)
        result = _without_levels(result, population)
        taken = _missing(flow, population) - _missing(result.flow, result.population)
        if taken:
            text = f"{taken} numbers that rest on fewer than {minimum} persons, or would give such a number back, are not shown."
            actions.append(Note("small_counts_hidden", text, {"count": taken, "minimum": minimum}))
    controls = tuple(name for name in result.design.controls if name not in hidden)
    return replace(
        result,
        design=replace(result.design, controls=controls),
        headline=protected_estimate(result.headline, hidden, minimum),
        estimates=tuple(protected_estimate(each, hidden, minimum) for each in result.estimates),
        cycle=cycle,
        checks=tuple(_check(each, hidden) for each in result.checks),
        failures=tuple(
            replace(each, problems=tuple(blotted(text, hidden) for text in each.problems)) for each in result.failures
        ),
        flow=tuple(replace(step, facts=_blotted_facts(step.facts, hidden)) for step in flow),
        population=population,
        disclosure=Disclosure(False, minimum, base, len(hidden), tuple(actions)),
    )


def protected_estimate(estimate: Estimate, hidden: frozenset[str], minimum: int) -> Estimate:
    """The estimate without names and rows of hidden units, and without remarks that count too few persons."""
    weights = {name: weight for name, weight in estimate.unit_weights.items() if name not in hidden}
    rest = sum(weight for name, weight in estimate.unit_weights.items() if name in hidden)
    if rest:
        weights[HIDDEN] = rest
    details = {
        key: _without(value, hidden) if key == "adjustment" else _lists(value, hidden)
        for key, value in estimate.details.items()
        if key != "dropped_units"
    }
    notes = tuple(_note(note, hidden) for note in estimate.notes if not _of_few(note, minimum))
    return replace(estimate, unit_weights=weights, details=details, notes=notes)


def _check(check: CheckResult, hidden: frozenset[str]) -> CheckResult:
    facts: dict[str, Value] = {
        key: HIDDEN if isinstance(value, str) and value in hidden else value for key, value in check.facts.items()
    }
    return replace(check, facts=facts, series=cast("dict[str, Value]", _lists(check.series, hidden)))


def _of_few(note: Note, minimum: int) -> bool:
    """Whether a remark counts persons, and too few."""
    count = note.facts.get("count")
    return note.code in PERSON_NOTES and isinstance(count, int) and count < minimum


def _note(note: Note, hidden: frozenset[str]) -> Note:
    """The note with hidden names blotted out of its text and its facts."""
    return Note(note.code, blotted(note.text, hidden), _blotted_facts(note.facts, hidden))


def _blotted_facts(facts: dict[str, Value], hidden: frozenset[str]) -> dict[str, Value]:
    return {key: blotted(value, hidden) if isinstance(value, str) else value for key, value in facts.items()}


def blotted(text: str, hidden: frozenset[str]) -> str:
    """The text with every hidden name that stands as a word of its own replaced."""
    for name in sorted(hidden, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", HIDDEN, text)
    return text


PER_UNIT = frozenset({"units", "effects", "ratios", "rmspe_pre", "rmspe_pre_scaled", "gaps", "weights"})
"""Columns that have one entry per unit."""


def _lists(value: Value, hidden: frozenset[str]) -> Value:
    """A table of equally long lists with a `units` column, without the rows of hidden units; anything else as it is."""
    if not isinstance(value, dict) or not isinstance(value.get("units"), list):
        return value
    units = cast("list[str]", value["units"])
    keep = [not (set(name.split(" + ")) & hidden) for name in units]
    return {
        key: [item for item, kept in zip(column, keep, strict=True) if kept]
        if isinstance(column, list) and key in PER_UNIT
        else column
        for key, column in value.items()
    }


# -- the business cycle and the auditor's checks ------------------------------------------------------------------------

ROWS: dict[str, frozenset[str] | None] = {"units": None, "donor_units": frozenset({"donor_rmse"}), "labels": None}
"""Columns of unit names in the series of the auditor's checks, with the columns that have a row for each of them (None: all
that are as long)."""


def protected_cycle(
    cycle: Cycle, hidden: frozenset[str], minimum: int, base: int, population: Population | None
) -> Cycle:
    """The cycle's account without names, rows and coefficients of hidden units, and without counts of too few persons."""

    def plain(values: dict[str, Value]) -> dict[str, Value]:
        return cast("dict[str, Value]", _without(values, hidden))

    audit = [replace(one, facts=plain(one.facts), series=plain(one.series)) for one in cycle.audit]
    total = {side: 0 if population is None else getattr(population, side) for side in ("treated", "controls")}
    return replace(
        cycle,
        ladder=tuple(replace(rung, notes=tuple(_note(each, hidden) for each in rung.notes)) for rung in cycle.ladder),
        audit=tuple(_exits(one, total, minimum, base) if one.id == "composition" else one for one in audit),
        terms=plain(cycle.terms),
        series=tuple(replace(one, facts=plain(one.facts)) for one in cycle.series),
        bad_control=None if cycle.bad_control is None else plain(cycle.bad_control),
        notes=tuple(_note(each, hidden) for each in cycle.notes),
    )


def _without(value: Value, hidden: frozenset[str]) -> Value:
    """Anything without what tells of a hidden unit: its key, its row, its name in a text or a list."""
    if isinstance(value, str):
        return blotted(value, hidden)
    if isinstance(value, list):
        return [_without(each, hidden) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: each for key, each in value.items() if key not in hidden}
    for name, beside in ROWS.items():
        names = found.get(name)
        if not isinstance(names, list):
            continue
        keep = [_without(each, hidden) == each for each in names]
        for key, column in found.items():
            if isinstance(column, list) and len(column) == len(keep) and (beside is None or key in {name, *beside}):
                found[key] = [each for each, kept in zip(column, keep, strict=True) if kept]
    return {key: _without(each, hidden) for key, each in found.items()}


def _exits(check: CheckResult, total: Mapping[str, int], minimum: int, base: int) -> CheckResult:
    """Persons who left, as in the population: no state of too few, or of nearly all, and nothing that gives one back."""
    facts, series = dict(check.facts), dict(check.series)
    states = cast("list[str]", series.get("states"))
    for side, persons in total.items():
        counts, left = series.get(side), facts.get(f"exits_{side}")
        if isinstance(counts, list):
            rows = zip(states, cast("list[list[int | None]]", counts), strict=True)
            kept = [_series(row, persons, minimum, state in CUMULATIVE) for state, row in rows]
            series[side] = [[_rounded(count, base) for count in row] for row in kept]
        if isinstance(left, int) and _few(left, persons, minimum):
            facts[f"exits_{side}"] = facts[f"share_{side}"] = None
    return replace(check, facts=facts, series=series)


# -- counts of persons -------------------------------------------------------------------------------------------------


def protected_flow(flow: Sequence[FlowStep], minimum: int, base: int) -> tuple[FlowStep, ...]:
    """The flow without counts below the minimum, and without steps that took away a number of persons below it.

    The last count of each kind is shown elsewhere too, so it is the earlier one that gives way; two steps that are merged so
    show together what they took.
    """
    shown: list[FlowStep] = []
    later: dict[object, int] = {}
    for step in reversed(flow):
        kind, rows = step.facts.get("of"), step.rows
        if rows is not None:
            gap = abs(rows - later[str(kind)]) if str(kind) in later else 0
            if rows < minimum or 0 < gap < minimum:
                rows = None
            else:
                later[str(kind)] = rows
        shown.append(replace(step, rows=_rounded(rows, base)))
    return tuple(reversed(shown))


def protected_population(population: Population, minimum: int, base: int) -> Population:
    """The population with every count of persons that is too small, or gives one away, as None, and the others rounded."""
    total = {"treated": population.treated, "controls": population.controls}
    names = list(dict.fromkeys(row.covariate for row in population.balance))
    rows = [
        _bands([row for row in population.balance if row.covariate == name], total, minimum, base) for name in names
    ]
    imputed = _imputed(population.imputed, minimum)
    return replace(
        population,
        treated=_nearest(population.treated, base),
        controls=_nearest(population.controls, base),
        off_support=_rounded(_unless_few(population.off_support, minimum), base),
        balance=tuple(row for group in rows for row in group),
        counters={code: _rounded(count, base) for code, count in _counters(population.counters, minimum).items()},
        imputed={key: [_rounded(count, base) for count in pair] for key, pair in imputed.items()},
        exits={
            state: {
                side: [_rounded(count, base) for count in _series(counts, total[side], minimum, state in CUMULATIVE)]
                for side, counts in sides.items()
            }
            for state, sides in population.exits.items()
        },
        margins=_margins(population.margins, population.treated, minimum),
    )


def _few(count: float, total: float, minimum: int) -> bool:
    """Whether a count of so many persons tells about too few, or about nearly everybody."""
    return round(count) < minimum or round(total - count) < minimum


def _unless_few(count: int | None, minimum: int) -> int | None:
    """A count of rows, or of persons of whom nothing is known but that they are so many: none at all tells of nobody."""
    return None if count is not None and 0 < count < minimum else count


def _rounded(count: int | None, base: int) -> int | None:
    return None if count is None else _nearest(count, base)


def _nearest(count: int, base: int) -> int:
    """The nearest multiple of the base, halves upwards."""
    return (2 * count + base) // (2 * base) * base


def _bands(rows: Sequence[BalanceRow], total: Mapping[str, int], minimum: int, base: int) -> list[BalanceRow]:
    """One covariate: its shares sum to one, so the bands taken away must be two at least, with persons enough together."""

    def counts(row: BalanceRow) -> tuple[float, float]:
        return (row.treated or 0.0) * total["treated"], (row.before or 0.0) * total["controls"]

    bands = [row for row in rows if row.band]
    hidden = [
        row for row in bands if any(_few(n, m, minimum) for n, m in zip(counts(row), total.values(), strict=True))
    ]
    rest = sorted((row for row in bands if row not in hidden), key=lambda row: (min(counts(row)), row.band))
    while hidden and rest:
        together = [round(sum(counts(row)[side] for row in hidden)) for side in (0, 1)]
        if len(hidden) > 1 and min(together) >= minimum:
            break
        hidden.append(rest.pop(0))
    found = []
    for row in rows:
        if row in hidden:
            found.append(BalanceRow(row.covariate, row.band, None, None, None, None, None))
        elif base > 1 and row.band:
            shares = [
                _nearest(round(count), base) / max(_nearest(whole, base), base)
                for count, whole in zip(counts(row), total.values(), strict=True)
            ]
            apart = [None if each is None else round(each, 2) for each in (row.difference_before, row.difference_after)]
            after = None if row.after is None else round(row.after, 2)
            found.append(BalanceRow(row.covariate, row.band, shares[0], shares[1], after, apart[0], apart[1]))
        else:
            found.append(row)
    return found


def _series(counts: Sequence[int | None], total: int, minimum: int, cumulative: bool) -> list[int | None]:
    """Counts of one state by period; of one that nobody leaves, only counts that differ by persons enough."""
    found: list[int | None] = [None if count is None or _few(count, total, minimum) else count for count in counts]
    last: int | None = None
    for place, count in enumerate(found) if cumulative else ():
        if count is not None and last is not None and 0 < abs(count - last) < minimum:
            found[place] = None
        elif count is not None:
            last = count
    return found


def _counters(counters: Mapping[str, int | None], minimum: int) -> dict[str, int | None]:
    """Counters without small ones; where one part of a shown total is taken away, the smallest other part goes with it."""
    found = {code: _unless_few(count, minimum) for code, count in counters.items()}
    for code in [code for code in counters if "|" not in code]:
        parts = [each for each in counters if each.startswith(f"{code}|")]
        gone = [each for each in parts if found[each] is None]
        others = [each for each in parts if found[each] is not None]
        if len(gone) == 1 and found[code] is not None:
            if others:
                found[min(others, key=lambda each: (found[each] or 0, each))] = None
            else:
                found[code] = None
    return found


def _imputed(imputed: Mapping[str, list[int | None]], minimum: int) -> dict[str, list[int | None]]:
    """[imputed rows, rows] without the number of imputed ones where they, or all but they, are too few; never one alone."""
    found: dict[str, list[int | None]] = {}
    for key, (some, every) in imputed.items():
        small = some is None or every is None or _few(some, every, minimum)
        found[key] = [None if small else some, None if every is None or every < minimum else every]
    gone = [key for key, pair in found.items() if pair[0] is None]
    others = [key for key, pair in found.items() if pair[0] is not None]
    if len(gone) == 1 and others:
        smallest = min(others, key=lambda key: (found[key][0] or 0, key))
        found[smallest] = [None, found[smallest][1]]
    return found


def _margins(
    margins: Mapping[str, Mapping[str, list[float | None]]], treated: int, minimum: int
) -> dict[str, dict[str, list[float | None]]]:
    """Means by period without shares of the treated that count too few persons, and without the mean of so few."""
    found = {measure: {side: list(means) for side, means in sides.items()} for measure, sides in margins.items()}
    for measure, sides in found.items():
        if measure in MEANS:
            continue
        for place, share in enumerate(sides.get("treated", [])):
            if share is not None and _few(share * treated, treated, minimum):
                sides["treated"][place] = None
    few = [place for place, share in enumerate(found.get("any_hours", {}).get("treated", [])) if share is None]
    for place in few:
        means = found.get("hours_if_any", {}).get("treated", [])
        if place < len(means):
            means[place] = None
    return found


def _without_levels(result: Result, population: Population) -> Result:
    """The estimates without the observed level (and what was expected) where it is a share of the treated that was taken away.

    The effect stays: without either level it counts nobody. Outcomes may be in shares or in per cent.
    """
    known = result.population.margins if result.population is not None else {}
    gone = {
        (period, share)
        for measure, sides in known.items()
        if measure not in MEANS
        for period, share, left in zip(
            population.periods, sides.get("treated", []), population.margins[measure].get("treated", []), strict=False
        )
        if share is not None and left is None
    }

    def told(one: PeriodEffect) -> bool:
        level = one.observed
        return level is not None and any(
            one.period == period and any(math.isclose(level, scale * share, abs_tol=1e-9) for scale in (1.0, 100.0))
            for period, share in gone
        )

    def bare(estimate: Estimate) -> Estimate:
        path = tuple(replace(one, observed=None, counterfactual=None) if told(one) else one for one in estimate.path)
        return replace(estimate, path=path)

    if not gone:
        return result
    return replace(
        result, headline=bare(result.headline), estimates=tuple(bare(estimate) for estimate in result.estimates)
    )


def _missing(flow: Sequence[FlowStep], population: Population | None) -> int:
    """How many numbers are not shown; a row of balance counts once."""
    if population is None:
        return 0
    series = [counts for sides in population.exits.values() for counts in sides.values()]
    means = [values for sides in population.margins.values() for values in sides.values()]
    return (
        sum(step.rows is None for step in flow)
        + sum(row.treated is None for row in population.balance)
        + sum(count is None for count in (*population.counters.values(), population.off_support))
        + sum(pair[0] is None for pair in population.imputed.values())
        + sum(count is None for counts in series for count in counts)
        + sum(value is None for values in means for value in values)
    )
