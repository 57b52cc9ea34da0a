"""Synthetic control: the weighted mean of controls that ran like the treated unit before the start."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.combined import Part, combined_fit
from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError
from evaluation.numerics import (
    Contrast,
    common_start,
    comparable,
    complete_units,
    contrast,
    dropped_note,
    fit_of,
    simplex_least_squares,
    spread,
    target_weights,
    without_always_treated,
)
from evaluation.panel import Array, Panel
from evaluation.predictors.measured import Predictor, predictor_weights
from evaluation.predictors.penalty import best_penalty, held_out_scores, left_out_scores, penalised_weights
from evaluation.result import Value


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `synthetic_control`."""

    demeaned: Annotated[bool, Field(description="compare deviations from each unit's own pre-period mean")] = False
    predictors: Annotated[
        tuple[Predictor, ...],
        Field(
            description="match these instead of the outcome of every pre-period: { column = ..., periods = [first, last] }"
        ),
    ] = ()
    covariates: Annotated[
        tuple[str, ...], Field(description="short for predictors: the mean of each covariate over all pre-periods")
    ] = ()
    v: Annotated[
        Literal["nested", "cross_validation", "inverse_variance", "equal"] | tuple[float, ...],
        Field(
            description="weights of the predictors (each divided by its standard deviation): searched for the best "
            "pre-period fit, searched on the first half of the pre-periods for the best fit in the second, inverse variances "
            "(the same as equal), or given in order"
        ),
    ] = "nested"
    loss_periods: Annotated[
        tuple[int | str, int | str] | None,
        Field(
            description="the pre-periods whose fit the search minimises; default: all, under cross-validation the second half"
        ),
    ] = None
    penalty: Annotated[
        float | Literal["cv", "holdout"] | None,
        Field(
            description="price of donors that are far from the treated unit one by one (Abadie & L'Hour): a number, chosen by "
            "predicting each control from the others after the start, or by predicting the last third of the pre-periods"
        ),
    ] = None
    pooled: Annotated[
        Literal["mean", "each"],
        Field(
            description="several treated units: one synthetic control for their mean, or one for each (starts may differ)"
        ),
    ] = "mean"

    def __post_init__(self) -> None:
        matched = bool(self.predictors or self.covariates)
        if self.demeaned and matched:
            raise ValueError("`demeaned` matches outcomes; it cannot be combined with predictors")
        if not matched and (self.v != "nested" or self.loss_periods is not None):
            what = "`v` weights predictors" if self.v != "nested" else "`loss_periods` serve the search for `v`"
            raise ValueError(f"{what}, and there are none: name `predictors` or `covariates`")
        if self.v == "cross_validation" and any(each.periods is not None for each in self.predictors):
            raise ValueError(
                '`v = "cross_validation"` measures every predictor over each half of the pre-periods; '
                "leave out the predictors' own `periods`"
            )
        if isinstance(self.penalty, float | int) and not 0.0 <= self.penalty < math.inf:
            raise ValueError("`penalty` must be 0 or more")
        if self.penalty is not None and matched and self.v in ("nested", "cross_validation"):
            raise ValueError(
                'a `penalty` needs weights of the predictors that are not searched: `v = "equal"` or given ones'
            )
        if self.penalty == "holdout" and matched:
            raise ValueError('`penalty = "holdout"` holds out outcomes; with predictors give a number or "cv"')


def fit(panel: Panel, options: Options) -> Fit:
    """Synthetic control; several treated units are averaged first, or (`pooled = "each"`) get one each.

    Without predictors the weights minimise the squared pre-period gaps over the simplex, exactly; with predictors they
    minimise the V-weighted distance of the predictors, V being given or searched. A penalty λ Σ_j w_j ‖x₁ − x_j‖² is added to
    either.

    Parameters
    ----------
    panel : Panel
        Controls with a missing cell are left out, and so are units treated from the first period on; both named in notes.

    Returns
    -------
    Fit
        `att` in the outcome's unit; `unit_weights` (units,) summing to 1, with one synthetic control for each treated unit
        their mean by the headline's weights. Of each treated unit `details["treated_units"]`.

    Raises
    ------
    EstimationError
        Several starts (unless each treated unit gets its own), a treated unit with a missing cell, a predictor that is not
        there or reaches past the start.

    References
    ----------
    Abadie, Diamond & Hainmueller (2010), Journal of the American Statistical Association 105(490), eqs. (2)-(4) and
    section 2.3; (2015), American Journal of Political Science 59(2), for cross-validation; penalised and one for each treated
    unit: Abadie & L'Hour (2021), Journal of the American Statistical Association 116(536), eqs. (5)-(6); demeaned: Ferman &
    Pinto (2021), Quantitative Economics 12(4), eq. (6).
    """
    full = panel
    panel, notes = without_always_treated(panel)
    panel, dropped = complete_units(panel, "synthetic_control")
    notes = (*notes, *dropped_note(dropped))
    more: dict[str, Value] = {"dropped_units": list(dropped)}
    if options.pooled == "each" and panel.treated.sum() > 1:
        parts, told = _one_for_each(panel, options)
        found = combined_fit(panel, target_weights(panel), parts, notes, {"treated_units": told, **more})
        assert found.unit_weights is not None
        return replace(found, unit_weights=spread(found.unit_weights, panel, full))
    start = common_start(panel, "synthetic_control", '; `pooled = "each"` takes several')
    one = _single(panel, options, start)
    return fit_of(
        one.found, start, spread(one.controls, panel, full), one.before, notes=notes, details={**one.details, **more}
    )


@dataclass(frozen=True, slots=True)
class _Single:
    """One synthetic control: ω (units,), λ (periods,) where it is demeaned, and the contrast under them."""

    controls: Array
    before: Array | None
    found: Contrast
    details: dict[str, Value]


def _single(panel: Panel, options: Options, start: int) -> _Single:
    """One synthetic control for the mean of the treated units of a panel with one start."""
    target = target_weights(panel)
    rows = ~panel.treated
    if options.predictors or options.covariates:
        chosen = (*options.predictors, *(Predictor(name) for name in options.covariates))
        # "holdout" is refused together with predictors
        penalty = None if options.penalty == "holdout" else options.penalty
        omega, details = predictor_weights(panel, chosen, options.v, options.loss_periods, penalty, target.units, start)
    else:
        omega, details = _outcome_weights(panel, options, target.units, start)
    controls = np.zeros(panel.n_units)
    controls[rows] = omega
    before = np.where(np.arange(panel.n_periods) < start, 1.0 / start, 0.0) if options.demeaned else None
    return _Single(controls, before, contrast(panel.outcome, target, controls, before, start), details)


def _outcome_weights(panel: Panel, options: Options, treated: Array, start: int) -> tuple[Array, dict[str, Value]]:
    """Donor weights that match the outcome of every pre-period, and the λ that was used, if any."""
    columns, line = panel.outcome[~panel.treated].T, treated @ panel.outcome
    if options.demeaned:
        columns, line = columns - columns[:start].mean(axis=0), line - line[:start].mean()
    if options.penalty is None:
        return simplex_least_squares(columns[:start], line[:start]), {}
    penalty = options.penalty
    if penalty == "cv":
        penalty = best_penalty(left_out_scores(columns[:start], columns[start:]))
    elif penalty == "holdout":
        first = start - max(1, start // 3)
        if first == 0:
            raise EstimationError(
                'synthetic_control: penalty = "holdout" needs at least two periods before the start; give a number or "cv"'
            )
        training = columns[:first] - line[:first, None]
        if options.demeaned:
            training = training - training.mean(axis=0)
        # the held-out gaps are measured from the mean over the training periods, which is all the weights have seen
        level = (columns[:first] - line[:first, None]).mean(axis=0) if options.demeaned else 0.0
        penalty = best_penalty(held_out_scores(training, columns[first:start] - line[first:start, None] - level))
    return penalised_weights(columns[:start] - line[:start, None], penalty), {"penalty": penalty}


def _one_for_each(panel: Panel, options: Options) -> tuple[list[Part], list[Value]]:
    """A synthetic control of its own for each treated unit, averaged as the headline weights them."""
    comparable(panel, "synthetic_control")
    target = target_weights(panel)
    parts: list[Part] = []
    told: list[Value] = []
    for row in np.flatnonzero(target.units):
        start = int(panel.start[row])
        kept = ~panel.treated
        kept[row] = True
        one = _single(panel.keep_units(kept), options, start)
        controls = np.zeros(panel.n_units)
        controls[kept] = one.controls
        parts.append(Part(np.array([row]), start, controls, one.found))
        told.append(
            {
                "unit": panel.units[row],
                "start": panel.periods[start].label,
                "share": float(target.units[row]),
                "effect": one.found.att,
                "rmspe_pre": one.found.fit_rmse,
                **one.details,
            }
        )
    return parts, told


def gaps(panel: Panel, options: Options) -> Array:
    """(periods,) gaps of weights fitted on all periods, the null imposed: Chernozhukov, Wüthrich & Zhu (2021), section 2.

    Raises
    ------
    EstimationError
        Predictors are used, or a penalty is to be chosen: they have no fit on all periods.
    """
    if options.predictors or options.covariates:
        raise EstimationError("synthetic_control: with predictors there is no null-imposed fit on all periods")
    if isinstance(options.penalty, str):
        raise EstimationError(
            "synthetic_control: with a penalty to be chosen there is no null-imposed fit on all periods"
        )
    rows, target = ~panel.treated, target_weights(panel).units
    columns = panel.outcome[rows].T
    lines = panel.outcome[target > 0] if options.pooled == "each" else (target @ panel.outcome)[None, :]
    shares = target[target > 0] if options.pooled == "each" else np.ones(1)
    if options.demeaned:
        columns, lines = columns - columns.mean(axis=0), lines - lines.mean(axis=1, keepdims=True)
    return np.asarray(shares @ [line - columns @ _null_weights(columns, line, options.penalty) for line in lines])


def _null_weights(columns: Array, line: Array, penalty: float | None) -> Array:
    if penalty is None:
        return simplex_least_squares(columns, line)
    return penalised_weights(columns - line[:, None], penalty)


METHOD = Method(
    name="synthetic_control",
    summary="synthetic control: the weighted mean of controls that ran like the treated unit before the start",
    fit=fit,
    options=Options,
    needs=("never_treated", "balanced", "common_start", "one_pre_period"),
    keeps=frozenset({"period_shift", "common_shift", "scale", "unit_order"}),
    default_inference="placebo",
    source="Abadie, Diamond & Hainmueller (2010), Journal of the American Statistical Association 105(490)",
    gaps=gaps,
)
