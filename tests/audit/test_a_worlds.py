"""Made-up worlds in which it is known what is wrong: each check fails where it should and passes where nothing is the matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.audit import AUDIT
from evaluation.context import Context
from tests.audit.a_worlds import CYCLE, START, changed, world
from tests.audit.b_studies import studied

HELD_OUT = slice(2, 4)  # 2009 and 2010, where the cycle of these worlds falls


def checked(name, panel, method="did", **more):
    return AUDIT[name](studied(panel, method, **more))


# ------------------------------------------------------------------ 1 loading_balance


def test_twice_the_reaction_to_the_cycle_is_a_bias_and_is_measured():
    """The treated unit moves twice as much, and the cycle rises by 2.4 from before to after: so does the bias."""
    found = checked("loading_balance", world(beta=2.0))
    assert found.status == "failed"
    assert found.facts["beta_low"] < 2.0 < found.facts["beta_high"]
    assert found.facts["counterfactual_beta"] == pytest.approx(1.0, abs=0.1)
    change = CYCLE[START:].mean() - CYCLE[:START].mean()
    assert found.facts["cycle_change"] == pytest.approx(
        change, abs=0.2
    )  # the others' slopes average about 1, with noise
    # difference-in-differences finds just that where there is no effect; noise of 0.25 in 6 cells
    headline = studied(world(beta=2.0)).headline.effect
    assert found.facts["bias"] / found.facts["reliability"] == pytest.approx(headline, abs=0.4)
    assert 0.0 < found.facts["bias"] < headline  # shrunk
    assert found.facts["bias"] == found.facts["did_bias"]


def test_the_same_reaction_is_none():
    assert checked("loading_balance", world(beta=1.0)).status == "passed"


def test_an_adjustment_for_own_slopes_leaves_none():
    """The check looks at what the estimator sees, so an adjustment that works is credited for it."""
    exact = checked("loading_balance", world(beta=2.0), adjust="sensitivity", adjust_options={"shrink": False})
    assert exact.facts["beta"] == pytest.approx(0.0, abs=1e-9)
    # shrinking leaves of each slope what it took for noise, which the check takes for noise too
    shrunk = checked("loading_balance", world(beta=2.0), adjust="sensitivity")
    assert 0.0 < shrunk.facts["beta"] < 0.3
    assert shrunk.facts["reliability"] < 0.1
    assert (exact.status, shrunk.status) == ("passed", "passed")


def test_a_synthetic_control_made_of_such_units_has_none():
    """Among donors whose slopes reach 2 a synthetic control finds those that react alike."""
    panel = world(beta=1.6, loadings=np.linspace(0.2, 2.0, 40), scale=0.05)
    assert checked("loading_balance", panel).status != "passed"
    matched = checked("loading_balance", panel, "synthetic_control")
    assert matched.status == "passed"
    # it matches levels as well, which differ more: so not quite 1.6, but far from the mean of 1.1
    assert matched.facts["counterfactual_beta"] == pytest.approx(1.6, abs=0.2)


# ------------------------------------------------------------------ 2 backcast


@pytest.mark.parametrize("method", ["did", "synthetic_control", "synthetic_did"])
def test_a_local_shock_in_the_downturn_is_seen(method):
    quiet = world(2)
    hit = changed(quiet, 0, HELD_OUT, -3.0)
    seen, unseen = checked("backcast", hit, method), checked("backcast", quiet, method)
    assert (seen.status, unseen.status) == ("failed", "passed")
    assert seen.facts["periods"] == "2009-2010"
    assert seen.facts["trough_period"] == "2010"
    # the periods it was fitted on did not change, so neither did the prediction; observed fell by the shock
    assert seen.facts["trough_error"] == pytest.approx(unseen.facts["trough_error"] - 3.0, abs=1e-6)
    assert seen.series["donor_rmse"] == pytest.approx(unseen.series["donor_rmse"])


def test_difference_in_differences_stands_beside_it():
    found = checked("backcast", world(2), "synthetic_control")
    plain = checked("backcast", world(2), "did")
    assert found.facts["did_rmse"] == plain.facts["rmse"]
    assert found.facts["did_median"] == plain.facts["median_donor"]


def test_observed_and_backcast_stand_in_the_order_of_the_calendar():
    panel = world(2)
    found = checked("backcast", panel)
    assert found.series["periods"] == [str(year) for year in range(2007, 2015)]
    assert found.series["observed"] == pytest.approx(panel.outcome[0, :START])
    assert found.series["held_out"] == ["2009", "2010"]
    errors = np.subtract(found.series["observed"], found.series["backcast"])[HELD_OUT]
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(found.facts["rmse"])


def test_donors_of_other_sizes_are_brought_to_the_noise_of_the_treated():
    """Small donors are predicted worse for their size alone: without rescaling they make a poor backcast look usual."""
    rng = np.random.default_rng(5)
    sizes = np.where(np.arange(40) % 2 == 0, 10_000.0, 100.0)[:, None] * np.ones((40, 14))
    panel = world(5, scale=0.0, loadings=np.ones(40))
    panel = panel.with_outcome(panel.outcome + rng.normal(0.0, 1.0, (40, 14)) * 10 / np.sqrt(sizes))
    panel = changed(panel, 0, HELD_OUT, -1.0)
    plain, scaled = checked("backcast", panel), checked("backcast", replace(panel, size=sizes))
    assert plain.status != "failed"
    assert scaled.status == "failed"
    large = [
        error
        for unit, error in zip(scaled.series["donor_units"], scaled.series["donor_rmse"], strict=True)
        if int(unit[-2:]) % 2 == 0
    ]
    assert np.median(large) == pytest.approx(
        scaled.facts["median_donor"], rel=0.5
    )  # once alike, the halves have one median


# ------------------------------------------------------------------ 4 equal_shock_placebos


def two_kinds(effect=0.0, shock=0.0):
    """Half the units react to the cycle half as much again, and a shock after the start hits those alone."""
    kinds = np.where(np.arange(60) < 30, 1.5, 0.7)
    panel = world(4, n_units=60, beta=1.5, loadings=kinds, scale=0.1, effect=effect)
    return changed(panel, slice(0, 30), slice(START, None), shock)


def test_what_hit_all_units_alike_it_is_no_effect():
    panel = two_kinds(shock=3.0)
    found = checked("equal_shock_placebos", panel)
    assert found.status == "failed"
    assert found.facts["count"] == 29
    assert {int(unit[-2:]) for unit in found.series["units"]} == set(range(1, 30))


def test_an_effect_of_its_own_is_larger_than_all_of_theirs():
    found = checked("equal_shock_placebos", two_kinds(effect=5.0))
    assert (found.status, found.value, found.facts["rank"]) == ("passed", 0.0, 1)


def test_local_demand_narrows_the_donors_further():
    """Of the 29 alike in slope only those whose predicted demand moved as the treated unit's did are left."""
    panel = two_kinds(effect=5.0)
    demand = np.zeros((60, 14))
    demand[20:, START:] = 2.0  # the treated unit's did not move
    found = checked("equal_shock_placebos", replace(panel, cycle={"shift_share": demand}))
    assert (found.status, found.reason, found.facts["count"]) == ("not_run", "few_controls", 19)
    demand[20:29, START:] = 0.0
    found = checked("equal_shock_placebos", replace(panel, cycle={"shift_share": demand}))
    assert found.facts["count"] == 28
    assert found.facts["demand_within"] == 0.25


def test_an_observed_series_narrows_them_only_where_enough_are_left():
    """Of a series for three large regions all but one would be ruled out; then the slopes alone decide, and it is said."""
    panel = two_kinds(effect=5.0)
    local = np.zeros((60, 14))
    local[24:, START:] = 2.0
    found = checked("equal_shock_placebos", replace(panel, cycle={"jobs": local}))
    assert (found.facts["count"], found.facts["demand_within"]) == (23, 0.25)
    local[10:, START:] = 2.0
    found = checked("equal_shock_placebos", replace(panel, cycle={"jobs": local}))
    assert (found.facts["count"], found.facts["demand_within"]) == (29, None)


def test_a_series_at_the_neighbours_goes_before_the_own_one():
    panel = two_kinds(effect=5.0)
    own, neighbours = np.zeros((60, 14)), np.zeros((60, 14))
    own[0, START:] = 9.0  # what the programme itself may have done
    neighbours[26:, START:] = 2.0
    found = checked("equal_shock_placebos", replace(panel, cycle={"jobs": own, "jobs|neighbours": neighbours}))
    assert found.facts["count"] == 25


# ------------------------------------------------------------------ 5 in_time_placebos


def test_an_effect_before_the_start_is_seen():
    quiet = world(13)
    early = changed(quiet, 0, slice(START - 3, None), 2.0)
    seen, unseen = checked("in_time_placebos", early), checked("in_time_placebos", quiet)
    assert (seen.status, unseen.status) == ("failed", "passed")
    assert seen.series["starts"] == ["2009", "2012", "2013"]
    assert seen.series["effects"][1] == pytest.approx(unseen.series["effects"][1] + 2.0)  # from 2012, where it begins


def test_it_is_seldom_seen_where_there_was_none():
    """Three tests at 5 %: at most 15 % of worlds in which nothing happened fail, and in 40 worlds hardly more than 12 of them."""
    failed = [checked("in_time_placebos", world(seed, n_units=20)).status == "failed" for seed in range(40)]
    assert sum(failed) <= 12  # the binomial chance of more is below 1 %


def test_the_downturn_is_one_of_the_pretended_starts():
    quiet = world(3)
    hit = changed(quiet, 0, HELD_OUT, -3.0)
    found = checked("in_time_placebos", hit)
    assert found.status == "failed"
    assert found.series["windows"] == ["2009-2010", "2012-2014", "2013-2014"]
    assert min(found.series["p_values"]) == found.series["p_values"][0]


# ------------------------------------------------------------------ 9 factor_sufficiency


def test_a_factor_that_the_treated_unit_follows_more_than_others_is_taken_out():
    """A slow drift with loadings of its own: difference-in-differences is off by 3, without the factor by next to nothing."""
    rng = np.random.default_rng(6)
    drift, loadings = np.linspace(0.0, 4.0, 14), rng.normal(0.0, 1.0, 40)
    loadings[0] = 1.5
    flat = world(6, loadings=np.ones(40), scale=0.1)
    found = checked("factor_sufficiency", flat.with_outcome(flat.outcome + loadings[:, None] * drift))
    assert found.facts["rank"] == 1
    assert found.status in {"warns", "failed"}
    assert abs(found.series["effects"][0]) > 2.0
    assert abs(found.series["effects"][1]) < 0.3
    assert found.facts["change"] == pytest.approx(found.series["effects"][1] - found.series["effects"][0], abs=0.5)
    assert found.series["shares"][0] > 0.9


@pytest.mark.parametrize("seed", range(6))
def test_without_further_factors_two_way_effects_are_enough(seed):
    """Factors that are noise move the effect as well, but they are only shown."""
    found = checked("factor_sufficiency", world(seed, n_units=60, loadings=np.ones(60), effect=2.0))
    assert (found.status, found.facts["rank"], found.value) == ("passed", 0, 0.0)
    assert found.series["shares"][0] < 0.3
    assert found.series["ranks"] == [0, 1, 2, 3]
    assert len(set(found.series["effects"])) == 4


def test_a_headline_that_deals_with_the_factor_agrees_with_it_taken_out():
    """One cycle, reactions that differ by a quarter: difference-in-differences is off, its synthetic kin is not."""
    statuses = {"did": [], "synthetic_did": []}
    for seed in range(5):
        slopes = np.random.default_rng(1000 + seed).normal(1.0, 0.24, 60)
        panel = world(seed, n_units=60, loadings=slopes, beta=slopes[0], scale=0.4, effect=2.0)
        for method, found in statuses.items():
            found.append(checked("factor_sufficiency", panel, method).status)
    assert "failed" not in statuses["synthetic_did"]
    assert statuses["synthetic_did"].count("passed") > statuses["did"].count("passed")


# ------------------------------------------------------------------ 10 spillover_rings


def neighbours(spill):
    """Ring 1 shares a drift with the treated unit that nobody else has, so a synthetic control is made of it."""
    drift = np.concatenate([np.array([0.0, 1.0, -1.0, 1.5, -0.5, 1.0, -1.5, 0.5]), np.zeros(6)])
    panel = changed(world(8, loadings=np.ones(40), scale=0.05, effect=3.0), slice(0, 4), slice(None), drift)
    panel = panel.with_outcome(panel.outcome - panel.outcome[:, :START].mean(axis=1, keepdims=True))
    panel = changed(panel, slice(1, 4), slice(START, None), spill)
    ring = tuple(panel.units[1:4])
    return panel, Context(rings=(ring, panel.units[4:8]))


def test_neighbours_that_share_the_effect_hide_it():
    panel, context = neighbours(spill=3.0)
    found = checked("spillover_rings", panel, "synthetic_control", context=context)
    assert found.facts["full"] == pytest.approx(0.0, abs=0.3)
    assert found.facts["without_ring1"] == pytest.approx(3.0, abs=0.3)
    assert found.status == "failed"
    ours = found.series["labels"].index("ring1")
    assert found.facts["ring1_effect"] == pytest.approx(3.0, abs=0.3)
    assert found.series["lowers"][ours] > 0.0
    theirs = found.series["labels"].index("ring2")
    assert found.series["lowers"][theirs] < 0.0 < found.series["uppers"][theirs]


def test_neighbours_that_do_not_may_stay():
    panel = world(8, loadings=np.ones(40), effect=3.0)
    found = checked("spillover_rings", panel, context=Context(rings=(panel.units[1:4],)))
    assert found.status == "passed"
    assert found.facts["without_ring1"] == pytest.approx(found.facts["full"], abs=0.1)
    assert (found.facts["ring1"], found.facts["ring2"]) == (list(panel.units[1:4]), [])
    assert found.facts["without_ring2"] is None


def test_names_outside_the_panel_are_no_ring():
    panel, _ = neighbours(spill=0.0)
    found = checked("spillover_rings", panel, context=Context(rings=(("Atlantis",), panel.units[4:6])))
    assert found.facts["ring1"] == list(panel.units[4:6])
    assert found.facts["without_ring2"] is None


# ------------------------------------------------------------------ 11 donors


def twin(shock):
    """One donor is the treated unit's twin before the start, and has a shock of its own after it."""
    panel = world(9, beta=2.5, scale=0.05)
    outcome = panel.outcome.copy()
    outcome[1] = outcome[0] + 0.01
    outcome[1, START:] += shock
    return panel.with_outcome(outcome)


def test_one_donor_that_decides_is_named():
    found = checked("donors", twin(shock=-4.0), "synthetic_control")
    assert found.status == "failed"
    assert "unit 01" in (found.facts["low_unit"], found.facts["high_unit"])


def test_many_donors_alike_decide_nothing():
    found = checked("donors", world(9))
    assert found.status == "passed"
    assert found.facts["count"] == 39
    assert found.facts["low"] <= found.facts["full"] <= found.facts["high"]


def test_a_group_of_donors_can_decide_where_no_single_one_does():
    """Half of the donors were hit by a shock: leaving one of them out changes little, leaving all out much."""
    panel = changed(world(9), slice(1, 20), slice(START, None), -3.0)
    context = Context(donor_groups={"own_programme": panel.units[1:20], "elsewhere": ("Atlantis",)})
    alone = checked("donors", panel)
    grouped = checked("donors", panel, context=context)
    assert alone.status == "passed"
    assert grouped.value > alone.value
    assert grouped.facts["low_unit"] == "own_programme"
    assert grouped.series["kinds"][-1] == "group"
    assert list(grouped.facts["groups"]) == ["own_programme"]


# ------------------------------------------------------------------ 15 cycle_state


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ([3.0, 3.0, 3.0, 3.0, 3.0, 3.0], "passed"),
        ([4.0, 4.0, 4.0, 4.0, 1.5, 1.5], "warns"),
        ([5.0, 5.0, 0.0, 0.0, -3.0, -3.0], "failed"),
        ([-3.0, -3.0, -3.0, -3.0, -3.0, -3.0], "passed"),  # lower is a direction too
        ([-5.0, -5.0, 0.0, 0.0, 3.0, 3.0], "failed"),
    ],
)
def test_an_effect_in_the_boom_only_is_seen(path, status):
    found = checked("cycle_state", world(10, loadings=np.ones(40), effect=np.array(path), scale=0.05))
    assert found.status == status
    assert found.series["phases"] == ["2015-2016", "2017-2018", "2019-2020"]
    assert found.series["effects"] == pytest.approx(path[::2], abs=0.2)
    if status == "failed":
        assert found.facts["weakest"] == "2019-2020"


def test_phases_after_the_window_are_single_years():
    panel = world(10, effect=np.array([3.0, 3.0, 3.0, 3.0, -3.0, 3.0])).with_window((START, START + 2))
    found = checked("cycle_state", panel)
    assert found.series["phases"] == ["2015-2016", "2017", "2018", "2019", "2020"]
    assert (found.status, found.facts["weakest"]) == ("failed", "2019")


def test_the_limits_of_a_phase_are_those_of_the_window_where_it_is_the_window():
    """A phase's interval comes from the same phases of the placebos, so with one phase it would be the headline's."""
    study = studied(world(11, effect=2.0).with_window((START, START + 1)))
    found = AUDIT["cycle_state"](study)
    assert found.series["phases"][0] == "2015-2016"
    assert found.series["lowers"][0] == pytest.approx(study.headline.lower)
    assert found.series["uppers"][0] == pytest.approx(study.headline.upper)
    single = next(each for each in study.headline.path if each.period == "2018")
    assert found.series["lowers"][found.series["phases"].index("2018")] == pytest.approx(single.lower)


# ------------------------------------------------------------------ nothing looks at what the programme did


@pytest.mark.parametrize("name", ["backcast", "in_time_placebos"])
@pytest.mark.parametrize("adjust", ["none", "sensitivity"])
def test_the_treated_units_outcomes_after_the_start_are_not_seen(name, adjust):
    panel = world(12)
    other = changed(panel, 0, slice(START, None), np.array([9.0, -7.0, 30.0, 0.0, 2.0, 5.0]))
    ours, theirs = (checked(name, each, adjust=adjust) for each in (panel, other))
    assert ours == theirs


def test_loadings_and_factors_rest_on_untreated_cells():
    panel = world(12)
    other = changed(panel, 0, slice(START, None), np.array([9.0, -7.0, 30.0, 0.0, 2.0, 5.0]))
    ours, theirs = (checked("loading_balance", each) for each in (panel, other))
    assert ours.series == theirs.series
    assert ours.facts["bias"] == theirs.facts["bias"]
    ours, theirs = (
        checked("equal_shock_placebos", each, level=0.9)
        for each in (two_kinds(), changed(two_kinds(), 0, slice(START, None), 9.0))
    )
    assert ours.series["units"] == theirs.series["units"]
    ours, theirs = (checked("factor_sufficiency", each) for each in (panel, other))
    assert (ours.series["shares"], ours.facts["rank"]) == (theirs.series["shares"], theirs.facts["rank"])
