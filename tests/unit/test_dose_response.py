"""Dose response on awkward panels: doses that are missing, equal or few, and what the reader is told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError, UsageError
from evaluation.estimators import ESTIMATORS
from tests.oracle.panels import factor_outcome, make_panel

METHOD = ESTIMATORS["dose_response"]


def fit(panel, **options):
    return METHOD.fit(panel, METHOD.options(**options))


def codes(found):
    return {note.code for note in found.notes}


def world(doses, **more):
    """20 units, the first treated from the fifth of eight periods, one for each dose."""
    dose = np.zeros(20)
    dose[: len(doses)] = doses
    covariates = {"dose": dose, **more.pop("covariates", {})}
    return make_panel(factor_outcome(1, 20, 8), dict.fromkeys(range(len(doses)), 4), covariates=covariates, **more)


def test_slope_comes_with_the_warning_of_what_it_assumes():
    found = fit(world([1, 2, 3, 4]))
    assert {"effect", "std_error", "p_value"} == set(found.details["slope"])
    assert "dose_strong_parallel_trends" in codes(found)
    assert found.details["mean_dose"] == 2.5


def test_equal_doses_leave_the_average_alone():
    found = fit(world([2, 2, 2]))
    assert np.isfinite(found.att)
    assert "dose_same_for_all" in codes(found)
    assert "slope" not in found.details


def test_treated_without_a_dose_count_in_the_average_only():
    with_hole = fit(world([1, 2, 3, np.nan, 0]))
    assert with_hole.att == pytest.approx(fit(world([1, 2, 3, 4, 5])).att)
    (note,) = [note for note in with_hole.notes if note.code == "dose_missing"]
    assert note.facts["count"] == 2
    assert "dose_unknown" in codes(fit(world([0, 0])))


def test_a_degree_that_the_doses_do_not_allow_is_lowered_and_said():
    found = fit(world([1, 1, 2, 2, 3]), degree=4)
    assert found.details["degree"] == 2
    assert "dose_degree_lowered" in codes(found)


def test_one_treated_unit_whose_dose_changes_over_time():
    dose = np.zeros((20, 8))
    dose[0, 4:] = [1.0, 2.0, 3.0, 4.0]
    panel = make_panel(factor_outcome(1, 20, 8), {0: 4}, covariates={"dose": dose})
    raised = panel.with_outcome(panel.outcome + 0.5 * dose)
    before, after = (fit(each).details["slope"]["effect"] for each in (panel, raised))
    assert after - before == pytest.approx(0.5)


def test_another_covariate_may_hold_the_dose_and_a_missing_one_is_refused():
    panel = world([1, 2, 3], covariates={"caseload": np.arange(20.0) + 1})
    assert fit(panel, dose="caseload").details["dose"] == "caseload"
    with pytest.raises(EstimationError, match="no covariate 'caselod' in the panel; did you mean 'caseload'"):
        fit(panel, dose="caselod")


def test_degrees_out_of_range_are_refused():
    for degree in (0, 5, "splines"):
        with pytest.raises(UsageError):
            evaluation.estimate(world([1, 2, 3]), "dose_response", degree=degree)


def test_units_of_the_dose_change_only_the_slope():
    panel = world([1, 2, 3, 4, 7])
    hundred = dataclasses.replace(panel, covariates={"dose": 100 * panel.covariates["dose"]})
    ours, theirs = fit(panel, degree=2), fit(hundred, degree=2)
    assert theirs.details["slope"]["effect"] == pytest.approx(ours.details["slope"]["effect"] / 100)
    for one, two in zip(ours.details["curve"], theirs.details["curve"], strict=True):
        assert two["effect"] == pytest.approx(one["effect"])
        assert two["std_error"] == pytest.approx(one["std_error"])


def test_a_group_of_one_has_no_standard_error_and_a_small_group_among_many_is_not_told():
    small = fit(world([1, 1, 2]), degree="bins").details["bins"]
    assert small[1]["units"] == 1
    assert small[1]["std_error"] is None
    assert small[1]["effect"] is not None
    dose = np.zeros(120)
    dose[:60] = np.where(np.arange(60) < 3, 2.0, 1.0)
    many = make_panel(factor_outcome(1, 120, 8), dict.fromkeys(range(60), 4), covariates={"dose": dose})
    assert [row["effect"] is None for row in fit(many, degree="bins").details["bins"]] == [False, True]


def test_weights_clusters_window_and_quarters_go_through():
    size = np.random.default_rng(0).integers(50, 900, (20, 8)).astype(float)
    panel = world([1, 2, 3, 4, 5, 6, 7], size=size, cluster=np.arange(20) // 1, window=(5, 6))
    answer = evaluation.estimate(panel, "dose_response", inference="cluster")
    assert answer.lower < answer.effect < answer.upper
    wider = dataclasses.replace(panel, cluster=np.arange(20) // 2)
    assert evaluation.estimate(wider, "dose_response", inference="cluster").std_error != answer.std_error
