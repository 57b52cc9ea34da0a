"""Paid hours of the synthetic register: who has any, how many, and in which months.

A person's closeness to work is a standard normal number that changes slowly; in a year it lies beyond a threshold for as large a
share of persons as the municipality's economy allows. So the mean of a municipality and year is set exactly, in expectation,
while persons keep or lose their work by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtr, ndtri

from evaluation.simulate.cycle import YEARS, Economy
from evaluation.simulate.parameters import Parameters
from evaluation.simulate.people import BoolArray, People
from evaluation.simulate.streams import Array, keyed, stream

_GRID = np.linspace(-4.2, 4.2, 1681)


@dataclass(frozen=True, slots=True)
class Closeness:
    """Latent standard normal numbers (persons, years): closeness to work, how many hours, and closeness to a side job."""

    work: Array
    amount: Array
    side: Array


def draw_closeness(parameters: Parameters, people: People, seed: int) -> Closeness:
    """The three latent paths of each person; they are the same in every scenario."""
    n, years = len(people.number), len(YEARS)
    raw = np.empty((3, n, years + 1))
    for block in np.unique(people.block):
        here = people.block == block
        raw[:, here] = stream(seed, "closeness", int(block)).normal(size=(3, int(here.sum()), years + 1))
    covariates, permanent = parameters.number("hours.from_covariates"), parameters.number("hours.permanent")
    rest = 1 - covariates - permanent
    work = (
        np.sqrt(covariates) * people.score[:, None]
        + np.sqrt(permanent) * raw[0, :, :1]
        + np.sqrt(rest) * _autoregression(raw[0, :, 1:], parameters.number("hours.latent_ar"))
    )
    side = np.sqrt(0.6) * raw[2, :, :1] + np.sqrt(0.4) * _autoregression(raw[2, :, 1:], 0.6)
    return Closeness(work, _autoregression(raw[1, :, 1:], parameters.number("hours.amount_ar")), side)


def annual_hours(parameters: Parameters, economy: Economy, people: People, closeness: Closeness) -> Array:
    """(persons, years) ordinary hours without the programme and without side jobs."""
    share, amount = margins(parameters, economy)
    threshold = ndtri(1 - share)
    working = closeness.work > threshold[people.place]
    person, year = np.nonzero(working)
    hours = np.zeros(working.shape)
    base = np.interp(closeness.amount[person, year], _GRID, positive_hours(parameters))
    hours[person, year] = np.minimum(base * amount[people.place[person], year], parameters.number("hours.cap"))
    return hours


def margins(parameters: Parameters, economy: Economy) -> tuple[Array, Array]:
    """Share with any hours, and the factor on hours if any, for each municipality and year.

    Their product with the mean of positive hours is the municipality's mean; a change of it comes by persons to the
    `hours.extensive` part (in logarithms). A mean is kept above a sixth of the nation's: small islands have large shocks.
    The economy's changes are meant for the cohort, which answers less than all persons do.
    """
    mean, response = parameters.number("hours.mean"), parameters.number("hours.cohort_response")
    relative = np.maximum((mean + economy.level[:, None] + economy.shift / response) / mean, 1 / 6)
    extensive = parameters.number("hours.extensive")
    return parameters.number("hours.share_positive") * relative**extensive, relative ** (1 - extensive)


@lru_cache(maxsize=4)
def positive_hours(parameters: Parameters) -> Array:
    """Hours if any, on a grid of standard normal numbers: gamma, cut off at the cap, with the mean the parameters imply."""
    wanted = parameters.number("hours.mean") / parameters.number("hours.share_positive")
    shape, cap = parameters.number("hours.positive_shape"), parameters.number("hours.cap")
    unit = gammaincinv(shape, ndtr(_GRID)) / shape
    weight = np.exp(-0.5 * _GRID**2)
    weight /= weight.sum()
    low, high = wanted, 2 * wanted
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if weight @ np.minimum(middle * unit, cap) < wanted else (low, middle)
    return np.asarray(np.maximum(np.minimum(low * unit, cap), 1.0))


def side_job_hours(
    parameters: Parameters, economy: Economy, people: People, closeness: Closeness, long_term: BoolArray
) -> Array:
    """(persons, years) hours of side jobs: the 225-hour rule for all, Flere skal med for those with many years on benefits."""
    mean = economy.side_jobs[people.place] + economy.long_term[people.place] * long_term[:, None]
    average = parameters.number("reforms.side_job_hours")
    person, year = np.nonzero(closeness.side > ndtri(1 - np.minimum(mean / average, 0.5)))
    hours = np.zeros(mean.shape)
    # gamma with shape 4: few hours, spread over many months
    unit = gammaincinv(4.0, ndtr(_GRID)) / 4.0
    hours[person, year] = average * np.interp(closeness.amount[person, year], _GRID, unit)
    return hours


def planted(
    parameters: Parameters,
    people: People,
    closeness: Closeness,
    base: Array,
    members: BoolArray,
    free: BoolArray,
    path: Array,
) -> Array:
    """(persons, years) hours that the programme adds, so that their mean over `members` (persons, years) is exactly `path`.

    Most of it goes to those nearest to work who would have had none, the rest to those at work; never to persons who are not
    `free` (dead, abroad, pensioned, in a fleksjob), and never beyond the cap.
    """
    added = np.zeros(base.shape)
    extensive, cap = parameters.number("effect.extensive"), parameters.number("hours.cap")
    table = positive_hours(parameters)
    for year in np.flatnonzero(path > 0):
        counted = members[:, year]
        total = path[year] * counted.sum()
        idle = np.flatnonzero(counted & free[:, year] & (base[:, year] == 0))
        working = np.flatnonzero(counted & free[:, year] & (base[:, year] > 0))
        if total == 0 or len(idle) + len(working) == 0:
            continue
        n_new = min(len(idle), max(1, round(extensive * total / parameters.number("effect.new_mean"))))
        new = idle[np.argsort(-closeness.work[idle, year], kind="stable")[:n_new]]
        hours = np.zeros(len(base))
        hours[new] = np.interp(closeness.amount[new, year], _GRID, table)
        if hours.sum() > 0:
            hours *= extensive * total / hours.sum()
        if len(working):
            hours[working] = (1 - extensive) * total / len(working)
        if hours.sum() == 0:
            continue
        room = np.where(counted & free[:, year], cap - base[:, year], 0.0)
        for _ in range(50):
            hours = np.minimum(hours * (total / hours.sum()), room)
            if abs(hours.sum() - total) < 1e-9 * total:
                break
        added[:, year] = hours
    return added


def by_month(parameters: Parameters, people: People, annual: Array, name: str, seed: int) -> NDArray[np.int32]:
    """(months, persons) hundredths of hours: each person-year's hours in one or more months, with the season.

    `name` is "work", "side job" (spread over nearly the whole year) or "programme". Many years begin where the year
    before left off.
    """
    person, year = np.nonzero(annual)
    hours = annual[person, year]
    number = people.number[person]
    keys = (number, np.array(YEARS)[year])
    if name == "side job":
        months = 8 + np.floor(5 * keyed(seed, f"{name} months", *keys)).astype(np.int64)
    else:
        usual = parameters.number("effect.month_hours" if name == "programme" else "hours.month_hours")
        each = usual * np.exp(0.45 * ndtri(keyed(seed, f"{name} months", *keys)))
        months = np.ceil(hours / np.minimum(each, 160.33)).astype(np.int64)
    months = np.clip(np.maximum(months, np.ceil(hours / 165.0).astype(np.int64)), 1, 12)
    # who was at work last year goes on from January, who was not is at work at the end; no month may depend on later years,
    # or what happens after the baseline would change who is out of work then
    before = np.pad(annual > 0, ((0, 0), (1, 0)))[person, year]
    share = parameters.number("hours.anchored")
    anchored = keyed(seed, f"{name} anchored", *keys) < np.where(before, share / 2, share)
    anywhere = np.floor(12 * keyed(seed, f"{name} start", *keys)).astype(np.int64)
    start = np.where(anchored, np.where(before, 0, 12 - months), anywhere)
    season = np.array(parameters.numbers("hours.season"))
    active = (np.arange(12) - start[:, None]) % 12 < months[:, None]
    weight = active * season
    spread = hours[:, None] * weight / weight.sum(axis=1, keepdims=True)
    hundredths = np.rint(100 * spread).astype(np.int32)
    out = np.zeros((12 * len(YEARS), len(annual)), dtype=np.int32)
    out[(12 * year)[:, None] + np.arange(12), person[:, None]] = hundredths
    return out


def _autoregression(values: Array, rho: float) -> Array:
    out = np.array(values)
    for year in range(1, out.shape[1]):
        out[:, year] = rho * out[:, year - 1] + np.sqrt(1 - rho**2) * values[:, year]
    return out
