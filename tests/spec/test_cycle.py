"""The tables below [cycle]: what is accepted, and how keys of the spec become options of the adjustment."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import Field

from evaluation.spec.catalogue import Catalogue
from evaluation.spec.cycle_rules import name_of_path
from evaluation.spec.reader import judged


@dataclass(frozen=True)
class Options:
    series: Annotated[str, Field(description="which series")] = ""
    shrink: Annotated[bool, Field(description="shrink")] = True


@dataclass(frozen=True)
class Several:
    series: Annotated[tuple[str, ...], Field(description="which series")] = ()


@dataclass(frozen=True)
class Entry:
    name: str
    options: type = object
    summary: str = "a method"


@dataclass(frozen=True)
class Nothing:
    pass


CATALOGUE = Catalogue(
    estimators={"did": Entry("did", Nothing)},
    inferences={"placebo": Entry("placebo", Nothing)},
    adjustments={"none": Entry("none", Nothing), "one": Entry("one", Options), "many": Entry("many", Several)},
    checks={},
)
BASE = """question = "Did it work?"
{top}
[data]
path = "a.csv"
unit = "u"
time = "t"
outcome = "y"
[treatment]
units = ["A"]
start = 2015
[headline]
method = "did"
[cycle]
{cycle}
"""
TWO = '[[cycle.series]]\npath = "x/unemployment.csv"\n[[cycle.series]]\nname = "jobs"\npath = "b.csv"\n'


def read(cycle: str, top: str = "") -> tuple[Any, list[str]]:
    spec, findings = judged(tomllib.loads(BASE.format(cycle=cycle, top=top)), CATALOGUE)
    return spec, [finding.what for finding in findings]


def test_further_keys_are_the_options_of_the_adjustment() -> None:
    spec, wrong = read('adjust = "one"\nshrink = false\nadjust_series = "jobs"\n' + TWO)
    assert wrong == []
    assert spec.cycle.options == {"shrink": False, "series": "jobs"}


def test_the_files_are_no_option() -> None:
    spec, wrong = read('adjust = "one"\nseries = "unemployment.csv"\nneighbours = "commuting.csv"')
    assert wrong == []
    assert spec.cycle.options == {}
    assert spec.cycle.series == "unemployment.csv"


def test_several_series_may_be_chosen_where_the_adjustment_takes_several() -> None:
    spec, wrong = read('adjust = "many"\nadjust_series = ["jobs", "unemployment"]\n' + TWO)
    assert wrong == []
    assert spec.cycle.options == {"series": ("jobs", "unemployment")}


@pytest.mark.parametrize(
    ("cycle", "wrong"),
    [
        ('adjust = "many"\nadjust_series = "jobs"\n' + TWO, 'expected a list, found the text "jobs"; write it in brackets: ["jobs"]'),
        ('adjust = "many"\nadjust_series = ["jobz"]\n' + TWO, "no series 'jobz' in [cycle]; did you mean 'jobs'?"),
        ('adjust = "one"\nadjust_series = "jobs"', "no series 'jobs' in [cycle]; [cycle] gives none"),
        ('adjust = "many"\nshrink = true', "'shrink' is an option of 'one', but adjust is 'many'"),
        ("[cycle.shares]\nbase = 2013", "[cycle.shares] needs employment, or shares and growth"),
        ('[cycle.shares]\nshares = "a.csv"', "[cycle.shares] needs growth"),
        ("[[cycle.series]]\nlevel = \"kommune\"\npath = \"a.csv\"", "'kommune' is not a choice here; choose from 'municipality', 'landsdel', 'region' and 'nation'"),
    ],
)  # fmt: skip
def test_what_is_refused(cycle: str, wrong: str) -> None:
    assert read(cycle)[1] == [wrong]


def test_a_misspelt_key_is_told_beside_a_misspelt_adjustment() -> None:
    key, adjustment = read('adjust = "on"\nseris = "a.csv"\nshrink = false')[1]
    assert key.startswith("unknown key 'seris'; did you mean 'series'")
    assert adjustment.startswith("no adjustment 'on'; did you mean 'one'?")


@pytest.mark.parametrize("top", ['declared = "2026-11-20"', "declared = 2026-11-20"])
def test_the_declaration_is_a_date_or_its_text(top: str) -> None:
    spec, wrong = read("", top)
    assert wrong == []
    assert str(spec.declared) == "2026-11-20"


@pytest.mark.parametrize(
    ("path", "name"),
    [("unemployment.csv", "unemployment"), ("a/b/AUS08 (2).xlsx", "aus08__2"), ("x\\Ledighed.csv", "ledighed")],
)
def test_a_series_is_called_as_its_file(path: str, name: str) -> None:
    assert name_of_path(path) == name
