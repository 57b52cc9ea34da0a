"""The files of statistical packages: Stata, SAS and SPSS."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.periods import Period
from evaluation.readers.table import Read, Settings, UnreadableError
from evaluation.result import Value

_STATA_PERIODS = {"%tq": ("quarter", 1960 * 4), "%tm": ("month", 1960 * 12)}


def read_stata(content: bytes, name: str, settings: Settings) -> Read:
    """Read a Stata file (.dta); periods in the formats %tq and %tm become quarters and months."""
    return _read("read_dta", content, name, settings, "stata")


def read_sas(content: bytes, name: str, settings: Settings) -> Read:
    """Read a SAS file (.sas7bdat, or a transport file .xpt)."""
    transport = content.startswith(b"HEADER RECORD")
    return _read("read_xport" if transport else "read_sas7bdat", content, name, settings, "sas")


def read_spss(content: bytes, name: str, settings: Settings) -> Read:
    """Read an SPSS file (.sav or .zsav); values declared missing are missing."""
    return _read("read_sav", content, name, settings, "spss")


def _read(function: str, content: bytes, name: str, settings: Settings, kind: str) -> Read:
    """Read with the engine of that name; a column whose values all have labels becomes its labels."""
    import pyreadstat

    if not content:
        raise UnreadableError(name, "the file is empty")
    # the engine wants a path, and the bytes at hand are the ones whose hash is reported
    handle, path = tempfile.mkstemp(suffix="." + kind)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        columns, facts = getattr(pyreadstat, function)(path, encoding=settings.encoding, output_format="dict")
    except (
        pyreadstat.ReadstatError,
        pyreadstat.PyreadstatError,
        UnicodeDecodeError,
        ValueError,
        ArithmeticError,
        LookupError,
    ) as problem:
        if isinstance(problem, UnicodeDecodeError) or "encoding" in str(problem).lower():
            raise UnreadableError(name, "its text is in another encoding; set encoding", "encoding") from None
        product = {"stata": "Stata", "sas": "SAS", "spss": "SPSS"}[kind]
        raise UnreadableError(name, f"is not a {product} file, or it is cut off or damaged") from None
    finally:
        os.unlink(path)
    return _finished(columns, facts, name, kind)


def _finished(columns: Mapping[str, Sequence[Any]], facts: Any, name: str, kind: str) -> Read:
    """The columns as an Arrow table, with labels in the place of labelled codes."""
    import pyarrow as pa

    if facts.number_rows == 0 or not columns:
        raise UnreadableError(name, "there are no rows")
    read_as: dict[str, Value] = {"format": kind, "encoding": str(facts.file_encoding or "")}
    labelled: list[Value] = []
    done: dict[str, Any] = {}
    for column, values in columns.items():
        labels = facts.variable_value_labels.get(column) or {}
        present = {value for value in values if value is not None and value == value}  # NaN is not itself
        period_kind = str(facts.original_variable_types.get(column, ""))[:3]
        if labels and present and present <= set(labels):
            labelled.append(column)
            done[column] = pa.array([labels.get(value) for value in values], pa.string())
        elif kind == "stata" and period_kind in _STATA_PERIODS and all(float(value).is_integer() for value in present):
            done[column] = pa.array([_stata_period(value, period_kind) for value in values], pa.string())
        else:
            done[column] = _array(values)
    if labelled:
        read_as["value_labels"] = labelled
    return Read(pa.table(done), read_as)


def _stata_period(value: Any, kind: str) -> str | None:
    """Stata counts quarters and months from the first of 1960."""
    if value is None or value != value:
        return None
    frequency, first = _STATA_PERIODS[kind]
    return Period("quarter" if frequency == "quarter" else "month", first + int(value)).label


def _array(values: Sequence[Any]) -> Any:
    """Arrow values; what has no common type becomes text."""
    import pyarrow as pa

    try:
        column = pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return column
