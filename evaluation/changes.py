"""Effects as changes: every treated cell against a period before its unit's start, and the path, average and influence of it.

Estimators that say what a treated unit's outcome would have become, given what it was, share all but that sentence: which cells
can be compared, which controls are seen in both periods, how cells are weighted into a path and a headline, and what each unit
contributes to the error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from evaluation.contracts import Fit
from evaluation.errors import EstimationError, listed
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.result import Note


@dataclass(frozen=True, slots=True)
class Block:
    """Treated units that share a start and a base period, in all periods in which the same of them and of the controls are seen.

    Attributes
    ----------
    start, base : int
        Indices of the panel's periods; `base` is the last period before the start in which the units are observed.
    periods : Indices
        (periods,) indices of the panel's.
    places : Indices
        (treated,) positions of the units in `Comparison.rows`.
    controls : Indices
        (controls,) rows of the panel.
    then, control_then : Array
        (treated,) and (controls,) outcomes in the base period.
    now, control_now : Array
        (periods, treated) and (periods, controls) outcomes.
    weights : Array
        (periods, treated) persons where sizes are known, else 1.
    """

    start: int
    base: int
    periods: Indices
    places: Indices
    controls: Indices
    then: Array
    control_then: Array
    now: Array
    control_now: Array
    weights: Array

    @property
    def mean_influence(self) -> Array:
        """(periods, controls) each control's influence on the controls' mean change since the base period."""
        change = self.control_now - self.control_then
        return np.asarray((change - change.mean(axis=1, keepdims=True)) / self.controls.size)


Mapped: TypeAlias = tuple[Array, Array]
"""(periods, treated) what the outcomes would have been, and (periods, controls) each control's influence on their weighted sum."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Which treated cells can be compared with which period before.

    Attributes
    ----------
    rows, base, start : Indices
        (treated,) rows of the panel, and the base period and the start of each.
    controls : Indices
        Rows of the units never treated.
    weights : Array
        (treated, periods) persons or 1 in the cells that can be compared, 0 elsewhere.
    window : Array
        (treated, periods) the part of `weights` that the headline averages over.
    """

    panel: Panel
    rows: Indices
    base: Indices
    start: Indices
    controls: Indices
    weights: Array
    window: Array
    notes: tuple[Note, ...]

    def blocks(self) -> Iterator[Block]:
        """All cells that can be compared, each once; a balanced panel has one block for each start."""
        outcome = self.panel.outcome
        seen = np.isfinite(outcome[self.controls])
        for start, base in sorted(set(zip(self.start.tolist(), self.base.tolist(), strict=True))):
            group = np.flatnonzero((self.start == start) & (self.base == base))
            there, both = self.weights[group] > 0, seen[:, base, None] & seen
            for periods in _alike(there, both):
                first = periods[0]
                places, controls = group[there[:, first]], self.controls[both[:, first]]
                if not (places.size and controls.size):
                    continue
                own, others = outcome[self.rows[places]], outcome[controls]
                yield Block(
                    start, base, periods, places, controls, own[:, base], others[:, base],
                    own.T[periods], others.T[periods], self.weights[places].T[periods],
                )  # fmt: skip

    def counts(self, block: Block) -> Mask:
        """(periods,) which periods of a block the headline averages over."""
        return np.asarray(self.window[block.places[0], block.periods] > 0)


def _alike(there: Mask, both: Mask) -> list[Indices]:
    """The periods, grouped by which units are seen in them."""
    if there.all() and both.all():
        return [np.arange(there.shape[1])]
    groups: dict[bytes, list[int]] = {}
    for period in range(there.shape[1]):
        key = np.packbits(there[:, period]).tobytes() + np.packbits(both[:, period]).tobytes()
        groups.setdefault(key, []).append(period)
    return [np.array(periods) for periods in groups.values()]


def comparison(panel: Panel, method: str) -> Comparison:
    """What of a panel can be compared.

    The base of a treated unit is the last period before its start in which it is observed; units treated from the first period
    on have none and are left out, named in a note.

    Raises
    ------
    EstimationError
        Nobody is treated or nobody never treated, the window is empty, or no treated cell of it can be compared.
    """
    if not panel.treated.any():
        raise EstimationError(f"{method}: no unit is treated")
    controls = np.flatnonzero(~panel.treated)
    if not controls.size:
        raise EstimationError(
            f"{method}: every unit is treated at some time; it compares with units that never are, so there is none to compare with"
        )
    if not panel.target.any():
        raise EstimationError(f"{method}: the window holds no treated period")
    treated = np.flatnonzero(panel.treated)
    lines = panel.outcome[treated]
    known = np.isfinite(lines)
    before = known & ~panel.after[treated]
    has_base = before.any(axis=1)
    rows = treated[has_base]
    if not rows.size:
        raise EstimationError(f"{method}: no treated unit is observed before its start")
    base = panel.n_periods - 1 - np.argmax(before[has_base, ::-1], axis=1)
    weights = known[has_base].astype(np.float64)
    if panel.size is not None:
        weights = np.where(known[has_base], np.nan_to_num(panel.size[rows]), 0.0)
    # a period in which no control is seen that was seen in the base cannot be compared
    seen = np.isfinite(panel.outcome[controls])
    for each in np.unique(base):
        together = seen[seen[:, each]].any(axis=0) if seen[:, each].any() else np.zeros(panel.n_periods, dtype=np.bool_)
        weights[np.ix_(base == each, ~together)] = 0.0
    window = np.where(panel.target[rows], weights, 0.0)
    if window.sum() <= 0:
        raise EstimationError(
            f"{method}: no treated cell of the window can be compared: it needs a treated unit observed there and before its start, "
            "and a control observed in the same two periods"
        )
    notes = _left_out(panel, treated[~has_base])
    return Comparison(panel, rows, base, panel.start[rows], controls, weights, window, notes)


def _left_out(panel: Panel, rows: Indices) -> tuple[Note, ...]:
    """The notes that name the treated units without an observed period before their start."""
    notes = []
    always = [panel.units[row] for row in rows if panel.start[row] == 0]
    if always:
        text = f"{len(always)} units were treated from the first period on and were left out: {listed(always)}."
        notes.append(Note("always_treated_dropped", text, {"count": len(always), "units": listed(always)}))
    silent = [panel.units[row] for row in rows if panel.start[row] > 0]
    if silent:
        text = f"{len(silent)} treated units are observed too rarely before their start and were left out: {listed(silent)}."
        notes.append(Note("treated_not_observed_before", text, {"count": len(silent), "units": listed(silent)}))
    return tuple(notes)


@dataclass(frozen=True, slots=True)
class Changes:
    """The fit, and the (treated, periods) effect of each cell that can be compared (NaN elsewhere) behind it."""

    fit: Fit
    cells: Array


def changes(found: Comparison, mapping: Callable[[Block], Mapped]) -> Changes:
    """Average the cells y_it − ŷ_it, with ŷ by `mapping`, into a headline and a path, and linearise both by unit.

    att = Σ w_it (y_it − ŷ_it) / Σ w_it over the window; the path does the same within each period (one common start) or event
    time (several), so that what it averages changes where units come and go. Unit i contributes w_it (y_it − ŷ_it − average) / Σw
    as a treated unit, and what `mapping` says as a control.
    """
    panel, shape = found.panel, found.weights.shape
    common = len(set(found.start.tolist())) == 1
    event = np.arange(panel.n_periods)[None, :] - found.start[:, None]
    compared = found.weights > 0
    times = np.arange(panel.n_periods) - found.start[0] if common else np.unique(event[compared])
    cells = np.full(shape, np.nan)
    total = float(found.window.sum())
    column = np.searchsorted(times, event)
    sums = np.bincount(column[compared], found.weights[compared], times.size)
    inside = sums > 0
    influence = np.zeros(panel.n_units)
    path = np.zeros((times.size, panel.n_units))
    for block in found.blocks():
        expected, by_control = mapping(block)
        places, other = np.searchsorted(times, block.periods - block.start), block.periods != block.base
        # the base period is what the others are measured from: 0, whatever a mapping makes of a period onto itself
        cells[np.ix_(block.places, block.periods)] = np.where(other[:, None], block.now - expected, 0.0).T
        path[np.ix_(places[other], block.controls)] -= by_control[other] / sums[places[other], None]
        # within a block all cells of a period lie in the window, or none does
        influence[block.controls] -= by_control[found.counts(block)].sum(axis=0) / total
    values = np.where(compared, np.nan_to_num(cells), 0.0)
    att = float((found.window * values).sum() / total)
    weighted = found.weights * values
    effects = np.bincount(column[compared], weighted[compared], times.size) / np.where(inside, sums, np.nan)
    influence[found.rows] += (found.window * (values - att)).sum(axis=1) / total
    centred = np.where(compared, found.weights * (values - effects[np.where(compared, column, 0)]), 0.0)
    own = np.zeros((times.size, shape[0]))
    np.add.at(own, (column[compared], np.nonzero(compared)[0]), centred[compared])
    path[:, found.rows] += own / np.where(inside, sums, 1.0)[:, None]
    more: dict[str, Array | Indices | float] = {}
    if common:
        observed = (found.weights * np.nan_to_num(panel.outcome[found.rows])).sum(axis=0) / np.where(
            inside, sums, np.nan
        )
        more = {"periods": np.arange(panel.n_periods), "observed": observed, "counterfactual": observed - effects}
        gaps = effects[: int(found.start[0])]
        if np.isfinite(gaps).any():
            more["fit_rmse"] = float(np.sqrt(np.nanmean(gaps**2)))
    fit = Fit(
        att=att,
        effects=effects,
        event_times=times,
        influence=influence,
        path_influence=path,
        small_sample=False,
        n_obs=int(np.isfinite(panel.outcome).sum()),
        notes=found.notes,
        **more,  # type: ignore[arg-type]
    )
    return Changes(fit, np.where(compared, cells, np.nan))
