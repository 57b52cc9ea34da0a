"""The synthetic register without its persons: means by municipality and year, drawn from the same economy and the same noise.

For studies over hundreds of seeds. What persons do to a mean (that a cohort chosen out of work rises again, that hours persist,
how much they vary) is taken once from a register without shocks, so no number is set twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from evaluation.simulate.cycle import YEARS, Economy, economy
from evaluation.simulate.parameters import read_parameters
from evaluation.simulate.people import blocks
from evaluation.simulate.register import draw_part
from evaluation.simulate.streams import Array, stream

FIRST = YEARS.index(2008)
_PERSONS = 40_000
_SEED = 20_141_231


@dataclass(frozen=True, slots=True)
class SimulatedCells:
    """Annual ordinary hours of the cohort by municipality and year.

    Attributes
    ----------
    codes : tuple of str
        The municipalities.
    years : tuple of int
        2008 to 2020.
    hours : (municipalities, years)
        Mean hours of the cohort's residents, as a register of persons would give them.
    expected : (municipalities, years)
        The same without the noise of persons, the programme included.
    persons : (municipalities, years)
        Persons behind each mean; in decimals, since nobody is drawn.
    noise : (municipalities, years)
        Sampling variance of each mean.
    effect : (municipalities, years)
        The planted mean effect: the truth.
    unemployment, employment : (municipalities, years)
        The public series, yearly, in per cent.
    exemption : (municipalities,)
        Shares exempt from the 225-hour rule.
    """

    codes: tuple[str, ...]
    years: tuple[int, ...]
    hours: Array
    expected: Array
    persons: Array
    noise: Array
    effect: Array
    unemployment: Array
    employment: Array
    exemption: Array


@dataclass(frozen=True, slots=True)
class Persons:
    """What persons do to a mean (years,): `profile` is the cohort's mean relative to that of all, `stay` the share still resident;
    `covariance` (years, years) of a person's hours; `cohort` and `long_term` shares of all and of the cohort."""

    profile: Array
    stay: Array
    covariance: Array
    cohort: float
    long_term: Array


def draw_cells(scenario: str, seed: int, persons: int) -> SimulatedCells:
    """Cells of one scenario and seed; with the same seed, the economy of `simulate`."""
    parameters = read_parameters()
    drawn, known = economy(parameters, scenario, persons, seed), person_moments()
    response = parameters.number("hours.cohort_response")
    mean = parameters.number("hours.mean")
    relative = np.maximum((mean + drawn.level[:, None] + drawn.shift / response) / mean, 1 / 6)
    without = mean * relative * known.profile + drawn.side_jobs + drawn.long_term * known.long_term
    expected = without + drawn.effect
    n = drawn.persons[:, None] * known.cohort * known.stay
    # the variance of hours grows with their mean: most of it is who has any
    scale = np.sqrt(np.maximum(expected, 1.0) / (mean * known.profile))
    root = np.linalg.cholesky(known.covariance + 1e-9 * np.eye(len(YEARS)))
    normal = stream(seed, "cells").normal(size=expected.shape)
    noise = scale**2 * np.diag(known.covariance) / n
    hours = np.maximum(expected + scale * (normal @ root.T) / np.sqrt(n), 0.0)
    here = slice(FIRST, None)
    yearly = drawn.unemployment.reshape(len(drawn.areas), len(YEARS), 12).mean(axis=2)
    return SimulatedCells(
        codes=tuple(area.code for area in drawn.areas),
        years=YEARS[here],
        hours=hours[:, here],
        expected=expected[:, here],
        persons=n[:, here],
        noise=noise[:, here],
        effect=drawn.effect[:, here],
        unemployment=yearly[:, here],
        employment=drawn.employment[:, here],
        exemption=drawn.exemption,
    )


@lru_cache(maxsize=1)
def person_moments() -> Persons:
    """The moments of persons, from a register of forty thousand in a country without shocks, reforms or programme (a second)."""
    parameters = read_parameters()
    drawn = economy(parameters, "null", _PERSONS, _SEED)
    nothing = np.zeros_like(drawn.shift)
    calm: Economy = replace(
        drawn, level=np.zeros_like(drawn.level), shift=nothing, side_jobs=nothing, long_term=nothing
    )
    part = draw_part(parameters, calm, blocks(calm), _SEED)
    yearly = part.hours[:, part.cohort].reshape(len(YEARS), 12, -1).sum(axis=1).T / 100
    present = part.present[part.cohort]
    mean = (yearly * present).sum(axis=0) / present.sum(axis=0)
    residual = np.where(present, yearly - mean, 0.0)
    pairs = present.T.astype(float) @ present
    covariance = residual.T @ residual / pairs
    return Persons(
        profile=mean / parameters.number("hours.mean"),
        stay=present.mean(axis=0),
        covariance=covariance,
        cohort=float(part.cohort.mean()),
        long_term=(part.long_term[part.cohort, None] & present).sum(axis=0) / present.sum(axis=0),
    )
