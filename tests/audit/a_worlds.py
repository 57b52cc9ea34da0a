"""Panels for the tests of the auditor's checks: Denmark as it is, and made-up worlds in which it is known what is wrong."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.context import Context
from evaluation.panel import Panel
from evaluation.study import Study
from tests.audit.b_studies import studied
from tests.oracle.panels import make_panel
from tests.reference.golden import EXCLUDED, denmark

ROOT = Path(__file__).parents[2]

RING_1 = ("Jammerbugt", "Brønderslev", "Frederikshavn")
RING_2 = ("Morsø", "Thisted", "Vesthimmerlands", "Læsø", "Rebild", "Mariagerfjord", "Aalborg")

# ------------------------------------------------------------------ Denmark


@cache
def hjorring() -> Panel:
    """The employment rate of 94 municipalities, 2008-2021, as in specs/hjorring_employment.toml: start 2015, window to 2018."""
    return denmark(last=2021, without=EXCLUDED).with_window((7, 10))


@cache
def hjorring_study(method: str, first: int = 2008) -> Study:
    """Its study with one estimator as headline, from the year `first` on, with the two rings of neighbours."""
    panel = hjorring()
    panel = panel.keep_periods(first - 2008, panel.n_periods - 1)
    return studied(panel, method, context=Context(rings=(RING_1, RING_2)))


@cache
def nation() -> np.ndarray:
    """(94, 14) the national employment rate, as each municipality sees it."""
    rows = (ROOT / "specs/data/ras200_employment_rate.csv").read_text("utf-8").splitlines()
    rates = [float(row.split(",")[2]) for row in rows if row.startswith("All Denmark,")]
    return np.broadcast_to(np.array(rates), hjorring().outcome.shape)


# ------------------------------------------------------------------ made-up worlds: row 0 treated from column 8 of 14 years, 2007-2020

START = 8
CYCLE = np.array([0.0, 0.4, -1.6, -3.2, -2.8, -2.3, -2.1, -1.9, -1.2, -0.4, 0.5, 1.2, 0.6, 1.0])
"""A fall in 2009 and 2010, a slow way back, and a boom after the start."""


def world(
    seed: int = 1,
    *,
    n_units: int = 40,
    beta: float = 1.0,
    scale: float = 0.25,
    effect: float | np.ndarray = 0.0,
    loadings: np.ndarray | None = None,
    **more: Any,
) -> Panel:
    """Levels, the cycle times a loading (`beta` for the treated unit, about 1 for the others), noise, and an effect on row 0."""
    rng = np.random.default_rng(seed)
    slopes = rng.normal(1.0, 0.15, n_units) if loadings is None else loadings.copy()
    slopes[0] = beta
    outcome = (
        rng.normal(70.0, 3.0, (n_units, 1)) + slopes[:, None] * CYCLE + rng.normal(0.0, scale, (n_units, CYCLE.size))
    )
    outcome[0, START:] += effect
    return make_panel(outcome, {0: START}, first=2007, **more)


def changed(panel: Panel, rows: Any, columns: Any, by: Any) -> Panel:
    """The panel with `by` added to some cells."""
    outcome = panel.outcome.copy()
    outcome[rows, columns] += by
    return panel.with_outcome(outcome)
