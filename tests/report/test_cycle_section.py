"""The section on the business cycle: what was taken out, which ways are to be believed, and what the programme may have moved."""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import replace

import pytest

from evaluation.report import cycle
from evaluation.report.csvs import csv_files
from evaluation.report.figures import FIGURES
from evaluation.report.words import load
from evaluation.result import LadderRung, Note, Result
from tests.report.cycled import cycled
from tests.report.fixtures import hjorring
from tests.report.reading import spaced


def said(lines: list[str]) -> list[str]:
    return [spaced(line) for line in lines]


def rows(name: str, result: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_files(result)[name])))


def test_the_change_is_told_before_the_effect() -> None:
    assert said(cycle.change_sentences(cycled(), load("en"))) == [
        "From 2008–2014 to 2015–2018, the employment rate (ages 16-64) in Hjørring changed by 0.63 percentage points on "
        "average. Where there was no programme, the change was 0.86 percentage points."
    ]


def test_what_a_headline_without_adjustment_leaves_in_is_told() -> None:
    result = replace(cycled(), cycle=replace(cycled().cycle, adjust="none"))
    assert said(cycle.change_sentences(result, load("da")))[1:] == [
        "Det, der ellers kan måles, udgør −0,33 procentpoint. Hovedresultatet sammenligner kun og lader det stå."
    ]


def test_what_an_adjusted_headline_takes_out_is_told_with_its_interval() -> None:
    own = replace(cycled().cycle.ladder[3], headline=True)
    result = replace(cycled(), cycle=replace(cycled().cycle, ladder=(own,)))
    assert said(cycle.change_sentences(result, load("da")))[1] == (
        "Derudover renser hovedresultatet −0,06 procentpoint (fra −0,49 til 0,36) ud af effekten."
    )


def test_the_ladder_in_words() -> None:
    assert said(cycle.ladder_sentences(cycled(), load("en"))) == [
        "4 ways of taking the business cycle out have a valid interval. Their effects run from −0.23 to 0.31 percentage points.",
        "All lie inside the interval of the headline.",
        "For data like these, a rule written down beforehand recommends this way: local labour demand removed (its own series). "
        "It gives 0.31 percentage points (from −0.90 to 1.50).",
        "The comparison with others alone gives −0.23 percentage points; the difference is −0.54 percentage points (from −1.10 "
        "to 0.02).",
    ]


def test_a_recommended_way_that_could_not_be_computed_is_not_passed_over() -> None:
    ladder = tuple(replace(rung, recommended=rung.adjust == "region_time") for rung in cycled().cycle.ladder)
    result = replace(cycled(), cycle=replace(cycled().cycle, ladder=ladder))
    assert cycle.ladder_sentences(result, load("da"))[-1].endswith(
        "Den kunne ikke beregnes: data oplyser ikke, hvilken region hver især ligger i."
    )


def test_the_bad_control_in_words() -> None:
    assert said(cycle.bad_control_sentences(cycled(), load("en"))) == [
        "The headline is adjusted by a series of Hjørring itself: unemployment in the municipality.",
        "If the programme moved that series, the adjustment takes part of the effect away with it.",
        "When the series moves by one and the nation stands still, the outcome moves by −0.39 percentage points (standard error "
        "0.15).",
        "The effect is 0.31 percentage points with its own series and 0.11 percentage points with the neighbours' series. The "
        "difference between the largest and the smallest, 0.20 percentage points, is the size of the problem.",
        "For all that was taken out to be the programme's own doing, it must have moved the series by 1.38; for half of it, by "
        "0.69. In all, the series in Hjørring moved 0.90 beyond the others'.",
    ]


def test_without_an_account_of_the_cycle_nothing_is_added() -> None:
    plain = cycle.section(hjorring(), load("en"))
    assert len(plain.intro) == 3
    assert (plain.ladder, plain.bad_control, plain.coefficients) == ([], [], None)


@pytest.mark.parametrize("language", ["da", "en"])
def test_every_rung_stands_in_the_table_and_what_is_not_computed_says_why(language: str) -> None:
    figure, words = FIGURES["ladder"], load(language)
    values = figure.values(cycled(), words)
    table = figure.table(values, cycled(), words)
    assert table is not None
    assert len(table.rows) == len(cycled().cycle.ladder)
    assert len(values) == sum(rung.effect is not None for rung in cycled().cycle.ladder)
    for row, rung in zip(table.rows, cycled().cycle.ladder, strict=True):
        assert len(row) == len(table.head)
        if rung.status != "valid":
            assert words(f"reason.{rung.reason}") in row[-1]
            assert row[-1] == cycle.rung_state(rung, words)


def test_what_is_not_to_be_believed_is_marked_by_shape_and_by_words() -> None:
    """No information by colour alone."""
    lines = FIGURES["ladder"].values(cycled(), load("en"))
    assert [line.quiet for line in lines] == [True, False, False, False, False, True]
    assert all(line.name.endswith("for comparison only") == line.quiet for line in lines)
    assert [line.bold for line in lines] == [False, True, False, False, False, False]


def test_the_bars_of_the_waterfall_join_and_end_at_the_observed_change() -> None:
    steps = FIGURES["waterfall"].values(cycled(), load("en"))
    *parts, total = steps
    for upper, lower in itertools.pairwise(parts):
        assert lower.start == upper.end
    assert (total.start, total.kind, parts[-1].kind) == (0.0, "total", "programme")
    # the running sum in order may differ from the exact one in its last bits
    assert parts[-1].end == pytest.approx(total.end, abs=1e-12)


def test_the_coefficients_shown_are_those_of_the_treated_and_in_words() -> None:
    table = cycle.section(cycled(), load("da")).coefficients
    assert table is not None
    assert [row[:2] for row in table.rows] == [
        ("Serie", ""), ("Hvis serie", ""), ("Hældning på egen bevægelse", ""), ("Dens standardfejl", ""),
        ("Celler i regressionen", ""), ("Følsomhed over for konjunkturen", "Hjørring"),
    ]  # fmt: skip
    assert table.rows[0][2] == "ledigheden i kommunen"
    assert table.rows[1][2] == "egen serie"


def test_numbered_coefficients_have_words_too() -> None:
    terms = {
        "share_1": 0.45,
        "loading_2": {"Hjørring": 1.1},
        "loading_jobs": {"Hjørring": 0.2},
        "loading_outcome": {"Hjørring": 0.9},
    }
    table = cycle.section(replace(cycled(), cycle=replace(cycled().cycle, terms=terms)), load("en")).coefficients
    assert table is not None
    assert [row[0] for row in table.rows] == [
        "Share of the movement, factor 1", "Own loading: 2", "Own loading: unemployment in the municipality",
        "Own loading: the outcome",
    ]  # fmt: skip


def test_the_files_hold_all_of_it() -> None:
    result = cycled()
    ladder = rows("cycle_ladder.csv", result)
    assert [(row["adjust"], row["variant"]) for row in ladder] == [
        (rung.adjust, rung.variant) for rung in result.cycle.ladder
    ]
    assert [row["headline"] for row in ladder] == ["0", "1", "0", "0", "0", "0", "0", "0", "0"]
    assert ladder[2]["reason"] == "no_regions"
    assert ladder[4]["removed_upper"] == "0.02"
    parts = rows("cycle_waterfall.csv", result)
    assert next(row["name"] for row in parts) == "raw_change"
    assert len(parts) == len(result.cycle.waterfall)
    terms = rows("cycle_coefficients.csv", result)
    assert {"term": "beta", "unit": "Hjørring", "value": "1.21"} in terms
    assert {"term": "slopes", "unit": "", "value": "local, national"} in terms
    assert rows("cycle_series.csv", result)[0]["label"] == "unemployment in the municipality"


def test_a_rung_with_few_controls_says_what_its_test_can_say_at_most() -> None:
    note = Note("smallest_p", "", {"count": 20, "smallest_p": 1 / 21})
    rung = LadderRung("matched_controls", 0.1, -1.0, 1.2, 0.6, 0.0, notes=(note,))
    assert cycle.rung_state(rung, load("da")) == "Med 20 at sammenligne med kan p ikke komme under 0,048."
