"""What the parts promise each other: estimators, adjustments, inference and checks as plain functions over a Panel.

An estimator fits, an adjustment takes the business cycle out, inference refits both together under other assignments, a check
tries to break the answer. Each lives in one file with one METHOD and is entered in its package's registry by one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from evaluation.panel import Array, Indices, Panel
from evaluation.result import Note, Value

Rng: TypeAlias = np.random.Generator


@dataclass(frozen=True, slots=True)
class Fit:
    """What an estimator returns.

    Attributes
    ----------
    att : float
        The headline effect: mean over the target cells (treated units × window), in the outcome's unit.
    effects : Array
        (times,) effect at each entry of `event_times`, before and after; the reference period, if any, is 0.
    event_times : Indices
        (times,) 0 is the first treated period.
    periods : Indices or None
        (times,) index into `panel.periods` when all treated units start together, else None.
    observed, counterfactual : Array or None
        (times,) mean outcome of the treated and what it would have been without treatment.
    unit_weights : Array or None
        (units,) weight of each control in the counterfactual (zero for treated units), summing to 1.
    time_weights : Array or None
        (periods,) weight of each pre-period, summing to 1.
    fit_rmse : float or None
        Root mean square of the pre-period gaps (the pre-treatment fit).
    influence, path_influence : Array or None
        (units,) and (times, units): the effect's and the path's linearisation; the sum over units of its square is the
        cluster-robust variance before the small-sample factor.
    n_obs, n_parameters : int
        Observations and estimated parameters *not nested in the clusters*, for the small-sample factor.
    """

    att: float
    effects: Array
    event_times: Indices
    periods: Indices | None = None
    observed: Array | None = None
    counterfactual: Array | None = None
    unit_weights: Array | None = None
    time_weights: Array | None = None
    fit_rmse: float | None = None
    influence: Array | None = None
    path_influence: Array | None = None
    n_obs: int = 0
    n_parameters: int = 0
    notes: tuple[Note, ...] = ()
    details: Mapping[str, Value] = field(default_factory=dict)


Invariance: TypeAlias = Literal["period_shift", "unit_shift", "common_shift", "scale", "unit_order"]
"""What may be done to the outcome without changing the effect: add a constant per period (to all units), per unit, to
everything; multiply everything (the effect scales along); reorder the units."""

Need: TypeAlias = Literal["never_treated", "balanced", "common_start", "two_pre_periods", "one_pre_period"]


@dataclass(frozen=True, slots=True)
class Method:
    """One estimator: `fit(panel, options)`, and what is to be known about it.

    `gaps(panel, options)`, where it exists, gives the (periods,) gaps between treated and counterfactual when the model is
    fitted on *all* periods as if none were treated: the null-imposed residuals of conformal inference.
    """

    name: str
    summary: str
    fit: Callable[[Panel, Any], Fit]
    options: type
    needs: tuple[Need, ...]
    keeps: frozenset[Invariance]
    default_inference: str
    source: str
    gaps: Callable[[Panel, Any], Array] | None = None


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A panel with the cycle taken out; `removed` is (units, periods) in the outcome's unit, `terms` the coefficients."""

    panel: Panel
    removed: Array
    terms: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One way of taking the business cycle out of the outcome, from untreated cells only."""

    name: str
    summary: str
    adjust: Callable[[Panel, Any], Adjusted]
    options: type
    source: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Adjustment and estimator as ONE function, so that whatever refits it refits the adjustment too."""

    method: Method
    options: Any
    adjustment: Adjustment
    adjustment_options: Any

    def __call__(self, panel: Panel) -> Fit:
        """Adjust, then fit."""
        return self.method.fit(self.adjust(panel).panel, self.options)

    def adjust(self, panel: Panel) -> Adjusted:
        """The adjustment alone, to see what it removed."""
        return self.adjustment.adjust(panel, self.adjustment_options)

    def gaps(self, panel: Panel) -> Array | None:
        """Null-imposed residuals over all periods, (periods,), or None where the estimator has none."""
        if self.method.gaps is None:
            return None
        return self.method.gaps(self.adjust(panel).panel, self.options)


@dataclass(frozen=True, slots=True)
class Interval:
    """What inference returns, for the headline effect and (aligned with `Fit.effects`) for the path.

    Values that the method cannot give are NaN. Anything the reader must know is in `notes`.
    """

    std_error: float
    lower: float
    upper: float
    p_value: float
    path_std_error: Array | None = None
    path_lower: Array | None = None
    path_upper: Array | None = None
    path_p_value: Array | None = None
    notes: tuple[Note, ...] = ()
    details: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inference:
    """One way from a fit to an interval.

    `infer(pipeline, panel, level, rng)` gives the interval; `test(pipeline, panel, rng)` only the p-value of no effect.
    `test_each(pipeline, panel, start, rng)`, where it exists, gives that p-value for every row of a panel without treated
    units as if it alone had been treated from `start`, sharing the refits. `unsuited(panel)` gives the warning when the
    method is not valid in this design, else None.
    """

    name: str
    summary: str
    infer: Callable[[Pipeline, Panel, float, Rng], Interval]
    test: Callable[[Pipeline, Panel, Rng], float]
    unsuited: Callable[[Panel], Note | None]
    source: str
    test_each: Callable[[Pipeline, Panel, int, Rng], Array] | None = None
