"""Dose response: the effect of each dose of a treatment, against units never treated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.special import ndtr

from evaluation.changes import Block, Changes, Comparison, Mapped, changes, comparison
from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError, did_you_mean
from evaluation.panel import Array, Indices, Panel
from evaluation.regression import cluster_errors
from evaluation.result import Note, Value

MOST_DISTINCT = 5
"""No more distinct doses than this are each a group of their own; else doses are grouped by quartiles."""

FEWEST = 5
"""Among many treated (ten times as many), a group of fewer units than this is not told: it would be a few persons' outcomes."""

GRID = 9
"""Doses at which the curve is given: the 10th to the 90th percentile, so that no single unit's dose is told."""


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `dose_response`."""

    dose: Annotated[
        str, Field(description="the covariate that holds each treated unit's dose, in a unit of its own")
    ] = "dose"
    degree: Annotated[
        Annotated[int, Field(ge=1, le=4)] | Literal["bins"],
        Field(
            description="the effect as a polynomial of this degree in the dose (1 to 4), or the mean effect in groups of the dose"
        ),
    ] = 1


def fit(panel: Panel, options: Options) -> Fit:
    """The effect by dose: each treated cell's change since before the start, minus that of the never treated.

    δ_it = (y_it − y_ib) − mean of (y_jt − y_jb) over the never treated j observed in both periods, with b the last period before
    unit i's start in which it is observed. The headline is the mean of δ over the treated at the doses they had, E[ATT(d|d)]: it
    needs parallel trends without treatment, no more. The curve is the regression of δ_it on the dose,

        ATT(d|d) = β₀ + β₁d + ... + β_p d^p,

    and the slope its mean derivative over the treated cells. Read as what a *change* of dose would do (the average causal
    response), it needs strong parallel trends: units with other doses would, at the same dose, have had the same effect. Otherwise
    it also holds selection: those who gain more may have taken more.

    Parameters
    ----------
    panel : Panel
        With the covariate `dose`, (units,) or (units, periods); only treated cells' doses are looked at. Treated cells without a
        positive dose are in the headline, not in the curve. Missing cells and several starts are allowed.

    Returns
    -------
    Fit
        `att` in the outcome's unit, `influence` by unit; `details["slope"]` in outcome units per unit of dose,
        `details["curve"]` or `details["bins"]` with standard errors clustered as the panel is.

    Raises
    ------
    EstimationError
        No such covariate, nobody treated or never treated, an empty window, or no treated cell that can be compared.

    References
    ----------
    Callaway, Goodman-Bacon & Sant'Anna (2024), NBER working paper 32117: section 3 (what parallel trends identify, ATT(d|d), and
    what the average causal response needs beyond them).
    """
    if options.dose not in panel.covariates:
        raise EstimationError(
            f"dose_response: no covariate '{options.dose}' in the panel{did_you_mean(options.dose, panel.covariates)}; it needs each "
            "treated unit's dose"
        )
    found = comparison(panel, "dose_response")
    made = changes(found, _parallel)
    unit_weights = None
    if panel.balanced and len(panel.starts) == 1:
        unit_weights = (~panel.treated) / float(found.controls.size)
    notes, details = _by_dose(panel, found, made, options)
    return replace(made.fit, unit_weights=unit_weights, notes=(*made.fit.notes, *notes), details=details)


def _parallel(block: Block) -> Mapped:
    """Outcomes that moved as the controls did on average, and what each control has to do with it."""
    mean = (block.control_now - block.control_then).mean(axis=1, keepdims=True)
    return block.then + mean, block.weights.sum(axis=1, keepdims=True) * block.mean_influence


# ---------------------------------------------------------------------- the effect by dose


@dataclass(frozen=True, eq=False)
class _Cells:
    """The treated cells of the window that have a dose, one a row.

    `place` are positions in `Comparison.rows`, `period` indices of the panel; `weight` sums to 1.
    """

    place: Indices
    period: Indices
    dose: Array
    effect: Array
    weight: Array


def _by_dose(
    panel: Panel, found: Comparison, made: Changes, options: Options
) -> tuple[tuple[Note, ...], dict[str, Value]]:
    doses = panel.covariates[options.dose][found.rows]
    doses = np.broadcast_to(doses[:, None] if doses.ndim == 1 else doses, found.window.shape)
    inside = found.window > 0
    has = inside & np.isfinite(doses) & (np.nan_to_num(doses) > 0)
    details: dict[str, Value] = {"dose": options.dose}
    if not has.any():
        text = "No treated unit has a dose above zero in the window, so that there is only the average effect."
        return (Note("dose_unknown", text),), details
    place, period = np.nonzero(has)
    weight = found.window[has] / found.window[has].sum()
    cells = _Cells(place, period, doses[has], made.cells[has], weight)
    details["mean_dose"] = float(weight @ cells.dose)
    notes: list[Note] = []
    without = int((inside.any(axis=1) & ~has.any(axis=1)).sum())
    if without:
        text = (
            f"{without} treated units without a dose above zero are in the average effect, not in the effect by dose."
        )
        notes.append(Note("dose_missing", text, {"count": without}))
    if np.unique(cells.dose).size < 2:
        notes.append(
            Note("dose_same_for_all", "All treated have one dose, so that nothing is known about other doses.")
        )
        return tuple(notes), details
    if options.degree == "bins":
        details["bins"] = _bins(found, cells)
    else:
        more, curve = _curve(found, cells, options.degree)
        notes += more
        details.update(curve)
    text = (
        "That a larger dose goes with a larger effect is what a larger dose does only if all treated would have had the same "
        "effect at the same dose (strong parallel trends). The average effect does not need this."
    )
    notes.append(Note("dose_strong_parallel_trends", text))
    return tuple(notes), details


def _curve(found: Comparison, cells: _Cells, degree: int) -> tuple[list[Note], dict[str, Value]]:
    """The polynomial: slope, curve and coefficients, with standard errors."""
    notes = []
    distinct = int(np.unique(cells.dose).size)
    if degree > distinct - 1:
        text = f"{distinct} different doses allow a polynomial of degree {distinct - 1}, not {degree}."
        notes.append(Note("dose_degree_lowered", text, {"count": distinct, "degree": distinct - 1}))
        degree = distinct - 1
    # centred and scaled, powers of a dose stay far from collinear
    centre = float(cells.weight @ cells.dose)
    scale = float(np.sqrt(cells.weight @ (cells.dose - centre) ** 2))
    powers = np.arange(degree + 1)
    basis = ((cells.dose - centre) / scale)[:, None] ** powers
    beta, influence = _regression(found, cells, basis)

    def derived(combinations: Array) -> tuple[Array, Array]:
        return combinations @ beta, cluster_errors(combinations @ influence, found.panel.cluster)

    at = ((cells.dose - centre) / scale)[:, None]
    derivative = np.where(powers > 0, powers * at ** np.maximum(powers - 1, 0), 0.0) / scale
    slope, error = derived((cells.weight @ derivative)[None])
    grid = _quantiles(cells, np.arange(1, GRID + 1) / (GRID + 1))
    levels, errors = derived(((grid - centre) / scale)[:, None] ** powers)
    curve: list[Value] = [
        {"dose": dose, "effect": effect, "std_error": spread}
        for dose, effect, spread in zip(grid.tolist(), levels.tolist(), errors.tolist(), strict=True)
    ]
    p_value = 2.0 * float(ndtr(-abs(slope[0]) / error[0])) if error[0] > 0 else None
    response: dict[str, Value] = {"effect": float(slope[0]), "std_error": float(error[0]), "p_value": p_value}
    return notes, {"degree": degree, "slope": response, "curve": curve}


def _bins(found: Comparison, cells: _Cells) -> list[Value]:
    """The mean effect in each group of doses: one group a dose where there are few, else quartiles."""
    distinct = np.unique(cells.dose)
    if distinct.size <= MOST_DISTINCT:
        group = np.searchsorted(distinct, cells.dose)
    else:
        group = np.searchsorted(np.unique(_quantiles(cells, np.array([0.25, 0.5, 0.75]))), cells.dose)
    group = np.unique(group, return_inverse=True)[1]
    basis = (group[:, None] == np.arange(group.max() + 1)).astype(np.float64)
    effects, influence = _regression(found, cells, basis)
    errors = cluster_errors(influence, found.panel.cluster)
    rows: list[Value] = []
    for index, (effect, error) in enumerate(zip(effects.tolist(), errors.tolist(), strict=True)):
        member = group == index
        weight = cells.weight[member]
        units = int(np.unique(cells.place[member]).size)
        told = units >= FEWEST or found.rows.size < 10 * FEWEST
        rows.append(
            {
                "dose": float(weight @ cells.dose[member] / weight.sum()),
                "effect": effect if told else None,
                # one unit has no spread of its own
                "std_error": error if told and units > 1 else None,
                "units": units,
                "share": float(weight.sum()),
            }
        )
    return rows


def _quantiles(cells: _Cells, q: Array) -> Array:
    """(quantiles,) of the doses, by weight: the smallest dose with at least a share q up to it."""
    order = np.argsort(cells.dose, kind="stable")
    sums = np.cumsum(cells.weight[order])
    return np.asarray(cells.dose[order][np.minimum(np.searchsorted(sums, q - 1e-12), order.size - 1)])


def _regression(found: Comparison, cells: _Cells, basis: Array) -> tuple[Array, Array]:
    """(k,) weighted least squares of the cells' effects on (cells, k) `basis`, and (k, units) its linearisation.

    With C = (Ψ'WΨ)⁻¹Ψ'W the coefficients are Cδ. A treated unit counts Σ_t c_it e_it; a control what it has to do with the change
    that was taken off the cells, Σ over blocks and periods of (Σ_i c_it) times its deviation from the controls' mean change.
    """
    weighted = basis * cells.weight[:, None]
    combination = np.linalg.solve(basis.T @ weighted, weighted.T)
    beta = combination @ cells.effect
    residuals = cells.effect - basis @ beta
    influence = np.zeros((beta.size, found.panel.n_units))
    np.add.at(influence.T, found.rows[cells.place], (combination * residuals).T)
    totals = np.zeros((beta.size, *found.window.shape))
    totals[:, cells.place, cells.period] = combination
    for block in found.blocks():
        by_period = totals[:, block.places].sum(axis=1)[:, block.periods]
        influence[:, block.controls] -= by_period @ block.mean_influence
    return beta, influence


METHOD = Method(
    name="dose_response",
    summary="dose response: the effect by intensity of treatment, against units never treated",
    fit=fit,
    options=Options,
    needs=("never_treated", "one_pre_period", "dose"),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="cluster",
    source="Callaway, Goodman-Bacon & Sant'Anna (2024), NBER working paper 32117",
)
