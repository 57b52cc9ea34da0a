"""Multiplier bootstrap: influences summed by cluster, with random signs; bands that hold for the whole path at once."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.cluster import unsuited
from evaluation.panel import Array, Panel
from evaluation.regression import numbered_clusters
from evaluation.result import Value, number

DRAWS = 999

BLOCK = 4096
"""Clusters multiplied at a time: 999 draws of their signs take 32 MB."""

QUARTILES = float(ndtri(0.75) - ndtri(0.25))
"""Distance of the quartiles of a standard normal distribution."""


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Standard errors from the quartiles of the draws; for the path simultaneous bands.

    A draw is Σ_c V_c ψ_c, with ψ_c the influences summed within cluster c and V_c = ±1 with equal probability; effect and path
    share the signs. The standard error is the interquartile range of the draws over that of a normal distribution. The band
    of the path is effect ± c × standard error, with c the `level` quantile of the largest |draw| / standard error over the
    path: it covers all of the path at once with that probability. The effect's own interval takes the normal quantile.

    Raises
    ------
    EstimationError
        The estimator has no influence by unit, there is only one cluster, or nothing varies.

    References
    ----------
    Callaway & Sant'Anna (2021), Journal of Econometrics 225(2), theorem 3, algorithm 1, corollary 2.
    """
    return from_fit(pipeline(panel), panel, level, rng)


def from_fit(fit: Fit, panel: Panel, level: float, rng: Rng) -> Interval:
    """`infer` for whoever has the fit already."""
    sums = _cluster_sums(fit, panel)
    draws = multiplied(sums, rng)
    errors = spread_of(draws)
    error = _positive(errors[0])
    quantile = float(ndtri(0.5 + level / 2.0))
    details: dict[str, Value] = {"clusters": sums.shape[1], "draws": DRAWS}
    path: list[Array | None] = [None, None, None, None]
    if fit.path_influence is not None:
        path = _band(fit, draws[1:], errors[1:], level, quantile, details)
    return Interval(
        std_error=error,
        lower=fit.att - quantile * error,
        upper=fit.att + quantile * error,
        p_value=2.0 * float(ndtr(-abs(fit.att) / error)),
        path_std_error=path[0],
        path_lower=path[1],
        path_upper=path[2],
        path_p_value=path[3],
        details=details,
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    fit = pipeline(panel)
    error = _positive(spread_of(multiplied(_cluster_sums(fit, panel), rng))[0])
    return 2.0 * float(ndtr(-abs(fit.att) / error))


def multiplied(sums: Array, rng: Rng, draws: int = DRAWS) -> Array:
    """(rows, draws) sums over clusters of (rows, clusters) influences with random signs, in blocks of clusters.

    With B = 0 or 1 the sign is 2B − 1, so a draw is 2·ψB − Σψ: the signs need no pass of their own.
    """
    found = np.repeat(-sums.sum(axis=1)[None], draws, axis=0)
    for first in range(0, sums.shape[1], BLOCK):
        part = sums[:, first : first + BLOCK]
        wide = -(-part.shape[1] // 8)
        bits = np.frombuffer(rng.bytes(draws * wide), dtype=np.uint8).reshape(draws, wide)
        signs = np.unpackbits(bits, axis=1, count=part.shape[1]).astype(np.float64)
        # draws first: the tall factor on the left is several times faster than on the right
        found += 2.0 * (signs @ part.T)
    return np.ascontiguousarray(found.T)


def spread_of(draws: Array) -> Array:
    """(rows,) interquartile range over that of a normal distribution; the quartiles are order statistics."""
    count = draws.shape[1]
    low, high = math.ceil(0.25 * count) - 1, math.ceil(0.75 * count) - 1
    ordered = np.partition(draws, (low, high), axis=1)
    return np.asarray((ordered[:, high] - ordered[:, low]) / QUARTILES)


def _band(
    fit: Fit, draws: Array, errors: Array, level: float, quantile: float, details: dict[str, Value]
) -> list[Array | None]:
    """Standard errors, simultaneous limits and p-values of the path; the limits point by point go to the details."""
    # a reference period does not vary; what is left of rounding is no variation either
    largest = float(errors.max(initial=0.0))
    errors = np.where(errors > 1e-12 * largest, errors, np.nan)
    known = np.isfinite(errors)
    if not known.any():
        nothing = np.full(errors.size, np.nan)
        return [nothing, nothing, nothing, nothing]
    highest = np.sort(np.abs(draws[known] / errors[known, None]).max(axis=0))
    # the order statistic at which the band and the p-values agree: p ≤ 1 − level just when zero lies outside
    place = min(math.ceil(level * (highest.size + 1) - 1e-9), highest.size) - 1
    critical = float(highest[place])
    sizes = np.abs(fit.effects / errors)
    at_least = highest.size - np.searchsorted(highest, np.where(known, sizes, 0.0))
    p_values = np.where(known, (1.0 + at_least) / (1.0 + highest.size), np.nan)
    details["critical_value"] = critical
    details["pointwise"] = [
        {
            "event_time": int(time),
            "lower": number(effect - quantile * error),
            "upper": number(effect + quantile * error),
        }
        for time, effect, error in zip(fit.event_times, fit.effects, errors, strict=True)
    ]
    return [errors, fit.effects - critical * errors, fit.effects + critical * errors, p_values]


def _cluster_sums(fit: Fit, panel: Panel) -> Array:
    """(1 + times, clusters) influences summed by cluster, in the order of the first name in each cluster.

    By name, so that a cluster gets the same signs in whatever order the units come.
    """
    if fit.influence is None:
        raise EstimationError(
            "multiplier_bootstrap: the estimator has no influence by unit, which the draws are made from"
        )
    rows = fit.influence[None]
    if fit.path_influence is not None:
        rows = np.vstack([rows, fit.path_influence])
    order = np.argsort(np.array(panel.units), kind="stable")
    seen = np.asarray(np.isfinite(panel.outcome).any(axis=1))
    order = order[seen[order]]
    place = numbered_clusters(panel, seen)[order]
    count = int(place.max(initial=-1)) + 1
    if count < 2:
        raise EstimationError("multiplier_bootstrap: only one cluster")
    if count == order.size:
        return np.asarray(rows[:, order])
    return np.array([np.bincount(place, weights=row[order], minlength=count) for row in rows])


def _positive(error: float) -> float:
    if not error > 0.0:
        raise EstimationError(
            "multiplier_bootstrap: the draws do not vary, so there are too few clusters, or the outcome is constant"
        )
    return float(error)


METHOD = Inference(
    name="multiplier_bootstrap",
    summary="influences by cluster with random signs; bands for the whole path at once; for many treated units only",
    infer=infer,
    test=test,
    unsuited=unsuited,
    from_fit=from_fit,
    source="Callaway & Sant'Anna (2021), Journal of Econometrics 225(2), algorithm 1",
    many_treated=True,
)
