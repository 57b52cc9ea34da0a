"""Bias-reduced cluster-robust standard errors with degrees of freedom of their own, for few or unequal clusters."""

from __future__ import annotations

import dataclasses

from evaluation.contracts import Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.cluster import unsuited
from evaluation.inference.sandwich import Leverage, bias_reduced, leverage_of
from evaluation.inference.scores import Scores, from_variances, scores_of, t_p_value
from evaluation.panel import Panel


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """CR2: residuals are blown up for each cluster's own leverage, and t quantiles take Satterthwaite's degrees of freedom.

    Unequal clusters, or a treatment that few of them have, leave few degrees of freedom, and the interval says so by its width.

    Raises
    ------
    EstimationError
        The estimator is no regression with unit and period effects, or there is but one cluster.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28(2); Pustejovsky & Tipton (2018), Journal of Business & Economic Statistics 36(4).
    """
    fit, headline, path = scores_of(pipeline, panel, "cluster_cr2")
    leverage = _leverage(headline)
    # an effect of the path with a regressor of its own (see `Scores`) would need a decomposition of its own
    same = tuple(scores if scores is not None and scores.within is headline.within else None for scores in path)
    own = bias_reduced(headline, leverage)
    found = from_variances(
        fit, headline, same, level, lambda scores: own if scores is headline else bias_reduced(scores, leverage)
    )
    return dataclasses.replace(found, details={"clusters": headline.n_clusters, "degrees_of_freedom": own[1]})


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    _, headline, _ = scores_of(pipeline, panel, "cluster_cr2")
    return t_p_value(headline.effect, *bias_reduced(headline, _leverage(headline)))


def _leverage(headline: Scores) -> Leverage:
    try:
        return leverage_of(headline)
    except EstimationError as refusal:
        raise EstimationError(f"cluster_cr2: {refusal}") from None


METHOD = Inference(
    name="cluster_cr2",
    summary="bias-reduced cluster-robust standard errors (CR2) with Satterthwaite degrees of freedom, for few or unequal clusters",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Bell & McCaffrey (2002), Survey Methodology 28(2); Pustejovsky & Tipton (2018), J. of Business & Economic Statistics 36(4)",
    many_treated=True,
)
