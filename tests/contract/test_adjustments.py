"""One loop over the registry of adjustments for the business cycle."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.cycle import ADJUSTMENTS
from evaluation.study import plain_terms
from tests.contract import plain
from tests.oracle.panels import factor_panel

NAMES = list(ADJUSTMENTS)


def world():
    rng = np.random.default_rng(9)
    return factor_panel(
        1,
        region=np.arange(12) % 3,
        region_names=("north", "south", "east"),
        cycle={"unemployment": rng.normal(5, 1, 14)},
    )


def adjusted(name, panel):
    adjustment = ADJUSTMENTS[name]
    return adjustment.adjust(panel, adjustment.options())


@pytest.mark.parametrize("name", NAMES)
def test_entry_describes_itself(name):
    adjustment = ADJUSTMENTS[name]
    assert adjustment.name == name
    assert adjustment.summary
    assert adjustment.source
    assert plain.options_without_description(adjustment.options) == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_and_what_was_removed_add_up_to_the_outcome(name):
    panel = world()
    found = adjusted(name, panel)
    assert found.removed.shape == panel.outcome.shape
    np.testing.assert_allclose(found.panel.outcome + found.removed, panel.outcome, atol=1e-9)
    plain.assert_plain(plain_terms(found.terms, panel.units))


@pytest.mark.parametrize("name", NAMES)
def test_treated_outcomes_after_the_start_have_no_part_in_what_is_removed(name):
    """Or a growing effect would be called business cycle and taken out."""
    panel = world()
    raised = panel.with_outcome(panel.outcome + 5.0 * panel.after)
    np.testing.assert_allclose(adjusted(name, raised).removed, adjusted(name, panel).removed, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_it_was_given_is_changed(name):
    panel = world()
    before = plain.digest(panel)
    adjusted(name, panel)
    assert plain.digest(panel) == before


@pytest.mark.parametrize("name", NAMES)
def test_everything_but_the_outcome_stays(name):
    panel = world()
    left = adjusted(name, panel).panel
    assert (left.units, left.periods, left.window) == (panel.units, panel.periods, panel.window)
    np.testing.assert_array_equal(left.start, panel.start)


def test_none_changes_nothing():
    panel = world()
    np.testing.assert_array_equal(adjusted("none", panel).panel.outcome, panel.outcome)
