"""Structural time-series models as Gaussian vectors: what starting values multiply, and the covariance of each source of noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, TypeAlias

import numpy as np

from evaluation.panel import Array, Indices

Level: TypeAlias = Literal["local_level", "local_linear_trend", "autoregressive"]


@dataclass(frozen=True, eq=False)
class Model:
    """The model of all periods, made once for each shape of panel.

    Attributes
    ----------
    start : Array
        (periods, d) what the unknown starting values of level, slope and seasonal pattern multiply.
    fixed : Array
        (periods, k) regressors that belong to the model, such as the mean of an autoregressive series.
    kernels : Array
        (components, periods, periods) the covariance that each source of noise brings with variance 1.
    names : tuple of str
        (components,).
    """

    start: Array
    fixed: Array
    kernels: Array
    names: tuple[str, ...]
    autoregressive: bool = False

    def covariance(self, thetas: Array) -> Array:
        """(points, periods, periods) V(θ): each row of `thetas` holds a variance for each component, or the autocorrelation."""
        if self.autoregressive:
            times = np.arange(self.start.shape[0])
            return np.asarray(thetas[:, :, None] ** np.abs(times[:, None] - times))
        shape = self.kernels.shape
        return np.asarray((thetas @ self.kernels.reshape(len(self.kernels), -1)).reshape(-1, *shape[1:]))


@dataclass(frozen=True, eq=False)
class Contrast:
    """N'y, free of the starting values: each observed period minus what the first few say about it.

    `basis` are the d periods that fix the starting values, `rest` (n,) the others, both positions among the observed;
    (observed, n) `matrix` is N. The order of time is kept, so that N'y filtered are the one-step-ahead prediction errors.
    """

    observed: Indices
    rest: Indices
    matrix: Array
    kernels: Array

    @cached_property
    def pencil(self) -> tuple[Array, Array, float]:
        """For two components: T, λ and log|A| with T A T' = I and T B T' = diag λ, for their (n, n) contrasts A and B."""
        first, second = self.kernels
        inverse = np.linalg.inv(np.linalg.cholesky(first))
        roots, vectors = np.linalg.eigh(inverse @ second @ inverse.T)
        return vectors.T @ inverse, np.maximum(roots, 0.0), -2.0 * float(np.log(np.diag(inverse)).sum())


@lru_cache(maxsize=8)
def model(level: Level, seasonal: int, n_periods: int) -> Model:
    """The model of a level, and of a seasonal pattern of `seasonal` periods (0: none) that may change slowly.

    Local level μ_t = μ_{t−1} + η_t; local linear trend μ_t = μ_{t−1} + δ_{t−1} + η_t, δ_t = δ_{t−1} + ζ_t; seasonal
    γ_t = −γ_{t−1} − ... − γ_{t−s+1} + ω_t; autoregressive: a constant mean and u_t = ρu_{t−1} + ε_t. Shocks of the first
    periods are part of the unknown starting values.

    References
    ----------
    Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter, sections 2.3 and 4.1.
    """
    times = np.arange(n_periods)
    lags = times[:, None] - times
    ones = np.ones((n_periods, 1))
    if level == "autoregressive":
        return Model(ones[:, :0], ones, np.empty((0, n_periods, n_periods)), (), autoregressive=True)
    names, start = ["irregular", "level"], [ones]
    responses: list[Array] = [np.eye(n_periods), (lags >= 0).astype(float)]
    if level == "local_linear_trend":
        names.append("slope")
        responses.append(np.maximum(lags + 1.0, 0.0))
        start.append(times[:, None].astype(float))
    if seasonal:
        names.append("seasonal")
        phase = np.where(lags >= 0, lags % seasonal, 2)
        responses.append(1.0 * (phase == 0) - (phase == 1) if seasonal > 2 else _alternating(lags))
        dummies = (times[:, None] % seasonal == np.arange(seasonal)).astype(float)
        start.append(dummies[:, 1:] - dummies[:, :1])
    kernels = np.stack([response @ response.T for response in responses])
    return Model(np.hstack(start), ones[:, :0], kernels, tuple(names))


def _alternating(lags: Indices) -> Array:
    """The response of a pattern of two periods: +1, −1, +1, ..."""
    return np.where(lags >= 0, 1.0 - 2.0 * (lags % 2), 0.0)


@lru_cache(maxsize=16)
def contrast(level: Level, seasonal: int, n_periods: int, observed: bytes) -> Contrast:
    """The contrast for the periods in which `observed`, the bytes of a (periods,) mask, is True; made once for each mask."""
    made = model(level, seasonal, n_periods)
    rows = np.flatnonzero(np.frombuffer(observed, dtype=np.bool_))
    start = made.start[rows]
    basis: list[int] = []
    for row in range(len(rows)):
        if len(basis) == start.shape[1]:
            break
        if int(np.linalg.matrix_rank(start[[*basis, row]])) > len(basis):
            basis.append(row)
    rest = np.setdiff1d(np.arange(rows.size), basis)
    matrix = np.eye(rows.size)[:, rest]
    if basis:
        matrix[basis] = -np.linalg.lstsq(start[basis].T, start[rest].T, rcond=None)[0]
    kernels = made.kernels[:, rows][:, :, rows]
    return Contrast(rows, rest, matrix, matrix.T @ kernels @ matrix)
