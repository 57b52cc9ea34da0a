"""Periods looked at together, and placebos drawn by region: what the page says of them, word for word."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from evaluation.report import remarks, sentences
from evaluation.report.csvs import csv_files
from evaluation.report.figures import FIGURES
from evaluation.report.figures.base import PLAIN
from evaluation.report.together import together, together_sentences
from evaluation.report.words import load
from evaluation.result import Note, Result, Value, from_json, to_json
from tests.report.fixtures import hjorring
from tests.report.reading import spaced

WINDOW = ("2015", "2016", "2017", "2018")


def looked_at(alone: list[float], adjusted: list[float], **changes: Any) -> Result:
    """The Danish case with these p-values for the four years of its window, one by one and together."""
    result = hjorring()
    of = dict(zip(WINDOW, zip(alone, adjusted, strict=True), strict=True))
    path = tuple(
        replace(one, p_value=of[one.period][0], p_adjusted=of[one.period][1]) if one.period in of else one
        for one in result.headline.path
    )
    placebo = dict(facts_of(result))
    placebo["joint"] = {
        "p_value": min(adjusted), "statistic": "largest", "periods": list(WINDOW), "event_times": [0, 1, 2, 3],
        "band": {"lower": [-3.0, -3.1, -3.2, -3.3], "upper": [3.0, 3.1, 3.2, 3.3]},
    }  # fmt: skip
    details = {**result.headline.details, "placebo": placebo}
    return replace(result, headline=replace(result.headline, path=path, details=details, **changes))


def facts_of(result: Result) -> dict[str, Value]:
    found = result.headline.details["placebo"]
    assert isinstance(found, dict)
    return found


def told(result: Result, language: str) -> str:
    return spaced(" ".join(together_sentences(result, load(language))))


JOINT = {
    "en": "Had the programme changed nothing in 2015–2018, a deviation as large as the largest of its 4 periods would come in {} of cases.",
    "da": "Havde indsatsen intet ændret i 2015–2018, ville en afvigelse så stor som den største af de 4 perioder vise sig i {} af gangene.",
}


@pytest.mark.parametrize(
    ("alone", "adjusted", "english", "danish"),
    [
        (
            [0.2, 0.5, 0.5, 0.6], [0.43, 0.7, 0.7, 0.7],
            ["43 %", "Looked at together, no single period stands out from chance."],
            ["43 pct.", "Set under ét skiller ingen enkelt periode sig ud fra tilfældet."],
        ),
        (
            [0.04, 0.5, 0.5, 0.6], [0.12, 0.7, 0.7, 0.7],
            ["12 %", "Looked at together, no single period stands out from chance. "
             "Looked at one by one, one would. But among 4 periods, chance easily makes one stand out."],
            ["12 pct.", "Set under ét skiller ingen enkelt periode sig ud fra tilfældet. "
             "Set hver for sig ville én gøre det. Men blandt 4 perioder får tilfældet let én til at skille sig ud."],
        ),
        (
            [0.01, 0.02, 0.04, 0.6], [0.02, 0.06, 0.09, 0.7],
            ["2 %", "Looked at together, only 2015 stands out from chance. "
             "Looked at one by one, 3 would. But among 4 periods, chance easily makes some stand out."],
            ["2 pct.", "Set under ét skiller kun 2015 sig ud fra tilfældet. "
             "Set hver for sig ville 3 gøre det. Men blandt 4 perioder får tilfældet let nogle til at skille sig ud."],
        ),
        (
            [0.01, 0.6, 0.01, 0.01], [0.02, 0.7, 0.02, 0.02],
            ["2 %", "Looked at together, 2015, 2017 and 2018 stand out from chance."],
            ["2 pct.", "Set under ét skiller 2015, 2017 og 2018 sig ud fra tilfældet."],
        ),
        (
            [0.01, 0.01, 0.01, 0.01], [0.02, 0.02, 0.02, 0.02],
            ["2 %", "Looked at together, every one of the 4 periods stands out from chance."],
            ["2 pct.", "Set under ét skiller alle 4 perioder sig ud fra tilfældet."],
        ),
    ],
)  # fmt: skip
def test_which_years_remain_when_all_are_looked_at(alone, adjusted, english, danish) -> None:
    result = looked_at(alone, adjusted)
    for language, (share, rest) in (("en", english), ("da", danish)):
        assert told(result, language) == f"{JOINT[language].format(share)} {rest}"
    title = FIGURES["event_study"]
    values = title.values(result, load("en"))
    clear = sum(p <= 0.05 for p in adjusted)
    told_title = spaced(title.text(values, result, load("en")).title)
    assert told_title == (
        f"After the start, {clear} of 4 periods stand out from zero"
        if clear
        else "After the start, no single period stands out from zero"
    )


def test_nothing_is_said_where_nothing_was_tested_or_the_interval_may_not_be_believed() -> None:
    assert together_sentences(hjorring(), load("en")) == []
    mixed = looked_at([0.5] * 4, [0.6] * 4, notes=(Note("staggered_twfe", "", {}),))
    assert together_sentences(mixed, load("en")) == []


def test_times_since_the_start_are_counted_where_there_are_no_dates() -> None:
    result = looked_at([0.01, 0.01, 0.6, 0.6], [0.02, 0.02, 0.7, 0.7])
    path = tuple(replace(one, period="") for one in result.headline.path)
    undated = replace(result, headline=replace(result.headline, path=path))
    assert told(undated, "en").endswith("Looked at together, 2 of the 4 periods stand out from chance.")


def test_the_figure_draws_the_band_of_the_window_and_the_table_has_both_p_values() -> None:
    result = looked_at([0.01, 0.02, 0.04, 0.6], [0.02, 0.06, 0.09, 0.7])
    words, figure = load("en"), FIGURES["event_study"]
    values = figure.values(result, words)
    drawn = str(figure.draw(values, words, PLAIN, 640))
    assert "-3.3" in drawn
    assert "3.3" in drawn
    assert "thin line" in figure.text(values, result, words).how
    table = figure.table(values, result, words)
    assert table is not None
    assert table.head[-2:] == ("p", "p, all together")
    assert [row[-1] for row in table.rows if row[0] in WINDOW] == ["0.02", "0.06", "0.09", "0.70"]
    plain = hjorring()
    bare = figure.table(figure.values(plain, words), plain, words)
    assert bare is not None
    assert bare.head[-1] == "p"
    rows = list(csv.DictReader(io.StringIO(csv_files(result)["effects_by_period.csv"])))
    assert next(row["p_adjusted"] for row in rows if row["period"] == "2016") == "0.06"


def test_a_result_with_adjusted_p_values_is_read_back_unchanged_and_an_old_one_without_is_read() -> None:
    result = looked_at([0.01] * 4, [0.02] * 4)
    assert from_json(to_json(result)) == result
    old = json.loads(to_json(hjorring()))
    for estimate in (old["headline"], *old["estimates"]):
        for step in estimate["path"]:
            del step["p_adjusted"]
    assert from_json(json.dumps(old)) == hjorring()


def by_region(smallest: float, interval: bool = True) -> Result:
    """The Danish case with placebos drawn by region: 11 regions, the first control alone in one."""
    result = hjorring()
    placebo = dict(facts_of(result))
    units = placebo["units"]
    assert isinstance(units, list)
    placebo |= {
        "weights": [1 / 11, *((1.0 - 1 / 11 - smallest) / (len(units) - 1) for _ in units[1:])],
        "share": 0.69, "smallest_p": smallest, "rank": 12,
    }  # fmt: skip
    details = {
        **result.headline.details,
        "placebo": placebo,
        "blocks": {"regions": 11, "own": 11, "smallest_p": smallest},
    }
    changes: dict[str, Any] = {"details": details, "inference": "block_placebo"}
    if not interval:
        note = Note("too_few_blocks", "", {"regions": 11, "smallest_p": smallest, "level": 0.95})
        changes |= {"lower": None, "upper": None, "notes": (note,)}
    return replace(result, headline=replace(result.headline, **changes))


@pytest.mark.parametrize(
    ("language", "regions", "rank", "share", "smallest"),
    [
        (
            "en",
            "The 11 regions count alike: a region is drawn first, then one of the municipalities in it. So those in small regions count for more.",
            "11 of the 93 others show a difference at least as large as Hjørring.",
            "If chance alone were at work, a difference this large would come in 69 % of cases.",
            "With 11 regions that count alike, this share can never be below 0.8 %.",
        ),
        (
            "da",
            "De 11 områder tæller lige meget: Først trækkes et område, så en af dets kommuner. De, der ligger i små områder, tæller derfor mere.",
            "11 af de 93 andre viser en forskel, der er mindst lige så stor som i Hjørring.",
            "Hvis kun tilfældigheder var på spil, ville så stor en forskel vise sig i 69 pct. af gangene.",
            "Med 11 områder, der tæller lige meget, kan den andel aldrig komme under 0,8 pct.",
        ),
    ],
)
def test_placebos_by_region_are_counted_as_they_are_and_their_share_is_the_weighted_one(
    language, regions, rank, share, smallest
) -> None:
    said = [spaced(one) for one in sentences.chance_sentences(by_region(1 / 121), load(language))]
    assert said[1:5] == [regions, rank, share, smallest]


def test_regions_of_one_size_need_no_word_about_weights() -> None:
    result = by_region(1 / 94)
    placebo = dict(facts_of(result))
    assert isinstance(placebo["units"], list)
    placebo["weights"] = [1 / 94 for _ in placebo["units"]]
    even = replace(result, headline=replace(result.headline, details={**result.headline.details, "placebo": placebo}))
    assert not any("count alike:" in one for one in sentences.chance_sentences(even, load("en")))


def test_weights_stand_in_the_table_and_the_file() -> None:
    result, words = by_region(1 / 121), load("en")
    figure = FIGURES["rank_strip"]
    table = figure.table(figure.values(result, words), result, words)
    assert table is not None
    assert table.head[-1] == "Chance to be drawn"
    assert spaced(table.rows[0][-1]) == "0.8 %"
    rows = list(csv.DictReader(io.StringIO(csv_files(result)["placebos.csv"])))
    assert sum(float(row["weight"]) for row in rows) == pytest.approx(1.0)
    assert "weight" not in csv_files(hjorring())["placebos.csv"].splitlines()[0]


def test_alone_in_a_region_the_page_says_why_there_is_no_interval() -> None:
    result = by_region(1 / 11, interval=False)
    for language, reason, note, warning in (
        (
            "en",
            "11 regions that count alike allow no interval above 90 %: choose a lower level or another inference.",
            "With 11 regions that count alike, no p-value can be below 0.091, so there is no interval.",
            "With 11 regions that count alike, this share can never be below 9.1 %: chance cannot be ruled out at 5 %.",
        ),
        (
            "da",
            "11 områder, der tæller lige meget, giver intet interval over 90 pct.: Vælg et lavere niveau eller en anden usikkerhedsberegning.",
            "Med 11 områder, der tæller lige meget, kan ingen p-værdi komme under 0,091, så der er intet interval.",
            "Med 11 områder, der tæller lige meget, kan den andel aldrig komme under 9,1 pct.: Tilfældet kan ikke udelukkes ved 5 pct.",
        ),
    ):
        words = load(language)
        assert spaced(sentences.no_interval_sentence(result, words) or "") == reason
        assert spaced(remarks.note_sentence(result.headline.notes[0], result, words)) == note
        assert warning in [spaced(one) for one in sentences.chance_sentences(result, words)]


def test_the_band_is_read_by_event_time() -> None:
    found = together(looked_at([0.5] * 4, [0.6] * 4).headline)
    assert found is not None
    assert found.band == {0: (-3.0, 3.0), 1: (-3.1, 3.1), 2: (-3.2, 3.2), 3: (-3.3, 3.3)}
