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
from functools import cache

import numpy as np
from scipy.optimize import linprog, nnls

from evaluation.panel import Array, Indices
from evaluation.predictors.inner import POSITIVE, donor_weights, nearest

SMALLEST_V = 1e-8
"""Lower bound of v_k / max(v) in the nested search, as in MSCMT."""

SCREENED = 60
"""Values of V tried before the search; the better ones are where it starts."""

DESCENTS = 12
"""Starts of the search."""

WIDE = 1
"""How many of the best ends it goes on from in a wider neighbourhood."""

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
        self.system = _system(self.gram / self.scale, gaps)
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
        for corner in self._slide([start for _, _, start in tried]):
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
        loss = float(weights @ self.gram[support[:, None], support] @ weights)
        return _Corner(loss, support, matched, weights)

    def _slide(self, starts: list[Array]) -> list[_Corner]:
        """From each W(V) down to the best point of its polytope: along straight lines, stopping where a weight or gap reaches 0.

        All at once: row n of `members` holds the indices into `system` of the donors and of the matched predictors of start
        n; one that has left, or is not there yet, is an idle index.
        """
        idle, most = self.donors + 1 + self.k, max(int((start > POSITIVE).sum()) for start in starts)
        members = np.tile(idle + np.arange(most + 1 + self.k), (len(starts), 1))
        members[:, most] = self.donors
        now = np.zeros((len(starts), most))
        for row, start in enumerate(starts):
            support = np.flatnonzero(start > POSITIVE)
            members[row, : support.size], now[row, : support.size] = support, start[support]
        padded = self.system[self.donors + 1 : idle]
        going = np.arange(len(starts))
        right = np.zeros((most + 1 + self.k, 1))
        right[most] = 1.0
        while going.size:
            mine = members[going]
            self.solved += going.size
            goal = np.linalg.solve(self.system[mine[:, :, None], mine[:, None, :]], right)[:, :most, 0]
            own = padded[:, mine[:, :most]].transpose(1, 0, 2)
            gap, ahead = (own @ now[going][:, :, None])[:, :, 0], (own @ goal[:, :, None])[:, :, 0]
            crossing = np.hstack(
                [(goal < 0) & (mine[:, :most] < idle), (gap * ahead < 0) & (mine[:, most + 1 :] >= idle)]
            )
            before, after = np.hstack([now[going], gap]), np.hstack([goal, ahead])
            until = np.where(crossing, before / np.where(crossing, before - after, 1.0), np.inf)
            first = until.argmin(axis=1)
            reached = until[np.arange(going.size), first]
            on = reached < 1.0
            now[going] += np.minimum(reached, 1.0)[:, None] * (goal - now[going])
            going, first = going[on], first[on]
            out = first < most
            now[going[out], first[out]] = 0.0
            members[going[out], first[out]] = idle + first[out]
            now[going[out]] /= now[going[out]].sum(axis=1, keepdims=True)
            met = first[~out] - most
            members[going[~out], most + 1 + met] = self.donors + 1 + met
        corners = []
        for mine, weights in zip(members, now, strict=True):
            kept, matched = mine[:most] < idle, mine[most + 1 :]
            corners.append(self._corner(mine[:most][kept], matched[matched < idle] - self.donors - 1, weights[kept]))
        return corners

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
        table, rows, loss = self._neighbours(corner, wide)
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

    def _neighbours(self, corner: _Corner, wide: bool) -> tuple[Array, Array, Array]:
        """The smaller pairs, also with a donor, a predictor or one of each added, if all weights are positive and the loss is low.

        The best weights of a smaller pair follow from the inverse of one small system, all of which are inverted at once: what
        a pair lacks of the corner is an idle index, so that all have one size. With that inverse, whatever is added needs a
        2 × 2 system. Returned are the marks (n, donors + K), the weights (n, donors) and the losses (n,) below the corner's.
        """
        support, matched = corner.support, corner.matched
        m, e, k = support.size, matched.size, self.k
        donors, others = np.delete(np.arange(self.donors), support), np.delete(np.arange(k), matched)
        pairs = [(out, off) for out in range(-1, m if m > 1 else 0) for off in range(-1, e if wide or out < 0 else 0)]
        out, off = np.array(pairs).T
        members = np.tile(np.concatenate([support, [self.donors], self.donors + 1 + matched]), (len(pairs), 1))
        each, idle = np.arange(len(pairs)), self.donors + 1 + k
        members[each[out >= 0], out[out >= 0]] = idle + out[out >= 0]
        members[each[off >= 0], m + 1 + off[off >= 0]] = idle + m + 1 + off[off >= 0]
        sizes, equalities = m - (out >= 0), e - (off >= 0)
        inverse = np.linalg.inv(self.system[members[:, :, None], members[:, None, :]])
        base = inverse[:, :, m]
        left, right = self.system[members][:, :, donors], self.system[members][:, :, self.donors + 1 + others]
        # row 0 and column 0: none added
        by_left = np.zeros((*members.shape, donors.size + 1))
        by_right = np.zeros((*members.shape, others.size + 1))
        by_left[:, :, 1:], by_right[:, :, 1:] = inverse @ left, inverse @ right
        slope, gap = (base[:, None, :] @ left)[:, 0, :, None], (base[:, None, :] @ right)[:, 0, None, :]
        curve = (self.system[donors, donors] - (left * by_left[:, :, 1:]).sum(axis=1))[:, :, None]
        stiff = -(right * by_right[:, :, 1:]).sum(axis=1)[:, None, :]
        cross = self.gaps[others][:, donors].T - left.transpose(0, 2, 1) @ by_right[:, :, 1:]
        # while the same predictors are matched, only donors that lower the loss at the corner can lower it
        useful = (slope[0, :, 0] < -1e-12) | (off >= 0)[:, None]
        donor, predictor = np.zeros((2, len(pairs), donors.size + 1, others.size + 1))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            determinant = curve * stiff - cross**2
            donor[:, 1:, :1] = -slope / curve
            donor[:, 1:, 1:] = (gap * cross - slope * stiff) / determinant
            predictor[:, :1, 1:] = -gap / stiff
            predictor[:, 1:, 1:] = (slope * cross - gap * curve) / determinant
            multiplier = base[:, m, None, None] - donor * by_left[:, m, :, None] - predictor * by_right[:, m, None, :]
            good = -multiplier * self.scale < corner.loss
        size, equality = sizes[:, None, None], equalities[:, None, None]
        good[:, 1:] &= (donor[:, 1:] > POSITIVE) & (size < k) & useful[:, :, None]
        good[:, :1, :1] &= equality < size
        good[:, :1, 1:] &= equality + 1 < size
        good[:, 1:, :1] &= equality <= size
        good[:, 1:, 1:] &= equality < size
        self.solved += good.size
        pair, row, column = np.nonzero(good)
        added = donor[good]
        inside = (
            base[pair, :m]
            - added[:, None] * by_left[pair, :m, row]
            - predictor[good][:, None] * by_right[pair, :m, column]
        )
        kept = ((inside > POSITIVE) | (members[pair, :m] >= idle)).all(axis=1)
        pair, row, column, inside, added = pair[kept], row[kept], column[kept], inside[kept], added[kept]
        which = np.arange(pair.size)
        weights = np.zeros((pair.size, self.system.shape[0]))
        weights[which[:, None], members[pair, :m]] = inside
        weights[which, np.append(idle, donors)[row]] = added
        weights = weights[:, : self.donors]
        equal = np.zeros((pair.size, self.system.shape[0]), dtype=np.bool_)
        equal[which[:, None], members[pair, m + 1 :]] = True
        equal[which, np.append(idle, self.donors + 1 + others)[column]] = True
        equal = equal[:, self.donors + 1 : idle]
        gaps = weights @ self.gaps.T
        losses = np.einsum("ni,ni->n", weights @ self.gram, weights)
        exact = (np.abs(gaps * equal) < 1e-8).all(axis=1) & (np.abs(weights.sum(axis=1) - 1) < 1e-8)
        kept = exact & (losses < corner.loss * (1 - 1e-7))
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
        goals = np.zeros((2, k + 1))
        goals[0, k], goals[1, others] = -1.0, -1.0
        # where some v_k has to be 0, v = 0 is as even as any: then the largest
        for goal in goals:
            result = linprog(
                goal,
                A_ub=np.vstack([np.pad(-slopes[:, outside].T, ((0, 0), (0, 1))), floor]),
                b_ub=np.zeros(outside.size + others.size),
                A_eq=np.pad(slopes[:, support].T, ((0, 0), (0, 1))),
                b_eq=np.zeros(support.size),
                bounds=bounds,
                method="highs",
            )
            if result.x is None or (result.x[others] > 0.0).any():
                break
        # still nothing but v = 0: the pair is feasible only within the rounding of `_refute`
        if result.x is None or not (matched.size or (result.x[others] > 0.0).any()):
            return np.inf, np.ones(k), np.zeros(self.donors)
        tried = []
        for share in 10.0 ** -np.arange(9 if matched.size else 1):
            v = np.ones(k)
            v[others] = share * result.x[others]
            tried.append(self._evaluate(np.maximum(v / v.max(), SMALLEST_V)))
        least = min(item[0] for item in tried)
        return next(item for item in tried if item[0] <= least * (1 + 1e-6))


def _system(scaled: Array, gaps: Array) -> Array:
    """The system of min f(w) with Σw = 1 and all gaps 0, of which every pair needs some rows and columns.

    Its indices are the donors, Σw = 1, the predictors, and as many again that are idle: they change nothing for the others.
    """
    k, donors = gaps.shape
    size = donors + 1 + k
    system = np.eye(2 * size)
    system[:donors, :donors] = scaled + 1e-10 * np.eye(donors)
    system[:donors, donors] = system[donors, :donors] = 1.0
    system[donors + 1 : size, :donors] = gaps
    system[:donors, donors + 1 : size] = gaps.T
    system[donors, donors] = 0.0
    predictors = np.arange(donors + 1, size)
    system[predictors, predictors] = -1e-13  # never singular, even with twin donors
    return system


@cache
def _halton_weights(count: int, k: int) -> tuple[Array, ...]:
    """A fixed sequence of V: equal, then in turn uniform on the simplex and log-uniform over eight decades."""
    points = np.column_stack([_van_der_corput(count - 1, base) for base in _primes(k)])
    values = np.where(np.arange(count - 1)[:, None] % 2 == 0, -np.log(points), SMALLEST_V**points)
    return np.ones(k), *np.maximum(values / values.max(axis=1, keepdims=True), SMALLEST_V)


def _van_der_corput(count: int, base: int) -> Array:
    """The first `count` numbers of the sequence: 1, 2, ... with their digits mirrored at the point."""
    left, place, found = np.arange(1, count + 1), 1.0, np.zeros(count)
    while left.any():
        place /= base
        left, digits = np.divmod(left, base)
        found += place * digits
    return found


def _primes(count: int) -> list[int]:
    found = [2]
    while len(found) < count:
        candidate = found[-1] + 1
        while any(candidate % prime == 0 for prime in found):
            candidate += 1
        found.append(candidate)
    return found
