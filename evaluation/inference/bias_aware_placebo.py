"""Placebo inference where the fit left a gap before the start: the gap after it counts only as far as it is larger."""

from __future__ import annotations

import dataclasses

import numpy as np

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.draws import Placebos, as_large, deviation, placebo_fits, rank_p_value, slope_factors
from evaluation.inference.ferman_pinto import rescaled_in_turn, size_factors
from evaluation.inference.placebo import few_controls, placebo_details, ranked
from evaluation.inference.volatility_placebo import volatilities
from evaluation.numerics import common_start
from evaluation.panel import Array, Panel
from evaluation.result import numbers


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Ranks of how far the gap after the start exceeds the gap before it, and the interval by inverting that test.

    A synthetic control of a unit that the donors cannot reach is off before the start, and by about as much after it. With d the
    effect and g the root mean square gap before, the statistic is max(0, |d| − g), for the treated unit and for every placebo alike, so
    the ranks are exchangeable where those of d are; the interval d ± (critical value + g) holds what a bias as large as the gap
    before, of either sign, would explain. Placebos are rescaled first: by size where persons are known (`ferman_pinto`), by
    restlessness where they are not and units differ in it (`volatility_placebo`), and by how few controls they rest on: a gap's
    variance is that of the unit and of the weighted controls, σ² (1 + Σω²), and a unit that nobody resembles rests on one or two.

    Parameters
    ----------
    panel : Panel
        One common start and at least two periods before it.

    Returns
    -------
    Interval
        As `placebo`; `details["gap"]` is g.

    Raises
    ------
    EstimationError
        Several starts, fewer than two periods before the start, an estimator without a path, or too few controls.

    References
    ----------
    The additive form of the post/pre ratio of Abadie, Diamond & Hainmueller (2010), section 3.4, which divides by the gap before and
    so says nothing where many placebos are matched almost perfectly; imperfect fit: Ferman & Pinto (2021), Quantitative Economics
    12(4). The bound on the bias: Armstrong & Kolesár (2018), Econometrica 86(2), section 2.
    """
    return infer_from(pipeline, panel, level, pipeline(panel), placebo_fits(pipeline, panel, rng))


def infer_from(pipeline: Pipeline, panel: Panel, level: float, fit: Fit, placebos: Placebos) -> Interval:
    """The interval from a fit and its placebo fits."""
    factors = noise_factors(fit, placebos, panel)
    effects, paths = outward(fit, placebos, panel, factors)
    fits = (
        dataclasses.replace(one, att=effect, effects=path, event_times=fit.event_times)
        for one, effect, path in zip(placebos.fits, effects.tolist(), paths, strict=True)
    )
    further = dataclasses.replace(placebos, fits=tuple(fits))
    interval, draws, joint = ranked(fit, further, panel, level, np.ones(effects.size))
    # ranks are those of the excess; the spread, and the lines and ratios that the page draws, those of the placebos as they are
    plain = placebos.effects * factors
    plain = plain * slope_factors(fit, placebos, plain)
    details = {
        **placebo_details(fit, placebos, plain, panel),
        "effects": numbers(draws.tolist()),
        "rank": 1 + as_large(draws, fit.att),
        **joint,
    }
    return dataclasses.replace(interval, std_error=deviation(plain), details={"placebo": details, "gap": _gap(fit)})


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    fit, placebos = pipeline(panel), placebo_fits(pipeline, panel, rng)
    effects, _ = outward(fit, placebos, panel, noise_factors(fit, placebos, panel))
    return rank_p_value(effects * slope_factors(fit, placebos, effects), fit.att)


def test_each(pipeline: Pipeline, panel: Panel, start: int, rng: Rng) -> Array:
    """(units,) p-values when each unit in turn is the treated one; the refits are shared."""
    fits = [pipeline(panel.assign({row: start})) for row in range(panel.n_units)]
    effects, gaps = np.array([fit.att for fit in fits]), np.array([_gap(fit) for fit in fits])
    found = volatilities(panel.assign({0: start}))
    factors = np.ones((effects.size, effects.size))
    if panel.size is not None or panel.noise is not None:
        factors = rescaled_in_turn(effects, panel, start) / np.where(effects == 0.0, 1.0, effects)
    elif found is not None and found.differ:
        factors = found.in_turn
    few = np.sqrt([_variance(fit, 1) for fit in fits])
    p_values = np.empty(effects.size)
    for row in range(effects.size):
        wider = few[row] / few
        draws = _outward(effects * factors[row] * wider, gaps * factors[row] * wider, gaps[row])
        p_values[row] = rank_p_value(np.delete(draws, row), effects[row])
    return p_values


def outward(fit: Fit, placebos: Placebos, panel: Panel, factors: Array) -> tuple[Array, Array]:
    """(assignments,) effects and (assignments, times) paths of placebos, moved outward; `factors` bring them to the treated's size."""
    common_start(panel, "bias_aware_placebo")
    gap, treated = _gap(fit), int(panel.treated.sum())
    if placebos.alone is None:  # else the factors by size count the controls' weights already
        theirs = np.array([_variance(one, treated) for one in placebos.fits])
        factors = factors * np.sqrt(_variance(fit, treated) / theirs)
    gaps = np.array([_gap(one) for one in placebos.fits]) * factors
    paths, after = placebos.paths(fit.event_times) * factors[:, None], fit.event_times >= 0
    paths[:, after] = _outward(paths[:, after], gaps[:, None], gap)
    return _outward(placebos.effects * factors, gaps, gap), paths


def _outward(effects: Array, gaps: Array | float, own: float) -> Array:
    """Effects with their own gap taken off their size and the treated unit's put on: |d| exceeds one of them just where its excess
    over its own gap exceeds theirs."""
    return np.asarray(np.copysign(np.maximum(0.0, np.abs(effects) - np.abs(gaps)) + abs(own), effects))


def noise_factors(fit: Fit, placebos: Placebos, panel: Panel) -> Array:
    """(assignments,) factors that bring placebos to the treated unit's noise: by size where persons are known, else by how restless
    each unit was before the start where units differ in that, else 1."""
    if panel.size is not None or panel.noise is not None:
        return size_factors(fit, placebos, panel)
    found = volatilities(panel)
    return np.ones(len(placebos.fits)) if found is None or not found.differ else found.factors(placebos, panel)


def _variance(fit: Fit, treated: int) -> float:
    """The variance of a gap in units of one unit's noise; 1 where an estimator has no weights of the controls."""
    return 1.0 if fit.unit_weights is None else 1.0 / treated + float(fit.unit_weights @ fit.unit_weights)


def _gap(fit: Fit) -> float:
    """The root mean square gap before the start."""
    if fit.fit_rmse is None or np.count_nonzero(fit.event_times < 0) < 2:
        raise EstimationError("bias_aware_placebo: the estimator has no fit on at least two periods before the start")
    return fit.fit_rmse


METHOD = Inference(
    name="bias_aware_placebo",
    summary="placebos compared by how far the gap after the start exceeds the one before it; where the fit left a gap",
    infer=infer,
    test=test,
    unsuited=few_controls,
    source="after Abadie, Diamond & Hainmueller (2010), Journal of the American Statistical Association 105(490), section 3.4",
    test_each=test_each,
    infer_from=infer_from,
)
