"""Data files into tables: one module per family of formats, entered here by one line."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.errors import did_you_mean, listed, nearest
from evaluation.readers import columnar, delimited, excel, statistical
from evaluation.readers.table import Format, Read, Settings, Table, UnreadableError
from evaluation.result import FlowStep, InputFile, Note

__all__ = ["FORMATS", "Settings", "Table", "UnreadableError", "files_of", "read_table"]

FORMATS: dict[str, Format] = {
    "csv": Format((".csv", ".txt", ".tsv", ".tab"), "text with one row per line", delimited.read),
    "parquet": Format((".parquet", ".pq"), "Parquet", columnar.read_parquet),
    "arrow": Format((".arrow", ".feather", ".ipc"), "Arrow, Feather", columnar.read_arrow),
    "excel": Format((".xlsx", ".xlsm"), "Excel workbook", excel.read),
    "stata": Format((".dta",), "Stata", statistical.read_stata),
    "sas": Format((".sas7bdat", ".xpt"), "SAS", statistical.read_sas),
    "spss": Format((".sav", ".zsav"), "SPSS", statistical.read_spss),
}
"""Every format by its name in the spec; a new one is one module and one line."""


def read_table(path: str | Path, settings: Settings | None = None) -> Table:
    """Read a file, or all files of a glob such as "data/bef*.parquet", as one table.

    Raises
    ------
    UnreadableError
        No such file, an unknown format, a file that is damaged or no table, or files whose columns differ.
    """
    settings = settings or Settings()
    path = Path(path)
    files = _files(path)
    reads: list[tuple[str, Read]] = []
    inputs: list[InputFile] = []
    for file in files:
        form = _format(file, settings)
        if settings.sheet is not None and form is not FORMATS["excel"]:
            raise UnreadableError(file.name, f"is not an Excel workbook ({form.summary}); leave sheet out", "sheet")
        try:
            content = file.read_bytes()
        except OSError as problem:
            reason = "may not be read" if isinstance(problem, PermissionError) else "cannot be read"
            raise UnreadableError(file.name, f"the file {reason}") from None
        read = form.read(content, file.name, settings)
        reads.append((file.name, read))
        inputs.append(
            InputFile(
                name=file.name,
                sha256=hashlib.sha256(content).hexdigest(),
                bytes=len(content),
                rows=read.table.num_rows,
                columns=read.table.num_columns,
                read_as=read.read_as,
            )
        )
    return _joined(reads, inputs)


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that a path or glob names, none when there are none."""
    try:
        return tuple(_files(path))
    except (UnreadableError, OSError, ValueError):
        return ()


def _files(path: Path) -> list[Path]:
    """The file, or the files of the glob in the order of their names."""
    if path.is_file():
        return [path]
    if path.is_dir():
        raise UnreadableError(path.name, f"is a folder; for all its files write {path.name}/*.csv")
    if any(mark in path.name for mark in "*?["):
        found = sorted(file for file in path.parent.glob(path.name) if file.is_file()) if path.parent.is_dir() else []
        if found:
            return found
        raise UnreadableError(path.name, f"no file has a name like this{_there(path)}")
    raise UnreadableError(path.name, f"no such file{_there(path)}")


def _there(path: Path) -> str:
    """A clause on what the folder holds instead: the nearest name, the nearest folder, or the data files."""
    folder = path.parent
    if not folder.is_dir():
        siblings = [entry.name for entry in folder.parent.iterdir() if entry.is_dir()] if folder.parent.is_dir() else []
        return f"; there is no folder '{folder.name}'{did_you_mean(folder.name, siblings)}"
    known = {suffix for form in FORMATS.values() for suffix in form.extensions}
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file() and entry.suffix.lower() in known)
    near = nearest(path.name, names)
    if near is not None:
        return f"; did you mean '{near}'?"
    return f"; its folder holds {listed(names)}" if names else "; its folder holds no data file"


def _format(file: Path, settings: Settings) -> Format:
    """The format asked for, else the one that the file's name tells."""
    if settings.format is not None:
        if settings.format in FORMATS:
            return FORMATS[settings.format]
        hint = did_you_mean(settings.format, FORMATS) or f"; there are {listed(list(FORMATS), 12)}"
        raise UnreadableError(file.name, f"no format '{settings.format}'{hint}", "format")
    for form in FORMATS.values():
        if file.suffix.lower() in form.extensions:
            return form
    known = ", ".join(f"{name} ({' '.join(form.extensions)})" for name, form in FORMATS.items())
    ending = f"'{file.suffix}'" if file.suffix else "no ending"
    raise UnreadableError(
        file.name, f"its name has {ending}, which tells no format; set format, one of {known}", "format"
    )


def _joined(reads: Sequence[tuple[str, Read]], inputs: Sequence[InputFile]) -> Table:
    """The rows of all files below each other, when they have the same columns."""
    import narwhals as nw

    first_name, first = reads[0]
    remarks: dict[str, str] = {}
    notes: list[Note] = []
    for name, read in reads:
        lacking = [column for column in first.table.column_names if column not in read.table.column_names]
        extra = [column for column in read.table.column_names if column not in first.table.column_names]
        if lacking or extra:
            parts = [f"lacks {listed(lacking)}"] if lacking else []
            parts += [f"also has {listed(extra)}"] if extra else []
            raise UnreadableError(name, f"its columns are not those of {first_name}: it {' and '.join(parts)}")
        remarks.update(read.remarks)
        notes += read.notes
    table = first.table if len(reads) == 1 else _stacked([read.table for _, read in reads])
    flow = FlowStep("read", table.num_rows, 0, {"files": len(reads), "columns": table.num_columns})
    return Table(nw.from_native(table, eager_only=True), tuple(inputs), (flow,), remarks, tuple(notes))


def _stacked(tables: Sequence[Any]) -> Any:
    """The tables below each other; a column that is text in one file is text in all."""
    import pyarrow as pa

    from evaluation.columns import is_text

    order = tables[0].column_names
    tables = [table.select(order) for table in tables]
    for place, column in enumerate(order):
        kinds = {table.schema.field(column).type for table in tables}
        if len(kinds) > 1 and any(is_text(kind) for kind in kinds):
            tables = [table.set_column(place, column, table.column(column).cast(pa.string())) for table in tables]
    return pa.concat_tables(tables, promote_options="permissive")
