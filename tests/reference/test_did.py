"""Difference-in-differences and its cluster-robust errors, against fixest, sandwich, clubSandwich and synthdid."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from evaluation.estimators import ESTIMATORS
from tests.reference import golden

# Both sides solve the same linear system in double precision; they differ by the order of summation only.
SUMMATION = 1e-9


def test_twfe_with_a_covariate_equals_fixest():
    theirs = golden.value("fixest/base_did/twfe")["coef"]
    ours = evaluation.estimate(golden.base_did(), "did", covariates=("x1",), inference="cluster")
    golden.assert_close(ours.effect, theirs["treat:post"]["estimate"], SUMMATION)
    golden.assert_close(ours.details["coefficients"]["x1"], theirs["x1"]["estimate"], SUMMATION)


def test_cluster_robust_error_and_p_value_equal_fixest():
    """fixest's default small-sample factor, unit effects nested in the clusters not counted, t with G-1 degrees of freedom."""
    theirs = golden.value("fixest/base_did/vcov/cluster_id")["coef"]["treat:post"]
    ours = evaluation.estimate(golden.base_did(), "did", covariates=("x1",), inference="cluster")
    golden.assert_close(ours.std_error, theirs["se"], SUMMATION)
    # the p-value is about 1e-18: relative to itself, and only as good as the t distribution's far tail
    assert ours.p_value == pytest.approx(theirs["p"], rel=1e-6)


@pytest.mark.parametrize(("factor", "name"), [(1.0, "CR0"), (108 / 107, "CR1")])
def test_influence_gives_the_sandwich_of_clubsandwich(factor, name):
    theirs = golden.value("vcov/base_did")[name]["tp"]
    method = ESTIMATORS["did"]
    fit = method.fit(golden.base_did(), method.options(covariates=("x1",)))
    golden.assert_close(float(np.sqrt(factor * np.sum(fit.influence**2))), theirs, SUMMATION)


@pytest.mark.parametrize(("factor", "name"), [(1.0, "CR0"), (22 / 21, "CR1")])
def test_influence_with_several_starts_gives_the_sandwich_of_clubsandwich(factor, name):
    theirs = golden.value("vcov/ezunem")
    method = ESTIMATORS["did"]
    fit = method.fit(golden.ezunem(), method.options())
    golden.assert_close(fit.att, theirs["coef"]["ez"], SUMMATION)
    golden.assert_close(float(np.sqrt(factor * np.sum(fit.influence**2))), theirs[name]["ez"], SUMMATION)


@pytest.mark.parametrize(
    ("name", "panel", "coefficient", "options"),
    [
        ("fixest/ezunem/twfe", golden.ezunem, "ez", {}),
        ("fixest/mpdta/twfe_static", golden.mpdta, "D", {}),
    ],
)
def test_several_starts_equal_fixest(name, panel, coefficient, options):
    theirs = golden.value(name)["coef"][coefficient]
    ours = evaluation.estimate(panel(), "did", inference="cluster", **options)
    golden.assert_close(ours.effect, theirs["estimate"], SUMMATION)
    golden.assert_close(ours.std_error, theirs["se"], SUMMATION)
    assert ours.p_value == pytest.approx(theirs["p"], rel=1e-8)


def test_unit_trends_equal_fixest():
    theirs = golden.value("fixest/ezunem/twfe_city_trends")["coef"]["ez"]
    ours = evaluation.estimate(golden.ezunem(), "did", inference="cluster", unit_trends=True)
    # fixest demeans varying slopes by iteration, to a tolerance of 1e-6 per step; the entry's own tolerance covers that
    within = golden.tolerance("fixest/ezunem/twfe_city_trends")
    golden.assert_close(ours.effect, theirs["estimate"], within)


def test_several_starts_come_with_the_warning_that_the_coefficient_is_no_average():
    ours = evaluation.estimate(golden.mpdta(), "did", inference="cluster")
    assert "staggered_twfe" in {note.code for note in ours.notes}


def test_four_cell_means_give_card_and_krueger():
    theirs = golden.value("fixest/njmin3/did")["coef"]["d_nj"]["estimate"]
    method = ESTIMATORS["did"]
    golden.assert_close(method.fit(golden.njmin3(), method.options()).att, theirs, SUMMATION)


def test_proposition_99_equals_synthdid():
    theirs = golden.value("synthdid/prop99/did")
    ours = evaluation.estimate(golden.prop99(), "did", inference="placebo")
    golden.assert_close(ours.effect, theirs["estimate"], SUMMATION)
    after = [point.effect for point in ours.path if point.event_time >= 0]
    np.testing.assert_allclose(after, theirs["effect_curve"], atol=1e-9)


def test_proposition_99_placebos_equal_synthdid_one_by_one():
    theirs = golden.value("synthdid/prop99/did")
    panel = golden.prop99()
    california = panel.units.index("California")
    method = ESTIMATORS["did"]
    for unit, placebo in theirs["placebo_estimates"].items():
        assigned = panel.assign({panel.units.index(unit): 19}, without=[california])
        golden.assert_close(method.fit(assigned, method.options()).att, placebo, SUMMATION)


def test_proposition_99_as_published():
    theirs = golden.value("synthdid/prop99/published")["did"]
    ours = evaluation.estimate(golden.prop99(), "did", inference="placebo")
    assert round(ours.effect, 1) == theirs["estimate"]


def test_unit_trends_std_error_equals_fixest():
    """The slopes of the units are counted in the small-sample factor (fixest: K = 1 + 9 years + 22 slopes = 32)."""
    theirs = golden.value("fixest/ezunem/twfe_city_trends")["coef"]["ez"]
    ours = evaluation.estimate(golden.ezunem(), "did", inference="cluster", unit_trends=True)
    golden.assert_close(ours.std_error, theirs["se"], 1e-7)


def test_one_coefficient_with_several_starts_equals_fixest():
    theirs = golden.value("fixest/base_stagg/twfe_static")["coef"]
    ours = evaluation.estimate(golden.base_stagg(), "did", covariates=("x1",), inference="cluster")
    golden.assert_close(ours.effect, theirs["D"]["estimate"], SUMMATION)
    golden.assert_close(ours.std_error, theirs["D"]["se"], SUMMATION)
    assert ours.p_value == pytest.approx(theirs["D"]["p"], rel=1e-6)


def test_weights_of_one_coefficient_equal_twowayfeweights():
    """TwoWayFEWeights on mpdta (16_did2s_twfe_weights.R): how many treated cells weigh negatively, and what would undo the sign."""
    theirs = golden.value("TwoWayFEWeights/mpdta/feTR")
    ours = evaluation.estimate(golden.mpdta(), "did", inference="cluster")
    golden.assert_close(ours.effect, theirs["beta"], SUMMATION)
    for name in ("n_plus", "n_minus", "sum_plus", "sum_minus", "sensibility", "sensibility2"):
        golden.assert_close(ours.details["twfe_weights"][name], theirs[name], SUMMATION)


@pytest.mark.parametrize(
    ("name", "panel", "coefficient"),
    [
        ("fixest/kielmc/did", lambda: golden.four_means("kielmc", "nearinc", "y81", "rprice"), "y81nrinc"),
        (
            "fixest/injury/did_kentucky",
            lambda: golden.four_means("injury", "highearn", "afchnge", "ldurat", "ky == 1"),
            "afhigh",
        ),
        ("fixest/njmin3/did_hc1", lambda: golden.four_means("njmin3", "nj", "d", "fte"), "d_nj"),
    ],
)
def test_two_repeated_cross_sections_equal_the_change_of_their_means(name, panel, coefficient):
    """The coefficient of a saturated regression of persons is the difference of changes of four means.

    Its standard error (iid, HC1) rests on the spread of persons within the four cells, which a panel of two units does not hold:
    it is not compared.
    """
    theirs = golden.value(name)["coef"][coefficient]
    fit = ESTIMATORS["did"].fit(panel(), ESTIMATORS["did"].options())
    golden.assert_close(fit.att, theirs["estimate"], SUMMATION)
