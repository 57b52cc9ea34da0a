"""Extended two-way fixed effects against etwfe and emfx (09_staggered.R; etwfe on fixest and marginaleffects)."""

from __future__ import annotations

import pytest

import evaluation
from tests.reference import golden

ESTIMATE = 1e-9
"""One linear system in double precision."""

ERROR = 5e-7
"""emfx differentiates numerically: its standard errors hold some seven digits."""

LINEAR = [
    ("etwfe/mpdta/lpop", {"covariates": ("lpop",)}),
    ("etwfe/mpdta/nocov", {}),
    ("etwfe/mpdta/lpop_never", {"covariates": ("lpop",), "control_group": "never_treated"}),
    ("etwfe/mpdta/nocov_never", {"control_group": "never_treated"}),
]


@pytest.mark.parametrize(("name", "options"), LINEAR)
def test_every_average_and_its_error_equal_emfx(name, options):
    theirs = golden.value(name)
    ours = evaluation.estimate(golden.mpdta_lpop(), "extended_twfe", inference="cluster", **options)
    golden.assert_close(ours.effect, theirs["simple"][0]["estimate"], ESTIMATE)
    golden.assert_close(ours.std_error, theirs["simple"][0]["std.error"], ERROR)
    path = {point.event_time: point for point in ours.path}
    assert set(path) == {row["event"] for row in theirs["event"]}
    for row in theirs["event"]:
        golden.assert_close(path[row["event"]].effect, row["estimate"], ESTIMATE)
        if row["std.error"] is None:
            assert path[row["event"]].std_error is None
        else:
            golden.assert_close(path[row["event"]].std_error, row["std.error"], ERROR)
    for kind, ours_key, theirs_key in (("group", "group", "first.treat"), ("calendar", "period", "year")):
        found = {row[ours_key]: row for row in ours.details["aggregates"][kind]}
        assert len(found) == len(theirs[kind])
        for row in theirs[kind]:
            golden.assert_close(found[str(row[theirs_key])]["effect"], row["estimate"], ESTIMATE)
            golden.assert_close(found[str(row[theirs_key])]["std_error"], row["std.error"], ERROR)


def poisson(**options):
    return evaluation.estimate(
        golden.mpdta_employment(), "extended_twfe", covariates=("lpop",), family="poisson", inference="cluster", **options
    )


def test_poisson_effects_equal_emfx():
    theirs, ours = golden.value("etwfe/mpdta/poisson"), poisson()
    # both maximise to some eight digits
    golden.assert_close(ours.effect, theirs["simple"][0]["estimate"], 1e-7)
    path = {point.event_time: point.effect for point in ours.path}
    for row in theirs["event"]:
        golden.assert_close(path[row["event"]], row["estimate"], 1e-7)


def test_poisson_errors_equal_emfx_where_it_takes_the_effects_as_known():
    """emfx's delta method leaves the absorbed effects of cohorts and periods out of the derivative."""
    theirs, ours = golden.value("etwfe/mpdta/poisson"), poisson(effects_known=True)
    within = golden.tolerance("etwfe/mpdta/poisson")
    golden.assert_close(ours.std_error, theirs["simple"][0]["std.error"], within)
    path = {point.event_time: point.std_error for point in ours.path}
    for row in theirs["event"]:
        golden.assert_close(path[row["event"]], row["std.error"], within)
    # which is not the same as allowing for them
    assert abs(poisson().std_error - ours.std_error) > 0.1
