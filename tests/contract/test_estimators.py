"""One loop over the registry of estimators: whatever is entered there must keep its promises, without being named here."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

import evaluation
from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.inference import INFERENCES
from tests.contract import plain
from tests.oracle.panels import factor_outcome, factor_panel, make_panel

METHODS = [pytest.param(method, id=name) for name, method in ESTIMATORS.items()]
SCALE = 4.0  # the outcomes of factor_outcome differ by about this much


def sized(n_units=12, n_periods=14):
    return np.random.default_rng(7).integers(50, 5000, (n_units, n_periods)).astype(float)


PANELS = {
    "one treated unit": lambda: factor_panel(1),
    "one treated unit, window": lambda: factor_panel(2).with_window((10, 12)),
    "three treated units": lambda: make_panel(factor_outcome(3), {0: 9, 5: 9, 7: 9}),
    "sizes": lambda: factor_panel(4, size=sized()),
    "more donors than pre-periods": lambda: factor_panel(5, n_units=25, n_periods=9, start=4),
}
WORLDS = [pytest.param(make, id=name) for name, make in PANELS.items()]


SHIFTS = ("period_shift", "unit_shift", "common_shift")


def promised(*kinds):
    """(method, kind) of all methods that promise a kind of invariance."""
    return [pytest.param(method, kind, id=f"{name}-{kind}") for name, method in ESTIMATORS.items() for kind in kinds if kind in method.keeps]


def not_promised(*kinds):
    """(method, kind) of all methods that do not."""
    return [pytest.param(method, kind, id=f"{name}-{kind}") for name, method in ESTIMATORS.items() for kind in kinds if kind not in method.keeps]


def furnished(method: Method, panel):
    """The panel with the covariates without which the method has nothing to say: a second group's outcome, a dose."""
    made = {}
    if "second_group" in method.needs and "second_group" not in panel.covariates:
        made["second_group"] = 0.8 * factor_outcome(99, panel.n_units, panel.n_periods)
    if "dose" in method.needs and "dose" not in panel.covariates:
        made["dose"] = np.where(panel.treated, 1.0 + np.arange(panel.n_units) % 3, 0.0)
    return dataclasses.replace(panel, covariates={**panel.covariates, **made}) if made else panel


def scaled(panel, factor):
    """The panel with the outcome multiplied, and a second group's along: it is measured in the same unit."""
    covariates = {name: values * (factor if name == "second_group" else 1.0) for name, values in panel.covariates.items()}
    return dataclasses.replace(panel, outcome=panel.outcome * factor, covariates=covariates)


def fit(method: Method, panel) -> Fit:
    return method.fit(furnished(method, panel), method.options())


@functools.cache
def answer(name, make):
    """What an estimator says of a world, computed once for all that is compared with it."""
    return fit(ESTIMATORS[name], make())


def close(ours, theirs, within=1e-6):
    np.testing.assert_allclose(ours, theirs, atol=within * SCALE, rtol=0)


# ------------------------------------------------------------------ what is known about a method


@pytest.mark.parametrize("name", ESTIMATORS)
def test_entry_describes_itself(name):
    method = ESTIMATORS[name]
    assert method.name == name
    assert method.summary
    assert not method.summary.endswith(".")
    assert any(character.isdigit() for character in method.source), "the source needs a year"
    assert method.default_inference in INFERENCES
    assert plain.options_without_description(method.options) == []


# ------------------------------------------------------------------ shapes


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", WORLDS)
def test_fit_has_the_shapes_and_sums_it_promises(method, make):
    panel = make()
    found = answer(method.name, make)
    assert np.isfinite(found.att)
    assert found.effects.shape == found.event_times.shape
    for line in (found.periods, found.observed, found.counterfactual):
        assert line is None or line.shape == found.effects.shape
    if found.unit_weights is not None:
        assert found.unit_weights.shape == (panel.n_units,)
        assert found.unit_weights.sum() == pytest.approx(1, abs=1e-9)
        assert (found.unit_weights[panel.treated] == 0).all()
    if found.time_weights is not None:
        assert found.time_weights.shape == (panel.n_periods,)
        assert found.time_weights.sum() == pytest.approx(1, abs=1e-9)
        assert (found.time_weights[panel.starts[0] :] == 0).all()
    if found.influence is not None:
        assert found.influence.shape == (panel.n_units,)
    if found.path_influence is not None:
        assert found.path_influence.shape == (found.effects.size, panel.n_units)


@pytest.mark.parametrize("method", METHODS)
def test_path_is_observed_minus_counterfactual_and_its_mean_over_the_window_the_effect(method):
    panel = factor_panel(6).with_window((10, 12))
    found = fit(method, panel)
    if found.observed is not None:
        known = np.isfinite(found.effects)
        close((found.observed - found.counterfactual)[known], found.effects[known], 1e-10)
    if found.periods is not None:
        inside = np.isin(found.periods, [10, 11, 12])
        close(found.effects[inside].mean(), found.att, 1e-10)


# ------------------------------------------------------------------ what must not change


def shifted(panel, kind, rng):
    if kind == "period_shift":
        return panel.with_outcome(panel.outcome + rng.normal(0, 5, panel.n_periods)[None, :])
    if kind == "unit_shift":
        return panel.with_outcome(panel.outcome + rng.normal(0, 5, panel.n_units)[:, None])
    if kind == "common_shift":
        return panel.with_outcome(panel.outcome + 17.3)
    raise AssertionError(kind)


@pytest.mark.parametrize(("method", "kind"), promised(*SHIFTS))
@pytest.mark.parametrize("make", WORLDS)
def test_shifts_it_promises_to_ignore_change_nothing(method, make, kind):
    before, after = answer(method.name, make), fit(method, shifted(make(), kind, np.random.default_rng(1)))
    close(after.att, before.att)
    close(after.effects, before.effects)


@pytest.mark.parametrize(("method", "kind"), not_promised(*SHIFTS))
def test_shifts_it_does_not_promise_to_ignore_do_change_the_answer(method, kind):
    """The exceptions are part of the promise: a unit's level moves a synthetic control."""
    panel = factor_panel(1)
    after = fit(method, shifted(panel, kind, np.random.default_rng(1)))
    assert abs(after.att - fit(method, panel).att) > 1e-3


@pytest.mark.parametrize(("method", "kind"), promised("scale"))
@pytest.mark.parametrize("make", WORLDS)
@pytest.mark.parametrize("factor", [-1.0, 0.001, 250.0])
def test_effects_scale_with_the_outcome(method, kind, make, factor):
    # furnished first, so that what it was given goes along with the outcome
    panel = furnished(method, make())
    before, after = answer(method.name, make), fit(method, scaled(panel, factor))
    close(after.att / factor, before.att)
    close(after.effects / factor, before.effects)


@pytest.mark.parametrize(("method", "kind"), promised("unit_order"))
@pytest.mark.parametrize("make", WORLDS)
def test_order_of_the_units_does_not_matter(method, kind, make):
    panel = furnished(method, make())
    order = np.random.default_rng(2).permutation(panel.n_units)
    before, after = answer(method.name, make), fit(method, panel.keep_units(order))
    # many donors, few periods: the canonical ridge (1e-9 of a mean column) decides, with some 1e-5 of rounding left
    close(after.att, before.att, 1e-5)
    close(after.effects, before.effects, 1e-5)
    if before.unit_weights is not None:
        close(after.unit_weights, before.unit_weights[order], 1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", WORLDS)
@pytest.mark.parametrize("amount", [-3.0, 0.7])
def test_adding_an_amount_to_the_treated_cells_of_the_window_adds_it_to_the_effect(method, make, amount):
    panel = make()
    raised = panel.with_outcome(panel.outcome + amount * panel.target)
    close(fit(method, raised).att, answer(method.name, make).att + amount, 1e-9)


# ------------------------------------------------------------------ manners


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", WORLDS)
def test_estimate_is_plain_and_the_same_twice_and_nothing_it_was_given_is_changed(method, make):
    panel = furnished(method, make())
    before = plain.digest(panel)
    first = evaluation.estimate(panel, method.name, seed=860)
    assert plain.digest(panel) == before
    assert not any(array.flags.writeable for array in plain.arrays_of(panel))
    plain.assert_plain(first)
    assert plain.as_bytes(evaluation.estimate(furnished(method, make()), method.name, seed=860)) == plain.as_bytes(first)
    assert (first.method, first.n_units) == (method.name, make().n_units)


@pytest.mark.parametrize("method", METHODS)
def test_estimate_is_written_to_json_and_read_back_unchanged(method):
    plain.assert_survives_json(evaluation.estimate(furnished(method, factor_panel(1)), method.name))


@pytest.mark.parametrize("method", METHODS)
def test_a_missing_cell_of_a_control_is_allowed_for_or_refused_by_name(method):
    panel = furnished(method, factor_panel(1))
    outcome = panel.outcome.copy()
    outcome[5, 2] = np.nan
    holed = panel.with_outcome(outcome)
    found = fit(method, holed)
    assert np.isfinite(found.att)
    if "balanced" in method.needs:
        # the unit with the hole is left out, and the reader is told which one
        assert any("unit 05" in str(note) for note in found.notes)
        assert found.unit_weights is None or found.unit_weights[5] == 0
        without = panel.keep_units([row for row in range(panel.n_units) if row != 5])
        close(found.att, fit(method, without).att, 1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("column", [2, 11], ids=["before", "after"])
def test_a_missing_cell_of_the_treated_unit_is_allowed_for_or_refused_by_name(method, column):
    panel = factor_panel(1)
    outcome = panel.outcome.copy()
    outcome[3, column] = np.nan
    holed = panel.with_outcome(outcome)
    if "balanced" in method.needs:
        with pytest.raises(EstimationError, match="unit 03"):
            fit(method, holed)
    else:
        assert np.isfinite(fit(method, holed).att)


# ------------------------------------------------------------------ too little to go on


def nobody():
    return make_panel(factor_outcome(1), {})


def everybody():
    return make_panel(factor_outcome(1), dict.fromkeys(range(12), 9))


def from_the_first_period():
    return make_panel(factor_outcome(1), {0: 0})


def empty_window():
    return factor_panel(1).with_window((2, 4))


def two_starts():
    return make_panel(factor_outcome(1), {0: 8, 1: 10})


def one_pre_period():
    return make_panel(factor_outcome(1), {0: 1})


def one_control():
    return make_panel(factor_outcome(1, n_units=2), {0: 9})


def nothing_observed():
    return make_panel(np.full((12, 14), np.nan), {0: 9})


def treated_never_observed_after():
    outcome = factor_outcome(1)
    outcome[0, 9:] = np.nan
    return make_panel(outcome, {0: 9})


def treated_never_observed_before():
    outcome = factor_outcome(1)
    outcome[0, :9] = np.nan
    return make_panel(outcome, {0: 9})


IMPOSSIBLE = [
    nobody, everybody, from_the_first_period, empty_window, nothing_observed, treated_never_observed_after,
    treated_never_observed_before,
]  # fmt: skip
SCANT = [two_starts, one_pre_period, one_control]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", IMPOSSIBLE)
@pytest.mark.filterwarnings("error")
def test_the_impossible_is_refused_in_our_words(method, make):
    """A named error with a sentence: never a numpy traceback, a warning, or a number."""
    with pytest.raises(EstimationError) as refusal:
        evaluation.estimate(furnished(method, make()), method.name, inference="placebo")
    assert len(str(refusal.value)) > 15


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", SCANT)
@pytest.mark.filterwarnings("error")
def test_too_little_data_gives_a_number_or_an_error_in_our_words(method, make):
    need = {"two_starts": "common_start", "one_pre_period": "two_pre_periods"}.get(make.__name__)
    if need in method.needs:
        with pytest.raises(EstimationError):
            fit(method, make())
        return
    try:
        found = fit(method, make())
    except EstimationError:
        return
    assert np.isfinite(found.att)


@pytest.mark.parametrize("method", METHODS)
def test_flat_outcomes_have_no_effect(method):
    """Nothing ever changes: the answer is zero, or a refusal; not a division by zero."""
    try:
        flat = np.full((8, 10), 71.3)
        found = fit(method, make_panel(flat, {0: 6}, **({"covariates": {"second_group": flat}} if "second_group" in method.needs else {})))
    except EstimationError:
        return
    assert found.att == pytest.approx(0, abs=1e-9)


def test_an_unknown_estimator_or_option_is_refused_with_the_nearest_word():
    with pytest.raises(evaluation.errors.UsageError, match="synthetic_control"):
        evaluation.estimate(factor_panel(1), "synthetic_contrl")
    with pytest.raises(evaluation.errors.UsageError, match="demeaned"):
        evaluation.estimate(factor_panel(1), "synthetic_control", demeand=True)
