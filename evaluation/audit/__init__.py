"""The auditor's checks of the adjustment for the business cycle: one file each, one line each, in the auditor's order."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from evaluation.audit import (
    backcast,
    breakdown,
    common_shock,
    composition,
    cycle_state,
    donors,
    equal_shock_placebos,
    factor_sufficiency,
    in_time_placebos,
    ladder,
    loading_balance,
    negative_controls,
    planted_effect,
    policy_shocks,
    provenance,
    spillover_rings,
)
from evaluation.result import CheckResult
from evaluation.study import Study

AUDIT: Mapping[str, Callable[[Study], CheckResult]] = MappingProxyType(
    {
        "loading_balance": loading_balance.check,
        "backcast": backcast.check,
        "ladder": ladder.check,
        "equal_shock_placebos": equal_shock_placebos.check,
        "in_time_placebos": in_time_placebos.check,
        "negative_controls": negative_controls.check,
        "common_shock": common_shock.check,
        "planted_effect": planted_effect.check,
        "factor_sufficiency": factor_sufficiency.check,
        "spillover_rings": spillover_rings.check,
        "donors": donors.check,
        "policy_shocks": policy_shocks.check,
        "composition": composition.check,
        "breakdown": breakdown.check,
        "cycle_state": cycle_state.check,
        "provenance": provenance.check,
    }
)
