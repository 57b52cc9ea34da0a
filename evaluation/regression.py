"""Regression with unit and period effects, exactly and without iterating, and what its users share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.errors import EstimationError, did_you_mean
from evaluation.panel import Array, Indices, Mask, Panel


def residual_maker(n_periods: int, observed: Mask, trends: bool) -> Array:
    """The (periods, periods) projection that removes a unit's own mean (and linear trend) over its observed periods."""
    maker = np.zeros((n_periods, n_periods))
    rows = np.flatnonzero(observed)
    basis = np.ones((rows.size, 1))
    if trends:
        basis = np.column_stack([basis, np.arange(n_periods)[rows] - rows.mean()]) if rows.size > 1 else basis
    q, _ = np.linalg.qr(basis)
    maker[np.ix_(rows, rows)] = np.eye(rows.size) - q @ q.T
    return maker


def two_way_residuals(stack: Array, observed: Mask, *, trends: bool = False) -> Array:
    """Remove unit effects (and unit trends) and period effects from every (units, periods) layer of `stack`, exactly.

    Units with the same observed periods share one projection M; the period effects b solve the (periods × periods) system
    Σ_i M_i b = Σ_i M_i y_i, so nothing iterates and a hundred thousand units cost one matrix product.

    Parameters
    ----------
    stack : Array
        (layers, units, periods); values in unobserved cells are ignored and come back as 0.
    observed : Mask
        (units, periods).
    trends : bool
        Also remove a linear trend of each unit.
    """
    n_periods = observed.shape[1]
    filled = np.where(observed[None], stack, 0.0)
    patterns, which = np.unique(observed, axis=0, return_inverse=True)
    makers = [residual_maker(n_periods, pattern, trends) for pattern in patterns]
    groups = [which.ravel() == index for index in range(len(patterns))]
    within = np.empty_like(filled)
    system = np.zeros((n_periods, n_periods))
    right = np.zeros((n_periods, stack.shape[0]))
    for maker, group in zip(makers, groups, strict=True):
        within[:, group] = filled[:, group] @ maker
        system += group.sum() * maker
        right += within[:, group].sum(axis=1).T
    periods = np.linalg.lstsq(system, right, rcond=1e-12)[0]
    for maker, group in zip(makers, groups, strict=True):
        within[:, group] -= (maker @ periods).T[:, None, :]
    within[:, ~observed] = 0.0
    return within


@dataclass(frozen=True, slots=True)
class Regression:
    """Least squares with unit and period effects.

    `influence` is (coefficients, units): the linearisation of each coefficient by unit, whose sum of outer products over
    clusters is the cluster-robust covariance before the small-sample factor. `functional` is Σ m·residual for the weights m
    handed in, and `functional_influence` (units,) its linearisation: a headline that weights cells otherwise than the
    coefficients do adds both.
    """

    coefficients: Array
    influence: Array
    residuals: Array
    n_obs: int
    n_parameters: int
    functional: float
    functional_influence: Array


def two_way_regression(
    outcome: Array,
    regressors: Array,
    *,
    trends: bool = False,
    names: tuple[str, ...] = (),
    functional: Array | None = None,
) -> Regression:
    """Regress (units, periods) outcomes on (k, units, periods) regressors with unit and period effects.

    Cells with a missing outcome or regressor are left out. `functional` (units, periods) are weights m for which Σ m·residual
    is wanted beside the coefficients.

    Raises
    ------
    EstimationError
        A regressor is explained by the effects and the others (collinear).
    """
    observed = np.isfinite(outcome) & np.isfinite(regressors).all(axis=0)
    # a unit seen once (twice with a trend) tells nothing beyond its own effect
    observed &= (observed.sum(axis=1) > (2 if trends else 1))[:, None]
    if not observed.any():
        raise EstimationError("no unit is observed often enough for the regression")
    weights = np.zeros_like(outcome) if functional is None else functional
    within = two_way_residuals(np.concatenate([outcome[None], weights[None], regressors]), observed, trends=trends)
    y, m, x = within[0], within[1], within[2:]
    flat = x.reshape(x.shape[0], -1)
    gram = flat @ flat.T
    raw = np.einsum("kit,kit->k", np.where(observed, regressors, 0.0), np.where(observed, regressors, 0.0))
    for index, value in enumerate(np.diag(gram)):
        if value <= 1e-10 * max(float(raw[index]), 1e-300):
            name = names[index] if names else str(index)
            raise EstimationError(f"the regressor '{name}' is explained by the unit and period effects")
    scale = 1.0 / np.sqrt(np.diag(gram))
    scaled = gram * np.outer(scale, scale)
    if np.linalg.matrix_rank(scaled, tol=1e-9) < len(scaled):
        raise EstimationError("the regressors are collinear once unit and period effects are removed")
    inverse = np.linalg.inv(scaled) * np.outer(scale, scale)
    coefficients = inverse @ (flat @ y.ravel())
    residuals = y - np.tensordot(coefficients, x, axes=1)
    influence = inverse @ np.einsum("kit,it->ki", x, residuals)
    # Σ m·residual is linear in the outcomes; its weights are m with the effects and the regressors projected out
    m = m - np.tensordot(inverse @ (flat @ m.ravel()), x, axes=1)
    own = (m * residuals).sum(axis=1)
    n_periods = int(observed.any(axis=0).sum())
    # unit effects are nested in the clusters and not counted; their slopes are, as in fixest
    n_slopes = int(observed.any(axis=1).sum()) if trends else 0
    return Regression(
        coefficients=coefficients,
        influence=influence,
        residuals=np.where(observed, residuals, np.nan),
        n_obs=int(observed.sum()),
        n_parameters=len(coefficients) + n_periods + n_slopes,
        functional=float(own.sum()),
        functional_influence=own,
    )


def by_cluster(influence: Array, cluster: Indices) -> Array:
    """Sum the last axis (units) of an influence array within clusters: (..., clusters)."""
    codes = np.unique(cluster, return_inverse=True)[1].ravel()
    summed = np.zeros((*influence.shape[:-1], codes.max() + 1))
    np.add.at(np.moveaxis(summed, -1, 0), codes, np.moveaxis(influence, -1, 0))
    return summed


# ---------------------------------------------------------------------- what did and event_study share


def used_outcome(panel: Panel) -> Array:
    """(units, periods) outcomes with the cells the effect does not rest on set to NaN.

    These are treated cells outside the window and, with one common start, every period after the start that the window
    leaves out.
    """
    unused = panel.after & ~panel.target
    if len(panel.starts) == 1:
        outside = np.arange(panel.n_periods) >= panel.starts[0]
        outside &= ~panel.target.any(axis=0)
        unused = unused | outside[None, :]
    return np.where(unused, np.nan, panel.outcome) if unused.any() else panel.outcome


def covariate_stack(panel: Panel, names: tuple[str, ...]) -> Array:
    """(covariates, units, periods); a covariate that is constant in time says nothing beside unit effects and is refused."""
    layers = np.empty((len(names), panel.n_units, panel.n_periods))
    for index, name in enumerate(names):
        if name not in panel.covariates:
            raise EstimationError(f"no covariate '{name}' in the panel{did_you_mean(name, panel.covariates)}")
        values = panel.covariates[name]
        if values.ndim == 1:
            raise EstimationError(
                f"the covariate '{name}' does not change over time, so unit effects already hold it constant"
            )
        layers[index] = values
    return layers
