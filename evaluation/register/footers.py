"""What Parquet footers tell about a column without reading it: how many values are missing, the lowest and the highest.

A hundred million rows of hours need no look when their footers say already that none is missing and none is beyond what is
plausible. Writers may leave these statistics out; then nothing is known, and the rows are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.register.files import RegisterFile


@dataclass(frozen=True, slots=True)
class Facts:
    """A column over all row groups: missing values, and (lowest, highest) of each group; None where it is not known."""

    missing: int | None
    spans: tuple[tuple[Any, Any], ...] | None

    def within(self, low: float, high: float) -> bool:
        """Whether every value is known to lie between these."""
        return self.spans is not None and all(low <= least and most <= high for least, most in self.spans)

    def among(self, codes: frozenset[str]) -> bool:
        """Whether no value is missing and every one is known to be among these codes."""
        return self.missing == 0 and self.spans is not None and all(_held(*span, codes) for span in self.spans)

    def years(self) -> frozenset[int] | None:
        """The years of a column of dates, when each row group lies within one year; None when they are not known."""
        if self.spans is None or not all(hasattr(edge, "year") for span in self.spans for edge in span):
            return None
        if any(least.year != most.year for least, most in self.spans):
            return None
        return frozenset(least.year for least, _ in self.spans)


def _held(low: Any, high: Any, codes: frozenset[str]) -> bool:
    """Whether all whole numbers from the lowest to the highest, or the one value there is, are among the codes."""
    if isinstance(low, int) and isinstance(high, int) and high - low < 100:
        return all(str(code) in codes for code in range(low, high + 1))
    return bool(low == high) and str(low) in codes


def facts_of(files: Sequence[RegisterFile], column: str) -> Facts:
    """The facts of a column that all these files hold under this name."""
    missing: int | None = 0
    spans: list[tuple[Any, Any]] | None = []
    for file in files:
        place = next((i for i in range(file.metadata.num_columns) if _path(file, i) == column), None)
        for group in range(file.metadata.num_row_groups):
            found = None if place is None else file.metadata.row_group(group).column(place).statistics
            if found is None or not found.has_null_count:
                missing = None
            elif missing is not None:
                missing += found.null_count
            if (
                found is not None
                and found.has_null_count
                and found.null_count == file.metadata.row_group(group).num_rows
            ):
                continue
            if found is None or not found.has_min_max:
                spans = None
            elif spans is not None:
                spans.append((found.min, found.max))
    return Facts(missing, None if spans is None else tuple(spans))


def _path(file: RegisterFile, place: int) -> str:
    return str(file.metadata.schema.column(place).path)
