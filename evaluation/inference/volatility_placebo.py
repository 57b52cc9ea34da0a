"""Placebo inference where sizes are unknown: each placebo is rescaled by how restless its unit was before the start."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.draws import (
    Placebos,
    each_in_turn,
    placebo_fits,
    rank_p_value,
    slope_factors,
    variance_rows,
)
from evaluation.inference.placebo import few_controls, from_placebos
from evaluation.numerics import common_start
from evaluation.panel import Array, Panel
from evaluation.result import Value

LEAST_PERIODS = 6
"""Periods before the start below which changes from one to the next say nothing about a unit: five changes are needed."""

AGREEMENT = 2.5
"""Units differ in noise where the two halves of the periods before the start agree on who is restless: a correlation of more than
this many times 1/√units, its standard error where they do not differ. In 200 panels each of equally noisy units, with serial
correlation of 0, 0.6 and 0.9, it was passed in 0, 1 and 3 %; with noise that varies as persons do from 1 to 100, in 99 %."""


@dataclass(frozen=True, slots=True)
class Volatilities:
    """How restless each unit was before the start.

    Attributes
    ----------
    raw : Array
        (units,) root mean square change from one period to the next, the periods' means over units taken out.
    shrunk : Array
        (units,) the same, its logarithm drawn toward the mean by the share of its variance that is chance.
    agreement : float
        Correlation over units of the logarithms from the first half of the periods with those from the second.
    """

    raw: Array
    shrunk: Array
    agreement: float

    @property
    def differ(self) -> bool:
        """Units are not equally noisy: more than chance would show."""
        return bool(self.agreement > AGREEMENT / np.sqrt(self.raw.size))

    @property
    def in_turn(self) -> Array:
        """(units, units): in row i the cautious factors for all units when unit i is the treated one."""
        return np.maximum(self.shrunk, self.raw)[:, None] / self.shrunk

    def factors(self, placebos: Placebos, panel: Panel, cautious: bool = True) -> Array:
        """(assignments,) factors for placebos.

        `cautious`: a treated unit is taken to be as restless as it was seen to be, where that is more than its shrunken value, so
        that a unit that is really noisy does not gain from the shrinking.
        """
        theirs, own = variance_rows(placebos, panel, self.shrunk**2)
        if cautious:
            _, own = variance_rows(placebos, panel, np.maximum(self.shrunk, self.raw) ** 2)
        return np.asarray(np.sqrt(own / theirs))


def volatilities(panel: Panel) -> Volatilities | None:
    """The restlessness of all units in the periods before the first start; None where it cannot be told of some unit.

    With x the logarithm of a unit's mean squared change, and x₁, x₂ those within the first and within the second half of the periods
    (which share no period), the covariance of x₁ and x₂ is the variance of the true ones; its share of the variance of x is what
    is kept of x.

    References
    ----------
    Shrinking toward the mean: Efron & Morris (1975), Journal of the American Statistical Association 70(350).
    """
    start = panel.starts[0]
    if start < LEAST_PERIODS:
        return None
    before = panel.outcome[:, :start]
    known = np.isfinite(before)
    means = np.where(known, before, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    changes = np.diff(before - means, axis=1)
    half = start // 2
    parts = [_log_mean_square(each) for each in (changes, changes[:, : half - 1], changes[:, half:])]
    if not all(np.isfinite(each).all() for each in parts):
        return None
    whole, first, second = parts
    variance = float(whole.var(ddof=1))
    if variance <= 0.0:
        return None
    together = float(np.cov(first, second)[0, 1])
    kept = min(1.0, max(0.0, together) / variance)
    spread = float(first.std(ddof=1) * second.std(ddof=1))
    shrunk = whole.mean() + kept * (whole - whole.mean())
    return Volatilities(np.exp(0.5 * whole), np.exp(0.5 * shrunk), together / spread if spread > 0.0 else 0.0)


def _log_mean_square(changes: Array) -> Array:
    """(units,) logarithm of the mean squared change; not finite where none is known or nothing ever changed."""
    known = np.isfinite(changes)
    count = known.sum(axis=1)
    total = np.where(known, changes, 0.0) ** 2
    mean = total.sum(axis=1) / np.maximum(count, 1)
    usable = (count > 0) & (mean > 0.0)
    return np.asarray(np.where(usable, np.log(np.where(usable, mean, 1.0)), np.nan))


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Placebo effects rescaled by the ratio of the treated unit's changes before the start to the placebo's.

    What Ferman & Pinto do by persons behind the cells, where nobody knows how many there are. Unlike the ratio to the fit before
    the start (`standardized_placebo`), it does not suffer when the fit follows the noise of those very periods.

    Parameters
    ----------
    panel : Panel
        One common start, at least six periods before it, many controls.

    Returns
    -------
    Interval
        As `placebo`, of rescaled placebos; `details["volatility"]` holds the treated unit's and how far the halves agree.

    Raises
    ------
    EstimationError
        Several starts, fewer than six periods before, a unit that never changes, or too few controls.

    References
    ----------
    The idea of Ferman & Pinto (2019), Review of Economics and Statistics 101(3), section 3, with an estimated noise in the place
    of size; `docs/methods/inference.md` has how often it rejects.
    """
    return infer_from(pipeline, panel, level, pipeline(panel), placebo_fits(pipeline, panel, rng))


def infer_from(pipeline: Pipeline, panel: Panel, level: float, fit: Fit, placebos: Placebos) -> Interval:
    """The interval from a fit and its placebo fits."""
    found = _volatilities(panel)
    factors = found.factors(placebos, panel)
    interval = from_placebos(fit, placebos, panel, level, factors)
    facts: dict[str, Value] = {
        "ratio": float(1.0 / np.median(1.0 / factors)),
        "agreement": found.agreement,
        "smallest_factor": float(factors.min()),
        "largest_factor": float(factors.max()),
    }
    return dataclasses.replace(interval, details={**interval.details, "volatility": facts})


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    fit, placebos = pipeline(panel), placebo_fits(pipeline, panel, rng)
    draws = placebos.effects * _volatilities(panel).factors(placebos, panel)
    return rank_p_value(draws * slope_factors(fit, placebos, draws), fit.att)


def test_each(pipeline: Pipeline, panel: Panel, start: int, rng: Rng) -> Array:
    """(units,) p-values when each unit in turn is the treated one; the refits are shared."""
    effects = each_in_turn(pipeline, panel, start)
    found = _volatilities(panel.assign({0: start}))
    scaled = effects * found.in_turn
    return np.array([rank_p_value(np.delete(scaled[row], row), effects[row]) for row in range(effects.size)])


def _volatilities(panel: Panel) -> Volatilities:
    common_start(panel, "volatility_placebo")
    if panel.starts[0] < LEAST_PERIODS:
        raise EstimationError(
            f"volatility_placebo: it needs {LEAST_PERIODS} periods before the start to see how restless a unit is, and there are "
            f"{panel.starts[0]}; use `ferman_pinto` with persons known, or `placebo`"
        )
    found = volatilities(panel)
    if found is None:
        raise EstimationError(
            "volatility_placebo: some unit does not change before the start, or is hardly observed there; leave it out of the controls"
        )
    return found


METHOD = Inference(
    name="volatility_placebo",
    summary="placebos rescaled by how restless each unit was before the start; where sizes are unknown and units differ",
    infer=infer,
    test=test,
    unsuited=few_controls,
    source="after Ferman & Pinto (2019), Review of Economics and Statistics 101(3), with the noise estimated from the periods before",
    test_each=test_each,
    infer_from=infer_from,
)
