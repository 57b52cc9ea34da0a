"""Structural time series: the treated unit's own past and its donors forecast what would have happened."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, cast

import numpy as np
from pydantic import Field
from scipy.special import ndtri

from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError, did_you_mean, listed
from evaluation.numerics import Target, common_start, dropped_note, simplex_least_squares, target_weights
from evaluation.panel import Array, Mask, Panel
from evaluation.result import Value, number
from evaluation.state_space import Forecast, forecast
from evaluation.structural_models import Level

LEVEL = 0.95
"""Of the interval of the cumulative effect in `details`."""


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `structural_time_series`."""

    level: Annotated[
        Level,
        Field(
            description="how the level moves on: `local_level` (a random walk), `local_linear_trend` (with a slope that moves "
            "too), `autoregressive` (constant, with errors that fade)"
        ),
    ] = "local_level"
    seasonal: Annotated[
        int, Field(description="periods of a seasonal pattern, 4 for quarters, 12 for months; 0: none", ge=0)
    ] = 0
    donors: Annotated[
        Literal["mean", "synthetic", "none"] | tuple[str, ...],
        Field(
            description="the controls among the regressors: their `mean`, their `synthetic` weighted mean, `none`, or units by "
            "name, each with a coefficient of its own"
        ),
    ] = "mean"
    covariates: Annotated[
        tuple[str, ...], Field(description="covariates of the treated unit that are regressors too")
    ] = ()

    def __post_init__(self) -> None:
        if self.seasonal == 1:
            raise ValueError("`seasonal` is the number of periods of a pattern: 0 for none, or at least 2")
        if self.seasonal and self.level == "autoregressive":
            raise ValueError("`seasonal` needs a level that moves; it cannot be combined with level = 'autoregressive'")


def fit(panel: Panel, options: Options) -> Fit:
    """A structural time-series model of the treated before the start, forecast over the periods after it.

    y_t = μ_t + γ_t + x_t'β + ε_t with a moving level μ, a seasonal pattern γ and regressors x (donors, covariates); the
    counterfactual is the forecast given x, the effect what was observed minus it. Effects before the start are one-step-ahead
    prediction errors: what a forecaster would have missed each period by.

    The effect rests on two assumptions: the treatment moved neither donors nor covariates, and their relation to the treated,
    and the way the level moves, would have stayed what they were.

    Parameters
    ----------
    panel : Panel
        One common start. The mean of several treated units is modelled, each measured from its own mean before the start.
        The treated may have missing cells; controls that have are left out, and named in a note.

    Returns
    -------
    Fit
        `att` in the outcome's unit; `variance` the exact covariance of the forecast errors, which are correlated over time;
        `details["cumulative"]` the sum over the window (outcome's unit × periods) with its interval.

    Raises
    ------
    EstimationError
        Several starts, too few periods before the start, a treated unit never observed before it, donors or covariates that
        are not there, have missing cells or never change.

    References
    ----------
    Brodersen, Gallusser, Koehler, Remy & Scott (2015), Annals of Applied Statistics 9(1), eqs. (2.1)-(2.5), by maximum
    likelihood instead of their prior; Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter.
    """
    start = _start(panel, options)
    target = target_weights(panel, np.isfinite(panel.outcome))
    observed, series = _series(panel, target, start)
    regressors, names, weights, dropped = _regressors(panel, options, target, series, start)
    found = forecast(series, regressors, start, options.level, options.seasonal, names)
    effects = np.concatenate([found.innovations, series[start:] - found.mean])
    window = target.periods[start:]
    return Fit(
        att=float(window[window > 0] @ effects[start:][window > 0]),
        effects=effects,
        event_times=np.arange(panel.n_periods) - start,
        periods=np.arange(panel.n_periods),
        observed=observed,
        counterfactual=observed - effects,
        unit_weights=weights,
        fit_rmse=float(np.sqrt(np.nanmean(found.innovations**2))),
        variance=_variance(found, window),
        forecast=True,
        n_obs=found.n,
        n_parameters=found.n_parameters,
        notes=dropped_note(dropped),
        details=_details(panel, found, names, effects, window, start) | {"dropped_units": list(dropped)},
    )


def _start(panel: Panel, options: Options) -> int:
    """The common start; without donors everybody may be treated."""
    if options.donors != "none" or not panel.treated.all():
        return common_start(panel, "structural_time_series")
    if len(panel.starts) > 1 or panel.starts[0] == 0 or not panel.target.any():
        raise EstimationError(
            "structural_time_series: it needs one common start with periods before it, and a window after it"
        )
    return panel.starts[0]


def _series(panel: Panel, target: Target, start: int) -> tuple[Array, Array]:
    """(periods,) the treated's mean outcome, and the same with each unit measured from its mean before the start; NaN: missing."""
    rows = np.flatnonzero(target.units)
    lines = panel.outcome[rows]
    known = np.isfinite(lines)
    silent = [panel.units[row] for row in rows[known[:, :start].sum(axis=1) == 0]]
    if silent:
        raise EstimationError(
            f"structural_time_series: {listed(silent)} has no observation before the start, so there is nothing to forecast from"
        )
    shares = np.where(known, target.shares_of(rows), 0.0)
    total = shares.sum(axis=0)
    shares = shares / np.where(total > 0, total, np.nan)
    filled = np.where(known, lines, 0.0)
    own = filled[:, :start].sum(axis=1) / known[:, :start].sum(axis=1)
    return (shares * filled).sum(axis=0), (shares * (filled - own[:, None])).sum(axis=0)


def _regressors(
    panel: Panel, options: Options, target: Target, series: Array, start: int
) -> tuple[Array, tuple[str, ...], Array | None, tuple[str, ...]]:
    """(periods, k) regressors and their names, (units,) weights of the controls where one weighted mean stands for them, and
    the controls left out."""
    covariates = _covariates(panel, options.covariates, target)
    if options.donors == "none":
        return covariates, options.covariates, None, ()
    complete: Mask = np.asarray(np.isfinite(panel.outcome).all(axis=1))
    if isinstance(options.donors, tuple):
        donors = _named(panel, options.donors, complete)
        return np.hstack([donors, covariates]), (*options.donors, *options.covariates), None, ()
    kept = complete & ~panel.treated
    if not kept.any():
        raise EstimationError(
            "structural_time_series: no control is observed in every period; donors = 'none' forecasts from the treated's own past"
        )
    weights = kept / float(kept.sum())
    if options.donors == "synthetic":
        used = np.flatnonzero(np.isfinite(series[:start]))
        columns = panel.outcome[kept][:, used].T
        weights[kept] = simplex_least_squares(columns - columns.mean(axis=0), series[used] - series[used].mean())
    donor = (weights[kept] @ panel.outcome[kept])[:, None]
    name = "the mean of the controls" if options.donors == "mean" else "the synthetic control"
    dropped = tuple(panel.units[row] for row in np.flatnonzero(~complete & ~panel.treated))
    return np.hstack([donor, covariates]), (name, *options.covariates), weights, dropped


def _named(panel: Panel, donors: tuple[str, ...], complete: Mask) -> Array:
    """(periods, donors) the outcomes of the units named."""
    place = {name: row for row, name in enumerate(panel.units)}
    faults = []
    for name in donors:
        if name not in place:
            faults.append(f"no unit '{name}' in the panel{did_you_mean(name, place)}")
        elif panel.treated[place[name]]:
            faults.append(f"the donor '{name}' is treated itself")
        elif not complete[place[name]]:
            faults.append(f"the donor '{name}' lacks an observation in some period; it needs all of them")
    if faults:
        raise EstimationError(*(f"structural_time_series: {fault}" for fault in faults))
    return np.asarray(panel.outcome[[place[name] for name in donors]].T)


def _covariates(panel: Panel, names: tuple[str, ...], target: Target) -> Array:
    """(periods, covariates) the treated's mean of each covariate."""
    columns = np.empty((panel.n_periods, len(names)))
    faults = []
    rows = np.flatnonzero(target.units)
    for index, name in enumerate(names):
        if name not in panel.covariates:
            faults.append(f"no covariate '{name}' in the panel{did_you_mean(name, panel.covariates)}")
            continue
        values = panel.covariates[name]
        if values.ndim == 1:
            faults.append(f"the covariate '{name}' does not change over time, so the level already holds it constant")
        elif not np.isfinite(values[rows]).all():
            faults.append(
                f"the covariate '{name}' of a treated unit is missing in some period; a forecast needs all of them"
            )
        else:
            columns[:, index] = target.units[rows] @ values[rows]
    if faults:
        raise EstimationError(*(f"structural_time_series: {fault}" for fault in faults))
    return columns


def _variance(found: Forecast, window: Array) -> Array:
    """(1 + periods, 1 + periods) covariance of effect and path; 0 where the path has no effect.

    Forecast errors after the start are correlated: they share where the level stood and the coefficients. One-step-ahead errors
    before it are not.
    """
    start, ahead = found.innovations.size, window.size
    variance = np.zeros((1 + start + ahead, 1 + start + ahead))
    inside = np.arange(1, 1 + start)
    variance[inside, inside] = np.nan_to_num(found.innovation_variance)
    variance[1 + start :, 1 + start :] = found.covariance
    variance[0, 1 + start :] = variance[1 + start :, 0] = found.covariance @ window
    variance[0, 0] = window @ found.covariance @ window
    return variance


def _details(
    panel: Panel, found: Forecast, names: tuple[str, ...], effects: Array, window: Array, start: int
) -> dict[str, Value]:
    """Coefficients, variances and the cumulative effect up to each period of the window."""
    used = np.flatnonzero(window > 0)
    sums = np.tril(np.ones((used.size, used.size)))
    cumulative = sums @ effects[start + used]
    errors = np.sqrt(np.maximum(np.diag(sums @ found.covariance[np.ix_(used, used)] @ sums.T), 0.0))
    quantile = float(ndtri(0.5 + LEVEL / 2.0))
    path = [
        {
            "period": panel.periods[start + int(index)].label,
            "effect": float(effect),
            "std_error": float(error),
            "lower": float(effect - quantile * error),
            "upper": float(effect + quantile * error),
        }
        for index, effect, error in zip(used, cumulative, errors, strict=True)
    ]
    own = np.sqrt(np.diag(found.coefficient_covariance))
    coefficients = {
        name: {"coefficient": float(value), "std_error": float(error)}
        for name, value, error in zip(names, found.coefficients, own, strict=True)
    }
    details: dict[str, object] = {
        "coefficients": coefficients,
        "variances": found.variances,
        "log_likelihood": number(found.log_likelihood),
        # what the error would be, were the variance ratios known: programs that fix them, or nearly, print this
        "std_error_given_ratios": math.sqrt(max(float(window @ found.given @ window), 0.0)),
        "cumulative": {**path[-1], "level": LEVEL, "periods": int(used.size)},
        "cumulative_path": path,
    }
    return cast("dict[str, Value]", details)


METHOD = Method(
    name="structural_time_series",
    summary="structural time series: a model of level, season and donors before the start, forecast beyond it",
    fit=fit,
    options=Options,
    needs=("never_treated", "common_start", "two_pre_periods"),
    # not "period_shift": the coefficient of the donors need not be 1
    keeps=frozenset({"unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="analytic",
    source="Brodersen, Gallusser, Koehler, Remy & Scott (2015), Annals of Applied Statistics 9(1)",
)
