"""One slope that all units share, from the never-treated alone: least squares with unit and period effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.errors import EstimationError
from evaluation.numerics import unit_noise, variance_function
from evaluation.panel import Array, Mask, Panel
from evaluation.regression import by_cluster, residual_maker

NOTHING_LEFT = 1e-10
"""A regressor of whose squares the effects leave no more than this share is explained by them."""

SAME = 0.999
"""A series that correlates with the outcome beyond this, unit and period effects removed, is the outcome itself."""


@dataclass(frozen=True, slots=True)
class Slopes:
    """Coefficients (slopes,) with their covariance (slopes, slopes), clustered by the level at which treatment was assigned.

    `constant` and `falling` are a and b of the residual variance a + b × noise that the weights are the inverse of; NaN where
    neither sizes nor sampling variances are known and all units count alike.
    """

    coefficients: Array
    covariance: Array
    n_cells: int
    n_units: int
    constant: float
    falling: float

    @property
    def std_errors(self) -> Array:
        """(slopes,)"""
        return np.sqrt(np.diag(self.covariance))


def without_effects(stack: Array, seen: Mask, weight: Array) -> Array:
    """Unit and period effects taken out of every (units, periods) layer of `stack`, each unit with its `weight` (units,).

    Complete data take two means. With missing cells the period effects b solve Σ wᵢMᵢb = Σ wᵢMᵢyᵢ, where Mᵢ takes out the mean
    over the periods in which unit i is observed; values in cells not `seen` come back as 0.
    """
    if seen.all():
        within = stack - stack.mean(axis=2, keepdims=True)
        return np.asarray(within - (np.tensordot(within, weight, axes=(1, 0)) / weight.sum())[:, None, :])
    n_periods = seen.shape[1]
    filled = np.where(seen, stack, 0.0)
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    makers = np.array([residual_maker(n_periods, pattern, trends=False) for pattern in patterns])[which.ravel()]
    within = np.einsum("kut,uts->kus", filled, makers)
    system = np.einsum("u,uts->ts", weight, makers)
    periods = np.linalg.lstsq(system, np.einsum("u,kut->tk", weight, within), rcond=1e-12)[0]
    within -= np.einsum("uts,sk->kut", makers, periods)
    within[:, ~seen] = 0.0
    return np.asarray(within)


def pooled_slopes(panel: Panel, regressors: Array, names: tuple[str, ...], adjustment: str) -> Slopes:
    """Regress the never-treated units' outcomes on `regressors` with unit and period effects.

    With known sizes or sampling variances a second round weights each unit by 1 / (a + b × noise), a and b from the squared
    residuals of the first (see `numerics.variance_function`). Standard errors are cluster-robust with the factor
    G/(G−1) × (N−1)/(N−K), where K counts slopes and period effects.

    Parameters
    ----------
    panel : Panel
        Cells of treated units and missing cells are left out.
    regressors : Array
        (slopes, units, periods), complete.
    names : tuple of str
        What the regressors are called in errors.

    Raises
    ------
    EstimationError
        A regressor has no movement beyond the effects, two are collinear, or one is the outcome itself.

    References
    ----------
    Wooldridge (2010), Econometric Analysis of Cross Section and Panel Data, 2nd ed., eq. (10.59) for the clustered covariance.
    """
    rows = np.flatnonzero(~panel.treated)
    outcome, series = panel.outcome[rows], regressors[:, rows]
    seen = np.isfinite(outcome)
    seen &= (seen.sum(axis=1) > 1)[:, None]
    if seen.any(axis=1).sum() < 3:
        raise EstimationError(f"{adjustment}: fewer than three never-treated units to learn a slope from")
    stack = np.concatenate([np.where(seen, outcome, 0.0)[None], series])
    weight = np.ones(rows.size)
    within = without_effects(stack, seen, weight)
    _look(within, np.where(seen, series, 0.0), names, adjustment)
    noise = unit_noise(panel, np.ones(panel.n_periods, dtype=np.bool_))
    constant = falling = float("nan")
    if noise is not None:
        _, _, residuals = _solve(within, weight)
        count = seen.sum(axis=1)
        used = count > 0
        design = np.column_stack([np.ones(rows.size), noise[rows]])
        squares = (residuals[used] ** 2).sum(axis=1) / count[used]
        constant, falling = variance_function(design[used], squares)
        fitted = design @ np.array([constant, falling])
        if (fitted > 0.0).all():
            weight = fitted.mean() / fitted
            within = without_effects(stack, seen, weight)
    inverse, coefficients, residuals = _solve(within, weight)
    influence = inverse @ np.einsum("kut,ut,u->ku", within[1:], residuals, weight)
    assert panel.cluster is not None  # set by Panel itself
    grouped = by_cluster(influence, panel.cluster[rows])
    n_cells, groups = int(seen.sum()), grouped.shape[1]
    lost = len(names) + int(seen.any(axis=0).sum())
    if groups < 2 or n_cells <= lost:
        raise EstimationError(f"{adjustment}: too few never-treated units for the uncertainty of a slope")
    factor = groups / (groups - 1) * (n_cells - 1) / (n_cells - lost)
    return Slopes(coefficients, factor * grouped @ grouped.T, n_cells, int(seen.any(axis=1).sum()), constant, falling)


def _solve(within: Array, weight: Array) -> tuple[Array, Array, Array]:
    """The inverse of x'Wx, the coefficients, and the residuals (units, periods)."""
    outcome, series = within[0], within[1:]
    weighted = series * weight[:, None]
    flat = weighted.reshape(len(series), -1)
    gram = flat @ series.reshape(len(series), -1).T
    scale = 1.0 / np.sqrt(np.diag(gram))
    inverse = np.linalg.inv(gram * np.outer(scale, scale)) * np.outer(scale, scale)
    coefficients = inverse @ (flat @ outcome.ravel())
    return inverse, coefficients, outcome - np.tensordot(coefficients, series, axes=1)


def _look(within: Array, raw: Array, names: tuple[str, ...], adjustment: str) -> None:
    """Refuse, in words, what cannot give a slope or would explain the outcome by itself."""
    outcome, series = within[0].ravel(), within[1:].reshape(len(names), -1)
    squares, before = (series**2).sum(axis=1), (raw.reshape(len(names), -1) ** 2).sum(axis=1)
    for name, left, whole in zip(names, squares, before, strict=True):
        if left <= NOTHING_LEFT * whole:
            raise EstimationError(
                f"{adjustment}: {name} does not move differently from unit to unit, so unit and period effects already hold it"
            )
    length = float(outcome @ outcome)
    if length > 0.0:
        alike = (series @ outcome) ** 2 / (squares * length)
        for name, value in zip(names, alike, strict=True):
            if value > SAME**2:
                raise EstimationError(f"{adjustment}: {name} is the outcome itself, or as good as; give another series")
    if len(names) > 1:
        scaled = series / np.sqrt(squares)[:, None]
        if np.linalg.matrix_rank(scaled @ scaled.T, tol=1e-9) < len(names):
            raise EstimationError(f"{adjustment}: {' and '.join(names)} say the same thing (collinear)")
