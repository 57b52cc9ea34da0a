"""How unusual? A dot per unit without the programme, the treated one marked."""

from __future__ import annotations

import altair as alt

from evaluation.report import facts, sentences
from evaluation.report.figures.base import Figure, FigureText, Palette
from evaluation.report.figures.strip import Strip, draw_strip
from evaluation.report.tables import Table, placebo_table
from evaluation.report.words import Words
from evaluation.result import Result


def values(result: Result, words: Words) -> Strip | None:
    """The differences of all units, if the headline's inference made placebo comparisons."""
    found = facts.placebos(result.headline)
    if found is None:
        return None
    decimals = result.design.decimals
    name = words.listed(result.design.treated, 2)
    return Strip(
        names=found.units,
        places=found.effects,
        lighter=found.poorly_fitted,
        described=tuple(
            f"{unit}: {words.number(effect, decimals)}" for unit, effect in zip(found.units, found.effects, strict=True)
        ),
        mark=found.treated_effect,
        mark_text=f"{name} {words.number(found.treated_effect, decimals)}",
        mark_is_dot=True,
    )


def draw(found: Strip, words: Words, palette: Palette, width: int) -> alt.LayerChart:
    """The chart."""
    return draw_strip(found, words, palette, width)


def text(found: Strip, result: Result, words: Words) -> FigureText:
    """The words around it: the rank."""
    placebos = facts.placebos(result.headline)
    assert placebos is not None
    units = words.listed(result.design.treated)
    count = words.number(placebos.count)
    return FigureText(
        title=words("figure.rank_strip.title", units=units, rank=words.number(placebos.rank), count=count),
        subtitle=words(
            f"figure.rank_strip.{'subtitle_scaled' if placebos.scaled else 'subtitle'}",
            window=words.span(*result.design.window),
            unit=words.text(result.design.outcome_unit),
        ),
        how=words("figure.rank_strip.how", plural=words.text(result.design.unit_label_plural), units=units),
        description=words("figure.rank_strip.description", count=count, rank=sentences.rank_sentence(result, words)),
    )


def table(found: Strip, result: Result, words: Words) -> Table | None:
    """One row per unit."""
    return placebo_table(text(found, result, words).subtitle, result.headline, result, words)


FIGURE = Figure("rank_strip", "chance", values, draw, text, table, "placebos.csv")
