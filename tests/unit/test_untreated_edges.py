"""What imputation and the two-stage estimator do with awkward panels: in words, or to the same number."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.periods import parse_period
from tests.oracle.panels import factor_outcome, factor_panel, make_panel

BOTH = ("imputation", "two_stage")


def fit(method, panel, **options):
    chosen = ESTIMATORS[method]
    return chosen.fit(panel, chosen.options(**options))


def codes(found):
    return {note.code: note.facts for note in found.notes}


@pytest.mark.parametrize("method", BOTH)
def test_one_start_and_complete_data_are_difference_in_differences(method):
    """The residuals before the start are did's gaps less the treated's own part in the period effects, 3 of 12 units."""
    panel = make_panel(factor_outcome(3), {0: 9, 5: 9, 7: 9})
    ours, did = fit(method, panel), fit("did", panel)
    assert ours.att == pytest.approx(did.att, abs=1e-10)  # order of summation
    np.testing.assert_allclose(ours.effects[9:], did.effects[9:], atol=1e-10)
    np.testing.assert_allclose(ours.effects[:9], did.effects[:9] * 9 / 12, atol=1e-10)
    np.testing.assert_allclose(ours.counterfactual[9:], did.counterfactual[9:], atol=1e-9)
    np.testing.assert_allclose(ours.influence[~panel.treated], did.influence[~panel.treated], atol=1e-10)


@pytest.mark.parametrize("method", BOTH)
def test_null_imposed_gaps_are_did_s_less_the_treated_s_own_part(method):
    """One of twelve units is treated, and no period is left out: what conformal inference compares is did's, scaled."""
    panel = factor_panel(2)
    ours, did = (ESTIMATORS[name].gaps(panel, ESTIMATORS[name].options()) for name in (method, "did"))
    np.testing.assert_allclose(ours, did * 11 / 12, atol=1e-9)


@pytest.mark.parametrize("method", BOTH)
def test_units_without_untreated_cells_are_left_out_by_name(method):
    outcome = factor_outcome(4)
    outcome[2, :6] = np.nan
    panel = make_panel(outcome, {1: 0, 2: 6, 3: 6, 4: 8})
    found = fit(method, panel)
    assert codes(found)["always_treated_dropped"] == {"count": 1, "units": "unit 01"}
    assert codes(found)["treated_not_observed_before"] == {"count": 1, "units": "unit 02"}
    assert found.influence[[1, 2]].tolist() == [0, 0]
    without = fit(method, panel.keep_units([row for row in range(12) if row not in (1, 2)]))
    assert found.att == pytest.approx(without.att, abs=1e-10)


@pytest.mark.parametrize("method", BOTH)
def test_a_trend_needs_two_untreated_cells(method):
    panel = make_panel(factor_outcome(4), {2: 1, 3: 6})
    assert codes(fit(method, panel, unit_trends=True))["treated_observed_once_before"]["units"] == "unit 02"
    with pytest.raises(EstimationError, match="untreated twice"):
        fit(method, make_panel(factor_outcome(4), {2: 1}), unit_trends=True)


@pytest.mark.parametrize("method", BOTH)
def test_anticipation_takes_periods_from_the_fit_but_not_into_the_effect(method):
    panel = make_panel(factor_outcome(5), {0: 7, 1: 8})
    early = panel.outcome.copy()
    early[0, 6] += 50.0
    moved = panel.with_outcome(early)
    assert fit(method, moved, anticipation=1).att == pytest.approx(fit(method, panel, anticipation=1).att, abs=1e-9)
    assert abs(fit(method, moved).att - fit(method, panel).att) > 1.0
    found = fit(method, moved, anticipation=1)
    assert found.effects[found.event_times == -1] > 20
    always = fit(method, make_panel(factor_outcome(5), {0: 2, 1: 8}), anticipation=2)
    assert codes(always)["always_treated_dropped"]["units"] == "unit 00"


@pytest.mark.parametrize("method", BOTH)
def test_weights_by_a_covariate_by_size_and_equal_ones(method):
    panel = make_panel(factor_outcome(6), {0: 7, 1: 8}, size=np.full((12, 14), 20.0), covariates={"one": np.ones(12)})
    plain = fit(method, panel)
    for weights in ("one", "size"):
        same = fit(method, panel, weights=weights)
        assert same.att == pytest.approx(plain.att, abs=1e-10)
        np.testing.assert_allclose(same.influence, plain.influence, atol=1e-10)
    # whole numbers as weights are that many equal units
    counts = np.array([2] + [1] * 11)
    doubled = panel.keep_units(np.repeat(np.arange(12), counts))
    doubled = dataclasses.replace(
        doubled, units=tuple(f"copy {row}" for row in range(13)), size=None, cluster=np.repeat(np.arange(12), counts)
    )
    weighted = fit(method, dataclasses.replace(panel, size=None, covariates={"n": counts.astype(float)}), weights="n")
    copies = fit(method, doubled)
    assert weighted.att == pytest.approx(copies.att, abs=1e-10)
    np.testing.assert_allclose(weighted.effects, copies.effects, atol=1e-10)
    with pytest.raises(EstimationError, match="no sizes"):
        fit(method, dataclasses.replace(panel, size=None), weights="size")
    with pytest.raises(EstimationError, match="negative"):
        fit(method, dataclasses.replace(panel, covariates={"n": -counts.astype(float)}), weights="n")


@pytest.mark.parametrize("method", BOTH)
def test_covariates_that_cannot_be_told_apart_are_refused_by_name(method):
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (12, 14))
    panel = make_panel(
        factor_outcome(6), {0: 7, 1: 8}, covariates={"x": x, "nation": np.tile(x[0], (12, 1)), "twice": 2 * x}
    )
    with pytest.raises(EstimationError, match=rf"{method}: no covariate 'y'"):
        fit(method, panel, covariates=("y",))
    with pytest.raises(EstimationError, match=rf"{method}: .*'nation' is explained"):
        fit(method, panel, covariates=("nation",))
    with pytest.raises(EstimationError, match="collinear"):
        fit(method, panel, covariates=("x", "twice"))


@pytest.mark.parametrize("method", BOTH)
def test_everybody_treated_together_leaves_nothing_to_impute_from(method):
    with pytest.raises(EstimationError, match="observed untreated in the same period"):
        fit(method, make_panel(factor_outcome(1), dict.fromkeys(range(12), 9)))


def test_leads_are_tested_together_and_refused_where_there_is_nothing_to_compare_with():
    panel = make_panel(factor_outcome(7, 24), {row: 7 + row % 2 for row in range(8)})
    ours = evaluation.estimate(panel, "imputation", inference="cluster", pretrends=3)
    assert [row["event_time"] for row in ours.details["pretrends"]] == [-3, -2, -1]
    assert ours.details["pre_trend_wald"]["df1"] == 3
    assert min(point.event_time for point in ours.path) == -3
    with pytest.raises(EstimationError, match="before the last one"):
        fit("imputation", make_panel(factor_outcome(7), {0: 1, 2: 1}), pretrends=2)


def test_leads_with_one_start_keep_the_line_that_would_have_been():
    found = fit("imputation", factor_panel(8), pretrends=2)
    np.testing.assert_allclose(found.observed - found.counterfactual, found.effects, atol=1e-12)
    assert found.periods.tolist() == list(range(7, 14))


@pytest.mark.parametrize("method", BOTH)
def test_quarters_and_a_window_are_named_as_they_are(method):
    quarters = tuple(parse_period(f"{2015 + column // 4}Q{column % 4 + 1}") for column in range(14))
    panel = dataclasses.replace(make_panel(factor_outcome(9), {0: 6, 1: 8, 2: 8}, window=(8, 10)), periods=quarters)
    aggregates = fit(method, panel).details["aggregates"]
    assert [row["group"] for row in aggregates["group"]] == ["2016Q3", "2017Q1"]
    assert [row["period"] for row in aggregates["calendar"]] == ["2017Q1", "2017Q2", "2017Q3"]


@pytest.mark.slow
def test_intervals_of_many_units_cover():
    """Conservative, so at least nominal: 400 draws of 60 units with three starts; the error of a share of 0.95 is 0.011."""
    rng = np.random.default_rng(5)
    inside = dict.fromkeys(BOTH, 0)
    for _ in range(400):
        effect = rng.normal(1, 1, (60, 1)) * np.arange(1, 9)
        panel = make_panel(
            rng.normal(0, 1, (60, 1)) + rng.normal(0, 1, (60, 8)), {row: (4, 5, 6)[row % 3] for row in range(36)}
        )
        raised = panel.with_outcome(panel.outcome + 0.1 * effect * panel.after)
        truth = 0.1 * np.arange(1, 9)[None, :].repeat(60, 0)[panel.after].mean()
        for method in BOTH:
            ours = evaluation.estimate(raised, method, inference="cluster")
            inside[method] += ours.lower <= truth <= ours.upper
    assert min(inside.values()) >= 400 * 0.915


@pytest.mark.parametrize("method", BOTH)
def test_constant_covariates_may_be_missing_the_same_or_all_alike(method):
    """A unit whose covariate is not known is left out; a copy of a covariate, or one that never differs, adds nothing."""
    rng = np.random.default_rng(8)
    z = rng.normal(40, 9, 20)
    panel = make_panel(
        factor_outcome(8, 20), {0: 7, 1: 8, 2: 8}, covariates={"z": z, "twice": 2 * z + 1, "same": np.full(20, 3.0)}
    )
    alone = fit(method, panel, covariates=("z",))
    again = fit(method, panel, covariates=("z", "twice", "same"))
    assert again.att == pytest.approx(alone.att, abs=1e-8)
    np.testing.assert_allclose(again.influence, alone.influence, atol=1e-8)
    z = np.where(np.arange(20) == 12, np.nan, z)
    missing = fit(method, dataclasses.replace(panel, covariates={"z": z}), covariates=("z",))
    without = fit(method, panel.keep_units([row for row in range(20) if row != 12]), covariates=("z",))
    assert missing.att == pytest.approx(without.att, abs=1e-10)
    assert missing.influence[12] == 0


@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("trends", [False, True])
def test_a_period_that_only_units_of_their_own_effect_are_seen_in_tells_nothing(method, trends):
    """A unit seen once (with trends twice) has nothing left to say of the period, whatever the rounding of its weight."""
    outcome = factor_outcome(10, 12, 9)
    panel = make_panel(outcome, {0: 5, 1: 6}, covariates={"w": np.random.default_rng(2).uniform(0.1, 3, 12)})
    silent = outcome.copy()
    silent[2:, 8] = np.nan
    here = silent.copy()
    here[2, : 7 if trends else 8] = np.nan
    here[2, 8] = outcome[2, 8] + 100.0
    without = np.where(np.arange(12)[:, None] == 2, here * np.nan, silent)
    lone, none = (fit(method, panel.with_outcome(each), weights="w", unit_trends=trends) for each in (here, without))
    assert "periods_without_comparison" in codes(lone)
    # with trends the unit's other cell is in a period that others tell of: it has no say there either
    assert lone.att == pytest.approx(none.att, abs=1e-8)
