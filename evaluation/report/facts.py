"""What the sentences and figures read off a Result: derived, never estimated, and free of words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evaluation.result import CheckResult, Estimate, Note, Result, Value
from evaluation.verdict import INVALID_NOTES

Frequency = Literal["year", "quarter", "month"]
Agreement = Literal["one", "same", "same_way", "inside", "outside", "disagree", "way", "sides"]

SCALED = frozenset({"standardized_placebo"})
"""Inferences whose placebo effects are measured against the fit before the start, not in plain outcome units."""

RANKED = frozenset({"placebo", "ferman_pinto", "standardized_placebo"})
"""Inferences that rank the treated among placebos: at most the promised share stands out, by construction."""

DRAWN = 150
MOST_DRAWN = 300
"""More placebos than this are thinned to `DRAWN` on the page; the file holds all."""


@dataclass(frozen=True, slots=True)
class Placebos:
    """The comparison with units that had no programme, as `details["placebo"]` of an estimate holds it.

    `share` is the p-value: by count, or where `weights` say how likely each was to be drawn, by weight; `regions` is how many
    regions count alike then.
    """

    units: tuple[str, ...]
    effects: tuple[float, ...]
    ratios: tuple[float | None, ...]
    rmspe_before: tuple[float | None, ...]
    gaps: tuple[tuple[float | None, ...], ...]
    periods: tuple[str, ...]
    treated_effect: float
    treated_gaps: tuple[float | None, ...]
    treated_rmspe_before: float | None
    treated_ratio: float | None
    rank: int
    count: int
    smallest_p: float | None
    poor: int
    perfect: int
    scaled: bool
    share: float
    weights: tuple[float | None, ...]
    regions: int | None

    @property
    def uneven(self) -> bool:
        """Whether some count for more than others."""
        known = [weight for weight in self.weights if weight is not None]
        return bool(known) and max(known) - min(known) > 1e-9 * max(known)

    @property
    def poorly_fitted(self) -> tuple[bool, ...]:
        """Which of them fit poorly before the start: the `poor` largest gaps before."""
        order = sorted(range(len(self.units)), key=lambda index: -(self.rmspe_before[index] or 0.0))
        poor = set(order[: self.poor])
        return tuple(index in poor for index in range(len(self.units)))


def placebos(estimate: Estimate) -> Placebos | None:
    """The placebo comparison of an estimate, or None where its inference made none."""
    facts = estimate.details.get("placebo")
    if not isinstance(facts, dict) or not facts.get("units"):
        return None
    units = texts(facts.get("units"))
    size = len(units)
    rank, count = int(number(facts.get("rank")) or 1), int(number(facts.get("count")) or size + 1)
    share, blocks = number(facts.get("share")), estimate.details.get("blocks")
    regions = number(blocks.get("regions")) if isinstance(blocks, dict) else None
    rmspe = numbers(facts.get("rmspe_pre"), size)
    return Placebos(
        units=units,
        effects=tuple(value or 0.0 for value in numbers(facts.get("effects"), size)),
        ratios=numbers(facts.get("ratios"), size),
        rmspe_before=rmspe,
        gaps=tuple(numbers(row) for row in values(facts.get("gaps"))),
        periods=texts(facts.get("gap_periods")),
        treated_effect=number(facts.get("treated_effect")) or 0.0,
        treated_gaps=numbers(facts.get("treated_gaps")),
        treated_rmspe_before=number(facts.get("treated_rmspe_pre")),
        treated_ratio=number(facts.get("treated_ratio")),
        rank=rank,
        count=count,
        smallest_p=number(facts.get("smallest_p")),
        poor=int(number(facts.get("poor_fit")) or 0),
        perfect=int(number(facts.get("perfect_fit")) or 0),
        scaled=estimate.inference in SCALED,
        share=rank / count if share is None else share,
        weights=numbers(facts.get("weights"), size) if "weights" in facts else (),
        regions=None if regions is None else int(regions),
    )


def invalid(estimate: Estimate) -> Note | None:
    """The remark that makes an estimate's interval not valid in this design, or None."""
    return next((note for note in estimate.notes if note.code in INVALID_NOTES), None)


def doubtful(result: Result) -> bool:
    """Whether the interval stands but, by the verdict, cannot be fully trusted."""
    return valid(result) and any(reason.code == "inference_not_valid" for reason in result.verdict.reasons)


def valid(result: Result) -> bool:
    """Whether there is an interval of the headline that may be asserted."""
    headline = result.headline
    return headline.lower is not None and headline.upper is not None and invalid(headline) is None


def readable(result: Result) -> Result:
    """The Result with as many decimals as it takes to write the effect and its interval with two significant digits.

    Only where they would round to nothing with those of the spec. An effect far smaller than its interval needs none.
    """
    headline, decimals = result.headline, result.design.decimals
    effect = abs(headline.effect)
    sizes = [effect]
    if headline.lower is not None and headline.upper is not None:
        half = (headline.upper - headline.lower) / 2
        sizes = [half, effect if effect > 0.01 * half else half]
    smallest = min((size for size in sizes if size > 0 and math.isfinite(size)), default=math.inf)
    if smallest >= 0.5 * 10.0**-decimals:
        return result
    needed = min(1 - math.floor(math.log10(smallest)), 12)
    return replace(result, design=replace(result.design, decimals=max(decimals, needed)))


def starts(result: Result) -> tuple[str, ...]:
    """Every start of the programme: one, or those of the units treated at different times."""
    return texts(result.headline.details.get("starts")) or (result.design.start,)


def several_starts(result: Result) -> bool:
    """Whether units started at different times."""
    told = any(one.reason == "several_starts" for one in result.checks)
    return told or len(starts(result)) > 1 or any(not one.period for one in result.headline.path)


def thinned(sizes: Sequence[float]) -> tuple[int, ...]:
    """The places of those that are drawn: all, or where there are very many some, evenly spaced by size."""
    if len(sizes) <= MOST_DRAWN:
        return tuple(range(len(sizes)))
    order = sorted(range(len(sizes)), key=lambda index: (sizes[index], index))
    return tuple(sorted({order[round(place * (len(order) - 1) / (DRAWN - 1))] for place in range(DRAWN)}))


def check(result: Result, name: str) -> CheckResult | None:
    """The check with this id that was run, or None."""
    return next((one for one in result.checks if one.id == name and one.status != "not_run"), None)


def audit(result: Result, name: str) -> CheckResult | None:
    """The auditor's check with this id that was run, or None."""
    return next((one for one in result.cycle.audit if one.id == name and one.status != "not_run"), None)


def frequency(result: Result) -> Frequency:
    """Whether a period is a year, a quarter or a month."""
    label = result.design.start
    return "quarter" if "Q" in label else "month" if "M" in label else "year"


def inside_headline(result: Result, estimate: Estimate) -> bool:
    """Whether another estimate lies inside the interval of the headline."""
    lower, upper = result.headline.lower, result.headline.upper
    return lower is None or upper is None or lower <= estimate.effect <= upper


def agreement(result: Result) -> Agreement:
    """Whether the methods agree, by the verdict's rule: opposite signs within the noise around zero are no disagreement.

    Where they do not disagree: whether they point the same way, and whether all lie inside the headline's interval.
    """
    if not result.estimates:
        return "one"
    if any(reason.code == "methods_disagree" for reason in result.verdict.reasons):
        return "disagree"
    told = valid(result)
    inside = all(inside_headline(result, one) for one in result.estimates)
    signs = {math.copysign(1.0, one.effect) for one in (result.headline, *result.estimates) if one.effect}
    if not told:
        return "sides" if len(signs) > 1 else "way"
    if len(signs) > 1:
        return "inside" if inside else "outside"
    return "same" if inside else "same_way"


def after_start(result: Result) -> int:
    """The index of the first treated period in the headline's path."""
    return next(
        (index for index, one in enumerate(result.headline.path) if one.event_time >= 0), len(result.headline.path)
    )


def number(value: Value) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def values(value: Value) -> list[Value]:
    """A list, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def numbers(value: Value, size: int | None = None) -> tuple[float | None, ...]:
    """Numbers of a list, None where one is missing, padded to `size`."""
    found = tuple(number(one) for one in values(value))
    return found if size is None else (found + (None,) * size)[:size]


def texts(value: Value) -> tuple[str, ...]:
    """The texts of a list."""
    return tuple(str(one) for one in values(value))
