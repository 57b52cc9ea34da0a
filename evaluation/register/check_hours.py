"""What is odd in the rows of paid hours: told by the files' footers as far as they can, else in one scan of few columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw

from evaluation.errors import listed
from evaluation.register import tables, values
from evaluation.register.footers import facts_of
from evaluation.register.layout import Layout
from evaluation.register.tables import Part
from evaluation.register.tally import SHOWN_CODES, Tally, how_many, rows_of, shown_code, spans

if TYPE_CHECKING:
    from evaluation.register.engine import Engine
    from evaluation.spec.model import Register


@dataclass(frozen=True, slots=True)
class _Told:
    """What the footers tell of one part: counts by oddity, the years (None: not known), and what is left to look at."""

    counts: Mapping[str, int]
    years: frozenset[int] | None
    left: frozenset[str]


def check_hours(engine: Engine, layout: Layout, parts: Sequence[Part], register: Register, tally: Tally) -> None:
    """Count what is odd, and find the years of the outcome that have no rows at all."""
    counts: dict[str, int] = {}
    years: set[int] = set()
    for part in parts:
        told = _told(part, layout)
        years |= told.years or frozenset()
        for name, count in told.counts.items():
            counts[name] = counts.get(name, 0) + count
        if told.years is None or told.left:
            for year, name, count in _looked_at(engine, part, layout, told):
                years |= {year} if year is not None else set()
                counts[name] = counts.get(name, 0) + count
    rows = sum(part.rows for part in parts)
    for name, counter, share, what in _kinds_of_oddity(layout):
        if name == "no_kind" and counts.get(name, 0) > share * rows:
            what += f" ({_unknown_kinds(engine, layout, parts)})"
        tally.odd("hours", counter, counts.get(name, 0), rows, share, what)
    lost = [year for year in range(register.periods[0], register.periods[1] + 1) if year not in years]
    if lost:
        held = f"it holds {spans(sorted(years))}" if years else "no row has a year"
        tally.wrong("hours", f"no row of hours in {spans(lost)}: {held}; without rows everybody's hours would be 0")


def _kinds_of_oddity(layout: Layout) -> list[tuple[str, str, float, str]]:
    """Name, counter, the share of rows from which on it is an error, and the words behind "N of M rows"."""
    paid, limits = layout.hours, layout.limits
    dated = f"a date in '{paid.date}'" if paid.date else f"a year and month in '{paid.year}' and '{paid.month}'"
    most = limits.implausible_share
    return [
        ("no_person", "hours_rows_without_person", most, f"hold no person's key in '{paid.person}'"),
        ("no_hours", "hours_rows_missing", most, f"hold nothing in '{paid.hours}'"),
        ("no_number", "hours_rows_not_a_number", most, f"hold a text in '{paid.hours}' that is no number"),
        ("beyond", "hours_rows_implausible", most, f"hold more than {limits.row_hours:,} hours in '{paid.hours}', up or down"),
        ("no_month", "hours_rows_without_month", most, f"hold no month: {dated} cannot be read"),
        ("no_kind", "hours_rows_unknown_kind", limits.unknown_share, f"hold a code in '{paid.kind}' that the layout does not know"),
    ]  # fmt: skip


def _told(part: Part, layout: Layout) -> _Told:
    """What need not be looked at, since the footers tell it."""
    column = part.columns
    facts = {role: facts_of(part.files, name) for role, name in column.items() if not role.startswith("job")}
    kinds = {role: part.files[0].schema.field(name).type for role, name in column.items()}
    counts: dict[str, int] = {}
    left: set[str] = set()
    for name, role in (("no_person", "person"), ("no_hours", "hours")):
        missing = facts[role].missing
        if missing is None:
            left.add(name)
        else:
            counts[name] = missing
    if values.is_number(kinds["hours"]):
        if not facts["hours"].within(-layout.limits.row_hours, layout.limits.row_hours):
            left.add("beyond")
    else:
        left |= {"no_number", "beyond"}
    known = frozenset().union(*layout.hours.kinds.values())
    years = facts["date"].years() if "date" in column else None
    missing = facts["date"].missing if years is not None else None
    if missing is None:
        left.add("no_month")
    else:
        counts["no_month"] = missing
    if "kind" in column and not facts["kind"].among(known):
        left.add("no_kind")
    return _Told(counts, years, frozenset(left))


def _looked_at(engine: Engine, part: Part, layout: Layout, told: _Told) -> list[tuple[int | None, str, int]]:
    """(year, oddity, rows) by one scan; the year is None where the footers told the years."""
    frame, types = part.scan(engine)
    column = part.columns
    amount = values.number(column["hours"], types["hours"])
    year, month = tables.hours_period(part, types)
    odd = {
        "no_person": nw.col(column["person"]).is_null(),
        "no_hours": nw.col(column["hours"]).is_null(),
        "no_number": amount.is_null() & ~nw.col(column["hours"]).is_null(),
        "beyond": (amount > layout.limits.row_hours) | (amount < -layout.limits.row_hours),
        "no_month": month.is_null() | (month < 1) | (month > 12),
    }
    if "kind" in column:
        odd["no_kind"] = tables.kind(part, types, layout.hours) == "other"
    odd = {name: odd[name] for name in sorted(told.left)}
    table = frame.select(year=nw.lit(None, dtype=nw.Int64) if told.years is not None else year, **odd)
    counted = table.group_by("year").agg(nw.len().alias("rows"), *(how_many(nw.col(name)).alias(name) for name in odd))
    return [(each["year"], name, each[name]) for each in rows_of(engine, counted) for name in ("rows", *odd)]


def _unknown_kinds(engine: Engine, layout: Layout, parts: Sequence[Part]) -> str:
    """The codes themselves, which are no person's data."""
    codes: set[str] = set()
    for part in parts:
        frame, types = part.scan(engine)
        code = values.text(part.columns["kind"], types["kind"]).alias("code")
        table = frame.filter(tables.kind(part, types, layout.hours) == "other").select(code).unique()
        codes |= {str(each["code"]) for each in rows_of(engine, table) if each["code"] is not None}
    return listed([shown_code(code) for code in sorted(codes)], SHOWN_CODES)
