"""Factor models against twins that are obviously right: loops, dropped cells, first-order conditions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evaluation.common_effects import common_slopes, loadings_of
from evaluation.completion import completed, completions, hard, soft
from evaluation.estimators import ESTIMATORS
from evaluation.low_rank import decomposed, left_out_errors, smoothed, smoother
from tests.oracle.panels import factor_outcome, make_panel
from tests.reference.em import em_rounds, two_way

IFE, MC, CCE = (
    ESTIMATORS[name] for name in ("interactive_fixed_effects", "matrix_completion", "common_correlated_effects")
)
NOTHING = np.empty((0, 12, 14))


def holes(seed=1, share=0.15):
    """Observed cells: a tenth or so missing anywhere, and three units cut off late."""
    rng = np.random.default_rng(seed)
    observed = rng.random((12, 14)) > share
    observed[:3, 10:] = False
    observed[:, 0] = observed[5] = True
    return observed


def covariates(seed=2):
    rng = np.random.default_rng(seed)
    made = rng.normal(0, 1, (2, 12, 14))
    made[0] += 0.5 * factor_outcome(1) - 35
    return made


# ------------------------------------------------------------------ one matrix, one unit


@pytest.mark.parametrize("shape", [(12, 14), (14, 12), (30, 6), (6, 30), (2, 5), (1, 4)])
def test_decomposition_is_a_singular_value_decomposition_without_means(shape):
    matrix = factor_outcome(3, *shape)
    found = decomposed(matrix)
    rest = matrix - matrix.mean(axis=0) - matrix.mean(axis=1, keepdims=True) + matrix.mean()
    np.testing.assert_allclose(found.rest, rest, atol=1e-11)
    values = np.linalg.svd(rest, compute_uv=False)
    np.testing.assert_allclose(found.values, values[: found.values.size], atol=1e-9)
    assert (values[found.values.size :] < 1e-9).all()
    np.testing.assert_allclose(found.factors @ found.factors.T, np.eye(found.values.size), atol=1e-9)
    np.testing.assert_allclose((found.rest @ found.factors.T) @ found.factors, rest, atol=1e-10)


def test_loadings_are_least_squares_unit_by_unit():
    values, seen = factor_outcome(4), holes(4, 0.3)
    series = np.random.default_rng(0).normal(0, 1, (2, 1, 14))
    found = loadings_of(values, series, seen)
    for row in range(12):
        cells = seen[row]
        design = np.column_stack([np.ones(cells.sum()), series[:, 0, cells].T])
        solution = np.linalg.lstsq(design, values[row, cells], rcond=None)[0]
        np.testing.assert_allclose([found.level[row], *found.slopes[:, row]], solution, atol=1e-9)


def test_loadings_on_series_that_move_together_are_marked():
    line = np.arange(14.0)
    series = np.stack([line, 3 - 2 * line])[:, None, :]
    found = loadings_of(factor_outcome(4), series, np.ones((12, 14), dtype=bool))
    assert found.collinear.all()
    assert np.isnan(found.slopes).all()
    assert loadings_of(factor_outcome(4), np.full((1, 1, 14), 7.1), np.ones((12, 14), dtype=bool)).collinear.all()


def ridge_fit(values, cells, factors, keep):
    """Fit of some cells by ridge regression with penalty 1/keep - 1, written out; in every period."""
    design = np.column_stack([np.ones(factors.shape[1]), factors.T])
    penalty = np.diag([0.0, *(1.0 / keep - 1.0)])
    own = design[cells]
    return design @ np.linalg.solve(own.T @ own + penalty, own.T @ values[cells])


@pytest.mark.parametrize("keep", [np.array([1.0, 1.0]), np.array([0.9, 0.3])], ids=["least squares", "ridge"])
@pytest.mark.parametrize("units", [12, 3], ids=["many patterns", "few patterns"])
def test_smoother_is_a_ridge_regression_on_the_seen_cells(keep, units):
    values, seen = factor_outcome(5)[:units], holes(5)[:units]
    factors = decomposed(factor_outcome(6)).factors[:2]
    fitted = smoothed(values, seen, smoother(factors, keep))
    for row in range(units):
        np.testing.assert_allclose(fitted[row], ridge_fit(values[row], seen[row], factors, keep), atol=1e-9)


@pytest.mark.parametrize("keep", [np.array([1.0, 1.0]), np.array([0.9, 0.3])], ids=["least squares", "ridge"])
@pytest.mark.parametrize("blocks", [None, 4])
def test_left_out_errors_are_those_of_fits_without_the_cells(keep, blocks):
    values, seen = factor_outcome(7), holes(7)
    factors = decomposed(factor_outcome(8)).factors[:2]
    both = np.array([keep, 0.5 * keep])
    for each, errors in zip(both, left_out_errors(values, factors, both, seen, blocks), strict=True):
        one_by_one(values, seen, factors, each, blocks, errors)


def one_by_one(values, seen, factors, keep, blocks, errors):
    for row in range(12):
        cells = np.flatnonzero(seen[row])
        edges = [cells.size * number // 4 for number in range(5)]
        runs = [[cell] for cell in cells] if blocks is None else [cells[a:b] for a, b in itertools.pairwise(edges)]
        for run in runs:
            left = np.setdiff1d(cells, run)
            fitted = ridge_fit(values[row], left, factors, keep)
            np.testing.assert_allclose(errors[row, run], (values[row] - fitted)[run], atol=1e-8)
    assert np.isnan(errors[~seen]).all()


# ------------------------------------------------------------------ a matrix with missing cells


@pytest.mark.parametrize("share", [0.6, 0.2, 0.03])
@pytest.mark.parametrize("with_covariates", [False, True])
def test_completion_by_nuclear_norm_meets_the_conditions_of_the_minimum(share, with_covariates):
    """Convex, so these conditions are proof: residuals sum to zero by unit and period, are orthogonal to covariates, have no
    singular value above the threshold, and the threshold itself along L."""
    outcome, observed = factor_outcome(1), holes(share=0.05)
    layers = covariates() if with_covariates else NOTHING
    threshold = share * decomposed(outcome).values[0]
    found = completed(outcome, observed, layers, soft(threshold))
    rest = np.where(observed, outcome - found.fitted, 0.0)
    np.testing.assert_allclose(rest.sum(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(rest.sum(axis=1), 0.0, atol=1e-6)
    np.testing.assert_allclose((layers * rest).sum(axis=(1, 2)), 0.0, atol=1e-5)
    last = found.decomposition
    low = (last.rest @ last.factors.T * found.keep) @ last.factors
    left, values, right = np.linalg.svd(low)
    rank = int((values > 1e-6).sum())
    np.testing.assert_allclose(left[:, :rank].T @ rest @ right[:rank].T, threshold * np.eye(rank), atol=1e-5)
    assert np.linalg.norm(rest, 2) <= threshold + 1e-6
    penalised = 0.5 * (rest**2).sum() + threshold * values.sum()
    assert found.objective == pytest.approx(penalised, rel=1e-7)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_completion_by_rank_is_where_plain_em_ends(rank):
    outcome = factor_outcome(1)
    observed = np.ones((12, 14), dtype=bool)
    observed[:3, 10:] = observed[7, 4] = False
    steps = em_rounds(outcome, observed, two_way(outcome, observed), rank=rank)
    for _ in range(1000):
        fitted = next(steps)
    found = completed(outcome, observed, NOTHING, hard(rank))
    squares = 0.5 * np.sum((outcome - fitted)[observed] ** 2)
    assert found.objective == pytest.approx(squares, rel=1e-9)
    np.testing.assert_allclose(found.fitted, fitted, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 2])
def test_completion_by_rank_with_covariates_is_stationary_in_all_its_parts(rank):
    outcome, observed, layers = factor_outcome(1), holes(share=0.05), covariates()
    found = completed(outcome, observed, layers, hard(rank))
    rest = np.where(observed, outcome - found.fitted, 0.0)
    last = found.decomposition
    for condition in (rest.sum(axis=0), rest.sum(axis=1), (layers * rest).sum(axis=(1, 2)), rest @ last.factors[:rank].T,
                      (last.rest @ last.factors[:rank].T).T @ rest):  # fmt: skip
        np.testing.assert_allclose(condition, 0.0, atol=1e-5)


def test_many_completions_are_the_same_as_one_at_a_time():
    outcome, layers = factor_outcome(1), covariates()
    everywhere = np.ones((12, 14), dtype=bool)
    for one, shrink in zip(
        completions(outcome, everywhere, layers, map(hard, range(3))), map(hard, range(3)), strict=True
    ):
        other = completed(outcome, everywhere, layers, shrink)
        np.testing.assert_allclose(one.coefficients, other.coefficients, atol=1e-6)
    for one, rank in zip(completions(outcome, everywhere, NOTHING, map(hard, range(3))), range(3), strict=True):
        np.testing.assert_allclose(one.fitted, completed(outcome, everywhere, NOTHING, hard(rank)).fitted, atol=1e-9)


# ------------------------------------------------------------------ whole estimators, by loops


def staggered(seed=1, **more):
    return make_panel(factor_outcome(seed, 20, 16), {3: 9, 5: 9, 7: 12}, **more)


def by_event_time(panel, gaps):
    """{time since start: mean of the treated units' gaps}"""
    found = {}
    for row, line in gaps.items():
        for column, gap in enumerate(line):
            found.setdefault(column - panel.start[row], []).append(gap)
    return {time: np.mean(each) for time, each in found.items()}


def test_interactive_effects_with_several_starts_unit_by_unit():
    panel = staggered()
    found = IFE.fit(panel, IFE.options(rank=2))
    controls = panel.outcome[~panel.treated]
    rest = controls - controls.mean(axis=0) - controls.mean(axis=1, keepdims=True) + controls.mean()
    factors = np.linalg.svd(rest)[2][:2]
    design = np.column_stack([np.ones(16), factors.T])
    gaps = {}
    for row in np.flatnonzero(panel.treated):
        left = panel.outcome[row] - controls.mean(axis=0)
        before = slice(0, panel.start[row])
        gaps[row] = left - design @ np.linalg.lstsq(design[before], left[before], rcond=None)[0]
    assert found.att == pytest.approx(np.concatenate([gaps[row][panel.start[row] :] for row in gaps]).mean(), abs=1e-9)
    path = by_event_time(panel, gaps)
    assert found.event_times.tolist() == sorted(path)
    np.testing.assert_allclose(found.effects, [path[time] for time in found.event_times], atol=1e-9)


@pytest.mark.parametrize(("method", "options"), [(IFE, {"rank": 1}), (CCE, {})], ids=["factors", "averages"])
def test_cells_are_weighted_by_persons(method, options):
    size = np.random.default_rng(3).integers(50, 5000, (20, 16)).astype(float)
    panel, plain = staggered(size=size), staggered()
    others = np.flatnonzero(~plain.treated)
    total = persons = 0.0
    for row in np.flatnonzero(plain.treated):
        alone = method.fit(plain.keep_units([row, *others]), method.options(**options))
        after = slice(plain.start[row], None)
        total += (size[row, after] * alone.effects[after]).sum()
        persons += size[row, after].sum()
    assert method.fit(panel, method.options(**options)).att == pytest.approx(total / persons, abs=1e-9)


def test_common_correlated_effects_by_the_four_steps_of_the_paper():
    """The paper's steps 1-4 with unit intercepts: the slopes of the covariates cancel, as the estimator says."""
    rng = np.random.default_rng(5)
    x = rng.normal(0, 1, (20, 16)) + rng.normal(1, 0.5, (20, 1)) * rng.normal(0, 1, 16).cumsum()
    panel = make_panel(factor_outcome(1, 20, 16) + 0.7 * x, {3: 10, 5: 10}, covariates={"x": x})
    y, never = panel.outcome, ~panel.treated
    proxies = np.column_stack([np.ones(16), y[never].mean(axis=0), x[never].mean(axis=0)])
    before = proxies[:10]
    maker = np.eye(10) - before @ np.linalg.pinv(before)
    top = sum(x[row, :10] @ maker @ y[row, :10] for row in range(20))
    slope = top / sum(x[row, :10] @ maker @ x[row, :10] for row in range(20))
    whole, direct = [], []
    for row in (3, 5):
        loadings = np.linalg.pinv(before) @ (y[row, :10] - slope * x[row, :10])
        imputed_x = proxies @ np.linalg.pinv(before) @ x[row, :10]
        whole.append(y[row, 10:] - (slope * imputed_x + proxies @ loadings)[10:])
        direct.append(y[row, 10:] - (slope * x[row] + proxies @ loadings)[10:])
    found = CCE.fit(panel, CCE.options(covariates=("x",)))
    assert found.att == pytest.approx(np.mean(whole), abs=1e-9)
    split = CCE.fit(panel, CCE.options(covariates=("x",), estimator="direct"))
    assert split.att == pytest.approx(np.mean(direct), abs=1e-9)
    assert split.details["whole_effect"] == pytest.approx(np.mean(whole), abs=1e-9)
    assert split.details["coefficients"]["x"] == pytest.approx(slope, abs=1e-9)


def test_mean_group_slopes_are_the_mean_of_unit_regressions_with_missing_cells():
    rng = np.random.default_rng(6)
    x, y = rng.normal(0, 1, (2, 20, 30)), rng.normal(0, 1, (20, 30))
    averages, seen = rng.normal(0, 1, (2, 30)), rng.random((20, 30)) > 0.2
    own = []
    for row in range(20):
        cells = seen[row]
        design = np.column_stack([x[:, row, cells].T, np.ones(cells.sum()), averages[:, cells].T])
        own.append(np.linalg.lstsq(design, y[row, cells], rcond=None)[0][:2])
    found = common_slopes(y, x, averages, seen, pooled=False)
    np.testing.assert_allclose(found.individual, own, atol=1e-9)
    np.testing.assert_allclose(found.coefficients, np.mean(own, axis=0), atol=1e-9)
    np.testing.assert_allclose(found.covariance, np.cov(np.array(own).T) / 20, atol=1e-9)
