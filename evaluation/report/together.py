"""The periods of the window looked at together: could any of them be chance, and which stand out all the same?"""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import facts
from evaluation.report.words import Words
from evaluation.result import Estimate, PeriodEffect, Result

NAMED = 4
"""More periods than this are counted, not named."""


@dataclass(frozen=True, slots=True)
class Together:
    """The joint test of no effect in any period of the window, and by event time the band that holds them all at once."""

    p_value: float
    periods: tuple[PeriodEffect, ...]
    band: dict[int, tuple[float, float]]
    level: float

    @property
    def clear(self) -> tuple[PeriodEffect, ...]:
        """The periods that stand out when all are looked at together."""
        return tuple(one for one in self.periods if _below(one.p_adjusted, self.level))

    @property
    def alone(self) -> tuple[PeriodEffect, ...]:
        """The periods that would stand out if each were the only one."""
        return tuple(one for one in self.periods if _below(one.p_value, self.level))


def together(estimate: Estimate) -> Together | None:
    """What an estimate's placebos say of all its periods at once; None where they say nothing, or may not be believed."""
    placebo = estimate.details.get("placebo")
    joint = placebo.get("joint") if isinstance(placebo, dict) else None
    if not isinstance(joint, dict) or facts.invalid(estimate) is not None:
        return None
    p_value = facts.number(joint.get("p_value"))
    periods = tuple(one for one in estimate.path if one.p_adjusted is not None)
    if p_value is None or len(periods) < 2:
        return None
    limits = joint.get("band")
    sides = [facts.numbers(limits.get(side)) if isinstance(limits, dict) else () for side in ("lower", "upper")]
    times = [facts.number(time) for time in facts.values(joint.get("event_times"))]
    band = {
        int(time): (low, high)
        for time, low, high in zip(times, *sides, strict=False)
        if time is not None and low is not None and high is not None
    }
    return Together(p_value, periods, band, estimate.level)


def together_sentences(result: Result, words: Words) -> list[str]:
    """The joint test in words, which periods remain, and how many would have stood out one by one."""
    found = together(result.headline)
    if found is None:
        return []
    count, window = words.number(len(found.periods)), words.span(*result.design.window)
    sentences = [words("together.joint", window=window, count=count, share=words.share(found.p_value))]
    names = [words.period(one.period) for one in found.clear if one.period]
    if not found.clear:
        sentences.append(words("together.none"))
    elif len(found.clear) == len(found.periods):
        sentences.append(words("together.all", count=count))
    elif len(names) != len(found.clear) or len(names) > NAMED:
        sentences.append(words("together.count", clear=words.number(len(found.clear)), count=count))
    else:
        sentences.append(words("together.one" if len(names) == 1 else "together.some", periods=words.listed(names)))
    if len(found.alone) > len(found.clear):
        key = "together.alone_one" if len(found.alone) == 1 else "together.alone"
        sentences.append(words(key, alone=words.number(len(found.alone)), count=count))
    return sentences


def _below(p_value: float | None, level: float) -> bool:
    return p_value is not None and p_value <= 1.0 - level + 1e-9
