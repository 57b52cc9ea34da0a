"""The jackknife: how much the effect moves when each cluster in turn is left out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.cluster import p_value, unsuited
from evaluation.inference.draws import path_at
from evaluation.inference.sandwich import leverage_of, without_each_cluster
from evaluation.inference.scores import scores_of
from evaluation.numerics import contrast, target_weights
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.regression import numbered_clusters
from evaluation.result import Note

MOST_REFITS = 500
"""Clusters left out one by one with everything fitted again, at most; of more, a regression's are left out in closed form and
others in this many random groups."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Effects without each cluster: (groups,) the headline, (groups, times) the path (NaN where it is not known)."""

    effects: Array
    paths: Array
    notes: tuple[Note, ...] = ()


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Variance (G − 1)/G Σ (θ̂₋g − θ̂)², with t quantiles of G − 1 degrees of freedom.

    What is fitted again without cluster g depends on the estimator. Where the effect is the contrast of weights ω on controls and
    λ on periods before (synthetic difference in differences), the weights are kept, ω scaled up to 1 again, as Algorithm 3 asks.
    Otherwise adjustment and estimator are fitted again; with more clusters than that is worth, a regression's effect without
    each of them is computed in closed form, and another's without each of some hundred random groups.

    Returns
    -------
    Interval
        NaN with one treated cluster, without which there is no effect, or where something else is lost with a cluster.

    Raises
    ------
    EstimationError
        There are fewer than three clusters.

    References
    ----------
    Arkhangelsky et al. (2021), American Economic Review 111(12), Algorithm 3; regressions: MacKinnon, Nielsen & Webb (2023),
    Journal of Applied Econometrics 38(5), CV3, of which it is the reason to prefer it to CR1 where clusters are few or unequal.
    """
    fit = pipeline(panel)
    found = _left_out(pipeline, panel, fit, rng)
    if isinstance(found, Note):
        return Interval(math.nan, math.nan, math.nan, math.nan, notes=(found,))
    groups = found.effects.size
    factor = (groups - 1) / groups
    error = math.sqrt(factor * float(((found.effects - fit.att) ** 2).sum()))
    moved = found.paths - fit.effects
    errors = np.sqrt(factor * (moved**2).sum(axis=0))
    errors = np.where(errors > 1e-12 * max(error, 1e-300), errors, np.nan)
    quantile = float(stdtrit(groups - 1, 0.5 + level / 2.0))
    return Interval(
        std_error=error,
        lower=fit.att - quantile * error,
        upper=fit.att + quantile * error,
        p_value=p_value(fit.att, error, groups - 1),
        path_std_error=errors,
        path_lower=fit.effects - quantile * errors,
        path_upper=fit.effects + quantile * errors,
        path_p_value=np.asarray(2.0 * stdtr(groups - 1, -np.abs(fit.effects / errors)), dtype=np.float64),
        notes=found.notes,
        details={"left_out": groups},
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    fit = pipeline(panel)
    found = _left_out(pipeline, panel, fit, rng)
    if isinstance(found, Note):
        return math.nan
    groups = found.effects.size
    error = math.sqrt((groups - 1) / groups * float(((found.effects - fit.att) ** 2).sum()))
    return p_value(fit.att, error, groups - 1)


def _left_out(pipeline: Pipeline, panel: Panel, fit: Fit, rng: Rng) -> LeftOut | Note:
    """The effects without each cluster, or why there are none."""
    groups = numbered_clusters(panel)
    count = int(groups.max()) + 1
    if count < 3:
        raise EstimationError(f"jackknife: {count} clusters are too few to leave one out")
    treated = np.unique(groups[panel.treated])
    if treated.size < 2:
        return Note(
            "jackknife_one_treated",
            "Only one treated cluster: without it there is no effect, so the jackknife cannot say how uncertain it is.",
        )
    notes: tuple[Note, ...] = ()
    if count > MOST_REFITS:
        if pipeline.method.regression is not None and pipeline.adjustment.idle:
            try:
                return _in_closed_form(pipeline, panel)
            except EstimationError:
                pass  # its headline is none of the regression's: in groups, as others
        groups = _random_groups(groups, treated, rng)
        made = int(groups.max()) + 1
        text = f"The {count} clusters were left out in {made} random groups rather than one by one."
        notes = (Note("jackknife_in_groups", text, {"clusters": count, "groups": made}),)
        count = made
    effects, paths = np.empty(count), np.full((count, fit.effects.size), np.nan)
    by_weights = _keeps_weights(panel, fit)
    for group in range(count):
        keep = groups != group
        try:
            one = _with_weights(panel, fit, keep) if by_weights else pipeline(panel.keep_units(keep))
        except EstimationError:
            return _lost(panel, ~keep)
        if not math.isfinite(one.att):
            return _lost(panel, ~keep)
        effects[group] = one.att
        paths[group] = path_at(one, fit.event_times)
    return LeftOut(effects, paths, notes)


def _lost(panel: Panel, left_out: Mask) -> Note:
    names = [panel.units[row] for row in np.flatnonzero(left_out)]
    units = names[0] if len(names) == 1 else f"{names[0]}, ..."
    return Note(
        "jackknife_group_of_one",
        f"Without {units} the effect cannot be computed, so the jackknife cannot say how uncertain it is.",
        {"units": units},
    )


def _keeps_weights(panel: Panel, fit: Fit) -> bool:
    """Whether the fit is the contrast of its weights: then leaving a cluster out keeps them."""
    if fit.unit_weights is None or fit.time_weights is None or not panel.balanced or len(panel.starts) != 1:
        return False
    again = _with_weights(panel, fit, np.ones(panel.n_units, dtype=np.bool_)).att
    return abs(again - fit.att) <= 1e-9 * max(1.0, float(np.abs(panel.outcome).max()))


def _with_weights(panel: Panel, fit: Fit, keep: Mask) -> Fit:
    """The contrast of the units that are kept, with the weights there were."""
    assert fit.unit_weights is not None
    kept = panel.keep_units(keep)
    controls = fit.unit_weights[keep]
    total = float(controls.sum())
    if total <= 1e-9:
        raise EstimationError("all weight lay on one control")
    found = contrast(kept.outcome, target_weights(kept), controls / total, fit.time_weights, panel.starts[0])
    return Fit(found.att, found.effects, np.arange(panel.n_periods) - panel.starts[0])


def _in_closed_form(pipeline: Pipeline, panel: Panel) -> LeftOut:
    """A regression's effect without each cluster: θ̂ − α'(I − H_gg)⁻¹e, the weights in its headline kept."""
    fit, headline, path = scores_of(pipeline, panel, "jackknife")
    leverage = leverage_of(headline)
    effects = fit.att - without_each_cluster(headline, leverage)
    if not np.isfinite(effects).all():
        raise EstimationError("jackknife: the effect is not identified without one of the clusters")
    paths = np.full((effects.size, fit.effects.size), np.nan)
    for place, scores in enumerate(path):
        if scores is not None and scores.within is headline.within:
            paths[:, place] = fit.effects[place] - without_each_cluster(scores, leverage)
    return LeftOut(effects, paths)


def _random_groups(clusters: Indices, treated: Indices, rng: Rng) -> Indices:
    """(units,) clusters dealt out to groups, the treated ones and the others each as evenly as they go."""
    others = np.setdiff1d(np.arange(clusters.max() + 1), treated)
    group = np.empty(clusters.max() + 1, dtype=np.int64)
    dealt = np.concatenate([rng.permutation(treated), rng.permutation(others)])
    group[dealt] = np.arange(dealt.size) % MOST_REFITS
    return np.asarray(group[clusters])


METHOD = Inference(
    name="jackknife",
    summary="the jackknife: how much the effect moves without each treated or control cluster; not for one treated",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Arkhangelsky et al. (2021), American Economic Review 111(12), Algorithm 3; MacKinnon, Nielsen & Webb (2023)",
    many_treated=True,
)
