"""Synthetic control and synthetic DiD, their placebos and their intervals, against slow twins."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evaluation
from evaluation.contracts import Pipeline
from evaluation.cycle import ADJUSTMENTS
from evaluation.estimators import ESTIMATORS
from evaluation.inference import INFERENCES
from tests.oracle import twins
from tests.oracle.panels import FEW, awkward_outcomes, factor_outcome, factor_panel, make_panel

WINDOW = np.arange(9, 14)
TWINS = {
    "did": (twins.did_gap, {}),
    "synthetic_control": (twins.sc_gap, {}),
    "synthetic_control, demeaned": (lambda *given: twins.sc_gap(*given, demeaned=True), {"demeaned": True}),
    "synthetic_did": (twins.sdid_gap, {}),
}
NAMES = list(TWINS)


def fit(name, panel):
    method = ESTIMATORS[name.split(",")[0]]
    return method.fit(panel, method.options(**TWINS[name][1]))


@cache
def estimate(name, inference, seed=1):
    return evaluation.estimate(factor_panel(seed, n_units=21), name.split(",")[0], inference=inference, **TWINS[name][1])


# ------------------------------------------------------------------ point estimates


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_effect_equals_the_twin(name, seed):
    outcome = factor_outcome(seed)
    # both weights are exact optima; the package's canonical ridge moves them by about 1e-9
    assert fit(name, make_panel(outcome, {3: 9})).att == pytest.approx(TWINS[name][0](outcome, 3, 9, WINDOW), abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_effect_over_a_window_equals_the_twin(name):
    outcome = factor_outcome(8)
    ours = fit(name, make_panel(outcome, {3: 9}).with_window((10, 12))).att
    assert ours == pytest.approx(TWINS[name][0](outcome, 3, 9, np.arange(10, 13)), abs=1e-5)


@FEW
@given(awkward_outcomes(min_periods=5), st.integers(0, 2))
def test_synthetic_control_of_awkward_data_fits_as_well_as_any_weights_can(outcome, shift):
    """Where several weights fit equally well the effect is not unique; the fit is."""
    start = 2 + shift
    panel = make_panel(outcome, {0: start})
    found = fit("synthetic_control", panel)
    donors = outcome[1:, :start].T
    best = twins.simplex_objective(donors, outcome[0, :start], twins.simplex_least_squares(donors, outcome[0, :start]))
    assert found.fit_rmse == pytest.approx(np.sqrt(best / start), abs=1e-3)  # square root of a loss good to 1e-8
    assert (found.unit_weights >= 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_synthetic_did_weights_carry_a_certificate_of_optimality(seed):
    outcome = factor_outcome(seed)
    found = fit("synthetic_did", make_panel(outcome, {3: 9}))
    donors = np.delete(outcome, 3, axis=0)[:, :9]
    zeta = 5**0.25 * np.diff(donors, axis=1).std(ddof=1)
    columns, target = donors.T - donors.T.mean(axis=0), outcome[3, :9] - outcome[3, :9].mean()
    weights = np.delete(found.unit_weights, 3)
    scale = float(np.mean(np.sum((columns - target[:, None]) ** 2, axis=0)))
    assert twins.simplex_certificate(columns, target, weights, zeta**2 * 9) < 1e-6 * scale


def test_several_treated_units_are_averaged_first():
    outcome = factor_outcome(6)
    panel = make_panel(outcome, {1: 9, 2: 9, 3: 9})
    merged = np.vstack([outcome[[1, 2, 3]].mean(axis=0), np.delete(outcome, [1, 2, 3], axis=0)])
    for name in ("did", "synthetic_control"):
        assert fit(name, panel).att == pytest.approx(TWINS[name][0](merged, 0, 9, WINDOW), abs=1e-5)


# ------------------------------------------------------------------ placebo inference


@pytest.mark.parametrize("name", NAMES)
def test_placebos_equal_a_naive_loop(name):
    panel = factor_panel(1, n_units=21)
    naive = twins.placebo_gaps(panel.outcome, 3, lambda outcome, unit: TWINS[name][0](outcome, unit, 9, WINDOW))
    ours = estimate(name, "placebo")
    np.testing.assert_allclose(ours.details["placebo"]["effects"], naive, atol=1e-4)
    assert ours.p_value == twins.placebo_p_value(ours.effect, naive)
    assert ours.std_error == pytest.approx(naive.std(), abs=1e-4)
    assert ours.details["placebo"]["units"] == [unit for unit in panel.units if unit != "unit 03"]


@pytest.mark.parametrize("name", NAMES)
def test_placebo_interval_equals_a_brute_force_grid(name):
    """Every hypothetical effect is imposed on the data, the whole test is done again, and what is not rejected is kept."""
    panel = factor_panel(1, n_units=21)
    ours = estimate(name, "placebo")
    method, none = ESTIMATORS[name.split(",")[0]], ADJUSTMENTS["none"]
    pipeline = Pipeline(method, method.options(**TWINS[name][1]), none, none.options())
    rng = np.random.default_rng(0)

    def p_value(effect):
        return INFERENCES["placebo"].test(pipeline, panel.with_outcome(panel.outcome - effect * panel.target), rng)

    reach = 1.5 * (ours.upper - ours.effect)
    steps = 81
    lower, upper = twins.interval_by_grid(p_value, 0.95, ours.effect - reach, ours.effect + reach, steps)
    step = 2 * reach / (steps - 1)
    assert ours.lower == pytest.approx(lower, abs=1.01 * step)
    assert ours.upper == pytest.approx(upper, abs=1.01 * step)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "synthetic_did"])
def test_path_p_values_equal_ranks_period_by_period(name):
    """Not synthetic_did: its time weights depend on the window, so one period's effect is another estimate."""
    panel = factor_panel(1, n_units=21)
    ours = estimate(name, "placebo")
    for column in (9, 13):
        naive = twins.placebo_gaps(
            panel.outcome, 3, lambda outcome, unit, column=column: TWINS[name][0](outcome, unit, 9, np.array([column]))
        )
        point = ours.path[column]
        assert point.p_value == twins.placebo_p_value(point.effect, naive)


def test_ferman_pinto_with_equal_sizes_is_the_placebo_test():
    panel = factor_panel(1, n_units=21, size=np.full((21, 14), 700.0))
    rescaled, plain = (evaluation.estimate(panel, "did", inference=name) for name in ("ferman_pinto", "placebo"))
    for field in ("effect", "lower", "upper", "p_value", "std_error"):
        assert getattr(rescaled, field) == pytest.approx(getattr(plain, field), rel=1e-9)


def test_ferman_pinto_finds_the_variance_function_it_should():
    """Noise of variance a + b/size: placebos of small units are shrunk to the size of the treated one."""
    rng = np.random.default_rng(4)
    n_units, n_periods, start = 400, 12, 6
    size = np.repeat(np.exp(rng.uniform(np.log(50), np.log(5000), (n_units, 1))), n_periods, axis=1)
    outcome = rng.normal(0, 1, (n_units, n_periods)) * np.sqrt(0.04 + 100.0 / size)
    panel = make_panel(outcome, {0: start}, size=size)
    variance = evaluation.estimate(panel, "did", inference="ferman_pinto").details["variance"]
    # a mean of 6 minus a mean of 6: variance × (1/6 + 1/6); the sampling error of 400 squares is some 10 to 20 %
    assert variance["slope"] == pytest.approx(100.0 / 3, rel=0.35)
    assert variance["constant"] == pytest.approx(0.04 / 3, rel=0.6)


def test_conley_taber_of_one_treated_unit_equals_ranks_of_residual_changes():
    panel = factor_panel(1, n_units=45)
    ours = evaluation.estimate(panel, "did", inference="conley_taber")
    others = np.delete(panel.outcome, 3, axis=0)
    change = others[:, 9:].mean(axis=1) - others[:, :9].mean(axis=1)
    draws = np.sort(change - change.mean())
    above, below = 1 + (draws >= ours.effect).sum(), 1 + (draws <= ours.effect).sum()
    assert ours.p_value == pytest.approx(min(1.0, 2 * min(above, below) / 45))
    # 2.5 % of 45 is one rank: the largest and the smallest change
    assert (ours.lower, ours.upper) == pytest.approx((ours.effect - draws[-1], ours.effect - draws[0]))


# ------------------------------------------------------------------ conformal inference


def null_imposed_residuals(name, outcome, treated):
    donors = np.delete(outcome, treated, axis=0)
    own = outcome[treated]
    if name == "did":
        gap = own - donors.mean(axis=0)
        return gap - gap.mean()
    if name == "synthetic_control, demeaned":
        donors, own = donors - donors.mean(axis=1, keepdims=True), own - own.mean()
    return own - twins.simplex_least_squares(donors.T, own) @ donors


@pytest.mark.parametrize("name", ["did", "synthetic_control", "synthetic_control, demeaned"])
@pytest.mark.parametrize("seed", range(3))
def test_conformal_p_value_equals_cyclic_shifts_of_null_imposed_residuals(name, seed):
    outcome = factor_outcome(seed, 8, 24)
    panel = make_panel(outcome, {3: 18})
    ours = evaluation.estimate(panel, name.split(",")[0], inference="conformal", level=0.8, **TWINS[name][1])
    assert ours.p_value == pytest.approx(twins.conformal_p_value(null_imposed_residuals(name, outcome, 3), 6), abs=1e-9)


def test_conformal_p_value_of_one_period_leaves_the_other_treated_periods_out():
    outcome = factor_outcome(2, 8, 24)
    ours = evaluation.estimate(make_panel(outcome, {3: 18}), "did", inference="conformal", level=0.8)
    for column in (18, 23):
        alone = outcome[:, [*range(18), column]]
        assert ours.path[column].p_value == pytest.approx(twins.conformal_p_value(null_imposed_residuals("did", alone, 3), 1))
