"""Structural time series on the CausalImpact vignette's series: R's own maximum likelihood (`arima`), and the published table.

The local level with a regressor, differenced, is an ARIMA(0,1,1) with that regressor and a negative moving average: one Gaussian
likelihood, maximised by two programs. Script 11_weighting_timeseries.R, R 4.2.2.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

import evaluation
from evaluation.estimators import ESTIMATORS
from evaluation.state_space import forecast
from tests.reference import golden

METHOD = ESTIMATORS["structural_time_series"]
ARIMA = {"local_level": "arima/causalimpact_sim/arima011_x", "autoregressive": "arima/causalimpact_sim/ar1_x"}


@cache
def fit(level="local_level"):
    return METHOD.fit(golden.causalimpact(), METHOD.options(level=level))


@pytest.mark.parametrize("level", ARIMA)
def test_forecasts_and_effects_equal_those_of_the_equivalent_arima_model(level):
    theirs, within = golden.value(ARIMA[level]), golden.tolerance(ARIMA[level])
    ours = fit(level)
    for index in range(30):
        golden.assert_close(ours.counterfactual[70 + index], theirs["forecast"][index], within)
        golden.assert_close(ours.effects[70 + index], theirs["effect"][index], within)
    golden.assert_close(ours.att, theirs["effect_average"], within)
    golden.assert_close(ours.details["cumulative"]["effect"], theirs["effect_cumulative"], within)


@pytest.mark.parametrize("level", ARIMA)
def test_likelihood_and_coefficient_equal_those_of_the_equivalent_arima_model(level):
    theirs, within = golden.value(ARIMA[level]), golden.tolerance(ARIMA[level])
    ours = fit(level).details
    golden.assert_close(ours["log_likelihood"], theirs["loglik"], within)
    (coefficient,) = ours["coefficients"].values()
    golden.assert_close(coefficient["coefficient"], theirs["coef"]["x1"], within)


def test_variances_of_the_local_level_are_those_of_the_moving_average():
    """(1 + θL)e with variance σ²: the difference of noise has first autocovariance −irregular = θσ², and level = (1 + θ)²σ²."""
    theirs = golden.value(ARIMA["local_level"])
    ours = fit().details["variances"]
    theta, sigma2 = theirs["coef"]["ma1"], theirs["sigma2"]
    golden.assert_close(ours["irregular"], -theta * sigma2, golden.tolerance(ARIMA["local_level"]))
    golden.assert_close(ours["level"], (1 + theta) ** 2 * sigma2, golden.tolerance(ARIMA["local_level"]))


def test_autoregression_has_their_coefficient_and_variance():
    """Our variance is that of the series, theirs that of its innovations."""
    theirs, within = golden.value(ARIMA["autoregressive"]), golden.tolerance(ARIMA["autoregressive"])
    ours = fit("autoregressive").details["variances"]
    golden.assert_close(ours["autocorrelation"], theirs["coef"]["ar1"], within)
    golden.assert_close(ours["series"] * (1 - ours["autocorrelation"] ** 2), theirs["sigma2"], within)


@pytest.mark.parametrize("level", ARIMA)
def test_forecast_errors_are_theirs_plus_what_the_coefficients_add(level):
    """Their standard errors leave out the error of the coefficients, and divide by n where ours divide by n - k."""
    theirs = np.array(golden.value(ARIMA[level])["forecast_se"])
    panel = golden.causalimpact()
    found = forecast(panel.outcome[0], panel.outcome[1:].T, 70, level, 0, ("x1",))
    ours = np.sqrt(np.diag(found.given))
    n, k = (69, 1) if level == "local_level" else (70, 2)
    theirs = theirs * math.sqrt(n / (n - k))
    # x1 lies up to 15 from its mean before the start, and its coefficient's error is 0.056: at most 0.85 in quadrature with 1.2
    assert (ours >= theirs - 1e-6).all()
    assert (ours <= np.hypot(theirs, 0.85)).all()


def test_published_table():
    """Markov chain Monte Carlo under a spike-and-slab prior: 2 per cent on effects, 15 on standard deviations (golden.json)."""
    theirs, within = golden.value("CausalImpact/published"), golden.tolerance("CausalImpact/published")
    ours = fit()
    assert ours.observed[70:].mean() == pytest.approx(theirs["actual_average"], abs=0.5)  # printed without decimals
    assert ours.counterfactual[70:].mean() == pytest.approx(theirs["prediction_average"], rel=within)
    assert ours.counterfactual[70:].sum() == pytest.approx(theirs["prediction_cumulative"], rel=within)
    assert ours.att == pytest.approx(theirs["absolute_effect_average"], abs=0.5)  # printed without decimals
    assert ours.details["cumulative"]["effect"] == pytest.approx(theirs["absolute_effect_cumulative"], rel=within)
    # their prior all but fixes the level's noise at 0.01 standard deviations of y, where ours averages over what the data allow
    assert ours.details["std_error_given_ratios"] == pytest.approx(theirs["prediction_sd_average"], rel=0.15)
    assert math.sqrt(ours.variance[0, 0]) > ours.details["std_error_given_ratios"]


def test_interval_holds_the_true_effect():
    found = evaluation.estimate(golden.causalimpact(), "structural_time_series", inference="analytic")
    assert found.lower < 10 < found.upper
    assert found.p_value < 1e-6
