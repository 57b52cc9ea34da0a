"""Does one control decide?"""

from __future__ import annotations

import numpy as np

from evaluation.checks.refits import donors_in_use, without_each_donor
from evaluation.result import CheckResult, numbers
from evaluation.study import Study

WARNS, FAILS = 1.0, 2.0
"""The range of the estimates, in placebo standard deviations."""


def check(study: Study) -> CheckResult:
    """Leave each control that carries weight out in turn, and refit adjustment and estimator.

    References
    ----------
    Abadie, Diamond & Hainmueller (2015), American Journal of Political Science 59(2), section 4 ("leave-one-out").
    """
    count = len(donors_in_use(study))
    if count < 2:
        return CheckResult("leave_one_out", "not_run", reason="few_controls", facts={"count": count})
    if study.spread is None or study.spread <= 0:
        return CheckResult("leave_one_out", "not_run", reason="no_placebos")
    found = without_each_donor(study)
    if not found:
        return CheckResult("leave_one_out", "not_run", reason="not_computable")
    names, effects = list(found), list(found.values())
    low, high = int(np.argmin(effects)), int(np.argmax(effects))
    width = (max(effects) - min(effects)) / study.spread
    return CheckResult(
        "leave_one_out",
        "failed" if width > FAILS else "warns" if width > WARNS else "passed",
        value=width,
        threshold=WARNS,
        facts={
            "low": effects[low],
            "low_unit": names[low],
            "high": effects[high],
            "high_unit": names[high],
            "full": study.headline.effect,
            "std_error": study.spread,
            "count": len(effects),
        },
        series={"units": list(names), "effects": numbers(effects)},
    )
