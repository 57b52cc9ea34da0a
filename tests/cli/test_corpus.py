"""Every bad spec has beside it, word for word, what the command says about it, and its exit code.

A message is a small lesson: what, where, the nearest right word, what to do. To write the expected texts anew after a wording was
changed: NETTOEFFEKT_REWRITE=1 pytest tests/cli/test_corpus.py, and then read every one of them in the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evaluation import cli

CORPUS = Path(__file__).parent / "corpus"
SPECS = sorted(CORPUS.glob("*.toml"))


def test_the_corpus_is_there() -> None:
    assert len(SPECS) >= 25


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_what_is_said_about_a_bad_spec(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(CORPUS)
    code = cli.run([spec.name, "--output", str(tmp_path / "reports")])
    said = capsys.readouterr()
    assert said.out == ""
    assert not list(tmp_path.iterdir()), "a spec that is refused leaves nothing behind"
    text = f"{code}\n{said.err}"
    expected = spec.with_suffix(".expected")
    if os.environ.get("NETTOEFFEKT_REWRITE"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_the_tone_of_what_is_said(spec: Path) -> None:
    text = spec.with_suffix(".expected").read_text(encoding="utf-8")
    for line in text.splitlines()[1:]:
        if " | " in line[:10]:
            continue  # the user's own line
        assert "!" not in line
        assert "please" not in line.casefold()
        assert "pydantic" not in line.casefold()
        assert "Input should" not in line


def test_no_expected_text_is_left_over() -> None:
    assert {each.stem for each in CORPUS.glob("*.expected")} == {spec.stem for spec in SPECS}
