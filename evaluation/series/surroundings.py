"""What checks look at beside the series: rings of neighbours, reforms, negative controls, groups of donors, a second group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from evaluation.context import NegativeControl, PolicyShock
from evaluation.denmark.areas import recognise
from evaluation.errors import did_you_mean, listed
from evaluation.panel import Array, Panel
from evaluation.periods import Period, parse_period
from evaluation.prepare import Prepared
from evaluation.result import Text, texts
from evaluation.series.align import columns_of, gaps, read_series, uncovered
from evaluation.series.files import Asked, Role, grid, read_long
from evaluation.series.local import Around, Placed, Wanted, is_outcome
from evaluation.series.match import located
from evaluation.series.remarks import KeyPath, Remarks
from evaluation.spec.cycle_tables import NegativeControlTable, Policy, SecondGroup
from evaluation.spec.loaded import LoadedSpec


def rings(loaded: LoadedSpec, prepared: Prepared, remarks: Remarks) -> tuple[tuple[str, ...], ...]:
    """Who borders on the treated unit, and who is a step further: as declared, else the rest of the treated unit's region."""
    table = loaded.spec.cycle.rings
    if table is None:
        return ()
    panel = prepared.panel
    first = _units(table.first, ("cycle", "rings", "first"), prepared, remarks)
    if table.second is not None:
        return first, _units(table.second, ("cycle", "rings", "second"), prepared, remarks)
    if panel.region is None:
        return (first,)
    home = set(panel.region[panel.treated].tolist())
    second = tuple(
        unit
        for unit, region, treated in zip(panel.units, panel.region.tolist(), panel.treated, strict=True)
        if region in home and not treated and unit not in first
    )
    return first, second


def donor_groups(loaded: LoadedSpec, prepared: Prepared, remarks: Remarks) -> dict[str, tuple[str, ...]]:
    """Groups of controls by the name of the group."""
    return {
        table.name: _units(table.units, ("cycle", "group", index, "units"), prepared, remarks)
        for index, table in enumerate(loaded.spec.cycle.group)
    }


def _units(names: Sequence[str], place: KeyPath, prepared: Prepared, remarks: Remarks) -> tuple[str, ...]:
    """Units of the panel by the names that the spec gives them; those left out by [controls] are in no ring and no group."""
    units = prepared.panel.units
    out = [each.unit for each in prepared.exclusions]
    labels = [*units, *out]
    by_code = {area.code: label for label, area in zip(labels, recognise(labels), strict=True) if area is not None}
    found = []
    for index, name in enumerate(names):
        area = recognise([name])[0]
        known = name if name in labels else by_code.get(area.code) if area is not None else None
        if known is None:
            hint = did_you_mean(name, labels) or f"; there are {listed(units)}"
            remarks.wrong((*place, index), f"no unit '{name}' in the panel{hint}")
        elif known in units:
            found.append(known)
    return tuple(found)


def policies(loaded: LoadedSpec, around: Around, remarks: Remarks) -> tuple[PolicyShock, ...]:
    """Reforms with the share of persons that each hit, by unit."""
    found = []
    for index, table in enumerate(loaded.spec.cycle.policy):
        start = _policy_start(table, index, around.panel, remarks)
        share = _policy_share(table, index, around, remarks)
        if start is not None and share is not None:
            label = texts(table.label or table.name.replace("_", " "), loaded.spec.languages)
            found.append(PolicyShock(table.name, label, start, share))
    return tuple(found)


def _policy_start(table: Policy, index: int, panel: Panel, remarks: Remarks) -> int | None:
    start = parse_period(table.start)
    if start in panel.periods[1:]:
        return panel.periods.index(start)
    what = f"the reform starts in {start}, but the panel runs from {panel.periods[0]} to {panel.periods[-1]}"
    remarks.wrong(("cycle", "policy", index, "start"), f"{what}; it must start within it, after its first period")
    return None


def _policy_share(table: Policy, index: int, around: Around, remarks: Remarks) -> Array | None:
    """(units,) between 0 and 1, the mean over the periods of the file."""
    here: KeyPath = ("cycle", "policy", index)
    columns: dict[Role, str | None] = {"unit": table.unit, "time": table.time, "value": table.value}
    asked = Asked(table.path, (*here, "path"), columns, table, here, {}, ("time",))
    long = read_long(asked, remarks)
    roles: tuple[Role, ...] = ("unit",) if long is None or long.time is None else ("unit", "time")
    cells = None if long is None else grid(long, roles, asked, remarks)
    if long is None or cells is None:
        return None
    rows = located(around.geo, long.names["unit"].labels, long.source)
    if isinstance(rows, str):
        remarks.wrong(asked.place, rows)
        return None
    share = cells.reshape(len(cells), -1)[rows]
    known = np.isfinite(share)
    if not known.any(axis=1).all():
        lacking = [f"'{around.panel.units[row]}'" for row in np.flatnonzero(~known.any(axis=1))]
        remarks.wrong(asked.place, f"{long.source} has no share for {listed(lacking)}")
        return None
    mean = np.where(known, share, 0.0).sum(axis=1) / known.sum(axis=1)
    if mean.min() < 0 or mean.max() > 100:
        count = int(((mean < 0) | (mean > 100)).sum())
        remarks.wrong(
            asked.place, f"{long.source}: the share of {count:,} units is not between 0 and 1, nor 0 and 100 per cent"
        )
        return None
    mean = mean / 100.0 if mean.max() > 1 else mean
    if np.ptp(mean) == 0:
        remarks.wrong(
            asked.place, f"{long.source} has the same share for all units, so nobody was hit more than others"
        )
        return None
    return np.asarray(mean)


def negative_controls(
    loaded: LoadedSpec,
    around: Around,
    placed: Sequence[tuple[Wanted, Placed]],
    cycle: Mapping[str, Array],
    remarks: Remarks,
) -> tuple[NegativeControl, ...]:
    """Outcomes that the programme cannot have moved: series marked so, and files of their own."""
    found = []
    for wanted, series in placed:
        if not wanted.negative_control:
            continue
        if series.raw is None or wanted.level not in (None, around.geo.level):
            what = "a negative control needs a value for each unit, and this series has one for several together; leave this out"
            remarks.wrong((*wanted.asked.table, "negative_control"), what)
            continue
        found.append(_negative(wanted.name, wanted.label, wanted.unit, series.raw, around.panel, cycle))
    taken = {each.name for each in found}
    for index, table in enumerate(loaded.spec.cycle.negative_control):
        if table.name in taken:
            what = f"the series '{table.name}' is a negative control already; give this one another name"
            remarks.wrong(("cycle", "negative_control", index, "name"), what)
        elif (control := _from_file(loaded, table, index, around, cycle, remarks)) is not None:
            found.append(control)
    return tuple(found)


def _negative(
    name: str,
    label: Text,
    unit: Text,
    outcome: Array,
    panel: Panel,
    cycle: Mapping[str, Array],
    until: int | None = None,
) -> NegativeControl:
    # persons and noise belong to the outcome of the evaluation; a series cannot explain itself
    others = {key: value for key, value in cycle.items() if key.partition("|")[0] != name}
    made = replace(panel, outcome=outcome, size=None, noise=None, covariates={}, cycle=others)
    return NegativeControl(name, label, made, "outcome", unit, until)


def _from_file(
    loaded: LoadedSpec,
    table: NegativeControlTable,
    index: int,
    around: Around,
    cycle: Mapping[str, Array],
    remarks: Remarks,
) -> NegativeControl | None:
    here: KeyPath = ("cycle", "negative_control", index)
    periods, until = around.panel.periods, None
    if table.until is not None:
        last = parse_period(table.until)
        start = periods[min(around.panel.starts)]
        if last not in periods or last < start:
            what = f"until is {last}; the programme begins in {start}, and the panel ends in {periods[-1]}"
            remarks.wrong((*here, "until"), f"{what}: write a period between them, or leave it out")
            return None
        until = periods.index(last)
    columns: dict[Role, str | None] = {"unit": table.unit, "time": table.time, "value": table.outcome}
    asked = Asked(table.path, (*here, "path"), columns, table, here, {"value": "outcome"})
    values = _outcome(asked, periods[: None if until is None else until + 1], around, remarks)
    if values is None:
        return None
    languages = loaded.spec.languages
    label = texts(table.label or table.name.replace("_", " "), languages)
    unit = texts(table.value_unit, languages) if table.value_unit else {}
    return _negative(table.name, label, unit, values, around.panel, cycle, until)


def second_group(table: SecondGroup | None, around: Around, remarks: Remarks) -> Panel | None:
    """The panel of the same outcome for persons whom the programme did not reach."""
    if table is None:
        return None
    here: KeyPath = ("cycle", "second_group")
    columns: dict[Role, str | None] = {"unit": table.unit, "time": table.time, "value": table.outcome}
    asked = Asked(table.path, (*here, "path"), columns, table, here, {"value": "outcome"})
    values = _outcome(asked, around.panel.periods, around, remarks)
    return None if values is None else replace(around.panel, outcome=values, size=None, noise=None)


def _outcome(asked: Asked, periods: Sequence[Period], around: Around, remarks: Remarks) -> Array | None:
    """(units, periods of the panel) of another outcome, complete in the given periods and NaN after them."""
    panel = around.panel
    table = read_series(asked, panel.periods[0].frequency, remarks)
    if table is None:
        return None
    end = min(around.window_end, periods[-1])
    if what := uncovered(table, periods, end, around.register):
        remarks.wrong(asked.place, what)
        return None
    rows = located(around.geo, table.labels, table.source)
    if isinstance(rows, str):
        remarks.wrong(asked.place, rows)
        return None
    inside = table.values[rows][:, columns_of(table, periods)]
    if what := gaps(table, inside, panel.units, periods):
        remarks.wrong(asked.place, what)
        return None
    values = np.full(panel.outcome.shape, np.nan)
    values[:, : len(periods)] = inside
    if is_outcome(inside, panel.keep_periods(0, len(periods) - 1)):
        remarks.wrong(
            asked.place,
            f"{table.source} is the outcome of the evaluation itself, which the programme was meant to move",
        )
        return None
    return values
