"""How strong the evidence is, by written rules.

Level 5 is kept for randomised trials, which this software does not evaluate. A comparison over time of treated and similar
untreated units reaches at most 3 when fewer than six units were treated (level 3 of the Maryland scale as the What Works Centre
for Local Economic Growth scores it) and at most 4 otherwise. From there one level is lost for each of these, down to 1:

- the estimators disagree: one has the opposite sign and lies more than one standard error from the headline;
- the treated unit and its comparison ran apart before the start (`pre_trends` or `placebo_in_time` failed);
- one control decides (`leave_one_out` failed);
- the inference is not valid in this design, or gives no interval;
- nothing before the start could be tested, or none of the other estimators could be computed;
- the inference cries wolf on untreated units (`every_unit_treated` failed);
- the business cycle decides: under another believable way of taking it out the effect has the opposite sign with p below 0.10, or
  a direction is claimed that the recommended way (`accounting.recommend`) cannot tell from zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from evaluation.result import CheckResult, Estimate, LadderRung, Note, Value, Verdict, one_standard_error

FEW_TREATED = 6
POWER = 2.8
"""Standard errors that a true effect must measure to be found with probability 0.8 by a two-sided test at 5 % (1.96 + 0.84)."""

OPPOSITE = 0.10
"""A rung of the opposite sign with a p-value below this speaks against the headline."""

INVALID_NOTES = ("cluster_few_treated", "staggered_twfe")
"""Remarks after which an interval may be shown but says nothing: neither a direction nor a limit is drawn from it."""

DOUBTFUL_NOTES = ("placebo_unequal_sizes", "placebo_few_controls")
"""Remarks after which an interval is somewhat too narrow."""


def judge(
    headline: Estimate,
    estimates: Sequence[Estimate],
    checks: Sequence[CheckResult],
    failed: Sequence[str] = (),
    ladder: Sequence[LadderRung] = (),
) -> Verdict:
    """Direction, level and reasons, from the numbers alone.

    `failed` names the estimators that could not be computed, `ladder` holds the headline under every way of taking the business
    cycle out.
    """
    treated = _treated(headline)
    possible = 3 if treated < FEW_TREATED else 4
    codes = {note.code for note in headline.notes}
    valid = headline.lower is not None and codes.isdisjoint(INVALID_NOTES)
    direction = _direction(headline) if valid else "unclear"
    losses = _losses(headline, estimates, checks, failed, valid and codes.isdisjoint(DOUBTFUL_NOTES))
    losses += _cycle_decides(headline, direction, ladder)
    status = [check.status for check in checks]
    reasons = [_design(treated), *losses]
    if failed:
        names = ", ".join(dict.fromkeys(failed))
        reasons.append(Note("estimators_failed", f"Could not be computed: {names}.", {"names": names}))
    elif estimates and not any(note.code == "methods_disagree" for note in losses):
        reasons.append(Note("methods_agree", "The methods agree.", {"count": len(estimates) + 1}))
    if status and all(note.code in ("methods_disagree", "checks_missing", "cycle_decides") for note in losses):
        passed, ran = status.count("passed"), len(status) - status.count("not_run")
        facts: dict[str, Value] = {"passed": passed, "count": ran, "all": len(status)}
        reasons.append(Note("checks_passed", f"{ran} of {len(status)} checks could be run; {passed} passed.", facts))
    return Verdict(
        direction=direction,
        level=max(1, possible - len(losses)),
        possible=possible,
        ruled_out_below=headline.lower if valid else None,
        ruled_out_above=headline.upper if valid else None,
        detectable=_detectable(headline) if valid else None,
        reasons=tuple(reasons),
    )


def _losses(
    headline: Estimate,
    estimates: Sequence[Estimate],
    checks: Sequence[CheckResult],
    failed: Sequence[str],
    trusted: bool,
) -> list[Note]:
    """What costs a level, one note each."""
    status = {check.id: check.status for check in checks}
    before = [status[name] for name in ("pre_trends", "placebo_in_time") if name in status]
    losses: list[Note] = []
    disagreeing = [each for each in estimates if _disagrees(headline, each)]
    if disagreeing:
        names = ", ".join(dict.fromkeys(each.method for each in disagreeing))
        losses.append(Note("methods_disagree", f"The methods disagree: {names}.", {"methods": names}))
    if "failed" in before:
        losses.append(Note("apart_before", "Treated and comparison ran apart before the start."))
    if status.get("leave_one_out") == "failed":
        losses.append(Note("one_control_decides", "The answer hinges on one control."))
    if not trusted:
        losses.append(Note("inference_not_valid", "The uncertainty cannot be stated validly in this design."))
    if status.get("every_unit_treated") == "failed":
        losses.append(Note("cries_wolf", "The test calls too many untreated units significant."))
    if (before and set(before) == {"not_run"}) or (failed and not estimates):
        missing = sum(1 for each in status.values() if each == "not_run")
        text = "Too little could be tested: nothing before the start, or no other method."
        losses.append(Note("checks_missing", text, {"not_run": missing, "count": len(status)}))
    return losses


def _cycle_decides(headline: Estimate, direction: str, ladder: Sequence[LadderRung]) -> list[Note]:
    """The note that costs a level when the answer hangs on how the business cycle is taken out; at most one."""
    opposite = [
        rung
        for rung in ladder
        if rung.status == "valid"
        and rung.effect is not None
        and rung.effect * headline.effect < 0.0
        and rung.p_value is not None
        and rung.p_value < OPPOSITE
    ]
    if opposite:
        names = ", ".join(dict.fromkeys(rung.adjust for rung in opposite))
        text = f"Taken out in another way, the business cycle turns the sign: {names}."
        return [Note("cycle_decides", text, {"names": names, "opposite": True})]
    if direction == "unclear":
        return []
    for rung in ladder:
        covers = rung.lower is None or rung.upper is None or rung.lower <= 0.0 <= rung.upper
        if rung.recommended and not rung.headline and rung.status == "valid" and covers:
            text = "With the recommended way of taking the business cycle out, the effect cannot be told from zero."
            return [Note("cycle_decides", text, {"names": rung.adjust, "opposite": False})]
    return []


def _detectable(headline: Estimate) -> float | None:
    """The smallest effect found 8 times in 10: by the power of the headline's own test, or by its standard error."""
    power = headline.details.get("power")
    if isinstance(power, dict):
        smallest = power.get("mde")
        return smallest if isinstance(smallest, float) else None
    error = one_standard_error(headline)
    return None if error is None else POWER * error


def _treated(headline: Estimate) -> int:
    """How many units, or clusters of units where treatment was assigned to those, were treated."""
    clusters = headline.details.get("treated_clusters")
    return clusters if isinstance(clusters, int) else headline.n_treated


def _design(treated: int) -> Note:
    if treated == 1:
        return Note("one_treated", "One treated unit can reach level 3 of 5 at most.", {"possible": 3})
    if treated < FEW_TREATED:
        return Note("few_treated", f"{treated} treated units can reach level 3 of 5.", {"treated": treated})
    return Note("many_treated", f"{treated} treated units can reach level 4 of 5.", {"treated": treated})


def _direction(headline: Estimate) -> Literal["higher", "lower", "unclear"]:
    if headline.lower is not None and headline.lower > 0:
        return "higher"
    if headline.upper is not None and headline.upper < 0:
        return "lower"
    return "unclear"


def _disagrees(headline: Estimate, other: Estimate) -> bool:
    error = one_standard_error(headline)
    return error is not None and headline.effect * other.effect < 0 and abs(headline.effect - other.effect) > error
