"""What every reader takes and gives back, and the error of a file that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from evaluation.errors import DataError, Problem
from evaluation.result import FlowStep, InputFile, Note, Value

if TYPE_CHECKING:
    import narwhals as nw

    from evaluation.spec.model import Data

Key: TypeAlias = Literal["path", "format", "encoding", "delimiter", "decimal", "sheet"]
"""The settings of `[data]` that decide how a file is read."""


class UnreadableError(DataError):
    """Nothing was written. The data file could not be read as it stands; the settings of [data] say how to read it."""

    def __init__(self, file: str, what: str, key: Key = "path") -> None:
        super().__init__(Problem(file, what))
        self.key: Key = key


@dataclass(frozen=True, slots=True)
class Settings:
    """How to read a file where that is not found out from the file itself; None means: find out."""

    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    sheet: str | None = None

    @classmethod
    def of(cls, data: Data) -> Settings:
        """The settings in a spec's `[data]`."""
        return cls(data.format, data.encoding, data.delimiter, data.decimal, data.sheet)


@dataclass(frozen=True, slots=True)
class Read:
    """One file as a reader gives it back.

    `table` is an Arrow table, `read_as` says how the file was understood, `remarks` why a column stayed text although
    it may be meant as numbers (said only if that column is used as numbers), `notes` what the reader of the report
    should know.
    """

    table: Any
    read_as: dict[str, Value] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one or several files, and what is known about the files.

    `frame` is an eager narwhals frame backed by Arrow; `inputs` has one entry per file (its name, never its folder).
    """

    frame: nw.DataFrame[Any]
    inputs: tuple[InputFile, ...]
    flow: tuple[FlowStep, ...] = ()
    remarks: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """One family of file formats: its extensions, and `read(content, name, settings)` from the bytes of a file."""

    extensions: tuple[str, ...]
    summary: str
    read: Callable[[bytes, str, Settings], Read]
