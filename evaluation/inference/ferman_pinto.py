"""Placebo inference for units of unequal size: each placebo is rescaled to the treated unit's expected noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.draws import Placebos, each_in_turn, placebo_fits, rank_p_value, slope_factors, variance_rows
from evaluation.inference.placebo import few_controls, from_placebos, gaps_before
from evaluation.noise import unit_noise, variance_function
from evaluation.panel import Array, Indices, Panel
from evaluation.result import numbers


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Placebo effects rescaled by an estimated variance function a + b / size (or a + b × known sampling variance).

    The function is one of single units, also where several are treated (see `_scaling`).

    Parameters
    ----------
    panel : Panel
        With `size` (persons per cell) or `noise` (sampling variance per cell).

    Returns
    -------
    Interval
        As `placebo`, of rescaled placebos; `details["variance"]` holds a and b of a single unit, the factors' range and, with
        several treated units, the variance of the weighted `controls` (with one, a holds it).

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
    found = _scaling(fit, placebos, panel, _effects)
    interval = from_placebos(fit, placebos, panel, level, found.factors, weights)
    details = dict(interval.details)
    details["variance"] = {
        "constant": found.constant,
        "slope": found.slope,
        "smallest_factor": float(found.factors.min()),
        "largest_factor": float(found.factors.max()),
        **({} if found.controls is None else {"controls": found.controls}),
    }
    told = cast("dict[str, Any]", details["placebo"])
    if "rmspe_pre" in told and np.isfinite(gaps := gaps_before(fit, placebos)).all():
        # the check of the periods before the start ranks gaps that are rescaled in the same way
        scaled = gaps * size_factors(fit, placebos, panel, lambda some: gaps_before(fit, some))
        details["placebo"] = {**told, "rmspe_pre_scaled": numbers(scaled.tolist())}
    return dataclasses.replace(interval, details=details)


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    fit, placebos = pipeline(panel), placebo_fits(pipeline, panel, rng)
    draws = placebos.effects * size_factors(fit, placebos, panel)
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
        function = np.array(variance_function(design[others], effects[others] ** 2))
        scaled[row, others] *= _factors(design[others], design[row], function)
    return scaled


def _effects(placebos: Placebos) -> Array:
    return placebos.effects


def size_factors(fit: Fit, placebos: Placebos, panel: Panel, values: Callable[[Placebos], Array] = _effects) -> Array:
    """(assignments,) factors that bring placebo values to the treated units' noise, by a variance function of these values.

    `values(placebos)` gives one for each assignment: the effects, or other errors whose variance falls with size as theirs does.

    Raises EstimationError where neither sizes nor sampling variances are known.
    """
    return _scaling(fit, placebos, panel, values).factors


@dataclass(frozen=True, slots=True)
class _Scaling:
    """(assignments,) factors, the variance function a + b × noise of a single unit's effect that they come from, and the variance
    of the weighted controls where a does not hold it."""

    factors: Array
    constant: float
    slope: float
    controls: float | None = None


def _scaling(fit: Fit, placebos: Placebos, panel: Panel, values: Callable[[Placebos], Array]) -> _Scaling:
    """Factors by the variance function of the values of single units.

    With one treated unit the placebos are such units. The average of several is told from another by Σ share², and by
    Σ share² × noise, which vary little between averages of units drawn at random: a function fitted to them says nothing of five
    small or five large ones. So it is fitted to controls standing alone, and the variance of an average of several is what it says of
    its units, each by its share squared, plus that of the controls it is held against, each by its weight squared. Of placebos of one
    unit the constant holds most of the latter; beside an average of several it is not small, and where weights are fitted an average
    of noisy units rests on fewer controls than one of quiet ones.
    """
    noise, alone = _noise(panel), placebos.alone
    design, own = _designs(placebos, panel, noise)
    if alone is None or not np.isfinite(values(alone)).any():
        constant, slope = variance_function(design, values(placebos) ** 2)
        return _Scaling(_factors(design, own, np.array([constant, slope])), constant, slope)
    squares = values(alone) ** 2
    known = np.isfinite(squares)
    treated, theirs, singles = _control_sides(fit, placebos, alone, panel, noise)
    seen = _designs(alone, panel, noise)[0] + singles
    constant, slope = variance_function(seen[known], squares[known])
    function = np.array([constant, slope])
    factors = _factors(design + theirs, own + treated[0], function)
    return _Scaling(factors, constant, slope, float(treated[0] @ function))


def _designs(placebos: Placebos, panel: Panel, noise: Array) -> tuple[Array, Array]:
    """(assignments, 2) and (2,) regressors of the variance, Σ share² and Σ share² × noise, of placebos and of the treated."""
    (ones, own_one), (shares, own) = (variance_rows(placebos, panel, each) for each in (np.ones(noise.size), noise))
    return np.column_stack([ones, shares]), np.array([own_one, own])


def _control_sides(
    fit: Fit, placebos: Placebos, alone: Placebos, panel: Panel, noise: Array
) -> tuple[Array, Array, Array]:
    """(1, 2), (assignments, 2) and (controls, 2) the same regressors of the controls that the treated, each placebo and each control
    alone are held against, by their weights in the fits; of their plain mean where the estimator has no weights."""
    controls = np.flatnonzero(~panel.treated)
    weights = [_weights(fits, controls) for fits in ((fit,), placebos.fits, alone.fits)]
    if any(some is None for some in weights):
        weights = [_equal(rows, controls) for rows in (((),), placebos.assignments, alone.assignments)]
    squares = [some**2 for some in weights if some is not None]
    treated, theirs, singles = (np.column_stack([some.sum(axis=1), some @ noise[controls]]) for some in squares)
    # the treated face as many controls as their placebos, so that with equal weights those of equally noisy units are taken as they are
    fewer = controls.size - np.mean([len(rows) for rows in placebos.assignments])
    return treated * (controls.size / fewer), theirs, singles


def _weights(fits: tuple[Fit, ...], controls: Indices) -> Array | None:
    """(fits, controls) weights of the controls, None where some fit has none; a placebo's panel has the controls alone."""
    found = [fit.unit_weights for fit in fits]
    known = [each if each.size == controls.size else each[controls] for each in found if each is not None]
    return np.array(known) if len(known) == len(found) else None


def _equal(assignments: tuple[tuple[int, ...], ...], controls: Indices) -> Array:
    """(assignments, controls) equal weights of the controls that do not stand in."""
    left = np.ones((len(assignments), controls.size))
    standing_in = np.array([row for rows in assignments for row in rows], dtype=np.int64)
    of = np.repeat(np.arange(len(assignments)), [len(rows) for rows in assignments])
    left[of, np.searchsorted(controls, standing_in)] = 0.0
    return np.asarray(left / left.sum(axis=1, keepdims=True))


def _factors(design: Array, own: Array, function: Array) -> Array:
    """Factors for placebos with rows `design` toward the treated's row `own`; 1 where the function is zero somewhere."""
    fitted, wanted = design @ function, float(own @ function)
    if wanted <= 0 or (fitted <= 0).any():
        return np.ones(len(design))
    return np.asarray(np.sqrt(wanted / fitted))


def _noise(panel: Panel) -> Array:
    """(units,) how noisy a unit's mean is: its mean sampling variance, or the mean of 1 / size, over the periods used; the units'
    mean where it is never known."""
    used = np.zeros(panel.n_periods, dtype=np.bool_)
    used[: max(panel.starts)] = True
    used |= panel.target.any(axis=0)
    noise = unit_noise(panel, used)
    if noise is None:
        raise EstimationError(
            "ferman_pinto: it needs the persons behind each cell (`size`) or their sampling variance (`noise`)"
        )
    # a unit whose persons are never known has no weight in any average; among the controls it counts as a usual one
    return np.where(np.isfinite(noise), noise, np.nanmean(noise))


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
