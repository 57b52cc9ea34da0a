"""Worlds of 98 municipalities in which nothing happens: noise of known shape, drawn for many replications at once.

The shares, correlations and paths are those of the Danish employment rate (RAS200, 98 municipalities, 2008-21); where a number is
an assumption instead, it says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from evaluation.panel import Array, Indices, Panel
from evaluation.periods import Period
from evaluation.study import stream

Rng = np.random.Generator

LANDSDELE = (4, 13, 11, 1, 5, 12, 10, 12, 11, 8, 11)
"""Municipalities in each of the eleven landsdele; Bornholm is alone in its own."""

UNITS = sum(LANDSDELE)
REGION = np.repeat(np.arange(len(LANDSDELE)), LANDSDELE)
ALONE = np.flatnonzero(np.bincount(REGION)[REGION] == 1)

PERSISTENCE = 0.6
"""First-order autocorrelation of two-way residuals."""

FACTOR_SHARES = (0.45, 0.26)
"""Shares of the two-way residuals' variance that the first two factors hold."""

REGIONAL = 0.17
"""Correlation of two municipalities of one landsdel."""

SENSITIVITY_SD = 0.24
"""Standard deviation of the reaction to the national cycle, whose mean is 1."""

CYCLE_NOISE = 0.57
"""Standard deviation of what is not the cycle, in points of the employment rate, as NATION is."""

NATION = np.array([76.0, 72.8, 72.1, 71.8, 71.3, 71.3, 71.6, 72.1, 72.8, 73.6, 74.6, 75.1, 74.5, 77.1])
"""The employment rate of all municipalities, 2008-21."""

PERSONS = np.geomspace(500.0, 50_000.0, UNITS)
"""Assumed: a target group 100 times as large in the largest municipality as in the smallest."""

NOISE_RATIO = 30.0
"""Assumed: the variance of the smallest unit over that of the largest, with a variance of a + b / persons."""

LEVEL_SD = 5.0
"""Assumed: standard deviation of the units' levels where they differ, in standard deviations of the noise."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many periods, how many of them before the start, and how many the effect is averaged over."""

    periods: int
    before: int
    window: int


SHAPES = {14: Shape(14, 7, 4), 60: Shape(60, 40, 20)}
"""By periods: years as in 2008-21 with a start in 2015 and the window 2015-18; and ten years of quarters before five."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Replications of a world, the treated units in the first rows.

    `outcome` and `series` (replications, units, periods), `persons` and `region` (replications, units). `series` is what a local
    adjustment may be given: it moves with what units share, and has noise of its own.
    """

    outcome: Array
    series: Array
    persons: Array
    region: Indices


@dataclass(frozen=True, slots=True)
class World:
    """A name, a sentence, and how its (replications, units, periods) outcomes and what units share in them are drawn.

    `sized`: the noise falls with the persons, which are known unless `unknown`. `highest`: the treated are those with the highest
    level, else any. `far`: by how many standard deviations the treated react more than the mean.
    """

    name: str
    summary: str
    draw: Callable[[int, Shape, Rng], tuple[Array, Array]]
    sized: bool = False
    unknown: bool = False
    highest: bool = False
    far: float = 0.0


def noise(
    replications: int, units: int, periods: int, rng: Rng, persistence: float = PERSISTENCE, df: float = 0
) -> Array:
    """(replications, units, periods) stationary AR(1) with variance 1; t innovations with `df` degrees of freedom where given."""
    burn = 0 if df == 0 else 25
    shape = (replications, units, periods + burn)
    steps = rng.normal(size=shape) if df == 0 else rng.standard_t(df, size=shape) / np.sqrt(df / (df - 2.0))
    steps[..., 1:] *= np.sqrt(1.0 - persistence**2)
    for period in range(1, periods + burn):
        steps[..., period] += persistence * steps[..., period - 1]
    return np.asarray(steps[..., burn:])


def nation(shape: Shape) -> Array:
    """(periods,) the national path: 2008-14 stretched over the periods before the start, 2015 and on over those after it."""
    if shape.periods == NATION.size:
        return np.asarray(NATION - NATION.mean())
    after = shape.periods - shape.before
    centres = np.concatenate([(np.arange(7) + 0.5) / 7 * shape.before, shape.before + (np.arange(5) + 0.5) / 5 * after])
    path = np.interp(np.arange(shape.periods) + 0.5, centres, NATION[:12])
    return np.asarray(path - path.mean())


def variance_by_persons(persons: Array) -> Array:
    """a + b / persons, the smallest unit's NOISE_RATIO times the largest's, with a mean of 1 over the units."""
    small, large = 1.0 / PERSONS[0], 1.0 / PERSONS[-1]
    falling = (NOISE_RATIO - 1.0) / (small - NOISE_RATIO * large)
    scale = np.mean(1.0 + falling / PERSONS)
    return np.asarray((1.0 + falling / persons) / scale)


def _plain(
    replications: int, shape: Shape, rng: Rng, persistence: float = PERSISTENCE, df: float = 0
) -> tuple[Array, Array]:
    own = noise(replications, UNITS, shape.periods, rng, persistence, df)
    return own, np.zeros_like(own)


def _factors(replications: int, shape: Shape, rng: Rng) -> tuple[Array, Array]:
    shared = np.zeros((replications, UNITS, shape.periods))
    for share in FACTOR_SHARES:
        path = rng.normal(size=(replications, 1, shape.periods)).cumsum(axis=2)
        path -= path.mean(axis=2, keepdims=True)
        path /= path.std(axis=2, keepdims=True)
        shared += np.sqrt(share) * rng.normal(size=(replications, UNITS, 1)) * path
    own = noise(replications, UNITS, shape.periods, rng)
    # what unit effects take out of persistent noise is made up for, so that the shares are those of two-way residuals
    own /= np.sqrt(np.mean(own.var(axis=2)))
    return shared + np.sqrt(1.0 - sum(FACTOR_SHARES)) * own, shared


def _regional(replications: int, shape: Shape, rng: Rng) -> tuple[Array, Array]:
    shared = np.sqrt(REGIONAL) * noise(replications, len(LANDSDELE), shape.periods, rng)[:, REGION]
    return shared + np.sqrt(1.0 - REGIONAL) * noise(replications, UNITS, shape.periods, rng), shared


def _sizes(replications: int, shape: Shape, rng: Rng) -> tuple[Array, Array]:
    own = noise(replications, UNITS, shape.periods, rng) * np.sqrt(variance_by_persons(CANONICAL_PERSONS))[:, None]
    return own, np.zeros_like(own)


def _cycle(replications: int, shape: Shape, rng: Rng) -> tuple[Array, Array]:
    shared = rng.normal(1.0, SENSITIVITY_SD, size=(replications, UNITS, 1)) * nation(shape)
    return shared + CYCLE_NOISE * noise(replications, UNITS, shape.periods, rng), shared


def _levels(replications: int, shape: Shape, rng: Rng) -> tuple[Array, Array]:
    own = noise(replications, UNITS, shape.periods, rng)
    return own + LEVEL_SD * rng.normal(size=(replications, UNITS, 1)), np.zeros_like(own)


CANONICAL_PERSONS = PERSONS[np.random.default_rng(98).permutation(UNITS)]
"""Persons in the order of the units before they are shuffled: sizes have nothing to do with the landsdel."""

WORLDS: dict[str, World] = {
    world.name: world
    for world in (
        World("iid", "independent noise", partial(_plain, persistence=0.0)),
        World("ar1", "noise with autocorrelation 0.6", _plain),
        World("heavy_tails", "the same with t(3) innovations", partial(_plain, df=3)),
        World("factors", "two persistent factors (0.45 and 0.26 of the variance), autocorrelated noise", _factors),
        World("regional", "correlation 0.17 within a landsdel, autocorrelation 0.6", _regional),
        World("sizes", "persons spread 100-fold, noise variance a + b / persons (30 to 1)", _sizes, sized=True),
        World("sizes_unknown", "the same, nobody knowing the persons", _sizes, sized=True, unknown=True),
        World("cycle", "own reactions (sd 0.24) to the national path with 2009 and 2014-18", _cycle),
        World(
            "far_loading", "the same, the treated reacting two standard deviations more than the mean", _cycle, far=2.0
        ),
        World("levels", "levels differ (sd 5), the treated unit's is any", _levels),
        World("highest_level", "levels differ (sd 5), the treated unit's is the highest", _levels, highest=True),
    )
}


def shows_persons(world: World) -> bool:
    """Whether the product is told the persons behind the cells."""
    return world.sized and not world.unknown


SIZE_PLACES = {"small": 0.05, "median": 0.5, "large": 0.95}
"""By the word for the treated units' size: their place among all, from the smallest."""


def draw(world: World, shape: Shape, replications: int, rng: Rng, treated: int = 1, treated_size: str = "any") -> Drawn:
    """Replications of a world with `treated` units in the first rows and all others in random order behind them.

    Units alone in their landsdel are never the treated ones (nothing there could be compared with them).
    """
    outcome, shared = world.draw(replications, shape, rng)
    keys = rng.random((replications, UNITS))
    candidates = keys.copy()
    if world.highest:
        candidates = -outcome.mean(axis=2)
    elif treated_size != "any":
        rank = np.argsort(np.argsort(CANONICAL_PERSONS))
        first = min(round(SIZE_PLACES[treated_size] * (UNITS - 1)), UNITS - treated)
        candidates = np.where((rank >= first) & (rank < first + treated), keys, 2.0)
    else:
        candidates[:, ALONE] = 2.0
    chosen = np.argsort(candidates, axis=1)[:, :treated]
    np.put_along_axis(keys, chosen, -1.0 + np.arange(treated) / treated, axis=1)
    order = np.argsort(keys, axis=1)
    outcome = np.take_along_axis(outcome, order[..., None], axis=1)
    shared = np.take_along_axis(shared, order[..., None], axis=1)
    if world.far:
        further = (1.0 + world.far * SENSITIVITY_SD) * nation(shape) - shared[:, :treated]
        outcome[:, :treated] += further
        shared[:, :treated] += further
    series = shared + noise(replications, UNITS, shape.periods, rng)
    return Drawn(outcome, series, CANONICAL_PERSONS[order], REGION[order])


@cache
def spread(name: str, periods: int) -> float:
    """The standard deviation of an untreated cell around unit and period means: the yardstick of effects and lengths."""
    drawn = draw(WORLDS[name], SHAPES[periods], 200, stream(2015, f"spread/{name}/{periods}")).outcome
    rest = drawn - drawn.mean(axis=2, keepdims=True)
    rest -= rest.mean(axis=1, keepdims=True)
    return float(np.sqrt(np.mean(rest**2)))


NAMES = tuple(f"unit {row:02d}" for row in range(UNITS))
PERIODS = tuple(Period("year", 1961 + index) for index in range(max(SHAPES)))


def panel(drawn: Drawn, replication: int, shape: Shape, treated: int, *, sized: bool) -> Panel:
    """One replication as the product sees it; `sized`: the persons are known."""
    start = np.full(UNITS, shape.periods)
    start[:treated] = shape.before
    persons = np.repeat(drawn.persons[replication][:, None], shape.periods, axis=1) if sized else None
    return Panel(
        drawn.outcome[replication],
        NAMES,
        PERIODS[: shape.periods],
        start,
        size=persons,
        region=drawn.region[replication],
        cycle={"series": drawn.series[replication], "shift_share": drawn.series[replication]},
        window=(shape.before, shape.before + shape.window - 1),
    )
