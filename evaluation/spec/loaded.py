"""A spec that was read: the judged model and what is needed to point back into its text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluation.errors import Problem
from evaluation.shown import excerpt
from evaluation.spec.model import Spec


@dataclass(frozen=True, slots=True)
class Locator:
    """Where each key and value stands in a TOML text: (line, column), both from 1.

    A path is such as ("data", "unit") or ("estimator", 1, "name"); `keys` and `values` hold the place of each.
    """

    name: str
    lines: tuple[str, ...]
    keys: dict[tuple[str | int, ...], tuple[int, int]]
    values: dict[tuple[str | int, ...], tuple[int, int]]

    def problem(self, path: tuple[str | int, ...], what: str, *, at: str = "value") -> Problem:
        """A Problem at the key or value of `path` (or the nearest table above it), with the line quoted."""
        places = self.values if at == "value" else self.keys
        for end in range(len(path), -1, -1):
            place = places.get(path[:end]) or self.keys.get(path[:end])
            if place is not None:
                break
        else:
            place = (1, 1)
        line, column = place
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return Problem(f"{self.name}:{line}:{column}", what, f"{line:>6} | {excerpt(text, column)}")


@dataclass(frozen=True, slots=True)
class LoadedSpec:
    """A Spec with its file: `folder` is what its paths are relative to, `name` its stem, `text` its bytes as text."""

    spec: Spec
    path: Path
    text: str
    locator: Locator

    @property
    def name(self) -> str:
        """The stem of the file's name: the name of everything that is written."""
        return self.path.stem

    @property
    def folder(self) -> Path:
        """The folder that paths in the spec are relative to."""
        return self.path.parent
