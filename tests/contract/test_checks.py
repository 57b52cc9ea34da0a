"""One loop over the registry of checks, each against studies by every estimator."""

from __future__ import annotations

import functools
import typing

import numpy as np
import pytest

from evaluation.checks import CHECKS
from evaluation.estimators import ESTIMATORS
from evaluation.result import CheckResult, Status
from evaluation.study import Study, choose_inference, make_pipeline, run_pipeline
from tests.contract import plain
from tests.contract.test_estimators import furnished
from tests.oracle.panels import factor_outcome, factor_panel, make_panel

PAIRS = [pytest.param(check, method, id=f"{check}-{method}") for check in CHECKS for method in ESTIMATORS]


def study(method="did", panel=None, inference="default"):
    panel = furnished(ESTIMATORS[method], factor_panel(1, n_units=21) if panel is None else panel)
    pipeline = make_pipeline(method, "none", {})
    headline = run_pipeline(pipeline, panel, inference, 0.9, 3)
    chosen = choose_inference(pipeline, panel, inference)
    return Study(panel, pipeline, chosen, headline, (headline,), 0.9, 3)


@functools.cache
def plain_study(method):
    """The study of one treated unit by a method; it is frozen, and that no check changes its arrays is tested below."""
    return study(method)


@functools.cache
def result(name, method):
    return CHECKS[name](plain_study(method))


def assert_sound(found, name):
    assert isinstance(found, CheckResult)
    assert found.id == name
    assert found.status in typing.get_args(Status)
    plain.assert_plain(found)
    # nothing is silently missing: a check that did not run says why, one that did says what it found
    if found.status == "not_run":
        assert found.reason
    else:
        assert found.value is not None


@pytest.mark.parametrize(("name", "method"), PAIRS)
def test_gives_a_plain_result_with_a_reason_where_it_did_not_run(name, method):
    assert_sound(result(name, method), name)


@pytest.mark.parametrize("name", CHECKS)
def test_runs_for_at_least_one_estimator(name):
    assert any(result(name, method).status != "not_run" for method in ESTIMATORS)


@pytest.mark.parametrize(("name", "method"), PAIRS)
def test_same_seed_same_result(name, method):
    assert CHECKS[name](plain_study(method)) == result(name, method)


@pytest.mark.parametrize("name", CHECKS)
def test_nothing_it_was_given_is_changed(name):
    given = study()
    before = plain.digest(given.panel)
    CHECKS[name](given)
    assert plain.digest(given.panel) == before


SCANT = {
    "few controls": lambda: make_panel(factor_outcome(1, 4), {0: 9}),
    "one pre-period": lambda: make_panel(factor_outcome(1), {0: 1}),
    "two pre-periods": lambda: make_panel(factor_outcome(1), {0: 2}),
    "one post-period": lambda: make_panel(factor_outcome(1), {0: 13}),
    "three treated units": lambda: make_panel(factor_outcome(1), {0: 9, 2: 9, 5: 9}),
    "window": lambda: factor_panel(1).with_window((10, 11)),
    "flat outcomes": lambda: make_panel(np.full((9, 10), 71.3), {0: 6}),
}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("make", [pytest.param(make, id=label) for label, make in SCANT.items()])
@pytest.mark.filterwarnings("error")
def test_scant_data_give_a_result_or_a_reason_never_a_traceback(name, make):
    assert_sound(CHECKS[name](study(panel=make())), name)


@pytest.mark.parametrize("name", CHECKS)
def test_missing_cells_of_controls(name):
    outcome = factor_outcome(1)
    outcome[5, 2] = outcome[7, 11] = np.nan
    assert_sound(CHECKS[name](study(panel=make_panel(outcome, {0: 9}))), name)


@pytest.mark.parametrize("name", CHECKS)
def test_several_starts(name):
    panel = make_panel(factor_outcome(1, 20), {0: 8, 1: 10})
    assert_sound(CHECKS[name](study(panel=panel, inference="cluster")), name)
