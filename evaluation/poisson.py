"""Poisson quasi-likelihood where the regressors are the same for all units of a cohort, up to numbers of each unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.by_cohort import Cells, blocks
from evaluation.errors import EstimationError
from evaluation.panel import Array, Indices

ROUNDS = 60
"""Newton's method takes some five to ten; more means that it runs off to infinity."""

LARGEST = 700.0
"""exp() of more than this is too large for a number."""


@dataclass(frozen=True, slots=True)
class PoissonFit:
    """The `coefficients`, and what their influence needs: the `inverse` of the weighted products, design, cells and weights.

    `weights` (units, periods) are those of the likelihood, 0 for cells left out.
    """

    coefficients: Array
    inverse: Array
    regressors: Array
    cells: Cells
    weights: Array

    @property
    def n_obs(self) -> int:
        """How many cells are used."""
        return int((self.weights > 0.0).sum())

    def scalars(self, rows: Indices) -> Array:
        """(rows, scalars) the units' numbers; those never known count as 0, in cells that are left out."""
        if self.cells.scalars is None:
            return np.ones((rows.size, 1))
        return np.asarray(np.nan_to_num(self.cells.scalars[rows]))

    def index(self, coefficients: Array, rows: Indices, cohort: int) -> Array:
        """(rows, periods) the linear index of some units of one cohort."""
        lines = np.einsum("k,kqt->qt", coefficients, self.regressors[:, :, cohort])
        return np.asarray(self.scalars(rows) @ lines)

    def outcome(self, rows: Indices) -> Array:
        """(rows, periods) outcomes; 0 in cells left out."""
        return np.where(self.weights[rows] > 0.0, self.cells.outcome[rows], 0.0)

    def influence(self, combinations: Array) -> Array:
        """(combinations, units) linearisation of `combinations @ coefficients`: L H⁻¹ Σ_t x_it w_it (y_it − μ_it)."""
        lines = np.einsum("rk,kqgt->qgtr", combinations @ self.inverse, self.regressors, optimize=True)
        found = np.zeros((self.cells.outcome.shape[0], len(combinations)))
        for rows, cohort in blocks(self.cells.cohort):
            mean = np.exp(np.minimum(self.index(self.coefficients, rows, cohort), LARGEST))
            left = self.weights[rows] * (self.outcome(rows) - mean)
            for q, scalar in enumerate(self.scalars(rows).T):
                found[rows] += (left @ lines[q, cohort]) * scalar[:, None]
        return found.T


def poisson_regression(
    cells: Cells, regressors: Array, weights: Array, names: tuple[str, ...], method: str
) -> PoissonFit:
    """Maximise Σ w (y x'θ − exp(x'θ)) by Newton's method, halving steps that go too far.

    Parameters
    ----------
    regressors : Array
        (regressors, scalars, cohorts, periods), effects of cohorts and periods among them; see `cohort_regression`.
    weights : Array
        (units, periods), 0 for cells left out.
    names : tuple of str
        Of the regressors, for messages.

    Raises
    ------
    EstimationError
        Outcomes are negative; a regressor is explained by others; or the maximum lies at infinity, as where all outcomes
        behind an effect are zero.

    References
    ----------
    Wooldridge (2023), The Econometrics Journal 26(3), section 3; Gourieroux, Monfort & Trognon (1984), Econometrica 52(3).
    """
    fit = PoissonFit(np.zeros(len(regressors)), np.zeros((0, 0)), regressors, cells, weights)
    used = weights > 0.0
    negative = int((cells.outcome[used] < 0.0).sum())
    if negative:
        raise EstimationError(
            f"{method}: the Poisson family needs outcomes that are not negative, but {negative} cells are below zero; use "
            'family = "linear"'
        )
    mean = float((weights[used] * cells.outcome[used]).sum() / weights[used].sum())
    if mean <= 0.0:
        raise EstimationError(f"{method}: every outcome is zero")
    # from the same mean everywhere, which the effects of the cohorts can say
    level = np.zeros((regressors.shape[1], *regressors.shape[2:]))
    level[0] = np.log(mean)
    coefficients: Array = np.asarray(np.linalg.lstsq(_flat(regressors), level.ravel(), rcond=None)[0], dtype=np.float64)
    value, gradient, products = _sums(fit, coefficients)
    for _ in range(ROUNDS):
        inverse = _inverse(products, names, method)
        step = inverse @ gradient
        gain = float(gradient @ step)
        if gain <= 1e-14 * max(1.0, abs(value)):
            return PoissonFit(coefficients + step, inverse, regressors, cells, weights)
        size, nearer = 1.0, value
        while size > 1e-6:
            nearer, gradient, products = _sums(fit, coefficients + size * step)
            if nearer >= value:
                break
            size /= 2.0
        coefficients, value = coefficients + size * step, nearer
    raise EstimationError(
        f"{method}: the Poisson regression finds no maximum; are all outcomes of a group in some treated period zero? Use "
        'family = "linear"'
    )


def _flat(regressors: Array) -> Array:
    """(scalars × cohorts × periods, regressors)."""
    return np.asarray(regressors.reshape(len(regressors), -1).T)


def _sums(fit: PoissonFit, coefficients: Array) -> tuple[float, Array, Array]:
    """The log likelihood, its gradient and the weighted products of the regressors."""
    n_scalars, n_cohorts, n_periods = fit.regressors.shape[1:]
    value = 0.0
    left = np.zeros((n_scalars, n_cohorts, n_periods))
    means = np.zeros((n_scalars, n_scalars, n_cohorts, n_periods))
    for rows, cohort in blocks(fit.cells.cohort):
        # a step too far is halved: what overflows only needs to be worse
        index = np.minimum(fit.index(coefficients, rows, cohort), LARGEST)
        mean, outcome, weights, scalars = np.exp(index), fit.outcome(rows), fit.weights[rows], fit.scalars(rows)
        value += float((weights * (outcome * index - mean)).sum())
        left[:, cohort] += scalars.T @ (weights * (outcome - mean))
        for q in range(n_scalars):
            means[q, :, cohort] += (scalars * scalars[:, q, None]).T @ (weights * mean)
    gradient = np.einsum("kqgt,qgt->k", fit.regressors, left)
    halves = np.einsum("kqgt,qpgt->kpgt", fit.regressors, means, optimize=True)
    return value, gradient, np.asarray(np.tensordot(halves, fit.regressors, axes=((1, 2, 3), (1, 2, 3))))


def _inverse(products: Array, names: tuple[str, ...], method: str) -> Array:
    diagonal = np.diag(products)
    silent = [names[index] for index in np.flatnonzero(~(diagonal > 0.0)).tolist()]
    if silent:
        raise EstimationError(f"{method}: no observation tells of '{silent[0]}'")
    scale = 1.0 / np.sqrt(diagonal)
    scaled = products * np.outer(scale, scale)
    if np.linalg.matrix_rank(scaled, tol=1e-10) < len(scaled):
        raise EstimationError(
            f"{method}: the regressors are collinear, or all outcomes of a group in some treated period are zero"
        )
    return np.asarray(np.linalg.inv(scaled) * np.outer(scale, scale))
