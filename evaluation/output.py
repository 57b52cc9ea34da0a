"""Writing what was found: pages, JSON and CSV, all of them or none, and never over what the run has read."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import get_args

from evaluation._version import __version__
from evaluation.errors import UsageError, did_you_mean
from evaluation.result import Result, from_json, to_json
from evaluation.spec.base import Language

GENERATOR = b'name="generator" content="nettoeffekt'
AUDIT = ".audit"
"""What stands behind the name of the page for auditors."""
OWN_KEYS = frozenset({"headline", "verdict", "provenance"})
"""Top-level keys that every Result has, of any version."""


def page_name(result: Result, name: str, language: str, ending: str = "") -> str:
    """NAME.html for one language, NAME.da.html and NAME.en.html for several; `ending` stands behind NAME."""
    return _page_name(name, result.languages, language, ending)


def check_places(
    folder: Path,
    name: str,
    *,
    available: Collection[str],
    languages: Collection[str] | None = None,
    inputs: Collection[Path] = (),
    force: bool = False,
    audit: bool = False,
) -> None:
    """Refuse, before anything is computed, what `write` would refuse afterwards.

    Parameters
    ----------
    available, languages : collection of str
        The languages of the spec, and those whose pages are written (all when None).
    inputs : collection of paths
        What the run reads: never written over, not even by `force`.
    audit : bool
        The pages for auditors are written too.

    Raises
    ------
    UsageError
        A place is a file that the run reads, a stranger's file, a folder where a file goes, or cannot be written to.
    """
    from evaluation.report.csvs import is_table

    if not name.strip("."):
        raise UsageError(f"no file can be called '{name}'; give the file another name")
    endings = ("", AUDIT) if audit else ("",)
    pages = [
        folder / _page_name(name, available, language, ending)
        for ending in endings
        for language in languages or available
    ]
    beside = folder / name
    tables = [beside / each for each in _names_in(beside) if is_table(each)]
    places = [*pages, folder / f"{name}.json", *tables]
    _refuse_ways(folder, beside)
    _refuse_places(places, inputs, force=force)


def read_result(path: Path) -> Result:
    """Read a Result back from the NAME.json of an earlier run, which someone may have changed since.

    Raises
    ------
    UsageError
        There is no such file, it is no Result, or one that no run can have written.
    """
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: this is not a regular file; --render takes the NAME.json of an earlier run")
        content = path.read_bytes()
        result = from_json(content)
    except FileNotFoundError:
        beside = sorted(each.name for each in path.parent.glob("*.json")) if path.parent.is_dir() else []
        raise UsageError(f"{path}: there is no such file{did_you_mean(path.name, beside)}") from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"{path}: cannot be read ({reason})") from None
    except ValueError:
        what = f"this is not a result that evaluate {__version__} wrote"
        raise UsageError(f"{path}: {what}; --render takes the NAME.json of an earlier run") from None
    problems = _impossible(result, content)
    if problems:
        remedy = "leave the file as evaluate wrote it, or run the spec again"
        raise UsageError(*(f"{path}: {problem}; {remedy}" for problem in problems))
    return result


def _impossible(result: Result, content: bytes) -> list[str]:
    """In words: numbers that are none, levels that are none, languages that there are no words for."""
    problems = []
    try:
        json.loads(content, parse_constant=_finite, parse_float=_finite)
    except (ArithmeticError, RecursionError):
        problems.append("it holds a number that is infinite or not a number")
    for estimate in (result.headline, *result.estimates, *(one.estimate for one in result.secondary)):
        if not 0.5 <= estimate.level < 1.0:
            problems.append(f"the level of '{estimate.method}' is {estimate.level:g}, not between 0.5 and 1")
    known = get_args(Language)
    unknown = [code for code in result.languages if code not in known]
    if unknown or not result.languages or len(set(result.languages)) < len(result.languages):
        problems.append(f"its languages must be of {' and '.join(known)}, each once")
    elif any(code not in text for text in (result.title, result.question) for code in result.languages):
        problems.append("title and question must have a text in each of its languages")
    return problems


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise OverflowError
    return number


def write(
    result: Result,
    folder: Path,
    name: str,
    *,
    force: bool = False,
    languages: tuple[str, ...] | None = None,
    inputs: Collection[Path] = (),
    audit: bool = False,
) -> tuple[Path, ...]:
    """Write the pages, NAME.json and NAME/*.csv; what stood there before stays until everything new is on disk.

    With `audit` a page for auditors beside each page, NAME.audit.html; the other files are the same without it.

    Raises
    ------
    UsageError
        A file in the way was not written by this program (and `force` was not said), or is one of the `inputs`.
    """
    from evaluation.report.csvs import csv_files
    from evaluation.report.page import render

    check_places(folder, name, available=result.languages, languages=languages, inputs=inputs, force=force, audit=audit)
    files: dict[Path, bytes] = {}
    for language in languages or result.languages:
        files[folder / page_name(result, name, language)] = render(result, language, audit=audit).encode()
        if audit:
            from evaluation.report.audit import render_audit

            files[folder / page_name(result, name, language, AUDIT)] = render_audit(result, language).encode()
    files[folder / f"{name}.json"] = to_json(result).encode()
    for csv_name, text in csv_files(result).items():
        files[folder / name / csv_name] = text.encode()
    _refuse_places(files, inputs, force=force)
    _replace_all(files)
    return tuple(files)


def left_over(written: Collection[Path]) -> tuple[Path, ...]:
    """Pages of earlier runs that lie beside the ones just `written` and show another state: another language, or for auditors."""
    results = [path for path in written if path.suffix == ".json"]
    endings = [
        f"{ending}{language}.html"
        for ending in ("", AUDIT)
        for language in ("", *(f".{each}" for each in get_args(Language)))
    ]
    beside = [path.with_name(f"{path.stem}{ending}") for path in results for ending in endings]
    found = []
    for path in beside:
        # everything is written by now: a file that cannot be looked at is no reason to fail
        with contextlib.suppress(OSError):
            if path not in written and path.is_file() and _is_own(path):
                found.append(path)
    return tuple(found)


def _page_name(name: str, languages: Collection[str], language: str, ending: str = "") -> str:
    return f"{name}{ending}.html" if len(languages) == 1 else f"{name}{ending}.{language}.html"


def _names_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []


def _refuse_ways(folder: Path, beside: Path) -> None:
    """The folders that files go into must be folders, or not be there yet, and take new files."""
    problems = []
    for way in (folder, beside):
        first = next((each for each in (way, *way.parents) if each.exists()), Path())
        if not first.is_dir():
            problems.append(f"{first}: this is a file, and a folder is needed here; --output DIR writes elsewhere")
        elif not os.access(first, os.W_OK | os.X_OK):
            problems.append(f"{first}: this folder may not be written to; --output DIR writes elsewhere")
    if problems:
        raise UsageError(*dict.fromkeys(problems))


def _refuse_places(places: Iterable[Path], inputs: Collection[Path], *, force: bool) -> None:
    """What the run reads, a folder, or someone else's file is not overwritten."""
    problems = []
    read = {_identity(each) for each in inputs} - {None}
    for path in places:
        if not path.exists():
            continue
        if _identity(path) in read:
            what = "the run reads this file, so it is not written over"
            problems.append(f"{path}: {what}; --output DIR writes elsewhere, or give the spec another name")
        elif path.is_dir():
            problems.append(f"{path}: this is a folder, and a file is written here; --output DIR writes elsewhere")
        elif not force and not _is_own(path):
            what = "this file was not written by evaluate"
            problems.append(f"{path}: {what}; --force replaces it, --output DIR writes elsewhere")
    if problems:
        raise UsageError(*problems)


def _identity(path: Path) -> tuple[int, int] | None:
    """What two names of one file on disk share."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_own(path: Path) -> bool:
    """Whether a run of this program wrote the file; a CSV is ours when the JSON beside its folder is."""
    if path.suffix == ".html":
        with path.open("rb") as file:
            return GENERATOR in file.read(4000)
    own = path if path.suffix == ".json" else path.parent.with_name(f"{path.parent.name}.json")
    return own.is_file() and _is_result(own)


def _is_result(path: Path) -> bool:
    try:
        told = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.keys() >= OWN_KEYS


def _replace_all(files: Mapping[Path, bytes]) -> None:
    """Write everything beside its place first, then move it there: a full disk leaves what was there before."""
    waiting: list[tuple[str, Path]] = []
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            waiting.append((temporary, path))
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(temporary, 0o644)
        _move(waiting)
    finally:
        for temporary, _ in waiting:
            Path(temporary).unlink(missing_ok=True)


def _move(waiting: list[tuple[str, Path]]) -> None:
    """Put every file in its place; who interrupts that is told what is there now."""
    moved = 0
    try:
        while waiting:
            temporary, path = waiting[0]
            os.replace(temporary, path)
            waiting.pop(0)
            moved += 1
    except KeyboardInterrupt:
        if not moved:
            raise
        raise KeyboardInterrupt("interrupted while writing; some files may be from before") from None
