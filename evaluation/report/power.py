"""How large an effect must be to be found, in words: from `details["power"]` of the headline, before and beside the answer."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import facts, sentences
from evaluation.report.persons import published_range
from evaluation.report.words import Words
from evaluation.result import Result

FEW_OF_PERSONS = 0.005
"""A share of the uncertainty below this is hardly any: it would be written 0 %."""


@dataclass(frozen=True, slots=True)
class Power:
    """The power of the headline's test: the smallest effect found 8 times in 10, and the chance of finding others."""

    smallest: float
    effects: tuple[float, ...]
    chances: tuple[float, ...]
    by_ranks: bool
    share_persons: float | None
    share_within: tuple[float, float] | None
    rest: float | None

    def at(self, effect: float) -> float:
        """The chance at the step of the curve that is nearest to this effect."""
        place = min(range(len(self.effects)), key=lambda index: abs(self.effects[index] - effect))
        return self.chances[place]


def power(result: Result) -> Power | None:
    """The power of the headline's test; None where nothing may be promised, or no effect of any size can be found."""
    found = result.headline.details.get("power")
    smallest = result.verdict.detectable
    if not isinstance(found, dict) or smallest is None or not smallest > 0.0:
        return None
    curve = found.get("curve")
    if not isinstance(curve, dict):
        return None
    effects = [value for value in facts.numbers(curve.get("effects")) if value is not None]
    chances = [value for value in facts.numbers(curve.get("power")) if value is not None]
    if len(effects) < 3 or len(effects) != len(chances):
        return None
    return Power(
        smallest,
        tuple(effects),
        tuple(chances),
        found.get("test") == "rank",
        facts.number(found.get("share_persons")),
        within(facts.number(found.get("share_persons_low")), facts.number(found.get("share_persons_high"))),
        facts.number(found.get("mde_infinite_persons")),
    )


def within(low: float | None, high: float | None) -> tuple[float, float] | None:
    """A range, where both ends are known."""
    return None if low is None or high is None else (low, high)


def share_within(share: float, known: tuple[float, float] | None, words: Words) -> str:
    """A share, and in brackets between which values it lies where that is known."""
    if known is None:
        return words("power.share", share=words.share(share))
    low, high = (words.share(each) for each in known)
    return words("power.share_within", share=words.share(share), low=low, high=high)


def before_sentence(result: Result, words: Words) -> str | None:
    """What stands above the estimate: the smallest effect that this comparison could be expected to show."""
    if not result.verdict.detectable:
        return None
    return words("power.before", detectable=sentences.amount(result.verdict.detectable, result, words))


def power_sentences(result: Result, words: Words) -> list[str]:
    """The smallest effect, how much of it persons are to blame for, and whether what others have published is larger."""
    found = power(result)
    if found is None:
        return []
    smallest = sentences.amount(found.smallest, result, words)
    said = [words("power.found", mde=smallest, half=words.share(found.at(found.smallest / 2)))]
    units = words.listed(result.design.treated)
    if found.share_persons is not None and found.rest is not None:
        rest = sentences.amount(found.rest, result, words)
        share = share_within(found.share_persons, found.share_within, words)
        key = "persons" if found.share_persons >= FEW_OF_PERSONS else "persons_none"
        said.append(words(f"power.{key}", units=units, share=share, rest=rest))
    for one in result.published:
        if words.text(one.unit) != words.text(result.design.outcome_unit):
            continue
        low, high = sorted((abs(one.low), abs(one.high)))
        low = 0.0 if one.low * one.high < 0.0 else low
        key = "above" if low >= found.smallest else "between" if high >= found.smallest else "below"
        said.append(words(f"power.{key}", range=published_range(one, words), label=words.text(one.label)))
    return said
