"""The outcomes that registers can give, in words: what they are called, in which unit, and which direction was hoped for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MeasureWords:
    """One outcome: its label and unit by language, the decimals on the page, and which direction is the better."""

    label: dict[str, str]
    unit: dict[str, str]
    decimals: int
    better: Literal["higher", "lower", "neither"] = "higher"


_HOURS = {
    "year": {"da": "timer om året pr. person", "en": "hours a year per person"},
    "quarter": {"da": "timer i kvartalet pr. person", "en": "hours a quarter per person"},
    "window": {"da": "timer på 12 måneder pr. person", "en": "hours in 12 months per person"},
}
HOURS = ("annual_hours", "hours_if_any")
"""Measures in hours; all others are shares of persons."""

_POINTS = {"da": "procentpoint", "en": "percentage points"}

_SHARES: dict[str, tuple[str, str, Literal["higher", "lower", "neither"]]] = {
    "any_hours": ("andelen med arbejdstimer", "the share with any working hours", "higher"),
    "stable_employment": ("andelen i stabil beskæftigelse", "the share in stable employment", "higher"),
    "self_support": ("andelen på selvforsørgelse", "the share in self-support", "higher"),
    "education": ("andelen i uddannelse", "the share in education", "higher"),
    "fleksjob": ("andelen i fleksjob", "the share in a flexible job", "neither"),
    "disability_pension": ("andelen på førtidspension", "the share on disability pension", "neither"),
    "on_benefit": ("andelen på offentlig forsørgelse", "the share on public support", "lower"),
}


def words_of(measure: str, frequency: str) -> MeasureWords:
    """How the outcome is spoken of; hours belong to a period of some length."""
    if measure in _SHARES:
        danish, english, better = _SHARES[measure]
        return MeasureWords({"da": danish, "en": english}, _POINTS, 1, better)
    if measure == "hours_if_any":
        label = {"da": "arbejdstimer blandt dem, der arbejdede", "en": "working hours among those who worked"}
    elif frequency == "year":
        label = {"da": "årlige arbejdstimer", "en": "annual working hours"}
    else:
        label = {"da": "arbejdstimer", "en": "working hours"}
    return MeasureWords(label, _HOURS[frequency], 1)
