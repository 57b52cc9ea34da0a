"""On how many controls does the answer rest?"""

from __future__ import annotations

from evaluation.result import CheckResult, Estimate
from evaluation.study import Study

LARGEST, FEWEST = 0.5, 3.0
"""One control above this weight, or fewer effective controls than this, and the comparison leans on a few."""


def check(study: Study) -> CheckResult:
    """The weights of the first estimate that weights controls unequally; effective number 1 / Σω².

    The headline's own weights are judged where they are unequal; for difference-in-differences, whose weights are equal, the
    first synthetic estimate is shown and the check passes.
    """
    unequal = [each for each in (study.headline, *study.estimates) if _unequal(each)]
    if not unequal:
        return CheckResult("donor_weights", "not_run", reason="equal_weights", facts={"method": study.headline.method})
    shown = unequal[0]
    weights = sorted(shown.unit_weights.items(), key=lambda item: (-item[1], item[0]))
    total = sum(weight for _, weight in weights)
    effective = total**2 / sum(weight**2 for _, weight in weights)
    name, largest = weights[0]
    leans = largest > LARGEST or effective < FEWEST
    return CheckResult(
        "donor_weights",
        "warns" if leans and shown is study.headline else "passed",
        value=effective,
        threshold=FEWEST,
        facts={
            "method": shown.method,
            "is_headline": shown is study.headline,
            "n_used": len(weights),
            "effective": effective,
            "largest": largest,
            "largest_unit": name,
        },
        series={"units": [unit for unit, _ in weights], "weights": [weight for _, weight in weights]},
    )


def _unequal(estimate: Estimate) -> bool:
    weights = list(estimate.unit_weights.values())
    return len(weights) > 0 and max(weights) - min(weights) > 1e-9
