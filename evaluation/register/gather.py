"""From the canonical tables to cells: the persons, their hours and states, and the sums over them, inside the engine.

What leaves the engine is small: one row per municipality, covariate cell and period.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import narwhals as nw

from evaluation.errors import DataError, EvaluationError, SpecError
from evaluation.register import outcomes, population, states
from evaluation.register.cells import EXITS, NUMBERS, Cells
from evaluation.register.expressions import distinct, row_count, total, where_holds
from evaluation.register.grid import Grid
from evaluation.register.timing import Baseline, Timing, Week, timing
from evaluation.result import FlowStep

if TYPE_CHECKING:
    import pyarrow as pa

    from evaluation.register.sources import Sources
    from evaluation.spec.model import Register

Frame: TypeAlias = "nw.LazyFrame[Any]"
Say: TypeAlias = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A population to be measured: the [register] that finds it.

    Attributes
    ----------
    register : Register
        Who, which outcome, and the covariates of the cells.
    optional : bool
        What is wrong with it is told instead of raised.
    adapts : bool
        Of a stock: Decembers at which it cannot be found, and covariates that are not known at every December left, are given
        up.
    """

    register: Register
    optional: bool = False
    adapts: bool = False


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A population whose persons are found."""

    register: Register
    times: Timing
    members: population.Members
    optional: bool
    adapts: bool


def gather(sources: Sources, register: Register, say: Say) -> Cells:
    """Find the persons, measure their outcomes and add them up: `gather_all` for one population."""
    found = gather_all(sources, {"": Asked(register)}, say)[""]
    assert isinstance(found, Cells)  # only what is optional comes back as an error
    return found


def gather_all(sources: Sources, asked: Mapping[str, Asked], say: Say) -> dict[str, Cells | EvaluationError]:
    """Find the persons of several populations, read the hours of all of them at once, and add up each.

    Parameters
    ----------
    sources : Sources
        The canonical tables; everything is computed by their engine.
    asked : mapping, name -> Asked
        They measure the same outcome.
    say : callable
        say(stage, text) is told what is being done; never anything about a person.

    Returns
    -------
    dict, name -> Cells, or of what is optional the error that kept it from being measured

    Raises
    ------
    SpecError
        The spec asks for what cannot be combined, or its `where` is no condition.
    DataError
        Nobody is left, or a register lacks years or weeks that are needed.
    """
    found: dict[str, Cells | EvaluationError] = {}
    chosen: dict[str, _Chosen] = {}
    for name, one in asked.items():
        try:
            chosen[name] = _chosen(sources, one, say)
        except (DataError, SpecError) as error:
            if not one.optional:
                raise
            found[name] = error
    if not chosen:
        return found
    parts = _hours_of_all(sources, tuple(chosen.values()), say)
    say("Cells", "sums by municipality and period")
    for name, each in chosen.items():
        try:
            found[name] = _cells(sources, each, parts)
        except (DataError, SpecError) as error:
            if not asked[name].optional:
                raise
            found[name] = error
    return found


def _chosen(sources: Sources, asked: Asked, say: Say) -> _Chosen:
    register = possible(sources, asked.register) if asked.adapts else asked.register
    times = timing(register)
    members = population.members(sources, register, times, measures_of(register), say)
    return _Chosen(register, times, members, asked.optional, asked.adapts)


def _hours_of_all(sources: Sources, chosen: Sequence[_Chosen], say: Say) -> Frame:
    """The hours of everybody in any of the populations, by person and period."""
    persons = [each.members.everybody for each in chosen]
    everybody = persons[0] if len(persons) == 1 else distinct(nw.concat(persons, how="vertical"), "person")
    spans = [each.times.span() for each in chosen]
    span = min(first for first, _ in spans), max(last for _, last in spans)
    return outcomes.person_hours(sources, chosen[0].register, chosen[0].times, everybody, span, say)


def _cells(sources: Sources, chosen: _Chosen, parts: Frame) -> Cells:
    register, times, members = chosen.register, chosen.times, chosen.members
    measures = measures_of(register)
    covariates = tuple(dict.fromkeys(register.balance.covariates))
    lost = _hours_lost(sources, register, times, parts, members)
    if lost is not None and "hours_before" in covariates:
        if not chosen.adapts:
            raise lost
        covariates = tuple(name for name in covariates if name != "hours_before")
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
    # who is observed throughout is said of the spec's own population only
    observed = () if chosen.optional else (_observed(sources, followed, members.flow[-1]),)
    made = Grid.of(at_baseline, bands, times, register.who.design == "stock")
    return made.cells(at_baseline, found, covariates, measures, (*members.flow, *observed), dict(sources.counters))


def measures_of(register: Register) -> tuple[str, ...]:
    """The outcome of the headline and those beside it."""
    return tuple(dict.fromkeys((register.outcome.measure, *register.outcome.also)))


# ------------------------------------------------------------------ what the registers hold of a stock


def possible(sources: Sources, register: Register) -> Register:
    """The same question as far as the registers can answer it at every December.

    Referral categories, weeks or residence may begin later than the hours do; then the stock begins later. Years on benefit go
    back further still; where they are not known at each December that is left, they are no covariate.

    Raises
    ------
    DataError
        Not even the last December can be looked at.
    """
    times, who = timing(register), register.who
    homes = sorted({each.home for each in times.baselines})
    held = sources.population.filter(nw.col("year").is_in(homes))
    resident = set(sources.engine.collect(distinct(held, "year")).column("year").to_pylist())

    def known(baseline: Baseline) -> bool:
        bridged = population.bridged(who, baseline)
        quarters = [baseline.quarter] if who.readiness is not None else []
        weeks = list(baseline.weeks(who.weeks))
        if "benefit_years" in who.where:
            weeks += counted(baseline)
        return baseline.home in resident and not sources.lacking(weeks, quarters, bridged)

    def counted(baseline: Baseline) -> list[Week]:
        return [week for year in states.years_before(baseline.year) for week in year]

    begin = len(times.baselines)
    while begin and known(times.baselines[begin - 1]):
        begin -= 1
    left = times.baselines[begin:]
    if not left:
        raise DataError("the registers do not tell who was in the group at the end of the last year")
    covariates = register.balance.covariates
    if any(sources.lacking(counted(each), [], False) for each in left):
        covariates = tuple(name for name in covariates if name != "benefit_years")
    return register.model_copy(
        update={
            "periods": (left[0].year + 1, register.periods[1]),
            "balance": register.balance.model_copy(update={"covariates": covariates}),
        }
    )


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


def _hours_lost(
    sources: Sources, register: Register, times: Timing, parts: Frame, members: population.Members
) -> DataError | None:
    """The error for baseline years without a single row, in which everybody would seem to have had no hours."""
    table = sources.engine.collect(distinct(parts.join(members.everybody, on="person", how="semi"), "year"))
    years = set(table.column("year").to_pylist())
    if not years:
        raise outcomes.no_hours_at_all(register)
    lost = sorted({each.year for each in times.baselines} - years)
    if not lost or min(lost) > min(years):
        return None
    return DataError(
        f"register.hours: nobody of the group has a row of hours in {lost[0]}, a baseline year whose hours are to be "
        'balanced; leave "hours_before" out of [register.balance] covariates, or begin [register] periods a year later'
    )
