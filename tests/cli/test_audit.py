"""`--audit` writes a page for auditors beside the others, changes nothing else, and is as careful about what stands there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evaluation import cli
from evaluation import run as flow
from evaluation.result import to_json
from tests.report.audited import audited


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command in an empty folder, with a result that has every check; a run gives that result without computing it."""
    monkeypatch.chdir(tmp_path)
    assert cli.run(("--init", "jobs")) == 0
    text = Path("jobs.toml").read_text(encoding="utf-8")
    assert 'languages = ["en"]' in text or "languages" not in text
    Path("made.json").write_text(to_json(audited("warns")), encoding="utf-8")
    capsys.readouterr()

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_page_for_auditors_is_written_for_each_language(evaluate: Any) -> None:
    code, out, err = evaluate("--render", "made.json", "--audit")
    assert (code, err) == (0, "")
    pages = sorted(path.name for path in Path().glob("*.html"))
    assert pages == ["made.audit.da.html", "made.audit.en.html", "made.da.html", "made.en.html"]
    assert all(page in out for page in pages)


def test_without_it_none_is_and_the_page_does_not_lead_there(evaluate: Any) -> None:
    assert evaluate("--render", "made.json")[0] == 0
    assert not list(Path().glob("*.audit.*"))
    assert ".audit.da.html" not in Path("made.da.html").read_text(encoding="utf-8")


def test_a_page_that_a_run_leaves_as_it_was_is_named(evaluate: Any) -> None:
    assert evaluate("--render", "made.json", "--audit")[0] == 0
    code, out, _ = evaluate("--render", "made.json", "--language", "en")
    assert code == 0
    assert [line for line in out.splitlines() if "of an earlier run" in line] == [
        f"{name}   of an earlier run, left as it was"
        for name in ("made.da.html", "made.audit.da.html", "made.audit.en.html")
    ]
    Path("made.da.html").write_text("a stranger's")
    assert "made.da.html" not in evaluate("--render", "made.json", "--language", "en")[1]


def test_the_result_and_the_tables_are_the_same_with_it(evaluate: Any) -> None:
    def written(*more: str) -> dict[str, bytes]:
        assert evaluate("--render", "made.json", "--output", "out", *more)[0] == 0
        return {
            path.as_posix(): path.read_bytes() for path in Path("out").rglob("*") if path.suffix in {".json", ".csv"}
        }

    assert written() == written("--audit")


def test_a_strangers_file_is_not_written_over(evaluate: Any) -> None:
    Path("made.audit.da.html").write_text("mine")
    code, _, err = evaluate("--render", "made.json", "--audit")
    assert code == 2
    assert "made.audit.da.html: this file was not written by evaluate" in err
    assert Path("made.audit.da.html").read_text() == "mine"
    assert not Path("made.da.html").exists()
    assert evaluate("--render", "made.json")[0] == 0, "without --audit the file is not in the way"
    assert evaluate("--render", "made.json", "--audit", "--force")[0] == 0
    assert evaluate("--render", "made.json", "--audit")[0] == 0, "our own page is replaced"


def test_a_run_refuses_before_it_computes(evaluate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "evaluate", lambda *_, **__: pytest.fail("computed all the same"))
    Path("reports").mkdir()
    for name in ("jobs.audit.html", "jobs.audit.en.html", "jobs.audit.da.html"):
        Path("reports", name).write_text("mine")
    code, _, err = evaluate("jobs.toml", "--audit")
    assert code == 2
    assert "this file was not written by evaluate" in err


def test_a_run_writes_it_too(evaluate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "evaluate", lambda *_, **__: audited("passed"))
    code, out, _ = evaluate("jobs.toml", "--audit", "--quiet")
    assert code == 0
    assert f"{Path('reports/jobs.audit.da.html')}   one file, opens offline" in out


def test_a_failed_check_of_the_auditors_counts_under_strict(evaluate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "evaluate", lambda *_, **__: audited("failed"))
    monkeypatch.setattr(flow, "write", lambda *_, **__: ())
    assert evaluate("jobs.toml", "--quiet")[0] == 0
    code, _, err = evaluate("jobs.toml", "--strict", "--quiet")
    assert code == 7
    assert "check 'loading_balance' failed" in err
    assert "check 'provenance' failed" in err
    assert "16 problems" in err


@pytest.mark.parametrize("mode", [["--schema"], ["--methods"], ["--init", "x"], ["jobs.toml", "--check"]])
def test_it_means_nothing_elsewhere(evaluate: Any, mode: list[str]) -> None:
    code, _, err = evaluate(*mode, "--audit")
    assert code == 2
    assert "--audit has no meaning with" in err
