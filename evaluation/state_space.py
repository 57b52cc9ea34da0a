"""Structural time series as Gaussian vectors: likelihood, and forecasts with the exact covariance of their errors.

A structural model says that a series is y = Dδ + Xβ + u: a level (slope, seasonal pattern) with unknown starting values δ,
regressors, and u Gaussian with covariance σ²V(θ), where θ are the ratios of the variances. What the Kalman filter computes
step by step for long series is, for the tens or hundreds of periods of an evaluation, one small system: the starting values
are taken out by a contrast, β and σ² have closed forms given θ, and the forecasts are best linear unbiased predictions whose
errors have a known joint covariance, the error of δ and β included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from evaluation.errors import EstimationError
from evaluation.panel import Array
from evaluation.structural_models import Contrast, Level, Model, contrast, model

PERFECT = 1e-10
"""A regression whose residuals are below this share of the outcome fits perfectly: what is left is rounding."""

ANGLES = np.arctan(np.concatenate([[0.0], 10.0 ** np.linspace(-4.0, 4.0, 33), [np.inf]]))
"""Where the search for level noise / irregular noise (standard deviations, as an angle) begins."""

CORRELATIONS = np.concatenate([[-0.999], np.linspace(-0.98, 0.98, 50), [0.999]])
"""Where that for the autocorrelation does."""

STEPS = np.linspace(0.0, 1.0, 17)
"""How a search goes on between two points."""

POINTS, FINE, COARSE = 12, 300, 6
"""Values of θ that stand for all: so many of equal weight, found among so many; so many a ratio where there are several."""

EVEN = (np.arange(FINE) + 0.5) / FINE
"""Those among which they are found, evenly between 0 and 1."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The model fitted to the observed periods before the start, and what it expects of the periods from then on.

    Attributes
    ----------
    mean : Array
        (ahead,) forecasts at the variance ratios that maximise the likelihood.
    given : Array
        (ahead, ahead) covariance of their errors, were the variance ratios known: new noise, where the level stood, and β.
    covariance : Array
        (ahead, ahead) mean squares and products of their errors, the ratios not being known: see `forecast`.
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
    given: Array
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

    Variance ratios θ and coefficients maximise the likelihood of the series free of its starting values. With tens of periods a
    likelihood tells θ poorly, and is often highest where the level does not move at all; errors computed as if that were known
    are far too small (intervals meant for 95 per cent then hold the truth in 82 to 90). So `covariance` averages over θ, each
    weighted by its restricted likelihood and a half-Cauchy prior on the ratio of standard deviations (flat in its angle):

        Σ_θ p(θ | y) [ C_θ + (m_θ − m)(m_θ − m)' ],    C_θ the covariance given θ, m_θ its forecasts, m those of the maximum,

    with the scale σ² of C_θ that of the t distribution which forecast errors have given θ.

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
    Harvey (1989), section 3.4 (likelihood); Goldberger (1962), Journal of the American Statistical Association 57(298) (best
    linear unbiased prediction); Hamilton (1986), Journal of Econometrics 33(3) (errors with unknown parameters); Gelman (2006),
    Bayesian Analysis 1(3) (half-Cauchy prior).
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
    free = contrast(level, seasonal, series.size, known.tobytes())
    if free.observed.size - free.rest.size < unknown:
        raise EstimationError("structural_time_series: some season is never observed before the start")
    everything = np.hstack([made.fixed, regressors])
    rows = free.observed
    z = free.matrix.T @ series[rows]
    columns = free.matrix.T @ everything[rows]
    _refuse_collinear(columns, everything[rows], ("mean", *names)[-k:] if k else ())
    found = _estimate(made, free, z, columns, float(np.abs(series[rows]).max()))
    return _predicted(made, free, found, series, everything, start, regressors.shape[1])


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
    if len(lengths) > 1 and np.linalg.matrix_rank(columns / lengths, tol=1e-8) < len(lengths):
        raise EstimationError(
            f"structural_time_series: the regressors {', '.join(names)} do not move apart before the start; leave some out"
        )


# ---------------------------------------------------------------------- the likelihood


@dataclass(frozen=True, slots=True)
class _Ratios:
    """θ at the maximum of the likelihood, that maximum, and the θ (points, components) to average over with their weights."""

    best: Array
    log_likelihood: float
    points: Array
    weights: Array


def _estimate(made: Model, contrast: Contrast, z: Array, columns: Array, size: float) -> _Ratios:
    """θ, with β and σ² profiled out (maximum) or integrated out (weights)."""
    basis = np.linalg.qr(columns)[0] if columns.shape[1] else columns
    rest = z - basis @ (basis.T @ z)
    length = float(np.linalg.norm(rest))
    n_components = max(len(made.names), 1)
    if length <= PERFECT * size * np.sqrt(z.size):
        # nothing varies around the regressors: all ratios fit alike
        middle = np.full(n_components, 0.5 if made.autoregressive else 1.0 / n_components)
        return _Ratios(middle, np.inf, middle[None], np.ones(1))
    # the likelihood does not change when a combination of the regressors is taken off, but rounding does
    scaled = rest / length
    if made.autoregressive:
        found = _autocorrelation(contrast, scaled, basis)
    elif n_components == 2:
        found = _one_ratio(contrast, scaled, basis)
    else:
        found = _many_ratios(contrast, scaled, basis)
    return replace(found, log_likelihood=found.log_likelihood - z.size * np.log(length))


def _one_ratio(contrast: Contrast, z: Array, columns: Array) -> _Ratios:
    """The variances (a, b), a + b = 1, of irregular and level: one dimension, in the basis where both are diagonal."""
    transform, roots, log_det = contrast.pencil
    products = _products(transform @ np.column_stack([z, columns]))

    def value(angle: Array) -> tuple[Array, Array]:
        noise = np.cos(angle)[:, None] ** 2 + np.sin(angle)[:, None] ** 2 * roots
        return _likelihoods((1.0 / noise) @ products, z.size, np.log(noise).sum(axis=1) + log_det)

    def slope(angle: Array) -> Array:
        noise = np.cos(angle)[:, None] ** 2 + np.sin(angle)[:, None] ** 2 * roots
        turn = np.sin(2.0 * angle)[:, None] * (roots - 1.0) / noise
        return _slopes((1.0 / noise) @ products, z.size, -(turn / noise) @ products, turn.sum(axis=1))

    angle, found = _highest(value, slope, ANGLES)
    spread_out = _spread_out(value, EVEN * np.pi / 2.0)

    def shares(angles: Array) -> Array:
        return np.column_stack([np.cos(angles) ** 2, np.sin(angles) ** 2])

    return _Ratios(shares(np.array([angle]))[0], found, shares(spread_out), np.full(POINTS, 1.0 / POINTS))


def _autocorrelation(contrast: Contrast, z: Array, columns: Array) -> _Ratios:
    """The autocorrelation ρ of a stationary series, each observation given the one before it (ρ^g over a gap of g periods)."""
    gaps = np.diff(contrast.observed)
    both = np.column_stack([z, columns])

    def value(rho: Array) -> tuple[Array, Array]:
        step = rho[:, None] ** gaps
        noise = 1.0 - step**2
        alone = both[1:] - step[:, :, None] * both[:-1]
        sums = (np.swapaxes(alone, 1, 2) / noise[:, None, :]) @ alone + both[0, :, None] * both[0]
        return _likelihoods(sums.reshape(rho.size, -1), z.size, np.log(noise).sum(axis=1))

    def slope(rho: Array) -> Array:
        step, turn = rho[:, None] ** gaps, gaps * rho[:, None] ** (gaps - 1)
        noise = 1.0 - step**2
        alone = both[1:] - step[:, :, None] * both[:-1]
        weighted = np.swapaxes(alone, 1, 2) / noise[:, None, :]
        sums = weighted @ alone + both[0, :, None] * both[0]
        cross = (weighted * turn[:, None, :]) @ both[:-1]
        turned = (weighted * (2.0 * step * turn / noise)[:, None, :]) @ alone - cross - np.swapaxes(cross, 1, 2)
        flat = (rho.size, -1)
        return _slopes(sums.reshape(flat), z.size, turned.reshape(flat), -(2.0 * step * turn / noise).sum(axis=1))

    rho, found = _highest(value, slope, CORRELATIONS)
    spread_out = _spread_out(value, 0.999 * (2.0 * EVEN - 1.0))
    return _Ratios(np.array([rho]), found, spread_out[:, None], np.full(POINTS, 1.0 / POINTS))


def _products(columns: Array) -> Array:
    """(n, (1 + k)²) products of the rows of (n, 1 + k) outcomes and regressors: weights @ them are sums of weighted squares."""
    return (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)


def _likelihoods(sums: Array, n: int, log_det: Array) -> tuple[Array, Array]:
    """(grid,) log-likelihood and restricted log-likelihood, for (grid, (1 + k)²) sums of weighted squares and products.

    They are those of n independent observations of the outcome and of k regressors, in this order; `log_det` (grid,) is the sum
    of the observations' log variances.
    """
    k = math.isqrt(sums.shape[1]) - 1
    squares, _ = _regressed(sums)
    log_gram = np.zeros(len(sums))
    if k == 1:
        log_gram = np.log(sums[:, 3])
    elif k:
        log_gram = np.linalg.slogdet(sums.reshape(-1, 1 + k, 1 + k)[:, 1:, 1:])[1]
    likelihood = -0.5 * (n * np.log(2.0 * np.pi * squares / n) + log_det + n)
    return likelihood, np.asarray(-0.5 * ((n - k) * np.log(squares) + log_det + log_gram))


def _slopes(sums: Array, n: int, turned: Array, log_turned: Array) -> Array:
    """(grid,) derivative of the log-likelihood, for those of the sums and of the log variances; β is at its best, and stays."""
    squares, line = _regressed(sums)
    outer = (line[:, :, None] * line[:, None, :]).reshape(sums.shape)
    return np.asarray(-0.5 * (n * (outer * turned).sum(axis=1) / squares + log_turned))


def _regressed(sums: Array) -> tuple[Array, Array]:
    """(grid,) sums of squared residuals and (grid, 1 + k) the combination of outcome and regressors, (1, −β), that they are of."""
    k = math.isqrt(sums.shape[1]) - 1
    line = np.ones((len(sums), 1 + k))
    squares = sums[:, 0]
    if k == 1:
        line[:, 1] = -sums[:, 1] / sums[:, 3]
        squares = squares + line[:, 1] * sums[:, 1]
    elif k:
        whole = sums.reshape(-1, 1 + k, 1 + k)
        line[:, 1:] = -np.linalg.solve(whole[:, 1:, 1:], whole[:, 1:, :1])[:, :, 0]
        squares = squares + (line[:, 1:] * whole[:, 0, 1:]).sum(axis=1)
    return np.maximum(squares, 1e-300), line


def _highest(
    value: Callable[[Array], tuple[Array, Array]], slope: Callable[[Array], Array], grid: Array
) -> tuple[float, float]:
    """Where the likelihood is highest, and how high.

    A grid, finer ones around its best point, then ever narrower ones around where the slope changes sign: near its top a
    likelihood is too flat for its own values to tell more than half the digits of where that is.
    """
    for _ in range(2):
        values = value(grid)[0]
        place = int(values.argmax())
        best, highest = float(grid[place]), float(values[place])
        low, high = grid[max(place - 1, 0)], grid[min(place + 1, grid.size - 1)]
        # the best point stays among the candidates, so that it is only left for a better one, and once only: its neighbours are others
        grid = np.unique(np.concatenate([low + (best - low) * STEPS, best + (high - best) * STEPS]))
    top = best
    for _ in range(3):
        slopes = slope(grid)
        falls = np.flatnonzero((slopes[:-1] >= 0.0) & (slopes[1:] < 0.0))
        if not falls.size:
            return best, highest  # at an end
        cell = int(falls[np.abs(grid[falls] - top).argmin()])
        low, high = grid[cell], grid[cell + 1]
        top = float(low + (high - low) * slopes[cell] / (slopes[cell] - slopes[cell + 1]))
        grid = low + (high - low) * STEPS
    there = float(value(np.array([top]))[0][0])
    # rounding aside, the top is higher than what was found on the way to it
    return (top, there) if there >= highest - 1e-9 * abs(highest) else (best, highest)


def _spread_out(value: Callable[[Array], tuple[Array, Array]], grid: Array) -> Array:
    """(points,) numbers that stand for equal shares of the restricted likelihood over an even grid."""
    logs = value(grid)[1]
    sums = np.cumsum(np.exp(logs - logs.max()))
    return np.asarray(np.interp((np.arange(POINTS) + 0.5) / POINTS * sums[-1], sums, grid))


def _many_ratios(contrast: Contrast, z: Array, columns: Array) -> _Ratios:
    """The variances of three or four components (sum 1): the best of a grid of angles, then climbing with the exact gradient."""
    kernels = contrast.kernels
    sizes = np.trace(kernels, axis1=1, axis2=2) / z.size
    kernels = kernels / sizes[:, None, None]
    angles = np.meshgrid(*[(np.arange(COARSE) + 0.5) / COARSE * np.pi / 2.0] * (len(kernels) - 1))
    # standard deviations relative to the irregular one
    grid = np.column_stack([np.ones(angles[0].size), *(np.tan(angle).ravel() for angle in angles)])
    grid /= np.linalg.norm(grid, axis=1, keepdims=True)
    triangle = np.linalg.cholesky(np.tensordot(grid**2, kernels, axes=1))
    white = np.linalg.solve(
        triangle, np.broadcast_to(np.column_stack([z, columns]), (len(grid), z.size, 1 + columns.shape[1]))
    )
    log_det = 2.0 * np.log(np.diagonal(triangle, axis1=1, axis2=2)).sum(axis=1)
    sums = (np.swapaxes(white, 1, 2) @ white).reshape(len(grid), -1)
    likelihood, restricted = _likelihoods(sums, z.size, np.asarray(log_det))

    def loss(roots: Array) -> tuple[float, Array]:
        covariance = np.tensordot(roots**2, kernels, axes=1)
        try:
            factor = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(roots)
        inverse = np.linalg.inv(factor)
        whole = inverse.T @ inverse
        projected = whole @ z
        if columns.shape[1]:
            image = whole @ columns
            projected = projected - image @ np.linalg.solve(columns.T @ image, image.T @ z)
        squares = max(float(z @ projected), 1e-300)
        found = -0.5 * z.size * (np.log(2.0 * np.pi * squares / z.size) + 1.0) - float(np.log(np.diag(factor)).sum())
        by_share = 0.5 * z.size * np.einsum("i,kij,j->k", projected, kernels, projected) / squares
        by_share -= 0.5 * np.einsum("ij,kij->k", whole, kernels)
        return -found, -2.0 * roots * by_share

    begin = grid[int(np.argmax(likelihood))]
    climbed = minimize(loss, begin, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-8, "maxiter": 500})
    weights = np.exp(restricted - restricted.max())
    heavy = weights > 1e-3
    theta, points = climbed.x**2 / sizes, grid[heavy] ** 2 / sizes
    return _Ratios(theta / theta.sum(), -float(climbed.fun), points, weights[heavy] / weights[heavy].sum())


# ---------------------------------------------------------------------- the forecast


def _predicted(
    made: Model, contrast: Contrast, found: _Ratios, series: Array, regressors: Array, start: int, handed: int
) -> Forecast:
    """Best linear unbiased predictions for every θ at once, the best one first."""
    rows, n, k = contrast.observed, contrast.rest.size, regressors.shape[1]
    effects = np.hstack([made.start, regressors])
    perfect = not np.isfinite(found.log_likelihood)
    thetas = np.concatenate([found.best[None], found.points])
    covariance = made.covariance(thetas)
    observed = covariance[:, rows[:, None], rows]
    triangle = np.linalg.cholesky(observed)
    # whitened: outcomes, effects and the covariance with the periods ahead
    raw = np.empty((len(thetas), rows.size, 1 + effects.shape[1] + series.size - start))
    raw[:, :, 0], raw[:, :, 1 : 1 + effects.shape[1]] = series[rows], effects[rows]
    raw[:, :, 1 + effects.shape[1] :] = covariance[:, rows, start:]
    white = np.linalg.solve(triangle, raw)
    y, x, ahead = white[..., 0], white[..., 1 : 1 + effects.shape[1]], white[..., 1 + effects.shape[1] :]
    inverse = np.zeros((len(thetas), 0, 0))
    coefficients = np.zeros((len(thetas), 0))
    if effects.shape[1]:
        q, r = np.linalg.qr(x)
        inverse = np.linalg.inv(r)
        coefficients = (inverse @ (np.swapaxes(q, 1, 2) @ y[..., None]))[..., 0]
    residuals = y - (x @ coefficients[..., None])[..., 0]
    squares = np.zeros(len(thetas)) if perfect else (residuals**2).sum(axis=1)
    turned = np.swapaxes(ahead, 1, 2)
    means = coefficients @ effects[start:].T + (turned @ residuals[..., None])[..., 0]
    loss = (effects[start:] - turned @ x) @ inverse
    errors = covariance[:, start:, start:] - turned @ ahead + loss @ np.swapaxes(loss, 1, 2)
    # given θ the errors have a t distribution with n − k degrees of freedom, and its variance; with three or fewer there is next
    # to none, and that of three is taken
    scale = squares / max(n - k - 2.0, (n - k) / 3.0)
    first = effects.shape[1] - handed
    beta_errors = (inverse @ np.swapaxes(inverse, 1, 2))[:, first:, first:]

    def averaged(values: Array, covariances: Array) -> Array:
        away = values[1:] - values[0]
        size, shares = values.shape[1], found.weights * scale[1:]
        within = (shares @ covariances[1:].reshape(shares.size, size * size)).reshape(size, size)
        return np.asarray(within + (found.weights * away.T) @ away)

    innovations, spread = _one_step(made, contrast, observed[0], series, regressors, coefficients[0], start)
    likely = float(squares[0]) / n
    if made.autoregressive:
        variances = {"series": likely, "autocorrelation": float(found.best[0])}
    else:
        variances = dict(zip(made.names, (likely * found.best).tolist(), strict=True))
    return Forecast(
        mean=means[0],
        given=squares[0] / (n - k) * errors[0],
        covariance=averaged(means, errors),
        innovations=innovations,
        innovation_variance=squares[0] / (n - k) * spread,
        coefficients=coefficients[0, first:],
        coefficient_covariance=averaged(coefficients[:, first:], beta_errors),
        variances=variances,
        log_likelihood=found.log_likelihood,
        n=n,
        n_parameters=k + max(len(made.names), 2),
    )


def _one_step(
    made: Model, contrast: Contrast, observed: Array, series: Array, regressors: Array, coefficients: Array, start: int
) -> tuple[Array, Array]:
    """(start,) one-step-ahead prediction errors and their variances for σ² = 1; NaN where there is none."""
    rows = contrast.observed
    innovations, spread = np.full(start, np.nan), np.full(start, np.nan)
    triangle = np.linalg.cholesky(contrast.matrix.T @ observed @ contrast.matrix)
    free = contrast.matrix.T @ (series[rows] - regressors[rows] @ coefficients[made.start.shape[1] :])
    widths = np.diag(triangle)
    innovations[rows[contrast.rest]] = widths * np.linalg.solve(triangle, free)
    spread[rows[contrast.rest]] = widths**2
    return innovations, spread
