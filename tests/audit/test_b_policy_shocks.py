"""Reforms: the coefficient against least squares on dummies, no treated outcome in it, and worlds that must pass, warn, fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.audit import policy_shocks
from evaluation.context import Context, PolicyShock
from tests.audit.b_studies import cyclical, plain, studied
from tests.oracle.panels import make_panel

SHARES = np.random.default_rng(7).uniform(0.2, 0.8, 40)
LATER = np.random.default_rng(8).uniform(0.0, 1.0, 40)


def reform(name="reform", start=9, share=SHARES):
    return PolicyShock(name, {"da": f"{name} (da)", "en": f"{name} (en)"}, start, share)


def checked(made, *policies):
    return policy_shocks.check(replace(made, context=Context(policies=policies)))


def by_dummies(outcome, policies):
    """Least squares of the never-treated outcomes on a dummy per unit, a dummy per period and the terms, written out."""
    n_units, n_periods = outcome.shape
    columns = []
    for unit in range(n_units):
        columns.append(np.repeat(np.arange(n_units) == unit, n_periods))
    for period in range(1, n_periods):
        columns.append(np.tile(np.arange(n_periods) == period, n_units))
    for policy in policies:
        columns.append(np.outer(policy.share[1:], np.arange(n_periods) >= policy.start).ravel())
    return np.linalg.lstsq(np.array(columns, dtype=float).T, outcome.ravel(), rcond=None)[0][-len(policies) :]


def test_coefficient_is_that_of_least_squares_on_dummies():
    made = studied(plain())
    found = checked(made, reform(), reform("later", 10, LATER))
    for place, policy in enumerate((reform(), reform("later", 10, LATER))):
        expected = by_dummies(made.panel.outcome[1:], [policy])
        assert found.series["coefficients"][place] == pytest.approx(expected[0], rel=1e-9)
    assert found.series["names"] == ["reform", "later", "together"]


def test_effect_by_hand_alone_and_together():
    """DiD of outcomes less δ × share × 1(t ≥ start), with δ from the dummies; alone and with two reforms at once."""
    made = studied(plain())
    policies = (reform(), reform("later", 10, LATER))
    found = checked(made, *policies)
    times = np.arange(12)
    for row, used in enumerate(([policies[0]], [policies[1]], policies)):
        cleaned = made.panel.outcome.copy()
        for policy, delta in zip(used, by_dummies(made.panel.outcome[1:], used), strict=True):
            cleaned -= delta * np.outer(policy.share, times >= policy.start)
        change = cleaned[:, 8:].mean(axis=1) - cleaned[:, :8].mean(axis=1)
        assert found.series["effects"][row] == pytest.approx(change[0] - change[1:].mean(), abs=1e-10)


def test_standard_error_is_clustered_by_unit():
    """CR1 with unit effects nested in the clusters, from the residuals of the dummies, for one term."""
    made = studied(plain())
    policy = reform()
    outcome, times = made.panel.outcome[1:], np.arange(12)

    def demeaned(values):
        return values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()

    x, y = demeaned(np.outer(policy.share[1:], times >= policy.start).astype(float)), demeaned(outcome)
    residuals = y - (x * y).sum() / (x * x).sum() * x
    scores = (x * residuals).sum(axis=1) / (x * x).sum()
    n_obs, n_parameters = outcome.size, 1 + 12
    expected = np.sqrt(39 / 38 * (n_obs - 1) / (n_obs - n_parameters) * (scores**2).sum())
    assert checked(made, policy).series["std_errors"][0] == pytest.approx(expected, rel=1e-9)


def test_no_outcome_of_the_treated_unit_moves_the_coefficient():
    made = studied(plain())
    outcome = made.panel.outcome.copy()
    outcome[0] += np.linspace(0, 100, 12)
    other = studied(made.panel.with_outcome(outcome))
    assert checked(made, reform()).series["coefficients"] == checked(other, reform()).series["coefficients"]


def shocked(size, share_of_treated):
    """A reform worth `size` per unit of share, on a treated unit with an unusual share."""
    share = SHARES.copy()
    share[0] = share_of_treated
    outcome = cyclical(3, scale=0.1) + size * np.outer(share, np.arange(12) >= 8)
    return studied(make_panel(outcome, {0: 8})), reform(start=8, share=share)


def test_fails_where_the_reform_was_the_effect_and_finds_what_is_left():
    made, policy = shocked(4.0, 1.0)
    found = checked(made, policy)
    assert abs(made.headline.effect) > 1.5
    assert abs(found.series["effects"][0]) < 0.2  # the noise of 0.1 that is left
    assert found.status == "failed"


def test_passes_where_the_treated_unit_is_like_the_others():
    """The mean share: whatever the reform did, it did to the comparison too."""
    made, policy = shocked(4.0, float(SHARES[1:].mean()))
    found = checked(made, policy)
    assert found.value < 1e-9
    assert found.status == "passed"


def test_warns_in_between():
    """A share so far from the mean that the change is 0.75 placebo standard deviations."""
    made, policy = shocked(0.5, 0.5)
    spread, per_share = made.spread, checked(made, policy).series["coefficients"][0]
    share = policy.share.copy()
    share[0] = SHARES[1:].mean() + 0.75 * spread / per_share
    found = checked(made, replace(policy, share=share))
    assert found.value == pytest.approx(0.75, rel=1e-6)
    assert found.status == "warns"


def test_placebos_estimate_the_coefficient_again():
    """Interval by hand: each placebo's δ comes from the other 38 units."""
    made = studied(plain())
    policy = reform(share=np.linspace(0.1, 0.9, 40))
    found = checked(made, policy)
    outcome, times, placebos = made.panel.outcome[1:], np.arange(12), []
    for row in range(39):
        others = np.delete(np.arange(39), row)
        delta = by_dummies(outcome[others], [replace(policy, share=np.concatenate([[0.0], policy.share[1:][others]]))])[
            0
        ]
        cleaned = outcome - delta * np.outer(policy.share[1:], times >= policy.start)
        change = cleaned[:, 8:].mean(axis=1) - cleaned[:, :8].mean(axis=1)
        placebos.append(change[row] - change[others].mean())
    # the rank test at 5 % with 39 placebos keeps all but the largest two of 40
    half = np.sort(np.abs(placebos))[-2]
    width = (found.series["uppers"][0] - found.series["lowers"][0]) / 2
    assert width >= half - 1e-9  # the uncertainty of a shared slope may only widen it
    assert width == pytest.approx(half, rel=0.1)


def test_comes_on_top_of_the_headlines_adjustment():
    made = studied(plain(), adjust="sensitivity")
    wrapped = policy_shocks.without_reforms(made.pipeline, made.panel.units, [reform()])
    inner = made.pipeline.adjust(made.panel)
    both = wrapped.adjust(made.panel)
    beyond = both.removed - inner.removed
    expected = by_dummies((made.panel.outcome - inner.removed)[1:], [reform()])[0]
    term = np.outer(SHARES, np.arange(12) >= 9)
    assert beyond == pytest.approx(expected * (term - term[:, :8].mean(axis=1, keepdims=True)), abs=1e-9)


def test_a_reform_that_hit_all_alike_is_left_out_by_name():
    found = checked(studied(plain()), reform("alike", share=np.full(40, 0.5)), reform())
    assert found.facts["left_out"] == ["alike"]
    assert found.series["names"] == ["reform"]


def test_a_control_without_a_share_is_left_out():
    share = SHARES.copy()
    share[5] = np.nan
    made = studied(plain())
    whole = made.panel.keep_units([row for row in range(40) if row != 5])
    found = checked(made, reform(share=share))
    expected = checked(studied(whole), reform(share=np.delete(SHARES, 5)))
    assert found.series["effects"] == pytest.approx(expected.series["effects"], rel=1e-9)


def test_says_why_it_did_not_run():
    made = studied(plain())
    assert checked(made).reason == "no_policies"
    assert checked(made, reform(share=np.full(40, 0.5))).reason == "not_computable"
    assert (
        checked(studied(make_panel(np.full((9, 10), 71.3), {0: 6})), reform(share=SHARES[:9])).reason == "no_placebos"
    )
