"""The door: every outside series of a spec into `panel.cycle`, and what else [cycle] gives into the context of the checks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evaluation.context import Context
from evaluation.errors import DataError
from evaluation.panel import Array, Panel
from evaluation.prepare import Prepared
from evaluation.result import Series, Text, Value, texts
from evaluation.series import shift_share, surroundings
from evaluation.series.files import Asked, Role
from evaluation.series.local import Around, Placed, Wanted, place
from evaluation.series.match import geography
from evaluation.series.neighbours import Flows, read_flows
from evaluation.series.remarks import Remarks
from evaluation.series.shift_share import read_industries
from evaluation.spec.cycle_rules import name_of_path
from evaluation.spec.cycle_tables import CycleSeries, Neighbours
from evaluation.spec.loaded import LoadedSpec


def attach(loaded: LoadedSpec, prepared: Prepared) -> Prepared:
    """Read all that [cycle] names and bring it to the panel's units and periods.

    Returns
    -------
    Prepared
        With `panel.cycle` filled (for each series NAME itself, "NAME|neighbours" and "NAME|nation" where they can be made,
        and "shift_share"), the context extended, and the files among the inputs.

    Raises
    ------
    DataError
        Everything that is wrong with the files, each at its line of the spec.
    """
    spec = loaded.spec
    remarks = Remarks(loaded)
    panel = prepared.panel
    context = replace(prepared.context, frozen="" if spec.declared is None else str(spec.declared))
    geo = geography(panel)
    flows = _flows(loaded, prepared, remarks)
    window = np.flatnonzero(panel.target.any(axis=0))
    around = Around(
        panel, geo, flows, panel.periods[int(window[-1])], spec.registers is not None, _neighbours_place(loaded)
    )
    cycle: dict[str, Array] = dict(panel.cycle)
    known: list[Series] = []
    placed: list[tuple[Wanted, Placed]] = []
    for wanted in wanted_series(loaded):
        found = place(wanted, around, remarks)
        if found is None:
            continue
        placed.append((wanted, found))
        cycle.update(found.arrays)
        known.append(
            Series(
                wanted.name,
                wanted.label,
                "national" if found.raw is None else "local",
                wanted.unit,
                dict(found.facts),
            )
        )
    if spec.cycle.shares is not None:
        industries = read_industries(spec.cycle.shares, around, spec.languages, remarks)
        if industries is not None:
            cycle[shift_share.NAME], told = industries
            known.append(told)
    controls = surroundings.negative_controls(loaded, around, placed, cycle, remarks)
    context = replace(
        context,
        series=(*context.series, *known),
        policies=(*context.policies, *surroundings.policies(loaded, around, remarks)),
        negative_controls=(*context.negative_controls, *controls),
        rings=surroundings.rings(loaded, prepared, remarks),
        donor_groups={**context.donor_groups, **surroundings.donor_groups(loaded, prepared, remarks)},
        second_group=surroundings.second_group(spec.cycle.second_group, around, remarks) or context.second_group,
    )
    if remarks.problems:
        raise DataError(*remarks.problems)
    return _with(prepared, replace(panel, cycle=cycle), context, remarks)


def files_of_series(loaded: LoadedSpec) -> tuple[str, ...]:
    """The paths of all files that [cycle] names, as it writes them."""
    cycle = loaded.spec.cycle
    shares = cycle.shares
    given = [wanted.asked.path for wanted in wanted_series(loaded)]
    given += [reform.path for reform in cycle.policy] + [control.path for control in cycle.negative_control]
    given += [] if shares is None else [path for path in (shares.employment, shares.shares, shares.growth) if path]
    given += [] if cycle.second_group is None else [cycle.second_group.path]
    if cycle.neighbours is not None:
        given.append(cycle.neighbours if isinstance(cycle.neighbours, str) else cycle.neighbours.path)
    return tuple(dict.fromkeys(given))


def _with(prepared: Prepared, panel: Panel, context: Context, remarks: Remarks) -> Prepared:
    """The prepared panel with the series in it, and the files they came from."""
    context = replace(context, notes=(*context.notes, *remarks.notes), facts={**context.facts, **facts_of(context)})
    return replace(prepared, panel=panel, context=context, inputs=(*prepared.inputs, *remarks.inputs))


def facts_of(context: Context) -> dict[str, Value]:
    """Facts about the construction of the predicted demand, for those who ask whether its shocks are enough."""
    found = next((each.facts for each in context.series if each.name == shift_share.NAME), {})
    return {key: found[key] for key in shift_share.FACTS if key in found}


def wanted_series(loaded: LoadedSpec) -> tuple[Wanted, ...]:
    """The series of a spec, with the names and labels that they have where it gives none."""
    given = loaded.spec.cycle.series
    if isinstance(given, str):
        alone = CycleSeries(path=given)
        return (_wanted(loaded, alone, Asked(given, ("cycle", "series"), _columns(alone), alone, ("cycle",))),)
    found = []
    for index, table in enumerate(given):
        here = ("cycle", "series", index)
        asked = Asked(table.path, (*here, "path"), _columns(table), table, here, {}, _no_unit(table))
        found.append(_wanted(loaded, table, asked))
    return tuple(found)


def _no_unit(table: CycleSeries) -> tuple[Role, ...]:
    """A series of the nation needs no column of areas."""
    return ("unit",) if table.level == "nation" else ()


def _columns(table: CycleSeries) -> dict[Role, str | None]:
    return {"unit": table.unit, "time": table.time, "value": table.value}


def _wanted(loaded: LoadedSpec, table: CycleSeries, asked: Asked) -> Wanted:
    languages = loaded.spec.languages
    name = table.name or name_of_path(table.path)
    label: Text = texts(table.label or name.replace("_", " "), languages)
    unit: Text = texts(table.value_unit, languages) if table.value_unit else {}
    return Wanted(name, asked, label, unit, table.level, table.filter, table.negative_control)


def _neighbours_place(loaded: LoadedSpec) -> tuple[str, ...]:
    given = loaded.spec.cycle.neighbours
    return ("cycle", "neighbours") if isinstance(given, str) else ("cycle", "neighbours", "path")


def _flows(loaded: LoadedSpec, prepared: Prepared, remarks: Remarks) -> Flows | None:
    given = loaded.spec.cycle.neighbours
    if given is None:
        return None
    table = Neighbours(path=given) if isinstance(given, str) else given
    asked = Asked(
        table.path,
        _neighbours_place(loaded),
        {"home": table.home, "work": table.work, "time": table.time, "value": table.flow},
        table,
        ("cycle", "neighbours"),
        {"value": "flow"},
        ("time", "value"),
    )
    start = prepared.panel.periods[min(prepared.panel.starts)]
    return read_flows(asked, geography(prepared.panel), start, remarks)
