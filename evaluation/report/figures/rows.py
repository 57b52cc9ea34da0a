"""Rows of estimates with intervals and their numbers at the right: the shape of the forest, the ladder and the placebos in time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.report.figures.base import (
    LETTER,
    LINE,
    NARROW,
    Frame,
    Layer,
    Palette,
    Row,
    Scale,
    Spec,
    at,
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
from evaluation.report.words import Words

ROW = 34
STACKED = 46
"""Heights of a row: with its name beside it, and (on phones) above it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row: a name, an estimate with its interval, the number as it is written, and whether it is the headline.

    A `quiet` row is drawn hollow and dashed: it is shown, but not to be believed.
    """

    name: str
    effect: float
    lower: float | None
    upper: float | None
    written: str
    bold: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A range behind the rows that is not ours, and what stands above it."""

    low: float
    high: float
    label: str


def draw_rows(lines: Sequence[Line], words: Words, palette: Palette, width: int, bands: Sequence[Band] = ()) -> Spec:
    """Names, intervals around zero, numbers at the right; bands lie behind them, their labels above the first row."""
    stacked = width <= NARROW
    numbers = [number for line in lines for number in (line.effect, line.lower, line.upper)]
    axis = scale([*numbers, *(end for band in bands for end in (band.low, band.high))], 4, zero=True)
    right = margin((line.written for line in lines), 40, bold=True)
    left = _first_label(axis, words, width) if stacked else min(margin((line.name for line in lines), bold=True), 236)
    # stacked names stand on the line of the numbers, so the plot may use the numbers' margin too
    room = width - right - 16 if stacked else left - 8
    tallest = max(len(broken(line.name, room)) for line in lines)
    height = STACKED + LINE * (tallest - 1) if stacked else max(ROW, LINE * tallest + 4)
    above = 8 + len(bands) * (LINE + 2)
    frame = Frame(width, left, 16 if stacked else right, above, 28, height * len(lines))
    # where in a row the interval, the last line of the name and the piece of the zero line are, from its top
    middle, named = ((height - 15) / height, (height - 35) / height) if stacked else (0.5, 0.5)
    top, bottom = ((height - 25) / height, (height - 5) / height) if stacked else (0.0, 1.0)
    below = Scale(0, len(lines), (), 0)
    # no line may run through the texts of a stacked row: there the zero line is drawn row by row
    x = quantity("x", axis, number_axis(axis, palette, "bottom", grid=not stacked))
    y = quantity("y", below, None, high_first=True)
    rows: list[Row] = [
        {
            "x": line.effect, "low": line.lower, "high": line.upper, "y": index + middle, "name_y": index + named, "name": line.name,
            "written": line.written, "told": f"{line.name}: {line.written}",
            "bold": line.bold, "quiet": line.quiet,
        }
        for index, line in enumerate(lines)
    ]  # fmt: skip
    zeros: list[Row] = [{"x": 0.0, "y": index + top, "y2": index + bottom} for index in range(len(lines))]
    zero = marks(zeros, "rule", color=palette.ink, strokeWidth=1, aria=False)
    layers = [*_behind(bands, axis, frame, palette, x, edged=not stacked), zero.encode(x=x, y=y, y2=field("y2"))]
    for bold, quiet in ((False, True), (False, False), (True, False)):
        part = [row for row in rows if row["bold"] == bold and row["quiet"] == quiet]
        if not part:
            continue
        color = palette.main if bold else palette.quiet if quiet else palette.muted
        bars = [row for row in part if row["low"] is not None and row["high"] is not None]
        if bars:
            dashes = {"strokeDash": [4, 3]} if quiet else {}
            mark = marks(bars, "rule", color=color, strokeWidth=3.5 if bold else 2, aria=False, **dashes)
            layers.append(mark.encode(x=x | {"field": "low"}, x2=field("high"), y=y))
        shape = {"size": 130, "shape": "diamond"} if bold else {"size": 80, "shape": "circle"}
        paint = {"fill": palette.paper, "stroke": color} if quiet else {"fill": color, "stroke": palette.paper}
        dots = marks(part, "point", filled=True, strokeWidth=1.5, opacity=1, **paint, **shape)
        layers.append(dots.encode(x=x, y=y, description=nominal("told")))
        look = {"fontWeight": 700 if bold else 400}
        edge = frame.inner + frame.right - 4
        written: list[Row] = [{"y": row["name_y"], "text": row["written"]} for row in part]
        ink = palette.muted if quiet else palette.ink
        layers.append(text_marks(written, edge, y, palette.main if bold else ink, align="right", **look))
        names = [(row["name_y"], broken(row["name"], room)) for row in part]
        layers += name_marks(names, 8 - frame.left, y, ink, stacked, look)
    return finish(layers, frame)


def _first_label(axis: Scale, words: Words, width: int) -> int:
    """The left margin of a plot without names beside it: enough for the half of the first number that reaches out of the axis."""
    if not axis.ticks:
        return 8
    half = LETTER * len(words.number(axis.ticks[0], axis.decimals)) / 2
    return max(8, math.ceil(half + 2 - axis.place(axis.ticks[0], width - 24)))


def _behind(
    bands: Sequence[Band], axis: Scale, frame: Frame, palette: Palette, x: dict[str, Any], edged: bool
) -> list[Layer]:
    """Each band from its label down through every row: grey, with an edge where no name stands across it."""
    layers: list[Layer] = []
    for place, band in enumerate(bands):
        top = -2 - (len(bands) - 1 - place) * (LINE + 2)
        ends: list[Row] = [{"x": band.low, "x2": band.high}]
        edge = {"stroke": palette.quiet, "strokeWidth": 1} if edged else {}
        grey = marks(ends, "rect", fill=palette.rule, aria=False, **edge)
        layers.append(grey.encode(x=x, x2=field("x2"), y=at(top), y2=at(frame.height)))
        half = len(band.label) * LETTER / 2
        middle = axis.place((band.low + band.high) / 2, frame.inner)
        middle = min(max(middle, half + 2 - frame.left), frame.inner + frame.right - half - 2)
        look = {"align": "center", "baseline": "bottom"}
        layers.append(text_marks([{"text": band.label}], middle, top - 2, palette.muted, **look))
    return layers
