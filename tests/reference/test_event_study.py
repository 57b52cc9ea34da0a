"""Event studies, their cluster-robust errors and the joint test of the leads, against fixest."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import evaluation
from evaluation.estimators import ESTIMATORS
from evaluation.regression import by_cluster
from tests.reference import golden

SUMMATION = 1e-9  # the same linear system in double precision


def points(theirs, prefix, offset=0):
    """{event time: coefficient table} from fixest's names, e.g. "period::4:treat" or "rel::-3"."""
    return {
        int(name.removeprefix(prefix).split(":")[0]) - offset: numbers
        for name, numbers in theirs["coef"].items()
        if name.startswith(prefix)
    }


@pytest.mark.parametrize(
    ("name", "panel", "prefix", "offset", "options"),
    [
        # periods 1-10, start in period 6, reference period 5
        ("fixest/base_did/event_study", golden.base_did, "period::", 6, {"covariates": ("x1",)}),
        ("fixest/mpdta/twfe_event_study", golden.mpdta, "rel::", 0, {}),
        ("fixest/base_stagg/twfe_event_study", golden.base_stagg, "time_to_treatment::", 0, {"covariates": ("x1",)}),
    ],
)
def test_leads_and_lags_equal_fixest(name, panel, prefix, offset, options):
    theirs = points(golden.value(name), prefix, offset)
    ours = evaluation.estimate(panel(), "event_study", inference="cluster", **options)
    found = {point.event_time: point for point in ours.path}
    assert set(found) == {*theirs, -1}
    assert found[-1].effect == 0
    for time, numbers in theirs.items():
        golden.assert_close(found[time].effect, numbers["estimate"], SUMMATION)
        golden.assert_close(found[time].std_error, numbers["se"], SUMMATION)
        assert found[time].p_value == pytest.approx(numbers["p"], rel=1e-7)


def test_covariate_of_the_event_study_equals_fixest():
    theirs = golden.value("fixest/base_did/event_study")["coef"]["x1"]["estimate"]
    ours = evaluation.estimate(golden.base_did(), "event_study", inference="cluster", covariates=("x1",))
    golden.assert_close(ours.details["coefficients"]["x1"], theirs, SUMMATION)


def test_joint_test_of_the_leads_equals_fixest():
    """Wald statistic over its four restrictions, F with 4 and G-1 = 107 degrees of freedom."""
    theirs = golden.value("fixest/base_did/event_study_pretrend_wald")
    panel = golden.base_did()
    method = ESTIMATORS["event_study"]
    fit = method.fit(panel, method.options(covariates=("x1",)))
    leads = np.flatnonzero((fit.event_times < 0) & (fit.event_times != -1))
    scores = by_cluster(fit.path_influence[leads], panel.cluster)
    n_clusters = scores.shape[-1]
    factor = n_clusters / (n_clusters - 1) * (fit.n_obs - 1) / (fit.n_obs - fit.n_parameters)
    covariance = factor * scores @ scores.T
    effects = fit.effects[leads]
    wald = float(effects @ np.linalg.solve(covariance, effects)) / len(leads)
    golden.assert_close(wald, theirs["stat"], 1e-8)
    golden.assert_close(float(stats.f.sf(wald, len(leads), n_clusters - 1)), theirs["p"], 1e-8)


def test_headline_of_an_event_study_is_the_mean_of_its_lags():
    ours = evaluation.estimate(golden.prop99(), "event_study", inference="placebo")
    assert ours.effect == pytest.approx(np.mean([point.effect for point in ours.path if point.event_time >= 0]))
