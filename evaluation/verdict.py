"""How strong the evidence is, by written rules.

Level 5 is kept for randomised trials, which this software does not evaluate. A comparison over time of treated and similar
untreated units reaches at most 3 when fewer than six units were treated (level 3 of the Maryland scale as the What Works Centre
for Local Economic Growth scores it) and at most 4 otherwise. From there one level is lost for each of these, down to 1:

- the estimators disagree: one has the opposite sign and lies more than one standard error from the headline;
- the treated unit and its comparison ran apart before the start (`pre_trends` or `placebo_in_time` failed);
- one control decides (`leave_one_out` failed);
- the inference is not valid in this design, or gives no interval;
- the inference cries wolf on untreated units (`every_unit_treated` failed).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from evaluation.result import CheckResult, Estimate, Note, Verdict

FEW_TREATED = 6
POWER = 2.8
"""Standard errors that a true effect must measure to be found with probability 0.8 by a two-sided test at 5 % (1.96 + 0.84)."""

INVALID_NOTES = ("cluster_few_treated", "placebo_unequal_sizes", "staggered_twfe")


def judge(headline: Estimate, estimates: Sequence[Estimate], checks: Sequence[CheckResult]) -> Verdict:
    """Direction, level and reasons, from the numbers alone."""
    possible = 3 if headline.n_treated < FEW_TREATED else 4
    status = {check.id: check.status for check in checks}
    losses: list[Note] = []
    disagreeing = [each for each in estimates if _disagrees(headline, each)]
    if disagreeing:
        names = ", ".join(dict.fromkeys(each.method for each in disagreeing))
        losses.append(Note("methods_disagree", f"The methods disagree: {names}.", {"methods": names}))
    if "failed" in (status.get("pre_trends"), status.get("placebo_in_time")):
        losses.append(Note("apart_before", "Treated and comparison ran apart before the start."))
    if status.get("leave_one_out") == "failed":
        losses.append(Note("one_control_decides", "The answer hinges on one control."))
    if headline.lower is None or any(note.code in INVALID_NOTES for note in headline.notes):
        losses.append(Note("inference_not_valid", "The uncertainty cannot be stated validly in this design."))
    if status.get("every_unit_treated") == "failed":
        losses.append(Note("cries_wolf", "The test calls too many untreated units significant."))
    reasons = [_design(headline), *losses]
    if estimates and not disagreeing:
        reasons.append(Note("methods_agree", "The methods agree.", {"count": len(estimates) + 1}))
    if not losses and status:
        passed = sum(1 for each in status.values() if each == "passed")
        ran = sum(1 for each in status.values() if each != "not_run")
        reasons.append(Note("checks_passed", f"{passed} of {ran} checks passed.", {"passed": passed, "count": ran}))
    return Verdict(
        direction=_direction(headline),
        level=max(1, possible - len(losses)),
        possible=possible,
        ruled_out_below=headline.lower,
        ruled_out_above=headline.upper,
        detectable=None if headline.std_error is None else POWER * headline.std_error,
        reasons=tuple(reasons),
    )


def _design(headline: Estimate) -> Note:
    if headline.n_treated == 1:
        return Note("one_treated", "One treated unit can reach level 3 of 5 at most.", {"possible": 3})
    if headline.n_treated < FEW_TREATED:
        return Note(
            "few_treated",
            f"{headline.n_treated} treated units can reach level 3 of 5.",
            {"treated": headline.n_treated},
        )
    return Note(
        "many_treated", f"{headline.n_treated} treated units can reach level 4 of 5.", {"treated": headline.n_treated}
    )


def _direction(headline: Estimate) -> Literal["higher", "lower", "unclear"]:
    if headline.lower is not None and headline.lower > 0:
        return "higher"
    if headline.upper is not None and headline.upper < 0:
        return "lower"
    return "unclear"


def _disagrees(headline: Estimate, other: Estimate) -> bool:
    return headline.effect * other.effect < 0 and abs(headline.effect - other.effect) > (headline.std_error or 0.0)
