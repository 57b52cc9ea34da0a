"""The filters of outside series: against mFilter and R's lm, and what each must do whatever the series."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.series.filters import FILTERS, SMOOTHING, baxter_king, christiano_fitzgerald, hamilton, hodrick_prescott
from tests.reference import golden


def basque():
    """Log GDP per head of the Basque Country, 1955-1997."""
    frame = golden.table("basque").query("regionno == 17").sort_values("year")
    return np.log(frame["gdpcap"].to_numpy())


def assert_cycle(ours, theirs, within):
    known = np.array([value is not None for value in theirs])
    np.testing.assert_array_equal(np.isfinite(ours), known)
    np.testing.assert_allclose(ours[known], [value for value in theirs if value is not None], atol=within, rtol=0)


@pytest.mark.parametrize("smoothing", ["6.25", "100", "1600"])
def test_hodrick_prescott_equals_mfilter(smoothing):
    name = "filters/hp_basque_log_gdp"
    theirs = golden.value(name)[smoothing]
    cycle = hodrick_prescott(basque(), "year", float(smoothing))
    assert_cycle(cycle, theirs["cycle"], golden.tolerance(name))
    assert_cycle(basque() - cycle, theirs["trend"], golden.tolerance(name))


def test_the_penalty_for_years_is_that_of_ravn_and_uhlig():
    cycle = golden.value("filters/hp_basque_log_gdp")["6.25"]["cycle"]
    assert_cycle(FILTERS["hp"].cycle(basque(), "year"), cycle, 1e-7)
    # the fourth power of the frequency, from 1600 for quarters
    assert {key: 1600 * (per_year / 4) ** 4 for key, per_year in (("year", 1), ("quarter", 4), ("month", 12))} == SMOOTHING


def test_baxter_king_equals_mfilter():
    name = "filters/bk_cf_basque_log_gdp"
    assert_cycle(baxter_king(basque(), "year"), golden.value(name)["bk_cycle"], golden.tolerance(name))


def test_christiano_fitzgerald_equals_mfilter():
    name = "filters/bk_cf_basque_log_gdp"
    assert_cycle(christiano_fitzgerald(basque(), "year"), golden.value(name)["cf_cycle"], golden.tolerance(name))


def test_hamilton_equals_a_regression_in_r():
    name = "filters/hamilton_basque_log_gdp"
    assert_cycle(hamilton(basque(), "year"), golden.value(name)["cycle"], golden.tolerance(name))


@pytest.mark.parametrize("name", FILTERS)
def test_several_series_at_once_are_each_filtered_alone(name):
    rng = np.random.default_rng(3)
    series = rng.normal(size=(2, 3, 48)).cumsum(axis=-1)
    together = FILTERS[name].cycle(series, "quarter")
    for place in np.ndindex(2, 3):
        np.testing.assert_allclose(together[place], FILTERS[name].cycle(series[place], "quarter"), atol=1e-12)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("frequency", ["year", "quarter"])
def test_a_constant_has_no_cycle_and_a_level_changes_none(name, frequency):
    rng = np.random.default_rng(4)
    series = rng.normal(size=60).cumsum()
    cycle = FILTERS[name].cycle(series, frequency)
    assert np.nanmax(np.abs(FILTERS[name].cycle(np.full(60, 7.0), frequency))) < 1e-9
    # solving and regressing with a level a thousand times the cycle costs some of the sixteen digits
    np.testing.assert_allclose(FILTERS[name].cycle(series + 1000.0, frequency), cycle, atol=1e-7)


@pytest.mark.parametrize(("name", "needs"), [("hp", 4), ("hamilton", 11), ("baxter_king", 7), ("christiano_fitzgerald", 5)])
def test_the_shortest_series_of_years_gives_a_number(name, needs):
    assert FILTERS[name].needs("year") == needs
    assert np.isfinite(FILTERS[name].cycle(np.random.default_rng(1).normal(size=needs), "year")).any()
