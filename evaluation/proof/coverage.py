"""How often each inference errs in made-up panels where the truth is known: the rows that a page may quote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from evaluation.proof.tables import rows

LEAST, MOST = 0.03, 0.07
"""A test at 5 % keeps its size when it calls a true zero significant in this share of panels."""

SAME_AS: Mapping[str, str] = {
    "imputation": "did",
    "two_stage": "did",
    "extended_twfe": "did",
    "callaway_santanna": "event_study",
    "sun_abraham": "event_study",
    "partially_pooled_synthetic_control": "synthetic_control demeaned",
}
"""With one start, complete data and no covariates these give the numbers of another estimator, whose rows are theirs."""

TREATED = (1, 2, 5)
PERIODS = {14: 7, 60: 40}
"""Periods of the simulated panels, and how many of them lie before the start."""

UNEQUAL = 5.0
"""Persons of the largest unit over those of the smallest from which the simulated panels with persons are the ones to look at."""


def judged(size: float, error: float) -> str:
    """`holds`, `cautious` (rejects too rarely) or `fails`: a share rejected at 5 %, allowing for one Monte Carlo standard error."""
    if size > MOST + error:
        return "fails"
    return "cautious" if size < LEAST - error else "holds"


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One combination in one simulated world; shares between 0 and 1, None where there is no such number.

    Attributes
    ----------
    world, treated_size : str
        What the noise is like, and where the treated unit stands among the sizes (`any` where that does not matter).
    periods, treated : int
        Periods of the panels, and how many of their 98 units were treated.
    estimator, adjust, inference : str
        An estimator's option stands behind a space.
    statistic : str
        What was tested: the headline `effect`, the `first_period` after the start alone, or no effect in any period of the window,
        `joint`.
    replications : int
        Panels.
    size_05, size_10 : float or None
        Share called significant at 5 and at 10 % although nothing happened.
    coverage : float or None
        Share of 95 % intervals that hold a planted effect.
    power_100 : float or None
        Share that finds an effect of one standard deviation of an untreated cell.
    length : float or None
        Mean length of the interval in that unit.
    error : float or None
        Monte Carlo standard error of `size_05`.
    """

    world: str
    periods: int
    treated: int
    treated_size: str
    estimator: str
    adjust: str
    inference: str
    statistic: str
    replications: int
    size_05: float | None
    size_10: float | None
    coverage: float | None
    power_100: float | None
    length: float | None
    error: float | None

    @property
    def verdict(self) -> str:
        """`holds`, `cautious` (rejects too rarely) or `fails`, each allowing for one Monte Carlo standard error."""
        return "unknown" if self.size_05 is None or self.error is None else judged(self.size_05, self.error)


@cache
def coverage() -> tuple[CoverageRow, ...]:
    """Every row of `coverage.csv`, in its order."""
    return rows("coverage.csv", CoverageRow)


def fitting(
    estimator: str,
    adjust: str,
    inference: str,
    *,
    treated: int,
    before: int,
    spread: float | None,
    place: str,
    statistic: str = "effect",
) -> tuple[CoverageRow, ...]:
    """The rows of the simulated panels nearest to a design, one for each world.

    Parameters
    ----------
    estimator : str
        By name; a switched-on option behind a space.
    treated, before : int
        Treated units and periods before the start; the nearest simulated ones are taken.
    spread : float or None
        Persons of the largest unit over those of the smallest; None where persons are not known.
    place : str
        `small`, `median` or `large`: where the treated unit stands among the sizes.
    statistic : str
        `effect`, `first_period` or `joint`.

    Returns
    -------
    tuple of CoverageRow
        Empty where the combination was not simulated.
    """
    nearest = min(TREATED, key=lambda count: abs(count - treated))
    periods = min(PERIODS, key=lambda count: abs(PERIODS[count] - before))
    name = SAME_AS.get(estimator, estimator)
    found = [
        row
        for row in coverage()
        if (row.estimator, row.adjust, row.inference, row.statistic) == (name, adjust, inference, statistic)
        and (row.treated, row.periods) == (nearest, periods)
        and row.size_05 is not None
    ]
    sized = spread is not None and spread >= UNEQUAL
    return tuple(
        row
        for row in found
        if not row.world.startswith("sizes") or (sized and row.world == "sizes" and row.treated_size == place)
    )
