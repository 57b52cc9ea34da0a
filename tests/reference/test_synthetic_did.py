"""Synthetic difference in differences on Proposition 99, against the authors' own program and the published table."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import evaluation
from evaluation.estimators import ESTIMATORS
from tests.reference import golden

METHOD = ESTIMATORS["synthetic_did"]


def fit(**options):
    return METHOD.fit(golden.prop99(), METHOD.options(**options))


@cache
def placebos(**options):
    panel = golden.prop99()
    california = panel.units.index("California")
    found = {}
    for row, unit in enumerate(panel.units):
        if row != california:
            assigned = panel.assign({row: 19}, without=[california])
            found[unit] = METHOD.fit(assigned, METHOD.options(**options)).att
    return found


def test_exact_weights_and_effect_equal_the_authors_program_run_to_its_end():
    theirs = golden.value("synthdid/prop99/sdid_tight")
    ours = evaluation.estimate(golden.prop99(), "synthetic_did", inference="placebo")
    # a million Frank-Wolfe steps end about 1e-5 away from the optimum in the weights
    golden.assert_close(ours.effect, theirs["estimate"], golden.tolerance("synthdid/prop99/sdid_tight"))
    golden.assert_weights(ours.unit_weights, theirs["omega"], 1e-4)
    golden.assert_weights(ours.time_weights, theirs["lambda"], 1e-4)
    after = [point.effect for point in ours.path if point.event_time >= 0]
    # effect of each year: 1e-4 in the weights times outcomes that lie within some 20 packs of their mean
    np.testing.assert_allclose(after, theirs["effect_curve"], atol=2e-3)


def test_ridge_penalty_equals_the_papers_formula():
    theirs = golden.value("synthdid/prop99/sdid_tight")
    golden.assert_close(fit().details["zeta"], theirs["zeta_omega"], 1e-12)


def test_papers_stopping_rule_gives_the_published_program_to_its_last_digits():
    """Frank-Wolfe with the package's own stopping rule and dropping of small weights: step for step the same program."""
    theirs = golden.value("synthdid/prop99/sdid")
    ours = fit(stopping="paper")
    golden.assert_close(ours.att, theirs["estimate"], 1e-8)
    golden.assert_weights(dict(zip(golden.prop99().units, ours.unit_weights, strict=True)), theirs["omega"], 1e-8)
    labels = [period.label for period in golden.prop99().periods]
    golden.assert_weights(dict(zip(labels, ours.time_weights, strict=True)), theirs["lambda"], 1e-8)


def test_papers_stopping_rule_gives_every_placebo_of_the_published_program():
    theirs = golden.value("synthdid/prop99/sdid")["placebo_estimates"]
    for unit, placebo in placebos(stopping="paper").items():
        golden.assert_close(placebo, theirs[unit], 1e-6)


def test_spread_of_all_placebos_equals_the_enumerated_one():
    """The program draws 200 of 38 placebos at random; enumerating them has no such noise."""
    theirs = golden.value("synthdid/prop99/sdid")["placebo_se_enumerated"]
    spread = np.array(list(placebos(stopping="paper").values())).std()
    golden.assert_close(spread, theirs, 1e-6)
    exact = np.array(list(placebos().values())).std()
    # stopping early moves single placebos by up to 0.1 pack
    assert exact == pytest.approx(theirs, abs=0.05)


def test_effect_as_published():
    assert round(fit().att, 1) == golden.value("synthdid/prop99/published")["sdid"]["estimate"]


def test_several_starts_equal_another_package_with_the_papers_stopping_rule():
    """synthdid-py 0.1.0, staggered_synthdid_estimate(state, year, l_homicide, law in force) on castle.csv: effect by start."""
    theirs = {
        "2005": 0.08703937656, "2006": 0.08555899351, "2007": 0.12965481629, "2008": 0.10607167828, "2009": 0.26589889126
    }  # fmt: skip
    found = METHOD.fit(golden.castle(), METHOD.options(stopping="paper"))
    golden.assert_close(found.att, 0.09817132368599964, 1e-9)
    assert [row["start"] for row in found.details["cohorts"]] == list(theirs)
    for row in found.details["cohorts"]:
        golden.assert_close(row["effect"], theirs[row["start"]], 1e-9)
    # stopping early moves the effect by less than a thousandth of its size here
    golden.assert_close(METHOD.fit(golden.castle(), METHOD.options()).att, found.att, 1e-4)
