"""Each unit's own straight line before the start, drawn on: shown for comparison, because it can eat a growing effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Adjustment, Removal, Term
from evaluation.cycle.loadings import cells_before, enough_periods, first_start, from_before, loadings, treated_known
from evaluation.panel import Panel


@dataclass(frozen=True, slots=True)
class Options:
    """Nothing to choose."""


def remove(panel: Panel, options: Options) -> Removal:
    """δ_i × (t − mean of t before the start), with δ_i from y_it = α_i + δ_i t + e_it before the start.

    Parameters
    ----------
    panel : Panel
        Outcomes (units, periods), treated cells blank; missing cells are left out of the lines.

    Returns
    -------
    Removal
        `terms`: by unit `trend` (per period) and `std_error`; `mean` and `sd` of the donors', `treated_trend`,
        `treated_std_error`, `periods`.

    Raises
    ------
    EstimationError
        Fewer than three periods before the start.

    References
    ----------
    Angrist & Pischke (2009), Mostly Harmless Econometrics, eq. (5.2.7), with the trends from before the start only; why a trend
    over all periods takes an effect for a trend: Wolfers (2006), American Economic Review 96(5).
    """
    enough_periods(panel, "unit_trend")
    time = np.broadcast_to(np.arange(panel.n_periods, dtype=np.float64), panel.outcome.shape)
    found = loadings(panel.outcome, time, cells_before(panel))
    treated_known(panel, found.known, "unit_trend")
    amount = from_before(panel, np.where(found.known, found.slope, 0.0)[:, None] * time)
    donors = found.slope[~panel.treated & found.known]
    terms: dict[str, Term] = {
        "trend": found.slope,
        "std_error": found.std_error,
        "mean": float(donors.mean()),
        "sd": float(donors.std(ddof=1)) if donors.size > 1 else 0.0,
        "periods": first_start(panel),
    }
    treated = panel.treated
    if treated.any():
        terms["treated_trend"] = float(found.slope[treated].mean())
        terms["treated_std_error"] = float(np.sqrt((found.std_error[treated] ** 2).sum()) / treated.sum())
    return Removal(amount, terms, None if found.known.all() else found.known)


METHOD = Adjustment(
    name="unit_trend",
    summary="each unit's own straight line from before the start, drawn on; it can eat an effect that grows",
    remove=remove,
    options=Options,
    source="Angrist & Pischke (2009), Mostly Harmless Econometrics, eq. (5.2.7), fitted before the start",
    comparison=True,
)
