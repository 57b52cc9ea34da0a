"""How different may trends be before the answer is lost? Robust intervals that allow for what was seen before the start."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from scipy.special import ndtri

from evaluation.contracts import Fit, Pipeline
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.honest import (
    EventStudy,
    RobustInterval,
    breakdown,
    event_study,
    identified_by,
    largest_step,
    original,
    relative_magnitudes,
)
from evaluation.inference import INFERENCES
from evaluation.inference.cluster import path_covariance, unsuited
from evaluation.inference.draws import Placebos, placebo_fits
from evaluation.numerics import target_weights
from evaluation.panel import Array, Indices, Panel
from evaluation.result import CheckResult, Status, Value, number, numbers
from evaluation.study import Study

PASSES = 1.0
"""M̄: passes when differences as large as any before the start do not take the answer away. It warns otherwise and never fails: with
few, noisy periods before the start a true effect that is well above its error falls short of 1 even where trends are parallel."""

BOUNDS = (0.0, 0.5, 1.0, 1.5, 2.0)
"""The M̄ whose intervals are shown."""

MOST = 1000.0
"""The value where no difference in trends takes the effect away: beyond any argument."""

FEWEST_BEFORE = 2
"""Periods before the start at the least: the reference period and one to compare it with."""

AMPLE = 3
"""Placebos for each effect in the event study, at the least, for the fixed-length interval, which picks its weights by the
estimated covariance; fewer, and it would pick errors of that."""

DRAWS = 5_000
"""Draws for the least favourable quantiles: their error moves an end by less than a hundredth of that end's standard error."""

REBASED = ("did", "event_study")
"""Estimators whose paths differ from the event study's by a constant only, so that their placebo fits need not be fitted again."""


def check(study: Study) -> CheckResult:
    """The largest M̄ up to which the robust interval leaves zero out.

    Trends may part after the start by up to M̄ times as much from one period to the next as they did at most before it
    (Δ^RM(M̄)), and the sampling error of the periods before is taken into account. The event study is that of
    difference-in-differences after the headline's own adjustment, measured from the last period before the start, since the gaps
    of synthetic methods before the start are fitted away and are no evidence; the target is its mean over the window.

    *Covariance.* With many treated units, that of influences summed by cluster. With few, or where the headline's inference rests
    on placebos, the second moment about zero of the placebos' event studies, each rescaled to the treated unit's noise as the
    headline's inference rescales its effect: with equal sizes the placebos' mean is zero by construction, and their mean square
    is the treated unit's variance up to a term of 1/n². It is then scaled so that the interval with M̄ = 0 is as wide as the one
    that inverts the rank test, which is right in finite samples whatever the distribution; so neither few placebos nor heavy
    tails make it too narrow.

    Returns
    -------
    CheckResult
        `value` is the breakdown M̄. Passes from 1 and warns below; 0 where the interval holds zero for M̄ = 0 already, for then
        there is no effect to break. `series`: the interval for each M̄ shown.

    References
    ----------
    Rambachan & Roth (2023), Review of Economic Studies 90(5), sections 2.4.1, 2.4.2, 3 and 4; Ferman & Pinto (2019), Review of
    Economics and Statistics 101(3), for the covariance.
    """
    panel = study.panel
    if panel.starts[0] < FEWEST_BEFORE:
        return CheckResult("honest_did", "not_run", reason="few_periods")
    if study.inference.infer_from is None and unsuited(panel) is None:
        found = _by_clusters(study)
    elif len(panel.starts) > 1:
        return CheckResult("honest_did", "not_run", reason="several_starts")
    else:
        made = _by_placebos(study)
        if isinstance(made, CheckResult):
            return made
        found = made
    effects, ample, facts = found
    return _judged(study, effects, ample, facts)


def _judged(study: Study, effects: EventStudy, ample: bool, facts: dict[str, Value]) -> CheckResult:
    shown = _sweep(study, effects)
    m_bar = _breakdown(study, effects, "relative_magnitudes")
    smooth = _breakdown(study, effects, "smoothness") if ample else None
    lower, upper = original(effects, study.level)
    significant = not shown[0].holds(0.0)
    status: Status = "passed" if m_bar >= PASSES else "warns"
    known = [identified_by(effects, bound) for bound in BOUNDS]
    return CheckResult(
        "honest_did",
        status,
        value=min(m_bar, MOST),
        threshold=PASSES,
        facts={
            "significant": significant,
            "m_bar": number(m_bar),
            "smoothness": None if smooth is None else number(smooth),
            "largest_step": largest_step(effects),
            "effect": effects.target,
            "lower": lower,
            "upper": upper,
            "level": study.level,
            "n_pre": effects.n_pre,
            "n_post": effects.n_post,
            "last_before": study.panel.periods[study.panel.starts[0] - 1].label
            if len(study.panel.starts) == 1
            else None,
            **facts,
        },
        series={
            "m_bar": list(BOUNDS),
            "lowers": numbers([each.lower for each in shown]),
            "uppers": numbers([each.upper for each in shown]),
            "exact_lowers": numbers([low for low, _ in known]),
            "exact_uppers": numbers([high for _, high in known]),
        },
    )


def _sweep(study: Study, effects: EventStudy) -> tuple[RobustInterval, ...]:
    return relative_magnitudes(effects, BOUNDS, level=study.level, rng=study.rng("honest_did"), draws=DRAWS)


def _breakdown(study: Study, effects: EventStudy, kind: str) -> float:
    if kind == "smoothness":
        return breakdown(effects, "smoothness", level=study.level)
    return breakdown(effects, level=study.level, rng=study.rng("honest_did"), draws=DRAWS)


# ---------------------------------------------------------------------- the event study and its covariance

Found = tuple[EventStudy, bool, dict[str, Value]]


def _by_clusters(study: Study) -> Found:
    """Many treated units: influences summed by cluster; with several starts the path weighted by cohorts (`sun_abraham`)."""
    panel = study.panel
    name = "event_study" if len(panel.starts) == 1 else "sun_abraham"
    fit = _pipeline(study, name)(panel)
    covariance = path_covariance(fit, panel)
    if covariance is None:
        raise EstimationError(f"honest_did: {name} gives no covariance of its path")
    times, weights = _times(panel)
    places = _places(fit, times)
    effects = event_study(
        fit.effects[places],
        covariance[np.ix_(places, places)],
        times.size - weights.size,
        weights.size,
        weights,
    )
    return effects, True, {"covariance": "cluster", "placebos": None}


def _by_placebos(study: Study) -> Found | CheckResult:
    """Few treated units: the placebos' own event studies."""
    panel, inference = study.panel, study.inference
    if inference.infer_from is None:
        sized = panel.size is not None or panel.noise is not None
        inference = INFERENCES["ferman_pinto" if sized else "placebo"]
    assert inference.infer_from is not None
    pipeline = _pipeline(study, "event_study")
    fit, placebos = _fits(study, pipeline)
    interval = inference.infer_from(pipeline, panel, study.level, fit, placebos)
    half = 0.5 * (interval.upper - interval.lower)
    times, weights = _times(panel)
    places = _places(fit, times)
    count = len(placebos.fits)
    if not np.isfinite(half):
        return CheckResult("honest_did", "not_run", reason="few_controls", facts={"count": count})
    if count <= times.size:
        return CheckResult("honest_did", "not_run", reason="fewer_controls_than_periods")
    draws = _draws(interval.details)
    paths = placebos.paths(fit.event_times)[:, places] * _factors(draws, placebos.effects)[:, None]
    if not np.isfinite(paths).all():
        return CheckResult("honest_did", "not_run", reason="not_computable")
    n_pre = times.size - weights.size
    effects = event_study(fit.effects[places], paths.T @ paths / count, n_pre, weights.size, weights)
    scale = half / (float(ndtri(0.5 + study.level / 2.0)) * effects.std_error)
    facts: dict[str, Value] = {"covariance": "placebos", "placebos": count, "scale": scale}
    return replace(effects, covariance=scale**2 * effects.covariance), count >= AMPLE * times.size, facts


def _pipeline(study: Study, name: str) -> Pipeline:
    """This estimator after the headline's own adjustment."""
    return replace(study.pipeline, method=ESTIMATORS[name], options=ESTIMATORS[name].options())


def _fits(study: Study, pipeline: Pipeline) -> tuple[Fit, Placebos]:
    """The event study and its placebos; those made for the headline (or beside it) where they differ by a constant only."""
    panel = study.panel
    for each in study.fitted:
        plain = each.pipeline.method.name in REBASED and each.pipeline.options == each.pipeline.method.options()
        if (
            plain
            and panel.balanced
            and each.placebos is not None
            and each.pipeline.adjustment is study.pipeline.adjustment
        ):
            return _rebased(each.fit, panel), each.placebos.changed(lambda one: _rebased(one, panel))
    return pipeline(panel), placebo_fits(pipeline, panel, study.rng("honest_did/placebos"))


def _rebased(fit: Fit, panel: Panel) -> Fit:
    """The same path measured from the last period before the start, and its mean over the window."""
    reference = fit.effects[np.flatnonzero(fit.event_times == -1)[0]]
    window = target_weights(panel, np.isfinite(panel.outcome)).periods
    effects = fit.effects - reference
    assert fit.periods is not None  # one start
    before = effects[fit.event_times < 0]
    return replace(
        fit,
        effects=effects,
        att=float(window[fit.periods] @ np.nan_to_num(effects)),
        fit_rmse=float(np.sqrt(np.mean(before**2))),
    )


def _times(panel: Panel) -> tuple[Indices, Array]:
    """Event times that every treated unit has, the reference period left out, and the weights of those after the start.

    With one start the weights are the headline's over its window; with several, equal ones over the event times that all units
    have in the window.
    """
    before = panel.starts[0]
    if len(panel.starts) == 1:
        window = target_weights(panel, np.isfinite(panel.outcome)).periods
        last = int(np.flatnonzero(window)[-1]) - before
        weights = window[before : before + last + 1]
    else:
        ends = [
            int(np.flatnonzero(panel.target[row])[-1])
            for row in np.flatnonzero(panel.treated & panel.target.any(axis=1))
        ]
        last = min(ends) - max(panel.starts)
        if last < 0:
            raise EstimationError("honest_did: no event time lies in the window of every start")
        weights = np.full(last + 1, 1.0 / (last + 1))
    return np.concatenate([np.arange(-before, -1), np.arange(last + 1)]), weights


def _places(fit: Fit, times: Indices) -> Indices:
    known = {int(time): place for place, time in enumerate(fit.event_times.tolist())}
    missing = [time for time in times.tolist() if time not in known or not np.isfinite(fit.effects[known[time]])]
    if missing:
        raise EstimationError(f"honest_did: the event study has no effect at event time {missing[0]}")
    return np.array([known[time] for time in times.tolist()], dtype=np.intp)


def _draws(details: object) -> Array:
    """The placebos' effects as the inference rescaled them."""
    placebo = cast("dict[str, object]", cast("dict[str, object]", details)["placebo"])
    return np.array(cast("list[float]", placebo["effects"]), dtype=np.float64)


def _factors(rescaled: Array, effects: Array) -> Array:
    """By what each placebo was multiplied; 1 for one that found nothing at all, and where the inference kept only some."""
    if rescaled.size != effects.size:
        return np.ones(effects.size)
    found = np.abs(effects) > 1e-12 * float(np.abs(effects).max(initial=0.0))
    return np.where(found, rescaled / np.where(found, effects, 1.0), 1.0)
