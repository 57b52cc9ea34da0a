"""Placebo inference for units of unequal size: each placebo is rescaled to the treated unit's expected noise."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.draws import Placebos, each_in_turn, placebo_fits, rank_p_value, slope_factors, variance_rows
from evaluation.inference.placebo import few_controls, from_placebos
from evaluation.noise import unit_noise, variance_function
from evaluation.panel import Array, Panel
from evaluation.result import numbers


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Placebo effects rescaled by an estimated variance function a + b / size (or a + b × known sampling variance).

    Parameters
    ----------
    panel : Panel
        With `size` (persons per cell) or `noise` (sampling variance per cell).

    Returns
    -------
    Interval
        As `placebo`, of rescaled placebos; `details["variance"]` holds a, b and the factors' range.

    Raises
    ------
    EstimationError
        Neither sizes nor sampling variances are known, or too few controls.

    References
    ----------
    Ferman & Pinto (2019), Review of Economics and Statistics 101(3), eqs. (4)-(6).
    """
    return infer_from(pipeline, panel, level, pipeline(panel), placebo_fits(pipeline, panel, rng))


def infer_from(pipeline: Pipeline, panel: Panel, level: float, fit: Fit, placebos: Placebos) -> Interval:
    """The interval from a fit and its placebo fits."""
    return rescaled(fit, placebos, panel, level)


def rescaled(fit: Fit, placebos: Placebos, panel: Panel, level: float, weights: Array | None = None) -> Interval:
    """The interval from placebo effects rescaled to the treated unit's noise; with `weights` (assignments,) as `from_placebos`."""
    design, own = _designs(placebos, panel)
    factors, constant, slope = _rescale(design, placebos.effects, own)
    interval = from_placebos(fit, placebos, panel, level, factors, weights)
    details = dict(interval.details)
    details["variance"] = {
        "constant": constant,
        "slope": slope,
        "smallest_factor": float(factors.min()),
        "largest_factor": float(factors.max()),
    }
    found = cast("dict[str, Any]", details["placebo"])
    fits = np.array([np.nan if each is None else each for each in found.get("rmspe_pre", [])])
    if fits.size and np.isfinite(fits).all():
        # the check of the periods before the start ranks gaps that are rescaled in the same way
        details["placebo"] = {**found, "rmspe_pre_scaled": numbers((fits * _rescale(design, fits, own)[0]).tolist())}
    return dataclasses.replace(interval, details=details)


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    fit, placebos = pipeline(panel), placebo_fits(pipeline, panel, rng)
    design, own = _designs(placebos, panel)
    draws = placebos.effects * _rescale(design, placebos.effects, own)[0]
    return rank_p_value(draws * slope_factors(fit, placebos, draws), fit.att)


def test_each(pipeline: Pipeline, panel: Panel, start: int, rng: Rng) -> Array:
    """(units,) p-values when each unit in turn is the treated one; the refits are shared, the rescaling is each unit's own."""
    effects = each_in_turn(pipeline, panel, start)
    scaled = rescaled_in_turn(effects, panel, start)
    return np.array([rank_p_value(np.delete(scaled[row], row), effects[row]) for row in range(effects.size)])


def rescaled_in_turn(effects: Array, panel: Panel, start: int) -> Array:
    """(units, units): in row i all effects at the noise of unit i, by a variance function that knows nothing of its effect."""
    noise = _noise(panel.assign({0: start}))
    design = np.column_stack([np.ones(effects.size), noise])
    scaled = np.tile(effects, (effects.size, 1))
    for row in range(effects.size):
        others = np.delete(np.arange(effects.size), row)
        scaled[row, others] *= _rescale(design[others], effects[others], design[row])[0]
    return scaled


def size_factors(effects: Array, placebos: Placebos, panel: Panel) -> Array:
    """(assignments,) factors that bring placebo values to the treated unit's noise, by a variance function of these values.

    Raises EstimationError where neither sizes nor sampling variances are known.
    """
    design, own = _designs(placebos, panel)
    return _rescale(design, effects, own)[0]


def _designs(placebos: Placebos, panel: Panel) -> tuple[Array, Array]:
    """(assignments, 2) and (2,) regressors of the variance, Σ share² and Σ share² × noise, of placebos and of the treated."""
    noise = _noise(panel)
    (ones, own_one), (shares, own) = (variance_rows(placebos, panel, each) for each in (np.ones(noise.size), noise))
    return np.column_stack([ones, shares]), np.array([own_one, own])


def _rescale(design: Array, effects: Array, own: Array) -> tuple[Array, float, float]:
    """Factors for placebos with rows `design` (1, noise) toward a unit with row `own`, after fitting the variance function."""
    solution = np.array(variance_function(design, effects**2))
    fitted, wanted = design @ solution, float(own @ solution)
    if wanted <= 0 or (fitted <= 0).any():
        return np.ones(effects.size), float(solution[0]), float(solution[1])
    return np.sqrt(wanted / fitted), float(solution[0]), float(solution[1])


def _noise(panel: Panel) -> Array:
    """(units,) how noisy a unit's mean is: its mean sampling variance, or the mean of 1 / size, over the periods used."""
    used = np.zeros(panel.n_periods, dtype=np.bool_)
    used[: max(panel.starts)] = True
    used |= panel.target.any(axis=0)
    noise = unit_noise(panel, used)
    if noise is None:
        raise EstimationError(
            "ferman_pinto: it needs the persons behind each cell (`size`) or their sampling variance (`noise`)"
        )
    return noise


METHOD = Inference(
    name="ferman_pinto",
    summary="placebos rescaled to the treated unit's size by a variance function a + b / size",
    infer=infer,
    test=test,
    unsuited=few_controls,
    source="Ferman & Pinto (2019), Review of Economics and Statistics 101(3)",
    test_each=test_each,
    infer_from=infer_from,
)
