"""There are words for everything the auditor's checks can say, in every language, and the bounds told are those of the checks."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path

import pytest

from evaluation.report.audit_sentences import RULES, rule_texts
from evaluation.report.figures.audit import AUDIT_FIGURES
from evaluation.report.words import languages, load
from tests.report.audited import IDS
from tests.report.reading import spaced

SOURCE = Path(__file__).parents[2] / "evaluation"
WORDS = SOURCE / "report" / "words"


def test_the_ids_are_those_of_the_checks_in_their_order() -> None:
    from evaluation.audit import AUDIT

    assert tuple(RULES) == IDS == tuple(AUDIT_FIGURES)
    assert set(AUDIT) <= set(IDS)


@pytest.mark.parametrize("language", languages())
def test_every_check_has_words_for_every_status(language: str) -> None:
    words = load(language)
    keys = [
        f"audit.{name}.{part}" for name in IDS for part in ("title", "passed", "warns", "failed", "not_run", "computed")
    ]
    for figures in AUDIT_FIGURES.values():
        keys += [
            f"figure.{one.key}.{part}"
            for one in figures
            for part in ("fine", "doubt", "subtitle", "how", "description")
        ]
    assert [key for key in keys if key not in words] == []


def test_every_reason_for_not_running_has_words() -> None:
    reasons = set()
    for file in (SOURCE / "audit").glob("*.py"):
        reasons |= set(re.findall(r"reason=\"([a-z_]+)\"", file.read_text(encoding="utf-8")))
    assert {reason for reason in reasons if f"reason.{reason}" not in load("en")} == set()


@pytest.mark.parametrize("language", languages())
def test_no_phrase_is_written_twice(language: str) -> None:
    """The two files of a language are read as one: a key in both would be silently lost."""

    def keys(table: dict[str, object], prefix: str = "") -> set[str]:
        return {
            each
            for key, value in table.items()
            for each in (keys(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key})
        }

    main, audit = (
        keys(tomllib.loads(path.read_text(encoding="utf-8")))
        for path in (WORDS / f"{language}.toml", WORDS / "audit" / f"{language}.toml")
    )
    assert main & audit == set()


def test_the_bounds_that_are_told_are_those_of_the_checks() -> None:
    from evaluation.audit.thresholds import THRESHOLDS

    assert set(THRESHOLDS) == set(RULES)
    for name, rule in RULES.items():
        known = THRESHOLDS[name]
        assert rule.passes == known.passes
        assert rule.warns == (None if math.isinf(known.warns) else known.warns)
        assert rule.side == ("above" if known.large and known.open_passes else "least" if known.large else "most")
        assert (rule.warns_above or rule.side == "above") == known.open_warns


def test_second_conditions_are_told_with_the_numbers_of_the_checks() -> None:
    from evaluation.audit.thresholds import BANDS, BREAKDOWN_DRIFT, LADDER_P

    words = load("en")
    assert f"{LADDER_P:.2f}" in words("audit.also.ladder")
    assert f"{BREAKDOWN_DRIFT:.2f}" in words("audit.also.breakdown")
    for name, band in BANDS.items():
        for low, high in (band.passes, band.warns):
            assert f"{100 * low:.0f} to {100 * high:.0f} %" in words(f"audit.also.{name}")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("backcast", ("at least 20 % of the others", "at least 5 % of the others")),
        ("ladder", ("at most 0 rungs", "decided by the condition beside it")),
        ("in_time_placebos", ("above p 0.10", "above p 0.05")),
        ("cycle_state", ("at least 50 % of the average effect", "above 0 % of the average effect")),
    ],
)
def test_bounds_in_words(name: str, told: tuple[str, str]) -> None:
    assert tuple(spaced(text) for text in rule_texts(name, load("en"))) == told
