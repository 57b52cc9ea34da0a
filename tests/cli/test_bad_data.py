"""Every bad data file beside the exact message it gives: `corpus_data/NAME/{spec.toml, data, expected.txt}`.

A message is part of the product. To change one, change it in expected.txt by hand, so that it is read.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.errors import DataError
from evaluation.prepare import prepare
from evaluation.run import load_spec

CORPUS = Path(__file__).parent / "corpus_data"
CASES = sorted(folder.name for folder in CORPUS.iterdir() if folder.is_dir())


@pytest.mark.parametrize("case", CASES)
def test_bad_data_gives_exactly_this_message(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS / case)
    loaded = load_spec("spec.toml")
    with pytest.raises(DataError) as caught:
        prepare(loaded)
    assert f"{caught.value}\n" == Path("expected.txt").read_text(encoding="utf-8")
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("case", CASES)
def test_no_message_quotes_a_cell_or_the_engine(case: str) -> None:
    expected = (CORPUS / case / "expected.txt").read_text(encoding="utf-8")
    for engine in ("pyarrow", "Arrow", "pandas", "Traceback", "hemmelig", "<5", "71,4"):
        assert engine not in expected


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 18
