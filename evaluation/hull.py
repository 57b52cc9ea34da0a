"""Simplex least squares for few rows and many donors, as when weights are found anew for each period left out."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dposv, dpotrf, dtrtri
from scipy.optimize import nnls

from evaluation.numerics import CANONICAL_RIDGE, TIE, simplex_least_squares
from evaluation.panel import Array, Mask

LEFT = 1e-7
"""The gap, relative to a column's length, that the canonical ridge may leave of a target inside the hull."""

ROUNDS = 60
"""Newton steps after which the other solver is asked; most problems take less than ten."""


def hull_weights(columns: Array, target: Array, *, inside: bool = False) -> tuple[Array, bool]:
    """The weights of `simplex_least_squares` without a ridge, in less than half the time where rows are few.

    The donors' optimum is that of one active set; where it is unique beyond a doubt no more is needed, and where the target lies
    inside the hull, so that many weights fit equally well, the nearest to equal ones follow from the dual, which has one
    unknown for each row instead of one for each donor. In all other cases `simplex_least_squares` decides.

    Parameters
    ----------
    columns, target : Array
        (rows, donors) and (rows,).
    inside : bool
        The target is known to lie inside the hull, as it does when it did with one row more.

    Returns
    -------
    tuple
        (donors,) weights, and whether the target is found to lie inside the hull.
    """
    rows, donors = columns.shape
    shifted = columns - target[:, None]
    length = float(np.einsum("ij,ij->", shifted, shifted)) / max(donors, 1)
    found = None
    if length > 0.0 and donors > rows + 1:
        lifted = np.empty((rows + 1, donors), order="F")
        np.divide(shifted, np.sqrt(length), out=lifted[:-1])
        lifted[-1] = 1.0
        found = _certain(lifted, inside)
    return (simplex_least_squares(columns, target), False) if found is None else found


def _certain(lifted: Array, inside: bool) -> tuple[Array, bool] | None:
    """The same where there is no doubt about them, for columns less target in units of their length over a row of ones."""
    if not inside:
        right = np.zeros(len(lifted))
        right[-1] = 1.0
        try:
            solution = np.asarray(nnls(lifted, right, maxiter=30 * lifted.shape[1])[0])
        except RuntimeError:
            return None
        if not solution.any():
            return None
        weights: Array = solution / solution.sum()
        nearest = lifted[:-1] @ weights
        tied: Mask = (nearest @ lifted[:-1] <= nearest @ nearest + TIE) | (weights > 0.0)
        if not tied.all():
            return (weights, False) if _independent(lifted[:, tied]) else None
    # all donors tie: the target is one of their weighted means
    spread_out = _nearest_to_equal(lifted)
    return None if spread_out is None else (spread_out, True)


def _independent(chosen: Array) -> bool:
    """Whether the columns are independent for sure: their Gram matrix has no eigenvalue below 1 / trace of its inverse."""
    if chosen.shape[1] > chosen.shape[0]:
        return False
    triangle, failed = dpotrf(chosen.T @ chosen)
    if failed:
        return False
    inverse, failed = dtrtri(triangle)
    return bool(not failed and (inverse**2).sum() < 1e10)


def _nearest_to_equal(lifted: Array) -> Array | None:
    """The weights of all donors that fit a target inside the hull, by the canonical ridge; None where they are not found.

    Of min ‖A·u − b‖² + ρ‖u‖² over u ≥ 0, with a row of ones in A and b = (0, …, 0, 1), the dual is to minimise
    ½ρ‖y‖² + ½‖(A'y)₊‖² − b'y, and u = (A'y)₊: Newton's method on a function that is quadratic in pieces, with steps halved
    until they go down, ends exactly.
    """
    size = len(lifted)
    right = np.zeros(size)
    right[-1] = 1.0
    dual, values = np.zeros(size), np.zeros(lifted.shape[1])
    free = np.ones(lifted.shape[1], dtype=np.bool_)
    level = 0.0
    for _ in range(ROUNDS):
        kept = lifted[:, free]
        system = kept @ kept.T
        system.flat[:: size + 1] += CANONICAL_RIDGE
        step = np.asarray(dposv(system, right)[1]) - dual
        turn = step @ lifted
        slope = CANONICAL_RIDGE * float(dual @ step) + float(np.maximum(values, 0.0) @ turn) - float(step[-1])
        share = 1.0
        while share > 1e-6:
            moved, there = dual + share * step, values + share * turn
            up = np.maximum(there, 0.0)
            found = 0.5 * CANONICAL_RIDGE * float(moved @ moved) + 0.5 * float(up @ up) - float(moved[-1])
            if found <= level + 1e-4 * share * slope:
                break
            share *= 0.5
        else:
            return None
        dual, values, level = moved, there, found
        positive = values > 0.0
        if share == 1.0 and bool((positive == free).all()):
            weights = np.where(positive, values, 0.0)
            weights /= weights.sum()
            nearest = lifted[:-1] @ weights
            return weights if float(nearest @ nearest) < LEFT**2 else None
        free = positive
    return None
