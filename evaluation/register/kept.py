"""Cells and the files they were made from as an entry of the cache, and back; also why there are no cells."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from evaluation.register.cache import Entry
from evaluation.register.cells import Cells, packed, unpacked
from evaluation.result import InputFile


@dataclass(frozen=True, slots=True)
class Left:
    """A population that could not be measured, and why: never anything about a person."""

    problems: tuple[str, ...]


def to_entry(found: Cells | Left, inputs: tuple[InputFile, ...]) -> Entry:
    """Arrays by name, and everything else as plain facts."""
    files = [asdict(each) for each in inputs]
    if isinstance(found, Left):
        return Entry({}, {"left": list(found.problems), "inputs": files})
    arrays, facts = packed(found)
    return Entry(arrays, {"cells": facts, "inputs": files})


def from_entry(entry: Entry) -> tuple[Cells | Left, tuple[InputFile, ...]] | None:
    """The cells, or why there are none, and the files; None for an entry that does not hold them."""
    try:
        inputs = tuple(InputFile(**each) for each in entry.facts["inputs"])
        if "left" in entry.facts:
            return Left(tuple(str(problem) for problem in entry.facts["left"])), inputs
        return unpacked(entry.arrays, entry.facts["cells"]), inputs
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None
