"""How often an effect is found on synthetic registers in which there is none, and found right where there is one: 200 seeds.

    python benchmarks/false_alarms.py [--seeds 200] [--scenarios null effect] [--processes 2]

Writes results/false_alarms.csv: one row per scenario, estimator, adjustment for the business cycle and inference, with the share
significant at 5 %, the share of intervals that hold the truth, the mean error and its spread, and the mean length of the intervals.
Made on cells by municipality and year, which a test holds against the register of persons.

Beside the nine scenarios of the simulator there is `hidden_upswing`: the hours of `null_with_local_upswing` with the public series
of `null`, a boom that leaves no trace anywhere. No method can tell it from an effect. The row `clustered by person (naive)` is what
many programs print: difference-in-differences with errors clustered by person, as if persons had been treated one by one.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.denmark.areas import recognise
from evaluation.errors import EstimationError
from evaluation.panel import Panel
from evaluation.periods import Period
from evaluation.simulate import simulate_cells
from evaluation.simulate.cells import SimulatedCells, person_moments
from evaluation.simulate.cycle import SCENARIOS, economy
from evaluation.simulate.parameters import read_parameters
from evaluation.simulate.series import commuting
from evaluation.study import make_pipeline, run_pipeline

FIRST, START = 2008, 2015
LAST = {"effect_with_downturn": 2020, "effect_fading": 2020}
"""The window ends in 2018, but where what happens later is the point."""
HIDDEN = "hidden_upswing"
OTHERS = ("Aabenraa", "Silkeborg", "Ballerup", "Vordingborg")
OWN, NEIGHBOURS, PREDICTED = ({"use": use} for use in ("own", "neighbours", "predicted"))
RUNGS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("did", "none", {}),
    ("did", "local_series", OWN),
    ("synthetic_did", "none", {}),
    ("synthetic_did", "local_series", OWN),
)
MORE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("synthetic_control", "none", {}),
    ("did", "sensitivity", {}),
    ("did", "region_time", {}),
    ("did", "local_series", NEIGHBOURS),
    ("did", "local_series", PREDICTED),
    ("did", "factors", {}),
    ("did", "unit_trend", {}),
)
"""Only where nothing is planted and the question is who is deceived by a local boom."""
WITH_MORE = ("null", "null_with_local_upswing")
HEAD = [
    "scenario", "method", "adjust", "variant", "inference", "seeds", "significant", "covered", "mean_error", "sd_error",
    "mean_length", "mean_p",
]  # fmt: skip


def panel(drawn: SimulatedCells, last: int, flows: np.ndarray) -> Panel:
    """The panel that specs/hjorring.toml would make of this register, with the public series in it."""
    areas = [area for area in recognise(list(drawn.codes)) if area is not None]
    names = [area.name for area in areas]
    keep = np.array([name not in OTHERS for name in names])
    inside = np.array([FIRST <= year <= last for year in drawn.years])
    some = np.ix_(keep, inside)
    periods = tuple(Period("year", year) for year, kept in zip(drawn.years, inside, strict=True) if kept)
    units = tuple(name for name, kept in zip(names, keep, strict=True) if kept)
    treated = names.index("Hjørring")
    start = np.array([START - FIRST if unit == "Hjørring" else len(periods) for unit in units])
    unemployment = np.round(drawn.unemployment, 2)
    near = flows.astype(float)
    np.fill_diagonal(near, 0.0)
    near[:, treated] = 0.0  # nobody's neighbours hold the municipality whose series the programme may move
    near /= near.sum(axis=1, keepdims=True)
    series = {
        "unemployment": unemployment[some],
        "unemployment|neighbours": (near @ unemployment)[some],
        "unemployment|nation": np.delete(unemployment, treated, axis=0).mean(axis=0)[inside],
    }
    landsdele = sorted({area.landsdel for area in areas})
    region = np.array([landsdele.index(area.landsdel) for area in areas])[keep]
    return Panel(
        drawn.hours[some], units, periods, start, size=drawn.persons[some], noise=drawn.noise[some], region=region,
        region_names=tuple(landsdele), cycle=series,
    )  # fmt: skip


def truth(drawn: SimulatedCells, last: int) -> float:
    """The planted effect over the window, each year weighted by the persons who are left."""
    row = drawn.codes.index("860")
    window = np.array([START <= year <= last for year in drawn.years])
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


Found = dict[tuple[str, str, str, str], tuple[float, float, float, float, float]]


def one_seed(scenario: str, seed: int) -> Found:
    """(truth, effect, lower, upper, p) of every rung on one register."""
    drawn = simulate_cells("null_with_local_upswing" if scenario == HIDDEN else scenario, seed)
    if scenario == HIDDEN:
        calm = simulate_cells("null", seed)
        drawn = replace(drawn, unemployment=calm.unemployment, employment=calm.employment)
    last = LAST.get(scenario, 2018)
    flows = commuting(economy(read_parameters(), "null", 70_000, seed))
    made, planted = panel(drawn, last, flows), truth(drawn, last)
    found: Found = {}
    for method, adjust, options in (*RUNGS, *(MORE if scenario in WITH_MORE else ())):
        try:
            one = run_pipeline(make_pipeline(method, adjust, {}, options), made, "default", 0.95, seed)
        except EstimationError:
            continue
        assert one.lower is not None
        assert one.upper is not None
        assert one.p_value is not None
        key = (method, adjust, str(options.get("use", "")), one.inference)
        found[key] = (planted, one.effect, one.lower, one.upper, one.p_value)
    effect, error = by_person(made)
    p_value = math.erfc(abs(effect) / error / math.sqrt(2.0))
    naive = (planted, effect, effect - 1.96 * error, effect + 1.96 * error, p_value)
    found["did", "none", "", "clustered by person (naive)"] = naive
    return found


def study(scenario: str, seeds: int, pool: ProcessPoolExecutor) -> list[dict[str, str]]:
    """The rows of one scenario."""
    found: dict[tuple[str, str, str, str], list[tuple[float, float, float, float, float]]] = {}
    for drawn in pool.map(partial(one_seed, scenario), range(seeds), chunksize=5):
        for key, values in drawn.items():
            found.setdefault(key, []).append(values)
    return [_row(scenario, *key, np.array(values)) for key, values in found.items()]


def _row(scenario: str, method: str, adjust: str, variant: str, inference: str, values: np.ndarray) -> dict[str, str]:
    planted, effect, lower, upper, p_value = values.T
    numbers = [
        np.mean(p_value <= 0.05), np.mean((lower <= planted) & (planted <= upper)), np.mean(effect - planted),
        np.std(effect - planted), np.mean(upper - lower), np.mean(p_value),
    ]  # fmt: skip
    cells = [scenario, method, adjust, variant, inference, str(len(values)), *(f"{number:.3f}" for number in numbers)]
    return dict(zip(HEAD, cells, strict=True))


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--scenarios", nargs="+", default=[*SCENARIOS, HIDDEN])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "false_alarms.csv")
    given = parser.parse_args()
    rows = []
    with ProcessPoolExecutor(given.processes) as pool:
        for scenario in given.scenarios:
            began = time.perf_counter()
            rows += study(scenario, given.seeds, pool)
            print(f"{scenario}: {time.perf_counter() - began:.0f} s", flush=True)
    with given.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEAD, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(*row.values(), sep="\t")


if __name__ == "__main__":
    main()
