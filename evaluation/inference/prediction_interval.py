"""Prediction intervals: how far the weights may be off, and how far the treated unit strays in any period, added up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.held_out import one_start
from evaluation.numerics import simplex_least_squares, target_weights
from evaluation.panel import Array, Panel
from evaluation.result import Note, number

NAME = "prediction_interval"

DRAWS = 200
"""Simulated errors of the pre-periods: the number of the authors' program."""

SLACK = 5e-3
"""How exactly, relative to its radius, the edge of the region is found: finer than 200 draws tell its quantiles."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """The effect, the simulated extremes of what the weights may miss (draws,), and the scale of the errors after the start."""

    effect: float
    least: Array
    most: Array
    scale: float
    autocorrelation: float
    weights: str

    def bounds(self, alpha: float) -> tuple[float, float]:
        """The interval of level 1 − α: half of α is spent on the weights, half on the errors after the start."""
        outside = self.scale * math.sqrt(2.0 * math.log(4.0 / alpha))
        lower = float(np.quantile(self.least, alpha / 4.0)) - outside
        upper = float(np.quantile(self.most, 1.0 - alpha / 4.0)) + outside
        return self.effect + lower, self.effect + upper

    def p_value(self) -> float:
        """The smallest α whose interval leaves 0 out: 1 where none does, and never below 1e-12."""
        least, most = math.log(1e-12), 0.0
        if self._holds_zero(1.0):
            return 1.0
        if not self._holds_zero(1e-12):
            return 1e-12
        for _ in range(60):
            middle = 0.5 * (least + most)
            least, most = (middle, most) if self._holds_zero(math.exp(middle)) else (least, middle)
        return math.exp(most)

    def _holds_zero(self, alpha: float) -> bool:
        lower, upper = self.bounds(alpha)
        return lower <= 0.0 <= upper


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Bound the two errors of a synthetic control separately and add the bounds.

    With ŵ the weights, w₀ those that they estimate, p the donors' outcomes in the window and e the treated unit's own error
    there, effect − estimate = p'(ŵ − w₀) − e.

    *In the sample.* ŵ fits the pre-periods at least as well as w₀, so δ = ŵ − w₀ obeys |Zδ − u|² ≤ |u|², u being the errors
    before the start. They are simulated, 200 times: the gaps of the fit times independent standard normals, times
    √(T₀/(T₀ − d)) with d free weights. For each draw p'δ is taken to its least and its largest value over all δ that obey and for
    which ŵ + δ is non-negative and sums to 1, exactly; the quantiles α/4 and 1 − α/4 of these count. No constraint that nearly
    binds is tightened (ρ = 0), which can only widen.

    *Out of the sample.* e is sub-Gaussian about 0 given the past: |e| ≤ σ √(2 log(4/α)) but for a chance of α/2. σ² is the mean
    squared gap before the start (same factor), for a mean over the window times q'Rq with q the window's weights and R the
    correlations of an autoregression of order one fitted to the gaps, not below 0. A mean gap that is not 0 widens the interval
    rather than shifts it.

    The p-value is the smallest α whose interval leaves 0 out. Where the weights are not estimated (`did`) only the level is:
    there p'δ lies between 0 and twice the mean of u. Periods of the path get no interval. What an adjustment for the cycle takes
    out is taken as known.

    Parameters
    ----------
    panel : Panel
        One common start; several treated units are averaged.

    Raises
    ------
    EstimationError
        Several starts, weights that are neither equal nor those of a synthetic control on outcomes, or a perfect fit.

    References
    ----------
    Cattaneo, Feng & Titiunik (2021), Journal of the American Statistical Association 116(536): eqs. (2.1), (4.2)-(4.4) and
    section 4.2, approach 1.
    """
    found = _parts(pipeline, panel, rng)
    lower, upper = found.bounds(1.0 - level)
    return Interval(
        std_error=math.nan,
        lower=lower,
        upper=upper,
        p_value=found.p_value(),
        details={
            "prediction_interval": {
                "weights": found.weights,
                "in_sample_lower": number(float(np.quantile(found.least, (1.0 - level) / 4.0))),
                "in_sample_upper": number(float(np.quantile(found.most, 1.0 - (1.0 - level) / 4.0))),
                "out_of_sample": number(found.scale * math.sqrt(2.0 * math.log(4.0 / (1.0 - level)))),
                "autocorrelation": number(found.autocorrelation),
            }
        },
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    return _parts(pipeline, panel, rng).p_value()


def _parts(pipeline: Pipeline, panel: Panel, rng: Rng) -> _Parts:
    panel, start = one_start(panel, pipeline, NAME)
    panel = pipeline.adjust(panel).panel
    fit = pipeline.method.fit(panel, pipeline.options)
    if start < 3:
        raise EstimationError(
            f"{NAME}: {start} periods before the start are too few to judge errors from; it needs three"
        )
    rows = np.flatnonzero(~panel.treated & np.isfinite(panel.outcome).all(axis=1))
    kind = "no weights" if fit.unit_weights is None or rows.size == 0 else ""
    target = target_weights(panel, np.isfinite(panel.outcome))
    line = target.units @ np.where(panel.treated[:, None], panel.outcome, 0.0)
    window = np.flatnonzero(target.periods > 0)
    used = np.concatenate([np.arange(start), window])
    if kind or not np.isfinite(line[used]).all():
        raise _refusal(pipeline)
    donors = panel.outcome[rows]
    columns, predicted = donors[:, :start].T, donors @ target.periods
    intercept = fit.time_weights is not None
    if intercept:
        predicted = predicted - columns.mean(axis=0)
        columns = columns - columns.mean(axis=0)
        line = line - line[:start].mean()
    assert fit.unit_weights is not None
    weights = fit.unit_weights[rows]
    errors = line[:start] - columns @ weights
    scale = float(np.abs(columns - columns.mean()).max(initial=0.0))
    estimated = _estimated(fit, columns, line[:start], weights, start, scale, pipeline)
    if float(np.abs(errors).max()) <= 1e-7 * scale:
        raise EstimationError(f"{NAME}: the fit before the start is perfect, so nothing shows how large errors are")
    free = (int((weights > 1e-9).sum()) - 1 if estimated else 0) + int(intercept)
    factor = math.sqrt(start / max(start - free, 1))
    drawn = rng.standard_normal((DRAWS, start)) * (factor * errors)
    if estimated:
        extremes = np.array([_extremes(columns, weights, predicted, draw, intercept) for draw in drawn])
    else:
        twice = 2.0 * drawn.mean(axis=1)
        extremes = np.column_stack([np.minimum(twice, 0.0), np.maximum(twice, 0.0)])
    square = float(errors @ errors)
    correlation = min(max(0.0, float(errors[1:] @ errors[:-1]) / square), 0.99)
    apart = np.abs(window[:, None] - window[None, :])
    shares = target.periods[window]
    spread = factor * math.sqrt(square / start * float(shares @ correlation**apart @ shares))
    name = ("simplex" if estimated else "equal") + (", intercept" if intercept else "")
    return _Parts(fit.att, extremes[:, 0], extremes[:, 1], spread, correlation, name)


def _estimated(
    fit: Fit, columns: Array, line: Array, weights: Array, start: int, scale: float, pipeline: Pipeline
) -> bool:
    """Whether the weights are those of a synthetic control on outcomes; False where they are equal. Others are refused."""
    even = fit.time_weights is None or np.allclose(fit.time_weights[:start], 1.0 / start, atol=1e-9)
    if fit.time_weights is not None and even and np.allclose(weights, 1.0 / weights.size, atol=1e-9):
        return False
    if not even or (weights < 0.0).any() or abs(float(weights.sum()) - 1.0) > 1e-9:
        raise _refusal(pipeline)
    best = columns @ simplex_least_squares(columns, line)
    if float(np.abs(best - columns @ weights).max()) > 1e-6 * scale:
        raise _refusal(pipeline)
    return True


def _refusal(pipeline: Pipeline) -> EstimationError:
    return EstimationError(
        f"{NAME}: it is made for did and for synthetic_control on the outcomes of all pre-periods; the weights of "
        f"{pipeline.method.name} with these options are chosen otherwise"
    )


# ---------------------------------------------------------------------- the extremes of p'δ


def _extremes(columns: Array, weights: Array, predicted: Array, error: Array, intercept: bool) -> tuple[float, float]:
    """The least and the largest p'(x − ŵ) over x on the simplex with |Z(x − ŵ) − u| ≤ |u|, and what an intercept adds.

    An intercept may move together with the weights; its part, between 0 and twice the mean of u, is bounded on its own.
    """
    shift = float(error.mean()) if intercept else 0.0
    within = error - shift
    centre, radius = columns @ weights + within, float(np.linalg.norm(within))
    here = float(predicted @ weights)
    most = _furthest(columns, predicted, centre, radius, here) - here
    least = -(_furthest(columns, -predicted, centre, radius, -here) + here)
    return min(least, 0.0) + min(0.0, 2.0 * shift), max(most, 0.0) + max(0.0, 2.0 * shift)


def _furthest(columns: Array, predicted: Array, centre: Array, radius: float, here: float) -> float:
    """The largest p'x over x on the simplex with |Zx − centre| ≤ radius, where some x reaches `here`.

    The x that trade p'x against the distance best are those that minimise |Zx − centre|² + (p'x − θ)² for some θ, by simplex
    least squares; both p'x and the distance grow with θ. So the θ at the edge is bracketed and found by false position.
    """
    stacked = np.vstack([columns, predicted])

    def at(theta: float) -> tuple[float, float]:
        x = simplex_least_squares(stacked, np.append(centre, theta))
        return float(predicted @ x), float(np.linalg.norm(columns @ x - centre)) - radius

    top = float(predicted.max())
    inside, (reached, beyond) = here, at(here)
    if beyond > 0.0:
        return here  # only by rounding: the distance at ŵ is the radius
    step = radius
    outside = inside + step
    while True:
        further, over = at(outside)
        if over > 0.0:
            break
        if further >= top - 1e-9 * max(1.0, abs(top)):
            return top
        inside, reached, beyond = outside, further, over
        step *= 3.0
        outside = inside + step
    for _ in range(40):
        if beyond >= -SLACK * radius:
            break
        theta = inside + (outside - inside) * min(max(beyond / (beyond - over), 0.05), 0.95)
        value, gap = at(theta)
        if gap > 0.0:
            outside, over = theta, gap
        else:
            inside, reached, beyond = theta, value, gap
    return reached


def unsuited(panel: Panel) -> Note | None:
    """Usable with one start; its assumptions are about errors, not about the design."""
    return None


METHOD = Inference(
    name=NAME,
    summary="adds bounds for the error of the weights and for the treated unit's own error after the start",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Cattaneo, Feng & Titiunik (2021), Journal of the American Statistical Association 116(536)",
)
