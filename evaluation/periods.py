"""Years, quarters and months as ordered, equally spaced periods."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Literal

Frequency = Literal["year", "quarter", "month"]

PER_YEAR: dict[Frequency, int] = {"year": 1, "quarter": 4, "month": 12}

_QUARTER = re.compile(r"^(\d{4})\s*-?\s*[KQkq]\.?\s*([1-4])$")
_MONTH = re.compile(r"^(\d{4})\s*(?:-|[Mm])\s*(0?[1-9]|1[0-2])$")
_DATE = re.compile(r"^(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?$")
_YEAR = re.compile(r"^(-?\d{1,6})(?:\.0+)?$")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One period: its frequency and how many such periods have passed since year 0.

    Plain whole numbers (1, 2, 3, ...) are periods too; they are read as years.
    """

    frequency: Frequency
    ordinal: int

    @property
    def label(self) -> str:
        """As it is written in data and reports: 2015, 2015Q1 or 2015M01."""
        if self.frequency == "year":
            return str(self.ordinal)
        year, part = divmod(self.ordinal, PER_YEAR[self.frequency])
        return f"{year}Q{part + 1}" if self.frequency == "quarter" else f"{year}M{part + 1:02d}"

    def __str__(self) -> str:
        return self.label

    def shift(self, steps: int) -> Period:
        """The period `steps` later (earlier when negative)."""
        return Period(self.frequency, self.ordinal + steps)


def parse_period(value: object) -> Period:
    """Read 2015, "2015", 2015.0, "2015Q1", "2015K1", "2015M01", "2015-01" or a date (as its month).

    Raises
    ------
    ValueError
        The value is none of these.
    """
    if isinstance(value, Period):
        return value
    if isinstance(value, (datetime.date, datetime.datetime)):
        return Period("month", value.year * 12 + value.month - 1)
    if isinstance(value, bool):
        raise ValueError("not a period")
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("not a period")
    if isinstance(value, (int, float)):
        return Period("year", int(value))
    text = str(value).strip()
    if match := _YEAR.match(text):
        return Period("year", int(match[1]))
    if match := _QUARTER.match(text):
        return Period("quarter", int(match[1]) * 4 + int(match[2]) - 1)
    if match := _MONTH.match(text):
        return Period("month", int(match[1]) * 12 + int(match[2]) - 1)
    if match := _DATE.match(text):
        return Period("month", int(match[1]) * 12 + int(match[2]) - 1)
    raise ValueError("not a period")
