"""Estimators with all placebos, ours and peers', on the same generated panel, each in a process and an environment of its own.

    benchmarks/setup_peers.sh PEERS
    python benchmarks/estimators.py --peers PEERS

Writes results/estimators.csv: one row per task and package, with the lowest and the median of several repetitions of wall
clock and processor seconds, peak memory, the ratio to ours, and how far the estimates lie apart.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).parent

TASKS = {
    "did": ("diff-diff", "synthdid-py"),
    "sc": ("diff-diff", "mlsynth", "synthdid-py", "pysyncon"),
    "sc_predictors": ("diff-diff",),
    "sdid": ("diff-diff", "mlsynth", "synthdid-py"),
    "matrix_completion": ("mlsynth",),
    "interactive_fixed_effects": (),
    "callaway_santanna": ("diff-diff", "moderndid"),
    "twfe": ("diff-diff", "pyfixest"),
    "event_study": ("pyfixest",),
    "wild_bootstrap": ("wildboottest",),
}
REMARKS = {
    ("did", "diff-diff"): "one fit per control",
    ("did", "synthdid-py"): "one fit per control",
    ("sc", "diff-diff"): "exact weights; its placebos keep the treated unit among the donors",
    ("sc", "synthdid-py"): "stops early (the paper's rule); one fit per control",
    ("sc", "pysyncon"): "its general optimiser stops early; one fit per control, on ready matrices",
    ("sc_predictors", "diff-diff"): "V searched from four starts; three covariates and three outcomes",
    ("sc_predictors", "nettoeffekt"): "V searched; three covariates and three outcomes",
    ("sdid", "diff-diff"): "200 random placebos instead of all 97; stops early",
    ("sdid", "mlsynth"): "200 random placebos instead of all 97",
    ("sdid", "synthdid-py"): "stops early (the paper's rule); one fit per control",
    ("callaway_santanna", "nettoeffekt"): "doubly robust, two covariates, 999 multiplier draws",
    ("callaway_santanna", "diff-diff"): "doubly robust, two covariates, 999 multiplier draws",
    ("callaway_santanna", "moderndid"): "doubly robust, two covariates, 999 multiplier draws",
    ("wild_bootstrap", "nettoeffekt"): "9,999 draws, null imposed",
    ("wild_bootstrap", "wildboottest"): "9,999 draws, null imposed; unit and period dummies",
    ("matrix_completion", "nettoeffekt"): "penalty by cross-validation, all 97 placebos",
    ("matrix_completion", "mlsynth"): "penalty by cross-validation; the treated unit alone, no placebos",
    ("interactive_fixed_effects", "nettoeffekt"): "rank by cross-validation, all 97 placebos",
}


def make_panel(n_units: int, n_periods: int, start: int, seed: int) -> pd.DataFrame:
    """Two factors, unit levels, AR(1) noise and three covariates; the first unit is treated, with no effect."""
    rng = np.random.default_rng(seed)
    factors = np.cumsum(rng.normal(0, 0.3, (2, n_periods)), axis=1)
    loadings = rng.normal(1, 0.4, (n_units, 2))
    noise = rng.normal(0, 0.5, (n_units, n_periods))
    for period in range(1, n_periods):
        noise[:, period] += 0.6 * noise[:, period - 1]
    level = rng.normal(70, 3, (n_units, 1))
    outcome = level + loadings @ factors + noise
    covariates = np.column_stack([level[:, 0], loadings]) + rng.normal(0, 0.2, (n_units, 3))
    units, times = np.divmod(np.arange(n_units * n_periods), n_periods)
    return pd.DataFrame(
        {
            "unit": [f"u{unit:02d}" for unit in units],
            "time": 1901 + times,
            "y": outcome.ravel(),
            "d": ((units == 0) & (times >= start)).astype(int),
            **{f"x{number + 1}": covariates[units, number] for number in range(3)},
        }
    )


def make_persons(
    n_units: int, n_periods: int, starts: tuple[int, ...], covariates: int, seed: int
) -> dict[str, np.ndarray]:
    """Persons' outcomes with unit and period effects, AR(1) noise, and covariates that move trend and treatment; half are treated."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (n_units, covariates))
    odds = 1 / (1 + np.exp(-0.3 * x.sum(axis=1))) if covariates else np.full(n_units, 0.5)
    first = np.where(rng.uniform(size=n_units) < odds, rng.choice(starts, size=n_units), 0)
    noise = rng.normal(0, 1, (n_units, n_periods))
    for period in range(1, n_periods):
        noise[:, period] += 0.5 * noise[:, period - 1]
    time = 1 + np.arange(n_periods)
    outcome = rng.normal(5, 2, (n_units, 1)) + 0.1 * time + 0.02 * x.sum(axis=1, keepdims=True) * time + noise
    outcome += 0.4 * ((first[:, None] > 0) & (time >= first[:, None]))
    made = {
        "unit": np.repeat(np.arange(n_units), n_periods),
        "time": np.tile(time, n_units),
        "y": outcome.ravel(),
        "first": np.repeat(first, n_periods),
    }
    return made | {f"x{number + 1}": np.repeat(x[:, number], n_periods) for number in range(covariates)}


PERSONS: dict[str, tuple[int, int, tuple[int, ...], int]] = {
    "callaway_santanna": (100_000, 12, (5, 7, 9), 2),
    "twfe": (100_000, 48, (25,), 0),
    "event_study": (100_000, 48, (25,), 0),
    "wild_bootstrap": (98, 14, (8,), 0),
}
"""Units, periods, first treated periods and covariates of the tasks on persons (the last one: on municipalities)."""


def write_data(task: str, folder: Path, units: int, periods: int, start: int) -> tuple[Path, Path, int, int]:
    """The panel of a task, a small one to warm up on, and the panel's units and periods."""
    if task not in PERSONS:
        data, small = folder / "data.csv", folder / "small.csv"
        make_panel(units, periods, start, 1).to_csv(data, index=False)
        make_panel(8, 16, 12, 2).to_csv(small, index=False)
        return data, small, units, periods
    n_units, n_periods, starts, covariates = PERSONS[task]
    data, small = folder / "data.npz", folder / "small.npz"
    np.savez(data, **make_persons(n_units, n_periods, starts, covariates, 1))
    np.savez(small, **make_persons(60, n_periods, starts, covariates, 2))
    return data, small, n_units, n_periods


def measure(
    python: Path, package: str, task: str, data: Path, small: Path, repetitions: int, limit: float
) -> dict[str, Any]:
    """What one contestant prints, or why it did not."""
    script = "large_contestants.py" if task in PERSONS else "contestants.py"
    words = [str(python), str(HERE / script), package, task, str(data), str(small), str(repetitions)]
    if not python.exists():
        return {"failed": "not installed"}
    # ours is taken from this folder, installed or not; a peer sees nothing of it. One thread for everybody: the matrices are
    # small, and threads that wait for one another would be counted as work
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent) if package == "nettoeffekt" else ""}
    environment |= dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1"
    )
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=limit, env=environment, check=False)
    except subprocess.TimeoutExpired as stopped:
        shown = (stopped.stdout or b"").decode().splitlines()
        return dict(json.loads(shown[-1])) if shown else {"failed": f"not one repetition done after {limit:.0f} s"}
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:120] if done.stderr.strip() else "failed"}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def version(python: Path, package: str) -> str:
    """The installed version of a package."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "source"


def apart(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[float | None, float | None]:
    """How far the effect, and the placebo effects at most, lie from ours."""
    if "failed" in theirs:
        return None, None
    placebos = None
    if theirs["placebos"]:
        placebos = float(np.max(np.abs(np.subtract(theirs["placebos"], ours["placebos"]))))
    return abs(theirs["effect"] - ours["effect"]), placebos


def main() -> None:
    """Run every contestant on every task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, help="the folder that setup_peers.sh filled")
    parser.add_argument("--units", type=int, default=98)
    parser.add_argument("--periods", type=int, default=120)
    parser.add_argument("--start", type=int, default=100, help="index of the first treated period")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--limit", type=float, default=900, help="seconds after which a contestant is stopped")
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--output", type=Path, default=HERE / "results" / "estimators.csv")
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for task in asked.tasks:
            data, small, units, periods = write_data(task, Path(folder), asked.units, asked.periods, asked.start)
            ours: dict[str, Any] = {}
            for package in ("nettoeffekt", *TASKS[task]):
                python = (
                    Path(sys.executable)
                    if package == "nettoeffekt"
                    else asked.peers.absolute() / package / "bin" / "python"
                )
                found = measure(python, package, task, data, small, asked.repetitions, asked.limit)
                ours = ours or found
                if "failed" in ours:
                    raise SystemExit(f"{task}: {ours['failed']}")
                effect_apart, placebos_apart = apart(ours, found)
                row: dict[str, Any] = {"task": task, "units": units, "periods": periods, "package": package}
                if "failed" in found:
                    row["remark"] = found["failed"]
                else:
                    row |= {
                        "version": version(python, package),
                        "wall_s": round(min(found["wall"]), 4),
                        "wall_median_s": round(statistics.median(found["wall"]), 4),
                        "repetitions": len(found["wall"]),
                        "cpu_s": round(min(found["cpu"]), 4),
                        "cpu_median_s": round(statistics.median(found["cpu"]), 4),
                        "peak_mb": round(found["peak_mb"]),
                        "before_mb": round(found["before_mb"]) if "before_mb" in found else "",
                        "prepare_s": round(found["prepare"], 3) if "prepare" in found else "",
                        "times_our_wall": round(min(found["wall"]) / min(ours["wall"]), 1),
                        "times_our_cpu": round(min(found["cpu"]) / max(min(ours["cpu"]), 0.01), 1),
                        "effect": f"{found['effect']:.6f}",
                        "error_or_p": f"{found['error']:.6f}" if "error" in found else "",
                        "effect_apart": f"{effect_apart:.1e}",
                        "placebos_apart": "" if placebos_apart is None else f"{placebos_apart:.1e}",
                        "remark": REMARKS.get((task, package), ""),
                    }
                rows.append(row)
                print(json.dumps(row), flush=True)
    names = list(dict.fromkeys(name for row in rows for name in row if name != "remark"))
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    with asked.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*names, "remark"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{asked.output}: Python {platform.python_version()}, {platform.machine()}")


if __name__ == "__main__":
    main()
