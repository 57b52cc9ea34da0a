"""The registers of a spec as canonical lazy tables, after everything that can be wrong with them was looked for at once.

What is an error and what is only counted: a file, column, type, week or year that is missing or cannot be, a person twice in
a year, and keys that do not meet are errors. Single rows that cannot be right (hours of 9,999, text where a number belongs,
codes that the layout does not know) are counted and set aside; only beyond the share in the layout's [limits] do they stop
the run. No message holds a value of a person's row, a person's key, or a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.errors import DataError, Problem, did_you_mean, listed
from evaluation.periods import Period, parse_period
from evaluation.register import tables
from evaluation.register.checks import check_rows
from evaluation.register.columns import (
    Roles,
    check_columns,
    check_weeks,
    education_parts,
    has_text_keys,
    roles_of,
)
from evaluation.register.convert import converted
from evaluation.register.files import REGISTERS, RegisterFile, find_files, input_hashes, inspect
from evaluation.register.layout import Layout
from evaluation.register.tables import Part, parts_of
from evaluation.register.weeks import exists
from evaluation.result import InputFile

if TYPE_CHECKING:
    import narwhals as nw

    from evaluation.register.engine import Engine
    from evaluation.spec.model import Register

__all__ = ["Sources", "baseline_month", "input_hashes", "open_sources"]


@dataclass(frozen=True, slots=True)
class Sources:
    """The canonical tables, all lazy.

    population : person, year, municipality ("081"), birth_year, birth_month, sex, origin
    education : person, education; None when the spec names no such register
    hours : person, job, year, month, hours_100 (int64), reported, kind ("other" for a code the layout does not know)
    counters : what was odd and set aside, in rows, by name; `assumed` of the layout is not in it
    held : the weeks that every file of the benefit register holds
    """

    population: nw.LazyFrame[Any]
    education: nw.LazyFrame[Any] | None
    hours: nw.LazyFrame[Any]
    engine: Engine
    layout: Layout
    inputs: tuple[InputFile, ...]
    counters: Mapping[str, int]
    text_keys: bool
    benefit_parts: tuple[Part, ...]
    held: frozenset[tuple[int, int]]

    def benefits(
        self, weeks: Sequence[tuple[int, int]], quarters: Sequence[tuple[int, int]], bridge: bool = True
    ) -> nw.LazyFrame[Any]:
        """The benefit register: person, week_YYYY_WW (code or null), visit_YYYY_Q and match_YYYY_Q (category or null).

        Parameters
        ----------
        weeks : sequence of (year, ISO week)
            Only these columns are read.
        quarters : sequence of (year, quarter)
            Of each, the referral category by VISIT and by MATCH; null where the register has no such column.
        bridge : bool
            False: match groups are not read, match_YYYY_Q is null.

        Raises
        ------
        DataError
            Weeks or quarters that the register does not hold.
        """
        problems = self.lacking(weeks, quarters, bridge)
        if problems:
            raise DataError(*problems)
        return tables.benefits(self.benefit_parts, self.layout, self.engine, self.text_keys, weeks, quarters, bridge)

    def lacking(
        self, weeks: Sequence[tuple[int, int]], quarters: Sequence[tuple[int, int]], bridge: bool = True
    ) -> list[str]:
        """What the benefit register does not hold of these weeks and quarters, in words; nothing where it holds them all."""
        problems = []
        lost = [week for week in weeks if week not in self.held]
        if lost:
            problems.append(_weeks_lost(lost, self.layout, self.held))
        unread = [each for each in quarters if not _has_quarter(self.benefit_parts, self.layout, each, bridge)]
        if unread:
            shown = listed([f"{year} Q{quarter}" for year, quarter in sorted(unread)])
            note = "" if bridge else "; with [register.who] bridge = true match groups stand in before 2014"
            problems.append(f"the benefit register holds no referral category for {shown}{note}")
        return problems


def open_sources(
    register: Register,
    layout: Layout,
    folder: Path,
    engine: Engine,
    problem: Callable[[str, str], Problem],
    *,
    inputs: tuple[InputFile, ...] | None = None,
    cache: Path | None = None,
    say: Callable[[str, str], None] | None = None,
) -> Sources:
    """Open the registers of a spec and check them before anything is computed.

    Parameters
    ----------
    register : Register
        The table [register] of the spec; paths and globs relative to `folder`.
    engine : Engine
        Open for as long as the tables are used.
    problem : callable
        problem(key, what) makes the Problem at the spec's line for ("register", key); a key may be "who.benefit".
    inputs : tuple of InputFile, optional
        What `input_hashes` gave, so that the files are not hashed twice.
    cache : Path, optional
        The folder for SAS, Stata, SPSS and CSV files converted to Parquet (default: the platform's cache folder).
    say : callable, optional
        say(stage, text) is told what takes long.

    Raises
    ------
    DataError
        Everything that is wrong with the files, all at once as far as it can be told apart.
    """
    tell = say or (lambda stage, text: None)
    inputs = inputs if inputs is not None else input_hashes(register, folder, problem)
    files, problems = _files(register, folder, inputs, cache, tell, problem)
    roles = roles_of(register, layout)
    problems += check_columns(files, roles, layout, problem)
    if problems:
        raise DataError(*dict.fromkeys(problems))
    parts, problems = _parts(files, roles, layout, register, problem)
    if problems:
        raise DataError(*problems)
    text_keys = has_text_keys(parts)
    education = None
    if layout.education is not None and parts["education"]:
        education = tables.education(parts["education"], layout.education, engine, text_keys)
    sources = Sources(
        population=tables.population(parts["population"], layout.population, engine, text_keys),
        education=education,
        hours=tables.hours(parts["hours"], layout, engine, text_keys),
        engine=engine,
        layout=layout,
        inputs=_described(inputs, files),
        counters={},
        text_keys=text_keys,
        benefit_parts=parts["benefits"],
        held=available_weeks(parts["benefits"], layout),
    )
    found, counters = check_rows(sources, parts, register, sources.held, baseline_month(register))
    if found:
        raise DataError(*(problem(each.key, each.what) for each in found))
    engine.seal([file.path for each in files.values() for file in each])
    return replace(sources, counters=counters)


def available_weeks(parts: Sequence[Part], layout: Layout) -> frozenset[tuple[int, int]]:
    """The weeks that every file of the benefit register holds."""
    held = [
        frozenset(found for name in part.files[0].schema.names if (found := layout.benefits.week.match(name)))
        for part in parts
    ]
    return frozenset.intersection(*held) if held else frozenset()


def baseline_month(register: Register) -> tuple[int, int]:
    """Year and month at whose end the persons are found: 2014-12, and 2014 means December."""
    period: Period = parse_period(register.who.baseline)
    if period.frequency == "year":
        return period.ordinal, 12
    per_year = 4 if period.frequency == "quarter" else 12
    year, part = divmod(period.ordinal, per_year)
    return year, (part + 1) * (12 // per_year)


def _files(
    register: Register,
    folder: Path,
    inputs: tuple[InputFile, ...],
    cache: Path | None,
    say: Callable[[str, str], None],
    problem: Callable[[str, str], Problem],
) -> tuple[dict[str, tuple[RegisterFile, ...]], list[Problem]]:
    """The Parquet files of each register, converted first where they are not Parquet; and what is wrong with them."""
    hashes = {(str(each.read_as.get("register")), each.name): each.sha256 for each in inputs}
    files: dict[str, tuple[RegisterFile, ...]] = {}
    problems: list[Problem] = []
    for key in REGISTERS:
        text = getattr(register, key)
        found = () if text is None else find_files(text, folder)
        if isinstance(found, str):
            problems.append(problem(key, found))
            found = ()
        good: list[RegisterFile] = []
        for path in found:
            ready = converted(path, hashes.get((key, path.name)), cache, say)
            one = ready if isinstance(ready, str) else inspect(ready, path.name)
            if isinstance(one, str):
                problems.append(problem(key, f"{path.name}: {one}"))
            else:
                good.append(one)
        files[key] = tuple(good)
    return files, problems


def _parts(
    files: Mapping[str, tuple[RegisterFile, ...]],
    roles: Mapping[str, Roles],
    layout: Layout,
    register: Register,
    problem: Callable[[str, str], Problem],
) -> tuple[dict[str, tuple[Part, ...]], list[Problem]]:
    """Files grouped by year and schema, and what is wrong with their years and weeks."""
    problems: list[Problem] = []
    parts: dict[str, tuple[Part, ...]] = {}
    for key in REGISTERS:
        years: list[int | None] = [None] * len(files[key])
        pattern = layout.population.file_year if key == "population" and layout.population.year is None else None
        if pattern is not None:
            years = [_year_in_name(pattern.match(Path(file.name).stem)) for file in files[key]]
            lost = [file.name for file, year in zip(files[key], years, strict=True) if year is None]
            if lost:
                what = (
                    f"the year is not in the name of {len(lost)} of {len(years)} files ({listed(lost, 3)}); the layout "
                    f'looks for file_year = "{pattern.text}"; rename the files or change the layout'
                )
                problems.append(problem(key, what))
        parts[key] = parts_of(files[key], roles[key].names, years)
    if parts["education"]:
        chosen = education_parts(files["education"], roles["education"], layout, baseline_month(register)[0])
        if isinstance(chosen, str):
            problems.append(problem("education", chosen))
        else:
            parts["education"] = chosen
    problems += check_weeks(files["benefits"], layout, register, problem)
    if register.who.benefit not in layout.benefits_by_name:
        known = layout.benefits_by_name
        meant = did_you_mean(register.who.benefit, known) or f"; there are {listed(sorted(known), 12)}"
        problems.append(problem("who.benefit", f"the layout knows no benefit '{register.who.benefit}'{meant}"))
    if register.who.readiness is not None and register.who.readiness not in layout.readiness:
        meant = (
            did_you_mean(register.who.readiness, layout.readiness) or f"; there are {listed(list(layout.readiness))}"
        )
        what = f"the layout knows no referral category '{register.who.readiness}'{meant}"
        problems.append(problem("who.readiness", what))
    return parts, problems


def _year_in_name(found: tuple[int, int] | None) -> int | None:
    return found[0] if found is not None and 1900 <= found[0] <= 2100 else None


def _has_quarter(parts: Sequence[Part], layout: Layout, quarter: tuple[int, int], bridge: bool) -> bool:
    """Whether some file holds VISIT for this quarter, or MATCH where it may stand in."""
    patterns = (layout.benefits.visit, layout.benefits.match if bridge else None)
    names = [pattern.name(*quarter) for pattern in patterns if pattern is not None]
    return any(part.files[0].column(name) is not None for part in parts for name in names)


def _weeks_lost(lost: Sequence[tuple[int, int]], layout: Layout, have: frozenset[tuple[int, int]]) -> str:
    shown = listed([layout.benefits.week.name(*week) for week in sorted(lost)], 4)
    unreal = [week for week in lost if not exists(*week)]
    if unreal:
        return f"{len(unreal)} of the weeks asked for do not exist in the calendar ({shown})"
    first, last = (layout.benefits.week.name(*edge) for edge in (min(have), max(have)))
    return f"the benefit register lacks {len(lost)} of the weeks asked for ({shown}); it holds {first} to {last}"


def _described(inputs: tuple[InputFile, ...], files: Mapping[str, tuple[RegisterFile, ...]]) -> tuple[InputFile, ...]:
    """The inputs with their rows and columns filled in."""
    seen = {(key, file.name): file for key, each in files.items() for file in each}
    done = []
    for each in inputs:
        file = seen.get((str(each.read_as.get("register")), each.name))
        done.append(each if file is None else replace(each, rows=file.rows, columns=len(file.schema.names)))
    return tuple(done)
