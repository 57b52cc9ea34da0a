"""The cycle as the outcome itself shows it: what the never-treated units did on average."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evaluation.cycle.loadings import leave_own_out
from evaluation.numerics import target_weights
from evaluation.panel import Array, Panel


def national_path(panel: Panel) -> Array:
    """(periods,) mean outcome of the never-treated units, measured from its mean before the first start.

    Raises
    ------
    EstimationError
        In some period no never-treated unit is observed.
    """
    path = leave_own_out(panel, panel.outcome)[int(np.argmax(panel.treated))]
    return np.asarray(path - path[: panel.starts[0]].mean())


def change_to_window(panel: Panel, path: Array, weights: Mapping[str, float] | None = None) -> float:
    """How far a (periods,) path moved from before the first start to the window, weighted as the headline is.

    `weights` are an estimate's weights of the periods before the start, by label, summing to 1; without any these count alike.
    """
    start = panel.starts[0]
    before = np.full(start, 1.0 / start)
    if weights:
        before = np.array([weights.get(period.label, 0.0) for period in panel.periods[:start]])
    return float(target_weights(panel).periods @ path - before @ path[:start])
