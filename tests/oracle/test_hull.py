"""The fast solver for few rows against the general one, which it must agree with to the digits of the canonical ridge."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation.hull as hull
from evaluation.numerics import simplex_least_squares


def problem(kind, rows, donors=60, seed=0):
    rng = np.random.default_rng(seed)
    columns = 50.0 + rng.normal(0, 3, (rows, donors))
    if kind == "duplicates":
        columns[:, donors // 2 :] = columns[:, : donors // 2]
    target = columns @ rng.dirichlet(np.full(donors, 0.3))
    if kind != "inside":
        target = target + np.where(np.arange(rows) == 1, 30.0, 0.0)
    return columns, target


@pytest.mark.parametrize("rows", [2, 3, 6, 12])
@pytest.mark.parametrize("kind", ["inside", "outside", "duplicates"])
@pytest.mark.parametrize("seed", range(5))
def test_weights_are_those_of_the_general_solver(kind, rows, seed):
    columns, target = problem(kind, rows, seed=seed)
    weights, inside = hull.hull_weights(columns, target)
    assert inside == (kind == "inside")
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (weights >= 0.0).all()
    # the ridge of 1e-9 that picks one of many leaves a ninth of the digits of a double to rounding
    np.testing.assert_allclose(weights, simplex_least_squares(columns, target), atol=1e-9)


@pytest.mark.parametrize("rows", [2, 3, 6])
def test_what_is_said_to_lie_inside_is_solved_alike(rows, monkeypatch):
    columns, target = problem("inside", rows + 1)
    assert hull.hull_weights(columns, target)[1]
    fewer, line = columns[1:], target[1:]
    expected = simplex_least_squares(fewer, line)
    monkeypatch.setattr(hull, "nnls", None)
    monkeypatch.setattr(hull, "simplex_least_squares", None)
    np.testing.assert_allclose(hull.hull_weights(fewer, line, inside=True)[0], expected, atol=1e-9)


def test_what_is_wrongly_said_to_lie_inside_is_found_out():
    columns, target = problem("outside", 4)
    expected = simplex_least_squares(columns, target)
    weights, inside = hull.hull_weights(columns, target, inside=True)
    np.testing.assert_allclose(weights, expected, atol=1e-9)
    assert not inside


def test_few_donors_and_donors_that_are_all_the_target_are_left_to_the_general_solver():
    columns, target = problem("outside", 6, donors=4)
    np.testing.assert_array_equal(hull.hull_weights(columns, target)[0], simplex_least_squares(columns, target))
    same = np.repeat(target[:, None], 9, axis=1)
    np.testing.assert_allclose(hull.hull_weights(same, target)[0], 1.0 / 9.0)
