"""How well what the never-treated units share predicts left-out cells of the treated ones, and the choice that follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.completion import Completion, Shrink, completions, fold_errors
from evaluation.gaps import Cells
from evaluation.low_rank import Decomposition, left_out_errors
from evaluation.panel import Array, Mask

BETTER = 1e-3
"""A richer model is preferred to the best poorer one when its mean squared prediction error is lower by this share: the rule and
the number of the authors' program (gsynth)."""

BLOCKS = 5
"""A unit's periods are left out in this many runs of neighbours: what has to be predicted in the end is a run too, and a single
period between two that are seen is too easy where neighbours are alike."""

AT_ONCE = 20_000
"""So many numbers are worked on at once: of small panels all models together, of large ones one by one, the last ones of which
may not be asked for."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One model of the never-treated units' outcomes, and the treated's cells predicted with it.

    Attributes
    ----------
    found : Completion
        Effects, factors and coefficients of the never-treated units.
    left : Array
        (treated, periods used) the treated's outcomes without its period effects and covariates.
    error : float or None
        Mean squared error of their left-out cells, None where no cell can be left out.
    """

    found: Completion
    left: Array
    error: float | None


def predictions(
    cells: Cells,
    seen: Mask,
    before: Mask,
    shrinks: Sequence[Shrink],
    blocks: int | None = None,
    whole: Decomposition | None = None,
) -> Iterator[Prediction]:
    """For each way of shrinking, the never-treated units' completion and how well it predicts the treated before their start.

    Factors are taken as given, and know nothing of the cells they predict: each is predicted from its unit's other cells.

    Parameters
    ----------
    seen : Mask
        (never-treated, periods used) the cells of theirs that are fitted.
    before : Mask
        (treated, periods used) the cells that are left out in turn.
    blocks : int, optional
        In this many runs of neighbouring cells, else one by one.
    whole : Decomposition, optional
        That of the never-treated units' outcomes, where it is known already; used when all of them are seen.
    """
    treated = cells.panel.treated
    controls = ~treated
    covariates = cells.covariates[:, controls]
    own, moving = cells.outcome[treated], cells.covariates[:, treated]
    fitted = completions(cells.outcome[controls], seen, covariates, shrinks, whole)
    shared = bool(seen.all()) and not len(covariates)
    size = max(1, AT_ONCE // own.shape[1] ** 2) if shared else 1
    for several in _batches(fitted, size):
        first = several[0]
        left = own - first.decomposition.periods
        if len(covariates):
            left = left - np.tensordot(first.coefficients, moving, axes=1)
        keep = np.array([each.keep for each in several])
        errors = left_out_errors(left, first.decomposition.factors, keep, before, blocks)
        for each, error in zip(several, errors, strict=True):
            yield Prediction(each, left, mean_square(error))


def _batches(fitted: Iterator[Completion], size: int) -> Iterator[list[Completion]]:
    """Lists of `size` of them, the last one shorter; none is asked for before its list is."""
    while True:
        several = [each for _, each in zip(range(size), fitted, strict=False)]
        if not several:
            return
        yield several


def folds_error(cells: Cells, seen: Mask, shrink: Shrink) -> float | None:
    """The mean squared error where nobody is never treated: runs of the treated's `seen` cells are left out of the whole fit."""
    return mean_square(fold_errors(cells.outcome, seen, cells.covariates, shrink, cells.panel.treated, BLOCKS))


def mean_square(errors: Array) -> float | None:
    """The mean square of the errors there are."""
    known = errors[np.isfinite(errors)]
    return float(known @ known) / known.size if known.size else None


def preferred(errors: Sequence[float | None]) -> int:
    """The place of the poorest model that no richer one beats by more than `BETTER`; models are in order, the poorest first."""
    best, lowest = 0, errors[0]
    for place, error in enumerate(errors[1:], start=1):
        if error is None:
            continue
        if lowest is None or lowest - error > BETTER * lowest:
            best = place
        lowest = error if lowest is None else min(lowest, error)
    return best
