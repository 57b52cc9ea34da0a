"""The figures of the auditor's sixteen checks, by check; one that is a table only has none."""

from __future__ import annotations

from evaluation.report.figures import audit_bars, audit_curves, audit_forests, audit_intervals, audit_strips
from evaluation.report.figures.base import Figure

AUDIT_FIGURES: dict[str, tuple[Figure, ...]] = {
    "loading_balance": (audit_intervals.LOADINGS,),
    "backcast": (audit_curves.BACKCAST,),
    "ladder": (audit_forests.LADDER,),
    "equal_shock_placebos": (audit_strips.EQUAL_SHOCK,),
    "in_time_placebos": (audit_forests.IN_TIME,),
    "negative_controls": (audit_forests.NEGATIVE,),
    "common_shock": (audit_bars.COMMON_SHOCK,),
    "planted_effect": (audit_intervals.PLANTED,),
    "factor_sufficiency": (audit_forests.FACTORS, audit_bars.SHARES),
    "spillover_rings": (audit_forests.RINGS,),
    "donors": (audit_strips.DONORS,),
    "policy_shocks": (audit_forests.POLICIES,),
    "composition": (audit_bars.COMPOSITION,),
    "breakdown": (audit_curves.BREAKDOWN,),
    "cycle_state": (audit_forests.PHASES, audit_curves.CYCLE),
    "provenance": (),
}
