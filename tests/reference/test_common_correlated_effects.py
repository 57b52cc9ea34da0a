"""Slopes with common correlated effects against plm 2.6.2 (08_vcov_plm.R)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from evaluation.common_effects import common_slopes
from tests.reference import golden

NAMES = ("log(pcap)", "log(pc)", "log(emp)", "unemp")


def produc():
    """Output of 48 states, 1970-1986, and what went into it."""
    frame = golden.table("produc")
    frame = frame.assign(**{f"log({name})": np.log(frame[name]) for name in ("gsp", "pcap", "pc", "emp")})
    wide = {name: frame.pivot(index="state", columns="year", values=name) for name in ("log(gsp)", *NAMES)}
    return (
        wide["log(gsp)"].to_numpy(),
        np.array([wide[name].to_numpy() for name in NAMES]),
        list(wide["log(gsp)"].index),
    )


@pytest.mark.parametrize(("entry", "pooled"), [("pcce_mg", False), ("pcce_p", True)])
def test_slopes_and_standard_errors_equal_plm(entry, pooled):
    """Averages of outcome and covariates over all states: within a state they are nearly collinear with what they are averages
    of, and plm inverts their cross products, which costs it half its digits: hence its tolerance of 1e-6."""
    name = f"plm/produc/{entry}"
    theirs, within = golden.value(name), golden.tolerance(name)
    outcome, covariates, states = produc()
    averages = np.vstack([outcome.mean(axis=0), covariates.mean(axis=1)])
    found = common_slopes(outcome, covariates, averages, np.ones(outcome.shape, dtype=bool), pooled=pooled)
    errors = np.sqrt(np.diag(found.covariance))
    for index, covariate in enumerate(NAMES):
        golden.assert_close(found.coefficients[index], theirs["coef"][covariate], within)
        golden.assert_close(errors[index], theirs["se"][covariate], within)
    for state, own in theirs["individual"].items():
        for index, covariate in enumerate(NAMES):
            # plm inverts cross products: its Minnesota is 1.2e-5 off the exact solution (below)
            golden.assert_close(found.individual[states.index(state), index], own[covariate], 2e-5)


def exact_slopes(outcome, regressors):
    """Least squares in fractions: not a digit is lost."""
    rows = [[Fraction(float(value)) for value in row] for row in regressors]
    right = [Fraction(float(value)) for value in outcome]
    system = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in (*rows, right)] for one in rows]
    for column in range(len(system)):
        pivot = system[column]
        pivot[:] = [value / pivot[column] for value in pivot]
        for row in system:
            if row is not pivot:
                factor = row[column]
                row[:] = [value - factor * other for value, other in zip(row, pivot, strict=True)]
    return [float(row[-1]) for row in system]


def test_where_plm_loses_digits_ours_are_those_of_exact_arithmetic():
    outcome, covariates, states = produc()
    averages = np.vstack([outcome.mean(axis=0), covariates.mean(axis=1)])
    found = common_slopes(outcome, covariates, averages, np.ones(outcome.shape, dtype=bool), pooled=False)
    row = states.index("MINNESOTA")
    exact = exact_slopes(outcome[row], np.vstack([covariates[:, row], np.ones(outcome.shape[1]), averages]))[
        : len(NAMES)
    ]
    np.testing.assert_allclose(found.individual[row], exact, atol=1e-10)
    theirs = golden.value("plm/produc/pcce_mg")["individual"]["MINNESOTA"]
    assert max(abs(theirs[name] - value) for name, value in zip(NAMES, exact, strict=True)) > 1e-5
