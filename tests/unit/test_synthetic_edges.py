"""Synthetic control and synthetic DiD where the panel is awkward: always treated, late, unequal, incomplete, in clusters."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from tests.oracle.panels import factor_outcome, make_panel

BOTH = [("synthetic_did", {}), ("synthetic_control", {"pooled": "each"})]
pytestmark = pytest.mark.parametrize(("name", "raw"), BOTH)


def fit(name, raw, panel):
    method = ESTIMATORS[name]
    return method.fit(panel, method.options(**raw))


def test_always_treated_units_are_left_out_and_named(name, raw):
    outcome = factor_outcome(1)
    found = fit(name, raw, make_panel(outcome, {0: 0, 3: 9, 5: 8}))
    kept = [row for row in range(12) if row != 0]
    without = fit(name, raw, make_panel(outcome, {3: 9, 5: 8}).keep_units(kept))
    assert found.att == without.att
    assert found.unit_weights.shape == (12,)
    assert found.unit_weights[0] == 0
    np.testing.assert_array_equal(found.unit_weights[1:], without.unit_weights)
    assert [(note.code, note.facts["units"]) for note in found.notes] == [("always_treated_dropped", "unit 00")]


def test_a_start_after_the_window_is_in_no_part_of_the_answer(name, raw):
    outcome = factor_outcome(2)
    found = fit(name, raw, make_panel(outcome, {3: 7, 5: 12}).with_window((7, 10)))
    kept = [row for row in range(12) if row != 5]
    alone = fit(name, raw, make_panel(outcome, {3: 7}).with_window((7, 10)).keep_units(kept))
    assert found.att == pytest.approx(alone.att, abs=1e-12)
    assert found.unit_weights[5] == 0


def test_an_incomplete_control_is_left_out_and_an_incomplete_treated_unit_refused(name, raw):
    outcome = factor_outcome(3)
    outcome[8, 2] = np.nan
    found = fit(name, raw, make_panel(outcome, {3: 9, 5: 8}))
    assert found.unit_weights[8] == 0
    assert [note.code for note in found.notes] == ["incomplete_units_dropped"]
    outcome[5, 3] = np.nan
    with pytest.raises(EstimationError, match="unit 05"):
        fit(name, raw, make_panel(outcome, {3: 9, 5: 8}))


def test_a_treated_unit_without_persons_has_no_weight(name, raw):
    outcome = factor_outcome(4)
    size = np.full((12, 14), 100.0)
    size[5] = 0.0
    found = fit(name, raw, make_panel(outcome, {3: 9, 5: 8}, size=size))
    kept = [row for row in range(12) if row != 5]
    assert found.att == pytest.approx(fit(name, raw, make_panel(outcome, {3: 9}).keep_units(kept)).att, abs=1e-12)


def test_whole_clusters_stand_in_when_their_starts_differ(name, raw):
    cluster = np.repeat(np.arange(8), 2)
    panel = make_panel(factor_outcome(5, 16), {0: 8, 1: 8, 2: 10, 3: 10}, cluster=cluster)
    found = evaluation.estimate(panel, name, inference="placebo", **raw)
    # 6 control clusters, 2 treated ones in order: 30 assignments
    assert len(found.details["placebo"]["effects"]) == 30
    assert found.details["starts"] == ["2009", "2011"]
    assert [point.period for point in found.path] == [""] * len(found.path)
    assert found.std_error > 0


def test_a_panel_without_a_comparison_is_refused(name, raw):
    outcome = factor_outcome(6)
    with pytest.raises(EstimationError, match="every unit is treated"):
        fit(name, raw, make_panel(outcome, {row: 5 + row % 3 for row in range(12)}))
    with pytest.raises(EstimationError, match="no period before the start"):
        fit(name, raw, make_panel(outcome, {3: 0, 5: 0}))
    with pytest.raises(EstimationError, match="window holds no treated period"):
        fit(name, raw, make_panel(outcome, {3: 9, 5: 8}).with_window((2, 4)))


def test_one_period_before_some_start(name, raw):
    panel = make_panel(factor_outcome(7), {3: 1, 5: 8})
    if name == "synthetic_did":
        with pytest.raises(EstimationError, match=r"only one period before the start \(2002\)"):
            fit(name, raw, panel)
    else:
        assert np.isfinite(fit(name, raw, panel).att)


def test_a_common_start_after_always_treated_ones_keeps_its_periods(name, raw):
    found = fit(name, raw, make_panel(factor_outcome(8), {0: 0, 3: 9, 5: 9}))
    assert found.periods is not None
    np.testing.assert_allclose(found.observed - found.counterfactual, found.effects, atol=1e-10)


def test_conformal_inference_needs_one_start_and_takes_it(name, raw):
    outcome = factor_outcome(9)
    found = evaluation.estimate(make_panel(outcome, {3: 9, 5: 9}), name, inference="conformal", **raw)
    assert 0 <= found.p_value <= 1
    with pytest.raises(EstimationError, match="common start"):
        evaluation.estimate(make_panel(outcome, {3: 9, 5: 8}), name, inference="conformal", **raw)
