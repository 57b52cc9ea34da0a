"""One loop over eight checks: the keys that pages are written against, plain values, reasons with words, scant data."""

from __future__ import annotations

import re
import typing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.audit import (
    AUDIT,
    breakdown,
    common_shock,
    composition,
    ladder,
    negative_controls,
    planted_effect,
    policy_shocks,
    provenance,
    thresholds,
)
from evaluation.context import Context, NegativeControl, PolicyShock
from evaluation.report.words import languages, load
from evaluation.result import CheckResult, Cycle, FlowStep, LadderRung, Status
from tests.audit.b_studies import cyclical, noise, plain, studied
from tests.audit.test_b_composition import PEOPLE
from tests.audit.test_b_provenance import RECORD
from tests.contract import plain as plainness
from tests.oracle.panels import factor_outcome, factor_panel, make_panel

CHECKS = {
    "ladder": ladder,
    "negative_controls": negative_controls,
    "common_shock": common_shock,
    "planted_effect": planted_effect,
    "policy_shocks": policy_shocks,
    "composition": composition,
    "breakdown": breakdown,
    "provenance": provenance,
}

FACTS = {
    "ladder": "cycle cycle_lower cycle_upper outside opposite highest lowest count",
    "negative_controls": "count largest largest_name",
    "common_shock": "mean shock rejected draws tests",
    "planted_effect": "planted recovered coverage count",
    "policy_shocks": "count full",
    "composition": "cohort stock reweighted exits_treated exits_controls",
    "breakdown": "drift drift_limit drift_sd shock shock_limit shock_units shock_units_limit downturn_fall downturn m_bar "
    "m_bar_limit local_sd",
    "provenance": "inputs hashes spec_sha256 frozen seed version steps deviations",
}
SERIES = {
    "ladder": "adjusts variants effects lowers uppers",
    "negative_controls": "names labels_da labels_en units_da units_en effects lowers uppers p_values standardised",
    "common_shock": "draws kinds",
    "planted_effect": "units recovered lowers uppers",
    "policy_shocks": "names labels_da labels_en effects lowers uppers coefficients std_errors",
    "composition": "states treated controls periods",
    "breakdown": "drift effects lowers uppers",
    "provenance": "items present",
}


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(common_shock, "REFITS", 240)


def full(method="did", panel=None, inference="placebo"):
    """A study with everything that any of the checks looks at."""
    panel = make_panel(cyclical(1, n_units=26, effect=1.0), {0: 8}) if panel is None else panel
    made = studied(panel, method, inference=inference)
    n_units, n_periods = panel.outcome.shape
    rungs = (
        LadderRung("none", 1.0, 0.2, 1.8, 0.02, 0.0, headline=True),
        LadderRung("region_time", 0.9, 0.1, 1.7, 0.03, 0.1),
    )
    share = np.random.default_rng(1).uniform(0, 1, n_units)
    control = panel.with_outcome(noise(2, n_units, n_periods))
    context = Context(
        policies=(PolicyShock("reform", {"en": "a reform"}, n_periods - 2, share),),
        negative_controls=(NegativeControl("still", {"en": "still"}, control),),
        variants={"stock": panel},
        frozen="2026-11-20",
    )
    return replace(
        made,
        context=context,
        cycle=Cycle("none", rungs),
        population=PEOPLE,
        record=RECORD,
        flow=(FlowStep("read", 2, 1),),
    )


def assert_sound(found, name):
    assert isinstance(found, CheckResult)
    assert found.id == name
    assert found.status in typing.get_args(Status)
    plainness.assert_plain(found)
    if found.status == "not_run":
        assert found.reason
        for language in languages():
            assert f"reason.{found.reason}" in load(language)
    else:
        assert found.value is not None
        assert found.threshold == thresholds.threshold(name)


@pytest.mark.parametrize("name", CHECKS)
def test_is_in_the_registry_under_its_name(name):
    assert AUDIT[name] is CHECKS[name].check


@pytest.mark.parametrize("method", ["did", "synthetic_control", "synthetic_did"])
@pytest.mark.parametrize("name", CHECKS)
def test_has_the_facts_and_series_that_pages_are_written_against(name, method):
    found = CHECKS[name].check(full(method))
    assert_sound(found, name)
    assert found.status != "not_run"
    assert set(FACTS[name].split()) <= set(found.facts)
    assert set(SERIES[name].split()) <= set(found.series)
    own = ["states", "periods", "treated", "controls"] if name == "composition" else []
    lengths = {len(column) for key, column in found.series.items() if key not in own}
    assert len(lengths) <= 1


@pytest.mark.parametrize("name", CHECKS)
def test_same_seed_same_result_and_nothing_given_is_changed(name):
    given = full("synthetic_did")
    before = plainness.digest(given.panel)
    assert CHECKS[name].check(given) == CHECKS[name].check(given)
    assert plainness.digest(given.panel) == before


SCANT = {
    "few controls": lambda: make_panel(factor_outcome(1, 4), {0: 9}),
    "one pre-period": lambda: make_panel(factor_outcome(1), {0: 1}),
    "two pre-periods": lambda: make_panel(factor_outcome(1), {0: 2}),
    "one post-period": lambda: make_panel(factor_outcome(1), {0: 13}),
    "three treated units": lambda: make_panel(factor_outcome(1), {0: 9, 2: 9, 5: 9}),
    "window": lambda: factor_panel(1).with_window((10, 11)),
    "flat outcomes": lambda: make_panel(np.full((9, 10), 71.3), {0: 6}),
    "regions and sizes": lambda: factor_panel(
        1, 24, size=np.full((24, 14), 50.0), region=np.arange(24) % 3, region_names=("a", "b", "c")
    ),
}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("make", [pytest.param(make, id=label) for label, make in SCANT.items()])
@pytest.mark.filterwarnings("error")
def test_scant_data_give_a_result_or_a_reason_never_a_traceback(name, make):
    assert_sound(CHECKS[name].check(full(panel=make())), name)


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.filterwarnings("error")
def test_missing_cells_of_controls(name):
    outcome = cyclical(1, n_units=26)
    outcome[5, 2] = outcome[7, 11] = np.nan
    assert_sound(CHECKS[name].check(full(panel=make_panel(outcome, {0: 8}))), name)
    assert_sound(CHECKS[name].check(full("synthetic_control", panel=make_panel(outcome, {0: 8}))), name)


@pytest.mark.parametrize("name", CHECKS)
def test_several_starts_and_inference_without_placebos(name):
    panel = make_panel(factor_outcome(1, 20), {0: 8, 1: 10})
    assert_sound(CHECKS[name].check(full(panel=panel, inference="cluster")), name)
    for inference in ("cluster", "conley_taber"):
        assert_sound(CHECKS[name].check(full(inference=inference)), name)


@pytest.mark.parametrize("name", CHECKS)
def test_a_study_of_a_panel_alone(name):
    """No cycle, no context, no record: a result or a reason."""
    assert_sound(CHECKS[name].check(studied(plain())), name)


def test_every_reason_in_the_code_has_words_in_every_language():
    reasons = set()
    for module in CHECKS.values():
        reasons |= set(re.findall(r'reason="([a-z_]+)"', Path(module.__file__).read_text("utf-8")))
    assert len(reasons) > 10
    for language in languages():
        assert {reason for reason in reasons if f"reason.{reason}" not in load(language)} == set()
