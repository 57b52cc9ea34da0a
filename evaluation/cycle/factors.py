"""A few common factors of the never-treated, times each unit's own loading on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from evaluation.common_effects import loadings_of
from evaluation.contracts import Adjustment, Removal, Term
from evaluation.cycle.loadings import cells_before, enough_periods, first_start, from_before
from evaluation.errors import EstimationError, listed
from evaluation.low_rank import decomposed
from evaluation.panel import Array, Panel

MOST_CHOSEN = 4
"""The most factors that are chosen from the data; a written `rank` may be higher."""

SHARES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `factors`."""

    rank: Annotated[
        int,
        Field(ge=0, description="how many factors; 0: as many as the largest ratio of neighbouring eigenvalues says"),
    ] = 0


def remove(panel: Panel, options: Options) -> Removal:
    """λ_i'f_t, measured from its mean before the start: the interactive effects beyond unit and period effects.

    The factors are the leading singular vectors of the never-treated units' outcomes without unit and period effects. A
    never-treated unit's loadings come from all periods; a treated unit's from a regression of its outcome, the period effects
    taken off, on the factors and an intercept before its own start. Difference-in-differences on what is left is Xu's estimator.
    A control with a missing cell is left out.

    Parameters
    ----------
    panel : Panel
        Outcomes (units, periods), treated cells blank.

    Returns
    -------
    Removal
        `terms`: `rank`, `rule`, `share_1`, ... (of the variance of the residuals, by factor), `loading_1`, ... by unit.

    Raises
    ------
    EstimationError
        Fewer than three periods before the start, a rank that these cannot carry, or no control that is observed throughout.

    References
    ----------
    Xu (2017), Political Analysis 25(1), section 3, steps 1-3, without covariates; the number of factors: Ahn & Horenstein (2013),
    Econometrica 81(3), eigenvalue ratio with the mock eigenvalue that allows for none.
    """
    enough_periods(panel, "factors")
    donors = np.asarray(~panel.treated & np.isfinite(panel.outcome).all(axis=1))
    if donors.sum() < 3:
        raise EstimationError(
            f"factors: {int(donors.sum())} never-treated units are observed in every period; it needs at least three"
        )
    found = decomposed(panel.outcome[donors])
    # values that are rounding count as zero
    squares = np.zeros(min(found.rest.shape))
    squares[: found.values.size] = found.values**2
    factors = np.zeros((squares.size, panel.n_periods))
    factors[: found.values.size] = found.factors
    most = _most(panel, int(donors.sum()))
    if options.rank > most:
        raise EstimationError(
            f"factors: rank {options.rank} is too large; with {first_start(panel)} periods before the start and "
            f"{int(donors.sum())} complete controls it can be at most {most}"
        )
    rank = options.rank or _chosen_rank(squares, min(most, (first_start(panel) - 2) // 2, MOST_CHOSEN))
    loadings = np.zeros((panel.n_units, rank))
    loadings[donors] = found.rest @ factors[:rank].T
    loadings[panel.treated] = _treated(panel, found.periods, factors[:rank])
    terms: dict[str, Term] = {"rank": rank, "rule": "given" if options.rank else "eigenvalue ratio"}
    total = float(squares.sum())
    for index, value in enumerate(squares[:SHARES_SHOWN]):
        terms[f"share_{index + 1}"] = float(value) / total if total > 0.0 else 0.0
    known = np.asarray(donors | panel.treated)
    for index in range(rank):
        terms[f"loading_{index + 1}"] = np.where(known, loadings[:, index], np.nan)
    amount = from_before(panel, loadings @ factors[:rank])
    return Removal(amount, terms, None if known.all() else known)


def _most(panel: Panel, donors: int) -> int:
    """The largest rank the data carry: one degree of freedom must be left to each loading, and the residuals have their own."""
    return min(first_start(panel) - 2, donors - 1, panel.n_periods - 1)


def _chosen_rank(squares: Array, most: int) -> int:
    """The k ≤ `most` with the largest ratio of eigenvalue k to the next; eigenvalue 0 is their sum over the log of their number.

    Unit and period effects take one eigenvalue away, so the number of them is one less than of singular values.
    """
    count = squares.size - 1
    if most < 1 or count < 3 or squares[0] <= 0.0:
        return 0
    ladder = np.concatenate([[squares.sum() / math.log(count)], squares[: most + 1]])
    ladder = np.maximum(ladder, 1e-15 * squares[0])
    return int(np.argmax(ladder[:-1] / ladder[1:]))


def _treated(panel: Panel, period_effects: Array, factors: Array) -> Array:
    """(treated, rank) loadings of the treated units, with an intercept, from their cells before the start."""
    rows = np.flatnonzero(panel.treated)
    seen = (cells_before(panel) & np.isfinite(panel.outcome))[rows]
    short = seen.sum(axis=1) < len(factors) + 2
    if short.any():
        first = int(np.flatnonzero(short)[0])
        raise EstimationError(
            f"factors: {listed([panel.units[rows[first]]])} is observed in {int(seen[first].sum())} periods before its start, "
            f"too few for {len(factors)} factors"
        )
    found = loadings_of(panel.outcome[rows] - period_effects, factors[:, None, :], seen)
    if found.collinear.any():
        raise EstimationError("factors: before the start the factors move together (collinear); choose a lower rank")
    return found.slopes.T


METHOD = Adjustment(
    name="factors",
    summary="a few common factors of the never-treated units, times each unit's own loading on them",
    remove=remove,
    options=Options,
    source="Xu (2017), Political Analysis 25(1); number of factors: Ahn & Horenstein (2013), Econometrica 81(3)",
)
