"""The headline weights treated cells by persons whichever way it is computed, and conformal sets are found whole."""

import numpy as np
import pytest

import evaluation
from evaluation.estimators import ESTIMATORS
from evaluation.regression import two_way_regression
from tests.oracle import twins
from tests.oracle.panels import factor_outcome, make_panel
from tests.oracle.test_against_twins import null_imposed_residuals

DID = ESTIMATORS["did"]


def test_a_missing_control_cell_does_not_change_the_weighting_of_the_window():
    """did: complete data weigh the window by persons, the regression route weighs it equally."""
    outcome, size = factor_outcome(1), np.random.default_rng(0).integers(100, 9000, (12, 14)).astype(float)
    holed = outcome.copy()
    holed[7, 2] = np.nan
    whole, broken = (DID.fit(make_panel(values, {3: 9}, size=size), DID.options()).att for values in (outcome, holed))
    assert broken == pytest.approx(whole, abs=0.01)


def test_several_treated_units_are_weighted_by_persons_cell_by_cell():
    """target_weights() is the product of a unit and a period weight; with unequal growth of sizes that is not the cell weight."""
    outcome, size = factor_outcome(1), np.random.default_rng(0).integers(100, 9000, (12, 14)).astype(float)
    panel = make_panel(outcome, {3: 9, 4: 9, 5: 9}, size=size)
    controls = np.delete(outcome, [3, 4, 5], axis=0)
    effects = outcome - outcome[:, :9].mean(axis=1, keepdims=True) - (controls.mean(axis=0) - controls[:, :9].mean())
    weights = size * panel.target
    assert DID.fit(panel, DID.options()).att == pytest.approx((weights * effects).sum() / weights.sum(), abs=1e-9)


@pytest.mark.parametrize(("name", "options", "later"), [
    ("did", {}, 9), ("did", {"unit_trends": True}, 9), ("event_study", {}, 9), ("event_study", {"reference": -3}, 9),
    ("sun_abraham", {}, 9), ("sun_abraham", {}, 11), ("extended_twfe", {}, 9), ("extended_twfe", {}, 11),
    ("extended_twfe", {"control_group": "never_treated"}, 11), ("imputation", {}, 11), ("callaway_santanna", {}, 11),
])  # fmt: skip
def test_what_one_unit_gains_counts_by_its_persons_though_a_cell_is_missing(name, options, later):
    """Residuals say by how much a unit's change differs from its start's coefficient; its unit effect has taken up a part of it."""
    outcome, persons = factor_outcome(1), np.full(12, 400.0)
    persons[3:6] = 100.0, 900.0, 300.0
    outcome[7, 2] = np.nan
    starts = {3: 9, 4: 9, 5: later}
    size, method = np.repeat(persons[:, None], 14, axis=1), ESTIMATORS[name]

    def effect(values):
        return method.fit(make_panel(values, starts, size=size), method.options(**options)).att

    cells = sum(persons[unit] * (14 - start) for unit, start in starts.items())
    for unit, start in starts.items():
        gained = outcome.copy()
        gained[unit, start:] += 1.0
        assert effect(gained) - effect(outcome) == pytest.approx(persons[unit] * (14 - start) / cells, abs=1e-9)


@pytest.mark.parametrize("options", [{}, {"unit_trends": True}])
def test_the_path_of_difference_in_differences_averages_to_its_headline(options):
    outcome, persons = factor_outcome(1), np.geomspace(100.0, 5000.0, 12)
    outcome[7, 2] = np.nan
    panel = make_panel(outcome, {3: 9, 4: 9, 5: 9}, size=np.repeat(persons[:, None], 14, axis=1))
    found = DID.fit(panel, DID.options(**options))
    assert found.effects[9:].mean() == pytest.approx(found.att, abs=1e-9)
    assert found.effects[:9].mean() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", ["did", "event_study", "sun_abraham", "extended_twfe"])
def test_a_headline_by_persons_and_its_influence_are_those_of_the_regression_cell_by_cell(name):
    outcome, persons = factor_outcome(1), np.geomspace(100.0, 5000.0, 12)
    outcome[7, 2] = np.nan
    panel = make_panel(outcome, {3: 9, 4: 9, 5: 9}, size=np.repeat(persons[:, None], 14, axis=1))
    method = ESTIMATORS[name]
    fit, design = method.fit(panel, method.options()), method.regression(panel, method.options())
    found = two_way_regression(design.outcome, design.regressors, names=design.names, functional=design.functional)
    assert fit.att == pytest.approx(design.combination @ found.coefficients + found.functional, abs=1e-9)
    assert fit.influence == pytest.approx(design.combination @ found.influence + found.functional_influence, abs=1e-9)
    assert found.functional != pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_conformal_interval_holds_every_effect_that_is_not_rejected(seed):
    """conformal.py: doubling steps out from the estimate jump over, or stop before, parts of a region with gaps."""
    outcome = factor_outcome(seed, 10, 26)
    ours = evaluation.estimate(make_panel(outcome, {3: 18}), "did", inference="conformal", level=0.9)

    # residuals of a regression are linear in the outcome, so two fits say those under every effect
    moved = outcome.copy()
    moved[3, 18:] -= 1.0
    at_zero, at_one = (null_imposed_residuals("did", each, 3) for each in (outcome, moved))

    def p_value(effect):
        return twins.conformal_p_value(at_zero + effect * (at_one - at_zero), 8)

    lower, upper = twins.interval_by_grid(p_value, 0.9, ours.effect - 8, ours.effect + 8, 1601)
    assert (ours.lower, ours.upper) == pytest.approx((lower, upper), abs=0.011)
