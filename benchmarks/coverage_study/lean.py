"""Intervals and p-values alone, from the parts of which the product's inferences make them: no details, no remarks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Fit
from evaluation.errors import EstimationError
from evaluation.inference.bias_aware_placebo import noise_factors, outward
from evaluation.inference.block_placebo import blocks_of
from evaluation.inference.draws import Placebos, critical_size, rank_p_value, slope_factors
from evaluation.inference.ferman_pinto import size_factors
from evaluation.inference.standardized_placebo import fit_factors
from evaluation.inference.volatility_placebo import volatilities
from evaluation.multiplicity import joint_p_value
from evaluation.panel import Array, Panel

NAMES = (
    "placebo", "ferman_pinto", "standardized_placebo", "volatility_placebo", "bias_aware_placebo", "block_placebo",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Test:
    """Lower and upper limit (NaN where there is no interval) and the p-value of no effect."""

    lower: float
    upper: float
    p_value: float


def size_factors_of(fit: Fit, placebos: Placebos, panel: Panel) -> Array:
    """What several of the inferences begin with: (assignments,) factors for the treated unit's size, 1 where persons are not known."""
    return np.ones(len(placebos.fits)) if panel.size is None else size_factors(fit, placebos, panel)


def tests(name: str, fit: Fit, placebos: Placebos, panel: Panel, level: float, sizes: Array) -> dict[str, Test]:
    """What one of `NAMES` says of the headline `effect`, of the `first_period` after the start, and of all the window's, `joint`.

    A test holds them equal to `Inference.infer_from`. `sizes` are the `size_factors_of` these placebos. `joint` is missing where
    the shortened fits hold one period only.

    Raises EstimationError where the inference is refused.
    """
    late = np.flatnonzero(fit.event_times >= 0)
    effects, paths, weights = placebos.effects, placebos.paths(fit.event_times), None
    factors = np.ones(effects.size)
    slopes = placebos
    if name == "bias_aware_placebo":
        known = panel.size is not None
        effects, paths = outward(fit, placebos, panel, sizes if known else noise_factors(fit, placebos, panel))
    elif name == "ferman_pinto":
        factors = sizes
    elif name == "standardized_placebo":
        factors = fit_factors(fit, placebos, panel)
    elif name == "volatility_placebo":
        found = volatilities(panel)
        if found is None:
            raise EstimationError("volatility_placebo: not in this panel")
        factors = found.factors(placebos, panel)
    elif name == "block_placebo":
        blocks = blocks_of(placebos, panel)
        slopes, weights = blocks.placebos, blocks.weights
        effects, paths = slopes.effects, slopes.paths(fit.event_times)
        factors = sizes if effects.size == sizes.size else size_factors_of(fit, slopes, panel)
    factors = factors * slope_factors(fit, slopes, effects * factors)
    paths = paths[:, late] * factors[:, None]
    tested = {
        "effect": _tested(effects * factors, fit.att, level, weights),
        "first_period": _tested(paths[:, 0], float(fit.effects[late[0]]), level, weights),
    }
    if late.size > 1:
        tested["joint"] = Test(math.nan, math.nan, joint_p_value(fit.effects[late], paths, weights))
    return tested


def _tested(draws: Array, value: float, level: float, weights: Array | None) -> Test:
    half = critical_size(draws, level, weights)
    return Test(value - half, value + half, rank_p_value(draws, value, weights))
