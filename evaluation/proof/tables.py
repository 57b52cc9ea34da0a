"""Tables that lie beside this file, read into frozen rows: plain text and numbers, no array and no data frame.

Each is a copy, made by the script in `benchmarks/` that measured it, of the part that a page quotes; a test holds the two equal.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar, get_type_hints

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class SizeRow:
    """How often one test finds an effect among placebo laws on real data, where there is none.

    Attributes
    ----------
    data : str
        `employment` (98 Danish municipalities) or `cps_hours` (50 US states).
    estimator, adjust, inference : str
        How the test was made; an estimator's option stands behind a plus sign. `hc1`, `iid` and `placebo_normal` are no inference
        of this package but what programs print.
    group : str
        `all`, or the third of the units with `calm`, `middling` or `noisy` outcomes before the law, or the `small`, `median` or
        `large` third.
    laws, units, dates : int
        Pairs of a unit and a date, and how many different ones of each.
    no_number : int
        Laws for which the test gives no number.
    rejected_5, rejected_10 : float or None
        Share of the others with p at most 0.05 and 0.10; None where there are none.
    se_5, se_10 : float or None
        Standard errors of these shares, clustered by unit.
    """

    data: str
    estimator: str
    adjust: str
    inference: str
    group: str
    laws: int
    units: int
    dates: int
    no_number: int
    rejected_5: float | None
    se_5: float | None
    rejected_10: float | None
    se_10: float | None


@cache
def real_size() -> tuple[SizeRow, ...]:
    """Every row of `real_size.csv`, in its order."""
    return rows("real_size.csv", SizeRow)


def rows(name: str, kind: type[RowT]) -> tuple[RowT, ...]:
    """The rows of a table beside this file as values of a frozen dataclass whose fields are its columns.

    Fields are text, whole numbers, numbers, or these or None for an empty cell.

    Raises
    ------
    ValueError
        Columns and fields differ, or a cell is not what its field says.
    """
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    readers = [_reader(hints[each]) for each in names]
    table = csv.reader(files("evaluation.proof").joinpath(name).read_text(encoding="utf-8").splitlines())
    head = next(table, None)
    if head != names:
        raise ValueError(f"{name}: its columns are {head}, expected {names}")
    return tuple(kind(*(read(cell) for read, cell in zip(readers, row, strict=True))) for row in table)


def _reader(hint: Any) -> Callable[[str], Any]:
    """How a cell becomes a value of this type."""
    plain = {str: str, int: int, float: float}.get(hint)
    if plain is not None:
        return plain
    (inner,) = (part for part in hint.__args__ if part is not type(None))
    return lambda cell: None if cell == "" else inner(cell)
