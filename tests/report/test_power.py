"""The smallest effect that is found: said before the answer, explained beside the placebos, drawn and tabled."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from evaluation.report.csvs import csv_files
from evaluation.report.figures import FIGURES, PLAIN, WIDE
from evaluation.report.page import render
from evaluation.report.power import before_sentence, power_sentences
from evaluation.report.words import load
from evaluation.result import Published, Result
from tests.report.fixtures import hjorring, power
from tests.report.reading import spaced

EN, DA = load("en"), load("da")


def with_power(share: float | None = None, **changes: Any) -> Result:
    result = hjorring()
    details = {**result.headline.details, "power": power(1.7, share)}
    return replace(result, headline=replace(result.headline, details=details), **changes)


def claimed(low: float, high: float, unit: str = "percentage points") -> Result:
    told = Published(low, high, {"en": unit, "da": unit}, {"en": "the thesis", "da": "afhandlingen"}, {})
    design = replace(hjorring().design, outcome_unit={"en": "percentage points", "da": "percentage points"})
    return with_power(published=(told,), design=design)


def test_what_is_said_before_the_answer() -> None:
    assert spaced(before_sentence(hjorring(), EN) or "") == (
        "Before the answer: 8 times in 10 this comparison would find an effect of 1.70 percentage points; smaller ones less often."
    )
    assert spaced(before_sentence(hjorring(), DA) or "") == (
        "Før svaret: I 8 ud af 10 tilfælde ville sammenligningen finde en effekt på 1,70 procentpoint; mindre effekter sjældnere."
    )


@pytest.mark.parametrize("language", ["en", "da"])
def test_it_stands_above_the_answer_on_the_page(language: str) -> None:
    page = render(hjorring(), language)
    said = before_sentence(hjorring(), load(language))
    assert said is not None
    assert page.index(said) < page.index('class="headline"') < page.index('class="effect"')


def test_nothing_is_promised_where_nothing_is_known() -> None:
    for verdict in (replace(hjorring().verdict, detectable=None), replace(hjorring().verdict, detectable=0.0)):
        silent = replace(hjorring(), verdict=verdict)
        assert before_sentence(silent, EN) is None
        assert power_sentences(silent, EN) == []
        assert FIGURES["power_curve"].values(silent, EN) is None


def test_how_large_an_effect_must_be() -> None:
    (said,) = power_sentences(hjorring(), EN)
    assert spaced(said) == (
        "How large must an effect be? One of 1.70 percentage points is found 8 times in 10 with this comparison, and one half as large in 24 % of cases."
    )


@pytest.mark.parametrize(
    ("share", "sentence"),
    [
        (
            0.36,
            "Of the uncertainty about Hjørring, roughly 36 % comes from the number of persons. With ever so many persons, the smallest effect found 8 times in 10 would still be about 1.36 percentage points.",
        ),
        (
            0.001,
            "Hardly any of the uncertainty about Hjørring comes from the number of persons, so more persons would not help.",
        ),
    ],
)
def test_what_more_persons_would_change(share: float, sentence: str) -> None:
    assert spaced(power_sentences(with_power(share), EN)[1]) == sentence


@pytest.mark.parametrize(
    ("low", "high", "ending"),
    [
        (0.5, 1.0, "is smaller: this comparison would probably have missed it."),
        (-1.0, -0.5, "is smaller: this comparison would probably have missed it."),
        (1.7, 3.0, "is at least that large: this comparison would probably have found it."),
        (-3.0, -1.8, "is at least that large: this comparison would probably have found it."),
        (1.0, 3.0, "only the upper part is that large."),
        (-3.0, 2.0, "only the upper part is that large."),
    ],
)
def test_a_published_effect_is_held_against_the_smallest(low: float, high: float, ending: str) -> None:
    said = power_sentences(claimed(low, high), EN)
    assert len(said) == 2
    assert spaced(said[1]).endswith(ending)
    assert "the thesis" in said[1]


def test_a_published_effect_in_another_unit_is_not() -> None:
    assert len(power_sentences(claimed(1.0, 2.0, "kroner"), EN)) == 1


def test_the_curve_and_its_table_and_file_are_the_numbers_of_the_result() -> None:
    figure, result = FIGURES["power_curve"], hjorring()
    found = figure.values(result, EN)
    told: Any = result.headline.details["power"]
    spec = figure.draw(found, EN, PLAIN, WIDE)
    line = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "line")
    assert [row["x"] for row in line["data"]["values"]] == told["curve"]["effects"]
    assert [row["y"] for row in line["data"]["values"]] == told["curve"]["power"]
    assert line["encoding"]["y"]["scale"]["domain"] == [0.0, 1.0]
    mark = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "point")
    assert mark["data"]["values"][0]["x"] == told["mde"]
    table = figure.table(found, result, EN)
    assert table is not None
    assert table.rows[0] == ("0.00", "5\N{NO-BREAK SPACE}%")
    assert table.rows[5][0] == "1.70"
    rows = list(csv.DictReader(io.StringIO(csv_files(result)["power.csv"])))
    assert [float(row["effect"]) for row in rows] == pytest.approx(told["curve"]["effects"])
    assert [float(row["power"]) for row in rows] == pytest.approx(told["curve"]["power"])


def test_the_share_of_persons_is_told_with_what_it_may_be() -> None:
    result = with_power(0.36)
    told: Any = result.headline.details["power"]
    details = {**result.headline.details, "power": {**told, "share_persons_low": 0.1, "share_persons_high": 0.62}}
    said = power_sentences(replace(result, headline=replace(result.headline, details=details)), DA)[1]
    assert spaced(said).startswith(
        "Af usikkerheden om Hjørring skyldes omtrent 36 pct. (mellem 10 pct. og 62 pct.) antallet af personer."
    )
