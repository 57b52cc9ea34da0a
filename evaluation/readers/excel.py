"""Excel workbooks (.xlsx): one sheet, a plain table or a StatBank download with the periods across."""

from __future__ import annotations

import datetime
import io
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.errors import did_you_mean, listed
from evaluation.readers.delimited import column_names
from evaluation.readers.numerals import read_numerals
from evaluation.readers.statbank import is_across, melt
from evaluation.readers.table import Read, Settings, UnreadableError
from evaluation.result import Value

_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What openpyxl and the XML parser below it have been seen to raise on damaged workbooks: they check very little."""


def read(content: bytes, name: str, settings: Settings) -> Read:
    """Read a sheet, the first unless one is named; formulas count with the value that Excel stored.

    Raises
    ------
    UnreadableError
        No workbook, no such sheet, or no table in it.
    """
    title, sheets, rows = _rows(content, name, settings.sheet)
    read_as: dict[str, Value] = {"format": "excel", "sheet": title}
    if len(sheets) > 1:
        read_as["sheets"] = [*sheets]
    rows = [row for row in rows if any(cell is not None for cell in row)] if not _across(rows) else rows
    if not rows:
        raise UnreadableError(name, f"sheet '{title}' is empty; the workbook has {listed(sheets)}", "sheet")
    if _across(rows):
        sheet = melt([[_text(cell) for cell in row] for row in rows], name)
        read_as.update(sheet.facts)
        # numbers came as numbers, so their text has a point whatever the title says
        return _finished(sheet.columns, "." if _typed(rows) else settings.decimal, read_as)
    header = column_names(_names(rows[0]), name)
    width = len(header)
    if len(rows) == 1:
        raise UnreadableError(name, f"sheet '{title}' has column names, but no rows", "sheet")
    wider = sum(any(cell is not None for cell in row[width:]) for row in rows[1:])
    if wider:
        raise UnreadableError(
            name, f"{wider:,} rows of sheet '{title}' have cells beyond the last named column", "sheet"
        )
    body = [[*row, *([None] * (width - len(row)))] for row in rows[1:]]
    columns = {key: [row[place] for row in body] for place, key in enumerate(header)}
    return _finished(columns, settings.decimal, read_as)


def _rows(content: bytes, name: str, wanted: str | None) -> tuple[str, list[str], list[list[Any]]]:
    """(sheet, all sheets, cells) of a workbook."""
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    if not content:
        raise UnreadableError(name, "the file is empty")
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableError(name, "is an old Excel workbook (.xls) or has a password; save it as .xlsx without one")
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = [sheet.title for sheet in book.worksheets]
        if wanted is not None and wanted not in sheets:
            hint = did_you_mean(wanted, sheets) or f"; there are {listed(sheets)}"
            raise UnreadableError(name, f"no sheet '{wanted}'{hint}", "sheet")
        sheet = book[wanted] if wanted is not None else book.worksheets[0]
        # some programs write a wrong extent, and openpyxl would read no further
        sheet.reset_dimensions()
        rows = [[_cell(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    except (*_DAMAGE, BadZipFile, InvalidFileException, zlib.error):
        cut = (
            "the workbook is cut off or damaged; copy it again"
            if content.startswith(b"PK")
            else "is not an Excel workbook; its name should end accordingly, or set format"
        )
        raise UnreadableError(name, cut) from None
    book.close()
    return sheet.title, sheets, rows


def _cell(value: Any) -> Any:
    """A cell's value; text of nothing but blanks is no value."""
    if isinstance(value, str):
        return value.strip() or None
    return value


def _across(rows: Sequence[Sequence[Any]]) -> bool:
    return is_across([[_text(cell) for cell in row] for row in rows[:12]])


def _typed(rows: Sequence[Sequence[Any]]) -> bool:
    """True when the sheet holds any fraction as a number."""
    return any(isinstance(cell, float) for row in rows for cell in row)


def _names(row: Sequence[Any]) -> list[str]:
    """The header without the empty cells at its end."""
    names = [_text(cell) for cell in row]
    while names and not names[-1]:
        names.pop()
    return names


def _text(cell: Any) -> str:
    """A cell as text: whole numbers without decimals, dates as 2015-01-31."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat()
    return str(cell)


def _finished(columns: Mapping[str, Sequence[Any]], decimal: Any, read_as: dict[str, Value]) -> Read:
    """Columns of numbers as numbers, of dates as dates; everything else is text, read for numbers as in a text file."""
    import pyarrow as pa

    typed: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    for name, cells in columns.items():
        kinds = {type(cell) for cell in cells if cell is not None}
        if kinds and kinds <= {int, float}:
            # one fraction makes all of them float64
            typed[name] = pa.array(cells, pa.float64() if float in kinds else pa.int64())
        elif kinds and kinds <= {datetime.datetime, datetime.date}:
            typed[name] = pa.array([_text(cell) or None for cell in cells], pa.string())
        elif kinds == {bool}:
            typed[name] = pa.array(cells, pa.bool_())
        else:
            texts[name] = pa.array([_text(cell) for cell in cells], pa.string())
    numerals = read_numerals(texts, decimal)
    if numerals.missing:
        read_as["read_as_missing"] = dict(numerals.missing)
    merged = {name: typed[name] if name in typed else numerals.columns[name] for name in columns}
    return Read(pa.table(merged), read_as, numerals.remarks, numerals.notes)
