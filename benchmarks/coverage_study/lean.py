"""The headline's interval alone, from the parts of which the product's inferences make it: no paths, no details, no remarks."""

from __future__ import annotations

import math

import numpy as np

from evaluation.contracts import Fit
from evaluation.errors import EstimationError
from evaluation.inference.bias_aware_placebo import moved
from evaluation.inference.draws import Placebos, critical_size, rank_p_value, slope_factors
from evaluation.inference.ferman_pinto import size_factors
from evaluation.inference.standardized_placebo import fit_factors
from evaluation.inference.volatility_placebo import volatilities
from evaluation.panel import Panel

NAMES = ("placebo", "ferman_pinto", "standardized_placebo", "volatility_placebo", "bias_aware_placebo")


def interval(name: str, fit: Fit, placebos: Placebos, panel: Panel, level: float) -> tuple[float, float, float]:
    """Lower limit, upper limit and p-value of one of `NAMES`; a test holds them equal to `Inference.infer_from`.

    Raises EstimationError where the inference is refused.
    """
    factors = np.ones(len(placebos.fits))
    if name == "ferman_pinto":
        factors = size_factors(placebos.effects, placebos, panel)
    elif name == "standardized_placebo":
        factors = fit_factors(fit, placebos, panel)
    elif name == "volatility_placebo":
        found = volatilities(panel)
        if found is None:
            raise EstimationError("volatility_placebo: not in this panel")
        factors = found.factors(placebos, panel)
    elif name == "bias_aware_placebo":
        _, placebos = moved(fit, placebos, panel)
    draws = placebos.effects * factors
    draws = draws * slope_factors(fit, placebos, draws)
    half = critical_size(draws, level)
    p_value = rank_p_value(draws, fit.att) if math.isfinite(fit.att) else math.nan
    return fit.att - half, fit.att + half, p_value
