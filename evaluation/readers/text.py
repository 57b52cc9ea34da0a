"""From bytes to text, and from text to lines of fields: encoding and delimiter, found out and said, never assumed."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass

from evaluation.readers.table import UnreadableError

DELIMITERS = (";", "\t", "|", ",")
DELIMITER_NAMES = {";": "semicolon", "\t": "tab", "|": "bar", ",": "comma", " ": "space"}
SAMPLE_LINES = 200

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_OTHER_KINDS = (
    (b"PK\x03\x04", "an Excel workbook or a zip archive"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"$FL2", "an SPSS file"),
    (b"<stata_dta>", "a Stata file"),
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, and the name of the encoding it was read with."""

    text: str
    encoding: str


def decode(content: bytes, name: str, encoding: str | None = None) -> Decoded:
    """The text of a file: the encoding asked for, else that of its byte order mark, else UTF-8, else Western European.

    Raises
    ------
    UnreadableError
        The file is empty, is no text, or is not in the encoding asked for.
    """
    if not content.strip():
        raise UnreadableError(name, "the file is empty")
    for magic, kind in _OTHER_KINDS:
        if content.startswith(magic):
            raise UnreadableError(name, f"is {kind}, not a text file; its name should end accordingly, or set format")
    if content.lstrip()[:15].lower().startswith((b"<!doctype", b"<html")):
        raise UnreadableError(name, "is a web page, not data; was an error page saved instead of the download?")
    if encoding is not None:
        return _decode_as(content, name, encoding)
    for mark, codec, label in _MARKS:
        if content.startswith(mark):
            return Decoded(_decode_as(content, name, codec).text, label)
    if wide := _wide_without_mark(content):
        return Decoded(_decode_as(content, name, wide).text, f"{wide.upper()} without byte order mark")
    if b"\x00" in content:
        raise UnreadableError(
            name, "is not a text file (it holds zero bytes); set format if its name does not tell the format"
        )
    try:
        return Decoded(content.decode("utf-8"), "UTF-8")
    except UnicodeDecodeError:
        pass
    controls = sum(byte < 9 or 13 < byte < 32 for byte in content[:100_000])
    if controls:
        raise UnreadableError(name, "is not a text file; set format if its name does not tell the format")
    western = any(0x80 <= byte <= 0x9F for byte in set(content))
    try:
        return Decoded(
            content.decode("cp1252" if western else "iso-8859-1"), "Windows-1252" if western else "ISO-8859-1"
        )
    except UnicodeDecodeError:
        raise UnreadableError(name, "is neither UTF-8 nor Western European text; set encoding", "encoding") from None


def find_delimiter(text: str, name: str, delimiter: str | None = None) -> str:
    """The field separator: the one asked for, else the one that cuts all lines into equally many fields.

    Raises
    ------
    UnreadableError
        None does, or several do.
    """
    if delimiter is not None:
        if len(delimiter) != 1:
            raise UnreadableError(name, "the delimiter must be a single character", "delimiter")
        return delimiter
    sample = _sample(text)
    widths = {mark: [len(row) for row in csv.reader(io.StringIO(sample), delimiter=mark) if row] for mark in DELIMITERS}
    regular = [mark for mark, width in widths.items() if width and width[0] > 1 and set(width) == {width[0]}]
    if len(regular) == 1:
        return regular[0]
    if regular:
        # "a,b;c,d" on every line: only the writer knows
        found = " and ".join(DELIMITER_NAMES[mark] for mark in regular)
        raise UnreadableError(name, f"{found} both cut every line into equally many fields; set delimiter", "delimiter")
    widest = max(
        DELIMITERS, key=lambda mark: (widths[mark][0] > 1, sum(width == widths[mark][0] for width in widths[mark]))
    )
    if widths[widest][0] < 2:
        raise UnreadableError(
            name,
            "the first line has one field only: no semicolon, tab, bar or comma parts it; set delimiter",
            "delimiter",
        )
    return widest


def rows_of(text: str, delimiter: str) -> list[list[str]]:
    """All lines as lists of fields, trimmed; a small file's rows, for layouts that are no plain table."""
    return [[field.strip() for field in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]


def _sample(text: str) -> str:
    """The first lines, without a last one that the cut may have broken."""
    end = -1
    for _ in range(SAMPLE_LINES):
        following = text.find("\n", end + 1)
        if following < 0:
            return text.replace("\r\n", "\n").replace("\r", "\n")
        end = following
    return text[:end].replace("\r\n", "\n")


def _decode_as(content: bytes, name: str, encoding: str) -> Decoded:
    try:
        codecs.lookup(encoding)
    except (LookupError, ValueError):
        known = "utf-8, iso-8859-1, windows-1252, utf-16"
        raise UnreadableError(name, f"no encoding '{encoding}'; common ones are {known}", "encoding") from None
    try:
        return Decoded(content.decode(encoding).removeprefix("\ufeff"), encoding)
    except (LookupError, UnicodeError) as problem:
        if not isinstance(problem, UnicodeDecodeError):
            raise UnreadableError(
                name, f"'{encoding}' is no encoding of text; leave encoding out", "encoding"
            ) from None
        line = content[: problem.start].count(b"\n") + 1
        raise UnreadableError(
            name,
            f"is not in {encoding}: line {line:,} cannot be read with it; leave encoding out to have it found out",
            "encoding",
        ) from None


def _wide_without_mark(content: bytes) -> str:
    """UTF-16 without a mark shows as a zero in every other byte of Western text."""
    sample = content[:2000]
    if len(sample) < 4 or len(content) % 2:
        return ""
    odd, even = sample[1::2].count(0), sample[0::2].count(0)
    half = len(sample) // 2
    if odd > 0.7 * half and not even:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * half and not odd else ""
