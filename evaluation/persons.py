"""The persons behind a panel that was made from registers, as plain values: part of a Result."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """One band of one covariate at baseline: shares of the treated and of the controls before and after weighting.

    An empty `band` is the mean of the covariate instead of a share. The differences are standardised by the pooled standard
    deviation of the unweighted groups. None: too few persons to be shown, or no spread to measure a difference against.
    """

    covariate: str
    band: str
    treated: float | None
    before: float | None
    after: float | None
    difference_before: float | None
    difference_after: float | None


@dataclass(frozen=True, slots=True)
class Population:
    """The persons behind a panel made from registers. Counts are of persons, or where said of rows; None: too few to be shown.

    Attributes
    ----------
    design, baseline : str
        "cohort" or "stock", and the period at whose end the persons were found.
    treated, controls : int
        Persons in the treated units and in the units they are compared with.
    effective_controls : float or None
        (Σw)² / Σw² of the weighted control persons.
    method : str
        How the weights were found: "none", "entropy", "propensity" or "nearest".
    off_support : int or None
        Treated persons in cells of the covariates in which there is no control person.
    counters : dict
        How often a rule for the raw rows was used, by its code; a part of a total is named "code|part".
    imputed : dict
        "treated|before", "treated|after", "controls|before" and "controls|after": [imputed rows, all rows].
    exits : dict
        State -> "treated" and "controls" -> persons in that state at the end of each of `periods`.
    margins : dict
        Measure -> "treated" and "controls" -> its mean in each of `periods`, the controls weighted.
    synthetic : bool
        Made-up registers (the page says so by `Design.synthetic`, as for any made-up data).
    """

    design: str
    baseline: str
    treated: int
    controls: int
    effective_controls: float | None = None
    method: str = "none"
    off_support: int | None = 0
    balance: tuple[BalanceRow, ...] = ()
    counters: dict[str, int | None] = field(default_factory=dict)
    imputed: dict[str, list[int | None]] = field(default_factory=dict)
    periods: tuple[str, ...] = ()
    exits: dict[str, dict[str, list[int | None]]] = field(default_factory=dict)
    margins: dict[str, dict[str, list[float | None]]] = field(default_factory=dict)
    synthetic: bool = False
