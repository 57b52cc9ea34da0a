"""What happened, and what would have happened: observed solid, expected dashed, its band from the start."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import facts, sentences
from evaluation.report.figures.base import (
    NARROW,
    TEXT,
    Figure,
    FigureText,
    Frame,
    Palette,
    Row,
    Spec,
    apart,
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
from evaluation.report.tables import Table, path_table
from evaluation.report.words import Words, capital
from evaluation.result import Result


@dataclass(frozen=True, slots=True)
class Values:
    """Two lines by period, and the band around the expected one (None before the start)."""

    line: Timeline
    observed: tuple[float | None, ...]
    expected: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    described: tuple[str, ...]
    height: int


def values(result: Result, words: Words) -> Values | None:
    """The headline's path; nothing where the method has no counterfactual. The band is observed minus the interval."""
    path = [
        one
        for one in result.headline.path
        if one.period and one.observed is not None and one.counterfactual is not None
    ]
    if len(path) < 2:
        return None
    decimals = result.design.decimals

    told = facts.invalid(result.headline) is None

    def edge(observed: float | None, bound: float | None, event_time: int) -> float | None:
        return None if observed is None or bound is None or event_time < 0 or not told else observed - bound

    return Values(
        timeline([one.period for one in path], result, words),
        tuple(one.observed for one in path),
        tuple(one.counterfactual for one in path),
        tuple(edge(one.observed, one.upper, one.event_time) for one in path),
        tuple(edge(one.observed, one.lower, one.event_time) for one in path),
        tuple(
            f"{words.period(one.period)}: {words('label.observed')} {words.number(one.observed, decimals)}, "
            f"{words('label.expected')} {words.number(one.counterfactual, decimals)}"
            for one in path
        ),
        300,
    )


def small_values(result: Result, words: Words) -> Values | None:
    """The same, lower, for the first screen."""
    found = values(result, words)
    if found is None:
        return None
    return Values(found.line, found.observed, found.expected, found.low, found.high, found.described, 190)


def draw(found: Values, words: Words, palette: Palette, width: int) -> Spec:
    """The chart."""
    names = (words("label.observed"), words("label.expected"))
    y_scale = scale((*found.observed, *found.expected, *found.low, *found.high), 3 if width <= NARROW else 5)
    left = margin(words.number(tick, y_scale.decimals) for tick in y_scale.ticks)
    frame = Frame(width, left, margin(names), 0, 28, found.height)
    frame = Frame(width, left, frame.right, label_height(found.line, frame, words), 28, found.height)
    x = x_channel(found.line, palette, frame)
    y = quantity("y", y_scale, number_axis(y_scale, palette, "left"))
    count = range(len(found.line.labels))
    band: list[Row] = [
        {"x": index, "y": found.low[index], "y2": found.high[index]}
        for index in count
        if found.low[index] is not None and found.high[index] is not None
    ]
    layers = []
    if band:
        area = marks(band, "area", color=palette.accent, opacity=0.18, aria=False)
        layers.append(area.encode(x=x, y=y, y2=field("y2")))
    layers += event_layers(found.line, frame, words, palette, x)
    for series, color, dash, name in (
        (found.expected, palette.accent, [6, 4], names[1]),
        (found.observed, palette.main, [1, 0], names[0]),
    ):
        rows: list[Row] = [{"x": index, "y": series[index]} for index in count if series[index] is not None]
        mark = marks(rows, "line", color=color, strokeWidth=2.5, strokeDash=dash, strokeJoin="round", description=name)
        layers.append(mark.encode(x=x, y=y))
    ends = [series[-1] or 0.0 for series in (found.observed, found.expected)]
    pixels = apart([y_scale.place(end, frame.height) for end in ends], TEXT + 4)
    for name, pixel, color in zip(names, pixels, (palette.main, palette.accent_ink), strict=True):
        end = y_scale.low + pixel / frame.height * (y_scale.high - y_scale.low)
        layers.append(text_marks([{"x": count[-1], "y": end, "text": name}], x, y, color, dx=6, fontWeight=600))
    return finish(layers, frame)


def text(found: Values, result: Result, words: Words) -> FigureText:
    """The words around it."""
    design, headline = result.design, result.headline
    banded = any(value is not None for value in found.low)
    slots = {
        "outcome": capital(words.text(design.outcome_label)),
        "units": words.listed(design.treated),
        "unit": words.text(design.outcome_unit),
    }
    share_unit = slots["unit"] and not _is_points(slots["unit"])
    return FigureText(
        title=words(f"figure.observed_expected.{result.verdict.direction if facts.valid(result) else 'plain'}"),
        subtitle=words(
            "figure.observed_expected.subtitle" if share_unit else "figure.observed_expected.subtitle_plain", **slots
        ),
        how=words(
            "figure.observed_expected.how" if banded else "figure.observed_expected.how_plain",
            level=sentences.level(headline, words),
        ),
        description=words(
            "figure.observed_expected.description",
            span=found.line.described,
            last=words.period(found.line.labels[-1]),
            observed=words.number(found.observed[-1], design.decimals),
            expected=words.number(found.expected[-1], design.decimals),
            start=words.period(design.start),
        ),
    )


def small_text(found: Values, result: Result, words: Words) -> FigureText:
    """The words on the first screen: what is drawn is its title there."""
    full = text(found, result, words)
    title = words("figure.observed_small.title", units=words.listed(result.design.treated))
    return FigureText(title, full.subtitle, full.how, full.description)


def table(found: Values, result: Result, words: Words) -> Table:
    """One row per period."""
    return path_table(text(found, result, words).subtitle, result.headline.path, result, words)


def _is_points(unit: str) -> bool:
    """Whether the unit is that of a difference ("percentage points"), which a level of the outcome does not have."""
    return "point" in unit.casefold()


FIGURE = Figure("observed_expected", "observed", values, draw, text, table, "effects_by_period.csv")
SMALL = Figure("observed_small", "answer", small_values, draw, small_text, table, "effects_by_period.csv")
