"""Effects by group and period, ATT(g,t), and their averages with the influence of the estimated group shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import chdtrc

from evaluation.panel import Array, Indices, Mask
from evaluation.regression import by_cluster, cluster_errors
from evaluation.result import Value

Aggregate: TypeAlias = Literal["simple", "dynamic", "group", "calendar"]


@dataclass(frozen=True, slots=True)
class GroupTimes:
    """One row per group (its first treated period) and period.

    Attributes
    ----------
    groups, times : Indices
        (cells,) indices of periods.
    effects, influence : Array
        (cells,) and (cells, units).
    rows : tuple of Indices
        For each cell the treated units it rests on.
    weights : tuple of Array or None
        For each cell the weights of those units in averages over cells; None for 1 each.
    target : Mask
        (cells,) cells that the headline averages over.
    reference : Mask
        (cells,) zero by construction.
    """

    groups: Indices
    times: Indices
    effects: Array
    influence: Array
    rows: tuple[Indices, ...]
    weights: tuple[Array | None, ...]
    target: Mask
    reference: Mask

    @property
    def event_times(self) -> Indices:
        """(cells,) periods since the start."""
        return self.times - self.groups

    @property
    def totals(self) -> Array:
        """(cells,) weight of each cell."""
        return np.array(
            [rows.size if each is None else each.sum() for rows, each in zip(self.rows, self.weights, strict=True)],
            dtype=np.float64,
        )

    def only(self, keep: Mask) -> GroupTimes:
        """Some cells."""
        if keep.all():
            return self
        where = np.flatnonzero(keep)
        return GroupTimes(
            self.groups[keep], self.times[keep], self.effects[keep], self.influence[keep],
            tuple(self.rows[index] for index in where), tuple(self.weights[index] for index in where),
            self.target[keep], self.reference[keep],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Averages:
    """Averages by key (an event time, a group, a period) and, for `simple`, over everything (no keys)."""

    keys: Indices
    effects: Array
    influence: Array
    overall: float
    overall_influence: Array


def averages(found: GroupTimes, kind: Aggregate) -> Averages:
    """Average effects by group and period in one of four ways; `found` holds the cells to average.

    With n_g the units of group g: `simple` weights every cell by n_g; `dynamic` and `calendar` do so within an event time or a
    period, and `group` weights the periods of a group equally; the overall is then the mean over event times or periods, or over
    groups by n_g. The shares n_g / n are estimated: a unit of group g adds its weight × (its cell's effect − the average) to
    the influence.

    References
    ----------
    Callaway & Sant'Anna (2021), Journal of Econometrics 225(2), section 3.1, Table 1, eqs. (3.4)-(3.11), and the remark on
    estimated weights below corollary 2.
    """
    if _one_group(found):
        return _plain_means(found, kind)
    totals = found.totals
    if kind == "simple":
        effects, influence = _within(found, np.zeros(totals.size, dtype=np.int64), 1, totals)
        none = np.empty(0, dtype=np.int64)
        return Averages(none, np.empty(0), influence[:0], float(effects[0]), influence[0])
    labels = {"dynamic": found.event_times, "group": found.groups, "calendar": found.times}[kind]
    keys, which = np.unique(labels, return_inverse=True)
    if kind != "group":
        effects, influence = _within(found, which, keys.size, totals)
        return Averages(keys, effects, influence, float(effects.mean()), influence.mean(axis=0))
    count = np.bincount(which).astype(np.float64)
    shares = (which == np.arange(keys.size)[:, None]) / count[:, None]
    effects, influence = shares @ found.effects, shares @ found.influence
    weight = shares @ totals
    overall = float(weight @ effects / weight.sum())
    overall_influence = (weight / weight.sum()) @ influence
    _add_shares(overall_influence, found, (effects[which] - overall) / count[which] / weight.sum())
    return Averages(keys, effects, influence, overall, overall_influence)


def _within(found: GroupTimes, which: Indices, count: int, totals: Array) -> tuple[Array, Array]:
    """Averages by n_g within each of `count` sets of cells, with the influence of the shares."""
    shares = np.where(which == np.arange(count)[:, None], totals, 0.0)
    sums = shares.sum(axis=1)
    shares /= sums[:, None]
    effects = shares @ found.effects
    single = np.bincount(which, minlength=count) == 1
    if single.all():
        # each set is one cell, in some order
        place = np.argsort(which)
        return effects, found.influence[place]
    influence = shares @ found.influence
    moving = (found.effects - effects[which]) / sums[which]
    for index in range(count):
        if not single[index]:
            _add_shares(influence[index], found, np.where(which == index, moving, 0.0))
    return effects, influence


def _add_shares(influence: Array, found: GroupTimes, moving: Array) -> None:
    """Add each unit's weight × `moving` (cells,) over the cells it is in, in place."""
    for rows, weights, amount in zip(found.rows, found.weights, moving.tolist(), strict=True):
        if amount:
            influence[rows] += amount if weights is None else weights * amount


def _one_group(found: GroupTimes) -> bool:
    """Whether all cells are of the same units with equal weights: then no share is estimated."""
    first = found.rows[0] if found.rows else None
    return all(each is first for each in found.rows) and all(weights is None for weights in found.weights)


def _plain_means(found: GroupTimes, kind: Aggregate) -> Averages:
    """`averages` for a single group."""
    if kind in ("dynamic", "calendar"):
        keys = found.event_times if kind == "dynamic" else found.times
        place = np.argsort(keys)
        keys, effects, influence = keys[place], found.effects[place], found.influence[place]
        return Averages(keys, effects, influence, float(effects.mean()), influence.mean(axis=0))
    overall, whole = float(found.effects.mean()), found.influence.mean(axis=0)
    if kind == "simple":
        return Averages(found.groups[:0], found.effects[:0], found.influence[:0], overall, whole)
    return Averages(found.groups[:1], np.array([overall]), whole[None], overall, whole)


def mean_observed(found: GroupTimes, outcome: Array, event_times: Indices) -> Array:
    """(times,) mean outcome of the treated behind each effect, where all started together; `outcome` is (periods, units)."""
    place = {event_time: cell for cell, event_time in enumerate(found.event_times.tolist())}
    cells = [place[event_time] for event_time in event_times.tolist()]
    if _one_group(found) and np.isfinite(lines := outcome[found.times[cells]][:, found.rows[0]]).all():
        return np.asarray(lines.mean(axis=1))
    means = np.empty(event_times.size)
    for index, cell in enumerate(cells):
        rows, weights = found.rows[cell], found.weights[cell]
        line = outcome[int(found.times[cell])][rows]
        there = np.isfinite(line)
        weights = np.ones(rows.size) if weights is None else weights
        means[index] = weights[there] @ line[there] / weights[there].sum()
    return means


# ---------------------------------------------------------------------- what is reported


def standard_errors(influence: Array, cluster: Indices) -> list[float | None]:
    """Square roots of the sums of squares by cluster; None where nothing varies."""
    return [error if error > 0.0 else None for error in cluster_errors(influence, cluster).tolist()]


def cell_rows(found: GroupTimes, labels: list[str], cluster: Indices) -> list[Value]:
    """Every cell as plain values."""
    errors = standard_errors(found.influence, cluster)
    cells = zip(found.groups.tolist(), found.times.tolist(), found.effects.tolist(), errors, strict=True)
    return [
        {"group": labels[group], "period": labels[time], "effect": effect, "std_error": error}
        for group, time, effect, error in cells
    ]


def aggregate_rows(kinds: dict[Aggregate, Averages], labels: list[str], cluster: Indices) -> dict[str, Value]:
    """The four averages, overall and by key, as plain values."""
    rows: dict[str, Value] = {}
    stacked = [np.vstack([each.overall_influence[None], each.influence]) for each in kinds.values()]
    errors = iter(standard_errors(np.vstack(stacked), cluster))
    for kind, each in kinds.items():
        overall: dict[str, Value] = {"effect": each.overall, "std_error": next(errors)}
        by: list[Value] = []
        for key, effect in zip(each.keys.tolist(), each.effects.tolist(), strict=True):
            name: dict[str, Value] = {
                "dynamic": {"event_time": key},
                "group": {"group": labels[key] if key < len(labels) else ""},
                "calendar": {"period": labels[key] if key < len(labels) else ""},
            }[kind]  # fmt: skip
            by.append({**name, "effect": effect, "std_error": next(errors)})
        rows[kind] = {**overall, "by": by} if by else overall
    return rows


def pre_test(found: GroupTimes, cluster: Indices) -> Value:
    """Wald test that every effect before its group's start is zero: chi-squared with as many degrees of freedom.

    None where there is no such effect, or their covariance is singular (more of them than clusters).
    """
    before = (found.times < found.groups) & ~found.reference
    count = int(before.sum())
    if count == 0:
        return None
    sums = by_cluster(found.influence[before], cluster)
    covariance = sums @ sums.T
    scale = np.sqrt(np.diag(covariance))
    if not (scale > 0.0).all():
        return None
    values, vectors = np.linalg.eigh(covariance / np.multiply.outer(scale, scale))
    if not values[0] > 1e-9 * values[-1]:
        return None
    parts = (found.effects[before] / scale) @ vectors
    statistic = float((parts * parts / values).sum())
    return {"statistic": statistic, "df": count, "p_value": float(chdtrc(count, statistic))}
