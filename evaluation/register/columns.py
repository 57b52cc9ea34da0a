"""Whether the files hold the columns that the layout names, of types that can serve; told from the files' footers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.errors import Problem, did_you_mean, listed
from evaluation.register.files import RegisterFile, named
from evaluation.register.layout import Layout
from evaluation.register.tables import Part, parts_of
from evaluation.register.weeks import exists, weeks_in

if TYPE_CHECKING:
    import pyarrow as pa

    from evaluation.spec.model import Register

WORDS = {"population": "population", "benefits": "benefit", "hours": "hours", "education": "education"}
_KINDS = {
    "key": ("text", "whole", "float"),
    "code": ("text", "whole", "float"),
    "number": ("text", "whole", "float"),
    "date": ("text", "whole", "float", "date"),
}
_EXPECTED = {
    "key": "a text or a whole number",
    "code": "a text or a whole number",
    "number": "a number",
    "date": "a date",
}


@dataclass(frozen=True, slots=True)
class Roles:
    """What each column of the layout is for: part to play -> column, and -> kind; some may be absent."""

    names: Mapping[str, str]
    kinds: Mapping[str, str]
    optional: frozenset[str] = frozenset()


def roles_of(register: Register, layout: Layout) -> dict[str, Roles]:
    """The parts to play in each register. What this spec does not use may be absent from the files."""
    people, benefits, paid = layout.population, layout.benefits, layout.hours
    asked = set(register.balance.covariates) if register.balance.method != "none" else set()
    population: dict[str, tuple[str | None, str]] = {
        "person": (people.person, "key"),
        "municipality": (people.municipality, "code"),
        "born": (people.born, "date"),
        "sex": (people.sex, "code"),
        "origin": (people.origin, "code"),
        "country": (people.country, "code"),
        "year": (people.year, "number"),
    }
    free = {"country"} | (set() if "origin" in asked or "origin" in register.who.where else {"origin"})
    jobs: dict[str, tuple[str | None, str]] = {f"job{place}": (name, "key") for place, name in enumerate(paid.job)}
    hours: dict[str, tuple[str | None, str]] = {
        "person": (paid.person, "key"),
        "date": (paid.date, "date"),
        "year": (None if paid.date else paid.year, "number"),
        "month": (None if paid.date else paid.month, "number"),
        "hours": (paid.hours, "number"),
        "reported": (paid.reported, "code"),
        "kind": (paid.kind, "code"),
        **jobs,
    }
    education: dict[str, tuple[str | None, str]] = {}
    if layout.education is not None:
        education = {"person": (layout.education.person, "key"), "level": (layout.education.level, "number")}
    return {
        "population": _roles(population, free),
        "benefits": _roles({"person": (benefits.person, "key")}),
        "hours": _roles(hours, jobs),
        "education": _roles(education),
    }


def _roles(columns: Mapping[str, tuple[str | None, str]], optional: Iterable[str] = ()) -> Roles:
    given = {role: (name, kind) for role, (name, kind) in columns.items() if name is not None}
    return Roles(
        {role: name for role, (name, _) in given.items()},
        {role: kind for role, (_, kind) in given.items()},
        frozenset(optional),
    )


def check_columns(
    files: Mapping[str, Sequence[RegisterFile]],
    roles: Mapping[str, Roles],
    layout: Layout,
    problem: Callable[[str, str], Problem],
) -> list[Problem]:
    """Columns that are missing, that stand twice, or whose type cannot serve, over all files of all registers."""
    problems: list[Problem] = []
    for key, each in files.items():
        if not each:
            continue
        if key == "education" and layout.education is None:
            what = (
                f"the layout '{layout.name}' does not say what an education register looks like; add [education] to it"
            )
            problems.append(problem(key, what))
            continue
        for file in each:
            if repeated := file.repeated():
                word = "column differs" if len(repeated) == 1 else "columns differ"
                what = (
                    f"{file.name}: {len(repeated)} {word} in capitals only ({listed(repeated, 3)}); rename one of each"
                )
                problems.append(problem(key, what))
        for role, column in roles[key].names.items():
            problems += [problem(key, what) for what in _column(each, role, column, roles[key])]
    return problems


def _column(files: Sequence[RegisterFile], role: str, column: str, roles: Roles) -> list[str]:
    lacking = [file for file in files if file.column(column) is None]
    if lacking and role not in roles.optional:
        where = named(lacking) if len(files) == 1 or len(lacking) < len(files) else f"all {len(files)} files"
        names = lacking[0].schema.names
        meant = did_you_mean(column, names) or f"; the columns are {listed(names, 8)}"
        return [f"{where}: no column '{column}'{meant} (the layout may name another)"]
    wrong: dict[str, list[RegisterFile]] = {}
    for file in files:
        name = file.column(column)
        if name is not None and (kind := _kind(file.schema.field(name).type)) not in _KINDS[roles.kinds[role]]:
            wrong.setdefault(kind, []).append(file)
    return [
        f"{named(of)}: column '{column}' holds {_shown(kind)}; expected {_EXPECTED[roles.kinds[role]]}"
        for kind, of in wrong.items()
    ]


def check_weeks(
    files: Sequence[RegisterFile],
    layout: Layout,
    register: Register,
    problem: Callable[[str, str], Problem],
) -> list[Problem]:
    """Weeks that do not exist, weeks of a wrong type, and years that the benefit register lacks weeks of."""
    problems: list[Problem] = []
    for file in files:
        weeks = {found: name for name in file.schema.names if (found := layout.benefits.week.match(name))}
        pattern = layout.benefits.week.text
        if not weeks:
            names = listed(file.schema.names, 6)
            what = f'{file.name}: no column fits the layout\'s pattern for weeks, "{pattern}"; the columns are {names}'
            problems.append(problem("benefits", what))
            continue
        unreal = sorted(week for week in weeks if not exists(*week))
        if unreal:
            year = unreal[0][0]
            what = (
                f"{file.name}: {_many(len(unreal), 'column')} for weeks that do not exist "
                f"({listed([weeks[week] for week in unreal], 4)}); {year} has {weeks_in(year)} weeks"
            )
            problems.append(problem("benefits", what))
        odd = [name for name in weeks.values() if _kind(file.schema.field(name).type) not in _KINDS["code"]]
        if odd:
            kind = _shown(_kind(file.schema.field(odd[0]).type))
            what = f"{file.name}: {_many(len(odd), 'week column')} ({listed(odd, 3)}) hold {kind}; expected {_EXPECTED['code']}"
            problems.append(problem("benefits", what))
        first, last = register.periods
        inside = [(year, week) for year in range(first, last + 1) for week in range(1, weeks_in(year) + 1)]
        lost = [week for week in inside if week not in weeks]
        if lost and len(lost) < len(inside):
            shown = listed([layout.benefits.week.name(*week) for week in lost], 4)
            what = f"{file.name}: {_many(len(lost), 'week')} of {first} to {last} have no column ({shown})"
            problems.append(problem("benefits", what))
        elif lost:
            held = f"it holds {weeks[min(weeks)]} to {weeks[max(weeks)]}"
            problems.append(problem("benefits", f"{file.name}: no week of {first} to {last} is in it; {held}"))
    return problems


def education_parts(
    files: Sequence[RegisterFile], roles: Roles, layout: Layout, baseline: int
) -> tuple[Part, ...] | str:
    """The education files to use: with years in their names the newest that is not after the baseline."""
    pattern = layout.education.file_year if layout.education is not None else None
    years: dict[int, list[RegisterFile]] = {}
    for file in files:
        found = pattern.match(Path(file.name).stem) if pattern is not None else None
        if found is not None:
            years.setdefault(found[0], []).append(file)
    if not years:
        return parts_of(files, roles.names, [None] * len(files))
    before = [year for year in years if year <= baseline]
    if not before:
        return f"all files are from after the baseline ({min(years)} and later, the baseline is {baseline})"
    chosen = years[max(before)]
    return parts_of(chosen, roles.names, [None] * len(chosen))


def has_text_keys(parts: Mapping[str, Sequence[Part]]) -> bool:
    """Whether any register holds persons' keys as text, so that all have to be compared as texts."""
    return any(
        _kind(file.schema.field(part.columns["person"]).type) == "text"
        for each in parts.values()
        for part in each
        for file in part.files
    )


def _kind(dtype: pa.DataType) -> str:
    """What a column holds, in the few kinds that matter here."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(dtype):
        return _kind(dtype.value_type)
    if types.is_integer(dtype):
        return "whole"
    if types.is_floating(dtype) or types.is_decimal(dtype):
        return "float"
    if types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype):
        return "text"
    if types.is_date(dtype) or types.is_timestamp(dtype):
        return "date"
    return str(dtype)


def _shown(kind: str) -> str:
    """A kind in words."""
    words = {"text": "text", "whole": "whole numbers", "float": "numbers", "date": "dates", "bool": "true and false"}
    return words.get(kind, f"values of the type {kind.split('<')[0]}")


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
