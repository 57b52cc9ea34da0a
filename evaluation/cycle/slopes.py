"""One slope that all units share, from the never-treated alone: least squares with unit and period effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.errors import EstimationError
from evaluation.noise import PERSONS_UNKNOWN, unit_noise, variance_function
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.regression import by_cluster, residual_maker

NOTHING_LEFT = 1e-10
"""A regressor of whose squares the effects leave no more than this share is explained by them."""

COLLINEAR = 1e-9
"""Below this, the smallest eigenvalue of the regressors' correlations is rounding."""

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
        within = stack - stack.sum(axis=2, keepdims=True) / stack.shape[2]
        within -= ((weight / weight.sum()) @ within)[:, None, :]
        return np.asarray(within)
    n_periods = seen.shape[1]
    filled = np.where(seen, stack, 0.0)
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    makers = np.array([residual_maker(n_periods, pattern) for pattern in patterns])[which.ravel()]
    within = np.einsum("kut,uts->kus", filled, makers)
    system = np.einsum("u,uts->ts", weight, makers)
    periods = np.linalg.lstsq(system, np.einsum("u,kut->tk", weight, within), rcond=1e-12)[0]
    within -= np.einsum("uts,sk->kut", makers, periods)
    within[:, ~seen] = 0.0
    return np.asarray(within)


@dataclass(frozen=True, slots=True)
class Within:
    """The never-treated units' outcomes and regressors with unit and period effects taken out.

    `rows` (units,) of the panel, `seen` (units, periods), `raw` and `within` (1 + regressors, units, periods), the outcome first.
    """

    rows: Indices
    seen: Mask
    raw: Array
    within: Array

    @property
    def squares(self) -> Array:
        """(1 + regressors,) what the effects leave of each layer's squares."""
        return np.asarray(np.einsum("kut,kut->k", self.within, self.within))


def within_never_treated(panel: Panel, regressors: Array, adjustment: str) -> Within:
    """Take unit and period effects out of the outcomes and the complete (regressors, units, periods) `regressors`.

    Raises
    ------
    EstimationError
        Fewer than three never-treated units are observed twice.
    """
    # a unit seen once tells nothing beyond its own effect
    rows = np.flatnonzero(~panel.treated & (np.isfinite(panel.outcome).sum(axis=1) > 1))
    outcome = panel.outcome[rows]
    seen = np.isfinite(outcome)
    if rows.size < 3:
        raise EstimationError(f"{adjustment}: fewer than three never-treated units to learn a slope from")
    raw = np.empty((1 + len(regressors), *seen.shape))
    raw[0], raw[1:] = np.where(seen, outcome, 0.0), regressors[:, rows]
    return Within(rows, seen, raw, without_effects(raw, seen, np.ones(rows.size)))


def pooled_slopes(
    panel: Panel, regressors: Array, names: tuple[str, ...], adjustment: str, found: Within | None = None
) -> Slopes:
    """Regress the never-treated units' outcomes on `regressors` with unit and period effects.

    With known sizes or sampling variances a second round weights each unit by 1 / (a + b × noise), a and b from the squared
    residuals of the first (see `noise.variance_function`). Standard errors are cluster-robust with the factor
    G/(G−1) × (N−1)/(N−K), where K counts slopes and period effects.

    Parameters
    ----------
    panel : Panel
        Cells of treated units and missing cells are left out.
    regressors : Array
        (slopes, units, periods), complete.
    names : tuple of str
        What the regressors are called in errors.
    found : Within, optional
        The same with the effects taken out already.

    Raises
    ------
    EstimationError
        A regressor has no movement beyond the effects, or two are collinear.

    References
    ----------
    Wooldridge (2010), Econometric Analysis of Cross Section and Panel Data, 2nd ed., eq. (10.59) for the clustered covariance.
    """
    found = within_never_treated(panel, regressors, adjustment) if found is None else found
    rows, seen, within = found.rows, found.seen, found.within
    _look(found, names, adjustment)
    weight = np.ones(rows.size)
    noise = unit_noise(panel, np.ones(panel.n_periods, dtype=np.bool_))
    constant = falling = float("nan")
    inverse, coefficients, residuals = _solve(within, weight)
    if noise is not None:
        if not np.isfinite(noise[rows]).all():
            raise EstimationError(PERSONS_UNKNOWN)
        design = np.column_stack([np.ones(rows.size), noise[rows]])
        constant, falling = variance_function(design, (residuals**2).sum(axis=1) / seen.sum(axis=1))
        fitted = design @ np.array([constant, falling])
        if (fitted > 0.0).all():
            weight = fitted.mean() / fitted
            within = without_effects(found.raw, seen, weight)
            inverse, coefficients, residuals = _solve(within, weight)
    influence = inverse @ (within[1:] * (residuals * weight[:, None])).sum(axis=2)
    assert panel.cluster is not None  # set by Panel itself
    clusters = panel.cluster[rows]
    # units in the order of their own clusters need no sums
    grouped = influence if (clusters[1:] > clusters[:-1]).all() else by_cluster(influence, clusters)
    n_cells, groups = int(seen.sum()), grouped.shape[1]
    lost = len(names) + int(seen.any(axis=0).sum())
    if groups < 2 or n_cells <= lost:
        raise EstimationError(f"{adjustment}: too few never-treated units for the uncertainty of a slope")
    factor = groups / (groups - 1) * (n_cells - 1) / (n_cells - lost)
    covariance = factor * grouped @ grouped.T
    return Slopes(coefficients, covariance, n_cells, rows.size, constant, falling)


def refuse_the_outcome(found: Within, layer: int, name: str, adjustment: str) -> None:
    """Raise EstimationError where a layer is the outcome itself, or as good as: it would explain everything."""
    outcome, series = found.within[0].ravel(), found.within[layer].ravel()
    if (outcome @ series) ** 2 > SAME**2 * (outcome @ outcome) * (series @ series) > 0.0:
        raise EstimationError(f"{adjustment}: {name} is the outcome itself, or as good as; give another series")


def _solve(within: Array, weight: Array) -> tuple[Array, Array, Array]:
    """The inverse of x'Wx, the coefficients, and the residuals (units, periods)."""
    outcome, series = within[0], within[1:].reshape(len(within) - 1, -1)
    weighted = (within[1:] * weight[:, None]).reshape(series.shape)
    gram = weighted @ series.T
    scale = 1.0 / np.sqrt(np.diag(gram))
    inverse = np.linalg.inv(gram * np.outer(scale, scale)) * np.outer(scale, scale)
    coefficients = inverse @ (weighted @ outcome.ravel())
    return inverse, coefficients, outcome - (coefficients @ series).reshape(outcome.shape)


def _look(found: Within, names: tuple[str, ...], adjustment: str) -> None:
    """Refuse, in words, what cannot give a slope."""
    squares = found.squares[1:]
    shown = found.raw[1:] if found.seen.all() else found.raw[1:] * found.seen
    whole = np.einsum("kut,kut->k", shown, shown)
    for name, left, before in zip(names, squares, whole, strict=True):
        if left <= NOTHING_LEFT * before:
            raise EstimationError(
                f"{adjustment}: {name} does not move differently from unit to unit, so unit and period effects already hold it"
            )
    if len(names) > 1:
        scaled = found.within[1:].reshape(len(names), -1) / np.sqrt(squares)[:, None]
        if np.linalg.eigvalsh(scaled @ scaled.T)[0] < COLLINEAR:
            raise EstimationError(f"{adjustment}: {' and '.join(names)} say the same thing (collinear)")
