"""What checks may look at beside the panel: outside series, reforms, outcomes that cannot be moved, other populations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluation.panel import Array, Panel
from evaluation.result import Note, Series, Text, Value


@dataclass(frozen=True, slots=True)
class PolicyShock:
    """A reform that hit units unequally: `share` (units,) between 0 and 1 in the order of the panel, from period index `start` on."""

    name: str
    label: Text
    start: int
    share: Array


@dataclass(frozen=True, slots=True)
class NegativeControl:
    """An outcome, or a group, that the programme cannot have moved: a panel with the treatment of the evaluation.

    `kind` is "outcome" or "group"; `until` is the last period index in which it may be looked at, None for all.
    """

    name: str
    label: Text
    panel: Panel
    kind: str = "outcome"
    unit: Text = field(default_factory=dict)
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that the ladder and the audit use beside the panel. Rows follow the panel's units, columns its periods.

    Attributes
    ----------
    series : tuple of Series
        What is known about each series in `panel.cycle`.
    policies, negative_controls : tuple
        Reforms, and what the programme cannot have moved.
    rings : tuple of tuple of str
        Names of the treated unit's neighbours: those that border on it, then those a step further.
    donor_groups : mapping
        Groups of controls that are left out together, each under the reason's name.
    second_group : Panel or None
        The same outcome for a group in the same units that the programme did not reach, for a triple difference.
    variants : mapping
        The same outcome measured on other persons: "stock", "unweighted".
    facts : mapping
        Facts about the construction of series, e.g. of the shift-share: effective number of shocks, sum of shares.
    frozen : str
        The date on which the spec was declared, "" if it says none.
    """

    series: tuple[Series, ...] = ()
    policies: tuple[PolicyShock, ...] = ()
    negative_controls: tuple[NegativeControl, ...] = ()
    rings: tuple[tuple[str, ...], ...] = ()
    donor_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    second_group: Panel | None = None
    variants: Mapping[str, Panel] = field(default_factory=dict)
    facts: Mapping[str, Value] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    frozen: str = ""


NO_CONTEXT = Context()
"""A panel alone."""
