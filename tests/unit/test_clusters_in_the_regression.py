"""Clusters no cell of which is in the regression count in no small-sample factor: as if they were not in the data."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm

import evaluation
from tests.oracle.panels import factor_outcome, make_panel

STARTS = dict.fromkeys(range(7), 9)
OUT = (4, 9, 15)
"""A treated unit and two controls that the regression loses."""


def weightless():
    """Observed, but of no weight."""
    weights = np.ones((20, 14))
    weights[list(OUT)] = 0.0
    return make_panel(factor_outcome(8, 20), STARTS, covariates={"counts": weights}), {"weights": "counts"}


def unknown():
    """Observed, but a covariate that varies over time never is."""
    layer = np.random.default_rng(4).normal(0, 1, (20, 14))
    layer[list(OUT)] = np.nan
    return make_panel(factor_outcome(8, 20), STARTS, covariates={"layer": layer}), {"covariates": ("layer",)}


CASES = [(weightless, method) for method in ("did", "event_study", "sun_abraham", "extended_twfe")]
CASES += [(unknown, method) for method in ("did", "event_study", "sun_abraham")]


@pytest.mark.parametrize(("make", "method"), CASES)
def test_errors_are_those_of_the_panel_without_them(make, method):
    panel, options = make()
    kept = panel.keep_units([row for row in range(panel.n_units) if row not in OUT])
    ours, theirs = (evaluation.estimate(each, method, inference="cluster", **options) for each in (panel, kept))
    assert ours.details["clusters"] == theirs.details["clusters"] == 17
    # the same cells in the same order: nothing but the order of sums
    assert ours.effect == pytest.approx(theirs.effect, abs=1e-9)
    assert ours.std_error == pytest.approx(theirs.std_error, rel=1e-9)
    assert (ours.lower, ours.upper) == pytest.approx((theirs.lower, theirs.upper), abs=1e-9)
    assert ours.details["small_sample_factor"] == theirs.details["small_sample_factor"]
    for point, other in zip(ours.path, theirs.path, strict=True):
        assert point.std_error == (None if other.std_error is None else pytest.approx(other.std_error, rel=1e-9))


def test_did_is_the_sandwich_of_statsmodels_with_the_factor_of_those_that_count():
    """G/(G − 1) × (N − 1)/(N − K) with seventeen clusters, K without the unit effects nested in them."""
    panel, options = weightless()
    rows = [row for row in range(20) if row not in OUT]
    outcome, treated = panel.outcome[rows].ravel(), panel.target[rows].astype(float).ravel()
    unit, period = np.repeat(np.arange(17), 14), np.tile(np.arange(14), 17)
    design = np.column_stack([treated, unit[:, None] == np.arange(17), period[:, None] == np.arange(1, 14)]).astype(
        float
    )
    found = sm.OLS(outcome, design).fit(cov_type="cluster", cov_kwds={"groups": unit, "use_correction": False})
    factor = 17 / 16 * (outcome.size - 1) / (outcome.size - (1 + 14))
    ours = evaluation.estimate(panel, "did", inference="cluster", **options)
    assert ours.effect == pytest.approx(found.params[0], abs=1e-9)
    assert ours.std_error == pytest.approx(found.bse[0] * math.sqrt(factor), rel=1e-9)
