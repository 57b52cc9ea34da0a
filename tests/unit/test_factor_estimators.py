"""Interactive effects, matrix completion and common correlated effects where panels are awkward, and what they say there."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from evaluation import completion
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.periods import parse_period
from tests.oracle.panels import factor_outcome, make_panel

VARIANTS = [
    pytest.param("interactive_fixed_effects", {}, id="factors"),
    pytest.param("interactive_fixed_effects", {"em": True, "rank": 1, "most_factors": 1}, id="em"),
    pytest.param("matrix_completion", {}, id="completion"),
    pytest.param("common_correlated_effects", {}, id="averages"),
]
pytestmark = pytest.mark.filterwarnings("error")


def fit(name, panel, **options):
    method = ESTIMATORS[name]
    return method.fit(panel, method.options(**options))


def codes(found):
    return {note.code for note in found.notes}


def outcome(seed=1):
    return factor_outcome(seed, 20, 16)


def one_factor(effect=5.0):
    """Unit levels and one factor, no noise, loadings on it that average to one: what all three models hold exactly."""
    rng = np.random.default_rng(9)
    loadings = rng.normal(1, 0.5, (20, 1))
    loadings[2:] += 1 - loadings[2:].mean()
    values = rng.normal(70, 3, (20, 1)) + loadings * rng.normal(0, 1, 16).cumsum()
    panel = make_panel(values, {0: 10, 1: 12})
    return panel.with_outcome(values + effect * panel.after)


# ------------------------------------------------------------------ what was put in comes out


@pytest.mark.parametrize(("name", "options"), [
    ("interactive_fixed_effects", {}), ("interactive_fixed_effects", {"em": True, "most_factors": 1}), ("common_correlated_effects", {}),
])  # fmt: skip
def test_an_exact_factor_gives_the_exact_effect(name, options):
    found = fit(name, one_factor(), **options)
    assert found.att == pytest.approx(5.0, abs=1e-6)
    np.testing.assert_allclose(found.effects[found.event_times >= 0], 5.0, atol=1e-6)
    np.testing.assert_allclose(found.effects[found.event_times < 0], 0.0, atol=1e-6)
    assert found.details.get("rank", 1) == 1


def test_completion_comes_closer_the_smaller_the_penalty():
    """A penalty draws loadings toward zero, so it leaves a part of the factor in the effect; less of it, less."""
    errors = [abs(fit("matrix_completion", one_factor(), penalty=penalty).att - 5.0) for penalty in (1e-2, 1e-3, 1e-4)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.02


def test_covariates_slopes_come_back():
    rng = np.random.default_rng(2)
    x = rng.normal(0, 1, (20, 16))
    panel = one_factor()
    panel = make_panel(panel.outcome + 0.7 * x, {0: 10, 1: 12}, covariates={"x": x})
    for em in (False, True):
        found = fit("interactive_fixed_effects", panel, covariates=("x",), rank=1, most_factors=1, em=em)
        assert found.details["coefficients"]["x"] == pytest.approx(0.7, abs=1e-6)
        assert found.att == pytest.approx(5.0, abs=1e-5)


def test_by_rank_holds_the_answer():
    found = fit("interactive_fixed_effects", make_panel(outcome(), {3: 10}))
    by_rank = {row["rank"]: row for row in found.details["by_rank"]}
    assert list(by_rank) == list(range(6))
    assert by_rank[found.details["rank"]]["effect"] == pytest.approx(found.att, abs=1e-12)
    given = fit("interactive_fixed_effects", make_panel(outcome(), {3: 10}), rank=7, most_factors=2)
    assert [row["rank"] for row in given.details["by_rank"]] == [0, 1, 2, 7]


def test_the_largest_penalty_of_the_grid_is_the_imputation_estimator():
    panel = make_panel(outcome(), {3: 9, 5: 11})
    alone = fit("matrix_completion", panel, penalty=1e6)
    assert alone.details["rank"] == 0
    assert alone.att == pytest.approx(fit("interactive_fixed_effects", panel, rank=0, em=True).att, abs=1e-8)


# ------------------------------------------------------------------ awkward panels


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_always_treated_units_are_left_out_by_name(name, options):
    values = outcome()
    found = fit(name, make_panel(values, {3: 10, 7: 0}), **options)
    assert "always_treated_dropped" in codes(found)
    kept = [row for row in range(20) if row != 7]
    without = fit(name, make_panel(values, {3: 10}).keep_units(kept), **options)
    assert found.att == pytest.approx(without.att, abs=1e-9)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_treated_units_never_observed_before_are_left_out_by_name(name, options):
    values = outcome()
    values[3, :10] = np.nan
    found = fit(name, make_panel(values, {3: 10, 5: 10}), **options)
    assert any(note.code == "treated_not_observed_before" and "unit 03" in note.text for note in found.notes)
    assert np.isfinite(found.att)
    with pytest.raises(EstimationError, match="observed before its start"):
        fit(name, make_panel(values, {3: 10}), **options)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_treated_units_never_observed_after_do_not_count(name, options):
    values = outcome()
    values[3, 10:] = np.nan
    found = fit(name, make_panel(values, {3: 10, 5: 10}), **options)
    kept = [row for row in range(20) if row != 3]
    without = fit(name, make_panel(outcome(), {3: 10, 5: 10}).keep_units(kept), **options)
    # what it shows before the start still counts where all untreated cells are learnt from
    close = 0.1 if name == "matrix_completion" or "em" in options else 1e-9
    assert found.att == pytest.approx(without.att, abs=close)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_starts_of_single_units_and_a_window(name, options):
    panel = make_panel(outcome(), {3: 8, 5: 10, 7: 12})
    found = fit(name, panel.with_window((12, 13)), **options)
    assert found.periods is None
    assert found.observed is None
    assert (np.diff(found.event_times) == 1).all()
    # in the window unit 3 is 4 and 5 periods after its start, unit 5 two and three, unit 7 none and one: a mean of six cells
    inside = found.effects[(found.event_times >= 0) & (found.event_times <= 5)]
    assert found.att == pytest.approx(inside.mean(), abs=1e-9)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_periods_in_which_nobody_is_observed(name, options):
    values = outcome()
    values[:, [4, 12]] = np.nan
    found = fit(name, make_panel(values, {3: 10}), **options)
    kept = [column for column in range(16) if column not in (4, 12)]
    assert np.isnan(found.effects[[4, 12]]).all()
    short = make_panel(values[:, kept], {3: 9})
    assert found.att == pytest.approx(fit(name, short, **options).att, abs=1e-7)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_missing_cells_and_other_periods_than_years(name, options):
    values = outcome()
    values[np.random.default_rng(0).random(values.shape) < 0.05] = np.nan
    yearly = make_panel(values, {3: 10, 5: 10})
    labels = [f"{2001 + number // 4}Q{number % 4 + 1}" for number in range(16)]
    quarterly = yearly._replace(periods=tuple(parse_period(label) for label in labels))
    assert fit(name, quarterly, **options).att == fit(name, yearly, **options).att
    # the mean of what is observed, cell by cell
    found = fit(name, yearly, **options)
    known = np.isfinite(found.effects)
    np.testing.assert_allclose((found.observed - found.counterfactual)[known], found.effects[known], atol=1e-9)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_clusters_of_several_units_are_placebos_together(name, options):
    panel = make_panel(outcome(), {0: 10, 1: 10}, cluster=np.arange(20) // 2)
    found = evaluation.estimate(panel, name, inference="placebo", **options)
    assert found.details["placebo"]["count"] == 10
    assert " + " in found.details["placebo"]["units"][0]


@pytest.mark.parametrize("name", ["interactive_fixed_effects", "matrix_completion"])
def test_without_never_treated_units_the_later_ones_are_compared_with(name):
    panel = make_panel(factor_outcome(1, 12, 12), {row: 5 + row % 7 for row in range(12)})
    options = {"em": True, "most_factors": 1} if name == "interactive_fixed_effects" else {}
    found = fit(name, panel, **options)
    assert np.isfinite(found.att)
    # the two that start last, in the last period, compare with nobody
    assert found.event_times.max() < 7


@pytest.mark.parametrize("name", ["interactive_fixed_effects", "common_correlated_effects"])
def test_without_never_treated_units_the_others_say_so(name):
    panel = make_panel(outcome(), {row: 6 + row % 10 for row in range(20)})
    with pytest.raises(EstimationError, match="every unit is treated"):
        fit(name, panel)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
@pytest.mark.parametrize(
    ("covariates", "named", "words"),
    [
        ({"x": np.arange(20.0)}, ("x",), "does not change over time"),
        ({"unemployment": np.zeros((20, 16))}, ("unemploiment",), "did you mean 'unemployment'"),
    ],
)
def test_covariates_that_cannot_be_used_are_refused_in_words(name, options, covariates, named, words):
    with pytest.raises(EstimationError, match=words):
        fit(name, make_panel(outcome(), {3: 10}, covariates=covariates), covariates=named, **options)


@pytest.mark.parametrize(("name", "options"), VARIANTS[:3])
def test_covariates_that_the_effects_or_one_another_explain_are_refused(name, options):
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (20, 16))
    made = {"line": np.arange(20)[:, None] + np.arange(16.0), "x": x, "twice": 2 * x + np.arange(16.0)}
    panel = make_panel(outcome(), {3: 10}, covariates=made)
    with pytest.raises(EstimationError, match="explained by the unit and period effects"):
        fit(name, panel, covariates=("line",), **options)
    with pytest.raises(EstimationError, match="collinear"):
        fit(name, panel, covariates=("x", "twice"), **options)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_a_covariate_that_is_missing_in_a_treated_cell_takes_the_cell_along(name, options):
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (20, 16))
    x[3, 12] = np.nan
    found = fit(name, make_panel(outcome(), {3: 10}, covariates={"x": x}), covariates=("x",), **options)
    assert np.isnan(found.effects[12])
    after = found.effects[10:]
    assert found.att == pytest.approx(np.nanmean(after), abs=1e-9)


# ------------------------------------------------------------------ too much asked


def test_more_factors_than_the_periods_before_carry_are_refused_with_the_most_there_can_be():
    with pytest.raises(
        EstimationError, match=r"rank 4 is too large; unit 03 .* 5 periods before its start.* at most 3"
    ):
        fit("interactive_fixed_effects", make_panel(outcome(), {3: 5}), rank=4)


def test_fewer_factors_than_asked_for_are_told():
    found = fit("interactive_fixed_effects", make_panel(outcome(), {3: 4}))
    assert "few_factors_possible" in codes(found)
    assert [row["rank"] for row in found.details["by_rank"]] == [0, 1, 2]


def test_factors_that_do_not_move_before_the_start_are_refused():
    values = np.random.default_rng(3).normal(0, 1, (20, 1)) * np.r_[np.zeros(10), np.arange(1.0, 7)]
    with pytest.raises(EstimationError, match="choose a lower rank"):
        fit("interactive_fixed_effects", make_panel(values, {3: 10}), rank=1)


def test_averages_need_periods_and_controls_that_are_always_there():
    x = np.random.default_rng(1).normal(0, 1, (20, 16))
    panel = make_panel(outcome(), {3: 3}, covariates={"x": x})
    with pytest.raises(EstimationError, match=r"unit 03 is observed in 3 periods .* at least 4"):
        fit("common_correlated_effects", panel, covariates=("x",))
    values = outcome()
    values[np.arange(20), np.arange(20) % 16] = np.nan
    with pytest.raises(EstimationError, match="no control is observed in every period"):
        fit("common_correlated_effects", make_panel(values, {3: 10}))
    with pytest.raises(EstimationError, match="name some"):
        fit("common_correlated_effects", make_panel(outcome(), {3: 10}), estimator="direct")


def test_slopes_that_the_periods_before_do_not_carry_are_refused():
    x = np.random.default_rng(1).normal(0, 1, (3, 20, 16))
    panel = make_panel(outcome(), {3: 6}, covariates=dict(zip("abc", x, strict=True)))
    with pytest.raises(EstimationError, match="slopes of the covariates cannot be estimated"):
        fit("common_correlated_effects", panel, covariates=("a", "b", "c"), estimator="direct")


def test_a_completion_that_does_not_come_to_rest_says_so(monkeypatch):
    monkeypatch.setattr(completion, "MOST_ROUNDS", 2)
    found = fit("interactive_fixed_effects", make_panel(outcome(), {3: 9}), rank=2, em=True)
    assert "completion_not_settled" in codes(found)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_residuals_with_no_effect_imposed_are_over_all_periods(name, options):
    """What conformal inference permutes: adding an effect to the treated cells must change the residuals before the start too."""
    method = ESTIMATORS[name]
    panel = make_panel(outcome(), {3: 10})
    before = method.gaps(panel, method.options(**options))
    after = method.gaps(panel.with_outcome(panel.outcome + 3.0 * panel.after), method.options(**options))
    assert before.shape == (16,)
    assert abs(before.mean()) < 1e-6
    assert np.abs(after[:10] - before[:10]).max() > 0.01
