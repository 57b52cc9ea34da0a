"""Counting what is odd in the rows of registers, and the few words that counts are told in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from evaluation.errors import listed
from evaluation.register.expressions import where_holds

if TYPE_CHECKING:
    from evaluation.register.engine import Engine

SHOWN_CODES = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with the rows of a register: the key of the spec, and what."""

    key: str
    what: str


@dataclass(slots=True)
class Tally:
    """What was found so far: errors, and oddities that are only counted."""

    findings: list[Finding]
    counters: dict[str, int]

    def odd(self, key: str, counter: str, count: int, rows: int, share: float, what: str) -> None:
        """Count an oddity; beyond `share` of the rows it is an error. `what` completes "N of M rows ..."."""
        self.counters[counter] = count
        if count > share * rows:
            limit = f"the layout allows {100 * share:g} %"
            self.wrong(key, f"{count:,} of {rows:,} rows ({percent(count, rows)}) {what}; {limit}")

    def wrong(self, key: str, what: str) -> None:
        """Note an error."""
        self.findings.append(Finding(key, what))


def rows_of(engine: Engine, table: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
    """A small table as plain values."""
    rows: list[dict[str, Any]] = engine.collect(table).to_pylist()
    return rows


def how_many(condition: nw.Expr) -> nw.Expr:
    """How many rows meet a condition; null is no."""
    return where_holds(condition).sum()


def shown_code(code: str) -> str:
    """A code as it may be shown: codes are short; what is longer may be anything and is not."""
    return code if len(code) <= 6 else "a text that is no code"


def spans(years: Sequence[int]) -> str:
    """Years in prose: 2008-2011 and 2013."""
    found: list[list[int]] = []
    for year in years:
        if found and found[-1][1] == year - 1:
            found[-1][1] = year
        else:
            found.append([year, year])
    return listed([str(low) if low == high else f"{low}-{high}" for low, high in found], 8)


def percent(count: int, rows: int) -> str:
    """A share in per cent with one decimal; a small one is not said to be none."""
    share = 100 * count / rows if rows else 0.0
    return "under 0.1 %" if 0 < share < 0.1 else f"{share:.1f} %"
