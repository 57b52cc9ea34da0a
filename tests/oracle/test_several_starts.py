"""Several treated units with weights of their own, and several starts, against loops over one unit or one start."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.estimators import ESTIMATORS
from tests.oracle import twins
from tests.oracle.panels import factor_outcome, make_panel

SDID, SC = ESTIMATORS["synthetic_did"], ESTIMATORS["synthetic_control"]
TREATED = {0: 8, 2: 11, 5: 8, 6: 10}
CONTROLS = [row for row in range(12) if row not in TREATED]


def sdid_of(outcome, rows, start, window):
    """The twin on the mean of the treated rows; zeta counts all their cells, as the paper has it."""
    donors = outcome[CONTROLS]
    before, own = donors[:, :start], outcome[rows].mean(axis=0)
    noise = float(np.diff(before, axis=1).std(ddof=1))
    zeta = (len(rows) * len(window)) ** 0.25 * noise

    def centred(x):
        return x - x.mean(axis=0, keepdims=True)

    omega = twins.simplex_least_squares(centred(before.T), own[:start] - own[:start].mean(), ridge=zeta**2 * start)
    after = donors[:, window].mean(axis=1)
    times = twins.simplex_least_squares(centred(before), after - after.mean(), ridge=(1e-6 * noise) ** 2 * len(donors))
    gap = own - omega @ donors
    return gap - gap[:start] @ times, omega


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("window", [None, (10, 12)])
def test_synthetic_did_of_several_starts_is_the_mean_over_treated_cells_of_one_for_each_start(seed, window):
    outcome = factor_outcome(seed)
    first, last = window or (0, 13)
    cells, total, weights, paths = 0, 0.0, np.zeros(12), {}
    for start in (8, 10, 11):
        rows = [row for row, when in TREATED.items() if when == start]
        columns = np.arange(max(start, first), last + 1)
        path, omega = sdid_of(outcome, rows, start, columns)
        cells += len(rows) * columns.size
        total += len(rows) * path[columns].sum()
        weights[CONTROLS] += len(rows) * columns.size * omega
        paths[start] = (len(rows), path)
    found = SDID.fit(make_panel(outcome, TREATED).with_window(window), SDID.options())
    # exact optima on both sides; rounding of the slow one in the weights, times outcomes near 70
    assert found.att == pytest.approx(total / cells, abs=1e-5)
    np.testing.assert_allclose(found.unit_weights, weights / cells, atol=1e-6)
    assert found.event_times.tolist() == list(range(-11, 6))
    for time, effect in zip(found.event_times.tolist(), found.effects, strict=True):
        there = [(n, path[start + time]) for start, (n, path) in paths.items() if 0 <= start + time < 14]
        assert effect == pytest.approx(sum(n * value for n, value in there) / sum(n for n, _ in there), abs=1e-5)
    assert [row["start"] for row in found.details["cohorts"]] == ["2009", "2011", "2012"]
    assert sum(row["share"] for row in found.details["cohorts"]) == pytest.approx(1)


def test_one_for_each_is_the_mean_over_treated_cells_of_single_synthetic_controls():
    outcome = factor_outcome(4)
    found = SC.fit(make_panel(outcome, TREATED), SC.options(pooled="each"))
    total, weights, cells = 0.0, np.zeros(12), 0
    for row, start in TREATED.items():
        omega = twins.simplex_least_squares(outcome[CONTROLS, :start].T, outcome[row, :start])
        total += (outcome[row] - omega @ outcome[CONTROLS])[start:].sum()
        weights[CONTROLS] += (14 - start) * omega
        cells += 14 - start
    assert found.att == pytest.approx(total / cells, abs=1e-5)
    np.testing.assert_allclose(found.unit_weights, weights / cells, atol=1e-5)
    assert found.periods is None
    assert [row["unit"] for row in found.details["treated_units"]] == [f"unit {row:02d}" for row in TREATED]


@pytest.mark.parametrize("options", [{}, {"demeaned": True}, {"penalty": 0.1}, {"covariates": ("x",), "v": "equal"}])
def test_one_for_each_with_one_start_has_a_path_by_period_that_adds_up(options):
    rng = np.random.default_rng(2)
    size = rng.integers(50, 5000, (12, 14)).astype(float)
    covariates = {"x": rng.normal(size=(12, 14))}
    panel = make_panel(factor_outcome(2), {0: 9, 5: 9, 7: 9}, size=size, covariates=covariates)
    found = SC.fit(panel, SC.options(pooled="each", **options))
    singles = [SC.fit(panel.assign({row: 9}, without={0, 5, 7} - {row}), SC.options(**options)) for row in (0, 5, 7)]
    persons = size[[0, 5, 7]]
    for period in range(9, 14):
        expected = sum(single.effects[period] * n for single, n in zip(singles, persons[:, period], strict=True))
        assert found.effects[period] == pytest.approx(expected / persons[:, period].sum(), abs=1e-9)
    np.testing.assert_allclose(found.observed - found.counterfactual, found.effects, atol=1e-10)
    after = persons[:, 9:].sum(axis=0)
    assert found.att == pytest.approx(found.effects[9:] @ after / after.sum(), abs=1e-9)
    assert found.unit_weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("method", [SDID, SC], ids=["sdid", "sc"])
def test_sizes_weight_the_starts_by_the_persons_treated(method):
    rng = np.random.default_rng(3)
    size = rng.integers(50, 5000, (12, 14)).astype(float)
    size[4, 3] = np.nan
    options = method.options() if method is SDID else method.options(pooled="each")
    panel = make_panel(factor_outcome(3), {0: 8, 5: 10}, size=size)
    found = method.fit(panel, options)
    early = method.fit(panel.assign({0: 8}, without=[5]), options)
    late = method.fit(panel.assign({5: 10}, without=[0]), options)
    persons = np.array([size[0, 8:].sum(), size[5, 10:].sum()])
    assert found.att == pytest.approx(persons @ [early.att, late.att] / persons.sum(), abs=1e-9)
    at = found.event_times.tolist().index(1)
    there = np.array([size[0, 9], size[5, 11]])
    assert found.effects[at] == pytest.approx(there @ [early.effects[9], late.effects[11]] / there.sum(), abs=1e-9)


def test_one_start_is_the_same_to_the_last_bit_whichever_way_it_is_asked_for():
    outcome = factor_outcome(6)
    plain = SC.fit(make_panel(outcome, {3: 9}), SC.options())
    each = SC.fit(make_panel(outcome, {3: 9}), SC.options(pooled="each"))
    assert plain.att == each.att
    np.testing.assert_array_equal(plain.effects, each.effects)
