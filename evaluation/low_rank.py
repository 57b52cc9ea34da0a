"""Matrices of low rank beside unit and period effects: their factors, and the fit of single units on given factors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from evaluation.panel import Array, Indices, Mask

FLAT = 1e-12
"""A singular value below this share of the length of the matrix it was taken from is rounding."""

HAIR = 1e-13
"""Added to the diagonal of systems that may have no unique solution; far below the digits that are read."""

FEW_PATTERNS = 4
"""Up to so many distinct patterns of missing cells are solved for one by one; more, unit by unit, all at once."""

LARGE = 500_000
"""Not at once, though, where the systems of all units together would hold more numbers than this."""


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A complete matrix as period effects + unit effects + Σ_k u_k σ_k v_k'.

    `periods` (periods,) are the column means, `units` (units,) what is left in the row means, `values` (values,) the singular
    values σ, falling, `factors` (values, periods) the v, each of length one and summing to zero over the periods, and `rest`
    (units, periods) the matrix without the effects; `rest @ factors.T` are the loadings u σ.
    """

    periods: Array
    units: Array
    rest: Array
    values: Array
    factors: Array


def decomposed(matrix: Array) -> Decomposition:
    """Take the effects off a complete (units, periods) matrix, then its singular values and factors.

    By the eigenvectors of the smaller of the two Gram matrices: twice as fast as a singular value decomposition, and as exact
    for all singular values but those that are rounding anyway (below 1e-8 of the largest), which are left out.
    """
    periods = matrix.mean(axis=0)
    rest = matrix - periods
    units = rest.mean(axis=1)
    rest = rest - units[:, None]
    wide = rest.shape[0] < rest.shape[1]
    squares, vectors = np.linalg.eigh(rest @ rest.T if wide else rest.T @ rest)
    length = float(np.einsum("ut,ut->", matrix, matrix))
    # two-way effects take one value away; the first is dropped even if rounding leaves it above the floor
    most = max(0, min(rest.shape) - 1)
    squares, vectors = squares[::-1][:most], vectors[:, ::-1][:, :most]
    kept = int((squares > max(1e-16 * float(squares[0]) if most else 0.0, (FLAT * FLAT) * length)).sum())
    values = np.sqrt(squares[:kept])
    factors = (vectors[:, :kept] / values).T @ rest if wide else vectors[:, :kept].T
    return Decomposition(periods, units, rest, values, np.ascontiguousarray(factors))


def smoother(factors: Array, keep: Array) -> Array:
    """(1 + k, periods) B such that B'B takes a complete unit's values to level + Σ_k keep_k·(slope on factor k)·factor k.

    For a unit with missing cells the same fit is the ridge regression on an intercept and the factors (each of length one and
    summing to zero) with the penalty (1/keep − 1)·slope²; for shares of one, least squares.
    """
    used = np.flatnonzero(keep > 0.0)
    periods = factors.shape[1]
    basis = np.empty((1 + used.size, periods))
    basis[0] = 1.0 / np.sqrt(periods)
    np.multiply(factors[used], np.sqrt(keep[used])[:, None], out=basis[1:])
    return basis


def smoothed(values: Array, seen: Mask, basis: Array) -> Array:
    """(units, periods) the fit of each unit's seen cells by its smoother, in every period.

    With S the missing cells of a unit, whose fit must equal what they are filled with, c = (I − B_S B_S')⁻¹ B_seen y; or, where
    they are fewer than the factors, y_S = (I − B_S'B_S)⁻¹ B_S'B_seen y.
    """
    values = np.where(seen, values, 0.0)
    right = values @ basis.T
    patterns, which = _patterns(seen)
    if len(patterns) > FEW_PATTERNS and len(values) * len(basis) ** 2 <= LARGE:
        outer = (basis[:, None, :] * basis[None, :, :]).reshape(-1, basis.shape[1])
        grams = ((~seen).astype(np.float64) @ outer.T).reshape(-1, len(basis), len(basis))
        return np.asarray(np.linalg.solve(_less(grams), right[:, :, None])[:, :, 0] @ basis)
    for index, pattern in enumerate(patterns):
        missing = np.flatnonzero(~pattern)
        if not missing.size:
            continue
        rows = np.flatnonzero(which == index)
        there = basis[:, missing]
        if missing.size < len(basis):
            right[rows] += np.linalg.solve(_less(there.T @ there), there.T @ right[rows].T).T @ there.T
        else:
            right[rows] = np.linalg.solve(_less(there @ there.T), right[rows].T).T
    return np.asarray(right @ basis)


def left_out_errors(values: Array, factors: Array, keep: Array, seen: Mask, blocks: int | None = None) -> Array:
    """(smoothers, units, periods) error of each seen cell when predicted from the unit's other seen cells; NaN elsewhere.

    One cell is left out at a time, or, with `blocks`, that many runs of neighbouring cells. With H the smoother of the seen
    cells and r its residuals, the error of cells b that are left out together is (I − H_bb)⁻¹ r_b, exactly. A cell without
    which the others cannot carry the fit has none.

    Parameters
    ----------
    values, seen : Array, Mask
        (units, periods).
    factors : Array
        (k, periods), as `smoother` takes them.
    keep : Array
        (smoothers, k) the shares by which each of several smoothers keeps them: all are worked out at once.
    """
    errors = np.full((len(keep), *values.shape), np.nan)
    whole = (factors.T * keep[:, None, :]) @ factors + 1.0 / factors.shape[1]
    patterns, which = _patterns(seen)
    for index, pattern in enumerate(patterns):
        cells, missing, rows = np.flatnonzero(pattern), np.flatnonzero(~pattern), np.flatnonzero(which == index)
        hat = whole[:, cells[:, None], cells]
        # what the cells hold of themselves, and what comes back through the missing ones, filled with their own fit
        if missing.size:
            back = whole[:, missing[:, None], cells]
            hat += np.swapaxes(back, 1, 2) @ np.linalg.solve(_less(whole[:, missing[:, None], missing]), back)
        own = values[rows[:, None], cells].T
        residuals = own - hat @ own
        if blocks is None:
            # a leverage of one: the cell alone decides a slope
            free = 1.0 - np.diagonal(hat, axis1=1, axis2=2)
            free = np.where(free > 1e-9, free, np.nan)
            errors[:, rows[:, None], cells] = np.swapaxes(residuals / free[:, :, None], 1, 2)
            continue
        for runs in _runs(cells.size, blocks):
            held = hat[:, runs[:, :, None], runs[:, None, :]]
            found = np.linalg.solve(_less(held), residuals[:, runs])
            errors[:, rows[:, None, None], cells[runs]] = np.moveaxis(found, 3, 1)
    return errors


@lru_cache(maxsize=64)
def _runs(count: int, blocks: int) -> tuple[Indices, ...]:
    """Positions of `count` cells cut into runs of neighbours: (runs, length) for each length that there is.

    A single run would hold all cells and leave nothing to predict from.
    """
    number = min(blocks, count)
    if number < 2:
        return ()
    edges = count * np.arange(number + 1) // number
    lengths = np.diff(edges)
    return tuple(edges[:-1][lengths == length, None] + np.arange(length) for length in np.unique(lengths))


def _less(gram: Array) -> Array:
    """I − gram, and a hair more where the seen cells leave a direction open."""
    return np.asarray((1.0 + HAIR) * np.eye(gram.shape[-1]) - gram)


def _patterns(seen: Mask) -> tuple[Mask, Indices]:
    """The distinct rows of a mask, and which of them each row is."""
    if len(seen) == 1:
        return seen, np.zeros(1, dtype=np.int64)
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    return patterns, which.ravel()
