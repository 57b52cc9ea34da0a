"""One outside series: from its file to the panel's units and periods, judged, with its neighbours' mean and the nation's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evaluation.denmark.areas import Level
from evaluation.errors import listed
from evaluation.panel import Array, Mask, Panel
from evaluation.periods import Period
from evaluation.result import Text, Value
from evaluation.series.align import Table, columns_of, gaps, read_series, uncovered
from evaluation.series.files import Asked
from evaluation.series.filters import FILTERS
from evaluation.series.match import NATION, Geography, missing_units, rows_at
from evaluation.series.neighbours import Flows, weights
from evaluation.series.remarks import KeyPath, Remarks
from evaluation.spec.cycle_tables import FilterName

_PER_CENT = ("%", "per cent", "percent", "pct", "procent")
_OF_PERSONS = ("unemploy", "ledig", "arbejdsløs", "employ", "beskæft")
_SAME = 0.999
"""A series whose two-way residuals correlate with the outcome's beyond this is the outcome."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One series as the spec asks for it."""

    name: str
    asked: Asked
    label: Text
    unit: Text
    level: Level | None = None
    filter: FilterName = "none"
    negative_control: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A series in the panel: `arrays` as `Panel.cycle` has them, and what is known about it.

    `raw` is (units, periods) before any filter, None for a national one.
    """

    arrays: Mapping[str, Array]
    facts: Mapping[str, Value]
    raw: Array | None


@dataclass(frozen=True, slots=True)
class Around:
    """What a series is placed into: the panel, its geography, the neighbours (if known), and the end of the window."""

    panel: Panel
    geo: Geography
    flows: Flows | None
    window_end: Period
    register: bool
    neighbours_place: KeyPath = ("cycle", "neighbours")


def place(wanted: Wanted, around: Around, remarks: Remarks) -> Placed | None:
    """Read one series and bring it to the panel; None when something is wrong with it."""
    table = read_series(wanted.asked, around.panel.periods[0].frequency, remarks)
    if table is None:
        return None
    before = len(remarks.problems)
    if what := uncovered(table, around.panel.periods, around.window_end, around.register):
        remarks.wrong(wanted.asked.place, what)
        return None
    keys, levels = around.geo.keys_of(table.labels)
    if wanted.level not in (None, "nation") and around.geo.level is None:
        what = f'level = "{wanted.level}" is for Danish areas, which the units of this panel are not; leave it out'
        remarks.wrong((*wanted.asked.table, "level"), what)
        return None
    if wanted.level == "nation":
        return _national(wanted, table, keys, around, remarks)
    placed = _local(wanted, table, keys, levels, around, remarks)
    return placed if len(remarks.problems) == before else None


def _national(wanted: Wanted, table: Table, keys: list[str], around: Around, remarks: Remarks) -> Placed | None:
    """A series of the nation: its row in the file, or the only one."""
    row = keys.index(NATION) if NATION in keys else 0 if len(keys) == 1 else None
    if row is None:
        what = f"{table.source} has {len(keys):,} areas, and none of them is the nation; choose one with where"
        remarks.wrong(wanted.asked.place, what)
        return None
    columns = columns_of(table, around.panel.periods)
    filtered = _filtered(wanted, table, table.values[[row]], columns, remarks)
    if filtered is None:
        return None
    values = filtered[0][columns]
    if what := gaps(table, values[None, :], ("the nation",), around.panel.periods):
        remarks.wrong(wanted.asked.place, what)
        return None
    if np.ptp(values) == 0:
        remarks.wrong(wanted.asked.place, f"{table.source} has the same value in every period; it shows no cycle")
        return None
    _judge_unit(wanted, table, table.values[[row]][:, columns], remarks)
    return Placed({wanted.name: values}, _facts(wanted, table, around) | {"nation": "own"}, None)


def _local(
    wanted: Wanted, table: Table, keys: list[str], levels: list[Level | None], around: Around, remarks: Remarks
) -> Placed | None:
    panel, geo = around.panel, around.geo
    level = wanted.level or geo.level
    here = rows_at(level, table.labels, keys, levels, table.source)
    if isinstance(here, str):
        remarks.wrong(wanted.asked.place, here)
        return None
    unit_keys = geo.keys(wanted.level)
    absent = [row for row, key in enumerate(unit_keys) if key not in here]
    if absent:
        what = missing_units(geo, table.labels, keys, absent)
        remarks.wrong(
            wanted.asked.place, f"{table.source} {what if wanted.level is None else _no_area(level, absent, geo)}"
        )
        return None
    columns = columns_of(table, panel.periods)
    rows = [here[key] for key in unit_keys]
    raw = table.values[rows][:, columns]
    if what := gaps(table, raw, panel.units, panel.periods):
        remarks.wrong(wanted.asked.place, what)
        return None
    _judge_values(wanted, table, raw, panel, remarks)
    filtered = _filtered(wanted, table, table.values, columns, remarks, np.array(sorted(set(rows))))
    if filtered is None:
        return None
    inside = filtered[:, columns]
    arrays: dict[str, Array] = {wanted.name: inside[rows]}
    facts = _facts(wanted, table, around)
    complete: Mask = np.asarray(np.isfinite(inside).all(axis=1))
    if around.flows is not None and wanted.level in (None, geo.level):
        mean = _neighbours(wanted, around, inside, here, complete, unit_keys, remarks)
        if mean is not None:
            arrays[f"{wanted.name}|neighbours"] = mean
            facts["neighbours"] = "commuting" if around.flows.counted else "borders"
    nation, kind, count = _nation(geo, wanted.level, inside, here, complete, keys)
    if nation is not None:
        arrays[f"{wanted.name}|nation"] = nation
        facts |= {"nation": kind, "nation_areas": count}
    return Placed(arrays, facts, raw)


def _no_area(level: Level | None, absent: list[int], geo: Geography) -> str:
    names = [f"'{geo.units[row]}'" for row in absent]
    return f"has no {level} around {len(absent):,} of {len(geo.units):,} units: {listed(names)}"


def _neighbours(
    wanted: Wanted,
    around: Around,
    inside: Array,
    here: Mapping[str, int],
    complete: Mask,
    unit_keys: tuple[str, ...],
    remarks: Remarks,
) -> Array | None:
    """(units, periods) mean over the neighbours, neither the unit itself nor a treated one among them."""
    assert around.flows is not None  # the caller has looked
    others = [key for key, row in here.items() if complete[row]]
    table = weights(around.flows, unit_keys, others, around.geo.treated_keys())
    alone = [f"'{around.geo.units[row]}'" for row in np.flatnonzero(table.sum(axis=1) == 0)]
    if alone:
        what = (
            f"{around.flows.source} leaves {len(alone):,} of {len(unit_keys):,} units without a neighbour (the treated do not "
            f"count): {listed(alone)}; exclude them under [controls], or give commuting between all units"
        )
        remarks.wrong(around.neighbours_place, what)
        return None
    return np.asarray(table @ inside[[here[key] for key in others]])


def _nation(
    geo: Geography, level: Level | None, inside: Array, here: Mapping[str, int], complete: Mask, keys: list[str]
) -> tuple[Array | None, str, int]:
    """(periods,) the unweighted mean of all areas in which nobody was treated, else the file's own row of the nation."""
    treated = geo.treated_keys(level)
    others = [row for key, row in here.items() if key not in treated and complete[row]]
    if others:
        return np.asarray(inside[others].mean(axis=0)), "others", len(others)
    row = keys.index(NATION) if NATION in keys else None
    if row is not None and complete[row]:
        return inside[row], "own", 1
    return None, "", 0


def _filtered(
    wanted: Wanted, table: Table, values: Array, columns: list[int], remarks: Remarks, needed: Array | None = None
) -> Array | None:
    """The values, or their cyclical part over the longest stretch around the panel's periods in which a row is complete."""
    if wanted.filter == "none":
        return values
    chosen = FILTERS[wanted.filter]
    frequency = table.periods[0].frequency
    cycle = np.full_like(values, np.nan)
    short = 0
    for row, series in enumerate(values):
        first, last = _stretch(np.isfinite(series), columns[0], columns[-1])
        if last - first < chosen.needs(frequency):
            short += needed is None or row in needed
            continue
        cycle[row, first:last] = chosen.cycle(series[first:last], frequency)
    place = (*wanted.asked.table, "filter")
    if short:
        what = f"needs at least {chosen.needs(frequency)} {frequency}s in a row, and {table.source} has fewer"
        remarks.wrong(place, f"{wanted.filter} {what} ({short:,} of {len(values):,} areas)")
        return None
    rows = np.arange(len(values)) if needed is None else needed.astype(np.int64)
    lost: Mask = np.asarray(~np.isfinite(cycle[rows][:, columns]).all(axis=0))
    if lost.any():
        labels = [table.periods[column].label for column, is_lost in zip(columns, lost, strict=True) if is_lost]
        ends = "at the beginning" if wanted.filter == "hamilton" else "at each end"
        what = f"{wanted.filter} gives no value {ends} of a series, and so none for {listed(labels)} of the panel"
        remarks.wrong(place, f"{what}; give a longer series, or choose another filter")
        return None
    return cycle


def _stretch(known: Mask, first: int, last: int) -> tuple[int, int]:
    """[first, end) of the longest run of known values that covers the columns; empty when they are not all known."""
    if not known[first : last + 1].all():
        return first, first
    begin, end = first, last + 1
    while begin > 0 and known[begin - 1]:
        begin -= 1
    while end < len(known) and known[end]:
        end += 1
    return begin, end


def _judge_values(wanted: Wanted, table: Table, raw: Array, panel: Panel, remarks: Remarks) -> None:
    """A local series must differ between units and over time, and must not be the outcome itself."""
    place = wanted.asked.place
    if np.ptp(raw) == 0:
        remarks.wrong(
            place, f"{table.source} has the same value in all units and periods; is this the column of the values?"
        )
        return
    if np.ptp(raw, axis=0).max() == 0:
        what = f'{table.source} has the same value for all units in every period, so it is national; write level = "nation"'
        remarks.wrong(place, what)
    elif np.ptp(raw, axis=1).max() == 0:
        what = f"{table.source} never changes within a unit; a comparison over time has taken that out already"
        remarks.wrong(place, what)
    else:
        _judge_unit(wanted, table, raw, remarks)
        if is_outcome(raw, panel):
            what = (
                f"{table.source} is the outcome itself, or moves exactly as it does; taking it out of the outcome would take "
                "the effect out too"
            )
            remarks.wrong(place, what)


def _judge_unit(wanted: Wanted, table: Table, raw: Array, remarks: Remarks) -> None:
    """Values that cannot be in the unit that they are said to be in."""
    said = " ".join(wanted.unit.values()).casefold()
    if not any(word in said for word in _PER_CENT):
        return
    place: KeyPath = (*wanted.asked.table, "value_unit") if wanted.unit else wanted.asked.place
    above = int((raw > 100).sum())
    if above:
        what = (
            f"the values are said to be per cent, but {above:,} of {raw.size:,} cells of {table.source} are above 100"
        )
        remarks.wrong(place, what)
    elif raw.min() < 0 and any(
        word in f"{wanted.name} {' '.join(wanted.label.values())}".casefold() for word in _OF_PERSONS
    ):
        below = int((raw < 0).sum())
        what = f"{below:,} of {raw.size:,} cells of {table.source} are negative; a per cent of persons cannot be"
        remarks.wrong(wanted.asked.place, what)
    elif raw.min() >= 0 and raw.max() <= 1:
        text = (
            f"all values of '{wanted.name}' lie between 0 and 1 although they are said to be per cent; are they shares?"
        )
        remarks.note("series_not_per_cent", text, series=wanted.name)


def is_outcome(raw: Array, panel: Panel) -> bool:
    """Whether the series moves as the outcome does, beyond what units and periods explain."""
    rows = np.isfinite(panel.outcome).all(axis=1)
    if rows.sum() < 3:
        return False
    ours, theirs = _two_way(panel.outcome[rows]), _two_way(raw[rows])
    size = np.linalg.norm(ours) * np.linalg.norm(theirs)
    return bool(size > 0 and abs(np.sum(ours * theirs)) > _SAME * size)


def _two_way(values: Array) -> Array:
    """What unit and period means leave."""
    return np.asarray(values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + values.mean())


def _facts(wanted: Wanted, table: Table, around: Around) -> dict[str, Value]:
    """What the page tells of a series: where it came from, and what was done to bring it here."""
    facts: dict[str, Value] = {
        "file": table.source,
        "first": table.periods[0].label,
        "last": table.periods[-1].label,
        "frequency": table.frequency,
        "averaged": table.averaged,
        "areas": len(table.labels),
        "level": wanted.level or around.geo.level or "",
        "filter": wanted.filter,
    }
    if wanted.filter == "hp":
        from evaluation.series.filters import SMOOTHING

        facts["smoothing"] = SMOOTHING[table.periods[0].frequency]
    return facts
