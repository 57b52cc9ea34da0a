"""Which persons are followed: found at a baseline by benefit, residence, age and readiness, with what is known of them then.

All steps stay inside the engine. The benefit register is read first, since it is the one that leaves few persons; everybody
else's residence, education and hours are looked at for those persons alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import narwhals as nw

from evaluation.denmark.areas import municipalities
from evaluation.errors import DataError, did_you_mean, listed
from evaluation.register import states
from evaluation.register.expressions import distinct, row_count, total, where_holds
from evaluation.register.timing import Baseline, Timing, Week
from evaluation.result import FlowStep, Value

if TYPE_CHECKING:
    from evaluation.register.sources import Sources
    from evaluation.spec.model import Register, Who

Frame: TypeAlias = "nw.LazyFrame[Any]"
Say: TypeAlias = Callable[[str, str], None]

FIRST_VISIT_YEAR = 2014
"""Referral categories exist from here on; before, match groups stand in."""
BRIDGED_FROM_AGE = 30
"""Under match groups those under 30 were on cash benefit too; later most of them are on education benefit."""
WHERE = ("age", "sex", "origin", "education", "municipality", "birth_year", "birth_month", "benefit_years")
_AGES = ((25, "18-24"), (30, "25-29"), (40, "30-39"), (50, "40-49"), (60, "50-59"))
_YEARS_ON_BENEFIT = ((2, "0-1"), (4, "2-3"), (6, "4-5"))
UNKNOWN = "unknown"
ATTRIBUTES = ("person", "base", "municipality", "birth_year", "birth_month", "age", "sex", "origin", "education")


@dataclass(frozen=True, slots=True)
class Members:
    """The persons who are followed.

    Attributes
    ----------
    table : lazy table, kept in the engine
        One row per person and baseline: person, base (year of the baseline), unit (municipality at baseline), age, sex, origin,
        education, benefit_years (if asked for).
    residence : lazy table, kept in the engine
        person, home (year), now (municipality at the end of it) of these persons, for all years that any period needs.
    states : lazy table, kept in the engine
        What their weeks say at the end of each period: see `states.period_states`.
    everybody : lazy table, kept in the engine
        person: each once.
    persons : int
        How many that are.
    flow : tuple of FlowStep
        How many were left after each step.
    """

    table: Frame
    residence: Frame
    states: Frame
    everybody: Frame
    persons: int
    flow: tuple[FlowStep, ...]


def members(sources: Sources, register: Register, timing: Timing, measures: Collection[str], say: Say) -> Members:
    """Find the persons and what is known of them at baseline and at the end of each period.

    Parameters
    ----------
    measures : collection of str
        The measures asked for; weeks are read only for those that need them.

    Raises
    ------
    DataError
        Nobody is left, or a register lacks years or weeks that are needed.
    SpecError
        `register.who.where` is no condition (see `where.parse`).
    """
    engine, who = sources.engine, register.who
    say("Persons", f"who was on {who.benefit}")
    found = engine.keep(_found(sources, register, timing.baselines), "found")
    steps = ["benefit", "resident", "age", "readiness"] if who.readiness is not None else ["benefit", "resident", "age"]
    flow = _counted(sources, found, steps, register)
    if not flow[-1].rows:
        raise DataError(_nobody(flow, register))

    say("Persons", "their weeks on benefit")
    table = found.filter(nw.col("readiness_step") == 1).select(*ATTRIBUTES)
    if needs_benefit_years(register):
        years = _stacked(_with_benefit_years(sources, each, table) for each in timing.baselines)
        table = engine.keep(years, "members")
    if who.where.strip():
        from evaluation.register.where import parse

        table = table.filter(parse(who.where, WHERE))
        flow += _counted(sources, table, ["where"], register)
        if not flow[-1].rows:
            raise DataError(_nobody(flow, register))
    everybody = engine.keep(distinct(table, "person"), "everybody")
    residence = _residence(sources, timing, everybody)
    if who.movers == "drop":
        moved = _moved(timing, table, residence)
        table = engine.keep(table.join(moved, on=["person", "base"], how="anti"), "stayed")
        everybody = engine.keep(distinct(table, "person"), "everybody")
        flow += _counted(sources, table, ["stayed"], register)
    if not flow[-1].rows:
        raise DataError(_nobody(flow, register))
    persons = engine.collect(everybody.select(persons=nw.len())).column("persons")[0].as_py()
    weekly = _states(sources, timing, everybody, measures)
    return Members(table, residence, weekly, everybody, int(persons), flow)


def needs_benefit_years(register: Register) -> bool:
    """Whether the weeks of the years before the baseline are needed: for balancing, or for `where`."""
    return "benefit_years" in register.balance.covariates or "benefit_years" in register.who.where


def bridged(who: Who, baseline: Baseline) -> bool:
    """Whether match groups stand in for referral categories at a baseline."""
    return who.readiness is not None and baseline.year < FIRST_VISIT_YEAR and who.bridge


_WITHOUT_BENEFIT_YEARS = (
    f"years on benefit are counted over {states.BENEFIT_YEARS} years before the baseline; let [register] benefits reach as far back, "
    'or leave "benefit_years" out of [register.balance] covariates (and of [register.who] where)'
)


def lacking(sources: Sources, register: Register, timing: Timing, measures: Collection[str]) -> list[str]:
    """What the benefit register does not hold of all the weeks and quarters that `members` looks at: by its columns, no row is read."""
    who, weeks = register.who, set(states.period_weeks(timing, measures))
    earlier: set[Week] = set()
    for each in timing.baselines:
        weeks |= set(each.weeks(who.weeks))
        if needs_benefit_years(register):
            earlier |= {week for year in states.years_before(each.year) for week in year}
    problems = sources.lacking(sorted(weeks | earlier), [], False)
    if sources.lacking(sorted(earlier), [], False):
        problems.append(_WITHOUT_BENEFIT_YEARS)
    for from_match in (False, True):
        quarters = [
            each.quarter for each in timing.baselines if who.readiness is not None and bridged(who, each) == from_match
        ]
        problems += sources.lacking([], quarters, from_match)
    return problems


def bands(covariates: Iterable[str]) -> dict[str, nw.Expr]:
    """Column -> label of the band of each covariate: what is not known is "unknown"."""
    labels: dict[str, nw.Expr] = {
        "age": _banded("age", _AGES, "60+"),
        "benefit_years": _banded("benefit_years", _YEARS_ON_BENEFIT, "6-7"),
        # half hours between the bands belong to the upper one
        "hours_before": _banded("hours_before", ((1, "0"), (22501, "1-225"), (80001, "226-800")), "801+"),
    }
    labels |= {name: nw.col(name).fill_null(UNKNOWN) for name in ("sex", "origin", "education")}
    return {f"band_{name}": labels[name] for name in covariates}


# ------------------------------------------------------------------ found at a baseline


def _found(sources: Sources, register: Register, baselines: Sequence[Baseline]) -> Frame:
    """Everybody with the benefit at each baseline, and for each condition whether it and those before it hold (0 or 1)."""
    who, layout = register.who, sources.layout
    codes = layout.benefits_by_name.get(who.benefit)
    if not codes:
        meant = (
            did_you_mean(who.benefit, layout.benefits_by_name)
            or f"; there are {listed(sorted(layout.benefits_by_name))}"
        )
        raise DataError(f"register.who.benefit: the layout knows no benefit '{who.benefit}'{meant}")
    found = _stacked(_with_benefit(sources, who, each, codes) for each in baselines)
    homes = sorted({each.home for each in baselines})
    places = sources.population.filter(nw.col("year").is_in(homes)).rename({"year": "home"})
    found = found.join(places, on=["person", "home"], how="left")
    if sources.education is not None:
        found = found.join(sources.education, on="person", how="left")
    else:
        found = found.with_columns(education=nw.lit(None, dtype=nw.String))
    later = where_holds(nw.col("birth_month") > baselines[0].month)  # a stock's baselines are all Decembers
    known = [area.code for area in municipalities()]
    return (
        found.with_columns(
            age=nw.col("base") - nw.col("birth_year") - later,
            resident=where_holds(nw.col("municipality").is_in(known)),
        )
        .with_columns(
            aged=nw.col("resident") * where_holds((nw.col("age") >= nw.col("youngest")) & (nw.col("age") <= who.age[1]))
        )
        .with_columns(readiness=nw.col("aged") * nw.col("ready"))
        .select(
            "person", "base", "municipality", "birth_year", "birth_month", "age", "sex", "origin", "education",
            "benefit", "resident", age_step="aged", readiness_step="readiness",
        )
    )  # fmt: skip


def _with_benefit(sources: Sources, who: Who, baseline: Baseline, codes: Collection[int]) -> Frame:
    """Who has the benefit at a baseline, whether the referral category is the one asked for, and the age it begins at."""
    from_match = bridged(who, baseline)
    weeks = baseline.weeks(who.weeks)
    quarters = [baseline.quarter] if who.readiness is not None else []
    column = f"{'match' if from_match else 'visit'}_{baseline.quarter[0]}_{baseline.quarter[1]}"
    return (
        sources.benefits(weeks=weeks, quarters=quarters, bridge=from_match)
        .filter(states.some_week(weeks, codes) == 1)
        .select(
            "person",
            base=nw.lit(baseline.year),
            home=nw.lit(baseline.home),
            youngest=nw.lit(max(who.age[0], BRIDGED_FROM_AGE) if from_match else who.age[0]),
            benefit=nw.lit(1),
            ready=nw.lit(1) if who.readiness is None else where_holds(nw.col(column) == who.readiness),
        )
    )


def _counted(sources: Sources, table: Frame, steps: Sequence[str], register: Register) -> tuple[FlowStep, ...]:
    """Persons (of a stock: persons and years) and municipalities after each step, by one small table per municipality."""
    columns = {"benefit": "benefit", "resident": "resident", "age": "age_step", "readiness": "readiness_step"}
    sums = {step: total(nw.col(columns[step])) if step in columns else row_count() for step in steps}
    by_unit = sources.engine.collect(table.group_by("municipality").agg(**sums))
    facts: dict[str, Value] = {"of": "person-years"} if register.who.design == "stock" else {}
    flow = []
    for step in steps:
        counts = [(count or 0) for count in by_unit.column(step).to_pylist()]
        named = [count for count, unit in zip(counts, by_unit.column("municipality").to_pylist(), strict=True) if unit]
        flow.append(FlowStep(step, int(sum(counts)), sum(count > 0 for count in named), dict(facts)))
    return tuple(flow)


def _nobody(flow: Sequence[FlowStep], register: Register) -> str:
    who = register.who
    advice = {
        "benefit": f"nobody in the benefit register was on {who.benefit} in the weeks before the baseline; check "
        "[register.who] benefit and baseline, and the codes in the layout",
        "resident": "none of the persons with the benefit is in the population register at the baseline; check that both "
        "registers use the same person keys",
        "age": f"none of the residents with the benefit is {who.age[0]} to {who.age[1]} years old; check [register.who] age",
        "readiness": f"none of the persons with the benefit is {who.readiness} at the baseline; check [register.who] readiness "
        "and the layout's values for it",
        "where": f"nobody is left under the condition {who.where}; widen it",
        "stayed": 'nobody is left after those who move were dropped; set [register.who] movers = "keep"',
    }
    step = next(each.step for each in flow if not each.rows)
    return advice[step]


# ------------------------------------------------------------------ followed


def _with_benefit_years(sources: Sources, baseline: Baseline, chosen: Frame) -> Frame:
    """The persons of one baseline with their years on benefit before it."""
    own, before = chosen.filter(nw.col("base") == baseline.year), states.years_before(baseline.year)
    try:
        wide = sources.benefits(weeks=[week for weeks in before for week in weeks], quarters=[], bridge=False)
    except DataError as error:
        raise DataError(*error.problems, _WITHOUT_BENEFIT_YEARS) from None
    years = states.benefit_years(sources.layout, before)
    return wide.join(own, on="person", how="inner").select(*ATTRIBUTES, benefit_years=years)


def _states(sources: Sources, timing: Timing, everybody: Frame, measures: Collection[str]) -> Frame:
    """The states of the persons at the end of each period."""
    wide = sources.benefits(weeks=states.period_weeks(timing, measures), quarters=[], bridge=False)
    # kept, since every period looks at it
    wide = sources.engine.keep(wide.join(everybody, on="person", how="semi"), "weeks")
    return sources.engine.keep(states.period_states(wide, sources.layout, timing, measures), "states")


def _residence(sources: Sources, timing: Timing, everybody: Frame) -> Frame:
    """Where the persons live at the end of each year that a period needs."""
    years = sorted({timing.home(place) for place in range(len(timing.periods))})
    residence = sources.engine.keep(
        sources.population.filter(nw.col("year").is_in(years))
        .join(everybody, on="person", how="semi")
        .select("person", home=nw.col("year"), now=nw.col("municipality"), there=nw.lit(1)),
        "residence",
    )
    have = sources.engine.collect(distinct(residence, "home")).column("home").to_pylist()
    lost = sorted(set(years) - set(have))
    if lost:
        shown = listed([str(each) for each in lost])
        raise DataError(
            f"register.population: none of the persons is in the population register at the end of {shown}; without it nobody "
            "can be told to be resident, so add these years or shorten [register] periods"
        )
    return residence


def _moved(timing: Timing, table: Frame, residence: Frame) -> Frame:
    """person, base of those who live elsewhere at the end of a year after their baseline (of a stock: of the year measured)."""
    lived = table.select("person", "base", "municipality").join(residence, on="person", how="inner")
    away = (nw.col("home") + (0 if timing.month == 12 else 1) > nw.col("base")) & (
        nw.col("now") != nw.col("municipality")
    )
    if timing.stock:
        away = away & (nw.col("home") == nw.col("base") + 1)
    return distinct(lived.filter(away), "person", "base")


def _banded(name: str, limits: Sequence[tuple[int, str]], last: str) -> nw.Expr:
    """The first label whose limit the column is below; `last` when it is below none."""
    label: nw.Expr = nw.lit(last)
    for limit, text in reversed(limits):
        label = nw.when(nw.col(name) < limit).then(nw.lit(text)).otherwise(label)
    return label


def _stacked(frames: Iterable[Frame]) -> Frame:
    """One table below the other."""
    tables = list(frames)
    return tables[0] if len(tables) == 1 else nw.concat(tables, how="vertical")
