"""Cells: sums over persons by municipality, covariate cell and period, and the panel that weighted cells make.

Whole numbers only, so that engines and repetitions agree to the last digit. A cell may hold one person; disclosure control
comes later, and cells are neither printed nor published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from evaluation.denmark.areas import municipalities
from evaluation.errors import DataError, did_you_mean
from evaluation.panel import Array, Panel
from evaluation.periods import Period, parse_period
from evaluation.result import FlowStep
from evaluation.spec.measures import HOURS

if TYPE_CHECKING:
    from evaluation.register.sources import Sources
    from evaluation.spec.model import Register

IntArray: TypeAlias = npt.NDArray[np.int64]

NUMBERS = ("age", "benefit_years", "hours_before")
"""Covariates that are numbers; hours_before in hundredths of an hour."""
EXITS = ("dead", "emigrated", "moved", "disability_pension", "fleksjob", "education")
_ARRAYS = ("sums", "count", "total", "squares", "exits")


@dataclass(frozen=True, slots=True)
class Cells:
    """Sums over persons; arrays are read-only.

    Attributes
    ----------
    units : tuple of str
        Codes of the municipalities in which somebody lived at baseline, sorted.
    periods : tuple of Period
        Years, quarters, or windows of twelve months named after the year they end in.
    covariates, groups : tuple
        Covariates, and the cells that occur: a band label per covariate ("unknown" where it is not known).
    persons : (units, groups), of a stock (units, groups, periods)
        Persons at baseline.
    sums : mapping, covariate -> shaped like `persons`
        Sums of the covariates that are numbers: age and years on benefit in years, hours_before in hundredths of an hour.
    count, total, squares : mapping, measure -> (units, groups, periods)
        Persons observed, and the sums of their whole numbers and of the squares of these.
    scale : mapping, measure -> float
        What one of the whole numbers is in the measure's unit.
    flow : tuple of FlowStep
        Persons (of a stock: persons and years) after each step.
    counters : mapping
        How often rows were mended or are odd, over all members and periods.
    imputed : mapping, "code|before" and "code|after" -> (imputed rows, rows)
        Rows of hours in periods that were over at the baseline, and later.
    exits : mapping, state -> (units, periods)
        Members in that state at the period's end.
    """

    units: tuple[str, ...]
    periods: tuple[Period, ...]
    covariates: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    persons: IntArray
    sums: Mapping[str, IntArray]
    count: Mapping[str, IntArray]
    total: Mapping[str, IntArray]
    squares: Mapping[str, IntArray]
    scale: Mapping[str, float]
    flow: tuple[FlowStep, ...]
    counters: Mapping[str, int]
    imputed: Mapping[str, tuple[int, int]]
    exits: Mapping[str, IntArray]

    def __post_init__(self) -> None:
        object.__setattr__(self, "persons", _locked(self.persons))
        for name in ("sums", "count", "total", "squares", "exits"):
            arrays = {key: _locked(value) for key, value in getattr(self, name).items()}
            object.__setattr__(self, name, MappingProxyType(arrays))
        for name in ("scale", "counters", "imputed"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


def cells(sources: Sources, register: Register, say: Callable[[str, str], None]) -> Cells:
    """Find the persons, measure their outcomes and add them up.

    Parameters
    ----------
    sources : Sources
        The canonical tables; everything is computed by their engine.
    say : callable
        say(stage, text) is told what is being done; never anything about a person.

    Raises
    ------
    SpecError
        The spec asks for what cannot be combined, or its `where` is no condition.
    DataError
        Nobody is left, or a register lacks years or weeks that are needed.
    """
    from evaluation.register.gather import gather

    return gather(sources, register, say)


# ------------------------------------------------------------------ the panel


def to_panel(
    cells: Cells,
    measure: str,
    weights: Array | None = None,
    starts: Mapping[str, int] | None = None,
    window: tuple[int, int] | None = None,
) -> Panel:
    """The panel of one measure, in the measure's own unit.

    Parameters
    ----------
    weights : array (units, groups) or (units, groups, periods), optional
        The weight of each person of a cell; None: all persons count the same.
    starts : mapping, optional
        Municipality (code or name) -> index of its first treated period; all others are never treated.
    window : (first, last), optional
        The periods (indices) the headline effect averages over.

    Returns
    -------
    Panel
        Units are Danish names of municipalities, regions their landsdele. `size` is Kish's effective number of persons,
        (Σw)² / Σw²; `noise` the sampling variance of the weighted mean, Σw²(y - mean)² / (Σw)² × size / (size - 1). Where
        size is below 2 nobody varies, and the persons' variance of all units in that period takes the place of the unit's own.
        A unit without persons in a period is NaN there, with size 0.

    Raises
    ------
    DataError
        The measure was not counted into these cells, or a start belongs to no unit.
    """
    if measure not in cells.count:
        raise DataError(f"cells: '{measure}' was not counted{did_you_mean(measure, cells.count)}")
    scale = cells.scale[measure]
    count = cells.count[measure].astype(np.float64)
    total: Array = cells.total[measure].astype(np.float64) * scale
    squares: Array = cells.squares[measure].astype(np.float64) * scale**2
    weight = np.ones(count.shape[:2]) if weights is None else np.asarray(weights, dtype=np.float64)
    over_groups = "ug,ugt->ut" if weight.ndim == 2 else "ugt,ugt->ut"
    mass = np.einsum(over_groups, weight, count)
    mean = _ratio(np.einsum(over_groups, weight, total), mass, np.nan)
    spread = mass**2, np.einsum(over_groups, weight**2, count)
    size = _ratio(*spread, 0.0)
    known = np.nan_to_num(mean)[:, None, :]
    deviations = squares - 2.0 * known * total + known**2 * count
    # rounding may leave a hair below zero where all persons are alike
    own = np.maximum(np.einsum(over_groups, weight**2, deviations), 0.0)
    noise = _ratio(own, mass**2, np.nan) * _ratio(size, size - 1.0, np.nan)
    noise = np.where(size >= 2.0, noise, _pooled(count, total, squares)[None, :] / np.where(size > 0, size, np.nan))
    areas = {area.code: area for area in municipalities()}
    regions = tuple(dict.fromkeys(areas[code].landsdel for code in cells.units))
    n_periods = len(cells.periods)
    start = np.full(len(cells.units), n_periods, dtype=np.int64)
    places = {code: row for row, code in enumerate(cells.units)} | {
        areas[code].name: row for row, code in enumerate(cells.units)
    }
    for unit, first in (starts or {}).items():
        if unit not in places:
            raise DataError(f"no municipality '{unit}' among the cells{did_you_mean(unit, places)}")
        start[places[unit]] = first
    return Panel(
        outcome=mean,
        units=tuple(areas[code].name for code in cells.units),
        periods=cells.periods,
        start=start,
        size=size,
        noise=noise,
        region=np.array([regions.index(areas[code].landsdel) for code in cells.units], dtype=np.int64),
        region_names=regions,
        window=window,
    )


def in_points(panel: Panel, measure: str) -> Panel:
    """Shares in per cent, so that their differences are percentage points; hours as they are."""
    if measure in HOURS or panel.noise is None:
        return panel
    return replace(panel, outcome=panel.outcome * 100.0, noise=panel.noise * 100.0**2)


def _pooled(count: Array, total: Array, squares: Array) -> Array:
    """(periods,) the variance between persons inside their municipality, over all municipalities."""
    persons, sums = count.sum(axis=1), total.sum(axis=1)
    inside = squares.sum(axis=(0, 1)) - _ratio(sums**2, persons, 0.0).sum(axis=0)
    free = (persons - (persons > 0)).sum(axis=0)
    return _ratio(np.maximum(inside, 0.0), free, np.nan)


def _ratio(above: Array, below: Array, otherwise: float) -> Array:
    """`above / below`, `otherwise` where `below` is not positive."""
    found = np.full(np.shape(above), otherwise)
    np.divide(above, below, out=found, where=below > 0)
    return found


# ------------------------------------------------------------------ as plain values


def packed(cells: Cells) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Cells as arrays by name, and as facts that JSON can hold. Most cells hold nobody, so only the others are written."""
    by_shape: dict[tuple[int, ...], dict[str, IntArray]] = {}
    for name, array in _named(cells):
        by_shape.setdefault(array.shape, {})[name] = array
    arrays: dict[str, npt.NDArray[Any]] = {}
    for shape, alike in by_shape.items():
        held: npt.NDArray[np.bool_] = np.zeros(shape, dtype=np.bool_)
        for array in alike.values():
            held |= array != 0
        places = np.flatnonzero(held)
        arrays[f"places{_shown(shape)}"] = _narrow(places)
        arrays |= {name: _narrow(array.ravel()[places]) for name, array in alike.items()}
    facts = {
        "shapes": {name: list(array.shape) for name, array in _named(cells)},
        "units": list(cells.units),
        "periods": [period.label for period in cells.periods],
        "covariates": list(cells.covariates),
        "groups": [list(group) for group in cells.groups],
        "scale": dict(cells.scale),
        "flow": [asdict(step) for step in cells.flow],
        "counters": dict(cells.counters),
        "imputed": {key: list(value) for key, value in cells.imputed.items()},
    }
    return arrays, facts


def _named(cells: Cells) -> Iterator[tuple[str, IntArray]]:
    yield "persons", cells.persons
    for name in _ARRAYS:
        for key, value in getattr(cells, name).items():
            yield f"{name}.{key}", value


def _shown(shape: Sequence[int]) -> str:
    return "x".join(str(length) for length in shape)


def _narrow(values: IntArray) -> npt.NDArray[Any]:
    """The same whole numbers in half the room, where they fit."""
    fits = values.size == 0 or (values.min() >= -(2**31) and values.max() < 2**31)
    return values.astype(np.int32) if fits else values


def unpacked(arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, Any]) -> Cells:
    """The cells that `packed` took apart; raises KeyError, IndexError or ValueError for anything else."""
    whole: dict[str, IntArray] = {}
    for name, shape in facts["shapes"].items():
        flat = np.zeros(int(np.prod(shape)), dtype=np.int64)
        flat[arrays[f"places{_shown(shape)}"]] = arrays[name]
        flat.flags.writeable = False
        whole[name] = flat.reshape(shape)
    parts: dict[str, dict[str, IntArray]] = {name: {} for name in _ARRAYS}
    for name, array in whole.items():
        kind, dot, key = name.partition(".")
        if dot:
            parts[kind][key] = array
    return Cells(
        units=tuple(facts["units"]),
        periods=tuple(parse_period(label) for label in facts["periods"]),
        covariates=tuple(facts["covariates"]),
        groups=tuple(tuple(group) for group in facts["groups"]),
        persons=whole["persons"],
        **parts,
        scale=dict(facts["scale"]),
        flow=tuple(FlowStep(**step) for step in facts["flow"]),
        counters=dict(facts["counters"]),
        imputed={key: (value[0], value[1]) for key, value in facts["imputed"].items()},
    )


def _locked(values: npt.NDArray[Any]) -> IntArray:
    """The array, read-only; a writable array of the caller's is copied, never locked."""
    array = np.array(values, dtype=np.int64) if values.flags.writeable else np.asarray(values, dtype=np.int64)
    array.flags.writeable = False
    return array
