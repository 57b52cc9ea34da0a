"""How unusual? A dot per unit without the programme, the treated one marked."""

from __future__ import annotations

from evaluation.report import facts, sentences
from evaluation.report.figures.base import Figure, FigureText, Palette, Spec
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
    kept, poor = facts.thinned(found.effects), found.poorly_fitted
    return Strip(
        names=tuple(found.units[place] for place in kept),
        places=tuple(found.effects[place] for place in kept),
        lighter=tuple(poor[place] for place in kept),
        described=tuple(f"{found.units[place]}: {words.number(found.effects[place], decimals)}" for place in kept),
        mark=found.treated_effect,
        mark_text=f"{name} {words.number(found.treated_effect, decimals)}",
        mark_is_dot=True,
    )


def draw(found: Strip, words: Words, palette: Palette, width: int) -> Spec:
    """The chart."""
    return draw_strip(found, words, palette, width)


def text(found: Strip, result: Result, words: Words) -> FigureText:
    """The words around it: the rank."""
    placebos = facts.placebos(result.headline)
    assert placebos is not None
    units = words.listed(result.design.treated)
    count = words.number(placebos.count)
    how = words("figure.rank_strip.how", plural=sentences.group(result, words), units=units)
    if len(found.places) < len(placebos.units):
        drawn = words(
            "figure.rank_strip.drawn", shown=words.number(len(found.places)), count=words.number(len(placebos.units)),
            file=sentences.file(FIGURE.csv, result),
        )  # fmt: skip
        how = f"{how} {drawn}"
    return FigureText(
        title=words(
            sentences.many("figure.rank_strip.title", result),
            units=units,
            rank=words.number(placebos.rank),
            count=count,
        ),
        subtitle=words(
            f"figure.rank_strip.{'subtitle_scaled' if placebos.scaled else 'subtitle'}",
            window=words.span(*result.design.window),
            unit=words.text(result.design.outcome_unit),
        ),
        how=how,
        description=words("figure.rank_strip.description", count=count, rank=sentences.rank_sentence(result, words)),
    )


def table(found: Strip, result: Result, words: Words) -> Table | None:
    """One row per unit."""
    return placebo_table(text(found, result, words).subtitle, result.headline, result, words)


FIGURE = Figure("rank_strip", "chance", values, draw, text, table, "placebos.csv")
