"""One estimator on one panel, from names to an Estimate; and the Study that checks look at."""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evaluation.by_design import by_design, by_fit, persons
from evaluation.context import NO_CONTEXT, Context
from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng, Term
from evaluation.cycle import ADJUSTMENTS
from evaluation.errors import EstimationError, UsageError
from evaluation.estimators import ESTIMATORS
from evaluation.inference import INFERENCES
from evaluation.inference.draws import Placebos, placebo_fits
from evaluation.numerics import target_weights
from evaluation.panel import Panel
from evaluation.regression import count_clusters
from evaluation.result import (
    Cycle,
    Estimate,
    FlowStep,
    Note,
    PeriodEffect,
    Population,
    Provenance,
    Value,
    named,
    number,
    numbers,
    one_standard_error,
)
from evaluation.spec.options import named_choice, validated_options


def estimate(
    panel: Panel,
    method: str,
    *,
    adjust: str = "none",
    adjust_options: Mapping[str, Any] | None = None,
    inference: str = "default",
    level: float = 0.95,
    seed: int = 0,
    **options: Any,
) -> Estimate:
    """The effect by one estimator, with its uncertainty.

    Parameters
    ----------
    panel : Panel
        Who was treated from when, and every outcome.
    method, adjust, inference : str
        Names of the estimator, the adjustment for the business cycle and the inference; `default` inference is chosen by the
        design and what the placebos show (see `evaluation.by_design`).
    adjust_options : mapping, optional
        Options of the adjustment, by name: `evaluate --methods NAME` lists them.
    level : float
        Of the intervals, between 0.5 and 1.
    seed : int
        Of everything that draws at random.
    **options
        Options of the estimator: `evaluate --methods NAME` lists them.

    Returns
    -------
    Estimate
        Plain values, in the outcome's unit.

    Raises
    ------
    UsageError
        A name or an option that does not exist.
    EstimationError
        The estimator, or the inference, cannot be computed from this panel.
    """
    if not (isinstance(level, float) and 0.5 < level < 1.0):
        raise UsageError("`level` must lie between 0.5 and 1, for example 0.95")
    pipeline = make_pipeline(method, adjust, options, adjust_options)
    return run_pipeline(pipeline, panel, inference, level, seed)


def make_pipeline(
    method: str, adjust: str, options: Mapping[str, Any], adjust_options: Mapping[str, Any] | None = None
) -> Pipeline:
    """Adjustment and estimator as one function, from their names; raises UsageError for names or options that do not exist."""
    estimator = named_choice("estimator", method, ESTIMATORS)
    adjustment = named_choice("adjustment", adjust, ADJUSTMENTS)
    return Pipeline(
        estimator,
        validated_options(estimator, options),
        adjustment,
        validated_options(adjustment, adjust_options or {}),
    )


def run_pipeline(pipeline: Pipeline, panel: Panel, inference: str, level: float, seed: int) -> Estimate:
    """Fit, infer, and put both into plain values."""
    return fit_pipeline(pipeline, panel, inference, level, seed).estimate


@dataclass(frozen=True, slots=True)
class Fitted:
    """A pipeline's answer with the fits behind it, for whoever would fit them again; `placebos` is None where none were made."""

    pipeline: Pipeline
    estimate: Estimate
    fit: Fit
    placebos: Placebos | None


OF_INFLUENCES = frozenset({"single_unit_groups"})
"""Remarks of a fit on errors that are summed from influences: not true of placebos, which see a unit's own shocks."""


def fit_pipeline(pipeline: Pipeline, panel: Panel, inference: str, level: float, seed: int) -> Fitted:
    """`run_pipeline`, and the fits behind the answer."""
    choice = by_design(pipeline, panel) if inference == "default" else None
    chosen = named_choice("inference", inference if choice is None else choice.name, INFERENCES)
    rng = stream(seed, f"{chosen.name}/{pipeline.method.name}")
    fit, placebos = pipeline(panel), None
    if chosen.from_fit is not None:
        interval = chosen.from_fit(fit, panel, level, rng)
    elif chosen.infer_from is None:
        interval = chosen.infer(pipeline, panel, level, rng)
    else:
        placebos = placebo_fits(pipeline, panel, rng)
        if choice is not None:
            choice = by_fit(choice, pipeline, fit, placebos, panel)
            chosen = INFERENCES[choice.name]
        assert chosen.infer_from is not None  # whatever the placebos suggest rests on them too
        interval = chosen.infer_from(pipeline, panel, level, fit, placebos)
    if choice is not None:
        interval = replace(interval, details={**interval.details, **choice.details})
    warning = chosen.unsuited(panel)
    of_fit = (note for note in fit.notes if chosen.many_treated or note.code not in OF_INFLUENCES)
    notes = (*of_fit, *interval.notes, *((warning,) if warning else ()))
    return Fitted(pipeline, _estimate(pipeline, chosen, panel, fit, interval, level, notes), fit, placebos)


def choose_inference(pipeline: Pipeline, panel: Panel, name: str) -> Inference:
    """The inference named, or for `default` the one that the design calls for before anything is fitted (see `by_design`)."""
    return named_choice("inference", by_design(pipeline, panel).name if name == "default" else name, INFERENCES)


def stream(seed: int, name: str) -> Rng:
    """The random stream of one use: derived from the seed and a name, so that a new use does not move the others' draws."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))


def _estimate(
    pipeline: Pipeline,
    inference: Inference,
    panel: Panel,
    fit: Fit,
    interval: Interval,
    level: float,
    notes: tuple[Note, ...],
) -> Estimate:
    baseline = _baseline(panel, fit)
    unit_weights = {} if fit.unit_weights is None else named(panel.units, fit.unit_weights.tolist(), 1e-6)
    labels = [period.label for period in panel.periods]
    time_weights = {} if fit.time_weights is None else named(labels, fit.time_weights.tolist(), 1e-6)
    details: dict[str, Value] = {**fit.details, **interval.details}
    if not pipeline.adjustment.idle:
        details["adjustment"] = plain_terms(pipeline.adjust(panel).terms, panel.units)
    if fit.fit_rmse is not None:
        details["rmspe_pre"] = fit.fit_rmse
    assert panel.cluster is not None  # set by Panel itself
    details["treated_clusters"] = count_clusters(panel.cluster[panel.treated])
    if known := persons(panel):
        details["persons"] = known
    if len(panel.starts) > 1:
        details["starts"] = [labels[start] for start in panel.starts]
    chosen = _changed_options(pipeline.options)
    if chosen:
        details["label"] = "+".join(chosen)
    if not math.isfinite(fit.att):
        raise EstimationError(
            f"{pipeline.method.name}: the effect is not a number; is a treated cell missing in the window?"
        )
    return Estimate(
        method=pipeline.method.name,
        adjust=pipeline.adjustment.name,
        inference=inference.name,
        effect=fit.att,
        std_error=number(interval.std_error),
        lower=number(interval.lower),
        upper=number(interval.upper),
        level=level,
        p_value=number(interval.p_value),
        baseline=number(baseline),
        percent=_percent(fit.att, baseline),
        path=_path(panel, fit, interval),
        unit_weights=unit_weights,
        time_weights=time_weights,
        n_units=panel.n_units,
        n_treated=int(panel.treated.sum()),
        n_periods=panel.n_periods,
        notes=notes,
        details=details,
    )


def plain_terms(terms: Mapping[str, Term], units: Sequence[str]) -> Value:
    """The coefficients of an adjustment as plain values: arrays by unit become {unit: value}."""
    found: dict[str, Value] = {}
    for name, term in terms.items():
        if isinstance(term, np.ndarray):
            found[name] = dict(zip(units, numbers(term.tolist()), strict=True))
        else:
            found[name] = term if isinstance(term, str | int) else number(term)
    return found


def _percent(effect: float, baseline: float) -> float | None:
    """The effect in per cent of the baseline, where that means something: not of nothing, of less, or many times of it."""
    if not (math.isfinite(baseline) and baseline > 0.0 and abs(effect) <= 5.0 * baseline):
        return None
    return 100.0 * effect / baseline


def _changed_options(options: Any) -> list[str]:
    """The names of the options that differ from their defaults: what tells two uses of one estimator apart."""
    plain = type(options)()
    return [
        each.name for each in dataclasses.fields(options) if getattr(options, each.name) != getattr(plain, each.name)
    ]


def _baseline(panel: Panel, fit: Fit) -> float:
    """Mean over the window of what would have happened without treatment."""
    if fit.counterfactual is not None and fit.periods is not None:
        window = target_weights(panel, np.isfinite(panel.outcome)).periods[fit.periods]
        used = window > 0
        return float(window[used] @ fit.counterfactual[used])
    cells = panel.target & np.isfinite(panel.outcome)
    weight = np.where(cells, 1.0 if panel.size is None else np.nan_to_num(panel.size), 0.0)
    return float((weight * np.nan_to_num(panel.outcome)).sum() / weight.sum()) - fit.att


def _path(panel: Panel, fit: Fit, interval: Interval) -> tuple[PeriodEffect, ...]:
    def at(values: Any, index: int) -> float | None:
        return None if values is None else number(values[index])

    return tuple(
        PeriodEffect(
            period="" if fit.periods is None else panel.periods[int(fit.periods[index])].label,
            event_time=int(fit.event_times[index]),
            effect=number(fit.effects[index]),
            std_error=at(interval.path_std_error, index),
            lower=at(interval.path_lower, index),
            upper=at(interval.path_upper, index),
            p_value=at(interval.path_p_value, index),
            p_adjusted=at(interval.path_p_adjusted, index),
            observed=at(fit.observed, index),
            counterfactual=at(fit.counterfactual, index),
        )
        for index in range(fit.effects.size)
    )


@dataclass(frozen=True, slots=True)
class Study:
    """The headline and everything a check may want to refit or look at.

    `placebo` is the headline's placebo distribution (`details["placebo"]`), None where there is none. `cycle` holds ladder and
    waterfall once they are computed, for the audit; `record`, `flow` and `population` what is known of the run and the persons;
    `fitted` the fits behind the headline (first) and the further estimates.
    """

    panel: Panel
    pipeline: Pipeline
    inference: Inference
    headline: Estimate
    estimates: tuple[Estimate, ...]
    level: float
    seed: int
    context: Context = NO_CONTEXT
    cycle: Cycle | None = None
    record: Provenance | None = None
    flow: tuple[FlowStep, ...] = ()
    population: Population | None = None
    fitted: tuple[Fitted, ...] = ()

    @property
    def placebo(self) -> dict[str, Any] | None:
        """The headline's placebo distribution, or None."""
        found = self.headline.details.get("placebo")
        return dict(found) if isinstance(found, dict) else None

    @property
    def spread(self) -> float | None:
        """The standard error the checks measure changes in: the placebo standard deviation where there is one."""
        found = self.placebo
        return float(found["sd"]) if found else one_standard_error(self.headline)

    def rng(self, name: str) -> Rng:
        """A random stream of its own for `name`."""
        return stream(self.seed, name)
