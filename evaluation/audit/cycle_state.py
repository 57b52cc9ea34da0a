"""Is the effect there in every phase of the cycle, or only in the boom?"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from evaluation.audit import thresholds
from evaluation.audit.downturn import national_line, span_label
from evaluation.checks.refits import headline_fits
from evaluation.contracts import Fit
from evaluation.errors import EstimationError
from evaluation.inference.draws import Placebos
from evaluation.numerics import target_weights
from evaluation.panel import Array, Panel
from evaluation.periods import PER_YEAR
from evaluation.result import CheckResult, number, numbers
from evaluation.study import Study

YEARS_IN_PHASE = 2
"""The window is cut into phases of this length: long enough to average, short enough that the cycle differs between them."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Periods `first` to `last` (indices, inclusive) with their mean effect and its limits, in the outcome's unit."""

    first: int
    last: int
    effect: float
    lower: float | None
    upper: float | None


def check(study: Study) -> CheckResult:
    """The headline's effect by phase, beside the national cycle.

    From the start to the end of the window in phases of two years (the last may be shorter), and every year after the window
    on its own. Effects are those of the headline's path, so the weights on controls and periods are the same in all phases;
    limits come from the same phases of its placebos.

    Returns
    -------
    CheckResult
        `value` is the effect of the weakest phase over the headline effect: negative where that phase went the other way.
        `series["cycle"]` is the national line at `periods`, in its own unit.
    """
    panel = study.panel
    if len(panel.starts) != 1:
        return CheckResult("cycle_state", "not_run", reason="several_starts")
    mean = study.headline.effect
    try:
        phases = effects_by_phase(study)
        line = national_line(panel).values
    except EstimationError:
        return CheckResult("cycle_state", "not_run", reason="not_computable")
    if len(phases) < 2:
        return CheckResult("cycle_state", "not_run", reason="few_periods_after")
    if mean == 0.0 or not math.isfinite(value := min(phase.effect / mean for phase in phases)):
        return CheckResult("cycle_state", "not_run", reason="not_computable")
    labels = [span_label(panel, phase.first, phase.last) for phase in phases]
    weakest = min(range(len(phases)), key=lambda place: phases[place].effect / mean)
    path = [each for each in study.headline.path if each.period]
    return CheckResult(
        "cycle_state",
        thresholds.status("cycle_state", value),
        value=value,
        threshold=thresholds.threshold("cycle_state"),
        facts={"weakest": labels[weakest], "weakest_effect": phases[weakest].effect, "mean": mean},
        series={
            "phases": list(labels),
            "effects": [phase.effect for phase in phases],
            "lowers": [phase.lower for phase in phases],
            "uppers": [phase.upper for phase in phases],
            "periods": [period.label for period in panel.periods],
            "cycle": numbers(line.tolist()),
            "path_periods": [each.period for each in path],
            "path_effects": [each.effect for each in path],
        },
    )


def spans(panel: Panel) -> tuple[tuple[int, int], ...]:
    """First and last period (indices) of each phase: in twos of years up to the end of the window, then year by year."""
    year, start, end = PER_YEAR[panel.periods[0].frequency], panel.starts[0], panel.n_periods - 1
    last = end if panel.window is None else min(panel.window[1], end)
    inside = [
        (first, min(first + YEARS_IN_PHASE * year - 1, last)) for first in range(start, last + 1, YEARS_IN_PHASE * year)
    ]
    after = [(first, min(first + year - 1, end)) for first in range(last + 1, end + 1, year)]
    return (*inside, *after)


def effects_by_phase(study: Study) -> list[Phase]:
    """The effect in each phase in which the headline's path has any, with its limits.

    Raises
    ------
    EstimationError
        The headline cannot be fitted again.
    """
    panel, fitted = study.panel, headline_fits(study)
    weights = target_weights(panel, np.isfinite(panel.outcome)).periods
    found: list[Phase] = []
    for first, last in spans(panel):
        # in the window periods count as they do in the headline, hence by persons where sizes are known; after it equally
        inside = np.zeros(panel.n_periods)
        inside[first : last + 1] = weights[first : last + 1] if weights[first : last + 1].any() else 1.0
        effect = _mean(fitted.fit, inside)
        if math.isfinite(effect):
            lower, upper = _limits(study, fitted.fit, fitted.placebos, inside, (first, last))
            found.append(Phase(first, last, effect, number(lower), number(upper)))
    return found


def _mean(fit: Fit, weights: Array) -> float:
    """The mean effect over the periods that have one, by the (periods,) weights; NaN where none has."""
    if fit.periods is None:
        return math.nan
    known = np.isfinite(fit.effects)
    used = weights[fit.periods][known]
    return float(used @ fit.effects[known] / used.sum()) if used.sum() > 0.0 else math.nan


def _limits(
    study: Study, fit: Fit, placebos: Placebos | None, weights: Array, span: tuple[int, int]
) -> tuple[float, float]:
    """The headline's inference on the phase's mean instead of the window's; NaN where it has no placebos to take means of."""
    infer_from = study.inference.infer_from
    if infer_from is None or placebos is None:
        return _limits_of_one(study, span)
    means = placebos.changed(lambda each: dataclasses.replace(each, att=_mean(each, weights)))
    if not np.isfinite(means.effects).all():
        return math.nan, math.nan
    own = dataclasses.replace(fit, att=_mean(fit, weights))
    phase = study.panel.with_window(span)
    try:
        interval = infer_from(study.pipeline, phase, study.level, own, means)
    except EstimationError:
        return math.nan, math.nan
    return interval.lower, interval.upper


def _limits_of_one(study: Study, span: tuple[int, int]) -> tuple[float, float]:
    """The limits that the headline's path gives for a phase of a single period."""
    if span[0] == span[1]:
        label = study.panel.periods[span[0]].label
        for each in study.headline.path:
            if each.period == label and each.lower is not None and each.upper is not None:
                return each.lower, each.upper
    return math.nan, math.nan
