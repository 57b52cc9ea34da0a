"""Robust intervals: what must not change, what changes in proportion, and what is refused."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from evaluation import honest
from evaluation.errors import EstimationError

COVARIANCE = 0.04 * (np.eye(6) + 0.4)
EFFECTS = np.array([0.1, -0.1, 0.2, 1.2, 1.4, 1.3])


def known(effects=EFFECTS, covariance=COVARIANCE, weights=(0.2, 0.3, 0.5)) -> honest.EventStudy:
    return honest.event_study(effects, covariance, 3, 3, weights)


def ends(found) -> list[float]:
    return [value for each in found for value in (each.lower, each.upper)]


def sweep(study, **options):
    return honest.relative_magnitudes(study, [0.0, 0.5, 1.0], draws=2000, **options)


def test_the_unit_of_the_outcome_does_not_matter():
    """Crowns instead of millions: every interval is multiplied, every breakdown value of M̄ stays, that of M is multiplied."""
    large = known(1e6 * EFFECTS, 1e12 * COVARIANCE)
    assert ends(sweep(large)) == pytest.approx([1e6 * value for value in ends(sweep(known()))], rel=1e-6)
    assert ends(honest.smoothness(large, [1e5])) == pytest.approx(
        [1e6 * value for value in ends(honest.smoothness(known(), [0.1]))], rel=1e-9
    )
    assert honest.breakdown(large, draws=2000) == pytest.approx(honest.breakdown(known(), draws=2000), rel=1e-5)
    assert honest.breakdown(large, "smoothness") == pytest.approx(
        1e6 * honest.breakdown(known(), "smoothness"), rel=1e-6
    )


def test_an_effect_of_the_other_sign_has_the_mirrored_interval():
    """Exactly, since every draw of the least favourable quantile has its mirror."""
    mirrored = [-value for each in sweep(known(-EFFECTS)) for value in (each.upper, each.lower)]
    assert mirrored == pytest.approx(ends(sweep(known())), abs=1e-9)
    (one,), (other,) = honest.smoothness(known(), [0.1]), honest.smoothness(known(-EFFECTS), [0.1])
    assert (-other.upper, -other.lower) == pytest.approx((one.lower, one.upper), abs=1e-12)


def test_intervals_grow_with_the_bound_and_hold_the_identified_set():
    found = honest.relative_magnitudes(known(), [0.0, 0.25, 0.5, 1.0, 2.0], draws=2000)
    for smaller, larger in pairwise(found):
        assert larger.lower < smaller.lower
        assert larger.upper > smaller.upper
    for each in found:
        low, high = honest.identified_by(known(), each.bound)
        assert each.lower < low
        assert high < each.upper


def test_with_no_room_for_differences_the_interval_is_all_but_the_plain_one():
    """The two stages at 0.5 % and 4.5 % are worth a little less than one at 5 %: the ends differ by less than 1 %."""
    (found,) = honest.relative_magnitudes(known(), [0.0])
    lower, upper = honest.original(known())
    assert found.lower == pytest.approx(lower, abs=0.02 * known().std_error)
    assert found.upper == pytest.approx(upper, abs=0.02 * known().std_error)


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_a_higher_level_gives_a_wider_interval(level):
    found, usual = sweep(known(), level=level), sweep(known())
    for one, other in zip(found, usual, strict=True):
        assert (one.upper - one.lower > other.upper - other.lower) == (level > 0.95)


def test_the_breakdown_value_is_where_the_interval_begins_to_hold_zero():
    bound = honest.breakdown(known(), draws=2000)
    below, above = honest.relative_magnitudes(known(), [0.999 * bound, 1.001 * bound], draws=2000)
    assert not below.holds(0.0)
    assert above.holds(0.0)
    bend = honest.breakdown(known(), "smoothness")
    below, above = honest.smoothness(known(), [0.999 * bend, 1.001 * bend])
    assert not below.holds(0.0)
    assert above.holds(0.0)


def test_an_unclear_effect_has_nothing_to_lose():
    assert honest.breakdown(known(0.1 * EFFECTS), draws=2000) == 0.0
    assert honest.breakdown(known(0.1 * EFFECTS), "smoothness") == 0.0


def test_a_value_other_than_zero_can_be_held_against_the_interval():
    study = known()
    assert honest.breakdown(study, draws=2000, null=study.target + 0.1) == 0.0
    assert honest.breakdown(study, draws=2000, null=study.target - 3.0) > honest.breakdown(study, draws=2000)


@pytest.mark.parametrize(("n_pre", "n_post"), [(1, 1), (1, 3), (4, 1)])
def test_one_period_before_or_after_is_enough(n_pre, n_post):
    size = n_pre + n_post
    study = honest.event_study(np.r_[np.full(n_pre, 0.1), np.full(n_post, 2.0)], 0.01 * np.eye(size), n_pre, n_post)
    for found in (
        honest.relative_magnitudes(study, [0.0, 1.0], draws=2000),
        honest.smoothness(study, [0.0, 0.1]),
        honest.smoothness(study, [0.1], way="C-LF", draws=2000),
        honest.smoothness(study, [0.1], also="increasing"),
        honest.relative_magnitudes(study, [1.0], draws=2000, also="positive"),
    ):
        for each in found:
            assert each.lower < each.upper
            assert abs(each.lower) < 5.0
            assert abs(each.upper) < 5.0


def test_a_window_of_one_period_asks_for_that_period():
    (late,) = honest.relative_magnitudes(known(weights=(0.0, 0.0, 1.0)), [0.5], draws=2000)
    assert late.lower < EFFECTS[5] < late.upper
    # by the third period differences have added up three times
    (early,) = honest.relative_magnitudes(known(weights=(1.0, 0.0, 0.0)), [0.5], draws=2000)
    assert late.upper - late.lower > 1.5 * (early.upper - early.lower)


def test_a_singular_covariance_is_no_obstacle():
    """Five independent sources of noise in six effects."""
    mix = np.random.default_rng(4).normal(size=(6, 5))
    study = known(covariance=0.01 * mix @ mix.T)
    for each in (*honest.relative_magnitudes(study, [0.5], draws=2000), *honest.smoothness(study, [0.1])):
        assert math.isfinite(each.lower)
        assert each.lower < each.upper


def test_what_no_smooth_difference_fits_is_an_empty_interval():
    """Effects before the start that jump up and down without error leave no straight line standing."""
    study = honest.event_study([5.0, -5.0, 5.0, 1.0], 1e-4 * np.eye(4), 3, 1)
    (found,) = honest.smoothness(study, [0.0], way="C-LF", draws=2000)
    assert math.isnan(found.lower)
    assert math.isnan(found.upper)
    assert not found.holds(0.0)


def test_a_sign_or_a_direction_narrows_the_interval():
    (free,) = honest.smoothness(known(), [0.3], way="C-LF", draws=2000)
    for also in ("increasing", "decreasing", "positive", "negative"):
        (found,) = honest.smoothness(known(), [0.3], way="C-LF", draws=2000, also=also)
        assert found.upper - found.lower < free.upper - free.lower
    (line,) = honest.relative_magnitudes(known(), [1.0], linear=True, draws=2000)
    assert line.lower < line.upper


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(EstimationError) as caught:
        honest.event_study([1.0, 2.0], np.eye(3), 1, 2, [1.0])
    assert len(caught.value.problems) == 3
    for covariance in (np.zeros((6, 6)), np.diag([1.0, 1.0, 1.0, 1.0, 1.0, -1.0]), np.triu(np.ones((6, 6)))):
        with pytest.raises(EstimationError, match="covariance"):
            known(covariance=covariance)
    with pytest.raises(EstimationError, match="nothing is asked for"):
        known(weights=(0.0, 0.0, 0.0))
    with pytest.raises(EstimationError, match="not a number"):
        known(effects=np.full(6, math.nan))
    with pytest.raises(EstimationError, match="at least 0"):
        honest.relative_magnitudes(known(), [-1.0])
    with pytest.raises(EstimationError, match="straight line"):
        honest.relative_magnitudes(honest.event_study([0.0, 1.0], np.eye(2), 1, 1), [1.0], linear=True)


def test_a_period_without_error_is_refused():
    """The same period twice: the change between the two has no sampling error, and nothing is measured in it."""
    copied = COVARIANCE.copy()
    copied[5], copied[:, 5] = copied[4], copied[:, 4]
    with pytest.raises(EstimationError, match="no sampling error"):
        honest.relative_magnitudes(known(covariance=copied), [0.0])
