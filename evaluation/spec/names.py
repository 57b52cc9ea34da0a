"""Names in the spec that only the data can confirm: columns, units and periods, each pointed back to its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from evaluation.errors import Problem, did_you_mean, listed
from evaluation.periods import Period, parse_period
from evaluation.spec.findings import Finding, placed
from evaluation.spec.loaded import LoadedSpec
from evaluation.spec.locate import KeyPath


def column_problem(loaded: LoadedSpec, path: KeyPath, wanted: str, available: Sequence[str]) -> Problem:
    """A column that the data do not have."""
    return loaded.locator.problem(path, _no_column(loaded, wanted, available))


def unit_problem(loaded: LoadedSpec, path: KeyPath, wanted: str, available: Sequence[str]) -> Problem:
    """A unit that the data do not have."""
    return loaded.locator.problem(path, _no_unit(wanted, available))


def period_problem(loaded: LoadedSpec, path: KeyPath, wanted: object, available: Sequence[Period | str]) -> Problem:
    """A period that the data do not have."""
    return loaded.locator.problem(path, _no_period(wanted, [_period(each) for each in available]))


def check_names(
    loaded: LoadedSpec,
    *,
    columns: Iterable[str] | None = None,
    units: Iterable[str] | None = None,
    periods: Iterable[Period | str] | None = None,
) -> tuple[Problem, ...]:
    """Every column, unit or period that the spec names and the data do not have; what is None is not checked."""
    findings: list[Finding] = []
    if columns is not None:
        findings += _columns(loaded, list(columns))
    if units is not None:
        findings += _units(loaded, list(units))
    if periods is not None:
        findings += _periods(loaded, sorted({_period(each) for each in periods}))
    return placed(findings, loaded.locator)


def column_paths(loaded: LoadedSpec) -> Iterator[tuple[KeyPath, str]]:
    """Every place in the spec that names a column of the data, with the name."""
    data = loaded.spec.data
    for role in ("unit", "time", "outcome", "size", "noise", "cluster", "region"):
        if getattr(data, role) is not None:
            yield ("data", role), getattr(data, role)
    for index, column in enumerate(data.covariates):
        yield ("data", "covariates", index), column
    for column in data.where:
        yield ("data", "where", column), column
    if loaded.spec.treatment.start_column is not None:
        yield ("treatment", "start_column"), loaded.spec.treatment.start_column


def _columns(loaded: LoadedSpec, available: list[str]) -> Iterator[Finding]:
    for path, wanted in column_paths(loaded):
        if wanted not in available:
            at_key = path[:2] == ("data", "where")
            yield Finding(path, _no_column(loaded, wanted, available), at="key" if at_key else "value")


def _units(loaded: LoadedSpec, available: list[str]) -> Iterator[Finding]:
    spec = loaded.spec
    for path, wanted in (
        (("treatment", "units"), spec.treatment.units),
        (("controls", "only"), spec.controls.only),
        (("controls", "exclude"), spec.controls.exclude),
    ):
        for index, unit in enumerate(wanted):
            if unit not in available:
                yield Finding((*path, index), _no_unit(unit, available))


def _periods(loaded: LoadedSpec, available: list[Period]) -> Iterator[Finding]:
    treatment, periods = loaded.spec.treatment, loaded.spec.data.periods
    named: list[tuple[KeyPath, object]] = [(("treatment", "start"), treatment.start)]
    named += [(("treatment", "window", index), when) for index, when in enumerate(treatment.window or ())]
    named += [(("data", "periods", index), when) for index, when in enumerate(periods or ())]
    for path, when in named:
        if when is not None and parse_period(when) not in available:
            yield Finding(path, _no_period(when, available))


def _no_column(loaded: LoadedSpec, wanted: str, available: Sequence[str]) -> str:
    file = PurePath(loaded.spec.data.path).name
    return f"no column '{wanted}' in {file}{did_you_mean(wanted, available) or f'; it has {listed(available, 12)}'}"


def _no_unit(wanted: str, available: Sequence[str]) -> str:
    hint = did_you_mean(wanted, available) or f"; it has {len(available)} units: {listed(available)}"
    return f"no unit '{wanted}' in the data{hint}"


def _no_period(wanted: object, available: Sequence[Period]) -> str:
    if not available:
        return f"no period {wanted} in the data; it has none"
    period = parse_period(wanted)
    if period.frequency != available[0].frequency:
        return f"{period} is a {period.frequency}, but the data are by {available[0].frequency}: write {available[0]}"
    return f"no period {period} in the data, which run from {available[0]} to {available[-1]}"


def _period(value: Period | str) -> Period:
    return value if isinstance(value, Period) else parse_period(value)
