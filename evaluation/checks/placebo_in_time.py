"""Was there an effect before there was a programme?"""

from __future__ import annotations

import numpy as np

from evaluation.contracts import Interval
from evaluation.errors import EstimationError
from evaluation.result import CheckResult, numbers
from evaluation.study import Study

STARTS = 3
"""Pretended starts: the last three periods that leave something before them."""

WARNS, FAILS = 0.10, 0.05


def check(study: Study) -> CheckResult:
    """Pretend that the programme began earlier, and use only data from before it really did.

    An effect where there was none means that the comparison drifts apart by itself.

    References
    ----------
    Abadie, Diamond & Hainmueller (2015), American Journal of Political Science 59(2), section 4 ("in-time placebos").
    """
    panel = study.panel
    if len(panel.starts) != 1:
        return CheckResult("placebo_in_time", "not_run", reason="several_starts")
    start = panel.starts[0]
    fewest = 2 if "two_pre_periods" in study.pipeline.method.needs else 1
    pretended = [first for first in range(start - STARTS, start) if first >= max(fewest, 2)]
    if not pretended:
        return CheckResult("placebo_in_time", "not_run", reason="few_periods")
    earlier = panel.with_window(None).keep_periods(0, start - 1)
    treated = np.flatnonzero(panel.treated)
    labels, effects, intervals = [], [], list[Interval]()
    for first in pretended:
        moved = earlier.assign({int(row): first for row in treated})
        try:
            interval = study.inference.infer(study.pipeline, moved, study.level, study.rng(f"placebo_in_time/{first}"))
            effects.append(study.pipeline(moved).att)
        except EstimationError:
            continue
        labels.append(panel.periods[first].label)
        intervals.append(interval)
    if not intervals:
        return CheckResult("placebo_in_time", "not_run", reason="not_computable")
    p_values = [interval.p_value for interval in intervals]
    placebos = study.placebo
    if placebos is not None and float(placebos["smallest_p"]) > WARNS:
        return CheckResult(
            "placebo_in_time", "not_run", reason="few_controls", facts={"count": int(placebos["count"]) - 1}
        )
    worst = int(np.argmin(p_values))
    return CheckResult(
        "placebo_in_time",
        "failed" if p_values[worst] <= FAILS else "warns" if p_values[worst] <= WARNS else "passed",
        value=p_values[worst],
        threshold=WARNS,
        facts={
            "count": len(labels),
            "worst_start": labels[worst],
            "worst_effect": effects[worst],
            "worst_p": p_values[worst],
            "last_before": panel.periods[start - 1].label,
        },
        series={
            "starts": list(labels),
            "effects": numbers(effects),
            "lower": numbers([interval.lower for interval in intervals]),
            "upper": numbers([interval.upper for interval in intervals]),
            "p_values": numbers(p_values),
        },
    )
