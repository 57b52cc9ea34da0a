"""How often each way of measuring uncertainty finds an effect on real data where nothing happened. The same on every page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evaluation.proof import SizeRow, real_size
from evaluation.report import sentences
from evaluation.report.figures.base import (
    LETTER,
    LINE,
    NARROW,
    Figure,
    FigureText,
    Frame,
    Layer,
    Palette,
    Row,
    Scale,
    Spec,
    at,
    broken,
    field,
    finish,
    margin,
    marks,
    name_marks,
    nominal,
    number_axis,
    quantity,
    text_marks,
)
from evaluation.report.tables import Table, table
from evaluation.report.words import Words, capital
from evaluation.result import Result

PROMISED = 0.05
STEP = 0.2
"""Between two ticks of the axis."""
NONE = "\N{EN DASH}"
"""Stands where there is no number."""
DATA = ("employment", "cps_hours")
TESTS = (
    ("cluster", "did"),
    ("cluster_cr2", "did"),
    ("hc1", "did"),
    ("driscoll_kraay", "did"),
    ("jackknife_plus", "synthetic_control"),
    ("sc_ttest", "synthetic_control"),
    ("placebo_normal", "synthetic_did"),
    ("prediction_interval", "did"),
    ("conformal", "synthetic_control"),
    ("conley_taber", "did"),
    ("placebo", "did"),
    ("standardized_placebo", "did"),
    ("ferman_pinto", "did"),
    ("volatility_placebo", "did"),
    ("default", "did"),
    ("block_placebo", "did"),
    ("wild_bootstrap", "did"),
    ("jackknife", "did"),
)
"""Each way with an estimator it is made for. Which of them come first is what was measured."""

OURS = frozenset({"default"})
"""What is chosen where nothing else is asked for, which is what pages should be judged by."""

ROW = 25
STACKED = 44
"""Heights of a row: with its name beside it, and (on phones) above it."""
NAMES, COLUMN = 204, 57
"""The most pixels for names beside the plot, and those of each column of shares, which hold "79 pct.": the plot keeps half."""
EDGE = 24
"""On phones: room for the half of the axis' first and last label that reaches out of it."""
APART = 3.5
"""Pixels of a dot from the middle of its row, up or down, so that equal shares do not hide one another."""


@dataclass(frozen=True, slots=True)
class Line:
    """One way: its name, the share of false alarms in each of the data sets (None: never tried, or no number), and its rows."""

    inference: str
    name: str
    shares: tuple[float | None, ...]
    written: tuple[str, ...]
    rows: tuple[SizeRow | None, ...]
    bold: bool


def values(result: Result, words: Words) -> list[Line] | None:
    """A line per way, the most false alarms among the municipalities first; no Result changes it."""
    return lines(words) if {row.data for row in everybody()} >= set(DATA) else None


def lines(words: Words) -> list[Line]:
    """The lines in one language."""
    known = {(row.data, row.inference, row.estimator): row for row in everybody()}
    found = []
    for inference, estimator in TESTS:
        rows = tuple(known.get((data, inference, estimator)) for data in DATA)
        if not any(rows):
            continue
        shares = tuple(None if row is None else row.rejected_5 for row in rows)
        written = tuple(_written(row, words) for row in rows)
        found.append(Line(inference, capital(name(inference, words)), shares, written, rows, inference in OURS))
    return sorted(found, key=lambda line: -_first(line.shares))


def everybody() -> Iterable[SizeRow]:
    """Rows of all units, without an adjustment."""
    return (row for row in real_size() if row.group == "all" and row.adjust == "none")


def laws() -> int:
    """How many placebo laws there were in all, each counted once."""
    return sum(max(row.laws for row in everybody() if row.data == data) for data in DATA)


def units(data: str) -> int:
    """How many units a data set has."""
    return max(row.units for row in everybody() if row.data == data)


def data_name(data: str, words: Words) -> str:
    """What a data set is called."""
    return words(f"figure.real_size.{data}", count=words.number(units(data)))


def name(inference: str, words: Words) -> str:
    """What a way of measuring uncertainty is called; some are none of ours but what programs print."""
    key = f"figure.real_size.{inference}"
    return words(key) if key in words else sentences.inference(inference, words)


def _first(shares: Iterable[float | None]) -> float:
    return next((share for share in shares if share is not None), -1.0)


def _written(row: SizeRow | None, words: Words) -> str:
    """The share as it stands at the right."""
    return NONE if row is None or row.rejected_5 is None else words.percent(row.rejected_5)


def draw(found: list[Line], words: Words, palette: Palette, width: int) -> Spec:
    """A dot for each data set, the promised share as a line, and the shares at the right."""
    stacked = width <= NARROW
    sets = [data_name(data, words) for data in DATA]
    column = COLUMN
    left = EDGE if stacked else min(margin((line.name for line in found), bold=True), NAMES)
    names = [broken(line.name, (width - 2 * column - 12 if stacked else left - 8) / 1.13) for line in found]
    tallest = max(len(one) for one in names)
    height = STACKED + LINE * (tallest - 1) if stacked else max(ROW, LINE * tallest + 6)
    above = LINE * (len(DATA) + 1 if stacked else 2) + 12
    # on a phone the numbers stand beside the name, above the dots, which may use the whole width
    frame = Frame(width, left, EDGE if stacked else 2 * column, above, 26, height * len(found))
    highest = max(PROMISED, *(share for line in found for share in line.shares if share is not None))
    ticks = tuple(STEP * step for step in range(6) if STEP * step <= highest + 0.05)
    scale = Scale(-0.015, highest + 0.03, ticks, 0)
    labels = [words.percent(tick) for tick in ticks]
    axis = number_axis(scale, palette, "bottom", grid=not stacked)
    axis["labelExpr"] = f"{labels!r}[round(datum.value / {STEP})]"
    x = quantity("x", scale, axis)
    y = quantity("y", Scale(0, len(found), (), 0), None, high_first=True)
    middle, named = ((height - 12) / height, (height - 31) / height) if stacked else (0.5, 0.5)
    layers = _promised(words, palette, x, y, len(found), (middle - 9 / height, middle + 9 / height))
    layers += _ends(found, palette, x, y, middle)
    for place in reversed(range(len(DATA))):
        layers += _dots(found, place, sets[place], palette, x, y, middle + (2 * place - 1) * APART / height)
    edge = frame.inner + frame.right
    for bold in (False, True):
        look = {"fontWeight": 700 if bold else 400}
        ink = palette.main if bold else palette.ink
        part = [(index, line) for index, line in enumerate(found) if line.bold == bold]
        for place in range(len(DATA)):
            written: list[Row] = [{"y": index + named, "text": line.written[place]} for index, line in part]
            layers.append(
                text_marks(written, edge - 4 - column * (len(DATA) - 1 - place), y, ink, align="right", **look)
            )
        layers += name_marks(
            [(index + named, names[index]) for index, _ in part],
            8 - frame.left if stacked else -8,
            y,
            ink,
            stacked,
            look | {"align": "left" if stacked else "right"},
        )
    return finish([*layers, *_legend(sets, palette, frame, stacked, column)], frame)


def _dots(
    found: list[Line],
    place: int,
    data: str,
    palette: Palette,
    x: dict[str, object],
    y: dict[str, object],
    middle: float,
) -> list[Layer]:
    """The dots of one data set: told apart by shape and filling, not by colour alone."""
    layers = []
    for bold in (False, True):
        rows: list[Row] = [
            {"x": line.shares[place], "y": index + middle, "told": f"{line.name}, {data}: {line.written[place]}"}
            for index, line in enumerate(found)
            if line.bold == bold and line.shares[place] is not None
        ]
        if rows:
            color = palette.main if bold else palette.muted
            dots = marks(rows, "point", opacity=1, **_shape(place, color, palette))
            layers.append(dots.encode(x=x, y=y, description=nominal("told")))
    return layers


def _shape(place: int, color: str, palette: Palette) -> dict[str, object]:
    if place == 0:
        return {
            "shape": "circle",
            "size": 90,
            "filled": True,
            "fill": color,
            "stroke": palette.paper,
            "strokeWidth": 1.5,
        }
    return {"shape": "diamond", "size": 80, "filled": True, "fill": palette.paper, "stroke": color, "strokeWidth": 1.8}


def _ends(
    found: list[Line], palette: Palette, x: dict[str, object], y: dict[str, object], middle: float
) -> list[Layer]:
    """A thin line from zero to the further dot, which leads the eye from the name."""
    rows: list[Row] = [
        {"x": 0.0, "x2": max(share for share in line.shares if share is not None), "y": index + middle}
        for index, line in enumerate(found)
        if any(share is not None for share in line.shares)
    ]
    return [marks(rows, "rule", color=palette.rule, strokeWidth=1, aria=False).encode(x=x, x2=field("x2"), y=y)]


def _promised(
    words: Words, palette: Palette, x: dict[str, object], y: dict[str, object], count: int, within: tuple[float, float]
) -> list[Layer]:
    """The promised share: a dashed line across every row's dots (never across a name), its label above the first."""
    across: list[Row] = [{"x": PROMISED, "y": index + within[0], "y2": index + within[1]} for index in range(count)]
    rule = marks(across, "rule", color=palette.accent, strokeWidth=2, strokeDash=[5, 3], aria=False)
    label: list[Row] = [{"x": PROMISED, "text": words("label.promised", level=words.percent(PROMISED))}]
    return [
        rule.encode(x=x, y=y, y2=field("y2")),
        text_marks(label, x, -4, palette.accent_ink, dx=-6, baseline="bottom", fontWeight=600),
    ]


def _legend(sets: list[str], palette: Palette, frame: Frame, stacked: bool, column: int) -> list[Layer]:
    """What the two shapes are, beside one another or (on phones) below; and each shape again above its column of numbers."""
    layers = []
    edge = frame.inner + frame.right
    start = float(8 - frame.left if stacked else 6)
    top = float(8 - frame.top + LINE / 2)
    for place, label in enumerate(sets):
        shape = marks([{}], "point", opacity=1, aria=False, **_shape(place, palette.muted, palette))
        layers.append(shape.encode(x=at(start), y=at(top)))
        layers.append(text_marks([{"text": label}], start + 10, top, palette.muted))
        head = edge - 4 - column * (len(sets) - 1 - place) - 1.5 * LETTER
        layers.append(shape.encode(x=at(head), y=at(-12)))
        if stacked:
            top += LINE + 3
        else:
            start += 10 + len(label) * LETTER + 22
    return layers


def text(found: list[Line], result: Result, words: Words) -> FigureText:
    """The words around it: that it is the same on every page, and how many laws it counts."""
    usual = next((line.shares[0] for line in found if line.inference == "cluster"), None)
    loud = usual is not None and usual > 2 * PROMISED
    missing = words("number.missing")
    return FigureText(
        title=words("figure.real_size.title", share=words.percent(usual))
        if loud
        else words("figure.real_size.title_few"),
        subtitle=_subtitle(words),
        how=words("figure.real_size.how", level=words.percent(PROMISED)),
        description=words(
            "figure.real_size.description",
            rows=" ".join(
                words("figure.real_size.description_row", name=line.name, first=first, second=second)
                for line in found
                for first, second in [(missing if cell == NONE else cell for cell in line.written)]
            ),
        ),
        source=words("figure.real_size.source"),
    )


def _subtitle(words: Words) -> str:
    municipalities, states = (words.number(units(data)) for data in DATA)
    return words("figure.real_size.subtitle", laws=words.number(laws()), municipalities=municipalities, states=states)


def table_of(found: list[Line], result: Result, words: Words) -> Table:
    """One row per way and data set, with the laws counted and the standard error."""
    head = [
        words(f"figure.real_size.table.{key}")
        for key in ("inference", "method", "data", "laws", "share", "error", "none")
    ]
    rows = [
        (
            line.name, capital(words(f"methods.{row.estimator}.name")), capital(data_name(row.data, words)),
            words.number(row.laws), words.share(row.rejected_5), words.percent(row.se_5, 1), words.number(row.no_number),
        )
        for line in found
        for row in line.rows
        if row is not None
    ]  # fmt: skip
    return table(_subtitle(words), head, rows, (0, 1, 2))


FIGURE = Figure("real_size", "method", values, draw, text, table_of, "real_size.csv")
