"""A small evaluation on disk: nine municipalities, 2010-2016, Hjørring treated from 2014; and made-up places without a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from evaluation.errors import DataError
from evaluation.prepare import Prepared, prepare
from evaluation.run import load_spec
from evaluation.series import attach

UNITS = {
    "860": "Hjørring",
    "849": "Jammerbugt",
    "810": "Brønderslev",
    "813": "Frederikshavn",
    "851": "Aalborg",
    "751": "Aarhus",
    "461": "Odense",
    "101": "København",
    "561": "Esbjerg",
}
TREATED = "Hjørring"
YEARS = tuple(range(2010, 2017))
INDUSTRIES = ("farming", "trade", "building", "health")

HEAD = """question = "Did it work?"
{top}
[data]
path = "outcome.csv"
unit = "kommune"
time = "tid"
outcome = "timer"
public = true
{data}
[treatment]
units = ["{treated}"]
start = {start}
window = {window}
{controls}
{cycle}
[headline]
method = "did"
"""


@dataclass
class World:
    """What is written: the outcome, the further files, and the spec's [cycle]."""

    folder: Path
    cycle: str
    files: Mapping[str, str] = field(default_factory=dict)
    units: tuple[str, ...] = tuple(UNITS.values())
    periods: tuple[str, ...] = tuple(str(year) for year in YEARS)
    treated: str = TREATED
    start: str = "2014"
    window: str = "[2014, 2015]"
    controls: str = ""
    top: str = ""
    data: str = ""

    def attached(self) -> Prepared:
        """The panel with its series, or the DataError."""
        self.folder.mkdir(exist_ok=True, parents=True)
        for name, text in self.files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        if "outcome.csv" not in self.files:
            (self.folder / "outcome.csv").write_text(outcome(self.units, self.periods), encoding="utf-8")
        text = HEAD.format(
            top=self.top, data=self.data, treated=self.treated, start=self.start, window=self.window,
            controls=self.controls, cycle=self.cycle,
        )  # fmt: skip
        (self.folder / "spec.toml").write_text(text, encoding="utf-8")
        loaded = load_spec(self.folder / "spec.toml")
        return attach(loaded, prepare(loaded))

    def problems(self) -> list[str]:
        """What is wrong, without the places in the spec."""
        with pytest.raises(DataError) as caught:
            self.attached()
        return [problem.what for problem in caught.value.problems]

    def places(self) -> list[str]:
        """The lines of the spec that the problems point to."""
        with pytest.raises(DataError) as caught:
            self.attached()
        return [problem.quote.split(" | ")[1] for problem in caught.value.problems]


def outcome(units, periods, seed=1):
    rng = np.random.default_rng(seed)
    rows = [f"{unit},{period},{rng.normal(100, 5):.4f}" for unit in units for period in periods]
    return "kommune,tid,timer\n" + "\n".join(rows) + "\n"


def values(n_areas, n_periods, seed=2):
    """Some unemployment in per cent."""
    return np.round(np.random.default_rng(seed).uniform(2, 8, (n_areas, n_periods)), 2)


def statbank(labels, periods, table, head="OMRÅDE;DATA;TID;INDHOLD", word="SYNTHETIC"):
    """A file as StatBank's API writes it, with a decimal comma."""
    rows = [
        f"{label};{word};{period};{table[row, column]:.2f}".replace(".", ",")
        for row, label in enumerate(labels)
        for column, period in enumerate(periods)
        if np.isfinite(table[row, column])
    ]
    return head + "\n" + "\n".join(rows) + "\n"


def long_csv(labels, periods, table, head="area,year,value"):
    rows = [
        f"{label},{period},{table[row, column]:.2f}"
        for row, label in enumerate(labels)
        for column, period in enumerate(periods)
        if np.isfinite(table[row, column])
    ]
    return head + "\n" + "\n".join(rows) + "\n"


def both(codes=tuple(UNITS)):
    """ "860 Hjørring", as StatBank writes code and name."""
    return [f"{code} {UNITS[code]}" for code in codes]


def row(prepared, name, unit):
    """One unit's row of a series."""
    return prepared.panel.cycle[name][prepared.panel.units.index(unit)]
