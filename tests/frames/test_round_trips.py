"""Random panels survive every file format, every spelling and any order of the rows; the pivot agrees with its twin."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.frames import panel_from_frame
from evaluation.readers import Settings, read_table
from tests.frames.twin import cells_of, pivot

LETTERS = "abcdefghijklmnopqrstuvwxyzæøåABCÆØÅ -.'"
NAMES = st.text(LETTERS, min_size=1, max_size=12).map(lambda name: f"k{name.strip()}")
# a fraction of three decimals may be a number of thousands; the reader refuses to choose, so the values have two
VALUES = st.one_of(st.none(), st.integers(-(10**6), 10**6).map(lambda value: value / 100))


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """A long frame: some units, a run of years, quarters or months, some cells empty, rows in any order."""
    units = draw(st.lists(NAMES, min_size=4, max_size=7, unique=True))
    n_periods = draw(st.integers(3, 7))
    spelling = draw(st.sampled_from(["year", "quarter", "month"]))
    first = draw(st.integers(1990, 2015))
    label: Callable[[int], object] = {
        "year": lambda k: first + k,
        "quarter": lambda k: f"{first + k // 4}Q{k % 4 + 1}",
        "month": lambda k: f"{first}M{k + 1:02d}",
    }[spelling]
    rows = [{"unit": unit, "time": label(k), "y": draw(VALUES)} for unit in units for k in range(n_periods)]
    # the treated unit and one more are fully observed and change, which the rules for a panel ask for
    for place, row in enumerate(rows):
        if row["unit"] in units[:2]:
            row["y"] = place + 0.25
    order = draw(st.permutations(range(len(rows))))
    frame = pd.DataFrame([rows[place] for place in order])
    frame.attrs = {"treated": units[0], "start": label(1)}
    return frame


def build(frame: Any, attrs: dict[str, Any]) -> Any:
    return panel_from_frame(
        frame, unit="unit", time="time", outcome="y", treated=[attrs["treated"]], start=attrs["start"]
    )


def csv(**options: Any) -> Callable[[pd.DataFrame, Path], None]:
    return lambda frame, path: frame.to_csv(path, index=False, **options)


WRITERS: dict[str, tuple[str, Callable[[pd.DataFrame, Path], Any]]] = {
    "csv": ("a.csv", csv()),
    "csv, semicolon, decimal comma": ("a.csv", csv(sep=";", decimal=",")),
    "csv, semicolon, decimal comma, ISO-8859-1": ("a.csv", csv(sep=";", decimal=",", encoding="iso-8859-1")),
    "csv, tab, UTF-16": ("a.tsv", csv(sep="\t", encoding="utf-16")),
    "csv, byte order mark, CRLF": ("a.csv", csv(sep=";", encoding="utf-8-sig", lineterminator="\r\n")),
    "csv, StatBank's mark for missing": ("a.csv", csv(sep=";", decimal=",", na_rep="..")),
    "parquet": ("a.parquet", lambda frame, path: frame.to_parquet(path)),
    "arrow": ("a.arrow", lambda frame, path: frame.to_feather(path)),
    "excel": ("a.xlsx", lambda frame, path: frame.to_excel(path, index=False)),
    "stata": ("a.dta", lambda frame, path: pyreadstat.write_dta(frame, str(path))),
    "spss": ("a.sav", lambda frame, path: pyreadstat.write_sav(frame, str(path))),
}


@pytest.mark.parametrize("writer", WRITERS)
@given(frame=frames())
@settings(max_examples=25, deadline=None)
def test_a_panel_survives_the_file(writer: str, frame: pd.DataFrame) -> None:
    attrs = dict(frame.attrs)
    frame.attrs = {}
    expected = build(frame, attrs)
    name, write = WRITERS[writer]
    with tempfile.TemporaryDirectory() as folder:
        write(frame, Path(folder) / name)
        panel = build(read_table(Path(folder) / name).frame, attrs)
    assert panel.units == expected.units
    assert panel.periods == expected.periods
    # decimal text of two places and back is exact
    np.testing.assert_array_equal(panel.outcome, expected.outcome)
    np.testing.assert_array_equal(panel.start, expected.start)


@given(frame=frames())
@settings(max_examples=100, deadline=None)
def test_the_pivot_agrees_with_its_twin(frame: pd.DataFrame) -> None:
    panel = build(frame, frame.attrs)
    assert cells_of(panel) == pivot(frame.to_dict("records"), "unit", "time", "y")


@given(frame=frames(), seed=st.integers(0, 1000), data=st.data())
@settings(max_examples=50, deadline=None)
def test_shuffled_rows_and_left_out_empty_rows_give_the_same_panel(
    frame: pd.DataFrame, seed: int, data: st.DataObject
) -> None:
    attrs = frame.attrs
    expected = build(frame, attrs)
    empty = [place for place, value in enumerate(frame["y"]) if math.isnan(value)]
    left_out = data.draw(st.sets(st.sampled_from(empty))) if empty else set()
    units_left = frame.drop(index=left_out)["unit"].nunique()
    if units_left < frame["unit"].nunique():
        return  # a unit without any row is no unit
    panel = build(frame.drop(index=left_out).sample(frac=1, random_state=seed), attrs)
    assert panel.units == expected.units
    np.testing.assert_array_equal(panel.outcome, expected.outcome)


@given(
    numbers=st.lists(
        st.decimals(-(10**9), 10**9, places=2, allow_nan=False, allow_infinity=False), min_size=1, max_size=8
    ),
    decimal=st.sampled_from([".", ","]),
    delimiter=st.sampled_from([";", "\t", "|"]),
)
@settings(max_examples=200, deadline=None)
def test_numbers_of_two_decimals_are_read_exactly_under_either_mark(
    numbers: list[Any], decimal: str, delimiter: str
) -> None:
    lines = [f"a{delimiter}b", *(f"x{delimiter}{str(number).replace('.', decimal)}" for number in numbers)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text("\n".join(lines) + "\n")
        for asked in (Settings(), Settings(decimal="," if decimal == "," else ".")):
            assert read_table(path, asked).frame.get_column("b").to_list() == [float(number) for number in numbers]
