"""The interaction-weighted event study against fixest's sunab (02_fixest.R, fixest 0.14.2)."""

from __future__ import annotations

import pytest

import evaluation
from tests.reference import golden

# Both sides solve one linear system in double precision; they differ by the order of summation only.
SUMMATION = 1e-9


def base_stagg():
    return evaluation.estimate(golden.base_stagg(), "sun_abraham", covariates=("x1",), inference="cluster")


def points(theirs, prefix="year::"):
    return {int(name.removeprefix(prefix)): row for name, row in theirs.items() if name.startswith(prefix) and ":l" not in name}


@pytest.mark.parametrize(
    ("name", "panel", "covariates"),
    [
        ("fixest/base_stagg/sunab", golden.base_stagg, ("x1",)),
        ("fixest/mpdta/sunab/nocov", golden.mpdta, ()),
        # a covariate that does not change enters once for each period, as i(year, lpop, ref = 2003)
        ("fixest/mpdta/sunab/lpop_by_year", golden.mpdta_lpop, ("lpop",)),
    ],
)
def test_effects_by_event_time_equal_sunab(name, panel, covariates):
    theirs = points(golden.value(name)["coef"])
    ours = evaluation.estimate(panel(), "sun_abraham", covariates=covariates, inference="cluster")
    found = {point.event_time: point for point in ours.path}
    assert set(found) == {*theirs, -1}
    assert found[-1].effect == 0
    for time, row in theirs.items():
        golden.assert_close(found[time].effect, row["estimate"], SUMMATION)
        golden.assert_close(found[time].std_error, row["se"], SUMMATION)
        assert found[time].p_value == pytest.approx(row["p"], rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "panel", "covariates"),
    [
        ("fixest/base_stagg/sunab_att", golden.base_stagg, ("x1",)),
        ("fixest/mpdta/sunab_att/nocov", golden.mpdta, ()),
        ("fixest/mpdta/sunab_att/lpop_by_year", golden.mpdta_lpop, ("lpop",)),
    ],
)
def test_headline_equals_the_att_of_sunab(name, panel, covariates):
    theirs = golden.value(name)["coef"]
    ours = evaluation.estimate(panel(), "sun_abraham", covariates=covariates, inference="cluster")
    golden.assert_close(ours.effect, theirs["ATT"]["estimate"], SUMMATION)
    golden.assert_close(ours.std_error, theirs["ATT"]["se"], SUMMATION)
    for label, value in ours.details["coefficients"].items():
        other = label if label in theirs else f"year::{label.rpartition(' ')[2]}:lpop"
        golden.assert_close(value, theirs[other]["estimate"], SUMMATION)


def test_effects_by_cohort_equal_sunab():
    theirs = golden.value("fixest/base_stagg/sunab_cohort")["coef"]
    ours = base_stagg().details["cohorts"]
    assert len(ours) == len(theirs) - 1  # beside the covariate
    for row in ours:
        golden.assert_close(row["effect"], theirs[f"cohort::{row['group']}"]["estimate"], SUMMATION)
        golden.assert_close(row["std_error"], theirs[f"cohort::{row['group']}"]["se"], SUMMATION)


def test_effects_by_cohort_and_event_time_equal_sunab():
    theirs = golden.value("fixest/base_stagg/sunab_noagg")["coef"]
    ours = base_stagg().details["cohort_effects"]
    assert len(ours) == len(theirs) - 1
    for row in ours:
        other = theirs[f"year::{row['event_time']}:cohort::{row['group']}"]
        golden.assert_close(row["effect"], other["estimate"], SUMMATION)
        golden.assert_close(row["std_error"], other["se"], SUMMATION)
