"""Algebra that estimators share: simplex least squares and the ω'Yλ contrast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg.lapack import dposv
from scipy.optimize import nnls

from evaluation.contracts import Fit
from evaluation.errors import EstimationError, listed
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.result import Note

CANONICAL_RIDGE = 1e-9
"""Ridge, relative to the mean squared length of a column, that picks one solution where several fit equally well.

With more donors than periods a unit inside the hull of the others is matched perfectly by a continuum of weights; so are
donors with the same history. Among the donors that tie at the optimum the ridge picks the weights nearest to equal, so that
the answer does not depend on the order of the units. Where the optimum is unique it is not used.
"""

TIE = 1e-9
"""Donors whose slope at the optimum is below this, relative to the mean squared length of a column, tie."""

DENSE_RIDGE = 1e-4
"""A relative ridge above this spreads the weights over most donors; then pivoting from the full set is several times faster."""


def simplex_least_squares(columns: Array, target: Array, ridge: float = 0.0) -> Array:
    """The weights w ≥ 0, Σw = 1 that minimise ‖columns·w − target‖² + ridge·‖w‖², exactly.

    Because Σw = 1, columns·w − target = D·w with D = columns − target, so the task is the point of a hull nearest to the
    origin. That is non-negative least squares: the minimiser u of ‖D·u‖² + c²(Σu − 1)² is a multiple of w for every c > 0
    (put u = s·w: the best s leaves c²q/(c² + q), which grows with q = ‖D·w‖²). So one call of an active-set NNLS, then
    w = u / Σu.

    Parameters
    ----------
    columns : Array
        (rows, donors).
    target : Array
        (rows,).
    ridge : float
        Not negative, in squared units of the outcome.

    Returns
    -------
    Array
        (donors,) weights.
    """
    donors = columns.shape[1]
    if donors == 1:
        return np.ones(1)
    shifted = columns - target[:, None]
    length = float(np.einsum("ij,ij->", shifted, shifted)) / donors
    if length == 0.0:
        return np.full(donors, 1.0 / donors)
    relative = ridge / length
    scaled = shifted / np.sqrt(length)
    if relative > DENSE_RIDGE:
        weights = _block_pivoting(scaled, relative)
        if weights is not None:
            return weights
    weights = _active_set(scaled, relative)
    nearest = scaled @ weights
    slopes = nearest @ scaled - nearest @ nearest + relative * (weights - weights @ weights)
    tied = np.flatnonzero((slopes <= TIE) | (weights > 0.0))
    if _dependent(np.vstack([scaled[:, tied], np.ones(tied.size)])):
        spread_out = np.zeros(donors)
        spread_out[tied] = _active_set(scaled[:, tied], relative + CANONICAL_RIDGE)
        return spread_out
    return weights


def _dependent(columns: Array) -> bool:
    """Whether the singular values of the columns reach below 1e-7."""
    if columns.shape[0] >= columns.shape[1] and np.linalg.eigvalsh(columns.T @ columns)[0] > 1e-10:
        return False  # safely above, though a Gram matrix shows only half the digits
    triangle = np.linalg.qr(columns, mode="r")
    return bool(np.linalg.matrix_rank(triangle, tol=1e-7) < columns.shape[1])


def _active_set(columns: Array, ridge: float) -> Array:
    """The simplex weights that bring columns·w nearest to 0, by one non-negative least squares problem."""
    donors = columns.shape[1]
    solution = None if ridge else _nnls(columns, 0.0)
    if solution is None:
        # with a hair of a ridge the active set cannot circle among donors with the same history
        solution = _nnls(columns, ridge + 1e-14)
    if solution is None:
        raise EstimationError(f"the weights of the synthetic control did not converge for {donors} donors")
    return np.asarray(solution / solution.sum())


def _nnls(columns: Array, ridge: float) -> Array | None:
    """The u ≥ 0 that minimises ‖columns·u‖² + (Σu − 1)² + ridge·‖u‖², or None where the active set does not settle."""
    rows, donors = columns.shape
    more = donors if ridge else 0
    stacked = np.zeros((rows + more + 1, donors), order="F")
    stacked[:rows] = columns
    if ridge:
        stacked[rows : rows + donors].flat[:: donors + 1] = np.sqrt(ridge)
    stacked[-1] = 1.0
    right = np.zeros(rows + more + 1)
    right[-1] = 1.0
    try:
        solution, _ = nnls(stacked, right, maxiter=30 * donors)
    except RuntimeError:
        return None
    return np.asarray(solution) if solution.sum() > 0.0 else None


def _block_pivoting(columns: Array, ridge: float) -> Array | None:
    """The same weights for a ridge that leaves most of them positive: None if it does not settle.

    Starts with every weight free and moves all violators at once (Kim & Park 2011, SIAM Journal on Scientific Computing
    33(6), Algorithm 2, without its rare single-exchange phase), which takes a handful of solves where an active set that
    starts empty takes one for each positive weight.
    """
    donors = columns.shape[1]
    rows = np.vstack([columns, np.ones(donors)])  # the penalty c²(Σu − 1)², with c = 1 in the units of `columns`
    # with fewer rows than donors the inverse of RᵀR + ridge·I is worked out among the rows (Woodbury)
    flat = 3 * rows.shape[0] < 2 * donors
    hessian = rows.T @ rows if not flat else np.zeros((0, 0))
    if not flat:
        hessian.flat[:: donors + 1] += ridge
    free = np.ones(donors, dtype=np.bool_)
    fewest = donors + 1
    patience = 3
    for _ in range(100):
        solution = np.zeros(donors)
        if flat:
            kept = rows[:, free]
            solution[free] = (1.0 - _solved(kept @ kept.T, ridge, kept.sum(axis=1)) @ kept) / ridge
            slope = (rows @ solution) @ rows + ridge * solution - 1.0
        else:
            place = np.flatnonzero(free)
            solution[place] = _solved(hessian[place[:, None], place], 0.0, np.ones(place.size))
            slope = hessian @ solution - 1.0
        wrong = (free & (solution < 0.0)) | (~free & (slope < -1e-12))
        count = int(wrong.sum())
        if count == 0:
            return np.asarray(solution / solution.sum())
        if count < fewest:
            fewest, patience = count, 3
        elif patience == 0:
            return None
        else:
            patience -= 1
        free ^= wrong
        if not free.any():
            return None
    return None


def _solved(matrix: Array, ridge: float, right: Array) -> Array:
    """The solution of a positive definite system, by Cholesky; `matrix` may be overwritten."""
    matrix.flat[:: matrix.shape[0] + 1] += ridge
    return np.asarray(dposv(matrix, right, lower=1)[1])


# ---------------------------------------------------------------------- the target and the contrast


def something_treated(panel: Panel, method: str) -> None:
    """Refuse a panel in which nobody is treated, or nobody in the window."""
    if not panel.treated.any():
        raise EstimationError(f"{method}: no unit is treated")
    if not panel.target.any():
        raise EstimationError(f"{method}: the window holds no treated period")


def comparable(panel: Panel, method: str) -> None:
    """Refuse a panel in which there is nothing to estimate or nothing to compare with."""
    if not panel.treated.any():
        raise EstimationError(f"{method}: no unit is treated")
    if panel.treated.all():
        raise EstimationError(f"{method}: every unit is treated, so there is nothing to compare with")
    if panel.starts[0] == 0:
        raise EstimationError(f"{method}: no period before the start")
    if not panel.target.any():
        raise EstimationError(f"{method}: the window holds no treated period")


def common_start(panel: Panel, method: str, hint: str = "") -> int:
    """The first treated period (index) that all treated units share, after a look at whether there is anything to compare."""
    if len(panel.starts) > 1 and not panel.treated.all():
        labels = ", ".join(panel.periods[start].label for start in panel.starts)
        raise EstimationError(
            f"{method}: the treated units start at different times ({labels}); it needs one common start{hint}"
        )
    comparable(panel, method)
    return panel.starts[0]


def without_always_treated(panel: Panel) -> tuple[Panel, tuple[Note, ...]]:
    """The panel without the units treated from its first period, which show nothing of a change, and the note that names them.

    Left as it is where all treated units are: then there is nothing to estimate, and the estimator says so.
    """
    always = panel.start == 0
    if not always.any() or len(panel.starts) == 1:
        return panel, ()
    names = listed([panel.units[row] for row in np.flatnonzero(always)])
    count = int(always.sum())
    note = Note(
        "always_treated_dropped",
        f"{count} units are treated from the first period on and were left out: {names}.",
        {"count": count, "units": names},
    )
    return panel.keep_units(~always), (note,)


@dataclass(frozen=True)
class Target:
    """How the headline effect weights the treated cells: by persons where sizes are known, else equally.

    `cells` (units, periods) sums to 1; `units` and `periods` are its row and column sums.
    """

    cells: Array
    units: Array
    periods: Array

    @cached_property
    def shares(self) -> Array:
        """(units, periods) weights of the treated within each period, each column summing to 1.

        In the window those of its cells; elsewhere, where the headline says nothing, those of the units.
        """
        return self.shares_of(np.arange(self.units.size))

    def shares_of(self, rows: Indices) -> Array:
        """(rows, periods) the same for some units; all others' are needed by few."""
        inside = self.periods > 0
        return np.where(inside, self.cells[rows] / np.where(inside, self.periods, 1.0), self.units[rows, None])


def target_weights(panel: Panel, observed: Mask | None = None) -> Target:
    """The weights of the headline effect, over the observed cells where these are given.

    Raises
    ------
    EstimationError
        No target cell is observed, or none holds a person.
    """
    # the treated may be few: only their rows are worked on
    rows = np.flatnonzero(panel.treated)
    target = panel.target[rows] if observed is None else panel.target[rows] & observed[rows]
    weight = target.astype(np.float64) if panel.size is None else np.where(target, np.nan_to_num(panel.size[rows]), 0.0)
    total = weight.sum()
    if total <= 0:
        raise EstimationError("no treated cell of the window is observed, or none holds a person")
    weight /= total
    cells, units = np.zeros(panel.outcome.shape), np.zeros(panel.n_units)
    cells[rows], units[rows] = weight, weight.sum(axis=1)
    return Target(cells, units, weight.sum(axis=0))


@dataclass(frozen=True, slots=True)
class Contrast:
    """The one formula behind difference-in-differences, synthetic control and synthetic difference in differences.

    With shares r of the treated, weights ω of the controls, λ of the pre-periods and q of the window:
    effect_t = Σ_i r_it (y_it − Σ_s λ_s y_is) − Σ_j ω_j (y_jt − Σ_s λ_s y_js) and att = Σ_t q_t effect_t.
    """

    att: float
    effects: Array
    observed: Array
    counterfactual: Array
    fit_rmse: float


def contrast(outcome: Array, target: Target, controls: Array, before: Array | None, start: int) -> Contrast:
    """Evaluate the contrast.

    Parameters
    ----------
    outcome : Array
        (units, periods), complete.
    target : Target
        Weights of the treated cells.
    controls : Array
        (units,) weights ω, summing to 1.
    before : Array or None
        (periods,) weights λ of the pre-periods; None compares levels (synthetic control).
    start : int
        Index of the first treated period.
    """
    rows = np.flatnonzero(target.units)
    shares, lines = target.shares_of(rows), outcome[rows]
    expected = controls @ outcome
    observed = (shares * lines).sum(axis=0)
    effects = observed - expected
    if before is not None:
        effects = effects - (shares * (lines @ before)[:, None]).sum(axis=0) + expected @ before
    return Contrast(
        att=float(target.periods @ effects),
        effects=effects,
        observed=observed,
        counterfactual=observed - effects,
        fit_rmse=float(np.sqrt(np.mean(effects[:start] ** 2))),
    )


def fit_of(found: Contrast, start: int, unit_weights: Array, time_weights: Array | None, **further: Any) -> Fit:
    """The Fit of a contrast: one effect for each period, in the order of the panel."""
    times = np.arange(found.effects.size)
    return Fit(
        att=found.att,
        effects=found.effects,
        event_times=times - start,
        periods=times,
        observed=found.observed,
        counterfactual=found.counterfactual,
        unit_weights=unit_weights,
        time_weights=time_weights,
        fit_rmse=found.fit_rmse,
        **further,
    )


def contrast_influence(outcome: Array, target: Target, controls: Array, before: Array) -> tuple[Array, Array]:
    """(units,) influence on the effect and (periods, units) on the path, for weights ω and λ that are not estimated.

    A treated unit counts by how its own effect deviates from the mean of the treated, a control by how its change deviates
    from the mean of the controls.
    """
    lines = outcome - (outcome @ before)[:, None]
    own = lines @ target.periods
    influence = -controls * (own - controls @ own)
    # the treated are few: only their rows are worked on
    rows = np.flatnonzero(target.units)
    weights, changes, shares = target.units[rows], lines[rows], target.shares_of(rows)
    inside = (target.cells[rows] * changes).sum(axis=1) / weights
    influence[rows] += weights * (inside - weights @ inside)
    # in place: the path of a hundred thousand units is large
    lines -= controls @ lines
    lines *= -controls[:, None]
    changes -= (shares * changes).sum(axis=0)
    changes *= shares
    lines[rows] += changes
    return influence, lines.T


def complete_units(panel: Panel, method: str) -> tuple[Panel, tuple[str, ...]]:
    """The panel without the controls that have a missing cell, and their names; a treated unit must be complete."""
    if panel.balanced:
        return panel, ()
    complete = np.isfinite(panel.outcome).all(axis=1)
    broken = panel.treated & ~complete
    if broken.any():
        names = ", ".join(panel.units[row] for row in np.flatnonzero(broken))
        raise EstimationError(
            f"{method}: the treated unit {names} lacks an observation in some period; it needs all of them"
        )
    if not (complete & ~panel.treated).any():
        raise EstimationError(f"{method}: no control is observed in every period")
    return panel.keep_units(np.asarray(complete)), tuple(panel.units[row] for row in np.flatnonzero(~complete))


def spread(weights: Array, kept: Panel, full: Panel) -> Array:
    """(..., kept units) weights or influences in the order of the full panel, (..., units); 0 for units left out."""
    if kept.n_units == full.n_units:
        return weights
    place = {name: row for row, name in enumerate(full.units)}
    spread = np.zeros((*weights.shape[:-1], full.n_units))
    spread[..., [place[name] for name in kept.units]] = weights
    return spread


def single_unit_groups(panel: Panel) -> tuple[Note, ...]:
    """With several starts, the note that some start has a single unit, whose own shock no influence by unit can show."""
    if len(panel.starts) < 2:
        return ()
    sizes = np.bincount(panel.start[panel.treated], minlength=panel.n_periods)
    single = [panel.periods[start].label for start in panel.starts if sizes[start] == 1]
    if not single:
        return ()
    text = f"A single unit started in {listed(single)}: the standard error of its effects misses its own shock."
    return (Note("single_unit_groups", text, {"count": len(single), "starts": listed(single)}),)


def without_comparison(panel: Panel, lost: Mask) -> tuple[Note, ...]:
    """The note that names the (periods,) of the window in which nobody comparable is untreated."""
    if not lost.any():
        return ()
    periods = listed([panel.periods[column].label for column in np.flatnonzero(lost)])
    text = f"Nobody comparable is untreated in {periods}, so these periods are left out of the effect."
    return (Note("periods_without_comparison", text, {"periods": periods}),)


def dropped_note(dropped: tuple[str, ...]) -> tuple[Note, ...]:
    """The note that names the controls left out for missing cells."""
    if not dropped:
        return ()
    return (
        Note(
            "incomplete_units_dropped",
            f"{len(dropped)} controls with missing periods were left out: {listed(dropped)}.",
            {"count": len(dropped), "units": listed(dropped)},
        ),
    )
