"""Register files as tables: which column plays which part in which file, and the canonical table that follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from evaluation.register import values
from evaluation.register.files import RegisterFile
from evaluation.register.layout import EducationLayout, HoursLayout, Layout, PopulationLayout

if TYPE_CHECKING:
    from evaluation.register.engine import Engine

NO_CODE = -1
"""Stands for a text in a week's column that is no number; no layout can hold it."""


@dataclass(frozen=True, slots=True)
class Part:
    """Files of one schema (and of one year, where the year stands in their names).

    `columns` maps a part to play ("person", "municipality", ...) to the column's name in these files.
    """

    files: tuple[RegisterFile, ...]
    columns: Mapping[str, str]
    year: int | None = None

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    def scan(self, engine: Engine) -> tuple[nw.LazyFrame[Any], Mapping[str, nw.dtypes.DType]]:
        """The files as a lazy table, and the type of the column behind each part to play."""
        frame = engine.scan([file.path for file in self.files])
        schema = frame.collect_schema()
        return frame, {role: schema[column] for role, column in self.columns.items()}


def parts_of(files: Sequence[RegisterFile], roles: Mapping[str, str], years: Sequence[int | None]) -> tuple[Part, ...]:
    """Files grouped by year and schema; `roles` maps parts to play to columns of the layout (absent ones are left out)."""
    groups: dict[Any, list[RegisterFile]] = {}
    for file, year in zip(files, years, strict=True):
        signature = tuple((name, str(kind)) for name, kind in zip(file.schema.names, file.schema.types, strict=True))
        groups.setdefault((year, signature), []).append(file)
    return tuple(
        Part(
            tuple(group),
            {role: found for role, column in roles.items() if (found := group[0].column(column)) is not None},
            year,
        )
        for (year, _), group in groups.items()
    )


def population(parts: Iterable[Part], layout: PopulationLayout, engine: Engine, text_keys: bool) -> nw.LazyFrame[Any]:
    """person, year, municipality, birth_year, birth_month, sex, origin."""
    frames = []
    for part in parts:
        frame, types = part.scan(engine)
        column = part.columns
        born_year, born_month = values.year_and_month(column["born"], types["born"])
        year = values.whole(column["year"], types["year"]) if "year" in column else nw.lit(part.year, dtype=nw.Int64)
        frames.append(
            frame.select(
                person=_key(column["person"], types["person"], text_keys),
                year=year,
                municipality=values.municipality(column["municipality"], types["municipality"]),
                birth_year=born_year,
                birth_month=born_month,
                sex=values.mapped(column["sex"], types["sex"], layout.sexes),
                origin=_origin(column, types, layout),
            )
        )
    return _together(frames)


def _origin(column: Mapping[str, str], types: Mapping[str, nw.dtypes.DType], layout: PopulationLayout) -> nw.Expr:
    """ "danish", "western", "non_western" or null; the foreign are one or the other by their country."""
    if "origin" not in column:
        return nw.lit(None, dtype=nw.String)
    known = {name: codes for name, codes in layout.origins.items() if name != "foreign"}
    origin = values.mapped(column["origin"], types["origin"], known)
    foreign = layout.origins.get("foreign", frozenset())
    if not foreign or not layout.western_countries or "country" not in column:
        return origin
    western = values.among(column["country"], types["country"], layout.western_countries)
    by_country = (
        nw.when(western)
        .then(nw.lit("western"))
        .otherwise(nw.when(~nw.col(column["country"]).is_null()).then(nw.lit("non_western")))
    )
    return nw.when(values.among(column["origin"], types["origin"], foreign)).then(by_country).otherwise(origin)


def education(parts: Iterable[Part], layout: EducationLayout, engine: Engine, text_keys: bool) -> nw.LazyFrame[Any]:
    """person, education; a code that the layout does not know is "unknown"."""
    frames = []
    for part in parts:
        frame, types = part.scan(engine)
        code = values.whole(part.columns["level"], types["level"])
        level: nw.Expr = nw.lit("unknown")
        for low, high, name in reversed(layout.levels):
            level = nw.when((code >= low) & (code <= high)).then(nw.lit(name)).otherwise(level)
        frames.append(frame.select(person=_key(part.columns["person"], types["person"], text_keys), education=level))
    return _together(frames)


def hours(parts: Iterable[Part], layout: Layout, engine: Engine, text_keys: bool) -> nw.LazyFrame[Any]:
    """person, job, year, month, hours_100, reported, kind: one row per row of the files.

    Hours that are missing or implausible (beyond the layout's `row_hours`) are 0; a kind that the layout does not know is
    "other". Both are counted by the checks.
    """
    frames = []
    for part in parts:
        frame, types = part.scan(engine)
        column = part.columns
        amount = values.number(column["hours"], types["hours"])
        plausible = (amount >= -layout.limits.row_hours) & (amount <= layout.limits.row_hours)
        year, month = hours_period(part, types)
        frames.append(
            frame.select(
                person=_key(column["person"], types["person"], text_keys),
                job=_job(column, types),
                year=year,
                month=month,
                hours_100=nw.when(plausible).then(values.hundredths(amount)).otherwise(nw.lit(0, dtype=nw.Int64)),
                reported=reported(part, types, layout.hours),
                kind=kind(part, types, layout.hours),
            )
        )
    return _together(frames)


def hours_period(part: Part, types: Mapping[str, nw.dtypes.DType]) -> tuple[nw.Expr, nw.Expr]:
    """Year and month of a row of hours."""
    if "date" in part.columns:
        return values.year_and_month(part.columns["date"], types["date"])
    return (
        values.whole(part.columns["year"], types["year"]),
        values.whole(part.columns["month"], types["month"]),
    )


def reported(part: Part, types: Mapping[str, nw.dtypes.DType], layout: HoursLayout) -> nw.Expr:
    """Whether the hours are as reported, not imputed; true where the register does not tell."""
    if "reported" not in part.columns:
        return nw.lit(True)
    code = part.columns["reported"]
    known = values.among(code, types["reported"], layout.reported_values)
    return nw.when(~nw.col(code).is_null()).then(known).otherwise(nw.lit(False))


def kind(part: Part, types: Mapping[str, nw.dtypes.DType], layout: HoursLayout) -> nw.Expr:
    """ "ordinary", "fleksjob", "subsidised", or "other" for a code the layout does not know."""
    if "kind" not in part.columns:
        return nw.lit("ordinary")
    return nw.coalesce(values.mapped(part.columns["kind"], types["kind"], layout.kinds), nw.lit("other"))


def _job(column: Mapping[str, str], types: Mapping[str, nw.dtypes.DType]) -> nw.Expr:
    """The columns that tell a person's jobs apart, as one text."""
    keys = [values.text(name, types[role]) for role, name in column.items() if role.startswith("job")]
    if not keys:
        return nw.lit("")
    filled = [nw.coalesce(key, nw.lit("")) for key in keys]
    return filled[0] if len(filled) == 1 else nw.concat_str(*filled, separator="|")


def benefits(
    parts: Iterable[Part],
    layout: Layout,
    engine: Engine,
    text_keys: bool,
    weeks: Sequence[tuple[int, int]],
    quarters: Sequence[tuple[int, int]],
    bridge: bool,
) -> nw.LazyFrame[Any]:
    """person, week_YYYY_WW, visit_YYYY_Q, match_YYYY_Q for these weeks and quarters; a quarter without a column is null."""
    frames = []
    for part in parts:
        frame, types = part.scan(engine)
        schema = frame.collect_schema()
        found = {name.casefold(): name for name in schema.names()}
        columns: dict[str, nw.Expr] = {"person": _key(part.columns["person"], types["person"], text_keys)}
        for year, week in weeks:
            name = found[layout.benefits.week.name(year, week).casefold()]
            columns[f"week_{year}_{week:02d}"] = _week(name, schema[name], layout.benefits.none)
        for kind_of, pattern, codes in (
            ("visit", layout.benefits.visit, layout.readiness),
            ("match", layout.benefits.match if bridge else None, layout.bridge),
        ):
            for year, quarter in quarters:
                name = found.get(pattern.name(year, quarter).casefold(), "") if pattern is not None else ""
                columns[f"{kind_of}_{year}_{quarter}"] = (
                    values.mapped(name, schema[name], codes) if name else nw.lit(None, dtype=nw.String)
                )
        frames.append(frame.select(**columns))
    return _together(frames)


def _week(column: str, dtype: nw.dtypes.DType, none: frozenset[int]) -> nw.Expr:
    """A week's code, null for no benefit; a text that is no number is `NO_CODE`, so that it counts as an unknown code."""
    code = values.whole(column, dtype)
    if dtype == nw.String:
        code = nw.coalesce(code, nw.when(nw.col(column).str.strip_chars() != "").then(nw.lit(NO_CODE, dtype=nw.Int64)))
    for each in sorted(none):
        code = nw.when(code != each).then(code)
    return code


def _key(column: str, dtype: nw.dtypes.DType, text_keys: bool) -> nw.Expr:
    """The person's key: a whole number where all registers hold numbers, else a text."""
    return values.text(column, dtype) if text_keys else nw.col(column).cast(nw.Int64)


def _together(frames: Sequence[nw.LazyFrame[Any]]) -> nw.LazyFrame[Any]:
    return frames[0] if len(frames) == 1 else nw.concat(list(frames), how="vertical")
