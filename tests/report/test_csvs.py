"""Every number on the page is also in a file that a machine can read."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from evaluation.report.csvs import csv_files
from evaluation.result import Result
from tests.report.fixtures import california, hjorring


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("result", [hjorring(), california()], ids=["hjorring", "california"])
def test_files_are_plain_csv(result: Result) -> None:
    for name, text in csv_files(result).items():
        assert name.endswith(".csv")
        assert text.endswith("\n")
        assert "\r" not in text
        table = list(csv.reader(io.StringIO(text)))
        assert len({len(row) for row in table}) == 1
        assert len(table) > 1


def test_estimates_are_complete_and_the_headline_is_named() -> None:
    table = rows(csv_files(hjorring())["estimates.csv"])
    assert [row["role"] for row in table] == ["headline", "further", "further", "further", "further"]
    assert [float(row["effect"]) for row in table] == pytest.approx(
        [one.effect for one in (hjorring().headline, *hjorring().estimates)],
        rel=1e-9,  # written with ten digits
    )
    assert table[3]["label"] == "demeaned"


def test_placebo_gaps_hold_every_unit_and_period() -> None:
    table = rows(csv_files(hjorring())["placebo_gaps.csv"])
    assert len(table) == 94 * 14
    assert {row["unit"] for row in table} == {"Hjørring", *hjorring().design.controls}


def test_checks_bring_their_series() -> None:
    files = csv_files(hjorring())
    assert {"check_leave_one_out.csv", "check_placebo_in_time.csv", "check_every_unit_treated.csv"} <= set(files)
    assert [row["methods"] for row in rows(files["check_every_unit_treated.csv"])] == [
        "cluster",
        "placebo",
        "conformal",
    ]


def test_missing_numbers_are_empty_cells() -> None:
    from dataclasses import replace

    result = replace(hjorring(), headline=replace(hjorring().headline, lower=None))
    assert rows(csv_files(result)["estimates.csv"])[0]["lower"] == ""


@pytest.mark.parametrize("text", ["=1+1", "+45", "-x", "@SUM(A1)", "\tx", "\rx"])
def test_a_text_is_never_a_formula(text: str) -> None:
    result = hjorring()
    result = replace(result, headline=replace(result.headline, unit_weights={text: -0.5}))
    found = next(row for row in csv.DictReader(io.StringIO(csv_files(result)["weights.csv"], newline="")))
    assert (found["name"], found["weight"]) == (f"'{text}".replace("\r", " "), "-0.5")
