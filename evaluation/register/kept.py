"""Cells and the files they were made from as an entry of the cache, and back."""

from __future__ import annotations

from dataclasses import asdict

from evaluation.register.cache import Entry
from evaluation.register.cells import Cells, packed, unpacked
from evaluation.result import InputFile


def to_entry(cells: Cells, inputs: tuple[InputFile, ...]) -> Entry:
    """Arrays by name, and everything else as plain facts."""
    arrays, facts = packed(cells)
    return Entry(arrays, {"cells": facts, "inputs": [asdict(each) for each in inputs]})


def from_entry(entry: Entry) -> tuple[Cells, tuple[InputFile, ...]] | None:
    """The cells and their files; None for an entry that does not hold them."""
    try:
        return unpacked(entry.arrays, entry.facts["cells"]), tuple(InputFile(**each) for each in entry.facts["inputs"])
    except (KeyError, TypeError, ValueError):
        return None
