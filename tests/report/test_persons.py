"""What the page says and draws of persons: every number is the Result's, and what may not be shown is said so."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation.report import persons
from evaluation.report.csvs import csv_files
from evaluation.report.figures import FIGURES, NARROW, PLAIN, WIDE
from evaluation.report.page import render
from evaluation.report.words import load
from evaluation.result import BalanceRow, FlowStep, Population, Published, Result
from tests.report.fixtures import hjorring, register
from tests.report.reading import Node, read, spaced

DANISH, ENGLISH = load("da"), load("en")


def people(result: Result) -> Population:
    assert result.population is not None
    return result.population


def drawn(key: str, result: Result, width: int = WIDE) -> list[dict[str, Any]]:
    figure = FIGURES[key]
    layers: list[dict[str, Any]] = figure.draw(figure.values(result, DANISH), DANISH, PLAIN, width)["layer"]
    return layers


def texts(key: str, result: Result) -> str:
    figure = FIGURES[key]
    told = figure.text(figure.values(result, ENGLISH), result, ENGLISH)
    return " ".join((told.title, told.subtitle, told.how, told.description))


def rows_of(result: Result, language: str, section: str) -> list[list[str]]:
    found = next(node for node in read(render(result, language)).all("section") if node.attributes["id"] == section)
    return [[cell.text() for cell in row.children if isinstance(cell, Node)] for row in found.all("tr")]


@pytest.mark.parametrize(
    ("covariate", "band", "danish", "english"),
    [
        ("age", "18-24", "Alder: 18–24 år", "Age: 18–24 years"),
        ("age", "60+", "Alder: 60 år og derover", "Age: 60 years or more"),
        ("age", "", "Alder: gennemsnit", "Age: mean"),
        (
            "hours_before",
            "0",
            "Arbejdstimer i året op til udgangspunktet: 0 timer",
            "Working hours in the year up to the baseline: 0 hours",
        ),
        ("benefit_years", "6-7", "År på offentlig forsørgelse: 6–7 år", "Years on public support: 6–7 years"),
        ("origin", "non_western", "Oprindelse: ikke-vestlig", "Origin: non-western"),
        ("education", "unknown", "Uddannelse: ukendt", "Education: unknown"),
        ("new_trait", "some_band", "New trait: some band", "New trait: some band"),
    ],
)
def test_bands_in_words(covariate: str, band: str, danish: str, english: str) -> None:
    row = BalanceRow(covariate, band, 0.1, 0.1, 0.1, 0.0, 0.0)
    assert (persons.full_name(row, DANISH), persons.full_name(row, ENGLISH)) == (danish, english)


def test_words_for_everything_the_registers_count() -> None:
    """A code without words would stand in English on a Danish page."""
    cells, outcomes = (pytest.importorskip(f"evaluation.register.{name}") for name in ("cells", "outcomes"))
    files = (Path(persons.__file__).parents[1] / "register").glob("*.py")
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    counted = re.findall(r"\"((?:population|hours|benefit)_(?:rows|weeks)_[a-z_]+)\"", source)
    keys = [f"state.{name}" for name in cells.EXITS]
    keys += [f"counter.{name}" for name in (*outcomes.COUNTERS, "years_over", "capped", *counted)]
    keys += [
        f"persons.step.{step}" for step in ("benefit", "resident", "age", "readiness", "where", "stayed", "observed")
    ]
    keys += [f"weighting.{method}" for method in ("none", "entropy", "propensity", "nearest")]
    keys += [f"covariate.{name}" for name in ("age", "sex", "origin", "education", "benefit_years", "hours_before")]
    assert counted
    assert [key for key in keys if key not in ENGLISH] == []


def test_the_baseline_is_read_however_it_is_written() -> None:
    for written in ("2014M12", "2014-12"):
        assert persons.baseline(replace(people(register()), baseline=written), DANISH) == "december 2014"


def test_a_stock_is_not_followed() -> None:
    stock = replace(register(), population=replace(people(register()), design="stock"))
    said = persons.who_sentences(stock, ENGLISH)
    assert said[0] == "The group is formed anew at the end of every year, so its members change."
    assert not any("followed" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("off", "english"),
    [
        (0, "Every person in Hjørring has at least one with the same traits among the others."),
        (7, "Persons in Hjørring whose combination of traits nobody among the others has: 7. They count all the same."),
    ],
)
def test_persons_without_their_like_are_counted(off: int, english: str) -> None:
    result = replace(register(), population=replace(people(register()), off_support=off))
    assert persons.balance_sentences(result, ENGLISH)[-1] == english


def test_a_number_of_persons_that_may_not_be_shown_is_not_said() -> None:
    result = replace(register(), population=replace(people(register()), off_support=None))
    assert not any("traits" in sentence for sentence in persons.balance_sentences(result, ENGLISH)[1:])


def test_counters_are_said_unless_nothing_was_counted() -> None:
    lines = persons.counter_lines(register(), ENGLISH)
    assert "Rows that occurred twice, counted once: 11,870" in lines
    assert "Rows with impossible hours, left out: not shown" in lines
    assert not any("Weekly codes" in line for line in lines)
    counters: dict[str, int | None] = {"benefit_weeks_looked_at": 900, "benefit_weeks_unknown_code": 8, "rows": 70}
    result = replace(register(), population=replace(people(register()), counters=counters))
    assert persons.counter_lines(result, ENGLISH) == [
        "Rows in all: 70",
        "Weekly codes that were looked through: 900",
        "Weekly codes that are not known: 8",
    ]


def test_the_flow_is_bars_from_zero_and_what_each_step_took() -> None:
    layers = drawn("flow", register())
    bars = [row for each in layers if each["mark"]["type"] == "rect" for row in each["data"]["values"]]
    assert sorted((row["x"] for row in bars), reverse=True) == [step.rows for step in register().flow]
    assert {row["zero"] for row in bars} == {0.0}
    written = [row["text"] for each in layers if each["mark"]["type"] == "text" for row in each["data"]["values"]]
    assert "\N{MINUS SIGN}51.090" in written
    assert "\N{MINUS SIGN}1.124" not in written, "who died or left was not sorted out"


def test_a_step_that_may_not_be_shown_has_no_bar_and_says_so() -> None:
    flow = tuple(replace(step, rows=None) if step.step == "age" else step for step in register().flow)
    result = replace(register(), flow=flow)
    bars = [row for each in drawn("flow", result) if each["mark"]["type"] == "rect" for row in each["data"]["values"]]
    assert len(bars) == 4
    assert "Of the age that is followed: not shown." in texts("flow", result)
    table = {row[0]: row[1:] for row in rows_of(result, "en", "persons")}
    assert table["Of the age that is followed"] == ["not shown", "", "98"]
    assert table["In the referral category that is followed"] == ["15,120", "54,754", "98"]


def test_a_flow_of_person_years_says_so_and_rows_of_jobs_are_not_drawn() -> None:
    steps = tuple(replace(step, facts={"of": "person-years"}) for step in register().flow)
    result = replace(register(), flow=(FlowStep("jobs", 9_000_000, 98, {"of": "jobs"}), *steps))
    assert "15,120 of 70,210 person-years are left" in texts("flow", result)
    assert (
        max(
            row["x"]
            for each in drawn("flow", result)
            if each["mark"]["type"] == "rect"
            for row in each["data"]["values"]
        )
        == 70210
    )


def test_a_panel_keeps_its_table_of_steps() -> None:
    assert FIGURES["flow"].values(hjorring(), DANISH) is None
    html = render(hjorring(), "da")
    assert "Fra filen til sammenligningen" in html
    assert 'id="persons"' not in html


def test_differences_before_are_hollow_and_after_filled() -> None:
    circles = [each for each in drawn("love_plot", register()) if each["mark"]["type"] == "circle"]
    assert [each["mark"]["fill"] for each in circles] == [PLAIN.paper, PLAIN.main]
    shown = [row for row in people(register()).balance if row.difference_before is not None]
    assert [row["x2"] for row in circles[0]["data"]["values"]] == [row.difference_before for row in shown]
    assert [row["x"] for row in circles[1]["data"]["values"]] == [row.difference_after for row in shown]
    assert circles[0]["encoding"]["x"]["field"] == "x2"


def test_the_limits_of_the_clearinghouse_are_drawn() -> None:
    layers = drawn("love_plot", register(), NARROW)
    dashed = next(each for each in layers if "strokeDash" in each["mark"])
    assert {row["x"] for row in dashed["data"]["values"]} == {-0.25, 0.25}
    near = next(each for each in layers if each["mark"]["type"] == "rect")
    assert {(row["x"], row["x2"]) for row in near["data"]["values"]} == {(-0.05, 0.05)}


@pytest.mark.parametrize(
    ("after", "title"),
    [
        (0.05, "After weighting, the persons are alike in every trait measured"),
        (-0.2, "After weighting, small differences are left"),
        (0.26, "After weighting, large differences are left"),
    ],
)
def test_the_title_tells_how_alike_they_are(after: float, title: str) -> None:
    rows = (BalanceRow("sex", "man", 0.5, 0.4, 0.5, 0.2, after), BalanceRow("sex", "woman", 0.5, 0.6, 0.5, -0.2, -0.01))
    result = replace(register(), population=replace(people(register()), balance=rows))
    assert texts("love_plot", result).startswith(title)


def test_without_weights_there_is_one_dot_a_row() -> None:
    result = replace(register(), population=replace(people(register()), method="none"))
    assert sum(each["mark"]["type"] == "circle" for each in drawn("love_plot", result)) == 1
    assert "weighting" not in texts("love_plot", result)


def test_hidden_bands_stand_in_the_table_and_are_told_of() -> None:
    table = {row[0]: row[1:] for row in rows_of(register(), "en", "weights")}
    assert table["Years on public support: 2–3 years"] == ["not shown"] * 5
    assert [spaced(cell) for cell in table["Sex: women"]] == ["50.2 %", "48.1 %", "50.4 %", "0.04", "0.00"]
    assert table["Age: mean"][:3] == ["43.1", "41.2", "43.1"]
    assert "would give such a number back, are not shown" in texts("love_plot", register())


def test_a_published_range_is_a_band_behind_the_rows_and_named_as_not_ours() -> None:
    layers = drawn("forest", register())
    assert layers[0]["mark"]["type"] == "rect"
    assert layers[0]["data"]["values"] == [{"x": 39.0, "x2": 51.0}]
    assert "stroke" not in drawn("forest", register(), NARROW)[0]["mark"], (
        "no edge runs through the names above the rows"
    )
    assert layers[1]["data"]["values"] == [{"text": "offentliggjort, ikke vores: 39 til 51"}]
    assert "Published, not ours: 39 to 51." in texts("forest", register())
    assert ["Published, not ours", "the PhD thesis (2019)", "", "39", "51", "", "", ""] in rows_of(
        register(), "en", "methods"
    )
    assert persons.published_sentences(register(), ENGLISH) == [
        "Published, not ours: 39 to 51 hours a year, according to the PhD thesis (2019). Source: Arbejderen, 8 July 2019."
    ]


def test_a_published_range_in_another_unit_is_said_but_not_drawn() -> None:
    other = Published(0.5, 1.5, {"en": "per cent"}, {"en": "A study"}, {})
    result = replace(register(), published=(other,))
    assert all(each["mark"]["type"] != "rect" for each in drawn("forest", result))
    assert "grey" not in texts("forest", result)
    assert persons.published_sentences(result, ENGLISH) == [
        "Published, not ours: 0.5 to 1.5 per cent, according to A study."
    ]


def test_several_published_ranges_have_labels_of_their_own_height() -> None:
    twice = (*register().published, replace(register().published[0], low=5.0, high=9.0))
    layers = drawn("forest", replace(register(), published=twice))
    heights = [each["encoding"]["y"]["value"] for each in layers if each["mark"].get("baseline") == "bottom"]
    assert len(set(heights)) == 2


def test_exits_and_imputed_rows_are_shares_of_what_is_shown() -> None:
    table = {row[0]: [spaced(cell) for cell in row[1:]] for row in rows_of(register(), "en", "persons")}
    assert table["Dead"] == ["29 (5.5 %)", "833 (6.0 %)"]
    assert table["Treated"] == ["4.1 %", "5.1 %"]
    hidden = replace(people(register()), exits={"dead": {"treated": [None], "controls": [833]}}, periods=("2018",))
    found = persons.exits_table(replace(register(), population=hidden), ENGLISH)
    assert found is not None
    assert found.rows == (("Dead", "not shown", "833 (6.0 %)"),)


def test_hours_are_the_share_with_hours_times_their_hours() -> None:
    treated, others = persons.margins_tables(register(), ENGLISH)
    assert [treated.caption, others.caption] == ["Treated", "The others"]
    assert [spaced(cell) for cell in treated.rows[-1]] == ["2018", "18 %", "430.0", "77.4"]


def test_everything_is_in_the_files() -> None:
    files = csv_files(register())
    balance = list(csv.DictReader(io.StringIO(files["balance.csv"])))
    assert len(balance) == len(people(register()).balance)
    assert {row["treated"] for row in balance if row["band"] in {"2-3", "4-5"}} == {""}
    long = list(csv.DictReader(io.StringIO(files["persons.csv"])))
    assert {"kind": "counter", "name": "duplicates", "part": "", "period": "", "value": "11870"} in long
    assert {"kind": "exit", "name": "dead", "part": "treated", "period": "2018", "value": "29"} in long
    assert {"kind": "imputed_rows", "name": "treated", "part": "before", "period": "", "value": "1210"} in long
    assert next(csv.DictReader(io.StringIO(files["published.csv"])))["high"] == "51"
