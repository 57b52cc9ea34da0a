"""Matrices of low rank beside unit and period effects: their factors, and the fit of single units on given factors."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

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


def left_out_errors(values: Array, basis: Array, seen: Mask, blocks: int | None = None) -> Array:
    """(units, periods) error of each seen cell when predicted by the smoother from the unit's other seen cells; NaN elsewhere.

    One cell is left out at a time, or, with `blocks`, that many runs of neighbouring cells. With H the smoother of the seen
    cells and r its residuals, the error of cells b that are left out together is (I − H_bb)⁻¹ r_b, exactly. A cell without
    which the others cannot carry the fit has none.
    """
    errors = np.full(values.shape, np.nan)
    residuals = values - smoothed(values, seen, basis)
    patterns, which = _patterns(seen)
    for index, pattern in enumerate(patterns):
        cells, missing = np.flatnonzero(pattern), np.flatnonzero(~pattern)
        there = basis[:, cells]
        # H_bb = B_b'B_b + W_b'W_b: what the cells hold of themselves, and what comes back through the missing ones
        if missing.size:
            gone = basis[:, missing]
            there = np.concatenate([there, np.linalg.solve(np.linalg.cholesky(_less(gone.T @ gone)), gone.T @ there)])
        rows = which == index
        for block in _runs(cells, blocks):
            first, last = block
            held = there[:, first:last]
            own = cells[first:last]
            if blocks is None:
                # a leverage of one: the cell alone decides a slope
                free = 1.0 - np.einsum("kt,kt->t", held, held)
                found = np.where(free > 1e-9, residuals[rows][:, own] / np.where(free > 1e-9, free, 1.0), np.nan)
            else:
                found = np.linalg.solve(_less(held.T @ held), residuals[rows][:, own].T).T
            errors[np.ix_(rows, own)] = found
    return errors


def _runs(cells: Indices, blocks: int | None) -> list[tuple[int, int]]:
    """Where runs of neighbouring cells begin and end; one that holds all cells leaves nothing to predict from."""
    if blocks is None:
        return [(0, cells.size)]
    count = min(blocks, cells.size)
    edges = [cells.size * number // max(count, 1) for number in range(count + 1)]
    return list(itertools.pairwise(edges)) if count > 1 else []


def _less(gram: Array) -> Array:
    """I − gram, and a hair more where the seen cells leave a direction open."""
    return np.asarray((1.0 + HAIR) * np.eye(gram.shape[-1]) - gram)


def _patterns(seen: Mask) -> tuple[Mask, Indices]:
    """The distinct rows of a mask, and which of them each row is."""
    if len(seen) == 1:
        return seen, np.zeros(1, dtype=np.int64)
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    return patterns, which.ravel()
