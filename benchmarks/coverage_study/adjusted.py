"""Estimates of one treated unit with the cycle taken out of the outcomes, for the true and all placebo assignments at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from coverage_study.batched import synthetic_did_weights
from coverage_study.kernels import Paths
from coverage_study.removed import Removed, Replication, cce, factors, region_time, sensitivity, unit_trend
from coverage_study.shared_slopes import local_series, shift_share
from coverage_study.simplex import simplex_weights
from coverage_study.worlds import Shape
from evaluation.errors import EstimationError
from evaluation.panel import Array, Mask

Weights = Callable[[Array, Array, Mask, Shape], tuple[Array, Array]]
"""(problems, periods) lines of the treated, (problems, units, periods) outcomes, which are controls, shape → weights of the units,
(problems, units), and of the periods before the start, (problems, before)."""


def equal_weights(lines: Array, outcomes: Array, controls: Mask, shape: Shape) -> tuple[Array, Array]:
    """Difference-in-differences."""
    return controls / controls.sum(axis=1, keepdims=True), _equal_times(len(lines), shape)


def synthetic_weights(lines: Array, outcomes: Array, controls: Mask, shape: Shape) -> tuple[Array, Array]:
    """Demeaned synthetic control."""
    early = outcomes[:, :, : shape.before] - outcomes[:, :, : shape.before].mean(axis=2, keepdims=True)
    targets = lines[:, : shape.before] - lines[:, : shape.before].mean(axis=1, keepdims=True)
    return simplex_weights(early.transpose(0, 2, 1), targets, controls), _equal_times(len(lines), shape)


def both_weights(lines: Array, outcomes: Array, controls: Mask, shape: Shape) -> tuple[Array, Array]:
    """Synthetic difference in differences."""
    return synthetic_did_weights(lines, outcomes, controls, shape.window, shape.before, shape.window)


def _equal_times(problems: int, shape: Shape) -> Array:
    return np.full((problems, shape.before), 1.0 / shape.before)


WEIGHTS: dict[str, Weights] = {
    "did": equal_weights,
    "synthetic_did": both_weights,
    "synthetic_control demeaned": synthetic_weights,
}
"""By the estimator's name, an option that is switched on behind it."""

REMOVED: dict[str, Callable[[Replication, Shape], Removed]] = {
    "unit_trend": unit_trend,
    "sensitivity": sensitivity,
    "region_time": region_time,
    "local_series": local_series,
    "shift_share": shift_share,
    "factors": factors,
    "cce": cce,
}
"""By the adjustment's name."""


def adjusted(estimator: str, adjust: str, replication: Replication, shape: Shape) -> Paths:
    """The paths of a replication, NaN for placebos that cannot be adjusted, and the variance that shared slopes bring into each.

    Raises
    ------
    EstimationError
        The truly treated unit cannot be adjusted.
    """
    found = REMOVED[adjust](replication, shape)
    every = np.arange(len(found.rest))
    lines = found.rest[every, every]
    omega, times = WEIGHTS[estimator](lines, found.rest, found.controls, shape)
    gaps = lines - (omega[:, None] @ found.rest)[:, 0]
    gaps -= (gaps[:, : shape.before] * times).sum(axis=1, keepdims=True)
    if found.possible is not None:
        if not found.possible[0]:
            raise EstimationError(f"{adjust}: the treated unit cannot be adjusted")
        gaps[~found.possible] = np.nan
    variances = None if found.shared is None else found.shared.variances(omega, times, shape)
    return Paths(gaps[0], gaps[1:], variances, omega[:, 1:])
