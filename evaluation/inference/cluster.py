"""Cluster-robust standard errors, the usual choice with many treated clusters, and badly wrong with one."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import chdtrc, fdtrc, stdtr, stdtrit

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.regression import by_cluster, count_clusters
from evaluation.result import Note, Value, number

ENOUGH = 6
"""At least this many treated and this many control clusters before these standard errors are a sensible choice."""


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Variance of influences summed within clusters: of a regression CR1, with t quantiles of G − 1 degrees of freedom.

    The small-sample factor is G/(G−1) × (N−1)/(N−K), where K leaves out the unit effects nested in the clusters. Estimators
    whose theory is for many units (`Fit.small_sample` is False) take no factor and normal quantiles, as their authors do.

    Raises
    ------
    EstimationError
        The estimator has no influence by unit.

    References
    ----------
    Cameron & Miller (2015), Journal of Human Resources 50(2), eqs. (11)-(12).
    """
    return from_fit(pipeline(panel), panel, level, rng)


def from_fit(fit: Fit, panel: Panel, level: float, rng: Rng) -> Interval:
    """The same from the fit alone."""
    error, degrees, factor = _standard_error(fit, panel)
    count = _count(fit, panel)
    quantile = float(stdtrit(degrees, 0.5 + level / 2.0))
    details: dict[str, Value] = {"clusters": count, "small_sample_factor": factor}
    path: list[Array | None] = [None, None, None, None]
    covariance = path_covariance(fit, panel)
    if covariance is not None:
        errors = np.sqrt(np.diag(covariance))
        errors = np.where(errors > 0, errors, np.nan)
        p_values = np.asarray(2.0 * stdtr(degrees, -np.abs(fit.effects / errors)), dtype=np.float64)
        path = [errors, fit.effects - quantile * errors, fit.effects + quantile * errors, p_values]
        details["pre_trend_wald"] = _wald(fit, covariance, degrees)
    return Interval(
        std_error=error,
        lower=fit.att - quantile * error,
        upper=fit.att + quantile * error,
        p_value=p_value(fit.att, error, degrees),
        path_std_error=path[0],
        path_lower=path[1],
        path_upper=path[2],
        path_p_value=path[3],
        details=details,
    )


def path_covariance(fit: Fit, panel: Panel) -> Array | None:
    """(times, times) covariance of the fit's path, by the same sums and with the same factor; None where it has no influences."""
    if fit.path_influence is None:
        return None
    sums = by_cluster(fit.path_influence, _clusters(panel))
    return np.asarray(_standard_error(fit, panel)[2] * (sums @ sums.T))


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    fit = pipeline(panel)
    error, degrees, _ = _standard_error(fit, panel)
    return p_value(fit.att, error, degrees)


def _standard_error(fit: Fit, panel: Panel) -> tuple[float, float, float]:
    """The error, the degrees of freedom (infinite: normal quantiles) and the small-sample factor."""
    if fit.influence is None:
        raise EstimationError(
            "cluster: the estimator has no influence by unit, from which a cluster-robust standard error is summed"
        )
    sums = by_cluster(fit.influence, _clusters(panel))
    count = _count(fit, panel)
    if count < 2:
        raise EstimationError("cluster: only one cluster")
    if not fit.small_sample:
        return math.sqrt(float(sums @ sums)), math.inf, 1.0
    if fit.n_obs <= fit.n_parameters:
        raise EstimationError("cluster: as many parameters as observations")
    factor = count / (count - 1) * (fit.n_obs - 1) / (fit.n_obs - fit.n_parameters)
    return math.sqrt(factor * float(sums @ sums)), count - 1, factor


def _clusters(panel: Panel) -> Indices:
    assert panel.cluster is not None  # set by Panel itself
    return panel.cluster


def _count(fit: Fit, panel: Panel) -> int:
    """The clusters with a cell in the regression."""
    if fit.n_clusters:
        return fit.n_clusters
    seen = np.isfinite(panel.outcome).any(axis=1) if not panel.balanced else slice(None)
    return count_clusters(_clusters(panel)[seen])


def p_value(effect: float, error: float, degrees: float) -> float:
    """Two-sided, of effect / error against t (infinite degrees: normal); NaN where nothing varies."""
    return float(2.0 * stdtr(degrees, -abs(effect) / error)) if error > 0 else math.nan


def _wald(fit: Fit, covariance: Array, degrees: float) -> Value:
    """F test that all effects before the start are zero, with (q, G − 1) degrees of freedom; chi-squared / q without end."""
    before = (fit.event_times < 0) & (np.diag(covariance) > 0)
    count = int(before.sum())
    if count == 0 or np.linalg.matrix_rank(covariance[np.ix_(before, before)]) < count:
        return None
    effects = fit.effects[before]
    statistic = float(effects @ np.linalg.solve(covariance[np.ix_(before, before)], effects)) / count
    endless = math.isinf(degrees)
    p_value = float(chdtrc(count, count * statistic) if endless else fdtrc(count, degrees, statistic))
    second = None if endless else int(degrees)
    return {"statistic": number(statistic), "p_value": number(p_value), "df1": count, "df2": second}


def compared_with(panel: Panel) -> Mask:
    """(units,) the never treated or, where there are none, those that start last: until then they are the comparison."""
    return ~panel.treated if not panel.treated.all() else np.asarray(panel.start == panel.starts[-1])


def unsuited(panel: Panel) -> Note | None:
    """Not valid with few treated or few control clusters."""
    clusters = _clusters(panel)
    treated, controls = count_clusters(clusters[panel.treated]), count_clusters(clusters[compared_with(panel)])
    if treated >= ENOUGH and controls >= ENOUGH:
        return None
    if treated == 1:
        text = "one treated unit: this standard error ignores the unit's own shock, so it is far too small"
    elif treated < ENOUGH:
        text = f"{treated} treated units: this standard error is too small with fewer than {ENOUGH}"
    else:
        text = f"{controls} controls: this standard error is too small with fewer than {ENOUGH}"
    return Note(
        "cluster_few_treated", f"Not valid here: {text}.", {"treated": treated, "controls": controls, "enough": ENOUGH}
    )


METHOD = Inference(
    name="cluster",
    summary="cluster-robust standard errors (CR1, t with G − 1); for many treated units only",
    infer=infer,
    test=test,
    from_fit=from_fit,
    unsuited=unsuited,
    source="Cameron & Miller (2015), Journal of Human Resources 50(2)",
    many_treated=True,
)
