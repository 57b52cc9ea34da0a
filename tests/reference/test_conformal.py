"""Conformal inference for one treated unit, against the authors' program and an exact quadratic programme."""

from __future__ import annotations

import functools

import pytest

import evaluation
from tests.reference import golden

CASES = [
    ("scinference/prop99/conformal_did", golden.smoking, "did"),
    ("scinference/basque/conformal_did", golden.basque, "did"),
    ("conformal_qp/prop99", golden.smoking, "synthetic_control"),
    ("conformal_qp/basque", golden.basque, "synthetic_control"),
]


@functools.cache
def answer(panel, method):
    return evaluation.estimate(panel(), method, inference="conformal", level=0.8)


@pytest.mark.parametrize(("name", "panel", "method"), CASES)
def test_p_values_equal(name, panel, method):
    """Cyclic shifts of the null-imposed residuals, all post-periods at once and each on its own."""
    theirs = golden.value(name)
    ours = answer(panel, method)
    # p-values are multiples of 1/T and computed from the same residuals: equal, or a step apart where two shifts tie
    assert ours.p_value == pytest.approx(theirs["p_joint"], abs=1e-9)
    after = {point.period: point.p_value for point in ours.path if point.event_time >= 0}
    assert set(after) == set(theirs["p_each"])
    steps = 1 / (theirs["T0"] + 1)
    unequal = {period: p for period, p in after.items() if abs(p - theirs["p_each"][period]) > 1e-9}
    if method == "did":
        assert not unequal
    # synthetic control in a hull with more donors than periods: residuals near 0 (the entry's note) may swap two ranks
    assert len(unequal) <= 2, unequal
    assert all(abs(p - theirs["p_each"][period]) <= steps + 1e-9 for period, p in unequal.items()), unequal


@pytest.mark.parametrize(("name", "panel", "method"), CASES)
def test_no_p_value_is_smaller_than_one_over_the_number_of_periods(name, panel, method):
    theirs = golden.value(name)
    ours = answer(panel, method)
    assert ours.p_value >= 1 / (theirs["T0"] + theirs["T1"])
    assert min(point.p_value for point in ours.path if point.event_time >= 0) >= 1 / (theirs["T0"] + 1) - 1e-12
