"""Newey-West standard errors by unit: shocks to a unit last a while, units do not move together."""

from __future__ import annotations

import dataclasses

from evaluation.contracts import Inference, Interval, Pipeline, Rng
from evaluation.inference.cluster import unsuited as few_clusters
from evaluation.inference.sandwich import default_lag, newey_west, observed_periods, parameters, small_sample
from evaluation.inference.scores import Scores, from_variances, scores_of, t_p_value
from evaluation.panel import Panel
from evaluation.result import Note

ENOUGH_PERIODS = 50
"""Fewer periods than these are few for a variance that rests on averages over time and on a lag of ⌊T^¼⌋."""


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Variance of each unit's scores over time, with Bartlett weights on the ⌊T^¼⌋ periods that follow.

    Shocks to a unit may last that long, and no longer; units are independent, clusters above them are not heeded. The factor is
    fixest's, (N − 1)/(N − K) × T/(T − 1) with every effect counted, and quantiles are t with T − 1 degrees of freedom.

    Raises
    ------
    EstimationError
        The estimator is no regression with unit and period effects, or there is but one cluster.

    References
    ----------
    Newey & West (1987), Econometrica 55(3), applied to each unit's scores.
    """
    fit, headline, path = scores_of(pipeline, panel, "newey_west")
    found = from_variances(fit, headline, path, level, _variance)
    return dataclasses.replace(
        found, details={"lag": default_lag(headline), "degrees_of_freedom": observed_periods(headline) - 1}
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    _, headline, _ = scores_of(pipeline, panel, "newey_west")
    return t_p_value(headline.effect, *_variance(headline))


def _variance(scores: Scores) -> tuple[float, float]:
    """The variance with fixest's factor, every effect counted, and T − 1 degrees of freedom."""
    periods = observed_periods(scores)
    bare = newey_west(scores, default_lag(scores))
    return bare * small_sample(scores, parameters(scores, "full"), periods), periods - 1


def unsuited(panel: Panel) -> Note | None:
    """Not valid with few treated or few control clusters; in doubt with few periods."""
    few = few_clusters(panel)
    if few is not None or panel.n_periods >= ENOUGH_PERIODS:
        return few
    return Note(
        "variance_few_periods",
        f"This standard error is made for long panels ({ENOUGH_PERIODS} periods, say); with {panel.n_periods} it is likely too small.",
        {"periods": panel.n_periods, "enough": ENOUGH_PERIODS},
    )


METHOD = Inference(
    name="newey_west",
    summary="Newey-West standard errors by unit: shocks that last, units independent; for long panels",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Newey & West (1987), Econometrica 55(3)",
    many_treated=True,
)
