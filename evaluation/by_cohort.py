"""Least squares with unit and period effects where the regressors are the same for all units of a cohort.

Dummies of treatment depend on when a unit starts and on the period, not on the unit. So the normal equations need only sums by
cohort, and no regressor is ever laid out by unit: a hundred thousand units and a hundred dummies cost two passes over the
outcome. Missing cells, weights and unit trends change the sums, not the algebra.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evaluation.errors import EstimationError
from evaluation.panel import Array, Indices, Mask
from evaluation.regression import inverse_gram, inverted, scaled_inverse

ROWS = 4096
"""Units worked on at a time: their cells stay in the processor's cache."""


@dataclass(frozen=True)
class Cells:
    """What is regressed, by unit and period.

    Attributes
    ----------
    outcome : Array
        (units, periods); NaN is left out.
    cohort : Indices
        (units,) codes 0, 1, ... of the groups that share regressors.
    scalars : Array or None
        (units, scalars) numbers of each unit that regressors are multiplied by; the first column is 1. None: only that.
    covariates : tuple of Array
        Each (units, periods); cells where one is missing are left out.
    weights : Array or None
        (units, periods); cells of weight 0, or unknown, are left out.
    trends : bool
        Also a linear trend of each unit.
    """

    outcome: Array
    cohort: Indices
    scalars: Array | None = None
    covariates: tuple[Array, ...] = ()
    weights: Array | None = None
    trends: bool = False

    @cached_property
    def observed(self) -> Mask | None:
        """(units, periods) the cells the regression rests on, or None for all of them.

        A unit seen once (twice with a trend) tells nothing beyond its own effect.
        """
        observed = np.asarray(np.isfinite(self.outcome))
        for layer in self.covariates:
            observed &= np.isfinite(layer)
        if self.scalars is not None:
            observed &= np.asarray(np.isfinite(self.scalars).all(axis=1))[:, None]
        if self.weights is not None:
            observed &= np.nan_to_num(self.weights) > 0.0
        enough = 2 if self.trends else 1
        if observed.all() and observed.shape[1] > enough:
            return None
        counts: Indices = np.asarray(observed.sum(axis=1))
        observed &= (counts > enough)[:, None]
        if not observed.any():
            raise EstimationError("no unit is observed often enough for the regression")
        return observed


@dataclass(frozen=True, slots=True)
class CohortRegression:
    """The coefficients, and what `influence` needs.

    Attributes
    ----------
    coefficients : Array
        (regressors + covariates,).
    n_obs, n_parameters : int
        Observations, and parameters not nested in the units: coefficients, period effects and unit trends.
    functional : float
        Σ m·residual for the weights m handed in.
    """

    coefficients: Array
    n_obs: int
    n_parameters: int
    functional: float
    _inverse: Array
    _regressors: Array
    _from_periods: Array
    _fitted: Array
    _cells: Cells
    _m: Array | None
    _m_terms: tuple[Array, Array] | None

    def influence(self, combinations: Array) -> Array:
        """(combinations, units) linearisation of `combinations @ coefficients`, by unit.

        With V = L (X'WX)⁻¹ unit i counts Σ_t (V x̃_it) w_it e_it. Its residuals are orthogonal to its own effects, so these need
        not be taken out of the regressors, and V x̃ is laid out by cohort.
        """
        rows = combinations @ self._inverse
        return self._products(rows, -(rows @ self._from_periods), None)

    def functional_influence(self) -> Array:
        """(units,) linearisation of `functional`; zero where none was handed in."""
        if self._m is None or self._m_terms is None:
            return np.zeros(self._cells.outcome.shape[0])
        terms, periods = self._m_terms
        return np.asarray(self._products(-terms[None], -periods[None], self._m)[0])

    @property
    def cohort(self) -> Indices:
        """(units,) codes of the cohorts."""
        return self._cells.cohort

    @property
    def uniform(self) -> bool:
        """Whether all units of a cohort count alike: complete data, equal weights, nothing that differs between them."""
        cells = self._cells
        return self._cells.observed is None and cells.weights is None and cells.scalars is None and not cells.covariates

    def weights_of(self, rows: Indices) -> Array:
        """(rows, periods) weights of some units' cells in least squares; 0 for cells left out."""
        weights = np.ones((rows.size, self._cells.outcome.shape[1]))
        if self._cells.weights is not None:
            weights = self._cells.weights[rows]
        return weights if self._cells.observed is None else np.where(self._cells.observed[rows], weights, 0.0)

    def cell_weights(self, combination: Array, rows: Indices) -> Array:
        """(rows, periods) the weight of each outcome of some units in `combination @ coefficients`."""
        by_layer = combination @ self._inverse
        count, scalars = len(self._regressors), self._cells.scalars
        lines = (by_layer[:count] @ flat(self._regressors)).reshape(self._regressors.shape[1:])
        lines[0] -= by_layer @ self._from_periods
        found = np.zeros((rows.size, self._cells.outcome.shape[1]))
        for place, cohort in self._by_cohort(rows):
            some = rows[place]
            block = Block.of(self._cells, some)
            by = np.ones((some.size, 1)) if scalars is None else scalars[some]
            layer = by @ lines[:, cohort]
            for index, values in enumerate(self._cells.covariates, start=count):
                layer += by_layer[index] * values[some]
            found[place] = block.weighted(block.within(block.known(layer)))
        return found

    def _by_cohort(self, rows: Indices) -> Iterator[tuple[Indices, int]]:
        """Where in `rows` the units of each cohort stand, some thousand at a time."""
        cohorts = self._cells.cohort[rows]
        for cohort in np.unique(cohorts).tolist():
            inside = np.flatnonzero(cohorts == cohort)
            for first in range(0, inside.size, ROWS):
                yield inside[first : first + ROWS], cohort

    def residuals(self, rows: Indices) -> Array:
        """(rows, periods) residuals of some units; NaN in the cells left out."""
        found = np.full((rows.size, self._cells.outcome.shape[1]), np.nan)
        for place, cohort in self._by_cohort(rows):
            block = Block.of(self._cells, rows[place])
            left = block.within(self._unexplained(rows[place], cohort, block))
            found[place] = left if block.seen is None else np.where(block.seen, left, np.nan)
        return found

    def _unexplained(self, rows: Indices, cohort: int, block: Block) -> Array:
        """Outcomes less what period effects and regressors give, before the unit effects."""
        scalars = self._cells.scalars
        if scalars is None:
            left = self._cells.outcome[rows] - self._fitted[0, cohort]
        else:
            left = self._cells.outcome[rows] - scalars[rows] @ self._fitted[:, cohort]
        for value, layer in zip(self.coefficients[len(self._regressors) :], self._cells.covariates, strict=True):
            left -= value * layer[rows]
        return block.known(left)

    def _products(self, rows_of: Array, periods: Array, more: Array | None) -> Array:
        """(rows, units) Σ_t (rows_of·x_it + periods_t + more_it) w_it e_it."""
        count, scalars = len(self._regressors), self._cells.scalars
        lines = (rows_of[:, :count] @ flat(self._regressors)).reshape(-1, *self._regressors.shape[1:])
        lines[:, 0] += periods[:, None]
        found = np.empty((self._cells.outcome.shape[0], len(rows_of)))
        for rows, cohort in blocks(self._cells.cohort):
            block = Block.of(self._cells, rows)
            scores = block.weighted(block.within(self._unexplained(rows, cohort, block)))
            totals = scores @ lines[:, 0, cohort].T
            if scalars is not None:
                for index in range(1, scalars.shape[1]):
                    totals += (scores @ lines[:, index, cohort].T) * np.nan_to_num(scalars[rows, index, None])
            for index, layer in enumerate(self._cells.covariates, start=count):
                totals += np.einsum("it,it->i", block.known(layer[rows]), scores)[:, None] * rows_of[:, index]
            if more is not None:
                totals += np.einsum("it,it->i", more[rows], scores)[:, None]
            found[rows] = totals
        return np.asarray(found.T)


@dataclass(frozen=True, slots=True)
class Block:
    """Some units of one cohort: which cells count, with what weights, and how a unit's own effect is taken out of them."""

    seen: Mask | None
    weights: Array | None
    inverse: Array | None
    line: Array | None
    slope: Array | None
    shape: tuple[int, int]

    @classmethod
    def of(cls, cells: Cells, rows: Indices) -> Block:
        """The block of `rows`."""
        n_periods = cells.outcome.shape[1]
        seen = None if cells.observed is None else cells.observed[rows]
        if seen is None and cells.weights is None and not cells.trends:
            return cls(None, None, None, None, None, (rows.size, n_periods))
        weights = np.ones((rows.size, n_periods)) if cells.weights is None else cells.weights[rows]
        if seen is not None:
            weights = np.where(seen, weights, 0.0)
        inverse = inverted(weights.sum(axis=1))
        line = slope = None
        if cells.trends:
            times = np.arange(n_periods, dtype=np.float64)
            # around each unit's own mean period, so that slope and level do not disturb each other
            line = times - ((weights @ times) * inverse)[:, None]
            slope = inverted(np.einsum("it,it,it->i", weights, line, line))
        return cls(seen, weights, inverse, line, slope, (rows.size, n_periods))

    def within(self, layer: Array) -> Array:
        """The layer less each unit's mean (and trend), in place; zero where nothing is seen."""
        if self.weights is None or self.inverse is None:
            layer -= layer.mean(axis=1, keepdims=True)
            return layer
        layer -= (np.einsum("it,it->i", self.weights, layer) * self.inverse)[:, None]
        if self.line is not None and self.slope is not None:
            layer -= self.line * (np.einsum("it,it,it->i", self.weights, self.line, layer) * self.slope)[:, None]
        if self.seen is not None:
            layer *= self.seen
        return layer

    def known(self, layer: Array) -> Array:
        """The layer with 0 where nothing is seen."""
        return layer if self.seen is None else np.where(self.seen, layer, 0.0)

    def weighted(self, layer: Array) -> Array:
        """The layer times the weights of its cells."""
        return layer if self.weights is None else layer * self.weights

    def totals(self, scalar: Array | None) -> Array:
        """(periods,) Σ_i s_i w_i."""
        n_units, n_periods = self.shape
        if self.weights is None:
            return np.full(n_periods, float(n_units) if scalar is None else float(scalar.sum()))
        return np.asarray(self.weights.sum(axis=0) if scalar is None else scalar @ self.weights)

    def products(self, scalar: Array | None) -> Array:
        """(periods, periods) Σ_i s_i W_i R_i, with R_i what takes the unit's effect out and s_i a number of the unit."""
        n_units, n_periods = self.shape
        if self.weights is None or self.inverse is None:
            total = float(n_units) if scalar is None else float(scalar.sum())
            return np.asarray(total * (np.eye(n_periods) - 1.0 / n_periods))
        weights = self.weights if scalar is None else self.weights * scalar[:, None]
        found = np.diag(weights.sum(axis=0)) - weights.T @ (self.weights * self.inverse[:, None])
        if self.line is not None and self.slope is not None:
            found -= (weights * self.line).T @ (self.weights * self.line * self.slope[:, None])
        return np.asarray(found)


def blocks(cohort: Indices) -> Iterator[tuple[Indices, int]]:
    """The units of each cohort, some thousand at a time, with the cohort's code."""
    order = np.argsort(cohort, kind="stable")
    edges = np.searchsorted(cohort[order], np.arange(int(cohort.max(initial=-1)) + 2))
    for code in range(edges.size - 1):
        for first in range(int(edges[code]), int(edges[code + 1]), ROWS):
            yield order[first : min(first + ROWS, int(edges[code + 1]))], code


@dataclass(frozen=True, slots=True)
class Sums:
    """What the normal equations need of the cells.

    `products` (cohorts, scalars, scalars, periods, periods) Σ s_q s_p W_i R_i; `layers` (layers, scalars, cohorts, periods)
    Σ s_q W_i R_i l_i, where layer 0 is the outcome, then come the covariates and last the functional; `cross` (layers, layers)
    Σ l_i' W_i R_i l_i; `squares` (cohorts, scalars, scalars, periods) Σ s_q s_p w_i; `raw` (layers,) Σ w l².
    """

    products: Array
    layers: Array
    cross: Array
    squares: Array
    raw: Array


def _sums(cells: Cells, shape: tuple[int, ...], functional: Array | None) -> Sums:
    n_scalars, n_cohorts, n_periods = shape
    sources = [cells.outcome, *cells.covariates, *(() if functional is None else (functional,))]
    count = len(sources)
    found = Sums(
        products=np.zeros((n_cohorts, n_scalars, n_scalars, n_periods, n_periods)),
        layers=np.zeros((count, n_scalars, n_cohorts, n_periods)),
        cross=np.zeros((count, count)),
        squares=np.zeros((n_cohorts, n_scalars, n_scalars, n_periods)),
        raw=np.zeros(count),
    )
    for rows, cohort in blocks(cells.cohort):
        block = Block.of(cells, rows)
        scalars = np.ones((rows.size, 1)) if cells.scalars is None else np.nan_to_num(cells.scalars[rows])
        for q in range(n_scalars):
            for p in range(q, n_scalars):
                by = None if p == 0 else scalars[:, q] * scalars[:, p]
                found.products[cohort, q, p] += block.products(by)
                found.squares[cohort, q, p] += block.totals(by)
        inside = []
        for index, source in enumerate(sources):
            layer = block.known(source[rows])
            if count > 1:
                found.raw[index] += float(np.einsum("it,it->", block.weighted(layer), layer))
            layer = block.within(layer)
            found.layers[index, :, cohort] += scalars.T @ block.weighted(layer)
            inside.append(layer)
        if count > 1:
            for index, layer in enumerate(inside):
                weighted = block.weighted(layer)
                for other in range(index, count):
                    found.cross[index, other] += float(np.einsum("it,it->", weighted, inside[other]))
    for q in range(n_scalars):
        for p in range(q):
            found.products[:, q, p], found.squares[:, q, p] = found.products[:, p, q], found.squares[:, p, q]
    found.cross[...] = np.triu(found.cross) + np.triu(found.cross, 1).T
    return found


def flat(values: Array) -> Array:
    """(first axis, everything else)."""
    return values.reshape(len(values), -1)


def _lines(regressors: Array, products: Array) -> Array:
    """(regressors, scalars, cohorts, periods): each regressor times its cohort's products."""
    found = np.zeros_like(regressors)
    for q, p in np.ndindex(*regressors.shape[1:2] * 2):
        found[:, p] += np.matmul(regressors[:, q].transpose(1, 0, 2), products[:, q, p]).transpose(1, 0, 2)
    return found


def cohort_regression(
    cells: Cells, regressors: Array, *, names: tuple[str, ...] = (), functional: Array | None = None
) -> CohortRegression:
    """Regress the outcome on regressors by cohort and period, and on covariates, with unit and period effects.

    Regressor k of unit i in period t is Σ_q scalars[i, q] · regressors[k, q, cohort of i, t]. With W_i the weights of unit i's
    cells and R_i what takes its own effect out, Σ W_i R_i and Σ W_i R_i y_i over each cohort are all that the normal equations
    of regressors and period effects need; the period effects are then solved out of them.

    Parameters
    ----------
    regressors : Array
        (regressors, scalars, cohorts, periods).
    names : tuple of str
        Of regressors and covariates, for messages.
    functional : Array or None
        (units, periods) weights m for which Σ m·residual is wanted beside the coefficients.

    Raises
    ------
    EstimationError
        No unit is observed often enough, or a regressor is explained by the effects and the others.

    References
    ----------
    Wooldridge (2021), Two-Way Fixed Effects, the Two-Way Mundlak Regression, and Difference-in-Differences Estimators,
    section 3; Frisch & Waugh (1933), Econometrica 1(4), for solving the effects out.
    """
    observed = cells.observed
    if functional is not None and (cells.weights is not None or observed is not None):
        # Σ m·residual is a product in the metric of the weights once m is divided by them
        seen = np.isfinite(cells.outcome) if observed is None else observed
        by = 1.0 if cells.weights is None else np.where(seen, cells.weights, 1.0)
        functional = np.where(seen, functional, 0.0) / by
    sums = _sums(cells, regressors.shape[1:], functional)
    count, extra = len(regressors), len(cells.covariates)
    known = slice(1, 1 + extra)
    by_regressor = flat(regressors) @ flat(sums.layers).T
    lines = _lines(regressors, sums.products)
    from_periods = np.concatenate([lines[:, 0].sum(axis=1), sums.layers[known, 0].sum(axis=1)])
    inverse_periods = scaled_inverse(sums.products[:, 0, 0].sum(axis=0))
    gram = np.empty((count + extra, count + extra))
    gram[:count, :count] = flat(lines) @ flat(regressors).T
    gram[:count, count:] = by_regressor[:, known]
    gram[count:, :count] = by_regressor[:, known].T
    gram[count:, count:] = sums.cross[known, known]
    gram -= from_periods @ inverse_periods @ from_periods.T
    squares = np.zeros(count)
    for q, p in np.ndindex(*regressors.shape[1:2] * 2):
        squares += np.einsum("kgt,kgt,gt->k", regressors[:, q], regressors[:, p], sums.squares[:, q, p])
    inverse = inverse_gram(gram, np.concatenate([squares, sums.raw[known]]), names)

    def solved(layer: int) -> tuple[Array, Array]:
        """Coefficients and period effects of one layer."""
        own = sums.layers[layer, 0].sum(axis=0)
        right = np.concatenate([by_regressor[:, layer], sums.cross[known, layer]])
        found = inverse @ (right - from_periods @ (inverse_periods @ own))
        return found, inverse_periods @ (own - from_periods.T @ found)

    coefficients, periods = solved(0)
    fitted = (coefficients[:count] @ flat(regressors)).reshape(regressors.shape[1:])
    fitted[0] += periods
    value, terms = 0.0, None
    if functional is not None:
        terms = solved(len(sums.layers) - 1)
        right = np.concatenate([by_regressor[:, -1], sums.cross[known, -1]])
        value = float(sums.cross[0, -1] - right @ coefficients - sums.layers[-1, 0].sum(axis=0) @ periods)
    n_units, n_periods = cells.outcome.shape
    if observed is not None:
        n_units, n_periods = int(observed.any(axis=1).sum()), int(observed.any(axis=0).sum())
    return CohortRegression(
        coefficients=coefficients,
        n_obs=cells.outcome.size if observed is None else int(observed.sum()),
        # unit effects are nested in the clusters and not counted; their slopes are, as in fixest
        n_parameters=count + extra + n_periods + (n_units if cells.trends else 0),
        functional=value,
        _inverse=inverse,
        _regressors=regressors,
        _from_periods=from_periods @ inverse_periods,
        _fitted=fitted,
        _cells=cells,
        _m=functional,
        _m_terms=terms,
    )
