"""Changes in changes on awkward panels: holes, starts, clusters, weights, few and many treated, and what the reader is told."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError, UsageError
from evaluation.estimators import ESTIMATORS
from tests.oracle.panels import factor_outcome, make_panel

METHOD = ESTIMATORS["changes_in_changes"]


def fit(panel, **options):
    return METHOD.fit(panel, METHOD.options(**options))


def codes(found):
    return {note.code for note in found.notes}


def persons(seed=1, treated=40, controls=60, n_periods=5, start=3, **more):
    outcome = np.random.default_rng(seed).normal(size=(treated + controls, n_periods)).cumsum(axis=1)
    return make_panel(outcome, dict.fromkeys(range(treated), start), **more)


def test_one_treated_unit_takes_the_place_its_rank_has_later_and_the_reader_is_told():
    panel = make_panel(np.array([[2.5, 9.0], [1.0, 4.0], [2.0, 7.0], [3.0, 5.0]]), {0: 1})
    found = fit(panel)
    # two of three controls lie below: the second of 4, 5, 7
    assert found.att == pytest.approx(9.0 - 5.0)
    assert "few_for_quantiles" in codes(found)
    assert "quantile_effects" not in found.details


def test_any_rising_transformation_of_the_outcome_leaves_ranks_and_shares_alone():
    """What parallel trends cannot do: the counterfactual of exp(y) is exp of the counterfactual of y."""
    panel = persons()
    logs, levels = fit(panel), fit(panel.with_outcome(np.exp(panel.outcome)))
    below = [[row["share_below"] for row in each.details["quantile_effects"]] for each in (logs, levels)]
    assert below[0] == below[1]
    single = panel.keep_units(np.array([0, *range(40, 100)])).with_window((3, 3))
    counterfactual = [fit(each).counterfactual[3] for each in (single, single.with_outcome(np.exp(single.outcome)))]
    assert counterfactual[1] == pytest.approx(np.exp(counterfactual[0]))


def test_quantiles_are_told_from_twenty_treated_units_on():
    assert "quantile_effects" in fit(persons(treated=20)).details
    assert "quantile_effects" not in fit(persons(treated=19)).details
    assert "few_for_quantiles" not in codes(fit(persons(treated=19), quantiles=()))


def test_quantiles_come_in_order_and_may_be_chosen():
    found = fit(persons(), quantiles=(0.75, 0.25)).details["quantile_effects"]
    assert [row["quantile"] for row in found] == [0.25, 0.75]
    with pytest.raises(UsageError, match="quantiles"):
        evaluation.estimate(persons(), "changes_in_changes", quantiles=[0.5, 1.0])


def test_those_outside_the_controls_take_the_nearest_and_are_counted():
    panel = make_panel(np.array([[9.0, 9.0], [-9.0, 1.0], [1.0, 4.0], [2.0, 7.0], [3.0, 5.0]]), {0: 1, 1: 1})
    found = fit(panel)
    assert found.att == pytest.approx(((9 - 7) + (1 - 4)) / 2)
    assert found.details["share_outside"] == 1.0
    assert "outside_the_others" in codes(found)


def test_ties_are_told_with_bounds():
    panel = persons().with_outcome(np.round(persons().outcome))
    found = fit(panel)
    assert "ties_bound_the_effect" in codes(found)
    assert found.details["bounds"]["lower"] <= found.att <= found.details["bounds"]["upper"]
    assert all(row["std_error"] is None for row in found.details["quantile_effects"])
    assert "bounds" not in fit(persons()).details


def test_path_before_the_start_is_a_placebo_against_the_base_period():
    found = fit(persons())
    assert found.effects[2] == 0.0
    assert np.isfinite(found.effects[:2]).all()
    assert (found.path_influence[2] == 0).all()


def test_clusters_above_the_unit_widen_the_error():
    rng = np.random.default_rng(3)
    groups = np.arange(100) // 5
    outcome = persons().outcome + np.repeat(rng.normal(0, 2, (20, 5)).cumsum(axis=1), 5, axis=0)
    alone, grouped = (make_panel(outcome, dict.fromkeys(range(40), 3), cluster=each) for each in (None, groups))
    errors = [
        evaluation.estimate(each, "changes_in_changes", inference="cluster").std_error for each in (alone, grouped)
    ]
    assert errors[1] > 1.3 * errors[0]


def test_several_starts_give_a_path_by_event_time():
    outcome = persons().outcome
    panel = make_panel(outcome, dict.fromkeys(range(20), 2) | dict.fromkeys(range(20, 40), 3))
    found = fit(panel)
    assert found.periods is None
    assert found.event_times.tolist() == [-3, -2, -1, 0, 1, 2]
    answer = evaluation.estimate(panel, "changes_in_changes")
    assert answer.inference == "cluster"
    assert answer.std_error > 0


def test_treated_units_without_a_past_are_left_out_by_name():
    outcome = persons().outcome.copy()
    outcome[1, :3] = np.nan
    starts = dict.fromkeys(range(40), 3) | {0: 0}
    found = fit(make_panel(outcome, starts))
    assert {"always_treated_dropped", "treated_not_observed_before"} <= codes(found)
    rest = make_panel(np.delete(outcome, [0, 1], axis=0), dict.fromkeys(range(38), 3))
    assert found.att == pytest.approx(fit(rest).att)
    assert found.influence[0] == found.influence[1] == 0


def test_a_period_in_which_no_control_is_seen_is_not_compared():
    outcome = persons().outcome.copy()
    outcome[40:, 4] = np.nan
    found = fit(make_panel(outcome, dict.fromkeys(range(40), 3)))
    assert np.isnan(found.effects[4])
    assert found.att == pytest.approx(found.effects[3])
    outcome[40:, 3] = np.nan
    with pytest.raises(EstimationError, match="no treated cell of the window can be compared"):
        fit(make_panel(outcome, dict.fromkeys(range(40), 3)))


@pytest.mark.parametrize(
    "make",
    [lambda: make_panel(factor_outcome(1), dict.fromkeys(range(12), 9)), lambda: make_panel(factor_outcome(1), {})],
)
def test_nobody_to_compare_is_refused(make):
    with pytest.raises(EstimationError, match="changes_in_changes: "):
        fit(make())


def test_details_of_a_hundred_thousand_persons_stay_small():
    import json

    panel = persons(treated=30_000, controls=70_000, n_periods=4, start=2)
    found = fit(panel)
    assert len(json.dumps(found.details)) < 2000
