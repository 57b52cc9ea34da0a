"""Regression with unit and period effects, exactly and without iterating, and what its users share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.errors import EstimationError, did_you_mean, listed
from evaluation.panel import Array, Indices, Mask, Panel


def residual_maker(n_periods: int, observed: Mask) -> Array:
    """The (periods, periods) projection that removes a unit's own mean over its observed periods."""
    maker = np.zeros((n_periods, n_periods))
    rows = np.flatnonzero(observed)
    q, _ = np.linalg.qr(np.ones((rows.size, 1)))
    maker[np.ix_(rows, rows)] = np.eye(rows.size) - q @ q.T
    return maker


def two_way_residuals(stack: Array, observed: Mask) -> Array:
    """Remove unit and period effects from every (layers, units, periods) layer of `stack`, exactly, as `UnitEffects` does.

    Values in unobserved cells are ignored and come back as 0.
    """
    effects = UnitEffects(observed)
    within = np.empty(stack.shape)
    for layer, into in zip(stack, within, strict=True):
        effects.residuals(layer, into)
    return within


class UnitEffects:
    """The unit effects (and trends) of a panel, and the period effects beside them, ready to be taken out of any layer.

    With W_i the weights of unit i's cells and R_i the projection that removes its own (weighted) mean and trend, the period
    effects c solve the (periods × periods) system Σ_i W_i R_i c = Σ_i W_i R_i y_i and the residual is R_i (y_i − c). Σ W_i R_i
    is a diagonal less one matrix product for each unit effect, so nothing iterates and no unit is looked at alone.

    Parameters
    ----------
    observed : Mask
        (units, periods).
    trends : bool
        Also remove a linear trend of each unit.
    weights : Array or None
        (units, periods) or (units,) positive weights of the cells; None for equal ones.

    References
    ----------
    Wooldridge (2021), Two-Way Fixed Effects, the Two-Way Mundlak Regression, section 2 (unit effects swept out first).

    Attributes
    ----------
    cells : Array
        (units, periods) weights, 0 where not observed.
    total, slope : Array
        (units,) 1 / Σ weights and, with trends, 1 / Σ weights × squared distance from the unit's mean period.
    system, inverse : Array
        (periods, periods) Σ W_i R_i and its pseudo-inverse.
    """

    __slots__ = ("_line", "cells", "inverse", "observed", "slope", "system", "total")

    def __init__(self, observed: Mask, *, trends: bool = False, weights: Array | None = None) -> None:
        if weights is None:
            self.cells = observed.astype(np.float64)
        else:
            self.cells = np.where(observed, weights if weights.ndim == 2 else weights[:, None], 0.0)
        self.observed = observed
        self.total = inverted(self.cells.sum(axis=1))
        system = np.diag(self.cells.sum(axis=0)) - self.cells.T @ (self.cells * self.total[:, None])
        self._line: Array | None = None
        self.slope: Array | None = None
        if trends:
            times = np.arange(observed.shape[1], dtype=np.float64)
            # around each unit's own mean period, so that slope and level do not disturb each other
            line = np.where(observed, times - ((self.cells @ times) * self.total)[:, None], 0.0)
            squares = np.einsum("it,it,it->i", self.cells, line, line)
            slope = inverted(np.where(observed.sum(axis=1) > 1, squares, 0.0))
            weighted = self.cells * line
            system -= weighted.T @ (weighted * slope[:, None])
            self._line, self.slope = line, slope
        self.system = without_rounding(system, self.cells.sum(axis=0))
        self.inverse = scaled_inverse(self.system)

    def within(self, layer: Array, into: Array) -> Array:
        """R_i y_i, written to `into` (units, periods); 0 in unobserved cells."""
        np.copyto(into, 0.0)
        np.copyto(into, layer, where=self.observed)
        self._project(into)
        return into

    def residuals(self, layer: Array, into: Array) -> Array:
        """R_i (y_i − c), written to `into` (units, periods); 0 in unobserved cells."""
        self.within(layer, into)
        # the level is gone before the period effects are taken out, so that no digits are lost to it
        into -= self.inverse @ np.einsum("it,it->t", self.cells, into)
        into *= self.observed
        self._project(into)
        return into

    def _project(self, into: Array) -> None:
        into -= (np.einsum("it,it->i", self.cells, into) * self.total)[:, None]
        if self._line is not None and self.slope is not None:
            into -= self._line * (np.einsum("it,it,it->i", self.cells, self._line, into) * self.slope)[:, None]
        into *= self.observed


def without_rounding(system: Array, before: Array) -> Array:
    """The (periods, periods) system with 0 for period effects of which the cells say nothing; `before` is its diagonal without units.

    What is left of a period that only units seen once (with trends, twice) are seen in is rounding, and must not be inverted.
    """
    silent = np.diag(system) <= 1e-12 * before
    if silent.any():
        system[silent] = 0.0
        system[:, silent] = 0.0
    return system


def scaled_inverse(system: Array) -> Array:
    """The pseudo-inverse of the (periods, periods) system of period effects.

    Scaled to a unit diagonal first, so that a period with few observations or small weights counts as much in the rank as any.
    """
    scale = np.sqrt(inverted(np.diag(system)))
    both = np.outer(scale, scale)
    return np.asarray(np.linalg.pinv(system * both, rcond=1e-12, hermitian=True) * both)


def inverted(values: Array) -> Array:
    """1 / values, and 0 for what is not positive."""
    positive = values > 0.0
    return np.where(positive, 1.0 / np.where(positive, values, 1.0), 0.0)


@dataclass(frozen=True, slots=True)
class Regression:
    """Least squares with unit and period effects.

    `influence` is (coefficients, units): the linearisation of each coefficient by unit, whose sum of outer products over
    clusters is the cluster-robust covariance before the small-sample factor. `functional` is Σ m·residual for the weights m
    handed in, and `functional_influence` (units,) its linearisation: a headline that weights cells otherwise than the
    coefficients do adds both.

    What the coefficients are made of, for whoever needs more than sums by unit: the `effects` that were swept out, the
    regressors without them (`within`, (coefficients, units, periods)), the `inverse` of their products, and
    `functional_within`, what effects and regressors leave of m (per unit of a cell's weight).
    """

    coefficients: Array
    influence: Array
    residuals: Array
    n_obs: int
    n_parameters: int
    functional: float
    functional_influence: Array
    effects: UnitEffects
    within: Array
    inverse: Array
    functional_within: Array | None = None


def two_way_regression(
    outcome: Array,
    regressors: Array,
    *,
    trends: bool = False,
    names: tuple[str, ...] = (),
    functional: Array | None = None,
    weights: Array | None = None,
) -> Regression:
    """Regress (units, periods) outcomes on (k, units, periods) regressors with unit and period effects.

    Cells with a missing outcome, regressor or weight, or with weight 0, are left out. `functional` (units, periods) are weights
    m for which Σ m·residual is wanted beside the coefficients; `weights` (units, periods) or (units,) those of least squares.

    Raises
    ------
    EstimationError
        A regressor is explained by the effects and the others (collinear).
    """
    observed = np.isfinite(outcome)
    for layer in regressors:
        observed &= np.isfinite(layer)
    if weights is not None:
        weights = weights if weights.ndim == 2 else np.broadcast_to(weights[:, None], outcome.shape)
        observed &= np.nan_to_num(weights) > 0.0
    # a unit seen once (twice with a trend) tells nothing beyond its own effect
    observed &= (observed.sum(axis=1) > (2 if trends else 1))[:, None]
    if not observed.any():
        raise EstimationError("no unit is observed often enough for the regression")
    effects = UnitEffects(observed, trends=trends, weights=weights)
    cells = effects.cells
    y = effects.residuals(outcome, np.empty_like(outcome))
    x = np.empty(regressors.shape)
    raw = np.empty(len(regressors))
    for index, layer in enumerate(regressors):
        effects.residuals(layer, x[index])
        known = np.where(observed, layer, 0.0)
        raw[index] = np.einsum("it,it,it->", cells, known, known)
    flat = x.reshape(len(x), -1)
    weighted = flat if weights is None else flat * cells.ravel()
    gram = weighted @ flat.T
    inverse = inverse_gram(gram, raw, names)
    coefficients = inverse @ (weighted @ y.ravel())
    residuals = y - (coefficients @ flat).reshape(y.shape)
    scores = residuals if weights is None else residuals * cells
    influence = inverse @ np.einsum("kit,it->ki", x, scores)
    own = np.zeros(outcome.shape[0])
    m: Array | None = None
    if functional is not None:
        # Σ m·residual is linear in the outcomes; its weights are m with the effects and the regressors projected out
        m = functional if weights is None else np.where(observed, functional, 0.0) / np.where(observed, cells, 1.0)
        m = effects.residuals(m, np.empty_like(outcome))
        m -= ((inverse @ (weighted @ m.ravel())) @ flat).reshape(m.shape)
        own = np.einsum("it,it->i", m, scores)
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
        effects=effects,
        within=x,
        inverse=inverse,
        functional_within=m,
    )


def inverse_gram(gram: Array, raw: Array, names: tuple[str, ...]) -> Array:
    """The inverse of the regressors' (k, k) products once the effects are taken out; `raw` (k,) are their squares before.

    Raises
    ------
    EstimationError
        A regressor is explained by the effects, or by the effects and the others.
    """
    for index, value in enumerate(np.diag(gram)):
        if value <= 1e-10 * max(float(raw[index]), 1e-300):
            name = names[index] if names else str(index)
            raise EstimationError(f"the regressor '{name}' is explained by the unit and period effects")
    scale = 1.0 / np.sqrt(np.diag(gram))
    values, vectors = np.linalg.eigh(gram * np.outer(scale, scale))
    if values.size and values[0] <= 1e-9:
        # those that the direction without variation is made of
        share = np.abs(vectors[:, 0])
        which = [f"'{names[index]}'" for index in np.flatnonzero(share > 0.1 * share.max()).tolist()] if names else []
        hint = f": leave out one of {listed(which)}" if which else ""
        raise EstimationError(f"the regressors are collinear once unit and period effects are removed{hint}")
    return np.asarray((vectors / values) @ vectors.T * np.outer(scale, scale))


def by_cluster(influence: Array, cluster: Indices) -> Array:
    """Sum the last axis (units) of an influence array within clusters, in the order of their codes: (..., clusters)."""
    if cluster.size < 2 or bool((cluster[1:] > cluster[:-1]).all()):
        return influence
    order = np.argsort(cluster, kind="stable")
    ordered = cluster[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] > ordered[:-1]]))
    return np.asarray(np.add.reduceat(influence[..., order], first, axis=-1))


def cluster_errors(influence: Array, cluster: Indices | None) -> Array:
    """(...) standard errors of (..., units) influences: roots of the sums of squares by cluster, without a small-sample factor."""
    assert cluster is not None  # set by Panel itself
    return np.asarray(np.sqrt((by_cluster(influence, cluster) ** 2).sum(axis=-1)))


def count_clusters(cluster: Indices) -> int:
    """How many different codes there are; at once where they are in order, as those of units are."""
    return cluster.size if bool((cluster[1:] > cluster[:-1]).all()) else len(np.unique(cluster))


def numbered_clusters(panel: Panel, used: Mask | None = None) -> Indices:
    """(units,) clusters numbered 0, 1, ... in the order of the first name among their units; 0 for units that are not used.

    By name, so that what is drawn for a cluster does not hang on the order of the rows.
    """
    assert panel.cluster is not None  # set by Panel itself
    rows = np.argsort(np.array(panel.units), kind="stable")
    if used is not None:
        rows = rows[used[rows]]
    _, first, back = np.unique(panel.cluster[rows], return_index=True, return_inverse=True)
    number = np.empty(first.size, dtype=np.int64)
    number[np.argsort(first)] = np.arange(first.size)
    clusters = np.zeros(panel.n_units, dtype=np.int64)
    clusters[rows] = number[back.ravel()]
    return clusters


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


def covariate_values(panel: Panel, names: tuple[str, ...], method: str = "") -> list[Array]:
    """The covariates by name, (units,) or (units, periods) each.

    Raises
    ------
    EstimationError
        The panel lacks some of them; all that are missing are told.
    """
    missing = [name for name in names if name not in panel.covariates]
    if missing:
        who = f"{method}: " if method else ""
        raise EstimationError(
            *(f"{who}no covariate '{name}' in the panel{did_you_mean(name, panel.covariates)}" for name in missing)
        )
    return [panel.covariates[name] for name in names]


def covariate_stack(panel: Panel, names: tuple[str, ...]) -> Array:
    """(covariates, units, periods); a covariate that is constant in time says nothing beside unit effects and is refused."""
    layers = np.empty((len(names), panel.n_units, panel.n_periods))
    for index, (name, values) in enumerate(zip(names, covariate_values(panel, names), strict=True)):
        if values.ndim == 1:
            raise EstimationError(
                f"the covariate '{name}' does not change over time, so unit effects already hold it constant"
            )
        layers[index] = values
    return layers


def split_covariates(
    panel: Panel, names: tuple[str, ...], method: str = ""
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The covariates named that are constant in time, (units,), and those that vary, (units, periods)."""
    found = dict(zip(names, covariate_values(panel, names, method), strict=True))
    return (
        {name: values for name, values in found.items() if values.ndim == 1},
        {name: values for name, values in found.items() if values.ndim == 2},
    )


def weight_values(panel: Panel, name: str, method: str) -> Array | None:
    """Weights of the observations that the option `weights` names, (units,) or (units, periods); None for equal ones.

    Parameters
    ----------
    name : str
        Empty: equal weights. "size": the persons behind the cells, where these are known. Else a covariate.

    Raises
    ------
    EstimationError
        The panel has no sizes, or no covariate of that name, or it holds a negative weight or no positive one.
    """
    if not name:
        return None
    if name == "size" and panel.size is not None:
        values: Array = panel.size
    elif name in panel.covariates:
        values = panel.covariates[name]
    elif name == "size":
        raise EstimationError(f"{method}: `weights` asks for the persons behind the cells, but the panel has no sizes")
    else:
        hint = did_you_mean(name, ("size", *panel.covariates))
        raise EstimationError(f"{method}: no covariate '{name}' to weight by in the panel{hint}")
    known = np.nan_to_num(values)
    if (known < 0.0).any():
        raise EstimationError(f"{method}: the weights '{name}' are negative in {int((known < 0.0).sum())} cells")
    if not (known > 0.0).any():
        raise EstimationError(f"{method}: the weights '{name}' are nowhere positive")
    return values


def cell_weights(panel: Panel, name: str, method: str) -> Array | None:
    """(units, periods) the same for every cell."""
    values = weight_values(panel, name, method)
    if values is None or values.ndim == 2:
        return values
    return np.broadcast_to(values[:, None], panel.outcome.shape)
