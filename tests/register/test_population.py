"""Baselines, periods and their weeks, and how bands and benefit codes are read."""

from __future__ import annotations

import narwhals as nw
import pyarrow as pa
import pytest

from evaluation.register import population, states
from evaluation.register.engine import open_engine
from evaluation.register.timing import timing
from tests.register.registers import register_of
from tests.register.twin import Asked


def test_a_baseline_in_december_counts_the_last_four_weeks_of_its_year():
    (baseline,) = timing(register_of(Asked())).baselines
    assert baseline.weeks(4) == ((2014, 49), (2014, 50), (2014, 51), (2014, 52))
    assert baseline.quarter == (2014, 4)
    assert baseline.home == 2014


def test_a_year_of_53_weeks_ends_with_its_53rd():
    times = timing(register_of(Asked(periods=(2014, 2016))))
    assert times.weeks(1, 4) == ((2015, 50), (2015, 51), (2015, 52), (2015, 53))
    assert [len(year) for year in states.years_before(2016)] == [53, 52, 52, 52, 52, 52, 53]


def test_a_stock_has_a_baseline_in_the_december_before_each_year():
    times = timing(register_of(Asked(design="stock", frequency="quarter", periods=(2013, 2014))))
    assert [(each.year, each.month, each.periods) for each in times.baselines] == [
        (2012, 12, (0, 1, 2, 3)),
        (2013, 12, (4, 5, 6, 7)),
    ]
    assert [times.home(place) for place in range(4)] == [2012, 2012, 2012, 2013]


def test_windows_are_named_after_the_year_they_end_in():
    times = timing(register_of(Asked(baseline=(2014, 6), frequency="window", periods=(2014, 2015))))
    assert [period.label for period in times.periods] == ["2014", "2015"]
    assert [times.before(place) for place in range(2)] == [True, False]
    assert times.home(1) == 2014
    assert times.span() == (12 * 2013 + 6, 12 * 2015 + 5)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [((130, None), 1), ((None, 130), 1), ((13, 1300), 0), ((None, None), 0), ((131, 30), 0), ((738, 130), 1)],
)
def test_a_code_counts_only_as_a_whole(codes, expected):
    """The codes of several weeks are searched as one text: 13, 1300 and 30 are not 130."""
    with open_engine("duckdb", "300MB") as engine:
        table = pa.table(
            {"week_2014_51": pa.array([codes[0]], pa.int64()), "week_2014_52": pa.array([codes[1]], pa.int64())}
        )
        frame = nw.from_native(engine.connection.from_arrow(table))
        found = frame.select(
            found=states.some_week([(2014, 51), (2014, 52)], {130}), none=states.some_week([(2014, 51)], ())
        )
        assert engine.collect(found).to_pylist() == [{"found": expected, "none": 0}]


def test_bands_have_no_gaps_between_them():
    ages = {17: "18-24", 24: "18-24", 25: "25-29", 29: "25-29", 30: "30-39", 59: "50-59", 60: "60+", 99: "60+"}
    hours = {0: "0", 1: "1-225", 22500: "1-225", 22501: "226-800", 80000: "226-800", 80001: "801+"}
    years = {0: "0-1", 1: "0-1", 2: "2-3", 5: "4-5", 6: "6-7", 7: "6-7"}
    with open_engine("duckdb", "300MB") as engine:
        for name, labels in (("age", ages), ("hours_before", hours), ("benefit_years", years)):
            frame = nw.from_native(engine.connection.from_arrow(pa.table({name: list(labels)})))
            table = engine.collect(frame.with_columns(**population.bands([name])))
            assert (
                dict(zip(*(table.column(each).to_pylist() for each in (name, f"band_{name}")), strict=True)) == labels
            )
