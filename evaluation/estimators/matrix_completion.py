"""Matrix completion: the treated cells are filled from a matrix of low nuclear norm beside unit and period effects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.completion import Completion, beginning_of, completed, completions, soft, unsettled_note
from evaluation.contracts import Fit, Method
from evaluation.cross_validation import BLOCKS, folds_error, predictions, preferred
from evaluation.gaps import Cells, cells_of, fit_from_gaps, mean_gap
from evaluation.low_rank import Decomposition
from evaluation.panel import Array, Mask, Panel
from evaluation.result import Value

NAME = "matrix_completion"

PATIENCE = 3
"""So many penalties in a row that predict worse than a larger one, and no smaller one is tried."""

GRID = np.geomspace(1.0, 1e-3, 15)
"""Penalties tried, relative to the one that leaves nothing but unit and period effects; the smallest is that of the authors'
program (gsynth)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `matrix_completion`."""

    penalty: Annotated[
        Annotated[float, Field(gt=0)] | Literal["cv"],
        Field(
            description="λ: singular values, divided by the number of cells, are lowered by it (outcome's unit); "
            "`cv`: the one that predicts left-out periods before the start best"
        ),
    ] = "cv"
    covariates: Annotated[tuple[str, ...], Field(description="covariates that vary over time, held constant")] = ()


@dataclass(frozen=True, slots=True)
class _Tried:
    penalty: float
    threshold: float
    rank: int | None
    error: float | None
    found: Completion | None


def fit(panel: Panel, options: Options) -> Fit:
    """The treated cells minus α_i + ξ_t + x_it'β + L_it, fitted to all untreated cells with a penalty on L's nuclear norm.

    minimise ½ Σ_untreated (y_it − α_i − ξ_t − x_it'β − L_it)² + λ·NT·‖L‖_*, with N units and T periods; α, ξ and β are not
    penalised. The minimum is found exactly (the problem is convex); at λ·NT equal to the largest singular value L is zero and
    this is the imputation estimator with unit and period effects.

    λ by cross-validation: effects, factors and singular values σ of the never-treated units are taken as given, and each period
    of a treated unit before its start is predicted from its others by the ridge regression on the factors that the penalty
    amounts to (shares 1 − λNT/σ kept). Without never-treated units fifths of the treated units' cells are left out instead.

    Parameters
    ----------
    panel : Panel
        Outcomes (units, periods); missing cells and several starts are allowed.

    Returns
    -------
    Fit
        `att` in the outcome's unit. `details`: the penalty, the rank of L, and for each penalty tried its prediction error.

    Raises
    ------
    EstimationError
        Nobody is treated or to compare with, the window is empty, or a treated unit is never observed before its start.

    References
    ----------
    Athey, Bayati, Doudchenko, Imbens & Khosravi (2021), Journal of the American Statistical Association 116(536), eq. (4.4);
    the solution: Mazumder, Hastie & Tibshirani (2010), Journal of Machine Learning Research 11, Algorithm 1.
    """
    cells = cells_of(panel, options.covariates, NAME, never_treated=False, fewest=2, slopes=True)
    treated = cells.panel.treated
    tried = _tried(cells, cells.untreated[treated], cells.untreated, options)
    chosen = tried[preferred([each.error for each in tried])]
    # from the never-treated units' factors the completion has not far to go
    beginning = None if chosen.found is None else beginning_of(chosen.found)
    found = completed(cells.outcome, cells.untreated, cells.covariates, soft(chosen.threshold), beginning)
    values = found.decomposition.values
    details: dict[str, Value] = {
        "penalty": chosen.penalty,
        "rule": "cross-validation" if options.penalty == "cv" else "given",
        "threshold": chosen.threshold,
        "rank": int((found.keep > 0.0).sum()),
        "singular_values": (found.keep * values)[found.keep > 0.0].tolist(),
        "by_penalty": [
            {"penalty": each.penalty, "rank": each.rank, "mspe": each.error}
            for each in tried
            if options.penalty == "cv"
        ],
        "coefficients": {
            name: float(value) for name, value in zip(options.covariates, found.coefficients, strict=True)
        },
    }
    gaps = (cells.outcome - found.fitted)[treated]
    return fit_from_gaps(cells, gaps, notes=(*cells.notes, *unsettled_note(found.moved)), details=details)


def gaps(panel: Panel, options: Options) -> Array:
    """(periods,) residuals of the treated when all cells are fitted, the null imposed everywhere."""
    cells = cells_of(panel, options.covariates, NAME, never_treated=False, fewest=2, slopes=True)
    treated = cells.panel.treated
    tried = _tried(cells, cells.observed[treated], cells.observed, options)
    chosen = tried[preferred([each.error for each in tried])]
    found = completed(cells.outcome, cells.observed, cells.covariates, soft(chosen.threshold))
    return mean_gap(cells, (cells.outcome - found.fitted)[treated])


def _tried(cells: Cells, before: Mask, untreated: Mask, options: Options) -> list[_Tried]:
    """The penalty given, or each of the grid with its prediction error; `before` (treated, periods used) are cells left out."""
    treated = cells.panel.treated
    controls = ~treated
    size = float(cells.outcome.size)
    alone = int(controls.sum()) >= 2 and bool(untreated[controls].any(axis=0).all())
    # singular values grow with the root of the number of units
    more = np.sqrt(cells.panel.n_units / max(1, int(controls.sum()))) if alone else 1.0
    whole: Decomposition | None = None
    if options.penalty != "cv":
        if not alone:
            return [_Tried(options.penalty, options.penalty * size, None, None, None)]
        thresholds = [options.penalty * size / more]
    else:
        thresholds, whole = _grid(cells, controls if alone else np.ones(len(controls), dtype=np.bool_), untreated)
    found: list[_Tried] = []
    if not alone:
        for threshold in thresholds:
            error = folds_error(cells, untreated, soft(threshold))
            found.append(_Tried(threshold / size, threshold, None, error, None))
            if _past_the_lowest([one.error for one in found]):
                break
        return found
    predicted = predictions(cells, untreated[controls], before, [*map(soft, thresholds)], BLOCKS, whole)
    for threshold, each in zip(thresholds, predicted, strict=True):
        rank = int((each.found.keep > 0.0).sum())
        found.append(_Tried(float(threshold * more / size), float(threshold * more), rank, each.error, each.found))
        if _past_the_lowest([one.error for one in found]):
            break
    return found


def _past_the_lowest(errors: list[float | None]) -> bool:
    """Whether the last `PATIENCE` errors all lie above an earlier one."""
    known = [math.inf if error is None else error for error in errors]
    return len(known) > PATIENCE and min(known[-PATIENCE:]) > min(known[:-PATIENCE])


def _grid(cells: Cells, rows: Mask, untreated: Mask) -> tuple[list[float], Decomposition]:
    """Thresholds from the largest singular value beside the effects downward, and what they are singular values of; only zero where
    there is nothing beside the effects."""
    nothing = next(completions(cells.outcome[rows], untreated[rows], cells.covariates[:, rows], [soft(np.inf)]))
    values = nothing.decomposition.values
    steps = values[0] * GRID if values.size else np.zeros(1)
    return steps.tolist(), nothing.decomposition


METHOD = Method(
    name=NAME,
    summary="matrix completion: treated cells filled from a matrix of low rank beside unit and period effects",
    fit=fit,
    options=Options,
    needs=("one_pre_period",),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="placebo",
    source="Athey, Bayati, Doudchenko, Imbens & Khosravi (2021), Journal of the American Statistical Association 116(536)",
    gaps=gaps,
)
