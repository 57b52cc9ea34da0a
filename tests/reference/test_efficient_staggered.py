"""The efficient estimator of staggered starts with both its errors, against staggered 1.2.2 (scripts/09_staggered.R)."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from evaluation.estimators import ESTIMATORS
from tests.reference import golden

SUMMATION = 1e-9  # both sides multiply the same small matrices in double precision
METHOD = ESTIMATORS["efficient_staggered"]
ESTIMATES = ("efficient", "callaway_santanna", "sun_abraham")


@pytest.mark.parametrize("estimator", ESTIMATES)
@pytest.mark.parametrize("estimand", ["simple", "cohort", "calendar"])
def test_averages_and_both_errors_equal_staggered(estimator, estimand):
    theirs = golden.value(f"staggered/mpdta/{estimand}")[estimator][0]
    ours = evaluation.estimate(
        golden.mpdta(), "efficient_staggered", inference="analytic", estimator=estimator, estimand=estimand
    )
    golden.assert_close(ours.effect, theirs["estimate"], SUMMATION)
    golden.assert_close(ours.std_error, theirs["se"], SUMMATION)
    golden.assert_close(ours.details["std_error_neyman"], theirs["se_neyman"], SUMMATION)


@pytest.mark.parametrize("estimator", ESTIMATES)
def test_event_times_equal_staggered(estimator):
    """Each event time has its own efficient β; clustering by unit gives the conservative error."""
    panel = golden.mpdta()
    adjusted = evaluation.estimate(panel, "efficient_staggered", inference="analytic", estimator=estimator)
    neyman = evaluation.estimate(panel, "efficient_staggered", inference="cluster", estimator=estimator)
    for theirs in golden.value("staggered/mpdta/eventstudy")[estimator]:
        ours, conservative = (
            next(point for point in each.path if point.event_time == theirs["eventTime"]) for each in (adjusted, neyman)
        )
        golden.assert_close(ours.effect, theirs["estimate"], SUMMATION)
        golden.assert_close(ours.std_error, theirs["se"], SUMMATION)
        golden.assert_close(conservative.std_error, theirs["se_neyman"], SUMMATION)


def test_the_event_study_headline_is_the_mean_over_the_times_since_the_start():
    fit = METHOD.fit(golden.mpdta(), METHOD.options(estimator="callaway_santanna", estimand="eventstudy"))
    assert fit.att == pytest.approx(fit.effects[fit.event_times >= 0].mean(), abs=1e-12)
    assert np.isfinite(fit.variance).all()
