"""Studies for the tests of the ladder and the waterfall: Hjørring's employment, and made-up worlds of which every part is known."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.context import NO_CONTEXT, Context
from evaluation.panel import Panel
from evaluation.prepare import prepare
from evaluation.run import load_spec
from evaluation.study import Study, choose_inference, fit_pipeline, make_pipeline
from tests.oracle.panels import make_panel

SPECS = Path(__file__).parents[2] / "specs"
START, WINDOW = 8, (8, 11)
N_UNITS, N_PERIODS = 40, 12


def studied(
    panel: Panel, method: str = "did", adjust: str = "none", context: Context = NO_CONTEXT, **options: Any
) -> Study:
    pipeline = make_pipeline(method, adjust, {}, options)
    first = fit_pipeline(pipeline, panel, "default", 0.95, 1)
    inference = choose_inference(pipeline, panel, "default")
    return Study(panel, pipeline, inference, first.estimate, (), 0.95, 1, context, fitted=(first,))


@cache
def hjorring() -> Study:
    """The example that is committed: 94 municipalities, did, nothing but the comparison."""
    loaded = load_spec(SPECS / "hjorring_employment.toml")
    prepared = prepare(loaded)
    return studied(prepared.panel, context=prepared.context)


def nation() -> np.ndarray:
    """A downturn before the start and an upswing after it, (periods,)."""
    return np.array([0.0, 1.0, -2.0, -3.0, -2.5, -2.0, -1.0, 0.0, 1.5, 2.5, 3.0, 3.5])


def world(
    *,
    exposure: float = 1.0,
    demand: float = 0.0,
    reform: float = 0.0,
    effect: float = 0.0,
    noise: float = 0.0,
    seed: int = 1,
    **more: Any,
) -> tuple[Panel, dict[str, Any]]:
    """A panel whose outcome is the sum of known parts, and these parts.

    Unit 0 is treated. Every unit reacts to the nation in its own way (unit 0: `exposure`, the others around 1); a local series,
    in which unit 0 gains, moves the outcome by `demand` per unit; a reform at the start moves it by `reform` times the unit's share.
    """
    rng = np.random.default_rng(seed)
    reaction = rng.normal(1.0, 0.3, (N_UNITS, 1))
    reaction[0] = exposure
    local = rng.normal(0.0, 1.0, (N_UNITS, N_PERIODS))
    # before the start the series has nothing to do with the nation, so that nobody's reaction is learnt wrongly by chance
    before = np.column_stack([np.ones(START), nation()[:START]])
    local[:, :START] -= local[:, :START] @ before @ np.linalg.pinv(before)
    local[0, START:] += 2.0
    share = rng.uniform(0.0, 1.0, N_UNITS)
    share[0] = 0.9
    dated = np.arange(N_PERIODS) >= START
    outcome = 70.0 + rng.normal(0.0, 3.0, (N_UNITS, 1)) + reaction * nation()
    outcome = outcome + demand * local + reform * share[:, None] * dated + noise * rng.normal(0, 1, local.shape)
    outcome[0, START:] += effect
    cycle = {"jobs": local} if demand else {}
    panel = make_panel(outcome, {0: START}, cycle=cycle, window=WINDOW, **more)
    return panel, {"reaction": reaction[:, 0], "local": local, "share": share}


def contrast(values: np.ndarray) -> float:
    """Difference-in-differences of (units, periods) values: unit 0 against the equally weighted others."""
    change = values[:, START:].mean(axis=1) - values[:, :START].mean(axis=1)
    return float(change[0] - change[1:].mean())
