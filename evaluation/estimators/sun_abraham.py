"""Interaction-weighted event study: leads and lags of each cohort on its own, then averaged by the cohorts' shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.by_cohort import Cells, cohort_regression
from evaluation.cohort_panel import (
    against_own_level,
    always_treated_blanked,
    cell_counts,
    clustered_errors,
    clusters_of,
    for_all_units,
    headline,
    laid_out,
    lines_of_the_treated,
    times_each_period,
    without_cohorts,
)
from evaluation.contracts import Design, Fit, Method
from evaluation.errors import EstimationError
from evaluation.numerics import single_unit_groups, something_treated, without_always_treated
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.regression import cell_weights, split_covariates
from evaluation.result import Note, Value


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `sun_abraham`."""

    covariates: Annotated[
        tuple[str, ...],
        Field(description="covariates held constant; one that does not change enters once for each period"),
    ] = ()
    reference: Annotated[
        int | tuple[int, ...], Field(description="event time(s) of the reference period(s); -1 is the last one before")
    ] = -1
    bin_before: Annotated[int | None, Field(lt=0, description="event times this early or earlier share one effect")] = (
        None
    )
    bin_after: Annotated[int | None, Field(ge=0, description="event times this late or later share one effect")] = None
    control_group: Annotated[
        Literal["never_treated", "last_cohort"],
        Field(
            description="whose periods without dummies are compared with; without never treated units the last cohort"
        ),
    ] = "never_treated"
    weights: Annotated[
        str,
        Field(
            description='weights of the cells: "size" (the persons behind them) or a covariate; empty for equal ones'
        ),
    ] = ""

    def __post_init__(self) -> None:
        if not self.references or any(time >= 0 for time in self.references):
            raise ValueError("`reference` must name event times before the start, for example -1")
        if self.bin_before is not None and self.bin_before >= min(self.references):
            raise ValueError("`bin_before` must lie before the reference periods")

    @property
    def references(self) -> tuple[int, ...]:
        """The reference event times as a tuple."""
        return (self.reference,) if isinstance(self.reference, int) else tuple(self.reference)


@dataclass(frozen=True, slots=True)
class Interactions:
    """The dummies: `cohorts` and `times` (dummies,) say which, `regressors` (regressors, scalars, cohorts, periods) what.

    The first regressors are the dummies, then come constant covariates by period; `names` (regressors + covariates,);
    `shares` (dummies,) each dummy's share of the treated cells of the regression and `headline` (dummies,) of the headline's.
    """

    cohorts: Indices
    times: Indices
    regressors: Array
    names: tuple[str, ...]
    shares: Array
    headline: Array
    starts: Indices
    functional: Array | None


def fit(panel: Panel, options: Options) -> Fit:
    """Cohort-specific leads and lags with unit and period effects, averaged over cohorts by their shares of the treated cells.

    y_it = a_i + c_t + Σ_e Σ_{l ≠ ref} δ_el 1{E_i = e} 1{t − e = l} + x_it'γ, estimated on all cohorts; effect at event time l
    is Σ_e share_el δ_el. The shares count the cells observed and are taken as known, as in the authors' and fixest's programs.

    Parameters
    ----------
    panel : Panel
        May have missing cells and several starts. Without never treated units the last cohort is the comparison and the
        periods from its start on are left out; units treated from the first period on are left out.

    Returns
    -------
    Fit
        `effects` by event time, 0 at the reference; each cohort's in `details["cohorts"]`, each dummy's in
        `details["cohort_effects"]`.

    Raises
    ------
    EstimationError
        Nobody is treated, nothing is left to compare with, or a dummy is explained by the other regressors.

    References
    ----------
    Sun & Abraham (2021), Journal of Econometrics 225(2), section 4, eqs. (26)-(28).
    """
    if len(panel.starts) > 1 and panel.starts[0] == 0:
        kept, left_out = without_always_treated(panel)
        return for_all_units(fit(kept, options), panel, left_out)
    cells, study, notes = _interactions(panel, options)
    found = cohort_regression(cells, study.regressors, names=study.names, functional=study.functional)
    n_clusters = clusters_of(panel, cells)
    times, chosen = _averages(study, options)
    influence = found.influence(chosen)
    own = influence[0] if study.functional is None else influence[0] + found.functional_influence()
    effects = chosen[1:] @ found.coefficients
    common = len(panel.starts) == 1 and options.bin_before is None and options.bin_after is None
    observed, counterfactual = lines_of_the_treated(panel, times, effects) if common else (None, None)
    before = times < 0
    return Fit(
        att=float(chosen[0] @ found.coefficients) + found.functional,
        effects=effects,
        event_times=times,
        periods=times + panel.starts[0] if common else None,
        observed=observed,
        counterfactual=counterfactual,
        fit_rmse=float(np.sqrt(np.mean(effects[before] ** 2))) if before.any() else None,
        influence=own,
        path_influence=influence[1:],
        n_obs=found.n_obs,
        n_parameters=found.n_parameters,
        n_clusters=n_clusters,
        notes=(*notes, *single_unit_groups(panel)),
        details=_details(
            panel,
            study,
            found.coefficients,
            lambda rows: clustered_errors(found.influence, rows, panel, n_clusters, found.n_obs, found.n_parameters),
        ),
    )


def regression(panel: Panel, options: Options) -> Design:
    """Outcomes on a dummy for each cohort and event time but the reference, and the covariates.

    Raises
    ------
    EstimationError
        As `fit`.
    """
    panel = always_treated_blanked(panel)
    cells, study, _ = _interactions(panel, options)
    _, chosen = _averages(study, options)
    return Design(
        cells.outcome,
        laid_out(cells, study.regressors),
        study.names,
        chosen[0],
        False,
        cells.weights,
        chosen[1:],
        study.functional,
    )


def _averages(study: Interactions, options: Options) -> tuple[Indices, Array]:
    """(times,) event times with the references, and (1 + times, coefficients) shares of the dummies in headline and path."""
    times: Indices = np.unique(np.concatenate([study.times, np.array(options.references)]))
    count = study.times.size
    chosen = np.zeros((1 + times.size, len(study.names)))
    chosen[0, :count] = study.headline
    of_time = np.searchsorted(times, study.times)
    totals = np.bincount(of_time, weights=study.shares, minlength=times.size)
    chosen[1 + of_time, np.arange(count)] = study.shares / totals[of_time]
    return times, chosen


def _interactions(panel: Panel, options: Options) -> tuple[Cells, Interactions, tuple[Note, ...]]:
    something_treated(panel, "sun_abraham")
    starts, cohort = np.unique(panel.start, return_inverse=True)
    constant, varying = split_covariates(panel, options.covariates)
    scalars = np.column_stack([np.ones(panel.n_units), *constant.values()]) if constant else None
    weights = cell_weights(panel, options.weights, "sun_abraham")
    last = options.control_group == "last_cohort" or starts[-1] < panel.n_periods
    outcome, comparison = _comparison(panel, starts, last)
    cells = Cells(outcome, cohort, scalars, tuple(varying.values()), weights)
    times, missing = _event_times(cells, starts, options, comparison)
    cells, notes = without_cohorts(cells, starts, missing, panel, "sun_abraham")
    by_cell = cell_counts(cells, starts.size)
    of_headline, weighted = headline(panel, cells, starts)
    dummied = ~_among(times, options.references) & ~(comparison | missing)[:, None] & (by_cell > 0.0)
    span = 2 * panel.n_periods
    coded = np.unique(np.nonzero(dummied)[0] * span + times[dummied] + panel.n_periods)
    pairs = np.column_stack([coded // span, coded % span - panel.n_periods])
    dummies = (pairs[:, 0, None, None] == np.arange(starts.size)[:, None]) & (times == pairs[:, 1, None, None])
    dummies &= dummied
    labels = [panel.periods[start].label if start < panel.n_periods else "never" for start in starts.tolist()]
    more, more_names = times_each_period(cells, tuple(constant), [period.label for period in panel.periods])
    regressors = np.zeros((len(pairs) + len(more), 1 + len(constant), starts.size, panel.n_periods))
    regressors[: len(pairs), 0] = dummies
    regressors[len(pairs) :] = more
    names = (*(f"cohort {labels[e]}, event time {time}" for e, time in pairs.tolist()), *more_names, *varying)
    shares = np.asarray(np.einsum("kgt,gt->k", dummies, by_cell))
    return (
        cells,
        Interactions(
            cohorts=pairs[:, 0],
            times=pairs[:, 1],
            regressors=regressors,
            names=names,
            shares=shares,
            headline=_pooled_headline(dummies, of_headline),
            starts=starts,
            functional=against_own_level(weighted, cells, regressors, starts),
        ),
        notes,
    )


def _pooled_headline(dummies: Mask, headline: Array) -> Array:
    """(dummies,) shares of the headline's cells; a bin that reaches beyond the window would mix others in."""
    pooled = dummies.sum(axis=(1, 2)) > 1
    inside = (dummies & (headline > 0.0)).any(axis=(1, 2))
    if (pooled & inside & (dummies & (headline <= 0.0)).any(axis=(1, 2))).any():
        raise EstimationError("sun_abraham: `bin_after` pools periods inside the window with periods outside it")
    return np.asarray(np.einsum("kgt,gt->k", dummies, headline))


def _comparison(panel: Panel, starts: Indices, last: bool) -> tuple[Array, Mask]:
    """The outcomes used and (cohorts,) which are compared with: the never treated or, before it starts, the last cohort."""
    comparison = starts == panel.n_periods
    if not last:
        return panel.outcome, comparison
    first = int(starts[starts < panel.n_periods][-1])
    if starts[starts < panel.n_periods].size < 2:
        raise EstimationError(
            "sun_abraham: every unit is treated at the same time, so there is nothing to compare with"
        )
    outcome = panel.outcome.copy()
    outcome[:, first:] = np.nan
    outcome[panel.start == panel.n_periods] = np.nan
    return outcome, starts >= first


def _event_times(cells: Cells, starts: Indices, options: Options, comparison: Mask) -> tuple[Indices, Mask]:
    """(cohorts, periods) event times, pooled where asked, and (cohorts,) which are never seen in a reference period."""
    times = np.arange(cells.outcome.shape[1])[None, :] - starts[:, None]
    if options.bin_before is not None:
        times = np.maximum(times, options.bin_before)
    if options.bin_after is not None:
        times = np.minimum(times, options.bin_after)
    seen = cell_counts(cells, starts.size) > 0.0
    known = (_among(times, options.references) & seen).any(axis=1)
    if not (known & ~comparison).any():
        listed = ", ".join(str(time) for time in options.references)
        raise EstimationError(f"sun_abraham: event time {listed}, the reference, is not in the data")
    return times, ~known & ~comparison


def _among(times: Indices, chosen: tuple[int, ...]) -> Mask:
    return np.asarray((times[..., None] == np.array(chosen)).any(axis=-1))


def _details(
    panel: Panel, study: Interactions, coefficients: Array, errors: Callable[[Array], Array]
) -> dict[str, Value]:
    count = study.times.size
    labels = [panel.periods[start].label if start < panel.n_periods else "never" for start in study.starts.tolist()]
    after = study.times >= 0
    groups = np.unique(study.cohorts[after])
    rows = np.zeros((count + groups.size, coefficients.size))
    rows[:count, :count] = np.eye(count)
    for index, group in enumerate(groups.tolist()):
        inside = after & (study.cohorts == group)
        rows[count + index, :count][inside] = study.shares[inside] / study.shares[inside].sum()
    found = errors(rows).tolist()
    values = (rows @ coefficients).tolist()
    pairs = zip(study.cohorts.tolist(), study.times.tolist(), values[:count], found[:count], strict=True)
    return {
        "coefficients": dict(zip(study.names[count:], coefficients[count:].tolist(), strict=True)),
        "cohorts": [
            {"group": labels[group], "effect": effect, "std_error": error}
            for group, effect, error in zip(groups.tolist(), values[count:], found[count:], strict=True)
        ],
        "cohort_effects": [
            {"group": labels[group], "event_time": time, "effect": effect, "std_error": error}
            for group, time, effect, error in pairs
        ],
    }


METHOD = Method(
    name="sun_abraham",
    summary="interaction-weighted event study: each cohort's leads and lags, averaged by the cohorts' shares",
    fit=fit,
    options=Options,
    needs=("one_pre_period",),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="cluster",
    source="Sun & Abraham (2021), Journal of Econometrics 225(2), section 4",
    regression=regression,
)
