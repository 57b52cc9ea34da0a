"""Placebo assignments: what the estimator finds where nothing happened, and how tests and intervals follow from it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Fit, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.panel import Array, Mask, Panel

MOST_ASSIGNMENTS = 2000
"""With several treated units: all assignments when there are no more than these, else a seeded sample of this many."""


@dataclass(frozen=True, slots=True)
class Placebos:
    """One refit per assignment.

    Attributes
    ----------
    assignments : tuple of tuple of int
        Rows of the panel that were pretended to be treated, in the order of the truly treated ones.
    fits : tuple of Fit
        The refits, of panels without the truly treated units.
    failed : int
        Assignments whose refit was impossible.
    exhaustive : bool
        Every assignment was tried.
    """

    assignments: tuple[tuple[int, ...], ...]
    fits: tuple[Fit, ...]
    failed: int
    exhaustive: bool

    @property
    def effects(self) -> Array:
        """(assignments,) headline effects."""
        return np.array([fit.att for fit in self.fits])

    def paths(self, times: int) -> Array:
        """(assignments, times) effects by period; NaN rows where a refit has another number of periods."""
        rows = [fit.effects if fit.effects.size == times else np.full(times, np.nan) for fit in self.fits]
        return np.stack(rows)


def placebo_fits(pipeline: Pipeline, panel: Panel, rng: Rng) -> Placebos:
    """Refit adjustment and estimator with untreated units in the place of the treated ones.

    The truly treated units are left out of every refit: their outcomes hold the effect.

    Raises
    ------
    EstimationError
        Fewer than two controls, or no refit succeeded.
    """
    treated = np.flatnonzero(panel.treated)
    controls = [int(row) for row in np.flatnonzero(~panel.treated)]
    if len(controls) < len(treated) + 1:
        raise EstimationError(
            f"placebo: {len(controls)} controls are too few to stand in for {len(treated)} treated units"
        )
    starts = [int(panel.start[row]) for row in treated]
    assignments, exhaustive = _assignments(controls, starts, rng)
    fits: list[Fit] = []
    kept: list[tuple[int, ...]] = []
    for assignment in assignments:
        pretended = panel.assign(dict(zip(assignment, starts, strict=True)), without=treated)
        try:
            fits.append(pipeline(pretended))
        except EstimationError:
            continue
        kept.append(assignment)
    if not fits:
        raise EstimationError("placebo: the estimator could not be computed for any control")
    return Placebos(tuple(kept), tuple(fits), len(assignments) - len(kept), exhaustive)


def _assignments(controls: list[int], starts: list[int], rng: Rng) -> tuple[list[tuple[int, ...]], bool]:
    if len(starts) == 1:
        return [(row,) for row in controls], True
    ordered = len(set(starts)) > 1
    count = math.perm(len(controls), len(starts)) if ordered else math.comb(len(controls), len(starts))
    if count <= MOST_ASSIGNMENTS:
        draw = itertools.permutations if ordered else itertools.combinations
        return [tuple(rows) for rows in draw(controls, len(starts))], True
    seen: set[tuple[int, ...]] = set()
    while len(seen) < MOST_ASSIGNMENTS:
        rows = rng.choice(controls, size=len(starts), replace=False)
        seen.add(tuple(int(row) for row in (rows if ordered else np.sort(rows))))
    return sorted(seen), False


def each_in_turn(pipeline: Pipeline, panel: Panel, start: int) -> Array:
    """(units,) effect of each row as if it alone had been treated from `start`, all others serving as controls."""
    return np.array([pipeline(panel.assign({row: start})).att for row in range(panel.n_units)])


def as_large(draws: Array, value: float) -> int:
    """How many draws are at least as large as `value` in size; equal up to rounding counts as equal."""
    slack = 1e-9 * max(abs(value), float(np.max(np.abs(draws), initial=0.0)))
    return int((np.abs(draws) >= abs(value) - slack).sum())


def rank_p_value(draws: Array, value: float) -> float:
    """The share of all assignments, the true one included, with an effect at least this large: (1 + #) / (1 + n)."""
    return (1 + as_large(draws, value)) / (1 + draws.size)


def critical_size(draws: Array, level: float) -> float:
    """The largest |effect − hypothesis| that the rank test does not reject; infinite where it can reject nothing.

    The test rejects when (1 + #{|draw| ≥ d}) / (1 + n) ≤ 1 − level, so the bound is the k-th largest |draw| with
    k = ⌊(1 − level)(n + 1)⌋.
    """
    k = math.floor((1.0 - level) * (draws.size + 1) + 1e-9)
    return math.inf if k == 0 else float(np.sort(np.abs(draws))[-k])


def path_test(draws: Array, effects: Array, level: float) -> tuple[Array, Array, Array, Array]:
    """Standard deviation, lower, upper and p-value for each period, from (assignments, times) placebo effects."""
    n_times = effects.size
    out = np.full((4, n_times), np.nan)
    usable: Mask = np.isfinite(draws).all(axis=0) & np.isfinite(effects)
    for time in np.flatnonzero(usable):
        column = draws[:, time]
        if not np.any(column) and effects[time] == 0.0:
            continue  # the reference period: zero by construction
        half = critical_size(column, level)
        out[:, time] = (column.std(), effects[time] - half, effects[time] + half, rank_p_value(column, effects[time]))
    return out[0], out[1], out[2], out[3]
