"""The common-shock check: what a linear estimator's bias must be, and whom the rule must and must not blame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.audit import common_shock
from tests.audit.b_studies import cyclical, plain, studied
from tests.oracle.panels import make_panel


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    """A few draws show what these tests are about."""
    monkeypatch.setattr(common_shock, "REFITS", 240)


def sized(loglike, seed=1, **more):
    """A panel whose log sizes are given, row 0 treated."""
    loglike = np.asarray(loglike, dtype=float)
    outcome = cyclical(seed, n_units=loglike.size)
    return make_panel(outcome, {0: 8}, size=np.repeat(np.exp(8 + loglike)[:, None], outcome.shape[1], axis=1), **more)


def test_reactions_that_have_nothing_to_do_with_the_treated_unit_leave_did_unbiased():
    """Opposite draws cancel to rounding in a linear estimator."""
    found = common_shock.check(studied(plain()))
    assert found.value < 1e-12
    assert found.status == "passed"
    assert found.facts["kind"] == "independent"


def test_bias_by_hand_when_reactions_go_with_size():
    """DiD's bias is the shock × 0.24 × ρ × (z of the stand-in − mean z of the others), averaged over the stand-ins."""
    loglike = np.concatenate([[1.0], np.full(20, 1.0), np.full(40, -0.5)])
    found = common_shock.check(studied(sized(loglike)))
    z = loglike[1:] - loglike[1:].mean()
    z /= z.std()
    expected = 0.24 * 0.5 * (z[0] - np.delete(z, 0).mean())
    assert found.value == pytest.approx(expected, rel=1e-9)  # sums of 60 numbers
    assert found.facts["kind"] == "size"
    assert found.facts["mean"] == pytest.approx(expected * found.facts["shock"], rel=1e-9)
    assert found.status == "failed"  # 0.17 of the shock


def test_a_little_larger_than_the_others_warns():
    """Half a standard deviation above the mean size: the bias is 6 % of the shock, between 2 and 10 %."""
    grid = np.linspace(-1.7, 1.7, 61)
    found = common_shock.check(studied(sized(np.concatenate([[0.5], grid]))))
    assert 0.02 < found.value < 0.10
    assert found.status == "warns"


def test_of_middling_size_passes():
    assert common_shock.check(studied(sized(np.concatenate([[0.0], np.linspace(-1.7, 1.7, 61)])))).status == "passed"


def test_a_test_that_cries_wolf_fails_however_few_the_draws():
    """Cluster-robust errors with one treated unit reject most of the time: no Monte Carlo error hides that."""
    found = common_shock.check(studied(plain(), inference="cluster"))
    assert found.value < 1e-12
    assert found.facts["rejected_lower"] > 0.10
    assert found.status == "failed"


def test_the_shock_is_the_change_of_the_others():
    panel = plain()
    others = panel.outcome[1:].mean(axis=0)
    found = common_shock.check(studied(panel))
    assert found.facts["shock"] == pytest.approx(others[8:].mean() - others[:8].mean(), rel=1e-12)


def test_bounds_are_only_left_when_the_whole_interval_has():
    """No rejection among twenty stand-ins is no proof of a test that never rejects."""
    found = common_shock.check(studied(plain()))
    assert found.facts["rejected_lower"] <= 0.07
    assert found.facts["rejected_upper"] >= 0.03
    assert found.facts["effective_tests"] <= found.facts["tests"]


def test_stand_ins_are_the_nearest():
    loglike = np.concatenate([[0.0], np.linspace(-3, 3, 41)])
    panel = sized(loglike)
    near = common_shock._near(panel, 8)
    assert sorted(near) == sorted(np.argsort(np.abs(loglike[1:]), kind="stable")[:20])


def test_effects_are_read_from_the_refits_the_test_makes():
    """Watching the pipeline must give what fitting again gives, for an inference that shares refits and one that does not."""
    for inference in ("placebo", "conley_taber"):
        made = studied(plain(), inference=inference)
        donors = made.panel.assign({}, without=[0])
        near = np.array([0, 5, 7])
        watched, p_values = common_shock._tested(made, donors, near, 8)
        assert watched.tolist() == [made.pipeline(donors.assign({int(row): 8})).att for row in near]
        if made.inference.test_each is not None:
            expected = made.inference.test_each(made.pipeline, donors, 8, made.rng("x"))[near].tolist()
        else:
            expected = [
                made.inference.test(made.pipeline, donors.assign({row: 8}), made.rng("x")) for row in near.tolist()
            ]
        assert p_values.tolist() == expected


def test_variance_of_a_mean_of_clustered_values_by_hand():
    """All draws alike: the units alone vary, so the variance is theirs divided by their number."""
    units = np.array([1.0, 0.0, 0.0, 0.0, 1.0])
    assert common_shock.variance_of_mean(np.tile(units, (8, 1))) == pytest.approx(units.var() / 5)
    assert common_shock.effective_trials(np.tile(units, (8, 1))) == pytest.approx(5.0)


def test_independent_values_count_nearly_one_by_one():
    rejected = (np.random.default_rng(1).random((400, 20)) < 0.05).astype(float)
    trials = common_shock.effective_trials(rejected)
    assert 4000 < trials <= 8000  # estimated from 20 units, so its own error is a third
    assert common_shock.effective_trials(np.zeros((12, 20))) == 20.0


def test_more_draws_by_one_constant(monkeypatch):
    made = studied(plain())
    few = common_shock.check(made)
    monkeypatch.setattr(common_shock, "REFITS", 480)
    many = common_shock.check(made)
    assert (few.facts["draws"], many.facts["draws"]) == (6, 12)
    assert len(many.series["draws"]) == many.facts["draws"] == len(many.series["kinds"])


def test_the_kinds_follow_what_the_panel_knows():
    regions = np.arange(42) % 4
    panel = sized(np.concatenate([[0.0], np.linspace(-1, 1, 41)]), region=regions, region_names=("a", "b", "c", "d"))
    assert set(common_shock.check(studied(panel)).series["kinds"]) == {"independent", "size", "region"}


def test_says_why_it_did_not_run():
    assert common_shock.check(studied(make_panel(cyclical(1), {0: 8, 1: 8}))).reason == "several_treated"
    assert common_shock.check(studied(make_panel(cyclical(1, n_units=15), {0: 8}))).facts["count"] == 14
    still = np.repeat(np.arange(30.0)[:, None], 12, axis=1)
    still[:15] += np.tile([0.5, -0.5], 6)
    still[15:] -= np.tile([0.5, -0.5], 6)
    still[0] = 1.0  # thirty units whose mean never moves, but for the treated one
    still[29] = 1.0
    flat = make_panel(still, {0: 8})
    assert common_shock.check(replace(studied(plain()), panel=flat)).reason == "no_cycle"


def test_the_shock_is_seen_as_the_headline_compares_periods():
    """Synthetic DiD weights periods before the start; did counts them alike."""
    panel = plain()
    others = panel.outcome[1:].mean(axis=0)
    made = studied(panel, "synthetic_did")
    before = sum(weight * others[int(label) - 2001] for label, weight in made.headline.time_weights.items())
    # weights below 1e-6 are not listed in an estimate
    assert common_shock.check(made).facts["shock"] == pytest.approx(others[8:].mean() - before, abs=1e-4)
