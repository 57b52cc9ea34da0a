"""Placebos rescaled by persons: the variance function is one of single units, whoever and however many are treated."""

from __future__ import annotations

import math

import numpy as np
import pytest

import evaluation
from evaluation import power
from evaluation.inference.draws import placebo_fits
from evaluation.inference.ferman_pinto import size_factors
from evaluation.noise import variance_function
from evaluation.study import make_pipeline
from tests.oracle.panels import make_panel

START = 6


def sized(treated, n_units=14, seed=3, **more):
    """Units of 60 to 6000 persons with noise of variance 0.05 + 100 / persons."""
    rng = np.random.default_rng(seed)
    persons = np.geomspace(60.0, 6000.0, n_units)[rng.permutation(n_units)]
    outcome = rng.normal(size=(n_units, 12)) * np.sqrt(0.05 + 100.0 / persons)[:, None]
    return make_panel(outcome, treated, size=np.repeat(persons[:, None], 12, axis=1), **more)


def placebos_of(panel, estimator="did", **limits):
    return placebo_fits(make_pipeline(estimator, "none", {}), panel, np.random.default_rng(0), **limits)


def change(line):
    return line[START:].mean() - line[:START].mean()


def test_with_one_treated_unit_the_function_is_that_of_its_placebos():
    panel = sized({2: START})
    placebos, noise = placebos_of(panel), 1.0 / panel.size[:, 0]
    assert placebos.alone is None
    rows = [row for (row,) in placebos.assignments]
    constant, slope = variance_function(np.column_stack([np.ones(13), noise[rows]]), placebos.effects**2)
    factors = np.sqrt((constant + slope * noise[2]) / (constant + slope * noise[rows]))
    fit = make_pipeline("did", "none", {})(panel)
    assert size_factors(fit, placebos, panel) == pytest.approx(factors, rel=1e-12)
    assert np.ptp(factors) > 0.5


def test_with_several_it_is_that_of_controls_alone_and_averages_follow_from_it():
    """By hand: each control alone against the others, then Σ share² (a + b / persons) and the mean of the controls."""
    panel = sized({2: START, 5: START, 6: START})
    controls = np.flatnonzero(~panel.treated).tolist()
    persons, noise = panel.size[:, 0], 1.0 / panel.size[:, 0]

    def row(units, against):
        share = persons[units] / persons[units].sum()
        return np.array(
            [(share**2).sum() + 1 / len(against), share**2 @ noise[units] + noise[against].mean() / len(against)]
        )

    lines = {unit: change(panel.outcome[unit]) for unit in controls}
    design, squares = [], []
    for unit in controls:
        others = [other for other in controls if other != unit]
        design.append(row([unit], others))
        squares.append((lines[unit] - np.mean([lines[other] for other in others])) ** 2)
    function = np.array(variance_function(np.array(design), np.array(squares)))
    placebos = placebos_of(panel)
    assert len(placebos.fits) == math.comb(11, 3)
    theirs = np.array(
        [row(list(rows), [other for other in controls if other not in rows]) for rows in placebos.assignments]
    )
    share = persons[panel.treated] / persons[panel.treated].sum()
    # the treated face 11 controls, their placebos 8: the factors count 8 on both sides
    own = np.array([(share**2).sum() + 1 / 8, share**2 @ noise[panel.treated] + noise[controls].mean() / 8])
    factors = np.sqrt(own @ function / (theirs @ function))
    fit = make_pipeline("did", "none", {})(panel)
    assert size_factors(fit, placebos, panel) == pytest.approx(factors, rel=1e-9)
    assert np.ptp(factors) > 0.5
    found = evaluation.estimate(panel, "did", inference="ferman_pinto")
    assert found.details["placebo"]["effects"] == pytest.approx((placebos.effects * factors).tolist())
    variance = found.details["variance"]
    assert [variance["constant"], variance["slope"]] == pytest.approx(function.tolist())
    assert variance["controls"] == pytest.approx(function @ np.array([1.0, noise[controls].mean()]) / 8)


@pytest.mark.parametrize("estimator", ["synthetic_did", "synthetic_control"])
def test_fitted_weights_are_counted_as_they_are(estimator):
    """Three units held against one control are as noisy as it is, however many they are."""
    panel = sized({2: START, 5: START, 6: START})
    controls, noise, persons = np.flatnonzero(~panel.treated), 1.0 / panel.size[:, 0], panel.size[:, 0]
    fit, placebos = make_pipeline(estimator, "none", {})(panel), placebos_of(panel, estimator)

    def row(units, weights):
        share = persons[list(units)] / persons[list(units)].sum()
        own = np.array([share @ share, share**2 @ noise[list(units)]])
        return own, np.array([weights @ weights, weights**2 @ noise[controls]])

    singles = [
        sum(row(units, one.unit_weights))
        for units, one in zip(placebos.alone.assignments, placebos.alone.fits, strict=True)
    ]
    function = np.array(variance_function(np.array(singles), placebos.alone.effects**2))
    theirs = [
        sum(row(units, one.unit_weights)) @ function
        for units, one in zip(placebos.assignments, placebos.fits, strict=True)
    ]
    own, facing = row(np.flatnonzero(panel.treated), fit.unit_weights[controls])
    # one of eight for one of eleven, as where weights are equal
    wanted = (own + facing * 11 / 8) @ function
    assert size_factors(fit, placebos, panel) == pytest.approx(np.sqrt(wanted / np.array(theirs)), rel=1e-9)


def test_equal_sizes_leave_the_placebos_as_they_are():
    panel = sized({2: START, 5: START})
    equal = make_panel(panel.outcome, {2: START, 5: START}, size=np.full(panel.outcome.shape, 700.0))
    one, other = (evaluation.estimate(equal, "did", inference=name) for name in ("ferman_pinto", "placebo"))
    for field in ("lower", "upper", "p_value", "std_error"):
        assert getattr(one, field) == pytest.approx(getattr(other, field), rel=1e-9)


def test_neither_the_unit_of_persons_nor_the_order_of_units_matters():
    panel = sized({2: START, 5: START})
    thousands = make_panel(panel.outcome, {2: START, 5: START}, size=1000.0 * panel.size)
    turned = make_panel(panel.outcome[::-1], {11: START, 8: START}, size=panel.size[::-1])
    found = [evaluation.estimate(each, "did", inference="ferman_pinto") for each in (panel, thousands, turned)]
    for other in found[1:]:
        assert (other.p_value, other.lower, other.upper) == pytest.approx(
            (found[0].p_value, found[0].lower, found[0].upper)
        )


def test_a_control_alone_takes_the_places_of_the_treated_in_turn():
    outcome = sized({2: START}).outcome.copy()
    outcome[5, 8] = np.nan
    size = sized({2: START}).size
    panel = make_panel(outcome, {2: START, 5: START + 2}, size=size)
    seen = []

    class Counting:
        def __call__(self, each):
            seen.append(each)
            return make_pipeline("did", "none", {})(each)

    placebos = placebo_fits(Counting(), panel, np.random.default_rng(0))
    alone = [each for each in seen if each.treated.sum() == 1]
    assert list(placebos.alone.assignments) == [(row,) for row in range(14) if row not in (2, 5)]
    assert [each.starts for each in alone] == [(START,), (START + 2,)] * 6
    # with the start goes the cell that the second treated unit lacks
    assert [int(np.isnan(each.outcome).sum()) for each in alone] == [0, 1] * 6
    assert all(each.n_units == 12 for each in alone)


def test_no_more_controls_alone_than_assignments_are_tried():
    assert len(placebos_of(sized({2: START, 5: START}), most=5).alone.fits) == 5


def test_whole_clusters_stand_alone_too():
    cluster = np.repeat(np.arange(7), 2)
    placebos = placebos_of(sized({0: START, 1: START, 2: START, 3: START}, cluster=cluster))
    assert placebos.alone.assignments == tuple((row, row + 1) for row in range(4, 14, 2))
    assert placebos_of(sized({0: START, 1: START}, cluster=cluster)).alone is None


def test_controls_stand_alone_only_where_sizes_are_known():
    panel = sized({2: START, 5: START})
    assert placebos_of(make_panel(panel.outcome, {2: START, 5: START})).alone is None
    assert placebos_of(make_panel(panel.outcome, {2: START, 5: START}, noise=1.0 / panel.size)).alone is not None


def test_a_control_whose_persons_are_never_known_spoils_nothing():
    panel = sized({2: START, 5: START}, n_units=24)
    size = panel.size.copy()
    size[7] = np.nan
    found = evaluation.estimate(make_panel(panel.outcome, {2: START, 5: START}, size=size), "did")
    whole = evaluation.estimate(panel, "did")
    assert found.inference == whole.inference == "ferman_pinto"
    # one of 22 controls more or less
    assert found.upper - found.lower == pytest.approx(whole.upper - whole.lower, rel=0.3)
    assert found.p_value == pytest.approx(whole.p_value, abs=0.1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("treated", [{2: START}, {2: START, 5: START}])
def test_nor_does_it_where_the_estimator_counts_units_alike(treated):
    """Such an estimator can be refitted for a control whose persons nobody knows: it counts as one of usual size."""
    panel = sized(treated, n_units=24)
    size = panel.size.copy()
    size[7] = np.nan
    found = evaluation.estimate(
        make_panel(panel.outcome, treated, size=size), "efficient_staggered", inference="ferman_pinto"
    )
    assert np.isfinite(found.details["placebo"]["effects"]).all()
    assert found.p_value > found.details["placebo"]["smallest_p"]


def test_the_share_of_persons_counts_the_mean_of_the_controls():
    panel = sized({2: START, 5: START}, n_units=40)
    found = evaluation.estimate(panel, "did", inference="ferman_pinto")
    variance, treated = found.details["variance"], panel.size[[2, 5], 0]
    share = treated / treated.sum()
    persons = variance["slope"] * (share**2 / treated).sum()
    total = persons + variance["constant"] * (share**2).sum() + variance["controls"]
    assert 0.0 < persons < total
    assert power.power_of(found, panel)["share_persons"] == pytest.approx(persons / total)
