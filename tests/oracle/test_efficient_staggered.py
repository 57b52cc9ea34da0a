"""The efficient estimator against loops over starts and periods, and against what makes it efficient."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from tests.oracle.panels import factor_outcome, make_panel

METHOD = ESTIMATORS["efficient_staggered"]
ROUNDING = 1e-9  # the same sums in another order


def staggered(seed=1, n_units=30, *, never=True, **more):
    starts = {row: (3, 5, 6)[row % 3] for row in range(n_units) if row % 4 or not never}
    return make_panel(factor_outcome(seed, n_units, 8), starts, **more)


def compared(panel, group, period, last_only):
    """The rows a start is compared with in a period: those that start later than both."""
    last = panel.start.max()
    later = panel.start > max(period, group)
    return later & (panel.start == last) if last_only else later


def twin(panel, estimator, pairs):
    """(effect, Neyman error) of the weighted {(start, period): weight}, with θ₀ and X̂ by loops and β by its definition."""
    last_only = estimator == "sun_abraham"
    after = {unit: np.zeros(panel.n_periods) for unit in range(panel.n_units)}
    before = {unit: np.zeros(panel.n_periods) for unit in range(panel.n_units)}
    for (group, period), weight in pairs.items():
        own = np.flatnonzero(panel.start == group)
        others = np.flatnonzero(compared(panel, group, period, last_only))
        for rows, sign in ((own, 1.0), (others, -1.0)):
            for row in rows:
                after[row][period] += sign * weight / rows.size
                before[row][group - 1] += sign * weight / rows.size
    theta0 = sum(after[row] @ panel.outcome[row] for row in after)
    x_hat = sum(before[row] @ panel.outcome[row] for row in before)

    def covariance(left, right):
        total = 0.0
        for group in np.unique(panel.start):
            rows = np.flatnonzero(panel.start == group)
            s = np.cov(panel.outcome[rows].T)
            total += rows.size * (left[rows[0]] @ s @ right[rows[0]])  # N_g (A/N_g) S (A/N_g)' with A/N_g in each unit
        return total

    beta = covariance(before, after) / covariance(before, before) if estimator == "efficient" else 1.0
    combined = {row: after[row] - beta * before[row] for row in after}
    return theta0 - beta * x_hat, np.sqrt(covariance(combined, combined)), beta


def treated_pairs(panel, last_only=False):
    """{(start, period): units} of the identified cells of the target."""
    found = {}
    for group in panel.starts:
        for period in np.flatnonzero(panel.target[panel.start == group][0]):
            if compared(panel, group, period, last_only).any():
                found[group, int(period)] = float((panel.start == group).sum())
    return found


def normalised(pairs):
    total = sum(pairs.values())
    return {key: value / total for key, value in pairs.items()}


@pytest.mark.parametrize("estimator", ["efficient", "callaway_santanna", "sun_abraham"])
@pytest.mark.parametrize("never", [True, False], ids=["never treated", "all treated at last"])
@pytest.mark.parametrize("window", [None, (4, 5)])
def test_effects_errors_and_path_equal_loops(estimator, never, window):
    panel = staggered(never=never, window=window)
    fit = METHOD.fit(panel, METHOD.options(estimator=estimator))
    pairs = treated_pairs(panel, estimator == "sun_abraham")
    effect, error, beta = twin(panel, estimator, normalised(pairs))
    assert fit.att == pytest.approx(effect, abs=ROUNDING)
    assert np.sqrt((fit.influence**2).sum()) == pytest.approx(error, abs=ROUNDING)
    assert fit.details["beta"] == pytest.approx(beta, abs=ROUNDING)
    everything = treated_pairs(panel.with_window(None), estimator == "sun_abraham")
    for place, time in enumerate(fit.event_times.tolist()):
        at = {(g, t): weight for (g, t), weight in everything.items() if t - g == time}
        if at:
            effect, error, _ = twin(panel, estimator, normalised(at))
            assert fit.effects[place] == pytest.approx(effect, abs=ROUNDING)
            assert np.sqrt((fit.path_influence[place] ** 2).sum()) == pytest.approx(error, abs=ROUNDING)
    assert fit.effects[fit.event_times == -1] == 0
    codes = {note.code for note in fit.notes}
    assert ("periods_without_comparison" in codes) == (not never and window is None)


@pytest.mark.parametrize("seed", range(3))
def test_no_other_beta_has_a_smaller_variance(seed):
    """The variance is a parabola in β: it grows by the square of the distance from the efficient one."""
    panel = staggered(seed)
    efficient = METHOD.fit(panel, METHOD.options())
    did = METHOD.fit(panel, METHOD.options(estimator="callaway_santanna"))
    assert (efficient.influence**2).sum() < (did.influence**2).sum()
    # between the two the influence is linear in β, so any other β can be had from them
    direction = did.influence - efficient.influence
    assert abs(direction @ efficient.influence) < ROUNDING


def test_starts_of_one_unit_are_left_out_by_name():
    panel = staggered()
    start = panel.start.copy()
    start[1] = 4
    lonely = panel.assign({row: int(first) for row, first in enumerate(start) if first < 8})
    fit = METHOD.fit(lonely, METHOD.options())
    note = next(note for note in fit.notes if note.code == "lone_starts_dropped")
    assert note.facts == {"count": 1, "units": "unit 01"}
    without = METHOD.fit(lonely.keep_units([row for row in range(30) if row != 1]), METHOD.options())
    assert fit.att == pytest.approx(without.att, abs=ROUNDING)
    assert fit.influence[1] == 0


def test_treated_groups_of_one_unit_have_an_effect_but_no_variance():
    panel = make_panel(factor_outcome(2, 20, 9), {3: 5, 7: 6})
    fit = METHOD.fit(panel, METHOD.options(estimator="callaway_santanna"))
    assert np.isfinite(fit.att)
    assert fit.variance is None
    assert fit.influence is None
    assert fit.details["std_error"] is None
    with pytest.raises(EstimationError, match="no two units share a start"):
        METHOD.fit(make_panel(factor_outcome(2, 3, 9), {0: 5, 1: 6}), METHOD.options())


def test_clusters_above_the_unit_sum_the_influence():
    cluster = np.arange(30) // 2
    alone, together = (METHOD.fit(staggered(**more), METHOD.options()) for more in ({}, {"cluster": cluster}))
    by_hand = sum(alone.influence[cluster == code].sum() ** 2 for code in range(15))
    assert together.variance[0, 0] == pytest.approx(by_hand, rel=1e-9)
    assert together.att == alone.att
