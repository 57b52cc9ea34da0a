"""How often each way of measuring uncertainty finds an effect on real data where nothing happened: placebo laws, one treated unit.

    python -m benchmarks.real_size [--data employment cps_hours] [--windows 4] [--again] [--quick]

Every unit of a real panel is pretended to have got a law, alone, at each of several dates (Bertrand, Duflo & Mullainathan 2004,
Quarterly Journal of Economics 119(1), with one treated unit instead of half of them). The panel ends with the window, as it would
for who evaluated then. Each pair of a unit and a date is one placebo law, and each test is the product's own, run as a user runs it:
the unit that has the law is left out of everybody else's placebo.

Writes results/real_size.csv: a row per data, window, estimator, adjustment, inference and group of units, with the share of laws that
are significant at 5 and 10 %, its standard error clustered by unit (the dates of one unit overlap), the mean length of the 95 %
intervals where that is cheap, and how many laws got no number at all. Rows that are there already are kept, so a run that was broken
off goes on where it stopped; `--again` makes all of them anew.

A test that ranks a unit among all the others rejects about 5 % of all units *by construction*. What it can still get wrong is who:
the groups say how often calm, middle and noisy units (by their own changes before the start) and, where sizes are known, small,
median and large ones are called significant. `placebo_earlier` takes its critical value from an earlier date, and promises nothing by
construction. `placebo_normal` is what programs print as a placebo standard error: effect / sd(placebos) against the normal.

The part that pages quote is copied to evaluation/proof/real_size.csv.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are too small to be shared out

import numpy as np

from benchmarks.real_panels import DATA, Real, cut, groups_of, thinned
from evaluation.by_design import by_design, by_fit
from evaluation.contracts import Fit, Interval, Pipeline
from evaluation.errors import EstimationError
from evaluation.inference import INFERENCES
from evaluation.inference.draws import Placebos, placebo_fits, rank_p_value
from evaluation.inference.sandwich import heteroskedastic, iid, parameters
from evaluation.inference.scores import scores_of, t_p_value
from evaluation.panel import Panel
from evaluation.study import make_pipeline, stream

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "real_size.csv"
SEED = 2004
HEAD = (
    "data", "window", "estimator", "adjust", "inference", "group", "laws", "units", "dates", "no_number", "rejected_5", "se_5",
    "rejected_10", "se_10", "mean_length",
)  # fmt: skip
KEY = HEAD[:5]


@dataclass(frozen=True, slots=True)
class Way:
    """One estimator behind one adjustment, and how it is called in the table."""

    estimator: str
    adjust: str
    options: tuple[tuple[str, Any], ...] = ()
    quick: bool = False
    """Its placebos take no time: tried at all dates and with both windows."""

    @property
    def label(self) -> str:
        """The name in the table."""
        return "+".join((self.estimator, *(key for key, _ in self.options)))

    @property
    def pipeline(self) -> Pipeline:
        """Adjustment and estimator as one function."""
        return make_pipeline(self.estimator, self.adjust, dict(self.options))


WAYS = (
    Way("did", "none", quick=True),
    Way("synthetic_control", "none"),
    Way("synthetic_control", "none", (("demeaned", True),)),
    Way("synthetic_did", "none"),
    Way("did", "sensitivity"),
)

ONE_FIT = (
    "cluster", "cluster_cr2", "jackknife", "two_way_cluster", "newey_west", "driscoll_kraay", "multiplier_bootstrap", "conley_taber",
    "jackknife_plus", "sc_ttest", "prediction_interval", "block_bootstrap",
)  # fmt: skip
"""Tests whose interval costs no more than their p-value."""
ONLY_P = ("wild_bootstrap", "conformal")
"""Tests whose interval is found by a search, and left out."""
SLOW = {
    ("prediction_interval", "synthetic_control"): 10,
    ("two_way_cluster", "did"): 5,
    ("newey_west", "did"): 5,
    ("multiplier_bootstrap", "did"): 5,
}
"""One law in so many, spread over units and dates: half a second each, or relatives of `cluster` and `driscoll_kraay`."""


# ---------------------------------------------------------------------- one law


@dataclass(slots=True)
class Law:
    """One unit that is pretended to be treated, and what several tests share: its fit and its placebos, made when asked for."""

    pipeline: Pipeline
    panel: Panel
    seed_name: str
    _fit: Fit | None = None
    _placebos: Placebos | None = None

    @property
    def fit(self) -> Fit:
        """The fit."""
        if self._fit is None:
            self._fit = self.pipeline(self.panel)
        return self._fit

    @property
    def placebos(self) -> Placebos:
        """Every other unit in its place."""
        if self._placebos is None:
            self._placebos = placebo_fits(self.pipeline, self.panel, stream(SEED, self.seed_name))
        return self._placebos


Found = tuple[float, float]
"""A p-value and the length of the 95 % interval; NaN where there is none."""


def _interval(name: str, law: Law) -> Found:
    inference, rng = INFERENCES[name], stream(SEED, f"{name}/{law.seed_name}")
    if inference.infer_from is not None:
        found: Interval = inference.infer_from(law.pipeline, law.panel, 0.95, law.fit, law.placebos)
    else:
        found = inference.infer(law.pipeline, law.panel, 0.95, rng)
    return found.p_value, found.upper - found.lower


def _p_value(name: str, law: Law) -> Found:
    return INFERENCES[name].test(law.pipeline, law.panel, stream(SEED, f"{name}/{law.seed_name}")), math.nan


def _of_cells(variance: Callable[..., float], law: Law) -> Found:
    """Errors for cells that are independent of one another: what a regression prints that is asked for nothing, or for "robust"."""
    _, scores, _ = scores_of(law.pipeline, law.panel, "real_size")
    spread, spare = variance(scores), scores.n_obs - parameters(scores, "full")
    return t_p_value(scores.effect, spread, spare), 2.0 * 1.96 * math.sqrt(spread)


def _default(law: Law) -> Found:
    """What the product chooses by itself, for each unit anew: so its rate is nobody's construction."""
    choice = by_fit(by_design(law.pipeline, law.panel), law.pipeline, law.fit, law.placebos, law.panel)
    return _interval(choice.name, law)


def _normal(law: Law) -> Found:
    error = float(law.placebos.effects.std())
    return math.erfc(abs(law.fit.att) / error / math.sqrt(2.0)), 2.0 * 1.96 * error


TESTS: dict[str, Callable[[Law], Found]] = {
    "iid": partial(_of_cells, iid),
    "hc1": partial(_of_cells, heteroskedastic),
    **{name: partial(_interval, name) for name in ONE_FIT},
    **{name: partial(_p_value, name) for name in ONLY_P},
    "placebo_normal": _normal,
    **{
        name: partial(_interval, name)
        for name in (
            "placebo",
            "ferman_pinto",
            "volatility_placebo",
            "standardized_placebo",
            "bias_aware_placebo",
            "block_placebo",
        )
    },
    "default": _default,
}
EARLIER = "placebo_earlier"
NO_NUMBER = ("jackknife", "block_bootstrap")
"""Refused because a single treated unit can neither be left out nor drawn anew: shown as laws without a number."""
OFTEN = (
    "hc1", "cluster", "wild_bootstrap", "driscoll_kraay", "conformal", "placebo_normal", "placebo", "ferman_pinto",
    "volatility_placebo", "standardized_placebo", "bias_aware_placebo", "block_placebo", "default", EARLIER,
)  # fmt: skip
"""Tests of regressions behind an adjustment, and of the second window; the others are tried on the first alone."""


# ---------------------------------------------------------------------- all laws of a panel


@dataclass(frozen=True, slots=True)
class Study:
    """(units, dates) p-values and lengths of every test, and what the units were like before each date."""

    p_values: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]
    tried: dict[str, np.ndarray]
    groups: dict[str, np.ndarray]


def run(real: Real, way: Way, window: int, wanted: Sequence[str], progress: Callable[[str], None]) -> Study:
    """Every law of one panel, by one estimator: all tests that are wanted, on shared fits."""
    pipeline, units = way.pipeline, real.panel.n_units
    first = real.panel.periods[0].ordinal
    shape = (units, len(real.starts))
    names = [name for name in wanted if name in TESTS]
    p_values = {name: np.full(shape, np.nan) for name in names}
    lengths = {name: np.full(shape, np.nan) for name in names}
    tried = {name: np.zeros(shape, dtype=np.bool_) for name in names}
    effects = np.full(shape, np.nan)
    for column, start in enumerate(real.starts):
        progress(f"{real.name} {window or 'end'} {way.label} {way.adjust}: {start}")
        panel = cut(real.panel, start - first, window)
        for row in range(units):
            law = Law(pipeline, panel.assign({row: start - first}), f"{real.name}/{start}/{row}")
            if EARLIER in wanted:
                effects[row, column] = law.fit.att
            for name in names:
                every = SLOW.get((name, way.estimator), 1)
                if (row + column) % every:
                    continue
                tried[name][row, column] = True
                try:
                    p_values[name][row, column], lengths[name][row, column] = TESTS[name](law)
                except EstimationError:
                    continue
    if EARLIER in wanted and window:
        p_values[EARLIER] = earlier(effects, real.starts, window)
        lengths[EARLIER] = np.full(shape, np.nan)
        tried[EARLIER] = np.isfinite(p_values[EARLIER])
    for name in [name for name in names if name not in NO_NUMBER and not np.isfinite(p_values[name]).any()]:
        del p_values[name], lengths[name], tried[name]  # not made for this estimator
    return Study(p_values, lengths, tried, groups_of(real, first))


def earlier(effects: np.ndarray, starts: Sequence[int], window: int) -> np.ndarray:
    """(units, dates) p-values of each effect among the *others'* effects at the last date whose window was over before."""
    p_values = np.full(effects.shape, np.nan)
    for column, start in enumerate(starts):
        over = [place for place, other in enumerate(starts) if window and other + window <= start]
        for row in range(effects.shape[0]) if over else ():
            p_values[row, column] = rank_p_value(np.delete(effects[:, over[-1]], row), effects[row, column])
    return p_values


# ---------------------------------------------------------------------- rows


def rows_of(real: Real, way: Way, window: int, study: Study) -> Iterator[dict[str, str]]:
    """A row per test and group."""
    for name, p_values in study.p_values.items():
        for group, mask in study.groups.items():
            tried = study.tried[name] & mask
            known = tried & np.isfinite(p_values)
            numbers: list[float] = []
            for level in (0.05, 0.10):
                numbers += rate(p_values <= level, known)
            length = study.lengths[name][known]
            mean = float(length.mean()) if length.size and np.isfinite(length).all() else math.nan
            cells = [
                real.name, str(window or "end"), way.label, way.adjust, name, group, str(int(tried.sum())),
                str(int(tried.any(axis=1).sum())), str(int(tried.any(axis=0).sum())), str(int((tried & ~known).sum())),
                *(f"{number:.4f}" if math.isfinite(number) else "" for number in (*numbers, mean)),
            ]  # fmt: skip
            yield dict(zip(HEAD, cells, strict=True))


def rate(rejected: np.ndarray, known: np.ndarray) -> tuple[float, float]:
    """The share rejected among the known laws, and its standard error clustered by unit (rows)."""
    if not known.any():
        return math.nan, math.nan
    share = float(rejected[known].mean())
    sums = np.where(known, rejected - share, 0.0).sum(axis=1)[known.any(axis=1)]
    if sums.size < 2:
        return share, math.nan
    return share, math.sqrt(sums.size / (sums.size - 1) * float(sums @ sums)) / int(known.sum())


def read(path: Path) -> list[dict[str, str]]:
    """The rows there are."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """All rows, those of one data set, window and estimator together, tests in the order of this file."""
    places = {name: place for place, name in enumerate((*TESTS, EARLIER))}
    ways = {(way.label, way.adjust): place for place, way in enumerate(WAYS)}
    sets = {name: place for place, name in enumerate(DATA)}

    def place(row: dict[str, str]) -> tuple[int, str, int, int]:
        known = ways.get((row["estimator"], row["adjust"]), len(ways))
        return (
            sets[row["data"]],
            "" if row["window"] == "4" else row["window"],
            known,
            places.get(row["inference"], len(places)),
        )

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEAD, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=place))


PUBLISHED = (*HEAD[:1], *HEAD[2:-1])
IN_GROUPS = (
    "cluster",
    "conley_taber",
    "placebo",
    "ferman_pinto",
    "volatility_placebo",
    "standardized_placebo",
    "block_placebo",
    "default",
)


def published(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """What pages quote: windows of four periods; thirds of units only for tests that compare units, by `did`."""
    return [
        {name: row[name] for name in PUBLISHED}
        for row in rows
        if row["window"] == "4"
        and (
            row["group"] == "all"
            or ((row["estimator"], row["adjust"]) == ("did", "none") and row["inference"] in IN_GROUPS)
        )
    ]


def publish(
    rows: Sequence[dict[str, str]], path: Path = HERE.parent / "evaluation" / "proof" / "real_size.csv"
) -> None:
    """The copy that goes with the package."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, PUBLISHED, lineterminator="\n")
        writer.writeheader()
        writer.writerows(published(rows))


def main() -> None:
    """Run what is missing, and write the table after each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--windows", nargs="+", type=int, help="only these (0: to the end of the data)")
    parser.add_argument("--estimators", nargs="+", choices=sorted({way.label for way in WAYS}))
    parser.add_argument("--inferences", nargs="+", choices=[*TESTS, EARLIER], default=[*TESTS, EARLIER])
    parser.add_argument("--again", action="store_true", help="also what is in the table already")
    parser.add_argument(
        "--quick", action="store_true", help="a quarter of the units at two dates, printed and not written"
    )
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows = [] if given.quick else read(given.output)
    began = time.process_time()

    def progress(what: str) -> None:
        print(f"{time.process_time() - began:7.0f} s  {what}", file=sys.stderr, flush=True)

    for real in (DATA[name]() for name in given.data):
        real = thinned(real) if given.quick else real
        for window, way in ((window, way) for window in real.windows for way in WAYS):
            if (given.windows and window not in given.windows) or (window != real.windows[0] and not way.quick):
                continue
            if given.estimators and way.label not in given.estimators:
                continue
            key = (real.name, str(window or "end"), way.label, way.adjust)
            there = {row["inference"] for row in rows if tuple(row[name] for name in KEY[:4]) == key}
            every = OFTEN if window != real.windows[0] or way.adjust != "none" else tuple(given.inferences)
            wanted = [name for name in given.inferences if name in every and (given.again or name not in there)]
            if not wanted:
                continue
            tried = real if way.quick else replace(real, starts=real.fewer)
            fresh = list(rows_of(tried, way, window, run(tried, way, window, wanted, progress)))
            made = {(*key, row["inference"]) for row in fresh}
            rows = [row for row in rows if tuple(row[name] for name in KEY) not in made] + fresh
            if not given.quick:
                write(given.output, rows)
    if not given.quick and given.output == RESULTS:
        publish(read(RESULTS))
    for row in rows if given.quick else ():
        if row["group"] == "all":
            print(*row.values(), sep="\t")


if __name__ == "__main__":
    main()
