"""Checks that are a row per estimate: the ladder, pretended starts, what cannot be moved, rings, reforms, factors, phases."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from evaluation.report import facts
from evaluation.report.audit_sentences import labels_of
from evaluation.report.cycle import rung_name
from evaluation.report.figures.audit_base import audit_figure, column, lines_of
from evaluation.report.figures.base import Figure, Palette, Spec
from evaluation.report.figures.forest import described
from evaluation.report.figures.rows import Line, draw_rows
from evaluation.report.words import Words, capital
from evaluation.result import CheckResult, LadderRung, Result


def _draw(found: list[Line], words: Words, palette: Palette, width: int) -> Spec:
    return draw_rows(found, words, palette, width)


def _ladder(check: CheckResult, result: Result, words: Words) -> list[Line] | None:
    """The answer under each adjustment; two rungs of one adjustment are told apart by their variant."""
    adjusts = facts.texts(check.series.get("adjusts"))
    variants = (*facts.texts(check.series.get("variants")), *("",) * len(adjusts))
    names = tuple(_rung(name, variant, words) for name, variant in zip(adjusts, variants, strict=False))
    lines = lines_of(names, check, result, words, lambda place: adjusts[place] == result.cycle.adjust)
    statuses = dict(zip(names, facts.texts(check.series.get("statuses")), strict=False))
    return lines and [replace(line, quiet=statuses.get(line.name) == "comparison") for line in lines]


def _rung(adjust: str, variant: str, words: Words) -> str:
    return capital(rung_name(LadderRung(adjust, None, None, None, None, None, variant), words))


def _in_time(check: CheckResult, result: Result, words: Words) -> list[Line] | None:
    starts = tuple(capital(words.period(start)) for start in facts.texts(check.series.get("starts")))
    return lines_of(starts, check, result, words)


def _negative(check: CheckResult, result: Result, words: Words) -> list[Line] | None:
    """In placebo standard deviations, since each has a unit of its own; the intervals are rescaled with them."""
    names = labels_of(check, words)
    size = len(names)
    effects, lowers, uppers, scaled = (
        column(check, name, size) for name in ("effects", "lowers", "uppers", "standardised")
    )
    lines = []
    for name, effect, lower, upper, standard in zip(names, effects, lowers, uppers, scaled, strict=True):
        if effect is None or standard is None:
            continue
        factor = abs(standard / effect) if effect else None
        standard = math.copysign(standard, effect)
        low, high = (None if end is None or factor is None else end * factor for end in (lower, upper))
        lines.append(Line(capital(name), standard, low, high, words.number(standard, 1)))
    return lines or None


def _rings(check: CheckResult, result: Result, words: Words) -> list[Line] | None:
    names = tuple(capital(_ring(name, words)) for name in facts.texts(check.series.get("labels")))
    return lines_of(names, check, result, words, lambda place: place == 0)


def _ring(code: str, words: Words) -> str:
    return words(key) if (key := f"audit.ring.{code}") in words else code.replace("_", " ")


def _policies(check: CheckResult, result: Result, words: Words) -> list[Line] | None:
    """Without any reform first, then with each."""
    lines = lines_of(tuple(capital(name) for name in labels_of(check, words)), check, result, words)
    full = facts.number(check.facts.get("full"))
    if lines is None or full is None:
        return lines
    headline, written = result.headline, words.number(full, result.design.decimals)
    return [Line(capital(words("audit.policy_none")), full, headline.lower, headline.upper, written, True), *lines]


def _factors(check: CheckResult, result: Result, words: Words) -> list[Line] | None:
    ranks = column(check, "ranks")
    names = tuple(
        capital(words("audit.factors." + {0: "0", 1: "1"}.get(int(rank or 0), "more"), count=words.number(rank)))
        for rank in ranks
    )
    return lines_of(names, check, result, words, lambda place: ranks[place] == 0)


def _phases(check: CheckResult, result: Result, words: Words) -> list[Line] | None:
    return lines_of(facts.texts(check.series.get("phases")), check, result, words)


def _negative_rows(found: list[Line], result: Result, words: Words) -> str:
    return " ".join(words("figure.forest.description_row_plain", name=one.name, effect=one.written) for one in found)


def _made(name: str, values: Any, rows: Any = described) -> Figure:
    return audit_figure(name, values, _draw, rows)


LADDER = _made("ladder", _ladder)
IN_TIME = _made("in_time_placebos", _in_time)
NEGATIVE = _made("negative_controls", _negative, _negative_rows)
FACTORS = _made("factor_sufficiency", _factors)
RINGS = _made("spillover_rings", _rings)
POLICIES = _made("policy_shocks", _policies)
PHASES = _made("cycle_state", _phases)
