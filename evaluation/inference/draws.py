"""Placebo assignments: what the estimator finds where nothing happened, and how tests and intervals follow from it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from evaluation.contracts import Fit, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.multiplicity import weighted_critical
from evaluation.panel import Array, Indices, Mask, Panel

MOST_ASSIGNMENTS = 999
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
    alone : Placebos or None
        Where several units (or clusters of them) are treated and persons or sampling variances are known: each control alone in
        the place of one of them, which shows how noise falls with size; averages of several hardly differ in it.
    """

    assignments: tuple[tuple[int, ...], ...]
    fits: tuple[Fit, ...]
    failed: int
    exhaustive: bool
    alone: Placebos | None = None

    @property
    def effects(self) -> Array:
        """(assignments,) headline effects."""
        return np.array([fit.att for fit in self.fits])

    def paths(self, event_times: Indices) -> Array:
        """(assignments, times) effects at the given event times; NaN where a refit has none there."""
        paths = [path_at(fit, event_times) for fit in self.fits]
        return np.array(paths).reshape(len(self.fits), event_times.size)

    def changed(self, change: Callable[[Fit], Fit]) -> Placebos:
        """The same assignments with every fit changed, those of controls alone too."""
        alone = None if self.alone is None else self.alone.changed(change)
        return replace(self, fits=tuple(map(change, self.fits)), alone=alone)


def path_at(fit: Fit, event_times: Indices) -> Array:
    """(times,) the effects of a fit at the given event times; NaN where it has none."""
    if np.array_equal(fit.event_times, event_times):
        return fit.effects
    place = {int(time): index for index, time in enumerate(fit.event_times)}
    return np.array([fit.effects[place[time]] if time in place else np.nan for time in event_times.tolist()])


def placebo_fits(pipeline: Pipeline, panel: Panel, rng: Rng, most: int = MOST_ASSIGNMENTS) -> Placebos:
    """Refit adjustment and estimator with untreated units in the place of the treated ones.

    The truly treated units are left out of every refit: their outcomes hold the effect. A stand-in loses the cells that its
    treated unit lacks. Where treatment was assigned to clusters of several units, whole clusters stand in. No more than `most`
    assignments are tried; fewer of one random stream are among the more of the same stream. For several treated units of known size
    (or clusters of them) each control, `most` of them at most, is refitted alone as well, in the place of the treated in turn.

    Raises
    ------
    EstimationError
        Too few controls, no refit succeeded, or a cluster holds treated and untreated units or several starts.
    """
    blocks, models = _blocks(panel)
    starts = [int(panel.start[model[0]]) for model in models]
    if len(blocks) < len(starts) + 1:
        what = "control clusters" if clusters_of_units(panel) else "controls"
        others = "; `jackknife` or `block_bootstrap` need nobody to stand in" if len(starts) > 1 and blocks else ""
        raise EstimationError(
            f"placebo: {len(blocks)} {what} are too few to stand in for {len(starts)} treated{others}"
        )
    treated = np.flatnonzero(panel.treated).tolist()
    chosen, exhaustive = _choices(len(blocks), starts, rng, most)
    plans = [
        ([(row, start) for block, start in zip(choice, starts, strict=True) for row in blocks[block]], treated)
        for choice in chosen
    ]
    found = _refits(pipeline, panel, plans, exhaustive)
    if not found.fits:
        raise EstimationError("placebo: the estimator could not be computed for any control")
    if len(models) == 1 or (panel.size is None and panel.noise is None):
        return found
    # spread evenly where there are more than can be tried, each in the place of the next of the treated ones
    some = np.unique(np.linspace(0, len(blocks) - 1, min(len(blocks), most)).round().astype(int)).tolist()
    turns = list(zip(some, itertools.cycle(zip(models, starts, strict=True)), strict=False))
    alone = _refits(
        pipeline, panel, [([(row, start) for row in blocks[block]], model) for block, (model, start) in turns], True
    )
    return replace(found, alone=alone if alone.fits else None)


def _refits(
    pipeline: Pipeline, panel: Panel, plans: Iterable[tuple[list[tuple[int, int]], list[int]]], exhaustive: bool
) -> Placebos:
    """A refit for each plan: rows with their starts, and the treated rows in whose place they stand."""
    treated = np.flatnonzero(panel.treated)
    holes = ~np.isfinite(panel.outcome)
    fits: list[Fit] = []
    kept: list[tuple[int, ...]] = []
    failed = 0
    for starts, models in plans:
        rows = [row for row, _ in starts]
        base = panel
        if len(rows) == len(models) and holes[models].any():
            outcome = panel.outcome.copy()
            outcome[rows] = np.where(holes[models], np.nan, outcome[rows])
            base = panel.with_outcome(outcome)
        try:
            fits.append(pipeline(base.assign(dict(starts), without=treated)))
        except EstimationError:
            failed += 1
            continue
        kept.append(tuple(rows))
    return Placebos(tuple(kept), tuple(fits), failed, exhaustive)


def clusters_of_units(panel: Panel) -> bool:
    """Whether some cluster holds more than one unit."""
    assert panel.cluster is not None  # set by Panel itself
    return len(np.unique(panel.cluster)) < panel.n_units


def _blocks(panel: Panel) -> tuple[list[list[int]], list[list[int]]]:
    """Rows of each cluster without treated units, and rows of each cluster of treated ones, whose units all start together."""
    assert panel.cluster is not None  # set by Panel itself
    clusters = [np.flatnonzero(panel.cluster == code) for code in np.unique(panel.cluster)]
    treated = [rows for rows in clusters if panel.treated[rows].any()]
    for rows in treated:
        if len(set(panel.start[rows].tolist())) > 1:
            names = ", ".join(panel.units[row] for row in rows[:3])
            raise EstimationError(f"placebo: the units of one cluster ({names}, ...) do not all start together")
    return [rows.tolist() for rows in clusters if not panel.treated[rows].any()], [rows.tolist() for rows in treated]


def _choices(count: int, starts: list[int], rng: Rng, most: int) -> tuple[list[tuple[int, ...]], bool]:
    """Choices of as many blocks as there are starts: all of them, or a seeded sample."""
    if len(starts) == 1:
        return [(block,) for block in range(count)], True
    ordered = len(set(starts)) > 1
    if (math.perm if ordered else math.comb)(count, len(starts)) <= most:
        draw = itertools.permutations if ordered else itertools.combinations
        return [tuple(blocks) for blocks in draw(range(count), len(starts))], True
    seen: set[tuple[int, ...]] = set()
    while len(seen) < most:
        blocks = rng.choice(count, size=len(starts), replace=False)
        seen.add(tuple(int(block) for block in (blocks if ordered else np.sort(blocks))))
    return sorted(seen), False


def variance_rows(placebos: Placebos, panel: Panel, noise: Array) -> tuple[Array, float]:
    """(assignments,) Σ share² × noise of each placebo's average, and that of the treated units; `noise` is (units,).

    Each average weights its own units as the headline does: by their persons in the window, or equally.
    """
    persons = np.ones(panel.n_units)
    if panel.size is not None:
        persons = np.nansum(panel.size[:, panel.target.any(axis=0)], axis=1)

    def averages(rows: Indices) -> Array:
        """(…,) for rows (…, units of the average)."""
        total = persons[rows].sum(axis=-1, keepdims=True)
        # nobody's persons are known: only an estimator that does not weigh by them has such an average
        share = np.where(total > 0.0, persons[rows] / np.where(total > 0.0, total, 1.0), 1.0 / rows.shape[-1])
        return np.asarray((share**2 * noise[rows]).sum(axis=-1))

    own = float(averages(np.flatnonzero(panel.treated)))
    if len({len(rows) for rows in placebos.assignments}) == 1:
        return averages(np.array(placebos.assignments)), own
    return np.array([float(averages(np.array(rows))) for rows in placebos.assignments]), own


def slope_factors(fit: Fit, placebos: Placebos, draws: Array) -> Array:
    """(assignments,) how much wider than its placebos an effect is spread by the error of slopes that all units share.

    √((s² + v₁) / (s² + vⱼ)), with v the variance that such slopes bring into an effect and s² the mean square of the `draws`
    less their mean v, held at a tenth of that mean square at least. 1 where no shared slope was estimated.
    """
    variances = np.array([each.slope_variance for each in placebos.fits])
    if fit.slope_variance <= 0.0 and not variances.any():
        return np.ones(draws.size)
    square = float(np.mean(draws**2))
    rest = max(square - float(variances.mean()), 0.1 * square)
    return np.sqrt((rest + fit.slope_variance) / (rest + variances))


def each_in_turn(pipeline: Pipeline, panel: Panel, start: int) -> Array:
    """(units,) effect of each row as if it alone had been treated from `start`, all others serving as controls."""
    return np.array([pipeline(panel.assign({row: start})).att for row in range(panel.n_units)])


def as_large(draws: Array, value: float) -> int:
    """How many draws are at least as large as `value` in size; equal up to rounding counts as equal."""
    return int(_as_large(draws, value).sum())


def _as_large(draws: Array, value: float) -> Mask:
    slack = 1e-9 * max(abs(value), float(np.max(np.abs(draws), initial=0.0)))
    return np.asarray(np.abs(draws) >= abs(value) - slack)


def deviation(draws: Array, weights: Array | None = None) -> float:
    """The standard deviation of placebo effects, by their weights."""
    if weights is None:
        return float(draws.std())
    middle = float(weights @ draws) / float(weights.sum())
    return math.sqrt(float(weights @ (draws - middle) ** 2) / float(weights.sum()))


def rank_p_value(draws: Array, value: float, weights: Array | None = None) -> float:
    """The share of all assignments, the true one included, with an effect at least this large: (1 + #) / (1 + n).

    With `weights` (n,), relative to the true assignment's, their share by weight: (1 + Σ weights) / (1 + Σ all weights).
    """
    if not math.isfinite(value):
        return math.nan
    if weights is None:
        return (1 + as_large(draws, value)) / (1 + draws.size)
    return float((1.0 + weights[_as_large(draws, value)].sum()) / (1.0 + weights.sum()))


def critical_size(draws: Array, level: float, weights: Array | None = None) -> float:
    """The largest |effect − hypothesis| that the rank test does not reject; infinite where it can reject nothing.

    The test rejects when (1 + #{|draw| ≥ d}) / (1 + n) ≤ 1 − level, so the bound is the k-th largest |draw| with
    k = ⌊(1 − level)(n + 1)⌋; with weights, where their sum first exceeds that share.
    """
    if weights is not None:
        return weighted_critical(np.abs(draws), weights, level)
    k = math.floor((1.0 - level) * (draws.size + 1) + 1e-9)
    return math.inf if k == 0 else float(np.sort(np.abs(draws))[-k])


def path_test(
    draws: Array, effects: Array, level: float, weights: Array | None = None
) -> tuple[Array, Array, Array, Array]:
    """Standard deviation, lower, upper and p-value for each period, from (assignments, times) placebo effects."""
    n_times = effects.size
    out = np.full((4, n_times), np.nan)
    usable: Mask = np.isfinite(draws).all(axis=0) & np.isfinite(effects)
    for time in np.flatnonzero(usable):
        column = draws[:, time]
        if not np.any(column) and effects[time] == 0.0:
            continue  # the reference period: zero by construction
        half, effect = critical_size(column, level, weights), float(effects[time])
        p_value = rank_p_value(column, effect, weights)
        out[:, time] = (deviation(column, weights), effect - half, effect + half, p_value)
    return out[0], out[1], out[2], out[3]
