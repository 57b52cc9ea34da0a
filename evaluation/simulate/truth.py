"""What was planted, written beside the register for those who check an evaluation against it.

No other part of the package may read these files; a test looks for that.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evaluation.simulate.cycle import YEARS, Economy, effect_path
from evaluation.simulate.parameters import Parameters
from evaluation.simulate.register import Part
from evaluation.simulate.streams import Array

GROUPS = ("cohort", "stock")


@dataclass(slots=True)
class Totals:
    """Sums over the parts of a register: persons and hours (municipalities, years) of each group, with and without."""

    persons: dict[str, Array] = field(default_factory=dict)
    hours: dict[str, Array] = field(default_factory=dict)
    without: dict[str, Array] = field(default_factory=dict)

    def add(self, part: Part, n_municipalities: int) -> None:
        """Add one part: residents at the end of the year, by the municipality of the baseline (stock: of the year before)."""
        yearly = part.hours.reshape(len(YEARS), 12, -1).sum(axis=1).T / 100
        without = part.without.reshape(len(YEARS), 12, -1).sum(axis=1).T / 100
        for group in GROUPS:
            for year in range(len(YEARS)):
                if group == "cohort":
                    here, place = part.cohort & part.present[:, year], part.people.place
                else:
                    here = part.stock[:, year] & part.present[:, year]
                    place = part.people.residence[:, max(year - 1, 0)]
                for sums, weight in ((self.persons, None), (self.hours, yearly), (self.without, without)):
                    table = sums.setdefault(group, np.zeros((n_municipalities, len(YEARS))))
                    values = None if weight is None else weight[here, year]
                    table[:, year] += np.bincount(place[here], weights=values, minlength=n_municipalities)


def write_truth(
    folder: Path, parameters: Parameters, economy: Economy, totals: Totals, persons: int, seed: int
) -> tuple[Path, ...]:
    """`scenario.csv` (what was asked for), `effect.csv` (by municipality and year) and `economy.csv` (what moved the hours)."""
    folder.mkdir(parents=True, exist_ok=True)
    codes = [area.code for area in economy.areas]
    paths = {name: folder / f"{name}.csv" for name in ("scenario", "effect", "economy")}
    planted = effect_path(parameters, economy.scenario) if economy.effect.any() else np.zeros(len(YEARS))
    rows: list[list[object]] = [["scenario", economy.scenario], ["persons", persons], ["seed", seed]]
    rows += [[f"planted_{year}", f"{hours:g}"] for year, hours in zip(YEARS, planted, strict=True)]
    _write(paths["scenario"], ["key", "value"], rows)

    rows = []
    for group in GROUPS:
        for place, year in np.argwhere(totals.persons[group] > 0):
            n = totals.persons[group][place, year]
            hours, without = totals.hours[group][place, year] / n, totals.without[group][place, year] / n
            rows.append(
                [group, codes[place], YEARS[year], int(n), f"{without:.6f}", f"{hours:.6f}", f"{hours - without:.6f}"]
            )
    _write(paths["effect"], ["group", "municipality", "year", "persons", "hours_without", "hours", "effect"], rows)
    rows = [
        [
            code,
            year,
            *(f"{part[place, at]:.6f}" for part in economy.parts.values()),
            f"{economy.side_jobs[place, at]:.6f}",
            f"{economy.long_term[place, at]:.6f}",
            *(f"{slope:.6f}" for slope in economy.sensitivity[place]),
        ]
        for place, code in enumerate(codes)
        for at, year in enumerate(YEARS)
    ]
    header = [
        "municipality",
        "year",
        *economy.parts,
        "rule_225",
        "flere_skal_med",
        "sensitivity_before",
        "sensitivity_after",
    ]
    _write(paths["economy"], header, rows)
    return tuple(paths.values())


def _write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*header, "data"])
        writer.writerows([*row, "SYNTHETIC"] for row in rows)
