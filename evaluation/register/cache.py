"""Cells that were made once and are found again by what they were made from. No row of a person is kept here.

An entry is `cells-<key>.npz` with arrays and `cells-<key>.json` with plain facts. Whatever is wrong with an entry, it is made
again: a cache that cannot be read or written never stops a run.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation._version import __version__
from evaluation.result import InputFile

MOST = 50
_FORMAT = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """What one entry holds: arrays by name, and facts that JSON can hold."""

    arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    facts: Mapping[str, Any]


def cache_folder() -> Path:
    """NETTOEFFEKT_CACHE if it is set, else the platform's folder for caches."""
    named = os.environ.get("NETTOEFFEKT_CACHE")
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "nettoeffekt"


def cache_key(inputs: Sequence[InputFile], asked: Mapping[str, Any], layout_sha256: str) -> str:
    """The name of what these files, this part of the spec and this layout give with this version of the package.

    `asked` is what the cells depend on, as plain values (`Register.model_dump(mode="json")` without what cannot matter:
    the paths, the memory, the source line). The names of the files do not matter, their contents and their order do.
    """
    content = {
        "format": _FORMAT,
        "version": __version__,
        "layout": layout_sha256,
        "inputs": [[str(each.read_as.get("register", "")), each.sha256] for each in inputs],
        "asked": asked,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def load(key: str, folder: Path | None = None) -> Entry | None:
    """The entry of this key, or None when there is none or it cannot be read."""
    base = folder if folder is not None else cache_folder()
    arrays_path, facts_path = _paths(base, key)
    try:
        facts = json.loads(facts_path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or facts.get("key") != key:
            return None
        content = arrays_path.read_bytes()
        if hashlib.sha256(content).hexdigest() != facts.get("sha256"):
            return None
        with np.load(arrays_path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, RecursionError):
        return None
    for array in arrays.values():
        array.setflags(write=False)
    with contextlib.suppress(OSError):
        os.utime(facts_path)  # the entries used last are the ones that stay
    return Entry(arrays, facts["facts"]) if isinstance(facts.get("facts"), dict) else None


def store(key: str, entry: Entry, folder: Path | None = None) -> bool:
    """Keep an entry; whether that was possible. The facts are written last, so that half an entry is none."""
    base = folder if folder is not None else cache_folder()
    arrays_path, facts_path = _paths(base, key)
    try:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = _packed(entry.arrays)
        facts = {"key": key, "sha256": hashlib.sha256(content).hexdigest(), "facts": dict(entry.facts)}
        # in the order given: a result from the cache must be the same to the last byte as one that was just made
        text = json.dumps(facts, ensure_ascii=False, allow_nan=False)
        _replace(arrays_path, content)
        _replace(facts_path, text.encode())
    except (OSError, ValueError, TypeError):
        return False
    _bound(base)
    return True


def _paths(folder: Path, key: str) -> tuple[Path, Path]:
    return folder / f"cells-{key}.npz", folder / f"cells-{key}.json"


def _packed(arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> bytes:
    if any(array.dtype.hasobject for array in arrays.values()):
        raise TypeError("arrays of objects are not kept")
    buffer = io.BytesIO()
    named: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez_compressed(buffer, **named)
    return buffer.getvalue()


def _replace(path: Path, content: bytes) -> None:
    """Write beside it, then rename: a reader sees the old file or the new one, never half of it."""
    handle, name = tempfile.mkstemp(suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _bound(folder: Path) -> None:
    """Keep the entries that were used last, at most `MOST`."""
    dated: list[tuple[float, Path]] = []
    for path in folder.glob("cells-*.json"):
        with contextlib.suppress(OSError):
            dated.append((path.stat().st_mtime, path))
    for _, path in sorted(dated, reverse=True)[MOST:]:
        for each in (path, path.with_suffix(".npz")):
            with contextlib.suppress(OSError):
                each.unlink()
