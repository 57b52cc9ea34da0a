"""Standard errors clustered by unit and by period: units share shocks within a period, of whatever kind."""

from __future__ import annotations

import dataclasses

from evaluation.contracts import Inference, Interval, Pipeline, Rng
from evaluation.inference.newey_west import unsuited
from evaluation.inference.sandwich import observed_periods, parameters, small_sample, two_way
from evaluation.inference.scores import Scores, from_variances, scores_of, t_p_value
from evaluation.panel import Panel

NOTHING = 1e-20
"""Relative to the sum of squares of the cells: sums by period as small as rounding."""


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Variance by cluster plus that by period less that of the cells of both, t with the fewer of both less one.

    Where that is not positive, or a regression with an effect for every period fits the sum of each period exactly, so that there
    is nothing by period to add, it is the variance by cluster (or by period, if larger) alone. The factor is fixest's:
    (N − 1)/(N − K), K without the effects (both are nested) but one, times G/(G − 1) of the fewer.

    Raises
    ------
    EstimationError
        The estimator is no regression with unit and period effects, or there is but one cluster.

    References
    ----------
    Cameron, Gelbach & Miller (2011), Journal of Business & Economic Statistics 29(2), section 2.
    """
    fit, headline, path = scores_of(pipeline, panel, "two_way_cluster")
    found = from_variances(fit, headline, path, level, _variance)
    return dataclasses.replace(found, details={"clusters": headline.n_clusters, "periods": observed_periods(headline)})


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    _, headline, _ = scores_of(pipeline, panel, "two_way_cluster")
    return t_p_value(headline.effect, *_variance(headline))


def _variance(scores: Scores) -> tuple[float, float]:
    """By cluster plus by period less by both."""
    parts = two_way(scores)
    fewest = min(scores.n_clusters, observed_periods(scores))
    bare = parts.by_cluster + parts.by_period - parts.by_both
    if bare <= 0.0 or parts.by_period <= NOTHING * parts.by_both:
        bare = max(parts.by_cluster, parts.by_period)
    return bare * small_sample(scores, parameters(scores, nested="both"), fewest), fewest - 1


METHOD = Inference(
    name="two_way_cluster",
    summary="standard errors clustered by unit and by period, for many of both",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Cameron, Gelbach & Miller (2011), Journal of Business & Economic Statistics 29(2)",
    many_treated=True,
)
