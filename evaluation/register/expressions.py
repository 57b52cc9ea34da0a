"""The few expressions that every step on registers is written in: whole numbers only, and a null condition never holds."""

from __future__ import annotations

from typing import Any

import narwhals as nw


def where_holds(condition: nw.Expr, then: nw.Expr | int = 1) -> nw.Expr:
    """`then` where the condition holds, 0 where it does not or is not known."""
    return nw.when(condition).then(then).otherwise(0)


def total(expression: nw.Expr) -> nw.Expr:
    """The sum as int64, also where the engine adds up in 128 bits: beyond it the engine says so, and does not wrap around."""
    return expression.sum().cast(nw.Int64)


def totals(*names: str) -> dict[str, nw.Expr]:
    """The sum of each of these columns, under its own name."""
    return {name: total(nw.col(name)) for name in names}


def row_count() -> nw.Expr:
    """How many rows there are, as int64."""
    return nw.len().cast(nw.Int64)


def distinct(frame: nw.LazyFrame[Any], *columns: str) -> nw.LazyFrame[Any]:
    """These columns, each combination once. Engines group faster than narwhals' `unique`, which numbers rows, can be run."""
    return frame.group_by(*columns).agg(rows=row_count()).select(*columns)
