"""What would have happened without treatment, from a regression on untreated cells only, and the averages of the gaps to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from evaluation.contracts import Fit
from evaluation.errors import EstimationError, listed
from evaluation.numerics import single_unit_groups, something_treated, target_weights, without_comparison
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.regression import cell_weights, cluster_errors, inverse_gram, split_covariates
from evaluation.result import Note, Value, number
from evaluation.swept import Sweep, sweep

NOT_IDENTIFIED = 1e-8
"""A treated cell whose period effect has a part above this (of its own weight) that no untreated cell tells is not imputed."""


@dataclass(frozen=True, slots=True)
class Model:
    """What the outcome of untreated cells is regressed on, beside unit and period effects.

    Attributes
    ----------
    anticipation : int
        Periods before the start in which a unit is not counted as untreated any more.
    covariates : tuple of str
        Names; one that is constant in time enters with a coefficient of its own in each period.
    trends : bool
        A linear trend of each unit.
    weights : str
        Name of the covariate that weights the cells, "size" for the persons, "" for none.
    everybody : bool
        Take every cell as untreated: the model under the hypothesis of no effect.
    """

    anticipation: int = 0
    covariates: tuple[str, ...] = ()
    trends: bool = False
    weights: str = ""
    everybody: bool = False


@dataclass(frozen=True, slots=True)
class Cohort:
    """The units that start together, and their gaps.

    With W the weights w of the averages, `sums` holds (periods,) Σ w, Σ w·gap, Σ w² and Σ w²·gap over the units; `periods`
    (periods, terms · periods) and `slopes` (periods, covariates) what a cell's gap takes from the period effects and the slopes: row t
    is Σ_i w_it (z_it − z's own mean, or line, over the untreated cells of unit i).
    """

    start: int
    rows: Indices
    weights: Array
    gaps: Array
    sums: Array
    periods: Array
    slopes: Array


@dataclass(frozen=True, slots=True)
class Imputed:
    """The regression on untreated cells and the gaps of the treated units to it.

    `scores` (units, periods) are weight × residual of the untreated cells, `slope_scores` (units, covariates) their products
    with the covariates; `basis` is that of `Sweep`, `period_inverse` and `slope_inverse` invert the two systems of normal equations.
    """

    cohorts: tuple[Cohort, ...]
    scores: Array
    slope_scores: Array
    basis: Array
    period_inverse: Array
    slope_inverse: Array
    coefficients: dict[str, Value]
    anticipation: int
    notes: tuple[Note, ...]


def untreated_cells(panel: Panel, anticipation: int) -> Mask:
    """(units, periods) True where nobody is treated, or about to be within `anticipation` periods."""
    return np.asarray(
        np.arange(panel.n_periods)[None, :]
        < np.where(panel.treated, panel.start - anticipation, panel.n_periods)[:, None]
    )


def impute(panel: Panel, model: Model, method: str) -> Imputed:
    """Fit y = unit + period (+ trend) + covariates on untreated cells, and take it from the treated units' cells.

    Unit effects are swept out, period effects c solve the (periods × periods) system of `UnitEffects`, slopes the normal
    equations of what is left: a hundred thousand units cost a few passes over the cells.

    Raises
    ------
    EstimationError
        Nobody is treated, the window is empty, or no treated cell can be imputed.
    """
    something_treated(panel, method)
    weights = cell_weights(panel, model.weights, method)
    weights = None if weights is None else np.nan_to_num(weights)
    clean = np.ones_like(panel.after) if model.everybody else untreated_cells(panel, model.anticipation)
    known = np.isfinite(panel.outcome)
    if weights is not None:
        known &= weights > 0.0
    constant, moving = split_covariates(panel, model.covariates, method)
    for values in (*moving.values(), *constant.values()):
        known &= np.isfinite(values if values.ndim == 2 else values[:, None])
    used = clean & known
    fewest = 2 if model.trends else 1
    enough = used.sum(axis=1) >= fewest
    if not enough[panel.treated].any():
        what = "is observed untreated" if fewest == 1 else "is observed untreated twice, as a trend needs"
        raise EstimationError(f"{method}: no treated unit {what}, so there is nothing to impute from")
    swept = sweep(used, np.array([*constant.values()]).reshape(-1, panel.n_units), trends=model.trends, weights=weights)
    effects = swept.effects
    outcome = np.where(known, panel.outcome, 0.0)
    gaps = swept.gaps(outcome)
    others = np.empty((len(moving), *gaps.shape))
    raw = np.empty(len(moving))
    for place, values in enumerate(moving.values()):
        layer = np.where(known, values, 0.0)
        others[place], raw[place] = swept.gaps(layer), np.einsum("it,it,it->", effects.cells, layer, layer)
    slopes, inverse = np.empty(0), np.empty((0, 0))
    if moving:
        weighted = (others * effects.cells).reshape(len(moving), -1)
        try:
            inverse = inverse_gram(weighted @ others.reshape(len(moving), -1).T, raw, tuple(moving))
        except EstimationError as refusal:
            raise EstimationError(f"{method}: {refusal}") from refusal
        slopes = inverse @ (weighted @ gaps.ravel())
        for slope, other in zip(slopes, others, strict=True):
            gaps -= slope * other
    scores = gaps * effects.cells
    base = np.ones(panel.outcome.shape) if (size := _sizes(panel, weights)) is None else np.nan_to_num(size)
    base = np.where(known & enough[:, None], base, 0.0)
    cohorts, lost = _cohorts(panel, base, gaps, others, swept)
    return Imputed(
        cohorts=cohorts,
        scores=scores,
        slope_scores=np.einsum("it,kit->ik", scores, others),
        basis=swept.basis,
        period_inverse=swept.inverse,
        slope_inverse=inverse,
        coefficients={name: float(value) for name, value in zip(moving, slopes, strict=True)},
        anticipation=model.anticipation,
        notes=(
            *_dropped(panel, panel.treated & ~enough, model),
            *without_comparison(panel, lost & panel.target.any(axis=0)),
        ),
    )


def _sizes(panel: Panel, weights: Array | None) -> Array | None:
    """How the averages weight cells: by persons where these are known, else as the regression does."""
    return weights if panel.size is None else panel.size


def _cohorts(panel: Panel, base: Array, gaps: Array, others: Array, swept: Sweep) -> tuple[tuple[Cohort, ...], Mask]:
    """What is needed of each cohort, and the (periods,) in which some cohort's period effect no untreated cell tells."""
    free = swept.unidentified()
    lost = np.zeros(panel.n_periods, dtype=np.bool_)
    cohorts = []
    for start in panel.starts:
        rows = np.flatnonzero(panel.start == start)
        weights = base[rows]
        periods, totals = swept.taken(rows, weights), weights.sum(axis=0)
        if free.size:
            untold = (np.abs(periods @ free) > NOT_IDENTIFIED * np.maximum(totals, 1e-300)[:, None]).any(axis=1)
            lost |= untold & (totals > 0)
            weights, totals = np.where(untold, 0.0, weights), np.where(untold, 0.0, totals)
            periods[untold] = 0.0
        own = np.where(weights > 0, gaps[rows], 0.0)
        products = weights * own
        sums = np.array([totals, products.sum(axis=0), (weights**2).sum(axis=0), (weights * products).sum(axis=0)])
        slopes = np.einsum("it,kit->tk", weights, others[:, rows])
        cohorts.append(Cohort(start, rows, weights, own, sums, periods, slopes))
    return tuple(cohorts), lost


def _dropped(panel: Panel, never: Mask, model: Model) -> tuple[Note, ...]:
    """The notes that name the treated units without (enough) untreated cells."""
    always = never & (panel.start <= model.anticipation)
    notes = []
    if always.any():
        names = [panel.units[row] for row in np.flatnonzero(always)]
        text = f"{len(names)} units were treated from the first period on and were left out: {listed(names)}."
        notes.append(Note("always_treated_dropped", text, {"count": len(names), "units": listed(names)}))
    if (never & ~always).any():
        names = [panel.units[row] for row in np.flatnonzero(never & ~always)]
        facts: dict[str, Value] = {"count": len(names), "units": listed(names)}
        if model.trends:
            text = f"{len(names)} treated units are observed less than twice before their start and were left out: {listed(names)}."
            notes.append(Note("treated_observed_once_before", text, facts))
        else:
            text = f"{len(names)} treated units are not observed before their start and were left out: {listed(names)}."
            notes.append(Note("treated_not_observed_before", text, facts))
    return tuple(notes)


# ---------------------------------------------------------------------- averages of the gaps


@dataclass(frozen=True, slots=True)
class Averages:
    """Averages of gaps: (averages,) estimates, NaN where there is no cell, and their (averages, units) influence."""

    estimates: Array
    influence: Array


def averages(imputed: Imputed, members: Array, *, by_cell: bool) -> Averages:
    """Weighted means of the gaps over sets of cohort × period cells, with their influence by unit.

    An average Σ v·y takes the weights v = w / Σw on its own cells and v* = −W Z (Z'WZ)⁻¹ Z'v on the untreated ones, Z being the
    regression's effects and covariates. Residuals e are orthogonal to the unit effects, so unit i's part of Σ v*·e is
    −λ'Σ_t W_it e_it z_it with λ only for periods and slopes, and no matrix of cells by cells is ever made.

    Parameters
    ----------
    members : Array
        (averages, cohorts, periods) 1 for what belongs to an average.
    by_cell : bool
        Treated gaps are measured from their mean within cohort and period, Σ v²·gap / Σ v² (conservative with several cells);
        else from the average that they are part of.

    References
    ----------
    Borusyak, Jaravel & Spiess (2024), Review of Economic Studies 91(6), section 4.3 (v* and conservative inference);
    Gardner (2022), section 4: the two-stage influence is the same but for the centre.
    """
    sums = np.array([cohort.sums for cohort in imputed.cohorts])
    total = np.einsum("agt,gt->a", members, sums[:, 0])
    shares = members / np.where(total > 0, total, 1.0)[:, None, None]
    estimates = np.einsum("agt,gt->a", shares, sums[:, 1])
    periods = np.einsum("agt,gts->as", shares, np.array([cohort.periods for cohort in imputed.cohorts]))
    slopes = np.einsum("agt,gtk->ak", shares, np.array([cohort.slopes for cohort in imputed.cohorts]))
    taken = (periods @ imputed.period_inverse).reshape(len(members), len(imputed.basis), -1)
    influence = np.zeros((len(members), len(imputed.scores)))
    for place, values in enumerate(imputed.basis):
        influence -= (taken[:, place] @ imputed.scores.T) * values
    if slopes.size:
        influence -= (slopes @ imputed.slope_inverse) @ imputed.slope_scores.T
    for place, cohort in enumerate(imputed.cohorts):
        share = shares[:, place]
        if by_cell:
            # in untreated cells the gap is the residual, whose mean is zero by assumption
            after = np.arange(share.shape[1]) >= cohort.start - imputed.anticipation
            squares = cohort.sums[2]
            centre = np.where(after & (squares > 0), cohort.sums[3] / np.where(squares > 0, squares, 1.0), 0.0)
            influence[:, cohort.rows] += share @ (cohort.weights * (cohort.gaps - centre)).T
        else:
            influence[:, cohort.rows] += share @ (cohort.weights * cohort.gaps).T - estimates[:, None] * (
                share @ cohort.weights.T
            )
    return Averages(np.where(total > 0, estimates, np.nan), influence)


def fit_of_averages(panel: Panel, imputed: Imputed, method: str, *, by_cell: bool) -> Fit:
    """The headline, the path by event time, and in the details the effects by start and by period, from one imputation.

    Raises
    ------
    EstimationError
        No treated cell of the window can be imputed.
    """
    starts = np.array([cohort.start for cohort in imputed.cohorts])
    columns = np.arange(panel.n_periods)
    target = panel.target_from(starts)
    event = columns[None, :] - starts[:, None]
    filled = np.array([cohort.sums[0] > 0 for cohort in imputed.cohorts])
    times = np.unique(event[filled])
    if not (target & filled).any():
        raise EstimationError(
            f"{method}: no treated cell of the window can be imputed; it needs somebody observed untreated in the same period"
        )
    path = np.concatenate([target[None], event[None] == times[:, None, None]]).astype(np.float64)
    found = averages(imputed, path, by_cell=by_cell)
    effects = found.estimates[1:]
    fit = Fit(
        att=float(found.estimates[0]),
        effects=effects,
        event_times=times,
        fit_rmse=float(np.sqrt(np.mean(effects[times < 0] ** 2))),
        influence=found.influence[0],
        path_influence=found.influence[1:],
        small_sample=False,
        n_obs=int((imputed.scores != 0).sum()),
        notes=(*imputed.notes, *(single_unit_groups(panel) if by_cell else ())),
        details={"coefficients": imputed.coefficients},
    )
    if len(panel.starts) > 1:
        aggregates = _aggregates(panel, imputed, target & filled, by_cell)
        return replace(fit, details={**fit.details, "aggregates": aggregates})
    cohort = imputed.cohorts[0]
    seen = times + cohort.start
    lines = np.where(cohort.weights > 0, panel.outcome[cohort.rows], 0.0)[:, seen]
    observed = (cohort.weights[:, seen] * lines).sum(axis=0) / cohort.sums[0][seen]
    controls = (~panel.treated) / max(1, int((~panel.treated).sum()))
    return replace(
        fit, periods=seen, observed=observed, counterfactual=observed - effects,
        unit_weights=controls if controls.any() else None,
    )  # fmt: skip


def _aggregates(panel: Panel, imputed: Imputed, target: Mask, by_cell: bool) -> dict[str, Value]:
    """Effects by start and by period, with standard errors clustered as the panel says; small, whatever the panel's size."""
    cohorts, columns = np.flatnonzero(target.any(axis=1)), np.flatnonzero(target.any(axis=0))
    members = np.zeros((cohorts.size + columns.size, *target.shape))
    members[np.arange(cohorts.size), cohorts] = target[cohorts]
    members[cohorts.size + np.arange(columns.size), :, columns] = target[:, columns].T
    found = averages(imputed, members, by_cell=by_cell)
    errors = cluster_errors(found.influence, panel.cluster)
    labels = [panel.periods[imputed.cohorts[place].start].label for place in cohorts]
    labels += [panel.periods[column].label for column in columns]
    rows: list[Value] = [
        {"period" if place >= cohorts.size else "group": label, "effect": number(effect), "std_error": number(error)}
        for place, (label, effect, error) in enumerate(zip(labels, found.estimates, errors, strict=True))
    ]
    return {"group": rows[: cohorts.size], "calendar": rows[cohorts.size :]}


def null_gaps(panel: Panel, model: Model, method: str) -> Array:
    """(periods,) mean gap of the treated when the regression is fitted to all periods, as if nobody were treated."""
    target = target_weights(panel, np.isfinite(panel.outcome))
    imputed = impute(panel, replace(model, everybody=True), method)
    cohort = imputed.cohorts[0]
    return np.asarray((target.shares_of(cohort.rows) * cohort.gaps).sum(axis=0))
