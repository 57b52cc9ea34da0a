"""Several hypotheses, one set of placebo assignments: adjusted p-values, a joint test, and bands that hold at once.

Every function takes `values` (m,), the treated unit's effect under each of m hypotheses, and `draws` (n, m), the effects of n
placebo assignments, row by row the same assignment under all of them; so how far the hypotheses depend on one another is in the
draws and need not be known. The treated row is one of n + 1 of which, without any effect, each was as likely to be it.

Columns are made comparable by their scale, the root mean square about zero of all n + 1 rows: the treated row is in it as every
other one is, so that no row is special and ranks stay exact. (A scale of the draws alone would measure the treated row against
others and each draw partly against itself, and reject a little too often.)

`weights` (n,), where given, say how likely each placebo assignment was compared with the true one, whose weight is 1.

A hypothesis whose value is missing, or whose column does not vary at all, gets NaN and is none of the family. A draw that lacks
an entry of the others is left out of all of them: what is compared is the same for every hypothesis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation.panel import Array, Mask

ROUNDING = 1e-9
"""Sizes that differ by less than this share count as equal, and so against a rejection."""


@dataclass(frozen=True, slots=True)
class _Family:
    """The hypotheses that can be tested: (m,) `tested`; (k,) `own` and (n, k) `others` in scales; (n,) `weights`; (k,) `squares`
    of the columns, weighted and summed."""

    tested: Mask
    own: Array
    others: Array
    weights: Array
    squares: Array

    def share(self, size: float, sizes: Array) -> float:
        """The weight of all rows, the true one included, whose size is at least `size`, of the weight of all."""
        counted = self.weights[sizes >= size * (1.0 - ROUNDING)]
        return float((1.0 + counted.sum()) / (1.0 + self.weights.sum()))


def romano_wolf(values: Array, draws: Array, weights: Array | None = None) -> Array:
    """Step-down p-values: the chance of even one false finding among all hypotheses is at most the level they are held to.

    The largest |value| / scale is ranked among the draws' largest over all hypotheses, the next among their largest over the
    hypotheses that are left, and so on; a p-value is never smaller than the one before it. The smallest is `joint_p_value`.

    Parameters
    ----------
    values : Array
        (m,) effects, each in its own unit; NaN where there is none.
    draws : Array
        (n, m) the same of n placebo assignments.
    weights : Array, optional
        (n,) of the assignments, relative to the true one's.

    Returns
    -------
    Array
        (m,) adjusted p-values, NaN for a hypothesis that cannot be tested; none is below 1 / (1 + n), or with weights below
        1 / (1 + Σ weights).

    Raises
    ------
    ValueError
        Shapes do not agree, or a weight is not positive.

    References
    ----------
    Romano & Wolf (2005), Econometrica 73(4), sections 3-4 (the step-down method, studentised); Romano & Wolf (2016), Statistics &
    Probability Letters 113 (its p-values, (1 + #) / (1 + n)). Exact here because rows, not resamples, are exchangeable, as in
    Westfall & Young (1993), Resampling-Based Multiple Testing.
    """
    family = _family(values, draws, weights)
    found = np.full(family.tested.size, np.nan)
    if not family.tested.any():
        return found
    order = np.argsort(-family.own, kind="stable")
    # column j: each draw's largest over the hypotheses that are left at step j
    largest = np.maximum.accumulate(family.others[:, order[::-1]], axis=1)[:, ::-1]
    steps = [family.share(float(family.own[place]), largest[:, step]) for step, place in enumerate(order.tolist())]
    adjusted = np.empty(order.size)
    adjusted[order] = np.maximum.accumulate(steps)
    found[family.tested] = adjusted
    return found


def joint_p_value(
    values: Array,
    draws: Array,
    weights: Array | None = None,
    statistic: Literal["largest", "mean_square"] = "largest",
) -> float:
    """The p-value of "no effect under any of the hypotheses": the treated row's rank by one number for all of them.

    Parameters
    ----------
    values, draws, weights
        As in `romano_wolf`.
    statistic : str
        "largest": the largest |value| / scale, which finds one effect among many that are none. "mean_square": the mean of
        their squares, which finds many that are each too small to stand out.

    Returns
    -------
    float
        NaN where no hypothesis can be tested.

    Raises
    ------
    ValueError
        Shapes do not agree, or a weight is not positive.
    """
    family = _family(values, draws, weights)
    if not family.tested.any():
        return math.nan
    if statistic == "largest":
        return family.share(float(family.own.max()), family.others.max(axis=1))
    return family.share(float(np.mean(family.own**2)), np.mean(family.others**2, axis=1))


def band_halfwidths(draws: Array, level: float, weights: Array | None = None) -> Array:
    """(m,) half-widths of a band that holds every one of m effects at once with probability `level`.

    What `joint_p_value` does not reject, made a box. With c the largest max |draw| / scale that a hypothesis equal to the
    values would still find acceptable, a deviation u of one value is rejected when (n + 1) u² / (u² + Σ draws²) > c², whatever
    the others' deviations are, since these only widen their scales; so the box is u = c √(Σ draws² / (n + 1 − c²)). A value
    whose band leaves zero out has an adjusted p-value of at most 1 − level.

    Parameters
    ----------
    draws, weights
        As in `romano_wolf`.
    level : float
        Between 0 and 1.

    Returns
    -------
    Array
        Infinite where there are too few draws to reject anything at this level, NaN for a column that does not vary.

    Raises
    ------
    ValueError
        Shapes do not agree, or a weight is not positive.
    """
    family = _family(np.zeros(draws.shape[1]), draws, weights)
    found = np.full(family.tested.size, np.nan)
    if not family.tested.any():
        return found
    critical = weighted_critical(family.others.max(axis=1), family.weights, level)
    total = 1.0 + float(family.weights.sum())
    room = total - critical**2
    found[family.tested] = critical * np.sqrt(family.squares / room) if room > ROUNDING * total else math.inf
    return found


def weighted_critical(sizes: Array, weights: Array, level: float) -> float:
    """The largest size that a rank test with these weights (the true assignment's being 1) does not reject.

    The test rejects a size d when (1 + Σ weights of sizes ≥ d) / (1 + Σ weights) ≤ 1 − level; infinite where it never does.
    """
    order = np.argsort(-sizes, kind="stable")
    above = 1.0 + np.cumsum(weights[order])
    # at the first size that brings the weight over the allowed one, a deviation of that size is not rejected
    allowed = (1.0 - level) * (1.0 + float(weights.sum())) * (1.0 + ROUNDING)
    if allowed < 1.0 or not sizes.size:
        return math.inf
    return float(sizes[order][int(np.argmax(above > allowed))])


def holm(p_values: Array) -> Array:
    """Holm's step-down p-values, for hypotheses without draws in common; NaN stays NaN and is none of the family.

    Parameters
    ----------
    p_values : Array
        (m,) valid one by one, however they depend on one another.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6(2).
    """
    found = np.full(p_values.size, np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    found[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * np.arange(order.size, 0, -1)))
    return found


def _family(values: Array, draws: Array, weights: Array | None) -> _Family:
    if draws.ndim != 2 or values.shape != draws.shape[1:]:
        raise ValueError(f"values {values.shape} and draws {draws.shape}: one column of draws for each value")
    weights = np.ones(len(draws)) if weights is None else weights
    if weights.shape != draws.shape[:1] or not (weights > 0.0).all():
        raise ValueError("weights: one positive number for each row of draws")
    tested: Mask = np.isfinite(values) & np.isfinite(draws).any(axis=0)
    rows = np.isfinite(draws[:, tested]).all(axis=1)
    squares = values**2 + (weights[rows, None] * draws[rows] ** 2).sum(axis=0)
    tested &= squares > 0.0
    scale = np.sqrt(squares[tested] / (1.0 + weights[rows].sum()))
    others = np.abs(draws[rows][:, tested]) / scale
    return _Family(tested, np.abs(values[tested]) / scale, others, weights[rows], squares[tested])
