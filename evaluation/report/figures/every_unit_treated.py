"""What if every unit were the treated one? The share each way of measuring uncertainty would call a significant effect."""

from __future__ import annotations

from evaluation.report import facts, sentences
from evaluation.report.figures.bars import Bar, draw_bars
from evaluation.report.figures.base import Figure, FigureText, Palette, Spec
from evaluation.report.tables import Table, table
from evaluation.report.words import Words, capital
from evaluation.result import Result


def values(result: Result, words: Words) -> tuple[list[Bar], float] | None:
    """A bar per inference, the most false alarms first, and the promised share."""
    check = facts.check(result, "every_unit_treated")
    if check is None:
        return None
    names = facts.texts(check.series.get("methods"))
    shares = facts.numbers(check.series.get("shares"), len(names))
    estimators = facts.texts(check.series.get("estimators")) or (result.headline.method,) * len(names)
    bars = [
        Bar(
            _name(name, estimator, result, words),
            share,
            words.share(share),
            name == result.headline.inference,
        )
        for name, share, estimator in zip(names, shares, estimators, strict=True)
        if share is not None
    ]
    promised = facts.number(check.facts.get("level")) or 0.05
    return (sorted(bars, key=lambda bar: -bar.share), promised) if bars else None


def _name(inference: str, estimator: str, result: Result, words: Words) -> str:
    """The inference, with its estimator where that is not the headline's."""
    name = capital(sentences.inference(inference, words))
    key = f"methods.{estimator}.name"
    if estimator == result.headline.method or key not in words:
        return name
    return words("figure.every_unit_treated.other_estimator", name=name, method=words(key))


def draw(found: tuple[list[Bar], float], words: Words, palette: Palette, width: int) -> Spec:
    """The chart."""
    bars, promised = found
    return draw_bars(bars, words, palette, width, (promised, words("label.promised", level=words.percent(promised))))


def text(found: tuple[list[Bar], float], result: Result, words: Words) -> FigureText:
    """The words around it: the worst one by name."""
    bars, promised = found
    check = facts.check(result, "every_unit_treated")
    assert check is not None
    names = facts.texts(check.series.get("methods"))
    shares = facts.numbers(check.series.get("shares"), len(names))
    worst = max(zip(names, shares, strict=True), key=lambda pair: pair[1] or 0.0)[0]
    loud = bars[0].share > 2 * promised
    title = words("figure.every_unit_treated.title_fine")
    if loud:
        title = words(
            "figure.every_unit_treated.title",
            method=capital(sentences.inference(worst, words, "the")),
            share=bars[0].written,
        )
    return FigureText(
        title=title,
        subtitle=words(
            "figure.every_unit_treated.subtitle",
            count=words.number(facts.number(check.facts.get("n_units"))),
            plural=words.text(result.design.unit_label_plural),
        ),
        how=words("figure.every_unit_treated.how", level=words.percent(promised)),
        description=words(
            "figure.every_unit_treated.description",
            rows=" ".join(
                words("figure.every_unit_treated.description_row", name=bar.name, share=bar.written) for bar in bars
            ),
        ),
    )


def table_of(found: tuple[list[Bar], float], result: Result, words: Words) -> Table:
    """One row per inference: how many of how many."""
    check = facts.check(result, "every_unit_treated")
    assert check is not None
    names = facts.texts(check.series.get("methods"))
    columns = (facts.numbers(check.series.get(key), len(names)) for key in ("shares", "counts", "n_units"))
    estimators = facts.texts(check.series.get("estimators")) or (result.headline.method,) * len(names)
    head = [words(f"table.{key}") for key in ("inference", "share", "count", "of")]
    rows = [
        (_name(name, estimator, result, words), words.share(share), words.number(count), words.number(total))
        for name, estimator, share, count, total in zip(names, estimators, *columns, strict=True)
    ]
    return table(text(found, result, words).subtitle, head, rows)


FIGURE = Figure("every_unit_treated", "turn", values, draw, text, table_of, "check_every_unit_treated.csv")
