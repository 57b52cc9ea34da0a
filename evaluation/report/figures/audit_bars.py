"""Checks that are bars: the errors of a common shock, what the common factors explain, and where the persons went."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evaluation.report import facts
from evaluation.report.audit_tables import blocks
from evaluation.report.figures.audit_base import audit_figure, column, label_middle
from evaluation.report.figures.bars import Bar, draw_bars
from evaluation.report.figures.base import (
    Frame,
    Palette,
    Row,
    Scale,
    Spec,
    at,
    field,
    finish,
    marks,
    number_axis,
    quantity,
    round_step,
    scale,
    text_marks,
)
from evaluation.report.words import Words
from evaluation.result import CheckResult, Result

MOST_BARS = 12


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts in bins of equal width from `first`, and the place that is marked."""

    first: float
    width: float
    counts: tuple[int, ...]
    mark: float
    mark_text: str


def draw_histogram(found: Histogram, words: Words, palette: Palette, width: int) -> Spec:
    """Bars from zero with no gap, the mean marked above them, and a line where nothing would be found."""
    ends = [found.first, found.first + found.width * len(found.counts), found.mark]
    axis = scale(ends, 4, zero=True, pad=0.03)
    frame = Frame(width, 16, 16, 26, 28, 130)
    x = quantity("x", axis, number_axis(axis, palette, "bottom", grid=False))
    y = quantity("y", Scale(0, max(found.counts) * 1.05, (), 0), None)
    rows: list[Row] = [
        {"x": found.first + place * found.width, "x2": found.first + (place + 1) * found.width, "y": count, "zero": 0}
        for place, count in enumerate(found.counts)
        if count
    ]
    bars = marks(rows, "rect", fill=palette.quiet, stroke=palette.paper, strokeWidth=1, aria=False)
    zero = marks([{"x": 0.0}], "rule", color=palette.ink, strokeWidth=1, strokeDash=[4, 3], aria=False)
    rule = marks([{"x": found.mark}], "rule", color=palette.main, strokeWidth=2, aria=False)
    middle = label_middle(axis.place(found.mark, frame.inner), found.mark_text, frame)
    label: list[Row] = [{"text": found.mark_text}]
    return finish(
        [
            bars.encode(x=x, x2=field("x2"), y=y, y2=field("zero")),
            zero.encode(x=x, y=at(0), y2=at(frame.height)),
            rule.encode(x=x, y=at(-6), y2=at(frame.height)),
            text_marks(label, middle, -9, palette.main, align="center", baseline="bottom", fontWeight=700),
        ],
        frame,
    )


def _bars(found: list[Bar], words: Words, palette: Palette, width: int) -> Spec:
    return draw_bars(found, words, palette, width)


def _common_shock(check: CheckResult, result: Result, words: Words) -> Histogram | None:
    draws = [value for value in column(check, "draws") if value is not None]
    if len(draws) < 2 or min(draws) == max(draws):
        return None
    low, high = min(draws), max(draws)
    width = round_step((high - low) / 24)
    first = math.floor(low / width) * width
    counts = [0] * (math.floor((high - first) / width) + 1)
    for value in draws:
        counts[math.floor((value - first) / width)] += 1
    mean = facts.number(check.facts.get("mean"))
    mark = sum(draws) / len(draws) if mean is None else mean
    text = words("audit.mean", value=words.telling(mark, result.design.decimals))
    return Histogram(first, width, tuple(counts), mark, text)


def _shares(check: CheckResult, result: Result, words: Words) -> list[Bar] | None:
    """What each common factor explains of what two-way effects leave; those above noise darker."""
    rank = facts.number(check.facts.get("rank")) or 0
    return [
        Bar(words("audit.factor", number=words.number(place + 1)), share, words.share(share), place < rank)
        for place, share in enumerate(column(check, "shares"))
        if share is not None
    ][:MOST_BARS] or None


def _exits(check: CheckResult, result: Result, words: Words) -> list[Bar] | None:
    """The share of persons in each state in the last period told: the treated darker, the others beneath."""
    columns = next((block.columns for block in blocks(check) if "counts" in block.columns), None)
    if columns is None:
        return None
    people = result.population
    whole = {"treated": people.treated, "controls": people.controls} if people is not None else {}
    last: dict[tuple[str, str], float] = {}
    for state, side, value in zip(columns["states"], columns["sides"], columns["counts"], strict=True):
        number = facts.number(value)
        if number is not None:
            share = (
                number if number <= 1 and not isinstance(value, int) else number / (whole.get(str(side)) or math.inf)
            )
            last[str(state), str(side)] = share
    order = [str(state) for state in columns["states"]]
    bars = [
        Bar(
            words("audit.exit", state=_state(state, words), side=words(f"side.{side}")), share, words.share(share),
            side == "treated",
        )
        for (state, side), share in sorted(last.items(), key=lambda one: (order.index(one[0][0]), one[0][1] != "treated"))
        if share > 0
    ]  # fmt: skip
    return bars or None


def _state(code: str, words: Words) -> str:
    return words(key) if (key := f"state.{code}") in words else code.replace("_", " ")


def _rows(found: list[Bar], result: Result, words: Words) -> str:
    return " ".join(words("figure.flow.description_row", name=bar.name, count=bar.written) for bar in found)


COMMON_SHOCK = audit_figure("common_shock", _common_shock, draw_histogram)
SHARES = audit_figure("factor_sufficiency", _shares, _bars, _rows, part="shares")
COMPOSITION = audit_figure("composition", _exits, _bars, _rows)
