"""Driscoll-Kraay standard errors: units may move together, shocks may last a while; for long panels."""

from __future__ import annotations

import dataclasses
import math

from evaluation.contracts import Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.newey_west import unsuited
from evaluation.inference.sandwich import default_lag, driscoll_kraay, observed_periods, parameters, small_sample
from evaluation.inference.scores import Scores, from_variances, scores_of, t_p_value
from evaluation.panel import Panel

NOTHING = 1e-20
"""Relative to the sum of squared scores: sums by period as small as rounding."""


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Variance of scores summed over all units of a period, with Bartlett weights on the ⌊T^¼⌋ periods that follow.

    Any correlation between units is allowed for; the theory is for many periods, and with few of them the error is too small.
    The factor is fixest's, (N − 1)/(N − K) × T/(T − 1) with every effect counted, and quantiles are t with T − 1 degrees of freedom.

    Raises
    ------
    EstimationError
        The estimator is no regression with unit and period effects, or one with an effect for every period.

    References
    ----------
    Driscoll & Kraay (1998), Review of Economics and Statistics 80(4).
    """
    fit, headline, path = scores_of(pipeline, panel, "driscoll_kraay")
    found = from_variances(fit, headline, path, level, _variance)
    if not math.isfinite(found.std_error):
        raise EstimationError(
            "driscoll_kraay: the regression has an effect for every period after the start and so fits the sum of each period "
            "exactly; nothing is left to see shocks by. `did`, or `cluster` and `newey_west`, may serve"
        )
    return dataclasses.replace(
        found, details={"lag": default_lag(headline), "degrees_of_freedom": observed_periods(headline) - 1}
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    _, headline, _ = scores_of(pipeline, panel, "driscoll_kraay")
    variance, degrees = _variance(headline)
    if not math.isfinite(variance):
        raise EstimationError("driscoll_kraay: the regression fits the sum of each period exactly")
    return t_p_value(headline.effect, variance, degrees)


def _variance(scores: Scores) -> tuple[float, float]:
    """The variance with fixest's factor, every effect counted, and T − 1 degrees of freedom; NaN where all sums are zero."""
    periods = observed_periods(scores)
    bare = driscoll_kraay(scores, default_lag(scores))
    if bare <= NOTHING * float((scores.scores**2).sum()):
        return math.nan, periods - 1
    return bare * small_sample(scores, parameters(scores, "full"), periods), periods - 1


METHOD = Inference(
    name="driscoll_kraay",
    summary="Driscoll-Kraay standard errors: units correlated with one another, shocks that last; for long panels",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Driscoll & Kraay (1998), Review of Economics and Statistics 80(4)",
    many_treated=True,
)
