"""The observed change, part by part: each bar begins where the one above it ends, the last is their sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from evaluation.report import facts
from evaluation.report.figures.base import (
    LINE,
    NARROW,
    Figure,
    FigureText,
    Frame,
    Layer,
    Palette,
    Row,
    Scale,
    Spec,
    broken,
    field,
    finish,
    margin,
    marks,
    name_marks,
    nominal,
    number_axis,
    quantity,
    scale,
    text_marks,
)
from evaluation.report.sentences import level
from evaluation.report.tables import Table, table
from evaluation.report.words import MINUS, Words
from evaluation.result import Result

ROW, STACKED, BAR = 34, 46, 16
"""Heights of a row with its name beside it, of one with its name above it (on phones), and of the bar."""

Kind = Literal["part", "programme", "total"]


@dataclass(frozen=True, slots=True)
class Step:
    """One bar from `start` to `end` on the axis, with its name and its amount as it is written."""

    name: str
    start: float
    end: float
    written: str
    kind: Kind


def values(result: Result, words: Words) -> list[Step] | None:
    """The parts in their order, the programme last, then their sum; nothing without parts."""
    if len(result.cycle.waterfall) < 3:
        return None
    whole, *parts = result.cycle.waterfall
    decimals, steps, running = result.design.decimals, list[Step](), 0.0
    for part in parts:
        kind: Kind = "programme" if part.name == "programme" else "part"
        written = signed(part.amount, decimals, words)
        steps.append(Step(part_name(part.name, words), running, running + part.amount, written, kind))
        running += part.amount
    written = signed(whole.amount, decimals, words)
    steps.append(Step(part_name(whole.name, words), 0.0, whole.amount, written, "total"))
    return steps


def part_name(code: str, words: Words) -> str:
    """What a part of the change is called."""
    return words(f"waterfall.{code}")


def signed(value: float, decimals: int, words: Words) -> str:
    """A number with its sign, so that a bar's direction can be read from its number too."""
    text = words.number(value, decimals)
    return text if text.startswith(MINUS) or not any(digit in "123456789" for digit in text) else f"+{text}"


def draw(steps: Sequence[Step], words: Words, palette: Palette, width: int) -> Spec:
    """Floating bars from the top down, joined by thin lines at the running total."""
    stacked = width <= NARROW
    axis = scale([end for step in steps for end in (step.start, step.end)], 4, zero=True)
    right = margin((step.written for step in steps), 40, bold=True)
    left = 8 if stacked else min(margin((step.name for step in steps), bold=True), 250)
    room = width - right - 16 if stacked else left - 8
    tallest = max(len(broken(step.name, room)) for step in steps)
    height = STACKED + LINE * (tallest - 1) if stacked else max(ROW, LINE * tallest + 4)
    frame = Frame(width, left, 16 if stacked else right, 8, 28, height * len(steps))
    # where in a row the bar begins and ends, and where the last line of its name is
    top = (height - BAR - 4) / height if stacked else 0.5 - BAR / 2 / height
    bottom, named = top + BAR / height, (top - 11 / height if stacked else 0.5)
    x = quantity("x", axis, number_axis(axis, palette, "bottom", grid=not stacked))
    y = quantity("y", Scale(0, len(steps), (), 0), None, high_first=True)
    # on a phone the names stand between the bars, and no line may run through them
    zeros: list[Row] = [
        {"x": 0.0, "y": index + (top - 2 / height if stacked else 0.0), "y2": index + (bottom + 2 / height if stacked else 1.0)}
        for index in range(len(steps))
    ]  # fmt: skip
    layers = [marks(zeros, "rule", color=palette.ink, strokeWidth=1, aria=False).encode(x=x, y=y, y2=field("y2"))]
    if not stacked:
        layers.append(_joints(steps, top, bottom, palette).encode(x=x, y=y, y2=field("y2")))
    paints: dict[Kind, str] = {"part": palette.quiet, "total": palette.ink, "programme": palette.main}
    for kind, paint in paints.items():
        chosen = [(index, step) for index, step in enumerate(steps) if step.kind == kind]
        if not chosen:
            continue
        bars: list[Row] = [
            {"x": step.start, "x2": step.end, "y": i + top, "y2": i + bottom, "told": f"{step.name}: {step.written}"}
            for i, step in chosen
        ]
        # a bar too small to be seen is still there as its edge
        mark = marks(bars, "rect", fill=paint, stroke=paint, strokeWidth=1.5)
        layers.append(mark.encode(x=x, x2=field("x2"), y=y, y2=field("y2"), description=nominal("told")))
        look = {"fontWeight": 400 if kind == "part" else 700}
        color = palette.main if kind == "programme" else palette.ink
        written: list[Row] = [{"y": i + named, "text": step.written} for i, step in chosen]
        layers.append(text_marks(written, frame.inner + frame.right - 4, y, color, align="right", **look))
        names = [(i + named, broken(step.name, room)) for i, step in chosen]
        layers += name_marks(names, 8 - frame.left, y, color, stacked, look)
    return finish(layers, frame)


def _joints(steps: Sequence[Step], top: float, bottom: float, palette: Palette) -> Layer:
    """A thin line from the end of each bar down to the next one, which begins (or, for the sum, ends) there."""
    rows: list[Row] = [
        {"x": upper.end, "y": index + bottom, "y2": index + 1 + top} for index, (upper, _) in enumerate(pairwise(steps))
    ]
    return marks(rows, "rule", color=palette.muted, strokeWidth=1, aria=False)


def text(steps: Sequence[Step], result: Result, words: Words) -> FigureText:
    """The words around it."""
    slots = {
        "units": words.listed(result.design.treated),
        "before": words.before(result.design.before, each=facts.several_starts(result)),
        "window": words.span(*result.design.window),
        "unit": words.text(result.design.outcome_unit),
    }
    rows = " ".join(words("figure.waterfall.description_row", name=step.name, amount=step.written) for step in steps)
    return FigureText(
        title=words("figure.waterfall.title", units=slots["units"]),
        subtitle=words("figure.waterfall.subtitle", **slots),
        how=words("figure.waterfall.how", level=level(result.headline, words)),
        description=words("figure.waterfall.description", rows=rows),
    )


def table_of(steps: Sequence[Step], result: Result, words: Words) -> Table:
    """Every part with its interval, the sum last."""
    decimals = result.design.decimals
    whole, *parts = result.cycle.waterfall
    head = [words(f"cycle.column.{key}") for key in ("part", "amount", "lower", "upper")]
    rows = [
        (
            part_name(part.name, words),
            signed(part.amount, decimals, words),
            *("" if end is None else words.number(end, decimals) for end in (part.lower, part.upper)),
        )
        for part in (*parts, whole)
    ]
    return table(text(steps, result, words).subtitle, head, rows)


FIGURE = Figure("waterfall", "cycle", values, draw, text, table_of, "cycle_waterfall.csv")
