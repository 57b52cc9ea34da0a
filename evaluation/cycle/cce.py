"""Averages over the other units stand in for the common factors; each unit has its own loading on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from evaluation.common_effects import loadings_of
from evaluation.contracts import Adjustment, Removal, Term
from evaluation.cycle.loadings import (
    cells_before,
    enough_periods,
    first_start,
    from_before,
    leave_own_out,
    national,
    series_names,
    treated_known,
)
from evaluation.errors import EstimationError
from evaluation.panel import Array, Mask, Panel


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `cce`."""

    series: Annotated[
        tuple[str, ...],
        Field(description="the cycle series whose averages stand beside the outcome's; empty: all local ones"),
    ] = ()


def remove(panel: Panel, options: Options) -> Removal:
    """Σ_k λ_ik h_ikt, measured from its mean before the start; h are averages over the never-treated units without the unit's own.

    The loadings λ_i come from a regression, before the start, of the unit's outcome on an intercept and the averages: of the
    outcome, and of each local series (a national one stands for itself). With the outcome alone this is `sensitivity` without
    shrinking.

    Parameters
    ----------
    panel : Panel
        Outcomes (units, periods), treated cells blank; missing cells are left out of averages and regressions.

    Returns
    -------
    Removal
        `terms`: `averages` (their names), and by unit `loading_outcome`, `loading_NAME`.

    Raises
    ------
    EstimationError
        No such series, more averages than the periods before the start can carry, or averages that move together.

    References
    ----------
    Pesaran (2006), Econometrica 74(4), section 3: averages over the units in place of the factors, with heterogeneous loadings.
    """
    chosen = options.series or tuple(name for name in series_names(panel) if panel.cycle[name].ndim == 2)
    names = ("outcome", *chosen)
    fewest = len(names) + 2
    if fewest > 3 and first_start(panel) < fewest:
        raise EstimationError(
            f"cce: {len(names)} averages take at least {fewest} periods before the start, and there are {first_start(panel)}; "
            "name fewer series"
        )
    enough_periods(panel, "cce")
    averages = np.array([leave_own_out(panel, panel.outcome), *(national(panel, name) for name in chosen)])
    loadings, known = _loadings(panel.outcome, averages, cells_before(panel), fewest)
    treated_known(panel, known, "cce", fewest)
    amount = np.einsum("ku,kut->ut", np.where(known, loadings, 0.0), averages)
    terms: dict[str, Term] = {"averages": ", ".join(names), "periods": first_start(panel)}
    for name, loading in zip(names, loadings, strict=True):
        terms[f"loading_{name}"] = loading
    return Removal(from_before(panel, amount), terms, None if known.all() else known)


def _loadings(outcome: Array, averages: Array, cells: Mask, fewest: int) -> tuple[Array, Mask]:
    """(averages, units) slopes with an intercept over the `cells`, and (units,) who has the `fewest` periods they take."""
    seen = cells & np.isfinite(outcome)
    known = np.asarray(seen.sum(axis=1) >= fewest)
    found = loadings_of(outcome[known], averages[:, known], seen[known])
    if found.collinear.any():
        raise EstimationError(
            "cce: the averages do not move, or move together, before the start (collinear); name fewer series"
        )
    slopes = np.full((len(averages), known.size), np.nan)
    slopes[:, known] = found.slopes
    return slopes, known


METHOD = Adjustment(
    name="cce",
    summary="averages over the other units in place of common factors, with a loading of each unit's own",
    remove=remove,
    options=Options,
    source="Pesaran (2006), Econometrica 74(4)",
)
