"""Does one control decide?"""

from __future__ import annotations

import numpy as np

from evaluation.errors import EstimationError
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
    panel = study.panel
    used = [
        row for row, name in enumerate(panel.units) if name in study.headline.unit_weights and not panel.treated[row]
    ]
    if not used:
        used = [int(row) for row in np.flatnonzero(~panel.treated)]
    if len(used) < 2:
        return CheckResult("leave_one_out", "not_run", reason="few_controls", facts={"count": len(used)})
    if study.spread is None or study.spread <= 0:
        return CheckResult("leave_one_out", "not_run", reason="no_placebos")
    names, effects = [], []
    keep = np.ones(panel.n_units, dtype=np.bool_)
    for row in used:
        keep[row] = False
        try:
            effects.append(study.pipeline(panel.keep_units(keep)).att)
            names.append(panel.units[row])
        except EstimationError:
            pass
        keep[row] = True
    if not effects:
        return CheckResult("leave_one_out", "not_run", reason="not_computable")
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
