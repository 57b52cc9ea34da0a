"""How noisy a unit of a given size is, and the variance as a function of it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from evaluation.errors import EstimationError
from evaluation.panel import Array, Mask, Panel

PERSONS_UNKNOWN = "the persons behind the cells of some unit are never known, so its precision is not either"


def unit_noise(panel: Panel, used: Mask) -> Array | None:
    """(units,) how noisy a unit is over the `used` (periods,): its mean sampling variance, or the mean of 1 / persons.

    None where the panel knows neither; NaN for a unit whose persons are never known.

    Raises
    ------
    EstimationError
        The sampling variance of some unit is not known in any of the periods.
    """
    if panel.noise is not None:
        noise = panel.noise[:, used]
        if not np.isfinite(noise).any(axis=1).all():
            raise EstimationError("the sampling variance of some unit is never known")
        return np.asarray(np.nanmean(noise, axis=1))
    if panel.size is None:
        return None
    shares = 1.0 / np.maximum(panel.size[:, used], 1.0)
    known = np.isfinite(shares)
    count = known.sum(axis=1)
    return np.asarray(np.where(known, shares, 0.0).sum(axis=1) / np.where(count > 0, count, np.nan))


def mean_persons(panel: Panel) -> Array | None:
    """(units,) persons of each unit, on average over its periods; NaN where they are never known, None where the panel has none."""
    if panel.size is None:
        return None
    known = np.isfinite(panel.size)
    count = known.sum(axis=1)
    return np.asarray(np.where(known, panel.size, 0.0).sum(axis=1) / np.where(count > 0, count, np.nan))


def persons_spread(persons: Array) -> float:
    """How many times the persons of the smallest unit the largest has, among the (units,) whose persons are known; NaN if none."""
    known = persons[np.isfinite(persons)]
    return float(known.max() / max(float(known.min()), 1e-300)) if known.size else float("nan")


def variance_function(design: Array, squares: Array) -> tuple[float, float]:
    """(a, b), neither negative, such that E[square] = design @ (a, b): a part all share and a part that falls with size.

    Non-negative least squares, reweighted ten times, because a square's variance grows with its mean squared.

    Parameters
    ----------
    design : Array
        (rows, 2), for one unit a row (1, its noise); see `unit_noise`.
    squares : Array
        (rows,) squared errors.

    References
    ----------
    Ferman & Pinto (2019), Review of Economics and Statistics 101(3), eqs. (4)-(6).
    """
    scale = np.maximum(np.abs(design).max(axis=0), 1e-300)
    scaled = design / scale
    one, other = scaled.T
    # all that the normal equations of any weights are sums of
    products = np.column_stack([one * one, one * other, other * other, one * squares, other * squares])
    weight = np.ones(squares.size)
    solution = np.zeros(2)
    for _ in range(10):
        before = solution
        found = _two_not_negative(*((weight * weight) @ products).tolist())
        solution = nnls(scaled * weight[:, None], squares * weight)[0] if found is None else np.array(found)
        if abs(solution - before).max() <= 1e-12 * solution.max():
            break
        fitted = scaled @ solution
        weight = 1.0 / np.maximum(fitted, 1e-3 * max(float(fitted.sum()) / fitted.size, 1e-300))
        weight *= weight.size / float(weight.sum())
    return float(solution[0] / scale[0]), float(solution[1] / scale[1])


def _two_not_negative(p: float, q: float, r: float, u: float, v: float) -> tuple[float, float] | None:
    """The non-negative solution of least squares with normal equations [p q; q r] x = (u, v), or None where they are as good as one.

    Both inside where both come out positive; else the one of the two that alone explains more.
    """
    determinant = p * r - q * q
    # six digits may cancel: ten are left, and a variance needs three
    if determinant <= 1e-6 * p * r:
        return None
    first, second = (r * u - q * v) / determinant, (p * v - q * u) / determinant
    if first >= 0.0 and second >= 0.0:
        return first, second
    if max(u, 0.0) ** 2 * r >= max(v, 0.0) ** 2 * p:
        return max(u, 0.0) / p, 0.0
    return 0.0, max(v, 0.0) / r
