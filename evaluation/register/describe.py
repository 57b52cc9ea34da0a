"""The persons behind a panel, as plain values for the Result: how many, how alike, what was mended, and where they went."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from evaluation.periods import Period
from evaluation.register.balance import Weighted
from evaluation.result import Population


class Counted(Protocol):
    """What is told of the cells: see `evaluation.register.cells.Cells`."""

    @property
    def units(self) -> tuple[str, ...]:
        """Municipality codes."""

    @property
    def periods(self) -> tuple[Period, ...]:
        """Periods of the outcome."""

    @property
    def count(self) -> Mapping[str, npt.NDArray[Any]]:
        """Measure -> persons observed, (units, groups, periods)."""

    @property
    def total(self) -> Mapping[str, npt.NDArray[Any]]:
        """Measure -> sums in whole numbers, shaped like `count`."""

    @property
    def scale(self) -> Mapping[str, float]:
        """Measure -> what one is in the unit of the outcome."""

    @property
    def counters(self) -> Mapping[str, int]:
        """How often each rule for raw rows was used."""

    @property
    def imputed(self) -> Mapping[str, tuple[int, int]]:
        """ "unit|before" and "unit|after" -> imputed rows, all rows."""

    @property
    def exits(self) -> Mapping[str, npt.NDArray[Any]]:
        """State -> persons in it at the end of each period, (units, periods)."""


def population(
    cells: Counted, weighted: Weighted, design: str, baseline: str, treated: Collection[str], excluded: Collection[str]
) -> Population:
    """Everything the page says of persons, summed over the treated and over those they are compared with.

    Parameters
    ----------
    cells, weighted
        The cells, and the weights that `evaluation.register.balance.weights` found for them.
    design, baseline : str
        "cohort" or "stock", and the label of the period at whose end the persons were found.
    treated, excluded : collection of str
        Codes of the treated units, and of those that are in neither group.

    Returns
    -------
    Population
        Not yet protected: `evaluation.disclosure.protect` takes away what is too small.
    """
    own = np.isin(cells.units, sorted(treated))
    sides = {"treated": own, "controls": ~own & ~np.isin(cells.units, sorted(excluded))}

    def mean(measure: str, chosen: npt.NDArray[np.bool_]) -> list[float | None]:
        weights = weighted.weights[chosen, :, None]
        persons = (cells.count[measure][chosen] * weights).sum(axis=(0, 1))
        sums = (cells.total[measure][chosen] * weights).sum(axis=(0, 1)) * cells.scale[measure]
        return [float(total / count) if count > 0 else None for total, count in zip(sums, persons, strict=True)]

    imputed: dict[str, list[int | None]] = {}
    for side, chosen in sides.items():
        names = [unit for unit, inside in zip(cells.units, chosen, strict=True) if inside]
        for when in ("before", "after"):
            pairs = [cells.imputed[key] for unit in names if (key := f"{unit}|{when}") in cells.imputed]
            if pairs:
                imputed[f"{side}|{when}"] = [int(sum(pair[part] for pair in pairs)) for part in (0, 1)]
    return Population(
        design=design,
        baseline=baseline,
        treated=weighted.treated,
        controls=weighted.controls,
        effective_controls=weighted.effective,
        method=weighted.method,
        off_support=weighted.off_support,
        balance=weighted.rows,
        counters={code: int(count) for code, count in cells.counters.items()},
        imputed=imputed,
        periods=tuple(period.label for period in cells.periods),
        exits={
            state: {side: [int(count) for count in counts[chosen].sum(axis=0)] for side, chosen in sides.items()}
            for state, counts in cells.exits.items()
        },
        margins={measure: {side: mean(measure, chosen) for side, chosen in sides.items()} for measure in cells.count},
    )
