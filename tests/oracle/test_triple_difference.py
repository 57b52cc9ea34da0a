"""Triple differences against eight means, against difference-in-differences of the differences, and by start in loops."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from tests.oracle.panels import factor_outcome, make_panel

METHOD = ESTIMATORS["triple_difference"]
ROUNDING = 1e-10  # the same means in another order


def world(starts, seed=1, n_units=14, n_periods=9, **more):
    covariates = {"second_group": factor_outcome(seed + 50, n_units, n_periods)}
    return make_panel(factor_outcome(seed, n_units, n_periods), starts, covariates=covariates, **more)


def test_one_start_is_the_difference_of_eight_means():
    panel = world({2: 5, 6: 5, 9: 5})
    treated = np.isin(np.arange(14), [2, 6, 9])
    second = panel.covariates["second_group"]

    def change(outcome, rows):
        return outcome[rows, 5:].mean() - outcome[rows, :5].mean()

    by_hand = (change(panel.outcome, treated) - change(second, treated)) - (
        change(panel.outcome, ~treated) - change(second, ~treated)
    )
    assert METHOD.fit(panel, METHOD.options()).att == pytest.approx(by_hand, abs=ROUNDING)


@pytest.mark.parametrize("more", [{}, {"window": (5, 6)}, {"size": np.random.default_rng(1).uniform(50, 900, (14, 9))}])
def test_one_start_is_did_of_the_differences_to_the_last_digit_of_its_interval(more):
    panel = world({2: 5, 6: 5, 9: 5}, **more)
    gap = panel.with_outcome(panel.outcome - panel.covariates["second_group"])
    ours = evaluation.estimate(panel, "triple_difference", inference="cluster")
    theirs = evaluation.estimate(gap, "did", inference="cluster")
    for name in ("effect", "std_error", "lower", "upper", "p_value"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=1e-9)
    np.testing.assert_allclose(
        [point.effect for point in ours.path], [point.effect for point in theirs.path], atol=ROUNDING
    )


@pytest.mark.parametrize("base", ["all", "last"])
def test_several_starts_are_each_compared_with_the_never_treated_alone(base):
    starts = {0: 4, 1: 4, 2: 6, 3: 6, 4: 7, 5: 0}
    panel = world(starts)
    gap = panel.outcome - panel.covariates["second_group"]
    never = panel.start == 9
    total, cells, by_start = 0.0, 0, {}
    for start in (4, 6, 7):
        rows = panel.start == start
        before = slice(0, start) if base == "all" else slice(start - 1, start)

        def effect(period, rows=rows, before=before):
            own, other = ((gap[each, period] - gap[each, before].mean(axis=1)).mean() for each in (rows, never))
            return own - other

        effects = [effect(period) for period in range(start, 9)]
        by_start[str(2001 + start)] = np.mean(effects)
        total += rows.sum() * np.sum(effects)
        cells += rows.sum() * len(effects)
    fit = METHOD.fit(panel, METHOD.options(base_period=base))
    assert fit.att == pytest.approx(total / cells, abs=ROUNDING)
    groups = {row["group"]: row["effect"] for row in fit.details["aggregates"]["group"]}
    assert groups == pytest.approx(by_start, abs=ROUNDING)
    assert [note.code for note in fit.notes] == ["always_treated_dropped"]
    assert fit.influence[5] == 0
    if base == "last":
        assert fit.effects[fit.event_times == -1] == pytest.approx(0, abs=ROUNDING)


@pytest.mark.parametrize("base", ["all", "last"])
def test_influence_is_how_the_effect_moves_with_a_unit_s_weight(base):
    """Leaving a control out moves the mean of n controls by −influence × n / (n − 1)."""
    panel = world({0: 4, 1: 4, 2: 6, 3: 6})
    fit = METHOD.fit(panel, METHOD.options(base_period=base))
    for row in (4, 9, 13):
        without = METHOD.fit(
            panel.keep_units([each for each in range(14) if each != row]), METHOD.options(base_period=base)
        )
        assert without.att - fit.att == pytest.approx(-fit.influence[row] * 10 / 9, abs=ROUNDING)


def test_without_never_treated_units_the_last_start_is_the_comparison_until_it_starts():
    starts = {row: (4, 6)[row % 2] for row in range(14)}
    panel = world(starts)
    fit = METHOD.fit(panel, METHOD.options())
    gap = panel.outcome - panel.covariates["second_group"]
    early = panel.start == 4
    change = [gap[rows, 4:6].mean() - gap[rows, :4].mean() for rows in (early, ~early)]
    assert fit.att == pytest.approx(change[0] - change[1], abs=ROUNDING)
    note = next(note for note in fit.notes if note.code == "periods_without_comparison")
    assert note.facts["periods"] == "2007, 2008 and 2009"


def test_a_shock_to_one_group_everywhere_and_one_to_both_groups_in_some_units_change_nothing():
    """What the second group is there for: place × period and group × period shocks drop out."""
    panel = world({2: 5, 6: 6})
    rng = np.random.default_rng(3)
    place, group = rng.normal(0, 9, panel.outcome.shape), rng.normal(0, 9, 9)
    second = panel.covariates["second_group"]
    shocked = dataclasses.replace(
        panel, outcome=panel.outcome + place + group, covariates={"second_group": second + place}
    )
    before, after = (METHOD.fit(each, METHOD.options()) for each in (panel, shocked))
    np.testing.assert_allclose([after.att, *after.effects], [before.att, *before.effects], atol=1e-9)


def test_what_is_missing_is_said_in_words():
    panel = world({2: 5, 6: 5})
    with pytest.raises(EstimationError, match=r"no covariate 'secnd_group'.*second_group"):
        METHOD.fit(panel, METHOD.options(second_group="secnd_group"))
    second = panel.covariates["second_group"].copy()
    second[2, 1] = np.nan
    with pytest.raises(EstimationError, match="second group of the treated unit unit 02"):
        METHOD.fit(dataclasses.replace(panel, covariates={"second_group": second}), METHOD.options())
    second = panel.covariates["second_group"].copy()
    second[7, 1] = np.nan
    fit = METHOD.fit(dataclasses.replace(panel, covariates={"second_group": second}), METHOD.options())
    assert [note.code for note in fit.notes] == ["incomplete_units_dropped"]
    flat = dataclasses.replace(panel, covariates={"second_group": second[:, 0]})
    with pytest.raises(EstimationError, match="does not change over time"):
        METHOD.fit(flat, METHOD.options())
    with pytest.raises(EstimationError, match="never-treated"):
        METHOD.fit(world(dict.fromkeys(range(14), 5)), METHOD.options())
