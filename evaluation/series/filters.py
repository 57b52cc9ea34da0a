"""The cyclical part of an outside series: four filters, with the settings that their authors give for each frequency.

They are for outside series only. A filter looks at both sides of a point, so on an outcome it would smear the effect of a
programme into the time before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from evaluation.panel import Array
from evaluation.periods import PER_YEAR, Frequency

SMOOTHING: Mapping[Frequency, float] = {"year": 6.25, "quarter": 1600.0, "month": 129_600.0}
"""Ravn & Uhlig (2002): the penalty grows with the fourth power of the frequency."""

SHORTEST, LONGEST = 1.5, 8.0
"""Years: what Baxter & King (1999) call the business cycle. With years the shortest cycle that can be seen has two."""

LEADS = 3
"""Years that Baxter & King (1999) need on each side of a point."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: `cycle(series, frequency)` takes (..., periods) and gives the cyclical part, NaN at points it cannot give."""

    name: str
    cycle: Callable[[Array, Frequency], Array]
    needs: Callable[[Frequency], int]
    source: str


def hodrick_prescott(series: Array, frequency: Frequency, smoothing: float | None = None) -> Array:
    """Deviation from the trend that minimises the squared deviations plus `smoothing` times its squared second differences.

    Hodrick & Prescott (1997), eq. (1); the penalty by frequency is that of Ravn & Uhlig (2002), eq. (5).
    """
    weight = SMOOTHING[frequency] if smoothing is None else smoothing
    second = np.diff(np.eye(series.shape[-1]), 2, axis=0)
    # the trend solves (I + weight × D'D) trend = series: a few dozen points, so dense and exact
    trend = np.linalg.solve(np.eye(series.shape[-1]) + weight * second.T @ second, series[..., None])[..., 0]
    return np.asarray(series - trend)


def hamilton(series: Array, frequency: Frequency) -> Array:
    """What could not be foreseen two years ahead: the residual of y(t) on a constant and y(t-h), ..., y(t-h-p+1).

    Hamilton (2018), eq. (20): h is two years, p one year, but four lags of yearly data. The first h + p - 1 points are NaN.
    """
    horizon, lags = _hamilton_lags(frequency)
    flat = series.reshape(-1, series.shape[-1])
    cycle = np.full_like(flat, np.nan)
    n_periods = flat.shape[1]
    first = horizon + lags - 1
    for row, values in enumerate(flat):
        known = [values[first - horizon - lag : n_periods - horizon - lag] for lag in range(lags)]
        design = np.column_stack([np.ones(n_periods - first), *known])
        coefficients = np.linalg.lstsq(design, values[first:], rcond=None)[0]
        cycle[row, first:] = values[first:] - design @ coefficients
    return cycle.reshape(series.shape)


def baxter_king(series: Array, frequency: Frequency) -> Array:
    """Cycles of 1.5 to 8 years by a symmetric moving average of three years on each side; these ends are NaN.

    Baxter & King (1999), eq. (6)-(8).
    """
    from statsmodels.tsa.filters.bk_filter import bkfilter

    low, high = _band(frequency)
    leads = LEADS * PER_YEAR[frequency]
    flat = series.reshape(-1, series.shape[-1])
    cycle = np.full_like(flat, np.nan)
    cycle[:, leads : flat.shape[1] - leads] = bkfilter(flat.T, low=low, high=high, K=leads).T
    return cycle.reshape(series.shape)


def christiano_fitzgerald(series: Array, frequency: Frequency) -> Array:
    """Cycles of 1.5 to 8 years by the best band-pass filter of a random walk, whose weights differ by period; no end is lost.

    Christiano & Fitzgerald (2003), eq. (2)-(4), without taking a drift out first.
    """
    from statsmodels.tsa.filters.cf_filter import cffilter

    low, high = _band(frequency)
    flat = series.reshape(-1, series.shape[-1])
    return np.asarray([cffilter(row, low=low, high=high, drift=False)[0] for row in flat]).reshape(series.shape)


def _hamilton_lags(frequency: Frequency) -> tuple[int, int]:
    per_year = PER_YEAR[frequency]
    return 2 * per_year, max(per_year, 4)


def _band(frequency: Frequency) -> tuple[float, float]:
    """The shortest and the longest cycle in periods; no cycle is shorter than two of them."""
    return max(2.0, SHORTEST * PER_YEAR[frequency]), LONGEST * PER_YEAR[frequency]


FILTERS: Mapping[str, Filter] = {
    each.name: each
    for each in (
        Filter("hp", hodrick_prescott, lambda frequency: 4, "Hodrick & Prescott (1997); Ravn & Uhlig (2002)"),
        # as many points as coefficients would leave no residual
        Filter("hamilton", hamilton, lambda f: _hamilton_lags(f)[0] + 2 * _hamilton_lags(f)[1] + 1, "Hamilton (2018)"),
        Filter("baxter_king", baxter_king, lambda f: 2 * LEADS * PER_YEAR[f] + 1, "Baxter & King (1999)"),
        Filter("christiano_fitzgerald", christiano_fitzgerald, lambda f: 5, "Christiano & Fitzgerald (2003)"),
    )
}
"""Every filter that a series may name."""
