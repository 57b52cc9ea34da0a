"""Demand that a unit's industries would have met with if they had grown as elsewhere, times a slope all units share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Adjustment, Removal, Term
from evaluation.cycle.loadings import from_before
from evaluation.cycle.slopes import pooled_slopes
from evaluation.errors import EstimationError
from evaluation.panel import Panel


@dataclass(frozen=True, slots=True)
class Options:
    """Nothing to choose."""


def remove(panel: Panel, options: Options) -> Removal:
    """γ z_it, measured from its mean before the start: z is predicted demand, cumulated, in per cent of base employment.

    z rests on a unit's industries before the start and on growth elsewhere, so neither the programme nor the unit's own boom has
    moved it. γ comes from the never-treated units, all periods, with unit and period effects (`slopes.pooled_slopes`).

    Parameters
    ----------
    panel : Panel
        With the (units, periods) series "shift_share" in `cycle`.

    Returns
    -------
    Removal
        `terms`: `gamma` (outcome units per per cent) and `se`, `n_cells`, `n_units`, a and b of the weights 1 / (a + b × noise),
        and `treated_change`, how far the treated's predicted demand moved from before to the window.

    Raises
    ------
    EstimationError
        The panel has no predicted demand, or it does not differ between units.

    References
    ----------
    Bartik (1991), Who Benefits from State and Local Economic Development Policies?, appendix 4.2; what it assumes of the shares:
    Goldsmith-Pinkham, Sorkin & Swift (2020), American Economic Review 110(8).
    """
    demand = panel.cycle.get("shift_share")
    if demand is None:
        raise EstimationError(
            "shift_share: the panel has no predicted demand; give employment by industry in [cycle.shares]"
        )
    if demand.ndim == 1:
        raise EstimationError(
            "shift_share: predicted demand takes a value for each unit and period, not one for all units"
        )
    found = pooled_slopes(panel, demand[None], ("predicted demand",), "shift_share")
    regressors = from_before(panel, demand)[None]
    terms: dict[str, Term] = {
        "gamma": float(found.coefficients[0]),
        "se": float(found.std_errors[0]),
        "n_cells": found.n_cells,
        "n_units": found.n_units,
        "weights_constant": found.constant,
        "weights_slope": found.falling,
    }
    if panel.target.any():
        terms["treated_change"] = float(regressors[0][panel.target].mean())
    amount = np.tensordot(found.coefficients, regressors, axes=1)
    return Removal(amount, terms, regressors=regressors, covariance=found.covariance)


METHOD = Adjustment(
    name="shift_share",
    summary="demand that the unit's industries would have met if they had grown as elsewhere, times a shared slope",
    remove=remove,
    options=Options,
    source="Bartik (1991), Who Benefits from State and Local Economic Development Policies?",
)
