"""Fixed effects without iteration, against a dummy for every unit and every period."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.regression import two_way_regression, two_way_residuals
from tests.oracle import twins
from tests.oracle.panels import FEW, factor_outcome, factor_panel, holed_outcomes, make_panel

DID = ESTIMATORS["did"]


def holed(seed, share=0.15):
    rng = np.random.default_rng(seed)
    outcome = factor_outcome(seed, 9, 8)
    outcome[rng.random(outcome.shape) < share] = np.nan
    return outcome


@pytest.mark.parametrize("seed", range(6))
def test_two_way_residuals_equal_a_regression_on_dummies(seed):
    outcome = holed(seed)
    observed = np.isfinite(outcome) & (np.isfinite(outcome).sum(axis=1) > 1)[:, None]
    ours = two_way_residuals(outcome[None], observed)[0]
    theirs = twins.two_way_demeaned(np.where(observed, outcome, np.nan))
    np.testing.assert_allclose(ours[observed], theirs[observed], atol=1e-9)  # order of summation
    assert (ours[~observed] == 0).all()


@FEW
@given(holed_outcomes())
def test_two_way_residuals_of_awkward_patterns_equal_dummies(outcome):
    """Units seen once, periods seen once, blocks of units that share no period: where alternating demeaning does not end."""
    observed = np.isfinite(outcome)
    ours = two_way_residuals(outcome[None], observed)[0]
    np.testing.assert_allclose(ours[observed], twins.two_way_demeaned(outcome)[observed], atol=1e-8)


@pytest.mark.parametrize("trends", [False, True])
def test_coefficients_with_covariates_and_unit_trends_equal_dummies(trends):
    rng = np.random.default_rng(2)
    outcome = holed(3, 0.08)
    covariate = rng.normal(0, 1, outcome.shape) + 0.2 * np.nan_to_num(outcome - 70)
    treatment = np.zeros_like(outcome)
    treatment[[1, 4], 5:] = 1
    ours = two_way_regression(outcome, np.stack([treatment, covariate]), trends=trends)
    theirs = twins.did_by_dummies(outcome, treatment, (covariate,), unit_trends=trends)
    assert ours.coefficients[0] == pytest.approx(theirs, abs=1e-9)


def test_treatment_explained_by_the_effects_is_refused_by_name():
    outcome = factor_outcome(1, 4, 6)
    treatment = np.zeros_like(outcome)
    treatment[:, 3:] = 1  # every unit at the same time: the same as period effects
    with pytest.raises(EstimationError, match=r"zone.*explained by the unit and period effects"):
        two_way_regression(outcome, treatment[None], names=("zone",))


@FEW
@given(st.integers(0, 10_000), st.integers(4, 10), st.integers(4, 12))
def test_did_equals_the_dummy_regression_and_two_libraries(seed, n_units, n_periods):
    start = n_periods // 2 + seed % 2
    outcome = factor_outcome(seed, n_units, n_periods)
    panel = make_panel(outcome, {0: start, 2: start})
    treatment = panel.target.astype(float)
    att = DID.fit(panel, DID.options()).att
    assert att == pytest.approx(twins.did_by_dummies(outcome, treatment), abs=1e-9)
    assert att == pytest.approx(twins.did_by_linearmodels(outcome, treatment)[0], abs=1e-9)
    assert att == pytest.approx(twins.did_by_statsmodels(outcome, treatment)[0], abs=1e-9)


@FEW
@given(holed_outcomes(), st.integers(0, 3))
def test_did_with_missing_cells_equals_dummies_or_says_why_not(outcome, shift):
    start = min(2 + shift, outcome.shape[1] - 1)
    panel = make_panel(outcome, {0: start})
    theirs = twins.did_by_dummies(outcome, panel.target.astype(float))
    assert DID.fit(panel, DID.options()).att == pytest.approx(theirs, abs=1e-8)


def test_did_over_a_window_drops_the_periods_after_the_start_that_the_window_leaves_out():
    panel = factor_panel(start=8).with_window((10, 11))
    used = [*range(8), 10, 11]
    theirs = twins.did_by_dummies(panel.outcome[:, used], panel.target[:, used].astype(float))
    assert DID.fit(panel, DID.options()).att == pytest.approx(theirs, abs=1e-9)


def test_did_with_several_starts_equals_the_dummy_regression():
    panel = make_panel(factor_outcome(4), {0: 5, 3: 8, 7: 8})
    theirs = twins.did_by_dummies(panel.outcome, panel.target.astype(float))
    fit = DID.fit(panel, DID.options())
    assert fit.att == pytest.approx(theirs, abs=1e-9)
    assert "staggered_twfe" in {note.code for note in fit.notes}


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("window", [None, (9, 11)])
def test_influence_gives_the_cluster_robust_variance(missing, window):
    """The sum of squared influences by unit is the sandwich (CR0), whichever way the coefficient was computed."""
    outcome = holed(11, 0.1) if missing else factor_outcome(11)
    outcome = outcome if not missing else np.hstack([outcome, factor_outcome(12, 9, 5)])
    outcome[0] = factor_outcome(13, 1, outcome.shape[1])[0]
    panel = make_panel(outcome, {0: 8, 1: 8}, window=window)
    used = np.arange(panel.n_periods) if window is None else np.array([*range(8), *range(window[0], window[1] + 1)])
    values, treatment = outcome[:, used], panel.target[:, used].astype(float)
    fit = DID.fit(panel, DID.options())
    ours = float(np.sqrt(np.sum(fit.influence**2)))
    assert ours == pytest.approx(twins.cluster_std_error(values, treatment, factor="CR0"), rel=1e-9)
    assert ours == pytest.approx(twins.did_by_linearmodels(values, treatment)[1], rel=1e-9)


def test_twin_reproduces_the_small_sample_factor_of_statsmodels():
    """Guards the twin itself: CR1S counts every dummy."""
    outcome = factor_outcome(5)
    treatment = np.zeros_like(outcome)
    treatment[:4, 9:] = 1
    n_units, n_periods = outcome.shape
    cr1 = twins.cluster_std_error(outcome, treatment, factor="CR1")
    n_rows, n_columns = outcome.size, 1 + n_units + n_periods - 1
    factor = np.sqrt((n_rows - 1) / (n_rows - n_columns))
    assert twins.did_by_statsmodels(outcome, treatment)[1] == pytest.approx(cr1 * factor, rel=1e-9)


# ------------------------------------------------------------------ weights


def weighted_by_dummies(outcome, regressors, weights, trends=False):
    """(coefficients, CR0 standard errors by unit) of weighted least squares on every dummy."""
    rows, columns = np.nonzero(np.isfinite(outcome) & (weights > 0))
    n_units, n_periods = outcome.shape
    design = [layer[rows, columns] for layer in regressors]
    design += [(rows == unit).astype(float) for unit in range(n_units)]
    design += [(columns == period).astype(float) for period in range(1, n_periods)]
    if trends:
        design += [np.where(rows == unit, columns, 0.0) for unit in range(n_units)]
    x = np.column_stack(design)
    root = np.sqrt(weights[rows, columns])
    y = outcome[rows, columns]
    inverse = np.linalg.pinv((x * root[:, None]).T @ (x * root[:, None]), rcond=1e-11)
    found = inverse @ (x.T @ (y * root**2))
    scores = x * ((y - x @ found) * root**2)[:, None]
    sums = np.stack([scores[rows == unit].sum(axis=0) for unit in range(n_units)])
    k = len(regressors)
    return found[:k], np.sqrt(np.diag(inverse @ sums.T @ sums @ inverse))[:k]


@pytest.mark.parametrize("trends", [False, True])
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_weighted_regression_equals_weighted_dummies(trends, constant, missing):
    rng = np.random.default_rng(5)
    outcome = holed(6, missing)
    covariate = rng.normal(0, 1, outcome.shape)
    treatment = np.zeros_like(outcome)
    treatment[[1, 4], 5:] = 1
    weights = rng.uniform(0.2, 3000.0, outcome.shape[:1] if constant else outcome.shape)
    if not constant:
        weights[2, 3] = 0.0
    x = np.stack([treatment, covariate])
    ours = two_way_regression(outcome, x, weights=weights, trends=trends)
    cells = np.broadcast_to(weights[:, None], outcome.shape) if constant else weights
    coefficients, errors = weighted_by_dummies(outcome, x, cells, trends)
    np.testing.assert_allclose(ours.coefficients, coefficients, atol=1e-8)  # dummies lose digits to their own rank
    np.testing.assert_allclose(np.sqrt((ours.influence**2).sum(axis=1)), errors, rtol=1e-6)


def test_a_functional_of_weighted_residuals_has_the_influence_of_its_derivative():
    """Σ m·residual is linear in the outcomes: raising one cell by 1 gives its weight there, exactly."""
    rng = np.random.default_rng(8)
    outcome = holed(9, 0.1)
    weights = rng.uniform(1, 9, outcome.shape)
    treatment = np.zeros_like(outcome)
    treatment[[1, 4], 5:] = 1
    m = np.where(treatment > 0, rng.uniform(0, 1, outcome.shape), 0.0)

    def functional(values):
        return two_way_regression(values, treatment[None], functional=m, weights=weights)

    found = functional(outcome)
    assert found.functional == pytest.approx(np.nansum(m * found.residuals), abs=1e-9)
    expected = np.zeros(len(outcome))
    for unit, period in zip(*np.nonzero(np.isfinite(outcome)), strict=True):
        raised = outcome.copy()
        raised[unit, period] += 1.0
        expected[unit] += (functional(raised).functional - found.functional) * found.residuals[unit, period]
    np.testing.assert_allclose(found.functional_influence, expected, atol=1e-9)
