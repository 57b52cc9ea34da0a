"""Secondary outcomes and groups on the page: which outcome was declared, what stands out with all counted, and what failed."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from evaluation.report import secondary
from evaluation.report.csvs import csv_files, is_table
from evaluation.report.figures import FIGURES, PLAIN, WIDE
from evaluation.report.page import render
from evaluation.report.words import load
from evaluation.result import Note, Result
from tests.report.fixtures import california, register
from tests.report.reading import read

EN, DA = load("en"), load("da")


def plain(text: str) -> str:
    """With ordinary spaces, as one would type it."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def section(result: Result, language: str) -> str:
    page = render(result, language)
    return page.partition('<section id="secondary"')[2].partition("</section>")[0]


def test_a_page_without_secondary_results_has_no_such_section() -> None:
    assert 'id="secondary"' not in render(california(), "en")
    assert "secondary.csv" not in csv_files(california())


def test_the_primary_outcome_is_named_as_the_declared_one_with_its_date() -> None:
    first, second = secondary.intro(register(), EN)
    assert "declared on 22 November 2026: annual working hours per person." in first
    assert "does not replace it" in second
    assert "den 22. november 2026" in secondary.intro(register(), DA)[0]
    undated = replace(register(), primary=None)
    assert secondary.intro(undated, EN)[0].startswith("The primary outcome is the one that the specification declares:")


def test_how_many_were_looked_at_is_said_with_what_it_does() -> None:
    said = plain(" ".join(secondary.many(register(), EN)))
    assert "with 4 tests at 5 %, in up to 20 % of cases" in said
    assert "The same municipalities stand in for Hjørring" in said
    assert "(Holm)" in said
    alone = replace(register(), secondary=register().secondary[:1])
    assert secondary.many(alone, EN) == []


def test_what_stands_out_is_what_stays_below_the_level_after_the_adjustment() -> None:
    assert [secondary.stands_out(one) for one in register().secondary] == [True, False, True, False, False]
    said = [plain(sentence) for sentence in secondary.findings(register(), EN)]
    assert said[0] == "Below 5 % after the adjustment: the share with any working hours and the share in education."
    assert said[1] == "The other way than was hoped for: the share in education."
    assert "was not tested" in said[2]
    assert "Adjusted over all 6 tests, it would be 0.05." in said[3]
    none = replace(register(), secondary=register().secondary[3:])
    assert plain(secondary.findings(none, EN)[0]) == "After the adjustment, none of the secondary results is below 5 %."


def test_the_table_has_every_result_in_its_own_unit() -> None:
    found = secondary.results_table(register(), EN)
    assert found is not None
    assert [row[1] for row in found.rows] == ["primary outcome", "outcome", "outcome", "outcome", "group", "group"]
    assert found.rows[1][2:] == ("6.4 percentage points", "from 3.6 to 9.2", "0.03", "0.05", "0.05")
    assert found.rows[4][2] == "29.0 hours a year"
    assert found.rows[0][5] == "declared"
    assert found.rows[5][3:] == ("not available",) * 4


def test_the_figure_divides_each_effect_by_its_own_standard_error() -> None:
    figure = FIGURES["secondary_forest"]
    values = figure.values(register(), EN)
    assert [row.line.effect for row in values] == pytest.approx(
        [register().headline.effect / register().headline.std_error, 6.4 / 1.4, -1.4 / 1.1, -3.1 / 0.9, 29.0 / 13.0]  # type: ignore[operator]
    )
    assert [row.line.bold for row in values] == [True, False, False, False, False]
    spec = figure.draw(values, EN, PLAIN, WIDE)
    written = [
        row["text"] for layer in spec["layer"] for row in layer["data"]["values"] if isinstance(row.get("text"), str)
    ]
    assert {"p = 0.05", "p = 0.23", "p = 0.10"} <= {plain(text) for text in written}
    told = figure.text(values, register(), EN)
    assert told.title == "Standing out once their number is allowed for: 2 of 5 further results"
    assert "6.4 percentage points, 4.6 standard errors, adjusted p = 0.05" in plain(told.description)


@pytest.mark.parametrize("language", ["da", "en"])
def test_the_section_holds_sentences_table_figure_and_what_failed(language: str) -> None:
    words, html = load(language), section(register(), language)
    assert words("section.secondary") in html
    assert html.count("<table>") == 2
    assert 'id="secondary_forest"' in html
    assert 'class="failure"' in html
    assert {"da": "mænd under 25 år", "en": "men under 25"}[language] in html
    if language == "da":
        shown = read(html).text(frozenset({"svg", "title", "desc"}))
        assert not any(english in shown for english in ("women", "percentage points", "outcome", "group", "adjusted"))


def test_remarks_that_are_not_the_headlines_too_stand_with_their_names() -> None:
    made = register()
    fewer = Note("secondary_fewer_units", "2 of 40", {"count": 2, "of": 40})
    shared = Note("placebos_failed", "1 placebo", {"count": 1})
    some = [replace(one, estimate=replace(one.estimate, notes=(fewer, shared))) for one in made.secondary[:2]]
    result = replace(made, secondary=tuple(some), headline=replace(made.headline, notes=(shared,)))
    told = secondary.notes(result, EN)
    assert [names for names, _ in told] == ["The share with any working hours and the share on public support"]
    assert "2 of the 40 municipalities" in told[0][1]
    assert "2 of the 40 municipalities" in section(result, "en")
    other = replace(some[0], estimate=replace(some[0].estimate, inference="ferman_pinto", notes=()))
    assert secondary.notes(replace(result, secondary=(other,)), EN) == [
        ("The share with any working hours", EN("secondary.inference", inference=EN("inference.ferman_pinto.name")))
    ]


def test_without_p_values_nothing_is_said_of_them() -> None:
    bare = [replace(one, p_adjusted=None, p_adjusted_all=None) for one in register().secondary]
    result = replace(register(), secondary=tuple(bare))
    assert secondary.many(result, EN) == []
    assert secondary.findings(result, EN) == []


def test_what_failed_is_shown_where_nothing_else_is_left() -> None:
    html = section(replace(register(), secondary=(), primary=None), "en")
    assert "men under 25" in html
    assert "<table>" not in html


def test_the_file_has_every_number_and_the_primary_outcome_first() -> None:
    files = csv_files(register())
    assert is_table("secondary.csv")
    rows = list(csv.DictReader(io.StringIO(files["secondary.csv"])))
    assert [row["kind"] for row in rows] == ["primary", "outcome", "outcome", "outcome", "group", "group"]
    assert float(rows[0]["effect"]) == pytest.approx(register().headline.effect, rel=1e-9)  # written with ten digits
    assert (rows[1]["unit"], rows[1]["p_adjusted"], rows[1]["n_family"], rows[1]["adjusted_by"]) == (
        "percentage points",
        "0.05",
        "3",
        "romano_wolf",
    )
    assert rows[5]["p_value"] == ""


def test_a_date_that_is_none_stays_as_it_is() -> None:
    assert secondary.date("2026-11-02", EN) == "2 November 2026"
    assert secondary.date("2026-13-02", EN) == "2026-13-02"
    assert secondary.date("before Easter", DA) == "before Easter"
