"""Algebra that estimators share: simplex least squares and the ω'Yλ contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from evaluation.errors import EstimationError, listed
from evaluation.panel import Array, Panel
from evaluation.result import Note

CANONICAL_RIDGE = 1e-9
"""Ridge, relative to the mean squared length of a column, that picks one solution where many fit equally well.

With more donors than periods a unit inside the hull of the others is matched perfectly by a continuum of weights. The ridge
picks the one nearest to equal weights, so that the answer does not depend on the order of the units; elsewhere it moves the
weights by about 1e-9, far below any printed digit.
"""


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
        Not negative; at least `CANONICAL_RIDGE` times the mean squared column length is always used.

    Returns
    -------
    Array
        (donors,) weights.
    """
    rows, donors = columns.shape
    if donors == 1:
        return np.ones(1)
    shifted = columns - target[:, None]
    length = float(np.einsum("ij,ij->", shifted, shifted)) / donors
    if length == 0.0:
        return np.full(donors, 1.0 / donors)
    relative = ridge / length
    if relative > DENSE_RIDGE:
        weights = _block_pivoting(shifted.T @ shifted / length, relative)
        if weights is not None:
            return weights
    scale = np.sqrt(length)
    stacked = np.zeros((rows + donors + 1, donors), order="F")
    stacked[:rows] = shifted / scale
    stacked[rows : rows + donors].flat[:: donors + 1] = np.sqrt(relative + CANONICAL_RIDGE)
    stacked[-1] = 1.0
    right = np.zeros(rows + donors + 1)
    right[-1] = 1.0
    try:
        solution, _ = nnls(stacked, right, maxiter=30 * donors)
    except RuntimeError as error:
        raise EstimationError("the weights of the synthetic control did not converge") from error
    return np.asarray(solution / solution.sum())


def _block_pivoting(gram: Array, ridge: float) -> Array | None:
    """The same weights from the Gram matrix, for a ridge that leaves most weights positive: None if it does not settle.

    Starts with every weight free and moves all violators at once (Kim & Park 2011, SIAM Journal on Scientific Computing
    33(6), Algorithm 2, without its rare single-exchange phase), which takes a handful of solves where an active set that
    starts empty takes one for each positive weight.
    """
    donors = gram.shape[0]
    hessian = gram + 1.0  # c = 1 in the units of `gram`
    hessian.flat[:: donors + 1] += ridge + CANONICAL_RIDGE
    free = np.ones(donors, dtype=np.bool_)
    fewest = donors + 1
    patience = 3
    for _ in range(100):
        solution = np.zeros(donors)
        rows = np.flatnonzero(free)
        solution[rows] = np.linalg.solve(hessian[np.ix_(rows, rows)], np.ones(rows.size))
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


# ---------------------------------------------------------------------- the target and the contrast


def common_start(panel: Panel, method: str) -> int:
    """The first treated period (index) that all treated units share, after a look at whether there is anything to compare."""
    if not panel.treated.any():
        raise EstimationError(f"{method}: no unit is treated")
    if panel.treated.all():
        raise EstimationError(f"{method}: every unit is treated, so there is nothing to compare with")
    if len(panel.starts) > 1:
        labels = ", ".join(panel.periods[start].label for start in panel.starts)
        raise EstimationError(
            f"{method}: the treated units start at different times ({labels}); it needs one common start"
        )
    start = panel.starts[0]
    if start == 0:
        raise EstimationError(f"{method}: no period before the start")
    if not panel.target.any():
        raise EstimationError(f"{method}: the window holds no treated period")
    return start


def target_weights(panel: Panel) -> tuple[Array, Array]:
    """Weights of the headline effect: (units,) over the treated, (periods,) over the window; each sums to 1.

    Persons where sizes are known, else equal.
    """
    target = panel.target
    weight = target.astype(np.float64) if panel.size is None else np.where(target, np.nan_to_num(panel.size), 0.0)
    total = weight.sum()
    if total <= 0:
        raise EstimationError("the treated cells of the window hold no person")
    return weight.sum(axis=1) / total, weight.sum(axis=0) / total


@dataclass(frozen=True, slots=True)
class Contrast:
    """The one formula behind difference-in-differences, synthetic control and synthetic difference in differences.

    gap_t = Σ_i p_i y_it − Σ_j ω_j y_jt ; effect_t = gap_t − Σ_s λ_s gap_s ; att = Σ_t q_t effect_t.
    """

    att: float
    effects: Array
    observed: Array
    counterfactual: Array
    fit_rmse: float


def contrast(
    outcome: Array, treated: Array, controls: Array, before: Array | None, window: Array, start: int
) -> Contrast:
    """Evaluate the contrast.

    Parameters
    ----------
    outcome : Array
        (units, periods), complete.
    treated, controls : Array
        (units,) weights p and ω, each summing to 1.
    before : Array or None
        (periods,) weights λ of the pre-periods; None compares levels (synthetic control).
    window : Array
        (periods,) weights q of the headline window.
    start : int
        Index of the first treated period.
    """
    observed = treated @ outcome
    gaps = observed - controls @ outcome
    level = 0.0 if before is None else float(before @ gaps)
    effects = gaps - level
    return Contrast(
        att=float(window @ effects),
        effects=effects,
        observed=observed,
        counterfactual=observed - effects,
        fit_rmse=float(np.sqrt(np.mean(effects[:start] ** 2))),
    )


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
    """Weights of the kept units in the order of the full panel."""
    if kept.n_units == full.n_units:
        return weights
    place = {name: row for row, name in enumerate(full.units)}
    spread = np.zeros(full.n_units)
    spread[[place[name] for name in kept.units]] = weights
    return spread


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
