"""Any data frame becomes the same panel, and everything that is wrong with it is said at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from evaluation.errors import DataError
from evaluation.frames import Roles, eager, examine
from evaluation.panel import Panel


def long(**changes: Any) -> pd.DataFrame:
    """Three units, eight years from 2010."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "unit": np.repeat(["Hjørring", "Aalborg", "Ærø"], 8),
            "year": np.tile(np.arange(2010, 2018), 3),
            "y": rng.normal(size=24).round(3),
            "size": 100,
            "fixed": np.repeat([1.0, 2.0, 3.0], 8),
            "moving": rng.normal(size=24),
            "national": np.tile(np.arange(8.0), 3),
            "region": np.repeat(["Nord", "Nord", "Fyn"], 8),
        }
    )
    return frame.assign(**changes)


def panel(frame: Any, **changes: Any) -> Panel:
    arguments = {"unit": "unit", "time": "year", "outcome": "y", "treated": ["Hjørring"], "start": 2014}
    return Panel.from_frame(frame, **{**arguments, **changes})


def said(frame: Any, **changes: Any) -> str:
    with pytest.raises(DataError) as caught:
        panel(frame, **changes)
    return str(caught.value)


KINDS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "pandas with object columns": lambda frame: frame.astype({"unit": object, "region": object}),
    "pandas with categories": lambda frame: frame.astype({"unit": "category", "region": "category"}),
    "pandas with nullable numbers": lambda frame: frame.astype({"y": "Float64", "year": "Int64"}),
    "pandas on Arrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.from_pandas,
    "polars lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "polars with categories": lambda frame: pl.from_pandas(frame).with_columns(pl.col("unit").cast(pl.Categorical)),
    "pyarrow": pa.Table.from_pandas,
    "pyarrow in pieces": lambda frame: pa.concat_tables(
        [pa.Table.from_pandas(frame[:5]), pa.Table.from_pandas(frame[5:])]
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_frame_gives_the_same_panel_and_is_not_changed(kind: str) -> None:
    frame = long()
    frame.loc[3, "y"] = np.nan
    given = KINDS[kind](frame.copy())
    before = given.copy() if isinstance(given, pd.DataFrame) else None
    names = {"size": "size", "region": "region", "covariates": ["fixed", "moving"], "cycle": ["national"]}
    result = panel(given, **names)
    assert result.units == ("Aalborg", "Hjørring", "Ærø")
    assert [period.label for period in result.periods] == [str(year) for year in range(2010, 2018)]
    assert result.start.tolist() == [8, 4, 8]
    expected = frame.pivot(index="unit", columns="year", values="y").loc[list(result.units)].to_numpy()
    np.testing.assert_array_equal(result.outcome, expected)
    assert result.region_names == ("Fyn", "Nord")
    assert result.region is not None
    assert result.region.tolist() == [1, 1, 0]
    assert result.covariates["fixed"].tolist() == [2.0, 1.0, 3.0]
    assert result.covariates["moving"].shape == (3, 8)
    assert result.cycle["national"].tolist() == list(range(8))
    if before is not None:
        pd.testing.assert_frame_equal(given, before)


def test_the_order_of_the_rows_does_not_matter() -> None:
    frame = long()
    first = panel(frame)
    second = panel(frame.sample(frac=1, random_state=3))
    assert first.units == second.units
    np.testing.assert_array_equal(first.outcome, second.outcome)


@pytest.mark.parametrize("kind", [int, float, str, "Int64", "category"])
def test_numbers_as_names_are_whole_and_sorted_by_size(kind: Any) -> None:
    frame = long(unit=pd.Series(np.repeat([10001, 8001, 901], 8)).astype(kind))
    result = panel(frame, treated={"8001": 2014}, start=None)
    assert result.units == ("901", "8001", "10001")
    assert result.treated.tolist() == [False, True, False]


def test_names_are_trimmed_and_composed_so_that_joins_do_not_fail_silently() -> None:
    frame = long(unit=np.repeat(["Hjørring ", "A\u030arhus", " Ærø"], 8))
    assert panel(frame).units == ("Hjørring", "Århus", "Ærø")


@pytest.mark.parametrize(
    ("times", "start", "first", "last"),
    [
        (1990 + np.arange(8) / 4, "1991Q1", "1990Q1", "1991Q4"),
        ([f"{2015 + k // 4}K{k % 4 + 1}" for k in range(8)], "2016K1", "2015Q1", "2016Q4"),
        ([f"2015-{k:02d}" for k in range(1, 9)], "2015M03", "2015M01", "2015M08"),
        (pd.date_range("2015-01-01", periods=8, freq="MS"), "2015M03", "2015M01", "2015M08"),
        (pd.period_range("2015Q1", periods=8, freq="Q"), "2016Q1", "2015Q1", "2016Q4"),
        (np.arange(2010.0, 2018.0), 2014, "2010", "2017"),
        ([str(year) for year in range(2010, 2018)], "2014", "2010", "2017"),
        (np.arange(1, 9), 5, "1", "8"),
    ],
)
def test_periods_in_every_spelling(times: Any, start: object, first: str, last: str) -> None:
    frame = long(year=list(times) * 3)
    result = panel(frame, start=start)
    assert (result.periods[0].label, result.periods[-1].label) == (first, last)
    assert result.n_periods == 8


@pytest.mark.parametrize("never", [0, np.nan, np.inf, 2050])
def test_a_column_of_starts(never: float) -> None:
    frame = long()
    frame["first"] = np.where(frame["unit"] == "Hjørring", 2014.0, never)
    assert panel(frame, treated=None, start="first").start.tolist() == [8, 4, 8]


def test_a_column_of_starts_in_decimal_quarters() -> None:
    frame = long(year=np.tile(2010 + np.arange(8) / 4, 3))
    frame["first"] = np.where(frame["unit"] == "Hjørring", 2010.75, 0.0)
    assert panel(frame, treated=None, start="first").start.tolist() == [8, 3, 8]


def test_several_starts_by_name() -> None:
    frame = pd.concat([long(), long(unit="Thisted", y=np.arange(24.0))[:8]])
    assert panel(frame, treated={"Hjørring": 2014, "Ærø": "2016"}, start=None).start.tolist() == [8, 4, 8, 6]


def test_cells_without_a_row_are_missing_and_counted() -> None:
    frame = long().drop(index=[3, 12])
    result = panel(frame)
    assert np.isnan(result.outcome).sum() == 2
    notes = examine(eager(frame), Roles("unit", "year", "y", ["Hjørring"], 2014)).notes
    assert [(note.code, note.facts["cells"]) for note in notes] == [("cells_without_row", 2), ("cells_missing", 2)]


def test_the_window_is_inclusive() -> None:
    assert panel(long(), window=(2014, 2016)).window == (4, 6)


def test_the_arrays_are_locked() -> None:
    with pytest.raises(ValueError, match="read-only"):
        panel(long()).outcome[0, 0] = 1.0


# ---------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("changes", "arguments", "words"),
    [
        ({}, {"outcome": "hours"}, "outcome: no column 'hours'; there are"),
        ({}, {"unit": "unti"}, "unit: no column 'unti'; did you mean 'unit'?"),
        ({}, {"covariates": ["y"]}, "column 'y': is used twice, as outcome and as covariate"),
        ({}, {"covariates": ["fixed", "fixed"]}, "column 'fixed': is used twice, as covariate and as covariate"),
        ({}, {"covariates": ["region"]}, "column 'region': 24 of 24 rows are not a number"),
        ({"y": "5,1"}, {}, "column 'y': 24 of 24 rows are a number with a decimal comma, stored as text"),
        ({"y": "5.1"}, {}, "column 'y': the numbers are stored as text"),
        ({"y": np.inf}, {}, "column 'y': 24 of 24 rows are infinite"),
        ({"y": np.nan}, {}, "column 'y': is empty in every row"),
        ({"y": 3.0}, {}, "column 'y': has the same value in every row"),
        ({"y": np.repeat([1.0, 2.0, 3.0], 8)}, {}, "column 'y': never changes within a unit"),
        ({"year": "x"}, {}, "column 'year': 24 of 24 rows are not a period; write 2015"),
        ({"year": 2015}, {}, "column 'year': there is only one period, 2015"),
        ({"year": np.tile(np.arange(2010, 2018), 3) * 5}, {}, "column 'year': the periods are 5 years apart"),
        ({"year": np.tile([*range(2010, 2015), 2016, 2017, 2018], 3)}, {}, "no unit has a row for 2015"),
        ({"year": np.tile(pd.date_range("2010", periods=8, freq="YS"), 3)}, {}, "holds one date a year"),
        ({"year": np.tile(pd.date_range("2010", periods=8, freq="QS"), 3)}, {}, "holds one date a quarter"),
        ({"year": np.tile([f"2015U{k:02d}" for k in range(8)], 3)}, {}, "weeks cannot be used"),
        ({"year": [*["2015"] * 23, "2015Q1"]}, {}, "23 years and 1 quarter stand in one column"),
        ({"year": np.tile([201011, 201012, *range(201101, 201107)], 3)}, {}, "looks like year and month in one number"),
        ({}, {"treated": ["Hjorring"]}, "treated: no unit 'Hjorring' in the data; did you mean 'Hjørring'?"),
        ({}, {"treated": None, "start": None}, "treated: nobody is treated"),
        ({}, {"treated": []}, "treated: nobody is treated"),
        ({}, {"start": None}, "start: the first treated period is missing"),
        ({}, {"treated": {"Hjørring": 2014}}, "start: is given twice"),
        ({}, {"treated": ["Hjørring", "Aalborg"]}, "treated: there is only one control, 'Ærø'"),
        ({}, {"treated": ["Hjørring", "Aalborg", "Ærø"]}, "treated: all 3 units are treated"),
        ({}, {"start": 2010}, "start: 2010 is the first period, so there is nothing before it"),
        ({}, {"start": 2000}, "start: 2000 is before the first period"),
        ({}, {"start": 2018}, "start: 2018 is after the last period"),
        ({}, {"start": "2014Q1"}, "start: '2014Q1' is a quarter, but the data hold years; write it like 2010"),
        ({}, {"start": "soon"}, "start: 'soon' is not a period"),
        ({}, {"window": (2014, 2020)}, "window: the window ends in 2020, outside the data (2010 to 2017)"),
        ({}, {"window": (2013, 2016)}, "window: the window begins in 2013, before the start of treatment in 2014"),
        ({}, {"window": (2016, 2015)}, "window: the window ends in 2015, before it begins in 2016"),
        ({"size": 0}, {"size": "size"}, "column 'size': 24 of 24 rows are zero"),
        ({"size": -1}, {"size": "size"}, "column 'size': 24 of 24 rows are negative"),
        ({"size": [np.nan] + [5.0] * 23}, {"size": "size"}, "column 'size': is empty in 1 of 24 cells"),
        ({"size": -1}, {"noise": "size"}, "column 'size': 24 of 24 rows are negative; a variance cannot be"),
        ({"region": list("abc") * 8}, {"region": "region"}, "column 'region': changes within 3 units, the first 'Aalborg'"),
        ({"region": None}, {"cluster": "region"}, "column 'region': is empty for 3 units, the first 'Aalborg'"),
        ({"unit": [None, " ", *["a"] * 22]}, {}, "column 'unit': 2 of 24 rows have no unit"),
        ({"unit": "a"}, {}, "column 'unit': 8 of 8 cells have more than one row, the first: 'a' in 2010"),
        ({"first": np.arange(2011, 2035)}, {"treated": None, "start": "first"}, "differs between the rows of 3 units"),
        ({"first": 2010}, {"treated": None, "start": "first"}, "3 of 3 units start in the first period, 2010, or before"),
        ({"first": 0}, {"treated": None, "start": "first"}, "column 'first': no unit starts between 2011 and 2017"),
        ({"first": "x"}, {"treated": None, "start": "first"}, "column 'first': 24 of 24 rows are not a period"),
        ({"first": "2014Q1"}, {"treated": None, "start": "first"}, "column 'first': holds quarters, but the data hold years"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words(changes: dict[str, Any], arguments: dict[str, Any], words: str) -> None:
    assert words in said(long(**changes), **arguments)


def test_a_treated_unit_must_be_seen_before_and_after() -> None:
    frame = long()
    here = frame["unit"] == "Hjørring"
    assert "not observed before the start of treatment: Hjørring" in said(frame[~(here & (frame["year"] < 2014))])
    assert "not observed after the start of treatment: Hjørring" in said(frame[~(here & (frame["year"] >= 2014))])
    gone = frame[~(here & (frame["year"] >= 2015))]
    assert "not observed in the window: Hjørring" in said(gone, window=(2015, 2016))


def test_controls_never_seen_before_are_listed_and_kept() -> None:
    frame = long()
    frame = frame[~((frame["unit"] == "Ærø") & (frame["year"] < 2014))]
    notes = examine(eager(frame), Roles("unit", "year", "y", ["Hjørring"], 2014)).notes
    assert {note.code: note.facts.get("units") for note in notes}["controls_not_observed_before"] == ["Ærø"]


def test_everything_is_said_at_once() -> None:
    frame = pd.concat([long(size=0), long()[:1]])
    text = said(frame, treated=["Hjorring"], start="soon", window=(2000, 2015), covariates=["fixt"], size="size")
    for words in (
        "no unit 'Hjorring'",
        "'soon' is not a period",
        "begins in 2000",
        "no column 'fixt'",
        "zero",
        "more than one row",
    ):
        assert words in text


@pytest.mark.parametrize("kind", ["pandas", "pandas with object columns", "polars"])
def test_no_cell_of_the_outcome_is_ever_quoted(kind: str) -> None:
    frame = long()
    frame["y"] = frame["y"].astype(object if kind != "polars" else str)
    frame.loc[5, "y"] = "hemmelig"
    text = said(KINDS[kind](frame))
    assert "1 of 24 rows is not a number" in text
    assert "hemmelig" not in text
    with pytest.raises(DataError) as caught:
        panel(KINDS[kind](frame))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_expression_in_the_message_finds_the_rows() -> None:
    data = long()
    data["y"] = data["y"].astype(object)
    data.loc[[5, 9], "y"] = "x"
    data.loc[7, "y"] = None
    expression = said(data).partition("To see them: ")[2]
    assert data[eval(expression)].index.tolist() == [5, 9]  # the message is code that a user will run


def test_columns_in_the_index_are_pointed_out() -> None:
    assert "it is in the index, use frame.reset_index()" in said(long().set_index("unit"))


@pytest.mark.parametrize("thing", [[1, 2], {"unit": [1]}, "file.csv", None])
def test_what_is_no_frame_is_refused(thing: object) -> None:
    assert "a data frame is needed" in said(thing)


def test_two_columns_of_one_name_are_refused() -> None:
    frame = long()
    assert "two columns have the same name" in said(pd.concat([frame, frame[["y"]]], axis=1))


def test_no_rows() -> None:
    assert "there are no rows" in said(long()[:0])


def test_a_treatment_by_name_given_as_one_text_is_one_unit() -> None:
    assert panel(long(), treated="Hjørring").treated.tolist() == [False, True, False]


def test_every_unit_treated_in_the_end_is_allowed_with_several_starts() -> None:
    frame = long()
    roles = Roles("unit", "year", "y", {"Hjørring": 2014, "Aalborg": 2015, "Ærø": 2016})
    examined = examine(eager(frame), roles)
    assert examined.panel is not None
    assert [note.code for note in examined.notes] == ["no_never_treated"]


def test_a_large_panel_is_made() -> None:
    n_units, n_periods = 100_000, 12
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n_units), n_periods),
            "year": np.tile(np.arange(2010, 2010 + n_periods), n_units),
            "y": np.random.default_rng(1).normal(size=n_units * n_periods),
        }
    )
    made = panel(frame, treated=["5"])
    assert made.outcome.shape == (n_units, n_periods)
    assert made.treated.sum() == 1


@pytest.mark.parametrize("bad", ["a\x00b", "a\x1b[31m", "a\ufffe", "a\udc80"])
def test_names_that_cannot_be_printed_are_refused(bad: str) -> None:
    frame = long()
    frame["unit"] = frame["unit"].astype(object).where(frame["unit"] != "Ærø", bad)
    assert "8 of 24 rows have control characters in the name of the unit" in said(frame)
