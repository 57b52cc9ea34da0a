"""Where a synthetic register is put: whole or not at all, and never over anybody's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.errors import UsageError
from evaluation.simulate import place
from evaluation.simulate.series import FILES

WANTED: dict[str, Any] = {"scenario": "null", "persons": 5_000, "seed": 1}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were simulated into, without the work."""
    folders: list[Path] = []

    def simulate(folder: Path, **asked: Any) -> None:
        folders.append(folder)
        (folder / "dream.parquet").write_text(json.dumps(asked["seed"]))

    monkeypatch.setattr("evaluation.simulate.simulate", simulate)
    return folders


def quiet(stage: str, text: str) -> None:
    """Nobody listens."""


def test_a_new_folder_gets_the_whole_register_at_once(tmp_path: Path, drawn: list[Path]) -> None:
    place.write(tmp_path / "a" / "registers", **WANTED)
    assert drawn[0] != tmp_path / "a" / "registers", "drawn beside it, then moved"
    assert {path.name for path in (tmp_path / "a" / "registers").iterdir()} == {"dream.parquet", place.MARKER}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["registers"]


def test_an_earlier_one_is_replaced_only_when_asked(tmp_path: Path, drawn: list[Path]) -> None:
    place.write(tmp_path / "r", **WANTED)
    with pytest.raises(UsageError, match="--force replaces it"):
        place.write(tmp_path / "r", **WANTED)
    place.write(tmp_path / "r", **WANTED | {"seed": 2}, force=True)
    assert (tmp_path / "r" / "dream.parquet").read_text() == "2"


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_with_other_files_is_never_touched(tmp_path: Path, drawn: list[Path], force: bool) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(UsageError, match="holds other files"):
        place.write(tmp_path, **WANTED, force=force)
    with pytest.raises(UsageError, match="holds other files"):
        place.ensure(tmp_path, **WANTED, say=quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]
    assert drawn == []


def test_a_spec_simulates_once_and_again_when_it_asks_for_another(tmp_path: Path, drawn: list[Path]) -> None:
    for seed, times in ((1, 1), (1, 1), (2, 2)):
        place.ensure(tmp_path / "r", **WANTED | {"seed": seed}, say=quiet)
        assert len(drawn) == times


def test_what_breaks_off_leaves_the_earlier_one(
    tmp_path: Path, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(tmp_path / "r", **WANTED)

    def full(folder: Path, **asked: Any) -> None:
        (folder / "dream.parquet").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evaluation.simulate.simulate", full)
    with pytest.raises(UsageError, match="no space left on device"):
        place.write(tmp_path / "r", **WANTED | {"seed": 2}, force=True)
    assert (tmp_path / "r" / "dream.parquet").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_wrong_wishes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        place.write(tmp_path / "r", scenario="efect", persons=10, seed=1)
    assert [str(problem) for problem in told.value.problems] == [
        "no scenario 'efect'; did you mean 'effect'?",
        "a synthetic register has 5,000 to 20,000,000 persons, not 10",
    ]


def test_series_that_an_earlier_version_did_not_write_are_added_and_nothing_else_is_touched(tmp_path: Path, drawn: list[Path]) -> None:
    place.ensure(tmp_path / "r", **WANTED, say=quiet)
    said: list[str] = []
    place.ensure(tmp_path / "r", **WANTED, say=lambda stage, text: said.append(text))
    first = {path.name: path.read_bytes() for path in (tmp_path / "r" / "series").iterdir()}
    assert set(first) == {f"{name}.csv" for name in FILES}
    (tmp_path / "r" / "series" / "industry_employment.csv").unlink()
    (tmp_path / "r" / "series" / "commuting.csv").write_text("changed by hand")
    place.ensure(tmp_path / "r", **WANTED, say=lambda stage, text: said.append(text))
    after = {path.name: path.read_bytes() for path in (tmp_path / "r" / "series").iterdir()}
    assert after == first | {"commuting.csv": b"changed by hand"}
    assert said[-1] == "series added: industry_employment"
    assert len(drawn) == 1
    place.ensure(tmp_path / "r", **WANTED, say=lambda stage, text: said.append(text))
    assert len(said) == 2
