"""One contestant does one task on persons' panels (or on the regression of one municipality's panel), in its own interpreter.

    python large_contestants.py PACKAGE TASK DATA.npz SMALL.npz REPETITIONS

As contestants.py: only numpy, pandas and the contestant are imported, a first run on a small panel is thrown away, and building a
package's own data structure from the data frame (ours: the Panel) is measured apart, as `prepare`.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from contestants import cost

Answer = tuple[float, float]
"""The effect and its standard error (or, of the wild bootstrap, its p-value)."""

NEVER = 0


def read(path: str) -> pd.DataFrame:
    """The long panel: unit, time, y, first (first treated period, 0 never), and covariates."""
    with np.load(path) as stored:
        return pd.DataFrame({name: stored[name] for name in stored.files})


# ------------------------------------------------------------------ ours


def nettoeffekt(task: str, frame: pd.DataFrame) -> Callable[[], Answer]:
    import evaluation

    covariates = [name for name in frame.columns if name.startswith("x")]
    panel = evaluation.Panel.from_frame(
        frame, unit="unit", time="time", outcome="y", start="first", covariates=covariates
    )
    chosen: dict[str, tuple[str, str, dict[str, Any]]] = {
        "callaway_santanna": ("callaway_santanna", "multiplier_bootstrap", {"covariates": covariates}),
        "twfe": ("did", "cluster", {}),
        "event_study": ("event_study", "cluster", {}),
        "wild_bootstrap": ("did", "wild_bootstrap", {}),
    }
    method, inference, options = chosen[task]

    def run() -> Answer:
        found = evaluation.estimate(panel, method, inference=inference, **options)
        return found.effect, found.p_value if task == "wild_bootstrap" else found.std_error

    return run


# ------------------------------------------------------------------ peers


def diff_diff(task: str, frame: pd.DataFrame) -> Callable[[], Answer]:
    import diff_diff as dd

    if task == "callaway_santanna":
        covariates = [name for name in frame.columns if name.startswith("x")]

        def run() -> Answer:
            model = dd.CallawaySantAnna(estimation_method="dr", n_bootstrap=999, seed=1)
            found = model.fit(frame, outcome="y", unit="unit", time="time", first_treat="first", covariates=covariates)
            return float(found.overall_att), float(found.overall_se)

        return run
    # its two-way estimator leaves period effects to a `post` dummy that is constant within treatment; with one start the
    # coefficient is the same
    columns = frame.assign(
        treated=(frame["first"] > 0).astype(int), post=(frame["time"] >= frame["first"].max()).astype(int)
    )

    def run() -> Answer:
        found = dd.TwoWayFixedEffects(cluster="unit").fit(
            columns, outcome="y", treatment="treated", post="post", unit="unit"
        )
        return float(found.att), float(found.se)

    return run


def moderndid(task: str, frame: pd.DataFrame) -> Callable[[], Answer]:
    import moderndid as md

    covariates = [name for name in frame.columns if name.startswith("x")]

    def run() -> Answer:
        found = md.att_gt(
            frame, yname="y", tname="time", idname="unit", gname="first", xformla="~ " + " + ".join(covariates), boot=True,
            biters=999, random_state=1,
        )  # fmt: skip
        overall = md.aggte(found, type="simple")
        return float(overall.overall_att), float(overall.overall_se)

    return run


def pyfixest(task: str, frame: pd.DataFrame) -> Callable[[], Answer]:
    import pyfixest as pf

    first = int(frame["first"].max())
    columns = frame.assign(
        d=((frame["first"] > 0) & (frame["time"] >= frame["first"])).astype(int),
        treated=(frame["first"] > 0).astype(int),
    )
    if task == "twfe":

        def run() -> Answer:
            fit = pf.feols("y ~ d | unit + time", data=columns, vcov={"CRV1": "unit"})
            return float(fit.coef()["d"]), float(fit.se()["d"])

        return run

    def run() -> Answer:
        fit = pf.feols(f"y ~ i(time, treated, ref={first - 1}) | unit + time", data=columns, vcov={"CRV1": "unit"})
        after = [name for name in fit.coef().index if int(float(name.split("::")[1].split(":")[0])) >= first]
        return float(fit.coef()[after].mean()), float("nan")

    return run


def wildboottest(task: str, frame: pd.DataFrame) -> Callable[[], Answer]:
    import statsmodels.api as sm
    from wildboottest.wildboottest import wildboottest as bootstrap

    treated = ((frame["first"] > 0) & (frame["time"] >= frame["first"])).astype(float)
    units = pd.get_dummies(frame["unit"], prefix="unit", drop_first=True, dtype=float)
    times = pd.get_dummies(frame["time"], prefix="time", drop_first=True, dtype=float)
    design = pd.concat([treated.rename("d"), units, times], axis=1).assign(one=1.0)
    cluster = frame["unit"].astype("category").cat.codes.to_numpy()

    def run() -> Answer:
        model = sm.OLS(frame["y"], design)
        found = bootstrap(
            model, B=9999, cluster=cluster, param="d", weights_type="rademacher", impose_null=True, show=False
        )
        return float(model.fit().params["d"]), float(found["p-value"].iloc[0])

    return run


CONTESTANTS = {
    "nettoeffekt": nettoeffekt,
    "diff-diff": diff_diff,
    "moderndid": moderndid,
    "pyfixest": pyfixest,
    "wildboottest": wildboottest,
}


def resident() -> float:
    """Megabytes of the process now (Linux)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def main(package: str, task: str, path: str, small: str, repetitions: int) -> None:
    warnings.simplefilter("ignore")
    walls: list[float] = []
    processors: list[float] = []
    answers = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()):
        contestant = CONTESTANTS[package]
        contestant(task, read(small))()
        frame = read(path)
        started, _ = cost()
        run = contestant(task, frame)
        ready, _ = cost()
        before = resident()
        for _ in range(repetitions):
            wall, processor = cost()
            effect, error = run()
            ended, spent = cost()
            walls.append(ended - wall)
            processors.append(spent - processor)
            peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
            found = {
                "effect": effect, "error": error, "placebos": [], "wall": walls, "cpu": processors, "peak_mb": peak / 1024,
                "before_mb": before, "prepare": ready - started,
            }  # fmt: skip
            print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]))
