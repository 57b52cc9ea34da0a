"""The headline effect of a regression as a weighted sum of outcomes, and its scores: what robust variances are made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr, stdtrit

from evaluation.contracts import Fit, Interval, Pipeline
from evaluation.errors import EstimationError
from evaluation.numerics import Target, target_weights
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.regression import UnitEffects, by_cluster, numbered_clusters, two_way_regression

SAME = 1e-8
"""Relative to the outcomes' size: a combination of coefficients this near to the headline effect is the headline effect."""


@dataclass(frozen=True, slots=True)
class Scores:
    """An effect θ̂ = Σ w α y of a (weighted) regression, whose score in a cell is w α e.

    Inner products are over cells with the regression's weights w. α is orthogonal to the unit and period effects and a
    combination of the regressors less those effects, X̃: where the effect is c'β̂, α = c'(X̃'X̃)⁻¹X̃. A headline that weights cells
    otherwise than the coefficients do (by persons, say) is no such combination; then what X̃ leaves of its α is one more
    regressor, so that the headline is one of a regression after all: one in which the effect may also vary as those weights do.

    Attributes
    ----------
    effect : float
        θ̂.
    alpha, residuals, cells : Array
        (units, periods) α, e and w; zero in cells that are not used.
    within, inverse : Array
        (k, units, periods) X̃ and (k, k) (X̃'X̃)⁻¹.
    effects : UnitEffects or None
        The unit and period effects (and trends); None for a plain regression, whose rows are the units and which has one period.
    clusters : Indices
        (units,) clusters numbered 0, 1, ... in an order that does not depend on the order of the units; 0 for units none of
        whose cells is used.
    """

    effect: float
    alpha: Array
    residuals: Array
    cells: Array
    within: Array
    inverse: Array
    effects: UnitEffects | None
    clusters: Indices

    @property
    def trends(self) -> bool:
        """Whether the effects hold a trend of each unit."""
        return self.effects is not None and self.effects.slope is not None

    @property
    def observed(self) -> Mask:
        """(units, periods) the cells that are used."""
        return np.asarray(self.cells > 0.0)

    @property
    def scores(self) -> Array:
        """(units, periods) w α e, whose sums within clusters, squared, add up to the variance."""
        return self.cells * self.alpha * self.residuals

    @property
    def n_obs(self) -> int:
        """How many cells are used."""
        return int(self.observed.sum())

    @property
    def n_clusters(self) -> int:
        """How many clusters have a cell that is used."""
        return int(self.clusters.max()) + 1

    def within_clusters(self, by_unit: Array) -> Array:
        """Sum the last axis (units) within clusters, in the order of their numbers: (..., clusters)."""
        order = np.argsort(self.clusters, kind="stable")
        return by_cluster(by_unit[..., order], self.clusters[order])

    def sums(self, values: Array) -> Array:
        """(clusters, periods + k) products, within each cluster, of (units, periods) `values` with what else was estimated.

        For values orthogonal to the unit effects, which lie inside the clusters, the period effects need only the sum by period.
        """
        weighted = self.cells * values
        parts = np.einsum("kit,it->ki", self.within, weighted)
        if self.effects is not None:
            parts = np.concatenate([weighted.T, parts])
        return self.within_clusters(parts).T

    @property
    def core(self) -> Array:
        """(periods + k, periods + k) the inverse of what `sums` are projected with; regressors come without the periods."""
        if self.effects is None:
            return self.inverse
        n_periods = len(self.effects.inverse)
        core = np.zeros((n_periods + len(self.inverse),) * 2)
        core[:n_periods, :n_periods] = self.effects.inverse
        core[n_periods:, n_periods:] = self.inverse
        return core

    def columns(self) -> Array:
        """(periods + k, units, periods) the columns behind `sums`: period dummies less the unit effects, and the regressors."""
        if self.effects is None:
            return self.within
        n_periods = self.cells.shape[1]
        columns = np.zeros((n_periods + len(self.within), *self.cells.shape))
        for period in range(n_periods):
            dummy = np.zeros(self.cells.shape)
            dummy[:, period] = 1.0
            self.effects.within(dummy, columns[period])
        columns[n_periods:] = self.within
        return columns


def plain_scores(outcome: Array, regressors: Array, combination: Array, clusters: Indices) -> Scores:
    """Scores of `combination` @ coefficients in least squares of (rows,) outcomes on (rows, k) regressors, constant included."""
    inverse = np.asarray(np.linalg.inv(regressors.T @ regressors), dtype=np.float64)
    coefficients = inverse @ (regressors.T @ outcome)
    return Scores(
        effect=float(combination @ coefficients),
        alpha=(regressors @ (inverse @ combination))[:, None],
        residuals=(outcome - regressors @ coefficients)[:, None],
        cells=np.ones((outcome.size, 1)),
        within=np.ascontiguousarray(regressors.T)[:, :, None],
        inverse=inverse,
        effects=None,
        clusters=np.unique(clusters, return_inverse=True)[1].ravel(),
    )


def scores_of(pipeline: Pipeline, panel: Panel, who: str) -> tuple[Fit, Scores, tuple[Scores | None, ...]]:
    """The fit, the scores of its headline effect, and those of each effect on its path (None where it is none of theirs).

    Raises
    ------
    EstimationError
        The estimator is no regression with unit and period effects, or its headline is none of the regression's; there is but
        one cluster, or no observation to spare.
    """
    if pipeline.method.regression is None:
        raise EstimationError(
            f"{who}: `{pipeline.method.name}` is no regression with unit and period effects, on whose scores this rests; "
            "`jackknife`, `block_bootstrap` or `placebo` may serve"
        )
    fit = pipeline(panel)
    adjusted = pipeline.adjust(panel).panel
    design = pipeline.method.regression(adjusted, pipeline.options)
    target = target_weights(adjusted, np.isfinite(design.outcome) & np.isfinite(design.regressors).all(axis=0))
    try:
        found = two_way_regression(
            design.outcome,
            design.regressors,
            trends=design.trends,
            names=design.names,
            functional=target.cells if design.functional is None else design.functional,
            weights=design.weights,
        )
    except EstimationError as refusal:
        raise EstimationError(f"{who}: {refusal}") from None
    used = np.asarray(found.effects.observed.any(axis=1))
    if found.n_obs <= found.n_parameters + int(used.sum()) - 1:
        raise EstimationError(f"{who}: as many parameters as observations")
    near = SAME * max(1.0, float(np.nanmax(np.abs(design.outcome))))
    base = Scores(
        effect=math.nan,
        alpha=np.empty(0),
        residuals=np.nan_to_num(found.residuals),
        cells=found.effects.cells,
        within=found.within,
        inverse=found.inverse,
        effects=found.effects,
        clusters=numbered_clusters(adjusted, used),
    )
    if base.n_clusters < 2:
        raise EstimationError(f"{who}: only one cluster")

    def coefficients(combination: Array) -> Array:
        return np.asarray(np.tensordot(combination @ found.inverse, found.within, axes=1))

    headline = path = None
    slopes = float(design.combination @ found.coefficients)
    if abs(slopes - fit.att) <= near:
        headline = replace(base, effect=fit.att, alpha=coefficients(design.combination))
    elif found.functional_within is not None and abs(slopes + found.functional - fit.att) <= near:
        headline = _with_alpha(base, fit.att, coefficients(design.combination) + found.functional_within)
    if design.path is not None and len(design.path) == fit.effects.size:
        slopes_by_time = design.path @ found.coefficients
        if np.allclose(slopes_by_time, fit.effects, rtol=0.0, atol=near):
            path = tuple(
                replace(base, effect=float(effect), alpha=coefficients(row)) if row.any() else None
                for row, effect in zip(design.path, fit.effects, strict=True)
            )
    if (headline is None or path is None) and design.weights is None:
        alphas = _contrast_alphas(adjusted, fit, target)
        outcome = np.where(base.observed, design.outcome, 0.0)
        if headline is None and alphas is not None and abs(float((alphas[0] * outcome).sum()) - fit.att) <= near:
            headline = _with_alpha(base, fit.att, alphas[0])
        if path is None and alphas is not None:
            found_path = [float((alpha * outcome).sum()) for alpha in alphas[1:]]
            path = tuple(
                _with_alpha(base, float(effect), alpha) if abs(value - effect) <= near and alpha.any() else None
                for alpha, value, effect in zip(alphas[1:], found_path, fit.effects, strict=True)
            )
    if headline is None:
        raise EstimationError(f"{who}: the effect of `{pipeline.method.name}` is no coefficient of its regression here")
    return fit, headline, (None,) * fit.effects.size if path is None else path


def _with_alpha(base: Scores, effect: float, alpha: Array) -> Scores:
    """The scores of an effect Σ w α y; what the regressors leave of α, if anything, is one more of them."""
    weighted = base.cells * alpha
    rest = alpha - np.tensordot(base.inverse @ np.einsum("kit,it->k", base.within, weighted), base.within, axes=1)
    square = float(np.einsum("it,it,it->", base.cells, rest, rest))
    if square <= 1e-18 * float((weighted * alpha).sum()):
        return replace(base, effect=effect, alpha=alpha)
    count = len(base.inverse)
    inverse = np.zeros((count + 1, count + 1))
    inverse[:count, :count] = base.inverse
    inverse[count, count] = 1.0 / square
    slope = float(np.einsum("it,it,it->", base.cells, rest, base.residuals)) / square
    return replace(
        base,
        effect=effect,
        alpha=alpha,
        residuals=base.residuals - slope * rest,
        within=np.concatenate([base.within, rest[None]]),
        inverse=inverse,
    )


def _contrast_alphas(panel: Panel, fit: Fit, target: Target) -> tuple[Array, ...] | None:
    """(units, periods) weights of the outcomes in the headline and in each effect of the path, of a fit that is the contrast of
    given weights on controls and on periods before; None where it is not."""
    if fit.unit_weights is None or fit.time_weights is None or fit.unit_weights.size != panel.n_units:
        return None
    if fit.periods is None or not np.array_equal(fit.periods, np.arange(panel.n_periods)):
        return None
    controls, before = fit.unit_weights, fit.time_weights

    def weights(cells: Array) -> Array:
        compared = cells - np.outer(controls, cells.sum(axis=0))
        return compared - np.outer(compared.sum(axis=1), before)

    shares = target.shares
    return weights(target.cells), *(
        weights(shares * (np.arange(panel.n_periods) == period)) for period in range(panel.n_periods)
    )


def from_variances(
    fit: Fit,
    headline: Scores,
    path: tuple[Scores | None, ...],
    level: float,
    variance: Callable[[Scores], tuple[float, float]],
) -> Interval:
    """Interval and p-value of the headline and the path from a variance and its degrees of freedom (infinite: normal)."""

    def one(scores: Scores) -> tuple[float, float, float, float]:
        square, degrees = variance(scores)
        error = math.sqrt(square)
        half = float(stdtrit(degrees, 0.5 + level / 2.0)) * error
        return error, scores.effect - half, scores.effect + half, t_p_value(scores.effect, square, degrees)

    columns = np.full((4, fit.effects.size), np.nan)
    for place, scores in enumerate(path):
        if scores is not None:
            columns[:, place] = one(scores)
    error, lower, upper, p_value = one(headline)
    return Interval(error, lower, upper, p_value, *columns)


def t_p_value(effect: float, variance: float, degrees: float) -> float:
    """Two-sided, of effect / √variance against t; NaN where there is no variance."""
    return float(2.0 * stdtr(degrees, -abs(effect) / math.sqrt(variance))) if variance > 0.0 else math.nan
