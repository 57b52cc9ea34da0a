"""Difference-in-differences of one treated unit with the cycle taken out, for all placebos at once, where algebra allows it."""

from __future__ import annotations

import numpy as np

from coverage_study.kernels import Paths, did
from coverage_study.worlds import Shape
from evaluation.cycle.loadings import Loadings, shrink
from evaluation.panel import Array, Indices


def unit_trend(outcome: Array, persons: Array | None, region: Indices, rows: Indices, shape: Shape) -> Paths:
    """Each unit's own line is learnt from its own periods before the start, whoever is treated."""
    time = np.arange(shape.periods) - (shape.before - 1) / 2.0
    early = time[: shape.before]
    trend = outcome[:, : shape.before] @ early / (early @ early)
    return did(outcome - trend[:, None] * time, persons, rows, shape)


def region_time(outcome: Array, persons: Array | None, region: Indices, rows: Indices, shape: Shape) -> Paths:
    """A unit's change minus the mean change of the others in its region; the controls' own deviations sum to zero.

    NaN for a placebo without anybody else in its region.
    """
    lines = outcome - outcome[:, : shape.before].mean(axis=1, keepdims=True)
    member = region[:, None] == np.unique(region)
    pool = lines[1:]
    count, total = member[1:].sum(axis=0), member[1:].T.astype(float) @ pool
    place = member.argmax(axis=1)
    others = count[place[1:]] - 1
    means = (total[place[1:]] - pool) / np.where(others > 0, others, np.nan)[:, None]
    return Paths(lines[0] - total[place[0]] / count[place[0]], pool - means)


def sensitivity(outcome: Array, persons: Array | None, region: Indices, rows: Indices, shape: Shape) -> Paths:
    """Each unit's reaction to the mean of the others, shrunk, times that mean.

    For placebo j a control i is held against the mean of all but i and j: slopes for all pairs follow from the products of the
    units' lines before the start.
    """
    lines = outcome - outcome[:, : shape.before].mean(axis=1, keepdims=True)
    noise = None if persons is None else 1.0 / persons
    pool = lines[1:]
    own = _sensitivity(pool, lines[0], noise, shape)
    every = np.arange(len(pool))
    others = np.empty_like(pool)
    slopes, spreads, variances = _slopes_of_pairs(pool[:, : shape.before])
    last = len(pool) - 2
    for row in every:
        keep = every != row
        total = pool.sum(axis=0) - pool[row]
        reaction = _reaction(
            np.append(slopes[keep, row], slopes[row, row]),
            np.append(spreads[keep, row], spreads[row, row]),
            np.append(variances[keep, row], variances[row, row]),
            None if noise is None else np.append(noise[1:][keep], noise[1 + row]),
        )
        controls = reaction[:-1]
        cycle = (controls.sum() * total - controls @ pool[keep]) / last
        others[row] = pool[row] - reaction[-1] * total / (last + 1) - (total - cycle) / (last + 1)
    return Paths(own, others)


def _slopes_of_pairs(early: Array) -> tuple[Array, Array, Array]:
    """(units, units) slope, sum of squares of the regressor and residual variance of unit i where j is treated; j's own at [j, j]."""
    n, periods = early.shape
    products = early @ early.T
    with_total = products.sum(axis=1)
    squares = np.diag(products)
    both = (with_total[:, None] - squares[:, None] - products) / (n - 2)
    size = (
        with_total.sum() + squares[:, None] + squares - 2.0 * (with_total[:, None] + with_total) + 2.0 * products
    ) / (n - 2) ** 2
    alone = np.arange(n)
    both[alone, alone] = (with_total - squares) / (n - 1)
    size[alone, alone] = (with_total.sum() + squares - 2.0 * with_total) / (n - 1) ** 2
    return both / size, size, (squares[:, None] - both**2 / size) / (periods - 2)


def _reaction(slope: Array, spread: Array, variance: Array, noise: Array | None) -> Array:
    """The product's shrunken slopes, the last unit being the treated one."""
    known = np.ones(slope.size, dtype=np.bool_)
    donors = known.copy()
    donors[-1] = False
    return shrink(Loadings(slope, np.sqrt(variance / spread), spread, variance, known), donors, noise).slope


def _sensitivity(pool: Array, line: Array, noise: Array | None, shape: Shape) -> Array:
    """The treated unit's path: its nation is the mean of the whole pool, a control's that of the pool without itself."""
    total = pool.sum(axis=0)
    seen = np.vstack([(total - pool) / (len(pool) - 1), total / len(pool)])
    units = np.vstack([pool, line])
    early, nation = units[:, : shape.before], seen[:, : shape.before]
    spread = np.einsum("ut,ut->u", nation, nation)
    both = np.einsum("ut,ut->u", early, nation)
    squares = np.einsum("ut,ut->u", early, early)
    variance = (squares - both**2 / spread) / (shape.before - 2)
    reaction = _reaction(both / spread, spread, variance, None if noise is None else np.append(noise[1:], noise[0]))
    rest = units - reaction[:, None] * seen
    return np.asarray(rest[-1] - rest[:-1].mean(axis=0))


ADJUSTED = {"unit_trend": unit_trend, "region_time": region_time, "sensitivity": sensitivity}
"""By the adjustment's name: (units, periods) outcomes, (units,) persons or None, (units,) regions, rows, shape → paths."""
