"""Rows of estimates with intervals and their numbers at the right: the shape of the forest, the ladder and the placebos in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from evaluation.report.figures.base import (
    LETTER,
    NARROW,
    TEXT,
    Frame,
    Palette,
    Row,
    Scale,
    finish,
    margin,
    marks,
    number_axis,
    quantity,
    scale,
)
from evaluation.report.words import Words

ROW = 34
STACKED = 46
"""Heights of a row: with its name beside it, and (on phones) above it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row: a name, an estimate with its interval, the number as it is written, and whether it is the headline."""

    name: str
    effect: float
    lower: float | None
    upper: float | None
    written: str
    bold: bool = False


def draw_rows(lines: Sequence[Line], words: Words, palette: Palette, width: int) -> alt.LayerChart:
    """Names, intervals around zero, numbers at the right."""
    stacked = width <= NARROW
    axis = scale([number for line in lines for number in (line.effect, line.lower, line.upper)], 4, zero=True)
    right = margin((line.written for line in lines), 40)
    left = 8 if stacked else min(margin(line.name for line in lines), 236)
    height = ROW
    if stacked:
        height = STACKED
        # numbers stand on the line of the names, so the plot may use their margin too
        right = 16
    frame = Frame(width, left, right, 8, 28, height * len(lines))
    below = Scale(0, len(lines), (), 0)
    # no line may run through the texts of a stacked row: there the zero line is drawn row by row
    x = quantity("x", axis, number_axis(axis, palette, "bottom", grid=not stacked))
    y = quantity("y", below, None, high_first=True)
    shift = 0.68 if stacked else 0.5
    rows: list[Row] = [
        {
            "x": line.effect, "low": line.lower, "high": line.upper, "y": index + shift, "name": line.name,
            "written": line.written, "told": f"{line.name}: {line.written}", "bold": line.bold,
        }
        for index, line in enumerate(lines)
    ]  # fmt: skip
    zeros: list[Row] = [
        {"x": 0.0, "y": index + (0.46 if stacked else 0), "y2": index + (0.9 if stacked else 1)}
        for index in range(len(lines))
    ]
    zero = marks(zeros, "rule", color=palette.ink, strokeWidth=1, aria=False)
    layers = [zero.encode(x=alt.X(**x), y=alt.Y(**y), y2=alt.Y2(field="y2"))]
    for bold in (False, True):
        part = [row for row in rows if row["bold"] == bold]
        if not part:
            continue
        color = palette.main if bold else palette.muted
        bars = [row for row in part if row["low"] is not None and row["high"] is not None]
        if bars:
            mark = marks(bars, "rule", color=color, strokeWidth=3.5 if bold else 2, aria=False)
            layers.append(mark.encode(x=alt.X(**x | {"field": "low"}), x2=alt.X2(field="high"), y=alt.Y(**y)))
        dots = marks(part, "point",
            filled=True, fill=color, stroke=palette.paper, strokeWidth=1.5, opacity=1,
            size=130 if bold else 80, shape="diamond" if bold else "circle",
        )  # fmt: skip
        layers.append(
            dots.encode(x=alt.X(**x), y=alt.Y(**y), description=alt.Description(field="told", type="nominal"))
        )
        layers += _texts(part, x, y, frame, palette, bold, stacked)
    return finish(layers, frame)


def _texts(
    part: Sequence[Row], x: dict[str, Any], y: dict[str, Any], frame: Frame, palette: Palette, bold: bool, stacked: bool
) -> list[alt.Chart]:
    """The name at the left and the number at the right, beside the row or (on phones) above it."""
    weight = 700 if bold else 400
    room = (frame.width if stacked else frame.left) - 8
    layers = []
    for field, align, place, color in (
        ("name", "left", 8 - frame.left, palette.ink),
        ("written", "right", frame.inner + frame.right - 4, palette.main if bold else palette.ink),
    ):
        for broken in (False, True):
            texts = [
                {"y": float(row["y"]) - (0.44 if stacked else 0.0), "text": text}
                for row in part
                if isinstance(text := _broken(row[field], room if field == "name" and not stacked else 10_000), list)
                == broken
            ]
            if not texts:
                continue
            mark = marks(texts, "text",
                align=align, baseline="middle", fontSize=TEXT, fontWeight=weight, color=color, aria=False, lineHeight=15,
                dy=-7.5 if broken else 0,
            )  # fmt: skip
            layers.append(mark.encode(x=alt.value(place), y=alt.Y(**y), text=alt.Text(field="text", type="nominal")))
    return layers


def _broken(name: str, room: int) -> str | list[str]:
    """A name on two lines where one is too narrow for it."""
    if len(name) * LETTER * 0.92 <= room or " " not in name:
        return name
    middle = min(
        (index for index, letter in enumerate(name) if letter == " "), key=lambda index: abs(index - len(name) / 2)
    )
    return [name[:middle], name[middle + 1 :]]
