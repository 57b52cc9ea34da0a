"""The inner problem of synthetic control with predictors: donor weights for given predictor weights V."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from evaluation.errors import EstimationError
from evaluation.numerics import simplex_least_squares
from evaluation.panel import Array, Indices

INSIDE = 1e-12
"""A treated unit is inside the hull of the donors' predictors if its squared distance, relative to theirs, is below this."""

POSITIVE = 1e-9
"""Weights below this count as zero."""


def standardised_gaps(x1: Array, x0: Array) -> Array:
    """(K, donors) donor minus treated, each predictor divided by its standard deviation over all units (ddof = 1)."""
    everyone = np.column_stack([x0, x1])
    if not np.isfinite(everyone).all():
        row = int(np.flatnonzero(~np.isfinite(everyone).all(axis=1))[0])
        raise EstimationError(f"predictor {row + 1} of {len(x1)} is missing for some unit")
    spread = everyone.std(axis=1, ddof=1)
    flat = np.flatnonzero(spread <= 1e-12 * np.abs(everyone).max(axis=1))
    if flat.size:
        raise EstimationError(
            f"predictor {flat[0] + 1} of {len(x1)} has the same value for all units, so it cannot be scaled"
        )
    return np.asarray((x0 - x1[:, None]) / spread[:, None])


def nearest(rows: Array) -> Array:
    """The simplex weights that bring rows·w nearest to 0, without a ridge; see `simplex_least_squares`."""
    count, donors = rows.shape
    stacked = np.ones((count + 1, donors), order="F")
    stacked[:count] = rows / max(np.sqrt(np.einsum("ij,ij->", rows, rows) / donors), 1e-300)
    right = np.zeros(count + 1)
    right[count] = 1.0
    try:
        solution, _ = nnls(stacked, right, maxiter=30 * donors)
    except RuntimeError:
        return simplex_least_squares(rows, np.zeros(count))
    return np.asarray(solution / solution.sum())


def is_inside(gap: Array, gaps: Array) -> bool:
    """Whether a (K,) remaining gap is zero next to the (K, donors) gaps of the donors."""
    return bool(gap @ gap <= INSIDE * np.einsum("ij,ij->", gaps, gaps) / gaps.shape[1])


def donor_weights(gaps: Array, v: Array) -> Array:
    """W(V). The ridge of the shared kernel would outweigh a v_k of 1e-8, so it only decides between perfect matches."""
    rows = gaps * np.sqrt(v / v.max())[:, None]
    weights = nearest(rows)
    return simplex_least_squares(rows, np.zeros(len(rows))) if is_inside(rows @ weights, rows) else weights


def matching_weights(gaps: Array, outcome: Array) -> Array:
    """The weights with the smallest outcome gap among those that match the predictors exactly."""
    donors = gaps.shape[1]
    size = np.sqrt(np.einsum("ij,ij->", outcome, outcome) / np.einsum("ij,ij->", gaps, gaps))
    ridge = np.sqrt(1e-9 * np.einsum("ij,ij->", outcome, outcome) / donors) * np.eye(donors)
    return nearest(np.vstack([1e5 * max(size, 1e-300) * gaps, outcome, ridge]))


def useful_donors(gaps: Array) -> Indices:
    """The donors that can have a positive weight for some V > 0 ("sunny" ones: no mix of others shadows them from x₁)."""
    donors = gaps.shape[1]
    columns = np.asfortranarray(np.vstack([np.pad(gaps, ((0, 0), (0, 1))), np.append(np.ones(donors), -1.0)]))
    kept = np.ones(donors + 1, dtype=bool)
    # far donors first: most of them are shadowed, and leave smaller problems behind
    for donor in np.argsort(-np.einsum("ij,ij->j", gaps, gaps), kind="stable"):
        kept[donor] = False
        target = np.append(gaps[:, donor], 1.0 + 1e-6)
        try:
            shadowed = nnls(columns[:, kept], target, maxiter=30 * donors)[1] <= 1e-9 * np.linalg.norm(target)
        except RuntimeError:
            shadowed = False
        kept[donor] = not shadowed
    return np.flatnonzero(kept[:-1])
