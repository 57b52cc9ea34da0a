"""Controls that looked like the treated before the start: by level, trend, reaction to the cycle and covariates."""

from __future__ import annotations

import numpy as np

from evaluation.cycle import sensitivity
from evaluation.errors import EstimationError
from evaluation.numerics import target_weights
from evaluation.panel import Array, Mask, Panel

NEAREST = 20
"""How many controls are kept: 20 are the fewest with which a rank test can speak at the 5 % level (1/21)."""

FEWEST = 30
"""With fewer controls than this, the nearest 20 are nearly all of them, and nothing is chosen."""


def nearest(panel: Panel, count: int = NEAREST) -> Mask | None:
    """(units,) True for the treated and the `count` controls nearest to them; None with fewer than `FEWEST` controls.

    Nearest in the sum of squared differences of the traits, each divided by its standard deviation among the controls, to the
    mean of the treated (weighted as the headline does). Only periods before the first start are looked at.
    """
    controls = np.flatnonzero(~panel.treated)
    if controls.size < FEWEST or not panel.treated.any():
        return None
    traits = characteristics(panel)
    centre = target_weights(panel, np.isfinite(panel.outcome)).units @ np.nan_to_num(traits)
    scale = np.nanstd(traits[controls], axis=0)
    usable = scale > 0.0
    apart = (traits[:, usable] - centre[usable]) / scale[usable]
    distance = np.where(np.isfinite(apart).all(axis=1), (apart**2).sum(axis=1), np.inf)
    keep = panel.treated.copy()
    keep[controls[np.argsort(distance[controls], kind="stable")[:count]]] = True
    return keep


def characteristics(panel: Panel) -> Array:
    """(units, traits) mean, linear trend and slope on the nation before the first start, and the covariates without a period.

    A trait that some treated unit lacks is left out; so are trend and slope where there are too few periods for them.
    """
    start = panel.starts[0]
    before = panel.outcome[:, :start]
    seen = np.isfinite(before)
    number = np.maximum(seen.sum(axis=1), 1)
    level = np.where(seen.any(axis=1), np.where(seen, before, 0.0).sum(axis=1) / number, np.nan)
    columns = [level]
    if start >= 3:
        times = np.where(seen, np.arange(start, dtype=np.float64), 0.0)
        times = np.where(seen, times - (times.sum(axis=1) / number)[:, None], 0.0)
        moved = (times**2).sum(axis=1)
        rise = (times * np.where(seen, before - level[:, None], 0.0)).sum(axis=1)
        columns.append(np.where(moved > 0.0, rise / np.where(moved > 0.0, moved, 1.0), np.nan))
    try:
        terms = sensitivity.METHOD.adjust(panel, sensitivity.Options()).terms
        columns.append(np.asarray(terms["beta"], dtype=np.float64))
    except EstimationError:
        pass  # too few periods, or no movement: nothing is known about anybody's reaction
    columns += [values for values in panel.covariates.values() if values.ndim == 1]
    traits = np.column_stack(columns)
    return np.asarray(traits[:, np.isfinite(traits[panel.treated]).all(axis=0)])
