"""Matrix completion against gsynth 1.2.1 (10_factor_models.R) and fect 2.4.1 (12_fect.R)."""

from __future__ import annotations

from itertools import islice

import pytest

import evaluation
from evaluation.estimators import ESTIMATORS
from tests.reference import golden
from tests.reference.em import em_rounds, two_way

METHOD = ESTIMATORS["matrix_completion"]


@pytest.mark.parametrize("penalty", [0.001, 0.003, 0.01])
def test_simulated_panel_with_covariates_equals_gsynth(penalty):
    """The same λ means the same: singular values over units × periods (50 × 30) are lowered by it."""
    entry = f"gsynth/simdata/mc_lambda{penalty:g}"
    theirs, within = golden.value(entry), golden.tolerance(entry)
    ours = METHOD.fit(golden.gsynth_simdata(), METHOD.options(penalty=penalty, covariates=("X1", "X2")))
    assert ours.details["threshold"] == pytest.approx(penalty * 1500)
    # gsynth ran to 1e-8 of the fit's length a round, which leaves some 1e-5 of the way
    golden.assert_close(ours.att, theirs["att_avg"], 1e-5)
    for mine, other in zip(ours.effects, theirs["att_by_event_time"].values(), strict=True):
        golden.assert_close(mine, other, within)
    for name, slope in ours.details["coefficients"].items():
        golden.assert_close(slope, theirs["beta"][name], 1e-4)


@pytest.mark.parametrize("penalty", [0.001, 0.01])
def test_california_is_where_fects_rounds_lead(penalty):
    """fect stopped after the first round, at its default tolerance (the script's `tol` was taken for the entry's tolerance).

    One plain round gives its number to the last digits (-27.24, next to the -27.35 without factors it starts from); ten
    thousand come to ours, the minimum (-19.71).
    """
    entry = f"fect/prop99/mc_lambda{penalty:g}"
    panel = golden.prop99()
    start = two_way(panel.outcome, ~panel.after)
    steps = em_rounds(panel.outcome, ~panel.after, start, threshold=penalty * panel.outcome.size)
    stopped = next(steps)
    golden.assert_close(
        (panel.outcome - stopped)[panel.after].mean(), golden.value(entry)["att_avg"], golden.tolerance(entry)
    )
    ours = METHOD.fit(panel, METHOD.options(penalty=penalty))
    *_, last = islice(steps, 6000 if penalty < 0.01 else 1200)
    # the plain rounds still creep: the smaller the penalty, the slower
    golden.assert_close(ours.att, (panel.outcome - last)[panel.after].mean(), 1e-5)


def test_default_of_the_study_is_cross_validated_and_placebo():
    found = evaluation.estimate(golden.prop99(), "matrix_completion")
    assert found.inference == "placebo"
    assert found.details["rule"] == "cross-validation"
    errors = [row["mspe"] for row in found.details["by_penalty"]]
    chosen = [row["penalty"] for row in found.details["by_penalty"]].index(found.details["penalty"])
    # no penalty predicts better by more than the share that makes a smaller one worth while
    assert errors[chosen] * (1 - 1e-3) <= min(errors)
