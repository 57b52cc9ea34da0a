"""What is wrong with the rows, found in one aggregate query per register: counts only, never a row.

The queries read a few columns each; the one over the hours is the only look at all of their rows before the cells are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import narwhals as nw

from evaluation.errors import listed
from evaluation.register.check_hours import check_hours
from evaluation.register.check_population import check_population
from evaluation.register.tables import NO_CODE, Part
from evaluation.register.tally import SHOWN_CODES, Finding, Tally, how_many, percent, rows_of, spans
from evaluation.register.weeks import last_weeks

if TYPE_CHECKING:
    from evaluation.register.sources import Sources
    from evaluation.spec.model import Register

# weekly codes looked at, at most: of a larger register every second, third, ... week
_MOST_CELLS = 12_000_000


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
    tally = Tally([], {})
    check_population(sources.engine, sources.layout, parts["population"], register, baseline[0], tally)
    check_hours(sources.engine, sources.layout, parts["hours"], register, tally)
    _benefits(sources, register, weeks, baseline, tally)
    _education(sources, tally)
    if not tally.findings:
        # needs the population and the benefits to be sound
        _persons(sources, register, weeks, baseline, tally)
    return tally.findings, tally.counters


def _benefits(
    sources: Sources,
    register: Register,
    weeks: frozenset[tuple[int, int]],
    baseline: tuple[int, int],
    tally: Tally,
) -> None:
    """Persons that stand twice, and weekly codes that the layout does not know, in the years that the cells are made from."""
    first, last = min(baseline[0] - 7, register.periods[0]), max(baseline[0], register.periods[1])
    used = sorted(week for week in weeks if first <= week[0] <= last)
    frame = sources.benefits([], [])
    persons = frame.select(
        nw.len().alias("rows"),
        nw.col("person").n_unique().alias("persons"),
        how_many(nw.col("person").is_null()).alias("no_person"),
    )
    found = rows_of(sources.engine, persons)[0]
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
    counts = {each["code"]: each["weeks"] for each in rows_of(sources.engine, codes) if each["code"] is not None}
    unknown = {code: counts[code] for code in sorted(counts.keys() - layout.benefits.codes)}
    count, entries = sum(unknown.values()), sum(counts.values())
    tally.counters["benefit_weeks_looked_at"] = entries
    tally.counters["benefit_weeks_unknown_code"] = count
    if count > layout.limits.unknown_share * entries:
        codes_found = sorted(unknown, key=lambda code: (-unknown[code], code))
        shown = listed(["text that is no code" if code == NO_CODE else str(code) for code in codes_found], SHOWN_CODES)
        tally.wrong(
            "benefits",
            f"{count:,} of {entries:,} weekly codes ({percent(count, entries)}) are not in the layout ({shown}); "
            f"the layout allows {100 * layout.limits.unknown_share:g} %; add them to a [[benefits.code]] of your own layout",
        )


def _education(sources: Sources, tally: Tally) -> None:
    if sources.education is None:
        return
    table = sources.education.select(nw.len().alias("rows"), nw.col("person").n_unique().alias("persons"))
    found = rows_of(sources.engine, table)[0]
    twice = found["rows"] - found["persons"]
    if twice:
        what = f"{twice:,} of {found['rows']:,} rows are a person's second or later one; one level per person is needed"
        tally.wrong("education", f"{what}: give the file of one year, or files with the year in their names")


def _persons(
    sources: Sources,
    register: Register,
    weeks: frozenset[tuple[int, int]],
    baseline: tuple[int, int],
    tally: Tally,
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
    count = int(rows_of(sources.engine, persons.select(nw.len().alias("rows")))[0]["rows"])
    if not count:
        what = (
            f"nobody received '{register.who.benefit}' in the {len(asked)} weeks up to the baseline {year}-{month:02d}"
        )
        tally.wrong("benefits", f"{what}; check the baseline, and the layout's codes of the benefit")
        return
    table = (
        sources.population.join(persons, on="person", how="inner")
        .group_by("person", "year")
        .agg(
            nw.len().alias("rows"),
            nw.col("municipality").min().alias("first"),
            nw.col("municipality").max().alias("last"),
        )
        .group_by("year")
        .agg(
            nw.len().alias("persons"),
            how_many(nw.col("rows") > 1).alias("twice"),
            how_many(nw.col("first") != nw.col("last")).alias("moved"),
        )
    )
    found = rows_of(sources.engine, table)
    if not found:
        keys = f"'{sources.layout.benefits.person}' and '{sources.layout.population.person}'"
        what = f"none of {count:,} persons on '{register.who.benefit}' is in the population: the keys in {keys} do not meet"
        tally.wrong("population", f"{what}; take both files from the same extract, with the same pseudonyms")
    twice, moved = (sum(each[name] for each in found) for name in ("twice", "moved"))
    if twice:
        years = spans(sorted(each["year"] for each in found if each["twice"]))
        what = f"{twice:,} persons stand twice or more in one year ({years}), {moved:,} of them in two municipalities at once"
        tally.wrong("population", f"{what}; the population needs one row per person and year, as of 31 December")
