"""How often an effect is found on synthetic registers in which there is none, and found right where there is one: 200 seeds.

    python benchmarks/false_alarms.py [--seeds 200] [--scenarios null effect]

Writes results/false_alarms.csv: one row per scenario, method and inference, with the share significant at 5 %, the share of
intervals that hold the truth, the mean error and its spread, and the mean length of the intervals. Made on cells by municipality
and year, which a test holds against the register of persons. The last row of each scenario is what many programs print:
difference-in-differences with errors clustered by person, as if persons had been treated one by one.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from pathlib import Path

import numpy as np

from evaluation.denmark.areas import recognise
from evaluation.panel import Panel
from evaluation.periods import Period
from evaluation.simulate import simulate_cells
from evaluation.simulate.cells import SimulatedCells, person_moments
from evaluation.study import make_pipeline, run_pipeline

FIRST, START, LAST = 2008, 2015, 2018
OTHERS = ("Aabenraa", "Silkeborg", "Ballerup", "Vordingborg")
METHODS = ("did", "synthetic_control", "synthetic_did")
HEAD = ["scenario", "method", "inference", "seeds", "significant", "covered", "mean_error", "sd_error", "mean_length", "mean_p"]


def panel(drawn: SimulatedCells) -> Panel:
    """The panel that specs/hjorring.toml would make of this register."""
    names = [area.name for area in recognise(list(drawn.codes)) if area is not None]
    keep = np.array([name not in OTHERS for name in names])
    inside = np.array([FIRST <= year <= LAST for year in drawn.years])
    some = np.ix_(keep, inside)
    periods = tuple(Period("year", year) for year, kept in zip(drawn.years, inside, strict=True) if kept)
    units = tuple(name for name, kept in zip(names, keep, strict=True) if kept)
    start = np.array([START - FIRST if unit == "Hjørring" else len(periods) for unit in units])
    return Panel(drawn.hours[some], units, periods, start, size=drawn.persons[some], noise=drawn.noise[some])


def truth(drawn: SimulatedCells) -> float:
    """The planted effect over the window, each year weighted by the persons who are left."""
    row = drawn.codes.index("860")
    window = np.array([START <= year <= LAST for year in drawn.years])
    weights = drawn.persons[row, window]
    return float(drawn.effect[row, window] @ weights / weights.sum())


def by_person(made: Panel) -> tuple[float, float]:
    """Difference-in-differences and its standard error clustered by person: what is left out is the municipality's own shock."""
    assert made.size is not None
    treated = np.flatnonzero(made.treated)[0]
    after = np.arange(made.n_periods) >= made.start[treated]
    contrast = np.where(after, 1 / after.sum(), -1 / (~after).sum())
    persons = made.size.mean(axis=1)
    others = np.where(made.treated, 0.0, persons) / persons[~made.treated].sum()
    effect = float((made.outcome[treated] - others @ made.outcome) @ contrast)
    known = person_moments()
    here = slice(1, 1 + made.n_periods)  # the moments begin in 2007
    one = float(contrast @ known.covariance[here, here] @ contrast)
    level = made.outcome.mean(axis=1) / known.profile[here].mean() / 45.0
    variance = one * level
    return effect, math.sqrt(variance[treated] / persons[treated] + float((others**2 * variance / persons).sum()))


def study(scenario: str, seeds: int) -> list[dict[str, str]]:
    """The rows of one scenario."""
    found: dict[tuple[str, str], list[tuple[float, float, float, float, float]]] = {}
    for seed in range(seeds):
        drawn = simulate_cells(scenario, seed)
        made, planted = panel(drawn), truth(drawn)
        for method in METHODS:
            one = run_pipeline(make_pipeline(method, "none", {}), made, "default", 0.95, seed)
            assert one.lower is not None
            assert one.upper is not None
            assert one.p_value is not None
            found.setdefault((method, one.inference), []).append((planted, one.effect, one.lower, one.upper, one.p_value))
        effect, error = by_person(made)
        p_value = math.erfc(abs(effect) / error / math.sqrt(2.0))
        row = (planted, effect, effect - 1.96 * error, effect + 1.96 * error, p_value)
        found.setdefault(("did", "clustered by person (naive)"), []).append(row)
    return [_row(scenario, *key, np.array(values)) for key, values in found.items()]


def _row(scenario: str, method: str, inference: str, values: np.ndarray) -> dict[str, str]:
    planted, effect, lower, upper, p_value = values.T
    numbers = [
        np.mean(p_value <= 0.05), np.mean((lower <= planted) & (planted <= upper)), np.mean(effect - planted),
        np.std(effect - planted), np.mean(upper - lower), np.mean(p_value),
    ]  # fmt: skip
    cells = [scenario, method, inference, str(len(values)), *(f"{number:.3f}" for number in numbers)]
    return dict(zip(HEAD, cells, strict=True))


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--scenarios", nargs="+", default=["null", "effect", "null_with_local_upswing"])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "false_alarms.csv")
    given = parser.parse_args()
    rows = []
    for scenario in given.scenarios:
        began = time.perf_counter()
        rows += study(scenario, given.seeds)
        print(f"{scenario}: {time.perf_counter() - began:.0f} s")
    with given.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEAD, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(*row.values(), sep="\t")


if __name__ == "__main__":
    main()
