"""Each unit's own reaction to the national cycle, learnt before the start, times the cycle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from evaluation.contracts import Adjustment, Removal, Term
from evaluation.cycle.loadings import (
    cells_before,
    enough_periods,
    first_start,
    from_before,
    leave_own_out,
    loadings,
    national,
    shrink,
    treated_known,
)
from evaluation.noise import unit_noise
from evaluation.panel import Array, Panel


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `sensitivity`."""

    series: Annotated[
        str,
        Field(
            description="the cycle series whose national movement counts; empty: the other never-treated units' mean outcome"
        ),
    ] = ""
    shrink: Annotated[
        bool, Field(description="draw each unit's reaction toward the mean by as much as it is noise")
    ] = True


def remove(panel: Panel, options: Options) -> Removal:
    """β_i × (n_it − its mean before the start), with β_i from y_it = α_i + β_i n_it + e_it before the start.

    n_it is the mean outcome of the never-treated units, the unit's own left out, or the nation of a series. A treated unit's
    β rests on its periods before its own start, everybody else's on those before the first start. Sampling errors are those
    of independent residuals; with known sizes or sampling variances they are pooled as a + b / size.

    Parameters
    ----------
    panel : Panel
        Outcomes (units, periods), treated cells blank; missing cells are left out of the slopes.

    Returns
    -------
    Removal
        `terms`: by unit `beta`, `std_error` and `shrunk`; the donors' `mean` and `sd`, `reliability`; `treated_beta`,
        `treated_std_error`, `treated_shrunk` (means over the treated units); `cycle_change` from before to the window.

    Raises
    ------
    EstimationError
        Fewer than three periods before the start (of the panel, or of a treated unit), no such series, one without movement.

    References
    ----------
    Blanchard & Katz (1992), Brookings Papers on Economic Activity 23(1), who regress each state on the nation and let the
    slopes differ. Shrinking: see `loadings.shrink`.
    """
    enough_periods(panel, "sensitivity")
    nation = national(panel, options.series) if options.series else leave_own_out(panel, panel.outcome)
    cells = cells_before(panel)
    found = loadings(panel.outcome, nation, cells)
    treated_known(panel, found.known, "sensitivity")
    noise = unit_noise(panel, np.arange(panel.n_periods) < first_start(panel))
    drawn = shrink(found, ~panel.treated, noise)
    used = drawn.slope if options.shrink else found.slope
    amount = from_before(panel, np.where(found.known, used, 0.0)[:, None] * nation)
    treated = panel.treated
    terms: dict[str, Term] = {
        "beta": found.slope,
        "std_error": drawn.std_error,
        "shrunk": drawn.slope,
        "mean": drawn.mean,
        "sd": drawn.spread,
        "reliability": drawn.reliability,
        "periods": first_start(panel),
        "series": options.series,
    }
    if treated.any():
        terms["treated_beta"] = float(found.slope[treated].mean())
        terms["treated_std_error"] = float(np.sqrt((drawn.std_error[treated] ** 2).sum()) / treated.sum())
        terms["treated_shrunk"] = float(drawn.slope[treated].mean())
        terms["cycle_change"] = change_to_window(panel, nation)
    return Removal(amount, terms, None if found.known.all() else found.known)


def change_to_window(panel: Panel, nation: Array) -> float:
    """How far the nation, as the treated see it, moved from its mean before the start to its mean over the target cells."""
    seen = from_before(panel, nation)
    return float(seen[panel.target].mean()) if panel.target.any() else float("nan")


METHOD = Adjustment(
    name="sensitivity",
    summary="each unit's own reaction to the national cycle, learnt before the start, times the cycle",
    remove=remove,
    options=Options,
    source="Blanchard & Katz (1992), Brookings Papers on Economic Activity 23(1); shrinkage: Morris (1983), JASA 78",
)
