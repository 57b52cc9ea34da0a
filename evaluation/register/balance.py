"""Weights that make control persons look like the treated ones at baseline, and how alike they are before and after.

Everything happens on cells: persons who share the band of every covariate are one row with a count. A weight belongs to the
cell, so that a control municipality counts its persons with the same weights as every other one, on paper too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from evaluation.errors import EstimationError, listed
from evaluation.result import BalanceRow
from evaluation.spec.model import Balance

Array: TypeAlias = npt.NDArray[np.float64]

STEPS = 200
PRECISE = 1e-9
"""Standardised differences this small count as balanced: eight orders below what anybody would report."""
STEEP = 30.0
"""A control person with log odds beyond this would outweigh all others together: the sides are told apart without error."""

UNKNOWN = "unknown"
SCALE = {"hours_before": 0.01}
"""What one is of a covariate whose sums are kept in whole parts: hundredths of hours."""


class Profile(Protocol):
    """What balancing needs of the cells: see `evaluation.register.cells.Cells`."""

    @property
    def units(self) -> tuple[str, ...]:
        """Municipality codes."""

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the covariates."""

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The cells: one band label per covariate."""

    @property
    def persons(self) -> npt.NDArray[Any]:
        """Persons, (units, groups), or (units, groups, periods) of a stock."""

    @property
    def sums(self) -> Mapping[str, npt.NDArray[Any]]:
        """Covariate -> sums of its numbers, shaped like `persons`."""


@dataclass(frozen=True, slots=True)
class Weighted:
    """The weights and how well they balance.

    Attributes
    ----------
    weights : array (units, groups)
        1 in treated units; in all others the common weight of the cell, whose average over the control persons is 1.
    rows : tuple of BalanceRow
        A row per covariate and band, and one for the mean of each covariate that is a number.
    effective : float
        (Σw)² / Σw² over the control persons: how many persons of equal weight would tell as much.
    method : str
        How the weights were found.
    off_support : int
        Treated persons in cells in which there is no control person.
    treated, controls : int
        Persons on either side.
    """

    weights: Array
    rows: tuple[BalanceRow, ...]
    effective: float
    method: str
    off_support: int
    treated: int
    controls: int


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of the design: a band of a covariate, or (no band) the covariate's mean."""

    covariate: str
    band: str
    treated: Array
    controls: Array
    sd: float


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides by cell: persons, and the columns with their value in each cell."""

    treated: Array
    controls: Array
    columns: tuple[_Column, ...]

    def matrix(self, controls: bool) -> Array:
        """(groups, columns)"""
        return np.column_stack([one.controls if controls else one.treated for one in self.columns])


def weights(
    cells: Profile, treated: Sequence[str], excluded: Sequence[str], balance: Balance, period: int | None = None
) -> Weighted:
    """Find the weights of control persons.

    Parameters
    ----------
    cells : Cells
        Persons by unit and cell, and sums of the covariates that are numbers.
    treated, excluded : sequence of str
        Units that were treated, and units that may not serve as comparison: they have no part in the fit. (Their row of
        weights is the common one too, so that nothing is undefined where such a unit is looked at by itself.)
    balance : Balance
        The method, and the covariates to balance on; all others are only reported.
    period : int, optional
        Of a stock: the period whose members are balanced (the last before the start).

    Returns
    -------
    Weighted

    Raises
    ------
    EstimationError
        No weights can balance the sides, or there is nobody on one of them.
    ValueError
        A stock without a period.

    References
    ----------
    Hainmueller (2012), Political Analysis 20(1), eq. (8): entropy balancing by its dual; Hirano, Imbens & Ridder (2003): weights
    from the propensity, here the odds that are fit for the effect on the treated; Abadie & Imbens (2006): nearest neighbours.
    """
    sides = _sides(cells, treated, excluded, balance, period)
    if not sides.treated.sum() or not sides.controls.sum():
        who = "treated" if not sides.treated.sum() else "control"
        raise EstimationError(
            f"no {who} person is left to balance; look at the flow of persons for the step that took the last, and widen "
            "[register.who] there"
        )
    common = {"none": _none, "entropy": _entropy, "propensity": _propensity, "nearest": _nearest}[balance.method](sides)
    common = common * (sides.controls.sum() / (sides.controls @ common))
    found = np.tile(common, (len(cells.units), 1))
    found[np.isin(cells.units, list(treated))] = 1.0
    found.flags.writeable = False
    return Weighted(
        weights=found,
        rows=tuple(_row(column, sides, common) for column in sides.columns),
        effective=float((sides.controls @ common) ** 2 / (sides.controls @ common**2)),
        method=balance.method,
        off_support=round(float(sides.treated[sides.controls == 0].sum())),
        treated=round(float(sides.treated.sum())),
        controls=round(float(sides.controls.sum())),
    )


# -- the two sides by cell ---------------------------------------------------------------------------------------------


def _sides(
    cells: Profile, treated: Sequence[str], excluded: Sequence[str], balance: Balance, period: int | None
) -> _Sides:
    chosen = [place for place, name in enumerate(cells.covariates) if name in balance.covariates]
    own = np.isin(cells.units, list(treated))
    others = ~own & ~np.isin(cells.units, list(excluded))

    def by_cell(counts: npt.NDArray[Any]) -> tuple[Array, Array]:
        if counts.ndim == 3 and period is None:
            raise ValueError("which period's members of the stock are to be balanced?")
        flat = counts[:, :, period] if counts.ndim == 3 else counts
        return flat[own].sum(axis=0).astype(np.float64), flat[others].sum(axis=0).astype(np.float64)

    persons = by_cell(cells.persons)
    columns: list[_Column] = []
    for place in chosen:
        name, labels = cells.covariates[place], np.array([group[place] or UNKNOWN for group in cells.groups])
        bands = list(dict.fromkeys(sorted(labels[(persons[0] + persons[1]) > 0], key=_order)))
        if len(bands) > 1:
            for band in bands:
                inside = (labels == band).astype(np.float64)
                columns.append(_column(name, band, persons, (inside, inside)))
        if name in cells.sums:
            sums = by_cell(cells.sums[name])
            both = np.divide(sums[0] + sums[1], sum(persons), out=np.zeros(len(labels)), where=sum(persons) > 0)
            means = tuple(
                np.divide(total, count, out=both.copy(), where=count > 0) * SCALE.get(name, 1.0)
                for total, count in zip(sums, persons, strict=True)
            )
            if np.ptp(both[sum(persons) > 0]) > 0:
                columns.append(_column(name, "", persons, (means[0], means[1])))
    return _Sides(persons[0], persons[1], tuple(columns))


_NAMED = ("danish", "western", "non_western", "none_beyond_school", "vocational", "higher", "woman", "man")


def _order(band: str) -> tuple[int, float, str]:
    """Bands of numbers by their first number ("801+" after "226-800"), names in their usual order, the unknown last."""
    start = band.split("-")[0].rstrip("+")
    if start.isdigit():
        return 0, float(start), band
    return (2 if band == UNKNOWN else 1), float(_NAMED.index(band) if band in _NAMED else len(_NAMED)), band


def _column(covariate: str, band: str, persons: tuple[Array, Array], values: tuple[Array, Array]) -> _Column:
    """The column with the pooled standard deviation of the unweighted sides.

    Inside a cell a number is known by its mean only, so its spread is a little too small and a difference, if anything, a little
    too large: never better than it is.
    """
    variances = []
    for count, value in zip(persons, values, strict=True):
        total = count.sum() or 1.0
        mean = count @ value / total
        variances.append(float(count @ (value - mean) ** 2 / total))
    return _Column(covariate, band, values[0], values[1], float(np.sqrt(sum(variances) / 2.0)))


def _row(column: _Column, sides: _Sides, common: Array) -> BalanceRow:
    target = float(sides.treated @ column.treated / sides.treated.sum())
    before = float(sides.controls @ column.controls / sides.controls.sum())
    after = float((sides.controls * common) @ column.controls / (sides.controls @ common))

    def difference(mean: float) -> float | None:
        gap = target - mean
        if abs(gap) <= PRECISE * max(column.sd, abs(target)):
            return 0.0
        return gap / column.sd if column.sd > 0 else None

    return BalanceRow(column.covariate, column.band, target, before, after, difference(before), difference(after))


# -- the methods: (groups,) weights up to a factor ---------------------------------------------------------------------


def _none(sides: _Sides) -> Array:
    return np.ones_like(sides.controls)


def _entropy(sides: _Sides) -> Array:
    """Weights w = exp(λ'(x - target)) that meet the means of the treated: the minimum of log Σ n w over λ.

    The minimiser is found by Newton steps with halving. Cells with a band that no treated person has can only weigh zero: the
    minimum would lie at infinity, so they are left out before.
    """
    _lacking(sides)
    keep = (sides.controls > 0) & ~_unshared(sides, of_controls=True)
    if not keep.any():
        raise EstimationError(_advice(sides, [one.covariate for one in sides.columns if one.band]))
    used = [one for one in sides.columns if one.sd > 0]
    target = np.array([sides.treated @ one.treated / sides.treated.sum() for one in used])
    spread = np.array([one.sd for one in used])
    gaps = (
        (np.column_stack([one.controls[keep] for one in used]) - target) / spread if used else np.zeros((keep.sum(), 0))
    )
    counts, multipliers = sides.controls[keep], np.zeros(len(used))

    def dual(point: Array) -> tuple[float, Array]:
        exponent = gaps @ point
        top = exponent.max()
        mass = counts * np.exp(exponent - top)
        return float(np.log(mass.sum()) + top), mass / mass.sum()

    value, share = dual(multipliers)
    for _ in range(STEPS):
        slope = gaps.T @ share
        if np.abs(slope).max(initial=0.0) < PRECISE:
            break
        bent = (gaps * share[:, None]).T @ gaps - np.outer(slope, slope)
        step = -np.linalg.lstsq(bent, slope, rcond=1e-13)[0]
        size = 1.0
        while size > 1e-10:
            tried, tried_share = dual(multipliers + size * step)
            if tried <= value + 1e-4 * size * (slope @ step) or (tried <= value + 1e-15 and size < 1e-6):
                break
            size /= 2.0
        else:
            raise EstimationError(_advice(sides, _out_of_reach(gaps, used)))
        multipliers, value, share = multipliers + size * step, tried, tried_share
    else:
        raise EstimationError(_advice(sides, _out_of_reach(gaps, used)))
    found = np.zeros_like(sides.controls)
    found[keep] = share / counts
    return found


def _out_of_reach(gaps: Array, used: Sequence[_Column]) -> list[str]:
    """The covariates that stay apart when the weights make the sum of the standardised differences as small as it can be."""
    from scipy.optimize import linprog

    groups, columns = gaps.shape
    slack = np.eye(columns)
    cost = np.concatenate([np.zeros(groups), np.ones(2 * columns)])
    equal = np.block([[gaps.T, slack, -slack], [np.ones((1, groups)), np.zeros((1, 2 * columns))]])
    solved = linprog(cost, A_eq=equal, b_eq=np.append(np.zeros(columns), 1.0), method="highs")
    amounts = np.asarray(solved.x if solved.success else np.zeros_like(cost), dtype=np.float64)
    apart = amounts[groups : groups + columns] + amounts[groups + columns :]
    if apart.sum() < 1e-6:
        return [one.covariate for one in used]
    return [one.covariate for one, size in zip(used, apart, strict=True) if size > 1e-6 * apart.sum()]


def _lacking(sides: _Sides) -> None:
    """Refuse bands that treated persons have and no control person does: no weights can make something of nobody."""
    found = [
        f"'{one.band}' of {one.covariate}"
        for one in sides.columns
        if one.band and sides.treated @ one.treated > 0 and sides.controls @ one.controls == 0
    ]
    if found:
        names = [one.covariate for one in sides.columns if f"'{one.band}' of {one.covariate}" in found]
        raise EstimationError(
            f"treated persons are in band {listed(found)}, where there is no control person. " + _remedy(names)
        )


def _advice(sides: _Sides, covariates: Sequence[str]) -> str:
    names = list(dict.fromkeys(covariates))
    return (
        f"no weights on the control persons can give {listed(names)} the means of the treated persons: the treated lie beyond "
        "what the controls span. " + _remedy(names)
    )


def _remedy(covariates: Sequence[str]) -> str:
    names = list(dict.fromkeys(covariates))
    return (
        f"Leave {listed(names)} out of `covariates` in [register.balance], use fewer or coarser covariates together, or write "
        '`method = "propensity"`, which balances as far as it can'
    )


def _unshared(sides: _Sides, of_controls: bool) -> npt.NDArray[np.bool_]:
    """Cells with a band that nobody on the other side has."""
    other = sides.treated if of_controls else sides.controls
    found = np.zeros(len(other), dtype=np.bool_)
    for one in sides.columns:
        if one.band and other @ one.treated == 0:
            found |= one.treated > 0
    return found


def _propensity(sides: _Sides) -> Array:
    """Odds p / (1 - p) of a logit of being treated on the cells' bands and means, by Newton's method.

    Cells with a band that only one side has separate the sides perfectly and say nothing about the rest: those of controls get
    weight zero, and those of the treated have no part in the fit.
    """
    shared = ~_unshared(sides, of_controls=True) & ~_unshared(sides, of_controls=False)
    counts = np.concatenate([np.where(shared, sides.treated, 0.0), np.where(shared, sides.controls, 0.0)])
    if not counts[: len(shared)].sum() or not counts[len(shared) :].sum():
        raise EstimationError(
            "treated and control persons share no band of some covariate, so that their odds of treatment are zero or endless; "
            "leave a covariate out of `covariates` in [register.balance]"
        )
    used = [one for one in sides.columns if one.sd > 0]
    values = [np.concatenate([one.treated, one.controls]) for one in used]
    centred = [(value - counts @ value / counts.sum()) / one.sd for value, one in zip(values, used, strict=True)]
    design = np.column_stack([np.ones_like(counts), *centred])
    outcome = np.concatenate([np.ones_like(sides.treated), np.zeros_like(sides.controls)])
    point = np.zeros(design.shape[1])
    point[0] = np.log(counts[: len(shared)].sum() / counts[len(shared) :].sum())

    def loss(at: Array) -> float:
        linear = design @ at
        return float(counts @ (np.logaddexp(0.0, linear) - outcome * linear))

    value = loss(point)
    for _ in range(STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ point, -700, 700)))
        slope = design.T @ (counts * (chance - outcome))
        if np.abs(slope).max() < PRECISE * counts.sum():
            break
        bent = (design * (counts * chance * (1.0 - chance))[:, None]).T @ design
        step = -np.linalg.lstsq(bent, slope, rcond=1e-13)[0]
        size = 1.0
        while size > 1e-10 and loss(point + size * step) > value + 1e-4 * size * (slope @ step) + 1e-12 * abs(value):
            size /= 2.0
        point, value = point + size * step, loss(point + size * step)
    linear = (design @ point)[len(shared) :]
    inside = counts[len(shared) :] > 0
    apart = value < 1e-6 * counts[: len(shared)].sum() or linear[inside].max() > STEEP
    if apart or np.abs(slope).max() >= 1e-6 * counts.sum():
        raise EstimationError(
            "the covariates together tell treated from control persons without error, so that the propensity is zero or one; "
            "leave a covariate out of `covariates` in [register.balance]"
        )
    found = np.zeros_like(sides.controls)
    found[inside] = np.exp(linear[inside])
    return found


def _nearest(sides: _Sides) -> Array:
    """Every treated person shares one match among the control persons of the same cell, or where there are none, of the nearest
    cell by Mahalanobis distance; equally near cells share by their persons. A control person may be used many times."""
    there = np.flatnonzero(sides.controls > 0)
    found = np.zeros_like(sides.controls)
    exact = (sides.treated > 0) & (sides.controls > 0)
    found[exact] = sides.treated[exact] / sides.controls[exact]
    lonely = np.flatnonzero((sides.treated > 0) & (sides.controls == 0))
    if not lonely.size:
        return found
    treated, controls = sides.matrix(controls=False), sides.matrix(controls=True)
    every, counts = np.vstack([treated, controls]), np.concatenate([sides.treated, sides.controls])
    centred = every - counts @ every / counts.sum()
    # bands of one covariate sum to one, so the covariance has no inverse; its pseudo-inverse measures what varies
    inverse = np.linalg.pinv((centred * counts[:, None]).T @ centred / counts.sum(), rcond=1e-10, hermitian=True)
    for cell in lonely:
        away = controls[there] - treated[cell]
        distance = np.einsum("ij,jk,ik->i", away, inverse, away)
        tied = there[distance <= distance.min() * (1.0 + 1e-9) + 1e-12]
        found[tied] += sides.treated[cell] / sides.controls[tied].sum()
    return found
