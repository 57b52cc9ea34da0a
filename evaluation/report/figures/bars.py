"""Horizontal bars from zero with names at the left and shares at their ends: false alarms and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.report.figures.base import (
    LINE,
    NARROW,
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
    quantity,
    text_marks,
)
from evaluation.report.words import Words

HEIGHT = 30
STACKED = 44


@dataclass(frozen=True, slots=True)
class Bar:
    """A name, a share between 0 and 1, how it is written, and whether it is the one that matters."""

    name: str
    share: float
    written: str
    strong: bool = False


def draw_bars(
    bars: Sequence[Bar], words: Words, palette: Palette, width: int, line: tuple[float, str] | None = None
) -> Spec:
    """Bars from zero, their shares written at the end, and a vertical line where one is given."""
    # on a phone a long name stands above its bar
    stacked = width <= NARROW and max(len(bar.name) for bar in bars) > 16
    mixed = len({bar.strong for bar in bars}) > 1
    left = 4 if stacked else min(margin((bar.name for bar in bars), bold=mixed), 230)
    right = margin((bar.written for bar in bars), bold=mixed)
    names = [broken(bar.name, (width - 8 if stacked else left - 8) / (1.13 if mixed else 1.0)) for bar in bars]
    tallest = max(len(lines) for lines in names)
    height = STACKED + LINE * (tallest - 1) if stacked else max(HEIGHT, LINE * tallest + 4)
    frame = Frame(width, left, right, 24 if line else 6, 6, height * len(bars))
    promised = line[0] if line else 0.0
    longest = max(*(bar.share for bar in bars), promised, 1e-9)
    x = quantity("x", Scale(0, longest, (), 0), None)
    y = quantity("y", Scale(0, len(bars), (), 0), None, high_first=True)
    top, bottom = ((height - 24) / height, (height - 4) / height) if stacked else (0.5 - 9 / height, 0.5 + 9 / height)
    layers = []
    for strong in (False, True):
        part = [(index, bar) for index, bar in enumerate(bars) if bar.strong == strong]
        if not part:
            continue
        drawn: list[Row] = [
            {"x": bar.share, "zero": 0.0, "y": i + top, "y2": i + bottom, "told": f"{bar.name}: {bar.written}"}
            for i, bar in part
        ]
        mark = marks(drawn, "rect", fill=palette.main if strong else palette.quiet)
        told = nominal("told")
        layers.append(mark.encode(x=x, x2=field("zero"), y=y, y2=field("y2"), description=told))
        look = {"fontWeight": 700 if strong and mixed else 400}
        ink = palette.main if strong and mixed else palette.ink
        # the number of a short bar stands behind the promised line, not under it
        ends: list[Row] = [
            {"x": max(bar.share, promised), "y": i + (top + bottom) / 2, "text": bar.written} for i, bar in part
        ]
        layers.append(text_marks(ends, x, y, ink, dx=6, **look))
        level = (height - 24 - 9) / height if stacked else 0.5
        placed = [(i + level, names[i]) for i, _ in part]
        side = {"align": "left" if stacked else "right"}
        layers += name_marks(placed, 0 if stacked else -8, y, ink, stacked, side | look)
    if line:
        layers += _line(
            line, [(i + top - 3 / height, i + bottom + 3 / height) for i in range(len(bars))], palette, x, y
        )
    return finish(layers, frame)


def _line(
    line: tuple[float, str], bars: Sequence[tuple[float, float]], palette: Palette, x: dict[str, Any], y: dict[str, Any]
) -> list[Layer]:
    """The promised share: a dashed line across each bar (never across a name), its label above the first."""
    across: list[Row] = [{"x": line[0], "y": top, "y2": bottom} for top, bottom in bars]
    rule = marks(across, "rule", color=palette.accent, strokeWidth=2, strokeDash=[5, 3], aria=False)
    label: list[Row] = [{"x": line[0], "text": line[1]}]
    return [
        rule.encode(x=x, y=y, y2=field("y2")),
        text_marks(label, x, -4, palette.accent_ink, dx=-2, baseline="bottom", fontWeight=600),
    ]
