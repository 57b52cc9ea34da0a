"""Interactive fixed effects against gsynth 1.2.1 (10_factor_models.R) and fect 2.4.1 (12_fect.R)."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import evaluation
from evaluation.estimators import ESTIMATORS
from tests.reference import golden
from tests.reference.em import em_rounds, two_way

METHOD = ESTIMATORS["interactive_fixed_effects"]
SIMDATA = {"covariates": ("X1", "X2")}


@cache
def simulated(**options):
    return METHOD.fit(golden.gsynth_simdata(), METHOD.options(**SIMDATA, **options))


@cache
def california(**options):
    return METHOD.fit(golden.prop99(), METHOD.options(**options))


def assert_same(ours, entry):
    """Effect, path and slopes, all to the entry's tolerance."""
    theirs, within = golden.value(entry), golden.tolerance(entry)
    golden.assert_close(ours.att, theirs["att_avg"], within)
    path = list(theirs["att_by_event_time"].values())
    assert len(path) == ours.effects.size
    for mine, other in zip(ours.effects, path, strict=True):
        golden.assert_close(mine, other, within)
    for name, slope in ours.details["coefficients"].items():
        golden.assert_close(slope, theirs["beta"][name], within)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_simulated_panel_with_covariates_equals_gsynth_at_its_usual_tolerance(rank):
    """gsynth stops when the fit moves by less than 1e-3, so its numbers lie up to 2e-4 from the minimum; ours is the minimum."""
    assert_same(simulated(rank=rank), f"gsynth/simdata/ife_r{rank}")


def test_simulated_panel_equals_gsynth_run_to_its_end():
    entry = "gsynth/simdata/ife_r2_tight"
    ours, theirs = simulated(rank=2), golden.value(entry)
    assert_same(ours, entry)
    # what both minimise: its number agrees far closer than the tolerance asks for
    golden.assert_close(ours.att, theirs["att_avg"], 1e-8)


def test_cross_validation_finds_gsynths_rank_and_errors():
    entry = "gsynth/simdata/ife_cv"
    ours, theirs = simulated(), golden.value(entry)
    assert ours.details["rank"] == theirs["r_cv"]
    assert_same(ours, entry)
    for mine, other in zip(ours.details["by_rank"], theirs["cv"], strict=True):
        assert mine["rank"] == other["r"]
        # theirs from fits stopped at 1e-3, whose slopes are up to 1e-3 off
        golden.assert_close(mine["mspe"], other["MSPE"], 1e-3)


def test_published_tutorial():
    theirs = golden.value("gsynth/published")
    ours = simulated()
    within = golden.tolerance("gsynth/published")
    assert ours.details["rank"] == theirs["r_cv"]
    golden.assert_close(ours.att, theirs["att_avg"], within)
    golden.assert_close(ours.details["coefficients"]["X1"], theirs["beta_X1"], within)
    golden.assert_close(ours.details["coefficients"]["X2"], theirs["beta_X2"], within)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_california_equals_gsynth(rank):
    entry = f"gsynth/prop99/ife_r{rank}"
    theirs = golden.value(entry)
    ours = california(rank=rank)
    # without covariates and missing cells nothing iterates on either side: only rounding is left
    golden.assert_close(ours.att, theirs["att_avg"], 1e-9)
    np.testing.assert_allclose(ours.effects, list(theirs["att_by_event_time"].values()), atol=1e-8)


def test_california_by_rank_shows_how_the_answer_hangs_on_it():
    """The trap of the method on short panels: the effect goes from -27 to -0.4 with the number of factors."""
    theirs = golden.value("gsynth/prop99/ife_cv")
    ours = california()
    assert ours.details["rank"] == theirs["r_cv"]
    golden.assert_close(ours.att, theirs["att_avg"], 1e-9)
    for mine, other in zip(ours.details["by_rank"], theirs["cv"], strict=True):
        golden.assert_close(mine["mspe"], other["MSPE"], 1e-9)
    effects = {row["rank"]: row["effect"] for row in ours.details["by_rank"]}
    for rank in range(4):
        golden.assert_close(effects[rank], golden.value(f"gsynth/prop99/ife_r{rank}")["att_avg"], 1e-9)


@pytest.mark.parametrize(("rank", "rounds"), [(1, 15), (2, 42)])
def test_california_em_is_where_fects_rounds_lead(rank, rounds):
    """fect ran at its default tolerance: the script's `tol = 1e-8` was taken by its helper for the entry's own `tolerance`.

    So its numbers are those of EM stopped after 15 and 42 rounds, which the plain rounds reproduce to the last digits; run to
    their end the same rounds come to our minimum, 0.4 and 2.2 packs away.
    """
    entry = f"fect/prop99/ife_r{rank}"
    panel = golden.prop99()
    steps = em_rounds(panel.outcome, ~panel.after, two_way(panel.outcome, ~panel.after), rank=rank)
    for _ in range(rounds):
        fitted = next(steps)
    theirs = golden.value(entry)
    golden.assert_close((panel.outcome - fitted)[panel.after].mean(), theirs["att_avg"], golden.tolerance(entry))
    for _ in range(1500):
        fitted = next(steps)
    ours = california(rank=rank, em=True)
    # the plain rounds still move by 1e-9 after so many
    golden.assert_close(ours.att, (panel.outcome - fitted)[panel.after].mean(), 1e-6)
    before = ours.effects[ours.event_times < 0]
    np.testing.assert_allclose(before, (panel.outcome - fitted)[panel.treated][0, : before.size], atol=1e-5)


def test_without_factors_em_is_the_imputation_of_two_way_effects():
    """Several starts: fect's fixed-effects estimate on the county panel, by cell and by time since the start."""
    entry = "fect/mpdta/fe"
    theirs = golden.value(entry)
    ours = METHOD.fit(golden.mpdta(), METHOD.options(rank=0, em=True))
    # fect's iterated means stop at 1e-3 of the fit's length; ours are exact
    golden.assert_close(ours.att, theirs["att_avg"], golden.tolerance(entry))
    imputed = ESTIMATORS["imputation"]
    golden.assert_close(ours.att, imputed.fit(golden.mpdta(), imputed.options()).att, 1e-8)


def test_default_of_the_study_is_cross_validated_and_placebo():
    found = evaluation.estimate(golden.prop99(), "interactive_fixed_effects")
    assert found.inference == "placebo"
    assert found.details["rank"] == 2
