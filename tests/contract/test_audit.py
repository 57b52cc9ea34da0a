"""One loop over the registry of the auditor's checks: order, plain values that survive JSON, the same answer twice, scant data.

The facts and series that pages are written against are asserted here for the checks of the comparison itself; those that need
reforms, persons or a record of the run have theirs in tests/audit/test_b_contract.py.
"""

from __future__ import annotations

import typing
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from pydantic import TypeAdapter

from evaluation.audit import AUDIT, common_shock, thresholds
from evaluation.context import Context
from evaluation.estimators import ESTIMATORS
from evaluation.result import CheckResult, Status
from tests.audit.a_worlds import world
from tests.audit.b_studies import studied
from tests.contract import plain
from tests.contract.test_estimators import furnished
from tests.oracle.panels import factor_outcome, factor_panel, make_panel

IN_ORDER = (
    "loading_balance", "backcast", "ladder", "equal_shock_placebos", "in_time_placebos", "negative_controls", "common_shock", "planted_effect",
    "factor_sufficiency", "spillover_rings", "donors", "policy_shocks", "composition", "breakdown", "cycle_state", "provenance",
)  # fmt: skip

FACTS = {
    "loading_balance": "beta beta_low beta_high counterfactual_beta donors_mean donors_sd reliability cycle_change bias did_bias std_error",
    "backcast": "rmse trough_error trough_period median_donor share periods method did_rmse did_median",
    "equal_shock_placebos": "count effect rank beta_within demand_within",
    "in_time_placebos": "count",
    "factor_sufficiency": "rank change",
    "spillover_rings": "full without_ring1 without_ring2 ring1_effect ring2_effect ring1 ring2",
    "donors": "low low_unit high high_unit full groups",
    "cycle_state": "weakest weakest_effect mean",
}

SERIES = {
    "loading_balance": ["units betas lows highs weights"],
    "backcast": ["periods observed backcast", "held_out", "donor_units donor_rmse"],
    "equal_shock_placebos": ["units effects"],
    "in_time_placebos": ["starts effects lowers uppers p_values windows"],
    "factor_sufficiency": ["shares", "ranks effects lowers uppers"],
    "spillover_rings": ["labels effects lowers uppers"],
    "donors": ["labels effects kinds"],
    "cycle_state": ["phases effects lowers uppers", "periods cycle", "path_periods path_effects"],
}
"""Names of columns that are rows together."""


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(common_shock, "REFITS", 240)


@cache
def full(method="did", inference="placebo", adjust="none"):
    """A world with neighbours, a doubtful group and sizes; loadings differ little, so that there are donors alike."""
    rng = np.random.default_rng(3)
    panel = world(
        3, n_units=26, loadings=rng.normal(1.0, 0.02, 26), scale=0.1, effect=2.0, size=np.full((26, 14), 900.0)
    )
    context = Context(rings=(panel.units[1:4], panel.units[4:9]), donor_groups={"own_programme": panel.units[9:12]})
    return studied(furnished(ESTIMATORS[method], panel), method, inference=inference, adjust=adjust, context=context)


def assert_sound(found, name):
    assert isinstance(found, CheckResult)
    assert found.id == name
    assert found.status in typing.get_args(Status)
    plain.assert_plain(found)
    if found.status == "not_run":
        assert found.reason
    else:
        assert found.value is not None
        assert found.threshold == thresholds.threshold(name)


def test_stand_in_the_auditors_order():
    assert tuple(AUDIT) == IN_ORDER


@pytest.mark.parametrize("method", ESTIMATORS)
@pytest.mark.parametrize("name", FACTS)
def test_has_the_facts_and_series_that_pages_are_written_against(name, method):
    found = AUDIT[name](full(method))
    assert_sound(found, name)
    assert found.status != "not_run"
    assert set(FACTS[name].split()) <= set(found.facts)
    assert {column for block in SERIES[name] for column in block.split()} <= set(found.series)
    for block in SERIES[name]:
        assert len({len(found.series[column]) for column in block.split()}) == 1
        assert found.series[block.split()[0]]


@pytest.mark.parametrize("name", AUDIT)
def test_survives_json_and_comes_out_the_same_twice_without_changing_what_it_was_given(name):
    given = full("synthetic_did", "ferman_pinto")
    before = plain.digest(given.panel)
    found = AUDIT[name](given)
    adapter = TypeAdapter(CheckResult)
    assert adapter.validate_json(adapter.dump_json(found)) == found
    assert AUDIT[name](given) == found
    assert plain.digest(given.panel) == before


@pytest.mark.parametrize("name", FACTS)
def test_the_order_of_the_units_does_not_matter(name):
    given = full()
    order = list(range(given.panel.n_units))[::-1]
    turned = studied(given.panel.keep_units(order), context=given.context)
    ours, theirs = AUDIT[name](given), AUDIT[name](turned)
    assert theirs.status == ours.status
    assert theirs.value == pytest.approx(ours.value, rel=1e-6, abs=1e-9)  # sums in another order


@pytest.mark.parametrize("adjust", ["sensitivity", "factors", "cce", "unit_trend"])
@pytest.mark.parametrize("name", FACTS)
def test_refits_whatever_adjustment_the_headline_has(name, adjust):
    found = AUDIT[name](full("did", "placebo", adjust))
    assert_sound(found, name)
    # a trend counts columns, and the backcast moves them
    assert (
        (found.reason == "own_trends") if (name, adjust) == ("backcast", "unit_trend") else (found.status != "not_run")
    )


SLOW = {("in_time_placebos", "conformal"), ("factor_sufficiency", "conformal"), ("spillover_rings", "conformal")}
"""Conformal intervals refit for hundreds of hypotheses, here for several panels each: 3 to 20 s, for one more line covered."""

ANY_INFERENCE = [
    (name, inference)
    for name in FACTS
    for inference in ("cluster", "conley_taber", "conformal", "standardized_placebo", "ferman_pinto")
    if (name, inference) not in SLOW
]


@pytest.mark.parametrize(("name", "inference"), ANY_INFERENCE)
def test_any_inference_gives_a_result_or_a_reason(name, inference):
    assert_sound(AUDIT[name](full("did", inference)), name)


SCANT = {
    "few controls": lambda: make_panel(factor_outcome(1, 4), {0: 9}),
    "one pre-period": lambda: make_panel(factor_outcome(1), {0: 1}),
    "two pre-periods": lambda: make_panel(factor_outcome(1), {0: 2}),
    "four pre-periods": lambda: make_panel(factor_outcome(1), {0: 4}),
    "one post-period": lambda: make_panel(factor_outcome(1), {0: 13}),
    "three treated units": lambda: make_panel(factor_outcome(1), {0: 9, 2: 9, 5: 9}),
    "window": lambda: factor_panel(1).with_window((10, 11)),
    "flat outcomes": lambda: make_panel(np.full((9, 10), 71.3), {0: 6}),
}


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize("make", [pytest.param(make, id=label) for label, make in SCANT.items()])
@pytest.mark.filterwarnings("error")
def test_scant_data_give_a_result_or_a_reason_never_a_traceback(name, make):
    panel = make()
    assert_sound(AUDIT[name](studied(panel, context=Context(rings=(panel.units[6:7], panel.units[7:8])))), name)


@pytest.mark.parametrize("method", ["did", "synthetic_control"])
@pytest.mark.parametrize("name", FACTS)
@pytest.mark.filterwarnings("error")
def test_missing_cells_of_controls(name, method):
    outcome = world(3, n_units=26).outcome.copy()
    outcome[5, 2] = outcome[7, 11] = np.nan
    panel = make_panel(outcome, {0: 8}, first=2007)
    assert_sound(AUDIT[name](studied(panel, method, context=Context(rings=(panel.units[4:6],)))), name)


@pytest.mark.parametrize("name", FACTS)
def test_several_starts(name):
    panel = make_panel(factor_outcome(1, 20), {0: 8, 1: 10})
    assert_sound(AUDIT[name](studied(panel, inference="cluster", context=Context(rings=(panel.units[4:6],)))), name)


@pytest.mark.parametrize("name", AUDIT)
def test_a_panel_alone(name):
    """No neighbours, no reforms, no record, no fits at hand: a result or a reason."""
    assert_sound(AUDIT[name](replace(studied(world(3, n_units=24)), fitted=())), name)
