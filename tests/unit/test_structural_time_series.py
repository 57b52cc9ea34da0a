"""Structural time series on awkward panels: what it uses, what it leaves out, and what it refuses in words."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError, UsageError
from evaluation.estimators import ESTIMATORS
from tests.oracle.panels import factor_outcome, factor_panel, make_panel

METHOD = ESTIMATORS["structural_time_series"]
LONG = factor_outcome(1, 12, 40)


def fit(panel, **options):
    return METHOD.fit(panel, METHOD.options(**options))


def long_panel(**more):
    return make_panel(LONG, {3: 30}, **more)


# ------------------------------------------------------------------ what it uses


def test_only_the_periods_before_the_start_shape_the_forecast():
    changed = LONG.copy()
    changed[3, 30:] += np.arange(10) ** 2
    before, after = fit(long_panel()), fit(make_panel(changed, {3: 30}))
    np.testing.assert_array_equal(before.counterfactual[30:].round(9), after.counterfactual[30:].round(9))
    np.testing.assert_array_equal(before.variance, after.variance)


def test_donors_by_name_each_have_a_coefficient():
    found = fit(long_panel(), donors=("unit 00", "unit 07"))
    assert set(found.details["coefficients"]) == {"unit 00", "unit 07"}
    assert found.unit_weights is None
    alone = long_panel().keep_units([0, 3, 7])
    np.testing.assert_allclose(found.effects, fit(alone, donors=("unit 00", "unit 07")).effects, atol=1e-9)


def test_synthetic_donors_are_the_simplex_weights_of_the_demeaned_synthetic_control():
    found = fit(long_panel(), donors="synthetic")
    theirs = ESTIMATORS["synthetic_control"]
    weights = theirs.fit(long_panel(), theirs.options(demeaned=True)).unit_weights
    np.testing.assert_allclose(found.unit_weights, weights, atol=1e-9)


def test_without_donors_only_the_own_past_counts_and_everybody_may_be_treated():
    found = fit(long_panel(), donors="none")
    everybody = make_panel(LONG[3:4], {0: 30})
    np.testing.assert_allclose(found.effects, fit(everybody, donors="none").effects, atol=1e-12)
    assert found.details["coefficients"] == {}
    answer = evaluation.estimate(everybody, "structural_time_series", inference="analytic", donors="none")
    assert answer.lower < answer.effect < answer.upper


def test_covariates_of_the_treated_are_regressors():
    rng = np.random.default_rng(4)
    series = np.cumsum(rng.normal(size=(12, 40)), axis=1)
    panel = make_panel(LONG + 2.5 * series, {3: 30}, covariates={"demand": series})
    found = fit(panel, donors="none", covariates=("demand",)).details["coefficients"]["demand"]
    assert abs(found["coefficient"] - 2.5) < 4 * found["std_error"]


def test_a_seasonal_pattern_is_carried_forward():
    pattern = np.resize([4.0, -1.0, -5.0, 2.0], 40)
    with_season = make_panel(LONG + np.outer(np.arange(12) == 3, pattern), {3: 30})
    assert abs(fit(with_season, seasonal=4).att - fit(long_panel(), seasonal=4).att) < 1e-6
    assert np.abs(fit(with_season, seasonal=4).effects[30:] - fit(long_panel(), seasonal=4).effects[30:]).max() < 1e-6


def test_a_linear_trend_is_carried_forward():
    trend = 0.8 * np.arange(40.0)
    tilted = make_panel(LONG + np.outer(np.arange(12) == 3, trend), {3: 30})
    flat = fit(long_panel(), level="local_linear_trend")
    # the coefficient of the donors is the same, so the trend goes to the slope; the climb ends within some 1e-6
    assert fit(tilted, level="local_linear_trend").att == pytest.approx(flat.att, abs=1e-4)
    assert abs(fit(tilted).att - fit(long_panel()).att) > 0.1


# ------------------------------------------------------------------ uncertainty


def test_cumulative_effect_adds_the_effects_and_knows_that_their_errors_move_together():
    found = fit(long_panel().with_window((31, 35)))
    path, total = found.details["cumulative_path"], found.details["cumulative"]
    assert [row["period"] for row in path] == ["2032", "2033", "2034", "2035", "2036"]
    np.testing.assert_allclose([row["effect"] for row in path], np.cumsum(found.effects[31:36]), atol=1e-12)
    assert total["effect"] == pytest.approx(5 * found.att)
    assert total["std_error"] == pytest.approx(5 * np.sqrt(found.variance[0, 0]))
    # forecast errors share the last level and the coefficient: more than independent errors, less than one error five times
    separate = np.sqrt(np.diag(found.variance)[1:][31:36])
    assert np.sqrt((separate**2).sum()) < total["std_error"] <= separate.sum()


def test_variance_is_a_covariance():
    variance = fit(long_panel()).variance
    np.testing.assert_allclose(variance, variance.T, atol=1e-12)
    assert np.linalg.eigvalsh(variance).min() > -1e-9


@pytest.mark.slow
def test_intervals_cover_where_the_model_holds():
    """A local level with a regressor; with the most likely variance ratio taken as known it would be 83 per cent."""
    inside = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        x = np.cumsum(rng.normal(size=50))
        y = 0.8 * x + np.cumsum(rng.normal(0, 0.3, 50)) + rng.normal(size=50)
        found = fit(make_panel(np.array([y, x]), {0: 40}))
        inside += abs(found.att) < 1.96 * np.sqrt(found.variance[0, 0])
    assert 0.93 <= inside / 400 <= 0.98


@pytest.mark.parametrize("level", ["local_level", "autoregressive"])
@pytest.mark.parametrize("seed", range(6))
def test_the_top_of_a_flat_likelihood_is_found_to_more_than_half_the_digits(level, seed):
    """Rescaling changes nothing but rounding; by the likelihood's own values the top would move by 1e-8 and more."""
    panel = make_panel(factor_outcome(seed, 12, 40), {3: 30})
    options = {"level": level, "donors": ("unit 00", "unit 07")}
    effect = fit(panel, **options).att
    for factor in (1.1, 0.7, 3.3):
        scaled = fit(panel.with_outcome(panel.outcome * factor), **options).att / factor
        assert scaled == pytest.approx(effect, rel=1e-10, abs=1e-10)


# ------------------------------------------------------------------ gaps, weights, several treated


def test_the_treated_may_have_missing_cells_before_and_after():
    outcome = LONG.copy()
    outcome[3, [4, 5, 20, 33]] = np.nan
    found = fit(make_panel(outcome, {3: 30}))
    assert np.isnan(found.effects[[0, 4, 5, 20, 33]]).all()
    known = np.delete(np.arange(30, 40), 3)
    assert found.att == pytest.approx(found.effects[known].mean())


def test_several_treated_are_averaged_by_persons_whatever_their_levels():
    size = np.random.default_rng(0).integers(100, 9000, (12, 40)).astype(float)
    panel = make_panel(LONG, {3: 30, 4: 30, 8: 30}, size=size)
    levels = np.random.default_rng(1).normal(0, 50, (12, 1))
    # sizes change from period to period, and with them the mean of the levels; the effect must not
    assert fit(panel.with_outcome(LONG + levels)).att == pytest.approx(fit(panel).att, abs=1e-6)
    assert fit(panel).observed[35] == pytest.approx(np.average(LONG[[3, 4, 8], 35], weights=size[[3, 4, 8], 35]))


def test_an_incomplete_control_is_left_out_and_named():
    outcome = LONG.copy()
    outcome[5, 2] = np.nan
    found = fit(make_panel(outcome, {3: 30}))
    assert found.details["dropped_units"] == ["unit 05"]
    assert found.unit_weights[5] == 0
    assert any("unit 05" in str(note) for note in found.notes)


def test_clusters_above_the_unit_and_quarters_are_no_obstacle():
    panel = long_panel(cluster=np.arange(12) // 3)
    assert evaluation.estimate(panel, "structural_time_series", inference="analytic").std_error > 0


# ------------------------------------------------------------------ perfect fits and refusals


def test_its_own_formula_is_not_called_invalid_for_one_treated_unit():
    """It is the variance of a forecast, the unit's own shocks included; a formula over many units is called so."""
    one = factor_panel(2, n_units=10, n_periods=30, start=22)
    assert "cluster_few_treated" not in {
        note.code for note in evaluation.estimate(one, "structural_time_series", inference="analytic").notes
    }
    three = make_panel(factor_outcome(3, 16, 12), {1: 8, 2: 8, 3: 8})
    assert "cluster_few_treated" in {
        note.code for note in evaluation.estimate(three, "efficient_staggered", inference="analytic").notes
    }


@pytest.mark.filterwarnings("error")
def test_a_perfect_fit_forecasts_exactly_and_has_no_standard_error():
    x = factor_outcome(2, 1, 14)[0]
    panel = make_panel(np.array([3.0 + 1.5 * x, x]), {0: 9})
    found = fit(panel)
    np.testing.assert_allclose(found.effects[9:], 0.0, atol=1e-9)
    np.testing.assert_allclose(found.variance, 0.0, atol=1e-12)
    with pytest.raises(EstimationError, match="analytic"):
        evaluation.estimate(panel, "structural_time_series", inference="analytic")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"donors": ("unit 33",)}, "no unit 'unit 33'"),
        ({"donors": ("unit 03",)}, "treated itself"),
        ({"donors": ("unit 00", "unit 00")}, "do not move apart"),
        ({"covariates": ("demand",)}, "no covariate 'demand'; did you mean 'demands'|no covariate 'demand'"),
        ({"covariates": ("fixed",)}, "does not change over time"),
        ({"covariates": ("holed",)}, "missing in some period"),
        ({"covariates": ("flat",)}, "never changes before the start"),
        ({"seasonal": 30}, "needs at least 34"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_modelled_is_refused_in_words(options, message):
    flat, holed = np.full((12, 40), 3.0), LONG.copy()
    holed[3, 38] = np.nan
    covariates = {"fixed": np.arange(12.0), "flat": flat, "holed": holed, "demands": LONG}
    with pytest.raises(EstimationError, match=message):
        fit(long_panel(covariates=covariates), **options)


def test_all_faults_of_the_donors_are_told_at_once():
    with pytest.raises(EstimationError) as refusal:
        fit(long_panel(), donors=("unit 33", "unit 03"))
    assert len(refusal.value.problems) == 2


def test_options_that_contradict_one_another_are_refused():
    for options in ({"seasonal": 1}, {"seasonal": 4, "level": "autoregressive"}, {"donors": "median"}):
        with pytest.raises(UsageError):
            evaluation.estimate(long_panel(), "structural_time_series", **options)


def test_a_season_never_seen_is_refused():
    outcome = LONG.copy()
    outcome[3, 2:30:4] = np.nan
    with pytest.raises(EstimationError, match="some season is never observed"):
        fit(make_panel(outcome, {3: 30}), seasonal=4)


def test_treated_units_of_different_starts_or_never_seen_before_are_refused():
    with pytest.raises(EstimationError, match="one common start"):
        fit(make_panel(LONG, {3: 30, 4: 31}))
    outcome = LONG.copy()
    outcome[4, :30] = np.nan
    with pytest.raises(EstimationError, match="unit 04"):
        fit(make_panel(outcome, {3: 30, 4: 30}))


def test_importing_the_package_does_not_import_statsmodels():
    import subprocess
    import sys

    code = "import sys, evaluation, evaluation.estimators; sys.exit('statsmodels' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
