"""From the canonical tables to cells: the persons, their hours and states, and the sums over them, inside the engine.

What leaves the engine is small: one row per municipality, covariate cell and period.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import narwhals as nw
import numpy as np

from evaluation.errors import DataError
from evaluation.register import outcomes, population, states
from evaluation.register.cells import EXITS, NUMBERS, Cells, IntArray
from evaluation.register.expressions import row_count, total, where_holds
from evaluation.register.timing import Timing, timing
from evaluation.result import FlowStep

if TYPE_CHECKING:
    import pyarrow as pa

    from evaluation.register.sources import Sources
    from evaluation.spec.model import Register

Frame: TypeAlias = "nw.LazyFrame[Any]"

_COUNTERS = (*outcomes.COUNTERS, "years_over", "capped")


def gather(sources: Sources, register: Register, say: Callable[[str, str], None]) -> Cells:
    """Find the persons, measure their outcomes and add them up.

    Parameters
    ----------
    sources : Sources
        The canonical tables; everything is computed by their engine.
    say : callable
        say(stage, text) is told what is being done; never anything about a person.

    Raises
    ------
    SpecError
        The spec asks for what cannot be combined, or its `where` is no condition.
    DataError
        Nobody is left, or a register lacks years or weeks that are needed.
    """
    times = timing(register)
    measures = tuple(dict.fromkeys((register.outcome.measure, *register.outcome.also)))
    covariates = tuple(dict.fromkeys(register.balance.covariates))
    members = population.members(sources, register, times, measures, say)
    parts = outcomes.person_hours(sources, register, times, members, say)
    _hours_cover(sources, register, times, parts, covariates)

    say("Cells", "sums by municipality and period")
    before = outcomes.hours_before(parts, times)
    placed = members.table.join(before, on=["person", "base"], how="left").with_columns(
        hours_before=nw.col("hours_before").fill_null(0)
    )
    bands = population.bands(covariates)
    placed = sources.engine.keep(placed.with_columns(**bands) if bands else placed, "placed")
    keys = ["municipality", *bands]
    at_baseline = _at_baseline(sources, placed, keys, covariates)
    followed = _followed(times, placed, members, keys, measures)
    worked = _with_hours(register, followed, outcomes.by_period(parts))
    found = sources.engine.collect(_added(sources, register, times, worked, keys, measures))
    observed = _observed(sources, followed, members.flow[-1])
    made = _Grid.of(at_baseline, bands, times, register.who.design == "stock")
    return made.cells(at_baseline, found, covariates, measures, (*members.flow, observed), dict(sources.counters))


# ------------------------------------------------------------------ in the engine


def _at_baseline(sources: Sources, placed: Frame, keys: Sequence[str], covariates: Sequence[str]) -> pa.Table:
    """Persons and sums of their numbers by unit, cell and baseline."""
    numbers = {f"sum_{name}": total(nw.col(name)) for name in NUMBERS if name in covariates}
    return sources.engine.collect(placed.group_by(*keys, "base").agg(persons=row_count(), **numbers))


def _followed(
    times: Timing, placed: Frame, members: population.Members, keys: Sequence[str], measures: Sequence[str]
) -> Frame:
    """One row per member and period: whether they are observed, and their states."""
    frames = [
        placed.filter(nw.col("base") == baseline.year).select(
            "person",
            "base",
            *keys,
            place=nw.lit(place),
            ordinal=nw.lit(times.periods[place].ordinal),
            home=nw.lit(times.home(place)),
        )
        for baseline in times.baselines
        for place in baseline.periods
    ]
    flags = ["dead", "emigrated", *(f"left_{name}" for name in states.LEFT)]
    flags += [states.state_column(name) for name in states.MEASURES if name in measures]
    return (
        nw.concat(frames, how="vertical")
        .join(members.residence, on=["person", "home"], how="left")
        .join(members.states, on=["person", "place"], how="left")
        .with_columns(**{name: nw.col(name).fill_null(0) for name in [*flags, "there"]})
        # who is not in the population register and has no code has left it, most likely for another country
        .with_columns(
            emigrated=(1 - nw.col("dead")) * nw.max_horizontal(nw.col("emigrated"), 1 - nw.col("there")),
        )
        .with_columns(present=(1 - nw.col("dead")) * (1 - nw.col("emigrated")))
        .with_columns(moved=nw.col("present") * where_holds(nw.col("now") != nw.col("municipality")))
    )


def _with_hours(register: Register, followed: Frame, hours: Frame) -> Frame:
    """The same with their hours; who has no row of hours has none."""
    zeros = ["hours", "last", *outcomes.COUNTERS]
    joined = followed.join(hours, on=["person", "ordinal"], how="left")
    return joined.with_columns(**{name: nw.col(name).fill_null(0) for name in zeros}).with_columns(
        worked=outcomes.capped(register)
    )


def _added(
    sources: Sources, register: Register, times: Timing, worked: Frame, keys: Sequence[str], measures: Sequence[str]
) -> Frame:
    """Sums by unit, cell and period."""
    over, capped = outcomes.years_over(register, sources, times)
    sums: dict[str, nw.Expr] = {}
    for measure in measures:
        counted, number = outcomes.value(measure)
        sums |= {
            f"count_{measure}": total(counted),
            f"total_{measure}": total(number),
            f"squares_{measure}": total(number * number),
        }
    for name in EXITS:
        sums[f"exit_{name}"] = total(nw.col(name if name in ("dead", "emigrated", "moved") else f"left_{name}"))
    sums |= {f"counter_{name}": total(nw.col(name)) for name in outcomes.COUNTERS}
    sums |= {"counter_years_over": total(over), "counter_capped": total(capped)}
    return worked.group_by(*keys, "place").agg(**sums)


def _observed(sources: Sources, followed: Frame, last: FlowStep) -> FlowStep:
    """How many are observed in every period that they are followed in."""
    always = followed.group_by("municipality", "person", "base").agg(present=nw.col("present").min())
    table = always.group_by("municipality").agg(persons=total(nw.col("present")))
    counts = sources.engine.collect(table).column("persons").to_pylist()
    return FlowStep("observed", int(sum(counts)), sum(count > 0 for count in counts), dict(last.facts))


def _hours_cover(sources: Sources, register: Register, times: Timing, parts: Frame, covariates: Sequence[str]) -> None:
    """Refuse years without a single row, in which everybody would seem to have had no hours."""
    years = set(sources.engine.collect(parts.select("year").unique()).column("year").to_pylist())
    needed = {each.year for each in times.baselines} if "hours_before" in covariates else set()
    lost = sorted(needed - years)
    if lost and min(lost) < min(years):
        raise DataError(
            f"register.hours: nobody of the group has a row of hours in {lost[0]}, a baseline year whose hours are to be "
            'balanced; leave "hours_before" out of [register.balance] covariates, or begin [register] periods a year later'
        )


# ------------------------------------------------------------------ outside: from rows to arrays


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where each row of a small table belongs in the arrays."""

    units: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    times: Timing
    bands: tuple[str, ...]
    stock: bool

    @classmethod
    def of(cls, at_baseline: pa.Table, bands: Mapping[str, Any], times: Timing, stock: bool) -> _Grid:
        """The units and cells that occur, sorted."""
        names = tuple(bands)
        units = tuple(sorted(set(at_baseline.column("municipality").to_pylist())))
        return cls(units, tuple(sorted(set(_labels(at_baseline, names)))), times, names, stock)

    def rows(self, table: pa.Table) -> tuple[IntArray, IntArray]:
        """Unit and group of each row."""
        unit = {name: place for place, name in enumerate(self.units)}
        group = {labels: place for place, labels in enumerate(self.groups)}
        return (
            np.array([unit[name] for name in table.column("municipality").to_pylist()], dtype=np.int64),
            np.array([group[labels] for labels in _labels(table, self.bands)], dtype=np.int64),
        )

    def baseline(self, table: pa.Table, column: str) -> IntArray:
        """(units, groups), of a stock repeated for the periods of each baseline."""
        unit, group = self.rows(table)
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
            persons=self.baseline(at_baseline, "persons"),
            sums={name: self.baseline(at_baseline, f"sum_{name}") for name in NUMBERS if name in covariates},
            count={measure: cube(f"count_{measure}") for measure in measures},
            total={measure: cube(f"total_{measure}") for measure in measures},
            squares={measure: cube(f"squares_{measure}") for measure in measures},
            scale={measure: outcomes.scale(measure) for measure in measures},
            flow=flow,
            counters=counters,
            imputed=sides,
            exits={name: by_unit(f"exit_{name}") for name in EXITS},
        )


def _labels(table: pa.Table, bands: Sequence[str]) -> list[tuple[str, ...]]:
    columns = [table.column(name).to_pylist() for name in bands]
    return list(zip(*columns, strict=True)) if columns else [()] * table.num_rows


def _numbers(table: pa.Table, column: str) -> IntArray:
    return np.asarray(table.column(column).to_numpy(), dtype=np.int64)
