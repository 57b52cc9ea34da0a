"""Triple differences: difference-in-differences of the gap to a second group in the same units."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError, did_you_mean, listed
from evaluation.numerics import (
    Target,
    complete_units,
    contrast,
    contrast_influence,
    dropped_note,
    something_treated,
    spread,
    target_weights,
    without_always_treated,
    without_comparison,
)
from evaluation.panel import Array, Panel
from evaluation.regression import cluster_errors
from evaluation.result import Note, Value, number


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `triple_difference`."""

    second_group: Annotated[
        str,
        Field(
            description="covariate that holds the outcome of a group in the same units that the programme does not reach"
        ),
    ] = "second_group"
    base_period: Annotated[
        Literal["all", "last"],
        Field(description="measure change from the mean of all periods before the start, or the last"),
    ] = "all"


@dataclass(frozen=True, slots=True)
class Cohort:
    """One start: its ordinary contrast on the differences between the groups, for the periods that have a comparison.

    `cells` (periods,) are its weights in the headline, `numbers` (periods,) its units or persons, `effects` (periods,),
    `influence` (units,) of its share of the headline and `path_influence` (periods, units).
    """

    start: int
    cells: Array
    numbers: Array
    effects: Array
    influence: Array
    path_influence: Array


def fit(panel: Panel, options: Options) -> Fit:
    """The change of the treated's gap between the two groups, less the same change in the units that are not treated.

    With d = outcome − second group's outcome in the same unit and period, the effect of start g in period t is
    (d̄_gt − Σ_s λ_s d̄_gs) − (d̄_ct − Σ_s λ_s d̄_cs), λ equal over the periods before g (or all on the last): with two periods the
    difference of eight means. Each start is compared with the never treated alone; where nobody is never treated, with the
    units that start last, until they do. Headline and path average the starts' effects by their treated cells.

    Differences are taken within units first, so that both groups weight units alike. Pooling not-yet-treated units as they come
    mixes starts by different shares in the two groups, and then the triple difference is not the effect even when each start's
    own comparison is valid.

    Parameters
    ----------
    panel : Panel
        With the second group's outcome, (units, periods), among its covariates.

    Returns
    -------
    Fit
        `influence` by unit, `details` the effects by start.

    Raises
    ------
    EstimationError
        The second group is not there, a treated unit lacks a cell of either group, or there is nobody to compare with.

    References
    ----------
    Olden & Møen (2022), Econometrics Journal 25(3), section 3; Ortiz-Villavicencio & Sant'Anna (2025), Better Understanding
    Triple Differences Estimators, sections 2-4.
    """
    something_treated(panel, "triple_difference")
    other = _second_group(panel, options.second_group)
    changed, left_out = without_always_treated(difference(panel, other, None))
    if changed.starts[0] == 0:
        raise EstimationError("triple_difference: every treated unit is treated from the first period on")
    kept, dropped = complete_units(changed, "triple_difference")
    notes = [*left_out, *dropped_note(dropped)]
    controls, until = _comparison(kept)
    columns = np.arange(kept.n_periods)
    reached = kept.target & (columns < until)[None, :] & (kept.start < until)[:, None]
    if not reached.any():
        raise EstimationError(
            "triple_difference: nobody is left to compare with in the window; it needs never-treated units"
        )
    notes += without_comparison(kept, np.asarray((kept.target & ~reached).any(axis=0)))
    target = target_weights(kept, reached)
    starts = [start for start in kept.starts if start < until]
    cohorts = [_cohort(kept, target, start, controls, until, options.base_period) for start in starts]
    return _fit_of(panel, kept, cohorts, controls, tuple(notes))


def _second_group(panel: Panel, name: str) -> Array:
    """(units, periods) the second group's outcome, after a look at whether it is there for the treated."""
    if name not in panel.covariates:
        raise EstimationError(
            f"triple_difference: no covariate '{name}' that holds the second group's outcome{did_you_mean(name, panel.covariates)}"
        )
    other = panel.covariates[name]
    if other.ndim == 1:
        raise EstimationError(f"triple_difference: the second group's outcome '{name}' does not change over time")
    holes = panel.treated & (np.isfinite(panel.outcome) & ~np.isfinite(other)).any(axis=1) & (panel.start > 0)
    if holes.any():
        names = listed([panel.units[row] for row in np.flatnonzero(holes)])
        raise EstimationError(
            f"triple_difference: the second group of the treated unit {names} is not observed in every period; it needs all of them"
        )
    return other


def difference(panel: Panel, other: Array, noise: Array | None) -> Panel:
    """The panel with the outcome minus the second group's, (units, periods), cell by cell.

    The two groups hold different persons, so their sampling variances add up; where one is not known, neither is the sum.
    """
    changes: dict[str, Any] = {"outcome": panel.outcome - other}
    if panel.noise is not None:
        changes["noise"] = None if noise is None else panel.noise + noise
    return dataclasses.replace(panel, **changes)


def _comparison(panel: Panel) -> tuple[Array, int]:
    """(units,) equal weights of the units compared with, and the period from which they are treated themselves."""
    chosen = ~panel.treated
    until = panel.n_periods
    if not chosen.any():
        until = panel.starts[-1]
        chosen = panel.start == until
    return chosen / float(chosen.sum()), until


def _cohort(
    panel: Panel, target: Target, start: int, controls: Array, until: int, base: Literal["all", "last"]
) -> Cohort:
    """The contrast of the units that start together, as if they were the only treated ones."""
    own = panel.start == start
    before = np.zeros(panel.n_periods)
    before[start - 1 if base == "last" else 0 : start] = 1.0
    before /= before.sum()
    numbers = own[:, None] * (np.ones(panel.outcome.shape) if panel.size is None else np.nan_to_num(panel.size))
    cells = np.where(own[:, None], target.cells, 0.0)
    share = float(cells.sum())
    if share > 0.0:
        inside = cells / share
    else:
        # none of its cells is in the window: it is in the path alone
        inside = own[:, None] * (np.arange(panel.n_periods) >= start)[None, :].astype(np.float64)
        inside /= inside.sum()
    part = Target(inside, inside.sum(axis=1), inside.sum(axis=0))
    found = contrast(panel.outcome, part, controls, before, start)
    influence, path = contrast_influence(panel.outcome, part, controls, before)
    seen = np.arange(panel.n_periods) < until
    return Cohort(
        start, cells.sum(axis=0), np.where(seen, numbers.sum(axis=0), 0.0), found.effects, share * influence, path
    )


def _fit_of(panel: Panel, kept: Panel, cohorts: list[Cohort], controls: Array, notes: tuple[Note, ...]) -> Fit:
    """Headline, path by event time and effects by start."""
    columns = np.arange(kept.n_periods)
    event = np.array([columns - cohort.start for cohort in cohorts])
    numbers = np.array([cohort.numbers for cohort in cohorts])
    times = np.unique(event[numbers > 0])
    weights = numbers * (event == times[:, None, None])
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    effects = np.einsum("egt,gt->e", weights, np.array([cohort.effects for cohort in cohorts]))
    path = sum(weights[:, place] @ cohort.path_influence for place, cohort in enumerate(cohorts))
    influence = np.sum([cohort.influence for cohort in cohorts], axis=0)
    rows = [_row(kept, cohort) for cohort in cohorts if cohort.cells.any()]
    common = len(cohorts) == 1 and len(kept.starts) == 1
    # as in did, one start leaves the periods after the window out of the degrees of freedom
    n_periods = int(((columns < kept.starts[0]) | kept.target.any(axis=0)).sum()) if common else kept.n_periods
    observed = None
    if common:
        shares = target_weights(kept).shares_of(np.flatnonzero(kept.treated))
        # of the group that the programme reaches, not of the difference between the groups
        observed = (shares * panel.outcome[panel.treated & (panel.start > 0)]).sum(axis=0)
    return Fit(
        att=float(sum(cohort.cells @ cohort.effects for cohort in cohorts)),
        effects=effects,
        event_times=times,
        periods=times + cohorts[0].start if common else None,
        observed=observed,
        counterfactual=None if observed is None else observed - effects,
        unit_weights=spread(controls, kept, panel) if common else None,
        fit_rmse=float(np.sqrt(np.mean(effects[times < 0] ** 2))),
        influence=spread(influence, kept, panel),
        path_influence=spread(np.asarray(path), kept, panel),
        n_obs=kept.n_units * n_periods,
        n_parameters=len(cohorts) + n_periods,
        notes=notes,
        details={"aggregates": {"group": rows}} if len(rows) > 1 else {},
    )


def _row(panel: Panel, cohort: Cohort) -> Value:
    """The effect of one start over its cells of the window, with its standard error clustered as the panel says."""
    share = float(cohort.cells.sum())
    error = float(cluster_errors(cohort.influence, panel.cluster)) / share
    effect = float(cohort.cells @ cohort.effects) / share
    return {"group": panel.periods[cohort.start].label, "effect": number(effect), "std_error": number(error)}


METHOD = Method(
    name="triple_difference",
    summary="triple differences: difference-in-differences of the gap to a second group in the same units",
    fit=fit,
    options=Options,
    needs=("balanced", "one_pre_period", "second_group"),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="cluster",
    source="Olden & Møen (2022), Econometrics Journal 25(3); Ortiz-Villavicencio & Sant'Anna (2025)",
)
