"""Planted effects: linear estimators find them exactly, one that does not is caught, and coverage is that of the inference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.audit import planted_effect
from evaluation.audit.chance import band_status, share_interval
from evaluation.audit.thresholds import Band
from evaluation.contracts import Fit
from tests.audit.b_studies import cyclical, plain, studied
from tests.oracle.panels import make_panel


@pytest.mark.parametrize("method", ["did", "synthetic_control", "synthetic_did"])
@pytest.mark.parametrize("adjust", ["none", "sensitivity"])
def test_estimators_that_do_not_look_at_the_window_find_it_exactly(method, adjust):
    found = planted_effect.check(studied(plain(), method, adjust=adjust))
    assert found.value < 1e-9  # rounding of weights that are solved for
    assert found.status == "passed"
    assert found.facts["recovered"] == pytest.approx(found.facts["planted"])


def weakened(made, factor):
    """The study with an estimator that finds only a part of any effect."""

    def fit(panel, options) -> Fit:
        found = made.pipeline.method.fit(panel, options)
        return replace(found, att=factor * found.att)

    pipeline = replace(made.pipeline, method=replace(made.pipeline.method, fit=fit))
    return replace(made, pipeline=pipeline, fitted=())


def test_an_estimator_that_loses_a_tenth_fails():
    found = planted_effect.check(weakened(studied(plain()), 0.9))
    assert found.value == pytest.approx(0.1)
    assert found.status == "failed"


def test_plants_what_the_headline_found_or_what_it_could_find():
    small, large = studied(plain()), studied(plain(effect=5.0))
    assert planted_effect.check(small).facts["planted"] == pytest.approx(2.8 * small.spread)
    assert planted_effect.check(large).facts["planted"] == pytest.approx(abs(large.headline.effect))


@pytest.mark.parametrize("inference", ["placebo", "ferman_pinto", "standardized_placebo"])
def test_each_donors_interval_is_the_inferences_own(inference):
    """From shared fits: the same as inferring from scratch with the donor planted and the truly treated left out."""
    size = np.random.default_rng(3).integers(1000, 60000, (26, 1)) * np.ones((1, 12))
    panel = make_panel(cyclical(4, n_units=26), {0: 8}, size=size)
    made = studied(panel, inference=inference, level=0.9)
    found = planted_effect.check(made)
    for row in (1, 9, 25):
        outcome = panel.outcome.copy()
        outcome[row, 8:] += found.facts["planted"]
        alone = panel.with_outcome(outcome).assign({row: 8}, without=[0])
        # its placebos must not hold the planted effect either; they do not, for they leave their treated unit out
        interval = made.inference.infer(made.pipeline, alone, 0.9, made.rng("x"))
        place = found.series["units"].index(panel.units[row])
        # placebos here keep the donor among their controls, which moves each of 24 by a 24th of that donor's effect at most
        near = 0.1 * made.spread
        assert found.series["lowers"][place] == pytest.approx(interval.lower, abs=3 * near)
        assert found.series["uppers"][place] == pytest.approx(interval.upper, abs=3 * near)


def test_coverage_by_hand():
    """An interval of a rank test covers unless the donor's own placebo is among the floor(0.05 × 39) = 1 largest."""
    found = planted_effect.check(studied(plain()))
    assert found.facts["coverage"] == pytest.approx(38 / 39)
    inside = [
        low <= found.facts["planted"] <= high
        for low, high in zip(found.series["lowers"], found.series["uppers"], strict=True)
    ]
    assert np.mean(inside) == pytest.approx(found.facts["coverage"])


def test_intervals_that_are_too_short_fail():
    found = planted_effect.check(studied(plain(), inference="cluster"))
    assert found.facts["coverage"] < 0.7
    assert found.status == "failed"
    assert set(found.series["lowers"]) == {None}  # the test alone says whether it covers


@pytest.mark.parametrize("inference", ["conley_taber", "conformal"])
def test_without_placebos_the_test_itself_says_whether_it_covers(inference):
    """A donor is covered when the effect planted on it, and so none without it, is not rejected."""
    panel = make_panel(cyclical(1, n_units=22), {0: 8})
    made = studied(panel, inference=inference)
    found = planted_effect.check(made)
    kept = [
        made.inference.test(made.pipeline, panel.assign({row: 8}, without=[0]), made.rng("planted_effect/test")) > 0.05 + 1e-12
        for row in range(1, 22)
    ]
    assert found.facts["coverage"] == pytest.approx(np.mean(kept), abs=1 / 21)  # conformal draws its permutations
    assert set(found.series["uppers"]) == {None}


def test_bounds_of_coverage_move_with_the_level():
    found = planted_effect.check(studied(plain(), level=0.8))
    assert found.facts["coverage"] == pytest.approx(0.8, abs=0.03)  # one donor in 39
    assert found.status == "passed"


def test_says_why_it_did_not_run():
    assert planted_effect.check(studied(make_panel(cyclical(1), {0: 8, 1: 8}))).reason == "several_treated"
    few = planted_effect.check(studied(make_panel(cyclical(1, n_units=5), {0: 8})))
    assert (few.reason, few.facts["count"]) == ("few_controls", 4)
    made = studied(plain())
    without = replace(made, headline=replace(made.headline, details={}, std_error=None, lower=None, upper=None))
    assert planted_effect.check(without).reason == "no_placebos"


# ------------------------------------------------------------------ shares counted in few trials


def test_exact_binomial_interval_published_values():
    """Clopper-Pearson at 95 %: 0 of 10 gives 0 to 0.3085, 1 of 10 gives 0.0025 to 0.4450 (R 4.3, binom.test)."""
    assert share_interval(0.0, 10) == pytest.approx((0.0, 0.3085), abs=5e-5)
    assert share_interval(0.1, 10) == pytest.approx((0.0025, 0.4450), abs=5e-5)
    assert share_interval(1.0, 10) == pytest.approx((0.6915, 1.0), abs=5e-5)


def test_a_share_is_outside_only_with_its_whole_interval():
    band = Band((0.93, 0.97), (0.90, 0.98))
    assert band_status(band, (0.80, 0.931)) == "passed"
    assert band_status(band, (0.80, 0.91)) == "warns"
    assert band_status(band, (0.80, 0.89)) == "failed"
    assert band_status(band, (0.80, 0.89), shift=-0.05) == "passed"
