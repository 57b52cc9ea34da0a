"""Do the methods agree? A row per estimate, the headline first and bold."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import cycle, facts, persons, sentences
from evaluation.report.figures.base import Figure, FigureText, Palette, Spec
from evaluation.report.figures.rows import Band, Line, draw_rows
from evaluation.report.tables import Table, estimates_table, p_cell, table
from evaluation.report.words import Words, capital
from evaluation.result import Result


@dataclass(frozen=True, slots=True)
class Forest:
    """A row per estimate, and the ranges that others have published in the same unit."""

    lines: list[Line]
    published: tuple[Band, ...] = ()


def values(result: Result, words: Words) -> Forest | None:
    """The headline and every further estimate; what others have published where it is in the outcome's unit."""
    lines = [
        Line(
            capital(sentences.method(one, words)), one.effect, one.lower, one.upper,
            words.number(one.effect, result.design.decimals), one is result.headline,
        )
        for one in (result.headline, *result.estimates)
    ]  # fmt: skip
    bands = [
        Band(one.low, one.high, words("label.published", range=persons.published_range(one, words, unit=False)))
        for one in result.published
        if words.text(one.unit) == words.text(result.design.outcome_unit)
    ]
    return Forest(lines, tuple(bands))


def draw(found: Forest, words: Words, palette: Palette, width: int) -> Spec:
    """The chart."""
    return draw_rows(found.lines, words, palette, width, found.published)


def text(found: Forest, result: Result, words: Words) -> FigureText:
    """The words around it: whether the methods agree, and whose the grey band is."""
    how, rows = [words("figure.forest.how")], [described(found.lines, result, words)]
    if found.published:
        how.append(words("figure.forest.how_published"))
        rows += [capital(band.label) + "." for band in found.published]
    return FigureText(
        title=words(f"figure.forest.{facts.agreement(result)}"),
        subtitle=words("figure.forest.subtitle", **_slots(result, words)),
        how=" ".join(how),
        description=words("figure.forest.description", rows=" ".join(rows)),
    )


def described(found: list[Line], result: Result, words: Words) -> str:
    """Every row in words."""
    decimals = result.design.decimals
    rows = []
    for line in found:
        if line.lower is None or line.upper is None:
            rows.append(words("figure.forest.description_row_plain", name=line.name, effect=line.written))
        else:
            between = words(
                "number.interval", lower=words.number(line.lower, decimals), upper=words.number(line.upper, decimals)
            )
            rows.append(words("figure.forest.description_row", name=line.name, effect=line.written, interval=between))
    return " ".join(rows)


def table_of(found: Forest, result: Result, words: Words) -> Table:
    """Every estimate."""
    return estimates_table(text(found, result, words).subtitle, result, words)


def ladder_values(result: Result, words: Words) -> list[Line] | None:
    """The headline under each adjustment that could be computed; nothing to compare with fewer than two."""
    shown = [rung for rung in result.cycle.ladder if rung.effect is not None]
    if len(shown) < 2:
        return None
    return [
        Line(
            cycle.rung_label(rung, words), rung.effect or 0.0, rung.lower, rung.upper,
            words.number(rung.effect, result.design.decimals), rung.headline, rung.status == "comparison",
        )
        for rung in shown
    ]  # fmt: skip


def ladder_text(found: list[Line], result: Result, words: Words) -> FigureText:
    """The words around the ladder."""
    how = [words("figure.ladder.how")]
    if any(line.quiet for line in found):
        how.append(words("figure.ladder.how_comparison"))
    if any(rung.status == "not_run" for rung in result.cycle.ladder):
        how.append(words("figure.ladder.how_not_run"))
    return FigureText(
        title=words("figure.ladder.title"),
        subtitle=words("figure.ladder.subtitle", **_slots(result, words)),
        how=" ".join(how),
        description=words("figure.ladder.description", rows=described(found, result, words)),
    )


def ladder_table(found: list[Line], result: Result, words: Words) -> Table:
    """Every rung, with how much it took out; the ones that could not be computed with the reason."""
    decimals = result.design.decimals
    head = [words(f"cycle.column.{key}") for key in ("rung", "effect", "lower", "upper", "p", "removed")]
    head += [words(f"cycle.column.{key}") for key in ("removed_lower", "removed_upper", "donors", "remark")]
    rows = [
        (
            capital(cycle.rung_name(rung, words)),
            *(_written(value, words, decimals) for value in (rung.effect, rung.lower, rung.upper)),
            "" if rung.p_value is None else p_cell(rung.p_value, words),
            *(_written(value, words, decimals) for value in (rung.removed, rung.removed_lower, rung.removed_upper)),
            words.number(rung.n_donors) if rung.n_donors else "",
            cycle.rung_state(rung, words),
        )
        for rung in result.cycle.ladder
    ]
    return table(ladder_text(found, result, words).subtitle, head, rows, (0, len(head) - 1))


def _written(value: float | None, words: Words, decimals: int) -> str:
    """A number, or nothing at all where there is none: the remark says why."""
    return "" if value is None else words.number(value, decimals)


def _slots(result: Result, words: Words) -> dict[str, str]:
    return {
        "window": words.span(*result.design.window),
        "unit": words.text(result.design.outcome_unit),
        "level": sentences.level(result.headline, words),
    }


FIGURE = Figure("forest", "methods", values, draw, text, table_of, "estimates.csv")
LADDER = Figure("ladder", "cycle", ladder_values, draw_rows, ladder_text, ladder_table, "cycle_ladder.csv")
