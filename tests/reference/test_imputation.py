"""Imputation and two-stage estimates with their errors, against didimputation, fect and did2s."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import evaluation
from evaluation.estimators import ESTIMATORS
from evaluation.panel import Panel
from tests.reference import golden

# didimputation 0.5.0 (scripts/09_staggered.R), did2s 1.2.1 (scripts/16_did2s_twfe_weights.R), fect 2.4.1 (scripts/12_fect.R):
# each entry's own tolerance holds, because fixest finds its fixed effects by iterating until changes are below 1e-6 and we
# solve for them exactly.


def by_time(estimate):
    return {point.event_time: point for point in estimate.path}


def assert_point(ours, theirs, name, error="std.error"):
    golden.assert_close(ours.effect, theirs["estimate"], golden.tolerance(name))
    golden.assert_close(ours.std_error, theirs[error], golden.tolerance(name))


def test_static_effect_and_error_equal_didimputation():
    name = "didimputation/mpdta/static"
    ours = evaluation.estimate(golden.mpdta(), "imputation", inference="cluster")
    assert_point(ours, golden.value(name)[0], name)


@pytest.mark.parametrize(
    ("name", "pretrends"), [("didimputation/mpdta/horizon", 4), ("didimputation/mpdta/horizon_pre2", 2)]
)
def test_horizons_and_leads_equal_didimputation(name, pretrends):
    """All leads (the last is then the reference), or the last two against whatever lies before them."""
    ours = by_time(evaluation.estimate(golden.mpdta(), "imputation", inference="cluster", pretrends=pretrends))
    theirs = {int(row["term"]): row for row in golden.value(name)}
    assert set(ours) - {-1} == set(theirs) - {-1}
    for time, row in theirs.items():
        assert_point(ours[time], row, name)
    if -1 not in theirs:
        assert ours[-1].effect == 0
        assert ours[-1].std_error is None


def test_a_constant_covariate_with_a_slope_in_each_period_equals_didimputation():
    name = "didimputation/mpdta/lpop_by_year"
    panel = Panel.from_frame(
        golden.table("mpdta"), unit="countyreal", time="year", outcome="lemp", start="first.treat", covariates=("lpop",)
    )  # fmt: skip
    ours = evaluation.estimate(panel, "imputation", inference="cluster", covariates=("lpop",))
    assert_point(ours, golden.value(name)[0], name)


@pytest.mark.parametrize("method", ["imputation", "two_stage"])
def test_gaps_before_and_after_equal_fect(method):
    """fect counts from 0 for the last period before the start, and weights as we do: all treated cells alike."""
    name = "fect/mpdta/fe"
    theirs = golden.value(name)
    ours = evaluation.estimate(golden.mpdta(), method, inference="cluster")
    golden.assert_close(ours.effect, theirs["att_avg"], golden.tolerance(name))
    effects = {time + 1: point.effect for time, point in by_time(ours).items()}
    assert set(effects) == {int(time) for time in theirs["att_by_event_time"]}
    for time, effect in theirs["att_by_event_time"].items():
        golden.assert_close(effects[int(time)], effect, golden.tolerance(name))


def test_two_stage_effect_and_error_equal_did2s():
    name = "did2s/mpdta/static"
    ours = evaluation.estimate(golden.mpdta(), "two_stage", inference="cluster")
    assert_point(ours, golden.value(name)["D::1"], name, "se")


def test_two_stage_event_study_equals_did2s():
    name = "did2s/mpdta/event_study"
    ours = by_time(evaluation.estimate(golden.mpdta(), "two_stage", inference="cluster"))
    for term, row in golden.value(name).items():
        assert_point(ours[int(term.removeprefix("rel::"))], row, name, "se")


def test_errors_clustered_above_the_unit_sum_the_influence_within_clusters():
    panel = golden.mpdta()
    cluster = np.arange(panel.n_units) // 7
    ours = evaluation.estimate(dataclasses.replace(panel, cluster=cluster), "imputation", inference="cluster")
    method = ESTIMATORS["imputation"]
    influence = method.fit(panel, method.options()).influence
    by_hand = np.sqrt(sum(influence[cluster == code].sum() ** 2 for code in np.unique(cluster)))
    assert ours.std_error == pytest.approx(by_hand, rel=1e-12)  # the order of summation
