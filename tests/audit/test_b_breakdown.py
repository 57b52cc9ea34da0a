"""Breakdown: each quantity by hand, M-bar against a linear programme, and what is said when there is nothing to break."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

from evaluation.audit import breakdown
from tests.audit.b_studies import cyclical, noise, plain, studied
from tests.oracle.panels import make_panel


def strong(effect=3.0, seed=1, **more):
    return studied(plain(seed, effect=effect), **more)


def gaps_by_hand(outcome, start=8):
    """(periods,) treated minus the mean of the others, from its mean before the start: the path of DiD."""
    gap = outcome[0] - outcome[1:].mean(axis=0)
    return gap - gap[:start].mean()


def test_drift_is_effect_over_the_change_of_the_nation():
    made = strong()
    others = made.panel.outcome[1:].mean(axis=0)
    change = others[8:].mean() - others[:8].mean()
    found = breakdown.check(made)
    assert found.facts["cycle_change"] == pytest.approx(change)
    assert found.facts["drift"] == pytest.approx(made.headline.effect / change)
    assert found.facts["drift_limit"] == pytest.approx(made.headline.lower / change)
    assert found.facts["drift_sd"] == 0.24


def test_a_treated_unit_with_that_drift_would_show_no_effect():
    """Taking the drift times the cycle out of the treated unit's window brings the refitted effect to zero."""
    made = strong()
    drift = breakdown.check(made).facts["drift"]
    others = made.panel.outcome[1:].mean(axis=0)
    outcome = made.panel.outcome.copy()
    outcome[0, 8:] -= drift * (others[8:] - others[:8].mean())
    assert studied(made.panel.with_outcome(outcome)).headline.effect == pytest.approx(0.0, abs=1e-9)


def test_the_local_shock_is_as_large_as_the_effect_and_told_in_downturns():
    made = strong()
    found = breakdown.check(made)
    others = made.panel.outcome[1:].mean(axis=0)
    first = max(range(1, 6), key=lambda year: others[year - 1] - others[year + 1])  # two years, with one before and one after
    fall = others[first + 1] - others[first - 1]
    assert found.facts["downturn"] == f"{2001 + first}-{2002 + first}"
    assert found.facts["shock"] == abs(made.headline.effect)
    assert found.facts["shock_limit"] == made.headline.lower
    assert found.facts["downturn_fall"] == pytest.approx(fall)
    assert found.facts["shock_units"] == pytest.approx(made.headline.effect / -fall)
    assert found.facts["local_sd"] == made.spread


def test_m_bar_by_hand():
    """|τ − δ_last| over the steepest step times the mean distance of the window: (1 + 2 + 3 + 4) / 4 = 2.5 steps."""
    made = strong()
    gaps = gaps_by_hand(made.panel.outcome)
    steepest = np.abs(np.diff(gaps[:8])).max()
    found = breakdown.check(made)
    assert found.facts["steepest"] == pytest.approx(steepest)
    assert found.value == pytest.approx((gaps[8:].mean() - gaps[7]) / (steepest * 2.5))
    assert found.facts["m_bar_limit"] == pytest.approx((made.headline.lower - gaps[7]) / (steepest * 2.5))


def worst_case(gaps, start, m):
    """The smallest mean effect that Δ^RM(m) allows, by a linear programme over the trend after the start.

    Rambachan & Roth (2023), section 2.4.1, for one positive mean effect: minimise mean(gap − δ) with δ_{start−1} the gap
    there and every later step at most m times the steepest before.
    """
    steps = gaps.size - start
    bound = m * np.abs(np.diff(gaps[:start])).max()
    difference = np.eye(steps) - np.eye(steps, k=-1)
    first = np.zeros(steps)
    first[0] = gaps[start - 1]
    solved = linprog(
        -np.ones(steps) / steps,
        A_ub=np.vstack([difference, -difference]),
        b_ub=np.concatenate([bound + first, bound - first]),
        bounds=[(None, None)] * steps,
    )
    return gaps[start:].mean() + solved.fun


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_m_bar_is_where_the_worst_trend_takes_the_effect_to_zero(seed):
    made = strong(seed=seed)
    gaps, m_bar = gaps_by_hand(made.panel.outcome), breakdown.check(made).value
    assert worst_case(gaps, 8, m_bar) == pytest.approx(0.0, abs=1e-7)  # the solver's tolerance
    assert worst_case(gaps, 8, 0.99 * m_bar) > 0
    assert worst_case(gaps, 8, 1.01 * m_bar) < 0


def test_a_negative_effect_breaks_as_its_mirror_image_does():
    made = strong()
    mirror = studied(made.panel.with_outcome(-made.panel.outcome))
    ours, theirs = breakdown.check(made), breakdown.check(mirror)
    for name in ("drift", "drift_limit", "shock", "shock_limit", "m_bar", "m_bar_limit", "drift_sd"):
        assert theirs.facts[name] == pytest.approx(ours.facts[name])
    assert theirs.series["effects"] == pytest.approx([-value for value in ours.series["effects"]])


def test_did_and_event_study_have_the_same_m_bar():
    """They differ in what the effect is measured from, and the last gap before the start makes up for that."""
    panel = plain(effect=3.0)
    assert breakdown.check(studied(panel, "event_study")).value == pytest.approx(breakdown.check(studied(panel)).value)


def test_a_perfect_fit_before_the_start_is_no_evidence():
    """Synthetic control with 39 donors fits eight periods to nothing; the yardstick is then DiD's steepest step."""
    panel = plain(effect=3.0)
    found = breakdown.check(studied(panel, "synthetic_control"))
    gaps = gaps_by_hand(panel.outcome)
    assert found.facts["steepest"] == pytest.approx(np.abs(np.diff(gaps[:8])).max())
    assert found.value < 50


def test_passes_warns_and_fails():
    assert breakdown.check(strong(6.0)).status == "passed"
    outcomes = cyclical(1, effect=3.0)
    outcomes[0, 3] += 3.0  # one wild step before the start
    found = breakdown.check(studied(make_panel(outcomes, {0: 8})))
    assert 0.0 < found.value < 0.5
    assert found.status == "failed"
    outcomes = cyclical(1, effect=3.0)
    outcomes[0, 3] += 1.8
    found = breakdown.check(studied(make_panel(outcomes, {0: 8})))
    assert 0.5 <= found.value < 1.0
    assert found.status == "warns"


def test_a_small_drift_alone_is_enough_to_warn():
    """A cycle of sixty points: a drift of the sensitivity that is common among units explains an effect of three."""
    outcome = cyclical(1, effect=3.0) + 60.0 * (np.arange(12) >= 8)
    found = breakdown.check(studied(make_panel(outcome, {0: 8})))
    assert found.value >= 1.0
    assert found.facts["drift"] < 0.24
    assert found.status == "warns"


def test_sensitivities_that_were_estimated_take_the_place_of_the_default():
    made = strong(adjust="sensitivity")
    found = breakdown.check(made)
    assert found.facts["drift_sd"] == made.headline.details["adjustment"]["sd"] != 0.24


def test_an_interval_that_holds_zero_has_nothing_to_break():
    found = breakdown.check(studied(plain()))
    assert found.status == "warns"
    assert found.facts["significant"] is False
    limits = [name for name in found.facts if name.endswith("_limit")]
    assert [found.facts[name] for name in limits] == [None] * 4
    assert found.facts["drift"] is not None


def test_no_drift_does_it_where_the_nation_stood_still():
    outcome = noise(2, 40, 12)
    outcome[1:] -= outcome[1:].mean(axis=0)
    outcome[0, 8:] += 20.0
    found = breakdown.check(studied(make_panel(outcome, {0: 8})))
    assert found.facts["drift"] is None
    assert found.status == "passed"


def test_the_curve_starts_at_the_headline_and_crosses_zero_at_the_drift():
    made = strong()
    found = breakdown.check(made)
    grid, effects = np.array(found.series["drift"]), np.array(found.series["effects"])
    assert (grid[0], effects[0]) == (0.0, made.headline.effect)
    assert found.series["lowers"][0] == made.headline.lower
    assert np.interp(found.facts["drift"], grid, effects) == pytest.approx(0.0, abs=1e-9)


def test_without_a_downturn_there_is_no_such_unit():
    """Nothing fell in two years of steady growth: the shock is told in the outcome's unit alone."""
    steady = noise(3, 40, 12, 0.01) + np.arange(12.0)
    steady[0, 8:] += 3.0
    found = breakdown.check(studied(make_panel(steady, {0: 8})))
    names = ("downturn", "downturn_fall", "shock_units", "shock_units_limit")
    assert [found.facts[name] for name in names] == [None] * 4
    assert found.facts["shock"] == pytest.approx(3.0, abs=0.05)  # the noise of 0.01


def test_says_why_it_did_not_run():
    several = make_panel(cyclical(1), {0: 8, 1: 9})
    assert breakdown.check(studied(several, inference="cluster")).reason == "several_starts"
    assert breakdown.check(studied(make_panel(cyclical(1), {0: 1}))).reason == "few_periods"
    flat = make_panel(np.full((9, 10), 71.3), {0: 6})
    assert breakdown.check(studied(flat)).reason == "flat_before"
    made = studied(plain())
    assert breakdown.check(replace(made, headline=replace(made.headline, path=()))).reason == "few_periods"
