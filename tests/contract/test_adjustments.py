"""One loop over the registry of adjustments for the business cycle."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from evaluation.contracts import Pipeline
from evaluation.cycle import ADJUSTMENTS
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.study import plain_terms
from tests.contract import plain
from tests.oracle.panels import factor_outcome, make_panel

NAMES = list(ADJUSTMENTS)

VARIANTS = [
    *((name, {}) for name in NAMES),
    ("sensitivity", {"shrink": False}),
    ("sensitivity", {"series": "nation"}),
    ("sensitivity", {"series": "unemployment"}),
    ("local_series", {"use": "neighbours"}),
    ("local_series", {"use": "predicted"}),
    ("local_series", {"split": False}),
    ("local_series", {"use": "neighbours", "split": False}),
    ("local_series", {"series": "vacancies"}),
    ("factors", {"rank": 2}),
    ("cce", {"series": ("unemployment", "nation")}),
]
VARIANTS = [(name, options) for name, options in VARIANTS if name in ADJUSTMENTS]
"""Every adjustment with every option that changes what it does."""


NEEDS_EVERY_CELL: set[str] = set()
"""Adjustments that refuse a panel in which a cell is missing."""


def told(variant):
    name, options = variant
    return "-".join([name, *(f"{key}={value}" for key, value in options.items())])


each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=told)


def world(seed=1, n_units=24, **more):
    """Outcomes that move with local series of their own, regions, persons behind each cell: all that an adjustment may ask for."""
    rng = np.random.default_rng(seed)
    outcome = factor_outcome(seed, n_units)
    shape = outcome.shape
    local = 6 - 0.3 * (outcome - outcome.mean(axis=1, keepdims=True)) + rng.normal(0, 0.5, shape)
    fields = {
        "region": np.arange(n_units) % 4,
        "region_names": ("north", "south", "east", "west"),
        "size": rng.uniform(200, 9000, (n_units, 1)) * np.ones(shape),
        "cycle": {
            "unemployment": local,
            "unemployment|neighbours": local + rng.normal(0, 0.4, shape),
            "unemployment|nation": local.mean(axis=0),
            "vacancies": rng.normal(0, 1, shape).cumsum(axis=1),
            "nation": rng.normal(0, 1, shape[1]).cumsum() + 5,
            "shift_share": rng.normal(0, 1, (n_units, 1)) * np.linspace(0, 3, shape[1]) + rng.normal(0, 0.3, shape),
        },
    } | more
    return make_panel(outcome, {3: 9}, **fields)


def adjusted(variant, panel):
    name, options = variant
    adjustment = ADJUSTMENTS[name]
    return adjustment.adjust(panel, adjustment.options(**options))


@pytest.mark.parametrize("name", NAMES)
def test_entry_describes_itself(name):
    adjustment = ADJUSTMENTS[name]
    assert adjustment.name == name
    assert adjustment.summary
    assert adjustment.source
    assert plain.options_without_description(adjustment.options) == []


@each_variant
def test_what_is_left_and_what_was_removed_add_up_to_the_outcome(variant):
    panel = world()
    found = adjusted(variant, panel)
    assert found.removed.shape == panel.outcome.shape
    assert np.isfinite(found.removed).all()
    np.testing.assert_allclose(found.panel.outcome + found.removed, panel.outcome, atol=1e-9)
    plain.assert_plain(plain_terms(found.terms, panel.units))


@each_variant
def test_levels_before_the_start_stay_what_they_were(variant):
    found = adjusted(variant, world())
    np.testing.assert_allclose(found.removed[:, :9].mean(axis=1), 0.0, atol=1e-9)


@each_variant
def test_treated_outcomes_after_the_start_have_no_part_in_what_is_removed(variant):
    """Or a growing effect would be called business cycle and taken out."""
    panel = world()
    raised = panel.with_outcome(panel.outcome + 5.0 * panel.after * np.arange(panel.n_periods))
    one, other = adjusted(variant, raised), adjusted(variant, panel)
    np.testing.assert_array_equal(one.removed, other.removed)
    assert plain_terms(one.terms, panel.units) == plain_terms(other.terms, panel.units)


@each_variant
def test_adding_to_treated_outcomes_adds_as_much_to_the_effect(variant):
    """Through adjustment and estimator together."""
    panel = world()
    name, options = variant
    did, adjustment = ESTIMATORS["did"], ADJUSTMENTS[name]
    pipeline = Pipeline(did, did.options(), adjustment, adjustment.options(**options))
    raised = panel.with_outcome(panel.outcome + 5.0 * panel.after)
    assert pipeline(raised).att - pipeline(panel).att == pytest.approx(5.0, abs=1e-9)


@each_variant
def test_placebos_do_not_know_what_the_treated_unit_did_after_the_start(variant):
    panel = world(n_units=16)
    name, options = variant
    raised = panel.with_outcome(panel.outcome + 50.0 * panel.after)
    placebos = [
        evaluation.estimate(each, "did", adjust=name, adjust_options=options, inference="placebo").details["placebo"][
            "effects"
        ]
        for each in (panel, raised)
    ]
    assert placebos[0] == placebos[1]


@each_variant
def test_nothing_it_was_given_is_changed(variant):
    panel = world()
    before = plain.digest(panel)
    adjusted(variant, panel)
    assert plain.digest(panel) == before


@each_variant
def test_everything_but_the_outcome_stays(variant):
    panel = world()
    left = adjusted(variant, panel).panel
    assert (left.units, left.periods, left.window) == (panel.units, panel.periods, panel.window)
    np.testing.assert_array_equal(left.start, panel.start)


@each_variant
def test_the_order_of_the_units_does_not_matter(variant):
    panel = world()
    order = np.random.default_rng(0).permutation(panel.n_units)
    # sums over units are added in another order
    np.testing.assert_allclose(
        adjusted(variant, panel.keep_units(order)).removed, adjusted(variant, panel).removed[order], atol=1e-9
    )


@each_variant
def test_an_outcome_in_other_units_gives_the_same_in_those_units(variant):
    """Employment in per mille instead of per cent: ten times as much is removed."""
    panel = world()
    scaled = panel.with_outcome(10.0 * panel.outcome)
    np.testing.assert_allclose(adjusted(variant, scaled).removed, 10.0 * adjusted(variant, panel).removed, atol=1e-8)


@each_variant
def test_levels_of_units_have_no_part_in_what_is_removed(variant):
    panel = world()
    shifted = panel.with_outcome(panel.outcome + np.random.default_rng(0).normal(0, 20, (panel.n_units, 1)))
    np.testing.assert_allclose(adjusted(variant, shifted).removed, adjusted(variant, panel).removed, atol=1e-8)


@each_variant
def test_missing_cells_are_worked_around_or_refused_in_words(variant):
    panel = world()
    outcome = panel.outcome.copy()
    outcome[[5, 7, 7, 10], [2, 0, 11, 13]] = np.nan
    holed = panel.with_outcome(outcome)
    if variant[0] in NEEDS_EVERY_CELL:
        with pytest.raises(EstimationError, match="observed"):
            adjusted(variant, holed)
        return
    found = adjusted(variant, holed)
    assert np.isfinite(found.removed).all()
    # four cells of 336 are no reason for another answer
    assert np.abs(found.removed - adjusted(variant, panel).removed)[3].max() < 1.0


@each_variant
def test_several_treated_units_and_starts_are_worked_around(variant):
    panel = world()
    several = make_panel(panel.outcome, {3: 9, 5: 11, 6: 11}, region=panel.region, cycle=panel.cycle, size=panel.size)
    raised = several.with_outcome(several.outcome + 7.0 * several.after)
    found = adjusted(variant, several)
    assert np.isfinite(found.removed).all()
    np.testing.assert_array_equal(adjusted(variant, raised).removed, found.removed)


@each_variant
def test_each_shared_slope_comes_with_its_series_and_its_covariance(variant):
    panel = world()
    found = adjusted(variant, panel)
    if found.regressors is None:
        assert found.covariance is None
        return
    slopes = len(found.regressors)
    assert found.regressors.shape == (slopes, *panel.outcome.shape)
    assert found.covariance.shape == (slopes, slopes)
    assert (np.linalg.eigvalsh(found.covariance) > 0).all()
    coefficients = np.linalg.lstsq(found.regressors.reshape(slopes, -1).T, found.removed.ravel(), rcond=None)[0]
    np.testing.assert_allclose(np.tensordot(coefficients, found.regressors, axes=1), found.removed, atol=1e-9)


def test_none_changes_nothing():
    panel = world()
    np.testing.assert_array_equal(adjusted(("none", {}), panel).panel.outcome, panel.outcome)
