"""Did the comparison follow the treated unit before the start?"""

from __future__ import annotations

import numpy as np

from evaluation.inference.draws import rank_p_value
from evaluation.result import CheckResult, Value
from evaluation.study import Study, make_pipeline, run_pipeline

WARNS, FAILS = 0.10, 0.05
"""p-values: how unusual the treated unit's pre-period gaps are among the placebos'."""


def check(study: Study) -> CheckResult:
    """Rank the treated unit's root mean square pre-period gap among those of the placebos.

    For difference-in-differences this is a joint test of parallel trends that is valid with one treated unit; for synthetic
    methods, which fit the pre-periods, it says whether the fit is worse than usual. Where the headline's inference is
    cluster-robust, the joint F test of an event study's pre-period effects takes its place.

    References
    ----------
    Abadie, Diamond & Hainmueller (2015), American Journal of Political Science 59(2), section 4; Roth (2022), American
    Economic Review: Insights 4(3), on what passing such a test does not show.
    """
    placebo = study.placebo
    if placebo is None or "rmspe_pre" not in placebo:
        return _joint_test(study)
    before = [each for each in study.headline.path if each.event_time < 0 and each.effect is not None]
    # a reference period is zero by construction and tells nothing
    gaps = [(abs(each.effect or 0.0), each.period or str(each.event_time), each.effect) for each in before]
    if sum(gap > 0 for gap, _, _ in gaps) < 2:
        return CheckResult("pre_trends", "not_run", reason="few_periods")
    own = float(placebo["treated_rmspe_pre"])
    # where units differ in size, the placebos' gaps are rescaled to the treated unit's noise, as their effects are
    listed = placebo.get("rmspe_pre_scaled", placebo["rmspe_pre"])
    draws = np.array([value for value in listed if value is not None])
    weights = None
    if "weights" in placebo:
        # as likely to be drawn as for the effect; relative to the treated unit's own chance, which is the smallest p
        likely = zip(placebo["weights"], listed, strict=True)
        weights = np.array([weight for weight, value in likely if value is not None]) / placebo["smallest_p"]
    if 1.0 / (1.0 + (draws.size if weights is None else weights.sum())) > WARNS:
        return CheckResult("pre_trends", "not_run", reason="few_controls", facts={"count": int(draws.size)})
    p_value = rank_p_value(draws, own, weights)
    largest = max(gaps)
    further: dict[str, Value] = {"median": float(np.median(draws)), "method": study.headline.method}
    return _judged(p_value, own, largest, len(before), further)


def _joint_test(study: Study) -> CheckResult:
    """The cluster-robust F test that all effects of an event study before the start are zero."""
    if study.inference.name != "cluster" or study.inference.unsuited(study.panel) is not None:
        return CheckResult("pre_trends", "not_run", reason="no_placebos")
    pipeline = make_pipeline("event_study", study.pipeline.adjustment.name, {})
    found = run_pipeline(pipeline, study.panel, "cluster", study.level, study.seed)
    wald = found.details.get("pre_trend_wald")
    if not isinstance(wald, dict) or not isinstance(wald["p_value"], float):
        return CheckResult("pre_trends", "not_run", reason="few_periods")
    before = [(abs(each.effect or 0.0), each.period or str(each.event_time), each.effect) for each in found.path]
    before = [gap for gap, each in zip(before, found.path, strict=True) if each.event_time < 0]
    p_value, largest = wald["p_value"], max(before)
    return _judged(p_value, wald["statistic"], largest, len(before), {"method": "event_study"})


def _judged(
    p_value: float, statistic: Value, largest: tuple[float, str, float | None], n_pre: int, further: dict[str, Value]
) -> CheckResult:
    return CheckResult(
        "pre_trends",
        "failed" if p_value <= FAILS else "warns" if p_value <= WARNS else "passed",
        value=p_value,
        threshold=WARNS,
        facts={
            "p_value": p_value,
            "statistic": statistic,
            "largest": largest[2],
            "largest_period": largest[1],
            "n_pre": n_pre,
            **further,
        },
    )
