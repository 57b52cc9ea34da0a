"""The headline effect of a regression as a weighted sum of outcomes, and its scores: what robust variances are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from evaluation.contracts import Fit, Pipeline
from evaluation.errors import EstimationError
from evaluation.numerics import target_weights
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.regression import UnitEffects, by_cluster, two_way_regression

SAME = 1e-8
"""Relative to the outcomes' size: a combination of coefficients this near to the headline effect is the headline effect."""


@dataclass(frozen=True, slots=True)
class Scores:
    """An effect θ̂ = Σ w α y of a (weighted) regression, whose score in a cell is w α e.

    Inner products are over cells with the regression's weights w. α is orthogonal to the unit and period effects; where the
    effect is a combination c of coefficients, α = c'(X̃'X̃)⁻¹X̃ with X̃ the regressors less the effects. A headline that weights
    cells otherwise than the coefficients do (by persons) adds what effects and regressors leave of its weights.

    Attributes
    ----------
    effect : float
        θ̂.
    slopes : float
        The part c'β̂; the rest of θ̂ is Σ w α e, zero unless the headline weights cells otherwise.
    alpha, residuals, cells : Array
        (units, periods) α, e and w; zero in cells that are not used.
    within, inverse : Array
        (k, units, periods) X̃ and (k, k) (X̃'X̃)⁻¹.
    effects : UnitEffects or None
        The unit and period effects (and trends); None for a plain regression, whose rows are the units and which has one period.
    trends : bool
        The effects hold a trend of each unit.
    clusters : Indices
        (units,) clusters numbered 0, 1, ... in an order that does not depend on the order of the units.
    """

    effect: float
    slopes: float
    alpha: Array
    residuals: Array
    cells: Array
    within: Array
    inverse: Array
    effects: UnitEffects | None
    trends: bool
    clusters: Indices

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
        return len(np.unique(self.clusters[self.observed.any(axis=1)]))

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
    effect = float(combination @ coefficients)
    return Scores(
        effect=effect,
        slopes=effect,
        alpha=(regressors @ (inverse @ combination))[:, None],
        residuals=(outcome - regressors @ coefficients)[:, None],
        cells=np.ones((outcome.size, 1)),
        within=np.ascontiguousarray(regressors.T)[:, :, None],
        inverse=inverse,
        effects=None,
        trends=False,
        clusters=np.unique(clusters, return_inverse=True)[1].ravel(),
    )


def scores_of(pipeline: Pipeline, panel: Panel, who: str) -> tuple[Fit, Scores, tuple[Scores | None, ...]]:
    """The fit, the scores of its headline effect, and those of each effect on its path (None where that is none of theirs).

    Raises
    ------
    EstimationError
        The estimator is no regression with unit and period effects, or there is but one cluster.
    """
    if pipeline.method.regression is None:
        raise EstimationError(
            f"{who}: `{pipeline.method.name}` is no regression with unit and period effects, on whose scores this rests; "
            "`jackknife`, `block_bootstrap` or `placebo` may serve"
        )
    fit = pipeline(panel)
    adjusted = pipeline.adjust(panel).panel
    design = pipeline.method.regression(adjusted, pipeline.options)
    observed = np.isfinite(design.outcome) & np.isfinite(design.regressors).all(axis=0)
    wanted = target_weights(adjusted, observed).cells
    found = two_way_regression(
        design.outcome,
        design.regressors,
        trends=design.trends,
        names=design.names,
        functional=wanted,
        weights=design.weights,
    )
    size = SAME * max(1.0, float(np.nanmax(np.abs(design.outcome))))
    base = Scores(
        effect=0.0,
        slopes=0.0,
        alpha=np.empty(0),
        residuals=np.nan_to_num(found.residuals),
        cells=found.effects.cells,
        within=found.within,
        inverse=found.inverse,
        effects=found.effects,
        trends=design.trends,
        clusters=_numbered(adjusted),
    )

    def of(combination: Array, effect: float, extra: Array | None = None) -> Scores:
        alpha = np.tensordot(combination @ found.inverse, found.within, axes=1)
        alpha = alpha if extra is None else alpha + extra
        return replace(base, effect=effect, slopes=float(combination @ found.coefficients), alpha=alpha)

    slopes = float(design.combination @ found.coefficients)
    if abs(slopes - fit.att) <= size:
        headline = of(design.combination, fit.att)
    elif abs(slopes + found.functional - fit.att) <= size:
        headline = of(design.combination, fit.att, found.functional_within)
    else:
        raise EstimationError(f"{who}: the effect of `{pipeline.method.name}` is no coefficient of its regression here")
    if headline.n_clusters < 2:
        raise EstimationError(f"{who}: only one cluster")
    path: list[Scores | None] = [None] * fit.effects.size
    if design.path is not None and len(design.path) == fit.effects.size:
        for time, row in enumerate(design.path):
            near = abs(float(row @ found.coefficients) - fit.effects[time]) <= size
            path[time] = of(row, float(fit.effects[time])) if near and row.any() else None
    return fit, headline, tuple(path)


def _numbered(panel: Panel) -> Indices:
    """Clusters by the first name among their units, so that what is drawn for them does not hang on the order of the rows."""
    assert panel.cluster is not None  # set by Panel itself
    codes = np.unique(panel.cluster, return_inverse=True)[1].ravel()
    by_name = codes[np.argsort(np.array(panel.units), kind="stable")]
    first = np.unique(by_name, return_index=True)[1]
    number = np.empty(first.size, dtype=np.int64)
    number[np.argsort(first)] = np.arange(first.size)
    return np.asarray(number[codes])
