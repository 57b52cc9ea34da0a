"""How many persons were left after each step from the registers to the comparison: a bar per step, and what it took away."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import persons
from evaluation.report.figures.base import (
    LINE,
    Figure,
    FigureText,
    Frame,
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
    quantity,
    text_marks,
)
from evaluation.report.tables import Table
from evaluation.report.words import MINUS, Words
from evaluation.result import Result

PERSONS = frozenset({"persons", "person-years"})
"""What a step may count to be drawn; rows of jobs stand in the table only."""
HEIGHT = 40
BAR = 11


@dataclass(frozen=True, slots=True)
class Step:
    """A step: its name, how many persons were left (None: not shown), both numbers as they are written, and whether it only
    tells of a part of those who are left."""

    name: str
    count: int | None
    written: str
    out: str
    part: bool


def values(result: Result, words: Words) -> list[Step] | None:
    """The steps that count persons; None without registers."""
    if result.population is None:
        return None
    steps: list[Step] = []
    last: int | None = None
    for one in result.flow:
        if one.facts.get("of", "persons") not in PERSONS:
            continue
        part = one.step in persons.PART
        took = 0 if last is None or one.rows is None or part else last - one.rows
        out = f"{MINUS}{words.number(took)}" if took > 0 else ""
        steps.append(Step(persons.step_name(one, words, True), one.rows, persons.counted(one.rows, words), out, part))
        last = last if one.rows is None else one.rows
    return steps if any(step.count for step in steps) else None


def draw(steps: list[Step], words: Words, palette: Palette, width: int) -> Spec:
    """Names above bars from zero, the number left at the right end, and under it what the step took away."""
    edge = width - 8
    right = max(margin((step.written for step in steps), bold=True), margin(step.out for step in steps))
    names = [broken(step.name, edge - right) for step in steps]
    tallest = max(len(lines) for lines in names)
    height = HEIGHT + LINE * (tallest - 1)
    frame = Frame(width, 4, 4, 4, 4, height * len(steps))
    longest = max(step.count or 0 for step in steps)
    # bars end where the numbers begin
    x = quantity("x", Scale(0, longest * frame.inner / (edge - right), (), 0), None)
    y = quantity("y", Scale(0, len(steps), (), 0), None, high_first=True)
    named, top, bottom = (LINE * tallest - 6) / height, (height - 8 - BAR) / height, (height - 8) / height
    known = [(place, step, step.count) for place, step in enumerate(steps) if step.count is not None]
    final = max(place for place, step in enumerate(steps) if not step.part or place == 0)
    layers = []
    for last in (False, True):
        drawn: list[Row] = [
            {"x": count, "zero": 0.0, "y": place + top, "y2": place + bottom, "told": f"{step.name}: {step.written}"}
            for place, step, count in known
            if (place == final) == last
        ]
        if drawn:
            bars = marks(drawn, "rect", fill=palette.main if last else palette.quiet)
            layers.append(bars.encode(x=x, x2=field("zero"), y=y, y2=field("y2"), description=nominal("told")))
    left: list[Row] = [{"y": place + named, "text": step.written} for place, step in enumerate(steps)]
    took: list[Row] = [
        {"y": place + (top + bottom) / 2, "text": step.out} for place, step in enumerate(steps) if step.out
    ]
    layers.append(text_marks(left, frame.inner, y, palette.ink, align="right", fontWeight=700))
    if took:
        layers.append(text_marks(took, frame.inner, y, palette.muted, align="right"))
    layers += name_marks([(place + named, lines) for place, lines in enumerate(names)], 0, y, palette.ink, True, {})
    return finish(layers, frame)


def text(steps: list[Step], result: Result, words: Words) -> FigureText:
    """The words around it: how many of how many are left."""
    shown = [step.written for step in steps if step.count is not None and not step.part]
    years = "_years" if any(one.facts.get("of") == "person-years" for one in result.flow) else ""
    rows = " ".join(words("figure.flow.description_row", name=step.name, count=step.written) for step in steps)
    return FigureText(
        title=words(f"figure.flow.title{years}", first=shown[0], last=shown[-1]),
        subtitle=words(f"figure.flow.subtitle{years}"),
        how=words("figure.flow.how"),
        description=words("figure.flow.description", rows=rows),
    )


def table_of(steps: list[Step], result: Result, words: Words) -> Table:
    """Every step, those that count rows of jobs too."""
    return persons.flow_table(text(steps, result, words).subtitle, result, words)


FIGURE = Figure("flow", "persons", values, draw, text, table_of, "flow.csv")
