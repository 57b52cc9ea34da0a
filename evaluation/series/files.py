"""A file of a series as columns: which column is the area, the period, the value, and which rows are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from evaluation.columns import Names, Times, arrow_column, arrow_indices, names, numbers, rows_where, share, times
from evaluation.errors import did_you_mean, listed
from evaluation.panel import Array, Indices
from evaluation.readers import Settings, Table, UnreadableError, read_table
from evaluation.series.remarks import KeyPath, Remarks
from evaluation.spec.cycle_tables import Reading

Role: TypeAlias = Literal["unit", "industry", "home", "work", "time", "value"]

KNOWN_AS: Mapping[Role, tuple[str, ...]] = {
    "unit": (
        "område", "omrade", "area", "region", "kommune", "kom", "municipality", "unit", "bopæl", "bopælskommune", "landsdel",
    ),
    "industry": ("branche", "industry", "branche (db07)", "sector", "erhverv"),
    "home": ("bopæl", "bopælskommune", "bopael", "home", "residence", "from", "fra"),
    "work": ("arbejdssted", "arbejdsstedskommune", "work", "workplace", "to", "til"),
    "time": ("tid", "time", "år", "aar", "year", "kvartal", "quarter", "måned", "maaned", "month", "period", "date"),
    "value": ("indhold", "value", "contents", "content", "værdi", "vaerdi", "flow", "persons", "share"),
}  # fmt: skip
"""What a column of each role is called in StatBank's files (Danish and English) and in plain long files."""

_MEANING: Mapping[Role, str] = {
    "unit": "the area",
    "industry": "the industry",
    "home": "the home",
    "work": "the workplace",
    "time": "the period",
    "value": "the values",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A file and how the spec says to read it: where it stands in the spec, and the columns by role (None: find out).

    `how` is the table of the spec that says how to read it, `keys` the spec's key of each role, where that is not the role
    itself; `optional` roles may be missing.
    """

    path: str
    place: KeyPath
    columns: Mapping[Role, str | None]
    how: Reading
    table: KeyPath
    keys: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[Role, ...] = ()

    def key(self, role: Role) -> KeyPath:
        """The place in the spec of the key that names the column of a role."""
        return (*self.table, self.keys.get(role, role))


@dataclass(frozen=True, slots=True)
class Long:
    """The rows of a file: (rows,) names by role, period and value; NaN where no value is known.

    `valued` is False for a file that only lists pairs, whose values are all 1. `varying` are further columns with several
    values: the usual reason for more than one row per cell.
    """

    source: str
    names: Mapping[Role, Names]
    time: Times | None
    values: Array
    varying: Mapping[str, tuple[str, ...]]
    valued: bool = True


def read_long(asked: Asked, remarks: Remarks) -> Long | None:
    """The rows of a file, None when something is wrong with it (which then is among the remarks)."""
    try:
        settings = Settings(decimal=asked.how.decimal, sheet=asked.how.sheet)
        table = read_table(remarks.loaded.folder / asked.path, settings)
    except UnreadableError as problem:
        remarks.wrong(asked.place, str(problem.problems[0]))
        return None
    for file in table.inputs:
        remarks.input(file)
    source = table.inputs[0].name if len(table.inputs) == 1 else asked.path.rpartition("/")[2]
    frame = table.frame
    if asked.how.where:
        keep, faults = rows_where(frame, asked.how.where, source)
        for column, what, at in faults:
            remarks.wrong((*asked.table, "where", column), what, at)
        if faults:
            return None
        import narwhals as nw

        frame = nw.from_native(frame.to_arrow().take(arrow_indices(np.flatnonzero(keep))), eager_only=True)
    if len(frame) == 0:
        remarks.wrong(asked.place, f"{source} has no row" + (" that fits `where`" if asked.how.where else ""))
        return None
    columns = _columns(frame, asked, source, remarks)
    return None if columns is None else _long(frame, table, columns, asked, source, remarks)


def _columns(frame: Any, asked: Asked, source: str, remarks: Remarks) -> dict[Role, str] | None:
    """The column of each role: as the spec says, by its usual name, or the only one that is left."""
    present = list(frame.columns)
    found: dict[Role, str] = {}
    complete = True
    for role, column in asked.columns.items():
        if column is None:
            continue
        if column in present:
            found[role] = column
            continue
        hint = did_you_mean(column, present) or f"; there are {listed(present, 12)}"
        remarks.wrong(asked.key(role), f"no column '{column}' in {source}{hint}")
        complete = False
    for role, column in asked.columns.items():
        if column is not None:
            continue
        free = [name for name in present if name not in found.values() and name not in asked.how.where]
        known = next((name for word in KNOWN_AS[role] for name in free if name.strip().casefold() == word), None)
        if known is None and role == "value" and complete:
            numeric = [name for name in free if frame.get_column(name).dtype.is_numeric()]
            known = numeric[0] if len(numeric) == 1 else None
        if known is not None:
            found[role] = known
        elif role not in asked.optional and (role != "value" or complete):
            # which of the columns that are left holds the values can only be asked when all others are known
            key = asked.key(role)[-1]
            what = (
                f'which column of {source} holds {_MEANING[role]}? write {key} = "..."; there are {listed(present, 12)}'
            )
            remarks.wrong(asked.place, what)
            complete = False
    return found if complete else None


def _long(
    frame: Any, table: Table, columns: Mapping[Role, str], asked: Asked, source: str, remarks: Remarks
) -> Long | None:
    fine = True
    time: Times | None = None
    read: dict[Role, Names] = {}
    values: Array = np.ones(len(frame))
    for role, column in columns.items():
        wrong = ""
        if role == "value":
            number = numbers(arrow_column(frame, column), column, from_file=True)
            wrong, values = table.remarks.get(column, number.wrong) if number.wrong else "", number.values
        elif role == "time":
            time = times(arrow_column(frame, column))
            wrong = time.wrong or (
                f"{share(time.missing, time.codes, 'has', 'have')} no period" if time.missing else ""
            )
        else:
            read[role] = names(arrow_column(frame, column))
            absent = read[role].missing
            wrong = f"{share(absent, read[role].codes, 'has', 'have')} no name" if absent else ""
        if wrong:
            remarks.wrong(asked.place, f"{source}, column '{column}': {wrong}")
            fine = False
    if not fine:
        return None
    varying = {}
    for column in frame.columns:
        if column in columns.values() or frame.get_column(column).dtype.is_numeric():
            continue
        labels = names(arrow_column(frame, column)).labels
        if len(labels) > 1:
            varying[column] = labels
    return Long(source, read, time, values, varying, "value" in columns)


def grid(long: Long, roles: Sequence[Role], asked: Asked, remarks: Remarks) -> Array | None:
    """The values as a table with one axis per role (names in the order of their labels, time in order), NaN without a row.

    None when a cell has more than one row.
    """
    sizes: list[int] = []
    cells: Indices = np.zeros(len(long.values), dtype=np.int64)
    for role in roles:
        if role == "time":
            assert long.time is not None  # asked for
            codes, size = long.time.codes, len(long.time.periods)
        else:
            codes, size = long.names[role].codes, len(long.names[role].labels)
        cells = cells * size + codes
        sizes.append(size)
    count = np.bincount(cells, minlength=int(np.prod(sizes)))
    twice = np.flatnonzero(count > 1)
    if twice.size:
        remarks.wrong(asked.place, _twice(long, roles, sizes, twice))
        return None
    flat = np.full(count.size, np.nan)
    flat[cells] = long.values
    return flat.reshape(sizes)


def _twice(long: Long, roles: Sequence[Role], sizes: Sequence[int], twice: Indices) -> str:
    """In words: how many cells have several rows, the first of them, and which column may be the reason."""
    where = np.unravel_index(int(twice[0]), sizes)
    parts = []
    for role, at in zip(roles, where, strict=True):
        if role == "time":
            assert long.time is not None  # asked for
            parts.append(long.time.periods[int(at)].label)
        else:
            parts.append(f"'{long.names[role].labels[int(at)]}'")
    what = f"{long.source}: {twice.size:,} cells have more than one row, the first: {' in '.join(parts)}"
    if not long.varying:
        return f"{what}; keep one row for each"
    column, labels = next(iter(long.varying.items()))
    quoted = [f"'{label}'" for label in labels]
    return f"{what}; column '{column}' holds {listed(quoted)}: choose with where = {{ {_key(column)} = \"...\" }}"


def _key(column: str) -> str:
    """A column's name as a TOML key."""
    return column if column.isascii() and column.replace("_", "").replace("-", "").isalnum() else f'"{column}"'
