"""The smallest effect that is found: against a count by hand, its algebra, and that the promise of 8 in 10 is kept."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from evaluation import power
from evaluation.inference.draws import rank_p_value
from evaluation.noise import variance_function
from evaluation.panel import Panel
from evaluation.periods import parse_period
from evaluation.result import Note
from evaluation.study import estimate


def by_hand(draws: Any, effect: float, most: int) -> float:
    """The share of draws that find an effect of +effect: each is held against all the others, one by one."""
    found = 0
    for place, draw in enumerate(draws):
        others = [abs(other) for index, other in enumerate(draws) if index != place]
        as_large = sum(other >= abs(draw + effect) for other in others)
        found += as_large < most
    return found / len(draws)


def made(
    seed: int, n_units: int = 40, n_periods: int = 10, *, sizes: bool = False, scale: float = 1.0, effect: float = 0.0
) -> Panel:
    """Independent noise by unit and period, one treated unit over the last four."""
    rng = np.random.default_rng(seed)
    size = np.repeat(rng.integers(50, 5000, n_units)[:, None], n_periods, axis=1).astype(float) if sizes else None
    noise = rng.normal(size=(n_units, n_periods)) * (1.0 if size is None else np.sqrt(0.2 + 400.0 / size))
    noise[0, 6:] += effect
    start = np.full(n_units, n_periods)
    start[0] = 6
    return Panel(
        scale * noise,
        tuple(f"u{row}" for row in range(n_units)),
        tuple(parse_period(2000 + step) for step in range(n_periods)),
        start,
        size=size,
    )


@pytest.mark.parametrize("count", [19, 25, 38, 93, 97])
@pytest.mark.parametrize("kind", ["normal", "skewed", "tied"])
def test_the_power_is_what_counting_by_hand_finds(count: int, kind: str) -> None:
    rng = np.random.default_rng(count)
    draws = rng.normal(size=count) if kind == "normal" else rng.exponential(size=count) - 0.5
    if kind == "tied":
        draws = np.round(draws, 1)
    most = power.allowed(count, 0.95)
    assert most >= 1
    effects = np.linspace(0.0, 6.0, 25) + 0.0123
    counted = [min(by_hand(draws, each, most), by_hand(-draws, each, most)) for each in effects.tolist()]
    # shares of the same count: equal up to rounding
    np.testing.assert_allclose(power.rank_power(draws, effects, most), counted, atol=1e-12)


@pytest.mark.parametrize("count", [19, 25, 38, 93])
def test_from_the_smallest_effect_on_the_power_stays_at_eight_in_ten(count: int) -> None:
    draws = np.random.default_rng(count).standard_t(3, size=count)
    most = power.allowed(count, 0.95)
    smallest = power.smallest_effect(draws, most)
    above = smallest * (1.0 + np.concatenate([[1e-9], np.linspace(0.001, 4.0, 400)]))
    assert power.rank_power(draws, above, most).min() >= 0.8 - 1e-12
    assert power.rank_power(draws, np.array([smallest * (1.0 - 1e-9)]), most)[0] < 0.8


def test_the_test_counted_is_the_test_of_the_inference() -> None:
    draws = np.random.default_rng(3).normal(size=93)
    most = power.allowed(93, 0.95)
    for value in np.linspace(0.0, 4.0, 81).tolist():
        assert (rank_p_value(draws, value) <= 0.05 + 1e-9) == (int((np.abs(draws) >= value).sum()) < most)


def test_without_an_effect_the_test_finds_one_as_often_as_it_may() -> None:
    draws = np.random.default_rng(4).normal(size=97)
    most = power.allowed(97, 0.95)
    assert power.rank_power(draws, np.zeros(1), most)[0] == pytest.approx(most / 97)


@pytest.mark.parametrize("count", [2, 10, 18])
def test_where_nothing_can_be_rejected_no_effect_is_large_enough(count: int) -> None:
    draws = np.random.default_rng(count).normal(size=count)
    assert power.allowed(count, 0.95) == 0
    assert power.smallest_effect(draws, 0) == math.inf
    assert not power.rank_power(draws, np.array([0.0, 100.0]), 0).any()


def test_nineteen_controls_are_just_enough() -> None:
    assert (power.allowed(18, 0.95), power.allowed(19, 0.95), power.allowed(9, 0.9)) == (0, 1, 1)


def test_the_smallest_effect_scales_with_the_outcome_and_knows_no_sign() -> None:
    draws = np.random.default_rng(5).exponential(size=60) - 1.0
    most = power.allowed(60, 0.95)
    smallest = power.smallest_effect(draws, most)
    assert power.smallest_effect(7.5 * draws, most) == pytest.approx(7.5 * smallest)
    assert power.smallest_effect(-draws, most) == pytest.approx(smallest)
    assert power.smallest_effect(np.roll(draws, 7), most) == smallest
    assert power.smallest_effect(draws, most, 0.5) < smallest < power.smallest_effect(draws, most, 0.95)


def test_draws_that_are_all_alike_find_the_least_effect() -> None:
    assert power.smallest_effect(np.zeros(30), 1) == 0.0


def test_the_normal_multiple_is_the_one_in_the_tables() -> None:
    # Bloom (1995), table 1: two-sided 5 %, power 80 %
    assert power.normal_effect(1.0, 0.95) == pytest.approx(2.80, abs=0.005)
    assert power.normal_power(1.0, np.array([0.0, power.normal_effect(1.0, 0.95)]), 0.95) == pytest.approx(
        [0.05, 0.8], abs=1e-5
    )


@pytest.mark.parametrize(("count", "kind"), [(38, "normal"), (93, "normal"), (93, "t")])
def test_the_effect_is_found_eight_times_in_ten(count: int, kind: str) -> None:
    """In worlds without any structure, the share of worlds in which the smallest effect of *that world* is found."""
    rng = np.random.default_rng(count)
    most, hits = power.allowed(count, 0.95), []
    for _ in range(1000):
        error, *rest = rng.normal(size=count + 1) if kind == "normal" else rng.standard_t(4, size=count + 1)
        draws = np.array(rest)
        smallest = power.smallest_effect(draws, most)
        hits += [rank_p_value(draws, error + sign * smallest) <= 0.05 + 1e-9 for sign in (1.0, -1.0)]
    # two finds to a world: a standard error of 0.013 at most. The larger of two directions is promised, so somewhat more than 0.8
    assert 0.78 <= np.mean(hits) <= 0.9


def test_the_effect_is_found_eight_times_in_ten_with_units_of_unequal_size() -> None:
    hits = []
    for seed in range(30):
        quiet = estimate(made(seed, sizes=True), "did", seed=seed)
        told: Any = power.power_of(quiet, made(seed, sizes=True))
        placebo: Any = quiet.details["placebo"]
        draws = np.array(placebo["effects"])
        hits += [rank_p_value(draws, quiet.effect + sign * told["mde"]) <= 0.05 + 1e-9 for sign in (1.0, -1.0)]
    # a standard error of 0.07 at most
    assert 0.65 <= np.mean(hits) <= 0.97


def test_the_estimate_itself_is_not_looked_at() -> None:
    small, large = (
        power.power_of(estimate(made(1, effect=effect), "did"), made(1, effect=effect)) for effect in (0.0, 50.0)
    )
    assert small is not None
    assert large is not None
    assert large["mde"] == pytest.approx(small["mde"])
    assert large["curve"] == small["curve"]


def test_what_persons_and_what_municipalities_add() -> None:
    panel = made(2, 95, sizes=True)
    quiet = estimate(panel, "did", inference="ferman_pinto")
    told: Any = power.power_of(quiet, panel)
    variance: Any = quiet.details["variance"]
    persons = variance["slope"] / panel.size[0, 0]
    assert told["share_persons"] == pytest.approx(persons / (variance["constant"] + persons))
    assert told["mde_infinite_persons"] == pytest.approx(told["mde"] * math.sqrt(1.0 - told["share_persons"]))
    assert 0.0 < told["mde_infinite_persons"] < told["mde"]
    assert 0.0 <= told["share_persons_low"] < told["share_persons"] < told["share_persons_high"] <= 1.0
    assert "share_persons" not in power.power_of(estimate(made(2), "did"), made(2))  # type: ignore[operator]


def test_other_tests_are_told_by_their_standard_error() -> None:
    panel = made(6)
    conley = estimate(panel, "did", inference="conley_taber")
    told: Any = power.power_of(conley, panel)
    assert told["test"] == "normal"
    assert conley.std_error is not None
    assert told["mde"] == pytest.approx(power.normal_effect(conley.std_error, 0.95))


def test_nothing_is_promised_where_the_uncertainty_is_not_valid() -> None:
    panel = made(7)
    wrong = estimate(panel, "did", inference="cluster")
    assert power.power_of(wrong, panel) is None
    assert power.with_power(wrong, panel) is wrong
    none = dataclasses.replace(wrong, notes=(), std_error=None, lower=None, upper=None)
    assert power.power_of(none, panel) is None
    assert power.power_of(dataclasses.replace(wrong, notes=(Note("staggered_twfe", "..."),)), panel) is None


def test_too_few_placebos_are_told_as_such() -> None:
    panel = made(8, 12)
    told: Any = power.power_of(estimate(panel, "did"), panel)
    assert (told["mde"], told["placebos"], told["curve"]) == (None, 11, {"effects": [], "power": []})
    quiet = power.with_power(estimate(panel, "did"), panel)
    assert (
        power.power_line(quiet, {"en": "points"})
        == "no effect of any size can be found at this level: 11 placebos are too few"
    )


def test_how_well_the_share_of_persons_is_known_by_leaving_units_out() -> None:
    """Against a loop by hand; and the true share lies within in most worlds."""
    rng = np.random.default_rng(9)
    persons = rng.integers(50, 4000, 90).astype(float)
    design, own = np.column_stack([np.ones(90), 1.0 / persons]), np.array([1.0, 1.0 / 600.0])
    true = (300.0 / 600.0) / (0.5 + 300.0 / 600.0)
    within = []
    for _ in range(20):
        squares = rng.normal(size=90) ** 2 * (design @ np.array([0.5, 300.0]))
        parts = own * np.array(variance_function(design, squares))
        share = float(parts[1] / parts.sum())
        low, high = power.share_interval(design, squares, own, np.arange(90), share)
        assert low is not None
        assert high is not None
        within.append(low <= true <= high)
    # 19 of 20 are promised; the jackknife of a ratio near a bound is somewhat narrow
    assert sum(within) >= 15
    left = [own * np.array(variance_function(np.delete(design, row, 0), np.delete(squares, row))) for row in range(90)]
    shares = [float(part[1] / part.sum()) for part in left]
    error = math.sqrt(89 / 90 * sum((each - float(np.mean(shares))) ** 2 for each in shares))
    assert (low, high) == pytest.approx((max(0.0, share - 1.96 * error), min(1.0, share + 1.96 * error)))
    assert power.share_interval(design[:5], squares[:5], own, np.arange(5), share) == (None, None)
