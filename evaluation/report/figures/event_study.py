"""The effect period by period: hollow before the start, filled after it, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import facts, sentences
from evaluation.report.figures.base import (
    NARROW,
    Figure,
    FigureText,
    Frame,
    Palette,
    Row,
    Spec,
    field,
    finish,
    margin,
    marks,
    nominal,
    number_axis,
    quantity,
    scale,
)
from evaluation.report.figures.timeline import Timeline, event_layers, label_height, timeline, x_channel
from evaluation.report.tables import Table, path_table
from evaluation.report.together import together
from evaluation.report.words import Words
from evaluation.result import PeriodEffect, Result


@dataclass(frozen=True, slots=True)
class Values:
    """One dot per period, with its interval where there is one, and the band that holds all periods of the window at once."""

    line: Timeline
    effects: tuple[float, ...]
    lower: tuple[float | None, ...]
    upper: tuple[float | None, ...]
    band: tuple[tuple[float | None, float | None], ...]
    described: tuple[str, ...]


def values(result: Result, words: Words) -> Values | None:
    """The headline's effects by period."""
    path = _path(result)
    if len(path) < 2:
        return None
    decimals = result.design.decimals
    joint = together(result.headline)
    band = {} if joint is None else joint.band
    return Values(
        timeline([one.period or words.number(one.event_time) for one in path], result, words),
        tuple(one.effect or 0.0 for one in path),
        tuple(one.lower for one in path),
        tuple(one.upper for one in path),
        tuple(band.get(one.event_time, (None, None)) for one in path),
        tuple(
            f"{words.period(one.period) or words.number(one.event_time)}: {words.number(one.effect, decimals)}"
            + (
                ""
                if one.lower is None or one.upper is None
                else f" ({words.number(one.lower, decimals)}, {words.number(one.upper, decimals)})"
            )
            for one in path
        ),
    )


def draw(found: Values, words: Words, palette: Palette, width: int) -> Spec:
    """The chart."""
    reach = (value for limits in found.band for value in limits)
    y_scale = scale((*found.effects, *found.lower, *found.upper, *reach), 4 if width <= NARROW else 5, zero=True)
    left = margin(words.number(tick, y_scale.decimals) for tick in y_scale.ticks)
    frame = Frame(width, left, 12, 0, 28, 280)
    frame = Frame(width, left, 12, label_height(found.line, frame, words), 28, 280)
    x = x_channel(found.line, palette, frame)
    y = quantity("y", y_scale, number_axis(y_scale, palette, "left"))
    rows: list[Row] = [
        {"x": index, "y": effect, "low": low, "high": high, "least": band[0], "most": band[1], "told": told}
        for index, (effect, low, high, band, told) in enumerate(
            zip(found.effects, found.lower, found.upper, found.band, found.described, strict=True)
        )
    ]
    zero = marks([{"y": 0.0}], "rule", color=palette.ink, strokeWidth=1, aria=False).encode(y=y)
    layers = [zero, *event_layers(found.line, frame, words, palette, x)]
    start = found.line.start
    size = 52 if frame.inner / len(rows) > 14 else 24
    wide = [row for row in rows if row["least"] is not None and row["most"] is not None]
    if wide:
        mark = marks(wide, "rule", color=palette.main, strokeWidth=1, aria=False)
        layers.append(mark.encode(x=x, y=y | {"field": "least"}, y2=field("most")))
    for part, color, fill, thick in (
        (rows[:start], palette.muted, palette.paper, 1.5),
        (rows[start:], palette.main, palette.main, 2.5),
    ):
        bars = [row for row in part if row["low"] is not None and row["high"] is not None]
        if bars:
            mark = marks(bars, "rule", color=color, strokeWidth=thick, aria=False)
            layers.append(mark.encode(x=x, y=y | {"field": "low"}, y2=field("high")))
        if part:
            dots = marks(part, "circle", fill=fill, stroke=color, strokeWidth=2, size=size, opacity=1)
            layers.append(dots.encode(x=x, y=y, description=nominal("told")))
    return finish(layers, frame)


def text(found: Values, result: Result, words: Words) -> FigureText:
    """The words around it: how many periods stand out."""
    path = [one for one in _path(result) if one.event_time >= 0]
    told = [one for one in path if one.lower is not None and one.upper is not None]
    outside = sum(not one.lower <= 0 <= one.upper for one in told if one.lower is not None and one.upper is not None)
    total, joint = len(told), together(result.headline)
    if joint is not None:
        # looked at one by one, some period often stands out by chance
        outside, total = len(joint.clear), len(joint.periods)
    unit = words.text(result.design.outcome_unit)
    largest = max(path, key=lambda one: abs(one.effect or 0.0))
    if told and facts.invalid(result.headline) is None:
        key = "some_hold" if outside else "all_hold"
        title = words(f"figure.event_study.{key}", count=words.number(outside), total=words.number(total))
    else:
        title = words(f"figure.event_study.{facts.frequency(result)}")
    return FigureText(
        title=title,
        subtitle=words(
            "figure.event_study.subtitle" if told else "figure.event_study.subtitle_plain",
            unit=unit,
            level=sentences.level(result.headline, words),
        ),
        how=words(
            f"figure.event_study.how{'_plain' if not told else '_band' if joint and joint.band else ''}",
            window=words.span(*result.design.window),
        ),
        description=words(
            "figure.event_study.description",
            span=found.line.described,
            largest=sentences.amount(largest.effect or 0.0, result, words),
            period=words.period(largest.period) or words.number(largest.event_time),
        ),
    )


def table(found: Values, result: Result, words: Words) -> Table:
    """One row per period."""
    return path_table(text(found, result, words).subtitle, _path(result), result, words)


def _path(result: Result) -> list[PeriodEffect]:
    return [one for one in result.headline.path if one.effect is not None]


FIGURE = Figure("event_study", "when", values, draw, text, table, "effects_by_period.csv")
