"""Doubly robust difference-in-differences: two groups, before and after, trends that may depend on covariates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError
from evaluation.numerics import (
    Target,
    common_start,
    complete_units,
    dropped_note,
    spread,
    target_weights,
    without_always_treated,
)
from evaluation.panel import Array, Mask, Panel
from evaluation.propensity import design_matrix, least_squares, trimmed_note
from evaluation.regression import covariate_values, weight_values
from evaluation.result import Note
from evaluation.two_period import Effects, cross_section_effects, panel_effects

NAME = "dr_did"

SEVERAL = " (`callaway_santanna` makes such comparisons for each start and period)"


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `dr_did`."""

    estimator: Annotated[
        Literal["improved", "traditional", "reg", "ipw", "std_ipw", "twfe"],
        Field(
            description="doubly robust (improved or traditional), outcome regression, inverse probability weights (plain or "
            "normalised), or a two-way regression for comparison"
        ),
    ] = "improved"
    locally_efficient: Annotated[
        bool, Field(description="with cross_sections: also model the outcomes of the treated")
    ] = True
    covariates: Annotated[
        tuple[str, ...],
        Field(description="trends may depend on these; of one that varies over time the mean before the start counts"),
    ] = ()
    cross_sections: Annotated[
        bool, Field(description="the units seen before and after are different ones (repeated cross-sections)")
    ] = False
    weights: Annotated[str, Field(description='covariate that weights the units, or "size"')] = ""


def fit(panel: Panel, options: Options) -> Fit:
    """The change of the treated from before to after, minus that of controls made alike by weights and a regression.

    Periods are collapsed into two: each unit's mean before the start and its mean over the window. `improved` and `traditional`
    are right if either the propensity score or the outcome regression is (`two_period.panel_effects` has the equations). With
    `cross_sections` every observation before the start and every one in the window counts once.

    Parameters
    ----------
    panel : Panel
        One common start; complete, unless `cross_sections`.

    Returns
    -------
    Fit
        The path measures each period against the mean before the start (`cross_sections`: the periods of the window only).

    Raises
    ------
    EstimationError
        No control, no period before, no overlap in the covariates, or collinear ones.

    References
    ----------
    Sant'Anna & Zhao (2020), Journal of Econometrics 219(1), eqs. (2.2)-(2.9), (3.1)-(3.4).
    """
    used, notes = without_always_treated(panel)
    try:
        found = _repeated(used, options) if options.cross_sections else _panel(used, options)
        return found if used is panel else _with_dropped(found, panel, notes)
    except EstimationError as error:
        if any(str(problem).startswith(NAME) for problem in error.problems):
            raise
        raise EstimationError(*(f"{NAME}: {problem}" for problem in error.problems)) from None


def _with_dropped(found: Fit, panel: Panel, notes: tuple[Note, ...]) -> Fit:
    """The fit of a panel without units treated from the first period on, in the order of the panel with them."""
    kept = np.flatnonzero(panel.start > 0)

    def wide(values: Array | None) -> Array | None:
        if values is None:
            return None
        spread_out = np.zeros((*values.shape[:-1], panel.n_units))
        spread_out[..., kept] = values
        return spread_out

    return replace(
        found,
        unit_weights=wide(found.unit_weights),
        influence=wide(found.influence),
        path_influence=wide(found.path_influence),
        notes=(*notes, *found.notes),
    )


# ---------------------------------------------------------------------- the same units before and after


def _panel(panel: Panel, options: Options) -> Fit:
    start = common_start(panel, NAME, SEVERAL)
    known, values = _before(panel, options.covariates, start)
    blank = panel if known.all() else panel.with_outcome(np.where(known[:, None], panel.outcome, np.nan))
    kept, dropped = complete_units(blank, NAME)
    rows = np.isfinite(blank.outcome).all(axis=1) if dropped else slice(None)
    target = target_weights(kept)
    before = (np.arange(kept.n_periods) < start) / float(start)
    weights = _weights(panel, options, start, target, kept.treated, rows)
    lines = kept.outcome - (kept.outcome @ before)[:, None]
    change = np.empty((1 + kept.n_periods, kept.n_units))
    change[0] = lines @ target.periods
    # a treated unit's own window is weighted as the headline weights its cells
    own = np.flatnonzero(target.units)
    change[0, own] = (target.cells[own] * lines[own]).sum(axis=1) / target.units[own]
    change[1:] = lines.T
    design = design_matrix(values[rows]) if options.covariates else None
    found = panel_effects(options.estimator, change, kept.treated, design, weights)
    treated = kept.treated
    share = np.where(treated, weights, 0.0) / weights[treated].sum()
    observed = share @ kept.outcome
    influence = np.zeros((change.shape[0], panel.n_units))
    influence[:, rows] = found.influence
    equal = design is None and not options.weights
    variance = None
    if options.estimator == "twfe" and design is not None:
        variance = _by_observation(change, kept.outcome @ before, treated, design, weights)
    return Fit(
        att=float(found.att[0]),
        effects=found.att[1:],
        event_times=np.arange(kept.n_periods) - start,
        periods=np.arange(kept.n_periods),
        observed=observed,
        counterfactual=observed - found.att[1:],
        unit_weights=spread((~treated) / float((~treated).sum()), kept, panel) if equal else None,
        time_weights=before if equal else None,
        fit_rmse=float(np.sqrt(np.mean(found.att[1 : 1 + start] ** 2))),
        influence=influence[0],
        path_influence=influence[1:],
        small_sample=False,
        variance=variance,
        n_obs=kept.n_units * kept.n_periods,
        notes=(*dropped_note(dropped), *trimmed_note(found.trimmed)),
    )


def _before(panel: Panel, names: tuple[str, ...], start: int) -> tuple[Mask, Array]:
    """(units,) who has all covariates, and the (units, covariates) means before the start."""
    columns = covariate_values(panel, names, NAME)
    values = np.empty((panel.n_units, len(columns)))
    for index, each in enumerate(columns):
        values[:, index] = each if each.ndim == 1 else each[:, :start].mean(axis=1)
    return np.asarray(np.isfinite(values).all(axis=1)), values


def _weights(panel: Panel, options: Options, start: int, target: Target, treated: Mask, rows: Any) -> Array:
    """(kept units,) weights: those asked for before the start, else the headline's weights among the treated and 1."""
    asked = weight_values(panel, options.weights, NAME)
    if asked is None:
        return np.where(treated, target.units * float(treated.sum()), 1.0)
    weights: Array = np.nan_to_num((asked if asked.ndim == 1 else asked[:, :start].mean(axis=1))[rows])
    if not (weights[treated].any() and weights[~treated].any()):
        raise EstimationError(f"{NAME}: all weights '{options.weights}' of the treated or of the controls are zero")
    return weights


def _by_observation(change: Array, before: Array, treated: Mask, design: Array, weights: Array) -> Array:
    """(columns, columns) covariance of the two-way regression's coefficient if a unit's two observations were independent.

    What the authors' program reports beside covariates; summing a unit's observations first (`cluster`) is safer. With u the
    residual of a unit's mean on group and covariates and v that of its change on group, the two residuals are u ± v/2.
    """
    average = before + change / 2.0
    both = np.column_stack([design, treated.astype(np.float64)])
    level = least_squares(average, both, weights).residuals
    shares = [np.where(side, weights, 0.0) / weights[side].sum() for side in (treated, ~treated)]
    means = [(change @ share)[:, None] for share in shares]
    moved = change - np.where(treated, means[0], means[1])
    status = treated - float(weights @ treated) / float(weights.sum())
    scale = weights * status / float(weights @ status**2)
    return np.asarray(2.0 * (level * scale**2) @ level.T + 0.5 * (moved * scale**2) @ moved.T)


# ---------------------------------------------------------------------- different units before and after


def _repeated(panel: Panel, options: Options) -> Fit:
    start = common_start(panel, NAME, SEVERAL)
    seen: Mask = np.array(np.isfinite(panel.outcome))
    columns = covariate_values(panel, options.covariates, NAME)
    for each in columns:
        seen &= np.isfinite(each[:, None] if each.ndim == 1 else each)
    seen[:, start:] &= np.asarray(panel.target.any(axis=0))[start:]
    asked = weight_values(panel, options.weights, NAME)
    if asked is None and panel.size is not None:
        asked = np.where(panel.treated[:, None], np.nan_to_num(panel.size), 1.0)
    if asked is not None:
        seen &= np.nan_to_num(asked[:, None] if asked.ndim == 1 else asked) > 0.0
    units, times = np.nonzero(seen)

    def cell(values: Array) -> Array:
        return values[units] if values.ndim == 1 else values[units, times]

    treated, outcome = panel.treated[units], panel.outcome[units, times]
    weights = np.ones(units.size) if asked is None else cell(asked)
    values = np.column_stack([cell(each) for each in columns]) if columns else None
    missing = [
        f"{who} are observed {when}"
        for who, side in (("none of the treated", treated), ("no controls", ~treated))
        for when, part in (("before the start", times < start), ("in the window", times >= start))
        if not (side & part).any()
    ]
    if missing:
        raise EstimationError(*(f"{NAME}: {problem}" for problem in missing))

    def effects(keep: Mask) -> tuple[float, Array, Effects]:
        design = None if values is None else design_matrix(values[keep])
        found = cross_section_effects(
            options.estimator, outcome[keep], treated[keep], times[keep] >= start, design, weights[keep],
            options.locally_efficient,
        )  # fmt: skip
        summed = np.zeros(panel.n_units)
        np.add.at(summed, units[keep], found.influence[0])
        return float(found.att[0]), summed, found

    everything = np.ones(units.size, dtype=np.bool_)
    att, influence, found = effects(everything)
    after = [time for time in range(start, panel.n_periods) if ((times == time) & treated).any()]
    after = [time for time in after if ((times == time) & ~treated).any()]
    path = [(att, influence)] if (times[times >= start] == after[0]).all() else []
    path = path or [effects((times < start) | (times == time))[:2] for time in after]
    line = np.array([np.average(outcome[own], weights=weights[own]) for own in ((times == t) & treated for t in after)])
    gaps = np.array([effect for effect, _ in path])
    return Fit(
        att=att,
        effects=gaps,
        event_times=np.array(after) - start,
        periods=np.array(after),
        observed=line,
        counterfactual=line - gaps,
        influence=influence,
        path_influence=np.vstack([each for _, each in path]),
        small_sample=False,
        n_obs=units.size,
        notes=trimmed_note(found.trimmed),
    )


METHOD = Method(
    name=NAME,
    summary="doubly robust difference-in-differences: before and after, against controls made alike by covariates",
    fit=fit,
    options=Options,
    needs=("never_treated", "balanced", "common_start", "one_pre_period"),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="cluster",
    source="Sant'Anna & Zhao (2020), Journal of Econometrics 219(1)",
)
