"""The answer as plain values: what the report is made from, and what the JSON file holds.

Nothing here knows numpy, data frames or pages. Every number is a float or None (missing), every name a str;
`to_json` and `from_json` are inverse to one another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from typing_extensions import TypeAliasType

from evaluation.persons import BalanceRow as BalanceRow
from evaluation.persons import Population as Population

Text: TypeAlias = dict[str, str]
"""A text by language code, e.g. {"da": "...", "en": "..."}."""

Value = TypeAliasType("Value", "str | int | float | bool | list[Value] | dict[str, Value] | None")
"""What JSON can hold."""

Status: TypeAlias = Literal["passed", "warns", "failed", "not_run"]


@dataclass(frozen=True, slots=True)
class Note:
    """A remark the reader of a number needs: a code the report has words for, its English text, and the facts in it."""

    code: str
    text: str
    facts: dict[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class PeriodEffect:
    """The effect in one period (or at one event time, when units start at different times and `period` is empty).

    `p_adjusted` holds for all periods of the window at once.
    """

    period: str
    event_time: int
    effect: float | None
    std_error: float | None = None
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    observed: float | None = None
    counterfactual: float | None = None
    p_adjusted: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """One estimator's answer: the average effect over the window, its uncertainty, and the path by period.

    `effect`, `lower`, `upper` and `baseline` are in the outcome's unit; `baseline` is what would have happened without
    treatment, `percent` the effect in per cent of it. `details` holds what figures and checks need (placebos, fit, ...).
    """

    method: str
    adjust: str
    inference: str
    effect: float
    std_error: float | None
    lower: float | None
    upper: float | None
    level: float
    p_value: float | None
    baseline: float | None
    percent: float | None
    path: tuple[PeriodEffect, ...]
    unit_weights: dict[str, float]
    time_weights: dict[str, float]
    n_units: int
    n_treated: int
    n_periods: int
    notes: tuple[Note, ...] = ()
    details: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be computed: a visible box on the page, and the run goes on. `label` is the spec's own name for it."""

    kind: Literal["estimator", "check", "inference", "figure", "secondary"]
    name: str
    problems: tuple[str, ...]
    label: Text = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One attempt to break the answer. `facts` fill the sentence, `series` holds the numbers of its figure and table."""

    id: str
    status: Status
    value: float | None = None
    threshold: float | None = None
    reason: str = ""
    facts: dict[str, Value] = field(default_factory=dict)
    series: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A unit that was left out of the comparison, and why."""

    unit: str
    reason: Text


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Whom the programme was meant for, and how large an effect on them would be in this outcome.

    `expected` is (low, high) in the outcome's unit: effect per person × scale × persons / population.
    """

    persons: float
    population: float
    effect: tuple[float, float]
    effect_unit: Text
    scale: float
    expected: tuple[float, float]
    name: Text
    source: Text


@dataclass(frozen=True, slots=True)
class Design:
    """Who was compared with whom, when, and in which outcome."""

    treated: tuple[str, ...]
    controls: tuple[str, ...]
    excluded: tuple[Exclusion, ...]
    periods: tuple[str, ...]
    start: str
    window: tuple[str, str]
    before: tuple[str, str]
    weights: Literal["equal", "size"]
    unit_label: Text
    unit_label_plural: Text
    outcome_label: Text
    outcome_unit: Text
    decimals: int
    better: Literal["higher", "lower", "neither"]
    target_group: TargetGroup | None = None
    data_source: Text = field(default_factory=dict)
    synthetic: bool = False
    events: tuple[tuple[str, Text], ...] = ()


@dataclass(frozen=True, slots=True)
class LadderRung:
    """The answer under one way of taking the business cycle out.

    Attributes
    ----------
    adjust : str
        The adjustment, or what else tells this rung from the others: "before_after", "matched_controls", "synthetic_control",
        "triple_difference".
    effect, lower, upper, p_value : float or None
        As in an Estimate; None where the rung could not be computed, or has no valid interval.
    removed : float or None
        The estimate that only compares with the others (rung "none"), minus this one: how much this rung takes out, in the
        outcome's unit, with its placebo interval in `removed_lower` and `removed_upper`.
    variant : str
        What tells two rungs of one adjustment apart: "own", "neighbours", "predicted", or an option.
    method, inference : str
        The estimator and the inference behind the rung.
    n_units, n_donors : int
        Units in the fit, and controls with a weight.
    headline, recommended : bool
        The rung of the headline; the one that the written rule recommends for such data.
    status : str
        "valid"; "comparison": shown, but not to be believed, for `reason`; "not_run": could not be computed, for `reason`.
    """

    adjust: str
    effect: float | None
    lower: float | None
    upper: float | None
    p_value: float | None
    removed: float | None
    variant: str = ""
    method: str = ""
    inference: str = ""
    removed_lower: float | None = None
    removed_upper: float | None = None
    n_units: int = 0
    n_donors: int = 0
    headline: bool = False
    recommended: bool = False
    status: Literal["valid", "comparison", "not_run"] = "valid"
    reason: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class WaterfallPart:
    """One additive part of the treated unit's raw change, with its placebo interval where there is one."""

    name: str
    amount: float
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One outside series of the business cycle: where it came from and how it was brought to the panel's units and periods."""

    name: str
    label: Text
    level: Literal["local", "national"]
    unit: Text = field(default_factory=dict)
    facts: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cycle:
    """What was done about the business cycle, and how much it was.

    `terms` are the coefficients of the headline's adjustment, `waterfall` the parts of the raw change (its first entry is the
    whole, "raw_change"; the others add up to it), `audit` the sixteen checks of an auditor, `bad_control` what the programme
    itself may have moved in the series.
    """

    adjust: str
    ladder: tuple[LadderRung, ...] = ()
    waterfall: tuple[WaterfallPart, ...] = ()
    audit: tuple[CheckResult, ...] = ()
    terms: dict[str, Value] = field(default_factory=dict)
    series: tuple[Series, ...] = ()
    bad_control: dict[str, Value] | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Direction and strength of the evidence by the written rules of `evaluation.verdict`.

    `level` runs from 1 to 5; `possible` is the most a design of this kind can reach.
    """

    direction: Literal["higher", "lower", "unclear"]
    level: int
    possible: int
    ruled_out_below: float | None
    ruled_out_above: float | None
    detectable: float | None
    reasons: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file that was read: its name (never its folder), hash, size, and how it was understood."""

    name: str
    sha256: str
    bytes: int
    rows: int
    columns: int
    read_as: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FlowStep:
    """How many rows and units were left after one step from the file to the panel.

    With person registers `rows` are persons, or what `facts["of"]` names ("jobs"); None: too few to be shown.
    """

    step: str
    rows: int | None
    units: int
    facts: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What it takes to repeat the run to the last digit."""

    version: str
    python: str
    packages: dict[str, str]
    seed: int
    spec_name: str
    spec_sha256: str
    spec_text: str
    inputs: tuple[InputFile, ...]
    defaults: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Which disclosure rules were applied, and what they took away."""

    public: bool
    minimum: int
    round: int
    suppressed_units: int = 0
    actions: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """A range that others have published for this effect: shown beside ours, never used. What it runs over is theirs to say."""

    low: float
    high: float
    unit: Text
    label: Text
    source: Text


@dataclass(frozen=True, slots=True)
class Secondary:
    """A further outcome, or the same outcome among a group, estimated exactly as the headline is.

    Attributes
    ----------
    kind : str
        "outcome" or "group": each is a family of its own, over whose `n_family` members `p_adjusted` is adjusted.
    estimate : Estimate
        In `outcome_unit`; its `details["placebo"]` holds no more than the distribution.
    p_adjusted, p_adjusted_all : float or None
        Step-down p-values over the family, and over the primary outcome and all secondary ones together.
    method : str
        "romano_wolf", by the placebo assignments that the family has in common, or "holm", by the p-values alone.
    """

    label: Text
    kind: Literal["outcome", "group"]
    outcome_unit: Text
    decimals: int
    better: Literal["higher", "lower", "neither"]
    estimate: Estimate
    p_adjusted: float | None
    n_family: int
    method: Literal["romano_wolf", "holm"]
    p_adjusted_all: float | None = None


@dataclass(frozen=True, slots=True)
class Primary:
    """The headline's outcome beside secondary ones.

    `declared` is the date that the spec gives, or empty; `p_adjusted_all` what its p-value would be had it not been declared:
    adjusted over all `tests` that were made, by `method`.
    """

    declared: str
    p_adjusted_all: float | None
    tests: int
    method: Literal["romano_wolf", "holm"]


@dataclass(frozen=True, slots=True)
class Result:
    """Everything the report shows."""

    title: Text
    question: Text
    languages: tuple[str, ...]
    design: Design
    headline: Estimate
    estimates: tuple[Estimate, ...]
    cycle: Cycle
    checks: tuple[CheckResult, ...]
    verdict: Verdict
    provenance: Provenance
    disclosure: Disclosure
    flow: tuple[FlowStep, ...] = ()
    failures: tuple[Failure, ...] = ()
    commissioned_by: Text = field(default_factory=dict)
    funding: Text = field(default_factory=dict)
    economics: dict[str, Value] | None = None
    claims: tuple[dict[str, Value], ...] = ()
    population: Population | None = None
    published: tuple[Published, ...] = ()
    secondary: tuple[Secondary, ...] = ()
    primary: Primary | None = None


def to_json(result: Result) -> str:
    """The Result as JSON text: keys in the order of the fields, numbers as numbers, missing as null."""
    from pydantic import TypeAdapter

    return TypeAdapter(Result).dump_json(result, indent=1).decode() + "\n"


def from_json(text: str | bytes) -> Result:
    """Read back what `to_json` wrote; raises pydantic's ValidationError when the text is not a Result."""
    from pydantic import TypeAdapter

    return TypeAdapter(Result).validate_json(text)


def number(value: float | None) -> float | None:
    """A plain float, or None for a missing, infinite or undefined one (JSON has no NaN)."""
    if value is None:
        return None
    plain = float(value)
    return plain if math.isfinite(plain) else None


def numbers(values: Sequence[float]) -> list[Value]:
    """A list of plain floats with None for what is missing."""
    return [number(value) for value in values]


def named(names: Sequence[str], values: Sequence[float], threshold: float = 0.0) -> dict[str, float]:
    """{name: weight} for the weights whose size is above `threshold`, in the order given."""
    return {name: float(value) for name, value in zip(names, values, strict=True) if abs(value) > threshold}


def texts(value: str | Mapping[str, str], languages: Sequence[str]) -> Text:
    """A text in every language: one string serves them all."""
    if isinstance(value, str):
        return dict.fromkeys(languages, value)
    return dict(value)


def one_standard_error(estimate: Estimate) -> float | None:
    """The standard error, or where a method gives none, half its interval over 1.96; None without either."""
    if estimate.std_error is not None:
        return estimate.std_error
    if estimate.lower is None or estimate.upper is None:
        return None
    return (estimate.upper - estimate.lower) / (2.0 * 1.96)
