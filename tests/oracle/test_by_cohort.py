"""Regressors by cohort, never laid out by unit, against the same regression with every cell laid out."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation.by_cohort
from evaluation.by_cohort import Cells, cohort_regression
from evaluation.errors import EstimationError
from evaluation.regression import two_way_regression

UNITS, PERIODS, COHORTS = 40, 9, 4


def made(seed, *, holes, weighted, trends, scalars, covariates):
    """(Cells, regressors by cohort, the same regressors by cell, weights of a functional)."""
    rng = np.random.default_rng(seed)
    cohort = rng.integers(0, COHORTS, UNITS)
    shape = (UNITS, PERIODS)
    outcome = rng.normal(50, 3, (UNITS, 1)) + rng.normal(0, 2, PERIODS) + rng.normal(0, 1, shape)
    if holes:
        outcome[rng.random(shape) < 0.2] = np.nan
        outcome[0, 1:] = np.nan
    numbers = np.column_stack([np.ones(UNITS), rng.normal(0, 1, UNITS)]) if scalars else None
    regressors = rng.normal(0, 1, (3, 2 if scalars else 1, COHORTS, PERIODS))
    more = tuple(rng.normal(20, 1, shape) for _ in range(covariates))
    weights = rng.uniform(0.1, 40.0, shape) if weighted else None
    if weighted:
        weights[1, 2] = 0.0
    cells = Cells(outcome, cohort, numbers, more, weights, trends)
    by = np.ones((UNITS, 1)) if numbers is None else numbers
    laid_out = np.stack([sum(by[:, q, None] * each[q, cohort] for q in range(by.shape[1])) for each in regressors])
    return cells, regressors, np.concatenate([laid_out, *(layer[None] for layer in more)]), rng.uniform(0, 1, shape)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("trends", [False, True])
@pytest.mark.parametrize(("scalars", "covariates"), [(False, 0), (False, 2), (True, 0), (True, 1)])
@pytest.mark.parametrize("rows", [7, 4096])
def test_sums_by_cohort_give_the_regression_on_cells(monkeypatch, holes, weighted, trends, scalars, covariates, rows):
    monkeypatch.setattr(evaluation.by_cohort, "ROWS", rows)
    cells, regressors, laid_out, m = made(3, holes=holes, weighted=weighted, trends=trends, scalars=scalars, covariates=covariates)
    ours = cohort_regression(cells, regressors, functional=m)
    theirs = two_way_regression(cells.outcome, laid_out, trends=trends, functional=m, weights=cells.weights)
    close = {"rtol": 1e-7, "atol": 1e-9}  # sums by cohort cancel a few more digits than cells do
    np.testing.assert_allclose(ours.coefficients, theirs.coefficients, **close)
    np.testing.assert_allclose(ours.influence(np.eye(len(laid_out))), theirs.influence, **close)
    combination = np.random.default_rng(4).normal(0, 1, (2, len(laid_out)))
    np.testing.assert_allclose(ours.influence(combination), combination @ theirs.influence, **close)
    assert ours.functional == pytest.approx(theirs.functional, rel=1e-7)
    np.testing.assert_allclose(ours.functional_influence(), theirs.functional_influence, **close)
    assert (ours.n_obs, ours.n_parameters) == (theirs.n_obs, theirs.n_parameters)
    some = np.array([5, 0, 11, 30])
    np.testing.assert_allclose(ours.residuals(some), theirs.residuals[some], **close)


def test_a_regressor_that_the_effects_explain_is_refused_by_name():
    cells, regressors, _, _ = made(3, holes=False, weighted=False, trends=False, scalars=False, covariates=0)
    regressors[1] = regressors[1, :, :1]  # the same in every cohort: a period effect
    with pytest.raises(EstimationError, match=r"zone.*explained by the unit and period effects"):
        cohort_regression(cells, regressors, names=("one", "zone", "three"))
