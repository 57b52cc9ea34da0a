"""Programmes that never were: every unit in turn is pretended to have started late in the data, and evaluated as the plan says."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.noise import unit_noise, variance_function
from evaluation.panel import Array, Indices, Panel
from evaluation.power import allowed, share_interval, smallest_common_effect

MOST_AVERAGES = 999
"""Averages of several stand-ins: all there are when no more than these, else a seeded sample of this many."""


@dataclass(frozen=True, slots=True)
class StandIns:
    """Effects where nothing happened: (units,) `effects`, their `noise` where known, how many fits `failed`, and of whom."""

    effects: Array
    noise: Array | None
    failed: int
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """The variance a + b × noise of an effect as a function of a unit's noise; b is 0 where noise is unknown."""

    constant: float
    slope: float

    def at(self, noise: float) -> float:
        """The standard deviation of the effect on a unit this noisy."""
        return math.sqrt(self.constant + self.slope * noise)

    def scaled(self, found: StandIns) -> Array:
        """(units,) effects over the standard deviation expected of each."""
        noise = np.zeros(found.effects.size) if found.noise is None else found.noise
        expected = self.constant + self.slope * noise
        return np.asarray(found.effects / np.sqrt(np.maximum(expected, 1e-300)))


def window(panel: Panel, start: int, before: int, after: int) -> Panel:
    """The part of the panel in which a programme is pretended to start: units untreated throughout, and these periods only."""
    untouched = np.flatnonzero(panel.start >= start + after)
    part = panel.with_window(None).keep_units(untouched.tolist()).keep_periods(start - before, start + after - 1)
    return part.assign({})


def stand_ins(pipeline: Pipeline, part: Panel, before: int, rows: Indices | None = None) -> StandIns:
    """The effect on every unit of `part` (or on those of `rows`, which are then the only ones) as if it alone were treated.

    All others serve as its controls: nothing happened to any of them.

    Raises
    ------
    EstimationError
        The estimator could not be computed for any of them.
    """
    if rows is not None:
        part = part.keep_units(rows.tolist())
    effects = np.full(part.n_units, np.nan)
    problem: EstimationError | None = None
    for row in range(part.n_units):
        try:
            effects[row] = pipeline(part.assign({row: before})).att
        except EstimationError as error:
            problem = error
    known = np.isfinite(effects)
    if not known.any():
        raise problem or EstimationError("the effect is not a number for any unit")
    noise = unit_noise(part, np.ones(part.n_periods, dtype=np.bool_))
    if noise is not None:
        known &= np.isfinite(noise)
    if not known.any():
        raise EstimationError("the persons behind the cells are not known for any unit")
    names = tuple(part.units[row] for row in np.flatnonzero(known))
    return StandIns(effects[known], None if noise is None else noise[known], int((~known).sum()), names)


def spread_of(found: list[StandIns]) -> Spread:
    """The variance function of these effects, taken together.

    References
    ----------
    Ferman & Pinto (2019), Review of Economics and Statistics 101(3), eqs. (4)-(6).
    """
    squares = np.concatenate([each.effects**2 for each in found])
    noises = [each.noise for each in found if each.noise is not None]
    if len(noises) < len(found):
        return Spread(float(squares.mean()), 0.0)
    design = np.column_stack([np.ones(squares.size), np.concatenate(noises)])
    return Spread(*variance_function(design, squares))


def share_known(found: Sequence[StandIns], noise: float, share: float) -> tuple[float | None, float | None]:
    """Between which values the persons' share of the variance of a unit this noisy lies: units are left out one by one."""
    noises = [each.noise for each in found if each.noise is not None]
    if len(noises) < len(found):
        return None, None
    names = sorted({name for each in found for name in each.units})
    units = np.array([names.index(name) for each in found for name in each.units])
    design = np.column_stack([np.ones(units.size), np.concatenate(noises)])
    squares = np.concatenate([each.effects**2 for each in found])
    return share_interval(design, squares, np.array([1.0, noise]), units, share)


def multiple(groups: Sequence[Array], treated: int, controls: int, level: float, power: float, rng: Rng) -> float:
    """The smallest effect in standard deviations of one unit's effect, when the mean of `treated` units is tested.

    Parameters
    ----------
    groups : sequence of Array
        (units,) effects over their expected standard deviations; several where one choice of units is as likely as another.
    treated : int
        How many units are treated together; their average is ranked among averages of as many stand-ins.
    controls : int
        How many controls the test will have: what it can reject at `level` depends on their number.

    Returns
    -------
    float
        Infinite where the test can reject nothing, or there are too few units to stand in.
    """
    if treated >= min(group.size for group in groups) or controls < treated + 1:
        return math.inf
    draws = [group if treated == 1 else _averages(group, treated, rng) for group in groups]
    assignments = min(math.comb(controls, treated), MOST_AVERAGES, *(each.size for each in draws))
    return smallest_common_effect(draws, allowed(assignments, level), power)


def _averages(scaled: Array, treated: int, rng: Rng) -> Array:
    """Means of so many different stand-ins: every choice of them, or a seeded sample of the choices."""
    if math.comb(scaled.size, treated) <= MOST_AVERAGES:
        return np.array([scaled[list(rows)].mean() for rows in itertools.combinations(range(scaled.size), treated)])
    chosen: set[tuple[int, ...]] = set()
    while len(chosen) < MOST_AVERAGES:
        chosen.add(tuple(sorted(rng.permutation(scaled.size)[:treated].tolist())))
    return np.asarray(scaled[np.array(sorted(chosen))].mean(axis=1))
