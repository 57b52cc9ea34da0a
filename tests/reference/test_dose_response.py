"""Averages over all doses are those of the group-time method with never-treated controls: R did 2.1.2, script 01_did.R."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

from evaluation.estimators import ESTIMATORS
from tests.reference import golden

METHOD = ESTIMATORS["dose_response"]
THEIRS = "did/mpdta/x1/dr/nevertreated/universal"


@cache
def fit():
    panel = golden.mpdta()
    dose = np.where(panel.treated, 1.0 + np.arange(panel.n_units) % 7, 0.0)
    return METHOD.fit(dataclasses.replace(panel, covariates={"dose": dose}), METHOD.options())


def test_average_and_its_standard_error_are_the_simple_aggregate():
    """Both weight every treated county-year alike; the weights' own error is in the influence of the treated."""
    theirs, within = golden.value(THEIRS)["simple"], golden.tolerance(THEIRS)
    golden.assert_close(fit().att, theirs["overall_att"], within)
    golden.assert_close(np.sqrt((fit().influence ** 2).sum()), theirs["overall_se"], within)


@pytest.mark.parametrize("row", range(8))
def test_path_and_its_standard_errors_are_the_dynamic_aggregate_with_a_universal_base(row):
    theirs, within = golden.value(THEIRS)["dynamic"]["by"][row], golden.tolerance(THEIRS)
    place = int(np.flatnonzero(fit().event_times == theirs["e"])[0])
    golden.assert_close(fit().effects[place], theirs["att"], within)
    golden.assert_close(np.sqrt((fit().path_influence[place] ** 2).sum()), theirs["se"] or 0.0, within)
