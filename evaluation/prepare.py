"""From a spec and its data file to the panel: filters, areas, periods and controls, each counted on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from evaluation.columns import Names, arrow_column, arrow_indices, arrow_names, distinct, names, period_of, rows_where
from evaluation.context import NO_CONTEXT, Context
from evaluation.denmark.areas import LEVELS, Area, Level, counted, recognise
from evaluation.errors import DataError, Problem, did_you_mean, listed
from evaluation.frames import Roles, examine
from evaluation.panel import Indices, Mask, Panel
from evaluation.periods import Period, parse_period
from evaluation.readers import Settings, Table, UnreadableError, read_table
from evaluation.result import Exclusion, FlowStep, InputFile, Note, Text, texts
from evaluation.spec.loaded import LoadedSpec
from evaluation.spec.model import Data
from evaluation.treatment import NEVER, Finding

MOSTLY = 0.8
"""A column of which this share are Danish areas is a column of Danish areas."""

NOT_CHOSEN = {
    "da": "ikke blandt de kontroller, specifikationen vælger",
    "en": "not among the controls that the spec chooses",
}
"""The reason for a unit outside `controls.only`, where the spec gives none."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The panel of a spec, the files it came from, what each step left, who was left out and why, and what checks look at."""

    panel: Panel
    inputs: tuple[InputFile, ...]
    flow: tuple[FlowStep, ...]
    exclusions: tuple[Exclusion, ...]
    notes: tuple[Note, ...]
    context: Context = NO_CONTEXT


def prepare(loaded: LoadedSpec) -> Prepared:
    """Read the data of a spec and build its panel.

    Raises
    ------
    DataError
        Everything that is wrong with the file or its data, each with the line of the spec it belongs to.
    """
    return panel_from_spec(loaded, read_data(loaded))


def read_data(loaded: LoadedSpec) -> Table:
    """The rows of the file or files that `[data] path` names.

    Raises
    ------
    DataError
        No such file, or it cannot be read; the problem points to the line of the spec.
    """
    data = loaded.spec.data
    try:
        return read_table(loaded.folder / data.path, Settings.of(data))
    except UnreadableError as problem:
        key = problem.key if getattr(data, problem.key) is not None else "path"
        raise DataError(loaded.locator.problem(("data", key), str(problem.problems[0]))) from None


def panel_from_spec(loaded: LoadedSpec, table: Table) -> Prepared:
    """The panel of a spec from the rows of its data.

    Rows are kept by `where`, then by `areas`, then by `periods`; then units are left out by `[controls]`; then every
    column is judged. What is wrong with one step does not hide what is wrong with another, where they can be told apart.

    Raises
    ------
    DataError
        Everything that is wrong, each with the line of the spec it belongs to.
    """
    step = _Steps(loaded, table)
    step.keep_where()
    step.keep_areas()
    step.keep_periods()
    step.filtered()
    step.leave_out_controls()
    return step.finish()


def last_period(loaded: LoadedSpec) -> Period | None:
    """The last period among the rows that `[data]` keeps; None where they cannot be read or judged, which `prepare` then says."""
    step = _Steps(loaded, read_data(loaded))
    step.keep_where()
    step.keep_areas()
    step.keep_periods()
    if step.problems or loaded.spec.data.time not in step.rows.columns:
        return None
    read = [period_of(value) for value in distinct(arrow_column(step.rows, loaded.spec.data.time))[0]]
    known = [period for period in read if period is not None]
    return max(known) if known and len({period.frequency for period in known}) == 1 else None


@dataclass(slots=True)
class _Steps:
    """The rows on their way from the file to the panel, and what is said about them."""

    loaded: LoadedSpec
    table: Table
    rows: Any = None
    problems: list[Problem] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    flow: list[FlowStep] = field(default_factory=list)
    exclusions: list[Exclusion] = field(default_factory=list)
    unfiltered: bool = False
    emptied: bool = False
    region: str | None = None
    treated: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.rows = self.table.frame
        self.region = self.data.region
        self.treated = self.loaded.spec.treatment.names
        self.notes.extend(self.table.notes)
        for step in self.table.flow:
            self.flow.append(replace(step, units=self._n_units()))

    @property
    def data(self) -> Data:
        """The `[data]` of the spec."""
        return self.loaded.spec.data

    @property
    def source(self) -> str:
        """The name of the data file or glob, without its folder."""
        return self.table.inputs[0].name if len(self.table.inputs) == 1 else self.data.path.rpartition("/")[2]

    # ------------------------------------------------------------------ the steps

    def keep_where(self) -> None:
        """Keep the rows in which the columns of `where` hold the values asked for."""
        if not self.data.where:
            return
        keep, faults = rows_where(self.rows, self.data.where, self.source)
        for column, what, at in faults:
            self._wrong(("data", "where", column), what, at)
        if self.problems:
            return
        if not keep.any():
            self._wrong(("data", "where"), "no row fits all of these at once", at="key")
            return
        self._keep(keep)
        self._count("where", columns=[*self.data.where])

    def keep_areas(self) -> None:
        """Keep the level of Danish areas asked for, under Danish names; refuse a mix when none is asked for."""
        unit = self._units()
        if unit is None or not unit.labels:
            return
        areas = recognise(unit.labels)
        if self.data.areas is None:
            self._refuse_mix(areas)
            return
        level: Level = self.data.areas
        unknown = [label for label, area in zip(unit.labels, areas, strict=True) if area is None]
        if unknown:
            self._wrong(
                ("data", "areas"), f"not a Danish area in '{self.data.unit}' of {self.source}: {listed(unknown)}"
            )
            return
        known = [area for area in areas if area is not None]
        at_level = np.array([area.level == level for area in known])
        if not at_level.any():
            self._wrong(
                ("data", "areas"), f"no {level} in '{self.data.unit}' of {self.source}: it holds {counted(known)}"
            )
            return
        self.treated = tuple(_danish(name, known) for name in self.treated)
        codes = unit.codes
        # rows without a name are kept, so that they are reported with their number
        keep = (codes < 0) | at_level[codes]
        labels = [area.name for area in known]
        self._set_column(self.data.unit, arrow_names(labels, codes))
        if self.region is None and level in ("municipality", "landsdel"):
            regions = [area.landsdel if level == "municipality" else area.region for area in known]
            self.region = _new_name("landsdel" if level == "municipality" else "region", self.rows.columns)
            self._set_column(self.region, arrow_names(regions, codes))
        self._keep(keep)
        dropped = [area for area in known if area.level != level]
        self._count("areas", level=level, dropped=len(dropped))

    def keep_periods(self) -> None:
        """Keep the rows from the first to the last period asked for."""
        wanted = self.data.periods
        if wanted is None or self.data.time not in self.rows.columns:
            return
        path = ("data", "periods")
        bounds: list[Period] = []
        for place, when in enumerate(wanted):
            try:
                bounds.append(parse_period(when))
            except ValueError:
                self._wrong((*path, place), f"'{when}' is not a period; write 2015, 2015Q1 or 2015M01")
        if len(bounds) < 2:
            return
        values, codes = distinct(arrow_column(self.rows, self.data.time))
        read = [period_of(value) for value in values]
        present = [period for period in read if period is not None]
        kinds = {period.frequency for period in present}
        if not present or len(kinds) > 1:
            return  # said when the column is judged
        first, last = bounds
        if {first.frequency, last.frequency} != kinds:
            self._wrong(
                path,
                f"the data hold {kinds.pop()}s from {min(present)} to {max(present)}; write the periods like these",
            )
            return
        if last < first:
            self._wrong(path, f"these periods end in {last}, before they begin in {first}")
            return
        if first < min(present) or last > max(present):
            self._wrong(path, f"these periods reach beyond the data, which run from {min(present)} to {max(present)}")
            return
        fits = np.array([*(period is None or first <= period <= last for period in read), True])
        self._keep(fits[codes])
        self._count("periods", first=first.label, last=last.label)

    def filtered(self) -> None:
        """Note whether a filter could not be applied, so that the rows are not those meant."""
        self.unfiltered = bool(self.problems)

    def leave_out_controls(self) -> None:
        """Leave out the units that may not serve as controls, and keep the reasons."""
        controls = self.loaded.spec.controls
        unit = self._units()
        if unit is None or not (controls.only or controls.exclude):
            return
        rename = self._renamed(unit)
        treated = set(self.treated) | self._treated_by_column(unit)
        out: dict[str, Text] = {}
        reasons = {rename(name): reason for name, reason in controls.reasons.items()}
        languages = self.loaded.spec.languages
        for key, chosen in (("exclude", controls.exclude), ("only", controls.only)):
            for place, name in enumerate(chosen):
                path = ("controls", key, place)
                if rename(name) not in unit.labels:
                    hint = did_you_mean(name, unit.labels) or f"; there are {listed(unit.labels)}"
                    self._wrong(path, f"no unit '{name}' in {self.source}{hint}")
                elif rename(name) in treated:
                    self._wrong(path, f"'{name}' is treated, so it can be neither a control nor excluded as one")
                elif key == "exclude":
                    out[rename(name)] = texts(reasons.get(rename(name), controls.exclude_reason), languages)
        if controls.only:
            kept = {rename(name) for name in controls.only} | treated
            for label in unit.labels:
                if label not in kept and label not in out:
                    out[label] = texts(reasons.get(label, controls.exclude_reason or NOT_CHOSEN), languages)
        others = [label for label in unit.labels if label not in treated]
        if others and all(label in out for label in others) and self.loaded.spec.treatment.start_column is None:
            self.emptied = True
            key = "only" if controls.only else "exclude"
            who = f"all {len(others):,} units that are not treated" if len(others) > 1 else "the only unit not treated"
            self._wrong(
                ("controls", key),
                f"{who} {'are' if len(others) > 1 else 'is'} left out, so there is nobody to compare with; keep at least two",
                at="key",
            )
        keep = np.array([*(label not in out for label in unit.labels), True])
        self._keep(keep[unit.codes])
        self.exclusions = [Exclusion(label, reason) for label, reason in out.items()]
        self._count("controls", excluded=len(out))

    def finish(self) -> Prepared:
        """Judge the columns and build the panel."""
        data, treatment = self.data, self.loaded.spec.treatment
        by_column = treatment.start_column is not None
        starts = dict(zip(self.treated, treatment.starts.values(), strict=True)) if treatment.starts else None
        roles = Roles(
            unit=data.unit,
            time=data.time,
            outcome=data.outcome,
            treated=None if by_column else starts or self.treated,
            start=treatment.start_column if by_column else treatment.start,
            size=data.size,
            noise=data.noise,
            cluster=data.cluster,
            region=self.region,
            covariates=data.covariates,
            window=treatment.window,
        )
        examined = examine(self.rows, roles, self.source)
        for finding in examined.findings:
            if self._holds(finding):
                self.problems.append(self._problem(finding))
        if self.problems or examined.panel is None:
            raise DataError(*self.problems)
        panel = examined.panel
        missing = int(np.isnan(panel.outcome).sum())
        self.flow.append(
            FlowStep(
                "panel",
                len(self.rows),
                panel.n_units,
                {"periods": panel.n_periods, "cells": panel.outcome.size, "missing": missing, "balanced": missing == 0},
            )
        )
        notes = (*self.notes, *examined.notes)
        return Prepared(panel, self.table.inputs, tuple(self.flow), tuple(self.exclusions), notes)

    # ------------------------------------------------------------------ what the steps need

    def _holds(self, finding: Finding) -> bool:
        """Whether a finding is worth saying beside what was found before it.

        After a broken filter the rows are not those meant: only what the columns are, and units that not even all rows
        have, are certain. Where no control is left, that has been said.
        """
        if self.emptied:
            return finding.role not in ("treated", "start") or "nobody to compare with" not in finding.what
        if not self.unfiltered:
            return True
        return finding.what.startswith("no column") or (self.data.areas is None and finding.what.startswith("no unit"))

    def _wrong(self, path: tuple[str | int, ...], what: str, at: str = "value") -> None:
        self.problems.append(self.loaded.locator.problem(path, what, at=at))

    def _problem(self, finding: Finding) -> Problem:
        """A finding about the frame, at the line of the spec that named the column, unit or period."""
        treatment = self.loaded.spec.treatment
        path: tuple[str | int, ...] = ("data", finding.role)
        place = finding.place
        if finding.role == "start":
            path = ("treatment", "start_column" if treatment.start_column is not None else "start")
            path = ("treatment", "starts") if treatment.starts else path
        elif finding.role == "treated":
            path = ("treatment", "starts" if treatment.starts else "units")
            if treatment.starts and place is not None:
                path, place = (*path, treatment.names[place]), None
        elif finding.role == "window":
            path = ("treatment", "window")
        elif finding.role == "data":
            path = ("data", "path")
        elif finding.role == "region" and self.data.region is None:
            path = ("data", "areas")
        if place is not None:
            path = (*path, place)
        what = finding.what
        if finding.role == "start" and "after the last period" in what:
            what += "; `evaluate SPEC --plan` looks ahead to a programme that has not started"
        if "not a number" in what or "stored as text" in what:
            remark = self.table.remarks.get(finding.column)
            what = remark if remark is not None else what
        if what.startswith("no column"):
            more = self._other_sheets()
            what += f"{' ' if what.endswith('?') else '; '}{more}" if more else ""
        return self.loaded.locator.problem(
            path, f"{self.source}, column '{finding.column}': {what}" if finding.column else what
        )

    def _other_sheets(self) -> str:
        """A clause on the sheets of a workbook that were not read, where a column is missing on the one that was."""
        read_as = self.table.inputs[0].read_as
        sheets, sheet = read_as.get("sheets"), read_as.get("sheet")
        if not isinstance(sheets, list):
            return ""
        others = [f"'{each}'" for each in sheets if each != sheet]
        return f"sheet '{sheet}' was read, and the workbook also has {listed(others)}; sheet = \"...\" chooses one"

    def _units(self) -> Names | None:
        return names(arrow_column(self.rows, self.data.unit)) if self.data.unit in self.rows.columns else None

    def _n_units(self) -> int:
        unit = self._units()
        return 0 if unit is None else int(np.unique(unit.codes[unit.codes >= 0]).size)

    def _keep(self, keep: Mask) -> None:
        if not keep.all():
            import narwhals as nw

            kept = self.rows.to_arrow().take(arrow_indices(np.flatnonzero(keep)))
            self.rows = nw.from_native(kept, eager_only=True)

    def _set_column(self, name: str, column: Any) -> None:
        import narwhals as nw

        native = self.rows.to_arrow()
        if name in native.column_names:
            native = native.set_column(native.column_names.index(name), name, column)
        else:
            native = native.append_column(name, column)
        self.rows = nw.from_native(native, eager_only=True)

    def _count(self, step: str, **facts: Any) -> None:
        self.flow.append(FlowStep(step, len(self.rows), self._n_units(), facts))

    def _refuse_mix(self, areas: Sequence[Area | None]) -> None:
        """Danish areas of several levels in one column count the same people twice."""
        known = [area for area in areas if area is not None]
        if len(known) < MOSTLY * len(areas) or len({area.level for area in known}) < 2:
            return
        levels = [level for level in LEVELS if level != "other" and any(area.level == level for area in known)]
        most = max(levels, key=lambda level: sum(area.level == level for area in known), default="municipality")
        self._wrong(
            ("data", "unit"),
            f"{self.source}, column '{self.data.unit}' holds Danish areas of several levels: {counted(known)}; "
            f'choose one with areas = "{most}"',
        )

    def _renamed(self, unit: Names) -> Callable[[str], str]:
        """How a unit named in the spec is called in the data: under its Danish name, when `areas` is set."""
        if self.data.areas is None:
            return lambda name: name
        known = [area for area in recognise(unit.labels) if area is not None]
        return lambda name: _danish(name, known)

    def _treated_by_column(self, unit: Names) -> set[str]:
        """The units that the column of starts says are treated at some time."""
        column = self.loaded.spec.treatment.start_column
        if column is None or column not in self.rows.columns:
            return set()
        starts = names(arrow_column(self.rows, column))
        ever: Indices = np.array(
            [k for k, label in enumerate(starts.labels) if label.casefold() not in NEVER], dtype=np.int64
        )
        codes = unit.codes[np.isin(starts.codes, ever)]
        return {unit.labels[code] for code in np.unique(codes[codes >= 0])}


def _danish(name: str, known: Sequence[Area]) -> str:
    """The Danish name of an area that the spec names by code or in English, when the data have that area."""
    if any(area.name == name for area in known):
        return name
    area = recognise([name])[0]
    return area.name if area in known and area is not None else name


def _new_name(name: str, taken: Sequence[str]) -> str:
    """The name, or with a number behind it, that no column has."""
    if name not in taken:
        return name
    return next(f"{name}{number}" for number in range(2, len(taken) + 3) if f"{name}{number}" not in taken)
