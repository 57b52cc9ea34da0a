"""Outcomes of one treated unit's panel with the cycle taken out, for the true and all placebo assignments of a replication at once.

Problem p has row p as the treated unit; row 0, the truly treated one, is in no other problem than its own. Arrays are (problems,
units, periods) with as many problems as units. Levels are left as they fall: no estimator of the study sees a unit's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coverage_study.batched_noise import shrunk
from coverage_study.downdated import leading
from coverage_study.worlds import Shape
from evaluation.common_effects import COLLINEAR
from evaluation.cycle.factors import MOST_CHOSEN
from evaluation.panel import Array, Indices, Mask


@dataclass(frozen=True, slots=True)
class Replication:
    """One replication: (units, periods) `outcome` and `series`, (units,) `persons` where they are known, and `region`."""

    outcome: Array
    series: Array
    persons: Array | None
    region: Indices


@dataclass(frozen=True, slots=True)
class Shared:
    """Two series that slopes of all units multiply: `series` (units, periods), and `reaction` (problems, units) times `nation`
    (problems, periods). `covariance` (problems, 2, 2) of the slopes; zero for one that was not estimated."""

    series: Array
    reaction: Array
    nation: Array
    covariance: Array

    def variances(self, controls: Array, times: Array, shape: Shape) -> Array:
        """(problems,) d'Vd, d being the effect that ω (problems, units) and λ (problems, periods before the start) find in both."""
        own = np.diag(self.reaction) - np.einsum("pu,pu->p", controls, self.reaction)
        gaps = np.array([self.series - controls @ self.series, own[:, None] * self.nation])
        late = gaps[:, :, shape.before : shape.before + shape.window].mean(axis=2)
        found = late - (gaps[:, :, : shape.before] * times).sum(axis=2)
        return np.asarray(np.einsum("kp,pkl,lp->p", found, self.covariance, found))


@dataclass(frozen=True, slots=True)
class Removed:
    """What is left of the outcomes (problems, units, periods), and which units serve as `controls` (problems, units).

    `possible` (problems,) is False where the treated unit cannot be adjusted, None if all can; `shared` are slopes of all units.
    """

    rest: Array
    controls: Mask
    possible: Mask | None = None
    shared: Shared | None = None


def controls_of(units: int) -> Mask:
    """(problems, units) everybody but the problem's own treated unit and row 0."""
    mask = ~np.eye(units, dtype=np.bool_)
    mask[:, 0] = False
    return mask


def controls_total(values: Array) -> Array:
    """(problems, periods) sum of (units, periods) `values` over each problem's controls."""
    pool = values[1:].sum(axis=0)
    total = pool - values
    total[0] = pool
    return np.asarray(total)


def others_mean(values: Array) -> Array:
    """(problems, units, periods) mean of (units, periods) `values` over the controls, a control's own left out."""
    total, every = controls_total(values), np.arange(len(values))
    count = controls_of(len(values)).sum(axis=1)[:, None]
    # in place, here and below: new arrays of this size cost more than the sums
    means = total[:, None] - values
    means *= 1.0 / (count - 1)[:, :, None]
    means[:, 0] = means[every, every] = total / count
    return np.asarray(means)


def centred(values: Array, before: int) -> Array:
    """The periods before the start, each series measured from its mean there."""
    early = values[..., :before]
    return np.asarray(early - np.einsum("...t->...", early)[..., None] / before)


def unit_trend(replication: Replication, shape: Shape) -> Removed:
    """Each unit's own line is learnt from its own periods before the start, whoever is treated."""
    time = np.arange(shape.periods) - (shape.before - 1) / 2.0
    early = time[: shape.before]
    outcome = replication.outcome
    rest = outcome - (outcome[:, : shape.before] @ early / (early @ early))[:, None] * time
    return Removed(np.broadcast_to(rest, (len(rest), *rest.shape)), controls_of(len(rest)))


def sensitivity(replication: Replication, shape: Shape) -> Removed:
    """Each unit's reaction to the mean of the others, shrunk, times that mean."""
    nation = others_mean(replication.outcome)
    line, seen = centred(replication.outcome, shape.before), centred(nation, shape.before)
    spread = np.einsum("put,put->pu", seen, seen)
    both = np.einsum("put,ut->pu", seen, line)
    slopes = both / spread
    variance = (np.einsum("ut,ut->u", line, line) - both * slopes) / (shape.before - 2)
    controls = controls_of(len(line))
    noise = None if replication.persons is None else 1.0 / replication.persons
    reaction = shrunk(slopes, spread, variance, controls, noise)
    nation *= reaction[:, :, None]
    return Removed(np.subtract(replication.outcome, nation, out=nation), controls)


def region_time(replication: Replication, shape: Shape) -> Removed:
    """The mean of the controls of the unit's region; a control that is alone there is left out."""
    member = (replication.region[:, None] == np.unique(replication.region)).astype(np.float64)
    place = member.argmax(axis=1)
    controls = controls_of(len(member))
    pool = member[1:].T @ replication.outcome[1:]
    own = member[:, :, None] * replication.outcome[:, None]
    own[0] = 0.0
    count = controls @ member
    means = (pool - own) / np.maximum(count, 1.0)[:, :, None]
    others = count[:, place]
    rest = means[:, place]
    return Removed(
        np.subtract(replication.outcome, rest, out=rest), controls & (others > 1), np.asarray(np.diag(others) > 0)
    )


def cce(replication: Replication, shape: Shape) -> Removed:
    """Each unit's loadings on the others' mean outcome and mean series, times these."""
    averages = [others_mean(replication.outcome), others_mean(replication.series)]
    line = centred(replication.outcome, shape.before)
    seen = [centred(average, shape.before) for average in averages]
    lengths = np.sqrt([np.einsum("put,put->pu", each, each) for each in seen])
    both = np.einsum("put,put->pu", *seen) / lengths.prod(axis=0)
    right = np.array([np.einsum("put,ut->pu", each, line) for each in seen]) / lengths
    controls = controls_of(len(line))
    # the smaller eigenvalue of two series' correlations
    collinear = 1.0 - np.abs(both) < COLLINEAR
    used = controls | np.eye(len(line), dtype=np.bool_)
    loadings = (right - both * right[::-1]) / np.where(collinear, 1.0, 1.0 - both**2) / lengths
    for average, loading in zip(averages, loadings, strict=True):
        average *= loading[:, :, None]
    rest = np.subtract(replication.outcome, averages[0], out=averages[0])
    rest -= averages[1]
    return Removed(rest, controls, ~(collinear & used).any(axis=1))


def factors(replication: Replication, shape: Shape) -> Removed:
    """Leading factors of the controls without unit and period effects, as many as the ratio of eigenvalues says, times loadings."""
    outcome = replication.outcome
    controls = controls_of(len(outcome))
    pool = outcome[1:] - outcome[1:].mean(axis=0)
    pool -= pool.mean(axis=1, keepdims=True)
    most = min((shape.before - 2) // 2, MOST_CHOSEN)
    found = leading(pool, most + 1)
    count = np.minimum(shape.periods, controls.sum(axis=1)) - 1
    ladder = np.column_stack([found.trace / np.log(count), found.squares])
    ladder = np.maximum(ladder, 1e-15 * found.squares[:, :1])
    rank = (ladder[:, :-1] / ladder[:, 1:]).argmax(axis=1)
    used = np.arange(most) < rank[:, None]
    paths = np.where(used[:, :, None], found.vectors[:, :most], 0.0)
    # without its treated unit a problem's period effects are others: a control's loading moves by the treated unit's own share
    loadings = np.einsum("ut,pkt->puk", np.vstack([np.zeros(shape.periods), pool]), paths, optimize=True)
    own = np.diagonal(loadings).T / (len(pool) - 1)
    loadings += own[:, None]
    effects = controls_total(outcome) / controls.sum(axis=1, keepdims=True)
    line = centred(outcome - effects, shape.before)
    seen = centred(paths, shape.before)
    lengths = np.where(used, np.sqrt(np.einsum("pkt,pkt->pk", seen, seen)), 1.0)
    seen /= lengths[:, :, None]
    grams = seen @ seen.transpose(0, 2, 1) + np.eye(most) * ~used[:, None]
    collinear = np.linalg.eigvalsh(grams)[:, 0] < COLLINEAR
    grams[collinear] = np.eye(most)
    every = np.arange(len(outcome))
    loadings[every, every] = np.linalg.solve(grams, np.einsum("pkt,pt->pk", seen, line)[:, :, None])[:, :, 0] / lengths
    common = loadings @ paths
    return Removed(np.subtract(outcome, common, out=common), controls, ~collinear)
