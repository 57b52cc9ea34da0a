"""Imputation: a regression on untreated cells says what would have happened in the treated ones."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError
from evaluation.panel import Array, Mask, Panel
from evaluation.regression import cell_weights, cluster_errors, split_covariates, two_way_regression
from evaluation.result import Value, number
from evaluation.untreated import (
    Model,
    fit_of_averages,
    impute,
    null_gaps,
    untreated_cells,
)


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `imputation`."""

    covariates: Annotated[
        tuple[str, ...],
        Field(description="covariates held constant; one that never changes gets a slope in each period"),
    ] = ()
    unit_trends: Annotated[bool, Field(description="also a linear trend of each unit")] = False
    pretrends: Annotated[
        int, Field(ge=0, description="how many periods before the start are tested for effects; 0 for none")
    ] = 0
    anticipation: Annotated[
        int, Field(ge=0, description="periods before the start that may be affected already, and are not fitted to")
    ] = 0
    weights: Annotated[
        str, Field(description='covariate that weights the cells, or "size" for the persons; empty for equal weights')
    ] = ""


def fit(panel: Panel, options: Options) -> Fit:
    """Fit unit and period effects on untreated cells, impute the treated ones, average observed minus imputed.

    The influence of unit i is Σ_t v_it (gap_it − mean gap of its cohort in that period), with v the effect's weight on the
    outcome of each cell, so that the sum of its squares is the paper's conservative variance and clusters may hold several
    units. Before the start the path holds the regression's own residuals, or with `pretrends` the leads.

    Parameters
    ----------
    panel : Panel
        May have missing cells, several starts, and no unit that is never treated.

    Returns
    -------
    Fit
        `effects` by event time; `details` holds the effects by start and by period, and the test of the leads.

    Raises
    ------
    EstimationError
        Nobody is treated, no treated cell can be imputed, or a covariate is explained by the effects.

    References
    ----------
    Borusyak, Jaravel & Spiess (2024), Review of Economic Studies 91(6), theorem 2, sections 4.3 (conservative
    inference) and 4.4 (the test of the leads).
    """
    found = fit_of_averages(panel, impute(panel, _model(options), "imputation"), "imputation", by_cell=True)
    return _with_leads(panel, options, found) if options.pretrends else found


def _model(options: Options) -> Model:
    return Model(options.anticipation, options.covariates, options.unit_trends, options.weights)


def _with_leads(panel: Panel, options: Options, found: Fit) -> Fit:
    """The fit with the leads before the start: a regression of untreated outcomes on a dummy for each (section 4.4).

    Where every treated unit's untreated cells all lie within the leads, these add up to its unit effect: the last one is then
    the reference, at 0.
    """
    clean = untreated_cells(panel, options.anticipation)
    outcome = np.where(clean, panel.outcome, np.nan)
    event = np.arange(panel.n_periods)[None, :] - panel.start[:, None]
    seen = np.isfinite(outcome) & panel.treated[:, None]
    last = -1 - options.anticipation
    asked = found.event_times[(found.event_times <= last) & (found.event_times > last - options.pretrends)]
    leads = np.array([time for time in asked if seen[event == time].any()], dtype=np.int64)
    if leads.size == 0:
        raise EstimationError("imputation: nothing is observed in the periods that `pretrends` asks for")
    earlier = bool(seen[event < leads[0]].any())
    estimated = leads if earlier else leads[leads != last]
    if estimated.size == 0:
        raise EstimationError("imputation: `pretrends` needs a period before the last one to compare with")
    layers, names = _layers(panel, options, np.isfinite(outcome))
    dummies = ((event[None] == estimated[:, None, None]) & panel.treated[None, :, None]).astype(np.float64)
    try:
        regression = two_way_regression(
            outcome,
            np.concatenate([dummies, layers]),
            trends=options.unit_trends,
            names=(*(f"event time {time}" for time in estimated), *names),
            weights=cell_weights(panel, options.weights, "imputation"),
        )
    except EstimationError as refusal:
        raise EstimationError(f"imputation: the leads of `pretrends` cannot be told apart: {refusal}") from refusal
    assert panel.cluster is not None  # set by Panel itself
    known = np.isfinite(outcome) & np.isfinite(layers).all(axis=0)
    count, n_obs = len(np.unique(panel.cluster[known.any(axis=1)])), int(known.sum())
    # the leads come from an ordinary regression, so its usual small-sample factor is in their errors; units seen once count
    factor = count / max(count - 1, 1) * (n_obs - 1) / max(n_obs - regression.n_parameters, 1)
    effects = regression.coefficients[: estimated.size]
    influence = np.sqrt(factor) * regression.influence[: estimated.size]
    errors = cluster_errors(influence, panel.cluster)
    rows: list[Value] = [
        {"event_time": int(time), "effect": number(effect), "std_error": number(error)}
        for time, effect, error in zip(estimated, effects, errors, strict=True)
    ]
    place = np.concatenate([np.searchsorted(found.event_times, leads), np.flatnonzero(found.event_times > last)])
    assert found.path_influence is not None
    path, lines = found.effects[place], found.path_influence[place]
    path[: leads.size], lines[: leads.size] = 0.0, 0.0
    inside = np.searchsorted(leads, estimated)
    path[inside], lines[inside] = effects, influence
    observed = None if found.observed is None else found.observed[place]
    return dataclasses.replace(
        found,
        effects=path,
        event_times=found.event_times[place],
        periods=None if found.periods is None else found.periods[place],
        observed=observed,
        counterfactual=None if observed is None else observed - path,
        path_influence=lines,
        details={**found.details, "pretrends": rows},
    )


def _layers(panel: Panel, options: Options, untreated: Mask) -> tuple[Array, tuple[str, ...]]:
    """(covariates, units, periods) and their names; a constant one becomes a layer for each period but the first (two).

    Unit effects hold a constant covariate itself constant, so its layers leave the first period out, and with unit trends
    the second one too; periods without untreated cells tell nothing and have none.
    """
    constant, moving = split_covariates(panel, options.covariates, "imputation")
    layers, labels = [*moving.values()], [*moving]
    for name, values in constant.items():
        for column in np.flatnonzero(untreated.any(axis=0))[2 if options.unit_trends else 1 :]:
            layer = np.where(np.isfinite(values), 0.0, np.nan)[:, None].repeat(panel.n_periods, axis=1)
            layer[:, column] = values
            layers.append(layer)
            labels.append(f"{name} × {panel.periods[column].label}")
    return np.array(layers).reshape(len(layers), *panel.outcome.shape), tuple(labels)


def gaps(panel: Panel, options: Options) -> Array:
    """(periods,) gap between treated and imputed, fitted on all periods: Chernozhukov, Wüthrich & Zhu (2021), section 2."""
    return null_gaps(panel, _model(options), "imputation")


METHOD = Method(
    name="imputation",
    summary="imputation: what would have happened, from a regression on untreated cells only",
    fit=fit,
    options=Options,
    needs=("one_pre_period",),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="cluster",
    source="Borusyak, Jaravel & Spiess (2024), Review of Economic Studies 91(6), theorem 2",
    gaps=gaps,
)
