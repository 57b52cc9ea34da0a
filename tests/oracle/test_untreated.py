"""Imputation and the two-stage estimator against matrices with a column for every unit, period, trend and covariate."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evaluation.estimators import ESTIMATORS
from evaluation.estimators.imputation import Options
from evaluation.estimators.two_stage import Options as TwoStageOptions
from tests.oracle import twins
from tests.oracle.panels import factor_outcome, make_panel

SOLVE = 1e-8  # two ways of solving one linear system, whose condition number is below 1e6


def staggered(seed=0, n_units=16, n_periods=9, *, holes=0.0, never=True, **more):
    """Starts in the 5th, 6th and 7th period, a third of the units each but for the never treated; one has the programme from the first."""
    rng = np.random.default_rng(seed)
    outcome = factor_outcome(seed, n_units, n_periods)
    outcome[rng.random(outcome.shape) < holes] = np.nan
    starts = {row: (4, 5, 6)[row % 3] for row in range(n_units) if row % 4 or not never} | {n_units - 1: 0}
    covariates = {
        "x": rng.normal(0, 1, outcome.shape),
        "z": rng.normal(0, 1, n_units),
        "w": rng.uniform(0.3, 3, n_units),
    }
    return make_panel(outcome, starts, covariates=covariates, **more)


def twin(panel, options, *, two_stage):
    """{average: (effect, influence)}: dense matrices, one row per observed cell."""
    n_units, n_periods = panel.outcome.shape
    y, unit, period, observed = twins.long_form(panel.outcome)
    weight = np.ones(y.size) if not options.weights else panel.covariates[options.weights][unit]
    start = panel.start[unit]
    untreated = (start >= n_periods) | (period < start - options.anticipation)
    columns = [twins.dummies(unit), twins.dummies(period)]
    if options.unit_trends:
        columns.append(twins.dummies(unit) * period[:, None])
    for name in options.covariates:
        values = panel.covariates[name]
        columns.append(values[observed][:, None] if values.ndim == 2 else values[unit][:, None] * twins.dummies(period))
    design = np.hstack(columns)
    first, root = design[untreated], np.sqrt(weight[untreated])
    beta = np.linalg.lstsq(root[:, None] * first, root * y[untreated], rcond=1e-11)[0]
    gap = y - design @ beta
    normal = np.linalg.pinv((first * weight[untreated][:, None]).T @ first, rcond=1e-11)
    # a cell can be imputed when its row is a combination of untreated rows
    told = np.abs(design @ normal @ (first * weight[untreated][:, None]).T @ first - design).max(axis=1) < 1e-6
    base = (weight if panel.size is None else panel.size[observed]) * told * (start < n_periods)
    inside = (period >= start) & (panel.target[observed])
    event = period - start
    sets = {"att": inside} | {int(time): event == time for time in np.unique(event[base > 0])}
    found = {}
    for name, members in sets.items():
        w = base * members
        if not w.any():
            continue
        w = w / w.sum()
        effect = w @ gap
        v = w.copy()
        v[untreated] -= weight[untreated] * (first @ (normal @ (design.T @ w)))
        residual = gap.copy()
        if two_stage:
            influence_cells = w * (gap - effect)
            influence_cells[untreated] += (v - w)[untreated] * gap[untreated]
        else:
            for g in np.unique(start):
                for t in range(n_periods):
                    cell = (start == g) & (period == t) & ~untreated
                    if (v[cell] ** 2).sum() > 0:
                        residual[cell] -= (v[cell] ** 2 @ gap[cell]) / (v[cell] ** 2).sum()
            influence_cells = v * residual
        np.testing.assert_allclose(v @ y, effect, atol=1e-7)  # the weights are those of the estimate
        found[name] = effect, np.bincount(unit, influence_cells, n_units)
    return found


WORLDS = {
    "plain": ({}, {}),
    "holes": ({"holes": 0.15}, {}),
    "nobody is never treated": ({"never": False}, {}),
    "a covariate in time": ({"holes": 0.05}, {"covariates": ("x",)}),
    "a constant covariate": ({}, {"covariates": ("z",)}),
    "both covariates, weights, holes": ({"holes": 0.1}, {"covariates": ("x", "z"), "weights": "w"}),
    "trends": ({}, {"unit_trends": True}),
    "trends, holes, weights, a covariate": (
        {"holes": 0.05},
        {"unit_trends": True, "weights": "w", "covariates": ("x",)},
    ),
    "trends and a constant covariate": ({}, {"unit_trends": True, "covariates": ("z",)}),
    "anticipation": ({}, {"anticipation": 1}),
    "sizes": ({"size": np.random.default_rng(9).uniform(10, 1000, (16, 9))}, {}),
    "a window": ({"window": (5, 6)}, {"weights": "w"}),
    "clusters": ({"cluster": np.arange(16) // 2}, {}),
}


@pytest.mark.parametrize("method", ["imputation", "two_stage"])
@pytest.mark.parametrize("world", WORLDS)
def test_effects_path_and_influence_equal_dense_matrices(method, world):
    given, chosen = WORLDS[world]
    panel = staggered(3, **given)
    options = (Options if method == "imputation" else TwoStageOptions)(**chosen)
    ours = ESTIMATORS[method].fit(panel, options)
    theirs = twin(panel, options, two_stage=method == "two_stage")
    assert ours.att == pytest.approx(theirs["att"][0], abs=SOLVE)
    np.testing.assert_allclose(ours.influence, theirs["att"][1], atol=SOLVE)
    assert set(ours.event_times.tolist()) == set(theirs) - {"att"}
    for place, time in enumerate(ours.event_times.tolist()):
        assert ours.effects[place] == pytest.approx(theirs[time][0], abs=SOLVE)
        np.testing.assert_allclose(ours.path_influence[place], theirs[time][1], atol=SOLVE)
    notes = {note.code for note in ours.notes}
    assert "always_treated_dropped" in notes
    assert ("periods_without_comparison" in notes) == (world == "nobody is never treated")


def test_effects_by_start_and_period_equal_dense_matrices():
    panel = staggered(5, cluster=np.arange(16) // 2)
    aggregates = ESTIMATORS["imputation"].fit(panel, Options()).details["aggregates"]
    columns = np.arange(9)
    for key, label in (("group", "group"), ("calendar", "period")):
        for row in aggregates[key]:
            column = int(row[label]) - 2001
            chosen = panel.after & ((panel.start == column)[:, None] if key == "group" else columns == column)
            alone = dataclasses.replace(panel, size=np.where(chosen, 1.0, 0.0))
            effect, influence = twin(alone, Options(), two_stage=False)["att"]
            assert row["effect"] == pytest.approx(effect, abs=SOLVE)
            error = np.sqrt((np.bincount(panel.cluster, influence) ** 2).sum())
            assert row["std_error"] == pytest.approx(error, abs=SOLVE)


def test_leads_equal_a_regression_on_dummies_of_the_untreated_cells():
    panel = staggered(7, holes=0.05)
    fit = ESTIMATORS["imputation"].fit(panel, Options(pretrends=2, covariates=("x",)))
    y, unit, period, observed = twins.long_form(np.where(panel.after, np.nan, panel.outcome))
    event = np.where(panel.start[unit] < 9, period - panel.start[unit], -99)
    leads = np.column_stack([event == -2, event == -1]).astype(float)
    design = np.hstack([leads, panel.covariates["x"][observed][:, None], twins.dummies(unit), twins.dummies(period)])
    theirs = np.linalg.lstsq(design, y, rcond=None)[0][:2]
    assert fit.event_times.tolist()[:2] == [-2, -1]
    np.testing.assert_allclose(fit.effects[:2], theirs, atol=SOLVE)
    assert [row["event_time"] for row in fit.details["pretrends"]] == [-2, -1]


def test_parts_of_the_panel_that_share_nothing_are_not_compared():
    """Two blocks of units seen in different periods: a treated cell is imputed only from its own block."""
    outcome = factor_outcome(1, 8, 10)
    outcome[:4, 5:] = np.nan
    outcome[4:, :5] = np.nan
    # in the second block everybody seen after the start is treated by the last two periods
    panel = make_panel(outcome, {0: 3, 4: 7, 5: 8, 6: 8, 7: 8})
    fit = ESTIMATORS["imputation"].fit(panel, Options())
    theirs = twin(panel, Options(), two_stage=False)
    assert fit.att == pytest.approx(theirs["att"][0], abs=SOLVE)
    assert "periods_without_comparison" in {note.code for note in fit.notes}
