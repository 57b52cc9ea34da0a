"""From a spec to its panel: every step keeps what it should, and counts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation.errors import DataError, SpecError
from evaluation.prepare import Prepared, prepare
from evaluation.run import load_spec

ROOT = Path(__file__).parents[2]
STATBANK = ROOT / "tests" / "data" / "statbank"

SPEC = """
question = "Did it work?"
languages = ["da", "en"]

[data]
path = "{path}"
unit = "{unit}"
time = "{time}"
outcome = "{outcome}"
public = true
{data}

[treatment]
{treatment}
{rest}

[headline]
method = "did"
"""

TREATED = 'units = ["Hjørring"]\nstart = 2015'


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Prepared]:
    def run(path: str | Path, unit: str = "unit", time: str = "year", outcome: str = "y", data: str = "",
            treatment: str = TREATED, rest: str = "") -> Prepared:  # fmt: skip
        file = tmp_path / "spec.toml"
        text = SPEC.format(path=path, unit=unit, time=time, outcome=outcome, data=data, treatment=treatment, rest=rest)
        file.write_text(text, encoding="utf-8")
        return prepare(load_spec(file))

    return run


def small(
    folder: Path, units: str = "Hjørring Aalborg Thisted Morsø", extra: Callable[[str, int], str] | None = None
) -> str:
    lines = ["unit,year,y" + (",extra" if extra else "")]
    for place, unit in enumerate(units.split()):
        for year in range(2012, 2018):
            lines.append(
                f"{unit},{year},{70 + place + year % 3 + place * year % 2}" + (f",{extra(unit, year)}" if extra else "")
            )
    (folder / "small.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "small.csv"


def test_ras200_gives_exactly_98_municipalities_by_14_years() -> None:
    loaded = load_spec(ROOT / "specs" / "hjorring_employment.toml")
    everything = {
        "controls": type(loaded.spec.controls)(),
        "data": loaded.spec.data.model_copy(update={"periods": None}),
    }
    spec = loaded.spec.model_copy(update=everything)
    prepared = prepare(type(loaded)(spec, loaded.path, loaded.text, loaded.locator))
    panel = prepared.panel
    assert (panel.n_units, panel.n_periods) == (98, 14)
    assert panel.balanced
    assert "København" in panel.units
    assert not {"Copenhagen", "Christiansø", "All Denmark", "Region Nordjylland"} & set(panel.units)
    assert len(panel.region_names) == 11
    assert panel.region is not None
    assert panel.region_names[panel.region[panel.units.index("Hjørring")]] == "Landsdel Nordjylland"
    assert [(step.step, step.rows, step.units) for step in prepared.flow] == [
        ("read", 1624, 116),
        ("areas", 1372, 98),
        ("panel", 1372, 98),
    ]
    assert prepared.flow[-1].facts == {"periods": 14, "cells": 1372, "missing": 0, "balanced": True}


def test_the_excluded_municipalities_and_their_reasons_are_recorded() -> None:
    prepared = prepare(load_spec(ROOT / "specs" / "hjorring_employment.toml"))
    assert prepared.panel.n_units == 94
    assert [exclusion.unit for exclusion in prepared.exclusions] == ["Aabenraa", "Silkeborg", "Ballerup", "Vordingborg"]
    assert all(set(exclusion.reason) == {"da", "en"} for exclusion in prepared.exclusions)
    assert "kontanthjælp" not in prepared.exclusions[0].reason["en"]
    assert prepared.panel.window == (7, 10)


def test_california_is_prepared_with_its_covariates() -> None:
    prepared = prepare(load_spec(ROOT / "specs" / "california.toml"))
    assert prepared.panel.outcome.shape == (39, 31)
    assert set(prepared.panel.covariates) == {"lnincome", "retprice", "age15to24", "beer"}
    assert prepared.panel.starts == (19,)


@pytest.mark.parametrize("level", ["landsdel", "region"])
def test_other_levels_are_kept_under_danish_names(run: Callable[..., Prepared], level: str) -> None:
    name = {"landsdel": "Landsdel Nordjylland", "region": "Region Nordjylland"}[level]
    prepared = run(
        ROOT / "specs" / "data" / "ras200_employment_rate.csv",
        "area", "year", "employment_rate_pct", f'areas = "{level}"', f'units = ["{name}"]\nstart = 2015',
    )  # fmt: skip
    assert prepared.panel.n_units == {"landsdel": 11, "region": 5}[level]
    assert name in prepared.panel.units


def test_a_unit_may_be_named_by_code_or_in_english_where_the_areas_are_known(run: Callable[..., Prepared]) -> None:
    prepared = run(
        ROOT / "specs" / "data" / "ras200_employment_rate.csv",
        "area", "year", "employment_rate_pct", 'areas = "municipality"', 'units = ["860"]\nstart = 2015',
        '[controls]\nexclude = ["Copenhagen"]\nexclude_reason = "the capital"',
    )  # fmt: skip
    panel = prepared.panel
    assert [unit for unit, treated in zip(panel.units, panel.treated, strict=True) if treated] == ["Hjørring"]
    assert prepared.exclusions[0].unit == "København"


def test_statbanks_api_file_is_prepared_as_it_comes(run: Callable[..., Prepared]) -> None:
    prepared = run(
        STATBANK / "api_da_quarters.csv", "OMRÅDE", "TID", "INDHOLD", 'areas = "municipality"',
        'units = ["Hjørring"]\nstart = "2015K1"',
    )  # fmt: skip
    assert prepared.panel.units == ("Aalborg", "Hjørring", "Thisted")
    assert [period.label for period in prepared.panel.periods][:2] == ["2014Q1", "2014Q2"]
    assert prepared.inputs[0].read_as["layout"] == "StatBank (API)"


def test_where_keeps_rows_by_text_number_and_list(run: Callable[..., Prepared], tmp_path: Path) -> None:
    lines = ["unit,year,y,sex,age"]
    lines += [
        f"{unit},{year},{len(unit) * year % 7 + age},{sex},{age}"
        for unit in ("Hjørring", "Aalborg", "Ærø") for year in range(2012, 2018) for sex in ("M", "K") for age in (1, 2)
    ]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    prepared = run("a.csv", data='where = { sex = "K", age = [2] }')
    assert prepared.panel.n_units == 3
    assert [(step.step, step.rows) for step in prepared.flow] == [("read", 72), ("where", 18), ("panel", 18)]


def test_periods_cut_the_data_before_they_are_judged(run: Callable[..., Prepared], tmp_path: Path) -> None:
    path = small(tmp_path)
    text = (tmp_path / path).read_text(encoding="utf-8")
    # a stray early year would be a gap, but it lies outside the periods asked for
    (tmp_path / path).write_text(text + "Aalborg,2001,1\n", encoding="utf-8")
    prepared = run(path, data="periods = [2013, 2016]")
    assert [period.label for period in prepared.panel.periods] == ["2013", "2014", "2015", "2016"]
    with pytest.raises(DataError, match="equally spaced"):
        run(path)


def test_only_keeps_the_chosen_controls_and_says_why_the_others_are_out(
    run: Callable[..., Prepared], tmp_path: Path
) -> None:
    prepared = run(small(tmp_path), rest='[controls]\nonly = ["Aalborg", "Morsø"]')
    assert prepared.panel.units == ("Aalborg", "Hjørring", "Morsø")
    (exclusion,) = prepared.exclusions
    assert exclusion.unit == "Thisted"
    assert exclusion.reason["da"].startswith("ikke blandt")


def test_a_column_of_starts_keeps_its_treated_units_under_only(run: Callable[..., Prepared], tmp_path: Path) -> None:
    path = small(tmp_path, extra=lambda unit, year: "2015" if unit == "Hjørring" else "0")
    prepared = run(path, treatment='start_column = "extra"', rest='[controls]\nonly = ["Aalborg", "Morsø"]')
    assert prepared.panel.units == ("Aalborg", "Hjørring", "Morsø")
    assert prepared.panel.starts == (3,)


def test_the_spec_and_the_data_are_blamed_together(run: Callable[..., Prepared], tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        run(small(tmp_path), outcome="z", data='where = { sex = "K" }', rest='[controls]\nexclude = ["Skagen"]')
    assert [problem.where.rpartition("spec.toml")[2] for problem in caught.value.problems] == [
        ":11:11",
        ":17:12",
        ":9:11",
    ]


def test_the_treated_unit_cannot_be_excluded(run: Callable[..., Prepared], tmp_path: Path) -> None:
    # the spec's own rules may refuse this before; here it is the column of starts that says who is treated
    path = small(tmp_path, extra=lambda unit, year: "2015" if unit == "Hjørring" else "0")
    with pytest.raises(DataError, match="'Hjørring' is treated"):
        run(path, treatment='start_column = "extra"', rest='[controls]\nexclude = ["Hjørring"]\nexclude_reason = "x"')


def wrong(run: Callable[..., Prepared], *arguments: str, **keywords: str) -> str:
    with pytest.raises(DataError) as caught:
        run(*arguments, **keywords)
    return str(caught.value)


def test_treated_unit_start_and_controls_are_judged_in_one_round(run: Callable[..., Prepared], tmp_path: Path) -> None:
    treatment = 'units = ["Hjorring"]\nstart = 2030'
    text = wrong(run, small(tmp_path), treatment=treatment, rest='[controls]\nexclude = ["Alborg"]')
    assert "no unit 'Alborg' in small.csv; did you mean 'Aalborg'?" in text
    assert "no unit 'Hjorring' in the data; did you mean 'Hjørring'?" in text
    assert "2030 is after the last period" in text


def test_controls_that_are_all_left_out_are_said_at_the_exclusions(
    run: Callable[..., Prepared], tmp_path: Path
) -> None:
    text = wrong(run, small(tmp_path), rest='[controls]\nexclude = ["Aalborg", "Thisted", "Morsø"]')
    assert "all 3 units that are not treated are left out, so there is nobody to compare with" in text
    assert "exclude = " in text
    assert "units are treated" not in text


def test_one_unit_alone_is_said_in_good_grammar(run: Callable[..., Prepared], tmp_path: Path) -> None:
    text = wrong(run, small(tmp_path, "Hjørring"))
    assert "the only unit, 'Hjørring', is treated from 2015 on; there is nobody to compare with" in text


def test_control_characters_in_names_are_refused_with_their_count(run: Callable[..., Prepared], tmp_path: Path) -> None:
    path = small(tmp_path)
    text = (tmp_path / path).read_text(encoding="utf-8")
    (tmp_path / path).write_text(text.replace("Morsø", "Mor\x1bsø"), encoding="utf-8")
    said = wrong(run, path)
    assert "6 of 24 rows have control characters in the name of the unit" in said
    assert "\x1b" not in said


def test_numbers_too_large_to_compute_with_are_refused(run: Callable[..., Prepared], tmp_path: Path) -> None:
    path = small(tmp_path)
    text = (tmp_path / path).read_text(encoding="utf-8")
    (tmp_path / path).write_text(text + "Ærø,2012,-1.5e300\n", encoding="utf-8")
    assert "1 of 25 rows is larger than 1e100, plus or minus" in wrong(run, path)


def test_a_column_on_another_sheet(run: Callable[..., Prepared], tmp_path: Path) -> None:
    import pandas as pd

    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        pd.DataFrame({"note": ["see the other sheet"]}).to_excel(book, sheet_name="Info", index=False)
        pd.DataFrame({"unit": ["a"], "year": [2015], "y": [1.0]}).to_excel(book, sheet_name="Tal", index=False)
    said = wrong(run, "book.xlsx")
    assert "sheet 'Info' was read, and the workbook also has 'Tal'; sheet = \"...\" chooses one" in said
    assert "is not an Excel workbook" in wrong(run, small(tmp_path), data='sheet = "Tal"')


@pytest.mark.parametrize("delimiter", [";;", "", "æ", "\\n", "\\u0000"])
def test_a_delimiter_is_one_character(run: Callable[..., Prepared], tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(SpecError, match="delimiter must be one character") as caught:
        run(small(tmp_path), data=f'delimiter = "{delimiter}"')
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("encoding", ["rot13", "klingon", "a\\u0000b"])
def test_what_is_no_encoding(run: Callable[..., Prepared], tmp_path: Path, encoding: str) -> None:
    assert "encoding" in wrong(run, small(tmp_path), data=f'encoding = "{encoding}"')
