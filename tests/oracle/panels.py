"""Made-up panels for tests: well-behaved ones by seed, and awkward ones (ties, twins, constant rows) by Hypothesis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluation.panel import Panel
from evaluation.periods import Period

Array = npt.NDArray[np.float64]

# derandomize: the same examples on every machine and every run; a found failure can be run again by anyone.
FEW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def make_panel(
    outcome: Array,
    treated: Mapping[int, int],
    *,
    first: int = 2001,
    **more: Any,
) -> Panel:
    """A panel of `outcome` in which row r is treated from column treated[r]."""
    n_units, n_periods = outcome.shape
    start = np.full(n_units, n_periods, dtype=np.int64)
    for row, column in treated.items():
        start[row] = column
    return Panel(
        outcome=np.array(outcome, dtype=np.float64),
        units=tuple(f"unit {row:02d}" for row in range(n_units)),
        periods=tuple(Period("year", first + column) for column in range(n_periods)),
        start=start,
        **more,
    )


def factor_outcome(seed: int, n_units: int = 12, n_periods: int = 14, noise: float = 0.4) -> Array:
    """Two factors with unit loadings, unit levels, a common trend, and noise: what real outcomes look like."""
    rng = np.random.default_rng(seed)
    level = rng.normal(70, 3, (n_units, 1))
    loadings = rng.normal(1, 0.3, (n_units, 2))
    factors = np.cumsum(rng.normal(0, 0.6, (2, n_periods)), axis=1)
    return level + loadings @ factors + 0.1 * np.arange(n_periods) + rng.normal(0, noise, (n_units, n_periods))


def factor_panel(seed: int = 1, n_units: int = 12, n_periods: int = 14, start: int = 9, **more: Any) -> Panel:
    """`factor_outcome` with the unit in row 3 treated."""
    return make_panel(factor_outcome(seed, n_units, n_periods), {3: start}, **more)


@st.composite
def awkward_outcomes(draw: st.DrawFn, min_units: int = 4, max_units: int = 9, min_periods: int = 4, max_periods: int = 9) -> Array:
    """Outcomes with few distinct values: equal units, flat units and perfect fits are common."""
    shape = draw(st.tuples(st.integers(min_units, max_units), st.integers(min_periods, max_periods)))
    return draw(arrays(np.int64, shape, elements=st.integers(-30, 30))).astype(np.float64) / 10


@st.composite
def holed_outcomes(draw: st.DrawFn) -> Array:
    """Awkward outcomes, a tenth of whose cells are missing; the treated unit (row 0) is complete."""
    outcome = draw(awkward_outcomes(min_units=5, min_periods=5))
    holes = draw(arrays(np.int64, outcome.shape, elements=st.integers(0, 9))) == 0
    holes[0] = False
    holes[1] = False  # and one control, so that every period has a comparison
    return np.where(holes, np.nan, outcome)
