"""Random signs by cluster: the draws themselves, the errors from their quartiles, and bands for the whole path."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError
from evaluation.inference import multiplier_bootstrap
from tests.oracle.panels import factor_outcome, make_panel


def panel(units=60, **more):
    treated = {row: (8, 10)[row % 2] for row in range(0, units, 3)}
    return make_panel(factor_outcome(3, units, 14), treated, **more)


def estimate(panel, method="callaway_santanna", **more):
    return evaluation.estimate(panel, method, inference="multiplier_bootstrap", **more)


@pytest.mark.parametrize("clusters", [5, 64, multiplier_bootstrap.BLOCK + 3])
def test_draws_are_sums_with_signs_of_their_own(clusters):
    """With one row for each cluster the draws are the signs: ±1, independent, half of each."""
    some = np.eye(clusters)[:: max(1, clusters // 60)]
    signs = multiplier_bootstrap.multiplied(some, np.random.default_rng(1))
    assert set(np.unique(signs)) == {-1.0, 1.0}
    # 60 × 999 signs: the largest of 60 means lies within 4 standard errors of 0, and so does every correlation
    assert np.abs(signs.mean(axis=1)).max() < 4 / np.sqrt(999)
    assert np.abs(signs @ signs.T / 999 - np.eye(len(some))).max() < 4.5 / np.sqrt(999)
    weights = np.random.default_rng(2).normal(size=(2, len(some)))
    again = multiplier_bootstrap.multiplied(weights @ some, np.random.default_rng(1))
    np.testing.assert_allclose(again, weights @ signs, atol=1e-10)


def test_spread_is_the_standard_deviation_of_normal_draws():
    draws = 3.0 * np.random.default_rng(0).normal(size=(1, 200_001))
    # an interquartile range of 200,000 draws has a standard error of 0.3 %
    assert multiplier_bootstrap.spread_of(draws)[0] == pytest.approx(3.0, rel=0.01)


@pytest.mark.parametrize("method", ["did", "event_study", "callaway_santanna", "dr_did"])
def test_errors_are_near_those_of_the_formula(method):
    world = panel() if method != "dr_did" else dataclasses.replace(panel(), start=np.where(panel().treated, 9, 14))
    ours, formula = estimate(world, method), evaluation.estimate(world, method, inference="cluster")
    # 999 draws: the interquartile range has a standard error of 4 %; did's formula has a factor near 1 besides
    assert ours.std_error == pytest.approx(formula.std_error, rel=0.15)
    assert ours.effect == formula.effect


def test_band_holds_for_the_whole_path_and_so_is_wider_than_point_by_point():
    found = estimate(panel())
    assert found.details["critical_value"] > 2.3
    pointwise = {row["event_time"]: row for row in found.details["pointwise"]}
    for point in found.path:
        inside = pointwise[point.event_time]
        assert point.lower < inside["lower"] < point.effect < inside["upper"] < point.upper
        assert (point.p_value <= 0.05) == (not point.lower <= 0 <= point.upper)


def test_reference_period_has_no_error():
    reference = next(point for point in estimate(panel(), base_period="universal").path if point.event_time == -1)
    assert reference.effect == 0
    assert reference.std_error is None
    assert reference.lower is None
    assert reference.p_value is None


def test_band_covers_a_path_of_zeros_as_often_as_it_says():
    """120 worlds without an effect: about 95 % of bands hold all of the path; fewer than 88 % would be 3.5 errors away."""
    rng = np.random.default_rng(8)
    whole = 0
    for _ in range(120):
        world = make_panel(rng.normal(size=(80, 6)), dict.fromkeys(range(30), 3))
        found = estimate(world, seed=3)
        whole += all(point.lower <= 0 <= point.upper for point in found.path)
    assert 0.88 * 120 <= whole < 120


def test_clusters_share_a_sign_and_their_order_does_not_matter():
    world = panel(cluster=np.arange(60) // 4)
    found = estimate(world)
    assert found.details["clusters"] == 15
    order = np.random.default_rng(4).permutation(60)
    again = estimate(world.keep_units(order))
    assert again.std_error == pytest.approx(found.std_error, rel=1e-9)
    formula = evaluation.estimate(world, "callaway_santanna", inference="cluster")
    assert found.std_error == pytest.approx(formula.std_error, rel=0.25)


def test_seed_moves_the_draws_and_nothing_else():
    one, two = estimate(panel(), seed=1), estimate(panel(), seed=2)
    assert one.effect == two.effect
    assert one.std_error != two.std_error


def test_refusals_say_who_refuses():
    with pytest.raises(EstimationError, match=r"^multiplier_bootstrap: the estimator has no influence"):
        estimate(make_panel(factor_outcome(1), {3: 9}), "synthetic_control")
    with pytest.raises(EstimationError, match=r"^multiplier_bootstrap: the draws do not vary"):
        estimate(make_panel(np.full((12, 14), 7.0), dict.fromkeys(range(6), 9)))
    with pytest.raises(EstimationError, match=r"^multiplier_bootstrap: only one cluster"):
        estimate(panel(cluster=np.zeros(60, dtype=int)))
