"""Text files with one row per line: CSV and its relatives, and both layouts of StatBank."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from evaluation.errors import listed
from evaluation.readers.numerals import NUMBER_LIKE, read_numerals
from evaluation.readers.statbank import Sheet, is_across, melt
from evaluation.readers.table import Read, Settings, UnreadableError
from evaluation.readers.text import DELIMITER_NAMES, DELIMITERS, decode, find_delimiter, rows_of
from evaluation.result import Note, Value

TWICE_ENCODED = ("Ã¦", "Ã¸", "Ã¥", "Ã†", "Ã˜", "Ã…")
_DECLARED = re.compile(r"^sep=(.)\r?\n")


def read(content: bytes, name: str, settings: Settings) -> Read:
    """Read a delimited text file; encoding, delimiter and decimal mark are found out and reported.

    Raises
    ------
    UnreadableError
        No text, no table, lines of unequal length, or columns without distinct names.
    """
    decoded = decode(content, name, settings.encoding)
    read_as: dict[str, Value] = {"format": "csv", "encoding": decoded.encoding}
    notes: list[Note] = []
    garbled = sum(decoded.text.count(pair) for pair in TWICE_ENCODED)
    if garbled:
        what = f"{garbled:,} times a pair such as 'Ã¸' stands where 'ø' is meant: the text was encoded twice"
        notes.append(Note("encoded_twice", what, {"times": garbled}))
    text = decoded.text.lstrip("\r\n")
    asked = settings.delimiter
    if declared := _DECLARED.match(text):  # Excel's own first line, "sep=;"
        asked, text = asked or declared[1], text[declared.end() :]
    sheet = _download(text, asked)
    if sheet is not None:
        delimiter, rows = sheet
        return _melted(rows, delimiter, name, settings, read_as, notes)
    delimiter = find_delimiter(text, name, asked)
    read_as["delimiter"] = DELIMITER_NAMES.get(delimiter, delimiter)
    header, columns = _columns(text, delimiter, name)
    numerals = read_numerals(columns, settings.decimal, delimiter)
    if header[-1].upper() == "INDHOLD" and delimiter == ";":
        read_as["layout"] = "StatBank (API)"
    return _finished(numerals.columns, numerals, read_as, notes)


def _finished(columns: dict[str, Any], numerals: Any, read_as: dict[str, Value], notes: Sequence[Note]) -> Read:
    """The table with what was found out about its numbers."""
    import pyarrow as pa

    read_as["decimal"] = "comma" if numerals.decimal == "," else "point"
    if numerals.missing:
        read_as["read_as_missing"] = dict(numerals.missing)
    return Read(pa.table(columns), read_as, numerals.remarks, (*notes, *numerals.notes))


def _download(text: str, delimiter: str | None) -> tuple[str, list[list[str]]] | None:
    """The fields of a StatBank download with the periods across, or None for an ordinary table."""
    start = "\n".join(text[:20_000].splitlines()[:12])
    for mark in DELIMITERS if delimiter is None else (delimiter,):
        if is_across(rows_of(start, mark)):
            return mark, rows_of(text, mark)
    return None


def _melted(
    rows: list[list[str]], delimiter: str, name: str, settings: Settings, read_as: dict[str, Value], notes: list[Note]
) -> Read:
    """A StatBank download with the periods across, as one row per cell."""
    import pyarrow as pa

    sheet: Sheet = melt(rows, name)
    read_as["delimiter"] = DELIMITER_NAMES.get(delimiter, delimiter)
    read_as.update(sheet.facts)
    numerals = read_numerals(
        {key: pa.array(values, pa.string()) for key, values in sheet.columns.items()}, settings.decimal
    )
    return _finished(numerals.columns, numerals, read_as, notes)


def _columns(text: str, delimiter: str, name: str) -> tuple[list[str], dict[str, Any]]:
    """The names in the first line, and each column as Arrow text."""
    import pyarrow as pa
    from pyarrow import csv

    ragged: list[tuple[int | None, int, int]] = []

    def remember(row: Any) -> str:
        ragged.append((row.number, row.expected_columns, row.actual_columns))
        return "skip"

    content = text.encode("utf-8")
    first = rows_of(_first_record(text), delimiter)[0]
    header = column_names(first, name)
    places = [str(place) for place in range(len(first))]
    try:
        table = csv.read_csv(
            io.BytesIO(content),
            # one block, one thread: a row's number is known only then, and quoted line breaks are never cut
            read_options=csv.ReadOptions(
                column_names=places, skip_rows_after_names=1, use_threads=False, block_size=len(content) + 1024
            ),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=remember),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(places, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException:
        raise UnreadableError(name, "cannot be cut into rows; is a quotation mark opened and not closed?") from None
    if ragged:
        raise UnreadableError(name, _ragged(ragged))
    if table.num_rows == 0:
        raise UnreadableError(name, "there are column names, but no rows")
    columns = dict(zip(header, (_plain(column) for column in _without_empty_rows(table).columns), strict=True))
    if header[-1] == f"column {len(header)}":
        _drop_empty_end(columns, header)
    return header, columns


def _plain(column: Any) -> Any:
    """A column in one piece."""
    import pyarrow as pa

    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def _without_empty_rows(table: Any) -> Any:
    """Without lines of nothing but delimiters, which Excel leaves at the end."""
    import pyarrow.compute as pc

    full = None
    for column in table.columns:
        flags = pc.match_substring_regex(column, ".")
        full = flags if full is None else pc.or_(full, flags)
    return table.filter(full)


def _first_record(text: str) -> str:
    """The first line; a column name may itself hold a line break within quotation marks."""
    lines = text.splitlines()
    record = lines[0]
    for line in lines[1:50]:
        if record.count('"') % 2 == 0:
            break
        record += "\n" + line
    return record


def column_names(first: Sequence[str], name: str) -> list[str]:
    """The names of the columns, "column 3" for one without; refused when they are no names or not distinct.

    Raises
    ------
    UnreadableError
        Two columns share a name, or the first line holds data.
    """
    if len(first) > 2 and sum(bool(title.strip()) for title in first) == 1:
        what = "begins with a title instead of column names, and no line of periods follows (2015, 2015K1 or 2015M01)"
        raise UnreadableError(name, f"{what}; download it with the periods across, or without the title")
    names = [title.strip().removeprefix("\ufeff") or f"column {place + 1}" for place, title in enumerate(first)]
    numeric = [title for title in names if NUMBER_LIKE.match(title)]
    if numeric:
        years = all(len(title) == 4 and title.isdigit() and "1900" <= title <= "2100" for title in numeric)
        if years:
            what = f"{len(numeric)} years stand across as columns; write one row per unit and period (the long form)"
        else:
            what = "the first line holds numbers where the names of the columns should be; is the header missing?"
        raise UnreadableError(name, what)
    twice = sorted({title for title in names if names.count(title) > 1})
    if twice:
        raise UnreadableError(name, f"several columns have the same name: {listed(twice)}")
    return names


def _drop_empty_end(columns: dict[str, Any], header: list[str]) -> None:
    """Take off a last column without name and content, which a delimiter at the end of each line makes."""
    import pyarrow.compute as pc

    last = columns[header[-1]]
    if len(header) > 1 and not pc.any(pc.match_substring_regex(last, r"\S")).as_py():
        del columns[header.pop()]


def _ragged(rows: Sequence[tuple[int | None, int, int]]) -> str:
    """In words: which lines have another number of fields than the header."""
    lines = [f"{number:,}" for number, _, _ in rows if number is not None]
    expected, actual = rows[0][1], rows[0][2]
    count = "1 line has" if len(rows) == 1 else f"{len(rows):,} lines have"
    where = f" (line {listed(lines)})" if lines else ""
    return (
        f"{count} another number of fields than the {expected} of the first line{where}; "
        f"the first of them has {actual}. Is the file cut off, a quotation mark not closed, or the delimiter part of a text?"
    )
