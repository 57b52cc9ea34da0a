"""`--check` reads and matches the series before any register is read, and a run never writes over their files."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from evaluation.errors import DataError
from evaluation.run import inputs_of, load_spec
from evaluation.series import check_for_registers, files_of_series
from evaluation.simulate import add_series
from tests.series.test_matching import cycle, table
from tests.series.world import YEARS, World, both, statbank, values

SPEC = Path(__file__).parents[2] / "specs" / "hjorring.toml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The spec with its series, and no register at all."""
    made = tmp_path_factory.mktemp("specs")
    (made / "hjorring.toml").write_text(SPEC.read_text("utf-8"), encoding="utf-8")
    add_series(made / "registers" / "hjorring", scenario="effect", persons=5_000, seed=9)
    return made


def test_series_are_matched_before_any_register_is_read(folder):
    assert check_for_registers(load_spec(folder / "hjorring.toml")) == [
        ("Series", "unemployment, employment, shift_share, exemption_225")
    ]


def test_what_is_wrong_with_a_series_is_found_before_any_register_is_read(folder):
    loaded = load_spec(folder / "hjorring.toml")
    text = loaded.text.replace("series/unemployment.csv", "series/unemploymnet.csv")
    (folder / "wrong.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        check_for_registers(load_spec(folder / "wrong.toml"))
    assert [problem.what for problem in caught.value.problems] == [
        "unemploymnet.csv: no such file; did you mean 'unemployment.csv'?"
    ]


def test_every_file_of_the_spec_is_known_and_protected(folder):
    loaded = load_spec(folder / "hjorring.toml")
    names = [Path(path).name for path in files_of_series(loaded)]
    assert names == ["unemployment.csv", "employment.csv", "exemption_225.csv", "industry_employment.csv", "commuting.csv"]


def test_the_files_of_series_are_inputs_of_a_run(tmp_path):
    world = World(tmp_path, cycle("") + table(""), {"unemployment.csv": statbank(both(), YEARS, values(9, 7))})
    world.attached()
    loaded = load_spec(tmp_path / "spec.toml")
    assert [path.name for path in inputs_of(loaded)] == ["spec.toml", "outcome.csv", "unemployment.csv"]


def test_the_places_for_ones_own_series_are_right_once_their_marks_are_taken_away():
    from evaluation.run import catalogue
    from evaluation.spec.reader import judged

    lines = (SPEC.parent / "hjorring_own_data.toml").read_text("utf-8").splitlines()
    begin = next(k for k, line in enumerate(lines) if line.startswith("# [cycle]"))
    end = next(k for k, line in enumerate(lines) if line == "[headline]")
    text = "\n".join([*lines[:begin], *(line.removeprefix("# ").removeprefix("#") for line in lines[begin:end]), *lines[end:]])
    spec, findings = judged(tomllib.loads(text.replace("\n# declared = ", "\ndeclared = ")), catalogue())
    assert findings == []
    assert spec is not None
    assert spec.cycle.adjust == "local_series"
    assert str(spec.declared) == "2026-11-22"
    assert len(spec.cycle.series) == 2
