"""Weights that give the stock of each December the mix of persons that the treated had at the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evaluation.errors import EstimationError
from evaluation.panel import Array, Mask
from evaluation.register import balance
from evaluation.register.cells import Cells, IntArray
from evaluation.spec.model import Balance

MOVED_BY_THE_PROGRAMME = ("hours_before",)
"""The hours of the year before are an outcome from the programme's second year on: who is weighted by them loses its effect."""


@dataclass(frozen=True, slots=True)
class _Sides:
    """The treated at the baseline, and those of one side in one December, by the cells that both have."""

    covariates: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    persons: IntArray
    sums: Mapping[str, IntArray] = field(default_factory=dict)
    units: tuple[str, ...] = field(default=("baseline", "december"))


def to_baseline(stock: Cells, cohort: Cells, treated: Sequence[str], excluded: Sequence[str], asked: Balance) -> Array:
    """Weights under which the treated, and all controls together, have the same mix of persons in each period.

    The mix is that of the treated cohort: the shares of the bands of all covariates that are known at every December and that
    the programme cannot move. Treated and controls are weighted apart, each as control persons are weighted in the headline (by
    entropy where the spec wants none); all controls share the weight of a cell, so that municipalities stay comparable with
    one another. Bands that nobody on a side has in some December have no part in the mix of that December.

    Returns
    -------
    array (units, groups, periods)

    Raises
    ------
    EstimationError
        Stock and cohort know no covariate that the programme cannot move, or no weights give that mix.
    """
    shared = tuple(
        name for name in cohort.covariates if name in stock.covariates and name not in MOVED_BY_THE_PROGRAMME
    )
    if not shared:
        raise EstimationError("there is no covariate to weight by that is known at every December and fixed by then")
    wanted = asked.model_copy(update={"method": "entropy"}) if asked.method == "none" else asked
    groups = tuple(sorted({*_labels(stock, shared), *_labels(cohort, shared)}))
    stock_place, cohort_place = _places(stock, shared, groups), _places(cohort, shared, groups)
    own = np.isin(stock.units, list(treated))
    controls = ~own & ~np.isin(stock.units, list(excluded))
    target = np.zeros(len(groups), dtype=np.int64)
    np.add.at(target, cohort_place, cohort.persons[np.isin(cohort.units, list(treated))].sum(axis=0))
    weights = np.ones((len(stock.units), len(stock.groups), len(stock.periods)))
    for period in range(len(stock.periods)):
        for some, rows in ((own, own), (controls, ~own)):
            there = np.bincount(stock_place, stock.persons[some, :, period].sum(axis=0), len(groups))
            mix = np.where(_with_bands_of(groups, there > 0), target, 0)
            sides = _Sides(shared, groups, np.stack([mix, there.astype(np.int64)]))
            found = balance.weights(sides, ["baseline"], [], wanted).weights[1]
            weights[rows, :, period] = found[stock_place]
    return weights


def _with_bands_of(groups: Sequence[tuple[str, ...]], there: Mask) -> Mask:
    """The cells of which each band is one that somebody has."""
    columns = [np.array(column) for column in zip(*groups, strict=True)]
    found = np.ones(len(groups), dtype=np.bool_)
    for column in columns:
        found &= np.isin(column, column[there])
    return found


def _labels(cells: Cells, covariates: Sequence[str]) -> list[tuple[str, ...]]:
    """The bands of these covariates only, of each cell."""
    columns = [cells.covariates.index(name) for name in covariates]
    return [tuple(group[column] for column in columns) for group in cells.groups]


def _places(cells: Cells, covariates: Sequence[str], groups: Sequence[tuple[str, ...]]) -> IntArray:
    place = {group: number for number, group in enumerate(groups)}
    return np.array([place[labels] for labels in _labels(cells, covariates)], dtype=np.int64)
