"""The block bootstrap: clusters drawn anew with all their periods, and everything fitted again."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.cluster import unsuited
from evaluation.inference.draws import path_at
from evaluation.panel import Array, Indices, Panel
from evaluation.regression import by_cluster, numbered_clusters
from evaluation.result import Note

DRAWS = 499

MOST_REFITS = 2_000
"""With more clusters than these, an estimator with influences by unit is not fitted again: its influences are drawn."""

FEWEST = 0.8
"""At least this share of the draws must be computable."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Effects of the draws that could be computed: (draws,) the headline and (draws, times) the path."""

    effects: Array
    paths: Array
    notes: tuple[Note, ...] = ()


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Percentile interval, and p-value and standard error, of effects computed from clusters drawn with replacement.

    Treated clusters are drawn among the treated and the others among the others, as many as there are of each; adjustment and
    estimator are fitted to every draw. The limits are the k-th smallest and largest effect with k = ⌊(1 − level)/2 × (draws + 1)⌋,
    and the p-value twice the share (one draw added) on the far side of zero, so that both say the same.

    Returns
    -------
    Interval
        With two thousand clusters and more, and influences by unit, effects are θ̂ + Σ (n_c − 1) ψ_c, with n_c how often cluster
        c was drawn: the first order of the same bootstrap. A note says so.

    Raises
    ------
    EstimationError
        There is but one treated or one control cluster, or the estimator fails for more than a fifth of the draws.

    References
    ----------
    Bertrand, Duflo & Mullainathan (2004), Quarterly Journal of Economics 119(1), section IV.B; synthetic difference in
    differences: Arkhangelsky et al. (2021), American Economic Review 111(12), Algorithm 2.
    """
    fit = pipeline(panel)
    draws = _draws(pipeline, panel, fit, rng)
    lower, upper = _limits(draws.effects[:, None], level)
    below, above = _limits(draws.paths, level)
    errors = _spread(draws.paths)
    return Interval(
        std_error=float(draws.effects.std(ddof=1)),
        lower=float(lower[0]),
        upper=float(upper[0]),
        p_value=float(_p_values(draws.effects[:, None])[0]),
        path_std_error=errors,
        path_lower=np.where(np.isfinite(errors), below, np.nan),
        path_upper=np.where(np.isfinite(errors), above, np.nan),
        path_p_value=np.where(np.isfinite(errors), _p_values(draws.paths), np.nan),
        notes=draws.notes,
        details={"draws": draws.effects.size},
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    return float(_p_values(_draws(pipeline, panel, pipeline(panel), rng).effects[:, None])[0])


def _draws(pipeline: Pipeline, panel: Panel, fit: Fit, rng: Rng) -> Draws:
    clusters = numbered_clusters(panel)
    treated = np.unique(clusters[panel.treated])
    others = np.setdiff1d(clusters, treated)
    # where all are treated at some time the comparison is among them, and there is nothing else to draw
    if treated.size < 2 or others.size == 1:
        what = "treated" if treated.size < 2 else "control"
        raise EstimationError(f"block_bootstrap: only one {what} cluster, which would be drawn every time")
    if treated.size + others.size > MOST_REFITS and fit.influence is not None:
        return _from_influence(fit, clusters, treated, others, rng)
    # rows by name within their cluster, so that the order of the rows does not matter
    rows = np.argsort(np.array(panel.units), kind="stable")
    rows = rows[np.argsort(clusters[rows], kind="stable")]
    blocks = np.split(rows, np.flatnonzero(np.diff(clusters[rows])) + 1)
    effects, paths, failed = [], [], 0
    for _ in range(DRAWS):
        drawn = np.concatenate([rng.choice(group, group.size) for group in (treated, others) if group.size])
        try:
            one = pipeline(_resampled(panel, [blocks[cluster] for cluster in drawn]))
        except EstimationError:
            failed += 1
            continue
        if not math.isfinite(one.att):
            failed += 1
            continue
        effects.append(one.att)
        paths.append(path_at(one, fit.event_times))
    if len(effects) < FEWEST * DRAWS:
        raise EstimationError(
            f"block_bootstrap: {failed} of {DRAWS} draws could not be computed; so often something is lost by chance that the "
            "others say little"
        )
    notes: tuple[Note, ...] = ()
    if failed:
        text = f"{failed} of {DRAWS} draws could not be computed and are left out."
        notes = (Note("bootstrap_failed", text, {"count": failed, "draws": DRAWS}),)
    return Draws(np.array(effects), np.array(paths).reshape(len(effects), fit.effects.size), notes)


def _resampled(panel: Panel, blocks: list[Indices]) -> Panel:
    """The panel of some clusters' rows; one that was drawn again is another cluster of other units."""
    drawn = panel.keep_units(np.concatenate(blocks).tolist())
    cluster = np.repeat(np.arange(len(blocks)), [block.size for block in blocks])
    units = tuple(f"{name} #{number}" for name, number in zip(drawn.units, cluster.tolist(), strict=True))
    return dataclasses.replace(drawn, units=units, cluster=cluster)


def _from_influence(fit: Fit, clusters: Indices, treated: Indices, others: Indices, rng: Rng) -> Draws:
    """θ̂ + Σ (n_c − 1) ψ_c, with the ψ_c of each stratum around their mean, since their number is fixed."""
    assert fit.influence is not None
    parts = [fit.influence[None, :]] if fit.path_influence is None else [fit.influence[None, :], fit.path_influence]
    order = np.argsort(clusters, kind="stable")
    sums = by_cluster(np.concatenate(parts)[:, order], clusters[order])
    moved = np.zeros((DRAWS, len(sums)))
    for stratum in (treated, others):
        around = (sums[:, stratum] - sums[:, stratum].mean(axis=1, keepdims=True)).T
        for draw in moved:
            draw += np.bincount(rng.integers(0, stratum.size, stratum.size), minlength=stratum.size) @ around
    paths = fit.effects + moved[:, 1:] if len(sums) > 1 else np.full((DRAWS, fit.effects.size), np.nan)
    count = treated.size + others.size
    text = (
        f"With {count} clusters the bootstrap draws each one's contribution to the effect anew, instead of computing everything "
        "again."
    )
    return Draws(fit.att + moved[:, 0], paths, (Note("bootstrap_from_influence", text, {"clusters": count}),))


def _limits(draws: Array, level: float) -> tuple[Array, Array]:
    """(columns,) lower and upper percentile limits; infinite where the draws are too few for the level."""
    place = math.floor((1.0 - level) / 2.0 * (len(draws) + 1) + 1e-9)
    if place == 0:
        return np.full(draws.shape[1], -math.inf), np.full(draws.shape[1], math.inf)
    ordered = np.sort(draws, axis=0)
    return ordered[place - 1], ordered[-place]


def _p_values(draws: Array) -> Array:
    """(columns,) twice the share of draws beyond zero, on the side where they are fewer."""
    fewer = np.minimum((draws <= 0.0).sum(axis=0), (draws >= 0.0).sum(axis=0))
    return np.asarray(np.minimum(1.0, 2.0 * (1 + fewer) / (1 + len(draws))), dtype=np.float64)


def _spread(draws: Array) -> Array:
    """(columns,) standard deviations; NaN where nothing varies or a draw has no value."""
    complete = np.isfinite(draws).all(axis=0)
    spread = np.where(complete, np.where(complete, draws, 0.0).std(axis=0, ddof=1), np.nan)
    return np.where(spread > 0.0, spread, np.nan)


METHOD = Inference(
    name="block_bootstrap",
    summary="clusters drawn anew with all their periods and everything fitted again; percentile interval",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Bertrand, Duflo & Mullainathan (2004), Quarterly Journal of Economics 119(1); Arkhangelsky et al. (2021), Algorithm 2",
    many_treated=True,
)
