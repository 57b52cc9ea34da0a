"""Linear programs for what has too many vertices to list: one program for a statistic, a few for the bounds it could lie in."""

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

FAR = 40.0
"""The normal distribution has nothing beyond this many standard deviations."""

EQUAL = 1e-8
"""Statistics nearer to each other than this (in standard deviations) are equal: the solver's own tolerance is 1e-7 on
multipliers, and the few that are not zero are set right by the equations they solve."""

STEPS = 60
"""Steps of Newton's method for a bound; each meets another vertex, and it ends at the first one met twice."""


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

    def ceiling(self, kappa: float) -> float:
        """See `Dual`; how many vertices there are is not known."""
        return math.inf

    def prepared(self, first: FirstStage, covariance: Array) -> Prepared:
        """See `Dual`."""

        def test(values: Array) -> Mask:
            return np.array([self._keeps(float(value), first, covariance) for value in values], dtype=np.bool_)

        return Prepared(*left_by(first, self.reach, test), test, grid=40, sections=2)

    def reach(self, largest: float) -> tuple[float, float]:
        """See `Dual`: the values for which nuisance parameters keep every moment within `largest` standard deviations."""
        if math.isinf(largest):
            return -math.inf, math.inf
        slopes = np.column_stack([self._slopes(), self.of.system[:, 1:]])
        objective = np.zeros(slopes.shape[1])
        right = largest * self.of.deviations - self._at(0.0)
        ends = []
        for sign in (1.0, -1.0):
            objective[0] = sign
            least = _least(objective, -slopes, right)
            if least is None:
                return math.inf, -math.inf
            ends.append(sign * least)
        return ends[0], ends[1]

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
            bounds = (self._bound(rest, along, statistic, -1.0), self._bound(rest, along, statistic, 1.0))
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

    def _bound(self, rest: Array, along: Array, statistic: float, side: float) -> float:
        """How far γ'Y = x could move while the largest γ'(rest + along × x) stays x, by Newton's method on a convex function."""
        x = statistic + side * FAR
        for step in range(STEPS):
            best, gamma = self._best(rest + along * x)
            if best <= x + EQUAL * max(1.0, abs(x)):
                return side * math.inf if step == 0 else x
            moved = 1.0 - float(gamma @ along)
            x = float(gamma @ rest) / moved
        return x
