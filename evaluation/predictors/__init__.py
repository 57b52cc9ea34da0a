"""Synthetic control with predictors: donor weights for given predictor weights V, and the V with the best outcome fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.errors import EstimationError
from evaluation.numerics import simplex_least_squares
from evaluation.panel import Array
from evaluation.predictors.inner import donor_weights, is_inside, matching_weights, standardised_gaps, useful_donors
from evaluation.predictors.search import Search


@dataclass(frozen=True, slots=True)
class PredictorWeights:
    """The outcome of the nested search.

    Attributes
    ----------
    v : Array
        (K,) weights of the standardised predictors, summing to 1. Often not unique: other V give the same donor weights.
    weights : Array
        (donors,) donor weights, optimal for `v`.
    loss : float
        Mean squared outcome gap, in squared units of the outcome.
    loss_inner : float
        Σ_k v_k r_k², in squared standard deviations of the predictors.
    evaluations : int
        Donor-weight problems and linear systems that were solved.
    bound : float
        Loss of the donor weights that ignore the predictors: no V can do better.
    """

    v: Array
    weights: Array
    loss: float
    loss_inner: float
    evaluations: int
    bound: float


def given_v(x1: Array, x0: Array, v: Array) -> Array:
    """The donor weights for given predictor weights, exactly.

    Parameters
    ----------
    x1 : Array
        (K,) predictors of the treated unit, in any units.
    x0 : Array
        (K, donors) predictors of the donors, in the same units.
    v : Array
        (K,) weights of the squared gaps after each predictor is divided by its standard deviation; not negative.

    Returns
    -------
    Array
        (donors,) weights w ≥ 0, Σw = 1. Where several fit equally well (the treated unit lies in the hull of the donors),
        the ones nearest to equal weights.

    Raises
    ------
    EstimationError
        A predictor is missing somewhere or has the same value for all units; no positive v.
    """
    gaps = standardised_gaps(x1, x0)
    v = np.asarray(v, dtype=np.float64)
    if v.shape != x1.shape or not np.isfinite(v).all() or (v < 0).any() or not (v > 0).any():
        raise EstimationError(f"the predictors need {x1.size} weights, none negative and not all zero")
    return donor_weights(gaps, v)


def nested_v(x1: Array, x0: Array, z1: Array, z0: Array) -> PredictorWeights:
    """Choose V for the smallest mean squared gap of the outcome.

    If the treated unit is inside the hull of the donors' predictors, every V can match it exactly and V is not identified:
    then V is equal and the donor weights are, among those that match, the ones with the smallest loss (as in MSCMT).

    Parameters
    ----------
    x1, x0 : Array
        (K,) and (K, donors) predictors, in any units.
    z1, z0 : Array
        (T,) and (T, donors) outcomes over the periods of the loss.

    Returns
    -------
    PredictorWeights
        Deterministic. The search is global in design but not proven so: a lower loss than the one found is possible.

    Raises
    ------
    EstimationError
        A predictor is missing somewhere or has the same value for all units.
    """
    gaps = standardised_gaps(x1, x0)
    outcome = z0 - z1[:, None]
    equal = np.full(x1.size, 1.0 / x1.size)
    free = simplex_least_squares(z0, z1)
    bound = float(np.mean((outcome @ free) ** 2))
    weights = donor_weights(gaps, equal)
    evaluations = 2
    v = equal
    if is_inside(gaps @ weights, gaps):
        weights = matching_weights(gaps, outcome)
    elif x1.size > 1 and gaps.shape[1] > 1:
        useful = useful_donors(gaps)
        search = Search(gaps[:, useful], outcome[:, useful])
        weights = np.zeros(gaps.shape[1])
        v, weights[useful] = search.run()
        evaluations += search.solved
    loss = float(np.mean((outcome @ weights) ** 2))
    inner = float(v @ (gaps @ weights) ** 2)
    return PredictorWeights(v, weights, loss, inner, evaluations, min(bound, loss))
