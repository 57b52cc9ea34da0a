"""The ladder check: which rungs count, what makes it warn and fail, and how much the cycle was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluation.audit import ladder
from evaluation.result import Cycle, LadderRung
from tests.audit.b_studies import plain, studied


@pytest.fixture(scope="module")
def base():
    """A headline by sensitivity whose interval is set by hand: 1.0 (0.4 to 1.6)."""
    made = studied(plain())
    return replace(
        made, headline=replace(made.headline, adjust="sensitivity", effect=1.0, lower=0.4, upper=1.6, p_value=0.01)
    )


def rung(adjust, effect, p_value=0.5, **more):
    return LadderRung(adjust, effect, effect - 0.6, effect + 0.6, p_value, 1.4 - effect, **more)


HEADLINE = rung("sensitivity", 1.0, 0.01, headline=True, removed_lower=0.1, removed_upper=0.8)


def checked(base, *rungs):
    return ladder.check(replace(base, cycle=Cycle("sensitivity", (*rungs, HEADLINE))))


def test_passes_when_every_valid_rung_lies_inside(base):
    found = checked(base, rung("none", 1.4), rung("region_time", 0.5))
    assert (found.status, found.value, found.threshold) == ("passed", 0.0, 0.0)
    assert found.facts["count"] == 2
    assert (found.facts["highest"], found.facts["lowest"]) == (1.4, 0.5)


def test_warns_when_one_lies_outside_and_names_it(base):
    found = checked(base, rung("none", 1.4), rung("region_time", 0.3))
    assert (found.status, found.value) == ("warns", 1.0)
    assert found.facts["outside"] == ["region_time"]


def test_fails_only_when_another_sign_is_clear(base):
    doubtful = checked(base, rung("none", -0.2, p_value=0.10))
    clear = checked(base, rung("none", -0.2, p_value=0.099))
    assert doubtful.status == "warns"  # p must be below 0.10
    assert clear.status == "failed"
    assert clear.facts["opposite"] == ["none"]


def test_a_rung_for_comparison_is_shown_and_never_counted(base):
    wrong = rung("before_after", 9.0, 0.001, status="comparison")
    found = checked(base, wrong, rung("none", 1.2))
    assert (found.status, found.facts["highest"]) == ("passed", 1.2)
    assert found.series["adjusts"] == ["before_after", "none", "sensitivity"]
    assert found.series["statuses"] == ["comparison", "valid", "valid"]


def test_variants_of_one_adjustment_count_twice_and_are_named_once(base):
    found = checked(base, rung("local_series", 2.0, variant="own"), rung("local_series", 3.0, variant="predicted"))
    assert found.value == 2.0
    assert found.facts["outside"] == ["local_series"]


def test_the_cycle_is_the_plain_comparison_minus_the_headline(base):
    found = checked(base, rung("none", 1.4))
    assert found.facts["cycle"] == pytest.approx(0.4)
    assert (found.facts["cycle_lower"], found.facts["cycle_upper"]) == (0.1, 0.8)


def test_a_headline_that_only_compares_took_nothing_out(base):
    unadjusted = replace(base, headline=replace(base.headline, adjust="none"))
    own = LadderRung("none", 1.0, 0.4, 1.6, 0.01, 0.0, headline=True)
    found = ladder.check(replace(unadjusted, cycle=Cycle("none", (own, rung("region_time", 0.9)))))
    assert found.facts["cycle"] == 0.0


def test_says_why_it_did_not_run(base):
    assert checked(base).reason == "no_other_rungs"
    assert ladder.check(base).reason == "no_other_rungs"  # no ladder was computed
    endless = replace(base, headline=replace(base.headline, lower=None))
    assert ladder.check(replace(endless, cycle=Cycle("none", (rung("none", 1.0),)))).reason == "no_interval"
