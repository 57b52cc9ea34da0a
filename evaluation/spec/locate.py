"""Where each key and value of a TOML text stands. tomllib reads the values; this only finds them again.

The text is one that tomllib has accepted, so nothing is judged here: the scanner walks over keys, values and comments
and notes their places. On a text that tomllib refused it stops where it is lost, with what it has found so far.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TypeAlias

from evaluation.spec.loaded import Locator

KeyPath: TypeAlias = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_STRINGS = (
    # the long ones may end in one or two quotation marks that belong to the text, before the three that close it
    re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
_ESCAPE = re.compile(r'\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|[btnfre"\\])')
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


@dataclass(slots=True)
class Spans:
    """What the scanner found: path -> (start, end) in the text, with "\\r\\n" read as "\\n".

    `keys` holds the last part of each key, `values` each value, `tables` the header that opened each table, `repeated`
    the keys given a second time (path, start of the second). Where the scanner was lost, `lost` is the place, and
    `opened` the places of the brackets and quotation marks not closed until then.
    """

    keys: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    values: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    tables: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    repeated: list[tuple[KeyPath, int]] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    lost: int | None = None


class _Lost(Exception):
    """The scanner no longer understands the text."""


def locate(text: str, name: str) -> Locator:
    """The places of all keys and values in a TOML text; `name` is the file as the user wrote it."""
    text = text.replace("\r\n", "\n")
    found = spans(text)
    starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(offset: int) -> tuple[int, int]:
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    return Locator(
        name=name,
        lines=tuple(text.split("\n")),
        keys={path: place(start) for path, (start, _) in found.keys.items()},
        values={path: place(start) for path, (start, _) in {**found.tables, **found.values}.items()},
    )


def spans(text: str) -> Spans:
    """Scan a TOML text (lines ending in "\\n" alone) for the places of its keys and values."""
    scanner = _Scanner(text)
    try:
        scanner.document()
    except (_Lost, RecursionError):
        scanner.found.lost = scanner.at
    return scanner.found


class _Scanner:
    """One walk over the text; `at` is the place reached."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found = Spans()
        self.array_lengths: dict[KeyPath, int] = {}

    def document(self) -> None:
        """Walk from the first line to the last."""
        table: KeyPath = ()
        while True:
            self.skip(_SPACE)
            if self.at >= len(self.text):
                return
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> KeyPath:
        """[table] or [[array of tables]]: the path that the lines below belong to."""
        opened = self.at
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        parts = self.key()
        if not self.text.startswith("]" * brackets, self.at):
            raise _Lost
        self.at += brackets
        path: KeyPath = ()
        for number, (part, span) in enumerate(parts, start=1):
            path = (*path, part)
            self.found.keys.setdefault(path, span)
            if number == len(parts) and brackets == 2:
                index = self.array_lengths.get(path, 0)
                self.array_lengths[path] = index + 1
                self.found.tables.setdefault(path, (opened, self.at))
                path = (*path, index)
                self.found.keys[path] = span
            elif path in self.array_lengths:
                path = (*path, self.array_lengths[path] - 1)
        if path in self.found.tables or path in self.found.values:
            self.found.repeated.append((path, opened))
        self.found.tables[path] = (opened, self.at)
        return path

    def pair(self, table: KeyPath) -> None:
        """key = value."""
        start = self.at
        parts = self.key()
        if not self.text.startswith("=", self.at):
            raise _Lost
        self.at += 1
        self.skip(_BLANK)
        path = table
        for part, span in parts:
            path = (*path, part)
            self.found.keys.setdefault(path, span)
        if path in self.found.values or path in self.found.tables:
            self.found.repeated.append((path, start))
        self.value(path)

    def key(self) -> list[tuple[str, tuple[int, int]]]:
        """A key, dotted or not: its parts, and what follows the blanks behind it comes next."""
        parts: list[tuple[str, tuple[int, int]]] = []
        while True:
            self.skip(_BLANK)
            start = self.at
            if self.text[start : start + 1] in ('"', "'"):
                self.string()
                part = _unquoted(self.text[start : self.at])
            else:
                match = _BARE_KEY.match(self.text, start)
                if match is None:
                    raise _Lost
                part = match[0]
                self.at = match.end()
            parts.append((part, (start, self.at)))
            self.skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def value(self, path: KeyPath) -> None:
        """Any value; the place reached is behind it."""
        start = self.at
        first = self.text[start : start + 1]
        if first in ('"', "'"):
            self.string()
        elif first == "[":
            self.array(path)
        elif first == "{":
            self.inline_table(path)
        else:
            match = _SCALAR.match(self.text, start)
            scalar = match[0].rstrip() if match else ""
            if not scalar:
                raise _Lost
            self.at += len(scalar)
        self.found.values[path] = (start, self.at)

    def array(self, path: KeyPath) -> None:
        """[value, value], over as many lines as it takes."""
        self.found.opened.append(self.at)
        self.at += 1
        for index in range(len(self.text)):
            self.skip(_SPACE)
            if self.closed("]"):
                self.found.opened.pop()
                return
            self.value((*path, index))
            self.skip(_SPACE)
            if not self.comma() and not self.text.startswith("]", self.at):
                raise _Lost

    def inline_table(self, path: KeyPath) -> None:
        """{ key = value, key = value }; newer TOML lets it run over lines."""
        self.found.opened.append(self.at)
        self.at += 1
        while True:
            self.skip(_SPACE)
            if self.closed("}"):
                self.found.opened.pop()
                return
            self.pair(path)
            self.skip(_SPACE)
            if not self.comma() and not self.text.startswith("}", self.at):
                raise _Lost

    def string(self) -> None:
        """A string of any of the four kinds."""
        is_long = self.text.startswith(('"""', "'''"), self.at)
        for pattern in _STRINGS[:2] if is_long else _STRINGS[2:]:
            match = pattern.match(self.text, self.at)
            if match is not None:
                self.at = match.end()
                return
        self.found.opened.append(self.at)
        raise _Lost

    def skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()

    def comma(self) -> bool:
        return self.closed(",")

    def closed(self, mark: str) -> bool:
        """Step over `mark` if it comes next."""
        if self.text.startswith(mark, self.at):
            self.at += 1
            return True
        return False


def _unquoted(key: str) -> str:
    """The text of a quoted key."""
    if key.startswith("'"):
        return key[1:-1]

    def plain(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if code[0] in "uUx" else _ESCAPED[code]

    return _ESCAPE.sub(plain, key[1:-1])
