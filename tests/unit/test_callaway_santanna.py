"""Group-time effects and the two-period family at the edges: who is left out, who is refused, and with which words."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.panel import Panel
from evaluation.periods import parse_period
from tests.oracle.panels import make_panel


def outcome(seed=0, units=30, periods=8):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(units, 1)) + np.cumsum(rng.normal(size=(units, periods)), axis=1)


def staggered(seed=0, units=30, periods=8, **more) -> Panel:
    """Starts 3, 5 and 7 for five units each, the other half never."""
    treated = {row: (3, 5, 7)[row % 3] for row in range(15)}
    x = np.random.default_rng(seed + 100).normal(size=units)
    return make_panel(outcome(seed, units, periods), treated, covariates={"x": x}, **more)


def fit(panel, name="callaway_santanna", **options):
    method = ESTIMATORS[name]
    return method.fit(panel, method.options(**options))


def codes(found):
    return [note.code for note in found.notes]


def effects(found):
    return {(row["group"], row["period"]): row["effect"] for row in found.details["att_gt"]}


# ------------------------------------------------------------------ who counts


def test_units_treated_from_the_first_period_are_left_out_by_name():
    panel = staggered()
    start = panel.start.copy()
    start[20] = 0
    with_always = dataclasses.replace(panel, start=start)
    without = panel.keep_units([row for row in range(30) if row != 20])
    found, expected = fit(with_always), fit(without)
    assert found.att == pytest.approx(expected.att, abs=1e-12)
    assert "unit 20" in str(found.notes[codes(found).index("always_treated_dropped")])
    assert found.influence[20] == 0
    pooled = dataclasses.replace(panel, start=np.where(start == 0, 0, np.where(panel.treated, 5, 8)))
    assert fit(pooled, "dr_did").att == pytest.approx(
        fit(pooled.keep_units(np.flatnonzero(pooled.start > 0)), "dr_did").att, abs=1e-12
    )
    assert fit(pooled, "dr_did").influence.shape == (30,)


def test_with_nobody_never_treated_those_treated_later_are_the_controls():
    """Periods from the last start on have no control: the last group becomes one, and is not evaluated itself."""
    panel = staggered().keep_units(np.arange(15))
    with pytest.raises(EstimationError, match="not_yet_treated"):
        fit(panel)
    found = fit(panel, control_group="not_yet_treated")
    before_last = Panel(
        outcome=panel.outcome[:, :7], units=panel.units, periods=panel.periods[:7], start=np.minimum(panel.start, 7)
    )
    assert found.att == pytest.approx(fit(before_last, control_group="not_yet_treated").att, abs=1e-12)
    assert "effects_not_estimated" in codes(found)
    assert {group for group, _ in effects(found)} == {"2004", "2006"}


def test_a_group_of_one_is_estimated_and_named():
    panel = staggered()
    start = np.where(panel.start == 7, 8, panel.start)
    start[2] = 7
    found = fit(dataclasses.replace(panel, start=start))
    assert "2008" in str(found.notes[codes(found).index("single_unit_groups")])
    own = panel.outcome[2, 7] - panel.outcome[2, 6]
    never = np.asarray(start == 8)
    expected = own - (panel.outcome[never, 7] - panel.outcome[never, 6]).mean()
    assert effects(found)["2008", "2008"] == pytest.approx(expected, abs=1e-12)


def test_treated_units_that_are_never_observed_do_not_count_and_are_named():
    panel = staggered()
    holed = panel.outcome.copy()
    holed[1] = np.nan
    found = fit(panel.with_outcome(holed))
    assert found.att == pytest.approx(fit(panel.keep_units([row for row in range(30) if row != 1])).att, abs=1e-12)
    assert "unit 01" in str(found.notes[codes(found).index("treated_not_compared")])


def test_units_above_the_unit_are_summed():
    panel = dataclasses.replace(staggered(), cluster=np.arange(30) // 2)
    ours = evaluation.estimate(panel, "callaway_santanna", inference="cluster")
    influence = fit(panel).influence
    assert ours.std_error == pytest.approx(np.sqrt((influence.reshape(15, 2).sum(axis=1) ** 2).sum()), rel=1e-12)
    assert ours.details["aggregates"]["simple"]["std_error"] == pytest.approx(ours.std_error, rel=1e-12)


# ------------------------------------------------------------------ the headline


def test_window_restricts_the_average_and_nothing_else():
    panel = staggered()
    found, whole = fit(panel.with_window((5, 6))), fit(panel)
    inside = [effects(found)[cell] for cell in (("2004", "2006"), ("2004", "2007"), ("2006", "2006"), ("2006", "2007"))]
    assert found.att == pytest.approx(np.mean(inside), abs=1e-12)
    np.testing.assert_allclose(found.effects, whole.effects, atol=1e-12)


@pytest.mark.parametrize("kind", ["simple", "dynamic", "group", "calendar"])
def test_each_aggregate_is_the_mean_it_says(kind):
    panel = staggered()
    found = fit(panel, aggregate=kind)
    labels = [period.label for period in panel.periods]
    cells = [(labels.index(group), labels.index(time), value) for (group, time), value in effects(found).items()]
    after = [cell for cell in cells if cell[1] >= cell[0]]
    key = {
        "simple": lambda _: 0,
        "dynamic": lambda c: c[1] - c[0],
        "group": lambda c: c[0],
        "calendar": lambda c: c[1],
    }[kind]
    # every group has five units
    means = [np.mean([cell[2] for cell in after if key(cell) == one]) for one in sorted({key(cell) for cell in after})]
    assert found.att == pytest.approx(np.mean(means), abs=1e-12)
    assert found.details["aggregates"][kind]["effect"] == pytest.approx(found.att, abs=1e-12)


def test_persons_weight_the_treated():
    rng = np.random.default_rng(5)
    size = rng.integers(50, 900, (30, 8)).astype(float)
    panel = dataclasses.replace(staggered(), size=size)
    found = fit(panel)
    never = ~panel.treated
    total, count = 0.0, 0.0
    for row in np.flatnonzero(panel.treated):
        base = panel.start[row] - 1
        for time in range(panel.start[row], 8):
            moved = panel.outcome[:, time] - panel.outcome[:, base]
            total += size[row, time] * (moved[row] - moved[never].mean())
            count += size[row, time]
    assert found.att == pytest.approx(total / count, abs=1e-12)


def test_weights_by_name_reach_treated_and_controls():
    rng = np.random.default_rng(6)
    weights = rng.uniform(0.5, 3.0, 30)
    panel = staggered()
    named = dataclasses.replace(panel, covariates={"w": weights})
    sized = dataclasses.replace(panel, size=np.repeat(weights[:, None], 8, axis=1))
    found = fit(named, weights="w")
    assert found.att == pytest.approx(fit(sized, weights="size").att, abs=1e-12)
    moved = panel.outcome[:, 3] - panel.outcome[:, 2]
    own, never = panel.start == 3, ~panel.treated
    expected = np.average(moved[own], weights=weights[own]) - np.average(moved[never], weights=weights[never])
    assert effects(found)["2004", "2004"] == pytest.approx(expected, abs=1e-12)
    with pytest.raises(EstimationError, match="did you mean 'w'"):
        fit(named, weights="ww")
    with pytest.raises(EstimationError, match="negative"):
        fit(dataclasses.replace(panel, covariates={"w": -weights}), weights="w")


def test_quarters_are_periods_like_others():
    panel = staggered()
    quarters = tuple(parse_period(f"{2010 + index // 4}Q{index % 4 + 1}") for index in range(8))
    found = fit(dataclasses.replace(panel, periods=quarters))
    assert found.att == pytest.approx(fit(panel).att, abs=1e-12)
    assert ("2010Q4", "2010Q4") in effects(found)


# ------------------------------------------------------------------ covariates


@pytest.mark.parametrize("name", ["callaway_santanna", "dr_did"])
def test_a_covariate_that_varies_counts_with_its_value_before(name):
    panel = staggered() if name == "callaway_santanna" else _one_start()
    x = panel.covariates["x"]
    last = panel.starts[0] - 1
    moving = np.repeat(x[:, None], 8, axis=1)
    constant = fit(panel, name, covariates=("x",))
    assert fit(dataclasses.replace(panel, covariates={"x": moving}), name, covariates=("x",)).att == pytest.approx(
        constant.att, abs=1e-12
    )
    later = moving + np.where(np.arange(8) > last, np.random.default_rng(1).normal(size=(30, 8)), 0.0)
    changed = fit(dataclasses.replace(panel, covariates={"x": later}), name, covariates=("x",))
    if name == "dr_did":
        assert changed.att == pytest.approx(constant.att, abs=1e-12)
    else:
        first = ("2004", "2006")  # base period 2003, before the covariate is changed
        assert effects(changed)[first] == pytest.approx(effects(constant)[first], abs=1e-12)


def _one_start() -> Panel:
    panel = staggered()
    return dataclasses.replace(panel, start=np.where(panel.treated, 5, 8))


@pytest.mark.parametrize("name", ["callaway_santanna", "dr_did"])
def test_covariates_without_overlap_or_rank_are_refused_in_words(name):
    panel = _one_start()
    apart = np.where(panel.treated, 5.0, -5.0) + 0.1 * panel.covariates["x"]
    bad = dataclasses.replace(
        panel,
        covariates={
            "apart": apart,
            "x": panel.covariates["x"],
            "twice": 2 * panel.covariates["x"],
            "flat": np.ones(30),
        },
    )
    with pytest.raises(EstimationError, match=f"{name}: .*treated"):
        fit(bad, name, covariates=("apart",))
    for names in (("x", "twice"), ("flat",)):
        with pytest.raises(EstimationError, match=f"{name}: .*collinear"):
            fit(bad, name, covariates=names)
    with pytest.raises(EstimationError, match="did you mean 'apart'"):
        fit(bad, name, covariates=("apartt",))


def test_all_starts_without_overlap_are_named_at_once():
    panel = staggered()
    apart = np.where(panel.treated, 5.0, -5.0) + 0.1 * panel.covariates["x"]
    with pytest.raises(EstimationError, match="start 2004, 2006 and 2008"):
        fit(dataclasses.replace(panel, covariates={"x": apart}), covariates=("x",))


@pytest.mark.parametrize("name", ["callaway_santanna", "dr_did"])
def test_a_control_without_the_covariate_is_left_out(name):
    panel = _one_start()
    x = panel.covariates["x"].copy()
    x[25] = np.nan
    found = fit(dataclasses.replace(panel, covariates={"x": x}), name, covariates=("x",))
    kept = [row for row in range(30) if row != 25]
    assert found.att == pytest.approx(fit(panel.keep_units(kept), name, covariates=("x",)).att, abs=1e-12)
    assert found.influence[25] == 0


def test_chosen_event_times_that_leave_nothing_are_refused():
    with pytest.raises(EstimationError, match="leave no effect"):
        fit(staggered(), min_event_time=20)


def test_early_starts_within_the_anticipation_have_no_base_period():
    found = fit(staggered(), anticipation=3)
    assert {group for group, _ in effects(found)} == {"2006", "2008"}


# ------------------------------------------------------------------ two periods


def test_two_periods_make_all_estimators_one():
    panel = _one_start().keep_periods(4, 5)
    expected = fit(panel, "did")
    for name in ("callaway_santanna", "dr_did"):
        found = fit(panel, name)
        assert found.att == pytest.approx(expected.att, abs=1e-12)
        np.testing.assert_allclose(found.influence, expected.influence, atol=1e-12)


def test_cross_sections_need_both_groups_in_both_periods():
    panel = _one_start()
    apart = np.where(panel.treated[:, None] & (np.arange(8) < 5), np.nan, panel.outcome)
    with pytest.raises(EstimationError, match="none of the treated are observed before the start"):
        fit(panel.with_outcome(apart), "dr_did", cross_sections=True)


def test_cross_sections_of_a_complete_panel_have_its_effect():
    """Without covariates the four means are the same; only the standard error does not know who is who."""
    panel = _one_start()
    for name, options in (
        ("dr_did", {"cross_sections": True}),
        ("callaway_santanna", {"unbalanced": "cross_sections"}),
    ):
        assert fit(panel, name, **options).att == pytest.approx(fit(panel, name).att, abs=1e-12)
        np.testing.assert_allclose(fit(panel, name, **options).influence, fit(panel, name).influence, atol=1e-12)


def test_a_gap_before_the_start_is_left_out_by_name_and_one_after_is_refused():
    """In 2002 only one control is seen: a regression on a covariate has nothing to go by there."""
    panel = _one_start()
    holed = panel.outcome.copy()
    holed[16:, 1] = np.nan
    found = fit(panel.with_outcome(holed), covariates=("x",))
    note = found.notes[codes(found).index("effects_not_estimated")]
    assert note.facts["cells"] == "2006/2002 and 2006/2003"
    assert found.att == pytest.approx(fit(panel, covariates=("x",)).att, abs=1e-12)
    holed[16:, 6] = np.nan
    with pytest.raises(EstimationError, match="start 2006: "):
        fit(panel.with_outcome(holed), covariates=("x",))


def test_units_with_gaps_can_be_left_out_by_name():
    panel = staggered()
    holed = panel.outcome.copy()
    holed[2, 3] = holed[20, 6] = np.nan
    found = fit(panel.with_outcome(holed), unbalanced="complete")
    kept = [row for row in range(30) if row not in (2, 20)]
    assert found.att == pytest.approx(fit(panel.keep_units(kept)).att, abs=1e-12)
    assert "unit 02 and unit 20" in str(found.notes)
    assert found.influence[20] == 0
