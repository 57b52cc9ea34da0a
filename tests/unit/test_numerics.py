"""The kernel and the contrast: exactness, canonical choice among perfect fits, and two solvers for one problem."""

import numpy as np
import pytest

from evaluation import numerics
from evaluation.errors import EstimationError
from evaluation.numerics import simplex_least_squares


def certificate(columns, target, weights, ridge=0.0):
    """How far the weights are from the optimality conditions: the gradient may not fall below its weighted mean."""
    gradient = columns.T @ (columns @ weights - target) + ridge * weights
    return float((weights @ gradient - gradient.min()) / max(np.abs(gradient).max(), 1e-300))


@pytest.mark.parametrize("seed", range(20))
def test_weights_meet_the_optimality_conditions(seed):
    rng = np.random.default_rng(seed)
    rows, donors = rng.integers(3, 60), rng.integers(2, 80)
    columns, target = rng.normal(size=(rows, donors)), rng.normal(size=rows)
    weights = simplex_least_squares(columns, target)
    assert weights.min() >= 0.0
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    # the canonical ridge of 1e-9 moves the gradient by as much
    assert certificate(columns, target, weights) < 1e-7


@pytest.mark.parametrize("seed", range(20))
def test_block_pivoting_and_active_set_agree(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    rows, donors = rng.integers(3, 60), rng.integers(2, 100)
    columns, target = rng.normal(size=(rows, donors)), rng.normal(size=rows)
    ridge = 10 ** rng.uniform(-3.0, 1.0) * rows
    pivoted = simplex_least_squares(columns, target, ridge)
    monkeypatch.setattr(numerics, "DENSE_RIDGE", np.inf)
    # both are exact up to rounding in an ill-conditioned solve
    assert np.allclose(pivoted, simplex_least_squares(columns, target, ridge), atol=1e-10)


def test_among_perfect_fits_the_choice_does_not_depend_on_the_order():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(7, 90))
    target = columns @ rng.dirichlet(np.ones(90))
    order = rng.permutation(90)
    weights = simplex_least_squares(columns, target)
    again = np.empty(90)
    again[order] = simplex_least_squares(columns[:, order], target)
    assert np.allclose(weights, again, atol=1e-9)
    assert np.sqrt(np.mean((columns @ weights - target) ** 2)) < 1e-8


def test_one_donor_gets_everything_and_identical_donors_share():
    assert simplex_least_squares(np.ones((3, 1)), np.zeros(3)).tolist() == [1.0]
    assert np.allclose(simplex_least_squares(np.ones((3, 4)), np.ones(3)), 0.25)
    assert np.allclose(simplex_least_squares(np.ones((3, 4)), np.zeros(3)), 0.25)


def test_scale_and_level_do_not_matter():
    rng = np.random.default_rng(3)
    columns, target = rng.normal(size=(10, 30)), rng.normal(size=10)
    weights = simplex_least_squares(columns, target)
    assert np.allclose(weights, simplex_least_squares(1e6 * columns + 5e6, 1e6 * target + 5e6), atol=1e-7)
    assert np.allclose(weights, simplex_least_squares(1e-6 * columns, 1e-6 * target), atol=1e-9)


def test_nobody_treated_is_a_named_error():
    from evaluation.panel import Panel
    from evaluation.periods import Period

    panel = Panel(np.ones((2, 2)), ("a", "b"), (Period("year", 1), Period("year", 2)), np.array([2, 2]))
    with pytest.raises(EstimationError, match="no unit is treated"):
        numerics.common_start(panel, "did")
