"""The wild cluster bootstrap with the hypothesis imposed: a t test whose critical values come from the data at hand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from evaluation.contracts import Inference, Interval, Pipeline, Rng
from evaluation.inference.cluster import unsuited
from evaluation.inference.sandwich import parameters, small_sample
from evaluation.inference.scores import Scores, scores_of
from evaluation.panel import Array, Panel

Weights: TypeAlias = Array | npt.NDArray[np.int8]

DRAWS = 9_999
"""Draws of the clusters' weights; all sign vectors instead where there are no more than one beyond these (13 clusters)."""

DRAWS_OF_PATH = 999
"""Draws for each effect on the path, the first of the same ones."""

DRAWS_OF_MANY = 999
MANY = 5_000
"""From this many clusters on the draws hardly differ from the normal distribution, and fewer are made."""

SIGNS_TOO_FEW = 6
"""Below this many clusters no sign vectors reach p = 0.05 (two of 2^5 are 0.06): then Webb's six points are drawn."""

PRODUCTS = 250_000
"""Multiplications worked on at a time: what a cache holds, and too few for a linear algebra library to hand them to threads."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """All draws, as functions of the hypothesis θ₀.

    With d = θ̂ − θ₀, draw b has the numerator n₀ + d n₁ and the variance s₀₀ + 2 d s₀₁ + d² s₁₁.

    Attributes
    ----------
    effect : float
        θ̂.
    variance : float
        Of θ̂: the sum of squared scores of clusters.
    numerator, spread : Array
        (2, draws) n₀, n₁ and (3, draws) s₀₀, s₀₁, s₁₁.
    exhaustive : bool
        The draws are all sign vectors, the one that leaves the data as they are among them.
    """

    effect: float
    variance: float
    numerator: Array
    spread: Array
    exhaustive: bool

    def p_value(self, hypothesis: float, *, imposed: bool = True) -> float:
        """The share of draws with a larger t statistic than that of θ̂ − θ₀; equal up to rounding is not larger.

        Among all sign vectors the data as they are and their mirror image are always as large; they are not counted, but no
        p-value is given below their share. Among draws θ̂ itself counts as one.
        """
        difference = self.effect - hypothesis
        d = difference if imposed else 0.0
        numerator = self.numerator[0] + d * self.numerator[1]
        spread = self.spread[0] + d * (2.0 * self.spread[1] + d * self.spread[2])
        # multiplied out, so that a draw without variance needs no case of its own
        own = (1.0 + 1e-9) * difference * difference
        draws = self.numerator.shape[1]
        count = int(np.count_nonzero(numerator * numerator * self.variance > own * spread))
        return float(max(2, count) / draws if self.exhaustive else (1 + count) / (1 + draws))

    def interval(self, level: float) -> tuple[float, float]:
        """The hypotheses around θ̂ that are not rejected: out until one is, then halved; no limit where none is."""
        error = math.sqrt(self.variance)
        limits = []
        for side in (-1.0, 1.0):
            inside, outside = 0.0, 2.0
            while outside < 1e6 and self.p_value(self.effect + side * outside * error) > 1.0 - level + 1e-12:
                inside, outside = outside, 1.5 * outside
            if outside >= 1e6:
                limits.append(side * math.inf)
                continue
            for _ in range(45):
                middle = 0.5 * (inside + outside)
                if self.p_value(self.effect + side * middle * error) > 1.0 - level + 1e-12:
                    inside = middle
                else:
                    outside = middle
            limits.append(self.effect + side * inside * error)
        return limits[0], limits[1]


def bootstrap(scores: Scores, weights: Weights, exhaustive: bool) -> Bootstrap:
    """Every draw's numerator and variance from sums by cluster; nothing is regressed again.

    The residuals with θ₀ imposed are e + d α/Σwα², d = θ̂ − θ₀. A draw multiplies those of cluster h by v_h. Its scores by cluster
    are then S = v ∘ q − (v'C) A Ĉ', with q_g = Σ_g w α ẽ, C and Ĉ the clusters' products of ẽ and of α with the period effects
    and regressors, and A the inverse of the latter's own products: the second term is what estimating them again takes out.

    Parameters
    ----------
    scores : Scores
        Of the headline effect, or of one effect on its path.
    weights : Weights
        (draws, clusters) v; whole numbers where they are signs, since most of the memory is theirs.
    exhaustive : bool
        The draws are all there are.

    References
    ----------
    Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90(3); from sums by cluster: Roodman, Nielsen, MacKinnon
    & Webb (2019), Stata Journal 19(1).
    """
    alpha, cells = scores.alpha, scores.cells
    length = float(np.einsum("it,it,it->", cells, alpha, alpha))
    core, own = scores.core, scores.sums(alpha)
    sums_0, sums_1 = scores.sums(scores.residuals), own / length
    direct_0 = scores.within_clusters(scores.scores.sum(axis=1))
    direct_1 = scores.within_clusters((cells * alpha**2).sum(axis=1)) / length
    back = core @ own.T
    numerator = np.empty((2, len(weights)))
    spread = np.empty((3, len(weights)))
    step = max(16, PRODUCTS // sums_0.size)
    for first in range(0, len(weights), step):
        v = weights[first : first + step].astype(np.float64)
        part = slice(first, first + step)
        s_0 = v * direct_0 - (v @ sums_0) @ back
        s_1 = v * direct_1 - (v @ sums_1) @ back
        numerator[0, part], numerator[1, part] = v @ direct_0, v @ direct_1
        spread[0, part] = np.einsum("bg,bg->b", s_0, s_0)
        spread[1, part] = np.einsum("bg,bg->b", s_0, s_1)
        spread[2, part] = np.einsum("bg,bg->b", s_1, s_1)
    return Bootstrap(scores.effect, float(direct_0 @ direct_0), numerator, spread, exhaustive)


def cluster_weights(n_clusters: int, rng: Rng) -> tuple[Weights, bool]:
    """(draws, clusters) weights, and whether they are all sign vectors.

    References
    ----------
    Webb (2023), Canadian Journal of Economics 56(3), for the six points; MacKinnon, Nielsen & Webb (2023), Journal of
    Econometrics 232(2), for signs (Rademacher's weights) otherwise.
    """
    if n_clusters < SIGNS_TOO_FEW:
        points = np.sqrt([0.5, 1.0, 1.5])
        return np.asarray(rng.choice(np.concatenate([-points, points]), size=(DRAWS, n_clusters))), False
    if 2**n_clusters <= DRAWS + 1:
        return sign_vectors(n_clusters), True
    draws = DRAWS if n_clusters < MANY else DRAWS_OF_MANY
    size = draws * n_clusters
    bits = np.unpackbits(np.frombuffer(rng.bytes(size // 8 + 1), dtype=np.uint8), count=size)
    return 2 * bits.reshape(draws, n_clusters).view(np.int8) - 1, False


def sign_vectors(n_clusters: int) -> Weights:
    """(2^clusters, clusters) every vector of signs, the one without a minus first."""
    bits = (np.arange(2**n_clusters)[:, None] >> np.arange(n_clusters)) & 1
    return np.asarray(1 - 2 * bits, dtype=np.int8)


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Two-sided p-value of the restricted wild cluster bootstrap-t, and the interval of all effects it does not reject.

    The hypothesis is about the headline as it is weighted, by persons too (see `Scores`); the residuals are those of the
    regression with the headline held at θ₀. Every draw takes out the period effects and the covariates again.

    Returns
    -------
    Interval
        `std_error` is the cluster-robust one (CR1), to which the bootstrap gives critical values.

    Raises
    ------
    EstimationError
        The estimator is no regression with unit and period effects, or there is but one cluster.

    References
    ----------
    Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90(3) (wild cluster bootstrap-t, null imposed); the
    interval by inversion: Roodman, Nielsen, MacKinnon & Webb (2019), Stata Journal 19(1).
    """
    fit, headline, path = scores_of(pipeline, panel, "wild_bootstrap")
    weights, exhaustive = cluster_weights(headline.n_clusters, rng)
    found = bootstrap(headline, weights, exhaustive)
    columns = np.full((4, fit.effects.size), np.nan)
    for place, scores in enumerate(path):
        if scores is not None:
            one = bootstrap(scores, weights if exhaustive else weights[:DRAWS_OF_PATH], exhaustive)
            error = math.sqrt(one.variance * _factor(scores))
            columns[:, place] = (error, *one.interval(level), one.p_value(0.0))
    lower, upper = found.interval(level)
    return Interval(
        std_error=math.sqrt(found.variance * _factor(headline)),
        lower=lower,
        upper=upper,
        p_value=found.p_value(0.0),
        path_std_error=columns[0],
        path_lower=columns[1],
        path_upper=columns[2],
        path_p_value=columns[3],
        details={
            "clusters": headline.n_clusters,
            "draws": len(weights),
            "all_sign_vectors": exhaustive,
            "weights": "signs" if headline.n_clusters >= SIGNS_TOO_FEW else "six points",
        },
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    _, headline, _ = scores_of(pipeline, panel, "wild_bootstrap")
    return bootstrap(headline, *cluster_weights(headline.n_clusters, rng)).p_value(0.0)


def _factor(scores: Scores) -> float:
    return small_sample(scores, parameters(scores), scores.n_clusters)


METHOD = Inference(
    name="wild_bootstrap",
    summary="wild cluster bootstrap-t with the hypothesis imposed, for regressions with few or unequal clusters",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90(3); Roodman et al. (2019), Stata Journal 19(1)",
    many_treated=True,
)
