"""Series that slopes of all units multiply, taken out of the outcomes of all assignments at once (see `removed`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coverage_study.batched_noise import variance_functions
from coverage_study.removed import Removed, Replication, Shared, centred, controls_of, controls_total, others_mean
from coverage_study.worlds import Shape
from evaluation.cycle.local_series import NO_MOVEMENT
from evaluation.panel import Array, Mask


def shift_share(replication: Replication, shape: Shape) -> Removed:
    """One slope on the series itself."""
    units, periods = replication.series.shape
    return _without(replication, np.zeros((units, units)), np.zeros((units, periods)))


def local_series(replication: Replication, shape: Shape) -> Removed:
    """A slope on the unit's usual reaction to the nation, and one on the rest of its series.

    With x the series and c the reaction, the two of the product are on x − c and c; on x and c they take the same out.
    """
    line = centred(replication.series, shape.before)
    seen = centred(others_mean(replication.series[:, : shape.before]), shape.before)
    reaction = np.einsum("put,ut->pu", seen, line) / np.einsum("put,put->pu", seen, seen)
    controls = controls_of(len(line))
    return _without(replication, reaction, controls_total(replication.series) / controls.sum(axis=1, keepdims=True))


def _without(replication: Replication, reaction: Array, nation: Array) -> Removed:
    """By `evaluation.cycle.slopes.pooled_slopes`, of which nothing is refused: no two series here are the same."""
    found = _Regression.of(replication, reaction, nation)
    weight = found.controls.astype(np.float64)
    moments = found.moments(weight)
    both = _two(moments.gram)
    slopes, inverse = _solved(moments, both)
    if replication.persons is not None:
        rest = found.rest(moments, slopes)
        squares = np.einsum("put,put->pu", rest, rest) / rest.shape[2]
        fitted = variance_functions(1.0 / replication.persons, squares, found.controls)
        usable = ((fitted > 0.0) | ~found.controls).all(axis=1, keepdims=True)
        # the weights' common factor, the mean of all fitted, is in neither the slopes nor their covariance
        weight = np.where(found.controls & usable, 1.0 / np.where(usable, fitted, 1.0), weight)
        moments = found.moments(weight)
        slopes, inverse = _solved(moments, both)
    covariance = found.covariance(moments, slopes, inverse, both)
    rest = _less(replication.outcome, replication.series, slopes[:, 0], slopes[:, 1:] * reaction, nation)
    return Removed(rest, found.controls, shared=Shared(replication.series, reaction, nation, covariance))


def _less(outcome: Array, series: Array, slopes: Array, reaction: Array, nation: Array) -> Array:
    """(problems, units, periods) outcome − slope × series − reaction × nation, of which the last is left out where it is zero."""
    rest = slopes[:, None, None] * series
    np.subtract(outcome, rest, out=rest)
    if reaction.any():
        rest -= reaction[:, :, None] * nation[:, None]
    return np.asarray(rest)


def _two(gram: Array) -> Mask:
    """(problems,) whether reaction and rest both move, so that each has a slope."""
    whole, national = gram[:, 0, 0], gram[:, 1, 1]
    local = whole - 2.0 * gram[:, 0, 1] + national
    return np.asarray((national > NO_MOVEMENT * whole) & (local > NO_MOVEMENT * whole))


@dataclass(frozen=True, slots=True)
class _Moments:
    """`gram` (problems, 2, 2) and `right` (problems, 2) of the weighted regression; the `weight` (problems, units); weighted means
    over units of the outcome and the series, (problems, periods), and of the reaction, (problems,)."""

    gram: Array
    right: Array
    weight: Array
    outcome: Array
    series: Array
    reaction: Array


def _solved(found: _Moments, both: Mask) -> tuple[Array, Array]:
    """(problems, 2) slopes, and the inverse of the Gram matrix; nothing on the reaction but in problems where `both` move."""
    inverse = np.zeros_like(found.gram)
    (a, b), d = found.gram[:, 0].T, found.gram[:, 1, 1]
    determinant = np.where(both, a * d - b * b, 1.0)
    inverse[:, 0, 0] = np.where(both, d / determinant, 1.0 / a)
    inverse[:, 1, 1] = np.where(both, a / determinant, 0.0)
    inverse[:, 0, 1] = inverse[:, 1, 0] = np.where(both, -b / determinant, 0.0)
    return np.einsum("pkl,pl->pk", inverse, found.right), inverse


@dataclass(frozen=True, slots=True)
class _Regression:
    """The controls' outcomes y on series x and reaction × nation n, with unit and period effects, in each problem.

    `y`, `x` (units, periods) and `n` (problems, periods) are without their means over the periods, hence without unit effects;
    period effects go with weighted means over units, products of which are taken off the products of the units' own lines.
    """

    y: Array
    x: Array
    n: Array
    reaction: Array
    controls: Mask

    @classmethod
    def of(cls, replication: Replication, reaction: Array, nation: Array) -> _Regression:
        y, x, n = (v - v.mean(axis=1, keepdims=True) for v in (replication.outcome, replication.series, nation))
        return cls(y, x, n, reaction, controls_of(len(reaction)))

    def moments(self, weight: Array) -> _Moments:
        """With each unit's weight, zero for those that are no controls."""
        total = weight.sum(axis=1)
        share = weight / total[:, None]
        outcome, series = share @ self.y, share @ self.x
        react, middle = weight * self.reaction, (share * self.reaction).sum(axis=1)
        y, x, n = self.y, self.x, self.n
        gram, right = np.empty((len(weight), 2, 2)), np.empty((len(weight), 2))
        gram[:, 0, 0] = weight @ (x * x).sum(axis=1) - total * (series * series).sum(axis=1)
        gram[:, 0, 1] = (react * (n @ x.T)).sum(axis=1) - total * middle * (n * series).sum(axis=1)
        gram[:, 1, 0] = gram[:, 0, 1]
        gram[:, 1, 1] = (n * n).sum(axis=1) * ((react * self.reaction).sum(axis=1) - total * middle**2)
        right[:, 0] = weight @ (x * y).sum(axis=1) - total * (series * outcome).sum(axis=1)
        right[:, 1] = (react * (n @ y.T)).sum(axis=1) - total * middle * (n * outcome).sum(axis=1)
        return _Moments(gram, right, weight, outcome, series, middle)

    def rest(self, found: _Moments, slopes: Array) -> Array:
        """(problems, units, periods) residuals."""
        on_series, on_nation = slopes[:, :1], slopes[:, 1:]
        means = found.outcome - on_series * found.series
        means -= on_nation * found.reaction[:, None] * self.n
        rest = _less(self.y, self.x, slopes[:, 0], on_nation * self.reaction, self.n)
        rest -= means[:, None]
        return rest

    def covariance(self, found: _Moments, slopes: Array, inverse: Array, both: Mask) -> Array:
        """(problems, 2, 2) with every unit its own cluster, and the product's factor for few of them."""
        rest = self.rest(found, slopes)
        scores = np.empty((2, *self.controls.shape))
        scores[0] = np.einsum("put,ut->pu", rest, self.x) - np.einsum("put,pt->pu", rest, found.series)
        scores[1] = (self.reaction - found.reaction[:, None]) * np.einsum("put,pt->pu", rest, self.n)
        influence = np.einsum("pkl,lpu->pku", inverse, scores * found.weight)
        periods, units = rest.shape[2], self.controls.sum(axis=1)
        cells, lost = units * periods, 1 + both + periods
        factor = units / (units - 1) * (cells - 1) / (cells - lost)
        return np.asarray(factor[:, None, None] * (influence @ influence.transpose(0, 2, 1)))
