"""Who was treated from when, and the window, against the units and periods that the data hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from evaluation.columns import decimal_quarters, distinct, name_of, share
from evaluation.errors import did_you_mean, listed
from evaluation.panel import Indices, Mask
from evaluation.periods import Period, parse_period
from evaluation.result import Note, Value

NEVER = frozenset({"", "0", "0.0", "inf", "infinity", "nan", "never", "aldrig"})
"""What a column of starts holds for units that are never treated."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: the argument it belongs to (`place` in its list), the column if any, and what it is."""

    role: str
    column: str
    what: str
    place: int | None = None

    @property
    def where(self) -> str:
        """The column, or the argument."""
        return f"column '{self.column}'" if self.column else self.role


@dataclass(slots=True)
class Remarks:
    """What is wrong with the data (`findings`) and what is worth knowing (`notes`), collected so that all is said."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def wrong(self, role: str, what: str, column: str = "", place: int | None = None) -> None:
        """Note something that is wrong."""
        self.findings.append(Finding(role, column, what, place))

    def note(self, code: str, text: str, **facts: Value) -> None:
        """Note something the reader of the numbers should know."""
        self.notes.append(Note(code, text, facts))


class Cells(Protocol):
    """Where the rows of a frame stand: `rows` are those with a unit and a period, `codes` their units."""

    @property
    def units(self) -> tuple[str, ...]:
        """Names."""

    @property
    def periods(self) -> tuple[Period, ...]:
        """In order."""

    @property
    def rows(self) -> Mask | slice:
        """The rows of the frame that have a cell."""

    @property
    def codes(self) -> Indices:
        """(rows,) the unit of each of them."""


def assign(
    treated: Mapping[str, object] | Sequence[str] | None,
    start: object,
    units: tuple[str, ...],
    periods: tuple[Period, ...],
    remarks: Remarks,
) -> Indices | None:
    """(units,) the first treated period by name; None, with findings, when names or starts do not fit the data."""
    before = len(remarks.findings)
    starts = _starts_by_name(treated, start, remarks)
    rows = {unit: row for row, unit in enumerate(units)}
    result = np.full(len(units), len(periods), dtype=np.int64)
    steps: dict[str, int | None] = {}
    for place, (name, when) in enumerate(starts.items()):
        if name not in rows:
            hint = (
                did_you_mean(name, units)
                or f"; there {'is' if len(units) == 1 else 'are'} {_n_units(len(units))}: {listed(units)}"
            )
            remarks.wrong("treated", f"no unit '{name}' in the data{hint}", place=place)
        if str(when) not in steps:
            steps[str(when)] = _start(when, periods, remarks)
        step = steps[str(when)]
        if step is not None and name in rows:
            result[rows[name]] = step
    if len(remarks.findings) > before:
        return None
    _judge_controls(result, units, periods, "treated", remarks)
    return result


def assign_by_column(column: Any, name: str, cells: Cells, remarks: Remarks) -> Indices | None:
    """(units,) the first treated period from a column; 0, infinite, "never" or empty there means never."""
    n_units, n_periods = len(cells.units), len(cells.periods)
    steps, wrong = _start_steps(column, cells.periods)
    if wrong:
        remarks.wrong("start", wrong, name)
        return None
    steps = steps[cells.rows]
    result = np.full(n_units, n_periods, dtype=np.int64)
    result[cells.codes] = steps
    changing = np.unique(cells.codes[steps != result[cells.codes]])
    if changing.size:
        first = cells.units[int(changing[0])]
        who = f"unit '{first}'" if changing.size == 1 else f"{changing.size:,} units, the first '{first}'"
        remarks.wrong("start", f"differs between the rows of {who}; a unit starts once", name)
        return None
    early = [cells.units[row] for row in np.flatnonzero(result <= 0)]
    if early:
        verb = "starts" if len(early) == 1 else "start"
        what = f"{len(early):,} of {_n_units(n_units)} {verb} in the first period, {cells.periods[0]}, or before it"
        remarks.wrong(
            "start", f"{what}: {listed(early)}; leave them out, since nothing is known about them before", name
        )
        return None
    late = [cells.units[row] for row in np.flatnonzero(result > n_periods)]
    if late:
        verbs = ("starts", "counts") if len(late) == 1 else ("start", "count")
        text = f"{_n_units(len(late))} {verbs[0]} after the last period and {verbs[1]} as never treated: {listed(late)}"
        remarks.note("starts_after_data", text, units=list(late))
    result = np.minimum(result, n_periods)
    if not (result < n_periods).any():
        remarks.wrong("start", f"no unit starts between {cells.periods[0].shift(1)} and {cells.periods[-1]}", name)
        return None
    _judge_controls(result, cells.units, cells.periods, "start", remarks)
    return result


def judge_window(
    window: tuple[object, object] | None, start: Indices | None, periods: tuple[Period, ...], remarks: Remarks
) -> tuple[int, int] | None:
    """The window as indices; None without a window, or when it does not fit the data."""
    if window is None:
        return None
    before = len(remarks.findings)
    first, last = (_step(when, periods, "window", remarks) for when in window)
    if first is None or last is None:
        return None
    if last < first:
        remarks.wrong("window", f"the window ends in {window[1]}, before it begins in {window[0]}")
    for step, when, word in ((first, window[0], "begins"), (last, window[1], "ends")):
        if not 0 <= step < len(periods):
            remarks.wrong("window", f"the window {word} in {when}, outside the data ({periods[0]} to {periods[-1]})")
    if start is not None and len(remarks.findings) == before and first < int(start.min()):
        remarks.wrong(
            "window", f"the window begins in {window[0]}, before the start of treatment in {periods[int(start.min())]}"
        )
    return None if len(remarks.findings) > before else (first, last)


def _starts_by_name(
    treated: Mapping[str, object] | Sequence[str] | None, start: object, remarks: Remarks
) -> dict[str, object]:
    """{unit: first treated period}, empty (with a finding) when nobody or nothing is named."""
    if treated is None:
        remarks.wrong("treated", "nobody is treated; name the treated units, or a column with each unit's start")
        return {}
    if isinstance(treated, Mapping):
        if start is not None:
            remarks.wrong("start", "is given twice: `treated` already holds each unit's start")
        starts = {str(name): when for name, when in treated.items()}
    else:
        if start is None:
            remarks.wrong("start", "the first treated period is missing")
            return {}
        starts = dict.fromkeys((treated,) if isinstance(treated, str) else (str(name) for name in treated), start)
    if not starts:
        remarks.wrong("treated", "nobody is treated; name the treated units")
    return starts


def _step(when: object, periods: tuple[Period, ...], role: str, remarks: Remarks) -> int | None:
    """How many periods after the first one `when` is; None (and a finding) when it is no period of this kind."""
    try:
        period = parse_period(when)
    except (ValueError, OverflowError):
        remarks.wrong(role, f"'{when}' is not a period; write 2015, 2015Q1 or 2015M01")
        return None
    if period.frequency != periods[0].frequency:
        what = f"'{when}' is a {period.frequency}, but the data hold {periods[0].frequency}s"
        remarks.wrong(role, f"{what}; write it like {periods[0]}")
        return None
    return period.ordinal - periods[0].ordinal


def _start(when: object, periods: tuple[Period, ...], remarks: Remarks) -> int | None:
    """The index of a named start; None (and a finding) when it is not after the first and at most the last period."""
    step = _step(when, periods, "start", remarks)
    if step is None or 0 < step < len(periods):
        return step
    what = "before the first period" if step < 0 else "after the last period"
    if step == 0:
        what = "the first period, so there is nothing before it to compare with"
    remarks.wrong("start", f"{when} is {what}; the data run from {periods[0]} to {periods[-1]}")
    return None


def _start_steps(column: Any, periods: tuple[Period, ...]) -> tuple[Indices, str]:
    """(rows,) the step of each row's start, one past the last for never; and in words what is wrong."""
    values, codes = distinct(column)
    never = len(periods)
    lookup = np.full(len(values) + 1, never, dtype=np.int64)
    other: set[str] = set()
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    bad = 0
    never_here = [name_of(value).casefold() in NEVER for value in values]
    if periods[0].frequency == "quarter":
        known = [None if skip else value for skip, value in zip(never_here, values, strict=True)]
        values = decimal_quarters(known) or values
    for place, value in enumerate(values):
        if never_here[place]:
            continue
        try:
            period = parse_period(value.strip() if isinstance(value, str) else value)
        except (ValueError, OverflowError):
            bad += int(counts[place])
            continue
        if period.frequency != periods[0].frequency:
            other.add(period.frequency)
        step = period.ordinal - periods[0].ordinal
        lookup[place] = step if step < never else step + 1
    wrong = ""
    if bad:
        wrong = f"{share(bad, codes)} not a period; write 2015, 2015Q1 or 2015M01, and 0 for never"
    elif other:
        wrong = f"holds {' and '.join(sorted(other))}s, but the data hold {periods[0].frequency}s"
    return lookup[codes], wrong


def _judge_controls(
    start: Indices, units: tuple[str, ...], periods: tuple[Period, ...], role: str, remarks: Remarks
) -> None:
    """With one start there must be two controls; with several, units not yet treated can serve."""
    treated = start < len(periods)
    controls = np.flatnonzero(~treated)
    if np.unique(start[treated]).size > 1:
        if not controls.size:
            text = "every unit is treated at some time; only those not yet treated can be compared with"
            remarks.note("no_never_treated", text)
    elif not controls.size:
        who = f"all {len(units):,} units are" if len(units) > 1 else f"the only unit, '{units[0]}', is"
        what = f"{who} treated from {'the same period' if len(units) > 1 else periods[int(start.min())].label} on"
        remarks.wrong(role, f"{what}; there is nobody to compare with")
    elif controls.size == 1:
        what = f"there is only one control, '{units[int(controls[0])]}'"
        remarks.wrong(role, f"{what}; with fewer than two, its own ups and downs cannot be told from an effect")


def _n_units(count: int) -> str:
    return "1 unit" if count == 1 else f"{count:,} units"
