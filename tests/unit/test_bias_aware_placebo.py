"""Placebos measured by how far they exceed their own gap: what the gap, and how few controls it rests on, do to them."""

import numpy as np
import pytest

from evaluation.contracts import Fit
from evaluation.inference.bias_aware_placebo import noise_factors, outward
from evaluation.inference.draws import Placebos
from evaluation.panel import Panel
from evaluation.periods import Period

TIMES = np.arange(-3, 2)


def fit(effects, weights=None):
    effects = np.asarray(effects, dtype=float)
    early = float(np.sqrt(np.mean(effects[:3] ** 2)))
    return Fit(att=float(effects[3:].mean()), effects=effects, event_times=TIMES, fit_rmse=early, unit_weights=weights)


def panel(units):
    start = np.full(units, 5)
    start[0] = 3
    names = tuple(f"u{row}" for row in range(units))
    return Panel(np.zeros((units, 5)), names, tuple(Period("year", 2000 + year) for year in range(5)), start)


def moved(own, others, alone=None):
    placebos = Placebos(tuple((1 + row,) for row in range(len(others))), tuple(others), 0, True, alone)
    return outward(own, placebos, panel(1 + len(others)), np.ones(len(others)))


def test_a_placebo_loses_its_own_gap_and_gets_the_treated_unit_s():
    effects, paths = moved(fit([2, -2, 2, 9, 9]), [fit([1, -1, 1, -4, -6]), fit([3, -3, 3, 1, 2])])
    assert effects == pytest.approx(
        [-(5 - 1 + 2), 2.0]
    )  # the second is smaller than its own gap: nothing is left of it
    assert paths[0] == pytest.approx([1, -1, 1, -(4 - 1 + 2), -(6 - 1 + 2)])
    assert paths[1, 3:] == pytest.approx([2.0, 2.0])


def test_a_comparison_with_one_control_is_noisier_than_one_with_many():
    one, four = np.array([1.0, 0, 0, 0]), np.full(4, 0.25)
    own, placebo = [2, -2, 2, 9, 9], [1, -1, 1, 4, 6]
    effects, _ = moved(fit(own, one), [fit(placebo, four), fit(placebo, one)])
    wider = np.sqrt((1 + 1) / (1 + 0.25))
    assert effects == pytest.approx([(5 - 1) * wider + 2, (5 - 1) + 2])
    # weights that nobody knows change nothing
    assert moved(fit(own), [fit(placebo)])[0] == pytest.approx([6.0])


def test_factors_by_size_that_count_the_controls_weights_are_not_widened_by_them_again():
    few, many = np.array([1.0, 0, 0, 0]), np.full(4, 0.25)
    others = [fit([1, -1, 1, 4, 6], many)]
    alone = Placebos(((1,),), tuple(others), 0, True)
    assert moved(fit([2, -2, 2, 9, 9], few), others, alone)[0] == pytest.approx([6.0])


@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_placebos_are_brought_to_the_treated_unit_s_restlessness_where_units_differ_in_it(spread):
    noise = np.random.default_rng(3).normal(size=(60, 90)) * np.exp(np.linspace(spread, -spread, 60))[:, None]
    names = tuple(f"u{row:02d}" for row in range(60))
    start = np.where(np.arange(60) == 0, 80, 90)
    some = Panel(noise, names, tuple(Period("year", 1900 + year) for year in range(90)), start)
    placebos = Placebos(tuple((row,) for row in range(1, 60)), tuple(fit([1, 1, 1, 1, 1]) for _ in range(59)), 0, True)
    factors = noise_factors(fit([1, 1, 1, 1, 1]), placebos, some)
    if spread:
        # eighty periods tell the noise of a unit to about an eighth, and this is the farthest of 59 ratios of two
        assert factors == pytest.approx(np.exp(spread - np.linspace(spread, -spread, 60)[1:]), rel=0.5)
    else:
        assert factors == pytest.approx(np.ones(59))
