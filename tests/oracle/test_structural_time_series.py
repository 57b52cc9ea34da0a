"""The Gaussian vectors of state_space.py against statsmodels' Kalman filter, and against conditioning with a huge prior variance."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.state_space import forecast
from evaluation.structural_models import model

MODELS = [
    ("local_level", 0),
    ("local_level", 4),
    ("local_level", 2),
    ("local_linear_trend", 0),
    ("local_linear_trend", 4),
]


def world(seed, n_periods=44, seasonal=0):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=(n_periods, 1)), axis=0)
    level = np.cumsum(rng.normal(0.1, 0.4, n_periods))
    pattern = np.resize(rng.normal(0, 2, max(seasonal, 1)), n_periods) if seasonal else 0.0
    return 50 + level + 0.7 * x[:, 0] + pattern + rng.normal(size=n_periods), x


def filtered(series, x, start, level, seasonal, variances):
    """statsmodels with the coefficient as a state, both it and the starting values exactly diffuse: their errors count."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    twin = UnobservedComponents(
        series[:start], {"local_level": "llevel", "local_linear_trend": "lltrend"}[level], seasonal=seasonal or None,
        exog=x[:start], mle_regression=False,
    )  # fmt: skip
    twin.ssm.initialize_diffuse()
    names = {
        "irregular": "sigma2.irregular",
        "level": "sigma2.level",
        "slope": "sigma2.trend",
        "seasonal": "sigma2.seasonal",
    }
    by_name = {names[name]: value for name, value in variances.items()}
    return twin.smooth([by_name[name] for name in twin.param_names]).get_forecast(series.size - start, exog=x[start:])


@pytest.mark.filterwarnings("ignore:Care should be used")
@pytest.mark.parametrize(("level", "seasonal"), MODELS)
@pytest.mark.parametrize("holes", [(), (0, 7, 30)], ids=["complete", "holed"])
def test_forecasts_and_their_errors_equal_the_kalman_filters(level, seasonal, holes):
    series, x = world(5, seasonal=seasonal)
    series[list(holes)] = np.nan
    found = forecast(series, x, 36, level, seasonal, ("x",))
    scale = found.n / (found.n - 1)  # one coefficient is paid for in the scale
    theirs = filtered(series, x, 36, level, seasonal, {name: value * scale for name, value in found.variances.items()})
    # the filter multiplies some forty matrices: 1e-6 of rounding; a variance near 0 conditions it badly
    np.testing.assert_allclose(found.mean, theirs.predicted_mean, atol=2e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(found.given)), theirs.se_mean, rtol=2e-5)


@pytest.mark.parametrize(("level", "seasonal"), MODELS)
def test_no_parameters_that_the_kalman_filter_tries_are_more_likely(level, seasonal):
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    series, x = world(6, seasonal=seasonal)
    found = forecast(series, x, 36, level, seasonal, ("x",))
    twin = UnobservedComponents(
        series[:36],
        {"local_level": "llevel", "local_linear_trend": "lltrend"}[level],
        seasonal=seasonal or None,
        exog=x[:36],
    )
    fitted = twin.fit(disp=0, maxiter=200)
    # their approximately diffuse start (variance 1e6) moves the likelihood by some 1e-5; their search may stop early
    assert found.log_likelihood >= fitted.llf - 1e-4
    names = {
        "irregular": "sigma2.irregular",
        "level": "sigma2.level",
        "slope": "sigma2.trend",
        "seasonal": "sigma2.seasonal",
    }
    by_name = {names[name]: value for name, value in found.variances.items()} | {"beta.x1": found.coefficients[0]}
    assert found.log_likelihood == pytest.approx(twin.loglike([by_name[name] for name in twin.param_names]), abs=1e-4)


@pytest.mark.parametrize(("level", "seasonal"), [*MODELS, ("autoregressive", 0)])
def test_joint_covariance_of_the_forecasts_is_the_conditional_one(level, seasonal):
    """Everything unknown gets a prior variance of 1e7; then forecasts are conditional means of one Gaussian vector."""
    series, x = world(7, seasonal=seasonal)
    found = forecast(series, x, 36, level, seasonal, ("x",))
    made = model(level, seasonal, series.size)
    k = made.fixed.shape[1] + 1
    if level == "autoregressive":
        rho = found.variances["autocorrelation"]
        noise = found.variances["series"] * rho ** np.abs(np.subtract.outer(np.arange(44), np.arange(44)))
    else:
        noise = np.tensordot([found.variances[name] for name in made.names], made.kernels, axes=1)
    unknown = np.hstack([made.start, made.fixed, x])
    covariance = noise * found.n / (found.n - k) + 1e7 * unknown @ unknown.T
    gain = np.linalg.solve(covariance[:36, :36], covariance[:36, 36:]).T
    # a prior variance of 1e7 beside noise of 1 costs seven of sixteen digits, and is finite: 1e-7 of what it multiplies
    np.testing.assert_allclose(found.mean, gain @ series[:36], atol=2e-3)
    np.testing.assert_allclose(found.given, covariance[36:, 36:] - gain @ covariance[:36, 36:], atol=2e-3)


def test_innovations_are_the_errors_of_forecasts_one_period_ahead():
    """With the final variances and coefficient, each period's forecast from those before it, refitted by conditioning."""
    series, x = world(8)
    found = forecast(series, x, 36, "local_level", 0, ("x",))
    rest = series - x[:, 0] * found.coefficients[0]
    made = model("local_level", 0, series.size)
    noise = np.tensordot([found.variances[name] for name in made.names], made.kernels, axes=1)
    assert np.isnan(found.innovations[0])
    for period in (1, 2, 9, 35):
        covariance = noise[: period + 1, : period + 1] + 1e7
        gain = np.linalg.solve(covariance[:-1, :-1], covariance[:-1, -1])
        assert found.innovations[period] == pytest.approx(rest[period] - gain @ rest[:period], abs=1e-4)


def test_local_level_search_beats_a_fine_grid():
    """One-dimensional, and not always with one peak: ten thousand ratios by the plain formula find nothing better."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        series, x = np.cumsum(rng.normal(size=12)) + rng.normal(size=12), rng.normal(size=(12, 1))
        found = forecast(series, x, 10, "local_level", 0, ("x",))
        z, column = np.diff(series[:10]), np.diff(x[:10, 0])
        best = -np.inf
        for ratio in np.concatenate([[0.0], np.logspace(-8, 8, 2000)]):
            covariance = ratio * np.eye(9) + 2 * np.eye(9) - np.eye(9, k=1) - np.eye(9, k=-1)
            inverse = np.linalg.inv(covariance)
            rest = z - column * (column @ inverse @ z) / (column @ inverse @ column)
            value = -0.5 * (9 * np.log(2 * np.pi * (rest @ inverse @ rest) / 9) + np.linalg.slogdet(covariance)[1] + 9)
            best = max(best, value)
        assert found.log_likelihood >= best - 1e-9
