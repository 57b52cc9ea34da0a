"""Synthetic control: the weighted mean of controls that ran like the treated unit before the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError, did_you_mean
from evaluation.numerics import (
    common_start,
    complete_units,
    contrast,
    dropped_note,
    fit_of,
    simplex_least_squares,
    spread,
    target_weights,
)
from evaluation.panel import Array, Panel
from evaluation.periods import parse_period


@dataclass(frozen=True, slots=True)
class Predictor:
    """One predictor: the mean of a column over some periods before the start."""

    column: Annotated[str, Field(description="a covariate of the panel, or the outcome")]
    periods: Annotated[
        tuple[int | str, int | str] | None, Field(description="[first, last]; default: all periods before the start")
    ] = None


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
        Literal["nested", "equal"] | tuple[float, ...],
        Field(
            description="weights of the predictors (each divided by its standard deviation): searched for the best "
            "pre-period fit, equal, or given in order"
        ),
    ] = "nested"
    loss_periods: Annotated[
        tuple[int | str, int | str] | None,
        Field(description="the pre-periods whose fit the nested search minimises; default: all"),
    ] = None

    def __post_init__(self) -> None:
        if self.demeaned and (self.predictors or self.covariates):
            raise ValueError("`demeaned` matches outcomes; it cannot be combined with predictors")


def fit(panel: Panel, options: Options) -> Fit:
    """Synthetic control for one common start; several treated units are averaged first.

    Without predictors the weights minimise the squared pre-period gaps over the simplex, exactly; with predictors they
    minimise the V-weighted distance of the predictors, V being given or searched.

    Parameters
    ----------
    panel : Panel
        Controls with a missing cell are left out, and named in a note.

    Returns
    -------
    Fit
        `att` in the outcome's unit; `unit_weights` (units,) summing to 1.

    Raises
    ------
    EstimationError
        Several starts, a treated unit with a missing cell, a predictor that is not there or reaches past the start.

    References
    ----------
    Abadie, Diamond & Hainmueller (2010), Journal of the American Statistical Association 105(490), eqs. (2)-(4) and
    section 2.3; demeaned: Ferman & Pinto (2021), Quantitative Economics 12(4), eq. (6).
    """
    full = panel
    panel, dropped = complete_units(panel, "synthetic_control")
    start = common_start(panel, "synthetic_control")
    target = target_weights(panel)
    rows = ~panel.treated
    details: dict[str, object] = {}
    if options.predictors or options.covariates:
        omega, details = _predictor_weights(panel, options, target.units, start)
    else:
        columns = panel.outcome[rows, :start].T
        line = (target.units @ panel.outcome)[:start]
        if options.demeaned:
            columns, line = columns - columns.mean(axis=0), line - line.mean()
        omega = simplex_least_squares(columns, line)
    controls = np.zeros(panel.n_units)
    controls[rows] = omega
    before = np.where(np.arange(panel.n_periods) < start, 1.0 / start, 0.0) if options.demeaned else None
    found = contrast(panel.outcome, target, controls, before, start)
    return fit_of(
        found,
        start,
        spread(controls, panel, full),
        before,
        notes=dropped_note(dropped),
        details={**details, "dropped_units": list(dropped)},
    )


def gaps(panel: Panel, options: Options) -> Array:
    """(periods,) gaps of weights fitted on all periods, the null imposed: Chernozhukov, Wüthrich & Zhu (2021), section 2.

    Raises
    ------
    EstimationError
        Predictors are used: they have no fit on all periods.
    """
    if options.predictors or options.covariates:
        raise EstimationError("synthetic_control: with predictors there is no null-imposed fit on all periods")
    rows = ~panel.treated
    columns, line = panel.outcome[rows].T, target_weights(panel).units @ panel.outcome
    if options.demeaned:
        columns, line = columns - columns.mean(axis=0), line - line.mean()
    return np.asarray(line - columns @ simplex_least_squares(columns, line))


def _predictor_weights(panel: Panel, options: Options, treated: Array, start: int) -> tuple[Array, dict[str, object]]:
    from evaluation import predictors as search

    chosen = (*options.predictors, *(Predictor(name) for name in options.covariates))
    names = [_name(predictor) for predictor in chosen]
    values = np.stack([_values(panel, predictor, start) for predictor in chosen])
    rows = ~panel.treated
    x1, x0 = values @ treated, values[:, rows]
    if not np.isfinite(values[:, rows | panel.treated]).all():
        broken = [name for name, row in zip(names, values, strict=True) if not np.isfinite(row).all()]
        raise EstimationError(
            f"synthetic_control: the predictor {', '.join(broken)} is missing for some unit in its periods"
        )
    first, last = _span(panel, options.loss_periods, start, "loss_periods")
    z1, z0 = (treated @ panel.outcome)[first : last + 1], panel.outcome[rows, first : last + 1].T
    if options.v == "nested":
        found = search.nested_v(x1, x0, z1, z0)
        v, omega = found.v, found.weights
    else:
        if options.v == "equal":
            v = np.full(len(chosen), 1.0 / len(chosen))
        else:
            v = np.asarray(options.v, dtype=np.float64)
            if v.size != len(chosen) or (v < 0).any() or v.sum() <= 0:
                raise EstimationError(
                    f"synthetic_control: `v` needs {len(chosen)} weights, none negative and not all zero"
                )
        omega = search.given_v(x1, x0, v)
    details: dict[str, object] = {
        "predictors": names,
        "v": [float(weight) for weight in v / v.sum()],
        "predictor_treated": [float(value) for value in x1],
        "predictor_synthetic": [float(value) for value in x0 @ omega],
        "predictor_controls": [float(value) for value in x0.mean(axis=1)],
        "loss": float(np.mean((z1 - z0 @ omega) ** 2)),
    }
    return omega, details


def _name(predictor: Predictor) -> str:
    if predictor.periods is None:
        return predictor.column
    first, last = predictor.periods
    return f"{predictor.column} {first}" if first == last else f"{predictor.column} {first}-{last}"


def _values(panel: Panel, predictor: Predictor, start: int) -> Array:
    """(units,) mean of a predictor over its observed periods."""
    if predictor.column == "outcome":
        layer = panel.outcome
    elif predictor.column in panel.covariates:
        layer = panel.covariates[predictor.column]
    else:
        known = ["outcome", *panel.covariates]
        raise EstimationError(
            f"synthetic_control: no covariate '{predictor.column}' in the panel{did_you_mean(predictor.column, known)}"
        )
    if layer.ndim == 1:
        return layer
    first, last = _span(panel, predictor.periods, start, predictor.column)
    block = layer[:, first : last + 1]
    seen = np.isfinite(block)
    return np.asarray(np.where(seen, block, 0.0).sum(axis=1) / np.where(seen.any(axis=1), seen.sum(axis=1), np.nan))


def _span(panel: Panel, periods: Sequence[int | str] | None, start: int, what: str) -> tuple[int, int]:
    """First and last index of the periods named, which must be in the data and before the start."""
    if periods is None:
        return 0, start - 1
    try:
        first, last = (panel.periods.index(parse_period(period)) for period in periods)
    except ValueError:
        raise EstimationError(f"synthetic_control: the periods of '{what}' are not in the data") from None
    if not first <= last < start:
        raise EstimationError(f"synthetic_control: the periods of '{what}' must lie before the start")
    return first, last


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
