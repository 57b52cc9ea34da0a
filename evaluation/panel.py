"""The panel: one outcome by unit and period, who was treated from when, and what is known about the cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from evaluation.errors import DataError
from evaluation.periods import Period

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Panel:
    """Outcomes by unit and period. All arrays are read-only; change is `with_outcome`, `assign`, `keep_units`, ...

    Parameters
    ----------
    outcome : Array
        (units, periods), float64, in the outcome's own unit; NaN where not observed.
    units : tuple of str
        Names, one per row, unique.
    periods : tuple of Period
        Ordered and equally spaced, one per column.
    start : Array
        (units,) index of the first treated period; `len(periods)` for a unit never treated.
    size, noise : Array or None
        (units, periods) persons behind each cell; sampling variance of each cell mean.
    cluster : Array
        (units,) codes of the level at which treatment was assigned (the unit itself unless said otherwise).
    region : Array or None
        (units,) codes of a region, for blocks and region × period effects; `region_names` holds their names.
    covariates, cycle : mapping of Array
        (units,) or (units, periods) covariates; (periods,) or (units, periods) cycle series.
    window : tuple of int or None
        First and last period (indices, inclusive) that the headline effect averages over; None for all after the start.

    Raises
    ------
    DataError
        Shapes do not agree.
    """

    outcome: Array
    units: tuple[str, ...]
    periods: tuple[Period, ...]
    start: Indices
    size: Array | None = None
    noise: Array | None = None
    cluster: Indices | None = None
    region: Indices | None = None
    region_names: tuple[str, ...] = ()
    covariates: Mapping[str, Array] = field(default_factory=dict)
    cycle: Mapping[str, Array] = field(default_factory=dict)
    window: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.units), len(self.periods))
        _freeze(self, "outcome", np.asarray(self.outcome, dtype=np.float64), shape)
        _freeze(self, "start", np.asarray(self.start, dtype=np.int64), shape[:1])
        cluster = np.arange(shape[0]) if self.cluster is None else self.cluster
        _freeze(self, "cluster", np.asarray(cluster, dtype=np.int64), shape[:1])
        for name in ("size", "noise"):
            value = getattr(self, name)
            if value is not None:
                _freeze(self, name, np.asarray(value, dtype=np.float64), shape)
        if self.region is not None:
            _freeze(self, "region", np.asarray(self.region, dtype=np.int64), shape[:1])
        for name, shapes in (("covariates", (shape[:1], shape)), ("cycle", (shape[1:], shape))):
            frozen = {
                key: _frozen(key, np.asarray(value, dtype=np.float64), *shapes)
                for key, value in getattr(self, name).items()
            }
            object.__setattr__(self, name, MappingProxyType(frozen))

    # ------------------------------------------------------------------ what it says, worked out once

    @property
    def n_units(self) -> int:
        """How many units (rows) there are."""
        return len(self.units)

    @property
    def n_periods(self) -> int:
        """How many periods (columns) there are."""
        return len(self.periods)

    @cached_property
    def treated(self) -> Mask:
        """(units,) True for units that are treated at some time."""
        return _locked(self.start < self.n_periods)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The distinct first treated periods (indices) of the treated units, in order."""
        return tuple(sorted(set(self.start[self.treated].tolist())))

    @cached_property
    def after(self) -> Mask:
        """(units, periods) True for treated cells."""
        return _locked(np.arange(self.n_periods)[None, :] >= self.start[:, None])

    @cached_property
    def target(self) -> Mask:
        """(units, periods) True for the treated cells that the headline effect averages over."""
        return _locked(self.target_from(self.start))

    def target_from(self, starts: Indices) -> Mask:
        """(starts, periods) True for the periods of the window from each of the `starts` on."""
        cells = np.asarray(np.arange(self.n_periods)[None, :] >= starts[:, None])
        if self.window is not None:
            cells[:, : self.window[0]] = False
            cells[:, self.window[1] + 1 :] = False
        return cells

    @cached_property
    def balanced(self) -> bool:
        """True when every cell is observed."""
        return bool(np.isfinite(self.outcome).all())

    # ------------------------------------------------------------------ changed copies

    def with_outcome(self, outcome: Array) -> Panel:
        """The same panel with other outcomes, (units, periods)."""
        return self._replace(outcome=outcome)

    def untreated(self) -> Panel:
        """The same panel with every treated cell blanked out: what an adjustment may look at."""
        return self.with_outcome(np.where(self.after, np.nan, self.outcome))

    def keep_units(self, keep: Mask | Sequence[int]) -> Panel:
        """The panel of some units only, in the order of the panel (mask) or of the indices given."""
        rows = np.asarray(keep)
        return self._rows(np.flatnonzero(rows) if rows.dtype == np.bool_ else rows, self.start)

    def _rows(self, rows: Indices, start: Indices) -> Panel:
        return self._replace(
            outcome=self.outcome[rows],
            units=tuple([self.units[row] for row in rows.tolist()]),
            start=start[rows],
            size=None if self.size is None else self.size[rows],
            noise=None if self.noise is None else self.noise[rows],
            cluster=None if self.cluster is None else self.cluster[rows],
            region=None if self.region is None else self.region[rows],
            covariates={key: value[rows] for key, value in self.covariates.items()},
            cycle={key: value[rows] if value.ndim == 2 else value for key, value in self.cycle.items()},
        )

    def keep_periods(self, first: int, last: int) -> Panel:
        """The panel of periods `first` to `last` (indices, inclusive); a unit that starts later is never treated in it."""
        n_kept = last - first + 1
        window = None
        if self.window is not None:
            window = (max(self.window[0] - first, 0), min(self.window[1] - first, n_kept - 1))
        columns = slice(first, last + 1)
        return self._replace(
            outcome=self.outcome[:, columns],
            periods=self.periods[columns],
            start=np.clip(self.start - first, 0, n_kept),
            size=None if self.size is None else self.size[:, columns],
            noise=None if self.noise is None else self.noise[:, columns],
            covariates={key: value[:, columns] if value.ndim == 2 else value for key, value in self.covariates.items()},
            cycle={key: value[..., columns] for key, value in self.cycle.items()},
            window=window,
        )

    def assign(self, starts: Mapping[int, int], *, without: Iterable[int] = ()) -> Panel:
        """The panel in which the rows of `starts` are treated from the given index and no other row is.

        Rows in `without` are dropped: a placebo leaves the truly treated units out, because their outcomes hold the effect.
        """
        start = np.full(self.n_units, self.n_periods, dtype=np.int64)
        for row, first in starts.items():
            start[row] = first
        keep = np.ones(self.n_units, dtype=np.bool_)
        keep[list(without)] = False
        return self._replace(start=start) if keep.all() else self._rows(np.flatnonzero(keep), start)

    def with_window(self, window: tuple[int, int] | None) -> Panel:
        """The same panel with another window (indices, inclusive) for the headline effect."""
        return self._replace(window=window)

    def _replace(self, **changes: Any) -> Panel:
        import dataclasses

        return dataclasses.replace(self, **changes)

    def __reduce__(self) -> tuple[Any, ...]:
        """How a panel is sent to another process: its fields, without what is worked out from them."""
        import dataclasses

        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return _rebuilt, ({**fields, "covariates": dict(self.covariates), "cycle": dict(self.cycle)},)

    # ------------------------------------------------------------------ the door

    @classmethod
    def from_frame(
        cls,
        frame: IntoDataFrame,
        *,
        unit: str,
        time: str,
        outcome: str,
        treated: Mapping[str, object] | Sequence[str] | None = None,
        start: object = None,
        size: str | None = None,
        noise: str | None = None,
        cluster: str | None = None,
        region: str | None = None,
        covariates: Sequence[str] = (),
        cycle: Sequence[str] = (),
        window: tuple[object, object] | None = None,
    ) -> Panel:
        """Build a panel from a long data frame (pandas, polars, pyarrow or anything narwhals reads), one row per cell.

        Parameters
        ----------
        unit, time, outcome : str
            Columns: the unit's name, the period (2015, 2015Q1, 2015M01, ...), the outcome.
        treated : mapping or sequence, optional
            {"Hjørring": 2015}, or a list of names together with `start`.
        start : period or str, optional
            The first treated period of all `treated` units, or (without `treated`) the column that holds each unit's
            first treated period (0 or empty: never treated).
        size, noise, cluster, region : str, optional
            Columns: persons per cell, sampling variance of the cell mean, level of assignment, region.
        covariates, cycle : sequence of str
            Columns of covariates and of cycle series.
        window : (first, last), optional
            The periods, inclusive, that the headline effect averages over.

        Raises
        ------
        DataError
            Everything that is wrong with the frame, at once: column, unit, period and how many rows.
        """
        from evaluation.frames import panel_from_frame

        return panel_from_frame(
            frame, unit=unit, time=time, outcome=outcome, treated=treated, start=start, size=size, noise=noise,
            cluster=cluster, region=region, covariates=covariates, cycle=cycle, window=window,
        )  # fmt: skip


def _rebuilt(fields: Mapping[str, Any]) -> Panel:
    return Panel(**fields)


def _freeze(panel: Panel, name: str, value: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    object.__setattr__(panel, name, _frozen(name, value, shape))


def _frozen(name: str, value: npt.NDArray[Any], *shapes: tuple[int, ...]) -> npt.NDArray[Any]:
    """The array, read-only, after a look at its shape; a writable array of the caller's is copied, never locked."""
    if value.shape not in shapes:
        expected = " or ".join(str(shape) for shape in shapes)
        raise DataError(f"panel: '{name}' has shape {value.shape}, expected {expected}")
    if value.flags.writeable:
        value = _locked(value.copy())
    return value


def _locked(value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same array, read-only."""
    value.flags.writeable = False
    return value
