"""How wrong would we have to be? The smallest error of three kinds that takes the answer away."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from evaluation.audit import thresholds
from evaluation.audit.downturn import downturn, span_label
from evaluation.audit.national import change_to_window, national_path
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.numerics import target_weights
from evaluation.panel import Array, Panel
from evaluation.result import CheckResult, Value, number, numbers
from evaluation.study import Study

STEPS = 25
"""Points of the sensitivity curve."""

LONGEST_DRIFT = 2.0
"""The curve ends here at the latest: a unit that reacts as strongly as two more nations is beyond any argument."""

FLAT = 1e-9
"""A change below this share of the outcome's range is rounding, not movement."""


@dataclass(frozen=True, slots=True)
class _Trend:
    """How fast the gap to the comparison moved before the start, and what a window of such steps would amount to.

    `last` is the gap in the last period before the start, `steepest` the largest change of it from one period to the next, and
    `reach` how many steps after that last period the window lies on average, weighted as the headline is.
    """

    last: float
    steepest: float
    reach: float


def check(study: Study) -> CheckResult:
    """Smallest drift of the sensitivity, local shock and violation of parallel trends that would explain the effect away.

    (a) *Drift*: the treated unit's sensitivity to the national cycle moved after the start, by d more than the comparison's:
    τ − d × Δ = 0, with Δ the change of the never-treated units' mean from before the start to the window. It is held against
    the standard deviation of sensitivities, the adjustment's own where it estimates them, else 0.24.

    (b) *Local shock*: one that hits the treated unit alone and leaves no trace in any series cannot be ruled out. It would
    have to be as large as the effect itself, on average over the window: in the outcome's unit, and in units of what the
    downturn before the start did to the never-treated units' mean (see `audit.downturn`; 2009-10 where the panel covers it).

    (c) *M̄*: the difference to the comparison may change after the start by at most M̄ times its largest change from one period
    to the next before it. With |δ_{t+1} − δ_t| ≤ M̄ D from the last period before the start on, k periods later δ may have
    moved by k M̄ D, so M̄ = |τ − δ_last| / (D × mean k over the window); 0 where the gap in the last period before the start
    alone turns the sign. Estimators that fit the periods before the start have small gaps there by construction, which are no
    evidence; so D is the larger one of the headline's gaps and those of difference-in-differences after the same adjustment.
    The sampling error of the gaps before the start is *not* in M̄; it is in that of `checks.honest_did`.

    Everything is also computed for the limit of the interval nearest to zero (`_limit`). An interval that holds zero has no
    effect to break: these are None, and the check warns.

    Returns
    -------
    CheckResult
        `value` is M̄. Passes when it reaches its bound and the drift is above the standard deviation of sensitivities. `facts`
        as above, sizes without sign; `significant` says whether the interval leaves zero out, `steepest` is D. `series`: the
        effect and its interval under a growing drift that works against it.

    References
    ----------
    Rambachan & Roth (2023), Review of Economic Studies 90(5), section 2.4.1, Δ^RM(M̄), at the point estimate; drift and local
    shock: Cinelli & Hazlett (2020), Journal of the Royal Statistical Society B 82(1), on robustness values.
    """
    panel, effect = study.panel, study.headline.effect
    if len(panel.starts) != 1:
        return CheckResult("breakdown", "not_run", reason="several_starts")
    try:
        path = national_path(panel)
        trend = _trend(study)
    except EstimationError:
        return CheckResult("breakdown", "not_run", reason="not_computable")
    if trend is None:
        return CheckResult("breakdown", "not_run", reason="few_periods")
    scale = float(np.nanmax(panel.outcome) - np.nanmin(panel.outcome))
    if not trend.steepest > FLAT * scale:
        return CheckResult("breakdown", "not_run", reason="flat_before")
    near = near_limit(study.headline.lower, study.headline.upper)
    change = change_to_window(panel, path)
    change = change if abs(change) > FLAT * scale else 0.0
    drift_sd = _sensitivities_sd(study)
    drift = _ratio(effect, change)
    m_bar = largest_m(effect, effect, trend)
    status = thresholds.status("breakdown", m_bar)
    within_reach = drift is not None and drift <= drift_sd
    if near is None or (status == "passed" and within_reach):
        status = "warns"
    facts: dict[str, Value] = {
        "significant": near is not None,
        "drift": drift,
        "drift_limit": None if near is None else _ratio(near, change),
        "drift_sd": drift_sd,
        "cycle_change": change,
        "shock": abs(effect),
        "shock_limit": None if near is None else abs(near),
        **_in_downturns(panel, path, effect, near),
        "m_bar": m_bar,
        "m_bar_limit": None if near is None else largest_m(near, effect, trend),
        "steepest": trend.steepest,
        "local_sd": number(study.spread),
    }
    return CheckResult(
        "breakdown",
        status,
        value=m_bar,
        threshold=thresholds.threshold("breakdown"),
        facts=facts,
        series=_curve(study, change, drift, drift_sd),
    )


def near_limit(lower: float | None, upper: float | None) -> float | None:
    """The limit of the interval nearest to zero; None where the interval holds zero, or there is none."""
    if lower is not None and lower > 0.0:
        return lower
    return upper if upper is not None and upper < 0.0 else None


def largest_m(value: float, effect: float, trend: _Trend) -> float:
    """The largest M̄ under which `value` keeps the sign of `effect`."""
    left = math.copysign(1.0, effect) * (value - trend.last)
    return max(0.0, left) / (trend.steepest * trend.reach)


def _ratio(value: float, change: float) -> float | None:
    """How large a drift it takes; None where the nation did not move, so that none does it."""
    return number(abs(value / change)) if change else None


def _sensitivities_sd(study: Study) -> float:
    terms = study.headline.details.get("adjustment")
    if study.headline.adjust == "sensitivity" and isinstance(terms, dict):
        found = terms.get("sd")
        if isinstance(found, int | float) and found > 0.0:
            return float(found)
    return thresholds.BREAKDOWN_DRIFT


# ---------------------------------------------------------------------- gaps before the start


def _trend(study: Study) -> _Trend | None:
    """The headline's gaps before the start, with the steeper of their steps and those of difference-in-differences."""
    gaps = [(each.event_time, each.effect) for each in study.headline.path if each.event_time < 0]
    known = {time: effect for time, effect in gaps if effect is not None}
    steps = [_steepest(known), _steepest(_did_gaps(study))]
    found = [step for step in steps if step is not None]
    if not found or -1 not in known:
        return None
    start = study.panel.starts[0]
    away = np.arange(study.panel.n_periods) - start + 1.0
    window = target_weights(study.panel, np.isfinite(study.panel.outcome)).periods
    return _Trend(known[-1], max(found), float(window @ np.maximum(away, 0.0)))


def _did_gaps(study: Study) -> dict[int, float]:
    """Event time -> gap before the start, of difference-in-differences after the headline's adjustment."""
    method = ESTIMATORS["did"]
    fit = replace(study.pipeline, method=method, options=method.options())(study.panel)
    return {
        int(time): float(effect)
        for time, effect in zip(fit.event_times, fit.effects, strict=True)
        if time < 0 and np.isfinite(effect)
    }


def _steepest(gaps: dict[int, float]) -> float | None:
    steps = [abs(gap - gaps[time - 1]) for time, gap in gaps.items() if time - 1 in gaps]
    return max(steps) if steps else None


# ---------------------------------------------------------------------- the downturn


def _in_downturns(panel: Panel, path: Array, effect: float, near: float | None) -> dict[str, Value]:
    """The downturn's label and how far the path moved in it; effect and near limit in units of that; None where nothing fell."""
    try:
        found = downturn(panel)
    except EstimationError:
        found = None
    change = 0.0 if found is None else float(path[found.last] - path[found.first - 1])
    if found is None or not change:
        return dict.fromkeys(("downturn", "downturn_fall", "shock_units", "shock_units_limit"))
    return {
        "downturn": span_label(panel, found.first, found.last),
        "downturn_fall": change,
        "shock_units": abs(effect / change),
        "shock_units_limit": None if near is None else abs(near / change),
    }


# ---------------------------------------------------------------------- the curve


def _curve(study: Study, change: float, drift: float | None, drift_sd: float) -> dict[str, Value]:
    """The effect and its interval under a growing drift that works against the effect."""
    headline = study.headline
    reach = max(4.0 * drift_sd, 1.25 * (drift or 0.0))
    grid = np.linspace(0.0, min(LONGEST_DRIFT, reach), STEPS)
    moved = grid * math.copysign(abs(change), headline.effect)

    def shifted(value: float | None) -> list[Value]:
        return numbers([math.nan] * STEPS if value is None else (value - moved).tolist())

    return {
        "drift": numbers(grid.tolist()),
        "effects": shifted(headline.effect),
        "lowers": shifted(headline.lower),
        "uppers": shifted(headline.upper),
    }
