"""SAS, Stata, SPSS and CSV files as Parquet: each is converted once, in chunks, and found again by its content's hash."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.register.cache import cache_folder
from evaluation.register.files import DELIMITED, PARQUET, sha256_of

if TYPE_CHECKING:
    import pyarrow as pa

CELLS = 8_000_000
"""Values read at once, by default: a benefit register has so many columns that rows alone say little about memory."""
_PROGRAMS = {".sas7bdat": "SAS", ".dta": "Stata", ".sav": "SPSS", ".zsav": "SPSS"}
_READERS = {".sas7bdat": "read_sas7bdat", ".dta": "read_dta", ".sav": "read_sav", ".zsav": "read_sav"}
_VERSION = "1"


class _Unreadable(Exception):
    """Why a file cannot be converted, in words that may be shown."""


def converted(
    path: Path,
    sha256: str | None = None,
    cache: Path | None = None,
    say: Callable[[str, str], None] | None = None,
    chunk: int | None = None,
) -> Path | str:
    """The Parquet file that holds what `path` holds, or in words why there is none.

    A Parquet file is itself. Any other is read in chunks of `chunk` rows (default: by the number of columns), so that
    memory does not grow with the file, and written to `cache` (default: "registers" in the platform's cache folder) under
    its hash; the folder is for this user only, since these files hold persons' rows. Columns keep their names, labelled
    values stay codes, CSV columns stay text.
    """
    suffix = path.suffix.casefold()
    if suffix in PARQUET:
        return path
    tell = say or (lambda stage, text: None)
    folder = cache if cache is not None else cache_folder() / "registers"
    target = folder / f"{sha256 or sha256_of(path)}-{_VERSION}.parquet"
    if target.is_file() and _whole(target):
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(suffix=".part", dir=folder)
        os.close(handle)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        return (
            f"cannot be converted to Parquet: the cache folder cannot be written to ({reason}); set NETTOEFFEKT_CACHE"
        )
    temporary = Path(name)
    try:
        chunks = _delimited(path, chunk) if suffix in DELIMITED else _statistical(path, suffix, chunk)
        _write(chunks, temporary, lambda rows: tell("Convert", f"{path.name}: {rows:,} rows to Parquet"))
        os.replace(temporary, target)
    except _Unreadable as reason:
        return str(reason)
    except OSError as error:
        reason_text = (error.strerror or "unknown reason").lower()
        return f"cannot be converted to Parquet ({reason_text}); is there room in the cache folder?"
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _write(chunks: Iterator[pa.Table], target: Path, progress: Callable[[int], None]) -> None:
    """Write one chunk after another. A column that was empty or whole at first and is not later takes the wider type."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | None = None
    rows = 0
    try:
        for table in chunks:
            if writer is None:
                writer = pq.ParquetWriter(target, table.schema, compression="zstd")
            try:
                writer.write_table(table.cast(writer.schema))
            except (pa.ArrowException, ValueError):
                raise _Unreadable(f"the columns change their types after row {rows:,}") from None
            rows += table.num_rows
            progress(rows)
    finally:
        if writer is not None:
            writer.close()
    if rows == 0:
        raise _Unreadable("the file has no rows")


def _statistical(path: Path, suffix: str, chunk: int | None) -> Iterator[pa.Table]:
    """A SAS, Stata or SPSS file in chunks; numbers as doubles, dates as dates, all else as text."""
    import pyreadstat

    program = _PROGRAMS[suffix]
    read = getattr(pyreadstat, _READERS[suffix])
    damaged = f"is not a {program} file, or it is cut off or damaged"
    start, rows = 0, chunk or 0
    while True:
        try:
            if not rows:
                _, facts = read(str(path), metadataonly=True)
                rows = max(CELLS // max(facts.number_columns, 1), 1000)
            columns, facts = read(
                str(path), row_offset=start, row_limit=rows, output_format="dict", apply_value_formats=False
            )
        except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError, ArithmeticError, LookupError):
            raise _Unreadable(damaged) from None
        table = _arrow(columns, facts)
        if table.num_rows == 0:
            return
        yield table
        if table.num_rows < rows:
            return
        start += table.num_rows


def _arrow(columns: dict[str, Any], facts: Any) -> pa.Table:
    """Columns of a chunk with types that every later chunk shares: by what the file declares, not by what the chunk holds."""
    import pyarrow as pa

    declared = facts.readstat_variable_types
    made = {}
    for name, cells in columns.items():
        values = list(cells)
        first = next((value for value in values if value is not None and value == value), None)
        if declared.get(name) == "string":
            made[name] = pa.array([None if value is None else str(value).rstrip() for value in values], pa.string())
        elif hasattr(first, "year"):
            plain = [None if value is None or value != value else _day(value) for value in values]
            made[name] = pa.array(plain, pa.date32())
        elif _dated(facts, name) and first is None:
            made[name] = pa.nulls(len(values), pa.date32())
        else:
            made[name] = pa.array(values, pa.float64(), from_pandas=True)
    return pa.table(made)


def _dated(facts: Any, name: str) -> bool:
    """Whether a column's display format says that it holds dates."""
    shown = str(facts.original_variable_types.get(name, "")).upper()
    return shown.startswith(("%TD", "%D", "DATE", "YYMMDD", "DDMMYY", "MMDDYY", "EDATE", "ADATE", "SDATE", "%TC"))


def _day(value: Any) -> Any:
    """The day of a date or of a point in time."""
    return value.date() if hasattr(value, "date") else value


def _delimited(path: Path, chunk: int | None) -> Iterator[pa.Table]:
    """A CSV file in chunks, all columns as text: "081" must not become 81, and each value is judged later."""
    import pyarrow as pa
    import pyarrow.csv as csv

    with path.open("rb") as file:
        start = file.read(1_000_000)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Unreadable("the file is in UTF-16; save it as UTF-8")
    encoding = _encoding(path)
    header = start.splitlines()[0].removeprefix(b"\xef\xbb\xbf") if start.strip() else b""
    if not header.strip():
        raise _Unreadable("the first line is empty; it has to hold the names of the columns")
    separator = max((";", "\t", "|", ","), key=lambda sign: header.count(sign.encode()))
    names = [name.strip().strip('"') for name in header.decode(encoding, errors="replace").split(separator)]
    try:
        reader = csv.open_csv(
            path,
            read_options=csv.ReadOptions(encoding=encoding, block_size=max((chunk or 0) * 40, 2**23)),
            parse_options=csv.ParseOptions(delimiter=separator),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=["", ".", "NA", "NULL"],
                quoted_strings_can_be_null=True,
            ),
        )
        for batch in reader:
            yield pa.Table.from_batches([batch])
    except (pa.ArrowException, UnicodeDecodeError, StopIteration):
        shown = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}[separator]
        raise _Unreadable(
            f"is not a table separated by {shown}, or it is cut off: some line does not have {len(names)} columns"
        ) from None


def _encoding(path: Path) -> str:
    """UTF-8 when the whole file is; else Windows-1252, in which Danish text comes otherwise."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while block := file.read(2**22):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf8"


def _whole(path: Path) -> bool:
    """Whether a Parquet file found in the cache has its footer; one that was cut off is made again."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return bool(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError, ValueError):
        return False
