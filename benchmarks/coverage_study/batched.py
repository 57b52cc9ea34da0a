"""Synthetic difference in differences of all placebos of a replication at once: two strictly convex problems over the simplex, batched.

Both are solved by block principal pivoting (all variables on the wrong side change sides at once) on arrays whose first axis is the
problem; the few that do not settle are handed to the product's solver.
"""

from __future__ import annotations

import numpy as np

from evaluation.numerics import simplex_least_squares
from evaluation.panel import Array, Mask

STEPS = 40
"""Rounds of pivoting before a problem counts as one that does not settle; most settle within ten."""

SLACK = 1e-11
"""A slope below zero by less than this share of the problem's size is rounding."""


def unit_weights(columns: Array, targets: Array, kept: Mask, ridges: Array) -> Array:
    """(problems, donors) minimisers of ‖Cw − target‖² + ridge‖w‖² over the simplex of the donors that are kept.

    Parameters
    ----------
    columns : Array
        (rows, donors), shared.
    targets, kept, ridges : Array
        (problems, rows), (problems, donors) and (problems,).
    """
    rows, donors = columns.shape
    outer = np.einsum("rd,sd->drs", columns, columns).reshape(donors, rows * rows)
    linear = targets @ columns
    scale = ridges + np.einsum("rd,rd->", columns, columns) / donors
    free = kept.copy()
    weights = np.zeros(kept.shape)
    open_ = np.arange(len(targets))
    eye = np.eye(rows)
    for _ in range(STEPS):
        mask = free[open_].astype(np.float64)
        ridge = ridges[open_, None]
        inner = (mask @ outer).reshape(-1, rows, rows) + ridge[:, :, None] * eye
        first, one = linear[open_] * mask, mask
        # (C'C + ridge)⁻¹v = (v − C'(ridge + CC')⁻¹Cv) / ridge on the free donors (Woodbury), for both right-hand sides
        seen = np.stack([first @ columns.T, one @ columns.T], axis=2)
        solved = np.linalg.solve(inner, seen)
        base = (first - mask * (solved[:, :, 0] @ columns)) / ridge
        unit = (one - mask * (solved[:, :, 1] @ columns)) / ridge
        price = (1.0 - base.sum(axis=1)) / unit.sum(axis=1)
        found = base + price[:, None] * unit
        slope = (found @ columns.T) @ columns - linear[open_] + ridge * found - price[:, None]
        wrong = kept[open_] & ((free[open_] & (found < 0.0)) | (~free[open_] & (slope < -SLACK * scale[open_, None])))
        weights[open_] = found
        bad = wrong.any(axis=1)
        free[open_[bad]] ^= wrong[bad]
        free[open_[bad & ~free[open_].any(axis=1)]] = True
        free &= kept
        open_ = open_[bad]
        if not open_.size:
            break
    for problem in open_:
        weights[problem] = 0.0
        weights[problem, kept[problem]] = simplex_least_squares(
            columns[:, kept[problem]], targets[problem], float(ridges[problem])
        )
    return weights


def time_weights(grams: Array, linear: Array) -> tuple[Array, Mask]:
    """(problems, periods) minimisers of λ'Aλ − 2b'λ over the simplex, and whether each has settled.

    Parameters
    ----------
    grams, linear : Array
        A (problems, periods, periods), positive definite, and b (problems, periods).
    """
    count, periods = linear.shape
    free = np.ones(linear.shape, dtype=np.bool_)
    weights = np.zeros(linear.shape)
    settled = np.zeros(count, dtype=np.bool_)
    scale = np.einsum("ptt->p", grams) / periods
    open_ = np.arange(count)
    diagonal = np.arange(periods)
    for _ in range(STEPS):
        mask = free[open_]
        # variables that are held at zero get a row of their own, x = 0; the last row is the sum of the weights
        system = np.zeros((open_.size, periods + 1, periods + 1))
        system[:, :periods, :periods] = grams[open_] * (mask[:, :, None] & mask[:, None, :]) / scale[open_, None, None]
        system[:, diagonal, diagonal] = np.where(mask, system[:, diagonal, diagonal], 1.0)
        system[:, :periods, periods] = system[:, periods, :periods] = mask
        right = np.ones((open_.size, periods + 1, 1))
        right[:, :periods, 0] = linear[open_] * mask / scale[open_, None]
        solution = np.linalg.solve(system, right)[..., 0]
        found, price = np.where(mask, solution[:, :periods], 0.0), -solution[:, periods]
        slope = (np.einsum("pst,pt->ps", grams[open_], found) - linear[open_]) / scale[open_, None] - price[:, None]
        wrong = (mask & (found < 0.0)) | (~mask & (slope < -SLACK))
        weights[open_] = found
        bad = wrong.any(axis=1)
        settled[open_[~bad]] = True
        free[open_[bad]] ^= wrong[bad]
        free[open_[bad & ~free[open_].any(axis=1)]] = True
        open_ = open_[bad]
        if not open_.size:
            break
    return weights, settled


def synthetic_did_paths(lines: Array, pool: Array, kept: Mask, cells: int, before: int, window: int) -> Array:
    """(problems, periods) effects by period.

    Parameters
    ----------
    lines : Array
        (problems, periods) mean outcome of the treated of each problem.
    pool : Array
        (donors, periods) outcomes, of which each problem has those that are `kept` (problems, donors).
    cells : int
        Treated cells in the window.
    """
    early, late = pool[:, :before], pool[:, before : before + window].mean(axis=1)
    many, count = kept.astype(np.float64), kept.sum(axis=1)
    changes = np.diff(early, axis=1)
    changes = changes - changes.mean()
    entries = count * (before - 1)
    total = many @ changes.sum(axis=1)
    levels = np.sqrt((many @ (changes**2).sum(axis=1) - total**2 / entries) / (entries - 1))
    ridges = np.sqrt(cells) * levels**2 * before
    columns = (early - early.mean(axis=1, keepdims=True)).T
    targets = lines[:, :before] - lines[:, :before].mean(axis=1, keepdims=True)
    omega = unit_weights(columns, targets, kept, ridges)

    both = np.column_stack([early, late])
    both = both - both.mean(axis=0)
    outer = np.einsum("ds,dt->dst", both, both).reshape(len(both), -1)
    sums = many @ both
    grams = (many @ outer).reshape(-1, before + 1, before + 1) - sums[:, :, None] * sums[:, None, :] / count[
        :, None, None
    ]
    place = np.arange(before)
    grams[:, place, place] += ((1e-6 * levels) ** 2 * count)[:, None]
    times, settled = time_weights(grams[:, :before, :before], grams[:, :before, before])
    for problem in np.flatnonzero(~settled):
        some, line = early[kept[problem]], late[kept[problem]]
        times[problem] = simplex_least_squares(
            some - some.mean(axis=0), line - line.mean(), float((1e-6 * levels[problem]) ** 2 * count[problem])
        )
    gaps = lines - omega @ pool
    return np.asarray(gaps - (gaps[:, :before] * times).sum(axis=1, keepdims=True))
