"""How different trends may be, for one treated unit and for many: where the covariance comes from, and whether it is right."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evaluation import honest
from evaluation.checks import honest_did
from evaluation.result import CheckResult
from tests.audit.b_studies import studied
from tests.oracle.panels import make_panel


def walks(seed: int, n_units: int = 40, n_periods: int = 11, effect: float = 0.0, steps: float = 1.0):
    """Outcomes that move by a step of their own in each period; row 0 has an effect from column 7."""
    rng = np.random.default_rng(seed)
    outcome = 70.0 + rng.normal(0.0, steps, (n_units, n_periods)).cumsum(axis=1)
    outcome[0, 7:] += effect
    return outcome


def test_an_effect_far_beyond_what_was_seen_before_passes():
    found = honest_did.check(studied(make_panel(walks(1, effect=40.0), {0: 7})))
    assert found.status == "passed"
    assert found.facts["m_bar"] == found.value >= 1.0
    assert found.facts["significant"] is True
    lowers = found.series["lowers"]
    assert lowers == sorted(lowers, reverse=True)
    assert lowers[2] > 0.0  # M̄ = 1, which the breakdown value lies beyond


def test_an_effect_that_little_would_explain_warns():
    """Smaller and smaller effects: the value falls through the threshold, and the last interval holds zero anyway."""
    found = [honest_did.check(studied(make_panel(walks(1, effect=size), {0: 7}))) for size in (9.0, 6.0, 3.0, 0.0)]
    values = [each.value for each in found]
    assert values == sorted(values, reverse=True)
    assert values[0] > 1.0 > values[1] > 0.5 > values[2] > values[3] == 0.0
    assert [each.status for each in found] == ["passed", "warns", "warns", "warns"]
    assert [each.facts["significant"] for each in found] == [True, True, True, False]


def test_the_placebo_fits_of_the_headline_serve_the_event_study():
    """The path of did, measured from the last period before the start, is that of event_study: with fits that are there already
    and with fits made anew the covariance is the same."""
    given = studied(make_panel(walks(2, effect=5.0), {0: 7}))
    assert given.fitted[0].placebos is not None
    anew = dataclasses.replace(given, fitted=())
    one, other = honest_did.check(given), honest_did.check(anew)
    assert one.value == pytest.approx(other.value, rel=1e-6)
    assert one.series["lowers"] == pytest.approx(other.series["lowers"], rel=1e-9)


def test_with_parallel_trends_the_interval_is_that_of_the_rank_test():
    """Scaled so that M̄ = 0 gives what inverting the placebos gives: neither few of them nor heavy tails make it too narrow."""
    given = studied(make_panel(np.random.default_rng(3).standard_t(3, (30, 10)), {0: 7}), "event_study")
    found = honest_did.check(given)
    assert found.facts["lower"] == pytest.approx(given.headline.lower, abs=1e-9)
    assert found.facts["upper"] == pytest.approx(given.headline.upper, abs=1e-9)


def test_without_effects_few_units_treated_on_paper_are_called_significant():
    """Heavy-tailed noise without effects, every unit treated in turn: the interval for M̄ = 0 leaves zero out for about 5 % of
    them, which is 1 of 25; two more are within chance."""
    rng = np.random.default_rng(9)
    outcome = rng.standard_t(4, (25, 9)) * np.linspace(0.8, 1.2, 25)[:, None]
    alarms = 0
    for row in range(25):
        found = honest_did._by_placebos(studied(make_panel(outcome, {row: 6})))
        assert not isinstance(found, CheckResult)
        (each,) = honest.relative_magnitudes(found[0], [0.0], draws=2000)
        alarms += not each.holds(0.0)
    assert 1 <= alarms <= 3


def test_where_sizes_differ_placebos_are_rescaled():
    """A small treated unit among large ones: its own event study is noisier than theirs, and the interval says so."""
    rng = np.random.default_rng(5)
    size = np.logspace(2.0, 4.5, 40)
    outcome = 50.0 + rng.normal(size=(40, 10)) * (60.0 / np.sqrt(size))[:, None]
    panel = make_panel(outcome, {0: 6}, size=np.repeat(size[:, None], 10, axis=1))
    widths = [
        found.facts["upper"] - found.facts["lower"]
        for found in (honest_did.check(studied(panel, inference=name)) for name in ("placebo", "ferman_pinto"))
    ]
    assert widths[1] > 1.4 * widths[0]


def test_many_treated_units_take_the_covariance_of_clusters():
    outcome = walks(6, 40, 10)
    outcome[:15, 6:] += 6.0
    found = honest_did.check(studied(make_panel(outcome, dict.fromkeys(range(15), 6)), inference="cluster"))
    assert found.facts["covariance"] == "cluster"
    assert found.facts["smoothness"] is not None
    assert found.facts["significant"]


def test_several_starts_take_the_periods_that_all_have():
    """Starts in columns 5 and 7 of 11: five periods before the earlier one, one of them the reference; four after the later."""
    outcome = walks(7, 40, 11, steps=0.3)
    starts = {row: 5 if row < 10 else 7 for row in range(20)}
    for row, start in starts.items():
        outcome[row, start:] += 3.0
    found = honest_did.check(studied(make_panel(outcome, starts), "sun_abraham", inference="cluster"))
    assert (found.facts["n_pre"], found.facts["n_post"]) == (4, 4)
    assert abs(found.facts["effect"] - 3.0) < 0.6
    assert found.facts["last_before"] is None


@pytest.mark.parametrize(
    ("panel", "inference", "reason"),
    [
        (lambda: make_panel(walks(1), {0: 1}), "placebo", "few_periods"),
        (lambda: make_panel(walks(1), {0: 6, 1: 7}), "cluster", "several_starts"),
        (lambda: make_panel(walks(1, 9), {0: 7}), "placebo", "few_controls"),
        (lambda: make_panel(walks(1, 22, 40), {0: 20}), "placebo", "fewer_controls_than_periods"),
    ],
    ids=["periods", "starts", "controls", "periods for the controls"],
)
def test_says_why_it_was_not_run(panel, inference, reason):
    found = honest_did.check(studied(panel(), inference=inference))
    assert (found.status, found.reason) == ("not_run", reason)


def test_inferences_without_placebos_borrow_them():
    """Conformal inference makes none: the covariance is that of the placebo comparison."""
    panel = make_panel(walks(8, effect=20.0), {0: 7})
    assert honest_did.check(studied(panel, inference="conformal")).facts["placebos"] == 39
