"""What is collected while series are read: problems at their lines of the spec, files, notes and facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from evaluation.errors import Problem
from evaluation.result import InputFile, Note, Value
from evaluation.spec.loaded import LoadedSpec

KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(slots=True)
class Remarks:
    """Everything found so far; problems are raised together when all series have been looked at."""

    loaded: LoadedSpec
    problems: list[Problem] = field(default_factory=list)
    inputs: list[InputFile] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def wrong(self, path: KeyPath, what: str, at: Literal["key", "value"] = "value") -> None:
        """Something is wrong, at this place of the spec."""
        self.problems.append(self.loaded.locator.problem(path, what, at=at))

    def note(self, code: str, text: str, **facts: Value) -> None:
        """A remark the reader of the page needs."""
        self.notes.append(Note(code, text, dict(facts)))

    def input(self, file: InputFile) -> None:
        """A file that was read; one that serves twice is listed once."""
        if file not in self.inputs:
            self.inputs.append(file)
