"""Adjustments for the cycle: against gsynth on Proposition 99, and Hjørring's numbers computed before this package existed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import evaluation
from evaluation.cycle import ADJUSTMENTS
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from tests.reference import golden
from tests.reference.golden import EXCLUDED, denmark

TWO_DECIMALS = 0.005 + 1e-9
DID = ESTIMATORS["did"]


# ------------------------------------------------------------------ interactive effects


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_did_net_of_factors_is_generalised_synthetic_control(rank):
    """Without covariates and missing cells gsynth iterates nothing, so its loose stopping rule does not matter."""
    theirs = golden.value(f"gsynth/prop99/ife_r{rank}")
    adjust = {"adjust": "factors", "adjust_options": {"rank": rank}} if rank else {}
    ours = evaluation.estimate(golden.prop99(), "did", inference="cluster", **adjust)
    golden.assert_close(ours.effect, theirs["att_avg"], 1e-9)
    for point in ours.path:
        golden.assert_close(point.effect, theirs["att_by_event_time"][point.period], 1e-9)


def test_the_chosen_rank_is_no_larger_than_the_data_carry():
    """gsynth's cross-validation takes two factors on this short panel; the largest ratio of eigenvalues takes one."""
    ours = evaluation.estimate(golden.prop99(), "did", adjust="factors", inference="cluster")
    assert ours.details["adjustment"]["rank"] == 1
    golden.assert_close(ours.effect, golden.value("gsynth/prop99/ife_r1")["att_avg"], 1e-9)


def test_two_factors_move_the_employment_rates_of_municipalities():
    terms = evaluation.estimate(denmark(last=2018), "did", adjust="factors", inference="cluster").details["adjustment"]
    assert terms["rank"] == 2
    shares = [terms[f"share_{index}"] for index in (1, 2)]
    # published for 2008-2021 and 93 controls; here 2008-2018 and 97
    assert shares == pytest.approx([0.45, 0.26], abs=0.03)


# ------------------------------------------------------------------ Hjørring's own reaction to the nation


def with_nation(without=()):
    """Hjørring's panel with the national employment rate as published, which counts Hjørring and weights by persons."""
    frame = pd.read_csv(Path(__file__).parents[2] / "specs" / "data" / "ras200_employment_rate.csv")
    nation = frame[(frame["area"] == "All Denmark") & frame["year"].between(2008, 2018)].sort_values("year")
    return dataclasses.replace(denmark(without=without), cycle={"rate": nation["employment_rate_pct"].to_numpy()})


def adjusted(panel, **options):
    adjustment = ADJUSTMENTS["sensitivity"]
    return adjustment.adjust(panel, adjustment.options(**options))


def test_reaction_of_hjorring_and_of_the_others():
    terms = adjusted(with_nation(), series="rate").terms
    half = stats.t.ppf(0.975, 5) * terms["treated_std_error"]
    assert terms["treated_beta"] == pytest.approx(0.91, abs=TWO_DECIMALS)
    assert (terms["treated_beta"] - half, terms["treated_beta"] + half) == pytest.approx((0.63, 1.18), abs=TWO_DECIMALS)
    assert terms["mean"] == pytest.approx(0.99, abs=TWO_DECIMALS)
    assert terms["sd"] == pytest.approx(0.24, abs=TWO_DECIMALS)
    assert terms["reliability"] == pytest.approx(0.84, abs=TWO_DECIMALS)
    assert terms["cycle_change"] == pytest.approx(0.86, abs=TWO_DECIMALS)


def test_reactions_of_single_municipalities():
    """Published against the nation; the mean of the other 97 municipalities moves almost as the nation does."""
    panel = denmark()
    beta = dict(zip(panel.units, adjusted(panel).terms["beta"], strict=True))
    for name, value in {"Copenhagen": 0.62, "Morsø": 0.81, "Aalborg": 1.06, "Silkeborg": 1.14, "Thisted": 1.17}.items():
        assert beta[name] == pytest.approx(value, abs=0.02)
    assert np.quantile(list(beta.values()), [0.05, 0.95]) == pytest.approx([0.55, 1.35], abs=0.05)


@pytest.mark.parametrize(("first", "effect"), [(0, -0.17), (2, -0.24), (5, -0.15)])
def test_effect_net_of_the_reaction_to_the_nation(first, effect):
    """Before: 2008-14, 2010-14 or 2013-14; the reactions are those of 2008-14 in all three, and not shrunk."""
    panel = adjusted(with_nation(), series="rate", shrink=False).panel
    assert DID.fit(panel.keep_periods(first, 10), DID.options()).att == pytest.approx(effect, abs=TWO_DECIMALS)


def test_five_years_before_are_too_few_to_know_the_reaction():
    """Without the downturn of 2009 the slopes are noise: reliability under a half, and Hjørring's falls from 0.91 to 0.12."""
    terms = adjusted(denmark(first=2010)).terms
    assert terms["reliability"] < 0.5
    assert terms["treated_std_error"] > 3 * adjusted(denmark()).terms["treated_std_error"]


def test_two_years_before_are_refused_in_words():
    with pytest.raises(EstimationError, match=r"2 periods before the start; .* takes at least 3"):
        adjusted(denmark(first=2013))


@pytest.mark.parametrize("name", ["Silkeborg", "Thisted", "Morsø"])
def test_half_the_nation_planted_in_a_municipality_comes_back_as_one_half(name):
    """Its own leave-own-out mean does not hold it, so the slope rises by exactly the plant; the others' hardly move."""
    panel = denmark(without=EXCLUDED[:1])
    row = panel.units.index(name)
    others = np.delete(panel.outcome, [row, panel.units.index("Hjørring")], axis=0).mean(axis=0)
    outcome = panel.outcome.copy()
    outcome[row] += 0.5 * (others - others[:7].mean())
    before, after = (adjusted(each, shrink=False).terms["beta"] for each in (panel, panel.with_outcome(outcome)))
    assert after[row] - before[row] == pytest.approx(0.5, abs=1e-9)
    assert np.abs(np.delete(after - before, row)).max() < 0.5 / 60


@pytest.mark.parametrize("name", ["Silkeborg", "Thisted", "Morsø"])
def test_a_stronger_reaction_alone_is_no_effect(name):
    """As if treated from 2015: the planted reaction is taken out again, exactly without shrinking, to a sixth of it with."""
    panel = denmark().assign({denmark().units.index(name): 7}, without=[denmark().units.index("Hjørring")])
    others = panel.outcome[~panel.treated].mean(axis=0)
    plant = np.where(panel.treated[:, None], 0.5 * (others - others[:7].mean()), 0.0)
    planted = panel.with_outcome(panel.outcome + plant)

    def moved(adjust, **options):
        each = [
            evaluation.estimate(p, "did", adjust=adjust, adjust_options=options, inference="cluster")
            for p in (planted, panel)
        ]
        return each[0].effect - each[1].effect

    bias = moved("none")
    assert bias == pytest.approx(0.5 * (others[7:].mean() - others[:7].mean()), abs=1e-9)
    assert moved("sensitivity", shrink=False) == pytest.approx(0.0, abs=1e-9)
    reliability = adjusted(panel).terms["reliability"]
    assert moved("sensitivity") == pytest.approx((1 - reliability) * bias, abs=1e-9)
    assert moved("cce") == pytest.approx(0.0, abs=1e-9)
