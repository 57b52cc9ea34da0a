"""The design in words and names: who was compared with whom, when, in which outcome."""

from __future__ import annotations

import numpy as np

from evaluation.panel import Panel
from evaluation.periods import parse_period
from evaluation.result import Design, Exclusion, TargetGroup, Text, Value, texts
from evaluation.spec.model import Spec, TargetGroupTable

UNIT: Text = {"da": "enhed", "en": "unit"}
UNITS: Text = {"da": "enheder", "en": "units"}


def describe(spec: Spec, panel: Panel, exclusions: tuple[Exclusion, ...], synthetic: bool = False) -> Design:
    """The design that the page's second section tells."""
    languages, data = spec.languages, spec.data
    labels = [period.label for period in panel.periods]
    inside = np.flatnonzero(panel.target.any(axis=0))
    start = min(panel.starts)
    plural = data.unit_label_plural or data.unit_label
    return Design(
        treated=tuple(name for name, treated in zip(panel.units, panel.treated, strict=True) if treated),
        controls=tuple(name for name, treated in zip(panel.units, panel.treated, strict=True) if not treated),
        excluded=exclusions,
        periods=tuple(labels),
        start=labels[start],
        window=(labels[int(inside[0])], labels[int(inside[-1])]),
        before=(labels[0], labels[start - 1]),
        weights="equal" if panel.size is None else "size",
        unit_label=texts(data.unit_label, languages) if data.unit_label else {key: UNIT[key] for key in languages},
        unit_label_plural=texts(plural, languages) if plural else {key: UNITS[key] for key in languages},
        outcome_label=texts(data.outcome_label or data.outcome, languages),
        outcome_unit=texts(data.outcome_unit, languages),
        decimals=data.decimals,
        better=data.better,
        target_group=None if spec.target_group is None else _target_group(spec.target_group, languages),
        data_source=texts(data.source, languages) if data.source else {},
        synthetic=data.synthetic or synthetic,
        events=tuple((parse_period(event.period).label, texts(event.label, languages)) for event in spec.event),
    )


def _target_group(table: TargetGroupTable, languages: tuple[str, ...]) -> TargetGroup:
    low, high = (float(value) for value in table.effect)
    factor = float(table.scale) * float(table.persons) / float(table.population)
    return TargetGroup(
        persons=float(table.persons),
        population=float(table.population),
        effect=(low, high),
        effect_unit=texts(table.effect_unit, languages),
        scale=float(table.scale),
        expected=(low * factor, high * factor),
        name=texts(table.name, languages),
        source=texts(table.source, languages),
    )


def defaults_used(spec: Spec) -> dict[str, Value]:
    """Every default that took effect because the spec did not say otherwise, by dotted key."""
    found: dict[str, Value] = {}

    def look(table: object, prefix: str) -> None:
        fields = type(table).model_fields  # type: ignore[attr-defined]
        for name in fields:
            if name == "data" and getattr(table, "registers", None) is not None:
                continue  # filled in from the registers, not chosen
            value = getattr(table, name)
            key = fields[name].alias or name
            if hasattr(value, "model_fields_set"):
                look(value, f"{prefix}{key}.")
            elif name not in table.model_fields_set and isinstance(value, str | int | float | bool):  # type: ignore[attr-defined]
                found[f"{prefix}{key}"] = value

    look(spec, "")
    return {key: value for key, value in found.items() if value != ""}
