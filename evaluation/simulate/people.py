"""The persons of the synthetic register: who they are, where they live, when they are in the group and when they leave for good.

The group's spells are anchored at the baseline: members in December 2014 are chosen among those who are not at work then, and
the months before and after follow by one Markov chain run both ways. That a cohort chosen out of work has had, and will have,
more hours than in the year it was chosen arises from this, and is not put in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.simulate.cycle import BASELINE, FIRST_YEAR, YEARS, Economy
from evaluation.simulate.parameters import Parameters
from evaluation.simulate.streams import Array, IntArray, stream

ACTIVITY_READY, JOB_READY, NO_BENEFIT, SICKNESS, RESSOURCE, EDUCATION = range(6)
N_MONTHS = 12 * len(YEARS)
BASELINE_MONTH = 12 * (BASELINE - FIRST_YEAR) + 11
NEVER = 10_000
"""A month that does not come."""

_EDUCATION_CODES = ((1021, 1022, 2010), (3510, 3520, 3530), (5010, 6010, 7010), (9999, 9999, 9999))
_DANMARK, _WESTERN, _NON_WESTERN = 5100, (5180, 5120, 5104), (5436, 5266, 5448)

BoolArray = NDArray[np.bool_]
SmallArray = NDArray[np.int8]


PERSONS_IN_BLOCK = 10_000


@dataclass(frozen=True, slots=True)
class Block:
    """Persons of one municipality that are drawn together: all of them, or ten thousand where there are more.

    `key` names the block in the random streams, `place` is the municipality, `first` the number of the first person.
    """

    key: int
    place: int
    first: int
    persons: int


@dataclass(frozen=True, slots=True)
class People:
    """Persons as drawn before any hours: arrays (persons,) unless noted.

    `block` tells the blocks apart in which persons are drawn. `place` is the municipality of residence on 31 December 2014,
    `residence` (persons, years) at the end of each year. `score` has variance one: how near to work the covariates put a
    person. `died` and `emigrated` are months counted from January 2007.
    """

    number: IntArray
    block: IntArray
    place: IntArray
    birth: NDArray[np.datetime64]
    birth_year: IntArray
    sex: IntArray
    origin: IntArray
    country: IntArray
    education: IntArray
    young: BoolArray
    stayer: BoolArray
    integration: IntArray
    score: Array
    residence: IntArray
    died: IntArray
    emigrated: IntArray

    def present(self) -> BoolArray:
        """(persons, years) alive and in the country at the end of the year."""
        ends = 12 * (np.arange(len(YEARS)) + 1)
        return np.asarray(np.minimum(self.died, self.emigrated)[:, None] >= ends)

    def some(self, persons: IntArray) -> People:
        """These persons only."""
        return People(*(getattr(self, name)[persons] for name in People.__dataclass_fields__))


def blocks(economy: Economy, *places: int) -> tuple[Block, ...]:
    """The blocks of these municipalities (default: all), in order. They depend on the size of the register only."""
    firsts = np.concatenate([[1], 1 + np.cumsum(economy.persons)])
    found = []
    for place in places or range(len(economy.areas)):
        for number, start in enumerate(range(0, int(economy.persons[place]), PERSONS_IN_BLOCK)):
            # the key is the municipality's code, with the block's number before its three digits
            key, size = 1000 * number + int(economy.areas[place].code), int(economy.persons[place]) - start
            found.append(Block(key, place, int(firsts[place]) + start, min(size, PERSONS_IN_BLOCK)))
    return tuple(found)


def draw_people(parameters: Parameters, economy: Economy, block: Block, seed: int) -> People:
    """The persons of one block.

    Every draw is one call for the whole block, in a stream of its own name.
    """
    n, place, code = block.persons, block.place, block.key

    def uniform(name: str, *shape: int) -> Array:
        return stream(seed, name, code).random((n, *shape))

    youngest, oldest = parameters.numbers("covariates.age")
    mean = (parameters.number("covariates.age_mean") - youngest) / (oldest - youngest)
    young = uniform("young") < parameters.number("group.young_share")
    drawn = stream(seed, "age", code).beta(1.3, 1.3 * (1 - mean) / mean, n)
    age = np.where(
        young, 18 + np.floor(12 * uniform("young age")), np.floor(youngest + (oldest - youngest + 1) * drawn)
    )
    birth_year = (BASELINE - np.minimum(age, oldest)).astype(np.int64)
    day = np.floor(uniform("birth day") * 365).astype("timedelta64[D]")
    birth = (birth_year - 1970).astype("datetime64[Y]").astype("datetime64[D]") + day

    urban = np.tanh(economy.population[place] / 100_000) - 0.5
    non_western = parameters.number("covariates.non_western") * (1 + 0.6 * urban)
    origin_draw = uniform("origin")
    western = parameters.number("covariates.western")
    origin = np.select([origin_draw < non_western, origin_draw < non_western + western], [2, 1], 0)
    pick = np.floor(3 * uniform("country")).astype(np.int64)
    country = np.choose(origin, [np.full(n, _DANMARK), np.array(_WESTERN)[pick], np.array(_NON_WESTERN)[pick]])
    shares = np.array(parameters.numbers("covariates.education"))
    level = np.searchsorted(np.cumsum(shares)[:-1], uniform("education") + 0.06 * (urban + 0.2), side="right")
    mental, somatic, substance = (
        uniform(name) < parameters.number(f"covariates.{name}") for name in ("mental", "somatic", "substance")
    )
    # the weights are assumptions; divided by their root sum of squares the score has variance one
    score = (
        -0.5 * (age - 43.0) / 8.7
        + 0.5 * ((level == 1) | (level == 2)).astype(float) / 0.485
        - 0.5 * mental / 0.494
        - 0.25 * somatic / 0.49
        - 0.3 * substance / 0.357
        - (0.5 * 0.38 / 0.485 - 0.5 * 0.58 / 0.494 - 0.25 * 0.40 / 0.49 - 0.3 * 0.15 / 0.357)
    ) / 0.951
    wave = np.array(parameters.numbers("group.integration_groups")) * np.exp(0.5 * (urban * 0.6 - 0.05))
    # only those with roots abroad can have short residence; the shares are of all
    wave = np.minimum(wave / max(non_western, 0.05), 0.8)
    wave_draw = uniform("integration")
    integration = np.where(origin == 2, np.select([wave_draw < wave[0], wave_draw < wave.max()], [1, 2], 0), 0)
    residence = _residence(parameters, economy, place, uniform("moves", len(YEARS)), uniform("where to", len(YEARS)))
    years = np.array(YEARS)
    before = np.where(years < BASELINE, parameters.number("attrition.before_baseline"), 1.0)
    # with ages about 43, sd 8.7, the mean of exp(0.06 (age - 43)) is 1.15
    dying = parameters.number("attrition.deaths_year") / 1.15 * np.exp(0.06 * (age[:, None] - 43.0)) * before
    leaving = parameters.number("attrition.emigration_year") * before * np.ones((n, 1))
    return People(
        number=np.arange(block.first, block.first + n),
        block=np.full(n, block.key),
        place=np.full(n, place),
        birth=birth,
        birth_year=birth_year,
        sex=np.where(uniform("sex") < parameters.number("covariates.women"), 2, 1),
        origin=origin,
        country=country,
        education=np.array(_EDUCATION_CODES)[level, np.floor(3 * uniform("education code")).astype(np.int64)],
        young=young,
        stayer=uniform("stayer") < parameters.number("group.stayers"),
        integration=integration,
        score=score,
        residence=residence,
        died=first_month(uniform("deaths", len(YEARS)) < dying, uniform("month of death")),
        emigrated=first_month(uniform("emigration", len(YEARS)) < leaving, uniform("month of emigration")),
    )


def first_month(happens: BoolArray, part: Array) -> IntArray:
    """The month of the first year in which something happens, at `part` of that year; NEVER if in none."""
    year = happens.argmax(axis=1)
    return np.where(happens.any(axis=1), 12 * year + np.floor(12 * part).astype(np.int64), NEVER)


def during(begins: IntArray, ends: IntArray | None = None) -> tuple[IntArray, IntArray]:
    """Indices (month, person) of the months from `begins` (persons,) to before `ends`, for those few for whom there are any."""
    person = np.flatnonzero(begins < N_MONTHS)
    months = np.arange(N_MONTHS)[:, None]
    here = months >= begins[person]
    if ends is not None:
        here &= months < ends[person]
    month, which = np.nonzero(here)
    return month, person[which]


def joined(parts: list[People]) -> People:
    """The persons of several blocks as one."""
    return People(*(np.concatenate([getattr(part, name) for part in parts]) for name in People.__dataclass_fields__))


def group_states(parameters: Parameters, people: People, eligible: BoolArray, seed: int) -> SmallArray:
    """(months, persons) the state of each person in each month.

    `eligible` says who can be in the group then: alive, resident, not under 30, without a pension, and without much work.
    """
    n = len(people.number)
    chosen = np.zeros(n, dtype=np.bool_)
    state = np.empty((N_MONTHS, n), dtype=np.int8)
    draws = np.empty((N_MONTHS, n), dtype=np.float32)
    start = np.empty(n, dtype=np.int8)
    edges = np.cumsum(parameters.numbers("group.others_at_baseline"))[:-1]
    for block in np.unique(people.block):
        here = np.flatnonzero(people.block == block)
        rng = stream(seed, "baseline", int(block))
        # stayers are over-represented among those found on a given day
        order = rng.exponential(size=len(here)) / np.where(people.stayer[here], 2.0, 1.0)
        order[~eligible[here]] = np.inf
        wanted = min(round(parameters.number("group.baseline_share") * len(here)), int(eligible[here].sum()))
        chosen[here[np.argsort(order, kind="stable")[:wanted]]] = True
        start[here] = 1 + np.searchsorted(edges, rng.random(len(here)), side="right")
        draws[:, here] = stream(seed, "spells", int(block)).random((N_MONTHS, len(here)), dtype=np.float32)
    # the young begin on education benefit with the reform; before it, and in their state here, they are like the others
    state[BASELINE_MONTH] = np.where(chosen | people.young, ACTIVITY_READY, start)
    kind = 6 * people.stayer.astype(np.int8)
    for step, months in ((1, range(BASELINE_MONTH + 1, N_MONTHS)), (-1, range(BASELINE_MONTH - 1, -1, -1))):
        change, to = _transitions(parameters, "" if step == 1 else "_before")
        for month in months:
            state[month] = now = state[month - step]
            # few persons change in a month: all others are only compared
            person = np.flatnonzero(draws[month] < change[now + kind])
            left = now[person]
            share = draws[month, person] / change[left + kind[person]]
            state[month, person] = np.where(left == ACTIVITY_READY, 1 + np.searchsorted(to, share, side="right"), 0)
    return state


def _transitions(parameters: Parameters, before: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probability of a change in a month (12,), by state for those who leave often and then for stayers, and where leavers go.

    Leavers of the group go to one of five states, by the cumulative shares (4,); from there persons come back to the group.
    `before` is "_before" for the steps back from the baseline.
    """
    leave = parameters.number(f"group.leave_chain{before}")
    back = parameters.numbers("group.return_before" if before else "group.return_month")
    slow, stayers = parameters.number("group.stayer_leave"), 0.56  # share of stayers in the stock
    often = (1 - stayers * slow) / (1 - stayers)
    change = np.array([often * leave, *back, slow * leave, *back], dtype=np.float32)
    return change, np.cumsum(parameters.numbers(f"group.leave_to{before}"), dtype=np.float32)[:4]


def _residence(parameters: Parameters, economy: Economy, place: int, moves: Array, where: Array) -> IntArray:
    """(persons, years) where persons live at the end of each year, known for the baseline and followed both ways."""
    reach = np.cumsum(economy.population) / economy.population.sum()
    target = np.minimum(np.searchsorted(reach, where), len(reach) - 1)
    moved = moves < parameters.number("attrition.moves_year")
    residence = np.full(moves.shape, place)
    base = YEARS.index(BASELINE)
    for year in range(base + 1, len(YEARS)):
        residence[:, year] = np.where(moved[:, year], target[:, year], residence[:, year - 1])
    for year in range(base - 1, -1, -1):
        residence[:, year] = np.where(moved[:, year + 1], target[:, year], residence[:, year + 1])
    return residence
