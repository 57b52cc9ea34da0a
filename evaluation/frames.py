"""From a long data frame to a Panel, with everything that is wrong with the frame said at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.columns import Names, Times, arrow_column, has_controls, names, numbers, share, times
from evaluation.errors import DataError, Problem, did_you_mean, listed
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.periods import Period
from evaluation.treatment import Remarks, assign, assign_by_column, judge_window

if TYPE_CHECKING:
    import narwhals as nw
    from narwhals.typing import IntoDataFrame


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column plays which part, and who was treated: the arguments of `panel_from_frame`."""

    unit: str
    time: str
    outcome: str
    treated: Mapping[str, object] | Sequence[str] | None = None
    start: object = None
    size: str | None = None
    noise: str | None = None
    cluster: str | None = None
    region: str | None = None
    covariates: Sequence[str] = ()
    cycle: Sequence[str] = ()
    window: tuple[object, object] | None = None

    def columns(self) -> list[tuple[str, int | None, str]]:
        """(role, place in its list or None, column) of every column that is used."""
        single = ("unit", "time", "outcome", "size", "noise", "cluster", "region")
        found: list[tuple[str, int | None, str]] = [
            (role, None, getattr(self, role)) for role in single if getattr(self, role) is not None
        ]
        if self.treated is None and isinstance(self.start, str):
            found.append(("start", None, self.start))
        found += [("covariates", place, column) for place, column in enumerate(self.covariates)]
        found += [("cycle", place, column) for place, column in enumerate(self.cycle)]
        return found


@dataclass(slots=True)
class Examined(Remarks):
    """What became of a frame: the panel (None when something is wrong), what is wrong, and what is worth a remark."""

    panel: Panel | None = None


def panel_from_frame(
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
    """Build a panel from a long data frame, one row per cell; the parameters are those of `Panel.from_frame`.

    Units are sorted (by number where all names are whole numbers), so that the order of the rows does not matter. Cells
    without a row, or with an empty outcome, are NaN. The frame is never changed.

    Raises
    ------
    DataError
        Everything that is wrong with the frame, at once: column, unit, period and how many rows.
    """
    roles = Roles(
        unit, time, outcome, treated, start, size, noise, cluster, region, tuple(covariates), tuple(cycle), window
    )
    examined = examine(eager(frame), roles)
    if examined.findings or examined.panel is None:
        raise DataError(*(Problem(finding.where, finding.what) for finding in examined.findings))
    return examined.panel


def examine(frame: nw.DataFrame[Any], roles: Roles, source: str = "") -> Examined:
    """Everything that is wrong with a frame (of the file `source`), and the panel when nothing is."""
    seen = Examined()
    present = _judge_columns(frame, roles, seen, f" in {source}" if source else "")
    if len(frame) == 0:
        seen.wrong("data", "there are no rows")
        return seen
    unit = names(arrow_column(frame, roles.unit)) if roles.unit in present else None
    time = times(arrow_column(frame, roles.time)) if roles.time in present else None
    _judge_places(unit, time, roles, seen)
    values = _read_numbers(frame, roles, present, seen, from_file=bool(source))
    if unit is None or time is None or time.wrong or not unit.labels or len(time.periods) < 2:
        return seen
    grid = _grid(unit, time, roles, seen)
    outcome = grid.table(values[roles.outcome]) if roles.outcome in values else None
    if outcome is not None:
        _judge_outcome(outcome, roles.outcome, seen)
    cluster = _constant_names(frame, roles.cluster, "cluster", present, grid, seen)
    region = _constant_names(frame, roles.region, "region", present, grid, seen)
    start = _start_of_units(frame, roles, present, grid, seen)
    window = judge_window(roles.window, start, grid.periods, seen)
    for role, column in (("size", roles.size), ("noise", roles.noise)):
        if outcome is not None and column in values:
            _judge_known(grid.table(values[column]), outcome, role, column, seen)
    if outcome is None or start is None:
        return seen
    if np.isfinite(outcome).any():
        _judge_observed(outcome, start, window, grid, roles, seen)
    if seen.findings:
        return seen
    seen.panel = Panel(
        outcome=_locked(outcome),
        units=grid.units,
        periods=grid.periods,
        start=start,
        size=None if roles.size is None else _locked(grid.table(values[roles.size])),
        noise=None if roles.noise is None else _locked(grid.table(values[roles.noise])),
        cluster=None if cluster is None else cluster.codes,
        region=None if region is None else region.codes,
        region_names=() if region is None else region.labels,
        covariates={column: _by_unit_where_constant(grid.table(values[column])) for column in roles.covariates},
        cycle={column: _by_period_where_common(grid.table(values[column])) for column in roles.cycle},
        window=window,
    )
    return seen


def eager(frame: object) -> nw.DataFrame[Any]:
    """Any data frame as an eager narwhals frame; nothing is copied.

    Raises
    ------
    DataError
        It is no data frame, or two of its columns have the same name.
    """
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    what = f"a data frame is needed, this is a {type(frame).__name__}"
    try:
        wrapped = nw.from_native(frame)  # type: ignore[call-overload]
        if isinstance(wrapped, nw.LazyFrame):
            return wrapped.collect()
        if isinstance(wrapped, nw.DataFrame) and len(set(wrapped.columns)) == len(wrapped.columns):
            return wrapped
        what = "two columns have the same name" if isinstance(wrapped, nw.DataFrame) else what
    except DuplicateError:
        what = "two columns have the same name"
    except TypeError:
        pass
    raise DataError(Problem("frame", what))


@dataclass(frozen=True, slots=True)
class Grid:
    """Where each row of the frame stands in the panel: `cells` (rows,) flat positions, for the rows in `rows`."""

    units: tuple[str, ...]
    periods: tuple[Period, ...]
    rows: Mask | slice
    cells: Indices
    codes: Indices

    def table(self, values: Array) -> Array:
        """(units, periods) of a column's numbers, NaN where there is no row."""
        flat = np.full(len(self.units) * len(self.periods), np.nan)
        flat[self.cells] = values[self.rows]
        return flat.reshape(len(self.units), len(self.periods))


# ---------------------------------------------------------------------- columns


def _judge_columns(frame: nw.DataFrame[Any], roles: Roles, seen: Examined, source: str) -> frozenset[str]:
    """The columns of the frame; those that are missing or play two parts become findings."""
    present = frozenset(frame.columns)
    index = getattr(getattr(frame.to_native(), "index", None), "names", None) or ()
    parts: dict[str, str] = {}
    for role, place, column in roles.columns():
        if column not in present:
            hint = "; it is in the index, use frame.reset_index()" if column in index else ""
            hint = hint or did_you_mean(column, frame.columns) or f"; there are {listed(frame.columns, 12)}"
            seen.wrong(role, f"no column '{column}'{source}{hint}", place=place)
        elif role in _PARTS:
            if column in parts:
                what = f"is used twice, as {_PARTS[parts[column]]} and as {_PARTS[role]}"
                seen.wrong(role, what, column, place)
            parts.setdefault(column, role)
    return present


_PARTS = {"unit": "unit", "time": "period", "outcome": "outcome", "covariates": "covariate", "cycle": "cycle series"}
"""Parts of which a column can play only one; a region, say, may also be the cluster."""


def _read_numbers(
    frame: nw.DataFrame[Any], roles: Roles, present: frozenset[str], seen: Examined, *, from_file: bool
) -> dict[str, Array]:
    """The numbers of every numeric column that can be read, by column."""
    values: dict[str, Array] = {}
    for role, place, column in roles.columns():
        if role not in ("outcome", "size", "noise", "covariates", "cycle") or column not in present or column in values:
            continue
        read = numbers(arrow_column(frame, column), column, from_file=from_file)
        if read.wrong:
            seen.wrong(role, read.wrong, column, place)
        else:
            values[column] = read.values
            _judge_sign(read.values, role, column, seen)
    return values


def _judge_sign(values: Array, role: str, column: str, seen: Examined) -> None:
    """Persons must be positive and variances not negative."""
    zeros, negative = int((values == 0).sum()), int((values < 0).sum())
    if role == "size" and negative:
        seen.wrong(role, f"{share(negative, values)} negative; it must be a number of persons", column)
    if role == "size" and zeros:
        seen.wrong(role, f"{share(zeros, values)} zero; leave out the rows of cells without persons", column)
    if role == "noise" and negative:
        seen.wrong(role, f"{share(negative, values)} negative; a variance cannot be", column)


def _judge_places(unit: Names | None, time: Times | None, roles: Roles, seen: Examined) -> None:
    """Every row needs a unit and a period, and there must be two periods."""
    if unit is not None and unit.missing:
        what = f"{share(unit.missing, unit.codes, 'has', 'have')} no unit"
        seen.wrong("unit", f"{what}. To see them: data[{roles.unit!r}].isna()", roles.unit)
    if unit is not None and (odd := [code for code, label in enumerate(unit.labels) if has_controls(label)]):
        count = int(np.isin(unit.codes, odd).sum())
        what = f"{share(count, unit.codes, 'has', 'have')} control characters in the name of the unit"
        seen.wrong("unit", f"{what}; they cannot be printed, so take them out", roles.unit)
    if time is None:
        return
    if time.wrong:
        seen.wrong("time", time.wrong, roles.time)
        return
    if time.missing:
        what = f"{share(time.missing, time.codes, 'has', 'have')} no period"
        seen.wrong("time", f"{what}. To see them: data[{roles.time!r}].isna()", roles.time)
    if len(time.periods) < 2:
        what = f"there is only one period, {time.periods[0]}"
        seen.wrong("time", f"{what}; an effect needs some before the start and some after", roles.time)


# ---------------------------------------------------------------------- cells


def _grid(unit: Names, time: Times, roles: Roles, seen: Examined) -> Grid:
    """Where the rows stand; several rows for one cell are a finding, cells without a row a note."""
    n_units, n_periods = len(unit.labels), len(time.periods)
    placed: Mask | slice = slice(None)
    if unit.missing or time.missing:
        placed = (unit.codes >= 0) & (time.codes >= 0)
    codes = unit.codes[placed]
    cells = codes * n_periods + time.codes[placed]
    count = np.bincount(cells, minlength=n_units * n_periods)
    twice = np.flatnonzero(count > 1)
    if twice.size:
        row, step = divmod(int(twice[0]), n_periods)
        seen.wrong(
            "unit",
            f"{twice.size:,} of {count.size:,} cells have more than one row, the first: "
            f"'{unit.labels[row]}' in {time.periods[step]}. "
            "A panel has one row for each unit and period: does the file hold several ages, sexes or kinds? "
            f"To see them: data.duplicated([{roles.unit!r}, {roles.time!r}], keep=False)",
            roles.unit,
        )
    empty = int((count == 0).sum())
    if empty:
        rows = np.flatnonzero((count.reshape(n_units, n_periods) == 0).any(axis=1))
        who = [unit.labels[row] for row in rows]
        text = f"{empty:,} of {count.size:,} cells have no row and count as not observed ({listed(who)})"
        seen.note("cells_without_row", text, cells=empty, of=int(count.size), units=len(who))
    return Grid(unit.labels, time.periods, placed, cells, codes)


def _judge_outcome(outcome: Array, column: str, seen: Examined) -> None:
    """An outcome that is never observed or never changes has no effect to estimate."""
    observed = np.isfinite(outcome)
    if not observed.any():
        seen.wrong("outcome", "is empty in every row", column)
        return
    low, high = _least(outcome), _greatest(outcome)
    if np.nanmin(low) == np.nanmax(high):
        seen.wrong("outcome", "has the same value in every row; is this the column of the outcome?", column)
    elif bool((low == high)[~np.isnan(low)].all()) and bool((observed.sum(axis=1) > 1).any()):
        seen.wrong("outcome", "never changes within a unit; is this the column of the outcome?", column)
    missing = int((~observed).sum())
    if missing:
        who = int((~observed).any(axis=1).sum())
        text = f"{missing:,} of {outcome.size:,} cells are not observed, in {who:,} units"
        seen.note("cells_missing", text, cells=missing, of=int(outcome.size), units=who)


def _judge_known(table: Array, outcome: Array, role: str, column: str, seen: Examined) -> None:
    """A cell that is weighted by its persons, or by its noise, needs them."""
    unknown = int((np.isnan(table) & np.isfinite(outcome)).sum())
    if unknown:
        seen.wrong(role, f"is empty in {unknown:,} of {outcome.size:,} cells that have an outcome", column)


def _judge_observed(
    outcome: Array, start: Indices, window: tuple[int, int] | None, grid: Grid, roles: Roles, seen: Examined
) -> None:
    """Treated units must be observed before their start and in the window; controls that are not are listed."""
    n_periods = len(grid.periods)
    steps = np.arange(n_periods)[None, :]
    observed = np.isfinite(outcome)
    treated = start < n_periods
    first = np.where(treated, start, start.min())
    before = (observed & (steps < first[:, None])).any(axis=1)
    role = "start" if roles.treated is None else "treated"
    column = roles.start if roles.treated is None and isinstance(roles.start, str) else ""
    unseen = [grid.units[row] for row in np.flatnonzero(treated & ~before)]
    if unseen:
        seen.wrong(role, f"not observed before the start of treatment: {listed(unseen)}", column)
    target = steps >= start[:, None]
    if window is not None:
        target &= (steps >= window[0]) & (steps <= window[1])
    lost = [grid.units[row] for row in np.flatnonzero(target.any(axis=1) & ~(observed & target).any(axis=1))]
    if lost:
        when = "after the start of treatment" if window is None else "in the window"
        seen.wrong(role, f"not observed {when}: {listed(lost)}", column)
    controls = [grid.units[row] for row in np.flatnonzero(~treated & ~before)]
    if controls:
        text = f"controls without a single observation before the start: {listed(controls)}"
        seen.note("controls_not_observed_before", text, units=list(controls))


def _start_of_units(
    frame: nw.DataFrame[Any], roles: Roles, present: frozenset[str], grid: Grid, seen: Examined
) -> Indices | None:
    """(units,) the first treated period, from the arguments or from the column of starts."""
    if roles.treated is not None or not isinstance(roles.start, str):
        return assign(roles.treated, roles.start, grid.units, grid.periods, seen)
    if roles.start not in present:
        return None
    return assign_by_column(arrow_column(frame, roles.start), roles.start, grid, seen)


# ---------------------------------------------------------------------- what is constant


def _constant_names(
    frame: nw.DataFrame[Any], column: str | None, role: str, present: frozenset[str], grid: Grid, seen: Examined
) -> Names | None:
    """A column of names with one name per unit, as (units,) codes."""
    if column is None or column not in present:
        return None
    read = names(arrow_column(frame, column))
    codes = read.codes[grid.rows]
    known = codes >= 0
    by_unit = np.full(len(grid.units), -1, dtype=np.int64)
    by_unit[grid.codes[known]] = codes[known]
    changing = np.unique(grid.codes[known & (codes != by_unit[grid.codes])])
    if changing.size:
        seen.wrong(role, f"changes within {_units(changing, grid)}; a unit has one {role}", column)
    empty = np.flatnonzero(by_unit < 0)
    if empty.size:
        seen.wrong(role, f"is empty for {_units(empty, grid)}", column)
    return Names(by_unit, read.labels)


def _units(rows: Indices, grid: Grid) -> str:
    """One unit by name, or how many and the first."""
    first = f"'{grid.units[int(rows[0])]}'"
    return f"unit {first}" if rows.size == 1 else f"{rows.size:,} units, the first {first}"


def _by_unit_where_constant(table: Array) -> Array:
    """(units,) when the column never changes within a unit, else the table itself."""
    low, high = _least(table), _greatest(table)
    constant = (low == high) | np.isnan(low)
    return _locked(low) if bool(constant.all()) else _locked(table)


def _by_period_where_common(table: Array) -> Array:
    """(periods,) when all units share the series, else the table itself."""
    shared = _by_unit_where_constant(table.T)
    return shared if shared.ndim == 1 else _locked(table)


def _least(table: Array) -> Array:
    """(rows,) the smallest observed value, NaN where there is none."""
    return np.asarray(np.fmin.reduce(table, axis=1), dtype=np.float64)


def _greatest(table: Array) -> Array:
    """(rows,) the largest observed value, NaN where there is none."""
    return np.asarray(np.fmax.reduce(table, axis=1), dtype=np.float64)


def _locked(table: Array) -> Array:
    """The array, read-only: Panel takes it without a copy."""
    table.flags.writeable = False
    return table
