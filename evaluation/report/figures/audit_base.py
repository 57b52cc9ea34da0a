"""What the figures of the auditor's checks share: their words by status, their table, and their place in the registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.report import audit_sentences, facts
from evaluation.report.audit_tables import FEW, tables
from evaluation.report.figures.base import LETTER, Figure, FigureText, Frame, Palette, Spec
from evaluation.report.figures.rows import Line
from evaluation.report.tables import Table
from evaluation.report.words import Words, capital
from evaluation.result import CheckResult, Result

GOOD = "passed"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one figure of a check draws, with rows in words for who cannot see them."""

    check: CheckResult
    values: Any
    described: str = ""


def audit_figure(
    name: str,
    values: Callable[[CheckResult, Result, Words], Any],
    draw: Callable[[Any, Words, Palette, int], Spec],
    described: Callable[[Any, Result, Words], str] | None = None,
    part: str = "",
) -> Figure:
    """The figure of one check (or with `part` a second one of it).

    `values` picks what is drawn (None: nothing to draw), `draw` draws it, `described` puts its rows in words. The words around
    it are those under `figure.audit_NAME`: the title `fine` where the check passed, else `doubt`.
    """
    key = f"audit_{name}" + (f"_{part}" if part else "")

    def of(result: Result, words: Words) -> Drawn | None:
        check = facts.audit(result, name)
        found = None if check is None else values(check, result, words)
        if check is None or found is None:
            return None
        return Drawn(check, found, described(found, result, words) if described else "")

    def text(found: Drawn, result: Result, words: Words) -> FigureText:
        slots = {**audit_sentences.slots(found.check, result, words), "rows": found.described}
        finding = "fine" if found.check.status == GOOD else "doubt"
        return FigureText(
            title=words(f"figure.{key}.{finding}", **slots),
            subtitle=capital(words(f"figure.{key}.subtitle", **slots)),
            how=words(f"figure.{key}.how", **slots),
            description=words(f"figure.{key}.description", **slots),
        )

    def table(found: Drawn, result: Result, words: Words) -> Table | None:
        every = tables(found.check, result, words, FEW)
        return every[place] if len(every) > (place := 1 if part else 0) else None

    ending = f"_{part}" if part else ""
    return Figure(
        key, "audit", of, lambda found, words, palette, width: draw(found.values, words, palette, width), text, table,
        f"audit_{name}{ending}.csv",
    )  # fmt: skip


def column(check: CheckResult, name: str, size: int | None = None) -> tuple[float | None, ...]:
    """Numbers of one column of a check's series."""
    return facts.numbers(check.series.get(name), size)


def lines_of(
    names: tuple[str, ...],
    check: CheckResult,
    result: Result,
    words: Words,
    bold: Callable[[int], bool] = lambda place: False,
) -> list[Line] | None:
    """A row per estimate of a check's series, without those that have none; None where nothing is left."""
    effects, lowers, uppers = (column(check, name, len(names)) for name in ("effects", "lowers", "uppers"))
    lines = [
        Line(name, effect, lower, upper, words.number(effect, result.design.decimals), bold(place))
        for place, (name, effect, lower, upper) in enumerate(zip(names, effects, lowers, uppers, strict=True))
        if effect is not None
    ]
    return lines or None


LABEL = 18
"""Height of one row of labels above a plot."""


def label_middle(place: float, text: str, frame: Frame) -> float:
    """The middle of a label above a place of the plot, moved so that no end leaves the figure."""
    half = len(text) * LETTER * 1.13 / 2
    return min(max(place, half - frame.left + 2), frame.inner + frame.right - half - 2)


def line_tops(places: Sequence[float], labels: Sequence[str], frame: Frame) -> list[float]:
    """Where the line under each label begins, one row of labels each: at its label, or under those it would run through."""
    tops = []
    for row, place in enumerate(places):
        top = row
        for below in range(row + 1, len(labels)):
            half = len(labels[below]) * LETTER * 1.13 / 2 + 3
            if abs(label_middle(places[below], labels[below], frame) - place) < half:
                top = below
        tops.append(-4.0 - LABEL * (len(labels) - 1 - top))
    return tops
