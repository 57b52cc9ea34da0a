"""Tests of moment inequalities that condition on which of them bind, and the confidence sets they do not reject."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from scipy.special import log_ndtr, ndtri

from evaluation.honest.duals import Moments
from evaluation.panel import Array, Mask

DEGENERATE = 1e-14
"""A variance of the binding combination below this (moments have variance 1) is zero: the statistic is not random."""

PARALLEL = 1e-10
"""Two combinations whose coefficient on each other is this near to 1 move together, so neither bounds the other."""

BITS = 38
"""Halvings, in all, of the step between two neighbours of the first grid when the end of a set is looked for."""

WIDEST = 1e6
"""A set that reaches to where the statistic is this large is unbounded."""

Test: TypeAlias = Callable[[Array], Mask]
"""(values,) -> which of them the second stage does not reject."""


@dataclass(frozen=True, slots=True)
class FirstStage:
    """What a hybrid test rejects at once: |weights'β̂ − θ| > half, or a statistic above `largest`.

    Attributes
    ----------
    share : float
        The level left to the second stage: (α − κ)/(1 − κ), or α where there is no first one.
    kappa : float
        κ, the level of the first stage.
    largest : float
        The least favourable quantile.
    weights, centre, half
        The fixed-length interval: `centre` is weights'β̂.
    """

    share: float
    kappa: float
    largest: float = math.inf
    weights: Array | None = None
    centre: float = 0.0
    half: float = math.inf


@dataclass(frozen=True, slots=True)
class Prepared:
    """The values that the first stage leaves, the second stage, and on how fine a grid it is looked at first and then."""

    lower: float
    upper: float
    test: Test
    grid: int
    sections: int

    def ends(self) -> tuple[float, float] | None:
        """The least and the greatest value that is not rejected; None where all are.

        Both are looked for on a grid, and then again and again between the last value rejected and the first one that is not,
        so they are exact to rounding unless the set has a gap narrower than the grid.
        """
        if not self.lower <= self.upper:
            return None
        if not (math.isfinite(self.lower) and math.isfinite(self.upper)):
            return self.lower, self.upper
        grid = np.linspace(self.lower, self.upper, self.grid + 1)
        kept = np.flatnonzero(self.test(grid))
        if not kept.size:
            return None
        return self._edge(grid, int(kept[0]), -1), self._edge(grid, int(kept[-1]), 1)

    def _edge(self, grid: Array, place: int, step: int) -> float:
        """Refine between the value kept at `place` and its neighbour, which is not; the end of the grid is an edge itself."""
        inside = float(grid[place])
        if not 0 <= place + step < grid.size:
            return inside
        outside = float(grid[place + step])
        for _ in range(math.ceil(BITS / math.log2(self.sections))):
            finer = np.linspace(outside, inside, self.sections + 1)
            kept = np.flatnonzero(self.test(finer[1:-1]))
            first = int(kept[0]) + 1 if kept.size else self.sections
            inside, outside = float(finer[first]), float(finer[first - 1])
        return inside

    def keeps_any(self, grids: list[Array]) -> bool:
        """Whether some value of the grids is not rejected by the second stage; a grid that runs backwards is empty."""
        values = np.concatenate([grid for grid in grids if grid[0] <= grid[-1]] or [np.empty(0)])
        return bool(values.size) and bool(self.test(values).any())

    def keeps(self, value: float) -> bool:
        """Whether neither stage rejects `value`."""
        return self.lower <= value <= self.upper and bool(self.test(np.array([value]))[0])


class Dual(Protocol):
    """The dual of one polyhedron's statistic, as vertices (`Lines`) or as programs to be solved (`Programs`)."""

    def least_favourable(self, draws: Array, kappa: float) -> float:
        """The 1 − κ quantile of the statistic when every moment binds, from (K + T, draws) draws of the effects' noise.

        References
        ----------
        Andrews, Roth & Pakes (2023), Review of Economic Studies 90(6), section 3; Rambachan & Roth (2023), section 3.
        """
        ...

    def limits(self, kappa: float) -> tuple[float, float]:
        """Bounds on that quantile that take no draws."""
        ...

    def reach(self, largest: float) -> tuple[float, float]:
        """The values at which the statistic is at most `largest`; lower above upper where there are none."""
        ...

    def prepared(self, first: FirstStage, covariance: Array) -> Prepared:
        """Both stages of the test."""
        ...


@dataclass(frozen=True, slots=True)
class Lines:
    """The vertices' values γ'Y(θ) = level − slope × θ, and their covariance.

    Attributes
    ----------
    levels, slopes : Array
        (vertices,).
    normals : Array
        (vertices, K + T): γ'A, the combination of effects each of them is.
    covariance : Array
        (vertices, vertices).
    """

    levels: Array
    slopes: Array
    normals: Array
    covariance: Array

    def least_favourable(self, draws: Array, kappa: float) -> float:
        """See `Dual`."""
        return float(np.quantile((self.normals @ draws).max(axis=0), 1.0 - kappa))

    def limits(self, kappa: float) -> tuple[float, float]:
        """See `Dual`: that of the noisiest vertex alone, and Bonferroni's, for a vertex has a variance of at most 1.

        Twice and half of κ leave room for the quantile's simulation error.
        """
        noisiest = math.sqrt(max(float(np.diag(self.covariance).max()), 0.0))
        return -noisiest * float(ndtri(2.0 * kappa)), -float(ndtri(0.5 * kappa / self.levels.size))

    def prepared(self, first: FirstStage, covariance: Array) -> Prepared:
        """See `Dual`."""
        test = self._second_stage(first, covariance)
        return Prepared(*left_by(first, self.reach, test), test, grid=1000, sections=200)

    def reach(self, largest: float) -> tuple[float, float]:
        """See `Dual`."""
        if (self.levels[np.abs(self.slopes) <= PARALLEL] > largest).any():
            return math.inf, -math.inf
        return interval_of(-self.slopes, self.levels - largest, axis=0)

    def _second_stage(self, first: FirstStage, covariance: Array) -> Test:
        """The statistic given where it lies, against the normal distribution truncated to there.

        Given the vertex γ at which the statistic is attained and what is independent of γ'Y, that vertex stays the best one
        while γ'Y lies between v_lo and v_up; under the null it is then a normal variable, with a mean of at most zero, truncated
        to them.

        References
        ----------
        Rambachan & Roth (2023), section 3; Andrews, Roth & Pakes (2023), section 3.
        """
        variances = np.diag(self.covariance)

        def test(values: Array) -> Mask:
            at = self.levels - np.outer(values, self.slopes)
            best = at.argmax(axis=1)
            statistic, variance = at[np.arange(values.size), best], variances[best]
            ratio = self.covariance[best] / np.where(variance > DEGENERATE, variance, 1.0)[:, None]
            bounds = interval_of(ratio - 1.0, at - ratio * statistic[:, None], axis=1)
            return not_rejected(values, statistic, variance, bounds, self.normals[best], first, covariance)

        return test


def lines_of(duals: Array, of: Moments, effects: Array, covariance: Array, weights: Array) -> Lines:
    """The values of the dual's vertices as functions of θ."""
    normals = duals @ of.rows
    after = normals[:, normals.shape[1] - weights.size :]
    return Lines(
        normals @ effects - duals @ of.limits,
        after @ weights / (weights @ weights),
        normals,
        normals @ covariance @ normals.T,
    )


def interval_of(slopes: Array, levels: Array, axis: int) -> tuple[Any, Any]:
    """The x with slope × x + level ≤ 0 for all entries along `axis`: from, to."""
    with np.errstate(divide="ignore", invalid="ignore"):
        at = -levels / slopes
    low = np.where(slopes < -PARALLEL, at, -np.inf).max(axis=axis)
    return low, np.where(slopes > PARALLEL, at, np.inf).min(axis=axis)


def not_rejected(
    values: Array,
    statistic: Array,
    variance: Array,
    bounds: tuple[Array, Array],
    normals: Array,
    first: FirstStage,
    covariance: Array,
) -> Mask:
    """Which (values,) the second stage keeps, given the statistic, its variance and between which bounds it could lie.

    The first stage not having rejected, what it allows bounds the statistic too.
    """
    random = variance > DEGENERATE
    safe = np.where(random, variance, 1.0)
    low, high = bounds[0], np.minimum(bounds[1], first.largest)
    if first.weights is not None:
        slope = normals @ covariance @ first.weights / safe
        apart = first.centre - values - slope * statistic
        sides = interval_of(np.stack([slope, -slope], 1), np.stack([apart, -apart], 1) - first.half, axis=1)
        low, high = np.maximum(low, sides[0]), np.minimum(high, sides[1])
    p_values = truncated_p_value(statistic, low, high, np.sqrt(safe))
    kept = (statistic <= 0.0) | (p_values >= first.share)
    # a combination without sampling error rejects as soon as it is violated (by more than rounding)
    return np.asarray(np.where(random, kept, statistic <= 1e-10))


def truncated_p_value(statistic: Array, low: Array, high: Array, deviation: Array) -> Array:
    """P(ξ > statistic | low ≤ ξ ≤ high) for ξ ~ N(0, deviation²), by logarithms, so that far tails keep their digits.

    1 where nothing lies between the bounds: the statistic could not have been another.
    """
    low, high = np.minimum(low, statistic) / deviation, np.maximum(high, statistic) / deviation
    here, start, end = log_ndtr(-statistic / deviation), log_ndtr(-low), log_ndtr(-high)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.exp(here - start) * np.expm1(end - here) / np.expm1(end - start)
    return np.asarray(np.where(np.isfinite(share), share, 1.0))


def left_by(first: FirstStage, reach: Callable[[float], tuple[float, float]], test: Test) -> tuple[float, float]:
    """The values that the first stage leaves; without one, all that need a look.

    `reach(c)` gives the values whose statistic is at most c. Without a first stage c is doubled until the test rejects whatever
    lies beyond.
    """
    if first.weights is not None:
        return first.centre - first.half, first.centre + first.half
    if math.isfinite(first.largest):
        return reach(first.largest)
    largest = 4.0
    while largest < WIDEST:
        inner, outer = reach(largest), reach(4.0 * largest)
        if inner[0] <= inner[1]:
            beyond = [np.linspace(outer[side], inner[side], 60) for side in (0, 1) if math.isfinite(inner[side])]
            if not beyond or not test(np.concatenate(beyond)).any():
                return inner
        largest *= 2.0
    return -math.inf, math.inf
