"""Does one unit decide? The estimate with each one left out, the extremes named."""

from __future__ import annotations

from evaluation.report import facts, sentences
from evaluation.report.figures.base import Figure, FigureText, Palette, Spec
from evaluation.report.figures.strip import Strip, draw_strip
from evaluation.report.tables import Table, table
from evaluation.report.words import Words
from evaluation.result import Result


def values(result: Result, words: Words) -> Strip | None:
    """The estimates without each unit, if the check was run."""
    check = facts.check(result, "leave_one_out")
    if check is None:
        return None
    units = facts.texts(check.series.get("units"))
    known = [
        (unit, effect)
        for unit, effect in zip(units, facts.numbers(check.series.get("effects")), strict=False)
        if effect is not None
    ]
    if not known:
        return None
    kept = facts.thinned([effect for _, effect in known])
    known = [known[place] for place in kept]
    names, effects = zip(*known, strict=True)
    full = facts.number(check.facts.get("full"))
    full = result.headline.effect if full is None else full
    decimals = result.design.decimals
    ends = {min(range(len(effects)), key=lambda i: effects[i]), max(range(len(effects)), key=lambda i: effects[i])}
    return Strip(
        names=tuple(words("label.without", unit=name) if index in ends else name for index, name in enumerate(names)),
        places=effects,
        lighter=(False,) * len(names),
        described=tuple(f"{name}: {words.number(effect, decimals)}" for name, effect in known),
        mark=full,
        mark_text=f"{words('label.all')} {words.number(full, decimals)}",
        mark_is_dot=False,
        named=tuple(sorted(ends, key=lambda i: effects[i])) if len(ends) == 2 else (),
    )


def draw(found: Strip, words: Words, palette: Palette, width: int) -> Spec:
    """The chart."""
    return draw_strip(found, words, palette, width)


def text(found: Strip, result: Result, words: Words) -> FigureText:
    """The words around it."""
    check = facts.check(result, "leave_one_out")
    assert check is not None
    decimals, plural = result.design.decimals, words.text(result.design.unit_label_plural)
    order = sorted(range(len(found.places)), key=lambda index: found.places[index])
    units = facts.texts(check.series.get("units"))
    every = sum(effect is not None for effect in facts.numbers(check.series.get("effects")))
    how = words("figure.leave_one_out.how")
    if len(found.places) < every:
        drawn = words(
            "figure.leave_one_out.drawn",
            shown=words.number(len(found.places)), count=words.number(every), file=sentences.file(FIGURE.csv, result),
        )  # fmt: skip
        how = f"{how} {drawn}"
    return FigureText(
        title=words(f"figure.leave_one_out.{'little' if check.status == 'passed' else 'much'}", plural=plural),
        subtitle=words("figure.leave_one_out.subtitle", plural=plural, unit=words.text(result.design.outcome_unit)),
        how=how,
        description=words(
            "figure.leave_one_out.description",
            count=words.number(every),
            low=words.number(found.places[order[0]], decimals),
            low_unit=str(check.facts.get("low_unit", units[order[0]])),
            high=words.number(found.places[order[-1]], decimals),
            high_unit=str(check.facts.get("high_unit", units[order[-1]])),
            full=words.number(found.mark, decimals),
        ),
    )


def table_of(found: Strip, result: Result, words: Words) -> Table | None:
    """One row per unit left out, lowest estimate first."""
    check = facts.check(result, "leave_one_out")
    if check is None:
        return None
    pairs = zip(facts.texts(check.series.get("units")), facts.numbers(check.series.get("effects")), strict=False)
    rows = sorted(((unit, effect) for unit, effect in pairs if effect is not None), key=lambda pair: (pair[1], pair[0]))
    caption = text(found, result, words).subtitle
    kept = facts.thinned([effect for _, effect in rows])
    if len(kept) < len(rows):
        shown = words("page.rows_shown", shown=words.number(len(kept)), count=words.number(len(rows)))
        caption, rows = f"{caption}. {shown}", [rows[place] for place in kept]
    head = (words("table.unit"), words("table.estimate_without"))
    cells = [(unit, words.number(effect, max(2, result.design.decimals))) for unit, effect in rows]
    return table(caption, head, cells)


FIGURE = Figure("leave_one_out", "wrong", values, draw, text, table_of, "check_leave_one_out.csv")
