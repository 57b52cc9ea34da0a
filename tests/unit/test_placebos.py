"""Placebos must be treated exactly as the treated unit was: its clusters, its missing cells, its window."""

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError
from evaluation.inference.draws import placebo_fits
from evaluation.panel import Panel
from evaluation.periods import Period
from evaluation.study import make_pipeline


def make(outcome, start, **changes):
    units, periods = outcome.shape
    starts = np.full(units, periods)
    for row, first in start.items():
        starts[row] = first
    names = tuple(f"u{row:03d}" for row in range(units))
    return Panel(outcome, names, tuple(Period("year", 2000 + index) for index in range(periods)), starts, **changes)


def outcomes(units=30, periods=12, seed=0):
    return np.random.default_rng(seed).normal(50, 1, size=(units, periods))


def test_whole_clusters_stand_in_for_a_treated_cluster():
    cluster = np.repeat(np.arange(10), 3)
    panel = make(outcomes(), {0: 6, 1: 6, 2: 6}, cluster=cluster)
    placebos = placebo_fits(make_pipeline("did", "none", {}), panel, np.random.default_rng(0))
    assert placebos.assignments == tuple((3 * block, 3 * block + 1, 3 * block + 2) for block in range(1, 10))
    answer = evaluation.estimate(panel, "did")
    assert answer.details["placebo"]["smallest_p"] == pytest.approx(0.1)
    assert answer.details["treated_clusters"] == 1


def test_a_cluster_that_is_treated_in_part_is_refused():
    panel = make(outcomes(), {0: 6}, cluster=np.repeat(np.arange(10), 3))
    with pytest.raises(EstimationError, match="do not all start together"):
        evaluation.estimate(panel, "did", inference="placebo")


def test_too_few_to_stand_in_for_several_says_what_needs_nobody_to():
    outcome = np.random.default_rng(1).normal(size=(6, 12)).cumsum(axis=1)
    start = np.array([8, 8, 8, 8, 12, 12])
    panel = Panel(outcome, tuple("abcdef"), tuple(Period("year", 2001 + t) for t in range(12)), start)
    with pytest.raises(EstimationError, match=r"2 controls are too few to stand in for 4 treated; `jackknife` or `block_bootstrap`"):
        evaluation.estimate(panel, "synthetic_did", inference="placebo")
    assert evaluation.estimate(panel, "synthetic_did", inference="jackknife").std_error > 0


def test_stand_ins_lose_the_cells_the_treated_unit_lacks():
    outcome = outcomes()
    outcome[0, 7:] = np.nan
    panel = make(outcome, {0: 6})
    placebos = placebo_fits(make_pipeline("did", "none", {}), panel, np.random.default_rng(0))
    for (row,), fit in zip(placebos.assignments, placebos.fits, strict=True):
        others = [each for each in range(30) if each not in (0, row)]
        change = outcome[row, 6] - outcome[row, :6].mean()
        controls = outcome[others][:, 6] - outcome[others][:, :6].mean(axis=1)
        assert fit.att == pytest.approx(change - controls.mean(), abs=0.2)


def test_an_empty_period_is_no_zero():
    outcome = outcomes() + 70.0
    outcome[0, 6:] += 20.0
    whole = evaluation.estimate(make(outcome, {0: 6}), "did")
    holed = outcome.copy()
    holed[:, 9] = np.nan
    answer = evaluation.estimate(make(holed, {0: 6}), "did")
    assert answer.effect == pytest.approx(whole.effect, abs=0.5)
    assert answer.baseline == pytest.approx(whole.baseline, abs=0.5)
    before = outcome.copy()
    before[:, 2] = np.nan
    assert evaluation.estimate(make(before, {0: 6}), "did").details["rmspe_pre"] < 2.0


def test_bins_may_not_straddle_the_window():
    panel = make(outcomes(), {0: 5}, window=(5, 6))
    with pytest.raises(EstimationError, match="inside the window with periods outside"):
        evaluation.estimate(panel, "event_study", bin_after=0)


def test_ranks_of_what_is_not_a_number_are_not_a_number():
    from evaluation.inference.draws import rank_p_value

    assert np.isnan(rank_p_value(np.ones(5), float("nan")))


def test_pre_period_gaps_are_rescaled_where_sizes_differ():
    rng = np.random.default_rng(1)
    size = np.repeat(np.geomspace(50, 5000, 40)[:, None], 12, axis=1)
    panel = make(50 + rng.normal(size=(40, 12)) * np.sqrt(0.1 + 100 / size), {0: 6}, size=size)
    placebo = evaluation.estimate(panel, "did").details["placebo"]
    raw, scaled = np.array(placebo["rmspe_pre"]), np.array(placebo["rmspe_pre_scaled"])
    # the treated unit is the smallest: the others' gaps must be stretched to its noise
    assert np.median(scaled) > 1.5 * np.median(raw)
