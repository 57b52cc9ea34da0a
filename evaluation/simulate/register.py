"""One part of the synthetic register: the persons of some blocks with their whole history, and what was planted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.simulate.benefits import CASH, WEEKS, ShortArray, month_codes, referral, weekly_codes
from evaluation.simulate.cycle import BASELINE, YEARS, Economy
from evaluation.simulate.hours import annual_hours, by_month, draw_closeness, planted, side_job_hours
from evaluation.simulate.parameters import Parameters
from evaluation.simulate.people import (
    ACTIVITY_READY,
    BASELINE_MONTH,
    EDUCATION,
    NEVER,
    NO_BENEFIT,
    Block,
    BoolArray,
    People,
    SmallArray,
    draw_people,
    during,
    first_month,
    group_states,
    joined,
)
from evaluation.simulate.streams import Array, IntArray, keyed, stream

_AT = YEARS.index(BASELINE)


@dataclass(frozen=True, slots=True)
class Part:
    """Persons with their history.

    `state`, `codes` (benefit), `hours` and `without` (ordinary hours in hundredths, with and without the programme),
    `subsidised` are (months, persons); `cohort` (persons,) are those whom the registers show on cash benefit and
    activity-ready at the end of 2014; `stock` (persons, years) those they show so at the end of the year before; `long_term`
    those with at least five years on benefits before the programme.
    """

    people: People
    present: BoolArray
    state: SmallArray
    codes: ShortArray
    hours: NDArray[np.int32]
    without: NDArray[np.int32]
    subsidised: BoolArray
    pension: IntArray
    fleksjob: IntArray
    cohort: BoolArray
    stock: BoolArray
    long_term: BoolArray


def draw_part(parameters: Parameters, economy: Economy, drawn: Sequence[Block], seed: int) -> Part:
    """All persons of some blocks, in every year; whatever else is drawn does not matter to them."""
    people = joined([draw_people(parameters, economy, block, seed) for block in drawn])
    closeness = draw_closeness(parameters, people, seed)
    annual = annual_hours(parameters, economy, people, closeness)
    work = by_month(parameters, people, annual, "work", seed)
    present, gone = people.present(), np.minimum(people.died, people.emigrated)

    early = (np.array(YEARS) <= BASELINE) & (annual == 0)
    before = np.where(np.array(YEARS) < BASELINE, parameters.number("attrition.before_baseline"), 1.0)
    pension_early, fleksjob_early = parameters.numbers("attrition.early_exits")
    fleksjob = _exit(
        fleksjob_early * parameters.number("group.fleksjob_year") * before, early, people, "fleksjob", seed
    )
    pension = _exit(pension_early * _pension_rate(economy, people) * before, early, people, "pension", seed)
    out = np.minimum(np.minimum(fleksjob, pension), gone)
    work[during(out)] = 0

    too_much_work = work[BASELINE_MONTH] >= 100 * parameters.number("hours.off_benefit")
    eligible = present[:, _AT] & ~people.young & ~too_much_work & (out > BASELINE_MONTH)
    state = group_states(parameters, people, eligible, seed)
    long_term = _years_supported(parameters, state, work) >= parameters.number("reforms.flere_skal_med_years")
    side = side_job_hours(parameters, economy, people, closeness, long_term)
    side = np.minimum(side, parameters.number("hours.cap") - annual)

    # who leaves for a pension or a fleksjob has no ordinary hours left to lose, so leaving does not move a cohort's mean
    total = annual + side
    idle_on = ~np.logical_or.accumulate((total > 0)[:, ::-1], axis=1)[:, ::-1] & (np.array(YEARS) > BASELINE)
    group_ever = state[BASELINE_MONTH] != NO_BENEFIT
    still = (out == NEVER)[:, None] & idle_on & group_ever[:, None]
    fleksjob = np.minimum(
        fleksjob, _exit(parameters.number("group.fleksjob_year"), still, people, "later fleksjob", seed)
    )
    rate = _pension_rate(economy, people) / 0.8  # about four fifths are idle for good, and the rate is of all
    pension = np.minimum(pension, _exit(rate, still, people, "later pension", seed))
    pension[fleksjob < pension] = NEVER
    out = np.minimum(np.minimum(fleksjob, pension), gone)
    without = work + by_month(parameters, people, side, "side job", seed)
    without[during(out)] = 0

    subsidised = _wage_subsidy(parameters, people, state, without, seed)
    limit = 100 * parameters.number("hours.off_benefit")
    month_code = month_codes(people, state, without >= limit, subsidised, pension, fleksjob)
    cohort, stock = _shown(parameters, people, state, month_code, present, seed)
    yearly = without.reshape(len(YEARS), 12, -1).sum(axis=1).T / 100
    free = present & (out[:, None] >= 12 * (np.arange(len(YEARS)) + 1))
    added = np.zeros(yearly.shape)
    for block in drawn:
        place = block.place
        if economy.effect[place].any():
            here = people.block == block.key
            treated = here & cohort
            path = economy.effect[place]
            added += planted(
                parameters, people, closeness, yearly, treated[:, None] & present, treated[:, None] & free, path
            )
            # those who came into the group later have the same programme; the anticipation is the cohort's alone
            later = (here & ~cohort)[:, None] & stock & (people.residence == place) & present
            later_path = np.where(np.array(YEARS) > BASELINE, path, 0.0)
            added += planted(parameters, people, closeness, yearly, later, later & free, later_path)
    hours = without + by_month(parameters, people, added, "programme", seed)
    hours[during(gone)] = 0
    # only those whom the programme gave hours can have another benefit by it, and from 2015
    gained = np.flatnonzero(added.any(axis=1))
    if len(gained):
        off = np.concatenate([without[: BASELINE_MONTH + 1, gained], hours[BASELINE_MONTH + 1 :, gained]]) >= limit
        some, there = people.some(gained), state[:, gained]
        month_code[:, gained] = month_codes(some, there, off, subsidised[:, gained], pension[gained], fleksjob[gained])
        stock[gained] = _shown(parameters, some, there, month_code[:, gained], present[gained], seed)[1]
    return Part(
        people, present, state, month_code, hours, without, subsidised, pension, fleksjob, cohort, stock, long_term
    )


def _exit(rate: float | Array, allowed: BoolArray, people: People, name: str, seed: int) -> IntArray:
    """(persons,) the month of a yearly hazard in years in which it is allowed, NEVER without one."""
    draws, part = np.empty(allowed.shape), np.empty(len(allowed))
    for block in np.unique(people.block):
        here = np.flatnonzero(people.block == block)
        rng = stream(seed, name, int(block))
        draws[here], part[here] = rng.random((len(here), allowed.shape[1])), rng.random(len(here))
    return first_month((draws < rate) & allowed, part)


def _pension_rate(economy: Economy, people: People) -> Array:
    older = np.where(people.birth_year <= BASELINE - 40, 1.4, 0.5)
    return np.asarray(economy.pension[people.place] * older[:, None])


def _years_supported(parameters: Parameters, state: SmallArray, work: NDArray[np.int32]) -> IntArray:
    """(persons,) years with any public support among the seven that end with the baseline."""
    first = BASELINE_MONTH + 1 - 84
    here = slice(first, BASELINE_MONTH + 1)
    off = work[here] >= 100 * parameters.number("hours.off_benefit")
    supported = (state[here] != NO_BENEFIT) & (state[here] != EDUCATION) & ~off
    return np.asarray(supported.reshape(7, 12, -1).any(axis=1).sum(axis=0))


def _wage_subsidy(
    parameters: Parameters, people: People, state: SmallArray, work: NDArray[np.int32], seed: int
) -> BoolArray:
    """(months, persons) three months in a year in a job with wage subsidy, for a few of the group who have no other work."""
    out = np.zeros(state.shape, dtype=np.bool_)
    for place, year in enumerate(YEARS):
        keys = (people.number, np.array([year]))
        chosen = keyed(seed, "wage subsidy", *keys) < parameters.number("group.wage_subsidy_year")
        start = 12 * place + np.floor(10 * keyed(seed, "wage subsidy start", *keys)).astype(np.int64)
        for month in range(3):
            person = np.flatnonzero(chosen)
            out[start[person] + month, person] = True
    return np.asarray(out & (state == ACTIVITY_READY) & (work == 0))


def _shown(
    parameters: Parameters, people: People, state: SmallArray, codes: ShortArray, present: BoolArray, seed: int
) -> tuple[BoolArray, BoolArray]:
    """The cohort (persons,) and the stock (persons, years) as an evaluator finds them in the registers.

    On cash benefit in one of the last four weeks of the year, activity-ready in its last quarter, 18 to 64 years, resident.
    Before 2014 there is no referral category: the stock begins with the members of December 2014.
    """
    stock = np.zeros(present.shape, dtype=np.bool_)
    for place, year in enumerate(YEARS[:-1]):
        if year < BASELINE:
            continue
        # the last four weeks of the year: 49 to 52, or 50 to 53
        last = max(week for week, (week_year, *_) in enumerate(WEEKS) if week_year == year)
        weeks = weekly_codes(parameters, people, codes, seed, slice(last - 6, last + 1))[-4:]
        category = referral(parameters, people, state, codes, (year, 4), seed)
        age = year - people.birth_year
        found = (weeks == CASH).any(axis=0) & (category == 2) & (age >= 18) & (age <= 64) & present[:, place]
        stock[:, place + 1] = found
    return stock[:, _AT + 1].copy(), stock
