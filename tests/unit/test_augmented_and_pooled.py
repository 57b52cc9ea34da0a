"""Edges of augmented and partially pooled synthetic control, and of intervals from periods left out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError, UsageError
from evaluation.estimators import ESTIMATORS
from evaluation.periods import parse_period
from tests.oracle.panels import factor_outcome, factor_panel, make_panel

ASCM = ESTIMATORS["augmented_synthetic_control"]
POOLED = ESTIMATORS["partially_pooled_synthetic_control"]


def codes(found):
    return [note.code for note in found.notes]


# ------------------------------------------------------------------ augmented


def test_several_treated_units_are_averaged_first():
    panel = make_panel(factor_outcome(3), {0: 9, 5: 9})
    outcome = np.vstack([panel.outcome[[0, 5]].mean(axis=0), np.delete(panel.outcome, [0, 5], axis=0)])
    assert ASCM.fit(panel, ASCM.options()).att == pytest.approx(
        ASCM.fit(make_panel(outcome, {0: 9}), ASCM.options()).att, abs=1e-9
    )


def test_units_treated_from_the_first_period_are_left_out_and_named():
    panel = make_panel(factor_outcome(3), {0: 9, 5: 0})
    found = ASCM.fit(panel, ASCM.options())
    assert "always_treated_dropped" in codes(found)
    assert found.unit_weights[5] == 0
    assert found.att == pytest.approx(
        ASCM.fit(panel.keep_units([0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]), ASCM.options()).att, abs=1e-9
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"covariates": ("y",)}, "no covariate 'y'"),
        ({"covariates": ("flat",)}, "does not vary"),
        ({"covariates": ("holes",)}, "missing for some unit"),
        ({"covariates": ("x", "twice_x"), "residualise": True}, "do not vary independently"),
    ],
)
def test_covariates_that_cannot_be_balanced_are_refused_in_words(options, words):
    x = np.random.default_rng(1).normal(size=12)
    holes = np.where(np.arange(12) == 7, np.nan, x)
    panel = factor_panel(1, covariates={"x": x, "twice_x": 2 * x, "flat": np.ones(12), "holes": holes})
    with pytest.raises(EstimationError, match=words):
        ASCM.fit(panel, ASCM.options(**options))


def test_options_that_make_no_sense_are_refused():
    for options in ({"ridge": 0.0}, {"ridge": -1.0}, {"residualise": True}):
        with pytest.raises(UsageError):
            evaluation.estimate(factor_panel(1), "augmented_synthetic_control", **options)
    for options in ({"pooling": 1.5}, {"lags": 0}, {"leads": 0}):
        with pytest.raises(UsageError):
            evaluation.estimate(factor_panel(1), "partially_pooled_synthetic_control", **options)


def test_two_periods_before_the_start_need_a_penalty():
    panel = factor_panel(1, start=2)
    with pytest.raises(EstimationError, match="give `ridge` a number"):
        ASCM.fit(panel, ASCM.options())
    assert np.isfinite(ASCM.fit(panel, ASCM.options(ridge=0.5)).att)


def test_fixed_effects_ignore_levels_and_warn_of_the_penalty():
    panel = factor_panel(2)
    moved = panel.with_outcome(panel.outcome + np.arange(12)[:, None])
    options = ASCM.options(fixed_effects=True)
    found = ASCM.fit(panel, options)
    assert ASCM.fit(moved, options).att == pytest.approx(found.att, abs=1e-6)
    assert "penalty_from_shared_means" in codes(found)
    assert "penalty_from_shared_means" not in codes(ASCM.fit(panel, ASCM.options(fixed_effects=True, ridge=0.1)))


def test_a_placebo_test_tunes_the_penalty_in_every_refit():
    found = evaluation.estimate(factor_panel(1), "augmented_synthetic_control", inference="placebo")
    assert 1 / 12 <= found.p_value <= 1


# ------------------------------------------------------------------ partially pooled


STARTS = {0: 6, 4: 8, 7: 9}


def test_one_treated_unit_gives_the_demeaned_synthetic_control():
    panel = factor_panel(3)
    plain = evaluation.estimate(panel, "synthetic_control", inference="placebo", demeaned=True)
    assert POOLED.fit(panel, POOLED.options()).att == pytest.approx(plain.effect, abs=1e-6)
    plain = evaluation.estimate(panel, "synthetic_control", inference="placebo")
    assert POOLED.fit(panel, POOLED.options(fixed_effects=False)).att == pytest.approx(plain.effect, abs=1e-6)


def test_effect_is_the_mean_over_treated_cells_and_the_path_by_event_time():
    panel = make_panel(factor_outcome(2), STARTS)
    found = POOLED.fit(panel, POOLED.options())
    raised = POOLED.fit(panel.with_outcome(panel.outcome + 2.0 * panel.after), POOLED.options())
    assert raised.att == pytest.approx(found.att + 2.0, abs=1e-9)
    np.testing.assert_allclose(raised.effects - found.effects, np.where(found.event_times >= 0, 2.0, 0.0), atol=1e-9)
    counts = np.array([sum(start + event < 14 for start in STARTS.values()) for event in range(8)])
    assert found.att == pytest.approx(found.effects[found.event_times >= 0] @ counts / counts.sum(), abs=1e-9)
    assert found.periods is None


def test_not_yet_treated_units_are_controls_only_while_they_are_untreated():
    """An effect of the late unit must not reach the early units' first periods."""
    panel = make_panel(factor_outcome(2), {0: 5, 4: 11})
    options = POOLED.options(leads=3)
    found = POOLED.fit(panel, options)
    outcome = panel.outcome.copy()
    outcome[4, 11:] += 100.0
    assert {unit["unit"]: unit["effect"] for unit in POOLED.fit(panel.with_outcome(outcome), options).details["units"]}[
        "unit 00"
    ] == (pytest.approx(found.details["units"][0]["effect"], abs=1e-9))


def test_all_treated_in_the_end_compares_with_the_last():
    panel = make_panel(factor_outcome(2, 8), {row: 7 if row < 3 else 11 for row in range(8)})
    found = POOLED.fit(panel, POOLED.options())
    assert "last_treated_are_controls" in codes(found)
    assert found.unit_weights[:3].sum() == 0
    before = make_panel(panel.outcome[:, :11], dict.fromkeys(range(3), 7))
    assert found.att == pytest.approx(POOLED.fit(before, POOLED.options()).att, abs=1e-9)


def test_one_period_before_a_start_has_no_fixed_effect():
    panel = make_panel(factor_outcome(2), {0: 1, 4: 8})
    with pytest.raises(EstimationError, match="unit 00 has only one period"):
        POOLED.fit(panel, POOLED.options())
    assert np.isfinite(POOLED.fit(panel, POOLED.options(fixed_effects=False)).att)


def test_influence_sums_to_zero_and_is_carried_to_left_out_units():
    outcome = factor_outcome(2)
    outcome[9, 3] = np.nan
    panel = make_panel(outcome, {**STARTS, 2: 0})
    found = POOLED.fit(panel, POOLED.options())
    assert found.influence.shape == (12,)
    assert found.influence[[2, 9]].tolist() == [0.0, 0.0]
    assert found.influence.sum() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.path_influence.sum(axis=1), 0, atol=1e-12)


def test_fewer_lags_match_only_the_last_periods():
    panel = make_panel(factor_outcome(2), STARTS)
    found = POOLED.fit(panel, POOLED.options(lags=3))
    assert found.details["lags"] == 3
    outcome = panel.outcome.copy()
    outcome[:, :3] += np.random.default_rng(5).normal(0, 4, (12, 3))  # levels apart, what came before does not count
    options = POOLED.options(lags=3, fixed_effects=False)
    assert POOLED.fit(panel.with_outcome(outcome), options).att == pytest.approx(
        POOLED.fit(panel, options).att, abs=1e-9
    )


# ------------------------------------------------------------------ intervals from periods left out


def quarterly(panel):
    return dataclasses.replace(
        panel, periods=tuple(parse_period(f"{2010 + k // 4}Q{k % 4 + 1}") for k in range(panel.n_periods))
    )


@pytest.mark.parametrize("inference", ["jackknife_plus", "sc_ttest", "prediction_interval"])
class TestOneTreatedUnit:
    def test_periods_may_be_quarters_and_a_window_counts(self, inference):
        panel = factor_panel(1, n_periods=20, start=14).with_window((15, 17))
        years, quarters = (
            evaluation.estimate(each, "synthetic_control", inference=inference) for each in (panel, quarterly(panel))
        )
        assert (quarters.lower, quarters.upper) == (years.lower, years.upper)
        assert years.lower < years.upper

    def test_several_starts_are_refused(self, inference):
        panel = make_panel(factor_outcome(2), STARTS)
        with pytest.raises(EstimationError, match=f"{inference}: the treated units need one common start"):
            evaluation.estimate(panel, "did", inference=inference)

    def test_what_reads_the_order_of_the_periods_is_refused(self, inference):
        with pytest.raises(EstimationError, match=f"{inference}: it leaves periods out"):
            evaluation.estimate(factor_panel(1), "did", inference=inference, unit_trends=True)

    def test_too_few_periods_are_refused(self, inference):
        with pytest.raises(EstimationError, match=f"{inference}: 2 periods"):
            evaluation.estimate(factor_panel(1, start=2), "did", inference=inference)

    def test_the_cycle_is_taken_out_in_every_refit(self, inference):
        panel = factor_panel(1, n_units=20, n_periods=22, start=16)
        plain = evaluation.estimate(panel, "did", inference=inference)
        adjusted = evaluation.estimate(panel, "did", inference=inference, adjust="sensitivity")
        assert (adjusted.lower, adjusted.upper) != (plain.lower, plain.upper)


def test_jackknife_plus_says_when_periods_are_too_few_for_the_level():
    few = evaluation.estimate(factor_panel(1), "did", inference="jackknife_plus")
    assert any(note.code == "jackknife_few_periods" for note in few.notes)
    enough = evaluation.estimate(factor_panel(1), "did", inference="jackknife_plus", level=0.8)
    assert not any(note.code == "jackknife_few_periods" for note in enough.notes)


def test_jackknife_plus_never_claims_more_than_its_draws():
    panel = factor_panel(1)
    found = evaluation.estimate(
        panel.with_outcome(panel.outcome + 100.0 * panel.after), "did", inference="jackknife_plus"
    )
    assert found.p_value == 0.05
    assert found.lower > 0


def test_t_test_says_when_its_interval_does_not_hold_the_effect():
    """A treated unit below all controls, by the same in every period: what is missed is bias, and taken off."""
    outcome = factor_outcome(1, 12, 30, noise=0.01)
    outcome[3] = outcome[np.arange(12) != 3].mean(axis=0) - 50.0
    found = evaluation.estimate(make_panel(outcome, {3: 24}), "synthetic_control", inference="sc_ttest")
    assert any(note.code == "ttest_debiased" for note in found.notes)
    assert not found.lower <= found.effect <= found.upper


def test_prediction_interval_refuses_a_perfect_fit_and_other_weights():
    outcome = factor_outcome(1)
    outcome[3] = outcome[[0, 5]].mean(axis=0)
    with pytest.raises(EstimationError, match="prediction_interval: the fit before the start is perfect"):
        evaluation.estimate(make_panel(outcome, {3: 9}), "synthetic_control", inference="prediction_interval")
    with pytest.raises(EstimationError, match="prediction_interval: it is made for"):
        evaluation.estimate(factor_panel(1), "augmented_synthetic_control", inference="prediction_interval")


def test_prediction_interval_of_a_demeaned_synthetic_control_ignores_levels():
    panel = factor_panel(1, n_periods=24, start=18)
    moved = panel.with_outcome(panel.outcome + 5.0 * np.arange(12)[:, None])
    one, other = (
        evaluation.estimate(each, "synthetic_control", inference="prediction_interval", demeaned=True)
        for each in (panel, moved)
    )
    assert (other.lower, other.upper) == pytest.approx((one.lower, one.upper), abs=1e-5)
    assert one.details["prediction_interval"]["weights"] == "simplex, intercept"
