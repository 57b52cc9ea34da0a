"""Was there an effect before there was a programme, in a downturn above all?"""

from __future__ import annotations

import math

from evaluation.audit import thresholds
from evaluation.audit.downturn import downturn, span_label
from evaluation.checks.placebo_in_time import FEWEST_BEFORE, pretend
from evaluation.errors import EstimationError
from evaluation.panel import Panel
from evaluation.periods import PER_YEAR
from evaluation.result import CheckResult, number, numbers
from evaluation.study import Study

YEARS_BEFORE = (3, 2)
"""How long before the true start the pretended ones lie: late enough to leave periods before, early enough to leave some after."""


def check(study: Study) -> CheckResult:
    """Pretend that the programme began three and two years earlier, and at the start of the downturn.

    Only periods before the true start are used; the effect is averaged from the pretended start to the last period before the
    true one, and for the downturn over the downturn, from data up to its end. Adjustment, estimator and inference are refitted.

    Returns
    -------
    CheckResult
        `value` is the smallest p-value.

    References
    ----------
    Abadie, Diamond & Hainmueller (2015), American Journal of Political Science 59(2), section 4 ("in-time placebos").
    """
    panel = study.panel
    placebos = study.placebo
    if placebos is not None and float(placebos["smallest_p"]) > thresholds.threshold("in_time_placebos"):
        count = int(placebos["count"]) - 1
        return CheckResult("in_time_placebos", "not_run", reason="few_controls", facts={"count": count})
    spans = pretended_spans(panel)
    if not spans:
        return CheckResult("in_time_placebos", "not_run", reason="few_periods")
    tried = {span: pretend(study, *span) for span in spans}
    done = {span: found for span, found in tried.items() if found is not None and math.isfinite(found.interval.p_value)}
    if not done:
        return CheckResult("in_time_placebos", "not_run", reason="not_computable")
    intervals = [found.interval for found in done.values()]
    value = min(interval.p_value for interval in intervals)
    return CheckResult(
        "in_time_placebos",
        thresholds.status("in_time_placebos", value),
        value=value,
        threshold=thresholds.threshold("in_time_placebos"),
        facts={"count": len(done)},
        series={
            "starts": [panel.periods[first].label for first, _ in done],
            "effects": [number(found.effect) for found in done.values()],
            "lowers": numbers([interval.lower for interval in intervals]),
            "uppers": numbers([interval.upper for interval in intervals]),
            "p_values": numbers([interval.p_value for interval in intervals]),
            "windows": [span_label(panel, *span) for span in done],
        },
    )


def pretended_spans(panel: Panel) -> tuple[tuple[int, int], ...]:
    """First and last period (indices) of each pretended programme, the earliest first."""
    start, year = panel.starts[0], PER_YEAR[panel.periods[0].frequency]
    spans = {(start - years * year, start - 1) for years in YEARS_BEFORE if start - years * year >= FEWEST_BEFORE}
    try:
        fall = downturn(panel)
    except EstimationError:
        fall = None
    if fall is not None:
        spans.add((fall.first, fall.last))
    return tuple(sorted(spans))
