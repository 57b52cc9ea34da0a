"""Studies for the tests of the auditor's checks, made as a run makes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluation.panel import Panel
from evaluation.study import Study, choose_inference, fit_pipeline, make_pipeline
from tests.oracle.panels import make_panel


def studied(
    panel: Panel,
    method: str = "did",
    *,
    adjust: str = "none",
    inference: str = "placebo",
    level: float = 0.95,
    adjust_options: dict[str, Any] | None = None,
    **more: Any,
) -> Study:
    """The study of a panel; `more` are fields of Study."""
    pipeline = make_pipeline(method, adjust, {}, adjust_options)
    fitted = fit_pipeline(pipeline, panel, inference, level, 3)
    chosen = choose_inference(pipeline, panel, inference)
    return Study(panel, pipeline, chosen, fitted.estimate, (), level, 3, fitted=(fitted,), **more)


def noise(seed: int, n_units: int, n_periods: int, scale: float = 1.0) -> np.ndarray:
    """Independent normal outcomes."""
    return np.random.default_rng(seed).normal(0.0, scale, (n_units, n_periods))


def cyclical(
    seed: int, n_units: int = 40, n_periods: int = 12, effect: float = 0.0, start: int = 8, scale: float = 0.3
) -> np.ndarray:
    """Levels, one cycle that all share, and noise; `effect` is added to row 0 from `start` on."""
    rng = np.random.default_rng(seed)
    cycle = np.concatenate([np.linspace(0.0, -3.0, start // 2), np.linspace(-2.0, 2.0, n_periods - start // 2)])
    outcome = rng.normal(70.0, 3.0, (n_units, 1)) + cycle + rng.normal(0.0, scale, (n_units, n_periods))
    outcome[0, start:] += effect
    return outcome


def plain(seed: int = 1, effect: float = 0.0, **more: Any) -> Panel:
    """`cyclical` with row 0 treated from column 8."""
    return make_panel(cyclical(seed, effect=effect), {0: 8}, **more)
