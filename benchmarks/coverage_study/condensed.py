"""The part of the table that pages quote, beside the package that quotes it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from coverage_study.table import Row
from evaluation.proof import CoverageRow

QUOTED = ("effect", "first_period", "joint")
"""What a page tests: the headline, single periods, all of them together."""

COPY = Path(__file__).parents[2] / "evaluation" / "proof" / "coverage.csv"


def condense(rows: Mapping[tuple[str, ...], Row], path: Path = COPY) -> None:
    """Write the rows of what pages test that have a rate, in the columns of `CoverageRow`."""
    names = [field.name for field in fields(CoverageRow)]
    ordered = sorted(rows.values(), key=lambda row: (row.periods, row.treated, row.key))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in ordered:
            if row.statistic in QUOTED and row.size_05 is not None:
                writer.writerow([_cell(getattr(row, name)) for name in names])


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
