"""The pivot once more in plain Python: slow, and obviously right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from evaluation.periods import parse_period

Cell = tuple[str, str]


def pivot(rows: Iterable[Mapping[str, Any]], unit: str, time: str, outcome: str) -> dict[Cell, float]:
    """{(unit, period label): outcome} of the cells that are observed."""
    cells: dict[Cell, float] = {}
    for row in rows:
        value = row[outcome]
        if value is not None and not math.isnan(value):
            cells[str(row[unit]).strip(), parse_period(row[time]).label] = float(value)
    return cells


def cells_of(panel: Any) -> dict[Cell, float]:
    """The same of a Panel."""
    return {
        (unit, period.label): float(panel.outcome[row, step])
        for row, unit in enumerate(panel.units)
        for step, period in enumerate(panel.periods)
        if not math.isnan(panel.outcome[row, step])
    }
