"""`evaluate SPEC --plan`: what it prints where, in both languages, and what it says of plans that cannot be made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from evaluation import cli
from evaluation.errors import SpecError
from evaluation.planning import look
from evaluation.run import load_spec

ROOT = Path(__file__).parents[2]
SPEC = """
question = { da = "Hvad kunne findes?", en = "What could be found?" }
languages = ["en", "da"]
[data]
path = "data.csv"
unit = "town"
time = "year"
outcome = "hours"
size = "persons"
public = true
outcome_label = { da = "arbejdstimer", en = "working hours" }
outcome_unit = { da = "timer om året", en = "hours a year" }
unit_label_plural = { da = "kommuner", en = "towns" }
decimals = 1
[treatment]
units = ["town 0"]
start = 2024
[headline]
method = "did"
"""


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The command on a spec with these further lines, in a folder with 40 towns over six years."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    lines = ["town,year,hours,persons"]
    for town in range(40):
        persons = 100 + 50 * town
        for year in range(2018, 2024):
            lines.append(f"town {town},{year},{500 + 10 * rng.normal() * (0.3 + 400 / persons) ** 0.5:.3f},{persons}")
    Path("data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(more: str, *arguments: str, spec: str = SPEC) -> Said:
        Path("plan.toml").write_text(spec + more, encoding="utf-8")
        capsys.readouterr()
        code = cli.run(["plan.toml", "--plan", *arguments])
        said = capsys.readouterr()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "plan.toml"], "a plan writes nothing"
        return Said(code, said.out, said.err)

    return run


SMALL = "[plan]\neffect = [1.0, 30.0]\nperiods = [1, 2]\ncontrols = [39]\n"


def test_progress_goes_to_standard_error_and_the_plan_to_standard_output(plan: Any) -> None:
    said = plan(SMALL)
    assert said.code == 0
    assert [line.split()[0] for line in said.err.splitlines()] == ["Data", "Pretended", "Pretended"]
    assert "40 units × 6 periods, planned from 2024" in said.err
    head = said.out.splitlines()[:6]
    assert head[:3] == [
        "Plan for town 0, from 2024",
        "Working hours, hours a year",
        "Difference in differences, by data for 2018–2023",
    ]
    assert head[4] == "The smallest effect that is found 8 times in 10 at the 95\N{NO-BREAK SPACE}% level:"
    assert head[5] == "Years after   Persons   39 to compare with"
    assert (
        "An effect of 1.0 hours a year is not found 8 times in 10 within 2 years after the start, for town 0 with 100 persons"
        in said.out
    )
    assert "with as many as the largest of the towns has, it would still be missed too often" in said.out
    assert "To find an effect of 30.0 hours a year 8 times in 10 takes" in said.out or "It would take" in said.out
    assert plan(SMALL, "--quiet").err == ""


def test_it_speaks_danish(plan: Any) -> None:
    said = plan(SMALL, "--language", "da", "--quiet")
    assert said.out.startswith(
        "Plan for town 0 fra 2024\nArbejdstimer, timer om året\nForskel-i-forskelle på data for 2018–2023\n"
    )
    assert "År efter   Personer   39 at sammenligne med" in said.out
    assert "En effekt på 1,0 timer om året findes ikke i 8 ud af 10 tilfælde inden for 2 år efter starten" in said.out
    assert "they" not in said.out


def test_the_json_is_alone_on_standard_output_and_the_table_says_the_same(plan: Any) -> None:
    told = json.loads(plan(SMALL, "--json", "--quiet").out)
    assert (told["units"], told["start"], told["last"], told["controls"]) == (["town 0"], "2024", "2023", 39)
    assert [(row["periods"], row["persons"]) for row in told["rows"]] == [
        (n, p) for n in (1, 2) for p in (50, 100, 200)
    ]
    text = plan(SMALL, "--quiet").out
    for row in told["rows"]:
        assert f"{row['mde']:.1f} ({row['lowest']:.1f}–{row['highest']:.1f})" in text


def test_another_power_is_told_as_such(plan: Any) -> None:
    assert "found 9 times in 10 at" in plan(SMALL + "power = 0.9\n", "--quiet").out
    assert "found in 85\N{NO-BREAK SPACE}% of cases at" in plan(SMALL + "power = 0.85\n", "--quiet").out


def test_too_few_controls_are_told_instead_of_a_table(plan: Any) -> None:
    said = plan('[controls]\nonly = ["town 1", "town 2", "town 3", "town 4"]\n', "--quiet")
    assert said.code == 0
    assert said.out.splitlines()[-1] == (
        "With 4 towns to compare with, no effect of any size can be found at the 95\N{NO-BREAK SPACE}% level: it takes 19 at least."
    )
    dashed = plan("[plan]\nperiods = [1]\ncontrols = [39, 10]\n", "--quiet").out
    assert "–\n" in dashed
    assert "A dash: fewer than 19 to compare with" in dashed


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (
            "[plan]\nperiods = [5]\n",
            4,
            "5 periods after the start, but the data have 6, and a pretended start needs 2 before it; look at 4 at most",
        ),
        (
            "[plan]\ncontrols = [98]\n",
            4,
            "98 controls, but the data have 39 units that can be one; leave the number out",
        ),
        ("[plan]\neffect = 0\n", 3, "expected a number above 0, found 0"),
        ("[plan]\neffect = [1, -2.5]\n", 3, "expected a number above 0, found -2.5"),
        ("[plan]\npower = 1.0\n", 3, "expected a number of at most 0.99, found 1.0"),
        ("[plan]\nyears = [1]\n", 3, "unknown key 'years' in [plan]"),
        ("plan = 5\n", 3, "unknown key 'plan' in [headline]"),
        ('[inference]\nmethod = "no_such"\n', 3, "no inference 'no_such'"),
    ],
)
def test_what_is_said_about_a_plan_that_cannot_be_made(plan: Any, more: str, code: int, message: str) -> None:
    said = plan(more)
    assert said.code == code
    assert message in said.err
    assert said.out == ""
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("start = 2024", 'start = "2024Q1"', 4, "'2024Q1' is a quarter, but the data hold years"),
        ("start = 2024", "start = 2018", 4, "2018 is the first period, so there is nothing before it to compare with"),
        ("start = 2024", 'start = "soon"', 3, "'soon' is not a period"),
        ('units = ["town 0"]', 'units = ["twon 0"]', 4, "no unit 'twon 0' in the data; did you mean 'town 0'?"),
        ('method = "did"', 'method = "triple_difference"', 5, "triple_difference: no covariate 'second_group'"),
        ("public = true\n", 'public = true\ncluster = "year"\n', 4, "a unit has one cluster"),
        ('path = "data.csv"', 'path = "dta.csv"', 4, "dta.csv"),
        ('time = "year"', 'time = "yaer"', 4, "no column 'yaer'"),
        ('size = "persons"\npublic = true\n', "", 6, "the data are not said to be public"),
    ],
)
def test_what_is_said_about_a_spec_that_does_not_fit(plan: Any, old: str, new: str, code: int, message: str) -> None:
    assert old in SPEC
    said = plan("", spec=SPEC.replace(old, new))
    assert message in said.err
    assert said.code == code
    assert said.out == ""


def test_an_evaluation_of_what_has_not_started_is_led_to_the_plan(
    plan: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(SMALL)
    assert cli.run(["plan.toml"]) == 4
    said = capsys.readouterr()
    assert (
        "2024 is after the last period; the data run from 2018 to 2023; `evaluate SPEC --plan` looks ahead" in said.err
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--check"], "--plan has no meaning with --check; leave it out"),
        (["--strict"], "--strict has no meaning with --plan; leave it out"),
        (["--output", "x"], "--output has no meaning with --plan; leave it out"),
        (["--audit"], "--audit has no meaning with --plan; leave it out"),
        (["--language", "de"], "no language 'de'"),
    ],
)
def test_what_does_not_go_with_a_plan_is_refused(plan: Any, arguments: list[str], message: str) -> None:
    said = plan(SMALL, *arguments)
    assert said.code == 2
    assert message in said.err


def test_starts_by_unit_may_lie_after_the_data_too(plan: Any) -> None:
    spec = SPEC.replace('units = ["town 0"]\nstart = 2024', 'starts = { "town 0" = 2024, "town 1" = 2025 }')
    said = plan("[plan]\nperiods = [1]\ncontrols = [38]\n", "--quiet", spec=spec)
    assert said.code == 0
    assert said.out.startswith("Plan for town 0 and town 1, from 2024\n")


def test_the_example_plan_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(
        look, "CHOICES", 1
    )  # fewer choices of controls, and one start: quicker, and told in the same way
    monkeypatch.setattr(look, "DATES", 1)
    assert cli.run(["specs/plan_employment.toml", "--plan", "--quiet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["start"], told["last"], told["controls"]) == ("2022", "2021", 97)
    assert [row["mde"] for row in told["rows"] if row["controls"] == 12] == [None] * 3
    found = next(row["mde"] for row in told["rows"] if row["controls"] == 97)
    assert 1.5 < found < 3.0


def test_registers_may_end_before_a_planned_start(tmp_path: Path) -> None:
    text = (ROOT / "specs/hjorring.toml").read_text(encoding="utf-8").replace("\nstart = 2015\n", "\nstart = 2021\n", 1)
    text = "\n".join(line for line in text.splitlines() if not line.startswith("window = "))
    (tmp_path / "now.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match="2021 lies outside the years of the registers"):
        load_spec(tmp_path / "now.toml")
    (tmp_path / "later.toml").write_text(f"{text}\n[plan]\nperiods = [1]\n", encoding="utf-8")
    assert load_spec(tmp_path / "later.toml").spec.treatment.start == 2021
