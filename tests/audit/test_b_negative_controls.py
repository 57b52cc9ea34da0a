"""Negative controls: the joint maximum-statistic test against brute force, and the worlds in which it must pass and fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.audit import negative_controls
from evaluation.context import Context, NegativeControl
from tests.audit.b_studies import cyclical, noise, plain, studied
from tests.oracle.panels import make_panel


def control(name, outcome, **more):
    return NegativeControl(name, {"da": f"{name} (da)", "en": f"{name} (en)"}, make_panel(outcome, {0: 8}), **more)


def checked(*controls, base=None, **more):
    made = studied(plain(), **more) if base is None else base
    return negative_controls.check(replace(made, context=Context(negative_controls=controls)))


def effects_by_hand(outcome, start=8):
    """Change of each unit minus the mean change of the others; the treated unit's against all, placebos without the treated."""
    change = outcome[:, start:].mean(axis=1) - outcome[:, :start].mean(axis=1)
    own = change[0] - change[1:].mean()
    others = change[1:]
    return own, np.array([others[i] - np.delete(others, i).mean() for i in range(others.size)])


def test_joint_p_value_is_the_rank_of_the_largest_standardised_effect():
    """Written out unit by unit, for three outcomes in units a thousand times apart."""
    outcomes = [noise(seed, 25, 12, scale) for seed, scale in ((1, 1.0), (2, 1000.0), (3, 0.01))]
    outcomes[1][0, 8:] += 2500.0
    found = checked(*(control(f"c{i}", outcome) for i, outcome in enumerate(outcomes)))
    by_hand = [effects_by_hand(outcome) for outcome in outcomes]
    largest_treated = max(abs(own) / placebos.std() for own, placebos in by_hand)
    largest = [max(abs(placebos[i]) / placebos.std() for _, placebos in by_hand) for i in range(24)]
    expected = (1 + sum(each >= largest_treated for each in largest)) / 25
    assert found.value == pytest.approx(expected, abs=1e-12)  # a ratio of small whole numbers
    assert found.series["standardised"] == pytest.approx([own / placebos.std() for own, placebos in by_hand])
    assert found.facts["largest_name"] == "c1"


def test_with_one_outcome_it_is_that_outcomes_own_p_value():
    found = checked(control("one", noise(4, 30, 12)))
    assert found.value == found.series["p_values"][0]


def test_passes_where_nothing_moves_and_fails_where_the_treated_unit_moved():
    still, moved = noise(5, 40, 12), noise(6, 40, 12)
    assert checked(control("still", still)).status == "passed"
    moved[0, 8:] += 4.0
    found = checked(control("still", still), control("moved", moved))
    assert found.status == "failed"
    assert found.facts["largest_name"] == "moved"


def test_warns_between_the_bounds():
    """With 15 placebos the smallest p is 1/16 = 0.0625: unusual, but not below 0.05."""
    moved = noise(7, 16, 12)
    moved[0, 8:] += 8.0
    found = checked(control("moved", moved))
    assert (found.status, found.value) == ("warns", 1 / 16)


def test_nothing_is_looked_at_after_until():
    late = noise(28, 40, 12)
    late[0, 10:] += 50.0
    early = checked(control("late", late, until=9))
    assert early.status == "passed"
    assert checked(control("late", late)).status == "failed"
    ended = checked(control("late", late, until=7))
    assert (ended.status, ended.reason, ended.facts["left_out"]) == ("not_run", "not_computable", ["late"])


def test_only_units_that_are_placebos_everywhere_count():
    whole, part = noise(9, 30, 12), noise(10, 20, 12)
    found = checked(control("whole", whole), control("part", part))
    assert found.facts["units"] == 19


def test_the_headlines_series_serve_every_outcome_that_is_not_such_a_series():
    """An outcome with other periods cannot borrow the series: it is only compared, and says so."""
    series = {"demand": np.cumsum(noise(11, 1, 12))}
    panel = make_panel(cyclical(1), {0: 8}, cycle=series)
    base = studied(panel, adjust="sensitivity", adjust_options={"series": "demand"})
    longer = NegativeControl("longer", {"en": "longer"}, make_panel(noise(12, 40, 13), {0: 8}))
    found = checked(control("alike", noise(13, 40, 12)), longer, base=base)
    assert found.series["adjusts"] == ["sensitivity", "none"]


def test_without_placebos_the_smallest_p_value_is_multiplied():
    panel = make_panel(cyclical(2), dict.fromkeys(range(8), 8))
    base = studied(panel, inference="cluster")
    several = [
        NegativeControl(name, {"en": name}, make_panel(noise(seed, 40, 12), dict.fromkeys(range(8), 8)))
        for name, seed in (("a", 14), ("b", 15))
    ]
    found = checked(*several, base=base)
    assert found.facts["method"] == "bonferroni"
    assert found.value == pytest.approx(min(1.0, 2 * min(found.series["p_values"])))


def test_an_outcome_that_does_not_vary_is_left_out_by_name():
    found = checked(control("flat", np.full((40, 12), 5.0)), control("still", noise(5, 40, 12)))
    assert (found.facts["left_out"], found.facts["count"]) == (["flat"], 1)


def test_labels_in_both_languages():
    found = checked(control("still", noise(5, 40, 12), unit={"en": "persons"}))
    assert found.series["labels_da"] == ["still (da)"]
    assert found.series["units_da"] == ["persons"]  # the language there is


def test_says_why_it_did_not_run():
    assert checked().reason == "no_negative_controls"
    few = checked(control("few", noise(16, 8, 12)))
    assert (few.reason, few.facts["count"]) == ("few_controls", 7)
