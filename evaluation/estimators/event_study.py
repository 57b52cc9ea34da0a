"""Event study: one effect per period before and after the start, relative to a reference period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from evaluation.by_cohort import Cells, cohort_regression
from evaluation.cohort_panel import (
    against_own_level,
    always_treated_blanked,
    by_cohort_and_period,
    clusters_of,
    for_all_units,
    headline,
    lines_of_the_treated,
)
from evaluation.contracts import Design, Fit, Method
from evaluation.errors import EstimationError
from evaluation.numerics import (
    common_start,
    contrast,
    contrast_influence,
    fit_of,
    something_treated,
    target_weights,
    without_always_treated,
)
from evaluation.panel import Array, Indices, Panel
from evaluation.regression import cell_weights, covariate_stack


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `event_study`."""

    covariates: Annotated[tuple[str, ...], Field(description="covariates that vary over time, held constant")] = ()
    reference: Annotated[
        int, Field(lt=0, description="event time of the reference period; -1 is the last one before")
    ] = -1
    bin_before: Annotated[int | None, Field(lt=0, description="event times this early or earlier share one effect")] = (
        None
    )
    bin_after: Annotated[int | None, Field(ge=0, description="event times this late or later share one effect")] = None
    weights: Annotated[
        str,
        Field(
            description='weights of the cells: "size" (the persons behind them) or a covariate; empty for equal ones'
        ),
    ] = ""

    def __post_init__(self) -> None:
        if self.bin_before is not None and self.bin_before >= self.reference:
            raise ValueError("`bin_before` must lie before the reference period")


def fit(panel: Panel, options: Options) -> Fit:
    """Leads and lags of treatment with unit and period effects; the headline is their mean over the window.

    Parameters
    ----------
    panel : Panel
        May have missing cells and several starts.

    Returns
    -------
    Fit
        `effects` by event time, 0 at the reference; `path_influence` (times, units) for cluster-robust variances.

    Raises
    ------
    EstimationError
        The reference period is not in the data, or an effect is not identified, as where every unit is treated at some time.

    References
    ----------
    Sun & Abraham (2021), Journal of Econometrics 225(2), eq. (3); with several starts its leads and lags may mix cohorts.
    """
    if len(panel.starts) > 1 and panel.starts[0] == 0:
        kept, notes = without_always_treated(panel)
        return for_all_units(fit(kept, options), panel, notes)
    plain = not options.covariates and not options.weights and options.bin_before is None and options.bin_after is None
    if len(panel.starts) == 1 and plain and panel.balanced:
        return _contrast_fit(panel, options)
    return _regression_fit(panel, options)


def _contrast_fit(panel: Panel, options: Options) -> Fit:
    start = common_start(panel, "event_study")
    if start + options.reference < 0:
        raise EstimationError(f"event_study: event time {options.reference}, the reference, lies before the data")
    target = target_weights(panel)
    controls = (~panel.treated) / float((~panel.treated).sum())
    before = np.zeros(panel.n_periods)
    before[start + options.reference] = 1.0
    found = contrast(panel.outcome, target, controls, before, start)
    influence, path_influence = contrast_influence(panel.outcome, target, controls, before)
    return fit_of(
        found,
        start,
        controls,
        before,
        influence=influence,
        path_influence=path_influence,
        n_obs=panel.n_units * panel.n_periods,
        n_parameters=panel.n_periods - 1 + panel.n_periods,
    )


def regression(panel: Panel, options: Options) -> Design:
    """Outcomes on a dummy for each event time but the reference, and the covariates; the headline is the window's mean.

    Raises
    ------
    EstimationError
        No unit is treated, the window is empty, a bin straddles it, or the reference period is not in the data.
    """
    panel = always_treated_blanked(panel)
    cells, study = _leads_and_lags(panel, options)
    regressors = np.concatenate([study.dummies[:, cells.cohort], covariate_stack(panel, options.covariates)])
    combination = np.concatenate([study.average, np.zeros(len(options.covariates))])
    path = np.eye(len(study.names))[: study.estimated.size]
    path = np.insert(path, np.searchsorted(study.estimated, options.reference), 0.0, axis=0)
    return Design(panel.outcome, regressors, study.names, combination, False, cells.weights, path, study.functional)


@dataclass(frozen=True, slots=True)
class Study:
    """The leads and lags.

    `estimated` event times, their `dummies` (times, cohorts, periods), the `average` (times,) shares of the headline's cells and
    `functional` (units, periods) what residuals add to it where its weights are not those of least squares; `names` of dummies and
    covariates.
    """

    estimated: Indices
    dummies: Array
    average: Array
    functional: Array | None
    names: tuple[str, ...]


def _leads_and_lags(panel: Panel, options: Options) -> tuple[Cells, Study]:
    """What is regressed and on which event times."""
    something_treated(panel, "event_study")
    starts, cohort = np.unique(panel.start, return_inverse=True)
    covariates = tuple(covariate_stack(panel, options.covariates))
    weights = cell_weights(panel, options.weights, "event_study")
    cells = Cells(panel.outcome, cohort, covariates=covariates, weights=weights)
    times = np.arange(panel.n_periods)[None, :] - starts[:, None]
    after = times >= 0
    if options.bin_before is not None:
        times = np.maximum(times, options.bin_before)
    if options.bin_after is not None:
        times = np.minimum(times, options.bin_after)
        pooled = panel.target_from(starts)[after & (times == options.bin_after)]
        if pooled.any() and not pooled.all():
            raise EstimationError("event_study: `bin_after` pools periods inside the window with periods outside it")
    treated = (starts < panel.n_periods)[:, None]
    seen = (
        by_cohort_and_period(np.isfinite(panel.outcome), cohort, starts.size) > 0.0
        if not panel.balanced
        else np.ones(times.shape, dtype=np.bool_)
    )
    found = np.unique(times[treated & seen])
    if options.reference not in found:
        raise EstimationError(f"event_study: event time {options.reference}, the reference, is not in the data")
    estimated: Indices = found[found != options.reference]
    dummies = ((times == estimated[:, None, None]) & treated).astype(np.float64)
    shares, weighted = headline(panel, cells, starts)
    average = np.asarray(np.einsum("kgt,gt->k", dummies, shares))
    names = (*(f"event time {time}" for time in estimated), *options.covariates)
    functional = against_own_level(weighted, cells, dummies[:, None], starts)
    return cells, Study(estimated, dummies, average, functional, names)


def _regression_fit(panel: Panel, options: Options) -> Fit:
    cells, study = _leads_and_lags(panel, options)
    functional = study.functional
    try:
        found = cohort_regression(cells, study.dummies[:, None], names=study.names, functional=functional)
    except EstimationError as refusal:
        if not panel.treated.all():
            raise
        raise EstimationError(
            "event_study: every unit is treated at some time, so unit and period effects explain the leads and lags; "
            '`imputation`, `sun_abraham` or `callaway_santanna` with control_group = "not_yet_treated" compare with those '
            "treated later"
        ) from refusal
    count = study.estimated.size
    times: Indices = np.sort(np.append(study.estimated, options.reference))
    place = np.searchsorted(times, study.estimated)
    effects = np.zeros(times.size)
    effects[place] = found.coefficients[:count]
    chosen = np.zeros((1 + times.size, len(study.names)))
    chosen[0, :count] = study.average
    chosen[1 + place, np.arange(count)] = 1.0
    influence = found.influence(chosen)
    own = influence[0] if functional is None else influence[0] + found.functional_influence()
    common = len(panel.starts) == 1 and options.bin_before is None and options.bin_after is None
    observed, counterfactual = lines_of_the_treated(panel, times, effects) if common else (None, None)
    return Fit(
        att=float(study.average @ found.coefficients[:count]) + found.functional,
        effects=effects,
        event_times=times,
        periods=times + panel.starts[0] if common else None,
        observed=observed,
        counterfactual=counterfactual,
        fit_rmse=float(np.sqrt(np.mean(effects[times < 0] ** 2))),
        influence=own,
        path_influence=influence[1:],
        n_obs=found.n_obs,
        n_parameters=found.n_parameters,
        n_clusters=clusters_of(panel, cells),
        details={
            "coefficients": {
                name: float(value) for name, value in zip(options.covariates, found.coefficients[count:], strict=True)
            }
        },
    )


METHOD = Method(
    name="event_study",
    summary="event study: an effect for each period, relative to the last one before the start",
    fit=fit,
    options=Options,
    needs=("never_treated", "one_pre_period"),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="cluster",
    source="Sun & Abraham (2021), Journal of Econometrics 225(2), section 3.1",
    regression=regression,
)
