"""An effect before there was one? The estimate had the programme started earlier, a row per pretended start."""

from __future__ import annotations

from evaluation.report import facts
from evaluation.report.figures.base import Figure, FigureText, Palette, Spec
from evaluation.report.figures.forest import described
from evaluation.report.figures.rows import Line, draw_rows
from evaluation.report.tables import Table, table
from evaluation.report.words import Words, capital
from evaluation.result import Result


def values(result: Result, words: Words) -> list[Line] | None:
    """One line per pretended start."""
    check = facts.check(result, "placebo_in_time")
    if check is None:
        return None
    starts = facts.texts(check.series.get("starts"))
    columns = (facts.numbers(check.series.get(key), len(starts)) for key in ("effects", "lower", "upper"))
    lines = [
        Line(capital(words.period(start)), effect, lower, upper, words.number(effect, result.design.decimals))
        for start, effect, lower, upper in zip(starts, *columns, strict=True)
        if effect is not None
    ]
    return lines or None


def draw(found: list[Line], words: Words, palette: Palette, width: int) -> Spec:
    """The chart."""
    return draw_rows(found, words, palette, width)


def text(found: list[Line], result: Result, words: Words) -> FigureText:
    """The words around it."""
    check = facts.check(result, "placebo_in_time")
    quiet = check is None or check.status == "passed"
    return FigureText(
        title=words(f"figure.placebo_in_time.{'quiet' if quiet else 'noisy'}"),
        subtitle=words("figure.placebo_in_time.subtitle", unit=words.text(result.design.outcome_unit)),
        how=words("figure.placebo_in_time.how"),
        description=words("figure.placebo_in_time.description", rows=described(found, result, words)),
    )


def table_of(found: list[Line], result: Result, words: Words) -> Table:
    """One row per pretended start."""
    check = facts.check(result, "placebo_in_time")
    known = facts.numbers(check.series.get("p_values") if check else None, len(found))
    decimals = result.design.decimals
    head = [words(f"table.{key}") for key in ("start", "effect", "lower", "upper", "p")]
    rows = [
        (
            line.name,
            line.written,
            words.number(line.lower, decimals),
            words.number(line.upper, decimals),
            words.p_value(p).removeprefix("=\N{NO-BREAK SPACE}"),
        )
        for line, p in zip(found, known, strict=True)
    ]
    return table(text(found, result, words).subtitle, head, rows)


FIGURE = Figure("placebo_in_time", "wrong", values, draw, text, table_of, "check_placebo_in_time.csv")
