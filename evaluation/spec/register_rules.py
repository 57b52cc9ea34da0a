"""What `[register]`, `[simulate]` and `[[claim]]` must fulfil beyond the types of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evaluation.periods import Period, parse_period
from evaluation.spec.findings import Finding, starts_at, value_at
from evaluation.spec.locate import KeyPath

FIRST_YEAR = 2008
"""Paid hours are registered by month from this year on."""


def registers(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Everything these rules find."""
    yield from _sources(raw)
    yield from _claims(raw)
    register = raw.get("register")
    if isinstance(register, Mapping):
        yield from _years(raw)
        yield from _who(raw)
        yield from _groups(raw)


def _sources(raw: Mapping[str, Any]) -> Iterator[Finding]:
    if "register" in raw and "data" in raw:
        what = "[data] is a ready panel and [register] makes one of persons; leave one of them out"
        yield Finding(("register",), what, at="key")
    if "simulate" in raw and "register" not in raw:
        what = "[simulate] writes registers, but there is no [register] that reads them; add it"
        yield Finding(("simulate",), what, at="key")
    treatment = raw.get("treatment")
    if "register" in raw and isinstance(treatment, Mapping) and "start_column" in treatment:
        what = "registers have no column with the start of a municipality; write units and start, or starts"
        yield Finding(("treatment", "start_column"), what, at="key")


def _claims(raw: Mapping[str, Any]) -> Iterator[Finding]:
    claims = raw.get("claim")
    for index in range(len(claims) if isinstance(claims, list) else 0):
        low, high = (value_at(raw, ("claim", index, key)) for key in ("low", "high"))
        if _number(low) and _number(high) and high < low:
            yield Finding(("claim", index, "high"), f"high is {high}, below low, {low}; write the smaller one as low")


def _years(raw: Mapping[str, Any]) -> Iterator[Finding]:
    years = value_at(raw, ("register", "periods"))
    if not (isinstance(years, list) and len(years) == 2 and all(_whole(year) for year in years)):
        return
    first, last = years
    if last < first:
        yield Finding(("register", "periods"), f"periods ends in {last}, before it begins in {first}")
        return
    if first < FIRST_YEAR:
        what = f"paid hours are registered from {FIRST_YEAR} on, so periods cannot begin in {first}"
        yield Finding(("register", "periods", 0), what)
    places: list[tuple[str | int, ...]] = [
        *starts_at(raw),
        ("treatment", "window", 0),
        ("treatment", "window", 1),
    ]
    for path in (*places, ("register", "who", "baseline")):
        period = _period(value_at(raw, path))
        ahead = "plan" in raw and path[0] == "treatment"  # what is planned may lie after the registers
        if period is not None and not (first <= _year(period) <= last or (ahead and _year(period) > last)):
            what = f"{period} lies outside the years of the registers, periods = [{first}, {last}]"
            yield Finding(path, what)
    frequency = value_at(raw, ("register", "outcome", "frequency")) or "year"
    wanted = "quarter" if frequency == "quarter" else "year"
    for path in places:
        period = _period(value_at(raw, path))
        if period is not None and period.frequency != wanted:
            example = f'"{_year(period)}Q1"' if wanted == "quarter" else f"{_year(period)}"
            yield Finding(path, f"{period} is a {period.frequency}, but the outcome is by {wanted}; write {example}")


def _who(raw: Mapping[str, Any]) -> Iterator[Finding]:
    path = ("register", "who", "baseline")
    value = value_at(raw, path)
    if isinstance(value, int | str) and not isinstance(value, bool):
        month = _period(value)
        if month is None or month.frequency != "month":
            yield Finding(path, f"'{value}' is not a month; write 2014-12 as \"2014-12\"")
    yield from _age(raw, ("register", "who", "age"))
    measure, also = (value_at(raw, ("register", "outcome", key)) for key in ("measure", "also"))
    for index, each in enumerate(also if isinstance(also, list) else ()):
        if each == (measure or "annual_hours"):
            yield Finding(("register", "outcome", "also", index), f"'{each}' is the measure already; leave it out here")


def _age(raw: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    age = value_at(raw, path)
    if isinstance(age, list) and len(age) == 2 and all(_whole(each) for each in age):
        youngest, oldest = age
        if oldest < youngest:
            yield Finding(path, f"age ends at {oldest}, below its beginning, {youngest}")
        elif youngest < 0 or oldest > 120:
            yield Finding(path, f"ages run from 0 to 120, found {youngest} to {oldest}")


def _groups(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Other groups must be others, each once, and be looked at in periods that there are."""
    listed = value_at(raw, ("register", "negative_group"))
    paths: list[KeyPath] = [
        ("register", "negative_group", place) for place in range(len(listed) if isinstance(listed, list) else 0)
    ]
    if isinstance(value_at(raw, ("register", "second_group")), Mapping):
        paths.append(("register", "second_group"))
    who = value_at(raw, ("register", "who"))
    own = who if isinstance(who, Mapping) else {}
    treated = own.get("benefit", "kontanthjælp"), own.get("readiness", "aktivitetsparat")
    seen: list[tuple[Any, Any, Any]] = []
    for path in paths:
        table = value_at(raw, path)
        if not isinstance(table, Mapping):
            continue
        yield from _age(raw, (*path, "age"))
        group = table.get("benefit"), table.get("readiness"), table.get("age")
        if group[:2] == treated or (group[0] == treated[0] and group[1] is None):
            what = "these are the persons of [register.who], or some of them; name another benefit or referral category"
            yield Finding((*path, "benefit"), what)
        elif group in seen and path[1] == "negative_group":
            yield Finding((*path, "benefit"), "these persons are a negative group already; leave one of the two out")
        seen.append(group)
        if "until" in table:
            yield from _until(raw, (*path, "until"))


def _first_start(raw: Mapping[str, Any]) -> Period | None:
    starts = [start for path in starts_at(raw) if (start := _period(value_at(raw, path))) is not None]
    return min(starts) if len({start.frequency for start in starts}) == 1 else None


def _until(raw: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    period, start = _period(value_at(raw, path)), _first_start(raw)
    if period is None:
        yield Finding(path, f"'{value_at(raw, path)}' is not a period; write 2016")
        return
    wanted = "quarter" if value_at(raw, ("register", "outcome", "frequency")) == "quarter" else "year"
    if period.frequency != wanted:
        yield Finding(path, f"{period} is a {period.frequency}, but the outcome is by {wanted}")
    elif start is not None and start.frequency == wanted and period < start and "plan" not in raw:
        yield Finding(path, f"until {period} lies before the start, {start}, so that nothing could be looked at")


def _period(value: Any) -> Period | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return parse_period(value)
    except ValueError:
        return None


def _year(period: Period) -> int:
    return int(period.label[:4])


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
