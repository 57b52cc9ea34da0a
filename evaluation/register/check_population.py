"""What is odd in the rows of the population: by the files' footers as far as they tell, else in one scan of few columns.

A national population of ten years has sixty million rows, so its codes are counted as the files spell them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import narwhals as nw

from evaluation.denmark.areas import municipalities
from evaluation.errors import listed
from evaluation.register import values
from evaluation.register.footers import facts_of
from evaluation.register.layout import Layout
from evaluation.register.tables import Part
from evaluation.register.tally import SHOWN_CODES, Tally, how_many, rows_of, shown_code, spans

if TYPE_CHECKING:
    from evaluation.register.engine import Engine
    from evaluation.spec.model import Register


def check_population(
    engine: Engine, layout: Layout, parts: Sequence[Part], register: Register, baseline: int, tally: Tally
) -> None:
    """Count what is odd, and find the years of the outcome, and the baseline's, that have no rows."""
    people, limits = layout.population, layout.limits
    most = limits.implausible_share
    counts = {"no_person": 0, "no_birth": 0, "no_sex": 0}
    places: dict[str | None, int] = {}
    years: set[int] = set()
    for part in parts:
        for year, code, rows, odd in _counted(engine, layout, part):
            place = values.municipality_code(code)
            places[place] = places.get(place, 0) + rows
            years |= {year} if year is not None else set()
            for name, count in odd.items():
                counts[name] += count
    rows = sum(part.rows for part in parts)
    for name, counter, share, what in (
        ("no_person", "population_rows_without_person", most, f"hold no person's key in '{people.person}'"),
        ("no_birth", "population_rows_without_birth", most, f"hold no date of birth in '{people.born}' that can be read"),
        ("no_sex", "population_rows_unknown_sex", limits.unknown_share, f"hold a code in '{people.sex}' that the layout does not know"),
    ):  # fmt: skip
        tally.odd("population", counter, counts[name], rows, share, what)
    known = {area.code for area in municipalities()}
    unknown = {place or "empty": count for place, count in places.items() if place not in known}
    codes = sorted(unknown, key=lambda place: (-unknown[place], place))
    what = (
        f"hold a code in '{people.municipality}' that is none of the 98 municipalities since 2007 "
        f"({listed([shown_code(code) for code in codes], SHOWN_CODES)})"
    )
    count = sum(unknown.values())
    tally.odd("population", "population_rows_unknown_municipality", count, rows, limits.unknown_share, what)
    needed = sorted({baseline, *range(register.periods[0], register.periods[1] + 1)})
    lost = [year for year in needed if year not in years]
    if lost:
        held = f"it holds {spans(sorted(years))}" if years else "no row has a year"
        what = f"no population for {spans(lost)}: {held}; every year of the outcome is needed, and the baseline"
        tally.wrong("population", what)


def _counted(engine: Engine, layout: Layout, part: Part) -> list[tuple[int | None, Any, int, dict[str, int]]]:
    """(year, municipality as the file spells it, rows, rows by oddity) of the files of one schema and year."""
    frame, types = part.scan(engine)
    column = part.columns
    facts = {role: facts_of(part.files, column[role]) for role in ("person", "born", "sex")}
    told: dict[str, int] = {}
    odd: dict[str, nw.Expr] = {}
    if facts["person"].missing is not None:
        told["no_person"] = facts["person"].missing
    else:
        odd["no_person"] = nw.col(column["person"]).is_null()
    if types["born"].is_temporal() and facts["born"].missing is not None:
        told["no_birth"] = facts["born"].missing
    else:
        year, month = values.year_and_month(column["born"], types["born"])
        odd["no_birth"] = year.is_null() | month.is_null()
    if facts["sex"].among(frozenset().union(*layout.population.sexes.values())):
        told["no_sex"] = 0
    else:
        odd["no_sex"] = values.mapped(column["sex"], types["sex"], layout.population.sexes).is_null()
    dated = "year" in column
    year = values.whole(column["year"], types["year"]) if dated else nw.lit(part.year, dtype=nw.Int64)
    table = (
        frame.select(year=year, place=nw.col(column["municipality"]), **odd)
        .group_by("year", "place")
        .agg(nw.len().alias("rows"), *(how_many(nw.col(name)).alias(name) for name in odd))
    )
    counted = [
        (each["year"], each["place"], int(each["rows"]), {name: int(each[name]) for name in odd})
        for each in rows_of(engine, table)
    ]
    if counted:  # what the footers told goes to any one of the rows
        counted[0][3].update(told)
    return counted
