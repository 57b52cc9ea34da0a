"""What `--check` says of the series: files are read and matched, also where person registers have not been read yet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evaluation.denmark.areas import municipalities, recognise
from evaluation.panel import Indices, Panel
from evaluation.periods import PER_YEAR, Frequency, Period, parse_period
from evaluation.prepare import Prepared
from evaluation.result import Exclusion
from evaluation.series.attach import attach
from evaluation.spec.loaded import LoadedSpec
from evaluation.spec.model import Register


def series_line(prepared: Prepared) -> list[tuple[str, str]]:
    """The series in one line, none where there are none: "unemployment, employment and 2 reforms"."""
    context = prepared.context
    parts = [each.name for each in context.series] + [each.name for each in context.policies]
    return [("Series", ", ".join(parts))] if parts else []


def check_for_registers(loaded: LoadedSpec) -> list[tuple[str, str]]:
    """Match the series to the panel that the registers will give: municipalities by year or quarter, without any outcome.

    Raises
    ------
    DataError
        As `attach`.
    """
    register = loaded.spec.registers
    if register is None or register.outcome.frequency == "window":
        return []  # windows of twelve months are known only when the registers have been read
    expected = _expected(loaded, register)
    return [] if expected is None else series_line(attach(loaded, expected))


def _expected(loaded: LoadedSpec, register: Register) -> Prepared | None:
    """The panel to come: every municipality that is not left out, nothing observed; None when its start lies outside it."""
    spec = loaded.spec
    frequency: Frequency = "quarter" if register.outcome.frequency == "quarter" else "year"
    parts = PER_YEAR[frequency]
    first, last = register.periods
    periods = tuple(Period(frequency, ordinal) for ordinal in range(first * parts, (last + 1) * parts))
    named = [spec.treatment.start_of(name) for name in spec.treatment.names]
    begins = dict(zip((_name(name) for name in spec.treatment.names), named, strict=True))
    if any(when is None or parse_period(when) not in periods for when in (*named, *(spec.treatment.window or ()))):
        return None  # said when the panel is made
    only, out = (_names(each) for each in (spec.controls.only, spec.controls.exclude))
    areas = [
        area
        for area in municipalities()
        if area.name in begins or (area.name not in out and (not only or area.name in only))
    ]
    regions, codes = np.unique([area.landsdel for area in areas], return_inverse=True)
    starts: Indices = np.array(
        [periods.index(parse_period(begins[area.name])) if area.name in begins else len(periods) for area in areas],
        dtype=np.int64,
    )
    panel = Panel(
        outcome=np.full((len(areas), len(periods)), np.nan),
        units=tuple(area.name for area in areas),
        periods=periods,
        start=starts,
        region=codes.astype(np.int64),
        region_names=tuple(str(name) for name in regions),
    )
    if spec.treatment.window is not None:
        begin, end = (periods.index(parse_period(when)) for when in spec.treatment.window)
        panel = replace(panel, window=(begin, end))
    left_out = tuple(Exclusion(name, {}) for name in sorted(out))
    return Prepared(panel, (), (), left_out, ())


def _name(given: str) -> str:
    """The Danish name of a municipality that the spec may name by code or in English."""
    area = recognise([given])[0]
    return given if area is None else area.name


def _names(given: tuple[str, ...]) -> set[str]:
    """The Danish names of municipalities that the spec may name by code or in English."""
    return {area.name for area in recognise(list(given)) if area is not None}
