"""sun_abraham, extended_twfe and what did says of several starts, against every dummy written out and every pair taken by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import statsmodels.api as sm

from evaluation.estimators import ESTIMATORS
from evaluation.regression import two_way_regression
from tests.oracle.panels import factor_outcome, make_panel

STARTS = {0: 4, 1: 4, 2: 6, 3: 6, 4: 6, 5: 8, 6: 8}
UNITS, PERIODS = 16, 10
CLOSE = {"rtol": 1e-7, "atol": 1e-8}  # sums by cohort cancel a few more digits than cells do


def staggered(seed=1, *, holes=False, treated=None, **more):
    outcome = factor_outcome(seed, UNITS, PERIODS)
    panel = make_panel(outcome, STARTS if treated is None else treated, **more)
    outcome = outcome + np.where(panel.after, 0.3 * (np.arange(PERIODS) - panel.start[:, None]) + panel.start[:, None] / 5, 0)
    if holes:
        outcome[np.random.default_rng(seed).random(outcome.shape) < 0.1] = np.nan
    return panel.with_outcome(outcome)


def fit(method, panel, **options):
    return ESTIMATORS[method].fit(panel, ESTIMATORS[method].options(**options))


def weights_of(kind, panel):
    if kind == "equal":
        return {}, None
    cells = np.random.default_rng(5).uniform(0.5, 9.0, panel.outcome.shape)
    return {"w": cells}, cells


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("weighted", ["equal", "cells"])
@pytest.mark.parametrize("references", [-1, (-1, -3)])
def test_sun_abraham_equals_its_dummies(holes, weighted, references):
    panel = staggered(2, holes=holes)
    covariates, weights = weights_of(weighted, panel)
    z = np.random.default_rng(9).normal(0, 1, panel.outcome.shape)
    panel = staggered(2, holes=holes, covariates={**covariates, "z": z})
    times = np.arange(PERIODS) - panel.start[:, None]
    references_named = (references,) if isinstance(references, int) else references
    pairs, dummies = [], []
    for start in panel.starts:
        for time in np.unique(times[panel.start == start]):
            layer = ((panel.start == start)[:, None] & (times == time)).astype(float)
            if time not in references_named and np.isfinite(panel.outcome[layer > 0]).any():
                pairs.append((start, time))
                dummies.append(layer)
    theirs = two_way_regression(panel.outcome, np.stack([*dummies, z]), weights=weights)
    count = np.array([(np.where(np.isfinite(panel.outcome), 1.0 if weights is None else weights, 0.0) * d).sum() for d in dummies])
    after = np.array([time >= 0 for _, time in pairs])
    att = (count * after) @ theirs.coefficients[:-1] / count[after].sum()
    ours = fit("sun_abraham", panel, covariates=("z",), weights="" if weights is None else "w", reference=references)
    np.testing.assert_allclose(ours.att, att, **CLOSE)
    influence = (count * after) @ theirs.influence[:-1] / count[after].sum()
    np.testing.assert_allclose(ours.influence, influence, **CLOSE)
    for index, time in enumerate(ours.event_times):
        own = np.array([other == time for _, other in pairs])
        if own.any():
            np.testing.assert_allclose(ours.effects[index], count[own] @ theirs.coefficients[:-1][own] / count[own].sum(), **CLOSE)
            np.testing.assert_allclose(ours.path_influence[index], count[own] @ theirs.influence[:-1][own] / count[own].sum(), **CLOSE)
        else:
            assert time in references_named
            assert ours.effects[index] == 0


def by_dummies(panel, x, never, weights=None):
    """Wooldridge's regression with unit effects: {(row, column) of a treated cell: (effect, influence)} and the regressors."""
    effects, layers = [], []
    for start in panel.starts:
        rows = panel.start == start
        own = np.where(np.isfinite(panel.outcome), 1.0 if weights is None else weights, 0.0) * rows[:, None]
        centre = (own.sum(axis=1) @ x) / own.sum()
        for column in range(PERIODS):
            wanted = column != start - 1 if never else column >= start
            if wanted and own[:, column].sum() > 0:
                layer = np.zeros((UNITS, PERIODS))
                layer[rows, column] = 1
                effects.append((start, column))
                layers += [layer, layer * (x - centre)[:, None]]
    for column in range(1, PERIODS):
        layer = np.zeros((UNITS, PERIODS))
        layer[:, column] = x
        layers.append(layer)
    found = two_way_regression(panel.outcome, np.stack(layers), weights=weights)
    by_cell = {}
    for index, (start, column) in enumerate(effects):
        centre_rows = panel.start == start
        own = np.where(np.isfinite(panel.outcome), 1.0 if weights is None else weights, 0.0) * centre_rows[:, None]
        centre = (own.sum(axis=1) @ x) / own.sum()
        for row in np.flatnonzero(centre_rows & np.isfinite(panel.outcome[:, column])):
            chosen = np.zeros(len(layers))
            chosen[2 * index], chosen[2 * index + 1] = 1.0, x[row] - centre
            by_cell[row, column] = (chosen @ found.coefficients, chosen @ found.influence)
    return by_cell


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("never", [False, True])
@pytest.mark.parametrize("weighted", ["equal", "cells"])
def test_extended_twfe_is_the_mean_over_treated_cells_of_the_saturated_regression(holes, never, weighted):
    x = np.random.default_rng(3).normal(5, 2, UNITS)
    covariates, weights = weights_of(weighted, staggered())
    panel = staggered(4, holes=holes, covariates={**covariates, "x": x}, treated={**STARTS, 7: 4, 8: 8})
    cells = by_dummies(panel, x, never, weights)
    after = [cell for cell in cells if panel.after[cell]]
    share = np.array([1.0 if weights is None else weights[cell] for cell in after])
    share /= share.sum()
    ours = fit(
        "extended_twfe", panel, covariates=("x",), control_group="never_treated" if never else "not_yet_treated",
        weights="" if weights is None else "w",
    )  # fmt: skip
    np.testing.assert_allclose(ours.att, share @ [cells[cell][0] for cell in after], **CLOSE)
    np.testing.assert_allclose(ours.influence, share @ np.stack([cells[cell][1] for cell in after]), **CLOSE)
    for index, time in enumerate(ours.event_times):
        own = [cell for cell in cells if cell[1] - panel.start[cell[0]] == time]
        if not own:
            assert (never, time, ours.effects[index]) == (True, -1, 0.0)
            continue
        share = np.array([1.0 if weights is None else weights[cell] for cell in own])
        np.testing.assert_allclose(ours.effects[index], share @ [cells[cell][0] for cell in own] / share.sum(), **CLOSE)


def test_poisson_effects_and_their_full_delta_method_equal_a_generalised_linear_model():
    """Every dummy in statsmodels' Poisson model; the mean effect's derivative by differences, its influence from the scores."""
    x = np.random.default_rng(3).normal(0, 0.5, UNITS)
    panel = staggered(4, covariates={"x": x}, treated={**STARTS, 7: 4, 8: 8})
    panel = panel.with_outcome(np.exp(panel.outcome / 20))
    columns, treated = [], []
    codes = np.unique(panel.start)
    for code in codes:
        rows = np.broadcast_to((panel.start == code)[:, None], panel.outcome.shape).astype(float)
        columns += [rows, rows * x[:, None]]
    for column in range(1, PERIODS):
        layer = np.zeros_like(panel.outcome)
        layer[:, column] = 1
        columns += [layer, layer * x[:, None]]
    for start, column in itertools.product(panel.starts, range(PERIODS)):
        if column >= start:
            layer = np.zeros_like(panel.outcome)
            layer[panel.start == start, column] = 1
            treated += [layer, layer * x[:, None]]
    design = np.stack([*columns, *treated]).reshape(len(columns) + len(treated), -1).T
    model = sm.GLM(panel.outcome.ravel(), design, family=sm.families.Poisson()).fit(tol=1e-13, tol_criterion="params")
    inside = panel.target.ravel()

    def effect(coefficients):
        without = coefficients.copy()
        without[len(columns) :] = 0
        return (np.exp(design[inside] @ coefficients) - np.exp(design[inside] @ without)).mean()

    ours = fit("extended_twfe", panel, covariates=("x",), family="poisson")
    assert ours.att == pytest.approx(effect(model.params), rel=1e-8)
    step = 1e-6
    slope = np.array([(effect(model.params + step * e) - effect(model.params - step * e)) / (2 * step) for e in np.eye(design.shape[1])])
    mean = model.fittedvalues
    scores = (design * (panel.outcome.ravel() - mean)[:, None]).reshape(UNITS, PERIODS, -1).sum(axis=1)
    expected = scores @ np.linalg.inv(design.T @ (design * mean[:, None])) @ slope
    np.testing.assert_allclose(ours.influence, expected, rtol=1e-5, atol=1e-8)  # difference quotients


def test_goodman_bacon_comparisons_are_the_pairs_taken_by_hand_and_average_to_the_coefficient():
    """Each 2×2 as the regression on two groups and the periods in which the control does not change; weights by its variance."""
    panel = staggered(6)
    ours = fit("did", panel)
    rows = ours.details["goodman_bacon"]["comparisons"]
    assert sum(row["weight"] for row in rows) == pytest.approx(1, abs=1e-12)
    assert sum(row["weight"] * row["effect"] for row in rows) == pytest.approx(ours.att, abs=1e-9)
    labels = {panel.periods[start].label: start for start in panel.starts} | {"never": PERIODS}
    variances = []
    for row in rows:
        k, u = labels[row["treated"]], labels[row["control"]]
        columns = np.arange(PERIODS)
        columns = columns[columns < u] if k < u else columns[columns >= u]
        units = np.isin(panel.start, [k, u])
        treatment = ((panel.start[units] == k)[:, None] & (columns >= k)).astype(float)
        theirs = two_way_regression(panel.outcome[np.ix_(units, columns)], treatment[None])
        assert row["effect"] == pytest.approx(theirs.coefficients[0], abs=1e-9)
        within = treatment - treatment.mean(axis=0) - treatment.mean(axis=1)[:, None] + treatment.mean()
        # the variance of treatment left in the pair, times the squared share of the cells it holds
        variances.append(within.var() * within.size**2)
    np.testing.assert_allclose([row["weight"] for row in rows], np.array(variances) / np.sum(variances), rtol=1e-9)
    kinds = ours.details["goodman_bacon"]["by_type"]
    assert sum(kind["weight"] * kind["effect"] for kind in kinds) == pytest.approx(ours.att, abs=1e-9)


@pytest.mark.parametrize("holes", [False, True])
def test_weights_of_treated_cells_are_what_the_coefficient_moves_by(holes):
    """Raise the effect in one treated cell by 1: the coefficient moves by that cell's weight."""
    panel = staggered(7, holes=holes, treated={0: 2, 1: 2, 2: 5, 3: 8, 4: 2, 5: 5, 6: 2, 7: 2, 8: 3, 9: 2, 10: 2, 11: 4})
    ours = fit("did", panel).details["twfe_weights"]
    assert ours["n_minus"] > 0
    base = fit("did", panel).att
    weights = []
    for row, column in zip(*np.nonzero(panel.target & np.isfinite(panel.outcome)), strict=True):
        outcome = panel.outcome.copy()
        outcome[row, column] += 1
        weights.append(fit("did", panel.with_outcome(outcome)).att - base)
    weights = np.array(weights)
    assert (ours["n_plus"], ours["n_minus"]) == ((weights > 1e-12).sum(), (weights < -1e-12).sum())
    assert ours["sum_minus"] == pytest.approx(weights[weights < 0].sum(), abs=1e-9)
    spread = (weights * len(weights)).std(ddof=1)
    assert ours["sensibility"] == pytest.approx(abs(base) / spread, rel=1e-7)
