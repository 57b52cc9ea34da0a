"""The horizontal axis of periods, with the start of the programme and other events marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.report import facts
from evaluation.report.figures.base import (
    LETTER,
    NARROW,
    Frame,
    Layer,
    Palette,
    Row,
    Scale,
    marks,
    period_axis,
    period_ticks,
    quantity,
    text_marks,
)
from evaluation.report.words import Words
from evaluation.result import Result

LINE = 16
"""Height of one line of event labels."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The periods as they are labelled in data, which one is the first treated, and what else happened when."""

    labels: tuple[str, ...]
    start: int
    events: tuple[tuple[int, str], ...]
    described: str

    @property
    def scale(self) -> Scale:
        """Half a period of air at both ends."""
        return Scale(-0.5, len(self.labels) - 0.5, (), 0)


def timeline(labels: Sequence[str], result: Result, words: Words) -> Timeline:
    """The timeline of these periods; events outside them are left out."""
    places = {label: index for index, label in enumerate(labels)}
    start = places.get(result.design.start, facts.after_start(result))
    events = tuple((places[period], words.text(text)) for period, text in result.design.events if period in places)
    return Timeline(tuple(labels), start, events, words.span(labels[0], labels[-1]))


def x_channel(line: Timeline, palette: Palette, frame: Frame, field: str = "x") -> dict[str, Any]:
    """The x channel of a period's index."""
    ticks = period_ticks(line.labels, line.start, 4 if frame.width <= NARROW else 8)
    return quantity(field, line.scale, period_axis(line.labels, ticks, palette, line.described))


def rows_of_labels(line: Timeline, frame: Frame, words: Words) -> list[tuple[float, int, str, bool]]:
    """(place, row, text, runs to the left) of each event label; a label that would meet another goes one row down."""
    texts = [(line.start, words("label.start")), *line.events]
    rows: list[tuple[float, float, int, str, bool]] = []
    for index, text in sorted(texts):
        place = line.scale.place(index - 0.5, frame.inner)
        width = len(text) * LETTER
        leftward = place + 4 + width > frame.inner + frame.right - 4
        begin, end = (place - 4 - width, place - 4) if leftward else (place + 4, place + 4 + width)
        row = 0
        while any(taken == row and begin < right + 6 and left - 6 < end for left, right, taken, _, _ in rows):
            row += 1
        rows.append((begin, end, row, text, leftward))
    ordered = sorted(texts)
    return [
        (index - 0.5, row, text, leftward)
        for (index, _), (_, _, row, text, leftward) in zip(ordered, rows, strict=True)
    ]


def label_height(line: Timeline, frame: Frame, words: Words) -> int:
    """The top margin the event labels need."""
    return LINE * (1 + max(row for _, row, _, _ in rows_of_labels(line, frame, words))) + 4


def event_layers(line: Timeline, frame: Frame, words: Words, palette: Palette, x: dict[str, Any]) -> list[Layer]:
    """A firm thin line where the programme starts, dotted ones for other events, labels above the plot."""
    layers = []
    for index, dash, color in (
        *((index, [1, 3], palette.muted) for index, _ in line.events),
        (line.start, [1, 0], palette.ink),
    ):
        rule: list[Row] = [{"x": index - 0.5}]
        mark = marks(rule, "rule", color=color, strokeWidth=1, strokeDash=dash, aria=False)
        layers.append(mark.encode(x=x))
    top = label_height(line, frame, words)
    for place, row, text, leftward in rows_of_labels(line, frame, words):
        side = {"align": "right", "dx": -4} if leftward else {"align": "left", "dx": 4}
        label: list[Row] = [{"x": place, "text": text}]
        layers.append(text_marks(label, x, LINE * (row + 0.5) + 2 - top, palette.muted, **side))
    return layers
