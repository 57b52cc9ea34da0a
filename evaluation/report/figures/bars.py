"""Horizontal bars from zero with names at the left and shares at their ends: false alarms and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from evaluation.report.figures.base import NARROW, TEXT, Frame, Palette, Row, Scale, finish, margin, marks, quantity
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
) -> alt.LayerChart:
    """Bars from zero, their shares written at the end, and a vertical line where one is given."""
    # on a phone a long name stands above its bar
    stacked = width <= NARROW and max(len(bar.name) for bar in bars) > 16
    left = 4 if stacked else min(margin(bar.name for bar in bars), 250)
    right = margin(bar.written for bar in bars)
    height = STACKED if stacked else HEIGHT
    frame = Frame(width, left, right, 24 if line else 6, 6, height * len(bars))
    longest = max(*(bar.share for bar in bars), line[0] if line else 0.0, 1e-9)
    x = quantity("x", Scale(0, longest, (), 0), None)
    y = quantity("y", Scale(0, len(bars), (), 0), None, high_first=True)
    top, bottom = (0.5, 0.94) if stacked else (0.18, 0.82)
    rows: list[Row] = [
        {
            "x": bar.share, "zero": 0.0, "y": index + top, "y2": index + bottom, "middle": index + (top + bottom) / 2,
            "name_y": index + (0.25 if stacked else 0.5), "name": bar.name, "written": bar.written, "strong": bar.strong,
            "told": f"{bar.name}: {bar.written}",
        }
        for index, bar in enumerate(bars)
    ]  # fmt: skip
    layers = []
    for strong in (False, True):
        part = [row for row in rows if row["strong"] == strong]
        if not part:
            continue
        color, ink, weight = (palette.main, palette.main, 700) if strong else (palette.quiet, palette.ink, 400)
        mark = marks(part, "rect", fill=color)
        told = alt.Description(field="told", type="nominal")
        layers.append(
            mark.encode(x=alt.X(**x), x2=alt.X2(field="zero"), y=alt.Y(**y), y2=alt.Y2(field="y2"), description=told)
        )
        shares = marks(
            part, "text", align="left", baseline="middle", dx=5, fontSize=TEXT, fontWeight=weight, color=ink, aria=False
        )
        layers.append(
            shares.encode(
                x=alt.X(**x), y=alt.Y(**y | {"field": "middle"}), text=alt.Text(field="written", type="nominal")
            )
        )
        names = marks(
            part,
            "text",
            align="left" if stacked else "right",
            baseline="middle",
            fontSize=TEXT,
            fontWeight=weight,
            color=ink,
            aria=False,
        )
        place = alt.value(0 if stacked else -8)
        layers.append(
            names.encode(x=place, y=alt.Y(**y | {"field": "name_y"}), text=alt.Text(field="name", type="nominal"))
        )
    if line:
        layers += _line(line, rows, palette, x, y)
    return finish(layers, frame)


def _line(
    line: tuple[float, str], rows: Sequence[Row], palette: Palette, x: dict[str, Any], y: dict[str, Any]
) -> list[alt.Chart]:
    """The promised share: a dashed line across each bar (never across a name), its label above the first."""
    across: list[Row] = [{"x": line[0], "y": row["y"] - 0.12, "y2": row["y2"] + 0.12} for row in rows]
    rule = marks(across, "rule", color=palette.accent, strokeWidth=2, strokeDash=[5, 3], aria=False)
    label = marks(
        [{"x": line[0], "text": line[1]}],
        "text",
        align="left",
        dx=-2,
        baseline="bottom",
        fontSize=TEXT,
        fontWeight=600,
        color=palette.accent_ink,
        aria=False,
    )
    return [
        rule.encode(x=alt.X(**x), y=alt.Y(**y), y2=alt.Y2(field="y2")),
        label.encode(x=alt.X(**x), y=alt.value(-4), text=alt.Text(field="text", type="nominal")),
    ]
