"""Estimates of the treated and of every placebo assignment, without the panels, fits and notes that the product makes of them.

They give the product's own numbers (a test holds them against it); only the paths of effects are formed, and what the refits of one
replication share is worked out once. Treated units are the first rows; the placebo pool is all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from coverage_study.batched import synthetic_did_weights
from coverage_study.simplex import simplex_weights
from coverage_study.worlds import UNITS, Rng, Shape
from evaluation.panel import Array, Indices, Mask


@dataclass(frozen=True, slots=True)
class Paths:
    """Effects by period of one replication: `own` (periods,) of the treated, `others` (assignments, periods) of the placebos.

    `slope_variances` (1 + assignments,): what slopes that all units share bring into the effect of each, where there are any;
    `weights` (1 + assignments, controls): those of the controls, where the estimator has them.
    """

    own: Array
    others: Array
    slope_variances: Array | None = None
    weights: Array | None = None


def assignments(treated: int, most: int, rng: Rng) -> Indices:
    """(assignments, treated) rows that stand in for the treated: each of the pool, or a seeded sample of `most` groups.

    The sample is the product's own, drawn in the same way; rows are in random order, so one sample serves all replications.
    """
    pool = UNITS - treated
    if treated == 1:
        return np.arange(1, UNITS)[:, None]
    seen: set[tuple[int, ...]] = set()
    while len(seen) < most:
        seen.add(tuple(int(row) for row in np.sort(rng.choice(pool, size=treated, replace=False))))
    return np.array(sorted(seen)) + treated


def shares(persons: Array | None, rows: Indices) -> Array:
    """(assignments, treated) weights of the units of each average: their persons, or equal."""
    weight = np.ones(rows.shape) if persons is None else persons[rows]
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


Kernel = Callable[[Array, Array | None, Indices, Shape], Paths]
"""(units, periods) outcomes, (units,) persons or None, (assignments, treated) rows → the paths of one replication."""


def did(outcome: Array, persons: Array | None, rows: Indices, shape: Shape) -> Paths:
    """The change of the treated minus the mean change of the controls, by period."""
    treated = rows.shape[1]
    lines = outcome - outcome[:, : shape.before].mean(axis=1, keepdims=True)
    total = lines[treated:].sum(axis=0)
    pool = len(outcome) - treated
    own = shares(persons, np.arange(treated)[None, :])[0] @ lines[:treated] - total / pool
    facing = np.full((1 + len(rows), pool), 1.0 / (pool - treated))
    facing[0] = 1.0 / pool
    np.put_along_axis(facing[1:], rows - treated, 0.0, axis=1)
    if treated == 1:
        chosen = lines[1:]
        return Paths(own, chosen - (total - chosen) / (pool - 1), weights=facing)
    weights = np.zeros((len(rows), len(outcome)))
    np.put_along_axis(weights, rows, shares(persons, rows), axis=1)
    return Paths(own, weights @ lines - facing[1:] @ lines[treated:], weights=facing)


def did_effects(outcome: Array, shape: Shape) -> tuple[Array, Array]:
    """(replications,) and (replications, placebos) headline effects of one treated unit in (replications, units, periods)."""
    late = outcome[..., shape.before : shape.before + shape.window].mean(axis=2)
    changes = late - outcome[..., : shape.before].mean(axis=2)
    pool = changes[:, 1:]
    total = pool.sum(axis=1, keepdims=True)
    return changes[:, 0] - total[:, 0] / pool.shape[1], pool - (total - pool) / (pool.shape[1] - 1)


def event_study(outcome: Array, persons: Array | None, rows: Indices, shape: Shape) -> Paths:
    """The same change, measured from the last period before the start."""
    paths = did(outcome, persons, rows, shape)
    last = shape.before - 1
    return Paths(paths.own - paths.own[last], paths.others - paths.others[:, [last]])


def _lines(outcome: Array, persons: Array | None, rows: Indices) -> tuple[Array, Array, Mask]:
    """Mean outcome of the treated and of every assignment, the pool's outcomes, and which of the pool each may be held against."""
    treated = rows.shape[1]
    mine = shares(persons, np.arange(treated)[None, :])[0] @ outcome[:treated]
    lines = np.einsum("ak,akt->at", shares(persons, rows), outcome[rows])
    kept = np.ones((1 + len(rows), len(outcome) - treated), dtype=np.bool_)
    np.put_along_axis(kept[1:], rows - treated, False, axis=1)
    return np.vstack([mine, lines]), outcome[treated:], kept


def synthetic_control(outcome: Array, persons: Array | None, rows: Indices, shape: Shape) -> Paths:
    """Observed minus the weighted controls; weights fitted to the periods before the start."""
    lines, pool, kept = _lines(outcome, persons, rows)
    weights = simplex_weights(pool[:, : shape.before].T, lines[:, : shape.before], kept)
    paths = lines - weights @ pool
    return Paths(paths[0], paths[1:], weights=weights)


def demeaned_synthetic_control(outcome: Array, persons: Array | None, rows: Indices, shape: Shape) -> Paths:
    """The same of deviations from each unit's mean before the start."""
    return synthetic_control(outcome - outcome[:, : shape.before].mean(axis=1, keepdims=True), persons, rows, shape)


def synthetic_did(outcome: Array, persons: Array | None, rows: Indices, shape: Shape) -> Paths:
    """Unit weights with a ridge and an intercept, time weights with an intercept, and the contrast under both."""
    lines, pool, kept = _lines(outcome, persons, rows)
    cells = rows.shape[1] * shape.window
    omega, times = synthetic_did_weights(lines, pool, kept, cells, shape.before, shape.window)
    paths = lines - omega @ pool
    paths -= (paths[:, : shape.before] * times).sum(axis=1, keepdims=True)
    return Paths(paths[0], paths[1:], weights=omega)


KERNELS: dict[str, Kernel] = {
    "did": did,
    "event_study": event_study,
    "synthetic_control": synthetic_control,
    "synthetic_control demeaned": demeaned_synthetic_control,
    "synthetic_did": synthetic_did,
}
"""By the estimator's name, an option that is switched on behind it."""
