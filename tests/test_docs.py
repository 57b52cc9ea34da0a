"""Documents that run: the README's commands, the examples in docstrings, every spec in specs/, every link in docs/."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import evaluation
from evaluation.estimators import ESTIMATORS
from evaluation.inference import INFERENCES
from tests.report.test_examples import IN_README, stale

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted([README, *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md"), *ROOT.glob("CHANGELOG.md")])
SPECS = sorted((ROOT / "specs").glob("*.toml"))
MODULES = sorted(module.name for module in pkgutil.walk_packages(evaluation.__path__, "evaluation.") if not module.name.endswith("__main__"))

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fenced(path: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in these languages."""
    return [found["text"] for found in FENCE.finditer(path.read_text("utf-8")) if found["language"] in languages]


def commands() -> list[str]:
    """What the README tells one to type that starts with `evaluate`, in its order, also behind `&&` and `.venv/bin/`."""
    lines = [line for block in fenced(README, "sh", "bash", "console", "shell") for line in block.splitlines()]
    parts = [part.split("  #")[0].strip().removeprefix("$ ") for line in lines for part in line.split("&&")]
    words = [part.removeprefix(".venv/bin/") for part in parts]
    return list(dict.fromkeys(word for word in words if word.startswith("evaluate ")))


def slug(heading: str) -> str:
    """The anchor of a heading, as code hosts make it."""
    text = re.sub(r"[`*_]", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#{1,6} +(.+?) *#*$", path.read_text("utf-8"), re.MULTILINE)
    explicit = re.findall(r"<a (?:id|name)=\"([^\"]+)\"", path.read_text("utf-8"))
    return {slug(heading) for heading in headings} | set(explicit)


# ------------------------------------------------------------------ the README


def test_readme_shows_how_to_test_and_how_to_run():
    text = README.read_text("utf-8")
    assert "-m pytest" in text
    assert commands(), "the README shows no `evaluate ...` command"


@pytest.mark.first
def test_commands_of_the_readme_do_what_it_says(tmp_path):
    """All of them, in the order of the page, in one copy of the folder; each must end with exit code 0, and the examples of
    `reports/` come out as they are committed."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    if (ROOT / "reports").exists():
        shutil.copytree(ROOT / "reports", tmp_path / "reports")
    for name in IN_README:
        # written anew, so that a command that writes nothing cannot pass
        (tmp_path / "reports" / f"{name}.json").unlink()
        shutil.rmtree(tmp_path / "reports" / name, ignore_errors=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    for line in commands():
        if re.search(r"\b[A-Z]{3,}\b", line):
            continue  # a word in capitals stands for the reader's own file
        words = [sys.executable, "-c", "from evaluation.cli import main; main()", *shlex.split(line)[1:]]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert IN_README, "the README runs none of the examples"
    for name in IN_README:
        assert stale(name, json.loads((tmp_path / "reports" / f"{name}.json").read_text("utf-8"))) == [], name


def test_python_of_the_readme_runs(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    for code in fenced(README, "python"):
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------ docstrings, specs, links


def test_modules_can_be_imported_and_examples_in_their_docstrings_run(capsys):
    failed = []
    for name in MODULES:
        found = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
        if found.failed:
            failed.append(f"{name}\n{capsys.readouterr().out}")
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("path", SPECS, ids=named)
def test_every_spec_loads(path):
    loaded = evaluation.load_spec(path)
    assert loaded is not None


@pytest.mark.parametrize("path", SPECS, ids=named)
def test_every_spec_names_the_schema_and_the_source_of_its_data(path):
    text = path.read_text("utf-8")
    assert text.startswith("#:schema schema.json")
    assert "source" in text


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_links_lead_somewhere(path):
    """Links to files of this repository exist, and so do the headings they point to. Links to elsewhere are not followed."""
    broken = []
    for found in LINK.finditer(FENCE.sub("", path.read_text("utf-8"))):
        target = found["target"] or found["image"]
        if re.match(r"^[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_specs_in_documents_are_toml(path):
    import tomllib

    for block in fenced(path, "toml"):
        tomllib.loads(block)


# ------------------------------------------------------------------ methods


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_has_a_page_with_what_the_report_says_of_it(name):
    page = " ".join((ROOT / "docs" / "methods" / f"{name}.md").read_text("utf-8").split())
    words = tomllib.loads((ROOT / "evaluation" / "report" / "words" / "en.toml").read_text("utf-8"))
    assert words["methods"][name]["text"] in page
    for part in ("**Source.**", "**Checked against.**"):
        assert part in page
    assert f"[{name}]({name}.md)" in (ROOT / "docs" / "methods" / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", INFERENCES)
def test_every_inference_is_described(name):
    pages = [ROOT / "docs" / "methods" / "inference.md", ROOT / "docs" / "methods" / f"{name}.md"]
    assert any(f"`{name}`" in page.read_text("utf-8") for page in pages if page.exists())
