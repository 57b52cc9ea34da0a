"""When an auditor's check passes, warns or fails: every number of the written rules, in one table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from evaluation.result import Status


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where a check's value passes and where it still only warns; beyond that it fails.

    Attributes
    ----------
    passes, warns : float
        The bounds, in the unit of the check's value.
    large : bool
        A large value is the good one (a p-value); else a small one is (a bias).
    open_passes, open_warns : bool
        The bound itself does not belong to the better side: "p above 0.10" against "at most 0.25 standard errors".
    """

    passes: float
    warns: float
    large: bool = False
    open_passes: bool = False
    open_warns: bool = False

    def status(self, value: float) -> Status:
        """What the rule says of a value; what is not a number fails."""
        if self._within(value, self.passes, self.open_passes):
            return "passed"
        return "warns" if self._within(value, self.warns, self.open_warns) else "failed"

    def _within(self, value: float, bound: float, is_open: bool) -> bool:
        gap = value - bound if self.large else bound - value
        return gap > 0.0 if is_open else gap >= 0.0


_P_VALUE = Threshold(0.10, 0.05, large=True, open_passes=True, open_warns=True)
_CHANGE = Threshold(0.5, 1.0)
"""A change of the effect in placebo standard deviations."""

THRESHOLDS: Mapping[str, Threshold] = MappingProxyType(
    {
        "loading_balance": Threshold(0.25, 1.0),
        "backcast": Threshold(0.20, 0.05, large=True),
        # one rung outside the interval warns; it fails by `LADDER_P`, not by how many there are
        "ladder": Threshold(0.0, math.inf),
        "equal_shock_placebos": Threshold(0.05, 0.10),
        "in_time_placebos": _P_VALUE,
        "negative_controls": _P_VALUE,
        "common_shock": Threshold(0.02, 0.10),
        "planted_effect": Threshold(0.02, 0.02),
        "factor_sufficiency": _CHANGE,
        "spillover_rings": _CHANGE,
        "donors": Threshold(1.0, 2.0),
        "policy_shocks": _CHANGE,
        "composition": _CHANGE,
        "breakdown": Threshold(1.0, 0.5, large=True),
        "cycle_state": Threshold(0.5, 0.0, large=True, open_warns=True),
        # a missing date warns, a missing hash fails: which item is missing decides, not how many
        "provenance": Threshold(0.0, math.inf),
    }
)
"""The rule of each check's `value`. Checks that weigh a second number use the bounds below and report the worse of the two."""

LADDER_P = 0.10
"""`ladder` fails where a valid rung has the other sign with a p-value below this."""

BREAKDOWN_DRIFT = 0.24
"""`breakdown` passes only above this drift of the sensitivity: the standard deviation of sensitivities between the 98 Danish
municipalities, 2008-14."""


@dataclass(frozen=True, slots=True)
class Band:
    """A share that should lie within `passes`, and at least within `warns` (both inclusive)."""

    passes: tuple[float, float]
    warns: tuple[float, float]

    def status(self, value: float) -> Status:
        """What the rule says of a share."""
        if self.passes[0] <= value <= self.passes[1]:
            return "passed"
        return "warns" if self.warns[0] <= value <= self.warns[1] else "failed"


BANDS: Mapping[str, Band] = MappingProxyType(
    {
        "common_shock": Band((0.03, 0.07), (0.02, 0.10)),  # false alarms of a 5 % test
        "planted_effect": Band((0.93, 0.97), (0.90, 0.98)),  # coverage of a 95 % interval
    }
)

_ORDER: tuple[Status, ...] = ("passed", "warns", "failed")


def status(check: str, value: float) -> Status:
    """ "passed", "warns" or "failed" for the value of the check with this id."""
    return THRESHOLDS[check].status(value)


def threshold(check: str) -> float:
    """The bound up to which the check with this id passes: what is shown beside its value."""
    return THRESHOLDS[check].passes


def worst(*found: Status) -> Status:
    """The worst of several statuses of one check."""
    return max(found, key=_ORDER.index)
