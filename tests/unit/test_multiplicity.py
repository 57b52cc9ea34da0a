"""Adjusted p-values by placebo draws: against twins that count one by one, and by how often they are wrong when nothing is true."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evaluation.inference.draws import critical_size, rank_p_value
from evaluation.multiplicity import band_halfwidths, holm, joint_p_value, romano_wolf, weighted_critical


def twin(values, draws, weights=None):
    """Romano & Wolf's algorithm as it is written: drop the largest, rank the next among the maxima of those that are left."""
    n, m = draws.shape
    weights = [1.0] * n if weights is None else list(weights)
    total = 1.0 + sum(weights)
    scale = []
    for k in range(m):
        scale.append(math.sqrt((values[k] ** 2 + sum(weights[j] * draws[j, k] ** 2 for j in range(n))) / total))
    own = {k: abs(values[k]) / scale[k] for k in range(m)}
    left, before, found = set(range(m)), 0.0, [0.0] * m
    while left:
        top = max(sorted(left), key=lambda k: own[k])
        mass = 1.0
        for j in range(n):
            if max(abs(draws[j, k]) / scale[k] for k in left) >= own[top] * (1 - 1e-9):
                mass += weights[j]
        before = max(before, mass / total)
        found[top] = before
        left.remove(top)
    return np.array(found)


def correlated(rng, n, m, correlation=0.6):
    common = rng.standard_normal((n, 1))
    return math.sqrt(correlation) * common + math.sqrt(1 - correlation) * rng.standard_normal((n, m))


@pytest.mark.parametrize("weighted", [False, True])
def test_equals_the_algorithm_done_by_hand(weighted):
    rng = np.random.default_rng(1)
    for _ in range(20):
        n, m = int(rng.integers(2, 40)), int(rng.integers(1, 7))
        draws = correlated(rng, n, m) * rng.uniform(0.1, 10.0, m)
        values = rng.standard_normal(m) * np.sqrt((draws**2).mean(axis=0)) * 1.8
        weights = rng.uniform(0.2, 3.0, n) if weighted else None
        expected = twin(values, draws, weights)
        found = romano_wolf(values, draws, weights)
        # sums of at most 40 weights, in another order
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert joint_p_value(values, draws, weights) == pytest.approx(expected.min(), rel=1e-12)


def test_one_hypothesis_is_the_rank_test_and_the_scale_of_a_column_does_not_matter():
    rng = np.random.default_rng(2)
    draws, values = rng.standard_normal((30, 4)), np.array([0.3, -2.1, 1.0, 0.1])
    for k in range(4):
        alone = romano_wolf(values[[k]], draws[:, [k]])[0]
        assert alone == pytest.approx(rank_p_value(draws[:, k], float(values[k])))
    factors = np.array([1e-6, 3.0, -1.0, 1e8])
    np.testing.assert_allclose(romano_wolf(values, draws), romano_wolf(values * factors, draws * factors))
    alone = np.array([rank_p_value(draws[:, k], float(values[k])) for k in range(4)])
    assert (romano_wolf(values, draws) >= alone - 1e-12).all()  # adjusting never makes a finding stronger


def test_what_cannot_be_tested_is_none_of_the_family():
    rng = np.random.default_rng(3)
    draws, values = rng.standard_normal((25, 3)), np.array([2.5, 0.4, 1.0])
    plain = romano_wolf(values, draws)
    wide = np.column_stack([draws, np.zeros(25), np.full(25, np.nan), rng.standard_normal(25)])
    found = romano_wolf(np.array([*values, 0.0, 1.0, np.nan]), wide)
    np.testing.assert_array_equal(found[:3], plain)
    assert np.isnan(found[3:]).all()
    # a draw that lacks one entry is left out of all
    holed = draws.copy()
    holed[4, 1] = np.nan
    np.testing.assert_array_equal(romano_wolf(values, holed), romano_wolf(values, np.delete(draws, 4, axis=0)))
    nothing = np.full(3, np.nan)
    assert np.isnan(romano_wolf(nothing, draws)).all()
    assert math.isnan(joint_p_value(nothing, draws))
    assert romano_wolf(values, np.empty((0, 3))).tolist() != [0.0] * 3  # no draws: nothing to compare with
    with pytest.raises(ValueError, match="one column of draws"):
        romano_wolf(values, draws[:, :2])
    with pytest.raises(ValueError, match="positive"):
        romano_wolf(values, draws, np.zeros(25))


def test_nothing_true_is_rarely_called_true_and_more_is_found_than_by_bonferroni():
    """Ten effects of correlation 0.6, 59 placebos: at 5 % in at most 5 % of worlds is there even one false finding.

    2,000 worlds: the Monte Carlo error is 0.5 points. With three true effects among the ten, the others are to stay under 5 %
    too (strong control), and more of the three are found than by multiplying each rank p-value by ten: with 59 placebos
    1/60 × 10 exceeds 5 %, so Bonferroni can find nothing at all; against 399 placebos it can, and finds less.
    """
    rng = np.random.default_rng(4)
    worlds, m = 2000, 10
    false = joint = squares = 0
    for _ in range(worlds):
        rows = correlated(rng, 60, m)
        false += bool((romano_wolf(rows[0], rows[1:]) <= 0.05 + 1e-12).any())
        joint += joint_p_value(rows[0], rows[1:]) <= 0.05 + 1e-12
        squares += joint_p_value(rows[0], rows[1:], statistic="mean_square") <= 0.05 + 1e-12
    for count in (false, joint, squares):  # 3 of 60 ranks are rejections: exactly 5 % if rows are exchangeable
        assert abs(count / worlds - 0.05) <= 3 * 0.0049
    false = found = bonferroni = 0
    for _ in range(600):
        rows = correlated(rng, 400, m)
        rows[0, :3] += 3.0
        adjusted = romano_wolf(rows[0], rows[1:])
        false += bool((adjusted[3:] <= 0.05 + 1e-12).any())
        found += int((adjusted[:3] <= 0.05 + 1e-12).sum())
        alone = np.array([rank_p_value(rows[1:, k], float(rows[0, k])) for k in range(3)])
        bonferroni += int((alone * m <= 0.05 + 1e-12).sum())
    assert false / 600 <= 0.05 + 3 * 0.0089
    assert found > 1.1 * bonferroni


def test_unequal_weights_hold_their_level_where_the_treated_was_drawn_by_them():
    """Whoever is drawn by the weights is the treated: p ≤ 5 % in at most 5 % of draws, summed exactly over who it is."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        rows, shares = correlated(rng, 40, 4), rng.uniform(0.2, 5.0, 40)
        rejected = 0.0
        for own in range(40):
            others = np.delete(np.arange(40), own)
            p_value = joint_p_value(rows[own], rows[others], shares[others] / shares[own])
            rejected += shares[own] * (p_value <= 0.05 + 1e-12)
        assert rejected / shares.sum() <= 0.05 + 1e-12


def test_the_band_leaves_zero_out_only_where_the_adjusted_p_value_rejects_and_holds_all_at_once():
    rng = np.random.default_rng(6)
    worlds, held, narrower = 1500, 0, 0
    for _ in range(worlds):
        rows = correlated(rng, 60, 5) * np.array([1.0, 2.0, 0.1, 7.0, 1.0])
        half = band_halfwidths(rows[1:], 0.95)
        outside = np.abs(rows[0]) > half
        held += not outside.any()
        adjusted = romano_wolf(rows[0], rows[1:])
        assert (adjusted[outside] <= 0.05 + 1e-12).all()
        narrower += bool((adjusted <= 0.05).any()) and not outside.any()
    assert 0.95 - 3 * 0.0056 <= held / worlds <= 0.965  # the box is a little larger than what the test does not reject
    assert narrower / worlds < 0.01
    assert np.isinf(band_halfwidths(rows[1:15], 0.95)).all()
    constant = np.column_stack([rows[1:, 0], np.zeros(59)])
    assert np.isnan(band_halfwidths(constant, 0.95)[1])


def test_the_critical_size_is_where_the_rank_test_turns():
    rng = np.random.default_rng(7)
    for _ in range(50):
        sizes, weights = np.abs(rng.standard_normal(30)), rng.uniform(0.1, 3.0, 30)
        total = 1.0 + weights.sum()
        critical = weighted_critical(sizes, weights, 0.9)
        if math.isinf(critical):
            assert 0.1 * total < 1.0
        else:
            at, beyond = (1.0 + weights[sizes >= size].sum() for size in (critical, np.nextafter(critical, np.inf)))
            assert at > 0.1 * total >= beyond
        equal = weighted_critical(sizes, np.ones(30), 0.9)
        assert equal == critical_size(sizes, 0.9)
    assert math.isinf(weighted_critical(sizes, np.ones(30), 0.99))


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, np.nan, 0.03])), [0.06, 0.03, np.nan, 0.06])
    np.testing.assert_allclose(holm(np.array([0.9, 0.8])), [1.0, 1.0])
