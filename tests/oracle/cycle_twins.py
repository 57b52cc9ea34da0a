"""Adjustments for the cycle the slow way: one regression with dummies, one unit at a time. Obviously right, and nothing else."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls


def ols(columns, y):
    """Coefficients and residuals of least squares."""
    coefficients = np.linalg.lstsq(columns, y, rcond=None)[0]
    return coefficients, y - columns @ coefficients


def slope(y, x):
    """Slope on x beside an intercept, and its squared standard error, over the periods in which both are known."""
    known = np.isfinite(y) & np.isfinite(x)
    design = np.column_stack([np.ones(known.sum()), x[known]])
    coefficients, rest = ols(design, y[known])
    variance = rest @ rest / (known.sum() - 2)
    return coefficients[1], variance * np.linalg.inv(design.T @ design)[1, 1]


def others(values, row, treated):
    """The mean of the never-treated units' values in each period, without those of `row`."""
    rest = [each for each in range(len(values)) if each != row and each not in treated]
    return np.nanmean(values[rest], axis=0)


def from_before(amount, start):
    return amount - amount[:, :start].mean(axis=1, keepdims=True)


def sensitivity(outcome, treated, start, *, shrink=True):
    """(units, periods) removed, and the slopes; all treated units start together."""
    n_units = len(outcome)
    nation = np.array([others(outcome, row, treated) for row in range(n_units)])
    found = [slope(outcome[row, :start], nation[row, :start]) for row in range(n_units)]
    beta, squared = np.array(found).T
    donors = [row for row in range(n_units) if row not in treated]
    variance = np.var(beta[donors], ddof=1)
    factor = max(0.0, variance - squared[donors].mean()) / variance
    used = beta[donors].mean() + factor * (beta - beta[donors].mean()) if shrink else beta
    return from_before(used[:, None] * nation, start), beta


def region_time(outcome, region, treated, start):
    amount = np.empty_like(outcome)
    for row in range(len(outcome)):
        members = [each for each in range(len(outcome)) if region[each] == region[row] and each not in treated]
        amount[row] = np.nanmean(outcome[members], axis=0)
    return from_before(amount, start)


def dummies(cells):
    """Columns of unit and period dummies for a list of (unit, period), the first period left out."""
    units, periods = (sorted({cell[place] for cell in cells}) for place in (0, 1))
    columns = [[float(cell[0] == unit) for cell in cells] for unit in units]
    columns += [[float(cell[1] == period) for cell in cells] for period in periods[1:]]
    return np.array(columns).T


def pooled(outcome, series, treated, weight=None):
    """Slopes on the (slopes, units, periods) series with unit and period dummies; CR1 covariance by unit; residuals by cell."""
    weight = np.ones(len(outcome)) if weight is None else weight
    cells = [cell for cell in np.argwhere(np.isfinite(outcome)).tolist() if cell[0] not in treated]
    cells = [cell for cell in cells if sum(other[0] == cell[0] for other in cells) > 1]
    root = np.sqrt([weight[unit] for unit, _ in cells])
    x = np.array([[layer[unit, period] for layer in series] for unit, period in cells])
    design = np.column_stack([x, dummies(cells)]) * root[:, None]
    y = np.array([outcome[unit, period] for unit, period in cells]) * root
    coefficients, rest = ols(design, y)
    bread = np.linalg.inv(design.T @ design)
    meat = np.zeros_like(bread)
    groups = sorted({unit for unit, _ in cells})
    for group in groups:
        inside = [place for place, cell in enumerate(cells) if cell[0] == group]
        score = design[inside].T @ rest[inside]
        meat += np.outer(score, score)
    slopes, periods = len(series), len({period for _, period in cells})
    factor = len(groups) / (len(groups) - 1) * (len(cells) - 1) / (len(cells) - slopes - periods)
    residuals = np.full(outcome.shape, np.nan)
    for place, (unit, period) in enumerate(cells):
        residuals[unit, period] = rest[place] / root[place]
    return coefficients[:slopes], factor * (bread @ meat @ bread)[:slopes, :slopes], residuals


def split(values, own, nation, treated, start):
    """What is left of a series, and its usual reaction to the nation: slopes on the others' mean before the start."""
    beta = [slope(values[row, :start], others(own, row, treated)[:start])[0] for row in range(len(values))]
    reaction = np.array(beta)[:, None] * nation
    return np.array([values - reaction, reaction])


def factors(outcome, treated, start, rank):
    """Principal components of the never-treated units' outcomes without two-way effects; loadings of the treated before."""
    donors = [row for row in range(len(outcome)) if row not in treated]
    inside = outcome[donors]
    rest = inside - inside.mean(axis=1, keepdims=True) - inside.mean(axis=0) + inside.mean()
    directions = np.linalg.eigh(rest.T @ rest)[1][:, ::-1][:, :rank]
    amount = np.empty_like(outcome)
    for row in range(len(outcome)):
        if row in treated:
            gap = outcome[row, :start] - inside.mean(axis=0)[:start]
            loading = ols(np.column_stack([directions[:start], np.ones(start)]), gap)[0][:-1]
        else:
            loading = ols(directions, rest[donors.index(row)])[0]
        amount[row] = directions @ loading
    return from_before(amount, start)


def cce(outcome, series, treated, start):
    """Loadings before the start on the others' means of the outcome and of each series."""
    amount = np.empty_like(outcome)
    for row in range(len(outcome)):
        averages = np.array([others(values, row, treated) for values in (outcome, *series)]).T
        known = np.isfinite(outcome[row, :start])
        design = np.column_stack([averages[:start][known], np.ones(known.sum())])
        amount[row] = averages @ ols(design, outcome[row, :start][known])[0][:-1]
    return from_before(amount, start)


def variance_function(design, squares):
    """Ten rounds of non-negative least squares, each weighted by one over what the last one fitted."""
    scale = design.max(axis=0)
    weight = np.ones(len(squares))
    for _ in range(10):
        solution = nnls(design / scale * weight[:, None], squares * weight)[0]
        fitted = design / scale @ solution
        weight = 1 / np.maximum(fitted, 1e-3 * fitted.mean())
        weight /= weight.mean()
    return solution / scale
