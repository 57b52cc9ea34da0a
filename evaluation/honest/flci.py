"""The shortest interval of fixed length around an affine estimator that covers whatever the smooth difference in trends is."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from evaluation.errors import EstimationError
from evaluation.panel import Array

MOST_BREAKPOINTS = 200
"""Breakpoints of the path for each free weight; with the few dozen periods there are, it has no more than a few."""


@dataclass(frozen=True, slots=True)
class FixedLength:
    """An affine estimator and its interval, `centre` ± `half`.

    Attributes
    ----------
    weights : Array
        (K + T,) of the effects before and after the start; after it they are the target's own.
    bias : float
        The largest bias there can be.
    std_error : float
        Of the estimator.
    """

    weights: Array
    bias: float
    std_error: float
    centre: float
    half: float


def folded_normal_quantile(ratio: float, level: float) -> float:
    """The c with P(|N(ratio, 1)| ≤ c) = level.

    References
    ----------
    Armstrong & Kolesár (2018), Econometrica 86(2), section 2, on cv_α(b).
    """
    ratio = abs(ratio)
    top = ratio + float(ndtri(0.5 + level / 2.0)) + 1e-9
    low = max(0.0, ratio + float(ndtri(level)) - 1e-9) if ratio > 0.0 else 0.0

    def missing(size: float) -> float:
        return float(ndtr(size - ratio) - ndtr(-size - ratio)) - level

    return float(brentq(missing, low, top, xtol=1e-14, rtol=8.9e-16))


def fixed_length(effects: Array, covariance: Array, weights: Array, bound: float, level: float) -> FixedLength:
    """The optimal fixed-length interval for l'τ under Δ^SD(M).

    An estimator l'β̂_after + v'β̂_before that is right for straight lines is a sum of second differences of the effects, c_t of
    the one around period t, so its largest bias is M Σ|c_t|. Those around periods after the start and around the reference
    period are given by l; the K − 1 earlier ones, u, are free. Half the interval's length is

        h(u) = σ(u) cv(M (c + Σ|u_j|) / σ(u))

    with σ(u) the estimator's standard deviation: convex, since s cv(b / s) is convex in (b, s) and rises in both. Where h is
    smallest, u also solves min ½ σ²(u) + λ Σ|u_j| with λ = M σ cv'/(cv − t cv') at t = bias / σ; that solution is piecewise
    linear in λ (`_path`), and λ is found on it by bisection.

    Parameters
    ----------
    effects, covariance : Array
        (K + T,) and (K + T, K + T).
    weights : Array
        (T,) l.

    References
    ----------
    Rambachan & Roth (2023), section 4; Armstrong & Kolesár (2020), Quantitative Economics 11(1).
    """
    n_post = weights.size
    n_pre = effects.size - n_post
    after = np.array(
        [sum((later - t) * weights[later - 1] for later in range(t + 1, n_post + 1)) for t in range(n_post)]
    )
    given, constant = np.concatenate([np.zeros(n_pre), weights]), float(np.abs(after).sum())
    # around the reference period: c_0 (δ_{−1} + δ_1) has no weight on δ_0; later ones involve only periods after the start
    given[n_pre - 1] += after[0]
    free = np.delete(np.diff(np.eye(n_pre + n_post + 1), n=2, axis=0), n_pre, axis=1)[: n_pre - 1]
    quadratic, linear = free @ covariance @ free.T, free @ covariance @ given
    own = float(given @ covariance @ given)

    def moved(u: Array) -> tuple[float, float]:
        return constant + float(np.abs(u).sum()), math.sqrt(max(own + 2.0 * linear @ u + u @ quadratic @ u, 0.0))

    def excess(penalty: float) -> float:
        """Below zero while a larger penalty still shortens the interval."""
        bias, deviation = moved(_at(path, penalty))
        return penalty - _trade_off(bound * bias, deviation, level) * bound

    path = _path(quadratic, linear)
    chosen = path[-1][1]
    if bound > 0.0 and n_pre > 1:
        top = path[0][0]
        if excess(top) <= 0.0:
            chosen = path[0][1]
        elif excess(0.0) < 0.0:
            chosen = _at(path, float(brentq(excess, 0.0, top, xtol=1e-14 * top, rtol=8.9e-16)))
    bias, deviation = moved(chosen)
    combined = given + free.T @ chosen
    half = bound * bias
    if deviation > 0.0:
        half = deviation * folded_normal_quantile(bound * bias / deviation, level)
    return FixedLength(combined, bound * bias, deviation, float(combined @ effects), half)


def _trade_off(bias: float, deviation: float, level: float) -> float:
    """σ × (∂h/∂b) / (∂h/∂σ) at h = σ cv(b/σ): how much variance a unit of bias is worth."""
    if deviation <= 0.0:
        return math.inf
    ratio = bias / deviation
    quantile = folded_normal_quantile(ratio, level)
    # cv' = (φ(cv − t) − φ(cv + t)) / (φ(cv − t) + φ(cv + t)) = tanh(cv × t)
    slope = math.tanh(quantile * ratio)
    return deviation * slope / (quantile - ratio * slope)


def _path(quadratic: Array, linear: Array) -> list[tuple[float, Array]]:
    """Breakpoints (λ, u) of min ½ u'Qu + q'u + λ Σ|u_j|, from the λ above which u = 0 down to 0.

    The homotopy of Osborne, Presnell & Turlach (2000), IMA Journal of Numerical Analysis 20(3): at the solution the gradient
    g = Qu + q is −λ sign(u_j) where u_j is not zero, and within ±λ elsewhere. Between breakpoints the signs do not change, so u is
    linear in λ.
    """
    size = linear.size
    u, penalty = np.zeros(size), float(np.abs(linear).max(initial=0.0))
    path = [(penalty, u)]
    if penalty <= 0.0:
        return path
    first = int(np.argmax(np.abs(linear)))
    signs = {first: -math.copysign(1.0, linear[first])}
    dropped = -1
    for _ in range(MOST_BREAKPOINTS * size):
        rows = np.array(list(signs), dtype=np.intp)
        towards = np.zeros(size)  # du / −dλ
        towards[rows] = np.linalg.lstsq(quadratic[np.ix_(rows, rows)], np.array(list(signs.values())), rcond=None)[0]
        step, event, sign = _next_event(
            u, quadratic @ u + linear, towards, quadratic @ towards, penalty, signs, dropped
        )
        u, penalty, dropped = u + step * towards, penalty - step, -1
        if event in signs:
            u[event] = 0.0
            del signs[event]
            dropped = event
        elif event >= 0:
            signs[event] = sign
        path.append((max(penalty, 0.0), u))
        if event < 0 or not signs:
            return path
    raise EstimationError("honest_did: the shortest interval was not found; is the covariance one?")


def _next_event(
    u: Array, gradient: Array, towards: Array, change: Array, penalty: float, signs: dict[int, float], dropped: int
) -> tuple[float, int, float]:
    """How far λ falls until some u_j becomes zero, or stops being zero with which sign; −1 where λ reaches zero first."""
    step, event, sign = penalty, -1, 0.0
    for row in range(u.size):
        if row in signs:
            if u[row] * towards[row] < 0.0 and -u[row] / towards[row] < step:
                step, event, sign = -float(u[row] / towards[row]), row, 0.0
            continue
        for side in (1.0, -1.0):
            speed = 1.0 + side * float(change[row])
            left = penalty - side * float(gradient[row])
            # one that has just become zero stands at the bound it left, and moves away from it
            if speed > 1e-12 and not (row == dropped and left < 1e-9 * penalty) and left / speed < step:
                step, event, sign = max(left / speed, 0.0), row, -side
    return step, event, sign


def _at(path: list[tuple[float, Array]], penalty: float) -> Array:
    """u at a λ between breakpoints."""
    for (above, high), (below, low) in itertools.pairwise(path):
        if penalty >= below:
            share = (penalty - below) / (above - below) if above > below else 0.0
            return np.asarray(low + share * (high - low))
    return path[-1][1]
