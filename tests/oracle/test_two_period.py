"""The two-period estimators and group-time effects against slow twins: general-purpose optimisers, loops, and derivatives.

An influence is checked by what it is: the derivative of the effect with respect to a unit's weight.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.optimize import minimize

from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.propensity import calibrated_odds, design_matrix, least_squares, logit_odds
from evaluation.two_period import cross_section_effects, mean_difference, panel_effects
from tests.oracle.panels import make_panel

STEP = 1e-5
DERIVATIVE = 1e-6  # a central difference of step 1e-5 on numbers of size one


def people(seed=3, rows=60):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 2)) @ np.array([[3.0, 0.5], [0.0, 0.2]]) + [40.0, 2.0]
    chance = 1 / (1 + np.exp(-(0.4 * (values[:, 0] - 40.0) - 0.5)))
    treated = rng.uniform(size=rows) < chance
    change = rng.normal(size=(3, rows)) + 0.3 * values[:, 0] + treated
    weights = rng.uniform(0.5, 2.0, rows)
    return change, treated, values, weights


# ------------------------------------------------------------------ scores and odds


def test_logit_odds_are_those_of_a_general_optimiser():
    _, treated, values, weights = people()
    plain = np.column_stack([np.ones(len(values)), (values - values.mean(axis=0)) / values.std(axis=0)])

    def loss(coefficients):
        index = plain @ coefficients
        return weights @ (np.logaddexp(0, index) - treated * index)

    found = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-9})
    expected = np.where(treated, 0.0, weights * np.exp(plain @ found.x))
    np.testing.assert_allclose(logit_odds(design_matrix(values), treated, weights).weights, expected, rtol=1e-5)


def test_calibrated_odds_give_the_controls_the_covariates_of_the_treated():
    _, treated, values, weights = people()
    odds = calibrated_odds(design_matrix(values), treated, weights).weights
    own = weights * treated
    np.testing.assert_allclose(odds.sum(), own.sum(), rtol=1e-9)
    np.testing.assert_allclose(odds @ values, own @ values, rtol=1e-9)


def test_separated_groups_and_collinear_covariates_are_refused():
    _, treated, values, weights = people()
    apart = design_matrix(np.where(treated, 5.0, -5.0)[:, None] + 0.1 * values[:, :1])
    for odds in (logit_odds, calibrated_odds):
        with pytest.raises(EstimationError, match="treated"):
            odds(apart, treated, weights)
    with pytest.raises(EstimationError, match="collinear"):
        design_matrix(np.ones((60, 1)))
    twice = design_matrix(np.column_stack([values, values[:, 0] - 2 * values[:, 1]]))
    for fitted in (lambda: logit_odds(twice, treated, weights), lambda: least_squares(values.T, twice, weights)):
        with pytest.raises(EstimationError, match="collinear"):
            fitted()


def test_a_gap_in_one_covariate_is_refused_however_wide_it_is():
    """Almost separated too: every treated unit has the mark, some controls have it, so its coefficient has no bound."""
    _, treated, values, weights = people()
    mark = (treated | (np.arange(60) % 3 == 0)).astype(float)
    for column in (np.where(treated, 1.0, -1.0), np.where(treated, 500.0, -500.0) + values[:, 0], mark):
        with pytest.raises(EstimationError, match="apart"):
            logit_odds(design_matrix(column[:, None]), treated, weights)


def test_far_off_controls_are_no_gap():
    """A linear index of −200 for a few rich controls is no reason to refuse."""
    _, treated, values, weights = people()
    far = values[:, :1].copy()
    far[np.flatnonzero(~treated)[:2]] = -2000.0
    odds = logit_odds(design_matrix(far), treated, weights)
    assert odds.weights[np.flatnonzero(~treated)[:2]].max() < 1e-30
    assert odds.weights.sum() > 0.5


def test_a_control_with_a_score_near_one_gets_no_weight():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(4, 1, 300), rng.normal(-1, 1, 300), [7.0]])[:, None]
    treated = np.arange(601) < 300
    odds = logit_odds(design_matrix(x), treated, np.ones(601))
    assert odds.trimmed >= 1
    assert odds.weights[600] == 0.0


# ------------------------------------------------------------------ effects with everybody seen twice


@pytest.mark.parametrize("kind", ["improved", "traditional", "reg", "ipw", "std_ipw"])
def test_influence_is_the_derivative_by_a_units_weight(kind):
    change, treated, values, weights = people()
    design = design_matrix(values)
    found = panel_effects(kind, change, treated, design, weights)
    for row in range(0, 60, 7):
        sides = []
        for step in (STEP, -STEP):
            moved = weights.copy()
            moved[row] *= 1 + step
            sides.append(panel_effects(kind, change, treated, design, moved).att)
        np.testing.assert_allclose(found.influence[:, row], (sides[0] - sides[1]) / (2 * STEP), atol=DERIVATIVE)


@pytest.mark.parametrize("kind", ["improved", "traditional", "reg", "ipw", "std_ipw"])
def test_without_covariates_all_are_the_difference_of_mean_changes(kind):
    change, treated, _, weights = people()
    constant = np.ones((60, 1))
    plain, found = mean_difference(change, treated, weights), panel_effects(kind, change, treated, constant, weights)
    np.testing.assert_allclose(found.att, plain.att, atol=1e-10)
    np.testing.assert_allclose(found.influence, plain.influence, atol=1e-10)
    expected = np.average(change[:, treated], weights=weights[treated], axis=1)
    expected -= np.average(change[:, ~treated], weights=weights[~treated], axis=1)
    np.testing.assert_allclose(plain.att, expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["improved", "traditional"])
def test_a_trend_that_is_linear_in_the_covariates_is_taken_out_whole(kind):
    _, treated, values, weights = people()
    change = (2.0 + values @ [0.7, -3.0] + 5.0 * treated)[None]
    found = panel_effects(kind, change, treated, design_matrix(values), weights)
    assert found.att[0] == pytest.approx(5.0, abs=1e-9)


def test_scale_and_origin_of_the_covariates_do_not_matter():
    change, treated, values, weights = people()
    for kind in ("improved", "traditional", "reg", "ipw", "std_ipw"):
        one, two = (
            panel_effects(kind, change, treated, design_matrix(each), weights) for each in (values, 1e5 * values + 3e6)
        )
        np.testing.assert_allclose(one.att, two.att, rtol=1e-7)


# ------------------------------------------------------------------ different people before and after


@pytest.mark.parametrize("kind", ["reg", "ipw", "std_ipw", "twfe"])
def test_influence_of_cross_sections_is_the_derivative_by_an_observations_weight(kind):
    """Not for `improved`, which the estimated scores leave unmoved in large samples only (they are calibrated over both periods
    together), nor for `traditional`, whose published program gives a term that is near zero where the scores are right another sign.
    """
    change, treated, values, weights = people(5, 120)
    after = np.random.default_rng(1).uniform(size=120) < 0.5
    design = design_matrix(values)
    found = cross_section_effects(kind, change[0], treated, after, design, weights)
    for row in range(0, 120, 11):
        sides = []
        for step in (STEP, -STEP):
            moved = weights.copy()
            moved[row] *= 1 + step
            sides.append(cross_section_effects(kind, change[0], treated, after, design, moved).att[0])
        assert found.influence[0, row] == pytest.approx((sides[0] - sides[1]) / (2 * STEP), abs=DERIVATIVE)


def test_cross_sections_without_covariates_are_four_means():
    change, treated, _, weights = people(5, 120)
    after = np.random.default_rng(1).uniform(size=120) < 0.5
    outcome = change[0]

    def mean(rows):
        return np.average(outcome[rows], weights=weights[rows])

    expected = mean(treated & after) - mean(treated & ~after) - mean(~treated & after) + mean(~treated & ~after)
    for kind in ("improved", "traditional", "reg", "std_ipw", "twfe"):
        found = cross_section_effects(kind, outcome, treated, after, None, weights)
        assert found.att[0] == pytest.approx(expected, abs=1e-10)


# ------------------------------------------------------------------ many groups and periods


def staggered(seed=0, units=24, periods=7, never=True, holes=False, **more):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=units)
    outcome = rng.normal(size=(units, periods)) + rng.normal(size=(units, 1)) + 0.2 * x[:, None] * np.arange(periods)
    if holes:
        outcome[rng.uniform(size=outcome.shape) < 0.12] = np.nan
    starts = [3, 4, 6] if never else [3, 4, 6, 6]
    treated = {row: starts[row % 4] for row in range(units) if row % 4 < len(starts)}
    weights = rng.uniform(0.5, 2.0, units)
    return make_panel(outcome, treated, covariates={"x": x, "w": weights}, **more)


def slow_effects(panel, controls, base, anticipation):
    """ATT(g, t) by loops over units, without covariates."""
    found = {}
    for group in panel.starts:
        for time in range(panel.n_periods):
            last = group - anticipation - 1
            before = last if base == "universal" or time >= group else time - 1
            if before < 0 or last < 0 or before == time:
                continue
            own, others = [], []
            for row in range(panel.n_units):
                moved = panel.outcome[row, time] - panel.outcome[row, before]
                start = panel.start[row]
                never = start == panel.n_periods
                waiting = controls == "not_yet_treated" and start > max(time, before) + anticipation and start != group
                if not np.isfinite(moved):
                    continue
                if start == group:
                    own.append(moved)
                elif never or waiting:
                    others.append(moved)
            if own and others:
                found[group, time] = np.mean(own) - np.mean(others), len(own)
    return found


@pytest.mark.parametrize("controls", ["never_treated", "not_yet_treated"])
@pytest.mark.parametrize("base", ["varying", "universal"])
@pytest.mark.parametrize("anticipation", [0, 2])
@pytest.mark.parametrize("holes", [False, True])
def test_group_time_effects_are_the_loops(controls, base, anticipation, holes):
    panel = staggered(holes=holes)
    method = ESTIMATORS["callaway_santanna"]
    found = method.fit(panel, method.options(control_group=controls, base_period=base, anticipation=anticipation))
    labels = [period.label for period in panel.periods]
    expected = slow_effects(panel, controls, base, anticipation)
    ours = {
        (labels.index(row["group"]), labels.index(row["period"])): row["effect"]
        for row in found.details["att_gt"]
        if row["std_error"] is not None
    }
    assert set(ours) == set(expected)
    for cell, (effect, _) in expected.items():
        assert ours[cell] == pytest.approx(effect, abs=1e-12)
    cells = [cell for cell in expected if cell[1] >= cell[0]]
    sizes = [expected[cell][1] for cell in cells]
    assert found.att == pytest.approx(np.average([expected[cell][0] for cell in cells], weights=sizes), abs=1e-12)


WAYS = [
    {"aggregate": kind, "est_method": method, "control_group": controls}
    for kind, method, controls in [
        ("simple", "dr", "never_treated"),
        ("dynamic", "ipw", "not_yet_treated"),
        ("group", "reg", "not_yet_treated"),
        ("calendar", "dr", "not_yet_treated"),
    ]
]


@pytest.mark.parametrize("options", WAYS, ids=lambda each: each["aggregate"])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("never", [False, True])
def test_influence_of_every_average_is_the_derivative_by_a_units_weight(options, holes, never):
    """Estimated group shares, propensity scores and regressions included, for the headline and the path."""
    if not never and options["control_group"] == "never_treated":
        return
    panel = staggered(2, units=48, holes=holes, never=never)
    method = ESTIMATORS["callaway_santanna"]
    chosen = method.options(covariates=("x",), weights="w", **options)
    found = method.fit(panel, chosen)
    for row in (0, 1, 2, 3, 21, 34):
        sides = []
        for step in (STEP, -STEP):
            weights = panel.covariates["w"].copy()
            weights[row] *= 1 + step
            moved = dataclasses.replace(panel, covariates={**panel.covariates, "w": weights})
            sides.append(method.fit(moved, chosen))
        assert found.influence[row] == pytest.approx((sides[0].att - sides[1].att) / (2 * STEP), abs=DERIVATIVE)
        slopes = (sides[0].effects - sides[1].effects) / (2 * STEP)
        np.testing.assert_allclose(found.path_influence[:, row], slopes, atol=DERIVATIVE)


def test_influence_of_pooled_cross_sections_is_the_derivative_by_a_units_weight():
    panel = staggered(2, units=48, holes=True)
    method = ESTIMATORS["callaway_santanna"]
    chosen = method.options(unbalanced="cross_sections", weights="w", covariates=("x",), est_method="reg")
    found = method.fit(panel, chosen)
    for row in (0, 1, 2, 3, 21):
        sides = []
        for step in (STEP, -STEP):
            weights = panel.covariates["w"].copy()
            weights[row] *= 1 + step
            moved = dataclasses.replace(panel, covariates={**panel.covariates, "w": weights})
            sides.append(method.fit(moved, chosen).att)
        assert found.influence[row] == pytest.approx((sides[0] - sides[1]) / (2 * STEP), abs=DERIVATIVE)
