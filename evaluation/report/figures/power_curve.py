"""How large must an effect be? The chance of finding one, by its size, with the smallest one found 8 times in 10 marked."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import sentences
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
    at,
    finish,
    margin,
    marks,
    number_axis,
    quantity,
    scale,
    text_marks,
)
from evaluation.report.power import Power, power
from evaluation.report.tables import Table, table
from evaluation.report.words import Words
from evaluation.result import Result

WANTED = 0.8
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
EVERY = 4
"""The table shows every fourth step of the curve; the file holds all."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The curve, and the label of the smallest effect."""

    power: Power
    mark: str


def values(result: Result, words: Words) -> Drawn | None:
    """The power curve, where the uncertainty of the headline gives one."""
    found = power(result)
    if found is None:
        return None
    return Drawn(found, words("figure.power_curve.mark", mde=words.number(found.smallest, result.design.decimals)))


def draw(found: Drawn, words: Words, palette: Palette, width: int) -> Spec:
    """The curve from no effect on, a broken line at 8 in 10 and a firm one down from where it is reached."""
    curve = found.power
    axis = scale(curve.effects, 4 if width <= NARROW else 6, zero=True, pad=0.0)
    y_scale = Scale(0.0, 1.0, TICKS, 1)
    written = {tick: words.percent(tick) for tick in TICKS}
    frame = Frame(width, margin(written.values()) + 3, 20, 26, 28, 170)
    x = quantity("x", axis, number_axis(axis, palette, "bottom", grid=False))
    # the ticks of an axis are looked up by their place, since 0.6 need not be written the same in two languages
    names = f"{list(written.values())!r}[round(datum.value * 5)]"
    y = quantity("y", y_scale, {**number_axis(y_scale, palette, "left"), "labelExpr": names})
    wanted: list[Row] = [{"y": WANTED}]
    mark: list[Row] = [{"x": curve.smallest, "y": WANTED, "text": found.mark}]
    line: list[Row] = [{"x": x_, "y": y_} for x_, y_ in zip(curve.effects, curve.chances, strict=True)]
    half = len(found.mark) * LETTER * 1.13 / 2
    middle = min(max(axis.place(curve.smallest, frame.inner), half - frame.left + 2), frame.inner + 20 - half - 2)
    return finish(
        [
            marks(wanted, "rule", color=palette.muted, strokeDash=[4, 3], aria=False).encode(y=y),
            marks(line, "line", color=palette.main, strokeWidth=2.5, strokeJoin="round", aria=False).encode(x=x, y=y),
            marks(mark, "rule", color=palette.accent, strokeWidth=2, aria=False).encode(
                x=x, y=at(-4), y2=at(frame.height)
            ),
            marks(mark, "point", color=palette.accent, fill=palette.accent, size=60, opacity=1, aria=False).encode(
                x=x, y=y
            ),
            text_marks(
                mark, middle, -8, palette.accent_ink, align="center", baseline="bottom", fontWeight=600
            ),
        ],
        frame,
    )  # fmt: skip


def text(found: Drawn, result: Result, words: Words) -> FigureText:
    """The words around it: the smallest effect."""
    curve = found.power
    mde, half = (sentences.amount(value, result, words) for value in (curve.smallest, curve.smallest / 2))
    slots = {"plural": sentences.group(result, words), "level": sentences.level(result.headline, words)}
    return FigureText(
        title=words("figure.power_curve.title", mde=mde),
        subtitle=words("figure.power_curve.subtitle", unit=words.text(result.design.outcome_unit)),
        how=words("figure.power_curve.how" if curve.by_ranks else "figure.power_curve.how_normal", **slots),
        description=words(
            "figure.power_curve.description", mde=mde, half_effect=half, first=words.share(curve.chances[0]),
            half=words.share(curve.at(curve.smallest / 2)),
        ),
    )  # fmt: skip


def table_of(found: Drawn, result: Result, words: Words) -> Table:
    """One row for every fourth step."""
    curve = found.power
    steps = list(zip(curve.effects, curve.chances, strict=True))[::EVERY]
    rows = [(words.number(effect, result.design.decimals), words.percent(chance)) for effect, chance in steps]
    head = (words("table.effect"), words("table.found"))
    return table(text(found, result, words).subtitle, head, rows, ())


FIGURE = Figure("power_curve", "chance", values, draw, text, table_of, "power.csv")
