"""Common series in place of factors: each unit's loadings on them, and slopes of covariates with them held constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.panel import Array, Indices, Mask

COLLINEAR = 1e-8
"""Below this smallest eigenvalue of the correlations between series their separate slopes are rounding."""


@dataclass(frozen=True, slots=True)
class Loadings:
    """Least squares of each unit's series on common or own regressors, with an intercept.

    `slopes` is (regressors, units), `level` (units,); `collinear` (units,) marks units in whose observed cells the regressors
    do not move, or move together: their slopes are NaN.
    """

    slopes: Array
    level: Array
    collinear: Mask


def loadings_of(values: Array, regressors: Array, seen: Mask) -> Loadings:
    """Regress each row of `values` (units, periods) on `regressors` (k, units or 1, periods) over the cells `seen`.

    Whoever calls has made sure that every unit has more than k cells.
    """
    return nested_loadings(values, regressors, seen, [len(regressors)])[0]


def nested_loadings(values: Array, regressors: Array, seen: Mask, counts: list[int]) -> list[Loadings]:
    """`loadings_of` on the first few regressors, for each number in `counts`: sums of products are taken once for all."""
    cells = np.maximum(seen.sum(axis=1), 1)
    y, level = _centred(values, seen, cells)
    x, means = _centred(regressors, seen, cells)
    length = np.sqrt(np.einsum("kut,kut->ku", x, x))
    # a regressor as flat as rounding leaves a constant has no direction of its own
    moving = length > 1e-10 * (np.abs(means) * np.sqrt(cells) + 1e-300)
    scale = np.where(moving, length, 1.0)
    x /= scale[:, :, None]
    gram, right = np.einsum("kut,lut->ukl", x, x), np.einsum("kut,ut->uk", x, y)
    size = len(x)
    chosen = np.arange(size) < np.array(counts)[:, None]
    collinear = (chosen[:, None, :] & ~moving.T).any(axis=2)
    slopes = np.where(chosen[:, None, :], right, 0.0)
    # a regressor alone has length one now, and its slope is the product itself
    if size > 1:
        own = np.where((chosen[:, :, None] & chosen[:, None, :])[:, None], gram, np.eye(size))
        collinear |= np.linalg.eigvalsh(own)[:, :, 0] < COLLINEAR
        own[collinear] = np.eye(size)
        slopes = np.linalg.solve(own, slopes[..., None])[..., 0]
    slopes /= scale.T
    slopes[collinear] = np.nan
    levels = level - (slopes * means.T).sum(axis=2)
    return [Loadings(slopes[place, :, :count].T, levels[place], collinear[place]) for place, count in enumerate(counts)]


def _centred(values: Array, seen: Mask, cells: Indices) -> tuple[Array, Array]:
    """(…, units, periods) deviations from the means over the seen cells, 0 elsewhere, and (…, units) these means."""
    means = np.where(seen, values, 0.0).sum(axis=-1) / cells
    return np.where(seen, values - means[..., None], 0.0), means


@dataclass(frozen=True, slots=True)
class Slopes:
    """Slopes of covariates that vary around common ones from unit to unit.

    `coefficients` (covariates,) with their `covariance`, `individual` (units, covariates) each unit's own, NaN where its cells
    do not carry them.
    """

    coefficients: Array
    covariance: Array
    individual: Array


def common_slopes(outcome: Array, covariates: Array, averages: Array, seen: Mask, *, pooled: bool) -> Slopes | None:
    """Slopes of covariates, with each unit's intercept and its loadings on the `averages` (k, periods) taken out.

    With M_i what an intercept and the averages leave of unit i's seen cells, its own slopes are b_i = (X_i'M_iX_i)⁻¹X_i'M_iy_i.
    The mean group estimator is their mean, the pooled one (Σ X_i'M_iX_i)⁻¹ Σ X_i'M_iy_i; both covariances come from how the
    b_i scatter. Of `covariates` (covariates, units, periods).

    Returns
    -------
    Slopes or None
        None where fewer than two units carry slopes of their own, or a covariate has nothing left to vary.

    References
    ----------
    Pesaran (2006), Econometrica 74(4), eqs. (50), (53), (58) (mean group) and (65), (67)-(69) (pooled).
    """
    count = seen.sum(axis=1)
    stack = np.concatenate([outcome[None], covariates])
    rest = np.zeros_like(stack)
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    for index, pattern in enumerate(patterns):
        rows, cells = np.flatnonzero(which.ravel() == index), np.flatnonzero(pattern)
        if not cells.size:
            continue
        basis, _ = np.linalg.qr(np.vstack([np.ones(cells.size), averages[:, cells]]).T)
        values = stack[:, rows[:, None], cells]
        rest[:, rows[:, None], cells] = values - (values @ basis) @ basis.T
    y, x = rest[0], rest[1:]
    size = len(x)
    grams, right = np.einsum("kut,lut->ukl", x, x), np.einsum("kut,ut->uk", x, y)
    raw = np.einsum("kut,kut->uk", stack[1:] * seen, stack[1:] * seen)
    total, length = grams.sum(axis=0), np.sqrt(np.diag(grams.sum(axis=0)))
    if (length <= 1e-10 * np.sqrt(raw.sum(axis=0))).any():
        return None
    if np.linalg.eigvalsh(total / np.outer(length, length)).min() < COLLINEAR:
        return None
    own = np.sqrt(np.einsum("ukk->uk", grams))
    known = (count > len(averages) + 1 + size) & (own > 1e-10 * np.sqrt(raw)).all(axis=1)
    scale = np.where(known[:, None], own, 1.0)
    scaled = np.where(known[:, None, None], grams / (scale[:, :, None] * scale[:, None, :]), np.eye(size))
    known &= np.linalg.eigvalsh(scaled).min(axis=1) >= COLLINEAR
    scaled[~known] = np.eye(size)
    individual = np.linalg.solve(scaled, (right / scale)[:, :, None])[:, :, 0] / scale
    individual[~known] = np.nan
    number = int(known.sum())
    if number < 2:
        return None
    mean = individual[known].mean(axis=0)
    scatter = individual[known] - mean
    if not pooled:
        return Slopes(mean, scatter.T @ scatter / (number * (number - 1)), individual)
    weights = grams[known] / count[known][:, None, None]
    moved = np.einsum("ukl,ul->uk", weights, scatter)
    inverse = np.linalg.inv(weights.mean(axis=0))
    covariance = inverse @ (moved.T @ moved / (number - 1)) @ inverse / number
    return Slopes(np.linalg.solve(total, right.sum(axis=0)), covariance, individual)
