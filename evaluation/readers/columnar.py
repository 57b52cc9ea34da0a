"""Files that store columns with their types: Parquet and Arrow (Feather)."""

from __future__ import annotations

from typing import Any

from evaluation.readers.table import Read, Settings, UnreadableError


def read_parquet(content: bytes, name: str, settings: Settings) -> Read:
    """Read a Parquet file; all types are as stored."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        table = _valid(parquet.read_table(pa.BufferReader(content)))
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise UnreadableError(name, _broken(content, b"PAR1", "Parquet")) from None
    return Read(_checked(table, name), {"format": "parquet"})


def read_arrow(content: bytes, name: str, settings: Settings) -> Read:
    """Read an Arrow file (Feather version 2, or a stream); all types are as stored."""
    import pyarrow as pa
    from pyarrow import ipc

    if content.startswith(b"FEA1"):
        raise UnreadableError(name, "is in the old Feather format, version 1; write it as Parquet or Feather version 2")
    source = pa.BufferReader(content)
    try:
        opened = ipc.open_file(source) if content.startswith(b"ARROW1") else ipc.open_stream(source)
        table = _valid(opened.read_all())
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise UnreadableError(name, _broken(content, b"ARROW1", "Arrow")) from None
    return Read(_checked(table, name), {"format": "arrow"})


def _valid(table: Any) -> Any:
    """The table, when its buffers are sound: a damaged file may be read without an error and crash what uses it."""
    table.validate(full=True)
    return table.rename_columns([str(column) for column in table.column_names])


def _broken(content: bytes, magic: bytes, kind: str) -> str:
    """In words: what may be the matter with a file that the engine does not take."""
    if not content:
        return "the file is empty"
    if content.startswith(magic):
        return f"the {kind} file is cut off or damaged; copy it again"
    return f"is not a {kind} file; its name should end accordingly, or set format"


def _checked(table: Any, name: str) -> Any:
    """The table, when it has rows and each column its own name."""
    if table.num_rows == 0:
        raise UnreadableError(name, "there are no rows")
    twice = sorted({column for column in table.column_names if table.column_names.count(column) > 1})
    if twice:
        raise UnreadableError(name, f"several columns have the same name: {', '.join(twice)}")
    return table
