"""Writing what was found: pages, JSON and CSV, all of them or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from evaluation.errors import UsageError
from evaluation.result import Result, from_json, to_json

GENERATOR = b'name="generator" content="nettoeffekt'


def page_name(result: Result, name: str, language: str) -> str:
    """NAME.html for one language, NAME.da.html and NAME.en.html for several."""
    return f"{name}.html" if len(result.languages) == 1 else f"{name}.{language}.html"


def write(
    result: Result, folder: Path, name: str, *, force: bool = False, languages: tuple[str, ...] | None = None
) -> tuple[Path, ...]:
    """Write the pages, NAME.json and NAME/*.csv; what stood there before stays until everything new is on disk.

    Raises
    ------
    UsageError
        A file in the way was not written by this program (and `force` was not said).
    """
    from evaluation.report.csvs import csv_files
    from evaluation.report.page import render

    files: dict[Path, bytes] = {}
    for language in languages or result.languages:
        files[folder / page_name(result, name, language)] = render(result, language).encode()
    files[folder / f"{name}.json"] = to_json(result).encode()
    for csv_name, text in csv_files(result).items():
        files[folder / name / csv_name] = text.encode()
    if not force:
        _refuse_strangers(files)
    _replace_all(files)
    return tuple(files)


def _refuse_strangers(files: Mapping[Path, bytes]) -> None:
    """A page or a JSON file of someone else's is not overwritten."""
    strangers = []
    for path in files:
        if not path.exists():
            continue
        if path.suffix == ".html" and GENERATOR not in path.read_bytes()[:4000]:
            strangers.append(path)
        if path.suffix == ".json" and not _is_result(path):
            strangers.append(path)
    if strangers:
        raise UsageError(
            *(
                f"{path}: this file was not written by evaluate; --force replaces it, --output DIR writes elsewhere"
                for path in strangers
            )
        )


def _is_result(path: Path) -> bool:
    try:
        from_json(path.read_bytes())
    except ValueError:
        # a Result of another version is still ours
        return b'"provenance"' in path.read_bytes()
    return True


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
        for temporary, path in waiting:
            os.replace(temporary, path)
        waiting.clear()
    finally:
        for temporary, _ in waiting:
            Path(temporary).unlink(missing_ok=True)
