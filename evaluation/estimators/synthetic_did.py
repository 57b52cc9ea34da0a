"""Synthetic difference in differences: weights on controls and on pre-periods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.combined import Part, combined_fit
from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError
from evaluation.numerics import (
    Contrast,
    comparable,
    complete_units,
    contrast,
    dropped_note,
    fit_of,
    simplex_least_squares,
    spread,
    target_weights,
    without_always_treated,
)
from evaluation.panel import Array, Panel
from evaluation.result import Value


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `synthetic_did`."""

    stopping: Annotated[
        Literal["exact", "paper"],
        Field(
            description="`exact` solves for the weights; `paper` stops early and drops small weights, as the authors' program does"
        ),
    ] = "exact"


def fit(panel: Panel, options: Options) -> Fit:
    """Synthetic difference in differences; with several starts, one for each group that starts together.

    Unit weights make the controls' weighted pre-period path parallel to the treated one (ridge ζ, intercept); time weights
    make the pre-periods' weighted mean parallel to the mean of the window across controls. With several starts this is done
    for each start against the never treated, and the effects are averaged by the groups' shares of the treated cells.

    Parameters
    ----------
    panel : Panel
        Controls with a missing cell are left out, and so are units treated from the first period on; both named in notes.

    Returns
    -------
    Fit
        `att` in the outcome's unit; `unit_weights` (units,), of several starts their mean by the same shares, and, with one
        start, `time_weights` (periods,), each summing to 1. Of each start `details["cohorts"]`.

    Raises
    ------
    EstimationError
        Fewer than two pre-periods of some start, fewer than two controls, or a treated unit with a missing cell.

    References
    ----------
    Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111(12), eqs. (1), (4)-(6), and, for
    several starts, the appendix on staggered adoption; Clarke, Pailañir, Athey & Imbens (2023), "Synthetic
    difference-in-differences estimation", eqs. (6)-(7).
    """
    full = panel
    panel, notes = without_always_treated(panel)
    panel, dropped = complete_units(panel, "synthetic_did")
    notes = (*notes, *dropped_note(dropped))
    _enough(panel)
    if len(panel.starts) == 1:
        start = panel.starts[0]
        one = _weighted(panel, start, options)
        return fit_of(
            one.found,
            start,
            spread(one.controls, panel, full),
            one.times,
            notes=notes,
            details={"zeta": one.zeta, "noise_level": one.noise, "dropped_units": list(dropped)},
        )
    target = target_weights(panel)
    parts: list[Part] = []
    told: list[Value] = []
    for start in panel.starts:
        rows = np.flatnonzero((panel.start == start) & (target.units > 0))
        if not rows.size:  # it starts after the window
            continue
        kept = np.asarray(~panel.treated | (panel.start == start))
        one = _weighted(panel.keep_units(kept), start, options)
        controls = np.zeros(panel.n_units)
        controls[kept] = one.controls
        parts.append(Part(rows, start, controls, one.found))
        told.append(
            {
                "start": panel.periods[start].label,
                "units": int(rows.size),
                "share": float(target.units[rows].sum()),
                "effect": one.found.att,
                "zeta": one.zeta,
                "noise_level": one.noise,
            }
        )
    found = combined_fit(panel, target, parts, notes, {"cohorts": told, "dropped_units": list(dropped)})
    assert found.unit_weights is not None
    return replace(found, unit_weights=spread(found.unit_weights, panel, full))


def _enough(panel: Panel) -> None:
    comparable(panel, "synthetic_did")
    if panel.starts[0] < 2:
        label = panel.periods[panel.starts[0]].label
        raise EstimationError(
            f"synthetic_did: only one period before the start ({label}); it needs at least two for every treated unit"
        )
    if (~panel.treated).sum() < 2:
        raise EstimationError("synthetic_did: only one control; it needs at least two")


@dataclass(frozen=True, slots=True)
class _Weighted:
    """The weights of one start, ω (units,) and λ (periods,), and the contrast under them."""

    controls: Array
    times: Array
    found: Contrast
    zeta: float
    noise: float


def _weighted(panel: Panel, start: int, options: Options) -> _Weighted:
    rows = ~panel.treated
    target = target_weights(panel)
    before = panel.outcome[rows, :start]
    noise = float(np.diff(before, axis=1).std(ddof=1))
    n_cells = int(panel.treated.sum()) * int((target.periods > 0).sum())
    zeta = n_cells**0.25 * noise
    unit_problem = (_centred(before.T), _centred((target.units @ panel.outcome)[:start, None])[:, 0], zeta)
    time_problem = (_centred(before), _centred((panel.outcome[rows] @ target.periods)[:, None])[:, 0], 1e-6 * noise)
    solve = _exact if options.stopping == "exact" else _frank_wolfe
    omega = solve(*unit_problem, 1e-5 * noise)
    lambda_ = solve(*time_problem, 1e-5 * noise)
    controls = np.zeros(panel.n_units)
    controls[rows] = omega
    times = np.zeros(panel.n_periods)
    times[:start] = lambda_
    return _Weighted(controls, times, contrast(panel.outcome, target, controls, times, start), zeta, noise)


def gaps(panel: Panel, options: Options) -> Array:
    """(periods,) residuals of the unit-weighted fit with intercept on all periods, the null imposed; for one common start."""
    rows = ~panel.treated
    noise = float(np.diff(panel.outcome[rows], axis=1).std(ddof=1))
    line = target_weights(panel).units @ panel.outcome
    columns = _centred(panel.outcome[rows].T)
    zeta = int(panel.treated.sum()) ** 0.25 * noise
    omega = _exact(columns, line - line.mean(), zeta, 0.0)
    return np.asarray(line - line.mean() - columns @ omega)


def _centred(matrix: Array) -> Array:
    return np.asarray(matrix - matrix.mean(axis=0))


def _exact(columns: Array, target: Array, zeta: float, tolerance: float) -> Array:
    """The minimiser of the penalised objective of eq. (4) (times the number of rows)."""
    return simplex_least_squares(columns, target, ridge=zeta**2 * columns.shape[0])


def _frank_wolfe(columns: Array, target: Array, zeta: float, tolerance: float) -> Array:
    """The authors' solver: Frank-Wolfe for 100 steps, drop weights below a quarter of the largest, then on to the tolerance."""
    weights = _frank_wolfe_steps(
        columns, target, zeta, tolerance, np.full(columns.shape[1], 1.0 / columns.shape[1]), 100
    )
    weights = np.where(weights <= weights.max() / 4.0, 0.0, weights)
    return _frank_wolfe_steps(columns, target, zeta, tolerance, weights / weights.sum(), 10_000)


def _frank_wolfe_steps(
    columns: Array, target: Array, zeta: float, tolerance: float, weights: Array, steps: int
) -> Array:
    rows = columns.shape[0]
    eta = rows * zeta**2
    previous = np.inf
    for step in range(steps):
        fitted = columns @ weights
        gradient = (fitted - target) @ columns + eta * weights
        corner = int(np.argmin(gradient))
        direction = -weights
        direction[corner] += 1.0
        if np.any(direction):
            change = columns[:, corner] - fitted
            length = float(-(gradient @ direction) / (change @ change + eta * (direction @ direction)))
            weights = weights + min(1.0, max(0.0, length)) * direction
        error = columns @ weights - target
        value = zeta**2 * float(weights @ weights) + float(error @ error) / rows
        if step >= 1 and previous - value <= tolerance**2:
            break
        previous = value
    return weights


METHOD = Method(
    name="synthetic_did",
    summary="synthetic difference in differences: controls and pre-periods weighted to run parallel to the treated",
    fit=fit,
    options=Options,
    needs=("never_treated", "balanced", "two_pre_periods"),
    # not "period_shift": the paper's noise level, hence the ridge, sees period effects
    keeps=frozenset({"unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="placebo",
    source="Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111(12)",
    gaps=gaps,
)
