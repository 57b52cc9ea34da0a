"""Structural time series as Gaussian vectors: likelihood, and forecasts with the exact covariance of their errors.

A structural model says that a series is y = Dδ + Xβ + u: a level (slope, seasonal pattern) with unknown starting values δ,
regressors, and u Gaussian with covariance σ²V(θ), where θ are the ratios of the variances. What the Kalman filter computes
step by step for long series is, for the tens or hundreds of periods of an evaluation, one small system: the starting values
are taken out by a contrast, β and σ² have closed forms given θ, and the forecasts are best linear unbiased predictions whose
errors have a known joint covariance, the error of δ and β included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, TypeAlias

import numpy as np
from scipy.optimize import minimize

from evaluation.errors import EstimationError
from evaluation.panel import Array, Indices

Level: TypeAlias = Literal["local_level", "local_linear_trend", "autoregressive"]

PERFECT = 1e-10
"""A regression whose residuals are below this share of the outcome fits perfectly: what is left is rounding."""

RATIOS = np.concatenate([[0.0], 10.0 ** np.linspace(-4.0, 4.0, 33), [np.inf]])
"""Where the search for level noise / irregular noise (standard deviations) begins."""


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

    def covariance(self, theta: Array) -> Array:
        """(periods, periods) V(θ): θ holds a variance for each component, or the autocorrelation."""
        if self.autoregressive:
            times = np.arange(self.start.shape[0])
            return np.asarray(theta[0] ** np.abs(times[:, None] - times))
        return np.asarray(np.tensordot(theta, self.kernels, axes=1))


@dataclass(frozen=True, eq=False)
class _Contrast:
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
def _contrast(level: Level, seasonal: int, n_periods: int, observed: bytes) -> _Contrast:
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
    return _Contrast(rows, rest, matrix, matrix.T @ kernels @ matrix)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The model fitted to the observed periods before the start, and what it expects of the periods from then on.

    Attributes
    ----------
    mean, covariance : Array
        (ahead,) forecasts and (ahead, ahead) covariance of their errors: of new noise, of where the level stood, and of β.
    innovations, innovation_variance : Array
        (start,) one-step-ahead prediction errors before the start and their variances; NaN where there is none.
    coefficients, coefficient_covariance : Array
        (k,) β of the regressors handed in, and (k, k).
    variances : dict
        Variance of each source of noise by maximum likelihood, or of the autoregressive series' noise and its autocorrelation.
    log_likelihood : float
        Its maximum, of the observations given those that fix the starting values.
    n : int
        Observations that are not used up by the starting values.
    """

    mean: Array
    covariance: Array
    innovations: Array
    innovation_variance: Array
    coefficients: Array
    coefficient_covariance: Array
    variances: dict[str, float]
    log_likelihood: float
    n: int
    n_parameters: int


def forecast(
    series: Array, regressors: Array, start: int, level: Level, seasonal: int, names: tuple[str, ...]
) -> Forecast:
    """Fit by maximum likelihood to the observed periods before `start`, and forecast the rest.

    Variance ratios and coefficients maximise the likelihood of the differenced series; the scale σ² of the forecast errors
    divides by n − k, so that a few regressors on a short series are paid for. The error of the variance ratios is ignored,
    as usual.

    Parameters
    ----------
    series : Array
        (periods,) NaN where not observed; what is at or after `start` is not looked at.
    regressors : Array
        (periods, k), complete; `names` (k,) are for the refusals.

    Raises
    ------
    EstimationError
        Too few periods, or regressors that do not move apart before the start.

    References
    ----------
    Harvey (1989), section 3.4 (likelihood); Goldberger (1962), Journal of the American Statistical Association 57(298),
    eq. (3.12) (best linear unbiased prediction).
    """
    made = model(level, seasonal, series.size)
    known = np.isfinite(series)
    known[start:] = False
    k = made.fixed.shape[1] + regressors.shape[1]
    n_observed, unknown = int(known.sum()), made.start.shape[1]
    least = unknown + k + max(len(made.names), 2)
    if n_observed < least:
        raise EstimationError(
            f"structural_time_series: {n_observed} observed periods before the start; this model needs at least {least}"
        )
    contrast = _contrast(level, seasonal, series.size, known.tobytes())
    if contrast.observed.size - contrast.rest.size < unknown:
        raise EstimationError("structural_time_series: some season is never observed before the start")
    everything = np.hstack([made.fixed, regressors])
    rows = contrast.observed
    z = contrast.matrix.T @ series[rows]
    columns = contrast.matrix.T @ everything[rows]
    _refuse_collinear(columns, everything[rows], ("mean", *names)[-k:] if k else ())
    theta, log_likelihood = _estimate(made, contrast, z, columns, float(np.abs(series[rows]).max()))
    return _predicted(made, contrast, theta, log_likelihood, series, everything, start, regressors.shape[1])


def _refuse_collinear(columns: Array, raw: Array, names: tuple[str, ...]) -> None:
    if not columns.shape[1]:
        return
    scale = np.abs(raw).max(axis=0)
    lengths = np.linalg.norm(columns, axis=0)
    flat = [
        name for name, length, size in zip(names, lengths, scale, strict=True) if length <= 1e-9 * max(size, 1e-300)
    ]
    if flat:
        raise EstimationError(
            f"structural_time_series: {', '.join(flat)} never changes before the start beside the level, so it explains nothing"
        )
    if np.linalg.matrix_rank(columns / lengths, tol=1e-8) < columns.shape[1]:
        raise EstimationError(
            f"structural_time_series: the regressors {', '.join(names)} do not move apart before the start; leave some out"
        )


# ---------------------------------------------------------------------- the likelihood


def _estimate(made: Model, contrast: _Contrast, z: Array, columns: Array, size: float) -> tuple[Array, float]:
    """θ and the maximum of the log-likelihood, β and σ² profiled out."""
    beta = np.linalg.lstsq(columns, z, rcond=None)[0] if columns.shape[1] else np.zeros(0)
    rest = z - columns @ beta
    length = float(np.linalg.norm(rest))
    n_components = max(len(made.names), 1)
    if length <= PERFECT * size * np.sqrt(z.size):
        # nothing varies around the regressors: all ratios fit alike
        return np.full(n_components, 0.5 if made.autoregressive else 1.0 / n_components), np.inf
    # the profile does not change when a combination of the regressors is taken off, but rounding does
    scaled = rest / length
    basis = np.linalg.qr(columns)[0] if columns.shape[1] else columns
    if made.autoregressive:
        theta, value = _autocorrelation(contrast, scaled, basis)
    elif n_components == 2:
        theta, value = _one_ratio(contrast, scaled, basis)
    else:
        theta, value = _ratios(contrast, scaled, basis)
    return theta, value - z.size * np.log(length)


def _one_ratio(contrast: _Contrast, z: Array, columns: Array) -> tuple[Array, float]:
    """The variances (a, b), a + b = 1, of irregular and level: a one-dimensional search in the basis where both are diagonal."""
    transform, roots, log_det = contrast.pencil
    z, columns = transform @ z, transform @ columns

    def value(angle: Array) -> Array:
        noise = np.cos(angle)[:, None] ** 2 + np.sin(angle)[:, None] ** 2 * roots
        return _log_likelihood(z.size, _profile(1.0 / noise, z, columns), np.log(noise).sum(axis=1) + log_det)

    angle, found = _highest(value, np.arctan(RATIOS))
    return np.array([np.cos(angle) ** 2, np.sin(angle) ** 2]), found


def _highest(value: Callable[[Array], Array], grid: Array) -> tuple[float, float]:
    """Where a function of one number is highest, and how high: a grid, then ever finer ones around its best point."""
    best, place, values = grid[0], 0, np.empty(0)
    for _ in range(9):
        values = value(grid)
        place = int(np.argmax(values))
        best, low, high = grid[place], grid[max(place - 1, 0)], grid[min(place + 1, grid.size - 1)]
        if high - low < 1e-9:
            break
        # the best point stays among the candidates, so that it is only left for a better one
        grid = np.sort(np.append(np.linspace(low, high, 16), best))
    return float(best), float(values[place])


def _profile(weights: Array, z: Array, columns: Array) -> Array:
    """(grid,) weighted sums of squares with β profiled out, for (grid, n) weights of independent observations.

    `z` and `columns` are (n,) and (n, k), or have a leading axis for the grid.
    """
    squares = np.asarray((weights * (z * z)).sum(axis=-1))
    if not columns.shape[-1]:
        return squares
    weighted = weights[..., None] * columns
    right = (weighted * z[..., None]).sum(axis=-2)
    gram = np.swapaxes(weighted, -1, -2) @ columns
    return np.asarray(squares - (right * np.linalg.solve(gram, right[..., None])[..., 0]).sum(axis=-1))


def _ratios(contrast: _Contrast, z: Array, columns: Array) -> tuple[Array, float]:
    """The variances of three or four components (sum 1): the best of a coarse grid, then climbing with the exact gradient."""
    kernels = contrast.kernels
    sizes = np.trace(kernels, axis1=1, axis2=2) / z.size
    kernels = kernels / sizes[:, None, None]

    def value(roots: Array) -> tuple[float, Array]:
        shares = roots**2
        covariance = np.tensordot(shares, kernels, axes=1)
        try:
            triangle = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(roots)
        inverse = np.linalg.inv(triangle)
        whole = inverse.T @ inverse
        if columns.shape[1]:
            image = whole @ columns
            projected = whole @ z - image @ np.linalg.solve(columns.T @ image, image.T @ z)
        else:
            projected = whole @ z
        squares = float(z @ projected)
        found = float(_log_likelihood(z.size, squares, 2.0 * np.log(np.diag(triangle)).sum()))
        by_share = 0.5 * z.size * np.einsum("i,kij,j->k", projected, kernels, projected) / squares
        by_share -= 0.5 * np.einsum("ij,kij->k", whole, kernels)
        return -found, -2.0 * roots * by_share

    grid = np.array(np.meshgrid(*[[0.02, 0.2, 1.0]] * len(kernels))).reshape(len(kernels), -1).T
    begin = min(grid, key=lambda roots: value(roots)[0])
    climbed = minimize(value, begin, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-8, "maxiter": 500})
    theta = climbed.x**2 / sizes
    return theta / theta.sum(), -float(climbed.fun)


def _autocorrelation(contrast: _Contrast, z: Array, columns: Array) -> tuple[Array, float]:
    """The autocorrelation ρ of a stationary series, each observation given the one before it (ρ^g over a gap of g periods)."""
    gaps = np.diff(contrast.observed)

    def value(rho: Array) -> Array:
        step = rho[:, None] ** gaps
        noise = np.concatenate([np.ones((rho.size, 1)), 1.0 - step**2], axis=1)
        y, x = np.tile(z, (rho.size, 1)), np.tile(columns, (rho.size, 1, 1))
        y[:, 1:] -= step * z[:-1]
        x[:, 1:] -= step[..., None] * columns[:-1]
        return _log_likelihood(z.size, _profile(1.0 / noise, y, x), np.log(noise).sum(axis=1))

    rho, found = _highest(value, np.concatenate([[-0.999], np.linspace(-0.98, 0.98, 50), [0.999]]))
    return np.array([rho]), found


def _log_likelihood(n: int, squares: Array | float, log_det: Array | float) -> Array:
    """The Gaussian log-likelihood with σ² = squares / n."""
    floor = np.maximum(squares, 1e-300)
    return np.asarray(-0.5 * (n * np.log(2.0 * np.pi * floor / n) + log_det + n))


# ---------------------------------------------------------------------- the forecast


def _predicted(
    made: Model,
    contrast: _Contrast,
    theta: Array,
    log_likelihood: float,
    series: Array,
    regressors: Array,
    start: int,
    handed: int,
) -> Forecast:
    rows, n, k = contrast.observed, contrast.rest.size, regressors.shape[1]
    covariance = made.covariance(theta)
    triangle = np.linalg.cholesky(covariance[np.ix_(rows, rows)])
    effects = np.hstack([made.start, regressors])
    # whitened: outcomes, effects and the covariance with the periods ahead
    white = np.linalg.solve(
        triangle,
        np.column_stack([series[rows], effects[rows], covariance[np.ix_(rows, np.arange(start, series.size))]]),
    )
    y, x, ahead = white[:, 0], white[:, 1 : 1 + effects.shape[1]], white[:, 1 + effects.shape[1] :]
    q, r = np.linalg.qr(x)
    inverse = np.linalg.inv(r) if r.size else r
    coefficients = inverse @ (q.T @ y)
    residuals = y - x @ coefficients
    perfect = not np.isfinite(log_likelihood)
    squares = 0.0 if perfect else float(residuals @ residuals)
    scale = squares / (n - k)
    mean = effects[start:] @ coefficients + ahead.T @ residuals
    loss = (effects[start:] - ahead.T @ x) @ inverse
    error = covariance[start:, start:] - ahead.T @ ahead + loss @ loss.T
    beta_covariance = scale * (inverse @ inverse.T)
    innovations, spread = np.full(start, np.nan), np.full(start, np.nan)
    inner = np.linalg.cholesky(contrast.matrix.T @ covariance[np.ix_(rows, rows)] @ contrast.matrix)
    free = contrast.matrix.T @ (series[rows] - regressors[rows] @ coefficients[made.start.shape[1] :])
    steps, widths = np.linalg.solve(inner, free), np.diag(inner)
    innovations[rows[contrast.rest]] = widths * steps
    spread[rows[contrast.rest]] = scale * widths**2
    likely = squares / n
    if made.autoregressive:
        variances = {"series": likely, "autocorrelation": float(theta[0])}
    else:
        variances = dict(zip(made.names, (likely * theta).tolist(), strict=True))
    first = effects.shape[1] - handed
    return Forecast(
        mean=mean,
        covariance=scale * error,
        innovations=innovations,
        innovation_variance=spread,
        coefficients=coefficients[first:],
        coefficient_covariance=beta_covariance[first:, first:],
        variances=variances,
        log_likelihood=log_likelihood,
        n=n,
        n_parameters=k + max(len(made.names), 2),
    )
