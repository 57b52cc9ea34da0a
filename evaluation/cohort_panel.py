"""From a panel to the cohorts of a regression, and from its answer back to the units."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from evaluation.by_cohort import Cells, blocks
from evaluation.contracts import Fit
from evaluation.errors import EstimationError, listed
from evaluation.numerics import Target, spread, target_weights
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.regression import by_cluster, count_clusters
from evaluation.result import Note


def by_cohort_and_period(values: Array, cohort: Indices, n_cohorts: int) -> Array:
    """(cohorts, periods) sums of (units, periods) values over each cohort."""
    found = np.zeros((n_cohorts, values.shape[1]))
    for rows, code in blocks(cohort):
        found[code] += values[rows].sum(axis=0)
    return found


def moments(cells: Cells, n_cohorts: int) -> Array:
    """(cohorts, periods, scalars, scalars) weighted products of the units' numbers."""
    if cells.scalars is None:
        return cell_counts(cells, n_cohorts)[:, :, None, None]
    n_scalars, weights = cells.scalars.shape[1], weights_used(cells)
    found = np.zeros((n_cohorts, weights.shape[1], n_scalars, n_scalars))
    for rows, code in blocks(cells.cohort):
        scalars = np.nan_to_num(cells.scalars[rows])
        for q in range(n_scalars):
            found[code, :, q] += weights[rows].T @ (scalars * scalars[:, q, None])
    return found


def identified(products: Array) -> Mask:
    """(..., scalars) which columns of designs with these products (..., scalars, scalars) the earlier ones do not explain."""
    found = np.zeros(products.shape[:-1], dtype=np.bool_)
    left = products.copy()
    before = np.maximum(np.einsum("...qq->...q", products), 1e-300)
    for column in range(products.shape[-1]):
        own = left[..., column, column]
        found[..., column] = own > 1e-9 * before[..., column]
        # sweep the column out of the later ones
        share = left[..., column, :] * np.where(found[..., column], 1.0 / np.where(own > 0.0, own, 1.0), 0.0)[..., None]
        left = left - left[..., :, column, None] * share[..., None, :]
    return found


def cell_counts(cells: Cells, n_cohorts: int) -> Array:
    """(cohorts, periods) the cells the regression rests on, by their weights."""
    if cells.observed is None and cells.weights is None:
        counts = np.bincount(cells.cohort, minlength=n_cohorts).astype(np.float64)
        return np.repeat(counts[:, None], cells.outcome.shape[1], axis=1)
    return by_cohort_and_period(weights_used(cells), cells.cohort, n_cohorts)


def weights_used(cells: Cells) -> Array:
    """(units, periods) the weights in least squares; 0 for cells left out."""
    weights = np.ones(cells.outcome.shape) if cells.weights is None else cells.weights
    return np.asarray(weights if cells.observed is None else np.where(cells.observed, weights, 0.0))


def headline(panel: Panel, cells: Cells, starts: Indices) -> tuple[Array, Array | None]:
    """(cohorts, periods) shares of the headline's cells; and (units, periods) weights where they are not those of least squares.

    Where least squares is weighted the headline is weighted likewise; else by persons where these are known.
    """
    if panel.size is not None and cells.weights is None:
        target = _target(panel, cells)
        return by_cohort_and_period(target.cells, cells.cohort, starts.size), target.cells
    shares = np.where(panel.target_from(starts), cell_counts(cells, starts.size), 0.0)
    total = float(shares.sum())
    if total <= 0.0:
        raise EstimationError("no treated cell of the window is observed, or none holds a person")
    return shares / total, None


def against_own_level(weights: Array | None, cells: Cells, regressors: Array, starts: Indices) -> Array | None:
    """(units, periods) m such that coefficients weighted as the headline is, plus Σ m·residual, average the units' own changes.

    A cohort's coefficient counts its units alike; by how much a unit's change differs from it the residuals tell, measured from the
    unit's own level (and trend) where no dummy is at work: before the start, or in the reference period. Its effect, estimated from
    all periods, has taken up a part of what differs after the start, and weights after the start alone would miss that part.

    Parameters
    ----------
    weights : Array or None
        (units, periods), zero before the start, as `headline` gives them; None: nothing is asked for.
    regressors : Array
        (regressors, scalars, cohorts, periods), as `cohort_regression` takes them.
    """
    if weights is None:
        return None
    rows = np.flatnonzero(weights.any(axis=1))
    found = weights.copy()
    found[rows] -= _levels(weights[rows], *_free(rows, cells, regressors, starts), transposed=True)
    return found


def above_own_level(values: Array, rows: Indices, cells: Cells, regressors: Array, starts: Indices) -> Array:
    """(rows, periods) values of some units less their own level (and trend) where no dummy is at work; NaN stays NaN."""
    return np.asarray(values - _levels(np.nan_to_num(values), *_free(rows, cells, regressors, starts)))


def _free(rows: Indices, cells: Cells, regressors: Array, starts: Indices) -> tuple[Array, Array]:
    """(rows, periods) 1 for the units' cells before the start that no dummy explains, and (columns, periods) level and trend."""
    times = np.arange(cells.outcome.shape[1])
    free = ((times < starts[:, None]) & ~regressors[:, 0].any(axis=0))[cells.cohort[rows]]
    if cells.observed is not None:
        free &= cells.observed[rows]
    columns = np.ones((1, times.size))
    return free.astype(np.float64), np.vstack([columns, times - times.mean()]) if cells.trends else columns


def _levels(values: Array, free: Array, columns: Array, *, transposed: bool = False) -> Array:
    """(rows, periods) the projection of values on level and trend by their free cells, or its transpose; 0 where these are too few."""
    grams = np.einsum("at,bt,ut->uab", columns, columns, free)
    enough = np.linalg.det(grams) > 1e-9
    inverses = np.linalg.inv(np.where(enough[:, None, None], grams, np.eye(len(columns)))) * enough[:, None, None]
    sums = (values if transposed else values * free) @ columns.T
    found = np.einsum("ub,uba,at->ut", sums, inverses, columns)
    return np.asarray(found * free if transposed else found)


def headline_weights(panel: Panel, cells: Cells) -> Target:
    """The same shares cell by cell."""
    return _target(panel if cells.weights is None else dataclasses.replace(panel, size=cells.weights), cells)


def _target(panel: Panel, cells: Cells) -> Target:
    return target_weights(panel, np.ones(panel.outcome.shape, np.bool_) if cells.observed is None else cells.observed)


def times_each_period(cells: Cells, names: tuple[str, ...], labels: Sequence[str]) -> tuple[Array, tuple[str, ...]]:
    """Regressors (·, scalars, cohorts, periods) that multiply each unit's scalars (but the first, 1) with each period's dummy.

    The first period seen is left out: with unit effects it is the sum of the others.
    """
    n_periods = cells.outcome.shape[1]
    observed = cells.observed
    periods = np.arange(n_periods) if observed is None else np.flatnonzero(observed.any(axis=0))
    n_cohorts = int(cells.cohort.max(initial=-1)) + 1
    count = 1 + len(names)
    found = np.zeros((len(names) * (periods.size - 1), count, n_cohorts, n_periods))
    called = []
    for place, (scalar, period) in enumerate((q, t) for q in range(1, count) for t in periods[1:].tolist()):
        found[place, scalar, :, period] = 1.0
        called.append(f"{names[scalar - 1]} in {labels[period]}")
    return found, tuple(called)


def laid_out(cells: Cells, regressors: Array) -> Array:
    """(regressors + covariates, units, periods): what the regression by cohort means, cell by cell."""
    by = np.ones((cells.outcome.shape[0], 1)) if cells.scalars is None else cells.scalars
    found = np.zeros((len(regressors) + len(cells.covariates), *cells.outcome.shape))
    for index, each in enumerate(regressors):
        for scalar in np.flatnonzero(each.any(axis=(1, 2))).tolist():
            found[index] += by[:, scalar, None] * each[scalar, cells.cohort]
    for index, layer in enumerate(cells.covariates, start=len(regressors)):
        found[index] = layer
    return found


def clusters_of(panel: Panel, cells: Cells) -> int:
    """How many clusters have a cell in the regression: others are no part of it, and count in no small-sample factor."""
    assert panel.cluster is not None  # set by Panel itself
    observed = cells.observed
    return count_clusters(panel.cluster if observed is None else panel.cluster[observed.any(axis=1)])


def clustered_errors(
    influence: Callable[[Array], Array],
    combinations: Array,
    panel: Panel,
    n_clusters: int,
    n_obs: int,
    n_parameters: int,
) -> Array:
    """(combinations,) cluster-robust standard errors, a few rows of influence at a time: there may be very many."""
    step = max(16, 2**24 // panel.n_units)  # some 130 MB
    found = [
        summed_errors(influence(combinations[first : first + step]), panel, n_clusters, n_obs, n_parameters)
        for first in range(0, len(combinations), step)
    ]
    return np.concatenate([np.zeros(0), *found])


def summed_errors(influence: Array, panel: Panel, n_clusters: int, n_obs: int, n_parameters: int) -> Array:
    """(rows,) cluster-robust standard errors of influences (rows, units) with the regression's small-sample factor."""
    assert panel.cluster is not None  # set by Panel itself
    if n_clusters < 2 or n_obs <= n_parameters:
        return np.full(len(influence), np.nan)
    factor = n_clusters / (n_clusters - 1) * (n_obs - 1) / (n_obs - n_parameters)
    sums = by_cluster(influence, panel.cluster)
    return np.asarray(np.sqrt(factor * np.einsum("rc,rc->r", sums, sums)))


def lines_of_the_treated(panel: Panel, event_times: Indices, effects: Array) -> tuple[Array, Array]:
    """Mean observed outcome of the treated by period (one common start) and the same without the effect."""
    columns = panel.outcome[panel.treated][:, event_times + panel.starts[0]]
    seen = np.isfinite(columns)
    count = seen.sum(axis=0)
    observed = np.where(count > 0, np.where(seen, columns, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
    return observed, observed - effects


def without_cohorts(
    cells: Cells, starts: Indices, missing: Mask, panel: Panel, method: str
) -> tuple[Cells, tuple[Note, ...]]:
    """The cells without the cohorts that cannot be compared with their own time before, and the note that names these."""
    if not missing.any():
        return cells, ()
    names = listed([panel.periods[start].label for start in starts[missing].tolist()])
    note = Note(
        "cohorts_left_out",
        f"{method}: the units that start in {names} are not observed in a period they could be compared with, and were "
        "left out.",
        {"cohorts": names},
    )
    outcome = np.where(missing[cells.cohort][:, None], np.nan, cells.outcome)
    return dataclasses.replace(cells, outcome=outcome), (note,)


def always_treated_blanked(panel: Panel) -> Panel:
    """The panel with units treated from the first period on (beside others that are not) blanked out."""
    if len(panel.starts) < 2 or panel.starts[0] > 0:
        return panel
    return panel.with_outcome(np.where((panel.start == 0)[:, None], np.nan, panel.outcome))


def for_all_units(fit: Fit, panel: Panel, notes: tuple[Note, ...]) -> Fit:
    """The fit of a panel without its always-treated units, with a place (of zeros) for these in all that goes by unit."""
    kept = panel.keep_units(panel.start > 0)

    def restored(values: Array | None) -> Array | None:
        return None if values is None else spread(values, kept, panel)

    return dataclasses.replace(
        fit,
        unit_weights=restored(fit.unit_weights),
        influence=restored(fit.influence),
        path_influence=restored(fit.path_influence),
        notes=(*notes, *fit.notes),
    )
