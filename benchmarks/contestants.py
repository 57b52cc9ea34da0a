"""One contestant does one task on one file, in its own interpreter, and prints what it found and what it cost.

    python contestants.py PACKAGE TASK DATA.csv SMALL.csv REPETITIONS

Only the standard library, numpy, pandas and the contestant itself are imported, because each peer lives in an environment of
its own. A first run on the small panel is thrown away: it pays for imports, compilers and caches. Reading and reshaping the
file is not counted; whatever a package does with the data frame that it asks for is.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

TREATED = "u00"
Answer = tuple[float, list[float]]
"""The effect, and the placebo effects in the order of the units (empty where the package does not give them)."""


def matrix(frame: pd.DataFrame) -> tuple[np.ndarray, int]:
    """(units, periods) outcomes, the treated unit last, and the number of periods before the start."""
    wide = frame.pivot(index="unit", columns="time", values="y")
    wide = pd.concat([wide.drop(index=TREATED), wide.loc[[TREATED]]])
    return wide.to_numpy(), int((frame.loc[frame["unit"] == TREATED, "d"] == 0).sum())


# ------------------------------------------------------------------ ours


def nettoeffekt(task: str, frame: pd.DataFrame) -> Callable[[], Answer]:
    import evaluation

    start = int(frame.loc[frame["d"] == 1, "time"].min())
    covariates = ("x1", "x2", "x3") if task == "sc_predictors" else ()
    panel = evaluation.Panel.from_frame(
        frame, unit="unit", time="time", outcome="y", treated={TREATED: start}, covariates=covariates
    )
    short = {"sc": "synthetic_control", "sc_predictors": "synthetic_control", "sdid": "synthetic_did"}
    method = short.get(task, task)
    options: dict[str, Any] = {}
    if task == "sc_predictors":
        first, last = int(frame["time"].min()), start - 1
        days = [first, (first + last) // 2, last]
        options["predictors"] = [{"column": name} for name in covariates] + [
            {"column": "outcome", "periods": [day, day]} for day in days
        ]

    def run() -> Answer:
        found = evaluation.estimate(panel, method, inference="placebo", **options)
        return found.effect, found.details["placebo"]["effects"]

    return run


# ------------------------------------------------------------------ peers


def diff_diff(task: str, frame: pd.DataFrame) -> Callable[[], Answer]:
    import diff_diff as dd

    start = int(frame.loc[frame["d"] == 1, "time"].min())
    posts = sorted(frame.loc[frame["time"] >= start, "time"].unique().tolist())
    if task == "did":
        # its permutation test draws at random; the same refits, one control at a time, are the exhaustive one
        columns = frame.assign(post=(frame["time"] >= start).astype(int))

        def run() -> Answer:
            effects = []
            for unit in sorted(columns["unit"].unique()):
                kept = columns if unit == TREATED else columns[columns["unit"] != TREATED]
                data = kept.assign(treated=(kept["unit"] == unit).astype(int))
                effects.append(
                    float(dd.DifferenceInDifferences().fit(data, outcome="y", treatment="treated", post="post").att)
                )
            return effects[0], effects[1:]

        return run
    if task in ("sc", "sc_predictors"):
        n_pre = int((frame.loc[frame["unit"] == TREATED, "d"] == 0).sum())
        given: dict[str, Any] = {"pre_period_outcomes": "all"}
        if task == "sc_predictors":
            first, last = int(frame["time"].min()), start - 1
            given = {"predictors": ["x1", "x2", "x3"], "pre_period_outcomes": [first, (first + last) // 2, last]}

        def run() -> Answer:
            if task == "sc":
                model = dd.SyntheticControl(v_method="custom", custom_v=np.ones(n_pre), standardize="none")
            else:
                model = dd.SyntheticControl(seed=1)
            found = model.fit(frame, outcome="y", treatment="d", unit="unit", time="time", **given)
            found.in_space_placebo()
            return float(found.att), []

        return run
    ever = frame.assign(ever=(frame["unit"] == TREATED).astype(int))

    def run() -> Answer:
        model = dd.SyntheticDiD(variance_method="placebo", n_bootstrap=200, seed=1)
        found = model.fit(ever, outcome="y", treatment="ever", unit="unit", time="time", post_periods=posts)
        return float(found.att), []

    return run


def mlsynth(task: str, frame: pd.DataFrame) -> Callable[[], Answer]:
    from mlsynth import MCNNM, SDID, VanillaSC

    common = {"df": frame, "outcome": "y", "treat": "d", "unitid": "unit", "time": "time", "display_graphs": False}

    def run() -> Answer:
        if task == "sc":
            found = VanillaSC({**common, "backend": "outcome-only", "inference": "placebo"}).fit()
            return float(found.effects.att), []
        if task == "matrix_completion":
            return float(MCNNM(common).fit().effects.att), []
        found = SDID({**common, "B": 200, "seed": 1}).fit()
        return float(found.effects.att), []

    return run


def synthdid_py(task: str, frame: pd.DataFrame) -> Callable[[], Answer]:
    import synthdid

    outcome, n_before = matrix(frame)
    estimate = {"did": synthdid.did_estimate, "sc": synthdid.sc_estimate, "sdid": synthdid.synthdid_estimate}[task]

    def run() -> Answer:
        n_controls = len(outcome) - 1
        effect = float(estimate(outcome, n_controls, n_before))
        placebos = []
        for row in range(n_controls):
            order = [*(other for other in range(n_controls) if other != row), row]
            placebos.append(float(estimate(outcome[order], n_controls - 1, n_before)))
        return effect, placebos

    return run


def pysyncon(task: str, frame: pd.DataFrame) -> Callable[[], Answer]:
    from pysyncon import Synth

    # matrices instead of its Dataprep and PlaceboTest, whose reshaping of the data frame costs more than the weights
    wide = frame.pivot(index="time", columns="unit", values="y")
    before = wide.index < int(frame.loc[frame["d"] == 1, "time"].min())
    equal = np.full(int(before.sum()), 1.0 / int(before.sum()))
    controls = [unit for unit in wide.columns if unit != TREATED]

    def effect_of(unit: str, donors: list[str]) -> float:
        model = Synth()
        matched = {"X0": wide.loc[before, donors], "X1": wide.loc[before, unit]}
        model.fit(**matched, Z0=matched["X0"], Z1=matched["X1"], custom_V=equal)
        return float((wide.loc[~before, unit] - wide.loc[~before, donors] @ model.W).mean())

    def run() -> Answer:
        return effect_of(TREATED, controls), [
            effect_of(unit, [other for other in controls if other != unit]) for unit in controls
        ]

    return run


CONTESTANTS = {
    "nettoeffekt": nettoeffekt,
    "diff-diff": diff_diff,
    "mlsynth": mlsynth,
    "synthdid-py": synthdid_py,
    "pysyncon": pysyncon,
}


def cost() -> tuple[float, float]:
    """Wall clock, and processor seconds of this process and of the children it has waited for."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in spent)


def main(package: str, task: str, path: str, small: str, repetitions: int) -> None:
    warnings.simplefilter("ignore")
    walls: list[float] = []
    processors: list[float] = []
    answers = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()):
        contestant = CONTESTANTS[package]
        contestant(task, pd.read_csv(small))()
        run = contestant(task, pd.read_csv(path))
        for _ in range(repetitions):
            wall, processor = cost()
            effect, placebos = run()
            ended, spent = cost()
            walls.append(ended - wall)
            processors.append(spent - processor)
            peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
            # after every repetition, so that one who is stopped has shown the ones that were done
            found = {"effect": effect, "placebos": placebos, "wall": walls, "cpu": processors, "peak_mb": peak / 1024}
            print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]))
