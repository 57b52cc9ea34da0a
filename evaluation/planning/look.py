"""From a panel and what is planned to the Plan: what could be found, and what it takes to find more."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation._version import __version__
from evaluation.contracts import Pipeline
from evaluation.errors import DataError, EstimationError
from evaluation.inference.draws import clusters_of_units
from evaluation.panel import Array, Panel
from evaluation.periods import Period
from evaluation.planning.people import People, people_of
from evaluation.planning.plan import Answer, Length, Persons, Plan, Row, Together
from evaluation.planning.stand_ins import Spread, StandIns, multiple, share_known, spread_of, stand_ins, window
from evaluation.power import allowed
from evaluation.result import Design, Note, number
from evaluation.spec.loaded import LoadedSpec
from evaluation.spec.plan_table import PlanTable
from evaluation.study import stream

DATES = 3
"""Pretended starts, one period apart: the last gives the numbers, all of them their spread."""

LENGTHS = (1, 2, 3, 4)
"""Periods after the start where the spec names none."""

CHOICES = 8
"""Seeded choices of fewer controls, each fitted anew; which of them one would have is left to chance."""

TOGETHER = (2, 3, 4, 5, 6, 8, 10)
"""Numbers of units treated together, as far as a quarter of the controls can stand in for them."""

LEAST_BEFORE = 2
"""Periods before a pretended start: fewer leave nothing to judge a unit's ups and downs by."""

BY_RANKS = frozenset({"default", "placebo", "ferman_pinto", "standardized_placebo"})


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be looked at: the panel in which the planned units are untreated before `start`, and how.

    `rows` are the planned units'; `steps` is how many periods after the first one the planned start lies.
    """

    panel: Panel
    pipeline: Pipeline
    rows: tuple[int, ...]
    start: Period
    steps: int
    level: float
    power: float
    seed: int

    @property
    def controls(self) -> int:
        """How many units can serve as controls."""
        never = self.panel.start == self.panel.n_periods
        never[list(self.rows)] = False
        return int(never.sum())


@dataclass(frozen=True, slots=True)
class Measured:
    """What one number of periods after the start was measured on: `times` are the smallest effects by date, in deviations."""

    length: Length
    spread: Spread
    scaled: Array
    times: tuple[float, ...]
    part: Panel


def look(
    planned: Planned,
    loaded: LoadedSpec,
    design: Design,
    say: Callable[[str, str], None] = lambda stage, text: None,
) -> Plan:
    """The smallest effects that the planned comparison would find, by periods, persons and controls.

    Every unit in turn is pretended to start at late dates of the data and evaluated by the headline's estimator and adjustment
    over whole windows, so that its ups and downs from period to period and their persistence are in the numbers. Each
    effect is divided by the standard deviation expected of its unit (a + b / persons); the test is the placebo test by ranks.

    Raises
    ------
    DataError
        More periods or controls are asked for than the data have.
    DisclosureError
        The planned unit has too few persons to say anything about it.
    EstimationError
        The estimator cannot be computed, or treatment is planned for clusters of several units.
    """
    table = loaded.spec.plan or PlanTable()
    if clusters_of_units(planned.panel):
        raise EstimationError(
            "--plan: treatment is assigned to clusters of several units; planning lets single units stand in, so leave "
            "[data] cluster out, or bring the data to the level of the clusters"
        )
    lengths, pools = _asked(planned, loaded, table)
    people = people_of(planned.panel, planned.rows, loaded)
    found: list[Measured] = []
    for periods in lengths:
        found.append(_measured(planned, periods, people))
        say("Pretended", f"{_count(periods, 'period')} from {', '.join(found[-1].length.starts)} on")
    together = [
        Together(each.length.periods, treated, number(each.spread.at(people.noise) * times))
        for each in found
        for treated, times in _several(planned, each)
    ]
    return Plan(
        spec=loaded.path.name, version=__version__, seed=planned.seed, units=design.treated, start=planned.start.label,
        first=planned.panel.periods[0].label, last=planned.panel.periods[-1].label, frequency=planned.start.frequency,
        method=planned.pipeline.method.name, adjust=planned.pipeline.adjustment.name, level=planned.level,
        power=planned.power, persons=people.persons, controls=planned.controls,
        least_controls=least_controls(planned.level, len(planned.rows)),
        decimals=design.decimals, outcome=design.outcome_label, unit=design.outcome_unit,
        unit_plural=design.unit_label_plural, synthetic=design.synthetic, lengths=tuple(each.length for each in found),
        rows=tuple(row for each in found for row in _rows(planned, each, people, pools, table)), together=tuple(together),
        answers=tuple(_answer(effect, found, people, together) for effect in table.effects),
        notes=tuple(_notes(planned, loaded.spec.inference.method, found)),
    )  # fmt: skip


def smallest(planned: Planned, periods: int) -> float:
    """The smallest effect with this many periods after the start, in the outcome's unit, where sizes are unknown or all alike."""
    found = _measured(planned, periods, People(None, 0.0, 0.0))
    return found.spread.at(0.0) * found.times[-1]


def least_controls(level: float, treated: int = 1) -> int:
    """The fewest controls with which the placebo test can call anything significant.

    With one treated unit 1 / (1 + n) must not exceed 1 − level; with several, n is the number of choices of as many stand-ins.
    """
    return next(count for count in itertools.count(treated + 1) if allowed(math.comb(count, treated), level) > 0)


def _asked(planned: Planned, loaded: LoadedSpec, table: PlanTable) -> tuple[list[int], list[int]]:
    """The numbers of periods and of controls to look at, after a look at what the data have."""
    problems = []
    most = planned.panel.n_periods - LEAST_BEFORE
    for place, periods in enumerate(table.periods):
        if periods > most:
            what = f"{_count(periods, 'period')} after the start, but the data have {planned.panel.n_periods}, and a pretended "
            what += f"start needs {LEAST_BEFORE} before it; look at {max(most, 0)} at most"
            problems.append(loaded.locator.problem(("plan", "periods", place), what))
    for place, pool in enumerate(table.controls):
        if pool > planned.controls:
            what = (
                f"{pool:,} controls, but the data have {planned.controls:,} units that can be one; leave the number out"
            )
            problems.append(loaded.locator.problem(("plan", "controls", place), what))
    lengths = sorted(set(table.periods)) or [periods for periods in LENGTHS if periods <= most]
    if not problems and not lengths:
        what = f"the data have {_count(planned.panel.n_periods, 'period')}; planning needs {LEAST_BEFORE + 1} at least"
        problems.append(loaded.locator.problem(("data", "path"), what))
    if problems:
        raise DataError(*problems)
    every = planned.controls
    pools = sorted(set(table.controls) or {every, every // 2, every // 4}, reverse=True)
    return lengths, [pool for pool in pools if pool >= 2]


def _measured(planned: Planned, periods: int, people: People) -> Measured:
    """The effects that appear where nothing happened, this many periods long, at the last dates with as many periods before."""
    total = planned.panel.n_periods
    dates = max(1, min(DATES, total - periods - LEAST_BEFORE + 1))
    # the planned comparison has this many periods before; more than the data leave cannot be pretended
    before = max(LEAST_BEFORE, min(planned.steps, total - periods - dates + 1))
    found: list[StandIns] = []
    starts = range(total - periods - dates + 1, total - periods + 1)
    for start in starts:
        part = window(planned.panel, start, before, periods)
        found.append(stand_ins(planned.pipeline, part, before))
    spread = spread_of(found)
    scaled = [spread.scaled(each) for each in found]
    name = f"plan/{periods}"
    times = [_times(planned, [each], planned.controls, f"{name}/{len(planned.rows)}") for each in scaled]
    share = low = high = rest = None
    if planned.panel.size is not None or planned.panel.noise is not None:
        variance = spread.at(people.noise) ** 2
        share = spread.slope * people.noise / variance if variance > 0.0 else 0.0
        low, high = share_known(found, people.noise, share)
        rest = number(math.sqrt(spread.constant) * times[-1])
    labels = tuple(planned.panel.periods[start].label for start in starts)
    length = Length(periods, before, labels, share, low, high, rest, found[-1].failed)
    return Measured(length, spread, scaled[-1], tuple(times), part)


def _times(planned: Planned, groups: Sequence[Array], pool: int, name: str, treated: int | None = None) -> float:
    """The smallest effect in standard deviations of one unit's effect."""
    treated = len(planned.rows) if treated is None else treated
    return multiple(groups, treated, pool, planned.level, planned.power, stream(planned.seed, name))


def _rows(planned: Planned, each: Measured, people: People, pools: Sequence[int], table: PlanTable) -> list[Row]:
    """The table's rows for one number of periods."""
    own, sizes = people.persons, [people.persons]
    if own is not None:
        sizes = [*sorted({float(size) for size in table.persons or (max(1, round(own / 2)), own, 2 * own)})]
    rows = []
    for pool in pools:
        times = each.times if pool == planned.controls else (_fewer(planned, each, pool),)
        for size in sizes:
            deviation = each.spread.at(people.noise_of(size))
            known = [deviation * one for one in times]
            spread = (number(min(known)), number(max(known))) if len(known) > 1 else (None, None)
            rows.append(Row(each.length.periods, size, pool, number(known[-1]), *spread))
    return rows


def _fewer(planned: Planned, each: Measured, pool: int) -> float:
    """The smallest effect in standard deviations with fewer controls, chosen at random and fitted anew."""
    treated, name = len(planned.rows), f"plan/{each.length.periods}/fewer/{pool}"
    if _times(planned, [np.arange(float(pool + treated))], pool, name) == math.inf:
        return math.inf  # too few for any test: nothing need be fitted
    rng, groups = stream(planned.seed, name), []
    for _ in range(CHOICES):
        rows = np.sort(rng.permutation(each.part.n_units)[: pool + treated])
        chosen = stand_ins(planned.pipeline, each.part, each.length.before, rows)
        groups.append(each.spread.scaled(chosen))
    return _times(planned, groups, pool, name)


def _several(planned: Planned, each: Measured) -> list[tuple[int, float]]:
    """Smallest effects, in deviations of one unit's effect, when several such units are treated together."""
    own = len(planned.rows)
    numbers = [own, *(count for count in TOGETHER if own < count <= planned.controls // 4)]
    name = f"plan/{each.length.periods}"
    return [(count, _times(planned, [each.scaled], planned.controls, f"{name}/{count}", count)) for count in numbers]


def _answer(effect: float, found: Sequence[Measured], people: People, together: Sequence[Together]) -> Answer:
    """What it takes to find one effect: periods as things are, or more persons, or more treated units."""
    enough = [each.length.periods for each in found if each.spread.at(people.noise) * each.times[-1] <= effect]
    persons = (
        []
        if people.persons is None
        else [Persons(each.length.periods, _persons(effect, each, people)) for each in found]
    )
    by_number = sorted(together, key=lambda one: (one.treated, one.periods))
    several = next((one for one in by_number if one.mde is not None and one.mde <= effect), None)
    return Answer(effect, min(enough, default=None), tuple(persons), several)


def _persons(effect: float, each: Measured, people: People) -> int | None:
    """The persons with whom √(a + b·v / persons) × times is no more than the effect; None where no number is enough.

    Not fewer than almost all units of the data have, and not more than the largest: the variance of others would be a guess.
    """
    times = each.times[-1]
    if not 0.0 < times < math.inf:
        return people.fewest if times == 0.0 else None
    left = (effect / times) ** 2 - each.spread.constant
    needed = math.ceil(each.spread.slope * people.per_person / left) if left > 0.0 else math.inf
    return max(people.fewest, int(needed)) if needed <= people.most else None


def _notes(planned: Planned, inference: str, found: Sequence[Measured]) -> list[Note]:
    """What the reader of the numbers should know."""
    notes = []
    if inference not in BY_RANKS:
        text = f"The plan ranks placebo effects; the spec's inference, {inference}, may find more or less."
        notes.append(Note("plan_by_ranks", text, {"inference": inference}))
    failed = max(each.length.failed for each in found)
    if failed:
        text = f"{_count(failed, 'stand-in')} could not be computed and are left out."
        notes.append(Note("plan_fits_failed", text, {"count": failed}))
    before = min(each.length.before for each in found)
    if before < planned.steps:
        text = f"The pretended starts have {before} periods before them at least, the planned one {planned.steps}."
        notes.append(Note("plan_fewer_before", text, {"before": before, "planned": planned.steps}))
    return notes


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"
