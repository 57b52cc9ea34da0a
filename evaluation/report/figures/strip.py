"""A strip of dots on one line, piled up where they meet: the shape of the rank strip and of leave-one-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.report.figures.base import (
    LETTER,
    Frame,
    Layer,
    Palette,
    Row,
    Scale,
    Spec,
    at,
    finish,
    marks,
    nominal,
    number_axis,
    quantity,
    scale,
    text_marks,
)
from evaluation.report.words import Words

STEP = 9.0
"""Pixels from one dot of a pile to the next."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Dots with names, the value that is marked, and the dots that carry their name."""

    names: tuple[str, ...]
    places: tuple[float, ...]
    lighter: tuple[bool, ...]
    described: tuple[str, ...]
    mark: float
    mark_text: str
    mark_is_dot: bool
    named: tuple[int, ...] = ()


def draw_strip(found: Strip, words: Words, palette: Palette, width: int) -> Spec:
    """The piles, the marked value above them, names of the named dots below the axis."""
    axis = scale((*found.places, found.mark), 4 if width < 500 else 6, zero=found.mark_is_dot)
    frame = Frame(width, 20, 20, 28, 28 + (36 if found.named else 0), 0)
    piles = _piles([axis.place(place, frame.inner) for place in found.places])
    tallest = max(piles, default=0) + 1
    step = min(STEP, 150.0 / tallest)
    frame = Frame(width, 20, 20, 28, frame.bottom, max(56, round(tallest * step) + 14))
    x = quantity("x", axis, number_axis(axis, palette, "bottom", grid=False))
    y = quantity("y", Scale(0, frame.height, (), 0), None)
    rows: list[Row] = [
        {"x": place, "y": 7 + pile * step, "told": told, "lighter": lighter, "named": index in found.named}
        for index, (place, pile, told, lighter) in enumerate(
            zip(found.places, piles, found.described, found.lighter, strict=True)
        )
    ]
    layers = []
    if axis.low < 0 < axis.high:
        zero = marks([{"x": 0.0}], "rule", color=palette.ink, strokeWidth=1, aria=False)
        layers.append(zero.encode(x=x))
    for lighter, named, fill, stroke in (
        (True, False, palette.paper, palette.quiet),
        (False, False, palette.quiet, palette.quiet),
        (False, True, palette.accent, palette.accent),
    ):
        part = [row for row in rows if row["named"] == named and (named or row["lighter"] == lighter)]
        if part:
            size = min(44.0, (step * 0.8) ** 2)
            dots = marks(part, "circle", fill=fill, stroke=stroke, strokeWidth=1.2, size=size, opacity=1, aria=False)
            layers.append(dots.encode(x=x, y=y))
    layers += _marked(found, axis, frame, palette, x, y)
    if found.named:
        layers += _names(found, axis, frame, palette)
    return finish(layers, frame)


def _marked(
    found: Strip, axis: Scale, frame: Frame, palette: Palette, x: dict[str, Any], y: dict[str, Any]
) -> list[Layer]:
    """The value that matters: a line up to its label, and a large dot where it is one of them."""
    rule = marks([{"x": found.mark}], "rule", color=palette.main, strokeWidth=2, aria=False)
    layers = [rule.encode(x=x, y=at(-8), y2=at(frame.height))]
    if found.mark_is_dot:
        own: list[Row] = [{"x": found.mark, "y": 7.0, "told": found.mark_text}]
        dot = marks(own, "circle", fill=palette.main, stroke=palette.paper, strokeWidth=1.5, size=170, opacity=1)
        layers.append(dot.encode(x=x, y=y, description=nominal("told")))
    place = _inside(axis.place(found.mark, frame.inner), len(found.mark_text) * LETTER * 1.13, frame)
    label: list[Row] = [{"text": found.mark_text}]
    look = {"align": "center", "baseline": "bottom", "fontWeight": 700}
    return [*layers, text_marks(label, place, -11, palette.main, **look)]


def _names(found: Strip, axis: Scale, frame: Frame, palette: Palette) -> list[Layer]:
    """The named dots' names under the axis; one that would meet the one before goes a line down."""
    layers: list[Layer] = []
    taken = -1e9
    for index in found.named:
        width = len(found.names[index]) * LETTER
        place = _inside(axis.place(found.places[index], frame.inner), width, frame)
        line = 1 if place - width / 2 < taken + 8 else 0
        taken = place + width / 2
        y = frame.height + 36 + 16 * line
        layers.append(text_marks([{"text": found.names[index]}], place, y, palette.accent_ink, align="center"))
    return layers


def _inside(place: float, width: float, frame: Frame) -> float:
    """The middle of a text of this width, moved so that no end leaves the figure."""
    return min(max(place, width / 2 + 2 - frame.left), frame.inner + frame.right - width / 2 - 2)


def _piles(pixels: Sequence[float]) -> list[int]:
    """How high each dot lies so that no two meet, lowest first, in order of place."""
    order = sorted(range(len(pixels)), key=lambda index: pixels[index])
    heights = [0] * len(pixels)
    ends: list[float] = []
    for index in order:
        row = next((height for height, end in enumerate(ends) if pixels[index] - end >= STEP), len(ends))
        if row == len(ends):
            ends.append(pixels[index])
        ends[row] = pixels[index]
        heights[index] = row
    return heights
