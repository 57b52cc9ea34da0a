"""What the difference to parallel trends may look like: sets of polyhedra {δ : Aδ ≤ d}, one function each.

δ = (δ_{−K}, …, δ_{−1}, δ_1, …, δ_T) is the difference in trends at the K periods before the reference period and at the T after
it; at the reference period itself δ_0 = 0 and has no column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from evaluation.panel import Array, Mask

Direction: TypeAlias = Literal["increasing", "decreasing", "positive", "negative"]
"""A further restriction on δ: monotone over all periods, or of one sign after the start."""

SMALL = 1e-10
"""A row of A below this is zero by construction: the entries are sums of −2, −1, 0, 1 and bounds times these."""


@dataclass(frozen=True, slots=True)
class Polyhedron:
    """|F δ| ≤ G δ + m and S δ ≤ 0, written as Aδ ≤ d.

    Attributes
    ----------
    rows : Array
        (moments, K + T): A = [F − G; −F − G; S] without rows that are zero.
    limits : Array
        (moments,): d = (m, m, 0).
    tested : Mask
        (moments,) rows that say something of a period after the start. With a single period after the start: all.
    pairs : int
        The first `pairs` tested rows and the next `pairs` are the two sides of the same inequalities, where there are no
        further tested rows; 0 where there are. Then the dual's vertices are known in closed form.
    """

    rows: Array
    limits: Array
    tested: Mask
    pairs: int


def parallel_trends_bounded(n_pre: int, n_post: int, bound: float, also: Direction | None = None) -> list[Polyhedron]:
    """Δ^RM(M̄): no first difference after the start exceeds M̄ times the largest one before it.

    Which of the K differences before the start is the largest, and with which sign, is not known: the set is the union of 2K
    polyhedra.

    References
    ----------
    Rambachan & Roth (2023), section 2.4.1.
    """
    return _relative(_differences(n_pre, n_post, 1), n_pre, n_post, bound, also)


def linear_trend_bounded(n_pre: int, n_post: int, bound: float, also: Direction | None = None) -> list[Polyhedron]:
    """Δ^SDRM(M̄): no second difference after the start exceeds M̄ times the largest one before it (needs K ≥ 2)."""
    return _relative(_differences(n_pre, n_post, 2), n_pre, n_post, bound, also)


def smooth(n_pre: int, n_post: int, bound: float, also: Direction | None = None) -> list[Polyhedron]:
    """Δ^SD(M): the slope of δ changes by at most M from one period to the next; with M = 0 it is a straight line.

    With a direction: Δ^SDI, Δ^SDD (monotone), Δ^SDPB, Δ^SDNB (one sign after the start).

    References
    ----------
    Rambachan & Roth (2023), sections 2.4.2 and 2.4.3.
    """
    second = _differences(n_pre, n_post, 2)
    limits = np.full(second.shape[0], bound)
    return [_polyhedron(second, np.zeros_like(second), limits, _signs(n_pre, n_post, also), n_pre)]


def _differences(n_pre: int, n_post: int, order: int) -> Array:
    """(K + T + 1 − order, K + T) differences from one period to the next, in time's order."""
    found = np.diff(np.eye(n_pre + n_post + 1), n=order, axis=0)
    return np.delete(found, n_pre, axis=1)


def _relative(differences: Array, n_pre: int, n_post: int, bound: float, also: Direction | None) -> list[Polyhedron]:
    before = ~differences[:, n_pre:].any(axis=1)
    factors = np.where(before, 1.0, bound)
    zeros, signs = np.zeros(differences.shape[0]), _signs(n_pre, n_post, also)
    return [
        _polyhedron(differences, np.outer(factors, side * largest), zeros, signs, n_pre)
        for side in (1.0, -1.0)
        for largest in differences[before]
    ]


def _signs(n_pre: int, n_post: int, also: Direction | None) -> Array:
    """S of the further restriction: rows that are at most zero."""
    if also is None:
        return np.zeros((0, n_pre + n_post))
    if also in ("increasing", "decreasing"):
        steps = _differences(n_pre, n_post, 1)
        return -steps if also == "increasing" else steps
    after = np.eye(n_pre + n_post)[n_pre:]
    return -after if also == "positive" else after


def _polyhedron(difference: Array, bounded_by: Array, limits: Array, signs: Array, n_pre: int) -> Polyhedron:
    rows = np.vstack([difference - bounded_by, -difference - bounded_by, signs])
    right = np.concatenate([limits, limits, np.zeros(len(signs))])
    kept = np.square(rows).sum(axis=1) > SMALL
    n_post = rows.shape[1] - n_pre
    tested = np.asarray(rows[:, n_pre:].any(axis=1)) if n_post > 1 else np.ones(len(rows), dtype=np.bool_)
    plain = n_post > 1 and not len(signs)
    return Polyhedron(rows[kept], right[kept], tested[kept], n_post if plain else 0)
