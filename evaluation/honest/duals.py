"""The vertices of the dual program behind the statistic of a test of moment inequalities.

The statistic of "δ lies in the polyhedron and l'τ = θ" is the smallest η for which nuisance parameters x exist with

    Y(θ) − X x ≤ η s,       Y(θ) = A β̂ − d − A₁ θ,  s = standard deviations of A β̂

and by duality the largest γ'Y(θ) over {γ ≥ 0, γ's = 1, γ'X = 0}. That set does not depend on θ or on the data: its vertices
are found once, and every test after that is arithmetic on a few linear functions of θ.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from evaluation.errors import EstimationError
from evaluation.honest.restrictions import Polyhedron
from evaluation.panel import Array

MOST_BASES = 60_000
"""Vertices are enumerated when there are no more choices of binding rows than this; else programs are solved one by one."""

BATCH = 20_000
SINGULAR = 1e-9
"""Binding rows with a determinant below this (of rows scaled to entries near 1) are linearly dependent."""

ZERO = 1e-9
"""A multiplier above minus this is a rounded zero."""


@dataclass(frozen=True, slots=True)
class Moments:
    """The tested rows of a polyhedron for one event study, in units of the effects.

    Attributes
    ----------
    rows, limits : Array
        (moments, K + T) and (moments,).
    deviations : Array
        (moments,) standard deviations s of A β̂.
    system : Array
        (moments, T): [s, X], with X the moments' slopes in the nuisance parameters.
    pairs : int
        As in `Polyhedron`.
    """

    rows: Array
    limits: Array
    deviations: Array
    system: Array
    pairs: int


def moments(polyhedron: Polyhedron, covariance: Array, weights: Array) -> Moments:
    """The tested rows with their standard deviations.

    Raises
    ------
    EstimationError
        A row has no sampling error, so that nothing can be measured in it.
    """
    rows, limits = polyhedron.rows[polyhedron.tested], polyhedron.limits[polyhedron.tested]
    deviations = np.sqrt(np.maximum(((rows @ covariance) * rows).sum(axis=1), 0.0))
    if deviations.min() <= 1e-9 * deviations.max():
        raise EstimationError(
            "honest_did: some change of the effects from period to period has no sampling error; is a period given twice?"
        )
    slopes = rows[:, rows.shape[1] - weights.size :] @ nuisance_directions(weights)
    return Moments(rows, limits, deviations, np.column_stack([deviations, slopes]), polyhedron.pairs)


def nuisance_directions(weights: Array) -> Array:
    """(T, T − 1) directions in which effects after the start may move without moving their weighted sum."""
    pivot = int(np.argmax(np.abs(weights)))
    others = np.delete(np.arange(weights.size), pivot)
    directions = np.zeros((weights.size, others.size))
    directions[others, np.arange(others.size)] = 1.0
    directions[pivot] = -weights[others] / weights[pivot]
    return directions


def vertices(of: Moments, weights: Array) -> Array | None:
    """(vertices, moments) of the dual set, or None where there are too many choices to look through."""
    if of.pairs:
        return _of_pairs(of, weights)
    count, size = of.system.shape
    if math.comb(count, size) > MOST_BASES:
        return None
    return _enumerated(of.system)


def _of_pairs(of: Moments, weights: Array) -> Array:
    """T + 2 vertices: the combination of differences that gives l'δ, with either sign, and each pair against itself.

    With F the square matrix of the differences after the start, γ₊ − γ₋ = κ F'⁻¹ l for a number κ. What is left, the part that
    both sides of a pair share, moves nothing; so a vertex has either κ alone or one such part alone.
    """
    n = of.pairs
    after = of.rows[:n, of.rows.shape[1] - n :]
    combination = np.linalg.solve(after.T, weights)
    up, down = np.maximum(combination, 0.0), np.maximum(-combination, 0.0)
    found = np.zeros((n + 2, 2 * n))
    found[0] = np.concatenate([up, down])
    found[1] = np.concatenate([down, up])
    found[2:, :n] = found[2:, n:] = np.eye(n)
    return np.asarray(found / (found @ of.deviations)[:, None])


def _enumerated(system: Array) -> Array:
    """Every choice of as many binding rows as there are equations whose multipliers are not negative."""
    count, size = system.shape
    scaled = system / np.abs(system).max(axis=0)
    right = np.zeros(size)
    right[0] = 1.0 / np.abs(system[:, 0]).max()
    found: list[Array] = []
    choices = itertools.combinations(range(count), size)
    while batch := list(itertools.islice(choices, BATCH)):
        chosen = np.array(batch)
        bases = np.swapaxes(scaled[chosen], 1, 2)
        regular = np.abs(np.linalg.det(bases)) > SINGULAR
        chosen, bases = chosen[regular], bases[regular]
        if not chosen.size:
            continue
        multipliers = np.linalg.solve(bases, np.broadcast_to(right[:, None], (len(bases), size, 1)))[..., 0]
        good = (multipliers > -ZERO * np.abs(multipliers).max(axis=1, keepdims=True)).all(axis=1)
        full = np.zeros((int(good.sum()), count))
        np.put_along_axis(full, chosen[good], np.maximum(multipliers[good], 0.0), axis=1)
        found.append(full)
    everything = np.vstack(found) if found else np.zeros((0, count))
    if not len(everything):
        raise EstimationError("honest_did: the restriction leaves nothing to test")
    _, first = np.unique(np.round(everything, 9), axis=0, return_index=True)
    return np.asarray(everything[np.sort(first)])
