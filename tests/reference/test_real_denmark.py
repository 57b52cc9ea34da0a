"""Hjørring's employment rate against 97 or 93 municipalities: numbers computed before this package existed, by other code.

Published to two decimals (intervals to one), on data that are themselves rounded to one decimal of a per cent. Where a
comparison is looser than that rounding, the reason stands beside it.
"""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from tests.reference import golden
from tests.reference.golden import EXCLUDED, NORDJYLLAND, denmark

TWO_DECIMALS = 0.005 + 1e-9
PRE_PERIODS = (2008, 2010, 2013)


def placebo(method, first, without=(), **options):
    return evaluation.estimate(denmark(first=first, without=without), method, inference="placebo", **options)


# ------------------------------------------------------------------ difference-in-differences


@pytest.mark.parametrize(
    ("first", "without", "effect"),
    [
        (2008, (), -0.25), (2010, (), -0.38), (2013, (), -0.31),
        (2008, EXCLUDED, -0.23), (2010, EXCLUDED, -0.37), (2013, EXCLUDED, -0.29),
    ],
)  # fmt: skip
def test_did(first, without, effect):
    assert placebo("did", first, without).effect == pytest.approx(effect, abs=TWO_DECIMALS)


@pytest.mark.parametrize(("first", "effect"), list(zip(PRE_PERIODS, (-0.51, -0.57, -0.51), strict=True)))
def test_did_inside_nordjylland(first, effect):
    everybody = set(golden.municipalities()["area"]) - {"Hjørring", *NORDJYLLAND}
    ours = evaluation.estimate(denmark(first=first, without=tuple(sorted(everybody))), "did", inference="placebo")
    assert ours.effect == pytest.approx(effect, abs=TWO_DECIMALS)


@pytest.mark.parametrize(("first", "spread"), list(zip(PRE_PERIODS, (0.61, 0.58, 0.49), strict=True)))
def test_spread_of_the_placebos(first, spread):
    assert placebo("did", first).std_error == pytest.approx(spread, abs=TWO_DECIMALS)


@pytest.mark.parametrize(
    ("first", "without", "p_value"),
    [(2008, (), 0.64), (2010, (), 0.48), (2008, EXCLUDED, 0.65), (2010, EXCLUDED, 0.49)],
)
def test_placebo_p_values(first, without, p_value):
    assert placebo("did", first, without).p_value == pytest.approx(p_value, abs=TWO_DECIMALS)


@pytest.mark.parametrize(("without", "p_value"), [((), 0.48), (EXCLUDED, 0.53)])
def test_placebo_p_values_where_rounded_data_tie(without, p_value):
    """With two pre-periods of rounded data, three placebos lie within 0.004 of Hjørring: ties move p by up to three ranks.

    Ours counts a tie as "at least as large", which is the careful way: 0.50 and 0.52.
    """
    ours = placebo("did", 2013, without)
    assert ours.p_value == pytest.approx(p_value, abs=3 / ours.n_units)


@pytest.mark.parametrize(("first", "lower", "upper"), [(2008, -1.6, 1.2), (2010, -1.7, 0.9), (2013, -1.3, 0.7)])
def test_interval_by_inversion(first, lower, upper):
    ours = placebo("did", first, EXCLUDED)
    # one decimal, and the limits are single placebos: a rank defined by < or <= moves them by up to 0.05
    assert ours.lower == pytest.approx(lower, abs=0.06)
    assert ours.upper == pytest.approx(upper, abs=0.06)


@pytest.mark.parametrize(
    ("first", "last", "significant"), [(2010, 2018, 75), (2008, 2018, 74), (2013, 2018, 73), (2008, 2021, 76)]
)
def test_cluster_robust_errors_call_three_quarters_of_all_municipalities_significant(first, last, significant):
    """The reason `cluster` is not the default with one treated unit: 77 % "effects" among places where nothing happened."""
    found = 0
    for unit in sorted(golden.municipalities()["area"].unique()):
        ours = evaluation.estimate(denmark(treated=unit, first=first, last=last), "did", inference="cluster")
        assert "cluster_few_treated" in {note.code for note in ours.notes}
        found += abs(ours.effect / ours.std_error) > 1.96
    # exactly, with the small-sample factor of fixest that `cluster` takes; counting the unit effects too makes the first 73
    assert found == significant


# ------------------------------------------------------------------ synthetic control


@pytest.mark.parametrize(
    ("without", "effect", "weights"),
    [
        (
            (), -0.14,
            {"Vordingborg": 0.35, "Frederikshavn": 0.27, "Rebild": 0.22, "Brønderslev": 0.07, "Vejen": 0.06, "Mariagerfjord": 0.03},
        ),
        (
            EXCLUDED, 0.02,
            {"Frederikshavn": 0.40, "Brønderslev": 0.28, "Glostrup": 0.15, "Mariagerfjord": 0.10, "Ærø": 0.07},
        ),
    ],
)  # fmt: skip
def test_synthetic_control(without, effect, weights):
    ours = placebo("synthetic_control", 2008, without)
    assert ours.effect == pytest.approx(effect, abs=TWO_DECIMALS)
    golden.assert_weights(ours.unit_weights, weights, TWO_DECIMALS)


def test_synthetic_control_without_the_region():
    # exact optimum -0.425, published as -0.43
    ours = placebo("synthetic_control", 2008, (*EXCLUDED, *NORDJYLLAND))
    assert ours.effect == pytest.approx(-0.43, abs=0.006)


@pytest.mark.parametrize("without", [(), EXCLUDED])
def test_demeaned_synthetic_control(without):
    assert placebo("synthetic_control", 2008, without, demeaned=True).effect == pytest.approx(-0.16, abs=TWO_DECIMALS)


def test_good_fit_is_no_precision():
    """Pre-period gaps of 0.08 points, and placebo effects that spread by 0.53."""
    ours = placebo("synthetic_control", 2008)
    before = np.array([point.effect for point in ours.path if point.event_time < 0])
    assert np.sqrt(np.mean(before**2)) == pytest.approx(0.08, abs=TWO_DECIMALS)
    assert ours.std_error == pytest.approx(0.53, abs=TWO_DECIMALS)


def test_a_quarter_of_all_municipalities_are_fitted_perfectly():
    """28 of 98 within 0.01 points: why RMSPE ratios say nothing here."""
    from evaluation.estimators import ESTIMATORS

    method = ESTIMATORS["synthetic_control"]
    panel = denmark()
    fits = [method.fit(panel.assign({row: 7}), method.options()).fit_rmse for row in range(panel.n_units)]
    assert sum(rmse < 0.01 for rmse in fits) == 28


def test_no_p_value_can_be_smaller_than_the_number_of_placebos_allows():
    ours = placebo("did", 2008)
    assert ours.details["placebo"]["smallest_p"] == pytest.approx(1 / 98)
