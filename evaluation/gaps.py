"""For estimators that impute what would have happened: the cells they may learn from, and the way from gaps to a Fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.contracts import Fit
from evaluation.errors import EstimationError, listed
from evaluation.numerics import Target, comparable, dropped_note, target_weights, without_always_treated
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.regression import covariate_stack, two_way_regression
from evaluation.result import Note


@dataclass(frozen=True, slots=True)
class Cells:
    """A panel as matrices, without the units and periods that tell nothing.

    Attributes
    ----------
    panel : Panel
        The units that are used.
    columns : Indices
        (periods used,) indices into the panel's periods: those in which some untreated unit is observed.
    outcome : Array
        (units, periods used); 0 where not observed.
    observed, untreated : Mask
        (units, periods used) outcome and covariates are known; and nobody is treated.
    covariates : Array
        (covariates, units, periods used); 0 where not known.
    notes : tuple of Note
        Who was left out.
    """

    panel: Panel
    columns: Indices
    outcome: Array
    observed: Mask
    untreated: Mask
    covariates: Array
    notes: tuple[Note, ...]


def cells_of(
    panel: Panel,
    covariates: tuple[str, ...],
    method: str,
    *,
    never_treated: bool = True,
    fewest: int = 1,
    slopes: bool = False,
) -> Cells:
    """The cells an estimator may use.

    Units treated from the first period on are left out, treated units that are never observed before their start too, and
    controls observed in fewer than `fewest` periods; all are named in notes.

    Parameters
    ----------
    never_treated : bool
        The estimator learns about each period from never-treated units alone; else from all untreated cells.
    slopes : bool
        The covariates get slopes, so unit and period effects, and one another, must not explain them.

    Raises
    ------
    EstimationError
        Nobody is treated or nobody is left to compare with, the window is empty, a covariate is not there or constant in
        time, or no treated unit is observed before its start.
    """
    panel, notes = without_always_treated(panel)
    if never_treated or not panel.treated.all():
        comparable(panel, method)
    else:
        _staggered(panel, method)
    layers = _layers(panel, covariates, method)
    observed = np.isfinite(panel.outcome)
    for layer in layers:
        observed &= np.isfinite(layer)
    untreated = observed & ~panel.after
    count = untreated.sum(axis=1)
    lost = panel.treated & (count == 0)
    if (panel.treated <= lost).all():
        raise EstimationError(
            f"{method}: no treated unit is observed before its start, so nothing says what it would have been"
        )
    thin = ~panel.treated & (count < fewest)
    if thin.any() and (~panel.treated <= thin).all():
        raise EstimationError(f"{method}: no control is observed in as many as {fewest} periods")
    if lost.any() or thin.any():
        notes = (
            *notes,
            *_left_out(panel, lost),
            *dropped_note(tuple(panel.units[row] for row in np.flatnonzero(thin))),
        )
        kept = ~(lost | thin)
        panel, layers, observed, untreated = panel.keep_units(kept), layers[:, kept], observed[kept], untreated[kept]
    told = untreated[~panel.treated] if never_treated else untreated
    columns = np.flatnonzero(told.any(axis=0))
    if columns.size < panel.n_periods:
        layers, observed, untreated = layers[:, :, columns], observed[:, columns], untreated[:, columns]
    outcome = panel.outcome[:, columns] if columns.size < panel.n_periods else panel.outcome
    if not observed.all():
        outcome = np.where(observed, outcome, 0.0)
        layers = np.where(observed & np.isfinite(layers), layers, np.where(np.isfinite(layers), layers, 0.0))
    rows = np.flatnonzero(panel.treated)
    if not (observed[rows] & panel.target[rows[:, None], columns]).any():
        raise EstimationError(
            f"{method}: no treated cell of the window is observed in a period in which an untreated unit is observed too"
        )
    if slopes and len(layers):
        _estimable(
            outcome, layers, untreated & ~panel.treated[:, None] if never_treated else untreated, covariates, method
        )
    return Cells(panel, columns, outcome, observed, untreated, layers, notes)


def _estimable(outcome: Array, layers: Array, cells: Mask, names: tuple[str, ...], method: str) -> None:
    """Refuse covariates that unit and period effects, or the others, explain."""
    try:
        two_way_regression(np.where(cells, outcome, np.nan), layers, names=names)
    except EstimationError as refusal:
        raise EstimationError(f"{method}: {refusal}") from refusal


def _staggered(panel: Panel, method: str) -> None:
    """What is left to check where all units are treated in the end."""
    if panel.starts[0] == 0:
        raise EstimationError(f"{method}: no period before the start")
    if len(panel.starts) == 1:
        raise EstimationError(f"{method}: every unit is treated, so there is nothing to compare with")
    if not panel.target.any():
        raise EstimationError(f"{method}: the window holds no treated period")


def _layers(panel: Panel, names: tuple[str, ...], method: str) -> Array:
    try:
        return covariate_stack(panel, names)
    except EstimationError as refusal:
        raise EstimationError(f"{method}: {refusal}") from refusal


def _left_out(panel: Panel, lost: Mask) -> tuple[Note, ...]:
    if not lost.any():
        return ()
    names = listed([panel.units[row] for row in np.flatnonzero(lost)])
    return (
        Note(
            "treated_not_observed_before",
            f"{int(lost.sum())} treated units are not observed before their start and were left out: {names}.",
            {"count": int(lost.sum()), "units": names},
        ),
    )


def fit_from_gaps(cells: Cells, gaps: Array, **further: Any) -> Fit:
    """The Fit of the gaps between outcome and counterfactual.

    Parameters
    ----------
    gaps : Array
        (treated units, periods used), before and after the start; cells that are not observed are ignored.

    Returns
    -------
    Fit
        With one common start a path by period, with several by event time; a mean over few treated units weights them as the
        headline does. Where some unit is missing, the mean is over the others.
    """
    panel = cells.panel
    rows = np.flatnonzero(panel.treated)
    wide = np.zeros((rows.size, panel.n_periods))
    wide[:, cells.columns] = np.where(cells.observed[rows], gaps, 0.0)
    target, known = _target(cells, rows)
    own = target.cells[rows]
    att = float((own * wide).sum())
    if len(panel.starts) == 1:
        start = panel.starts[0]
        weights = np.where(known, target.shares_of(rows), 0.0)
        effects, total = _means(wide, weights)
        observed, _ = _means(np.where(known, panel.outcome[rows], 0.0), weights)
        times = np.arange(panel.n_periods)
        return Fit(
            att=att,
            effects=effects,
            event_times=times - start,
            periods=times,
            observed=observed,
            counterfactual=observed - effects,
            fit_rmse=_rmse(effects[:start], total[:start]),
            **further,
        )
    event = np.arange(panel.n_periods) - panel.start[rows][:, None]
    first = int(event.min())
    count = int(event.max()) - first + 1
    place = (event - first).ravel()
    # a time since the start at which the window holds cells is a mean of these alone
    inside = np.bincount(place, own.ravel(), count) > 0.0
    persons = np.ones(own.shape) if panel.size is None else np.nan_to_num(panel.size[rows])
    weights = np.where(inside[event - first], own, np.where(known, persons, 0.0))
    total = np.bincount(place, weights.ravel(), count).astype(np.float64)
    summed = np.bincount(place, (weights * wide).ravel(), count)
    effects = np.where(total > 0.0, summed / np.where(total > 0.0, total, 1.0), np.nan)
    return Fit(
        att=att,
        effects=effects,
        event_times=np.arange(count) + first,
        fit_rmse=_rmse(effects[:-first], total[:-first]),
        **further,
    )


def effects_of(cells: Cells, several: Sequence[Array]) -> list[float]:
    """The headline effect of each of several (treated units, periods used) gaps."""
    rows = np.flatnonzero(cells.panel.treated)
    own = _target(cells, rows)[0].cells[rows[:, None], cells.columns]
    return [float((own * gaps).sum()) for gaps in several]


def _target(cells: Cells, rows: Indices) -> tuple[Target, Mask]:
    """The weights of the headline effect over the cells that are used, and (treated, periods) which of the treated's these are."""
    known = np.zeros(cells.panel.outcome.shape, dtype=np.bool_)
    known[rows[:, None], cells.columns] = cells.observed[rows]
    return target_weights(cells.panel, known), known[rows]


def _means(values: Array, weights: Array) -> tuple[Array, Array]:
    """Weighted means of the columns, NaN where there is no weight, and the weights' sums."""
    total = weights.sum(axis=0)
    return (weights * values).sum(axis=0) / np.where(total > 0.0, total, np.nan), total


def _rmse(effects: Array, total: Array) -> float | None:
    used = total > 0.0
    return float(np.sqrt(np.mean(effects[used] ** 2))) if used.any() else None


def mean_gap(cells: Cells, gaps: Array) -> Array:
    """(periods,) the gaps (treated units, periods used) averaged over the treated as the headline weights them."""
    panel = cells.panel
    rows = np.flatnonzero(panel.treated)
    weights = target_weights(panel, np.isfinite(panel.outcome)).units[rows][:, None] * cells.observed[rows]
    found = np.full(panel.n_periods, np.nan)
    found[cells.columns] = _means(gaps, weights)[0]
    return found
