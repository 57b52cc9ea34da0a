"""How often each of the auditor's checks passes, warns and fails on synthetic registers: what a verdict is worth.

    python benchmarks/audit.py [--seeds 40] [--scenarios null effect null_with_local_upswing]

Writes results/audit.csv: one row per scenario and check with the number of registers in each status. The headline is that of
specs/hjorring.toml: synthetic difference-in-differences with the local series taken out. Made on cells by municipality and year,
so what needs persons or files (composition, provenance) is not run.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from false_alarms import FIRST, panel

from evaluation.accounting.ladder import ladder
from evaluation.audit import AUDIT
from evaluation.context import Context, NegativeControl, PolicyShock
from evaluation.denmark.areas import recognise
from evaluation.errors import EstimationError
from evaluation.result import Cycle
from evaluation.simulate import simulate_cells
from evaluation.simulate.cycle import economy
from evaluation.simulate.parameters import read_parameters
from evaluation.simulate.series import commuting
from evaluation.study import Study, choose_inference, fit_pipeline, make_pipeline

HEAD = ["scenario", "check", "passed", "warns", "failed", "not_run"]
RING = ("Jammerbugt", "Brønderslev", "Frederikshavn")
TEXT = {"en": ""}
LAST = 2018


def one_seed(scenario: str, seed: int) -> dict[str, str]:
    """The status of every check on one register."""
    drawn = simulate_cells(scenario, seed)
    flows = commuting(economy(read_parameters(), scenario, 70_000, seed))
    made = panel(drawn, LAST, flows)
    assert made.region is not None
    at = {area.name: place for place, area in enumerate(recognise(list(drawn.codes))) if area is not None}
    rows = np.array([at[name] for name in made.units])
    home = made.region[made.units.index("Hjørring")]
    further = tuple(
        name
        for name, region in zip(made.units, made.region, strict=True)
        if region == home and name not in (*RING, "Hjørring")
    )
    inside = [FIRST <= year <= LAST for year in drawn.years]
    employment = made.with_outcome(drawn.employment[rows][:, inside])
    context = Context(
        policies=(PolicyShock("exemption_225", TEXT, 2016 - FIRST, drawn.exemption[rows]),),
        negative_controls=(NegativeControl("employment", TEXT, employment),),
        rings=(RING, further),
    )
    pipeline = make_pipeline("synthetic_did", "local_series", {}, {"use": "own"})
    first = fit_pipeline(pipeline, made, "default", 0.95, seed)
    did = fit_pipeline(make_pipeline("did", "local_series", {}, {}), made, "default", 0.95, seed)
    study = Study(
        made, pipeline, choose_inference(pipeline, made, "default"), first.estimate, (did.estimate,), 0.95, seed, context,
        fitted=(first, did),
    )  # fmt: skip
    study = replace(study, cycle=Cycle("local_series", ladder(study)))
    found = {}
    for name, check in AUDIT.items():
        try:
            found[name] = check(study).status
        except EstimationError:
            found[name] = "not_run"
    return found


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--scenarios", nargs="+", default=["null", "effect", "null_with_local_upswing"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "audit.csv")
    given = parser.parse_args()
    rows = []
    with ProcessPoolExecutor(given.processes) as pool:
        for scenario in given.scenarios:
            began = time.perf_counter()
            counts = {name: Counter[str]() for name in AUDIT}
            for statuses in pool.map(partial(one_seed, scenario), range(given.seeds), chunksize=2):
                for name, status in statuses.items():
                    counts[name][status] += 1
            rows += [[scenario, name, *(str(each[status]) for status in HEAD[2:])] for name, each in counts.items()]
            print(f"{scenario}: {time.perf_counter() - began:.0f} s", flush=True)
    with given.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([HEAD, *rows])
    for row in rows:
        print(*row, sep="\t")


if __name__ == "__main__":
    main()
