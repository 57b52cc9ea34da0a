"""The plain rounds of the authors' programs, written out: slow, and stopped wherever the caller likes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def two_way(outcome: Array, observed: npt.NDArray[np.bool_]) -> Array:
    """(units, periods) unit and period effects fitted to the observed cells, by least squares on dummies."""
    n_units, n_periods = outcome.shape
    unit, period = np.nonzero(observed)
    design = np.zeros((unit.size, n_units + n_periods))
    design[np.arange(unit.size), unit] = 1.0
    design[np.arange(unit.size), n_units + period] = 1.0
    solution = np.linalg.lstsq(design, outcome[observed], rcond=None)[0]
    return solution[:n_units, None] + solution[n_units:]


def low(matrix: Array, rank: int | None, threshold: float | None) -> Array:
    """The matrix of that rank nearest to it, or the one with every singular value lowered by the threshold."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    kept = (
        np.where(np.arange(values.size) < rank, values, 0.0)
        if rank is not None
        else np.maximum(values - threshold, 0.0)
    )
    return (left * kept) @ right


def em_rounds(
    outcome: Array,
    observed: npt.NDArray[np.bool_],
    start: Array,
    *,
    rank: int | None = None,
    threshold: float | None = None,
) -> Iterator[Array]:
    """The fit after each round: fill the missing cells, take means off, cut the singular values.

    The first start adds the factors of the residuals of `start`, zero where nothing is observed (fect's `fe_ad_inter_iter`).
    """
    fitted = start + low(np.where(observed, outcome - start, 0.0), rank, threshold)
    while True:
        filled = np.where(observed, outcome, fitted)
        effects = filled.mean(axis=0) + filled.mean(axis=1, keepdims=True) - filled.mean()
        fitted = effects + low(filled - effects, rank, threshold)
        yield fitted
