"""Checks that are lines: the downturn that was predicted, how wrong one must be, and the cycle beneath the effect."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import facts
from evaluation.report.figures.audit_base import audit_figure, column, label_middle, line_tops
from evaluation.report.figures.base import (
    NARROW,
    TEXT,
    Frame,
    Layer,
    Palette,
    Row,
    Spec,
    apart,
    at,
    field,
    finish,
    margin,
    marks,
    number_axis,
    quantity,
    scale,
    text_marks,
)
from evaluation.report.figures.timeline import Timeline, event_layers, label_height, timeline, x_channel
from evaluation.report.words import Words
from evaluation.result import CheckResult, Result


@dataclass(frozen=True, slots=True)
class Lines:
    """One or two lines by period and the periods that are shaded; a second line is dashed."""

    line: Timeline
    series: tuple[tuple[str, tuple[float | None, ...]], ...]
    shaded: tuple[int, ...] = ()
    zero: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """An effect by how wrong one assumption is, its interval, and labelled places on the horizontal axis."""

    x: tuple[float, ...]
    effects: tuple[float | None, ...]
    lows: tuple[float | None, ...]
    highs: tuple[float | None, ...]
    places: tuple[tuple[float, str, bool], ...]


def draw_lines(found: Lines, words: Words, palette: Palette, width: int) -> Spec:
    """The first line solid, the second dashed, each named at its end; held-out periods lie on grey."""
    y_scale = scale(
        [value for _, series in found.series for value in series], 3 if width <= NARROW else 5, zero=found.zero
    )
    left = margin(words.number(tick, y_scale.decimals) for tick in y_scale.ticks) + 3
    right = margin((name for name, _ in found.series), 12)
    frame = Frame(width, left, right, 0, 28, 170)
    frame = Frame(width, left, right, label_height(found.line, frame, words), 28, 170)
    x = x_channel(found.line, palette, frame)
    y = quantity("y", y_scale, number_axis(y_scale, palette, "left"))
    layers: list[Layer] = []
    if found.shaded:
        bands: list[Row] = [{"x": place - 0.5, "x2": place + 0.5} for place in found.shaded]
        grey = marks(bands, "rect", fill=palette.rule, opacity=0.8, aria=False)
        layers.append(grey.encode(x=x, x2=field("x2"), y=at(0), y2=at(frame.height)))
    if found.zero:
        layers.append(marks([{"y": 0.0}], "rule", color=palette.ink, strokeWidth=1, aria=False).encode(y=y))
    layers += event_layers(found.line, frame, words, palette, x)
    looks = ((palette.main, [1, 0], palette.main), (palette.accent, [6, 4], palette.accent_ink))
    ends: list[tuple[float, float, str, str]] = []
    for (name, series), (color, dash, ink) in reversed(list(zip(found.series, looks, strict=False))):
        rows: list[Row] = [{"x": place, "y": value} for place, value in enumerate(series) if value is not None]
        mark = marks(rows, "line", color=color, strokeWidth=2.5, strokeDash=dash, strokeJoin="round", description=name)
        layers.append(mark.encode(x=x, y=y))
        if rows:
            ends.append((rows[-1]["x"], rows[-1]["y"], name, ink))
    pixels = apart([y_scale.place(end, frame.height) for _, end, _, _ in ends], TEXT + 4)
    for (place, _, name, ink), pixel in zip(ends, pixels, strict=True):
        end = y_scale.low + pixel / frame.height * (y_scale.high - y_scale.low)
        layers.append(text_marks([{"x": place, "y": end, "text": name}], x, y, ink, dx=6, fontWeight=600))
    return finish(layers, frame)


def draw_curve(found: Curve, words: Words, palette: Palette, width: int) -> Spec:
    """The effect with its band, the line of zero, and firm lines down from the labelled places."""
    y_scale = scale((*found.effects, *found.lows, *found.highs), 3, zero=True)
    axis = scale((*found.x, *(place for place, _, _ in found.places)), 4, zero=True, pad=0.02)
    left = margin(words.number(tick, y_scale.decimals) for tick in y_scale.ticks) + 3
    top = 8 + 18 * len(found.places)
    frame = Frame(width, left, 16, top, 28, 170)
    x = quantity("x", axis, number_axis(axis, palette, "bottom", grid=False))
    y = quantity("y", y_scale, number_axis(y_scale, palette, "left"))
    known = [place for place in range(len(found.x)) if found.effects[place] is not None]
    band: list[Row] = [
        {"x": found.x[place], "y": found.lows[place], "y2": found.highs[place]}
        for place in known
        if found.lows[place] is not None and found.highs[place] is not None
    ]
    layers: list[Layer] = []
    if band:
        area = marks(band, "area", color=palette.main, opacity=0.15, aria=False)
        layers.append(area.encode(x=x, y=y, y2=field("y2")))
    layers.append(marks([{"y": 0.0}], "rule", color=palette.ink, strokeWidth=1, aria=False).encode(y=y))
    rows: list[Row] = [{"x": found.x[place], "y": found.effects[place]} for place in known]
    layers.append(marks(rows, "line", color=palette.main, strokeWidth=2.5, aria=False).encode(x=x, y=y))
    labels = [text for _, text, _ in found.places]
    tops = line_tops([axis.place(place, frame.inner) for place, _, _ in found.places], labels, frame)
    for index, (place, text, strong) in enumerate(found.places):
        level = -4 - 18 * (len(found.places) - 1 - index)
        color, ink = (palette.accent, palette.accent_ink) if strong else (palette.quiet, palette.muted)
        rule = marks(
            [{"x": place}], "rule", color=color, strokeWidth=2, strokeDash=[1, 0] if strong else [4, 3], aria=False
        )
        layers.append(rule.encode(x=x, y=at(tops[index]), y2=at(frame.height)))
        middle = label_middle(axis.place(place, frame.inner), text, frame)
        layers.append(text_marks([{"text": text}], middle, level - 2, ink, align="center", baseline="bottom"))
    return finish(layers, frame)


def _backcast(check: CheckResult, result: Result, words: Words) -> Lines | None:
    labels = facts.texts(check.series.get("periods"))
    if len(labels) < 2:
        return None
    observed, predicted = (column(check, name, len(labels)) for name in ("observed", "backcast"))
    if not any(value is not None for value in predicted):
        return None
    held = set(facts.texts(check.series.get("held_out")))
    shaded = tuple(place for place, label in enumerate(labels) if label in held)
    series = ((words("label.observed"), observed), (words("audit.predicted"), predicted))
    return Lines(timeline(labels, result, words), series, shaded)


def _cycle(check: CheckResult, result: Result, words: Words) -> Lines | None:
    labels = facts.texts(check.series.get("periods"))
    cycle = column(check, "cycle", len(labels))
    if len(labels) < 2 or sum(value is not None for value in cycle) < 2:
        return None
    return Lines(timeline(labels, result, words), ((words("audit.nation"), cycle),))


def _breakdown(check: CheckResult, result: Result, words: Words) -> Curve | None:
    grid = column(check, "drift")
    kept = [place for place, value in enumerate(grid) if value is not None]
    effects, lows, highs = (column(check, name, len(grid)) for name in ("effects", "lowers", "uppers"))
    if sum(effects[place] is not None for place in kept) < 2:
        return None
    ends = [grid[place] or 0.0 for place in kept]
    places = []
    for key, strong in (("drift_sd", False), ("drift", True)):
        value = facts.number(check.facts.get(key))
        if value is not None and min(ends) <= value <= max(ends):
            places.append((value, words(f"audit.{key}", value=words.number(value, 2)), strong))
    return Curve(
        tuple(ends),
        tuple(effects[place] for place in kept),
        tuple(lows[place] for place in kept),
        tuple(highs[place] for place in kept),
        tuple(places),
    )


BACKCAST = audit_figure("backcast", _backcast, draw_lines)
BREAKDOWN = audit_figure("breakdown", _breakdown, draw_curve)
CYCLE = audit_figure("cycle_state", _cycle, draw_lines, part="cycle")
