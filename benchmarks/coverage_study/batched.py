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
        (rows, donors) shared by all problems, or (problems, rows, donors).
    targets, kept, ridges : Array
        (problems, rows), (problems, donors) and (problems,).
    """
    rows, donors = columns.shape[-2:]
    shared = columns.ndim == 2
    outer = np.einsum("rd,sd->drs", columns, columns).reshape(donors, rows * rows) if shared else np.empty(0)
    linear = _against(columns, targets)
    scale = ridges + np.einsum("...rd,...rd->...", columns, columns) / donors
    free = kept.copy()
    weights = np.zeros(kept.shape)
    open_ = np.arange(len(targets))
    eye = np.eye(rows)
    for _ in range(STEPS):
        mask = free[open_].astype(np.float64)
        ridge = ridges[open_, None]
        own = columns if shared else columns[open_]
        inner = (mask @ outer).reshape(-1, rows, rows) if shared else (own * mask[:, None]) @ own.transpose(0, 2, 1)
        inner += ridge[:, :, None] * eye
        first, one = linear[open_] * mask, mask
        # (C'C + ridge)⁻¹v = (v − C'(ridge + CC')⁻¹Cv) / ridge on the free donors (Woodbury), for both right-hand sides
        seen = np.stack([_fitted(own, first), _fitted(own, one)], axis=2)
        solved: Array = np.asarray(np.linalg.solve(inner, seen), dtype=np.float64)
        base = (first - mask * _against(own, solved[:, :, 0])) / ridge
        unit = (one - mask * _against(own, solved[:, :, 1])) / ridge
        price = (1.0 - base.sum(axis=1)) / unit.sum(axis=1)
        found = base + price[:, None] * unit
        slope = _against(own, _fitted(own, found)) - linear[open_] + ridge * found - price[:, None]
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
        own = columns if shared else columns[problem]
        weights[problem] = 0.0
        weights[problem, kept[problem]] = simplex_least_squares(
            own[:, kept[problem]], targets[problem], float(ridges[problem])
        )
    return weights


def _fitted(columns: Array, weights: Array) -> Array:
    """(problems, rows) of columns·weights, for columns shared or of each problem's own."""
    return np.asarray(weights @ columns.T if columns.ndim == 2 else (columns @ weights[:, :, None])[:, :, 0])


def _against(columns: Array, values: Array) -> Array:
    """(problems, donors) of columns'·values."""
    return np.asarray(values @ columns if columns.ndim == 2 else (values[:, None] @ columns)[:, 0])


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


def synthetic_did_weights(
    lines: Array, pool: Array, kept: Mask, cells: int, before: int, window: int
) -> tuple[Array, Array]:
    """(problems, donors) weights of the donors and (problems, before) of the periods before the start.

    Parameters
    ----------
    lines : Array
        (problems, periods) mean outcome of the treated of each problem.
    pool : Array
        (donors, periods) outcomes, or (problems, donors, periods), of which each problem has those `kept` (problems, donors).
    cells : int
        Treated cells in the window.
    """
    early, late = pool[..., :before], pool[..., before : before + window].mean(axis=-1)
    many, count = kept.astype(np.float64), kept.sum(axis=1)
    changes = np.diff(early, axis=-1)
    changes = changes - changes.mean()
    entries = count * (before - 1)
    total, squares = _totals(many, np.stack([changes.sum(axis=-1), (changes**2).sum(axis=-1)], axis=-1)).T
    levels = np.sqrt((squares - total**2 / entries) / (entries - 1))
    ridges = np.sqrt(cells) * levels**2 * before
    columns = np.swapaxes(early - early.mean(axis=-1, keepdims=True), -1, -2)
    targets = lines[:, :before] - lines[:, :before].mean(axis=1, keepdims=True)
    omega = unit_weights(columns, targets, kept, ridges)

    both = np.concatenate([early, late[..., None]], axis=-1)
    both = both - both.mean(axis=-2, keepdims=True)
    sums = _totals(many, both)
    if pool.ndim == 2:
        outer = np.einsum("ds,dt->dst", both, both).reshape(len(both), -1)
        grams = (many @ outer).reshape(-1, before + 1, before + 1)
    else:
        grams = (both * many[:, :, None]).transpose(0, 2, 1) @ both
    grams -= sums[:, :, None] * sums[:, None, :] / count[:, None, None]
    place = np.arange(before)
    grams[:, place, place] += ((1e-6 * levels) ** 2 * count)[:, None]
    times, settled = time_weights(grams[:, :before, :before], grams[:, :before, before])
    for problem in np.flatnonzero(~settled):
        some, line = (v[kept[problem]] if pool.ndim == 2 else v[problem, kept[problem]] for v in (early, late))
        times[problem] = simplex_least_squares(
            some - some.mean(axis=0), line - line.mean(), float((1e-6 * levels[problem]) ** 2 * count[problem])
        )
    return omega, times


def _totals(many: Array, values: Array) -> Array:
    """(problems, k) sums over the donors of (donors, k), or (problems, donors, k), by 0 or 1 in (problems, donors)."""
    return np.asarray(many @ values if values.ndim == 2 else (many[:, None] @ values)[:, 0])
