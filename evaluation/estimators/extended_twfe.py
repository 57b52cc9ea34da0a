"""Extended two-way fixed effects: one effect for each cohort and period, averaged afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.by_cohort import Cells, blocks, cohort_regression
from evaluation.cohort_panel import (
    against_own_level,
    always_treated_blanked,
    by_cohort_and_period,
    cell_counts,
    clustered_errors,
    clusters_of,
    for_all_units,
    headline,
    identified,
    laid_out,
    lines_of_the_treated,
    moments,
    summed_errors,
    times_each_period,
    weights_used,
    without_cohorts,
)
from evaluation.contracts import Design, Fit, Method
from evaluation.errors import EstimationError
from evaluation.numerics import single_unit_groups, something_treated, without_always_treated
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.poisson import PoissonFit, poisson_regression
from evaluation.regression import cell_weights, split_covariates
from evaluation.result import Note, Value, number

NAME = "extended_twfe"


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `extended_twfe`."""

    covariates: Annotated[
        tuple[str, ...],
        Field(description="covariates that do not change over time; their effect may differ by cohort and period"),
    ] = ()
    control_group: Annotated[
        Literal["not_yet_treated", "never_treated"],
        Field(description="whom to compare with; the never treated alone also give effects before the start"),
    ] = "not_yet_treated"
    family: Annotated[
        Literal["linear", "poisson"],
        Field(description="poisson: trends are parallel in logarithms, effects are averages in the outcome's unit"),
    ] = "linear"
    weights: Annotated[
        str,
        Field(
            description='weights of the cells: "size" (the persons behind them) or a covariate; empty for equal ones'
        ),
    ] = ""
    effects_known: Annotated[
        bool,
        Field(
            description="poisson: take the effects of cohorts and periods as known in the standard error, as R's emfx does"
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class Saturated:
    """The cells regressed and the effects in them.

    `cohorts`, `periods` (effects,) say which cohort and period each effect is of. `regressors` (regressors, scalars, cohorts,
    periods) are first the effects and their slopes in the covariates, measured from the cohort's mean; then the covariates by
    period. `columns` (scalars, effects) say which regressor is which, −1 for slopes that the units of a cell cannot tell.
    `counts` and `headline` weigh the cells, (scalars, cohorts, periods): their weights, and these times each covariate measured
    from the cohort's mean; `weighted` (units, periods) are the headline's weights where they are not those of least squares.
    """

    cells: Cells
    starts: Indices
    cohorts: Indices
    periods: Indices
    columns: Indices
    regressors: Array
    names: tuple[str, ...]
    counts: Array
    headline: Array
    weighted: Array | None

    @property
    def n_effects(self) -> int:
        """How many of the regressors are effects and their slopes."""
        return int(self.columns.max()) + 1

    def functional(self) -> Array | None:
        """(units, periods) what residuals add to the headline, None where its weights are those of least squares."""
        return against_own_level(self.weighted, self.cells, self.regressors, self.starts)

    def averages(self, cells: Array) -> Array:
        """(coefficients,) the mean effect over cells that weigh (scalars, cohorts, periods)."""
        found = np.zeros(len(self.names))
        known = self.columns >= 0
        found[self.columns[known]] = cells[:, self.cohorts, self.periods][known]
        return found


@dataclass(frozen=True, slots=True)
class Mean:
    """One average: of what `kind` ("headline", "event", "group", "calendar", "cell"), which one, and over which cells.

    `cells` (scalars, cohorts, periods) are weights that sum to 1, and these times the covariates.
    """

    kind: str
    which: tuple[int, ...]
    cells: Array


def fit(panel: Panel, options: Options) -> Fit:
    """Cohort × period effects beside unit and period effects, averaged over the treated cells.

    y_it = a_i + c_t + x_i'π_t + Σ_{g, s ≥ g} 1{i in g} 1{t = s} (τ_gs + (x_i − x̄_g)'ρ_gs): eq. (6.33) of the working paper.
    Against the never treated (`control_group = "never_treated"`) also the periods before g − 1 have effects. The `poisson`
    family puts the same terms, with cohort effects in place of unit effects, into E[y] = exp(·); an effect is then
    μ(1) − μ(0), averaged over the units of the cell.

    Parameters
    ----------
    panel : Panel
        May have missing cells and several starts. Without never treated units the last cohort is the comparison and the periods
        from its start on are left out; units treated from the first period on are left out.

    Returns
    -------
    Fit
        `effects` by event time; `details["group_effects"]` by cohort and period, `details["aggregates"]` by cohort and calendar.

    Raises
    ------
    EstimationError
        Nobody is treated, nothing is left to compare with, a covariate varies over time, or Poisson outcomes are negative.

    References
    ----------
    Wooldridge (2021), Two-Way Fixed Effects, the Two-Way Mundlak Regression, and Difference-in-Differences Estimators, sections
    5-6; Wooldridge (2023), The Econometrics Journal 26(3), section 3, for the Poisson family.
    """
    if len(panel.starts) > 1 and panel.starts[0] == 0:
        kept, left_out = without_always_treated(panel)
        return for_all_units(fit(kept, options), panel, left_out)
    study, notes = _saturated(panel, options)
    means = _means(study)
    more = np.zeros(0)
    if options.family == "poisson":
        model, values, rows = _poisson(study, means, options.effects_known)
        influence_of, n_obs = model.influence, model.n_obs
        n_parameters = model.coefficients.size + len(options.covariates)  # every slope counted, as in `_cohort_terms`
    else:
        functional = study.functional()
        found = cohort_regression(study.cells, study.regressors, names=study.names, functional=functional)
        rows = np.stack([study.averages(each.cells) for each in means])
        values = rows @ found.coefficients
        values[0] += found.functional
        more = found.functional_influence() if functional is not None else more
        # the paper's regression has effects (and slopes) of cohorts where this one has those of units: with complete data the
        # answer is the same, but they are parameters that no cluster nests
        influence_of, n_obs, n_parameters = found.influence, found.n_obs, found.n_parameters + _cohort_terms(study)
    n_clusters = clusters_of(panel, study.cells)
    n_kept = sum(each.kind != "cell" for each in means)
    influence = influence_of(rows[:n_kept])
    if more.size:
        influence[0] += more
    errors = np.concatenate(
        [
            summed_errors(influence, panel, n_clusters, n_obs, n_parameters),
            clustered_errors(influence_of, rows[n_kept:], panel, n_clusters, n_obs, n_parameters),
        ]
    )
    place = [index for index, each in enumerate(means) if each.kind == "event"]
    event_times = np.array([means[index].which[0] for index in place], dtype=np.int64)
    effects, path = values[place], influence[place]
    if options.control_group == "never_treated":
        at = int(np.searchsorted(event_times, -1))
        event_times = np.insert(event_times, at, -1)
        effects, path = np.insert(effects, at, 0.0), np.insert(path, at, 0.0, axis=0)
    common = len(panel.starts) == 1
    observed, counterfactual = lines_of_the_treated(panel, event_times, effects) if common else (None, None)
    before = event_times < 0
    return Fit(
        att=float(values[0]),
        effects=effects,
        event_times=event_times,
        periods=event_times + panel.starts[0] if common else None,
        observed=observed,
        counterfactual=counterfactual,
        fit_rmse=float(np.sqrt(np.mean(effects[before] ** 2))) if before.any() else None,
        influence=influence[0],
        path_influence=path,
        n_obs=n_obs,
        n_parameters=n_parameters,
        n_clusters=n_clusters,
        notes=(*notes, *single_unit_groups(panel)),
        details=_details(panel, study, means, values, errors),
    )


def regression(panel: Panel, options: Options) -> Design:
    """Outcomes on the effects of each cohort and period, their slopes in the covariates, and covariates by period.

    Raises
    ------
    EstimationError
        As `fit`; and the Poisson family is no linear regression.
    """
    if options.family == "poisson":
        raise EstimationError(f"{NAME}: the Poisson family is not a linear regression, so it has no scores of one")
    study, _ = _saturated(always_treated_blanked(panel), options)
    means = _means(study)
    events = [each for each in means if each.kind == "event"]
    path = np.stack([study.averages(each.cells) for each in events])
    if options.control_group == "never_treated":
        path = np.insert(path, int(np.searchsorted([each.which[0] for each in events], -1)), 0.0, axis=0)
    cells, combination = study.cells, study.averages(means[0].cells)
    return Design(
        cells.outcome,
        laid_out(cells, study.regressors),
        study.names,
        combination,
        False,
        cells.weights,
        path,
        study.functional(),
    )


def _saturated(panel: Panel, options: Options) -> tuple[Saturated, tuple[Note, ...]]:
    something_treated(panel, NAME)
    constant, varying = split_covariates(panel, options.covariates)
    if varying:
        raise EstimationError(
            f"{NAME}: the covariate '{next(iter(varying))}' changes over time; its effects by cohort and period need one value "
            "for each unit, for example its value before the first start"
        )
    starts, cohort = np.unique(panel.start, return_inverse=True)
    outcome, untreated = _compared(panel, starts, options)
    # measured from their overall mean, so that no digits are lost
    scalars = [np.ones(panel.n_units), *(values - np.nanmean(values) for values in constant.values())]
    weights = cell_weights(panel, options.weights, NAME)
    cells = Cells(outcome, cohort, np.column_stack(scalars) if constant else None, (), weights)
    times = np.arange(panel.n_periods) - starts[:, None]
    never = options.control_group == "never_treated"
    reference = times == -1 if never else times < 0
    seen = cell_counts(cells, starts.size) > 0.0
    missing = ~untreated & ~(reference & seen).any(axis=1)
    cells, notes = without_cohorts(cells, starts, missing, panel, NAME)
    counts = _by_scalar(cells, None, starts.size)
    total = counts.sum(axis=2)
    centres = total[1:] / np.where(total[0] > 0.0, total[0], 1.0)
    has_effect = ~(untreated | missing)[:, None] & (counts[0] > 0.0) & (times != -1 if never else times >= 0)
    if not (has_effect & (times >= 0)).any():
        raise EstimationError(f"{NAME}: no treated cell is observed beside something it could be compared with")
    cohorts, periods = np.nonzero(has_effect)
    labels = [period.label for period in panel.periods]
    told = identified(moments(cells, starts.size))[cohorts, periods].T
    columns = np.where(told, np.cumsum(told.T).reshape(told.T.shape).T - 1, -1)
    more, more_names = times_each_period(cells, tuple(constant), labels)
    count = int(told.sum())
    regressors = np.zeros((count + len(more), len(told), starts.size, panel.n_periods))
    for scalar, known in enumerate(told):
        regressors[columns[scalar][known], scalar, cohorts[known], periods[known]] = 1.0
        if scalar:
            regressors[columns[scalar][known], 0, cohorts[known], periods[known]] = -centres[scalar - 1, cohorts[known]]
    regressors[count:] = more
    names = [
        f"effect of {labels[int(starts[group])]} in {labels[period]}" + (f" by {by}" if by else "")
        for index, (group, period) in enumerate(zip(cohorts.tolist(), periods.tolist(), strict=True))
        for by, known in zip(("", *constant), told[:, index].tolist(), strict=True)
        if known
    ]
    shares, weighted = headline(panel, cells, starts)
    if weighted is not None:
        of_headline = _by_scalar(cells, weighted, starts.size)
    else:
        # in the window the headline's cells are those of the counts
        of_headline = np.where(shares > 0.0, counts, 0.0)
        of_headline /= of_headline[0].sum()
    for each in (counts, of_headline):
        each[1:] -= centres[:, :, None] * each[0]
    found = (*names, *more_names)
    return Saturated(cells, starts, cohorts, periods, columns, regressors, found, counts, of_headline, weighted), notes


def _by_scalar(cells: Cells, weights: Array | None, n_cohorts: int) -> Array:
    """(scalars, cohorts, periods) sums of weights (None: those of least squares), and of these times each covariate."""
    if cells.scalars is None:
        return (
            cell_counts(cells, n_cohorts) if weights is None else by_cohort_and_period(weights, cells.cohort, n_cohorts)
        )[None]
    weights = weights_used(cells) if weights is None else weights
    found = np.zeros((cells.scalars.shape[1], n_cohorts, weights.shape[1]))
    for rows, code in blocks(cells.cohort):
        found[:, code] += np.nan_to_num(cells.scalars[rows]).T @ weights[rows]
    return found


def _means(study: Saturated) -> list[Mean]:
    """The averages of the effects: the headline, by event time, by cohort, by period, and each on its own."""
    times = np.arange(study.counts.shape[2]) - study.starts[:, None]
    effect = np.zeros(times.shape, dtype=np.bool_)
    effect[study.cohorts, study.periods] = True
    after = effect & (times >= 0)
    found = [Mean("headline", (), study.headline)]

    def add(kind: str, which: tuple[int, ...], cells: Mask) -> None:
        inside = np.where(cells, study.counts, 0.0)
        found.append(Mean(kind, which, inside / inside[0].sum()))

    for time in np.unique(times[effect]).tolist():
        add("event", (time,), effect & (times == time))
    for group in np.flatnonzero(after.any(axis=1)).tolist():
        add("group", (group,), after & (np.arange(len(after)) == group)[:, None])
    for period in np.flatnonzero(after.any(axis=0)).tolist():
        add("calendar", (period,), after & (np.arange(after.shape[1]) == period))
    for group, period in zip(study.cohorts.tolist(), study.periods.tolist(), strict=True):
        one = np.zeros_like(effect)
        one[group, period] = True
        add("cell", (group, period), one)
    return found


def _cohort_terms(study: Saturated) -> int:
    """Effects and slopes of the cohorts, but for the one the periods' effects hold already (slopes are all counted, as in fixest)."""
    seen = int(np.count_nonzero(study.counts[0].sum(axis=1)))
    n_scalars = int(study.regressors.shape[1])
    return seen * n_scalars - 1 + (n_scalars - 1)


def _poisson(study: Saturated, means: list[Mean], effects_known: bool) -> tuple[PoissonFit, Array, Array]:
    """The fitted model, the (means,) average effects in the outcome's unit, and their (means, coefficients) derivatives.

    The effect in a cell is exp(η) − exp(η without the terms of treatment): Wooldridge (2023), eq. (3.10).
    """
    n_scalars, n_cohorts, n_periods = study.regressors.shape[1:]
    groups, periods = (np.flatnonzero(study.counts[0].sum(axis=axis) > 0.0) for axis in (1, 0))
    own = weights_used(study.cells)
    slopes = identified(moments(study.cells, n_cohorts).sum(axis=1))
    pairs = [(group, scalar) for group in groups.tolist() for scalar in np.flatnonzero(slopes[group]).tolist()]
    effects = np.zeros((len(pairs) + periods.size - 1, n_scalars, n_cohorts, n_periods))
    for index, (group, scalar) in enumerate(pairs):
        effects[index, scalar, group] = 1.0
    for index, period in enumerate(periods[1:].tolist(), start=len(pairs)):
        effects[index, 0, :, period] = 1.0
    regressors = np.concatenate([study.regressors, effects])
    names = (*study.names, *(f"effect of group or period {index}" for index in range(len(effects))))
    model = poisson_regression(study.cells, regressors, own, names, NAME)
    untreated = model.coefficients.copy()
    untreated[: study.n_effects] = 0.0
    # of the headline's and of all treated cells: sums of the effects, and of the means with and without treatment by scalar
    sums = np.zeros((2, 2, n_scalars, n_cohorts, n_periods))
    for rows, cohort in blocks(study.cells.cohort):
        scalars = model.scalars(rows)
        for index, coefficients in enumerate((model.coefficients, untreated)):
            mean = np.exp(model.index(coefficients, rows, cohort))
            for kind, weights in enumerate((own if study.weighted is None else study.weighted, own)):
                sums[kind, index, :, cohort] += scalars.T @ np.where(own[rows] > 0.0, weights[rows] * mean, 0.0)
    by_treatment = np.concatenate([np.ones(study.n_effects), np.zeros(len(regressors) - study.n_effects)])
    values, derivatives = np.zeros(len(means)), np.zeros((len(means), len(regressors)))
    for index, each in enumerate(means):
        inside = each.cells[0] > 0.0
        by_persons = each.kind == "headline" and study.weighted is not None
        treated, without = (np.where(inside, layer, 0.0) for layer in sums[0 if by_persons else 1])
        total = 1.0 if by_persons else float(study.counts[0][inside].sum())
        values[index] = (treated[0] - without[0]).sum() / total
        change = (np.einsum("kqgt,qgt->k", regressors, layer) for layer in (treated, without))
        derivatives[index] = (next(change) - (1.0 - by_treatment) * next(change)) / total
    if effects_known:
        derivatives[:, study.n_effects :] = 0.0
    return model, values, derivatives


def _details(panel: Panel, study: Saturated, means: list[Mean], values: Array, errors: Array) -> dict[str, Value]:
    labels = [period.label for period in panel.periods]

    def rows(kind: str) -> list[Value]:
        found: list[Value] = []
        for each, value, error in zip(means, values.tolist(), errors.tolist(), strict=True):
            if each.kind != kind:
                continue
            which: dict[str, Value] = {}
            if kind in ("group", "cell"):
                which["group"] = labels[int(study.starts[each.which[0]])]
            if kind in ("calendar", "cell"):
                which["period"] = labels[each.which[-1]]
            if kind == "event":
                which["event_time"] = each.which[0]
            found.append({**which, "effect": value, "std_error": number(error)})
        return found

    return {
        "att_gt": rows("cell"),
        "aggregates": {"group": rows("group"), "calendar": rows("calendar"), "dynamic": rows("event")},
    }


def _compared(panel: Panel, starts: Indices, options: Options) -> tuple[Array, Mask]:
    """The outcomes used and (cohorts,) which have no effects: the never treated or, before it starts, the last cohort."""
    untreated = starts == panel.n_periods
    if untreated.any():
        return panel.outcome, untreated
    if options.control_group == "never_treated":
        raise EstimationError(f'{NAME}: no unit is never treated; use control_group = "not_yet_treated"')
    if starts.size < 2:
        raise EstimationError(f"{NAME}: every unit is treated at the same time, so there is nothing to compare with")
    outcome = panel.outcome.copy()
    outcome[:, int(starts[-1]) :] = np.nan
    return outcome, starts == starts[-1]


METHOD = Method(
    name=NAME,
    summary="extended two-way fixed effects: an effect for each cohort and period, then averaged",
    fit=fit,
    options=Options,
    needs=("one_pre_period",),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="cluster",
    source="Wooldridge (2021), Two-Way Fixed Effects, the Two-Way Mundlak Regression, and Difference-in-Differences Estimators",
    regression=regression,
)
