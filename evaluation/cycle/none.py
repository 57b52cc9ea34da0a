"""No adjustment: unit and period effects of the estimator alone take out what hits all units alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Adjustment, Removal
from evaluation.panel import Panel


@dataclass(frozen=True, slots=True)
class Options:
    """Nothing to choose."""


def remove(panel: Panel, options: Options) -> Removal:
    """Nothing: zero everywhere."""
    return Removal(np.zeros_like(panel.outcome))


METHOD = Adjustment(
    name="none",
    summary="nothing beyond what the estimator compares away: a cycle that hits all units alike",
    remove=remove,
    options=Options,
    source="-",
    idle=True,
)
