"""Disclosure control: what may leave when the data are not public.

Units whose cells rest on too few persons disappear from every list and remark that names units. What cannot be made safe is
refused. The thresholds are the spec's, the mechanism is here. A Result made from a ready panel holds no count of persons, so
the base that counts are rounded to is recorded and has nothing to act on.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import cast

from evaluation.errors import DisclosureError
from evaluation.result import CheckResult, Disclosure, Estimate, Note, Result, Value

HIDDEN = "*"


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
        Sizes are unknown, or a treated unit is too small to be published.
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
    controls = tuple(name for name in result.design.controls if name not in hidden)
    return replace(
        result,
        design=replace(result.design, controls=controls),
        headline=_estimate(result.headline, hidden),
        estimates=tuple(_estimate(each, hidden) for each in result.estimates),
        checks=tuple(_check(each, hidden) for each in result.checks),
        failures=tuple(
            replace(each, problems=tuple(_blotted(text, hidden) for text in each.problems)) for each in result.failures
        ),
        flow=tuple(replace(step, facts=_blotted_facts(step.facts, hidden)) for step in result.flow),
        disclosure=Disclosure(False, minimum, base, len(hidden), tuple(actions)),
    )


def _estimate(estimate: Estimate, hidden: frozenset[str]) -> Estimate:
    weights = {name: weight for name, weight in estimate.unit_weights.items() if name not in hidden}
    rest = sum(weight for name, weight in estimate.unit_weights.items() if name in hidden)
    if rest:
        weights[HIDDEN] = rest
    details = {key: _lists(value, hidden) for key, value in estimate.details.items() if key != "dropped_units"}
    notes = tuple(_note(note, hidden) for note in estimate.notes)
    return replace(estimate, unit_weights=weights, details=details, notes=notes)


def _check(check: CheckResult, hidden: frozenset[str]) -> CheckResult:
    facts: dict[str, Value] = {
        key: HIDDEN if isinstance(value, str) and value in hidden else value for key, value in check.facts.items()
    }
    return replace(check, facts=facts, series=cast("dict[str, Value]", _lists(check.series, hidden)))


def _note(note: Note, hidden: frozenset[str]) -> Note:
    """The note with hidden names blotted out of its text and its facts."""
    return Note(note.code, _blotted(note.text, hidden), _blotted_facts(note.facts, hidden))


def _blotted_facts(facts: dict[str, Value], hidden: frozenset[str]) -> dict[str, Value]:
    return {key: _blotted(value, hidden) if isinstance(value, str) else value for key, value in facts.items()}


def _blotted(text: str, hidden: frozenset[str]) -> str:
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
