"""The command: what it prints where, what it exits with, and that nothing escapes it as a traceback."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from evaluation import checks, cli
from evaluation import run as flow
from evaluation.errors import DataError, DisclosureError, EstimationError
from evaluation.result import CheckResult

ROOT = Path(__file__).parents[2]
PAGES = importlib.util.find_spec("evaluation.report.page") is not None
needs_pages = pytest.mark.skipif(not PAGES, reason="the pages are not written yet")


class Said:
    """What one run of the command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    def run(*arguments: str) -> Said:
        code = cli.run(arguments)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


@pytest.fixture
def jobs(evaluate: Any) -> str:
    """A spec that works."""
    assert evaluate("--init", "jobs").code == 0
    return "jobs.toml"


# ---- one page of help


def test_help_is_one_page_and_names_every_option_and_exit_code(evaluate: Any) -> None:
    said = evaluate("--help")
    assert said.code == 0
    assert said.err == ""
    lines = said.out.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 100
    for parameter in cli.command.params:
        if parameter.name != "words":
            assert f"--{parameter.name}" in said.out
    for code in range(8):
        assert re.search(rf"\b{code}  \w", said.out)
    assert evaluate("-h").out == said.out
    assert evaluate("jobs.toml", "--help").out == said.out


def test_version(evaluate: Any) -> None:
    assert re.fullmatch(r"nettoeffekt \d+\.\d+\S*\n", evaluate("--version").out)


# ---- what does not go together


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no spec was given: `evaluate SPEC`, or `evaluate --init NAME` to write a first one"),
        (["a.toml", "b.toml"], "one spec at a time, but 2 words were given: a.toml, b.toml"),
        (["a.toml", "--render", "r.json"], "--render takes no spec; leave out a.toml"),
        (["a.toml", "--init", "b"], "--init takes no spec; leave out a.toml"),
        (["--init", "a", "--schema"], "--init and --schema do not go together; give one of them"),
        (["--methods", "did", "sc"], "--methods takes one name, but 2 were given: did, sc"),
        (["--schema", "--quiet"], "--quiet has no meaning with --schema; leave it out"),
        (["--render", "r.json", "--seed", "1"], "--seed has no meaning with --render; leave it out"),
        (["a.toml", "--check", "--json"], "--json has no meaning with --check; leave it out"),
        (["a.toml", "--scenario", "effect"], "--scenario has no meaning with a spec; leave it out"),
        (["a.toml", "--sed", "1"], "no option '--sed'; did you mean '--seed'?"),
        (["a.toml", "--chek"], "no option '--chek'; did you mean '--check'?"),
        (["a.toml", "--seed"], "--seed needs a value behind it"),
        (["--init"], "--init needs a name: --init jobs"),
        (["--render"], "--render needs a file: --render reports/jobs.json"),
        (["--simulate"], "--simulate needs a folder: --simulate registers"),
        (["--simulate", "r", "--persons", "many"], "--persons takes a whole number of at least 0, found 'many'"),
        (["--simulate", "r", "--persons", "10"], "a synthetic register has 5,000 to 20,000,000 persons, not 10"),
        (["a.toml", "--json=yes"], "--json takes no value"),
        (["a.toml", "--seed", "x"], "--seed takes a whole number of at least 0, found 'x'"),
        (["a.toml", "--seed", "-1"], "--seed takes a whole number of at least 0, found '-1'"),
        (["a.toml", "--language", "dk"], "no language 'dk'; choose from da and en"),
        (["a.toml"], "a.toml: there is no such file"),
        (
            ["--methods", "synthetic_contrl"],
            "no method 'synthetic_contrl'; did you mean 'synthetic_control'? `evaluate --methods` lists them",
        ),
        (["--render", "r.json"], "r.json: there is no such file"),
        (
            ["--simulate", "registers", "--scenario", "efect"],
            "no scenario 'efect'; did you mean 'effect'?",
        ),
    ],
)
def test_wrong_usage_is_said_in_our_words(evaluate: Any, arguments: list[str], message: str) -> None:
    said = evaluate(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert said.err == f"{message}\n\n`evaluate --help` shows the whole command on one page.\n"


def test_several_things_that_do_not_fit_are_said_at_once(evaluate: Any) -> None:
    said = evaluate("a.toml", "--seed", "x", "--language", "dk")
    assert said.err.count("\n\n") == 2
    assert "2 problems\n" in said.err


# ---- starting, choosing, checking


def test_init_says_what_to_do_next(evaluate: Any) -> None:
    said = evaluate("--init", "jobs")
    assert said.code == 0
    assert said.err == ""
    assert "evaluate jobs.toml --check" in said.out
    again = evaluate("--init", "jobs")
    assert again.code == 2
    assert "jobs.toml: this file is there already; choose another name, or --force replaces it" in again.err
    assert evaluate("--init", "jobs", "--force", "--quiet").out == ""


def test_methods_lists_all_there_is_and_all_that_is_planned(evaluate: Any) -> None:
    said = evaluate("--methods")
    catalogue = flow.catalogue()
    for kind in ("estimator", "inference", "adjustment", "check"):
        for name in catalogue.entries(kind):
            assert re.search(rf"^  {name}  ", said.out, re.MULTILINE), name
        for name in catalogue.planned[kind]:
            assert name in said.out
    assert max(map(len, said.out.splitlines())) <= 100


def test_methods_of_one_name_tells_it_all(evaluate: Any) -> None:
    catalogue = flow.catalogue()
    for kind in ("estimator", "inference", "adjustment", "check"):
        for name in catalogue.entries(kind):
            said = evaluate("--methods", name)
            assert said.code == 0
            assert said.out.startswith(f"{name}   {kind}\n")
    out = evaluate("--methods", "synthetic_control").out
    for part in (
        "needs",
        "is not changed by",
        "options",
        "demeaned   true or false; default false",
        "source",
        "Abadie",
    ):
        assert part in out


def test_schema_is_json_and_nothing_else(evaluate: Any) -> None:
    assert json.loads(evaluate("--schema").out)["title"] == "nettoeffekt spec"


def test_check_says_what_would_be_done_and_writes_nothing(evaluate: Any, jobs: str) -> None:
    before = sorted(Path().iterdir())
    said = evaluate(jobs, "--check")
    assert said.code == 0
    assert said.out.startswith("Spec       jobs.toml, 3 estimators, pages in en\nData       12 units")
    assert said.out.endswith("\njobs.toml is in order; nothing was written\n")
    assert sorted(Path().iterdir()) == before


# ---- evaluating


@needs_pages
def test_a_run_writes_and_answers(evaluate: Any, jobs: str) -> None:
    said = evaluate(jobs)
    assert said.code == 0
    assert [line.split()[0] for line in said.err.splitlines()][:2] == ["Spec", "Data"]
    assert all(re.match(r"\S+ +", line) and len(line[:11].rstrip()) <= 10 for line in said.err.splitlines())
    *sentences, last = said.out.splitlines()
    assert len(sentences) >= 3
    assert last == f"{Path('reports/jobs.html')}   one file, opens offline"
    assert Path("reports/jobs.html").exists()
    assert Path("reports/jobs.json").exists()
    assert list(Path("reports/jobs").glob("*.csv"))
    assert "\x1b" not in said.out + said.err


@needs_pages
def test_json_alone_goes_to_standard_output(evaluate: Any, jobs: str) -> None:
    said = evaluate(jobs, "--json", "--output", "elsewhere", "--seed", "7", "--quiet")
    assert said.err == ""
    result = json.loads(said.out)
    assert result["provenance"]["seed"] == 7
    assert Path("elsewhere/jobs.json").read_text(encoding="utf-8") == said.out


@needs_pages
def test_a_result_is_rendered_again_without_data(evaluate: Any, jobs: str) -> None:
    assert evaluate(jobs, "--quiet").code == 0
    page = Path("reports/jobs.html").read_bytes()
    Path("reports/jobs.html").unlink()
    Path("jobs_data.csv").unlink()
    said = evaluate("--render", "reports/jobs.json")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"{Path('reports/jobs.html')}   one file, opens offline\n"
    assert Path("reports/jobs.html").read_bytes() == page


def test_a_file_that_is_no_result_is_not_rendered(evaluate: Any) -> None:
    Path("r.json").write_text('{"title": "x"}')
    said = evaluate("--render", "r.json")
    assert said.code == 2
    assert "this is not a result that evaluate" in said.err


@needs_pages
def test_a_result_that_no_run_can_have_written_is_refused(evaluate: Any, jobs: str) -> None:
    assert evaluate(jobs, "--quiet").code == 0
    text = Path("reports/jobs.json").read_text(encoding="utf-8")
    page = Path("reports/jobs.html").read_bytes()
    effect = re.search(r'"effect": ?[-0-9.e]+', text)
    level = re.search(r'"level": ?[0-9.]+', text)
    languages = re.search(r'"languages": ?\[\s*"en"', text)
    assert effect
    assert level
    assert languages
    for old, new, said in (
        (effect[0], '"effect": NaN', "it holds a number that is infinite or not a number"),
        (effect[0], '"effect": 1e999', "it holds a number that is infinite or not a number"),
        (level[0], '"level": 95.0', "is 95, not between 0.5 and 1"),
        (languages[0], '"languages": ["xx"', "its languages must be of da and en, each once"),
        (languages[0], '"languages": ["da", "en"', "title and question must have a text in each of its languages"),
    ):
        Path("reports/jobs.json").write_text(text.replace(old, new, 1), encoding="utf-8")
        told = evaluate("--render", "reports/jobs.json")
        assert told.code == 2
        assert said in told.err
        assert Path("reports/jobs.html").read_bytes() == page


@needs_pages
def test_strict_fails_after_the_report_was_written(evaluate: Any, jobs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECKS", {"pre_trends": lambda study: CheckResult("pre_trends", "failed")})
    assert evaluate(jobs).code == 0
    said = evaluate(jobs, "--strict")
    assert said.code == 7
    assert said.err.endswith(
        "check 'pre_trends' failed\n\nThe report was written; with --strict a failed check also fails the command.\n"
    )


@pytest.mark.parametrize("more", [(), ("--check",)])
def test_data_neither_public_nor_with_sizes_are_refused_before_anything_is_read(
    evaluate: Any, jobs: str, more: tuple[str, ...]
) -> None:
    text = Path(jobs).read_text(encoding="utf-8")
    text = re.sub(r"^(public|size)\b", r"# \1", text, flags=re.MULTILINE)
    Path(jobs).write_text(text, encoding="utf-8")
    Path("jobs_data.csv").unlink()
    said = evaluate(jobs, *more)
    assert said.code == 6
    line = text[: text.index("[data]")].count("\n") + 1
    assert f"jobs.toml:{line}:" in said.err
    assert "write `public = true` if they are published statistics, or name that column as `size`" in said.err
    assert "[data]" in said.err


def test_what_the_run_reads_is_refused_before_anything_is_computed(
    evaluate: Any, jobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("jobs").mkdir()
    data = Path("jobs_data.csv").rename("jobs/weights.csv")
    before = data.read_bytes()
    Path(jobs).write_text(Path(jobs).read_text(encoding="utf-8").replace("jobs_data.csv", "jobs/weights.csv"))
    monkeypatch.setattr(flow, "evaluate", lambda *_, **__: pytest.fail("computed"))
    said = evaluate(jobs, "--output", ".", "--force")
    assert said.code == 2
    assert f"{data}: the run reads this file, so it is not written over" in said.err
    assert data.read_bytes() == before


def test_names_cannot_steer_the_terminal(evaluate: Any) -> None:
    name = "a\x1b[2J\u202e.toml"
    said = evaluate(name)
    assert said.err.startswith("a\\x1b[2J\\u202e.toml: there is no such file")
    Path("bad.toml").write_text("x = 1 # \u202e\n" + "y" * 5000 + " = 2\n", encoding="utf-8")
    said = evaluate("bad.toml")
    assert "\u202e" not in said.err
    assert max(len(line) for line in said.err.splitlines() if " | " in line[:10]) < 140


def test_fifty_problems_are_shown_and_the_others_counted(evaluate: Any) -> None:
    Path("many.toml").write_text("".join(f"key{place} = 1\n" for place in range(100)), encoding="utf-8")
    said = evaluate("many.toml")
    assert said.code == 3
    assert said.err.count("unknown key") <= cli.MOST_SHOWN
    assert re.search(r"\nand \d+ more problems\n", said.err)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_a_pipe_or_device_is_no_spec(evaluate: Any) -> None:
    os.mkfifo("pipe.toml")
    for name in ("pipe.toml", os.devnull):
        said = evaluate(name)
        assert said.code == 2
        assert f"{name}: this is not a regular file" in said.err
        assert "this is not a regular file" in evaluate("--render", name).err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_standard_output_that_is_full_or_closed_is_said(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for redirection, reason in ((">/dev/full", "no space left on device"), (">&-", "standard output is closed")):
        line = f'"{sys.executable}" -m evaluation.cli --schema {redirection}'
        told = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert told.returncode == 2
        assert reason in told.stderr
        assert "Traceback" not in told.stderr
    for redirection in ("2>/dev/full", "2>&-"):
        line = f'"{sys.executable}" -m evaluation.cli nowhere.toml {redirection}'
        told = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert told.returncode == 2


def test_a_language_the_spec_has_no_texts_in(evaluate: Any, jobs: str) -> None:
    said = evaluate(jobs, "--language", "da", "--check")
    assert said.code == 2
    assert said.err.startswith("--language da: the spec has texts in en only; see its languages\n")


@pytest.mark.parametrize(("error", "code"), [(DataError, 4), (EstimationError, 5), (DisclosureError, 6)])
def test_each_kind_of_failure_has_its_exit_code(
    evaluate: Any, jobs: str, monkeypatch: pytest.MonkeyPatch, error: Any, code: int
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error("first", "second")

    monkeypatch.setattr(flow, "evaluate", fail)
    said = evaluate(jobs)
    assert said.code == code
    assert said.err == f"first\n\nsecond\n\n2 problems in jobs.toml\n{error().advice}\n"


def test_a_folder_that_cannot_be_written_to(evaluate: Any, jobs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(flow, "write", full)
    said = evaluate(jobs, "--quiet")
    assert said.code == 2
    assert said.err.startswith(
        "reports: cannot be written to (no space left on device); --output DIR writes elsewhere\n"
    )


# ---- what was not foreseen


def test_a_bug_is_said_in_two_lines_without_any_value(
    evaluate: Any, jobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: Any, **__: Any) -> None:
        raise ValueError("person 010190-1234")

    monkeypatch.setattr(flow, "sentences", bug)
    monkeypatch.setattr(flow, "write", lambda *_, **__: ())
    said = evaluate(jobs, "--quiet")
    assert said.code == 1
    first, second = said.err.splitlines()
    assert re.fullmatch(r"this was not foreseen: ValueError at evaluation/cli\.py:\d+", first)
    assert second.startswith("report it together with the spec")
    monkeypatch.setenv("NETTOEFFEKT_TRACEBACK", "1")
    assert "Traceback" in evaluate(jobs, "--quiet").err


def test_an_interrupt_says_what_was_written(evaluate: Any, jobs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(flow, "evaluate", stop)
        said = evaluate(jobs)
        assert (said.code, said.err) == (130, "interrupted; nothing was written\n")
    monkeypatch.setattr(flow, "write", stop)
    said = evaluate(jobs, "--quiet")
    assert (said.code, said.err) == (130, "interrupted; nothing was written\n")


# ---- the true command


def start(*arguments: str, **keywords: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "evaluation.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)


def test_help_and_check_import_nothing_that_is_slow() -> None:
    heavy = ("numpy", "pandas", "altair", "pydantic", "scipy", "statsmodels")
    code = "import sys; from evaluation import cli; cli.run(['--help']); print([m for m in {} if m in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", code.format(heavy)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines()[-1] == "[]"
    code = "import sys; from evaluation import cli; cli.run(['specs/california.toml', '--check']); print('altair' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "False"


def test_the_command_itself(tmp_path: Path) -> None:
    process = start("--init", "æble", cwd=tmp_path)
    assert process.communicate()[1] == b""
    assert process.returncode == 0
    process = start("æble.toml", "--chek", cwd=tmp_path)
    out, err = process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert err.decode().startswith("no option '--chek'; did you mean '--check'?\n")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    process = start("--schema", cwd=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


def test_a_terminal_without_danish_letters_still_gets_an_answer(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "evaluation.cli", "--methods"]
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert b"did" in told.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a process")
def test_ctrl_c(tmp_path: Path) -> None:
    spec = ROOT / "specs" / "hjorring_employment.toml"
    process = start(str(spec), cwd=tmp_path)
    assert process.stderr is not None
    process.stderr.readline()  # the spec was read: the work has begun
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err
    # Python itself ends by the signal when it struck inside an import; a shell calls both 130
    assert process.returncode in (130, -signal.SIGINT), err
    assert not list(tmp_path.iterdir())
