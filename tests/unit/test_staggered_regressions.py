"""did, event_study, sun_abraham and extended_twfe where panels are not as the textbook has them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.periods import parse_period
from tests.oracle.panels import factor_outcome, make_panel

FAMILY = ("did", "event_study", "sun_abraham", "extended_twfe")
STARTS = {0: 5, 1: 5, 2: 7, 3: 7, 4: 9}


def staggered(seed=1, starts=None, n_units=20, n_periods=12, **more):
    return make_panel(factor_outcome(seed, n_units, n_periods), STARTS if starts is None else starts, **more)


def fit(method, panel, **options):
    return ESTIMATORS[method].fit(panel, ESTIMATORS[method].options(**options))


def codes(found):
    return {note.code for note in found.notes}


every = pytest.mark.parametrize("method", FAMILY)


@every
def test_clusters_above_the_unit_sum_its_influences(method):
    panel = staggered()
    above = dataclasses.replace(panel, cluster=np.arange(20) // 2)
    ours, alone = (evaluation.estimate(each, method, inference="cluster") for each in (above, panel))
    influence = fit(method, panel).influence.reshape(10, 2).sum(axis=1)
    found = fit(method, above)
    factor = 10 / 9 * (found.n_obs - 1) / (found.n_obs - found.n_parameters)
    assert ours.std_error == pytest.approx(np.sqrt(factor * (influence**2).sum()), rel=1e-9)
    assert ours.effect == alone.effect


@every
def test_units_treated_from_the_first_period_are_left_out_and_named(method):
    panel = staggered(starts={**STARTS, 6: 0, 7: 0})
    found = fit(method, panel)
    assert "always_treated_dropped" in codes(found)
    kept = np.delete(np.arange(20), [6, 7])
    without = fit(method, panel.keep_units(kept))
    assert found.att == pytest.approx(without.att, abs=1e-12)
    np.testing.assert_allclose(found.influence[kept], without.influence)
    assert (found.influence[[6, 7]] == 0).all()
    assert found.influence.shape == (20,)
    if found.path_influence.size if found.path_influence is not None else 0:
        assert found.path_influence.shape == (found.effects.size, 20)


@pytest.mark.parametrize("method", ["sun_abraham", "extended_twfe"])
def test_without_never_treated_units_the_last_cohort_before_its_start_is_the_comparison(method):
    panel = staggered(starts={**dict.fromkeys(range(8), 5), **dict.fromkeys(range(8, 20), 8)})
    found = fit(method, panel)
    outcome = panel.outcome[:, :8]
    before, after = outcome[:, 4 if method == "sun_abraham" else slice(0, 5)], outcome[:, 5:8]
    before = before if before.ndim == 1 else before.mean(axis=1)
    change = after.mean(axis=1) - before
    assert found.att == pytest.approx(change[:8].mean() - change[8:].mean(), abs=1e-9)


@pytest.mark.parametrize("method", ["sun_abraham", "extended_twfe"])
def test_without_never_treated_units_the_inference_is_the_methods_own(method):
    """Placebos need untreated units; the last cohort is enough of a comparison for cluster-robust errors."""
    panel = staggered(starts={**dict.fromkeys(range(8), 5), **dict.fromkeys(range(8, 20), 8)})
    found = evaluation.estimate(panel, method)
    assert found.inference == "cluster"
    assert found.std_error > 0
    assert "cluster_few_treated" not in codes(found)


def test_collinear_covariates_are_named():
    x = np.random.default_rng(2).normal(0, 1, 20)
    panel = staggered(covariates={"x": x, "y": factor_outcome(3, 20, 12), "twice": 2 * factor_outcome(3, 20, 12)})
    with pytest.raises(EstimationError, match="leave out one of 'y' and 'twice'"):
        fit("sun_abraham", panel, covariates=("y", "twice"))


def test_never_treated_controls_are_asked_for_in_vain():
    panel = staggered(starts={row: 5 + row % 2 for row in range(20)})
    with pytest.raises(EstimationError, match=r'no unit is never treated; use control_group = "not_yet_treated"'):
        fit("extended_twfe", panel, control_group="never_treated")


@pytest.mark.parametrize("method", ["sun_abraham", "extended_twfe"])
def test_a_cohort_never_seen_before_its_start_is_left_out_and_named(method):
    panel = staggered()
    outcome = panel.outcome.copy()
    outcome[4, :9] = np.nan
    found = fit(method, panel.with_outcome(outcome))
    assert "cohorts_left_out" in codes(found)
    assert "2010" in str(found.notes[0])
    outcome[4] = np.nan
    assert found.att == pytest.approx(fit(method, panel.with_outcome(outcome)).att, abs=1e-12)


@every
def test_a_treated_unit_never_observed_changes_nothing(method):
    panel = staggered()
    outcome = panel.outcome.copy()
    outcome[0] = np.nan
    found = fit(method, panel.with_outcome(outcome))
    without = fit(method, panel.keep_units(np.arange(1, 20)))
    assert found.att == pytest.approx(without.att, abs=1e-9)


@every
@pytest.mark.parametrize("weights", ["size", "w", "constant"])
def test_whole_number_weights_count_a_unit_as_often(method, weights):
    """Weight 3 is three equal units: the frequency meaning, for the headline, the path and every period."""
    panel = staggered(2)
    count = np.random.default_rng(3).integers(1, 4, 20)
    cells = np.repeat(count[:, None], 12, axis=1).astype(float)
    given = {"size": cells} if weights == "size" else {"covariates": {weights: cells if weights == "w" else count.astype(float)}}
    ours = fit(method, dataclasses.replace(panel, **given), weights=weights)
    rows = np.repeat(np.arange(20), count)
    outcome, start = panel.outcome[rows], panel.start[rows]
    theirs = fit(method, make_panel(outcome, {row: int(first) for row, first in enumerate(start) if first < 12}))
    assert ours.att == pytest.approx(theirs.att, abs=1e-9)
    np.testing.assert_allclose(ours.effects, theirs.effects, atol=1e-9)


@every
def test_weights_that_are_not_there_or_negative_are_refused(method):
    panel = staggered(covariates={"popwt": np.ones(20), "wrong": np.r_[-1.0, np.ones(19)]})
    with pytest.raises(EstimationError, match=r"no covariate 'popwgt' to weight by.*popwt"):
        fit(method, panel, weights="popwgt")
    with pytest.raises(EstimationError, match="negative"):
        fit(method, panel, weights="wrong")
    with pytest.raises(EstimationError, match="no sizes"):
        fit(method, panel, weights="size")


@every
def test_sizes_weigh_the_headline_but_not_least_squares(method):
    """The mean over treated cells is by persons: raising one cell's effect moves it by that cell's share of the persons."""
    size = np.random.default_rng(4).integers(10, 900, (20, 12)).astype(float)
    panel = staggered(3, size=size)
    found = fit(method, panel)
    constant = panel.with_outcome(np.where(panel.target, panel.outcome + 2.0, panel.outcome))
    assert fit(method, constant).att == pytest.approx(found.att + 2.0, abs=1e-9)
    if method == "did":
        return  # with several starts one coefficient is no mean of cells
    cohort = panel.target & (panel.start == 7)[:, None]
    raised = fit(method, panel.with_outcome(panel.outcome + cohort))
    expected = size[cohort].sum() / size[panel.target].sum()
    if method != "event_study":  # whose leads and lags mix cohorts
        assert raised.att - found.att == pytest.approx(expected, abs=1e-9)


@every
def test_a_window_and_months_work_with_several_starts(method):
    panel = staggered(5).with_window((7, 10))
    months = dataclasses.replace(panel, periods=tuple(parse_period(f"2020M{month:02d}") for month in range(1, 13)))
    found = evaluation.estimate(months, method, inference="cluster")
    assert found.effect == pytest.approx(fit(method, panel).att, abs=1e-12)
    assert "2020M08" in str(found.details) or method == "event_study"
    raised = panel.with_outcome(panel.outcome + panel.target)
    if method == "event_study":
        return  # its leads and lags mix cohorts, and the window holds other event times of each
    assert fit(method, raised).att == pytest.approx(found.effect + 1, abs=1e-9)


def test_both_bins_of_sun_abraham_pool_within_cohorts():
    panel = staggered(6)
    found = fit("sun_abraham", panel, bin_before=-3, bin_after=2)
    assert found.event_times.tolist() == [-3, -2, -1, 0, 1, 2]
    with pytest.raises(EstimationError, match="`bin_after` pools periods inside the window with periods outside it"):
        fit("sun_abraham", panel.with_window((5, 9)), bin_after=1)


def test_last_cohort_as_the_comparison_leaves_the_never_treated_out():
    panel = staggered(7, starts={**STARTS, 5: 9, 6: 9})
    chosen = fit("sun_abraham", panel, control_group="last_cohort")
    alone = fit("sun_abraham", panel.keep_units(np.arange(7)))
    assert chosen.att == pytest.approx(alone.att, abs=1e-9)
    assert abs(chosen.att - fit("sun_abraham", panel).att) > 1e-3


def test_references_after_the_start_are_refused():
    with pytest.raises(ValueError, match="before the start"):
        ESTIMATORS["sun_abraham"].options(reference=(0, -1))


def test_poisson_refuses_negative_outcomes_in_words():
    panel = staggered(8)
    with pytest.raises(EstimationError, match="outcomes that are not negative, but 240 cells"):
        fit("extended_twfe", panel.with_outcome(-panel.outcome), family="poisson")
    with pytest.raises(EstimationError, match="every outcome is zero"):
        fit("extended_twfe", panel.with_outcome(0 * panel.outcome), family="poisson")


def test_poisson_effect_where_all_treated_outcomes_are_zero_is_the_whole_level():
    panel = staggered(8)

    def with_last_cohort(value):
        outcome = panel.outcome.copy()
        outcome[4, 9:] = value
        return fit("extended_twfe", panel.with_outcome(outcome), family="poisson")

    zero, nearly = with_last_cohort(0.0), with_last_cohort(1e-7)
    assert zero.att == pytest.approx(nearly.att, abs=1e-6)
    np.testing.assert_allclose(zero.influence, nearly.influence, atol=1e-5)


def test_poisson_finds_a_ratio_that_is_the_same_for_all():
    """Outcomes that multiply without noise: the effect is the treated cells' mean times 1 − 1 / 1.25."""
    rng = np.random.default_rng(1)
    level = np.exp(rng.normal(3, 0.5, (20, 1)) + np.cumsum(rng.normal(0, 0.1, 12)))
    panel = staggered().with_outcome(level)
    panel = panel.with_outcome(np.where(panel.after, 1.25 * level, level))
    found = fit("extended_twfe", panel, family="poisson")
    assert found.att == pytest.approx((panel.outcome[panel.target] * 0.2).mean(), rel=1e-8)


@pytest.mark.parametrize("family", ["linear", "poisson"])
def test_a_cohort_of_one_unit_has_no_slopes_but_an_effect(family):
    """The slopes of its effects cannot be told, and do not matter: it has one value of the covariate."""
    x = np.random.default_rng(1).normal(0, 1, 20)
    panel = staggered(11, covariates={"x": x})
    found = fit("extended_twfe", panel, covariates=("x",), family=family)
    row = next(row for row in found.details["att_gt"] if (row["group"], row["period"]) == ("2010", "2010"))
    # the others' slopes in x hold the unit's own change to account
    raised = panel.outcome.copy()
    raised[4, 9] += 1
    moved = fit("extended_twfe", panel.with_outcome(raised), covariates=("x",), family=family)
    after = next(row for row in moved.details["att_gt"] if (row["group"], row["period"]) == ("2010", "2010"))
    assert after["effect"] == pytest.approx(row["effect"] + 1, abs=1e-6)


def test_a_covariate_that_varies_is_refused_by_extended_twfe():
    panel = staggered(covariates={"rate": factor_outcome(9, 20, 12)})
    with pytest.raises(EstimationError, match=r"'rate' changes over time.*one value for each unit"):
        fit("extended_twfe", panel, covariates=("rate",))


def test_missing_covariates_are_named_all_at_once():
    with pytest.raises(EstimationError) as refusal:
        fit("sun_abraham", staggered(), covariates=("a", "b"))
    assert "'a'" in str(refusal.value)
    assert "'b'" in str(refusal.value)


def test_a_unit_whose_constant_covariate_is_unknown_is_left_out():
    x = np.random.default_rng(2).normal(0, 1, 20)
    x[9] = np.nan
    panel = staggered(covariates={"x": x})
    for method in ("sun_abraham", "extended_twfe"):
        kept = np.delete(np.arange(20), 9)
        assert fit(method, panel, covariates=("x",)).att == pytest.approx(
            fit(method, panel.keep_units(kept), covariates=("x",)).att, abs=1e-9
        )


@pytest.mark.parametrize("method", ["did", "event_study", "sun_abraham", "extended_twfe"])
def test_the_regression_behind_the_fit_gives_its_headline_and_path(method):
    from evaluation.regression import two_way_regression

    panel = staggered(10, starts={**STARTS, 6: 0}, covariates={"x": np.random.default_rng(1).normal(0, 1, 20)})
    options = {"covariates": ("x",)} if method in ("sun_abraham", "extended_twfe") else {}
    chosen = ESTIMATORS[method]
    design = chosen.regression(panel, chosen.options(**options))
    found = two_way_regression(design.outcome, design.regressors, names=design.names, weights=design.weights)
    fitted = fit(method, panel, **options)
    assert design.combination @ found.coefficients == pytest.approx(fitted.att, abs=1e-8)
    if design.path is not None:
        np.testing.assert_allclose(design.path @ found.coefficients, fitted.effects, atol=1e-8)


def test_a_control_without_its_constant_covariate_leaves_the_standard_error_a_number():
    """0 × NaN of a unit that is out of the regression must not reach the others' influence."""
    k = np.random.default_rng(8).normal(size=30)
    k[29] = np.nan
    panel = make_panel(factor_outcome(6, 30, 12), {row: 5 + row % 3 * 2 for row in range(9)}, covariates={"k": k})
    without = panel.keep_units(list(range(29)))
    for method in ("sun_abraham", "extended_twfe"):
        held, left_out = (evaluation.estimate(each, method, covariates=["k"], inference="cluster") for each in (panel, without))
        assert held.effect == pytest.approx(left_out.effect, abs=1e-9)
        assert held.std_error == pytest.approx(left_out.std_error, rel=1e-9)


def test_an_event_study_of_the_ever_treated_says_what_to_do_instead():
    panel = make_panel(factor_outcome(6, 16, 12), {row: 5 + row % 4 * 2 for row in range(16)})
    with pytest.raises(EstimationError, match=r"event_study: every unit is treated at some time.*`imputation`, `sun_abraham`.*not_yet_treated"):
        evaluation.estimate(panel, "event_study", inference="cluster")
    # what it recommends can be computed
    for method, options in (("imputation", {}), ("sun_abraham", {}), ("callaway_santanna", {"control_group": "not_yet_treated"})):
        assert np.isfinite(evaluation.estimate(panel, method, inference="cluster", **options).effect)


def test_weights_called_size_are_persons_for_every_estimator():
    """Where persons are known; a covariate that happens to be called so is not meant."""
    rng = np.random.default_rng(5)
    persons, other = rng.uniform(200, 9000, (20, 12)), rng.uniform(1, 2, (20, 12))
    outcome = factor_outcome(6, 20, 12)
    both, alone = (make_panel(outcome, dict.fromkeys(range(7), 8), size=persons, covariates=more) for more in ({"size": other}, {}))
    for method in ("did", "imputation", "callaway_santanna", "dr_did"):
        assert fit(method, both, weights="size").att == fit(method, alone, weights="size").att


@pytest.mark.parametrize("method", ["sun_abraham", "extended_twfe", "callaway_santanna", "imputation"])
def test_a_start_with_a_single_unit_is_remarked_on_where_errors_are_summed_from_influences(method):
    """Its own effect fits it exactly, so its influence is nothing; placebos see its shocks, and two stages leave them in."""
    panel = make_panel(factor_outcome(6, 30, 12), {0: 5, 1: 5, 2: 7})
    said, unsaid = (evaluation.estimate(panel, method, inference=inference) for inference in ("cluster", "placebo"))
    assert "single_unit_groups" in {note.code for note in said.notes}
    assert "single_unit_groups" not in {note.code for note in unsaid.notes}
    two_stages = evaluation.estimate(panel, "two_stage", inference="cluster")
    assert "single_unit_groups" not in {note.code for note in two_stages.notes}
