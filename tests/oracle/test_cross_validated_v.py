"""V by cross-validation (Abadie, Diamond & Hainmueller 2015): training half, validation half, final weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import differential_evolution
from scipy.stats import qmc

from evaluation.errors import EstimationError, UsageError
from evaluation.estimators import ESTIMATORS
from evaluation.predictors import given_v
from evaluation.predictors.search import _halton_weights
from evaluation.spec.options import validated_options
from tests.oracle.panels import factor_outcome, make_panel

METHOD = ESTIMATORS["synthetic_control"]


def germany_like(seed, n_units=14, n_periods=26):
    """Predictors that vary over time, and a treated unit near the edge of the others."""
    rng = np.random.default_rng(seed)
    outcome = factor_outcome(seed, n_units, n_periods)
    row = int(np.argsort(outcome[:, :20].mean(axis=1))[-3])
    covariates = {
        "trade": outcome + rng.normal(0, 1, outcome.shape),
        "industry": 0.5 * outcome + rng.normal(0, 2, outcome.shape),
        "schooling": rng.normal(size=n_units),
    }
    return make_panel(outcome, {row: 20}, covariates=covariates), row


def by_hand(panel, row, first, last):
    """x1, x0 over a span of periods, the unit-constant predictor as it is."""
    values = [panel.covariates[name][:, first:last].mean(axis=1) for name in ("trade", "industry")]
    values = np.array([*values, panel.covariates["schooling"], panel.outcome[:, first:last].mean(axis=1)])
    return values[:, row], np.delete(values, row, axis=1)


@pytest.mark.parametrize("seed", [0, 2, 3, 5, 6])
def test_v_is_the_best_of_the_training_half_and_the_weights_are_those_of_the_validation_half(seed):
    panel, row = germany_like(seed)
    options = validated_options(METHOD, {
        "covariates": ["trade", "industry", "schooling"], "predictors": [{"column": "outcome"}], "v": "cross_validation",
    })  # fmt: skip
    found = METHOD.fit(panel, options)
    # the outcome predictor comes first in the details: predictors before covariates
    v = np.roll(found.details["v"], -1)
    training, validation = by_hand(panel, row, 0, 10), by_hand(panel, row, 10, 20)
    z1, z0 = panel.outcome[row, 10:20], np.delete(panel.outcome, row, axis=0)[:, 10:20].T

    def loss(log):
        return float(np.mean((z1 - z0 @ given_v(*training, 10.0 ** (log - log.max()))) ** 2))

    best = differential_evolution(loss, [(-8.0, 0.0)] * 4, popsize=10, maxiter=40, rng=1).fun
    # both searches are global in design only; ours may be no more than 0.1 % worse
    assert float(np.mean((z1 - z0 @ given_v(*training, v)) ** 2)) <= best * 1.001
    np.testing.assert_allclose(np.delete(found.unit_weights, row), given_v(*validation, v), atol=1e-9)
    np.testing.assert_allclose(np.roll(found.details["predictor_treated"], -1), validation[0])
    assert found.details["loss"] == pytest.approx(np.mean((z1 - z0 @ given_v(*validation, v)) ** 2))


def test_loss_periods_move_the_validation_period():
    panel, row = germany_like(1)
    raw = {"covariates": ["trade", "industry"], "v": "cross_validation"}
    halves = METHOD.fit(panel, validated_options(METHOD, raw))
    named = METHOD.fit(panel, validated_options(METHOD, {**raw, "loss_periods": [2011, 2020]}))
    np.testing.assert_array_equal(halves.unit_weights, named.unit_weights)
    later = METHOD.fit(panel, validated_options(METHOD, {**raw, "loss_periods": [2015, 2020]}))
    assert later.details["predictor_treated"][0] == pytest.approx(panel.covariates["trade"][row, 14:20].mean())
    with pytest.raises(EstimationError, match="training period"):
        METHOD.fit(panel, validated_options(METHOD, {**raw, "loss_periods": [2001, 2020]}))


def test_inverse_variances_are_equal_weights_on_scaled_predictors():
    panel, row = germany_like(2)
    names = ["trade", "industry", "schooling"]
    inverse = METHOD.fit(panel, validated_options(METHOD, {"covariates": names, "v": "inverse_variance"}))
    x1, x0 = (part[:3] for part in by_hand(panel, row, 0, 20))
    variances = np.column_stack([x0, x1]).var(axis=1, ddof=1)
    weights = np.delete(inverse.unit_weights, row)
    # the optimality conditions of Σ_k (x1_k − x0_k w)² / Var(x_k) over the simplex
    gradient = x0.T @ ((x0 @ weights - x1) / variances)
    np.testing.assert_allclose(gradient[weights > 1e-9], gradient.min(), atol=1e-8)


def test_values_of_v_that_are_tried_first_are_scipys_halton_sequence():
    for k in (1, 3, 13):
        points = qmc.Halton(k, scramble=False).random(60)[1:]
        drawn = np.where(np.arange(59)[:, None] % 2 == 0, -np.log(points), 1e-8**points)
        expected = np.maximum(drawn / drawn.max(axis=1, keepdims=True), 1e-8)
        np.testing.assert_allclose(_halton_weights(60, k)[1:], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"v": "equal"}, "`v` weights predictors"),
        ({"loss_periods": [2001, 2003]}, "`loss_periods` serve the search"),
        ({"predictors": [{"column": "outcome", "periods": [2001, 2002]}], "v": "cross_validation"}, "leave out the predictors' own"),
        ({"covariates": ["trade"], "penalty": 0.1}, "not searched"),
        ({"covariates": ["trade"], "v": "equal", "penalty": "holdout"}, "holds out outcomes"),
        ({"penalty": -1.0}, "0 or more"),
        ({"penalty": "cross"}, "'cross' is not a choice here"),
        ({"pooled": "every"}, "choose from 'mean' and 'each'"),
        ({"covariates": ["trade"], "v": "inverse_varience"}, "did you mean 'inverse_variance'"),
    ],
)  # fmt: skip
def test_options_at_odds_are_refused_in_words(raw, said):
    with pytest.raises(UsageError, match=said):
        validated_options(METHOD, raw)
