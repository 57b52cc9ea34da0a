"""The layout of a download by hand from Statistics Denmark's StatBank: periods across, repeated names left blank.

title ... efter alder, område, køn og tid
Enhed: Pct.
;;;2007;2008
Alder i alt;Hele landet;I alt;3,6;2,6
;;Mænd;2,9;2,4
(empty line)
footnote
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.periods import parse_period
from evaluation.readers.table import UnreadableError
from evaluation.result import Value

MOST_TITLE_LINES = 8

_UNIT = re.compile(r"^(Enhed|Unit)\s*:\s*(.*)$", re.IGNORECASE)
_TIME = {"tid": "tid", "time": "time", "år": "tid", "year": "time", "kvartal": "tid", "quarter": "time", "måned": "tid"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """The cells in long form, as columns of text, and what the lines around them say."""

    columns: dict[str, list[str]]
    facts: dict[str, Value]


def is_across(rows: Sequence[Sequence[str]]) -> bool:
    """True when the first lines are a title and a line of periods that begins with blank fields."""
    return _header(rows) is not None


def melt(rows: Sequence[Sequence[str]], name: str) -> Sheet:
    """One row per cell: the stubs, filled down, then the period, then the value as it was written.

    Raises
    ------
    UnreadableError
        A line has another number of values than there are periods, or there are no values.
    """
    found = _header(rows)
    if found is None:
        raise UnreadableError(name, "no line with periods was found under the title")
    place, n_stubs = found
    title_lines = [row[0] for row in rows[:place] if row and row[0]]
    unit = next((match[2].strip() for line in title_lines if (match := _UNIT.match(line))), "")
    title = " ".join(line for line in title_lines if not _UNIT.match(line))
    periods = _trimmed(rows[place])[n_stubs:]
    stubs, time = _stub_names(title, n_stubs)
    columns: dict[str, list[str]] = {key: [] for key in (*stubs, time, "value")}
    current = [""] * n_stubs
    end = len(rows)
    for line in range(place + 1, len(rows)):
        row = list(rows[line])
        if not any(row):
            end = line
            break
        values = row[n_stubs : n_stubs + len(periods)]
        if len(values) < len(periods) or any(row[n_stubs + len(periods) :]):
            n_values = len(row) - n_stubs
            raise UnreadableError(
                name, f"line {line + 1:,} has {n_values} values, but there are {len(periods)} periods"
            )
        for stub in range(n_stubs):
            if row[stub]:
                # a new name begins anew all the names to its right
                current[stub:] = row[stub:n_stubs]
                break
        for period, value in zip(periods, values, strict=True):
            for key, entry in zip(columns, (*current, period, value), strict=True):
                columns[key].append(entry)
    if not columns["value"]:
        raise UnreadableError(name, "there is a line of periods, but no line of values")
    footnotes = [" ".join(field for field in row if field) for row in rows[end:] if any(row)]
    facts: dict[str, Value] = {"layout": "StatBank (download, periods across)", "title": title}
    if unit:
        facts["unit"] = unit
    if footnotes:
        facts["footnotes"] = [*footnotes]
    return Sheet(columns, facts)


def _header(rows: Sequence[Sequence[str]]) -> tuple[int, int] | None:
    """(line, number of stubs) of the line of periods, when all before it are titles."""
    for place, row in enumerate(rows[: MOST_TITLE_LINES + 1]):
        fields = _trimmed(row)
        n_stubs = next((k for k, field in enumerate(fields) if field), len(fields))
        if n_stubs and n_stubs < len(fields) and all(_is_period(field) for field in fields[n_stubs:]):
            return place, n_stubs
        if len(fields) > 1:
            return None
    return None


def _stub_names(title: str, n_stubs: int) -> tuple[list[str], str]:
    """Names for the stubs and for the period, from "... efter alder, område, køn og tid" when they are as many."""
    for word, last_word, time in ((" efter ", " og ", "tid"), (" by ", " and ", "time")):
        head, found, tail = title.rpartition(word)
        if not found or not head:
            continue
        *first, last = [part.strip() for part in tail.split(",")]
        before, joined, end = last.rpartition(last_word)
        parts = [*first, *([before.strip(), end.strip()] if joined else [last])]
        distinct = len(set(parts)) == len(parts) and "value" not in parts
        if len(parts) == n_stubs + 1 and parts[-1].casefold() in _TIME and all(parts) and distinct:
            return parts[:-1], _TIME[parts[-1].casefold()]
        return [f"stub{place + 1}" for place in range(n_stubs)], time
    return [f"stub{place + 1}" for place in range(n_stubs)], "time"


def _trimmed(row: Sequence[str]) -> list[str]:
    """The fields without the empty ones at the end."""
    fields = list(row)
    while fields and not fields[-1]:
        fields.pop()
    return fields


def _is_period(field: str) -> bool:
    """A year, quarter or month as StatBank writes it; a small whole number is none."""
    try:
        period = parse_period(field)
    except ValueError:
        return False
    return period.frequency != "year" or 1800 <= period.ordinal <= 2200
