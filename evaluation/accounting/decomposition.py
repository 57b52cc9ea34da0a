"""Gelbach's decomposition: how much of a difference-in-differences each measured influence accounts for, in no order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.context import PolicyShock
from evaluation.contracts import Removal
from evaluation.cycle import local_series, sensitivity
from evaluation.errors import EstimationError
from evaluation.numerics import target_weights
from evaluation.panel import Array, Indices, Panel
from evaluation.regression import two_way_residuals

SINGULAR = 1e-9
"""Directions of the regressors with less than this share of the largest one's length (squared) tell nothing of their own."""


@dataclass(frozen=True, slots=True)
class Influences:
    """What may have moved the outcome beside the programme.

    `regressors` is (influences, units, periods), NaN where a unit's is not known; `parts` names the part of the waterfall that
    each belongs to.
    """

    regressors: Array
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which influences are measured, and how: the options of the two adjustments, and the reforms."""

    sensitivity: sensitivity.Options
    local: local_series.Options
    policies: tuple[PolicyShock, ...] = ()
    rows: tuple[int, ...] = ()


def influences(panel: Panel, asked: Asked) -> Influences:
    """Every influence that the panel's data let us measure.

    The unit's own reaction to the nation (β_i times the cycle, β_i from before the start), the local series in the parts that
    `local_series` gives a slope each, the predicted demand, and the share of each reform from its start on. `asked.rows` are
    the panel's units in the order of the reforms' shares.
    """
    layers: list[Array] = []
    parts: list[str] = []
    for part, method, options in (
        ("own_sensitivity", sensitivity.METHOD, asked.sensitivity),
        ("local_demand", local_series.METHOD, asked.local),
    ):
        try:
            found = method.remove(panel.untreated(), options)
        except EstimationError:
            continue  # the data do not hold it; the ladder says why
        for layer in _layers(found):
            layers.append(layer)
            parts.append(part)
    if "shift_share" in panel.cycle:
        layers.append(panel.cycle["shift_share"])
        parts.append("predicted_demand")
    for policy in asked.policies:
        share = np.asarray(policy.share)[list(asked.rows)]
        layers.append(share[:, None] * (np.arange(panel.n_periods) >= policy.start))
        parts.append("policies")
    return Influences(np.array(layers).reshape(len(layers), *panel.outcome.shape), tuple(parts))


def _layers(found: Removal) -> Array:
    """(layers, units, periods) the series an adjustment multiplies by shared slopes, or its amount; NaN for who has none."""
    layers = found.amount[None] if found.regressors is None else found.regressors
    return layers if found.keep is None else np.where(found.keep[:, None], layers, np.nan)


def slopes(panel: Panel, regressors: Array) -> Array:
    """(influences,) coefficients of the joint regression with unit and period effects on untreated cells.

    Influences that the data cannot tell apart share what they explain (the smallest coefficients that fit equally well, each
    regressor measured in its own standard deviation), so that no order decides.
    """
    outcome = panel.untreated().outcome
    observed = np.isfinite(outcome) & np.isfinite(regressors).all(axis=0)
    observed &= (observed.sum(axis=1) > 1)[:, None]
    if not observed.any():
        return np.zeros(len(regressors))
    within = two_way_residuals(np.concatenate([outcome[None], regressors]), observed)
    y, x = within[0].ravel(), within[1:].reshape(len(regressors), -1)
    lengths = np.sqrt(np.einsum("kc,kc->k", x, x))
    raw = np.where(observed, regressors, 0.0).reshape(len(regressors), -1)
    moves = lengths > np.sqrt(1e-10 * np.maximum(np.einsum("kc,kc->k", raw, raw), 1e-300))
    scale = np.where(moves, 1.0 / np.where(moves, lengths, 1.0), 0.0)
    gram = (x @ x.T) * np.outer(scale, scale)
    return np.asarray(scale * (np.linalg.pinv(gram, rcond=SINGULAR, hermitian=True) @ (scale * (x @ y))))


@dataclass(frozen=True, slots=True)
class Change:
    """The change from before the start to the window as a weighting of cells.

    `treated` (units, periods) weights the treated as the headline does and sums to zero in every row; `others` (periods,) is
    what it gives each period of the line they are compared with.
    """

    treated: Array
    others: Array

    def of_treated(self, values: Array) -> float:
        """The change of the treated in (units, periods) values."""
        return float((self.treated * np.where(self.treated != 0.0, values, 0.0)).sum())

    def of_controls(self, values: Array, controls: Indices) -> float:
        """The change of the equally weighted controls, each period over those that are observed."""
        inside = values[controls]
        seen = np.isfinite(inside)
        line = np.where(seen, inside, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        return float(self.others @ line)


def change(panel: Panel) -> Change:
    """Window minus before, with the headline's weights on treated cells and equal weights on the periods before each start."""
    observed = np.isfinite(panel.outcome)
    target = target_weights(panel, observed)
    before = observed & (np.arange(panel.n_periods) < panel.start[:, None]) & panel.treated[:, None]
    count = np.maximum(before.sum(axis=1, keepdims=True), 1)
    treated = target.cells - target.units[:, None] * before / count
    return Change(treated, treated.sum(axis=0))


def decomposed(panel: Panel, asked: Asked) -> dict[str, float]:
    """{part: amount} of the treated's change relative to the controls' that each measured influence accounts for.

    Difference-in-differences minus the effect of the full regression is the sum over influences of slope × the influence's own
    difference-in-differences; all slopes come from one regression, so no order decides.

    References
    ----------
    Gelbach (2016), Journal of Labor Economics 34(2), eqs. (8)-(10).
    """
    found = influences(panel, asked)
    if not found.parts:
        return {}
    values, controls = found.regressors, np.flatnonzero(~panel.treated)
    weights, coefficients = change(panel), slopes(panel, found.regressors)
    amounts = dict.fromkeys(found.parts, 0.0)
    for part, layer, slope in zip(found.parts, values, coefficients, strict=True):
        amounts[part] += float(slope) * (weights.of_treated(layer) - weights.of_controls(layer, controls))
    return amounts
