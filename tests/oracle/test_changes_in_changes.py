"""Changes in changes by counting: distribution functions and their inverses evaluated one value at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from tests.oracle.panels import FEW, holed_outcomes, make_panel

METHOD = ESTIMATORS["changes_in_changes"]


def fit(panel, **options):
    return METHOD.fit(panel, METHOD.options(**options))


# ------------------------------------------------------------------ the slow, obviously right one


def share_up_to(values, weights, limit):
    """F(limit)."""
    return sum(weight for value, weight in zip(values, weights, strict=True) if value <= limit) / sum(weights)


def share_below(values, weights, limit):
    return sum(weight for value, weight in zip(values, weights, strict=True) if value < limit) / sum(weights)


def inverse(values, weights, q):
    """inf{y: F(y) >= q}, the smallest value for q = 0."""
    return min(value for value in values if share_up_to(values, weights, value) >= q - 1e-12)


def between(values, weights, low, high):
    """The mean of F⁻¹(u) for u uniform on (low, high)."""
    total = 0.0
    for value in sorted(set(values)):
        a, b = share_below(values, weights, value), share_up_to(values, weights, value)
        total += value * max(0.0, min(b, high) - max(a, low))
    return total / (high - low)


def counterfactual(y, then, now, weights, ties):
    low, high = share_below(then, weights, y), share_up_to(then, weights, y)
    tied = sum(value == y for value in then) > 1
    if ties == "conditional_independence" and tied:
        return between(now, weights, low, high)
    return inverse(now, weights, high)


def brute(panel, ties="conditional_independence"):
    """att, and {(unit, period): effect} over all cells that can be compared."""
    y = panel.outcome
    cells = {}
    for unit in np.flatnonzero(panel.treated):
        before = [t for t in range(panel.start[unit]) if np.isfinite(y[unit, t])]
        if not before:
            continue
        base = before[-1]
        for period in range(panel.n_periods):
            controls = [j for j in np.flatnonzero(~panel.treated) if np.isfinite(y[j, [base, period]]).all()]
            if controls and np.isfinite(y[unit, period]):
                expected = counterfactual(
                    y[unit, base], y[controls, base], y[controls, period], np.ones(len(controls)), ties
                )
                cells[unit, period] = 0.0 if period == base else y[unit, period] - expected
    size = np.ones_like(y) if panel.size is None else panel.size
    window = {cell: size[cell] for cell in cells if panel.target[cell]}
    return sum(weight * cells[cell] for cell, weight in window.items()) / sum(window.values()), cells


@given(st.data())
@FEW
@pytest.mark.parametrize("ties", ["conditional_independence", "continuous"])
def test_effect_and_path_equal_those_by_counting(ties, data):
    """Ties, flat rows and holes are common here; starts differ; one unit is treated from the first period."""
    outcome = data.draw(holed_outcomes())
    n_periods = outcome.shape[1]
    starts = {0: data.draw(st.integers(1, n_periods - 1)), 2: data.draw(st.integers(0, n_periods - 1))}
    size = (
        np.random.default_rng(outcome.size).integers(1, 90, outcome.shape).astype(float)
        if data.draw(st.booleans())
        else None
    )
    panel = make_panel(outcome, starts, size=size)
    try:
        found = fit(panel, ties=ties)
    except EstimationError:
        return
    att, cells = brute(panel, ties)
    assert found.att == pytest.approx(att, abs=1e-9)
    weights = np.ones_like(outcome) if size is None else size
    for time, effect in zip(found.event_times, found.effects, strict=True):
        here = [cell for cell in cells if cell[1] - panel.start[cell[0]] == time]
        if not here:
            assert np.isnan(effect)
            continue
        assert effect == pytest.approx(
            np.average([cells[cell] for cell in here], weights=[weights[cell] for cell in here]), abs=1e-9
        )


# ------------------------------------------------------------------ bounds, quantiles, quantile DiD


def persons(seed, treated=24, controls=36, n_periods=4, step=0.0):
    """Persons with a lasting part and fresh noise; outcomes in whole steps where `step` is given."""
    rng = np.random.default_rng(seed)
    lasting = np.concatenate([rng.normal(0.5, 0.7, treated), rng.normal(0.0, 1.0, controls)])
    fresh = rng.normal(0, 0.6, (treated + controls, n_periods))
    outcome = np.exp(0.4 * (lasting[:, None] + fresh) * (1 + 0.2 * np.arange(n_periods))) + 0.3 * np.arange(n_periods)
    outcome[:treated, 2:] += 1.0
    if step:
        outcome = np.round(outcome / step) * step
    return make_panel(outcome, dict.fromkeys(range(treated), 2))


def test_bounds_with_ties_are_the_lowest_and_highest_counterfactuals_of_each_outcome():
    panel = persons(1, step=0.5)
    found = fit(panel).details
    y, treated = panel.outcome, np.flatnonzero(panel.treated)
    then, ones = y[~panel.treated, 1], np.ones(36)
    lower, upper = [], []
    for period in (2, 3):
        now = y[~panel.treated, period]
        for unit in treated:
            high = inverse(now, ones, share_up_to(then, ones, y[unit, 1]))
            # just above F(y-): the lowest outcome that those with y may have moved to
            low = inverse(now, ones, share_below(then, ones, y[unit, 1]) + 1e-9) if y[unit, 1] in then else high
            upper.append(y[unit, period] - low)
            lower.append(y[unit, period] - high)
    assert found["bounds"]["lower"] == pytest.approx(np.mean(lower), abs=1e-9)
    assert found["bounds"]["upper"] == pytest.approx(np.mean(upper), abs=1e-9)
    assert found["bounds"]["lower"] <= fit(panel).att <= found["bounds"]["upper"]
    # the formula for continuous outcomes takes the highest counterfactual
    assert fit(panel, ties="continuous").att == pytest.approx(found["bounds"]["lower"], abs=1e-9)


def test_quantile_effects_are_differences_of_inverse_distribution_functions():
    panel = persons(2)
    found = fit(panel, quantiles=(0.25, 0.5)).details["quantile_effects"]
    y, rows = panel.outcome, panel.treated
    ones = np.ones(36)
    for row, q in zip(found, (0.25, 0.5), strict=True):
        effects = []
        for period in (2, 3):
            expected = [
                counterfactual(value, y[~rows, 1], y[~rows, period], ones, "continuous") for value in y[rows, 1]
            ]
            effects.append(inverse(y[rows, period], np.ones(24), q) - inverse(expected, np.ones(24), q))
        assert row["effect"] == pytest.approx(np.mean(effects), abs=1e-9)


def test_quantile_did_adds_the_controls_change_at_the_units_own_rank():
    panel = persons(3)
    y, rows = panel.outcome, panel.treated
    own, ones, effects = np.ones(24), np.ones(36), []
    for period in (2, 3):
        for unit in np.flatnonzero(rows):
            q = (share_up_to(y[rows, 1], own, y[unit, 1]) + share_below(y[rows, 1], own, y[unit, 1])) / 2
            change = inverse(y[~rows, period], ones, q) - inverse(y[~rows, 1], ones, q)
            effects.append(y[unit, period] - y[unit, 1] - change)
    assert fit(panel, estimator="quantile_did").att == pytest.approx(np.mean(effects), abs=1e-9)


def test_equal_shifts_for_all_make_it_the_difference_of_means():
    """Where everybody moves by the same amount all of these estimators say the same."""
    rng = np.random.default_rng(4)
    outcome = rng.normal(size=(80, 1)) + np.array([0.0, 0.4, 1.1])
    outcome[:30, 2] += 0.7
    panel = make_panel(outcome, dict.fromkeys(range(30), 2))
    for options in ({}, {"estimator": "quantile_did"}, {"ties": "continuous"}):
        # a unit between two controls moves with the lower one, by up to a gap; outside all others by more, so leave that out
        inside = (outcome[:, 1] > outcome[30:, 1].min()) & (outcome[:, 1] < outcome[30:, 1].max())
        inside[30:] = True
        gap = np.diff(np.sort(outcome[30:, 1])).max()
        assert abs(fit(panel.keep_units(inside), **options).att - 0.7) <= gap


# ------------------------------------------------------------------ the influence


def test_influence_of_a_control_with_atoms_is_the_exact_derivative():
    """Few outcomes: give one control a little more weight and see how the counterfactual mean moves."""
    rng = np.random.default_rng(5)
    outcome = rng.integers(0, 4, (40, 2)).astype(float)
    panel = make_panel(outcome, dict.fromkeys(range(15), 1))
    found = fit(panel)
    then, now = outcome[15:, 0], outcome[15:, 1]

    def mean(weights):
        expected = [
            between(now, weights, share_below(then, weights, y), share_up_to(then, weights, y)) for y in outcome[:15, 0]
        ]
        return float(np.mean(expected))

    small = 1e-5
    for control in range(25):
        more, less = np.ones(25), np.ones(25)
        more[control] += small
        less[control] -= small
        slope = -(mean(more) - mean(less)) / (2 * small)
        # one-sided derivatives differ where two distribution functions meet: there the influence lies between
        forward, backward = -(mean(more) - mean(np.ones(25))) / small, -(mean(np.ones(25)) - mean(less)) / small
        low, high = sorted((forward, backward))
        assert low - 1e-3 <= found.influence[15 + control] <= high + 1e-3 or found.influence[
            15 + control
        ] == pytest.approx(slope, abs=1e-3)


def test_influence_sums_to_nothing():
    for options in ({}, {"estimator": "quantile_did"}):
        found = fit(persons(6), **options)
        assert found.influence.sum() == pytest.approx(0, abs=1e-12)
        np.testing.assert_allclose(found.path_influence.sum(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("step", [0.0, 0.5])
def test_standard_error_is_the_spread_over_fresh_samples(step):
    """150 samples: their standard deviation is known to 6 per cent; twice that, and some for the classes of ranks."""
    effects, errors = [], []
    for seed in range(150):
        found = fit(persons(1000 + seed, 60, 90, step=step), quantiles=(0.5,))
        effects.append(found.att)
        errors.append(np.sqrt((found.influence**2).sum()))
    assert np.mean(errors) == pytest.approx(np.std(effects), rel=0.15)


def test_standard_error_of_the_median_effect_is_the_spread_over_fresh_samples():
    """Few treated, many controls, nothing that lasts: the treated's two periods count alike, and one left out makes it 0.75.

    Densities by differences of quantiles are wide at such sizes, by a tenth or two.
    """
    rows = []
    for seed in range(150):
        rng = np.random.default_rng(2000 + seed)
        panel = make_panel(rng.normal(size=(460, 2)), dict.fromkeys(range(60), 1))
        rows.append(fit(panel, quantiles=(0.5,)).details["quantile_effects"][0])
    ratio = np.mean([row["std_error"] for row in rows]) / np.std([row["effect"] for row in rows])
    assert 0.95 <= ratio <= 1.3
