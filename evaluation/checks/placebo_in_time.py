"""Was there an effect before there was a programme?"""

from __future__ import annotations

import numpy as np

from evaluation.checks.refits import Refit, refit
from evaluation.result import CheckResult, numbers
from evaluation.study import Study

STARTS = 3
"""Pretended starts: the last three periods that leave something before them."""

FEWEST_BEFORE = 2
"""Periods before a pretended start at the least."""

WARNS, FAILS = 0.10, 0.05


def check(study: Study) -> CheckResult:
    """Pretend that the programme began earlier, and use only data from before it really did.

    An effect where there was none means that the comparison drifts apart by itself.

    References
    ----------
    Abadie, Diamond & Hainmueller (2015), American Journal of Political Science 59(2), section 4 ("in-time placebos").
    """
    panel = study.panel
    # with several starts: before the first of them nobody is treated, and all are pretended to begin together
    start = panel.starts[0]
    pretended = [first for first in range(start - STARTS, start) if first >= FEWEST_BEFORE]
    if not pretended:
        return CheckResult("placebo_in_time", "not_run", reason="few_periods")
    found = {first: pretend(study, first, start - 1) for first in pretended}
    done = {panel.periods[first].label: each for first, each in found.items() if each is not None}
    if not done:
        return CheckResult("placebo_in_time", "not_run", reason="not_computable")
    labels, effects = list(done), [each.effect for each in done.values()]
    intervals = [each.interval for each in done.values()]
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


def pretend(study: Study, first: int, last: int) -> Refit | None:
    """The effect of a programme that began in period `first`, averaged to period `last`, from data up to there.

    `first` and `last` are indices of periods before the true start, so nothing the programme did is seen; None where the
    pipeline or the inference cannot be computed.
    """
    earlier = study.panel.with_window(None).keep_periods(0, last)
    moved = earlier.assign({int(row): first for row in np.flatnonzero(study.panel.treated)})
    return refit(study, moved, f"placebo_in_time/{first}")
