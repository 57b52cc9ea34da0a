"""From the small tables that leave the engine to the arrays of `Cells`: where each row belongs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.register import outcomes
from evaluation.register.cells import EXITS, NUMBERS, Cells, IntArray
from evaluation.register.timing import Timing
from evaluation.result import FlowStep

if TYPE_CHECKING:
    import pyarrow as pa

_COUNTERS = (*outcomes.COUNTERS, "years_over", "capped")


@dataclass(frozen=True, slots=True)
class Grid:
    """Where each row of a small table belongs in the arrays."""

    units: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    keys: IntArray
    times: Timing
    bands: tuple[str, ...]
    stock: bool

    @classmethod
    def of(cls, at_baseline: pa.Table, bands: Mapping[str, Any], times: Timing, stock: bool) -> Grid:
        """The units and cells that occur, sorted; `labels` are those of each band, `keys` the cells as one number each."""
        names = tuple(bands)
        units = tuple(sorted(_distinct(at_baseline, "municipality")))
        labels = tuple(tuple(sorted(_distinct(at_baseline, name))) for name in names)
        keys = np.unique(_cell_numbers(at_baseline, names, labels))
        places = np.unravel_index(keys, [len(each) for each in labels]) if names else ()
        groups = tuple(
            tuple(each[place] for each, place in zip(labels, row, strict=True))
            for row in (zip(*(column.tolist() for column in places), strict=True) if names else [()])
        )
        return cls(units, groups, labels, keys, times, names, stock)

    def rows(self, table: pa.Table) -> tuple[IntArray, IntArray]:
        """Unit and group of each row."""
        unit = _codes(table, "municipality", self.units)
        return unit, np.searchsorted(self.keys, _cell_numbers(table, self.bands, self.labels))

    def baseline(self, table: pa.Table, rows: tuple[IntArray, IntArray], column: str) -> IntArray:
        """(units, groups), of a stock repeated for the periods of each baseline."""
        unit, group = rows
        values = _numbers(table, column)
        if not self.stock:
            flat = np.zeros((len(self.units), len(self.groups)), dtype=np.int64)
            flat[unit, group] = values
            return flat
        found = np.zeros((len(self.units), len(self.groups), len(self.times.periods)), dtype=np.int64)
        base = _numbers(table, "base")
        for each in self.times.baselines:
            own = base == each.year
            for place in each.periods:
                found[unit[own], group[own], place] = values[own]
        return found

    def cells(
        self,
        at_baseline: pa.Table,
        found: pa.Table,
        covariates: tuple[str, ...],
        measures: tuple[str, ...],
        flow: tuple[FlowStep, ...],
        counters: dict[str, int],
    ) -> Cells:
        """The arrays."""
        then = self.rows(at_baseline)
        unit, group = self.rows(found)
        place = _numbers(found, "place")
        shape = (len(self.units), len(self.groups), len(self.times.periods))

        def cube(column: str) -> IntArray:
            values = np.zeros(shape, dtype=np.int64)
            values[unit, group, place] = _numbers(found, column)
            return values

        def by_unit(column: str) -> IntArray:
            values = np.zeros((shape[0], shape[2]), dtype=np.int64)
            np.add.at(values, (unit, place), _numbers(found, column))
            return values

        counters |= {name: int(_numbers(found, f"counter_{name}").sum()) for name in _COUNTERS}
        rows, imputed = by_unit("counter_rows"), by_unit("counter_imputed")
        early = np.array([self.times.before(each) for each in range(shape[2])])
        sides = {
            f"{code}|{side}": (int(imputed[row, chosen].sum()), int(rows[row, chosen].sum()))
            for row, code in enumerate(self.units)
            for side, chosen in (("before", early), ("after", ~early))
        }
        return Cells(
            units=self.units,
            periods=self.times.periods,
            covariates=covariates,
            groups=self.groups,
            persons=self.baseline(at_baseline, then, "persons"),
            sums={name: self.baseline(at_baseline, then, f"sum_{name}") for name in NUMBERS if name in covariates},
            count={measure: cube(f"count_{measure}") for measure in measures},
            total={measure: cube(f"total_{measure}") for measure in measures},
            squares={measure: cube(f"squares_{measure}") for measure in measures},
            scale={measure: outcomes.scale(measure) for measure in measures},
            flow=flow,
            counters=counters,
            imputed=sides,
            exits={name: by_unit(f"exit_{name}") for name in EXITS},
        )


def _distinct(table: pa.Table, column: str) -> list[str]:
    return [str(label) for label in table.column(column).unique().to_pylist()]


def _codes(table: pa.Table, column: str, labels: Sequence[str]) -> IntArray:
    """The place of each row's label among the labels."""
    encoded = table.column(column).combine_chunks().dictionary_encode()
    place = {label: number for number, label in enumerate(labels)}
    found: IntArray = np.array([place[label] for label in encoded.dictionary.to_pylist()], dtype=np.int64)
    places: IntArray = found[encoded.indices.to_numpy(zero_copy_only=False)]
    return places


def _cell_numbers(table: pa.Table, bands: Sequence[str], labels: Sequence[Sequence[str]]) -> IntArray:
    """The cell of each row as one number, in the order of the labels."""
    number: IntArray = np.zeros(table.num_rows, dtype=np.int64)
    for name, known in zip(bands, labels, strict=True):
        number = number * len(known) + _codes(table, name, known)
    return number


def _numbers(table: pa.Table, column: str) -> IntArray:
    return np.asarray(table.column(column).to_numpy(), dtype=np.int64)
