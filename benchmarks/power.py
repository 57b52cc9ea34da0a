"""Is an effect of the size that is promised found as often as promised? Writes benchmarks/results/power.csv.

    python benchmarks/power.py        about half a minute on one core

First the smallest effect of an evaluation: worlds of exchangeable errors, one treated unit and so many placebos; the effect that the
placebos of that world find 8 times in 10 is added to the treated unit's error, upward and downward. Then a plan: made from 14
periods of 60 units, tried on the three periods that follow, by difference in differences.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.inference.draws import rank_p_value
from evaluation.panel import Panel
from evaluation.periods import parse_period
from evaluation.planning.look import Planned, smallest
from evaluation.power import allowed, smallest_effect
from evaluation.study import make_pipeline

RESULT = Path(__file__).parent / "results" / "power.csv"
WORLDS, PLANS = 4_000, 120
UNITS, PERIODS, AFTER = 60, 14, 3


def of_evaluations() -> Iterator[dict[str, Any]]:
    """One row per kind of error, number of placebos and direction."""
    for kind, count in (("normal", 19), ("normal", 38), ("normal", 93), ("student_t_4", 93)):
        rng = np.random.default_rng(count)
        most, found = allowed(count, 0.95), {1.0: 0, -1.0: 0}
        sizes = []
        for _ in range(WORLDS):
            errors = rng.normal(size=count + 1) if kind == "normal" else rng.standard_t(4, size=count + 1)
            sizes.append(smallest_effect(errors[1:], most))
            for sign in found:
                found[sign] += rank_p_value(errors[1:], errors[0] + sign * sizes[-1]) <= 0.05 + 1e-9
        for sign, hits in found.items():
            yield {
                "what": "evaluation", "errors": kind, "placebos": count, "direction": "up" if sign > 0 else "down",
                "worlds": WORLDS, "found": round(hits / WORLDS, 4), "scatter": round(float(np.std(sizes) / np.mean(sizes)), 3),
            }  # fmt: skip


def of_plans() -> Iterator[dict[str, Any]]:
    """One row per kind of error."""
    pipeline = make_pipeline("did", "none", {})
    periods = tuple(parse_period(2000 + step) for step in range(PERIODS))
    for kind in ("normal", "ar_0.6", "random_walk"):
        hits, sizes = 0, []
        for seed in range(PLANS):
            world = _world(np.random.default_rng(seed), kind)
            panel = Panel(world[:, :PERIODS], tuple(map(str, range(UNITS))), periods, np.full(UNITS, PERIODS))
            planned = Planned(panel, pipeline, (0,), periods[-1].shift(1), PERIODS, 0.95, 0.8, 1)
            sizes.append(smallest(planned, AFTER))
            error, placebos = _changes(world)[0], _changes(world[1:])
            hits += sum(rank_p_value(placebos, error + sign * sizes[-1]) <= 0.05 + 1e-9 for sign in (1.0, -1.0))
        yield {
            "what": "plan", "errors": kind, "placebos": UNITS - 1, "direction": "both", "worlds": PLANS,
            "found": round(hits / (2 * PLANS), 4), "scatter": round(float(np.std(sizes) / np.mean(sizes)), 3),
        }  # fmt: skip


def _world(rng: np.random.Generator, kind: str) -> Any:
    shocks = rng.normal(size=(UNITS, PERIODS + AFTER))
    if kind == "random_walk":
        return np.cumsum(shocks, axis=1)
    if kind == "ar_0.6":
        shocks[:, 0] /= math.sqrt(1.0 - 0.36)
        for step in range(1, PERIODS + AFTER):
            shocks[:, step] += 0.6 * shocks[:, step - 1]
    return shocks


def _changes(world: Any) -> Any:
    """Difference in differences of every unit against all others."""
    change = world[:, -AFTER:].mean(axis=1) - world[:, :-AFTER].mean(axis=1)
    return change - (change.sum() - change) / (change.size - 1)


def main() -> None:
    rows = [*of_evaluations(), *of_plans()]
    with RESULT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(*row.values())


if __name__ == "__main__":
    main()
