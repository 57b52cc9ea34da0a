"""The outer problem of synthetic control with predictors: the V whose donor weights fit the outcome best.

The nested problem is bilevel. Inside, W(V) minimises Σ_k v_k r_k(w)² over the simplex, where r = X₀w − x₁ are the gaps of
the standardised predictors; outside, V minimises the mean squared gap f of the outcome before the start. As a function of V
the loss is piecewise smooth with many local minima at scales of V from 1 to 1e-8. As a function of w it is one convex
quadratic, and only the feasible set is awkward: w is W(V) for some V, or a limit of such, exactly if there is a direction μ
(namely μ_k = v_k r_k) with

    Σ_k μ_k x_kj equal for all donors j with w_j > 0, not smaller for the others, and μ_k r_k ≥ 0 for every k.

So w is feasible on a union of polytopes, one for each support S and each pattern of signs of r, and a local minimum is the
minimum of f on {supp w = S, r_k = 0 for k in E} for some S and E: one small linear system. The search goes from pair
(S, E) to pair, looking at thousands at a time; whether a pair is feasible is a least-distance problem in K dimensions. At
the end a linear programme turns the best pair into V: v_k = μ_k / r_k, and large values for the predictors in E.

References
----------
Abadie, Diamond & Hainmueller (2010), "Synthetic control methods for comparative case studies", JASA 105(490).
Becker & Klößner (2018), "Fast and reliable computation of generalized synthetic controls", Econometrics and Statistics 5.
Lawson & Hanson (1974), "Solving least squares problems", chapter 23 (least-distance programming by NNLS).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog, nnls

from evaluation.panel import Array, Indices
from evaluation.predictors.inner import donor_weights, nearest

SMALLEST_V = 1e-8
"""Lower bound of v_k / max(v) in the nested search, as in MSCMT."""

INSIDE = 1e-12
"""A treated unit is inside the hull of the donors' predictors if its squared distance, relative to theirs, is below this."""

POSITIVE = 1e-9
"""Weights below this count as zero."""

SCREENED = 60
"""Values of V tried before the search; the better ones are where it starts."""

DESCENTS = 12
"""Starts of the search."""

WIDE = 1
"""How many of the best ends it goes on from in a wider neighbourhood."""

MOST_PROOFS = 300
"""Proofs of infeasibility that are kept."""

POSITIVE = 1e-9
"""Weights below this count as zero."""

SCREENED = 60
"""Values of V tried before the search; the better ones are where it starts."""

DESCENTS = 12
"""Starts of the search."""

WIDE = 1
"""How many of the best ends it goes on from in a wider neighbourhood."""

MOST_PROOFS = 300
"""Proofs of infeasibility that are kept."""

SCREENED = 60
"""Values of V tried before the search; the better ones are where it starts."""

DESCENTS = 12
"""Starts of the search."""

WIDE = 1
"""How many of the best ends it goes on from in a wider neighbourhood."""

MOST_PROOFS = 300
"""Proofs of infeasibility that are kept."""

DESCENTS = 12
"""Starts of the search."""

WIDE = 1
"""How many of the best ends it goes on from in a wider neighbourhood."""

MOST_PROOFS = 300
"""Proofs of infeasibility that are kept."""

WIDE = 1
"""How many of the best ends it goes on from in a wider neighbourhood."""

MOST_PROOFS = 300
"""Proofs of infeasibility that are kept."""

MOST_PROOFS = 300
"""Proofs of infeasibility that are kept."""


@dataclass(frozen=True, slots=True)
class _Corner:
    """A pair (support S, matched predictors E), the best weights on it, and their loss."""

    loss: float
    support: Indices
    matched: Indices
    weights: Array

    @property
    def key(self) -> tuple[bytes, bytes]:
        return np.sort(self.support).tobytes(), np.sort(self.matched).tobytes()


class Search:
    """The search over pairs; `gaps` (K, donors) and `outcome` (T, donors) are differences from the treated unit."""

    def __init__(self, gaps: Array, outcome: Array) -> None:
        self.gaps, self.outcome = gaps, outcome
        self.k, self.donors = gaps.shape
        self.gram = outcome.T @ outcome / len(outcome)
        self.scale = max(float(np.trace(self.gram)) / self.donors, 1e-300)
        self.scaled = self.gram / self.scale + 1e-10 * np.eye(self.donors)
        self.unit = gaps / np.linalg.norm(gaps @ nearest(gaps))  # in these units every μ of interest is 1 or longer
        self.proofs = np.zeros((0, self.donors + self.k))
        self.solved = 0

    def run(self) -> tuple[Array, Array]:
        """The best V found and W(V)."""
        free = nearest(self.outcome)
        support = np.flatnonzero(free > POSITIVE)
        ideal = self._corner(support, np.zeros(0, dtype=np.int64), free[support])
        if self._refute(support, self._marks(ideal)) is None:
            loss, v, weights = self._realise(ideal)
            if loss <= ideal.loss * (1 + 1e-6):
                return v / v.sum(), weights
        tried = sorted((self._evaluate(v) for v in _halton_weights(SCREENED, self.k)), key=lambda item: item[0])
        ends: list[_Corner] = []
        visited: set[tuple[bytes, bytes]] = set()
        for _, _, start in tried:
            corner = self._slide(start)
            if corner.key not in visited:
                ends.append(self._descend(corner, visited, wide=False))
            if len(ends) == DESCENTS:
                break
        visited = set()
        for corner in sorted(ends, key=lambda item: item.loss)[:WIDE]:
            ends.append(self._descend(corner, visited, wide=True))
        least, v, weights = tried[0]
        for end in sorted(ends, key=lambda item: item.loss):
            if end.loss >= least * (1 - 1e-6):
                break
            loss, realised, reached = self._realise(end)
            if loss < least:
                least, v, weights = loss, realised, reached
        return v / v.sum(), weights

    def _evaluate(self, v: Array) -> tuple[float, Array, Array]:
        self.solved += 1
        weights = donor_weights(self.gaps, v)
        return float(np.mean((self.outcome @ weights) ** 2)), v, weights

    def _corner(self, support: Indices, matched: Indices, weights: Array) -> _Corner:
        loss = float(weights @ self.gram[np.ix_(support, support)] @ weights)
        return _Corner(loss, support, matched, weights)

    def _inverse(self, support: Indices, matched: Indices) -> Array:
        """Inverse of the system of min f(w) with Σw = 1 and the matched gaps 0; its column m holds w and the multipliers."""
        m, e = support.size, matched.size
        self.solved += 1
        system = np.zeros((m + 1 + e, m + 1 + e))
        system[:m, :m] = self.scaled[np.ix_(support, support)]
        system[:m, m] = system[m, :m] = 1.0
        system[m + 1 :, :m] = self.gaps[np.ix_(matched, support)]
        system[:m, m + 1 :] = system[m + 1 :, :m].T
        system[range(m + 1, m + 1 + e), range(m + 1, m + 1 + e)] = -1e-13  # never singular, even with twin donors
        return np.asarray(np.linalg.inv(system), dtype=np.float64)

    def _slide(self, weights: Array) -> _Corner:
        """From a W(V) down to the best point of its polytope: along straight lines, stopping where a weight or gap reaches 0."""
        support, matched = np.flatnonzero(weights > POSITIVE), np.zeros(0, dtype=np.int64)
        now = weights[support]
        while True:
            m = support.size
            goal = self._inverse(support, matched)[:m, m]
            gap, ahead = self.gaps[:, support] @ now, self.gaps[:, support] @ goal
            crossing = np.concatenate([goal < 0, gap * ahead < 0])
            crossing[m + matched] = False
            before, after = np.concatenate([now, gap]), np.concatenate([goal, ahead])
            until = np.where(crossing, before / np.where(crossing, before - after, 1.0), np.inf)
            first = int(np.argmin(until))
            if until[first] >= 1.0:
                return self._corner(support, matched, goal)
            now = now + until[first] * (goal - now)
            if first < m:
                support, now = np.delete(support, first), np.delete(now, first)
                now = now / now.sum()
            else:
                matched = np.append(matched, first - m)

    def _descend(self, corner: _Corner, visited: set[tuple[bytes, bytes]], wide: bool) -> _Corner:
        """Go to the best feasible neighbour until there is none, or it has been visited."""
        while corner.key not in visited:
            visited.add(corner.key)
            corner = self._better(corner, wide) or corner
        return corner

    def _better(self, corner: _Corner, wide: bool) -> _Corner | None:
        """The feasible neighbour with the smallest loss: at most one donor and one predictor more than a smaller pair.

        The smaller pairs are the corner itself and the corner without a donor, without a predictor, or (wide) without both.
        """
        support, matched = corner.support, corner.matched
        donors = np.delete(np.arange(self.donors), support)
        others = np.delete(np.arange(self.k), matched)
        multipliers = self._inverse(support, matched)[support.size :, support.size]
        slope = (
            self.scaled[donors][:, support] @ corner.weights
            + multipliers[0]
            + multipliers[1:] @ self.gaps[matched][:, donors]
        )
        useful = donors[slope < -1e-12]  # while the same predictors are matched, only these can lower the loss
        found = []
        for out in range(-1, support.size if support.size > 1 else 0):
            for off in range(-1, matched.size if wide or out < 0 else 0):
                left = np.delete(support, out) if out >= 0 else support
                right = np.delete(matched, off) if off >= 0 else matched
                found.append(self._bordered(left, right, donors if off >= 0 else useful, others, corner.loss))
        marks, weights, losses = zip(*found, strict=True)
        table, rows, loss = np.vstack(marks), np.vstack(weights), np.concatenate(losses)
        alive = ~(table @ self.proofs.T >= (self.proofs**2).sum(axis=1) - 0.5).any(axis=1)
        order = np.flatnonzero(alive)
        for row in order[np.argsort(loss[order], kind="stable")]:
            if alive[row]:
                chosen = np.flatnonzero(table[row, : self.donors])
                equal = np.flatnonzero(table[row, self.donors :] == 0)
                proof = self._refute(chosen, table[row])
                if proof is None:
                    return self._corner(chosen, equal, rows[row, chosen])
                alive &= table @ proof < proof @ proof - 0.5
                self.proofs = np.vstack([self.proofs[-MOST_PROOFS:], proof])
        return None

    def _bordered(
        self, support: Indices, matched: Indices, donors: Indices, others: Indices, limit: float
    ) -> tuple[Array, Array, Array]:
        """The pair, also with a donor, a predictor or one of each added, if all weights are positive and the loss is low.

        One inverse serves all: what is added needs a 2 × 2 system. Returned are the marks (n, donors + K), the weights
        (n, donors) and the losses (n,) below the limit.
        """
        m, e = support.size, matched.size
        inverse = self._inverse(support, matched)
        base = inverse[:, m]
        left = np.ones((m + 1 + e, donors.size))
        left[:m], left[m + 1 :] = self.scaled[support][:, donors], self.gaps[matched][:, donors]
        right = self.gaps[others][:, support].T
        by_left, by_right = inverse @ left, inverse[:, :m] @ right
        slope, gap = (left.T @ base)[:, None], right.T @ base[:m]
        curve = (self.scaled[donors, donors] - np.einsum("ij,ij->j", left, by_left))[:, None]
        stiff = -np.einsum("ij,ij->j", right, by_right[:m])
        cross = self.gaps[others][:, donors].T - left.T @ by_right
        donor, predictor = np.zeros((2, donors.size + 1, others.size + 1))  # row 0, column 0: none added
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            determinant = curve * stiff - cross**2
            donor[1:, :1] = -slope / curve
            donor[1:, 1:] = (gap * cross - slope * stiff) / determinant
            predictor[0, 1:] = -gap / stiff
            predictor[1:, 1:] = (slope * cross - gap * curve) / determinant
            multiplier = base[m] - donor * np.append(0.0, by_left[m])[:, None] - predictor * np.append(0.0, by_right[m])
            good = -multiplier * self.scale < limit
        good[1:] &= (donor[1:] > POSITIVE) & (m < self.k)
        good[0, 0] &= e < m
        good[0, 1:] &= e + 1 < m
        good[1:, 0] &= e <= m
        good[1:, 1:] &= e < m
        self.solved += good.size
        row, column = np.nonzero(good)
        by_left, by_right = np.hstack([np.zeros((m, 1)), by_left[:m]]), np.hstack([np.zeros((m, 1)), by_right[:m]])
        weights = np.zeros((row.size, self.donors + 1))
        weights[:, support] = (base[:m, None] - donor[good] * by_left[:, row] - predictor[good] * by_right[:, column]).T
        weights[range(row.size), np.append(self.donors, donors)[row]] = donor[good]
        weights = weights[:, :-1]
        equal = np.zeros((row.size, self.k + 1), dtype=bool)
        equal[:, matched] = True
        equal[range(row.size), np.append(self.k, others)[column]] = True
        equal = equal[:, :-1]
        positive = (weights > POSITIVE).sum(axis=1) == m + (row > 0)
        weights, equal = weights[positive], equal[positive]
        gaps = weights @ self.gaps.T
        losses = np.einsum("ni,ni->n", weights @ self.gram, weights)
        exact = (np.abs(gaps * equal) < 1e-8).all(axis=1) & (np.abs(weights.sum(axis=1) - 1) < 1e-8)
        kept = exact & (losses < limit * (1 - 1e-7))
        marks = np.hstack([weights > 0, np.where(equal, 0.0, np.sign(gaps))])
        return marks[kept], weights[kept], losses[kept]

    def _marks(self, corner: _Corner) -> Array:
        """(donors + K,): 1 for the donors of the support, and the signs of the gaps, 0 for a matched predictor."""
        marks = np.zeros(self.donors + self.k)
        marks[corner.support] = 1.0
        marks[self.donors :] = np.sign(self.gaps[:, corner.support] @ corner.weights)
        marks[self.donors + corner.matched] = 0.0
        return marks

    def _refute(self, support: Indices, marks: Array) -> Array | None:
        """None if some μ has unit'μ ≥ 1 for all donors, = 1 on the support, and the signs of the gaps; else a proof.

        The shortest μ is sought by NNLS on the dual. Where there is none, the dual solution is a combination of donors,
        taking weight only from some of the support, that is better for every predictor that it changes. In the format of
        `_marks` it refutes every pair that contains it.
        """
        k, donors = self.k, self.donors
        signs = marks[donors:]
        signed = np.flatnonzero(signs)
        last = donors + support.size
        self.solved += 1
        dual = np.zeros((k + 1, last + signed.size), order="F")
        dual[:k, :donors], dual[k, :donors] = self.unit, 1.0
        dual[:k, donors:last], dual[k, donors:last] = -self.unit[:, support], -1.0
        dual[signed, last + np.arange(signed.size)] = signs[signed]
        right = np.zeros(k + 1)
        right[k] = 1.0
        try:
            solution, residual = nnls(dual, right, maxiter=30 * (donors + k))
        except RuntimeError:  # undecided: refute this pair only
            return marks
        if residual > 1e-5:
            return None
        moved = solution[:donors].copy()
        moved[support] -= solution[donors:last]
        proof = np.zeros(donors + k)
        proof[:donors] = moved < -1e-9 * solution.max()
        proof[donors + signed] = np.where(solution[last:] > 1e-9 * solution.max(), signs[signed], 0.0)
        return proof

    def _realise(self, corner: _Corner) -> tuple[float, Array, Array]:
        """V for a pair: the most even one that a linear programme finds, and large values for the matched predictors."""
        k, support, matched = self.k, corner.support, corner.matched
        others = np.setdiff1d(np.arange(k), matched)
        slopes = self.unit.copy()
        slopes[others] *= (self.unit[:, support] @ corner.weights)[others, None]
        slopes -= slopes[:, support[:1]]
        slopes /= max(float(np.abs(slopes).max()), 1e-300)
        outside = np.setdiff1d(np.arange(self.donors), support)
        floor = np.zeros((others.size, k + 1))
        floor[range(others.size), others] = -1.0
        floor[:, k] = 1.0
        bounds: list[tuple[float | None, float | None]] = [(0.0, 1.0)] * (k + 1)
        for predictor in matched:
            bounds[predictor] = (None, None)
        result = linprog(
            np.append(np.zeros(k), -1.0),
            A_ub=np.vstack([np.pad(-slopes[:, outside].T, ((0, 0), (0, 1))), floor]),
            b_ub=np.zeros(outside.size + others.size),
            A_eq=np.pad(slopes[:, support].T, ((0, 0), (0, 1))),
            b_eq=np.zeros(support.size),
            bounds=bounds,
            method="highs",
        )
        if result.x is None:
            return np.inf, np.ones(k), np.zeros(self.donors)
        tried = []
        for share in 10.0 ** -np.arange(9 if matched.size else 1):
            v = np.ones(k)
            v[others] = share * result.x[others]
            tried.append(self._evaluate(np.maximum(v / v.max(), SMALLEST_V)))
        least = min(item[0] for item in tried)
        return next(item for item in tried if item[0] <= least * (1 + 1e-6))


def _halton_weights(count: int, k: int) -> list[Array]:
    """A fixed sequence of V: equal, then in turn uniform on the simplex and log-uniform over eight decades."""
    from scipy.stats import qmc  # slow to import

    points = qmc.Halton(k, scramble=False).random(count)[1:]
    values = np.where(np.arange(count - 1)[:, None] % 2 == 0, -np.log(points), SMALLEST_V**points)
    return [np.ones(k), *np.maximum(values / values.max(axis=1, keepdims=True), SMALLEST_V)]
