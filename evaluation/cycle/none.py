"""No adjustment: unit and period effects of the estimator alone take out what hits all units alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Adjusted, Adjustment
from evaluation.panel import Panel


@dataclass(frozen=True, slots=True)
class Options:
    """Nothing to choose."""


def adjust(panel: Panel, options: Options) -> Adjusted:
    """The panel as it is; `removed` is zero everywhere."""
    return Adjusted(panel, np.zeros_like(panel.outcome))


METHOD = Adjustment(
    name="none",
    summary="nothing beyond what the estimator compares away: a cycle that hits all units alike",
    adjust=adjust,
    options=Options,
    source="-",
)
