"""Series by area and period at the frequency of the panel: months and quarters become means of complete years or quarters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.columns import Names
from evaluation.errors import listed
from evaluation.panel import Array, Mask
from evaluation.periods import PER_YEAR, Frequency, Period
from evaluation.series.files import Asked, Long, grid, read_long
from evaluation.series.remarks import Remarks

MOST_GAPS = 4
"""So many gaps are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Table:
    """Values (areas, periods) at the panel's frequency, NaN for a gap; `averaged` is how many periods of the file make one."""

    source: str
    labels: tuple[str, ...]
    periods: tuple[Period, ...]
    values: Array
    averaged: int
    frequency: Frequency


def read_series(asked: Asked, frequency: Frequency, remarks: Remarks) -> Table | None:
    """A file with one value per area and period, averaged to a frequency; without a column of areas it has one area, ""."""
    long = read_long(asked, remarks)
    if long is None:
        return None
    has_units = "unit" in long.names
    cells = grid(long, ("unit", "time") if has_units else ("time",), asked, remarks)
    if cells is None:
        return None
    labels = long.names["unit"].labels if has_units else ("",)
    assert long.time is not None  # asked for
    return averaged(long, cells.reshape(len(labels), -1), labels, long.time.periods, frequency, asked, remarks)


def averaged(
    long: Long,
    values: Array,
    labels: Sequence[str],
    periods: Sequence[Period],
    frequency: Frequency,
    asked: Asked,
    remarks: Remarks,
) -> Table | None:
    """(..., periods) values as means of `frequency`; a period of which a part is missing is a gap."""
    own = periods[0].frequency
    if PER_YEAR[own] < PER_YEAR[frequency]:
        what = f"{long.source} holds {own}s, but the panel has {frequency}s; a series must be at least as frequent"
        remarks.wrong(asked.place, what)
        return None
    parts = PER_YEAR[own] // PER_YEAR[frequency]
    first, last = periods[0].ordinal // parts, periods[-1].ordinal // parts
    wide = np.full((*values.shape[:-1], (last - first + 1) * parts), np.nan)
    begin = periods[0].ordinal - first * parts
    wide[..., begin : begin + len(periods)] = values
    means = wide.reshape(*values.shape[:-1], last - first + 1, parts).mean(axis=-1)
    made = tuple(Period(frequency, ordinal) for ordinal in range(first, last + 1))
    return Table(long.source, tuple(labels), made, np.asarray(means), parts, own)


def columns_of(table: Table, periods: Sequence[Period]) -> list[int]:
    """Where the panel's periods stand among those of the table, -1 for one that it does not have."""
    first = table.periods[0].ordinal
    return [each.ordinal - first if each in table.periods else -1 for each in periods]


def uncovered(table: Table, periods: Sequence[Period], window_end: Period, register: bool) -> str:
    """In words: which periods of the panel a series does not have at all, and how to mend that; empty when it has all."""
    have: Mask = np.asarray(np.isfinite(table.values).reshape(-1, len(table.periods)).any(axis=0))
    known = [period for period, seen in zip(table.periods, have, strict=True) if seen]
    lacking = [period for period in periods if period not in known]
    if not lacking:
        return ""
    if not known:
        return f"{table.source} has no complete {periods[0].frequency}"
    spans = f"{table.source} runs from {known[0]} to {known[-1]}, the panel from {periods[0]} to {periods[-1]}"
    after = [period for period in periods if period not in lacking]
    if after and lacking == [period for period in periods if period > after[-1]] and after[-1] >= window_end:
        table_name = "[register]" if register else "[data]"
        last = after[-1].label if periods[0].frequency == "year" else f'"{after[-1]}"'
        first = periods[0].label if periods[0].frequency == "year" else f'"{periods[0]}"'
        return f"{spans}; the window ends in {window_end}, so write periods = [{first}, {last}] in {table_name}"
    partly = f" (of {table.averaged} {table.frequency}s each)" if table.averaged > 1 else ""
    return f"{spans}; it lacks {listed([period.label for period in lacking])}{partly}"


def gaps(table: Table, values: Array, names: Sequence[str], periods: Sequence[Period]) -> str:
    """In words: how many cells of (units, periods) are empty and which; empty when all are known."""
    rows, columns = np.nonzero(~np.isfinite(values))
    if not len(rows):
        return ""
    shown = [
        f"'{names[row]}' in {periods[column]}"
        for row, column in zip(rows[:MOST_GAPS], columns[:MOST_GAPS], strict=True)
    ]
    more = f" and {len(rows) - MOST_GAPS:,} more" if len(rows) > MOST_GAPS else ""
    why = f"; a {periods[0].frequency} with a missing {table.frequency} is a gap" if table.averaged > 1 else ""
    return f"{table.source} has no value for {len(rows):,} of {values.size:,} cells: {', '.join(shown)}{more}{why}"


def rows_of(names: Names, labels: Sequence[str]) -> list[int]:
    """Where labels stand among the names of a column, -1 for one that is not there."""
    return [names.labels.index(label) if label in names.labels else -1 for label in labels]
