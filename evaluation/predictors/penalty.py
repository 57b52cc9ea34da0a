"""Penalised synthetic control: a price for donors that are far from the treated unit one by one."""

from __future__ import annotations

import numpy as np

from evaluation.errors import EstimationError
from evaluation.numerics import CANONICAL_RIDGE, simplex_least_squares
from evaluation.panel import Array, Indices

PENALTIES = np.geomspace(10.0, 1e-4, 11)
"""The λ that are compared, two to a decade, from the nearest donor alone to next to no penalty; λ has no unit."""

FALLS = 1e-11
"""A donor enters if the objective, relative to a mean squared distance, falls faster than this in its direction."""


def penalised_weights(gaps: Array, penalty: float) -> Array:
    """The weights w ≥ 0, Σw = 1 that minimise ‖Σ_j w_j g_j‖² + λ Σ_j w_j ‖g_j‖², g_j being donor j minus the treated unit.

    Parameters
    ----------
    gaps : Array
        (rows, donors).
    penalty : float
        λ; 0 is the synthetic control without a penalty.

    Returns
    -------
    Array
        (donors,). For λ > 0 no more than rows + 1 are positive, and they are unique unless donors lie in special position
        (then those nearest to equal weights); for λ → ∞ the nearest donor has all the weight.

    References
    ----------
    Abadie & L'Hour (2021), Journal of the American Statistical Association 116(536), eq. (5) and theorem 1.
    """
    if penalty == 0.0:
        return simplex_least_squares(gaps, np.zeros(len(gaps)))
    return _penalised(gaps.T @ gaps, penalty, None)


def best_penalty(scores: Array) -> float:
    """The λ with the smallest score, (penalties,); of equals the largest."""
    return float(PENALTIES[int(np.argmin(scores))])


def held_out_scores(gaps: Array, outcome: Array) -> Array:
    """(penalties,) mean squared gap of the (rows, donors) `outcome` differences under the weights found from `gaps`."""
    gram, weights, scores = gaps.T @ gaps, None, np.zeros(PENALTIES.size)
    for place, penalty in enumerate(PENALTIES.tolist()):
        weights = _penalised(gram, penalty, weights)
        scores[place] = np.mean((outcome @ weights) ** 2)
    return scores


def left_out_scores(matched: Array, outcome: Array) -> Array:
    """(penalties,) mean squared gap when each donor in turn is predicted from the others.

    Parameters
    ----------
    matched : Array
        (rows, donors) what the weights are to match.
    outcome : Array
        (periods, donors) what they are judged by.

    References
    ----------
    Abadie & L'Hour (2021), section on the choice of λ: leave-one-out cross-validation over the untreated units.
    """
    # every problem's Gram matrix follows from that of all donors: (g_k − g_j)'(g_l − g_j)
    gram = matched.T @ matched
    scores = np.zeros(PENALTIES.size)
    for donor in range(gram.shape[0]):
        rest = np.delete(np.arange(gram.shape[0]), donor)
        near = gram[rest, donor]
        shifted = gram[np.ix_(rest, rest)] - near[:, None] - near[None, :] + gram[donor, donor]
        differences = outcome[:, rest] - outcome[:, [donor]]
        weights = None
        for place, penalty in enumerate(PENALTIES.tolist()):
            weights = _penalised(shifted, penalty, weights)
            scores[place] += np.mean((differences @ weights) ** 2) / gram.shape[0]
    return scores


def _penalised(gram: Array, penalty: float, weights: Array | None) -> Array:
    """The minimiser of w'Gw + λ diag(G)'w over the simplex by a primal active set, from given weights or the nearest donor."""
    donors = gram.shape[0]
    distances = np.maximum(np.diagonal(gram), 0.0)
    length = float(distances.mean())
    if length == 0.0:
        return np.full(donors, 1.0 / donors)
    # Σw = 1 makes the constant idle; with it and a ridge no linear system below is singular, even with twins among the donors
    hessian = gram / length + 1.0
    hessian.flat[:: donors + 1] += CANONICAL_RIDGE
    slope = 0.5 * penalty * distances / length
    if weights is None:
        weights = np.zeros(donors)
        weights[int(np.argmin(distances))] = 1.0
    support = np.flatnonzero(weights)
    now = weights[support]
    idle = np.zeros(donors, dtype=np.bool_)
    for _ in range(30 * donors):
        goal, multiplier = _on_the_face(hessian, slope, support)
        if (goal > 0.0).all():
            now = goal
            gradient = hessian[:, support] @ now + slope - multiplier
            gradient[idle] = gradient[support] = 0.0
            enters = int(np.argmin(gradient))
            if gradient[enters] >= -FALLS:
                found = np.zeros(donors)
                found[support] = now / now.sum()
                return found
            support, now = np.append(support, enters), np.append(now, 0.0)
            continue
        falling = goal <= 0.0
        steps = np.where(falling, now / np.where(falling, np.maximum(now - goal, 1e-300), 1.0), np.inf)
        first = int(np.argmin(steps))
        if first == support.size - 1 and now[first] == 0.0:
            idle[support[first]] = True  # it entered by rounding alone, and would for ever
        now = now + steps[first] * (goal - now)
        support, now = np.delete(support, first), np.maximum(np.delete(now, first), 0.0)
        now = now / now.sum()
    raise EstimationError(f"the penalised weights of the synthetic control did not converge for {donors} donors")


def _on_the_face(hessian: Array, slope: Array, support: Indices) -> tuple[Array, float]:
    """The weights on a support that solve H w + s = ν1 with Σw = 1, whatever their signs, and ν."""
    one, other = np.linalg.solve(
        hessian[np.ix_(support, support)], np.column_stack([np.ones(support.size), slope[support]])
    ).T
    multiplier = (1.0 + other.sum()) / one.sum()
    return multiplier * one - other, float(multiplier)
