"""Adjustments for the cycle against slow twins, and against the regressions that they stand for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.cycle import ADJUSTMENTS
from evaluation.cycle.slopes import pooled_slopes
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.noise import variance_function
from evaluation.regression import two_way_regression
from tests.oracle import cycle_twins as twins
from tests.oracle.panels import FEW, awkward_outcomes, factor_outcome, holed_outcomes, make_panel

DID = ESTIMATORS["did"]
START = 9
ONE, TWO = {3: START}, {3: START, 6: START}
HOLES = ([5, 7, 7, 10], [2, 0, 11, 13])


def world(seed, treated=ONE, n_units=14, holes=False, **more):
    outcome = factor_outcome(seed, n_units)
    rng = np.random.default_rng(seed)
    local = -0.4 * (outcome - outcome.mean(axis=1, keepdims=True)) + rng.normal(0, 0.4, outcome.shape) + 7
    if holes:
        outcome[HOLES] = np.nan
    cycle = {"unemployment": local, "unemployment|neighbours": local + rng.normal(0, 0.3, outcome.shape)}
    return make_panel(outcome, treated, **({"cycle": cycle} | more))


def adjusted(name, panel, **options):
    adjustment = ADJUSTMENTS[name]
    return adjustment.adjust(panel, adjustment.options(**options))


def close(ours, theirs):
    # both are least squares of well-conditioned data; outcomes are about 70, so 1e-9 is ten digits
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def blank(panel):
    return panel.untreated().outcome


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize("treated", [ONE, TWO], ids=["one", "two"])
def test_sensitivity_equals_the_twin(seed, holes, treated):
    panel = world(seed, treated, holes=holes)
    for shrink in (True, False):
        removed, beta = twins.sensitivity(blank(panel), treated, START, shrink=shrink)
        ours = adjusted("sensitivity", panel, shrink=shrink)
        close(ours.removed, removed)
        close(ours.terms["beta"], beta)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
def test_region_time_equals_the_twin(seed, holes):
    region = np.arange(14) % 4
    panel = world(seed, holes=holes, region=region)
    close(adjusted("region_time", panel).removed, twins.region_time(blank(panel), region, ONE, START))


@pytest.mark.parametrize("seed", range(4))
def test_did_net_of_regions_is_the_regression_with_region_by_period_effects(seed):
    region = np.arange(14) % 4
    panel = world(seed, region=region)
    cells = [(unit, period) for unit in range(14) for period in range(14)]
    columns = [[float(unit == each) for unit, _ in cells] for each in range(14)]
    columns += [
        [float(region[unit] == r and period == t) for unit, period in cells] for r in range(4) for t in range(14)
    ]
    treated = [float(panel.after[cell]) for cell in cells]
    coefficients, _ = twins.ols(np.column_stack([treated, np.array(columns).T]), panel.outcome.ravel())
    assert DID.fit(adjusted("region_time", panel).panel, DID.options()).att == pytest.approx(coefficients[0], abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize("sizes", [False, True], ids=["alike", "sizes"])
def test_pooled_slopes_equal_least_squares_with_dummies(seed, holes, sizes):
    rng = np.random.default_rng(seed)
    series = rng.normal(0, 1, (2, 14, 14))
    more = {"size": rng.uniform(50, 5000, (14, 1)) * np.ones((14, 14))} if sizes else {}
    panel = world(seed, TWO, holes=holes, **more)
    ours = pooled_slopes(panel, series, ("one", "two"), "test")
    weight = None
    if sizes:
        residuals = twins.pooled(panel.outcome, series, TWO)[2]
        rows = [row for row in range(14) if row not in TWO]
        noise = (1 / panel.size).mean(axis=1)
        design = np.column_stack([np.ones(12), noise[rows]])
        a, b = variance_function(design, np.nanmean(residuals[rows] ** 2, axis=1))
        assert (ours.constant, ours.falling) == pytest.approx((a, b), rel=1e-6, abs=1e-9)
        weight = 1 / (a + b * noise)
    coefficients, covariance, _ = twins.pooled(panel.outcome, series, TWO, weight)
    close(ours.coefficients, coefficients)
    close(ours.covariance, covariance)


def test_a_unit_seen_once_has_no_part_in_a_slope():
    panel = world(1)
    outcome = panel.outcome.copy()
    outcome[5, 1:], outcome[8] = np.nan, np.nan
    series = np.random.default_rng(0).normal(0, 1, (1, 14, 14))
    ours = pooled_slopes(panel.with_outcome(outcome), series, ("one",), "test")
    kept = panel.keep_units([row for row in range(14) if row not in (5, 8)])
    without = pooled_slopes(kept, np.delete(series, [5, 8], axis=1), ("one",), "test")
    close((ours.coefficients[0], ours.std_errors[0]), (without.coefficients[0], without.std_errors[0]))
    assert (ours.n_units, ours.n_cells) == (11, 11 * 14)


def test_pooled_slopes_equal_the_regression_of_the_estimators():
    """Complete and incomplete data of the never-treated, units alike: other code, the same coefficients."""
    for holes in (False, True):
        panel = world(1, holes=holes)
        series = np.random.default_rng(0).normal(0, 1, (2, 14, 14))
        rows = np.delete(np.arange(14), 3)
        ours = pooled_slopes(panel, series, ("one", "two"), "test")
        close(ours.coefficients, two_way_regression(panel.outcome[rows], series[:, rows]).coefficients)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize("use", ["own", "neighbours", "predicted"])
@pytest.mark.parametrize("given", [False, True], ids=["mean", "nation"])
def test_local_series_equals_the_twin(seed, holes, use, given):
    panel = world(seed, holes=holes)
    own = panel.cycle["unemployment"]
    nation = np.delete(own, 3, axis=0).mean(axis=0)
    if given:
        nation = own.mean(axis=0) + 0.1 * np.arange(14)
        panel = dataclasses.replace(panel, cycle={**panel.cycle, "unemployment|nation": nation})
    values = panel.cycle["unemployment|neighbours"] if use == "neighbours" else own
    parts = twins.split(values, own, nation, ONE, START)
    parts = parts[1:] if use == "predicted" else parts
    coefficients, covariance, _ = twins.pooled(panel.outcome, parts, ONE)
    ours = adjusted("local_series", panel, use=use)
    close(ours.removed, twins.from_before(np.tensordot(coefficients, parts, axes=1), START))
    errors = np.sqrt(np.diag(covariance))
    close(ours.terms["national_se"], errors[-1])
    close(ours.terms["national"], coefficients[-1])
    if use != "predicted":
        close((ours.terms["local"], ours.terms["local_se"]), (coefficients[0], errors[0]))


@pytest.mark.parametrize("seed", range(3))
def test_one_slope_for_a_whole_series_equals_the_twin(seed):
    panel = world(seed)
    own = panel.cycle["unemployment"][None]
    coefficients = twins.pooled(panel.outcome, own, ONE)[0]
    close(adjusted("local_series", panel, split=False).removed, twins.from_before(coefficients[0] * own[0], START))
    demand = dataclasses.replace(panel, cycle={"shift_share": own[0]})
    close(adjusted("shift_share", demand).removed, twins.from_before(coefficients[0] * own[0], START))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("treated", [ONE, TWO], ids=["one", "two"])
def test_factors_equal_the_twin(seed, rank, treated):
    panel = world(seed, treated)
    close(adjusted("factors", panel, rank=rank).removed, twins.factors(blank(panel), treated, START, rank))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
def test_cce_equals_the_twin(seed, holes):
    panel = world(seed, holes=holes)
    close(adjusted("cce", panel).removed, twins.cce(blank(panel), [panel.cycle["unemployment"]], ONE, START))


@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
def test_unit_trend_equals_a_line_through_each_unit(holes):
    panel = world(1, holes=holes)
    time = np.arange(14.0)
    amount = np.array([twins.slope(panel.outcome[row, :START], time[:START])[0] * time for row in range(14)])
    close(adjusted("unit_trend", panel).removed, twins.from_before(amount, START))


def test_averages_of_the_outcome_alone_are_the_reaction_to_the_nation_not_shrunk():
    panel = dataclasses.replace(world(2), cycle={})
    close(adjusted("cce", panel).removed, adjusted("sensitivity", panel, shrink=False).removed)


@pytest.mark.parametrize("seed", range(40))
def test_variance_function_is_reweighted_non_negative_least_squares(seed):
    """Sizes that differ, that hardly differ, and squares that one of the two parts explains alone."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(5, 60))
    noise = 1 / np.exp(rng.uniform(3, 9, count)) if seed % 3 else 0.01 * (1 + 1e-5 * rng.normal(size=count))
    squares = (rng.uniform(0, 1) * (seed % 2) + 100 * noise * (seed % 5 > 0) + 1e-3) * rng.chisquare(1, count)
    design = np.column_stack([np.ones(count), noise])
    a, b = twins.variance_function(design, squares)
    np.testing.assert_allclose(design @ np.array(variance_function(design, squares)), design @ [a, b], rtol=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [name for name in ADJUSTMENTS if name != "none"])
@FEW
@given(st.one_of(awkward_outcomes(min_units=5, min_periods=5), holed_outcomes()), st.integers(1, 4), st.booleans())
def test_awkward_outcomes_are_adjusted_or_refused_in_words(name, outcome, start, sizes):
    """Ties, twins, flat units, perfect fits, holes: a finite answer or an EstimationError, never a warning or a crash."""
    rng = np.random.default_rng(0)
    shape = outcome.shape
    more = {"size": rng.integers(1, 50, shape).astype(float)} if sizes else {}
    cycle = {"jobs": rng.integers(-3, 4, shape) / 2, "shift_share": rng.integers(-3, 4, shape) / 2}
    panel = make_panel(outcome, {0: start}, cycle=cycle, region=np.arange(shape[0]) % 2, **more)
    try:
        found = adjusted(name, panel)
    except EstimationError:
        return
    assert np.isfinite(found.removed).all()
    before = found.removed[:, :start].mean(axis=1)
    np.testing.assert_allclose(before, 0.0, atol=1e-9 * max(1.0, np.abs(found.removed).max()))
