"""Does the answer hang on how the business cycle was taken out?"""

from __future__ import annotations

from evaluation.audit import thresholds
from evaluation.result import CheckResult, LadderRung, Value
from evaluation.study import Study


def check(study: Study) -> CheckResult:
    """Hold every valid rung of the ladder against the headline's interval; needs `study.cycle.ladder`.

    The check passes when all of them lie inside, warns when at least one lies outside, and fails when one has the other sign
    and a p-value below `LADDER_P`. Rungs shown for comparison only are never counted: they are known to be wrong. How much the
    cycle was is the rung that only compares with the others ("none") minus the headline, with its placebo interval.

    Returns
    -------
    CheckResult
        `value` counts the rungs outside. `facts`: `cycle` with its limits; the adjustments of the rungs `outside` and
        `opposite` (variants of one adjustment are one name); the `highest` and `lowest` valid effect, the headline's
        included; and the `count` of rungs held against the headline. All effects are in the outcome's unit. `series` holds
        all rungs that could be computed, with their status.
    """
    rungs = study.cycle.ladder if study.cycle is not None else ()
    lower, upper = study.headline.lower, study.headline.upper
    others = [(rung, rung.effect) for rung in rungs if _compared(rung) and rung.effect is not None]
    if lower is None or upper is None:
        return CheckResult("ladder", "not_run", reason="no_interval")
    if not others:
        return CheckResult("ladder", "not_run", reason="no_other_rungs")
    effect = study.headline.effect
    outside = [rung.adjust for rung, value in others if not lower <= value <= upper]
    opposite = [
        rung.adjust
        for rung, value in others
        if value * effect < 0.0 and rung.p_value is not None and rung.p_value < thresholds.LADDER_P
    ]
    values = [effect, *(value for _, value in others)]
    shown = [rung for rung in rungs if rung.effect is not None]
    return CheckResult(
        "ladder",
        "failed" if opposite else thresholds.status("ladder", len(outside)),
        value=float(len(outside)),
        threshold=thresholds.threshold("ladder"),
        facts={
            **_cycle(study, rungs),
            "outside": list(dict.fromkeys(outside)),
            "opposite": list(dict.fromkeys(opposite)),
            "highest": max(values),
            "lowest": min(values),
            "count": len(others),
        },
        series={
            "adjusts": [rung.adjust for rung in shown],
            "variants": [rung.variant for rung in shown],
            "statuses": [rung.status for rung in shown],
            "effects": [rung.effect for rung in shown],
            "lowers": [rung.lower for rung in shown],
            "uppers": [rung.upper for rung in shown],
        },
    )


def _compared(rung: LadderRung) -> bool:
    return rung.status == "valid" and not rung.headline


def _cycle(study: Study, rungs: tuple[LadderRung, ...]) -> dict[str, Value]:
    """How much the headline's adjustment took out: nothing, known exactly, where it only compares."""
    headline = next((rung for rung in rungs if rung.headline), None)
    if study.headline.adjust == "none":
        return {"cycle": 0.0, "cycle_lower": None, "cycle_upper": None}
    if headline is not None and headline.removed is not None:
        return {
            "cycle": headline.removed,
            "cycle_lower": headline.removed_lower,
            "cycle_upper": headline.removed_upper,
        }
    compared = next((rung.effect for rung in rungs if rung.adjust == "none" and rung.effect is not None), None)
    amount = None if compared is None else compared - study.headline.effect
    return {"cycle": amount, "cycle_lower": None, "cycle_upper": None}
