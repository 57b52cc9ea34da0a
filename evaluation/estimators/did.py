"""Difference-in-differences with unit and period effects."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from evaluation.by_cohort import Cells, CohortRegression, cohort_regression
from evaluation.cohort_panel import (
    above_own_level,
    against_own_level,
    always_treated_blanked,
    clusters_of,
    for_all_units,
    headline,
    headline_weights,
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
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.regression import cell_weights, covariate_stack, used_outcome
from evaluation.result import Note, Value
from evaluation.twfe_weights import goodman_bacon, negative_weights


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `did`."""

    covariates: Annotated[tuple[str, ...], Field(description="covariates that vary over time, held constant")] = ()
    unit_trends: Annotated[bool, Field(description="also a linear trend of each unit; it can eat a growing effect")] = (
        False
    )
    weights: Annotated[
        str,
        Field(
            description='weights of the cells: "size" (the persons behind them) or a covariate; empty for equal ones'
        ),
    ] = ""


def fit(panel: Panel, options: Options) -> Fit:
    """Difference-in-differences: the change of the treated minus the average change of the controls.

    With one common start and complete data this is the ω'Yλ contrast with equal weights on controls and pre-periods; with
    covariates, unit trends, missing cells or several starts it is the coefficient of the treated cells in a regression with
    unit and period effects, which equals the contrast where both exist. Periods after the window are left out.

    Parameters
    ----------
    panel : Panel
        May have missing cells and several starts.

    Returns
    -------
    Fit
        `att` in the outcome's unit; `influence` (units,) for cluster-robust variances.

    Raises
    ------
    EstimationError
        Nobody is treated, nobody is a control, or the effects explain the treatment.

    References
    ----------
    Angrist & Pischke (2009), Mostly Harmless Econometrics, eq. (5.2.3). With several starts the coefficient weights effects
    unequally, some negatively: `details["twfe_weights"]` by de Chaisemartin & D'Haultfœuille (2020), American Economic Review
    110(9), theorem 1 and corollary 1; `details["goodman_bacon"]` by Goodman-Bacon (2021), Journal of Econometrics 225(2),
    theorem 1.
    """
    if len(panel.starts) > 1 and panel.starts[0] == 0:
        kept, notes = without_always_treated(panel)
        return for_all_units(fit(kept, options), panel, notes)
    if len(panel.starts) == 1 and not (options.covariates or options.unit_trends or options.weights):
        used = _complete_periods(panel)
        if used is not None:
            return _contrast_fit(panel, common_start(panel, "did"), used)
    return _regression_fit(panel, options)


def _complete_periods(panel: Panel) -> Mask | None:
    """(periods,) those the effect rests on, or None where one of their cells is missing."""
    if panel.balanced:
        return np.asarray((np.arange(panel.n_periods) < panel.starts[0]) | panel.target.any(axis=0))
    outcome = used_outcome(panel)
    used = np.asarray(np.isfinite(outcome).any(axis=0))
    return used if np.isfinite(outcome[:, used]).all() else None


def _contrast_fit(panel: Panel, start: int, used: Mask) -> Fit:
    target = target_weights(panel, None if panel.balanced else np.isfinite(panel.outcome))
    controls = (~panel.treated) / float((~panel.treated).sum())
    before = np.where((np.arange(panel.n_periods) < start) & used, 1.0, 0.0)
    if not before.any() or not used[start:].any():
        raise EstimationError("did: nothing is observed before the start, or nothing in the window")
    before /= before.sum()
    # cells outside `used` have weight zero; 0 stands in for what may be missing there
    known = np.ones(panel.n_periods, np.bool_) if panel.balanced else np.isfinite(panel.outcome).all(axis=0)
    outcome = panel.outcome if known.all() else np.where(known, panel.outcome, 0.0)
    found = contrast(outcome, target, controls, before, start)
    influence, path_influence = contrast_influence(outcome, target, controls, before)
    if not known.all():
        found = dataclasses.replace(
            found,
            effects=np.where(known, found.effects, np.nan),
            observed=np.where(known, found.observed, np.nan),
            counterfactual=np.where(known, found.counterfactual, np.nan),
            fit_rmse=float(np.sqrt(np.mean(found.effects[before > 0] ** 2))),
        )
    return fit_of(
        found,
        start,
        controls,
        before,
        influence=influence,
        path_influence=path_influence,
        n_obs=int(panel.n_units * used.sum()),
        n_parameters=1 + int(used.sum()),
    )


def regression(panel: Panel, options: Options) -> Design:
    """Outcomes on the treated cells of the window and the covariates; the first coefficient is the effect.

    Raises
    ------
    EstimationError
        No unit is treated, the window is empty, or a covariate is not there or never changes.
    """
    panel = always_treated_blanked(panel)
    something_treated(panel, "did")
    names = ("treated", *options.covariates)
    terms = _terms(panel, options)
    regressors = np.stack([panel.target.astype(np.float64), *terms.cells.covariates])
    combination = np.eye(len(names))[0]
    return Design(
        terms.cells.outcome,
        regressors,
        names,
        combination,
        options.unit_trends,
        terms.cells.weights,
        functional=terms.functional,
    )


@dataclass(frozen=True, slots=True)
class _Terms:
    """The cells of the regression, its dummy (1, 1, starts, periods), and what residuals add to its coefficient, if anything."""

    cells: Cells
    dummy: Array
    starts: Indices
    functional: Array | None


def _terms(panel: Panel, options: Options) -> _Terms:
    starts, cohort = np.unique(panel.start, return_inverse=True)
    weights = cell_weights(panel, options.weights, "did")
    covariates = tuple(covariate_stack(panel, options.covariates))
    cells = Cells(used_outcome(panel), cohort, covariates=covariates, weights=weights, trends=options.unit_trends)
    dummy = panel.target_from(starts).astype(np.float64)[None, None]
    # with persons behind the cells the headline weights them otherwise than least squares does
    _, weighted = headline(panel, cells, starts)
    return _Terms(cells, dummy, starts, against_own_level(weighted, cells, dummy, starts))


def _regression_fit(panel: Panel, options: Options) -> Fit:
    something_treated(panel, "did")
    terms = _terms(panel, options)
    cells, starts, functional = terms.cells, terms.starts, terms.functional
    names = ("treated", *options.covariates)
    found = cohort_regression(cells, terms.dummy, names=names, functional=functional)
    coefficients: dict[str, Value] = {name: float(value) for name, value in zip(names, found.coefficients, strict=True)}
    influence = found.influence(np.eye(1, len(names)))[0]
    if functional is not None:
        influence = influence + found.functional_influence()
    common = Fit(
        att=float(found.coefficients[0]) + found.functional,
        effects=np.empty(0),
        event_times=np.empty(0, dtype=np.int64),
        influence=influence,
        n_obs=found.n_obs,
        n_parameters=found.n_parameters,
        n_clusters=clusters_of(panel, cells),
        details={"coefficients": coefficients},
    )
    if len(panel.starts) == 1:
        return _with_path(panel, terms, found, common)
    note = Note(
        "staggered_twfe",
        "The treated units started at different times: this coefficient mixes comparisons and may weight some effects "
        "negatively. It should not be the answer.",
    )
    return dataclasses.replace(
        common,
        notes=(note,),
        details={
            "coefficients": coefficients,
            "twfe_weights": negative_weights(found, panel.target_from(starts)),
            "goodman_bacon": goodman_bacon(cells, starts, [period.label for period in panel.periods]),
        },
    )


def _with_path(panel: Panel, terms: _Terms, regression: CohortRegression, found: Fit) -> Fit:
    """The treated cells' residual plus coefficient is their gap to the counterfactual; its mean over the window is the effect."""
    start = common_start(panel, "did")
    target = headline_weights(panel, terms.cells)
    rows = np.flatnonzero(panel.treated)
    residuals = regression.residuals(rows)
    if terms.functional is not None:
        residuals = above_own_level(residuals, rows, terms.cells, terms.dummy, terms.starts)
    gaps = residuals + regression.coefficients[0] * panel.target[rows]
    seen = np.isfinite(gaps)
    shares = np.where(seen, target.shares_of(rows), 0.0)
    total = shares.sum(axis=0)
    known = total > 0
    shares = shares / np.where(known, total, 1.0)
    effects = np.where(known, (shares * np.where(seen, gaps, 0.0)).sum(axis=0), np.nan)
    observed = np.where(known, (shares * np.where(seen, panel.outcome[rows], 0.0)).sum(axis=0), np.nan)
    return dataclasses.replace(
        found,
        effects=effects,
        event_times=np.arange(panel.n_periods) - start,
        periods=np.arange(panel.n_periods),
        observed=observed,
        counterfactual=observed - effects,
        unit_weights=(~panel.treated) / float((~panel.treated).sum()),
        fit_rmse=float(np.sqrt(np.nanmean(effects[:start] ** 2))) if known[:start].any() else None,
    )


def gaps(panel: Panel, options: Options) -> Array:
    """(periods,) gap between treated and controls around its mean, fitted on all periods: Chernozhukov et al. (2021), sec. 2."""
    line = (target_weights(panel).units - (~panel.treated) / float((~panel.treated).sum())) @ panel.outcome
    return np.asarray(line - line.mean())


METHOD = Method(
    name="did",
    summary="difference-in-differences: the change of the treated minus the average change of the controls",
    fit=fit,
    options=Options,
    needs=("never_treated", "one_pre_period"),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="cluster",
    source="Angrist & Pischke (2009), Mostly Harmless Econometrics, section 5.2",
    gaps=gaps,
    regression=regression,
)
