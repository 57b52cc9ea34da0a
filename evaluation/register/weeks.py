"""ISO weeks: a week belongs to the year of its Thursday, so some years have 53 (2009, 2015, 2020)."""

from __future__ import annotations

import calendar
import datetime


def weeks_in(year: int) -> int:
    """How many ISO weeks a year has: 52 or 53."""
    return datetime.date(year, 12, 28).isocalendar().week


def weeks_of(year: int) -> tuple[tuple[int, int], ...]:
    """All weeks of a year, as (year, week)."""
    return tuple((year, week) for week in range(1, weeks_in(year) + 1))


def exists(year: int, week: int) -> bool:
    """Whether the year has this week."""
    return 1 <= week <= weeks_in(year)


def last_weeks(year: int, month: int, count: int) -> tuple[tuple[int, int], ...]:
    """The last `count` weeks up to the end of a month (a week belongs to the month of its Thursday), in time order."""
    day = datetime.date(year, month, calendar.monthrange(year, month)[1])
    thursday = day - datetime.timedelta(days=(day.weekday() - 3) % 7)
    weeks = []
    for back in range(count - 1, -1, -1):
        iso = (thursday - datetime.timedelta(weeks=back)).isocalendar()
        weeks.append((iso.year, iso.week))
    return tuple(weeks)
