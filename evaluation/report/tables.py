"""A table as plain text cells: what stands one click below each figure, and in the sections that are tables themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evaluation.report import facts
from evaluation.report.sentences import inference, method
from evaluation.report.words import Words, capital
from evaluation.result import Estimate, PeriodEffect, Result


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, column heads, and rows whose first cell is the row's head; `text` columns are set left."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: frozenset[int] = frozenset({0})


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], text: Iterable[int] = (0,)) -> Table:
    """A Table from any sequences."""
    return Table(caption, tuple(head), tuple(tuple(row) for row in rows), frozenset(text))


def path_table(caption: str, path: Sequence[PeriodEffect], result: Result, words: Words) -> Table:
    """One row per period: observed, expected, effect and interval; p-values alone, and where known for all periods at once."""
    decimals = result.design.decimals
    jointly = any(one.p_adjusted is not None for one in path)
    columns = ("period", "observed", "expected", "effect", "lower", "upper", "p", *(("p_adjusted",) if jointly else ()))
    head = [words(f"table.{key}") for key in columns]
    rows = [
        (
            words.period(one.period) if one.period else words.number(one.event_time),
            *(
                words.number(value, decimals)
                for value in (one.observed, one.counterfactual, one.effect, one.lower, one.upper)
            ),
            p_cell(one.p_value, words),
            *((p_cell(one.p_adjusted, words),) if jointly else ()),
        )
        for one in path
    ]
    return table(caption, head, rows)


def estimates_table(caption: str, result: Result, words: Words) -> Table:
    """One row per estimate, headline first."""
    decimals = result.design.decimals
    head = [
        words(f"table.{key}")
        for key in ("method", "inference", "effect", "lower", "upper", "std_error", "p", "percent")
    ]
    rows = [
        (
            capital(method(one, words)),
            capital(inference(one.inference, words)),
            *(words.number(value, decimals) for value in (one.effect, one.lower, one.upper, one.std_error)),
            p_cell(one.p_value, words),
            words.number(one.percent, 1),
        )
        for one in (result.headline, *result.estimates)
    ]
    for other in result.published:
        if words.text(other.unit) == words.text(result.design.outcome_unit):
            ends = (words.number(value, decimals) for value in (other.low, other.high))
            rows.append((words("published.row"), words.text(other.label), "", *ends, "", "", ""))
    return table(caption, head, rows, (0, 1))


def placebo_table(caption: str, estimate: Estimate, result: Result, words: Words) -> Table | None:
    """One row per unit, the treated first, then by the size of the difference."""
    found = facts.placebos(estimate)
    if found is None:
        return None
    decimals = result.design.decimals
    head = [words(f"table.{key}") for key in ("unit", "effect", "rmspe", "ratio")]
    if found.weights:
        head.append(words("table.weight_drawn"))
    order = sorted(range(len(found.units)), key=lambda index: (-abs(found.effects[index]), found.units[index]))
    # the true assignment's own chance is the smallest share there can be
    weights = found.weights or (None,) * len(found.units)
    own = (found.treated_effect, found.treated_rmspe_before, found.treated_ratio, found.smallest_p)
    kept = set(facts.thinned(found.effects))
    lines = [(found.effects[i], found.rmspe_before[i], found.ratios[i], weights[i]) for i in order if i in kept]
    names = [words.listed(result.design.treated), *(found.units[i] for i in order if i in kept)]
    if len(kept) < len(order):
        shown = words("page.rows_shown", shown=words.number(len(kept)), count=words.number(len(order)))
        caption = f"{caption}. {shown}"
    rows = [
        (
            name,
            *(words.number(value, decimals) for value in (effect, before)),
            words.number(ratio, 1),
            *((words.share(weight),) if found.weights else ()),
        )
        for name, (effect, before, ratio, weight) in zip(names, (own, *lines), strict=True)
    ]
    return table(caption, head, rows)


def p_cell(value: float | None, words: Words) -> str:
    """A p-value as it stands in a column: without the sign of equality."""
    return words.p_value(value).removeprefix("=\N{NO-BREAK SPACE}")
