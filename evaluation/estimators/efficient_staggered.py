"""The efficient estimator for staggered starts whose timing is as good as random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field

from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError, listed
from evaluation.numerics import (
    complete_units,
    dropped_note,
    something_treated,
    spread,
    without_always_treated,
    without_comparison,
)
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.regression import by_cluster
from evaluation.result import Note, Value, number

Estimand: TypeAlias = Literal["simple", "cohort", "calendar", "eventstudy"]


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `efficient_staggered`."""

    estimator: Annotated[
        Literal["efficient", "callaway_santanna", "sun_abraham"],
        Field(
            description="how much of the gap in the last period before the start is subtracted, and who is compared with"
        ),
    ] = "efficient"
    estimand: Annotated[
        Estimand,
        Field(description="what the effect averages: treated cells, starts, periods, or times since the start"),
    ] = "simple"


@dataclass(frozen=True, slots=True)
class Groups:
    """Units by start: (groups,) `starts` (the last may be never: the number of periods) and `counts`.

    `members` holds the rows of each group, `means` (groups, periods) and `covariances` (groups, periods, periods) the
    outcome's. `known` is False where every treated group is a single unit, and their covariances are the others'.
    """

    starts: Indices
    counts: Array
    members: tuple[Indices, ...]
    means: Array
    covariances: Array
    known: bool


@dataclass(frozen=True, slots=True)
class Estimates:
    """Estimates θ_l = Σ_g B_lg·Ȳ_g: `weights` B (estimates, groups, periods), their adjusted and their Neyman covariance."""

    values: Array
    weights: Array
    beta: Array
    adjusted: Array
    neyman: Array


def fit(panel: Panel, options: Options) -> Fit:
    """Means of treated less means of those not yet treated, less β times the same difference before the start.

    With Ȳ_g the vector of mean outcomes of the units that start in g, an effect is θ̂ = Σ_g A_g Ȳ_g − β Σ_g A₀g Ȳ_g; A compares
    after the start, A₀ in the last period before it. β = 1 is difference-in-differences against those not yet treated
    (`callaway_santanna`) or against the last to start (`sun_abraham`); `efficient` takes the β* that minimises the variance
    under random timing, Cov(X̂, θ̂₀) / Var(X̂), with the sample covariance of the outcome vector in each group.

    Parameters
    ----------
    panel : Panel
        Complete but for controls, which are left out and named; several starts, with or without never-treated units.

    Returns
    -------
    Fit
        `variance` is the adjusted one (the Neyman variance less what pre-treatment outcomes explain of the effects'
        differences); `influence` gives the Neyman one. Every unit counts alike, whatever its size.

    Raises
    ------
    EstimationError
        Nobody is treated, or there is nobody to compare with.

    References
    ----------
    Roth & Sant'Anna (2023), Journal of Political Economy Microeconomics 1(4), section 2.
    """
    something_treated(panel, "efficient_staggered")
    kept, left_out = without_always_treated(panel)
    if kept.starts[0] == 0:
        raise EstimationError("efficient_staggered: every treated unit is treated from the first period on")
    kept, dropped = complete_units(kept, "efficient_staggered")
    notes = [*left_out, *dropped_note(dropped)]
    groups, alone = _groups(kept)
    if alone:
        names = listed([kept.units[row] for row in alone])
        text = f"{names}: nobody else started then, so how much the group varies is not known; left out."
        notes.append(Note("lone_starts_dropped", text, {"count": len(alone), "units": names}))
    shares = _comparisons(groups, options.estimator == "sun_abraham")
    identified: Mask = np.asarray(shares.any(axis=2))
    asked = kept.target_from(groups.starts)
    target: Mask = np.asarray(asked & identified)
    _check(target)
    notes += without_comparison(panel, np.asarray((asked & ~identified).any(axis=0)))
    if panel.size is not None:
        notes.append(Note("persons_not_weighted", "Every unit counts alike in the effect, whatever its size.", {}))
    found, times = _path(groups, shares, target, identified, options)
    return _fit_of(panel, kept, groups, found, times, _details(kept, groups, shares, target, options), notes)


def _groups(panel: Panel) -> tuple[Groups, list[int]]:
    """The groups by start, and the rows of groups of one, which are left out unless every treated group is one."""
    starts, which, counts = np.unique(panel.start, return_inverse=True, return_counts=True)
    single = counts == 1
    if single.all():
        raise EstimationError("efficient_staggered: no two units share a start, so how much units vary is not known")
    lonely = bool(single[starts < panel.n_periods].all())
    keep = np.ones_like(single) if lonely else ~single
    alone = np.flatnonzero(~keep[which.ravel()]).tolist()
    members = tuple(np.flatnonzero(which.ravel() == place) for place in np.flatnonzero(keep))
    means = np.array([panel.outcome[rows].mean(axis=0) for rows in members])
    around = [panel.outcome[rows] - mean for rows, mean in zip(members, means, strict=True)]
    several = [each for each in around if len(each) > 1]
    pooled = sum(each.T @ each for each in several) / sum(len(each) - 1 for each in several)
    covariances = np.array([each.T @ each / (len(each) - 1) if len(each) > 1 else pooled for each in around])
    return Groups(starts[keep], counts[keep].astype(np.float64), members, means, covariances, not lonely), alone


def _comparisons(groups: Groups, last_only: bool) -> Array:
    """(groups, periods, groups) 1 for the group itself less the shares of those it is compared with; 0 where there is nobody.

    Compared are those that start later than both the period and the group's own start, by their numbers.
    """
    count, columns = groups.starts.size, np.arange(groups.means.shape[1])
    later = groups.starts[None, None, :] > np.maximum(columns[None, :, None], groups.starts[:, None, None])
    if last_only:
        later &= np.arange(count) == count - 1
    weights = later * groups.counts
    total = weights.sum(axis=2, keepdims=True)
    own = np.eye(count)[:, None, :] * (total > 0)
    return np.asarray(own - weights / np.where(total > 0, total, 1.0))


def _check(target: Mask) -> None:
    if not target.any():
        raise EstimationError(
            "efficient_staggered: nobody is left to compare with in the window; it needs units that start later, or never"
        )


def _headline(groups: Groups, target: Mask, estimand: Estimand) -> Array:
    """(groups, periods) weights of the effects of each start and period in the headline, summing to 1."""
    numbers = target * groups.counts[:, None]
    if estimand == "simple":
        return np.asarray(numbers / numbers.sum())
    if estimand == "cohort":
        rows = target.sum(axis=1)
        within = target / np.maximum(rows, 1)[:, None] * groups.counts[:, None]
        return np.asarray(within / within.sum())
    if estimand == "calendar":
        within = numbers / np.maximum(numbers.sum(axis=0), 1.0)
        return np.asarray(within / within.sum())
    event = np.arange(target.shape[1])[None, :] - groups.starts[:, None]
    weights = np.zeros(target.shape)
    for time in np.unique(event[target]):
        at = numbers * (event == time)
        weights += at / at.sum()
    return np.asarray(weights / weights.sum())


def _path(groups: Groups, shares: Array, target: Mask, identified: Mask, options: Options) -> tuple[Estimates, Indices]:
    """The headline and then one estimate for each event time that is identified."""
    event = np.arange(target.shape[1])[None, :] - groups.starts[:, None]
    times = np.unique(event[identified])
    numbers = identified * groups.counts[:, None]
    layers = np.array([numbers * (event == time) for time in times])
    layers /= layers.sum(axis=(1, 2), keepdims=True)
    headline = _headline(groups, target, options.estimand)
    return _estimates(groups, shares, np.concatenate([headline[None], layers]), options), times


def _estimates(groups: Groups, shares: Array, layers: Array, options: Options) -> Estimates:
    """Estimates from the (estimates, groups, periods) weights on the effects of each start and period."""
    after = np.einsum("lgt,gtk->lkt", layers, shares)
    before = np.zeros_like(after)
    comparing = np.einsum("lgt,gtk->lgk", layers, shares)
    inside = groups.starts < shares.shape[1]
    before[:, :, groups.starts[inside] - 1] = np.moveaxis(comparing[:, inside], 1, 2)
    spread_of = groups.covariances / groups.counts[:, None, None]
    moved = np.einsum("lgt,gts->lgs", before, spread_of)
    variance, covariance = np.einsum("lgs,lgs->l", moved, before), np.einsum("lgs,lgs->l", moved, after)
    beta = np.ones(len(layers))
    if options.estimator == "efficient":
        beta = np.where(variance > 0.0, covariance / np.where(variance > 0.0, variance, 1.0), 1.0)
    weights = after - beta[:, None, None] * before
    values = np.einsum("lgt,gt->l", weights, groups.means)
    if not groups.known:
        unknown = np.full((len(layers), len(layers)), np.nan)
        return Estimates(values, weights, beta, unknown, unknown)
    flat = weights.reshape(len(layers), -1)
    neyman = np.einsum("lgt,gts->lgs", weights, spread_of).reshape(flat.shape) @ flat.T
    adjusted = neyman - _explained(groups, after)
    # where less than nothing would be left, the conservative variance stands
    poor = np.diag(adjusted) <= 0.0
    adjusted[poor] = neyman[poor]
    adjusted[:, poor] = neyman[:, poor]
    return Estimates(values, weights, beta, adjusted, neyman)


def _explained(groups: Groups, after: Array) -> Array:
    """(estimates, estimates) what outcomes before the first start that an estimate uses tell of its effects' variance.

    (1/N) (Σ_g β_g)' (mean of M S_g M') (Σ_g β_g), β_g = (M S_g M')⁺ M S_g A_g', with M picking the periods before that start and
    g over the groups from it on. Estimates with other first starts share the mean of their two matrices.
    """
    n_periods = after.shape[2]
    slopes = np.zeros((len(after), n_periods))
    centres = np.zeros((len(after), n_periods, n_periods))
    firsts = np.array([int(np.flatnonzero(each.any(axis=1))[0]) if each.any() else 0 for each in after])
    for first in np.unique(firsts):
        rows, early = np.flatnonzero(firsts == first), int(groups.starts[first])
        covariances = groups.covariances[first:]
        inverse = np.linalg.pinv(covariances[:, :early, :early], rcond=1e-10, hermitian=True)
        told = np.matmul(inverse, covariances[:, :early])
        slopes[rows, :early] = np.einsum("gas,lgs->la", told, after[rows, first:])
        centres[rows, :early, :early] = covariances[:, :early, :early].mean(axis=0)
    half = np.einsum("la,lab->lb", slopes, centres) @ slopes.T
    return np.asarray((half + half.T) / 2.0 / groups.counts.sum())


def _details(panel: Panel, groups: Groups, shares: Array, target: Mask, options: Options) -> dict[str, Value]:
    """Effects by start and by period with both standard errors; nothing more than the path with one start."""
    if len(panel.starts) == 1:
        return {}
    masks, labels, keys = [], [], []
    for place in np.flatnonzero(target.any(axis=1)):
        masks.append(target * (np.arange(len(target)) == place)[:, None])
        labels.append(panel.periods[int(groups.starts[place])].label)
        keys.append("group")
    for column in np.flatnonzero(target.any(axis=0)):
        masks.append(target * (np.arange(target.shape[1]) == column))
        labels.append(panel.periods[int(column)].label)
        keys.append("period")
    layers = np.array([mask * groups.counts[:, None] for mask in masks])
    found = _estimates(groups, shares, layers / layers.sum(axis=(1, 2), keepdims=True), options)
    rows: list[tuple[str, dict[str, Value]]] = [
        (key, {key: label, "effect": number(effect), **_errors(found, place, groups.known)})
        for place, (key, label, effect) in enumerate(zip(keys, labels, found.values, strict=True))
    ]
    kinds = {"group": "group", "calendar": "period"}
    return {"aggregates": {name: [row for key, row in rows if key == kind] for name, kind in kinds.items()}}


def _errors(found: Estimates, place: int, known: bool) -> dict[str, Value]:
    """The adjusted and the conservative standard error of one estimate."""
    if not known:
        return {"std_error": None, "std_error_neyman": None}
    squares = np.maximum([found.adjusted[place, place], found.neyman[place, place]], 0.0)
    adjusted, neyman = np.sqrt(squares)
    return {"std_error": number(adjusted), "std_error_neyman": number(neyman)}


def _fit_of(
    panel: Panel,
    kept: Panel,
    groups: Groups,
    found: Estimates,
    times: Indices,
    details: dict[str, Value],
    notes: list[Note],
) -> Fit:
    """The Fit in the order of the full panel, with the two variances where every group has several units."""
    influence, variance = None, None
    if groups.known:
        own = np.zeros((found.values.size, kept.n_units))
        for place, rows in enumerate(groups.members):
            # the sum of squares is then A S_g A' / N_g, the Neyman variance
            scale = np.sqrt(groups.counts[place] * (groups.counts[place] - 1.0))
            own[:, rows] = found.weights[:, place] @ (kept.outcome[rows] - groups.means[place]).T / scale
        influence = spread(own, kept, panel)
        variance = found.adjusted
        assert panel.cluster is not None  # set by Panel itself
        if len(np.unique(panel.cluster)) < panel.n_units:
            # timing was drawn for clusters: the sums within them, without the adjustment, which is for single units
            sums = by_cluster(influence, panel.cluster)
            variance = sums @ sums.T
    effects = np.where(times == -1, 0.0, found.values[1:])
    common = len(kept.starts) == 1
    observed = groups.means[0] if common else None
    controls = (~panel.treated) / max(1, int((~panel.treated).sum()))
    if common and kept.n_units < panel.n_units:
        used = ~kept.treated
        controls = spread(used / max(1, int(used.sum())), kept, panel)
    return Fit(
        att=float(found.values[0]),
        effects=effects,
        event_times=times,
        periods=times + kept.starts[0] if common else None,
        observed=observed,
        counterfactual=None if observed is None else observed - effects,
        unit_weights=controls if common and controls.any() else None,
        fit_rmse=float(np.sqrt(np.mean(effects[times < 0] ** 2))),
        influence=None if influence is None else influence[0],
        path_influence=None if influence is None else influence[1:],
        small_sample=False,
        variance=variance,
        n_obs=kept.n_units * kept.n_periods,
        notes=tuple(notes),
        details={"beta": number(found.beta[0]), **_errors(found, 0, groups.known), **details},
    )


METHOD = Method(
    name="efficient_staggered",
    summary="efficient comparison of staggered starts whose timing is as good as random",
    fit=fit,
    options=Options,
    needs=("balanced", "one_pre_period"),
    keeps=frozenset({"period_shift", "common_shift", "scale", "unit_order"}),
    default_inference="analytic",
    source="Roth & Sant'Anna (2023), Journal of Political Economy Microeconomics 1(4), section 2",
)
