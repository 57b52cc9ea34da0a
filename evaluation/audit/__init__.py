"""The auditor's checks of the adjustment for the business cycle: one file each, one line each, in the auditor's order."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from evaluation.audit import (
    breakdown,
    common_shock,
    composition,
    ladder,
    negative_controls,
    planted_effect,
    policy_shocks,
    provenance,
)
from evaluation.result import CheckResult
from evaluation.study import Study

AUDIT: Mapping[str, Callable[[Study], CheckResult]] = MappingProxyType(
    {
        "ladder": ladder.check,
        "negative_controls": negative_controls.check,
        "common_shock": common_shock.check,
        "planted_effect": planted_effect.check,
        "policy_shocks": policy_shocks.check,
        "composition": composition.check,
        "breakdown": breakdown.check,
        "provenance": provenance.check,
    }
)
