"""How strongly each unit moves with the nation before the start: slopes by unit, and how far to trust them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.errors import EstimationError, did_you_mean, listed
from evaluation.noise import PERSONS_UNKNOWN, variance_function
from evaluation.panel import Array, Mask, Panel

FEWEST_PERIODS = 3
"""Periods a slope with its intercept is estimated from at the least: with two it fits every unit without an error."""

FLAT = 1e-12
"""A series whose squared deviations are below this share of its squares does not move."""


@dataclass(frozen=True, slots=True)
class Loadings:
    """One slope for each unit, by ordinary least squares with an intercept.

    All are (units,): `slope` and its `std_error`; `spread` the regressor's sum of squared deviations; `variance` of the
    residuals, with two degrees of freedom taken off; `known` is False, and the rest NaN, where a unit has too few periods.
    """

    slope: Array
    std_error: Array
    spread: Array
    variance: Array
    known: Mask


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Slopes drawn toward the donors' mean by as much as they are noise.

    `slope`, `std_error` (of the slope before shrinking) and `factor` are (units,); `mean`, `spread` (standard deviation of the
    donors' estimated slopes) and `reliability` (the share of their variance that is no noise) are numbers.
    """

    slope: Array
    std_error: Array
    factor: Array
    mean: float
    spread: float
    reliability: float


def first_start(panel: Panel) -> int:
    """The first treated period (index) of all; the number of periods where nobody is treated."""
    return panel.starts[0] if panel.starts else panel.n_periods


def cells_before(panel: Panel) -> Mask:
    """(units, periods) what loadings rest on: a treated unit's periods before its own start, the others' before the first."""
    last = np.where(panel.treated, panel.start, first_start(panel))
    return np.asarray(np.arange(panel.n_periods) < last[:, None])


def enough_periods(panel: Panel, adjustment: str, fewest: int = FEWEST_PERIODS) -> None:
    """Raise EstimationError, with what to do, where no unit can have as many periods before the start as a loading takes."""
    before = first_start(panel)
    if before < fewest:
        periods = "1 period" if before == 1 else f"{before} periods"
        raise EstimationError(
            f"{adjustment}: {periods} before the start; a unit's own reaction to the cycle takes at least {fewest}. "
            "Give earlier periods, or choose an adjustment that needs none"
        )


def treated_known(panel: Panel, known: Mask, adjustment: str, fewest: int = FEWEST_PERIODS) -> None:
    """Raise EstimationError that names the treated units without a loading."""
    lost = [panel.units[row] for row in np.flatnonzero(panel.treated & ~known)]
    if lost:
        raise EstimationError(
            f"{adjustment}: {listed(lost)} is observed in fewer than {fewest} periods before the start, too few for its own "
            "reaction to the cycle"
        )
    if not (known & ~panel.treated).any():
        raise EstimationError(f"{adjustment}: no control is observed in {fewest} periods before the start")


def leave_own_out(panel: Panel, values: Array) -> Array:
    """(units, periods) mean of `values` over the never-treated units, each unit's own left out of what it is held against.

    Raises
    ------
    EstimationError
        In some period nobody else is observed.
    """
    never = ~panel.treated
    seen = np.isfinite(values) & never[:, None]
    filled = np.where(seen, values, 0.0)
    count = seen.sum(axis=0) - seen
    if not count.all():
        gaps = [panel.periods[column].label for column in np.flatnonzero((count == 0).any(axis=0))]
        raise EstimationError(
            f"in {listed(gaps)} no other never-treated unit is observed, so there is no mean to compare with"
        )
    return np.asarray((filled.sum(axis=0) - filled) / count)


def national(panel: Panel, name: str) -> Array:
    """(units, periods) the national movement of a series of the panel, as each unit sees it.

    The series itself where it is national, its row "NAME|nation" where there is one, else the mean of the never-treated units'
    series without the unit's own.

    Raises
    ------
    EstimationError
        The panel has no such series, or it does not move before the start.
    """
    values = series(panel, name)
    if values.ndim == 2:
        nation = panel.cycle.get(f"{name}|nation")
        if nation is None:
            return leave_own_out(panel, values)
        values = nation
    before = values[: first_start(panel)]
    if ((before - before.mean()) ** 2).sum() <= FLAT * (before**2).sum():
        raise EstimationError(
            f"the cycle series '{name}' does not move before the start, so nothing can be learnt from it"
        )
    return np.broadcast_to(values, panel.outcome.shape)


def series(panel: Panel, name: str) -> Array:
    """A cycle series of the panel by its name, (periods,) or (units, periods); else an error that names the nearest."""
    if name in panel.cycle:
        return panel.cycle[name]
    known = series_names(panel)
    if not known:
        raise EstimationError(f"no cycle series '{name}': the panel has none{HOW_TO_GIVE}")
    raise EstimationError(f"no cycle series '{name}' in the panel{did_you_mean(name, known)}")


HOW_TO_GIVE = "; give one in [cycle] series, or a column in `cycle=` of Panel.from_frame"


def series_names(panel: Panel) -> list[str]:
    """The names of the panel's cycle series, without what is derived from them ("NAME|nation", the predicted demand)."""
    return [name for name in panel.cycle if "|" not in name and name != "shift_share"]


def loadings(values: Array, regressor: Array, cells: Mask) -> Loadings:
    """Slopes of `values` on `regressor`, unit by unit, over the `cells`; all (units, periods), NaN where not observed.

    Raises
    ------
    EstimationError
        The regressor does not move, for no unit that has periods enough.
    """
    last = int(np.flatnonzero(cells.any(axis=0)).max(initial=-1)) + 1  # later periods need no work
    values, regressor = values[:, :last], regressor[:, :last]
    seen = cells[:, :last] & np.isfinite(values) & np.isfinite(regressor)
    count = seen.sum(axis=1)
    enough = count >= FEWEST_PERIODS
    per_unit = np.maximum(count, 1)[:, None]
    x, y = np.where(seen, regressor, 0.0), np.where(seen, values, 0.0)
    squares = np.einsum("ut,ut->u", x, x)
    x = np.where(seen, x - x.sum(axis=1, keepdims=True) / per_unit, 0.0)
    y = np.where(seen, y - y.sum(axis=1, keepdims=True) / per_unit, 0.0)
    spread = np.einsum("ut,ut->u", x, x)
    known = enough & (spread > FLAT * squares)
    if enough.any() and not known.any():
        raise EstimationError(
            "the national movement is constant before the start, so nobody's reaction to it can be learnt"
        )
    divisor = np.where(known, spread, np.nan)
    slope = np.einsum("ut,ut->u", x, y) / divisor
    rest = y - np.where(known, slope, 0.0)[:, None] * x
    variance = np.einsum("ut,ut->u", rest, rest) / np.where(known, count - 2.0, np.nan)
    return Loadings(slope, np.sqrt(variance / divisor), divisor, variance, known)


def shrink(found: Loadings, donors: Mask, noise: Array | None) -> Shrunk:
    """Empirical Bayes: each slope is moved toward the donors' mean by the share of its variance that is noise.

    With `noise` None every unit is drawn by one factor, (variance of the donors' slopes − mean squared standard error) over
    the variance. With `noise` (units,), see `noise.unit_noise`, the residual variance is a + b × noise for all units
    together, and each unit is drawn by its own factor τ² / (τ² + se²) toward the precision-weighted mean.

    Parameters
    ----------
    donors : Mask
        (units,) the never-treated units, whose mean and variance are used.

    References
    ----------
    Morris (1983), Journal of the American Statistical Association 78(381), section 1; τ² by the method of moments of
    DerSimonian & Laird (1986), Controlled Clinical Trials 7(3).
    """
    used = donors & found.known
    slopes = found.slope[used]
    spread = float(slopes.std(ddof=1)) if slopes.size > 1 else 0.0
    if noise is None:
        error = found.std_error
        mean = float(slopes.mean())
        between = max(0.0, spread**2 - float(np.mean(error[used] ** 2)))
        common = between / spread**2 if spread > 0.0 else 0.0
        factor = np.where(found.known, common, np.nan)
        return Shrunk(mean + factor * (found.slope - mean), error, factor, mean, spread, common)
    if not np.isfinite(noise[found.known]).all():
        raise EstimationError(PERSONS_UNKNOWN)
    design = np.column_stack([np.ones(noise.size), noise])
    fitted = design @ np.array(variance_function(design[found.known], found.variance[found.known]))
    squared = fitted / found.spread
    mean, between = _moments(slopes, squared[used])
    total = between + squared
    factor = np.where(total > 0.0, between / np.where(total > 0.0, total, 1.0), 1.0)
    reliability = between / (between + float(np.mean(squared[used]))) if between > 0.0 else 0.0
    return Shrunk(mean + factor * (found.slope - mean), np.sqrt(squared), factor, mean, spread, reliability)


def _moments(slopes: Array, squared: Array) -> tuple[float, float]:
    """The precision-weighted mean, and the variance between units that the slopes' scatter about it leaves beyond `squared`."""
    if not (squared > 0.0).all():
        return float(slopes.mean()), float(slopes.var(ddof=1)) if slopes.size > 1 else 0.0
    weight = 1.0 / squared
    total = float(weight.sum())
    centre = float(weight @ slopes) / total
    scatter = float(weight @ (slopes - centre) ** 2)
    divisor = total - float(weight @ weight) / total
    between = max(0.0, (scatter - (slopes.size - 1)) / divisor) if divisor > 0.0 else 0.0
    weight = 1.0 / (between + squared)
    return float(weight @ slopes / weight.sum()), between


def from_before(panel: Panel, amount: Array) -> Array:
    """The (..., units, periods) amount measured from each unit's mean over the periods before the first start."""
    before = first_start(panel)
    if not before:
        return amount
    return np.asarray(amount - amount[..., :before].sum(axis=-1, keepdims=True) / before)
