"""The estimator's own variance formula, for estimators whose variance is no sum of squares by unit."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.cluster import unsuited as few_treated
from evaluation.panel import Panel


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Normal intervals from the covariance of effect and path that the estimator itself derives (`Fit.variance`).

    Raises
    ------
    EstimationError
        The estimator has no variance formula of its own.
    """
    return from_fit(pipeline(panel), panel, level, rng)


def from_fit(fit: Fit, panel: Panel, level: float, rng: Rng) -> Interval:
    """The same from the fit alone."""
    error = _error(fit)
    assert fit.variance is not None
    quantile = float(ndtri(0.5 + level / 2.0))
    squares = np.diag(fit.variance)[1:]
    path = np.sqrt(np.where(squares > 0, squares, np.nan))
    return Interval(
        std_error=error,
        lower=fit.att - quantile * error,
        upper=fit.att + quantile * error,
        p_value=2.0 * float(ndtr(-abs(fit.att) / error)),
        path_std_error=path,
        path_lower=fit.effects - quantile * path,
        path_upper=fit.effects + quantile * path,
        path_p_value=2.0 * ndtr(-np.abs(fit.effects / path)),
        notes=() if fit.forecast or (warning := few_treated(panel)) is None else (warning,),
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    fit = pipeline(panel)
    return 2.0 * float(ndtr(-abs(fit.att) / _error(fit)))


def _error(fit: Fit) -> float:
    if fit.variance is None:
        raise EstimationError(
            "analytic: the estimator has no variance formula of its own here; `placebo` or `jackknife` may serve"
        )
    variance = float(fit.variance[0, 0])
    if not (math.isfinite(variance) and variance > 0.0):
        raise EstimationError("analytic: the variance cannot be computed from so few treated units and controls")
    return math.sqrt(variance)


METHOD = Inference(
    name="analytic",
    summary="the estimator's own variance formula, with normal quantiles",
    infer=infer,
    test=test,
    from_fit=from_fit,
    unsuited=lambda panel: None,  # that hangs on the estimator's formula: `from_fit` says it
    source="the estimator's paper; normal quantiles as in Imbens & Rubin (2015), Causal Inference, section 6.6",
    many_treated=True,
)
