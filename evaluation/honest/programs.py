"""Linear programs for what has too many vertices to list: one for a statistic, two for the bounds it could lie between."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from evaluation.errors import EstimationError
from evaluation.honest.conditional import FirstStage, Prepared, left_by, not_rejected
from evaluation.honest.duals import Moments
from evaluation.honest.restrictions import Polyhedron
from evaluation.panel import Array, Mask

MOST_DRAWS = 1000
"""Each draw of the least favourable statistic is a program of its own."""

EQUAL = 1e-8
"""Statistics nearer to each other than this (in standard deviations) are equal: the solver's own tolerance is 1e-7 on
multipliers, and the few that are not zero are set right by the equations they solve."""


def extremes(shape: Polyhedron, before: Array, weights: Array) -> tuple[float, float] | None:
    """The least and the greatest l'δ over the polyhedron with δ before the start as given; None where there is no such δ."""
    n_pre = before.size
    rows, right = shape.rows[:, n_pre:], shape.limits - shape.rows[:, :n_pre] @ before
    slack = 1e-9 * max(1.0, float(np.abs(right).max(initial=0.0)))
    ends = []
    for sign in (1.0, -1.0):
        least = _least(sign * weights, rows, right + slack)
        if least is None:
            return None
        ends.append(sign * least)
    return ends[0], ends[1]


def _least(objective: Array, rows: Array, right: Array) -> float | None:
    """The least objective'x with rows x ≤ right; −∞ where there is none, None where there is no such x."""
    found = linprog(objective, A_ub=rows, b_ub=right, bounds=(None, None), method="highs")
    if found.status == 2:
        return None
    return -math.inf if found.status != 0 or found.fun is None else float(found.fun)


@dataclass(frozen=True, slots=True)
class Programs:
    """The dual {γ ≥ 0, γ's = 1, γ'X = 0} of one polyhedron, solved where it is needed."""

    of: Moments
    effects: Array
    covariance: Array
    weights: Array

    def least_favourable(self, draws: Array, kappa: float) -> float:
        """See `Dual`; from the first draws, as many as there is time for."""
        noise = self.of.rows @ draws[:, :MOST_DRAWS]
        return float(np.quantile([self._best(column)[0] for column in noise.T], 1.0 - kappa))

    def limits(self, kappa: float) -> tuple[float, float]:
        """See `Dual`; how many vertices there are, and how noisy they are, is not known."""
        return 0.0, math.inf

    def prepared(self, first: FirstStage, covariance: Array) -> Prepared:
        """See `Dual`."""

        def test(values: Array) -> Mask:
            return np.array([self._keeps(float(value), first, covariance) for value in values], dtype=np.bool_)

        return Prepared(*left_by(first, self.reach, test), test, grid=200, sections=2)

    def reach(self, largest: float) -> tuple[float, float]:
        """See `Dual`: the values for which nuisance parameters keep every moment within `largest` standard deviations."""
        if math.isinf(largest):
            return -math.inf, math.inf
        slopes = np.column_stack([self._slopes(), self.of.system[:, 1:]])
        return self._interval(-slopes, largest * self.of.deviations - self._at(0.0))

    def _slopes(self) -> Array:
        """A₁: how the moments fall as θ rises."""
        after = self.of.rows[:, self.of.rows.shape[1] - self.weights.size :]
        pivot = int(np.argmax(np.abs(self.weights)))
        return np.asarray(after[:, pivot] / self.weights[pivot])

    def _at(self, value: float) -> Array:
        """Y(θ)."""
        return np.asarray(self.of.rows @ self.effects - self.of.limits - self._slopes() * value)

    def _best(self, objective: Array) -> tuple[float, Array]:
        """The largest γ'objective and a vertex γ where it is attained."""
        right = np.zeros(self.of.system.shape[1])
        right[0] = 1.0
        found = linprog(-objective, A_eq=self.of.system.T, b_eq=right, bounds=(0, None), method="highs-ds")
        if found.status != 0 or found.x is None:
            raise EstimationError("honest_did: a linear program of the test could not be solved")
        gamma = np.where(found.x > EQUAL * found.x.max(), found.x, 0.0)
        return float(gamma @ objective), gamma

    def _keeps(self, value: float, first: FirstStage, covariance: Array) -> bool:
        at = self._at(value)
        statistic, gamma = self._best(at)
        normal = gamma @ self.of.rows
        variance = float(normal @ self.covariance @ normal)
        bounds = (-math.inf, math.inf)
        if variance > 1e-14:
            # how the moments move with γ'Y, what is independent of it being given
            along = self.of.rows @ self.covariance @ normal / variance
            rest = at - along * statistic
            bounds = self._bounds(rest, along)
        kept = not_rejected(
            np.array([value]),
            np.array([statistic]),
            np.array([variance]),
            (np.array([bounds[0]]), np.array([bounds[1]])),
            normal[None, :],
            first,
            covariance,
        )
        return bool(kept[0])

    def _bounds(self, rest: Array, along: Array) -> tuple[float, float]:
        """Between which x the largest γ'(rest + along × x) stays x.

        The vertex at hand always gives x, so no more than x is to be shown: that some nuisance parameters keep every moment
        within x standard deviations. These x are an interval, whose ends are two programs.
        """
        slopes = np.column_stack([along - self.of.deviations, -self.of.system[:, 1:]])
        slack = EQUAL * self.of.deviations
        return self._interval(slopes, slack - rest)

    def _interval(self, slopes: Array, right: Array) -> tuple[float, float]:
        """The least and the greatest first coordinate with slopes x ≤ right; the wrong way round where there is none."""
        objective = np.zeros(slopes.shape[1])
        ends = []
        for sign in (1.0, -1.0):
            objective[0] = sign
            least = _least(objective, slopes, right)
            if least is None:
                return math.inf, -math.inf
            ends.append(sign * least)
        return ends[0], ends[1]
