"""The table benchmarks/coverage.csv: its columns, how it is read and written, and when a row counts as support."""

from __future__ import annotations

import csv
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from evaluation.proof.coverage import judged

FEWEST = 500
"""Replications below which a row supports nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; shares are between 0 and 1, empty where there is no such number.

    `coverage` is of the 95 % interval where the effect is half a standard deviation of the world, `power_*` the share of tests at
    5 % that find an effect of 0.25, 0.5 and 1 standard deviation, `length` the mean length of the interval in the same unit, `error`
    the Monte Carlo standard error of `size_05`.
    """

    world: str
    units: int
    periods: int
    pre_periods: int
    treated: int
    treated_size: str
    estimator: str
    adjust: str
    inference: str
    statistic: str
    replications: int
    size_05: float | None
    size_10: float | None
    coverage: float | None
    power_025: float | None
    power_050: float | None
    power_100: float | None
    length: float | None
    error: float | None
    smallest_p: float | None
    note: str
    supported: bool

    @property
    def key(self) -> tuple[str, ...]:
        """What tells the row from all others."""
        return (
            self.world, str(self.periods), str(self.treated), self.treated_size, self.estimator, self.adjust, self.inference,
            self.statistic,
        )  # fmt: skip


HEAD = [field.name for field in fields(Row)]
WHOLE = ("units", "periods", "pre_periods", "treated", "replications")
WORDS = ("world", "treated_size", "estimator", "adjust", "inference", "statistic", "note")


def supported(size: float | None, replications: int) -> bool:
    """Whether a share of rejections at 5 % lies between 3 and 7 %, or outside by no more than its Monte Carlo standard error."""
    if size is None or replications < FEWEST:
        return False
    return judged(size, monte_carlo_error(size, replications)) == "holds"


def monte_carlo_error(share: float, replications: int) -> float:
    """The standard error of a share of so many independent replications."""
    return float((share * (1.0 - share) / replications) ** 0.5)


def read(path: Path) -> dict[tuple[str, ...], Row]:
    """The rows of a table by their keys; none where there is no file yet."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [_row(line) for line in csv.DictReader(file)]
    return {row.key: row for row in rows}


def write(path: Path, rows: dict[tuple[str, ...], Row]) -> None:
    """Write the table whole, in an order that does not depend on when which row was made; the old file stays until then."""
    ordered = sorted(rows.values(), key=lambda row: (row.periods, row.treated, row.key))
    temporary = path.with_suffix(f".{os.getpid()}")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        writer.writerows([_cell(value) for value in asdict(row).values()] for row in ordered)
    os.replace(temporary, path)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _row(line: dict[str, str]) -> Row:
    values: dict[str, object] = {}
    for name in HEAD:
        text = line[name]
        if name in WORDS:
            values[name] = text
        elif name in WHOLE:
            values[name] = int(text)
        elif name == "supported":
            values[name] = text == "yes"
        else:
            values[name] = float(text) if text else None
    return Row(**values)  # type: ignore[arg-type]
