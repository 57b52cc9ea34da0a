"""Periods come as numbers, text, floats from spreadsheets and dates; all must land on the same calendar."""

import datetime

import pytest

from evaluation.periods import Period, parse_period


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (2015, "2015"),
        ("2015", "2015"),
        (2015.0, "2015"),
        ("2015.0", "2015"),
        (" 2015 ", "2015"),
        (7, "7"),
        ("2015Q1", "2015Q1"),
        ("2015K1", "2015Q1"),
        ("2015-Q4", "2015Q4"),
        ("2015M01", "2015M01"),
        ("2015-01", "2015M01"),
        ("2015M1", "2015M01"),
        (datetime.date(2015, 12, 31), "2015M12"),
        ("2015-12-31", "2015M12"),
    ],
)
def test_the_ways_a_period_is_written(value, label):
    assert parse_period(value).label == label


@pytest.mark.parametrize("value", ["2015Q5", "2015M13", "soon", "", 2015.5, True, None, "20155-01"])
def test_what_is_no_period(value):
    with pytest.raises(ValueError, match="not a period"):
        parse_period(value)


def test_periods_are_ordered_and_step_over_the_year():
    last = parse_period("2015M12")
    assert last.shift(1).label == "2016M01"
    assert last < last.shift(1)
    assert Period("quarter", 2015 * 4 + 3).shift(1).label == "2016Q1"
