"""What is wrong with the rows, found in one aggregate query per register: counts only, never a row.

The queries read a few columns each; the one over the hours is the only look at all of their rows before the cells are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from evaluation.denmark.areas import municipalities
from evaluation.errors import listed
from evaluation.register import tables, values
from evaluation.register.tables import Part
from evaluation.register.weeks import last_weeks

if TYPE_CHECKING:
    from evaluation.register.sources import Sources
    from evaluation.spec.model import Register

_SHOWN_CODES = 8
# weekly codes looked at, at most: of a larger register every second, third, ... week
_MOST_CELLS = 25_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with the rows of a register: the key of the spec, and what."""

    key: str
    what: str


@dataclass(slots=True)
class _Tally:
    """What was found so far: errors, and oddities that are only counted."""

    findings: list[Finding]
    counters: dict[str, int]

    def odd(self, key: str, counter: str, count: int, rows: int, share: float, what: str) -> None:
        """Count an oddity; beyond `share` of the rows it is an error. `what` completes "N of M rows ..."."""
        self.counters[counter] = count
        if count > share * rows:
            limit = f"the layout allows {100 * share:g} %"
            self.wrong(key, f"{count:,} of {rows:,} rows ({_percent(count, rows)}) {what}; {limit}")

    def wrong(self, key: str, what: str) -> None:
        """Note an error."""
        self.findings.append(Finding(key, what))


def check_rows(
    sources: Sources,
    parts: Mapping[str, Sequence[Part]],
    register: Register,
    weeks: frozenset[tuple[int, int]],
    baseline: tuple[int, int],
) -> tuple[list[Finding], dict[str, int]]:
    """Everything that is wrong with the rows, and the counts of what is odd but bearable.

    `weeks` are the weeks that the benefit register holds, `baseline` is (year, month).
    """
    tally = _Tally([], {})
    _population(sources, parts["population"], register, baseline[0], tally)
    _hours(sources, parts["hours"], register, tally)
    _benefits(sources, register, weeks, baseline, tally)
    _education(sources, tally)
    if not tally.findings:
        # needs the population and the benefits to be sound
        _persons(sources, register, weeks, baseline, tally)
    return tally.findings, tally.counters


def _population(sources: Sources, parts: Sequence[Part], register: Register, baseline: int, tally: _Tally) -> None:
    table = sources.population.group_by("year", "municipality").agg(
        nw.len().alias("rows"),
        _count(nw.col("person").is_null()).alias("no_person"),
        _count(nw.col("birth_year").is_null() | nw.col("birth_month").is_null()).alias("no_birth"),
        _count(nw.col("sex").is_null()).alias("no_sex"),
    )
    found = _rows(sources, table)
    rows = sum(each["rows"] for each in found)
    layout, share = sources.layout, sources.layout.limits
    people = layout.population
    for column, counter, name, what in (
        ("no_person", "population_rows_without_person", people.person, "hold no person's key"),
        ("no_birth", "population_rows_without_birth", people.born, "hold no date of birth that can be read"),
    ):
        count = sum(each[column] for each in found)
        tally.odd("population", counter, count, rows, share.implausible_share, f"{what} in column '{name}'")
    tally.odd(
        "population",
        "population_rows_unknown_sex",
        sum(each["no_sex"] for each in found),
        rows,
        share.unknown_share,
        f"hold a code in '{people.sex}' that is not among the layout's sexes",
    )
    known = {area.code for area in municipalities()}
    unknown: dict[str, int] = {}
    for each in found:
        code = each["municipality"]
        if code not in known:
            unknown[code or "empty"] = unknown.get(code or "empty", 0) + each["rows"]
    codes = sorted(unknown, key=lambda code: -unknown[code])
    tally.odd(
        "population",
        "population_rows_unknown_municipality",
        sum(unknown.values()),
        rows,
        share.unknown_share,
        f"hold {len(codes):,} codes in '{people.municipality}' that are none of the 98 municipalities since 2007 "
        f"({listed([_code(code) for code in codes], _SHOWN_CODES)})",
    )
    years = sorted({each["year"] for each in found if each["year"] is not None})
    needed = sorted({baseline, *range(register.periods[0], register.periods[1] + 1)})
    lost = [year for year in needed if year not in years]
    if lost:
        held = f"it holds {_spans(years)}" if years else "no row has a year"
        tally.wrong(
            "population",
            f"no population for {_spans(lost)}: {held}; every year of the outcome is needed, and the baseline",
        )


def _hours(sources: Sources, parts: Sequence[Part], register: Register, tally: _Tally) -> None:
    """One scan over all rows of hours: by year, how many are odd."""
    layout = sources.layout
    limit = layout.limits.row_hours
    counted: list[dict[str, Any]] = []
    for part in parts:
        frame, types = part.scan(sources.engine)
        column = part.columns
        amount = values.number(column["hours"], types["hours"])
        year, month = tables.hours_period(part, types)
        odd = {
            "no_hours": nw.col(column["hours"]).is_null(),
            "beyond": (amount > limit) | (amount < -limit),
            "no_month": month.is_null() | (month < 1) | (month > 12),
        }
        if types["hours"] == nw.String:
            odd["no_number"] = amount.is_null() & ~nw.col(column["hours"]).is_null()
        if "kind" in column:
            odd["no_kind"] = (tables.kind(part, types, layout.hours) == "other") & ~nw.col(column["kind"]).is_null()
        made = frame.select(nw.col(column["person"]).is_null().alias("no_person"), year=year, **odd)
        names = ("no_person", *odd)
        table = made.group_by("year").agg(nw.len().alias("rows"), *(_count(nw.col(name)).alias(name) for name in names))
        counted += _rows(sources, table)
    rows = sum(each["rows"] for each in counted)
    paid, share = layout.hours, layout.limits
    dated = f"a date in '{paid.date}'" if paid.date else f"a year and month in '{paid.year}' and '{paid.month}'"
    for name, counter, most, what in (
        ("no_person", "hours_rows_without_person", share.implausible_share, f"hold no person's key in '{paid.person}'"),
        ("no_hours", "hours_rows_missing", share.implausible_share, f"hold nothing in '{paid.hours}'"),
        ("no_number", "hours_rows_not_a_number", share.implausible_share, f"hold a text in '{paid.hours}' that is no number"),
        ("beyond", "hours_rows_implausible", share.implausible_share, f"hold more than {limit:,} hours in '{paid.hours}', up or down"),
        ("no_month", "hours_rows_without_month", share.implausible_share, f"hold no month: {dated} cannot be read"),
        ("no_kind", "hours_rows_unknown_kind", share.unknown_share, f"hold a code in '{paid.kind}' that the layout does not know"),
    ):  # fmt: skip
        count = sum(each.get(name) or 0 for each in counted)
        if name == "no_kind" and count > most * rows:
            what += f" ({_unknown_kinds(sources, parts)})"
        tally.odd("hours", counter, count, rows, most, what)
    years = sorted({each["year"] for each in counted if each["year"] is not None})
    lost = [year for year in range(register.periods[0], register.periods[1] + 1) if year not in years]
    if lost:
        held = f"it holds {_spans(years)}" if years else "no row has a year"
        what = f"no row of hours in {_spans(lost)}: {held}; without rows everybody's hours would be 0"
        tally.wrong("hours", what)


def _unknown_kinds(sources: Sources, parts: Sequence[Part]) -> str:
    """The codes themselves, which are no person's data."""
    codes: set[str] = set()
    for part in parts:
        frame, types = part.scan(sources.engine)
        name = part.columns["kind"]
        code = values.text(name, types["kind"]).alias("code")
        table = frame.filter(tables.kind(part, types, sources.layout.hours) == "other").select(code).unique()
        codes |= {str(each["code"]) for each in _rows(sources, table) if each["code"] is not None}
    return listed([_code(code) for code in sorted(codes)], _SHOWN_CODES)


def _benefits(
    sources: Sources,
    register: Register,
    weeks: frozenset[tuple[int, int]],
    baseline: tuple[int, int],
    tally: _Tally,
) -> None:
    """Persons that stand twice, and weekly codes that the layout does not know, in the years that the cells are made from."""
    first, last = min(baseline[0] - 7, register.periods[0]), max(baseline[0], register.periods[1])
    used = sorted(week for week in weeks if first <= week[0] <= last)
    frame = sources.benefits([], [])
    persons = frame.select(
        nw.len().alias("rows"),
        nw.col("person").n_unique().alias("persons"),
        _count(nw.col("person").is_null()).alias("no_person"),
    )
    found = _rows(sources, persons)[0]
    rows, layout = found["rows"], sources.layout
    no_person = found["no_person"]
    what = f"hold no person's key in '{layout.benefits.person}'"
    tally.odd("benefits", "benefit_rows_without_person", no_person, rows, layout.limits.implausible_share, what)
    twice = rows - no_person - found["persons"]
    if twice > 0:
        what = f"{twice:,} of {rows:,} rows are a person's second or later one; the benefit register has one row per person"
        tally.wrong("benefits", f"{what}, so give one extract only")
    looked_at = used[:: max(1, -(-rows * len(used) // _MOST_CELLS))]
    names = [f"week_{year}_{week:02d}" for year, week in looked_at]
    codes = (
        sources.benefits(looked_at, [])
        .unpivot(on=names, index="person", variable_name="week", value_name="code")
        .group_by("code")
        .agg(nw.len().alias("weeks"))
    )
    counts = {each["code"]: each["weeks"] for each in _rows(sources, codes) if each["code"] is not None}
    unknown = {code: counts[code] for code in sorted(counts.keys() - layout.benefits.codes)}
    count, entries = sum(unknown.values()), sum(counts.values())
    tally.counters["benefit_weeks_looked_at"] = entries
    tally.counters["benefit_weeks_unknown_code"] = count
    if count > layout.limits.unknown_share * entries:
        shown = listed([str(code) for code in sorted(unknown, key=lambda code: -unknown[code])], _SHOWN_CODES)
        tally.wrong(
            "benefits",
            f"{count:,} of {entries:,} weekly codes ({_percent(count, entries)}) are not in the layout ({shown}); "
            f"the layout allows {100 * layout.limits.unknown_share:g} %; add them to a [[benefits.code]] of your own layout",
        )


def _education(sources: Sources, tally: _Tally) -> None:
    if sources.education is None:
        return
    table = sources.education.select(nw.len().alias("rows"), nw.col("person").n_unique().alias("persons"))
    found = _rows(sources, table)[0]
    twice = found["rows"] - found["persons"]
    if twice:
        what = f"{twice:,} of {found['rows']:,} rows are a person's second or later one; one level per person is needed"
        tally.wrong("education", f"{what}: give the file of one year, or files with the year in their names")


def _persons(
    sources: Sources,
    register: Register,
    weeks: frozenset[tuple[int, int]],
    baseline: tuple[int, int],
    tally: _Tally,
) -> None:
    """Whether those on the benefit are found in the population, and once a year only.

    Only persons on the benefit at a baseline are looked at: a check of everybody would have to hold the whole population.
    """
    year, month = baseline
    wanted = set(last_weeks(year, month, register.who.weeks))
    if register.who.design == "stock":
        first, last = register.periods
        for each in range(first - 1, last + 1):
            wanted |= set(last_weeks(each, 12, register.who.weeks))
    asked = sorted(wanted & weeks)
    if not asked:
        tally.wrong(
            "benefits",
            f"none of the {register.who.weeks} weeks before the baseline {year}-{month:02d} is in the register",
        )
        return
    codes = sorted(sources.layout.benefits_by_name[register.who.benefit])
    on_benefit = nw.any_horizontal(
        *(nw.col(f"week_{week[0]}_{week[1]:02d}").is_in(codes) for week in asked), ignore_nulls=True
    )
    persons = sources.engine.keep(sources.benefits(asked, []).filter(on_benefit).select("person"), "candidates")
    count = int(_rows(sources, persons.select(nw.len().alias("rows")))[0]["rows"])
    if not count:
        what = (
            f"nobody received '{register.who.benefit}' in the {len(asked)} weeks up to the baseline {year}-{month:02d}"
        )
        tally.wrong("benefits", f"{what}; check the baseline, and the layout's codes of the benefit")
        return
    table = (
        sources.population.join(persons, on="person", how="inner")
        .group_by("person", "year")
        .agg(nw.len().alias("rows"), nw.col("municipality").n_unique().alias("places"))
        .group_by("year")
        .agg(
            nw.len().alias("persons"),
            _count(nw.col("rows") > 1).alias("twice"),
            _count(nw.col("places") > 1).alias("moved"),
        )
    )
    found = _rows(sources, table)
    if not found:
        keys = f"'{sources.layout.benefits.person}' and '{sources.layout.population.person}'"
        what = f"none of {count:,} persons on '{register.who.benefit}' is in the population: the keys in {keys} do not meet"
        tally.wrong("population", f"{what}; take both files from the same extract, with the same pseudonyms")
    twice, moved = (sum(each[name] for each in found) for name in ("twice", "moved"))
    if twice:
        years = _spans(sorted(each["year"] for each in found if each["twice"]))
        what = f"{twice:,} persons stand twice or more in one year ({years}), {moved:,} of them in two municipalities at once"
        tally.wrong("population", f"{what}; the population needs one row per person and year, as of 31 December")


def _rows(sources: Sources, table: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
    """A small table as plain values."""
    rows: list[dict[str, Any]] = sources.engine.collect(table).to_pylist()
    return rows


def _count(condition: nw.Expr) -> nw.Expr:
    """How many rows meet a condition; null is no."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0)).sum()


def _code(code: str) -> str:
    """A code as it may be shown: codes are short; what is longer may be anything and is not."""
    return code if len(code) <= 6 else "a text that is no code"


def _spans(years: Sequence[int]) -> str:
    """Years in prose: 2008-2011 and 2013."""
    spans: list[list[int]] = []
    for year in years:
        if spans and spans[-1][1] == year - 1:
            spans[-1][1] = year
        else:
            spans.append([year, year])
    return listed([str(low) if low == high else f"{low}-{high}" for low, high in spans], 8)


def _percent(count: int, rows: int) -> str:
    share = 100 * count / rows if rows else 0.0
    return "under 0.1 %" if 0 < share < 0.1 else f"{share:.1f} %"
