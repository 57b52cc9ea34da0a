"""Least squares over the simplex, the kernel of every synthetic control, against a solver with a proof of optimality."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluation.numerics import simplex_least_squares
from tests.oracle import twins
from tests.oracle.panels import FEW


def excess(columns, target, ridge=0.0):
    """How far from the optimum the package's weights can be at most, relative to the size of the problem."""
    weights = simplex_least_squares(columns, target, ridge)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    scale = max(float(np.mean(np.sum((columns - target[:, None]) ** 2, axis=0))), 1e-300)
    return twins.simplex_certificate(columns, target, weights, ridge) / scale


# The package adds a ridge of 1e-9 (relative to a mean column) to make the answer unique; the objective may be off by that much,
# and its gradient, which the certificate measures, by a small multiple.
CERTIFIED = 1e-6


@pytest.mark.parametrize(("rows", "donors"), [(19, 38), (60, 97), (7, 97), (120, 20), (1, 5), (2, 2)])
@pytest.mark.parametrize("inside_the_hull", [True, False])
def test_weights_carry_a_certificate_of_optimality(rows, donors, inside_the_hull):
    rng = np.random.default_rng(rows * 100 + donors)
    columns = rng.normal(70, 5, (rows, donors))
    target = columns @ rng.dirichlet(np.ones(donors)) if inside_the_hull else rng.normal(75, 5, rows)
    assert excess(columns, target) < CERTIFIED


@pytest.mark.parametrize("ridge", [0.0, 0.1, 30.0, 1e6])
def test_ridge_problem_agrees_with_both_slow_solvers(ridge):
    rng = np.random.default_rng(5)
    columns, target = rng.normal(0, 2, (15, 8)), rng.normal(0, 2, 15)
    ours = simplex_least_squares(columns, target, ridge)
    # the minimiser is unique here (more rows than donors), so weights can be compared
    np.testing.assert_allclose(ours, twins.simplex_least_squares(columns, target, ridge), atol=1e-6)
    # SLSQP stops at a relative change of 1e-15 in the objective, which leaves about 1e-7 in the weights
    np.testing.assert_allclose(ours, twins.simplex_by_slsqp(columns, target, ridge), atol=1e-5)


@FEW
@given(
    st.integers(1, 8).flatmap(
        lambda rows: st.integers(1, 9).flatmap(
            lambda donors: st.tuples(
                arrays(np.int64, (rows, donors), elements=st.integers(-40, 40)),
                arrays(np.int64, rows, elements=st.integers(-40, 40)),
            )
        )
    )
)
def test_awkward_problems_are_solved_to_the_optimum(problem):
    """Equal donors, a donor equal to the target, all-zero rows: where active-set methods cycle or stop early."""
    columns, target = problem[0] / 10.0, problem[1] / 10.0
    best = twins.simplex_objective(columns, target, twins.simplex_least_squares(columns, target))
    ours = twins.simplex_objective(columns, target, simplex_least_squares(columns, target))
    scale = max(float(np.mean(np.sum((columns - target[:, None]) ** 2, axis=0))), 1.0)
    assert ours <= best + 1e-8 * scale  # the canonical ridge costs at most 1e-9 of a mean column
    assert ours >= best - 1e-8 * scale


def test_where_many_weights_fit_equally_well_the_answer_does_not_depend_on_the_order_of_the_units():
    """7 periods and 97 donors: a continuum of perfect fits. Ours must be one fixed member of it, not an accident of order."""
    rng = np.random.default_rng(8)
    columns = rng.normal(70, 3, (7, 97))
    target = columns.mean(axis=1)
    weights = simplex_least_squares(columns, target)
    order = rng.permutation(97)
    # 1e-9 ridge against a condition number of about 1e3 leaves some 1e-5
    np.testing.assert_allclose(simplex_least_squares(columns[:, order], target), weights[order], atol=1e-5)


def test_two_equal_donors_share_their_weight_equally():
    rng = np.random.default_rng(3)
    columns = rng.normal(0, 1, (10, 5))
    columns[:, 4] = columns[:, 1]
    weights = simplex_least_squares(columns, columns @ np.array([0.2, 0.5, 0.3, 0, 0]))
    assert weights[1] == pytest.approx(weights[4], abs=1e-6)


@pytest.mark.parametrize("factor", [1e-8, 1e-3, 1e6])
def test_weights_do_not_depend_on_the_unit_of_measurement(factor):
    rng = np.random.default_rng(4)
    columns, target = rng.normal(70, 3, (12, 9)), rng.normal(70, 3, 12)
    np.testing.assert_allclose(
        simplex_least_squares(columns * factor, target * factor), simplex_least_squares(columns, target), atol=1e-7
    )


def test_a_donor_equal_to_the_target_gets_all_the_weight():
    rng = np.random.default_rng(6)
    columns = rng.normal(0, 1, (12, 6))
    np.testing.assert_allclose(simplex_least_squares(columns, columns[:, 2]), np.eye(6)[2], atol=1e-6)


def test_all_donors_equal_to_the_target_share_equally():
    columns = np.tile(np.arange(4.0)[:, None], (1, 5))
    np.testing.assert_allclose(simplex_least_squares(columns, columns[:, 0]), np.full(5, 0.2))
