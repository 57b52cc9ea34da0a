"""Two periods, two groups: the doubly robust family of difference-in-differences with covariates.

Each estimator gives the effect and its influence, scaled such that the sum of squares of the influence is the variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from evaluation.panel import Array, Mask
from evaluation.propensity import LeastSquares, Odds, calibrated_odds, inverse_of, least_squares, logit_odds

Kind: TypeAlias = Literal["improved", "traditional", "reg", "ipw", "std_ipw", "twfe"]


@dataclass(frozen=True, slots=True)
class Effects:
    """(columns,) effects, (columns, rows) influences, and how many controls were trimmed."""

    att: Array
    influence: Array
    trimmed: int = 0


def mean_difference(change: Array, treated: Mask, weights: Array) -> Effects:
    """Without covariates: the mean change of the treated minus that of the controls.

    Parameters
    ----------
    change : Array
        (columns, rows) outcome after minus outcome before.
    treated : Mask
        (rows,).
    weights : Array
        (rows,) or (columns, rows), not negative.
    """
    own, others = np.where(treated, weights, 0.0), np.where(treated, 0.0, weights)
    own, others = own / own.sum(axis=-1, keepdims=True), others / others.sum(axis=-1, keepdims=True)
    first, second = (own * change).sum(axis=1), (others * change).sum(axis=1)
    influence = own * (change - first[:, None]) - others * (change - second[:, None])
    return Effects(first - second, influence)


def panel_effects(kind: Kind, change: Array, treated: Mask, design: Array | None, weights: Array) -> Effects:
    """The effect on the treated where everybody is seen twice.

    With D the treated, x the covariates, Δ the change of the outcome, m(x) its regression on x among the controls and
    ω = w·p(x)/(1 − p(x)) the odds weights of controls:

        improved, traditional    Σ wD(Δ − m) / Σ wD − Σ ω(Δ − m) / Σ ω
        reg                      Σ wD(Δ − m) / Σ wD
        std_ipw                  Σ wDΔ / Σ wD − Σ ωΔ / Σ ω
        ipw                      (Σ wDΔ − Σ ωΔ) / Σ wD

    `improved` takes p by calibration and m by least squares weighted with ω, so that neither's estimation moves the effect to
    first order; `traditional` takes maximum likelihood and ordinary least squares. All columns share p, and are worked on
    together.

    Parameters
    ----------
    change : Array
        (columns, rows).
    treated : Mask
        (rows,).
    design : Array or None
        (rows, regressors), see `propensity.design_matrix`; None without covariates, where all estimators are one.
    weights : Array
        (rows,), or (columns, rows) where there is no design.

    Raises
    ------
    EstimationError
        Separation or collinearity; the sentence does not say of whom, which is for the caller to add.

    References
    ----------
    Sant'Anna & Zhao (2020), Journal of Econometrics 219(1), eqs. (2.2)-(2.5), (3.1), theorems 1 and 2; Abadie (2005), Review
    of Economic Studies 72(1), eq. (10), for `ipw`; Heckman, Ichimura & Todd (1997) for `reg`.
    """
    if design is None or kind == "twfe":
        # a two-way regression with covariates fixed in time has the coefficient of one without: unit effects hold them
        return mean_difference(change, treated, weights)
    own = np.where(treated, weights, 0.0)
    total = float(own.sum())
    share = own / total
    others = np.where(treated, 0.0, weights)
    if kind == "reg":
        found = least_squares(change, design, others)
        first = found.residuals @ share
        gaps, moving = found.residuals, share - found.leverage(share @ design)
        gaps *= moving
        return Effects(first, gaps - np.multiply.outer(first, share))
    odds = (calibrated_odds if kind == "improved" else logit_odds)(design, treated, weights)
    stand_in = odds.weights / (total if kind == "ipw" else float(odds.weights.sum()))
    gaps, moving = change, share - stand_in
    if kind in ("improved", "traditional"):
        found = least_squares(change, design, odds.weights if kind == "improved" else others)
        gaps = found.residuals
        if kind == "traditional":
            moving = moving - found.leverage((share - stand_in) @ design)
    first, second = gaps @ share, gaps @ stand_in
    # all that is subtracted is a few numbers for each column times a few vectors: one product
    vectors = np.vstack([share, stand_in, odds.scores * design.T])
    numbers = np.zeros((first.size, vectors.shape[0]))
    numbers[:, 0], numbers[:, 1] = first, -second
    if kind == "ipw":
        numbers[:, 0], numbers[:, 1] = first - second, 0.0
    if kind != "improved":
        # what the estimated odds bring: their derivative is Σ ω(Δ − m − mean)x, for plain weights without the mean
        derivative = gaps @ (stand_in[:, None] * design)
        if kind != "ipw":
            derivative -= np.multiply.outer(second, stand_in @ design)
        numbers[:, 2:] = derivative @ odds.inverse
    influence = gaps * moving
    influence -= numbers @ vectors
    return Effects(first - second, influence, odds.trimmed)


def _through(odds: Odds, design: Array, derivative: Array) -> Array:
    """(columns, rows) what a row's score moves through the estimated odds; `derivative` (columns, rows) is ∂/∂(xγ)."""
    return np.asarray((derivative @ design @ odds.inverse) @ design.T)


# ---------------------------------------------------------------------- different people before and after


def cross_section_effects(
    kind: Kind, outcome: Array, treated: Mask, after: Mask, design: Array | None, weights: Array, efficient: bool = True
) -> Effects:
    """The effect on the treated where everybody is seen once, before or after.

    As `panel_effects` with the regressions and the weighted means taken before and after apart. `efficient` (for `improved` and
    `traditional`) also models the outcomes of the treated, which reaches the efficiency bound when the distribution of the
    covariates is stable over time; the effect then needs that stability no more than the others do.

    Parameters
    ----------
    outcome, weights : Array
        (rows,).
    treated, after : Mask
        (rows,).
    design : Array or None
        (rows, regressors); None without covariates.

    Returns
    -------
    Effects
        With one column.

    References
    ----------
    Sant'Anna & Zhao (2020), Journal of Econometrics 219(1), eqs. (2.6)-(2.9), (3.3)-(3.4).
    """
    if design is None:
        if kind not in ("ipw", "twfe"):
            kind = "std_ipw"
        design = np.ones((outcome.size, 1))
    weights = weights * (weights.size / weights.sum())
    if kind == "twfe":
        return _dummies(outcome, treated, after, design, weights)
    own = np.where(treated, weights, 0.0)
    cells = (np.where(after, own, 0.0), np.where(after, 0.0, own))
    if kind == "reg":
        return _regressed(outcome, treated, after, design, weights)
    odds = (calibrated_odds if kind == "improved" else logit_odds)(design, treated, weights)
    if kind == "ipw":
        return _inverse_probability(outcome, treated, after, design, weights, odds)
    stand_ins = (np.where(after, odds.weights, 0.0), np.where(after, 0.0, odds.weights))
    base = stand_ins if kind == "improved" else _parts(np.where(treated, 0.0, weights), after)
    fits = () if kind == "std_ipw" else tuple(least_squares(outcome[None], design, part) for part in base)
    att, influence = 0.0, np.zeros(outcome.size)
    for place, sign in ((0, 1.0), (1, -1.0)):
        gaps = outcome - fits[place].fitted[0] if fits else outcome
        first, first_influence = _mean(gaps, cells[place])
        second, second_influence = _mean(gaps, stand_ins[place])
        att += sign * (first - second)
        influence += sign * (first_influence - second_influence)
        if kind == "improved":
            continue
        influence -= sign * odds.scores * _through(odds, design, second_influence[None])[0]
        if fits:
            # treated less stand-ins: near zero when the scores are right. The authors' program (DRDID 1.2.3) subtracts this
            # term for both periods, although the derivative changes sign before; its numbers are the reference, so ours do too
            shares = cells[place] / cells[place].sum() - stand_ins[place] / stand_ins[place].sum()
            influence -= fits[place].leverage(shares @ design) * fits[place].residuals[0]
    if fits and efficient:
        extra, extra_influence = _efficient(outcome, design, own, cells, fits, corrected=kind == "traditional")
        att, influence = att + extra, influence + extra_influence
    return Effects(np.array([att]), influence[None], odds.trimmed)


def _parts(weights: Array, after: Mask) -> tuple[Array, Array]:
    """The weights after and before."""
    return np.where(after, weights, 0.0), np.where(after, 0.0, weights)


def _mean(values: Array, weights: Array) -> tuple[float, Array]:
    """A weighted mean and its influence."""
    share = weights / weights.sum()
    mean = float(share @ values)
    return mean, share * (values - mean)


def _efficient(
    outcome: Array,
    design: Array,
    own: Array,
    cells: tuple[Array, Array],
    fits: tuple[LeastSquares, ...],
    corrected: bool,
) -> tuple[float, Array]:
    """What modelling the treated adds: their modelled effects averaged over all treated instead of those of one period."""
    att, influence = 0.0, np.zeros(outcome.size)
    for place, sign in ((0, 1.0), (1, -1.0)):
        model = least_squares(outcome[None], design, cells[place])
        modelled = model.fitted[0] - fits[place].fitted[0]
        over_all, all_influence = _mean(modelled, own)
        over_cell, cell_influence = _mean(modelled, cells[place])
        att += sign * (over_all - over_cell)
        influence += sign * (all_influence - cell_influence)
        if corrected:
            at = (own / own.sum() - cells[place] / cells[place].sum()) @ design
            influence += sign * model.leverage(at) * model.residuals[0]
            influence -= sign * fits[place].leverage(at) * fits[place].residuals[0]
    return att, influence


def _regressed(outcome: Array, treated: Mask, after: Mask, design: Array, weights: Array) -> Effects:
    own = np.where(treated, weights, 0.0)
    att, influence = 0.0, np.zeros(outcome.size)
    change = np.zeros(outcome.size)
    at = own @ design / own.sum()
    base = _parts(np.where(treated, 0.0, weights), after)
    for part, others, sign in zip(_parts(own, after), base, (1.0, -1.0), strict=True):
        found = least_squares(outcome[None], design, others)
        mean, mean_influence = _mean(outcome, part)
        att += sign * mean
        influence += sign * mean_influence
        change += sign * found.fitted[0]
        influence -= sign * found.leverage(at) * found.residuals[0]
    mean, mean_influence = _mean(change, own)
    return Effects(np.array([att - mean]), (influence - mean_influence)[None])


def _inverse_probability(
    outcome: Array, treated: Mask, after: Mask, design: Array, weights: Array, odds: Odds
) -> Effects:
    """Abadie's weights are divided by the shares of the treated and of the period, which are estimated too."""
    rows = outcome.size
    status = np.where(treated, weights, 0.0)
    probability = float(status.sum()) / rows
    att, influence = 0.0, np.zeros(rows)
    for seen, sign in ((after, 1.0), (~after, -1.0)):
        period = np.where(seen, weights, 0.0)
        share = float(period.sum()) / rows
        own = np.where(seen, status, 0.0) * outcome / (probability * share)
        other = np.where(seen, odds.weights, 0.0) * outcome / (probability * share)
        part = float(own.mean() - other.mean())
        att += sign * part
        pieces = own - other + (weights - status / probability - period / share) * part
        influence += sign * (pieces - odds.scores * _through(odds, design, other[None])[0]) / rows
    return Effects(np.array([att]), influence[None], odds.trimmed)


def _dummies(outcome: Array, treated: Mask, after: Mask, design: Array, weights: Array) -> Effects:
    """The coefficient of treated × after in a regression on both, their product and the covariates."""
    both = np.column_stack([treated & after, treated, after]).astype(np.float64)
    regressors = np.column_stack([both, design])
    inverse = inverse_of((regressors * weights[:, None]).T @ regressors)
    coefficients = inverse @ ((weights * outcome) @ regressors)
    residuals = outcome - regressors @ coefficients
    return Effects(coefficients[:1], (weights * residuals * (regressors @ inverse[0]))[None])
