"""The years of the window looked at together: the joint test and its adjusted p-values are those of the placebos' own paths."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from evaluation.contracts import Fit
from evaluation.inference.draws import rank_p_value
from evaluation.inference.joint import over_window
from evaluation.multiplicity import joint_p_value, romano_wolf
from tests.oracle.panels import factor_outcome, factor_panel, make_panel


def joint(found):
    return found.details["placebo"]["joint"]


@pytest.mark.parametrize("method", ["did", "synthetic_control"])
def test_the_joint_test_is_the_step_down_test_of_the_placebo_gaps(method):
    found = evaluation.estimate(factor_panel(2, 40, 20, 14), method, inference="placebo")
    gaps = np.array(found.details["placebo"]["gaps"])
    after = np.array([one.event_time >= 0 for one in found.path])
    values = np.array([one.effect for one in found.path])[after]
    expected = romano_wolf(values, gaps[:, after])
    np.testing.assert_allclose([one.p_adjusted for one in found.path if one.event_time >= 0], expected)
    assert all(one.p_adjusted is None for one in found.path if one.event_time < 0)
    assert joint(found)["p_value"] == pytest.approx(joint_p_value(values, gaps[:, after]))
    assert joint(found)["p_value"] == pytest.approx(min(expected))
    assert joint(found)["periods"] == [one.period for one in found.path if one.event_time >= 0]
    for one, low, high in zip(
        found.path[-6:], joint(found)["band"]["lower"], joint(found)["band"]["upper"], strict=True
    ):
        assert low < one.lower < one.effect < one.upper < high  # all at once needs more room than each alone
        assert one.p_adjusted >= one.p_value - 1e-12


def test_only_the_window_is_looked_at():
    panel = make_panel(factor_outcome(3, 40, 20), {3: 12}, window=(14, 16))
    found = evaluation.estimate(panel, "did", inference="placebo")
    assert [one.event_time for one in found.path if one.p_adjusted is not None] == [2, 3, 4]
    assert joint(found)["event_times"] == [2, 3, 4]
    single = evaluation.estimate(panel.with_window((15, 15)), "did", inference="placebo")
    assert "joint" not in single.details["placebo"]
    assert all(one.p_adjusted is None for one in single.path)


def test_an_effect_in_one_year_is_found_there_and_nowhere_else():
    outcome = factor_outcome(4, 60, 20)
    outcome[3, 16] += 8.0
    found = evaluation.estimate(make_panel(outcome, {3: 14}), "did", inference="placebo")
    clear = [one.event_time for one in found.path if one.p_adjusted is not None and one.p_adjusted <= 0.05]
    assert clear == [2]
    assert joint(found)["p_value"] == pytest.approx(1 / 60)


def test_several_starts_are_looked_at_by_time_since_the_start():
    panel = make_panel(factor_outcome(5, 21, 14), {3: 9, 8: 11})
    found = evaluation.estimate(panel, "imputation", inference="placebo")
    tested = [one.event_time for one in found.path if one.p_adjusted is not None]
    assert tested == [one.event_time for one in found.path if one.event_time >= 0]
    assert joint(found)["periods"] == []


def test_unequal_sizes_rescale_the_years_as_they_rescale_the_average():
    size = np.repeat(np.geomspace(100, 9000, 40)[:, None], 20, axis=1)
    panel = factor_panel(6, 40, 20, 14, size=size)
    plain, scaled = (evaluation.estimate(panel, "did", inference=name) for name in ("placebo", "ferman_pinto"))
    placebo = scaled.details["placebo"]
    factors = np.array(placebo["effects"]) / np.array(plain.details["placebo"]["effects"])
    gaps = np.array(placebo["gaps"])[:, -6:] * factors[:, None]
    values = np.array([one.effect for one in scaled.path])[-6:]
    np.testing.assert_allclose([one.p_adjusted for one in scaled.path[-6:]], romano_wolf(values, gaps))


def test_years_without_an_effect_are_rarely_called_one():
    """1,500 panels of noise that carries over between years, six years after the start: at 5 % the joint test rejects 5 %.

    Monte Carlo error 0.6 points. Looked at one by one, some year is below 5 % more than twice as often. The fits are those of
    difference-in-differences: every unit's change from its mean before the start, less that of the 39 others.
    """
    rng = np.random.default_rng(7)
    panel = make_panel(np.zeros((40, 12)), {3: 6})
    times = np.arange(6)
    once = together = 0
    for _ in range(1500):
        noise = rng.standard_normal((40, 12))
        for column in range(1, 12):
            noise[:, column] = 0.5 * noise[:, column - 1] + np.sqrt(0.75) * noise[:, column]
        changes = noise[:, 6:] - noise[:, :6].mean(axis=1, keepdims=True)
        gaps = (changes - changes.mean(axis=0)) * 40 / 39
        fit = Fit(att=float(gaps[3].mean()), effects=gaps[3], event_times=times, periods=6 + times)
        draws = np.delete(gaps, 3, axis=0)
        adjusted, found = over_window(fit, draws, panel, 0.95)
        together += found["p_value"] <= 0.05 + 1e-12
        once += any(rank_p_value(draws[:, k], gaps[3, k]) <= 0.05 + 1e-12 for k in range(6))
        assert found["p_value"] == pytest.approx(adjusted.min())
    assert abs(together / 1500 - 0.05) <= 3 * 0.0056
    assert once > 2 * together
