"""What stands out with all looked at? A row per outcome and group, in standard errors, the primary outcome first and bold.

The rows have different units, so they share an axis only when each is divided by something of its own. Dividing by the level
(per cent) would let the outcomes with the lowest levels fill the figure, whatever chance does to them; the question here is which
of them stand out from chance, so each is divided by how much chance alone moves it. How large they are, the table says.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import secondary, sentences
from evaluation.report.figures.base import Figure, FigureText, Palette, Spec
from evaluation.report.figures.rows import Line, draw_rows
from evaluation.report.tables import Table, p_cell, table
from evaluation.report.words import Words, capital
from evaluation.result import Estimate, Result, Text, one_standard_error


@dataclass(frozen=True, slots=True)
class Standardised:
    """One row: the line that is drawn, in standard errors, and what it is made from."""

    line: Line
    estimate: Estimate
    error: float
    decimals: int
    unit: Text
    adjusted: float | None


def values(result: Result, words: Words) -> list[Standardised] | None:
    """The primary outcome and every secondary result that has a standard error; None without a secondary one."""
    design = result.design
    asked = [(design.outcome_label, result.headline, design.decimals, design.outcome_unit, result.headline.p_value)]
    asked += [(one.label, one.estimate, one.decimals, one.outcome_unit, one.p_adjusted) for one in result.secondary]
    rows = []
    for label, estimate, decimals, unit, p in asked:
        error = one_standard_error(estimate)
        if not error or p is None:
            continue
        low, high = (None if end is None else end / error for end in (estimate.lower, estimate.upper))
        line = Line(
            capital(words.text(label)),
            estimate.effect / error,
            low,
            high,
            words("secondary.p", p=words.p_value(p)),
            estimate is result.headline,
        )
        rows.append(Standardised(line, estimate, error, decimals, unit, p))
    return rows if any(not row.line.bold for row in rows) else None


def draw(found: list[Standardised], words: Words, palette: Palette, width: int) -> Spec:
    """The chart."""
    return draw_rows([row.line for row in found], words, palette, width)


def text(found: list[Standardised], result: Result, words: Words) -> FigureText:
    """The words around it: how many stand out once their number is allowed for."""
    count = sum(secondary.stands_out(one) for one in result.secondary)
    of = words.number(len(result.secondary))
    title = "title_none" if not count else "title_single" if len(result.secondary) == 1 else "title"
    return FigureText(
        title=words(f"figure.secondary.{title}", count=words.number(count), of=of),
        subtitle=words(
            "figure.secondary.subtitle",
            window=words.span(*result.design.window),
            level=sentences.level(result.headline, words),
        ),
        how=words("figure.secondary.how"),
        description=words("figure.secondary.description", rows=" ".join(_described(row, words) for row in found)),
    )


def _described(row: Standardised, words: Words) -> str:
    number, unit = words.number(row.estimate.effect, row.decimals), words.text(row.unit)
    return words(
        "figure.secondary.description_row",
        name=row.line.name,
        effect=words("number.amount", number=number, unit=unit) if unit else number,
        size=words.number(row.line.effect, 1),
        p=words.p_value(row.adjusted),
    )


def table_of(found: list[Standardised], result: Result, words: Words) -> Table:
    """The rows in standard errors."""
    head = [words(f"figure.secondary.column.{key}") for key in ("name", "effect", "lower", "upper", "error", "p")]
    rows = [
        (
            row.line.name,
            *(words.number(value, 2) for value in (row.line.effect, row.line.lower, row.line.upper)),
            words.number(row.error, row.decimals),
            p_cell(row.adjusted, words),
        )
        for row in found
    ]
    return table(text(found, result, words).subtitle, head, rows)


FIGURE = Figure("secondary_forest", "secondary", values, draw, text, table_of, "secondary.csv")
