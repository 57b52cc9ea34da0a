"""Were the persons alike? Standardised differences at baseline, before weighting (hollow) and after it (filled)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from evaluation.report import persons
from evaluation.report.figures.base import (
    NARROW,
    Figure,
    FigureText,
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
    number_axis,
    quantity,
    scale,
    text_marks,
)
from evaluation.report.persons import FINE, MOST
from evaluation.report.tables import Table
from evaluation.report.words import Words
from evaluation.result import Population, Result

HEIGHT = 22


@dataclass(frozen=True, slots=True)
class Dot:
    """One band: its name, both differences, and what is said of it."""

    name: str
    full: str
    before: float
    after: float
    told: str


@dataclass(frozen=True, slots=True)
class Values:
    """The bands by covariate, and whether there are weights to tell before from after."""

    groups: tuple[tuple[str, tuple[Dot, ...]], ...]
    weighted: bool
    people: Population

    @property
    def dots(self) -> list[Dot]:
        """Every band."""
        return [dot for _, dots in self.groups for dot in dots]


def values(result: Result, words: Words) -> Values | None:
    """The bands whose differences are known; None without any."""
    people = result.population
    if people is None:
        return None
    groups = []
    for name, rows in groupby(people.balance, key=lambda row: row.covariate):
        dots = []
        for row in rows:
            before, after = row.difference_before, row.difference_after
            if before is None or after is None:
                continue
            full = persons.full_name(row, words)
            slots = {"name": full, "before": words.number(before, 2), "after": words.number(after, 2)}
            dots.append(Dot(persons.band_name(row, words), full, before, after, words("figure.love_plot.row", **slots)))
        if dots:
            groups.append((persons.covariate_name(name, words), tuple(dots)))
    return Values(tuple(groups), people.method != "none", people) if groups else None


def draw(found: Values, words: Words, palette: Palette, width: int) -> Spec:
    """A row per band under the name of its covariate; a band around zero and lines where differences get too large."""
    narrow = width <= NARROW
    left = min(margin((dot.name for dot in found.dots), 60) + 12, 160 if narrow else 230)
    heads = [broken(name, (width - 16) / 1.13) for name, _ in found.groups]
    places: list[tuple[Dot, float]] = []
    titles: list[tuple[float, list[str]]] = []
    row = 0.0
    for lines, (_, dots) in zip(heads, found.groups, strict=True):
        row += 0.7 * (len(lines) - 1)
        titles.append((row + 0.62, lines))
        places += [(dot, row + 1.5 + place) for place, dot in enumerate(dots)]
        row += 1.0 + len(dots) + 0.35
    frame = Frame(width, left, 16, 24, 28, round(row * HEIGHT))
    most = max(MOST * 1.2, *(abs(value) for dot in found.dots for value in (dot.before, dot.after)))
    axis = scale([-most, most], 4 if narrow else 6)
    x = quantity("x", axis, number_axis(axis, palette, "bottom", grid=False))
    y = quantity("y", Scale(0, row, (), 0), None, high_first=True)
    # the names of covariates stand across the plot, so lines run along the rows of dots only
    spans = [
        (title + 0.45, title + 0.88 + len(dots)) for (title, _), (_, dots) in zip(titles, found.groups, strict=True)
    ]
    near: list[Row] = [{"x": -FINE, "x2": FINE, "y": top, "y2": bottom} for top, bottom in spans]
    far: list[Row] = [{"x": side, "y": top, "y2": bottom} for side in (-MOST, MOST) for top, bottom in spans]
    zero: list[Row] = [{"x": 0.0, "y": top, "y2": bottom} for top, bottom in spans]
    span = {"y": y, "y2": field("y2")}
    layers = [
        marks(near, "rect", fill=palette.rule, aria=False).encode(x=x, x2=field("x2"), **span),
        marks(zero, "rule", color=palette.ink, strokeWidth=1, aria=False).encode(x=x, **span),
        marks(far, "rule", color=palette.accent, strokeWidth=1.5, strokeDash=[5, 3], aria=False).encode(x=x, **span),
        *_limits(words, palette, x),
    ]
    rows: list[Row] = [{"x": dot.after, "x2": dot.before, "y": place, "told": dot.told} for dot, place in places]
    if found.weighted:
        moved = marks(rows, "rule", color=palette.quiet, strokeWidth=1.5, aria=False)
        before = marks(
            rows, "circle", fill=palette.paper, stroke=palette.ink, strokeWidth=1.6, size=62, opacity=1, aria=False
        )
        layers.append(moved.encode(x=x, x2=field("x2"), y=y))
        layers.append(before.encode(x=x | {"field": "x2"}, y=y))
    after = marks(rows, "circle", fill=palette.main, stroke=palette.paper, strokeWidth=1, size=76, opacity=1)
    layers.append(after.encode(x=x, y=y, description=nominal("told")))
    names = [(place, [dot.name]) for dot, place in places]
    layers += name_marks(names, -10, y, palette.ink, False, {"align": "right"})
    layers += name_marks(titles, 4 - frame.left, y, palette.ink, True, {"fontWeight": 700})
    return finish(layers, frame)


def _limits(words: Words, palette: Palette, x: dict[str, object]) -> list[Layer]:
    """What the dashed lines stand for, above them."""
    labels: list[Row] = [{"x": side, "text": words.number(side, 2)} for side in (-MOST, MOST)]
    return [text_marks(labels, dict(x), -4, palette.accent_ink, align="center", baseline="bottom", fontWeight=600)]


def text(found: Values, result: Result, words: Words) -> FigureText:
    """The words around it: how alike the persons are."""
    first = max(found.dots, key=lambda dot: abs(dot.before))
    last = max(found.dots, key=lambda dot: abs(dot.after))
    size = abs(last.after)
    kind = "fine" if size <= FINE else "some" if size <= MOST else "large"
    plain = "" if found.weighted else "_plain"
    how = [words(f"figure.love_plot.how{plain}", fine=words.number(FINE, 2), most=words.number(MOST, 2))]
    if any(row.treated is None for row in found.people.balance):
        how.append(words("persons.hidden_text"))
    return FigureText(
        title=words(f"figure.love_plot.{kind}{plain}"),
        subtitle=words("figure.love_plot.subtitle", baseline=persons.baseline(found.people, words)),
        how=" ".join(how),
        description=words(
            f"figure.love_plot.description{plain}",
            before=words.number(first.before, 2),
            first=first.full,
            after=words.number(last.after, 2),
            last=last.full,
        ),
    )


def table_of(found: Values, result: Result, words: Words) -> Table:
    """The whole balance, with what the plot leaves out."""
    return persons.balance_table(text(found, result, words).subtitle, found.people, words)


FIGURE = Figure("love_plot", "weights", values, draw, text, table_of, "balance.csv")
