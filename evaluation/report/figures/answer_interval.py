"""The answer as a picture: the best estimate, its interval, zero, and (where it is known) the effect to be expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evaluation.report import facts, sentences
from evaluation.report.figures.base import (
    LETTER,
    TEXT,
    Figure,
    FigureText,
    Frame,
    Layer,
    Palette,
    Row,
    Scale,
    Spec,
    apart,
    at,
    field,
    finish,
    marks,
    nominal,
    quantity,
    text_marks,
)
from evaluation.report.tables import Table, table
from evaluation.report.words import Words
from evaluation.result import Result


@dataclass(frozen=True, slots=True)
class Values:
    """Numbers in the outcome's unit, and as they are written."""

    effect: float
    lower: float
    upper: float
    written: tuple[str, str, str]
    target: float | None
    target_text: str


def values(result: Result, words: Words) -> Values | None:
    """The headline, if it has an interval that may be asserted."""
    headline, decimals = result.headline, result.design.decimals
    if headline.lower is None or headline.upper is None or not facts.valid(result):
        return None
    group = result.design.target_group
    expected = None if group is None else sum(group.expected) / 2
    told = "" if expected is None else words("label.target", number=words.telling(expected, decimals))
    written = tuple(words.number(value, decimals) for value in (headline.lower, headline.effect, headline.upper))
    return Values(headline.effect, headline.lower, headline.upper, (written[0], written[1], written[2]), expected, told)


def draw(found: Values, words: Words, palette: Palette, width: int) -> Spec:
    """The chart: what the data speak against is shaded at both ends."""
    known = [found.lower, found.upper, 0.0, *([] if found.target is None else [found.target])]
    span = max(known) - min(known)
    axis = Scale(min(known) - 0.22 * span, max(known) + 0.22 * span, (), 0)
    frame = Frame(width, 4, 4, 26 if found.target is not None else 6, 22, 64)
    x = quantity("x", axis, None)
    shaded = [{"x": axis.low, "x2": found.lower}, {"x": found.upper, "x2": axis.high}]
    area = marks(shaded, "rect", fill=palette.rule, opacity=0.55, aria=False)
    layers = [area.encode(x=x, x2=field("x2"), y=at(0), y2=at(frame.height))]
    # the line of zero leaves a gap for the numbers
    for top, bottom in ((0, 37), (frame.height - 5, frame.height)):
        zero = marks([{"x": 0.0}], "rule", color=palette.ink, strokeWidth=1, aria=False)
        layers.append(zero.encode(x=x, y=at(top), y2=at(bottom)))
    middle = at(24)
    bar = marks([{"x": found.lower, "x2": found.upper}], "rule", color=palette.main, strokeWidth=5, aria=False)
    layers.append(bar.encode(x=x, x2=field("x2"), y=middle))
    rows = [{"x": found.effect, "told": f"{words('label.best')} {found.written[1]}"}]
    dot = marks(rows, "circle", fill=palette.main, stroke=palette.paper, strokeWidth=2, size=260, opacity=1)
    layers.append(dot.encode(x=x, y=middle, description=nominal("told")))
    if found.target is not None:
        layers += _target(found, axis, frame, palette, x)
    layers += _numbers(found, axis, frame, words, palette)
    return finish(layers, frame)


def _numbers(found: Values, axis: Scale, frame: Frame, words: Words, palette: Palette) -> list[Layer]:
    """The three numbers under the line, and zero under the plot, none of them touching another."""
    ends = [axis.place(value, frame.inner) for value in (found.lower, found.effect, found.upper)]
    places = apart(ends, max(len(text) for text in found.written) * LETTER + 8)
    label = words("label.zero")
    half = len(label) * LETTER / 2
    zero = min(max(axis.place(0.0, frame.inner), half - frame.left), frame.inner + frame.right - half)
    lower, effect, upper = found.written
    return [
        text_marks([{"text": lower}], places[0], 49, palette.ink, align="center"),
        text_marks([{"text": upper}], places[2], 49, palette.ink, align="center"),
        text_marks([{"text": effect}], places[1], 49, palette.main, align="center", fontWeight=700, fontSize=TEXT + 2),
        text_marks([{"text": label}], zero, frame.height + 6, palette.muted, align="center", baseline="top"),
    ]


def _target(found: Values, axis: Scale, frame: Frame, palette: Palette, x: dict[str, Any]) -> list[Layer]:
    """The effect to be expected on the outcome: a triangle above the plot that points at its place."""
    place, wide = axis.place(found.target or 0.0, frame.inner), len(found.target_text) * LETTER
    beyond = place + 10 + wide > frame.inner + frame.right
    side = {"align": "right", "dx": -10} if beyond else {"align": "left", "dx": 10}
    look = {"shape": "triangle-down", "filled": True, "fill": palette.accent, "size": 90, "opacity": 1, "aria": False}
    point = marks([{"x": found.target}], "point", **look)
    label: list[Row] = [{"x": found.target, "text": found.target_text}]
    return [
        point.encode(x=x, y=at(-7)),
        text_marks(label, x, -12, palette.accent_ink, fontWeight=600, **side),
    ]


def text(found: Values, result: Result, words: Words) -> FigureText:
    """The words around it."""
    headline, design = result.headline, result.design
    slots = {
        "effect": sentences.amount(headline.effect, result, words),
        "level": sentences.level(headline, words),
        "interval": sentences.interval(headline, result, words),
        "expected": "" if found.target is None else words.telling(found.target, design.decimals),
    }
    key = "description" if found.target is None else "description_target"
    return FigureText(
        title=words("figure.answer_interval.title"),
        subtitle=words(
            "figure.answer_interval.subtitle",
            outcome=words.text(design.outcome_label),
            unit=words.text(design.outcome_unit),
        ),
        how=words("figure.answer_interval.how", level=slots["level"]),
        description=words(f"figure.answer_interval.{key}", **slots),
    )


def table_of(found: Values, result: Result, words: Words) -> Table:
    """Three numbers, and the one to be expected."""
    head = (words("table.quantity"), words("table.value"))
    lower, effect, upper = found.written
    rows = [(words("table.lower"), lower), (words("table.effect"), effect), (words("table.upper"), upper)]
    if found.target is not None:
        rows.append((found.target_text, words.telling(found.target, result.design.decimals)))
    return table(text(found, result, words).subtitle, head, rows)


FIGURE = Figure("answer_interval", "answer", values, draw, text, table_of, "estimates.csv")
