"""Effects by dose: regressions written out by hand, and standard errors by influence, by refitting and by fresh samples."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evaluation.estimators import ESTIMATORS
from tests.oracle.panels import make_panel

METHOD = ESTIMATORS["dose_response"]


def fit(panel, **options):
    return METHOD.fit(panel, METHOD.options(**options))


def world(seed, treated=40, controls=60, n_periods=5, slope=0.5, start=3, distinct=False):
    """Effect 1 + slope × dose (and noise of its own) from `start` on."""
    rng = np.random.default_rng(seed)
    n = treated + controls
    dose = np.zeros(n)
    dose[:treated] = rng.integers(1, 4, treated) if distinct else rng.uniform(0.5, 4, treated)
    outcome = rng.normal(10, 2, (n, 1)) + np.cumsum(rng.normal(0, 0.5, (n, n_periods)), axis=1)
    outcome[:treated, start:] += 1.0 + slope * dose[:treated, None]
    return make_panel(outcome, dict.fromkeys(range(treated), start), covariates={"dose": dose})


def change(panel, start=3):
    """(units,) mean after the start minus the last value before it."""
    return panel.outcome[:, start:].mean(axis=1) - panel.outcome[:, start - 1]


def stacked(panel, basis, start=3):
    """Coefficients and heteroskedasticity-robust covariance (HC0) of changes on a dummy of the controls and the treated's `basis`.

    Subtracting the dummy's coefficient from the constant of the basis gives effects against the controls.
    """
    treated = panel.treated
    design = np.zeros((treated.size, 1 + basis.shape[1]))
    design[~treated, 0] = 1.0
    design[treated, 1:] = basis
    y = change(panel, start)
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    scores = design * (y - design @ beta)[:, None]
    return beta, inverse @ scores.T @ scores @ inverse


def test_average_effect_is_the_difference_of_mean_changes():
    panel = world(1)
    found = fit(panel)
    y = change(panel)
    assert found.att == pytest.approx(y[:40].mean() - y[40:].mean(), abs=1e-10)
    variance = y[:40].var() / 40 + y[40:].var() / 60
    assert (found.influence**2).sum() == pytest.approx(variance, rel=1e-10)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_slope_and_curve_are_those_of_the_regression_written_out(degree):
    panel = world(2)
    found = fit(panel, degree=degree).details
    dose = panel.covariates["dose"][:40]
    powers = np.arange(degree + 1)
    beta, covariance = stacked(panel, dose[:, None] ** powers)
    slopes = np.concatenate([[0.0, 0.0], [k * (dose ** (k - 1)).mean() for k in range(1, degree + 1)]])
    assert found["slope"]["effect"] == pytest.approx(slopes @ beta, rel=1e-7)
    assert found["slope"]["std_error"] == pytest.approx(np.sqrt(slopes @ covariance @ slopes), rel=1e-7)
    for row in found["curve"]:
        weights = np.concatenate([[-1.0], row["dose"] ** powers])
        assert row["effect"] == pytest.approx(weights @ beta, rel=1e-7)
        assert row["std_error"] == pytest.approx(np.sqrt(weights @ covariance @ weights), rel=1e-7)


def test_groups_of_doses_are_differences_of_means():
    panel = world(3, distinct=True)
    found = fit(panel, degree="bins").details["bins"]
    y, dose = change(panel), panel.covariates["dose"]
    assert [row["dose"] for row in found] == pytest.approx([1.0, 2.0, 3.0])
    for row in found:
        own = y[dose == round(row["dose"])]
        assert row["units"] == own.size
        assert row["effect"] == pytest.approx(own.mean() - y[40:].mean(), abs=1e-10)
        assert row["std_error"] == pytest.approx(np.sqrt(own.var() / own.size + y[40:].var() / 60), rel=1e-9)


def test_many_doses_are_grouped_by_quartile_and_average_to_the_headline():
    panel = world(4)
    found = fit(panel, degree="bins")
    rows = found.details["bins"]
    assert [row["units"] for row in rows] == [10, 10, 10, 10]
    assert sum(row["share"] * row["effect"] for row in rows) == pytest.approx(found.att, abs=1e-10)


def brute(panel):
    """(att, slope) with any starts, holes, sizes and doses that change: cell by cell, then weighted least squares."""
    y, dose = panel.outcome, panel.covariates["dose"]
    dose = dose if dose.ndim == 2 else np.repeat(dose[:, None], panel.n_periods, axis=1)
    rows = []
    for unit in np.flatnonzero(panel.treated):
        before = [t for t in range(panel.start[unit]) if np.isfinite(y[unit, t])]
        for period in np.flatnonzero(panel.target[unit]):
            if not before or not np.isfinite(y[unit, period]):
                continue
            pair = [before[-1], period]
            controls = [j for j in np.flatnonzero(~panel.treated) if np.isfinite(y[j, pair]).all()]
            effect = (
                y[unit, period] - y[unit, before[-1]] - np.mean([y[j, period] - y[j, before[-1]] for j in controls])
            )
            rows.append((effect, dose[unit, period], 1.0 if panel.size is None else panel.size[unit, period]))
    effect, at, weight = np.array(rows).T
    design = np.column_stack([np.ones_like(at), at]) * np.sqrt(weight)[:, None]
    return np.average(effect, weights=weight), np.linalg.lstsq(design, effect * np.sqrt(weight), rcond=None)[0][1]


def ragged(seed):
    """Three starts (one unit treated from the first period), holes, sizes, a dose that grows."""
    rng = np.random.default_rng(seed)
    outcome = rng.normal(size=(30, 7)).cumsum(axis=1)
    outcome[rng.random(outcome.shape) < 0.1] = np.nan
    starts = {0: 0} | {row: 2 + row % 3 for row in range(1, 12)}
    dose = rng.uniform(1, 5, (30, 7)).cumsum(axis=1)
    return make_panel(outcome, starts, size=rng.integers(5, 500, (30, 7)).astype(float), covariates={"dose": dose})


@pytest.mark.parametrize("seed", range(5))
def test_ragged_panels_cell_by_cell(seed):
    panel = ragged(seed)
    found = fit(panel)
    att, slope = brute(panel)
    assert found.att == pytest.approx(att, abs=1e-10)
    assert found.details["slope"]["effect"] == pytest.approx(slope, abs=1e-9)
    assert any(note.code == "always_treated_dropped" for note in found.notes)


def test_influence_is_the_derivative_by_the_weight_of_a_control():
    """A control counted twice in a hundred copies of everybody moves the effect by a hundredth of its influence."""
    panel = world(5, treated=6, controls=8)
    base = fit(panel)
    for control in (6, 13):
        copies = np.concatenate([np.tile(np.arange(14), 200), [control]])
        again = _repeated(panel, copies)
        moved = (fit(again).att - base.att) * 200
        # second order: a part in two hundred
        assert moved == pytest.approx(base.influence[control], rel=0.02, abs=1e-4)


def _repeated(panel, rows):
    names = tuple(f"{panel.units[row]} {place}" for place, row in enumerate(rows))
    return dataclasses.replace(
        panel, outcome=panel.outcome[rows], units=names, start=panel.start[rows], cluster=None,
        covariates={"dose": panel.covariates["dose"][rows]},
    )  # fmt: skip


def test_standard_errors_are_the_spread_over_fresh_samples():
    """200 samples: their standard deviation is known to 5 per cent."""
    found = [fit(world(100 + seed)) for seed in range(200)]
    slopes = [each.details["slope"] for each in found]
    assert np.mean([row["effect"] for row in slopes]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([row["std_error"] for row in slopes]) == pytest.approx(
        np.std([row["effect"] for row in slopes]), rel=0.15
    )
    errors = [np.sqrt((each.influence**2).sum()) for each in found]
    assert np.mean(errors) == pytest.approx(np.std([each.att for each in found]), rel=0.15)
