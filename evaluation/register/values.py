"""From a column as a file holds it to a canonical value, as narwhals expressions that DuckDB and Spark both execute.

A text that is no number (or no date) becomes null here and is counted by the checks; nothing that an engine executes may
fail on a cell, since its error would quote the cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import narwhals as nw

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = r"^\s*[-+]?([0-9]{1,15}([.,][0-9]*)?|[.,][0-9]+)\s*$"
_WHOLE = r"^\s*[-+]?[0-9]{1,15}([.,]0*)?\s*$"
_ISO = r"^\s*[0-9]{4}[-./]?(0[1-9]|1[0-2])[-./]?[0-3][0-9]"
_DANISH = r"^\s*[0-3][0-9][-./](0[1-9]|1[0-2])[-./][0-9]{4}"


def number(column: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """A Float64; texts may have a decimal comma."""
    value = nw.col(column)
    if dtype != nw.String:
        return value.cast(nw.Float64)
    plain = value.str.strip_chars().str.replace_all(",", ".", literal=True)
    return nw.when(value.str.contains(_NUMBER)).then(plain).cast(nw.Float64)


def whole(column: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """An Int64; 730, 730.0 and "730" are one number."""
    value = nw.col(column)
    if dtype != nw.String:
        return value.cast(nw.Int64)
    plain = value.str.strip_chars().str.replace_all(",", ".", literal=True)
    return nw.when(value.str.contains(_WHOLE)).then(plain).cast(nw.Float64).cast(nw.Int64)


def text(column: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """A text; whole numbers are written without decimals."""
    value = nw.col(column)
    if dtype == nw.String:
        return value
    if dtype.is_numeric() and not dtype.is_integer():
        value = value.cast(nw.Int64)
    return value.cast(nw.String)


def municipality(column: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """A municipality's code as three digits: 81, 81.0 and "081" are "081"."""
    value = text(column, dtype)
    return (value.str.strip_chars() if dtype == nw.String else value).str.zfill(3)


def municipality_code(value: object) -> str | None:
    """The same in Python, for a single value as a file holds it."""
    if value is None or value != value:
        return None
    if isinstance(value, str):
        return value.strip().zfill(3)
    return f"{int(value):03d}" if isinstance(value, (int, float, Decimal)) else str(value)


def among(column: str, dtype: nw.dtypes.DType, codes: Iterable[str]) -> nw.Expr:
    """Whether the column holds one of these canonical codes, however the file spells it ("1", "01", 1, 1.0)."""
    codes = sorted(codes)
    if dtype.is_numeric():
        return nw.col(column).is_in([int(code) for code in codes if code.isdecimal()])
    spelled = {spelling for code in codes for spelling in _spellings(code)}
    return nw.col(column).cast(nw.String).str.strip_chars().is_in(sorted(spelled))


def mapped(column: str, dtype: nw.dtypes.DType, codes: Mapping[str, frozenset[str]]) -> nw.Expr:
    """The canonical name whose codes the column holds, null for every other value."""
    value: nw.Expr = nw.lit(None, dtype=nw.String)
    for name, values in reversed(list(codes.items())):
        if values:
            value = nw.when(among(column, dtype, values)).then(nw.lit(name)).otherwise(value)
    return value


def year_and_month(column: str, dtype: nw.dtypes.DType) -> tuple[nw.Expr, nw.Expr]:
    """Year and month of a date: a date, a number such as 20141231, "2014-12-31", "20141231" or "31-12-2014"."""
    value = nw.col(column)
    if dtype.is_temporal():
        return value.dt.year().cast(nw.Int64), value.dt.month().cast(nw.Int64)
    if dtype.is_numeric():
        day = value.cast(nw.Int64)
        dated = nw.when((day >= 19000101) & (day <= 21001231)).then(day)
        return dated // 10000, (dated // 100) % 100
    plain = value.str.strip_chars()
    iso, danish = value.str.contains(_ISO), value.str.contains(_DANISH)
    dashed = plain.str.slice(4, 1).is_in(["-", ".", "/"])
    year = nw.when(iso).then(plain.str.slice(0, 4)).otherwise(nw.when(danish).then(plain.str.slice(6, 4)))
    iso_month = nw.when(dashed).then(plain.str.slice(5, 2)).otherwise(plain.str.slice(4, 2))
    month = nw.when(iso).then(iso_month).otherwise(nw.when(danish).then(plain.str.slice(3, 2)))
    return year.cast(nw.Int64), month.cast(nw.Int64)


def hundredths(hours: nw.Expr) -> nw.Expr:
    """Hours as whole hundredths, halves away from zero.

    The rounding is spelled out since engines cast fractions in different ways (one rounds, one cuts off).
    """
    size = (hours.abs() * 100 + 0.5).floor().cast(nw.Int64)
    return nw.when(hours < 0).then(-size).otherwise(size)


def is_number(dtype: pa.DataType) -> bool:
    """Whether an Arrow type holds numbers."""
    import pyarrow as pa

    return bool(pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype))


def _spellings(code: str) -> set[str]:
    """How a text column may write a code: with zeros in front, or as a number with a decimal."""
    if not code.isdecimal():
        return {code, code.lower(), code.upper()}
    return {code.zfill(width) for width in range(1, 5)} | {f"{code}.0"}
