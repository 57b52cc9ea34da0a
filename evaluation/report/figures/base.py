"""What all figures share: palettes, axes whose numbers are chosen here, and the frame that fixes every margin.

Vega is given its domain, ticks, margins and size, so nothing on a figure depends on how wide a text is in the font of the
machine that draws it: the same Result gives the same picture anywhere, never wider than asked.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evaluation.report.converter import VL_VERSION
from evaluation.report.tables import Table
from evaluation.report.words import HUGE, MINUS, Words
from evaluation.result import Result

if TYPE_CHECKING:
    import altair as alt

WIDE, NARROW = 640, 360
TEXT = 13.0
"""Font size of labels in pixels, at both widths: a figure is drawn twice so that text never shrinks."""
LINE = 15
"""Height of one line of a broken label."""
LETTER = 0.6 * TEXT
"""A generous width of one letter, for margins."""

Row = dict[str, Any]
Channel = dict[str, Any]
Spec = dict[str, Any]
"""A whole figure in Vega-Lite: plain data, quicker to write than Altair's objects, which copy themselves for every layer."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by what they are for."""

    ink: str
    muted: str
    rule: str
    paper: str
    main: str
    accent: str
    accent_ink: str
    quiet: str


PLAIN = Palette("#1b2430", "#55606e", "#d5dae0", "#ffffff", "#12436d", "#f46a25", "#c4500c", "#8a929c")
"""Plain colours, for notebooks and image files."""
PAGE = Palette(*(f"var(--{name.replace('_', '-')})" for name in Palette.__slots__))
"""The page's own variables, so that a figure follows dark mode and print."""


@dataclass(frozen=True, slots=True)
class FigureText:
    """The words around a figure: the finding, what is drawn, how to read it, and the description for who cannot see it.

    `source` is where the numbers come from, if not from the data of the evaluation.
    """

    title: str
    subtitle: str
    how: str
    description: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the registry.

    `values` picks plain values from a Result (None: nothing to draw), `draw` makes the chart of them for one palette and
    width, `text` writes the words around it, `table` holds its numbers, `csv` names the file with all of them.
    """

    key: str
    section: str
    values: Callable[[Result, Words], Any]
    draw: Callable[[Any, Words, Palette, int], Spec]
    text: Callable[[Any, Result, Words], FigureText]
    table: Callable[[Any, Result, Words], Table | None]
    csv: str


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis: its ends, its ticks, and the decimals they need."""

    low: float
    high: float
    ticks: tuple[float, ...]
    decimals: int

    def place(self, value: float, pixels: float) -> float:
        """Where a value lies on an axis of this many pixels."""
        return (value - self.low) / (self.high - self.low) * pixels


@dataclass(frozen=True, slots=True)
class Frame:
    """The plot and its margins in pixels; together they are exactly the width asked for."""

    width: int
    left: int
    right: int
    top: int
    bottom: int
    height: int

    @property
    def inner(self) -> int:
        """The width of the plot."""
        return self.width - self.left - self.right


def scale(numbers: Iterable[float | None], count: int = 5, zero: bool = False, pad: float = 0.05) -> Scale:
    """An axis that holds all numbers with a little air, and about `count` round ticks."""
    known = [value for value in numbers if value is not None and math.isfinite(value)]
    known += [0.0] if zero or not known else []
    low, high = min(known), max(known)
    span = (high - low) or abs(high) or 1.0
    low, high = low - pad * span, high + pad * span
    step = round_step((high - low) / count)
    ticks = tuple(step * index for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1))
    return Scale(low, high, ticks, max(0, -math.floor(math.log10(step) + 1e-9)))


def round_step(step: float) -> float:
    """The nearest of 1, 2, 5 and 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return min((factor * power for factor in (1.0, 2.0, 5.0, 10.0)), key=lambda nice: abs(math.log(nice / step)))


def period_ticks(labels: Sequence[str], start: int, most: int) -> list[int]:
    """Which periods get a label: evenly spaced years, the start among them where years are periods."""
    first = [index for index, label in enumerate(labels) if _whole(label) or label.endswith(("Q1", "M01"))]
    if not first:
        return [0, len(labels) - 1]
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100) if len(first) / step <= most)
    anchor = first.index(start) if start in first else 0
    return [index for place, index in enumerate(first) if (place - anchor) % step == 0]


def _whole(label: str) -> bool:
    """Whether a label is a year, or a number of periods since the start (with a true minus before it)."""
    return label.removeprefix(MINUS).isdigit()


@dataclass(frozen=True, slots=True)
class Layer:
    """Marks of one kind: the rows they draw, their fixed look, and what each channel shows."""

    rows: tuple[Row, ...]
    mark: dict[str, Any]
    encoding: dict[str, Channel]

    def encode(self, **channels: Channel) -> Layer:
        """The same marks with these channels."""
        return Layer(self.rows, self.mark, {**self.encoding, **channels})

    def spec(self) -> Spec:
        """As Vega-Lite writes it."""
        return {"data": {"values": list(self.rows)}, "mark": self.mark, "encoding": self.encoding}


def marks(rows: Sequence[Row], kind: str, **options: Any) -> Layer:
    """These rows drawn as marks of one kind."""
    return Layer(tuple(rows), {"type": kind, **options}, {})


def field(name: str) -> Channel:
    """A channel that follows another one's scale, e.g. the other end of a bar."""
    return {"field": name}


def nominal(name: str) -> Channel:
    """A channel of text."""
    return {"field": name, "type": "nominal"}


def quantity(field: str, axis: Scale, labels: dict[str, Any] | None, high_first: bool = False) -> dict[str, Any]:
    """The arguments of a quantitative channel whose scale is fixed."""
    domain = [axis.high, axis.low] if high_first else [axis.low, axis.high]
    return {
        "field": field, "type": "quantitative", "axis": labels,
        "scale": {"domain": domain, "nice": False, "zero": False},
    }  # fmt: skip


def number_axis(axis: Scale, palette: Palette, orient: str, grid: bool = True, description: str = "") -> dict[str, Any]:
    """An axis of numbers: round ticks in the reader's number form, a thin grid, no lines of its own."""
    huge = max((abs(tick) for tick in axis.ticks), default=0.0) >= HUGE
    form = ".3~e" if huge else f",.{axis.decimals}f"
    return {
        "values": list(axis.ticks), "format": form, "title": None, "orient": orient, "domain": False,
        "ticks": False, "grid": grid, "gridColor": palette.rule, "labelColor": palette.muted, "labelFontSize": TEXT,
        "labelPadding": 6, "labelOverlap": False, "labelBound": False, "labelFlush": False, "aria": bool(description),
        "description": description,
    }  # fmt: skip


def period_axis(labels: Sequence[str], ticks: Sequence[int], palette: Palette, description: str) -> dict[str, Any]:
    """An axis of periods as ordered text: the label is the year, never a time stamp that a time zone could move."""
    years = [label if _whole(label) else label[:4] for label in labels]
    return {
        "values": list(ticks), "labelExpr": f"{years!r}[datum.value]", "title": None, "domainColor": palette.muted,
        "tickColor": palette.muted, "grid": False, "labelColor": palette.muted, "labelFontSize": TEXT, "labelPadding": 4,
        "labelOverlap": False, "labelBound": False, "labelFlush": False, "description": description,
    }  # fmt: skip


def finish(layers: Sequence[Layer], frame: Frame) -> Spec:
    """The layers in their frame: fixed size, transparent, no box."""
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VL_VERSION}.json",
        "layer": [layer.spec() for layer in layers], "width": frame.inner, "height": frame.height,
        "background": "transparent", "autosize": {"type": "none"}, "config": {"view": {"stroke": "transparent"}},
        "padding": {"left": frame.left, "right": frame.right, "top": frame.top, "bottom": frame.bottom},
    }  # fmt: skip


def chart(spec: Spec) -> alt.LayerChart:
    """The Altair chart of a specification, for notebooks and image files; checks it against Vega-Lite's schema."""
    import altair

    return altair.LayerChart.from_dict(spec)


def at(pixel: float) -> Channel:
    """A channel fixed at a pixel."""
    return {"value": pixel}


def text_marks(
    rows: Sequence[Row], x: dict[str, Any] | float, y: dict[str, Any] | float, color: str, **options: Any
) -> Layer:
    """Texts of the rows' field `text`, placed by a channel or at a pixel; hidden from screen readers, which get the
    figure's description."""
    defaults = {"align": "left", "baseline": "middle", "fontSize": TEXT, "aria": False}
    return marks(rows, "text", color=color, **defaults | options).encode(
        x=x if isinstance(x, dict) else at(x),
        y=y if isinstance(y, dict) else at(y),
        text=nominal("text"),
    )


def margin(texts: Iterable[str], least: int = 0, bold: bool = False) -> int:
    """A margin wide enough for the longest of these texts in any usual font."""
    letter = LETTER * (1.13 if bold else 1.0)
    return max([least, *(math.ceil(len(text) * letter) + 8 for text in texts)])


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Two or more places on a line moved just far enough from one another that labels do not touch."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for _ in range(50):
        for lower, upper in pairwise(order):
            missing = gap - (moved[upper] - moved[lower])
            if missing > 1e-6:
                moved[lower] -= missing / 2
                moved[upper] += missing / 2
    return moved


def broken(name: str, room: float) -> list[str]:
    """A name on as many lines as it needs in this room, the lines about equally long."""
    most = max(8, int(room / (LETTER * 0.95)))
    lines = _wrapped(name, most)
    while most > 1 and len(_wrapped(name, most - 1)) == len(lines):
        most -= 1
    return _wrapped(name, most)


def _wrapped(name: str, most: int) -> list[str]:
    return textwrap.wrap(name, most, break_long_words=False, break_on_hyphens=False) or [name]


def name_marks(
    names: Sequence[tuple[float, Sequence[str]]],
    x: float,
    y: dict[str, Any],
    color: str,
    last: bool,
    options: dict[str, Any],
) -> list[Layer]:
    """Names at heights of the y channel, centred on it, or (`last`) with their last line there; a layer per line count."""
    layers = []
    for count in sorted({len(lines) for _, lines in names}):
        some: list[Row] = [
            {"y": place, "text": list(lines) if count > 1 else lines[0]}
            for place, lines in names
            if len(lines) == count
        ]
        shift = {"dy": -LINE * (count - 1) * (1.0 if last else 0.5), "lineHeight": LINE} if count > 1 else {}
        layers.append(text_marks(some, x, y, color, **options | shift))
    return layers
