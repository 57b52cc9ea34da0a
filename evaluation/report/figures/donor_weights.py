"""What the comparison rests on: a bar per unit, the largest first."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import sentences
from evaluation.report.figures.bars import Bar, draw_bars
from evaluation.report.figures.base import Figure, FigureText, Palette, Spec
from evaluation.report.tables import Table, table
from evaluation.report.words import Words
from evaluation.result import Result

SHOWN = 12


@dataclass(frozen=True, slots=True)
class Values:
    """The bars that are drawn, and all weights by name, largest first."""

    bars: tuple[Bar, ...]
    weights: tuple[tuple[str, float], ...]
    method: str


def values(result: Result, words: Words) -> Values | None:
    """The weights of the headline; when they are all equal, those of the first estimate whose weights are not."""
    for estimate in (result.headline, *result.estimates):
        weights = [(name, weight) for name, weight in estimate.unit_weights.items() if weight > 0]
        if weights and max(weight for _, weight in weights) > 1.001 * min(weight for _, weight in weights):
            break
    else:
        return None
    weights.sort(key=lambda pair: (-pair[1], pair[0]))
    shown = [Bar(name, weight, words.share(weight), True) for name, weight in weights[:SHOWN]]
    if len(weights) > SHOWN:
        rest = sum(weight for _, weight in weights[SHOWN:])
        name = words("figure.donor_weights.rest", count=words.number(len(weights) - SHOWN))
        shown.append(Bar(name, rest, words.share(rest)))
    return Values(tuple(shown), tuple(weights), sentences.method(estimate, words))


def draw(found: Values, words: Words, palette: Palette, width: int) -> Spec:
    """The chart."""
    return draw_bars(found.bars, words, palette, width)


def text(found: Values, result: Result, words: Words) -> FigureText:
    """The words around it: who has the largest weight."""
    name, largest = found.weights[0]
    key = "subtitle" if len(found.weights) > SHOWN else "subtitle_all"
    return FigureText(
        title=words("figure.donor_weights.few", share=words.share(largest), unit=name),
        subtitle=words(
            f"figure.donor_weights.{key}",
            method=found.method,
            shown=words.number(SHOWN),
            used=words.number(len(found.weights)),
        ),
        how=words("figure.donor_weights.how"),
        description=words(
            "figure.donor_weights.description",
            rows=" ".join(
                words("figure.donor_weights.description_row", name=bar.name, share=bar.written) for bar in found.bars
            ),
        ),
    )


def table_of(found: Values, result: Result, words: Words) -> Table:
    """Every unit with a weight."""
    head = (words("table.unit"), words("table.weight"))
    return table(
        text(found, result, words).subtitle, head, [(name, words.share(weight)) for name, weight in found.weights]
    )


FIGURE = Figure("donor_weights", "weights", values, draw, text, table_of, "weights.csv")
