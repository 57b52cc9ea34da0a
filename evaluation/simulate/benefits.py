"""What the benefit register says of a person: a code for each week, a referral category and a match group for each quarter."""

from __future__ import annotations

import datetime

import numpy as np
from numpy.typing import NDArray

from evaluation.simulate.cycle import FIRST_YEAR, LAST_YEAR, YEARS
from evaluation.simulate.parameters import Parameters
from evaluation.simulate.people import (
    ACTIVITY_READY,
    JOB_READY,
    NEVER,
    RESSOURCE,
    SICKNESS,
    BoolArray,
    People,
    SmallArray,
    during,
)
from evaluation.simulate.streams import IntArray, keyed

CASH, EDUCATION_HELP, INTEGRATION, SUBSIDY = 130, 140, 151, 511
DISABILITY_PENSION, FLEKSJOB, EMIGRATED, OLD_AGE, DEAD = 781, 771, 997, 998, 999
_REVALIDERING = 750
_BY_STATE = np.array([CASH, CASH, 0, 890, 810, 651], dtype=np.int16)
_HAS_CATEGORY = np.isin(np.arange(1000), (CASH, EDUCATION_HELP, INTEGRATION, SUBSIDY)).astype(np.int8)

ShortArray = NDArray[np.int16]


def _weeks() -> tuple[tuple[int, int, int], ...]:
    """(ISO year, ISO week, month of its Thursday counted from January of the first year), in order."""
    weeks = []
    day = datetime.date.fromisocalendar(FIRST_YEAR, 1, 4)
    while day.year <= LAST_YEAR:
        year, week, _ = day.isocalendar()
        weeks.append((year, week, 12 * (day.year - FIRST_YEAR) + day.month - 1))
        day += datetime.timedelta(days=7)
    return tuple(weeks)


WEEKS = _weeks()
VISIT_QUARTERS = tuple((year, quarter) for year in YEARS if year >= 2014 for quarter in (1, 2, 3, 4))
MATCH_QUARTERS = tuple((year, quarter) for year in YEARS if 2008 <= year <= 2019 for quarter in (1, 2, 3, 4))


def month_codes(
    people: People, state: SmallArray, off: BoolArray, subsidised: BoolArray, pension: IntArray, fleksjob: IntArray
) -> ShortArray:
    """(months, persons) the code that governs each month, 0 for none.

    `off` and `subsidised` (months, persons) are months in which work ends the benefit, or is paid with a wage subsidy;
    `pension` and `fleksjob` (persons,) are the months in which these begin.
    """
    codes = _BY_STATE[state]
    codes[: 12 * (2013 - FIRST_YEAR)][state[: 12 * (2013 - FIRST_YEAR)] == RESSOURCE] = _REVALIDERING
    # since 2014 the young are on education benefit until they are 30
    reform = np.where(people.young, 12 * (2014 - FIRST_YEAR), NEVER)
    waves = np.array([NEVER, 12 * (2015 - FIRST_YEAR) + 8, 12 * (2016 - FIRST_YEAR) + 6])
    for code, begins, ends in (
        (EDUCATION_HELP, reform, 12 * (people.birth_year + 30 - FIRST_YEAR)),
        (INTEGRATION, waves[people.integration], np.full(len(reform), NEVER)),
    ):
        month, person = during(begins, ends)
        group = state[month, person] <= JOB_READY
        codes[month[group], person[group]] = code
    month, person = np.nonzero(off)
    pays_nothing = (state[month, person] <= JOB_READY) | (state[month, person] == SICKNESS)
    codes[month[pays_nothing], person[pays_nothing]] = 0
    month, person = np.nonzero(subsidised)
    codes[month, person] = SUBSIDY
    for code, begins in (
        (FLEKSJOB, fleksjob),
        (DISABILITY_PENSION, pension),
        (OLD_AGE, 12 * (people.birth_year + 65 - FIRST_YEAR) + 6),
        (EMIGRATED, people.emigrated),
        (DEAD, people.died),
    ):
        codes[during(begins)] = code
    return np.asarray(codes)


def weekly_codes(
    parameters: Parameters, people: People, codes: ShortArray, seed: int, weeks: slice = slice(None)
) -> ShortArray:
    """(weeks, persons) codes of `WEEKS`; a spell that ends may run a few days into one more week, which then has its code."""
    place = np.arange(len(WEEKS))[weeks]
    months = np.array([month for *_, month in WEEKS])[place]
    out = codes[months]
    # codes change with months, so a spell's further week is the first of a month
    opening = np.flatnonzero(np.diff(months, prepend=months[0] - 1))
    opening = opening[months[opening] > 0]
    row, person = np.nonzero((codes[months[opening]] == 0) & (codes[months[opening] - 1] > 0))
    row = opening[row]
    runs_on = keyed(seed, "one more week", people.number[person], place[row]) < parameters.number("measurement.one_day")
    row, person = row[runs_on], person[runs_on]
    out[row, person] = codes[months[row] - 1, person]
    return np.asarray(out)


def referral(
    parameters: Parameters, people: People, state: SmallArray, codes: ShortArray, quarter: tuple[int, int], seed: int
) -> SmallArray:
    """(persons,) the category of one quarter: 0 none, 1 job-ready, 2 activity-ready; a known share is wrong.

    It is the category of the quarter's last month on cash, education or integration benefit, so it lags the weeks.
    """
    year, number = quarter
    first = 12 * (year - FIRST_YEAR) + 3 * (number - 1)
    ready = np.where(state[first : first + 3] == ACTIVITY_READY, np.int8(2), np.int8(1))
    one, two, three = _HAS_CATEGORY[codes[first : first + 3]] * ready
    category = np.where(three > 0, three, np.where(two > 0, two, one))
    wrong = keyed(seed, "wrong category", people.number, np.array([first])) < parameters.number(
        "measurement.wrong_category"
    )
    return np.asarray(np.where(wrong & (category > 0), 3 - category, category), dtype=np.int8)


def match_group(people: People, category: SmallArray, seed: int) -> SmallArray:
    """(persons,) the match group of the same quarter: 0 none, 1 jobklar, 2 indsatsklar, 3 midlertidig passiv."""
    passive = keyed(seed, "passive", people.number) < 0.3
    return np.where((category == 2) & passive, 3, category).astype(np.int8)
