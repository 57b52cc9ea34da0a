"""Augmented synthetic control, jackknife+ and conformal p-values on the Kansas tax cuts, against the authors' program and vignette."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

import evaluation
from evaluation.estimators import ESTIMATORS
from tests.reference import golden

METHOD = ESTIMATORS["augmented_synthetic_control"]
CASES = {
    "ridge": {},
    "ridge_only_no_scm": {"scm": False},
    "ridge_lambda_0.001": {"ridge": 0.001},
    "ridge_lambda_0.01": {"ridge": 0.01},
}
COVARIATES = ("gdp_before", "revenue_state", "revenue_local", "wages", "estabscapita", "emplvlcapita")


@cache
def fit(**options):
    return METHOD.fit(golden.kansas(), METHOD.options(**options))


@pytest.mark.parametrize(("name", "options"), CASES.items())
def test_effect_path_weights_and_imbalance_equal_augsynths(name, options):
    theirs, within = golden.value(f"augsynth/kansas/{name}"), golden.tolerance(f"augsynth/kansas/{name}")
    ours = fit(**options)
    golden.assert_close(ours.att, theirs["average_att"], within)
    np.testing.assert_allclose(ours.effects, list(theirs["att"].values()), atol=within, rtol=0)
    # their synthetic control is OSQP's, stopped at 1e-8, which leaves some 1e-7 in a weight
    golden.assert_weights(dict(zip(golden.kansas().units, ours.unit_weights, strict=True)), theirs["weights"], 1e-6)
    golden.assert_close(ours.details["imbalance"], theirs["l2_imbalance"], within)
    golden.assert_close(ours.details["relative_imbalance"], theirs["scaled_l2_imbalance"], within)
    golden.assert_close(ours.details["ridge"], theirs["lambda"], 1e-12)


@pytest.mark.parametrize("name", ["ridge", "ridge_only_no_scm"])
def test_search_for_the_penalty_equals_augsynths(name):
    """One eigendecomposition for all periods left out and all penalties gives what they get by refitting each."""
    theirs, ours = golden.value(f"augsynth/kansas/{name}")["cv"], fit(**CASES[name]).details
    np.testing.assert_allclose(ours["penalties"], theirs["lambdas"], rtol=1e-10)
    # squared errors of synthetic controls that OSQP stops at 1e-8
    np.testing.assert_allclose(ours["errors"], theirs["errors"], rtol=1e-5)
    np.testing.assert_allclose(ours["error_std_errors"], theirs["errors_se"], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "att", "imbalance", "covariates"),
    [
        ({"covariates": COVARIATES}, -0.0609, 0.054, 0.005),
        ({"covariates": COVARIATES, "residualise": True, "ridge": 0.0786622281349974}, -0.0548, 0.067, 0.0),
    ],
    ids=["parallel", "residualised"],
)
def test_covariates_give_the_numbers_of_the_vignette(options, att, imbalance, covariates):
    """Printed in the package's vignette (script 06_augsynth.R, `published`): four and three digits."""
    ours = fit(**options)
    assert ours.att == pytest.approx(att, abs=6e-5)
    assert ours.details["imbalance"] == pytest.approx(imbalance, abs=6e-4)
    assert ours.details["covariate_imbalance"] == pytest.approx(covariates, abs=6e-4)


def test_bias_taken_out_is_that_of_the_vignette():
    """ "Avg Estimated Bias: 0.011": what the ridge changes in the effect."""
    ours = fit()
    assert ours.details["effect_without_ridge"] - ours.att == pytest.approx(0.011, abs=6e-4)
    golden.assert_close(ours.details["effect_without_ridge"], golden.value("augsynth/kansas/scm")["average_att"], 1e-6)


@pytest.mark.parametrize(("name", "method"), [("scm", "synthetic_control"), ("ridge", "augmented_synthetic_control")])
def test_jackknife_plus_equals_augsynths(name, method):
    theirs, within = golden.value(f"augsynth/kansas/{name}"), golden.tolerance(f"augsynth/kansas/{name}")
    ours = evaluation.estimate(golden.kansas(), method, inference="jackknife_plus")
    golden.assert_close(ours.lower, theirs["jackknife_plus_average"]["lower_bound"], within)
    golden.assert_close(ours.upper, theirs["jackknife_plus_average"]["upper_bound"], within)
    after = [row for row in theirs["jackknife_plus"] if row["lower_bound"] is not None and row["Time"] is not None]
    path = [point for point in ours.path if point.event_time >= 0]
    assert len(path) == 16
    np.testing.assert_allclose([p.lower for p in path], [row["lower_bound"] for row in after[:16]], atol=within, rtol=0)
    np.testing.assert_allclose([p.upper for p in path], [row["upper_bound"] for row in after[:16]], atol=within, rtol=0)


def test_null_imposed_gaps_give_augsynths_conformal_p_value():
    """The mean |gap| after the start among the cyclic shifts of the gaps; the penalty is that of the pre-periods."""
    panel = golden.kansas()
    sizes = np.abs(METHOD.gaps(panel, METHOD.options()))
    start = panel.starts[0]
    means = np.array([np.roll(sizes, -shift)[start:].mean() for shift in range(sizes.size)])
    theirs = golden.value("augsynth/kansas/ridge")["conformal_block_q1"]["p_joint"]
    assert (means >= means[0] - 1e-12).mean() == pytest.approx(theirs, abs=1e-12)


def test_a_window_moves_the_effect_and_not_the_weights():
    panel = golden.kansas()
    start = panel.starts[0]
    ours = METHOD.fit(dataclasses.replace(panel, window=(start, start + 3)), METHOD.options())
    np.testing.assert_array_equal(ours.unit_weights, fit().unit_weights)
    assert ours.att == pytest.approx(ours.effects[start : start + 4].mean(), abs=1e-12)
