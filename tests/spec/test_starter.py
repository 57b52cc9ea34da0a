"""`evaluate --init NAME` writes a spec that works as it stands, anywhere, without a network; and says that its numbers are made up."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

from evaluation.errors import UsageError
from evaluation.spec.reader import read_spec
from evaluation.spec.starter import UNITS, YEARS, example_csv, write_starter

flow = pytest.importorskip("evaluation.run")


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("jobs", "jobs.toml"),
        ("jobs.toml", "jobs.toml"),
        ("new/folder/jobs", "new/folder/jobs.toml"),
        ("my jobs é", "my jobs é.toml"),
    ],
)
def test_it_is_a_spec(name: str, spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written, data = write_starter(name)
    assert written == Path(spec)
    assert data.exists()
    loaded = read_spec(written, flow.catalogue())
    assert loaded.spec.data.path == data.name
    assert loaded.spec.data.synthetic
    assert loaded.spec.data.public
    assert "made-up" in str(loaded.spec.data.source)
    assert "@" not in loaded.text


def test_it_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec, _ = write_starter("jobs")
    result = flow.evaluate(spec)
    assert len(result.estimates) == 2
    assert not result.failures
    # 1.5 points were put in; noise of 0.25 in each of 144 cells moves the answer by some tenths
    assert result.headline.effect == pytest.approx(1.5, abs=0.75)


def test_the_numbers_are_the_same_on_every_machine() -> None:
    rows = list(csv.DictReader(example_csv().splitlines()))
    assert len(rows) == len(UNITS) * len(YEARS) == 144
    assert (
        hashlib.sha256(example_csv().encode()).hexdigest()
        == "8601d110d5b70321ebfb8a12e541b9c466d4f09c900642daf3fc225a9dcc387a"
    )


def test_nothing_is_overwritten_unless_forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("jobs_data.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"jobs_data\.csv: this file is there already"):
        write_starter("jobs")
    assert Path("jobs_data.csv").read_text() == "mine"
    assert not Path("jobs.toml").exists()
    write_starter("jobs", force=True)
    assert Path("jobs_data.csv").read_text() != "mine"


@pytest.mark.parametrize("name", ["", ".", "..", "folder/", ".toml"])
def test_names_that_are_none(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="is not a name for a spec"):
        write_starter(name)
    assert not list(tmp_path.iterdir())
