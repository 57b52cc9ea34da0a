"""The error of slopes that all units share widens placebos where the treated unit's series moved further than theirs."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from evaluation.contracts import Fit
from evaluation.inference.draws import Placebos, slope_factors
from evaluation.study import make_pipeline
from tests.oracle.panels import make_panel


def fit(variance: float) -> Fit:
    return Fit(0.0, np.empty(0), np.empty(0, dtype=np.int64), slope_variance=variance)


def placebos(*variances: float) -> Placebos:
    return Placebos(tuple((row,) for row in range(len(variances))), tuple(fit(each) for each in variances), 0, True)


def test_by_hand():
    draws = np.array([3.0, -1.0, 2.0, -2.0])  # mean square 4.5
    found = slope_factors(fit(4.0), placebos(0.5, 0.5, 1.0, 0.0), draws)
    rest = 4.5 - 0.5
    np.testing.assert_allclose(found, np.sqrt((rest + 4.0) / (rest + np.array([0.5, 0.5, 1.0, 0.0]))))


def test_no_shared_slope_changes_nothing():
    np.testing.assert_array_equal(slope_factors(fit(0.0), placebos(0.0, 0.0), np.array([1.0, -2.0])), 1.0)


def world(moved: float):
    """40 units whose outcome answers to a local series with slope -3; the treated unit's series moves by `moved` in the window."""
    rng = np.random.default_rng(11)
    series = rng.normal(0.0, 0.3, (40, 12))
    series[0, 8:] += moved
    outcome = rng.normal(50.0, 4.0, (40, 1)) - 3.0 * series + rng.normal(0.0, 1.0, (40, 12))
    return make_panel(outcome, {0: 8}, cycle={"unemployment": series})


def estimate(moved: float):
    return evaluation.estimate(
        world(moved), "did", adjust="local_series", adjust_options={"split": False}, inference="placebo"
    )


def test_the_interval_widens_with_how_far_the_series_moved():
    near, far = estimate(0.0), estimate(-6.0)
    # the slope is learnt from the others alone, so what is left of the movement is the slope's own error times six
    slope = far.details["adjustment"]["local"]
    assert slope == near.details["adjustment"]["local"]
    assert far.effect - near.effect == pytest.approx((-3.0 - slope) * -6.0, rel=1e-9)
    assert far.upper - far.lower > 1.2 * (near.upper - near.lower)


def test_the_variance_is_that_of_the_slope_times_the_movement():
    panel = world(-6.0)
    pipeline = make_pipeline("did", "local_series", {}, {"split": False})
    terms = pipeline.adjust(panel).terms
    series = panel.cycle["unemployment"]
    change = series[:, 8:].mean(axis=1) - series[:, :8].mean(axis=1)
    moved = change[0] - change[1:].mean()
    assert pipeline(panel).slope_variance == pytest.approx((terms["local_se"] * moved) ** 2, rel=1e-9)
