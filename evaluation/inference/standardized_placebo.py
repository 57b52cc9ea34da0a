"""Placebo inference relative to the fit: each effect is measured against how well its unit was matched before the start."""

from __future__ import annotations

import dataclasses
from typing import cast

import numpy as np
from scipy.special import ndtri

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.draws import Placebos, placebo_fits, rank_p_value, slope_factors
from evaluation.inference.placebo import PERFECT, few_controls, from_placebos, usual_change
from evaluation.numerics import common_start
from evaluation.panel import Array, Panel
from evaluation.result import Value


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Placebo effects rescaled by the ratio of the treated unit's pre-period gap to the placebo's own.

    A control that could not be matched before the start tells little when it drifts away after it. The ranks are those of
    effect / pre-period root mean square gap, the average-effect form of the post/pre ratio of Abadie, Diamond & Hainmueller
    (2010); the interval inverts that test. Fits that are perfect (more controls than periods) are held at a floor.

    Parameters
    ----------
    panel : Panel
        One or few treated units with one common start and at least two periods before it.

    Returns
    -------
    Interval
        As `placebo`, of rescaled placebos; `std_error` is half the interval over the normal quantile.

    Raises
    ------
    EstimationError
        The estimator has no pre-period fit, or too few controls.

    References
    ----------
    Abadie, Diamond & Hainmueller (2010), section 3.4; Firpo & Possebom (2018), Journal of Causal Inference 6(2), section 3;
    studentising makes the test valid when units differ in noise: Ferman & Pinto (2021), Quantitative Economics 12(4), sec. 5.
    """
    return infer_from(pipeline, panel, level, pipeline(panel), placebo_fits(pipeline, panel, rng))


def infer_from(pipeline: Pipeline, panel: Panel, level: float, fit: Fit, placebos: Placebos) -> Interval:
    """The interval from a fit and its placebo fits."""
    interval = from_placebos(fit, placebos, panel, level, fit_factors(fit, placebos, panel))
    # perfectly matched placebos are stretched without bound, so a standard deviation of the rescaled ones means nothing:
    # the standard error is the one whose normal interval is as wide, and the spread that checks use is the raw one
    half = 0.5 * (interval.upper - interval.lower)
    details = dict(interval.details)
    details["placebo"] = {**cast("dict[str, Value]", details["placebo"]), "sd": float(placebos.effects.std())}
    return dataclasses.replace(interval, std_error=half / float(ndtri(0.5 + level / 2.0)), details=details)


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    fit = pipeline(panel)
    placebos = placebo_fits(pipeline, panel, rng)
    draws = placebos.effects * fit_factors(fit, placebos, panel)
    return rank_p_value(draws * slope_factors(fit, placebos, draws), fit.att)


def test_each(pipeline: Pipeline, panel: Panel, start: int, rng: Rng) -> Array:
    """(units,) p-values when each unit in turn is the treated one; the refits are shared."""
    fits = [pipeline(panel.assign({row: start})) for row in range(panel.n_units)]
    floor = _floor(panel, start)
    sizes = np.array([fit.att for fit in fits]) / np.array([_fit_rmse(fit, floor) for fit in fits])
    return np.array([rank_p_value(np.delete(sizes, row), sizes[row]) for row in range(sizes.size)])


def fit_factors(fit: Fit, placebos: Placebos, panel: Panel) -> Array:
    """(assignments,) the treated unit's gap before the start over each placebo's, both held at a floor where the fit is perfect."""
    floor = _floor(panel, common_start(panel, "standardized_placebo"))
    return _fit_rmse(fit, floor) / np.array([_fit_rmse(each, floor) for each in placebos.fits])


def _floor(panel: Panel, start: int) -> float:
    return max(PERFECT * usual_change(panel, start), 1e-300)


def _fit_rmse(fit: Fit, floor: float) -> float:
    if fit.fit_rmse is None or int((fit.event_times < 0).sum()) < 2:
        raise EstimationError("standardized_placebo: the estimator has no fit on at least two periods before the start")
    return max(fit.fit_rmse, floor)


METHOD = Inference(
    name="standardized_placebo",
    summary="placebos measured against how well each unit was matched before the start (the post/pre ratio)",
    infer=infer,
    test=test,
    unsuited=few_controls,
    source="Abadie, Diamond & Hainmueller (2010), Journal of the American Statistical Association 105(490), section 3.4",
    test_each=test_each,
    infer_from=infer_from,
)
