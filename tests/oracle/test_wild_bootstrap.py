"""The wild cluster bootstrap from sums by cluster, against one that writes every dummy out and regresses every draw anew."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evaluation.contracts import Pipeline
from evaluation.cycle import ADJUSTMENTS
from evaluation.estimators import ESTIMATORS
from evaluation.inference import sandwich, wild_bootstrap
from evaluation.inference.scores import scores_of
from tests.oracle.panels import factor_outcome, make_panel

CLUSTERS = np.array([0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9])


def panel(*, holes=True, sizes=False, starts=(4, 4, 4, 4, 4)):
    rng = np.random.default_rng(0)
    outcome = factor_outcome(1, 12, 8)
    if holes:
        outcome[[1, 6], [2, 5]] = np.nan
    made = make_panel(outcome, dict(zip((0, 3, 4, 7, 9), starts, strict=True)), cluster=CLUSTERS)
    return dataclasses.replace(
        made,
        covariates={"x": rng.normal(size=(12, 8))},
        size=rng.integers(1, 9, (12, 8)).astype(float) if sizes else None,
    )


def pipeline(name, **options):
    method, none = ESTIMATORS[name], ADJUSTMENTS["none"]
    return Pipeline(method, method.options(**options), none, none.options())


def written_out(scores, trends):
    """Cells, and the matrix that leaves what units, periods (and trends) and regressors do not explain."""
    unit, period = np.nonzero(scores.observed)
    dummies = [unit[:, None] == np.arange(scores.cells.shape[0]), period[:, None] == np.arange(scores.cells.shape[1])]
    if trends:
        dummies.append(dummies[0] * period[:, None])
    columns = np.hstack([*dummies, scores.within[:, unit, period].T])
    return unit, period, np.eye(unit.size) - columns @ np.linalg.pinv(columns)


CASES = {
    "plain": (panel(), "did", {}),
    "a covariate": (panel(), "did", {"covariates": ("x",)}),
    "trends": (panel(), "did", {"unit_trends": True}),
    "several starts": (panel(starts=(4, 5, 5, 3, 4)), "did", {}),
    "leads and lags": (panel(), "event_study", {}),
    "by persons": (panel(sizes=True), "did", {}),
    "by persons, complete": (panel(sizes=True, holes=False), "did", {}),
    "leads and lags by persons, complete": (panel(sizes=True, holes=False), "event_study", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_headline_is_the_weighted_sum_and_residuals_are_those_of_the_regression(case):
    made, name, options = CASES[case]
    fit, scores, path = scores_of(pipeline(name, **options), made, "test")
    unit, period, maker = written_out(scores, "unit_trends" in options)
    outcome = made.outcome[unit, period]
    assert scores.alpha[unit, period] @ outcome == pytest.approx(fit.att, abs=1e-9)
    np.testing.assert_allclose(scores.residuals[unit, period], maker @ outcome, atol=1e-8)
    # with unit trends pinv meets the collinear trends of all units; 1e-8 is its rank cut-off
    np.testing.assert_allclose(maker @ scores.alpha[unit, period], 0.0, atol=1e-8)
    for effect, one in zip(fit.effects, path, strict=True):
        if one is not None:
            assert one.alpha[unit, period] @ outcome == pytest.approx(effect, abs=1e-9)


@pytest.mark.parametrize("hypothesis", [0.0, 1.3])
@pytest.mark.parametrize("case", CASES)
def test_draws_equal_regressions_of_every_draw(case, hypothesis):
    made, name, options = CASES[case]
    fit, scores, _ = scores_of(pipeline(name, **options), made, "test")
    unit, period, maker = written_out(scores, "unit_trends" in options)
    outcome, alpha = made.outcome[unit, period], scores.alpha[unit, period]
    imposed = maker @ outcome + alpha * (fit.att - hypothesis) / (alpha @ alpha)
    fitted = outcome - imposed
    assert alpha @ fitted == pytest.approx(hypothesis, abs=1e-9)
    weights = np.random.default_rng(5).choice([-1.0, 1.0], (20, 10))
    draws = wild_bootstrap.bootstrap(scores, weights, False)
    d = fit.att - hypothesis
    numerator = draws.numerator[0] + d * draws.numerator[1]
    variance = draws.spread[0] + 2 * d * draws.spread[1] + d**2 * draws.spread[2]
    larger = 0
    own = np.bincount(scores.clusters[unit], alpha * (maker @ outcome), minlength=10)
    for row, draw in enumerate(weights):
        again = fitted + imposed * draw[scores.clusters[unit]]
        sums = np.bincount(scores.clusters[unit], alpha * (maker @ again), minlength=10)
        assert numerator[row] == pytest.approx(alpha @ again - hypothesis, abs=1e-9)
        assert variance[row] == pytest.approx(sums @ sums, abs=1e-9)
        larger += (alpha @ again - hypothesis) ** 2 / (sums @ sums) > (fit.att - hypothesis) ** 2 / (own @ own)
    assert draws.p_value(hypothesis) == (1 + larger) / 21


def test_draw_without_changed_signs_gives_the_data_back():
    _, scores, _ = scores_of(pipeline("did"), panel(), "test")
    draws = wild_bootstrap.bootstrap(scores, np.ones((1, 10)), False)
    d = scores.effect - 0.7
    assert draws.numerator[0, 0] + d * draws.numerator[1, 0] == pytest.approx(d, abs=1e-12)
    spread = draws.spread[0, 0] + 2 * d * draws.spread[1, 0] + d**2 * draws.spread[2, 0]
    assert spread == pytest.approx(draws.variance, rel=1e-9)


def test_limits_of_the_interval_are_where_the_p_value_crosses():
    _, scores, _ = scores_of(pipeline("did"), panel(), "test")
    draws = wild_bootstrap.bootstrap(scores, wild_bootstrap.sign_vectors(10), True)
    lower, upper = draws.interval(0.9)
    assert lower < scores.effect < upper
    for limit, outward in ((lower, -1e-6), (upper, 1e-6)):
        assert draws.p_value(limit) > 0.1
        assert draws.p_value(limit + outward) <= 0.1


def test_without_the_hypothesis_imposed_one_treated_unit_is_called_significant():
    """The reason to impose it: with one treated cluster its residuals are nearly zero, so draws around the estimate never move."""
    _, scores, _ = scores_of(pipeline("did"), make_panel(factor_outcome(1, 12, 8), {0: 4}), "test")
    draws = wild_bootstrap.bootstrap(scores, wild_bootstrap.sign_vectors(12), True)
    assert draws.p_value(3.0, imposed=False) < 0.01
    assert draws.p_value(3.0) > 0.05


@pytest.mark.parametrize("case", CASES)
def test_leaving_a_cluster_out_in_closed_form_equals_the_regression_without_it(case):
    made, name, options = CASES[case]
    _, scores, _ = scores_of(pipeline(name, **options), made, "test")
    moved = sandwich.without_each_cluster(scores, sandwich.leverage_of(scores))
    unit, period, _ = written_out(scores, False)
    blocks = [unit[:, None] == np.arange(12), period[:, None] == np.arange(8)]
    if "unit_trends" in options:
        blocks.append(blocks[0] * period[:, None])
    columns = np.hstack([*blocks, scores.within[:, unit, period].T])
    # α'y is a combination of the coefficients that minimise the squares: (columns'α)'coefficients
    combination = columns.T @ scores.alpha[unit, period]
    for cluster in range(10):
        keep = scores.clusters[unit] != cluster
        rows = columns[keep]
        effect = combination @ np.linalg.pinv(rows) @ made.outcome[unit, period][keep]
        assert scores.effect - moved[cluster] == pytest.approx(effect, abs=1e-8)
