"""What planning found, as plain values: the smallest effect by periods, persons and controls, and what it takes to find one.

Nothing here knows numpy or words; missing is None, and a `mde` of None says that no effect of any size can be found.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.result import Note, Text


@dataclass(frozen=True, slots=True)
class Length:
    """One number of periods after the start, and what it was measured on.

    `before` periods went before each pretended start in `starts`; the last of them gives the numbers. `share_persons` is the
    part of the planned unit's variance that is its persons' (known to lie between `share_low` and `share_high`),
    `mde_infinite_persons` what is left with ever so many of them.
    """

    periods: int
    before: int
    starts: tuple[str, ...]
    share_persons: float | None
    share_low: float | None
    share_high: float | None
    mde_infinite_persons: float | None
    failed: int


@dataclass(frozen=True, slots=True)
class Row:
    """The smallest effect with these periods after the start, persons in a treated unit and controls.

    `lowest` and `highest` are those of the single pretended starts; None where the controls are a choice among all.
    """

    periods: int
    persons: float | None
    controls: int
    mde: float | None
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, slots=True)
class Together:
    """The smallest effect when this many units of the planned one's size are treated together."""

    periods: int
    treated: int
    mde: float | None


@dataclass(frozen=True, slots=True)
class Persons:
    """How many persons in a treated unit it takes with these periods; None: as many as the largest unit has are not enough.

    Never fewer than 19 in 20 units of the data have: of smaller ones, as of larger than the largest, nothing is known.
    """

    periods: int
    persons: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What it takes to find one effect.

    `periods` after the start as things are (None: more than were considered); `persons` that would do by periods (empty where
    persons are unknown); `treated` units together and the periods they need (None: more than were considered).
    """

    effect: float
    periods: int | None
    persons: tuple[Persons, ...]
    treated: Together | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer of `evaluate SPEC --plan`."""

    spec: str
    version: str
    seed: int
    units: tuple[str, ...]
    start: str
    first: str
    last: str
    frequency: str
    method: str
    adjust: str
    level: float
    power: float
    persons: float | None
    controls: int
    least_controls: int
    decimals: int
    outcome: Text
    unit: Text
    unit_plural: Text
    synthetic: bool
    lengths: tuple[Length, ...]
    rows: tuple[Row, ...]
    together: tuple[Together, ...]
    answers: tuple[Answer, ...]
    notes: tuple[Note, ...] = ()


def to_json(plan: Plan) -> str:
    """The plan as JSON text: keys in the order of the fields."""
    from pydantic import TypeAdapter

    return TypeAdapter(Plan).dump_json(plan, indent=1).decode() + "\n"
