"""Ridge-augmented and partially pooled weights, and intervals for one treated unit, against slow twins written from the formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import t as student

import evaluation
from evaluation.estimators import ESTIMATORS
from evaluation.inference import prediction_interval
from tests.oracle.panels import factor_outcome, factor_panel, make_panel

ASCM = ESTIMATORS["augmented_synthetic_control"]
POOLED = ESTIMATORS["partially_pooled_synthetic_control"]


def simplex_weights(columns, line):
    """SLSQP from equal weights: slow, and accurate to some 1e-6."""
    donors = columns.shape[1]
    found = minimize(
        lambda w: ((columns @ w - line) ** 2).sum(), np.full(donors, 1 / donors),
        jac=lambda w: 2 * columns.T @ (columns @ w - line), bounds=[(0, 1)] * donors,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(donors)},
        method="SLSQP", options={"maxiter": 1000, "ftol": 1e-14},
    )  # fmt: skip
    return found.x


def ridge_weights(columns, line, base, penalty):
    """The formula of the paper, term by term, with an explicit inverse."""
    inverse = np.linalg.inv(columns @ columns.T + penalty * np.eye(len(line)))
    return base + (line - columns @ base) @ inverse @ columns


@pytest.mark.parametrize("start", [9, 5])
@pytest.mark.parametrize("scm", [True, False])
def test_penalty_search_equals_refitting_every_period_and_penalty(start, scm):
    panel = factor_panel(4, start=start)
    before = panel.outcome[:, :start]
    columns = (before[~panel.treated] - before[~panel.treated].mean(axis=0)).T
    line = before[3] - before[~panel.treated].mean(axis=0)

    def base(rows):
        even = np.full(columns.shape[1], 1 / columns.shape[1])
        return simplex_weights(columns[rows], line[rows]) if scm else even

    penalties = np.linalg.norm(columns, 2) ** 2 * 1e-8 ** (np.arange(21) / 20)
    errors = np.empty((start - 1, 21))
    for left_out in range(start - 1):
        rows = np.delete(np.arange(start), left_out)
        first = base(rows)
        for place, penalty in enumerate(penalties):
            omega = ridge_weights(columns[rows], line[rows], first, penalty)
            errors[left_out, place] = (line[left_out] - columns[left_out] @ omega) ** 2
    means, deviations = errors.mean(axis=0), errors.std(axis=0, ddof=1) / np.sqrt(start - 1)
    best = means.argmin()
    chosen = penalties[np.flatnonzero(means <= means[best] + deviations[best])[0]]
    ours = ASCM.fit(panel, ASCM.options(scm=scm))
    # the twin's synthetic control is exact to some 1e-6
    np.testing.assert_allclose(ours.details["errors"], means, rtol=1e-3, atol=1e-6)
    assert ours.details["ridge"] == pytest.approx(chosen, rel=1e-9)
    omega = ridge_weights(columns, line, base(np.arange(start)), chosen)
    np.testing.assert_allclose(ours.unit_weights[~panel.treated], omega, atol=1e-4)
    gaps = panel.outcome[3] - omega @ panel.outcome[~panel.treated]
    assert ours.att == pytest.approx(gaps[start:].mean(), abs=1e-4)


def test_a_huge_penalty_leaves_the_synthetic_control_and_a_tiny_one_a_perfect_fit():
    panel = factor_panel(6, n_units=25, n_periods=12, start=8)
    plain = evaluation.estimate(panel, "synthetic_control", inference="placebo")
    assert ASCM.fit(panel, ASCM.options(ridge=1e12)).att == pytest.approx(plain.effect, abs=1e-6)
    tiny = ASCM.fit(panel, ASCM.options(ridge=1e-9))
    np.testing.assert_allclose(tiny.effects[:8], 0, atol=1e-6)
    assert tiny.unit_weights.min() < 0


def test_residualised_covariates_are_balanced_exactly():
    rng = np.random.default_rng(3)
    panel = factor_panel(2, n_units=20, covariates={"x": rng.normal(size=20), "z": rng.normal(size=(20, 14))})
    ours = ASCM.fit(panel, ASCM.options(covariates=("x", "z"), residualise=True))
    for values in (panel.covariates["x"], panel.covariates["z"][:, :9].mean(axis=1)):
        assert ours.unit_weights @ values == pytest.approx(values[3], abs=1e-9)
    beside = ASCM.fit(panel, ASCM.options(covariates=("x", "z")))
    alone = ASCM.fit(panel, ASCM.options())
    # balanced beside the outcomes: better than without, not exactly
    scaled = np.stack([panel.covariates["x"], panel.covariates["z"][:, :9].mean(axis=1)])
    scaled = scaled / scaled[:, ~panel.treated].std(axis=1, ddof=1, keepdims=True)
    without, within = (np.linalg.norm(scaled @ found.unit_weights - scaled[:, 3]) for found in (alone, beside))
    assert 0.0 < within < without


@pytest.mark.parametrize("pooling", [0.3, 0.8])
def test_pooled_weights_reach_the_optimum_of_a_general_optimiser(pooling):
    panel = make_panel(factor_outcome(8, 11, 12), {0: 6, 4: 8, 7: 8})
    ours = POOLED.fit(panel, POOLED.options(pooling=pooling))
    apart = POOLED.fit(panel, POOLED.options(pooling=0.0))
    donors = [row for row in range(11) if row not in (0, 4, 7)]
    columns = []
    for row, start in ((0, 6), (4, 8), (7, 8)):
        lines = panel.outcome - panel.outcome[:, :start].mean(axis=1, keepdims=True)
        columns.append(np.vstack([np.zeros((8 - start, 8)), (lines[donors, :start] - lines[row, :start]).T]))
    lags = np.array([6, 8, 8])

    def parts(stacked):
        gaps = np.stack([matrix @ each for matrix, each in zip(columns, stacked.reshape(3, 8), strict=True)])
        return (gaps.mean(axis=0) ** 2).sum() / 8, np.mean((gaps**2).sum(axis=1) / lags)

    bases = apart.details["pooled_imbalance"] ** 2, apart.details["separate_imbalance"] ** 2

    def objective(stacked):
        together, each = parts(stacked)
        return pooling * together / bases[0] + (1 - pooling) * each / bases[1]

    found = minimize(
        objective, np.full(24, 1 / 8), bounds=[(0, 1)] * 24, method="SLSQP", options={"maxiter": 2000, "ftol": 1e-13},
        constraints=[{"type": "eq", "fun": lambda w, k=k: w[8 * k : 8 * k + 8].sum() - 1} for k in range(3)],
    )  # fmt: skip
    reached = (
        pooling * ours.details["pooled_imbalance"] ** 2 / bases[0]
        + (1 - pooling) * ours.details["separate_imbalance"] ** 2 / bases[1]
    )
    # numerical slopes stop SLSQP some 1e-6 above the optimum
    assert reached <= found.fun + 1e-9
    assert reached == pytest.approx(found.fun, abs=1e-4)


@pytest.mark.parametrize("method", ["did", "synthetic_control"])
def test_t_test_equals_the_formulas_of_the_paper(method):
    panel = factor_panel(5, n_units=9, n_periods=20, start=14)
    line, donors = panel.outcome[3], np.delete(panel.outcome, 3, axis=0)
    block, effects = min(14 // 3, 6), []
    for fold in range(3):
        out = np.arange(14 - 3 * block + fold * block, 14 - 3 * block + (fold + 1) * block)
        kept = np.delete(np.arange(14), out)
        omega = np.full(8, 1 / 8) if method == "did" else simplex_weights(donors[:, kept].T, line[kept])
        gaps = line - omega @ donors
        effects.append(gaps[14:].mean() - gaps[out].mean())
    error = np.sqrt(1 + 3 * block / 6) * np.std(effects, ddof=1) / np.sqrt(3)
    ours = evaluation.estimate(panel, method, inference="sc_ttest")
    half = student.ppf(0.975, 2) * error
    # the twin's synthetic control is exact to some 1e-6
    assert ours.std_error == pytest.approx(error, abs=1e-4)
    assert (ours.lower, ours.upper) == pytest.approx((np.mean(effects) - half, np.mean(effects) + half), abs=1e-3)
    assert ours.p_value == pytest.approx(2 * student.sf(abs(np.mean(effects) / error), 2), abs=1e-4)


def test_jackknife_plus_equals_leaving_each_period_out_by_hand():
    panel = factor_panel(7, n_units=9, n_periods=16, start=10)
    line, donors = panel.outcome[3], np.delete(panel.outcome, 3, axis=0)
    low, high = [], []
    for left_out in range(10):
        kept = np.delete(np.arange(10), left_out)
        gaps = line - simplex_weights(donors[:, kept].T, line[kept]) @ donors
        low.append(gaps[10:].mean() - abs(gaps[left_out]))
        high.append(gaps[10:].mean() + abs(gaps[left_out]))
    ours = evaluation.estimate(panel, "synthetic_control", inference="jackknife_plus", level=0.8)
    # the twin's synthetic control is exact to some 1e-6
    assert ours.lower == pytest.approx(np.quantile(low, 0.1), abs=1e-4)
    assert ours.upper == pytest.approx(np.quantile(high, 0.9), abs=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_extremes_of_the_prediction_interval_equal_a_general_optimisers(seed):
    rng = np.random.default_rng(seed)
    columns, predicted, error = rng.normal(size=(7, 5)), rng.normal(size=5), rng.normal(0, 0.3, 7)
    weights = simplex_weights(columns, columns @ rng.dirichlet(np.ones(5)) + rng.normal(0, 0.2, 7))
    weights = np.maximum(weights, 0) / np.maximum(weights, 0).sum()
    ours = prediction_interval._extremes(columns, weights, predicted, error, False)
    for sign, reached in zip((1, -1), ours, strict=True):
        starts = [weights, *rng.dirichlet(np.ones(5), 3)]
        found = min(
            (
                minimize(
                    lambda x, sign=sign: sign * predicted @ (x - weights), first, bounds=[(0, 1)] * 5, method="SLSQP",
                    options={"maxiter": 500, "ftol": 1e-12},
                    constraints=[
                        {"type": "eq", "fun": lambda x: x.sum() - 1},
                        {"type": "ineq", "fun": lambda x: error @ error - ((columns @ (x - weights) - error) ** 2).sum()},
                    ],
                )
                for first in starts
            ),
            key=lambda result: result.fun if result.success else np.inf,
        )  # fmt: skip
        # the edge is found to 0.5 % of its radius, always from within
        assert sign * reached >= found.fun - 1e-5
        assert sign * reached == pytest.approx(found.fun, abs=0.02)
