"""Small register files as they could come from Statistics Denmark, for the tests to read and to break. All made up."""

from __future__ import annotations

import datetime
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.errors import DataError, Problem
from evaluation.register.engine import Engine, open_engine
from evaluation.register.layout import Layout, read_layout
from evaluation.register.sources import Sources, open_sources
from evaluation.register.weeks import weeks_of
from evaluation.spec.model import Register

LAYOUT = Path(read_layout.__code__.co_filename).parent / "layouts" / "statistics-denmark.toml"
PERSONS = 20
YEARS = tuple(range(2012, 2017))
PERSON_KEYS = [f"S{number:07d}" for number in range(PERSONS)]


def population(year: int, **changed: list[Any]) -> pa.Table:
    """One year of the population register."""
    columns: dict[str, Any] = {
        "PNR": PERSON_KEYS,
        "KOM": ["860", "851", "787", "101"] * (PERSONS // 4),
        "FOED_DAG": [datetime.date(1970 + number, 1 + number % 12, 3) for number in range(PERSONS)],
        "KOEN": [1, 2] * (PERSONS // 2),
        "IE_TYPE": [1, 1, 2, 3] * (PERSONS // 4),
        "OPR_LAND": [5100, 5100, 5120, 5999] * (PERSONS // 4),
    }
    return pa.table({**columns, **changed})


def benefits(years: tuple[int, ...] = YEARS, **changed: Any) -> pa.Table:
    """The benefit register: two of three persons on kontanthjælp in every week."""
    columns: dict[str, Any] = {"PNR": PERSON_KEYS}
    for year in years:
        for _, week in weeks_of(year):
            columns[f"Y_{year % 100:02d}{week:02d}"] = [730 if number % 3 else None for number in range(PERSONS)]
    for year in years:
        for quarter in (1, 2, 3, 4):
            if year >= 2014:
                columns[f"VISIT_{quarter}KV{year}"] = [2, 1] * (PERSONS // 2)
            columns[f"MATCH_{quarter}KV{year}"] = [3, 1] * (PERSONS // 2)
    return pa.table({**columns, **changed})


def hours(year: int, **changed: list[Any]) -> pa.Table:
    """One year of paid hours: a job a month for the first half of the persons."""
    some = PERSON_KEYS[: PERSONS // 2]
    rows = 12 * len(some)
    columns: dict[str, Any] = {
        "PNR": some * 12,
        "AJO_JOB_ID": ["job"] * rows,
        "AJO_JOB_START_DATO": [datetime.date(year, month, 1) for month in range(1, 13) for _ in some],
        "AJO_LOENTIMER": [0.5 + number for number in range(rows)],
        "AJO_LOENTIME_KODE": [1, 0] * (rows // 2),
        "AJO_INDKOMST_ART_KODE": [1, 2, 3, 1] * (rows // 4),
    }
    return pa.table({**columns, **changed})


def write(folder: Path, years: tuple[int, ...] = YEARS, **tables: pa.Table | None) -> Path:
    """All registers as Parquet; `tables` replaces files by "bef2014", "dream", "bfl2014", "udda" (None: no such file)."""
    made: dict[str, pa.Table | None] = {"dream": benefits(years)}
    for year in years:
        made[f"bef{year}"], made[f"bfl{year}"] = population(year), hours(year)
    for name, table in {**made, **tables}.items():
        if table is not None:
            pq.write_table(table, folder / f"{name}.parquet")
    return folder


def register(**changed: Any) -> Register:
    """The table [register] of a spec over these files."""
    asked: dict[str, Any] = {
        "population": "bef*.parquet",
        "benefits": "dream.parquet",
        "hours": "bfl*.parquet",
        "periods": (YEARS[0], YEARS[-1]),
        "who": {"baseline": "2014-12"},
        **changed,
    }
    return Register(**asked)


def layout() -> Layout:
    """The layout that comes with the package."""
    return read_layout("statistics-denmark", Path())


def place(key: str, what: str) -> Problem:
    """Where a problem stands in the spec."""
    return Problem(f"spec.toml [register] {key}", what)


def opened(folder: Path, stack: ExitStack, engine: Engine | None = None, **changed: Any) -> Sources:
    """The sources over the files of a folder; the engine stays open until the stack is closed."""
    engine = engine or stack.enter_context(open_engine("duckdb", "512MB"))
    own = changed.pop("layout", None) or layout()
    return open_sources(register(**changed), own, folder, engine, place, cache=folder / "cache")


def refused(folder: Path, **changed: Any) -> list[str]:
    """The messages that these files are refused with."""
    with ExitStack() as stack:
        try:
            opened(folder, stack, **changed)
        except DataError as error:
            return [str(problem) for problem in error.problems]
    raise AssertionError("these files were accepted")


def rows(sources: Sources, frame: Any, *order: str) -> list[dict[str, Any]]:
    """A table's rows in a certain order."""
    table: list[dict[str, Any]] = sources.engine.collect(frame).to_pylist()
    return sorted(table, key=lambda row: tuple(str(row[name]) for name in order or row))
