"""Synthetic control weights of many problems at once: the product's minimiser, found by Newton's method on the dual.

With A the donors' columns over a row of ones and ρ a ridge, the weights are w = (A'y)₊ with y from (A_F A_F' + ρ·diag(1, …, 1, 0)) y =
(target, 1) on the donors F = {A'y > 0}: a system with one row more than there are periods, solved for all problems together while the
ridge falls. What does not settle, or is too close to call, is handed to the product's solver.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.numerics import CANONICAL_RIDGE, TIE, simplex_least_squares
from evaluation.panel import Array, Indices, Mask

RIDGES = (1e-1, 2e-2, 5e-3, 1e-3, 2e-4, 2e-5)
"""Relative to the mean squared length of a column: from where the support is easily found to where it is almost that without one."""

LAST = (1e-7, CANONICAL_RIDGE)
"""For targets inside the hull, which several weights fit equally well: the last is the product's own."""

STEPS = (10, 5, 5, 5, 5, 5, 5, 10)
"""Newton steps at each ridge; most problems take two."""

INSIDE, NEAR = 1e-7, 1e-3
"""Gaps, relative to a column's length, below which the target lies inside the donors' hull, and below which it may."""

FEW_ROWS = 16
"""Up to so many periods the systems are small enough for this to be faster than one active set for each problem."""


def simplex_weights(columns: Array, targets: Array, kept: Mask) -> Array:
    """(problems, donors) minimisers of ‖Cw − target‖² over the simplex of the donors that are kept.

    Parameters
    ----------
    columns : Array
        (rows, donors) shared by all problems, or (problems, rows, donors).
    targets, kept : Array
        (problems, rows) and (problems, donors).
    """
    problems, rows = targets.shape
    weights = np.zeros(kept.shape)
    unsettled = np.ones(problems, dtype=np.bool_)
    if rows <= FEW_ROWS:
        unsettled = _newton(columns, targets, kept, weights)
    for problem in np.flatnonzero(unsettled):
        own = columns if columns.ndim == 2 else columns[problem]
        weights[problem] = 0.0
        weights[problem, kept[problem]] = simplex_least_squares(own[:, kept[problem]], targets[problem])
    return weights


def _newton(columns: Array, targets: Array, kept: Mask, weights: Array) -> Mask:
    """Fill in the weights of the problems that settle; (problems,) which do not."""
    problems, rows = targets.shape
    count = kept.sum(axis=1)
    squares = np.einsum("...rd,...rd->...d", columns, columns)
    across = np.einsum("pr,...rd->...pd" if columns.ndim == 2 else "pr,prd->pd", targets, columns)
    distances = squares - 2.0 * across + np.einsum("pr,pr->p", targets, targets)[:, None]
    lengths = np.einsum("pd,pd->p", distances, kept) / count
    free = kept.copy()
    task = _Task.of(columns, targets, kept, np.maximum(lengths, 1e-300))
    _descend(task, free, weights, RIDGES, STEPS)
    near = np.flatnonzero(_gaps(task, weights) < NEAR)
    good = np.zeros(problems, dtype=np.bool_)
    if near.size:
        some, last, close = free[near], weights[near], task.some(near)
        settled = _descend(close, some, last, LAST, STEPS[-len(LAST) :])
        good[near] = settled & (_gaps(close, last) < INSIDE)
        weights[near] = last
    rest = np.flatnonzero(~good & (free.sum(axis=1) <= rows + 1) & (lengths > 0.0) & (count > 1))
    weights[rest], good[rest] = _on_support(task.some(rest), free[rest])
    return ~good


@dataclass(frozen=True, slots=True)
class _Task:
    """`columns` (rows, donors) or (problems, rows, donors), both with a row of ones below; `targets` (problems, rows + 1), ending in 1.

    `outer` (donors, (rows + 1)²) are the products of shared columns, of which any support's system is a sum.
    """

    columns: Array
    outer: Array | None
    targets: Array
    kept: Mask
    lengths: Array

    @classmethod
    def of(cls, columns: Array, targets: Array, kept: Mask, lengths: Array) -> _Task:
        lifted = np.concatenate([columns, np.ones((*columns.shape[:-2], 1, columns.shape[-1]))], axis=-2)
        outer = None
        if columns.ndim == 2:
            outer = np.einsum("rd,sd->drs", lifted, lifted).reshape(columns.shape[1], -1)
        return cls(lifted, outer, np.column_stack([targets, np.ones(len(targets))]), kept, lengths)

    def some(self, problems: Indices) -> _Task:
        columns = self.columns if self.outer is not None else self.columns[problems]
        return _Task(columns, self.outer, self.targets[problems], self.kept[problems], self.lengths[problems])

    def systems(self, free: Mask) -> Array:
        """(problems, rows + 1, rows + 1) A_F A_F'."""
        if self.outer is not None:
            size = self.targets.shape[1]
            return np.asarray((free.astype(np.float64) @ self.outer).reshape(-1, size, size))
        return np.asarray((self.columns * free[:, None, :]) @ self.columns.transpose(0, 2, 1))

    def products(self, dual: Array) -> Array:
        """(problems, donors) A'y."""
        return np.asarray(dual @ self.columns if self.outer is not None else (dual[:, None, :] @ self.columns)[:, 0, :])

    def shifted(self) -> Array:
        """(problems, rows, donors) columns less target, in units of their length, 0 for donors that are not kept."""
        own = self.columns[..., :-1, :] - self.targets[:, :-1, None]
        return np.asarray(own / np.sqrt(self.lengths)[:, None, None] * self.kept[:, None, :])


def _gaps(task: _Task, weights: Array) -> Array:
    """(problems,) the length of what the weights leave of the target."""
    shared = task.outer is not None
    fitted = weights @ task.columns.T if shared else (task.columns @ weights[:, :, None])[:, :, 0]
    return np.asarray(np.linalg.norm((fitted - task.targets)[:, :-1], axis=1) / np.sqrt(task.lengths))


def _descend(task: _Task, free: Mask, weights: Array, ridges: tuple[float, ...], steps: tuple[int, ...]) -> Mask:
    """Follow support and weights (both changed in place) down the ridges; (problems,) which have settled at the last one."""
    problems, size = task.targets.shape
    settled = np.zeros(problems, dtype=np.bool_)
    place = np.arange(size - 1)
    for ridge, most in zip(ridges, steps, strict=False):
        open_ = np.arange(problems)
        part = task
        for _ in range(most):
            before = free[open_]
            systems = part.systems(before)
            systems[:, place, place] += ridge * part.lengths[:, None]
            dual = np.asarray(np.linalg.solve(systems, part.targets[:, :, None])[:, :, 0], dtype=np.float64)
            values = part.products(dual)
            weights[open_] = np.where(before, values, 0.0)
            positive = (values > 0.0) & part.kept
            moved = (positive != before).any(axis=1) & positive.any(axis=1)
            open_ = open_[moved]
            if not open_.size:
                break
            free[open_] = positive[moved]
            part = task.some(open_)
        settled[:] = True
        settled[open_] = False
    return settled


def _on_support(task: _Task, free: Mask) -> tuple[Array, Mask]:
    """Weights of targets outside the hull, without any ridge, on the support found; and where they are optimal beyond a doubt."""
    points = task.shifted()
    size = task.targets.shape[1]
    order = np.argsort(~free, axis=1, kind="stable")[:, :size]
    used = np.take_along_axis(free, order, axis=1)
    chosen = np.take_along_axis(points, order[:, None, :], axis=2)
    chosen = np.concatenate([chosen, np.ones((len(chosen), 1, size))], axis=1) * used[:, None, :]
    solution = np.linalg.pinv(chosen)[:, :, -1]
    solution /= solution.sum(axis=1, keepdims=True)
    weights = np.zeros(free.shape)
    np.put_along_axis(weights, order, solution * used, axis=1)
    nearest = (points @ weights[:, :, None])[:, :, 0]
    slopes = np.einsum("pr,prd->pd", nearest, points) - np.einsum("pr,pr->p", nearest, nearest)[:, None]
    clear = np.where(free, np.abs(slopes) < 0.1 * TIE, slopes > 10.0 * TIE) | ~task.kept
    return weights, np.asarray(clear.all(axis=1) & (np.where(free, weights, 1.0) > 0.0).all(axis=1))
