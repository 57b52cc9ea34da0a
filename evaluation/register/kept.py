"""Cells as an entry of the cache, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from evaluation.periods import Period
from evaluation.register.cache import Entry
from evaluation.register.cells import Cells
from evaluation.result import FlowStep, InputFile

_ARRAYS = ("sums", "count", "total", "squares", "exits")


def to_entry(cells: Cells, inputs: tuple[InputFile, ...]) -> Entry:
    """The arrays by name, and everything else as plain facts."""
    arrays = {"persons": cells.persons}
    for field in _ARRAYS:
        arrays |= {f"{field}/{name}": values for name, values in getattr(cells, field).items()}
    facts = {
        "units": cells.units,
        "periods": [(period.frequency, period.ordinal) for period in cells.periods],
        "covariates": cells.covariates,
        "groups": cells.groups,
        "scale": dict(cells.scale),
        "flow": [asdict(step) for step in cells.flow],
        "counters": dict(cells.counters),
        "imputed": dict(cells.imputed),
        "inputs": [asdict(each) for each in inputs],
    }
    return Entry(arrays, facts)


def from_entry(entry: Entry) -> tuple[Cells, tuple[InputFile, ...]] | None:
    """The cells and the files they were made from; None for an entry that does not hold them."""
    try:
        return _read(entry.arrays, entry.facts)
    except (KeyError, TypeError, ValueError):
        return None


def _read(arrays: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[Cells, tuple[InputFile, ...]]:
    named: dict[str, dict[str, Any]] = {field: {} for field in _ARRAYS}
    for key, values in arrays.items():
        field, _, name = key.partition("/")
        if name:
            named[field][name] = values
    cells = Cells(
        units=tuple(facts["units"]),
        periods=tuple(Period(frequency, ordinal) for frequency, ordinal in facts["periods"]),
        covariates=tuple(facts["covariates"]),
        groups=tuple(tuple(group) for group in facts["groups"]),
        persons=arrays["persons"],
        scale=facts["scale"],
        flow=tuple(FlowStep(**step) for step in facts["flow"]),
        counters=facts["counters"],
        imputed={key: (imputed, rows) for key, (imputed, rows) in facts["imputed"].items()},
        **named,
    )
    return cells, tuple(InputFile(**each) for each in facts["inputs"])
