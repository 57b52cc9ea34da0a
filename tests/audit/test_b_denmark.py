"""Eight checks on the employment rate of 94 municipalities: numbers that were worked out before this package existed."""

from __future__ import annotations

import pytest

from evaluation.audit import breakdown, common_shock, planted_effect
from tests.audit.b_studies import studied
from tests.reference.golden import EXCLUDED, denmark

TWO_DECIMALS = 0.005 + 1e-9


@pytest.fixture(scope="module")
def hjoerring():
    return studied(denmark(first=2008, without=EXCLUDED))


def test_the_cycle_rose_by_086_and_fell_by_39_in_the_downturn(hjoerring):
    found = breakdown.check(hjoerring)
    assert found.facts["cycle_change"] == pytest.approx(0.86, abs=TWO_DECIMALS)
    assert found.facts["downturn"] == "2009-2010"
    assert found.facts["downturn_fall"] == pytest.approx(-3.9, abs=0.05)  # published to one decimal


def test_an_effect_of_023_has_nothing_to_break(hjoerring):
    found = breakdown.check(hjoerring)
    assert found.facts["shock"] == pytest.approx(0.23, abs=TWO_DECIMALS)
    assert (found.status, found.facts["significant"]) == ("warns", False)


def test_the_added_shock_is_as_large_as_the_countrys_own(hjoerring, monkeypatch):
    monkeypatch.setattr(common_shock, "REFITS", 240)
    found = common_shock.check(hjoerring)
    assert found.facts["shock"] == pytest.approx(0.86, abs=TWO_DECIMALS)
    assert found.status == "passed"


def test_a_planted_effect_is_found_exactly(hjoerring):
    found = planted_effect.check(hjoerring)
    assert found.facts["count"] == 93
    assert found.status == "passed"
    assert found.value < 1e-12
