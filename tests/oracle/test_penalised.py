"""The penalised synthetic control, and the choice of its penalty, against a general nonlinear programme and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from evaluation.estimators import ESTIMATORS
from evaluation.predictors.penalty import PENALTIES, penalised_weights
from tests.oracle.panels import factor_outcome, make_panel

METHOD = ESTIMATORS["synthetic_control"]


def objective(gaps, weights, penalty):
    """Abadie & L'Hour (2021), eq. (5), relative to the mean squared distance of a donor."""
    distances = (gaps**2).sum(axis=0)
    return float((np.sum((gaps @ weights) ** 2) + penalty * distances @ weights) / distances.mean())


def by_slsqp(gaps, penalty):
    """The same minimum from a programme that knows nothing of simplexes."""
    donors = gaps.shape[1]
    distances = (gaps**2).sum(axis=0)
    found = optimize.minimize(
        lambda w: objective(gaps, w, penalty),
        np.full(donors, 1.0 / donors),
        jac=lambda w: (2 * gaps.T @ (gaps @ w) + penalty * distances) / distances.mean(),
        bounds=[(0.0, 1.0)] * donors,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones_like(w)},
        method="SLSQP",
        options={"maxiter": 2000, "ftol": 1e-15},
    )
    weights = np.maximum(found.x, 0.0)
    return weights / weights.sum()


@pytest.mark.parametrize("seed", range(40))
def test_weights_are_the_minimum_of_a_general_programme(seed):
    rng = np.random.default_rng(seed)
    rows, donors = int(rng.integers(1, 15)), int(rng.integers(2, 15))
    gaps = rng.normal(size=(rows, donors)) + rng.normal(size=(rows, 1))
    penalty = 10 ** rng.uniform(-5, 1)
    ours, theirs = penalised_weights(gaps, penalty), by_slsqp(gaps, penalty)
    assert ours.min() >= 0
    assert ours.sum() == pytest.approx(1, abs=1e-12)
    # the ridge that keeps the systems regular costs 1e-9 of the objective at most
    assert objective(gaps, ours, penalty) <= objective(gaps, theirs, penalty) + 1e-9
    # SLSQP stops some 1e-7 away, more where the minimum is flat
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert (ours > 0).sum() <= rows + 1


@pytest.mark.parametrize("seed", range(20))
def test_awkward_problems_reach_the_same_objective(seed):
    """Twins among the donors, whole numbers, a donor equal to the treated unit: where the weights are not unique."""
    rng = np.random.default_rng(seed)
    gaps = rng.integers(-2, 3, (int(rng.integers(1, 6)), int(rng.integers(2, 12)))).astype(float)
    gaps[:, -1] = gaps[:, 0]
    if not gaps.any():
        gaps[0, 0] = 1.0
    ours, theirs = penalised_weights(gaps, 0.1), by_slsqp(gaps, 0.1)
    assert objective(gaps, ours, 0.1) <= objective(gaps, theirs, 0.1) + 1e-9


def test_many_donors_and_few_rows_carry_a_certificate():
    """The Frank-Wolfe gap bounds how much lower the objective can get anywhere on the simplex."""
    rng = np.random.default_rng(3)
    for rows in (9, 100):
        gaps = rng.normal(size=(rows, 97)).cumsum(axis=0) + rng.normal(size=(rows, 1))
        distances = (gaps**2).sum(axis=0)
        for penalty in (1e-4, 0.1, 5.0):
            weights = penalised_weights(gaps, penalty)
            gradient = (2 * gaps.T @ (gaps @ weights) + penalty * distances) / distances.mean()
            assert gradient @ weights - gradient.min() < 1e-8


def test_large_penalty_leaves_the_nearest_donor_and_none_leaves_the_plain_synthetic_control():
    outcome = factor_outcome(1)
    panel = make_panel(outcome, {3: 9})
    nearest = METHOD.fit(panel, METHOD.options(penalty=1e6)).unit_weights
    distance = ((outcome[:, :9] - outcome[3, :9]) ** 2).sum(axis=1)
    distance[3] = np.inf
    assert nearest[np.argmin(distance)] == pytest.approx(1.0)
    plain = METHOD.fit(panel, METHOD.options()).unit_weights
    np.testing.assert_array_equal(METHOD.fit(panel, METHOD.options(penalty=0.0)).unit_weights, plain)
    np.testing.assert_allclose(METHOD.fit(panel, METHOD.options(penalty=1e-9)).unit_weights, plain, atol=1e-5)


def test_two_equal_donors_share_their_weight_and_order_does_not_matter():
    outcome = factor_outcome(2)
    outcome[7] = outcome[1]
    panel = make_panel(outcome, {3: 9})
    weights = METHOD.fit(panel, METHOD.options(penalty=0.01)).unit_weights
    assert weights[7] == pytest.approx(weights[1], abs=1e-6)
    order = np.random.default_rng(0).permutation(12)
    again = METHOD.fit(panel.keep_units(order), METHOD.options(penalty=0.01)).unit_weights
    np.testing.assert_allclose(again, weights[order], atol=1e-6)


@pytest.mark.parametrize("demeaned", [False, True])
def test_penalty_by_cross_validation_predicts_each_control_from_the_others(demeaned):
    outcome = factor_outcome(5, n_units=9)
    start = 8
    panel = make_panel(outcome, {3: start})
    controls = np.delete(outcome, 3, axis=0)
    if demeaned:
        controls = controls - controls[:, :start].mean(axis=1, keepdims=True)
    scores = []
    for penalty in PENALTIES:
        errors = []
        for left_out in range(len(controls)):
            others = np.delete(controls, left_out, axis=0)
            weights = by_slsqp((others - controls[left_out])[:, :start].T, penalty)
            errors.append(np.mean((controls[left_out] - weights @ others)[start:] ** 2))
        scores.append(np.mean(errors))
    found = METHOD.fit(panel, METHOD.options(penalty="cv", demeaned=demeaned))
    assert found.details["penalty"] == pytest.approx(PENALTIES[int(np.argmin(scores))])
    given = METHOD.fit(panel, METHOD.options(penalty=found.details["penalty"], demeaned=demeaned))
    assert found.att == given.att


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("demeaned", [False, True])
def test_penalty_by_holding_out_predicts_the_last_third_before_the_start(seed, demeaned):
    outcome = factor_outcome(seed)
    panel = make_panel(outcome, {3: 9})
    controls, own = np.delete(outcome, 3, axis=0), outcome[3]
    if demeaned:
        controls, own = controls - controls[:, :6].mean(axis=1, keepdims=True), own - own[:6].mean()
    scores = []
    for penalty in PENALTIES:
        weights = by_slsqp((controls - own)[:, :6].T, penalty)
        scores.append(np.mean((own - weights @ controls)[6:9] ** 2))
    found = METHOD.fit(panel, METHOD.options(penalty="holdout", demeaned=demeaned))
    chosen = scores[int(np.argmin(np.abs(PENALTIES - found.details["penalty"])))]
    # of equally good ones the larger is taken; SLSQP's scores are good to six digits
    assert chosen <= min(scores) * (1 + 1e-5)


def test_with_predictors_the_distances_are_those_of_the_scaled_predictors():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3, 12))
    panel = make_panel(factor_outcome(4), {3: 9}, covariates={f"x{row}": x[row] for row in range(3)})
    v = (0.5, 0.3, 0.2)
    options = METHOD.options(covariates=("x0", "x1", "x2"), v=v, penalty=0.2)
    scaled = x / x.std(axis=1, ddof=1, keepdims=True) * np.sqrt(np.array(v))[:, None]
    gaps = np.delete(scaled, 3, axis=1) - scaled[:, [3]]
    weights = np.delete(METHOD.fit(panel, options).unit_weights, 3)
    np.testing.assert_allclose(weights, by_slsqp(gaps, 0.2), atol=1e-5)
    chosen = METHOD.fit(panel, METHOD.options(covariates=("x0", "x1", "x2"), v=v, penalty="cv"))
    assert chosen.details["penalty"] in PENALTIES
