"""Languages say the same things, and there are words for whatever a Result can hold."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from evaluation.report.words import Words, languages, load
from tests.report.reading import spaced

ENGLISH = load("en")
SOURCE = Path(__file__).parents[2] / "evaluation"


def slots(phrase: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(phrase) if name}


def test_danish_and_english_exist() -> None:
    assert {"da", "en"} <= set(languages())


@pytest.mark.parametrize("language", languages())
def test_every_language_has_the_keys_and_slots_of_english(language: str) -> None:
    words = load(language)
    assert set(words.phrases) == set(ENGLISH.phrases)
    different = {
        key: (slots(words.phrases[key]), slots(phrase))
        for key, phrase in ENGLISH.phrases.items()
        if slots(words.phrases[key]) != slots(phrase)
    }
    assert not different


def test_every_note_in_the_code_has_words() -> None:
    """A note without words would stand in English on a Danish page."""
    codes = set()
    for file in SOURCE.rglob("*.py"):
        if "report" not in file.parts:
            codes |= set(re.findall(r"(?:\bNote|\.note)\(\s*\"([a-z_]+)\"", file.read_text(encoding="utf-8")))
    assert codes
    assert {code for code in codes if f"note.{code}" not in ENGLISH} == set()


def test_every_reason_for_not_running_has_words() -> None:
    reasons = set()
    for file in (SOURCE / "checks").glob("*.py"):
        reasons |= set(re.findall(r"reason=\"([a-z_]+)\"", file.read_text(encoding="utf-8")))
    assert {reason for reason in reasons if f"reason.{reason}" not in ENGLISH} == set()


def test_every_registered_part_has_words() -> None:
    """In the registry means on the page: a new estimator, inference, adjustment or check owes its words."""
    from evaluation.checks import CHECKS
    from evaluation.cycle import ADJUSTMENTS
    from evaluation.estimators import ESTIMATORS
    from evaluation.inference import INFERENCES

    keys = [f"methods.{name}.{part}" for name in ESTIMATORS for part in ("name", "the", "text")]
    keys += [f"inference.{name}.{part}" for name in INFERENCES for part in ("name", "the", "text")]
    keys += [f"cycle.adjust.{name}" for name in ADJUSTMENTS]
    keys += [f"check.{name}.{part}" for name in CHECKS for part in ("title", "passed", "warns", "failed", "not_run")]
    assert [key for key in keys if key not in ENGLISH] == []


def test_phrases_are_no_longer_than_they_need_be() -> None:
    """Twenty words a sentence is the aim; none may run past twenty-eight."""
    long = [
        (key, len(sentence.split()))
        for language in languages()
        for key, phrase in load(language).phrases.items()
        for sentence in re.split(r"(?<=[.:;!?])\s", phrase)
        if len(sentence.split()) > 28
    ]
    assert long == []


@pytest.mark.parametrize(
    ("language", "value", "decimals", "written"),
    [
        ("en", 1234.5, 1, "1,234.5"),
        ("da", 1234.5, 1, "1.234,5"),
        ("da", -0.233, 2, "−0,23"),
        ("en", -0.001, 2, "0.00"),
        ("da", None, 2, "foreligger ikke"),
        ("en", float("nan"), 0, "not available"),
    ],
)
def test_numbers_in_the_languages_own_form(language: str, value: float | None, decimals: int, written: str) -> None:
    assert load(language).number(value, decimals) == written


@pytest.mark.parametrize(
    ("language", "label", "written"),
    [
        ("da", "2015", "2015"),
        ("da", "2019Q1", "1. kvartal 2019"),
        ("en", "2019Q1", "Q1 2019"),
        ("da", "2015M01", "januar 2015"),
        ("en", "2015M12", "December 2015"),
    ],
)
def test_periods_in_words(language: str, label: str, written: str) -> None:
    assert load(language).period(label) == written


def test_ranges_lists_and_p_values() -> None:
    danish = load("da")
    assert danish.span("2015", "2018") == "2015–2018"
    assert danish.span("2015", "2015") == "2015"
    assert danish.span("2015Q1", "2016Q4") == "1. kvartal 2015 til 4. kvartal 2016"
    assert danish.listed(["a", "b", "c"]) == "a, b og c"
    assert ENGLISH.listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert spaced(danish.p_value(0.648)) == "= 0,65"
    assert spaced(danish.p_value(0.0002)) == "< 0,001"
    assert spaced(danish.percent(0.77)) == "77 pct."


def test_a_small_number_is_told_from_zero() -> None:
    """0.03 points must not be printed as 0.0."""
    assert ENGLISH.telling(0.03, 1) == "0.03"
    assert ENGLISH.telling(0.0, 1) == "0.0"


def test_abbreviations_keep_one_full_stop_and_empty_slots_no_comma() -> None:
    words = Words("xx", {"end": "It was {share}.", "unit": "Effect, {unit}, with {level}"})
    assert words("end", share="25 pct.") == "It was 25 pct."
    assert words("unit", unit="", level="95 %") == "Effect, with 95 %"


def test_a_missing_slot_is_an_error() -> None:
    with pytest.raises(KeyError):
        ENGLISH("certainty.level")
