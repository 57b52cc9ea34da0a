"""The table behind the synthetic register: every number with its basis and its source."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

Basis = Literal["S", "C", "A"]

_FILE = Path(__file__).with_name("parameters.toml")


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter: `basis` is S (sourced), C (computed from published data) or A (assumption).

    `use` is "put in" (a number of the model), "check" (held against the register by the tests) or "none".
    """

    key: str
    value: tuple[float, ...]
    basis: Basis
    source: str
    use: Literal["put in", "check", "none"] = "put in"
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """All rows by key, e.g. "hours.cap". Compared and hashed as the object it is."""

    rows: Mapping[str, Row]

    def number(self, key: str) -> float:
        """The single number of a row; KeyError for an unknown key."""
        (value,) = self.rows[key].value
        return value

    def numbers(self, key: str) -> tuple[float, ...]:
        """All numbers of a row; KeyError for an unknown key."""
        return self.rows[key].value


@lru_cache(maxsize=1)
def read_parameters() -> Parameters:
    """The rows of `parameters.toml`.

    Raises
    ------
    ValueError
        A row has no basis or no source, or an assumption does not say that it is one: a fault of the file we ship.
    """
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    rows = {}
    for table, entries in tables.items():
        for name, entry in entries.items():
            key, value = f"{table}.{name}", entry["value"]
            if entry.get("basis") not in ("S", "C", "A") or not entry.get("source"):
                raise ValueError(f"parameters.toml, {key}: basis or source is missing")
            rows[key] = Row(
                key,
                tuple(float(one) for one in value) if isinstance(value, list) else (float(value),),
                entry["basis"],
                entry["source"],
                entry.get("use", "put in"),
                entry.get("note", ""),
            )
    return Parameters(MappingProxyType(rows))
