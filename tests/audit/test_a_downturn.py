"""The downturn before the programme: dated from the data, in years, quarters and months, whichever way a series runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.audit.downturn import Downturn, downturn, national_line, span_label
from evaluation.panel import Panel
from evaluation.periods import PER_YEAR, Period
from tests.audit.a_worlds import CYCLE, START, world
from tests.oracle.panels import make_panel


def flat(line, start, frequency="year"):
    """Six units that all move by `line`, the first one treated from `start`."""
    outcome = np.arange(6.0)[:, None] + np.asarray(line, dtype=np.float64)
    periods = tuple(Period(frequency, 2000 * PER_YEAR[frequency] + place) for place in range(outcome.shape[1]))
    starts = np.where(np.arange(6) == 0, start, len(periods))
    return Panel(outcome, tuple("abcdef"), periods, starts)


def test_the_two_years_of_the_largest_fall():
    found = downturn(flat([0, 1, 0, -3, -2, -2.5, -2, -1, 5], 7))
    assert found == Downturn(2, 3, 4.0, 3)
    assert list(found.columns) == [2, 3]


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ([9, 0, -1, -1, -2, 3, 4, 5], 1),  # nothing is known before the first period, so it cannot have fallen in it
        ([0, 1, 2, 1, 0, -9, 4, 5], 3),  # -9 is the last one before the start
    ],
)
def test_neither_the_first_period_nor_the_last_before_the_start(line, first):
    assert downturn(flat(line, 6)).first == first


def test_none_where_the_line_never_falls():
    assert downturn(flat(np.arange(10.0), 8)) is None


def test_none_with_too_few_periods():
    line = [0, -1, -2, -1, 0, 0]
    assert downturn(flat(line, 3)) is None
    assert downturn(flat(line, 4)) == Downturn(1, 2, 2.0, 2)


@pytest.mark.parametrize(("frequency", "span"), [("quarter", 8), ("month", 24)])
def test_two_years_are_eight_quarters_or_24_months(frequency, span):
    line = np.concatenate([np.zeros(10), np.linspace(-0.5, -4.0, span), np.full(8, -3.5)])
    panel = flat(line, line.size - 2, frequency)
    found = downturn(panel)
    assert (found.first, found.last) == (10, 10 + span - 1)
    assert (
        span_label(panel, found.first, found.last)
        == {
            "quarter": "2002Q3-2004Q2",
            "month": "2000M11-2002M10",
        }[frequency]
    )


def test_what_the_treated_did_does_not_date_it():
    panel = world(1)
    outcome = panel.outcome.copy()
    outcome[0, 5:7] -= 50.0
    assert downturn(panel.with_outcome(outcome)) == downturn(panel)


def test_unemployment_rises_in_a_downturn():
    """An outside series that runs against the outcome is turned round; its own values stay as they are for the page."""
    panel = replace(world(1), cycle={"unemployment": np.tile(5.0 - CYCLE, (40, 1)), "unemployment|nation": 5.0 - CYCLE})
    line = national_line(panel)
    assert line.name == "unemployment"
    assert line.values == pytest.approx(5.0 - CYCLE)
    found = downturn(panel)
    assert [panel.periods[column].label for column in found.columns] == ["2009", "2010"]
    assert found.fall == pytest.approx(CYCLE[1] - CYCLE[3])


def test_without_a_series_it_is_the_mean_of_the_never_treated():
    panel = world(1)
    line = national_line(panel)
    assert line.name == ""
    assert line.values == pytest.approx(panel.outcome[1:].mean(axis=0))


def test_a_local_series_without_a_nation_is_averaged_over_the_never_treated():
    local = np.tile(CYCLE, (40, 1)) + np.arange(40.0)[:, None]
    line = national_line(replace(world(1), cycle={"jobs": local}))
    assert line.values == pytest.approx(local[1:].mean(axis=0))


def test_predicted_demand_alone_is_no_national_line():
    panel = make_panel(world(1).outcome, {0: START}, cycle={"shift_share": np.zeros((40, 14))})
    assert national_line(panel).name == ""
