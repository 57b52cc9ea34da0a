"""Could it be chance? The treated unit's gaps among those of units that had no programme."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import facts, sentences
from evaluation.report.figures.base import (
    LETTER,
    NARROW,
    Figure,
    FigureText,
    Frame,
    Palette,
    Row,
    Scale,
    Spec,
    finish,
    margin,
    marks,
    number_axis,
    quantity,
    scale,
    text_marks,
)
from evaluation.report.figures.timeline import Timeline, event_layers, label_height, timeline, x_channel
from evaluation.report.tables import Table, table
from evaluation.report.words import Words
from evaluation.result import Result

KEPT = 0.97
"""Share of all placebo gaps the axis has room for: a few wild ones would flatten everything else."""


@dataclass(frozen=True, slots=True)
class Values:
    """A line per unit without the programme, whether it fits poorly before the start, and the treated unit's line.

    `kept` are the places of those that are drawn; `reach` is half the height of the axis, with room for all of the treated
    line and most of the others; `cut` says whether a line leaves it.
    """

    line: Timeline
    treated: tuple[float | None, ...]
    name: str
    others: tuple[tuple[float | None, ...], ...]
    poor: tuple[bool, ...]
    kept: tuple[int, ...]
    reach: float
    cut: bool


def values(result: Result, words: Words) -> Values | None:
    """The placebo gaps of the headline's inference, if it made any."""
    found = facts.placebos(result.headline)
    if found is None or not found.gaps or not found.periods:
        return None
    name = words.listed(result.design.treated, 2)
    sizes = sorted(abs(gap) for row in found.gaps for gap in row if gap is not None)
    own = max((abs(gap) for gap in found.treated_gaps if gap is not None), default=0.0)
    reach = max(own * 1.1, sizes[int(KEPT * (len(sizes) - 1))] if sizes else 0.0)
    line = timeline(found.periods, result, words)
    kept = facts.thinned(found.effects)
    return Values(
        line, found.treated_gaps, name, found.gaps, found.poorly_fitted, kept, reach, bool(sizes) and sizes[-1] > reach
    )


def draw(found: Values, words: Words, palette: Palette, width: int) -> Spec:
    """The chart."""
    reach = found.reach
    rounded = scale((-reach, reach), 4 if width <= NARROW else 6, pad=0)
    y_scale = Scale(-reach, reach, rounded.ticks, rounded.decimals)
    left = margin(words.number(tick, y_scale.decimals) for tick in y_scale.ticks)
    right = min(margin([found.name]), 110 if width > NARROW else 84)
    frame = Frame(width, left, right, 0, 28, 320)
    frame = Frame(width, left, right, label_height(found.line, frame, words), 28, 320)
    x = x_channel(found.line, palette, frame)
    y = quantity("y", y_scale, number_axis(y_scale, palette, "left", grid=False))
    layers = []
    for poor in (True, False):
        # one path with gaps for all units: a path each would take the converter five times as long
        points = [
            point
            for unit in found.kept
            if found.poor[unit] == poor
            for point in [*enumerate(found.others[unit]), (0, None)]
        ]
        rows: list[Row] = [{"x": index, "y": gap, "place": place} for place, (index, gap) in enumerate(points)]
        if rows:
            look = {"strokeDash": [1, 3], "opacity": 0.8} if poor else {"opacity": 1}
            mark = marks(rows, "line", color=palette.quiet, strokeWidth=0.8, clip=True, aria=False, **look)
            layers.append(mark.encode(x=x, y=y, order={"field": "place", "type": "quantitative"}))
    layers.append(marks([{"y": 0.0}], "rule", color=palette.ink, strokeWidth=1, aria=False).encode(y=y))
    layers += event_layers(found.line, frame, words, palette, x)
    own: list[Row] = [{"x": index, "y": gap} for index, gap in enumerate(found.treated) if gap is not None]
    thick = marks(own, "line", color=palette.main, strokeWidth=3.5, strokeJoin="round", description=found.name)
    layers.append(thick.encode(x=x, y=y))
    name = found.name if len(found.name) * LETTER <= right else words("label.treated")
    layers.append(text_marks([own[-1] | {"text": name}], x, y, palette.main, dx=6, fontWeight=700))
    return finish(layers, frame)


def text(found: Values, result: Result, words: Words) -> FigureText:
    """The words around it."""
    design, placebos = result.design, facts.placebos(result.headline)
    assert placebos is not None
    units, others = words.listed(design.treated), words.number(len(found.others))
    kind = "stands_out" if result.verdict.direction != "unclear" else "ordinary"
    title = sentences.many(f"figure.placebo_gaps.{kind}", result)
    if not facts.valid(result):
        title = "figure.placebo_gaps.among"
    how = words("figure.placebo_gaps.how_plain", units=units, others=others)
    if placebos.poor:
        how = words("figure.placebo_gaps.how", units=units, others=others, poor=words.number(placebos.poor))
    if len(found.kept) < len(found.others):
        drawn = words(
            "figure.placebo_gaps.drawn",
            shown=words.number(len(found.kept)), count=others, file=sentences.file(FIGURE.csv, result),
        )  # fmt: skip
        how = f"{how} {drawn}"
    if found.cut:
        how = f"{how} {words('figure.placebo_gaps.cut')}"
    return FigureText(
        title=words(title, units=units),
        subtitle=words("figure.placebo_gaps.subtitle", unit=words.text(design.outcome_unit)),
        how=how,
        description=words(
            "figure.placebo_gaps.description",
            units=units,
            others=others,
            span=found.line.described,
            rank=sentences.rank_sentence(result, words),
        ),
    )


def table_of(found: Values, result: Result, words: Words) -> Table:
    """One row per period: the treated unit and the spread of the others, all of whose gaps are in the file."""
    decimals = result.design.decimals
    rows = []
    for index, label in enumerate(found.line.labels):
        others = sorted(gap for row in found.others if (gap := row[index]) is not None)
        spread = (others[round(share * (len(others) - 1))] if others else None for share in (0.05, 0.5, 0.95))
        rows.append((words.period(label), *(words.number(gap, decimals) for gap in (found.treated[index], *spread))))
    head = (words("table.period"), found.name, *(words(f"table.others_{part}") for part in ("low", "middle", "high")))
    return table(text(found, result, words).subtitle, head, rows)


FIGURE = Figure("placebo_gaps", "chance", values, draw, text, table_of, "placebo_gaps.csv")
