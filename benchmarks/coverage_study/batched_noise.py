"""The variance as a function of persons, and slopes shrunk by it, for all problems of a replication at once."""

from __future__ import annotations

import numpy as np

from evaluation.noise import variance_function
from evaluation.panel import Array, Mask


def variance_functions(noise: Array, squares: Array, used: Mask) -> Array:
    """(problems, units) a + b × noise by `evaluation.noise.variance_function`, from the units that each problem has `used`.

    Parameters
    ----------
    noise : Array
        (units,) positive.
    squares, used : Array, Mask
        (problems, units).
    """
    scale = np.where(used, noise, 0.0).max(axis=1)
    scaled = np.where(used, noise / scale[:, None], 0.0)
    squared, count = np.where(used, squares, 0.0), used.sum(axis=1)
    products = np.stack([used.astype(np.float64), scaled, scaled**2, squared, scaled * squared], axis=2)
    weight = used.astype(np.float64)
    solution = np.zeros((len(used), 2))
    settled = np.zeros(len(used), dtype=np.bool_)
    alone = settled.copy()
    for _ in range(10):
        p, q, r, u, v = np.einsum("pu,puk->kp", weight**2, products)
        determinant = p * r - q * q
        alone |= determinant <= 1e-6 * p * r
        inside = np.column_stack([r * u - q * v, p * v - q * u]) / np.where(alone, 1.0, determinant)[:, None]
        constant = (u**2 * r >= v**2 * p)[:, None]
        edge = np.where(constant, np.column_stack([u / p, 0.0 * u]), np.column_stack([0.0 * v, v / r]))
        found = np.where((inside >= 0.0).all(axis=1, keepdims=True), inside, edge)
        found = np.where(settled[:, None], solution, found)
        settled |= np.abs(found - solution).max(axis=1) <= 1e-12 * found.max(axis=1)
        solution = found
        if settled.all():
            break
        fitted = solution[:, :1] + solution[:, 1:] * scaled
        floor = 1e-3 * np.maximum(np.where(used, fitted, 0.0).sum(axis=1) / count, 1e-300)
        weight = np.where(used, 1.0 / np.maximum(fitted, floor[:, None]), 0.0)
        weight *= (count / weight.sum(axis=1))[:, None]
    made = solution[:, :1] + solution[:, 1:] * (noise / scale[:, None])
    for problem in np.flatnonzero(alone):
        rows = used[problem]
        design = np.column_stack([np.ones(rows.sum()), noise[rows]])
        a, b = variance_function(design, squares[problem, rows])
        made[problem] = a + b * noise
    return np.asarray(made)


def shrunk(slopes: Array, spread: Array, variance: Array, controls: Mask, noise: Array | None) -> Array:
    """(problems, units) slopes drawn toward the controls' mean as by `evaluation.cycle.loadings.shrink`.

    Parameters
    ----------
    slopes, spread, variance : Array
        (problems, units) slopes, the regressor's sum of squared deviations, the residuals' variance.
    controls : Mask
        (problems, units); the treated unit of problem p is row p.
    noise : Array or None
        (units,) where the variance is one of it.
    """
    count = controls.sum(axis=1)

    def total(values: Array) -> Array:
        return np.asarray(np.einsum("pu,pu->p", controls, values))

    def drawn(mean: Array, factor: Array) -> Array:
        return np.asarray(mean[:, None] + factor * (slopes - mean[:, None]))

    if noise is None:
        mean = total(slopes) / count
        scatter = total((slopes - mean[:, None]) ** 2) / (count - 1)
        between = np.maximum(0.0, scatter - total(variance / spread) / count)
        return drawn(mean, (between / scatter)[:, None])
    squared = variance_functions(noise, variance, controls | np.eye(len(controls), dtype=np.bool_)) / spread
    weight = controls / squared
    whole = weight.sum(axis=1)
    centre = (weight * slopes).sum(axis=1) / whole
    scatter = (weight * (slopes - centre[:, None]) ** 2).sum(axis=1)
    between = np.maximum(0.0, (scatter - (count - 1)) / (whole - (weight**2).sum(axis=1) / whole))[:, None]
    weight = controls / (between + squared)
    return drawn((weight * slopes).sum(axis=1) / weight.sum(axis=1), between / (between + squared))
