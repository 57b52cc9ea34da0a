"""Intervals must mean what they say with one treated unit, and the usual ones must be shown not to.

Worlds of 98 units × 14 periods without any effect, fixed seed. With 98 units a rank test at 5 % rejects 4 of 98 times
(4.1 %) if it keeps its promise; the share found may differ from that by three Monte Carlo standard errors.
"""

import numpy as np
import pytest

from evaluation.inference import INFERENCES
from evaluation.panel import Panel
from evaluation.periods import Period
from evaluation.study import make_pipeline

UNITS, PERIODS, START = 98, 14, 7


def world(name, rng):
    """(units, periods) outcomes without an effect."""
    noise = rng.normal(size=(UNITS, PERIODS))
    if name == "iid":
        return noise
    series = np.empty_like(noise)
    series[:, 0] = noise[:, 0] / np.sqrt(1 - 0.6**2)
    for period in range(1, PERIODS):
        series[:, period] = 0.6 * series[:, period - 1] + noise[:, period]
    if name == "ar1":
        return series
    loadings = rng.normal(1.0, 0.24, size=(UNITS, 1))
    cycle = np.array([0, -3.2, -3.9, -4.2, -4.7, -4.7, -4.4, -3.9, -3.2, -2.4, -1.4, -0.9, -1.5, 1.1])
    return 0.35 * series + loadings * cycle


def panel(outcome):
    start = np.full(UNITS, PERIODS)
    start[0] = START
    periods = tuple(Period("year", 2008 + index) for index in range(PERIODS))
    return Panel(outcome, tuple(f"u{row:02d}" for row in range(UNITS)), periods, start, window=(START, START + 3))


def rejections(inference, method, name, replications):
    pipeline = make_pipeline(method, "none", {})
    rng = np.random.default_rng(2015)
    p_values = [
        INFERENCES[inference].test(pipeline, panel(world(name, rng)), np.random.default_rng(1))
        for _ in range(replications)
    ]
    return float(np.mean(np.array(p_values) <= 0.05))


def close_to(rate, nominal, replications):
    return abs(rate - nominal) <= 3 * np.sqrt(nominal * (1 - nominal) / replications)


@pytest.mark.parametrize("name", ["iid", "ar1", "cycle"])
def test_conley_taber_keeps_its_size(name):
    # both tails hold ⌊0.025 × 98⌋ = 2 of 98
    assert close_to(rejections("conley_taber", "did", name, 3000), 4 / 98, 3000)


@pytest.mark.parametrize("name", ["ar1", "cycle"])
def test_placebos_keep_their_size(name):
    assert close_to(rejections("placebo", "did", name, 400), 4 / 98, 400)


def test_placebos_of_synthetic_did_keep_their_size():
    assert close_to(rejections("placebo", "synthetic_did", "cycle", 150), 4 / 98, 150)


@pytest.mark.parametrize("name", ["ar1", "cycle"])
def test_cluster_robust_errors_with_one_treated_unit_do_not(name):
    assert rejections("cluster", "did", name, 1000) > 0.5
