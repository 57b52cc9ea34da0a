"""Leading eigenvectors of a Gram matrix without each of its rows in turn, from one decomposition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.panel import Array

HALVINGS = 64
"""Of the interval that holds an eigenvalue: as many as a number has binary digits, and some."""


@dataclass(frozen=True, slots=True)
class Leading:
    """`squares` (problems, most) largest eigenvalues, falling; `vectors` (problems, most, periods); the `trace` (problems,)."""

    squares: Array
    vectors: Array
    trace: Array


def leading(rows: Array, most: int) -> Leading:
    """Of R'R for all rows (first problem), then without row 1, 2, ... and the period effects that this row had a part in.

    `rows` (units, periods) are without unit and period effects. Taking row r out of n, and the others' new means off them, leaves
    R'R − n/(n−1) rr', of which each eigenvalue μ solves 1 = n/(n−1) Σ (q_i'r)² / (λ_i − μ) between two neighbouring λ, with the
    eigenvector Σ q_i'r / (λ_i − μ) q_i.

    References
    ----------
    Golub (1973), SIAM Review 15(2), section 5, for a matrix modified by one of rank one.
    """
    values, columns = np.linalg.eigh(rows.T @ rows)
    values, basis = values[::-1], columns[:, ::-1].T
    parts = rows @ basis.T
    squares = parts[:, None] ** 2 * (len(rows) / (len(rows) - 1))
    top = values[:most]
    # measured from the upper neighbour, so that small steps keep their digits
    behind = values - top[:, None]
    low, high = np.zeros((len(rows), most)), np.broadcast_to(top - values[1 : most + 1], (len(rows), most))
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        short = (squares / (behind + middle[:, :, None])).sum(axis=2) > 1.0
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    step = 0.5 * (low + high)
    found = (parts[:, None] / (behind + step[:, :, None])) @ basis
    found /= np.sqrt(np.einsum("pkt,pkt->pk", found, found))[:, :, None]
    trace = values.sum()
    return Leading(
        np.vstack([top, top - step]),
        np.concatenate([basis[None, :most], found]),
        np.append(trace, trace - squares.sum(axis=(1, 2))),
    )
