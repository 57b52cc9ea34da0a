"""What the parts promise each other: estimators, adjustments, inference and checks as plain functions over a Panel.

An estimator fits, an adjustment takes the business cycle out, inference refits both together under other assignments, a check
tries to break the answer. Each lives in one file with one METHOD and is entered in its package's registry by one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from evaluation.errors import EstimationError, listed
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.result import Note, Value

if TYPE_CHECKING:
    from evaluation.inference.draws import Placebos

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
    small_sample : bool
        True: that variance takes the regression's small-sample factor and t quantiles. False: the estimator's theory is for
        many units, so the sum of squares is the variance and quantiles are normal.
    variance : Array or None
        (1 + times, 1 + times) covariance of the effect and the path by the estimator's own formula, where that is not a sum
        of squares by unit; `analytic` inference takes it as it is.
    forecast : bool
        That covariance is one of forecast errors: it counts the treated unit's own shocks, so few treated units do not spoil it.
    slope_variance : float
        The variance that slopes shared by all units, estimated in the adjustment for the cycle, bring into the effect.
    n_obs, n_parameters : int
        Observations and estimated parameters *not nested in the clusters*, for the small-sample factor.
    n_clusters : int
        Clusters with a cell in the regression, for the same factor; 0: those with an observation, which all are in it.
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
    small_sample: bool = True
    variance: Array | None = None
    forecast: bool = False
    slope_variance: float = 0.0
    n_obs: int = 0
    n_parameters: int = 0
    n_clusters: int = 0
    notes: tuple[Note, ...] = ()
    details: Mapping[str, Value] = field(default_factory=dict)


Invariance: TypeAlias = Literal["period_shift", "unit_shift", "common_shift", "scale", "unit_order"]
"""What may be done to the outcome without changing the effect: add a constant per period (to all units), per unit, to
everything; multiply everything (the effect scales along); reorder the units."""

Need: TypeAlias = Literal[
    "never_treated", "balanced", "common_start", "two_pre_periods", "one_pre_period", "second_group", "dose"
]


@dataclass(frozen=True, slots=True)
class Design:
    """The regression behind an estimator, for inference that works on its scores.

    Attributes
    ----------
    outcome : Array
        (units, periods); NaN for cells the regression leaves out.
    regressors : Array
        (coefficients, units, periods); unit and period effects are not among them, but always in the regression.
    names : tuple of str
        (coefficients,).
    combination : Array
        (coefficients,) the headline effect is `combination @ coefficients`.
    trends : bool
        Also a linear trend of each unit.
    weights : Array or None
        (units, periods) weights of the cells; None for equal ones.
    path : Array or None
        (times, coefficients): `path @ coefficients` are the effects of the fit, one row for each entry of its `event_times`.
    functional : Array or None
        (units, periods) m where the headline is `combination @ coefficients` + Σ m·residual; None where it has no such part.
    """

    outcome: Array
    regressors: Array
    names: tuple[str, ...]
    combination: Array
    trends: bool = False
    weights: Array | None = None
    path: Array | None = None
    functional: Array | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """One estimator: `fit(panel, options)`, and what is to be known about it.

    `gaps(panel, options)`, where it exists, gives the (periods,) gaps between treated and counterfactual when the model is
    fitted on *all* periods as if none were treated: the null-imposed residuals of conformal inference.
    `regression(panel, options)`, where it exists, is the regression whose coefficients the estimator combines.
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
    regression: Callable[[Panel, Any], Design] | None = None


Term: TypeAlias = float | int | str | Array
"""A coefficient or a fact about one; an array is by unit, (units,)."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What an adjustment finds to take out, from untreated cells alone.

    Attributes
    ----------
    amount : Array
        (units, periods), in the outcome's unit, for treated cells too; measured from each unit's mean before the start, so that
        the level of the outcome stays what it was.
    terms : mapping
        The coefficients with their standard errors, and facts about them.
    keep : Mask or None
        (units,) False for controls that cannot be adjusted: they are left out. None: all can.
    regressors, covariance : Array or None
        (slopes, units, periods) and (slopes, slopes): of slopes that all units share, the series they multiply (measured as
        `amount` is) and their sampling covariance. A treated unit whose series moved further than any control's then has
        more uncertainty than placebos show; slopes of single units need nothing here, since every placebo has its own.
    """

    amount: Array
    terms: Mapping[str, Term] = field(default_factory=dict)
    keep: Mask | None = None
    notes: tuple[Note, ...] = ()
    regressors: Array | None = None
    covariance: Array | None = None


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A panel with the cycle taken out; `removed` is (units, periods) in the outcome's unit, `terms` the coefficients.

    `panel` may lack controls that could not be adjusted; `removed` has a row for each unit there was.
    """

    panel: Panel
    removed: Array
    terms: Mapping[str, Term] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    regressors: Array | None = None
    covariance: Array | None = None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One way of taking the business cycle out of the outcome.

    `remove(untreated, options)` is handed the panel with every treated cell blanked out, so no coefficient can depend on one.
    `idle` marks the adjustment that takes nothing out; `comparison` one that is shown beside the others but should not be the
    answer, with the reason in its summary.
    """

    name: str
    summary: str
    remove: Callable[[Panel, Any], Removal]
    options: type
    source: str
    idle: bool = False
    comparison: bool = False

    def adjust(self, panel: Panel, options: Any) -> Adjusted:
        """The panel without what `remove` found.

        Raises
        ------
        EstimationError
            The panel lacks what the adjustment needs, or a treated unit cannot be adjusted.
        """
        if self.idle:
            return Adjusted(panel, np.zeros_like(panel.outcome))
        found = self.remove(panel.untreated(), options)
        adjusted, notes = panel.with_outcome(panel.outcome - found.amount), found.notes
        if found.keep is not None and not found.keep.all():
            lost = [name for name, kept in zip(panel.units, found.keep, strict=True) if not kept]
            if panel.treated[~found.keep].any():
                raise EstimationError(f"{self.name}: the treated unit cannot be adjusted")
            adjusted = adjusted.keep_units(found.keep)
            notes = (
                *notes,
                Note(
                    "units_not_adjusted",
                    f"{len(lost)} controls could not be adjusted and were left out: {listed(lost)}.",
                    {"count": len(lost), "units": listed(lost)},
                ),
            )
        return Adjusted(adjusted, found.amount, found.terms, notes, found.regressors, found.covariance)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Adjustment and estimator as ONE function, so that whatever refits it refits the adjustment too."""

    method: Method
    options: Any
    adjustment: Adjustment
    adjustment_options: Any

    def __call__(self, panel: Panel) -> Fit:
        """Adjust, then fit; observed and counterfactual are given as they were, the cycle included."""
        adjusted = self.adjust(panel)
        fit = self.method.fit(adjusted.panel, self.options)
        return fit if self.adjustment.idle else _with_the_cycle(fit, panel, adjusted)

    def adjust(self, panel: Panel) -> Adjusted:
        """The adjustment alone, to see what it removed."""
        return self.adjustment.adjust(panel, self.adjustment_options)

    def gaps(self, panel: Panel) -> Array | None:
        """Null-imposed residuals over all periods, (periods,), or None where the estimator has none."""
        if self.method.gaps is None:
            return None
        return self.method.gaps(self.adjust(panel).panel, self.options)


def _with_the_cycle(fit: Fit, panel: Panel, adjusted: Adjusted) -> Fit:
    """The fit of an adjusted panel, told in the units and at the levels of the panel it was made from."""
    from evaluation.numerics import spread, target_weights

    changes: dict[str, Any] = {"notes": (*adjusted.notes, *fit.notes)}
    if adjusted.panel.n_units < panel.n_units:
        for name in ("unit_weights", "influence", "path_influence"):
            if (value := getattr(fit, name)) is not None:
                changes[name] = spread(value, adjusted.panel, panel)
    if adjusted.regressors is not None and adjusted.covariance is not None:
        changes["slope_variance"] = _slope_variance(fit, changes.get("unit_weights", fit.unit_weights), panel, adjusted)
    if fit.periods is not None and fit.observed is not None and fit.counterfactual is not None:
        rows = np.flatnonzero(panel.treated)
        shares = target_weights(panel, np.isfinite(panel.outcome)).shares_of(rows)
        back = (shares * np.nan_to_num(adjusted.removed[rows])).sum(axis=0)[fit.periods]
        changes["observed"], changes["counterfactual"] = fit.observed + back, fit.counterfactual + back
    return replace(fit, **changes)


def _slope_variance(fit: Fit, controls: Array | None, panel: Panel, adjusted: Adjusted) -> float:
    """d'Vd, where d is the effect that the estimator finds in each of the series that shared slopes multiply."""
    from evaluation.numerics import target_weights

    assert adjusted.regressors is not None
    assert adjusted.covariance is not None
    target = target_weights(panel, np.isfinite(panel.outcome))
    series = np.nan_to_num(adjusted.regressors)
    own = np.einsum("kut,ut->k", series, target.cells)
    weights = (~panel.treated) / max(1, int((~panel.treated).sum())) if controls is None else controls
    others = np.einsum("kut,u,t->k", series, weights, target.periods)
    if fit.time_weights is not None:
        own = own - np.einsum("kut,u,t->k", series, target.units, fit.time_weights)
        others = others - np.einsum("kut,u,t->k", series, weights, fit.time_weights)
    difference = own - others
    return float(difference @ adjusted.covariance @ difference)


@dataclass(frozen=True, slots=True)
class Interval:
    """What inference returns, for the headline effect and (aligned with `Fit.effects`) for the path.

    `path_p_adjusted` are p-values that hold for all periods of the window at once. Values that the method cannot give are NaN.
    Anything the reader must know is in `notes`.
    """

    std_error: float
    lower: float
    upper: float
    p_value: float
    path_std_error: Array | None = None
    path_lower: Array | None = None
    path_upper: Array | None = None
    path_p_value: Array | None = None
    path_p_adjusted: Array | None = None
    notes: tuple[Note, ...] = ()
    details: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inference:
    """One way from a fit to an interval.

    `infer(pipeline, panel, level, rng)` gives the interval; `test(pipeline, panel, rng)` only the p-value of no effect.
    `test_each(pipeline, panel, start, rng)`, where it exists, gives that p-value for every row of a panel without treated
    units as if it alone had been treated from `start`, sharing the refits. `unsuited(panel)` gives the warning when the
    method is not valid in this design, else None.

    `infer_from(pipeline, panel, level, fit, placebos)`, where the inference rests on placebos, is `infer` for whoever has the
    pipeline's fit and its placebo fits already: the same interval, and nothing is fitted again. It may be handed the differences
    of two pipelines' fits, which are fits without a path (`event_times` is empty).

    `from_fit(fit, panel, level, rng)`, where the inference needs nothing but the fit, is `infer` for whoever has the pipeline's
    fit already: nothing is fitted again.

    `many_treated` marks an inference whose theory is for many treated clusters.
    """

    name: str
    summary: str
    infer: Callable[[Pipeline, Panel, float, Rng], Interval]
    test: Callable[[Pipeline, Panel, Rng], float]
    unsuited: Callable[[Panel], Note | None]
    source: str
    test_each: Callable[[Pipeline, Panel, int, Rng], Array] | None = None
    infer_from: Callable[[Pipeline, Panel, float, Fit, Placebos], Interval] | None = None
    from_fit: Callable[[Fit, Panel, float, Rng], Interval] | None = None
    many_treated: bool = False
