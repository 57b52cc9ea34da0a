"""Attempts to break the answer: one file each, one line each."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from evaluation.checks import donor_weights, every_unit_treated, honest_did, leave_one_out, placebo_in_time, pre_trends
from evaluation.result import CheckResult
from evaluation.study import Study

CHECKS: Mapping[str, Callable[[Study], CheckResult]] = MappingProxyType(
    {
        "pre_trends": pre_trends.check,
        "placebo_in_time": placebo_in_time.check,
        "honest_did": honest_did.check,
        "leave_one_out": leave_one_out.check,
        "donor_weights": donor_weights.check,
        "every_unit_treated": every_unit_treated.check,
    }
)
