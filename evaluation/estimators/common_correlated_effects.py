"""Common correlated effects: averages over the never-treated in place of factors, with each treated unit's own loadings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.common_effects import Slopes, common_slopes, loadings_of
from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError, listed
from evaluation.gaps import Cells, cells_of, effects_of, fit_from_gaps, mean_gap
from evaluation.numerics import dropped_note
from evaluation.panel import Array, Mask, Panel
from evaluation.result import Note, Value

NAME = "common_correlated_effects"


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `common_correlated_effects`."""

    covariates: Annotated[
        tuple[str, ...],
        Field(description="covariates that vary over time; their averages stand for factors beside the outcome's"),
    ] = ()
    estimator: Annotated[
        Literal["imputation", "direct"],
        Field(
            description="`imputation`: the whole effect, what goes through the covariates included; `direct`: the effect at the "
            "covariates as they were observed"
        ),
    ] = "imputation"
    slopes: Annotated[
        Literal["pooled", "mean_group"],
        Field(
            description="of `direct`: the covariates' slopes estimated for all units together, or averaged over units"
        ),
    ] = "pooled"


def fit(panel: Panel, options: Options) -> Fit:
    """The treated units' outcomes minus a_i + λ_i'h_t, what the averages h_t of the never-treated say they would have been.

    h_t holds the average outcome of the never-treated units and the average of each covariate; a_i and λ_i come from a
    regression of the treated unit's outcome on an intercept and h_t over its periods before the start. As many factors as there
    are averages can be stood for: without covariates, one. Covariates that the treatment moves do no harm: what the effect owes
    to them is part of it, because their own path is imputed in the same way (in which their slopes cancel). With `direct` they
    are taken as observed instead: y_it − x_it'β − a_i − λ_i'h_t, with β from all units' periods before the first start.

    Parameters
    ----------
    panel : Panel
        Outcomes (units, periods). An average must be over the same units in every period, so controls with a missing cell are
        left out and named; treated units may lack cells, and may start at different times.

    Returns
    -------
    Fit
        `att` in the outcome's unit; `details`: the averages' names, and with `direct` the slopes with their standard errors, and
        the whole effect split into the direct one and the one that goes through the covariates.

    Raises
    ------
    EstimationError
        Fewer periods before the start than the averages take, averages that move together before it, no complete control, or
        slopes that the periods before the first start do not carry.

    References
    ----------
    Brown, Butts & Westerlund (2023), "Simple difference-in-differences estimation in fixed-T panels", arXiv:2301.11358,
    section 3.1, steps 1-4; slopes: Pesaran (2006), Econometrica 74(4), section 5.
    """
    cells, averages = _averaged(panel, options)
    whole = _gaps(cells, averages, cells.untreated[cells.panel.treated], cells.outcome)
    names = ("outcome", *options.covariates)
    details: dict[str, Value] = {
        "averages": list(names),
        "periods_before": int(cells.untreated[cells.panel.treated].sum(axis=1).min()),
    }
    if options.estimator == "imputation":
        return fit_from_gaps(cells, whole, notes=cells.notes, details=details)
    first = np.broadcast_to(cells.columns < cells.panel.starts[0], cells.observed.shape)
    slopes = _slopes(cells, averages, first & cells.observed, options)
    direct = _direct(cells, averages, cells.untreated[cells.panel.treated], slopes)
    total, left = effects_of(cells, [whole, direct])
    errors = np.sqrt(np.diag(slopes.covariance))
    details |= {
        "coefficients": dict(zip(options.covariates, slopes.coefficients.tolist(), strict=True)),
        "coefficient_errors": dict(zip(options.covariates, errors.tolist(), strict=True)),
        "whole_effect": total,
        "direct_effect": left,
        "through_covariates": total - left,
    }
    return fit_from_gaps(cells, direct, notes=cells.notes, details=details)


def gaps(panel: Panel, options: Options) -> Array:
    """(periods,) residuals of the treated on the averages over all periods, the null imposed everywhere."""
    cells, averages = _averaged(panel, options)
    seen = cells.observed[cells.panel.treated]
    if options.estimator == "imputation":
        return mean_gap(cells, _gaps(cells, averages, seen, cells.outcome))
    slopes = _slopes(cells, averages, cells.observed, options)
    return mean_gap(cells, _direct(cells, averages, seen, slopes))


def _averaged(panel: Panel, options: Options) -> tuple[Cells, Array]:
    """The cells with complete controls alone, and the (1 + covariates, periods used) averages over them."""
    if options.estimator == "direct" and not options.covariates:
        raise EstimationError(f"{NAME}: `direct` is the effect at given covariates; name some, or use `imputation`")
    cells = cells_of(panel, options.covariates, NAME)
    controls = ~cells.panel.treated
    complete = cells.observed.all(axis=1)
    if not (complete & controls).any():
        raise EstimationError(
            f"{NAME}: no control is observed in every period, so no average is over the same units throughout"
        )
    broken = controls & ~complete
    if broken.any():
        notes = dropped_note(tuple(cells.panel.units[row] for row in np.flatnonzero(broken)))
        cells = _kept(cells, ~broken, notes)
        controls = ~cells.panel.treated
    averages = np.concatenate([cells.outcome[controls].mean(axis=0)[None], cells.covariates[:, controls].mean(axis=1)])
    return cells, averages


def _kept(cells: Cells, rows: Mask, notes: tuple[Note, ...]) -> Cells:
    return Cells(
        cells.panel.keep_units(rows),
        cells.columns,
        cells.outcome[rows],
        cells.observed[rows],
        cells.untreated[rows],
        cells.covariates[:, rows],
        (*cells.notes, *notes),
    )


def _gaps(cells: Cells, averages: Array, seen: Mask, outcome: Array) -> Array:
    """(treated, periods used) outcomes minus what the averages say, the loadings from the cells `seen`."""
    rows = np.flatnonzero(cells.panel.treated)
    fewest = len(averages) + 2
    short = seen.sum(axis=1) < fewest
    if short.any():
        names = listed([cells.panel.units[row] for row in rows[short]])
        raise EstimationError(
            f"{NAME}: {names} is observed in {int(seen.sum(axis=1).min())} periods before its start; an intercept and loadings on "
            f"{len(averages)} averages take at least {fewest}. Give earlier periods"
            + ("" if len(averages) == 1 else ", or name fewer covariates")
        )
    found = loadings_of(outcome[rows], averages[:, None, :], seen)
    if found.collinear.any():
        names = listed([cells.panel.units[row] for row in rows[found.collinear]])
        raise EstimationError(
            f"{NAME}: in the periods before the start in which {names} is observed the averages do not move, or move together "
            "(collinear); "
            + ("there is nothing to learn loadings from" if len(averages) == 1 else "name fewer covariates")
        )
    return outcome[rows] - found.level[:, None] - found.slopes.T @ averages


def _direct(cells: Cells, averages: Array, seen: Mask, slopes: Slopes) -> Array:
    return _gaps(cells, averages, seen, cells.outcome - np.tensordot(slopes.coefficients, cells.covariates, axes=1))


def _slopes(cells: Cells, averages: Array, seen: Mask, options: Options) -> Slopes:
    found = common_slopes(cells.outcome, cells.covariates, averages, seen, pooled=options.slopes == "pooled")
    if found is None:
        raise EstimationError(
            f"{NAME}: the slopes of the covariates cannot be estimated: with an intercept and {len(averages)} averages taken out of "
            f"{int(seen.sum(axis=1).max())} periods before the first start too little of them is left. Name fewer covariates, or "
            "use `imputation`"
        )
    return found


METHOD = Method(
    name=NAME,
    summary="common correlated effects: averages over the never-treated in place of factors, with loadings of each unit's own",
    fit=fit,
    options=Options,
    needs=("never_treated", "two_pre_periods"),
    # not "period_shift": what all units share enters the averages, and is then multiplied by each unit's own loading
    keeps=frozenset({"unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="placebo",
    source="Brown, Butts & Westerlund (2023), arXiv:2301.11358; Pesaran (2006), Econometrica 74(4)",
    gaps=gaps,
)
