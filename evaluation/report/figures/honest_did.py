"""How different may trends be? The interval for the effect when trends may part after the start, a row per how much."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import facts, remarks
from evaluation.report.figures.base import Figure, FigureText, Palette, Spec
from evaluation.report.figures.rows import Line, draw_rows
from evaluation.report.tables import Table, table
from evaluation.report.words import Words
from evaluation.result import CheckResult, Result


@dataclass(frozen=True, slots=True)
class Drawn:
    """The check, and a row for each bound with the interval that takes parallel trends for granted first."""

    check: CheckResult
    lines: list[Line]


def values(result: Result, words: Words) -> Drawn | None:
    """The interval for parallel trends, and one for each bound above zero (with zero it is all but the same)."""
    check = facts.check(result, "honest_did")
    if check is None:
        return None
    effect = facts.number(check.facts.get("effect"))
    rows = _rows(check)
    if effect is None or len(rows) < 2:
        return None
    ends = facts.number(check.facts.get("lower")), facts.number(check.facts.get("upper"))
    lines = [_line(words("figure.honest_did.parallel"), effect, *ends, result, words, bold=True)]
    lines += [_line(_name(bound, words), effect, low, high, result, words) for bound, low, high in rows if bound > 0.0]
    return Drawn(check, lines)


def _rows(check: CheckResult) -> list[tuple[float, float | None, float | None]]:
    bounds = facts.numbers(check.series.get("m_bar"))
    ends = (facts.numbers(check.series.get(key), len(bounds)) for key in ("lowers", "uppers"))
    return [(bound, low, high) for bound, low, high in zip(bounds, *ends, strict=True) if bound is not None]


def _line(
    name: str, effect: float, low: float | None, high: float | None, result: Result, words: Words, bold: bool = False
) -> Line:
    """Hollow and dashed where the interval holds zero, or has no end."""
    decimals = result.design.decimals
    if low is None or high is None:
        return Line(name, effect, None, None, words("number.missing"), bold, quiet=True)
    ends = {"lower": words.number(low, decimals), "upper": words.number(high, decimals)}
    written = words("figure.honest_did.range", **ends)
    return Line(name, effect, low, high, written, bold, quiet=not bold and low <= 0.0 <= high)


def _name(bound: float, words: Words) -> str:
    """Half as large, as large, 1.5 times as large, ..."""
    key = {0.0: "none", 0.5: "half", 1.0: "same", 2.0: "twice"}.get(bound, "times")
    return words(f"figure.honest_did.{key}", times=words.number(bound, 1))


def draw(found: Drawn, words: Words, palette: Palette, width: int) -> Spec:
    """The chart."""
    return draw_rows(found.lines, words, palette, width)


def text(found: Drawn, result: Result, words: Words) -> FigureText:
    """The words around it: whether the effect outlives the bounds."""
    told = remarks.honest_slots(found.check, result, words)
    how = [words("figure.honest_did.how", **told)]
    if told["period"]:
        how.append(words("figure.honest_did.reference", **told))
    rows = [words("figure.honest_did.description_row", name=line.name, range=line.written) for line in found.lines]
    return FigureText(
        title=words(f"figure.honest_did.{remarks.honest_kind(found.check)}", **told),
        subtitle=words("figure.honest_did.subtitle", unit=words.text(result.design.outcome_unit)),
        how=" ".join(how),
        description=words("figure.honest_did.description", rows=" ".join(rows)),
    )


def table_of(found: Drawn, result: Result, words: Words) -> Table:
    """One row per bound, with the interval that had no sampling error beside it."""
    decimals = result.design.decimals
    head = [words(f"table.{key}") for key in ("trends_part", "lower", "upper", "exact_lower", "exact_upper")]
    bounds = _rows(found.check)
    exact = (facts.numbers(found.check.series.get(key), len(bounds)) for key in ("exact_lowers", "exact_uppers"))
    rows = [
        (_name(bound, words), *(words.number(value, decimals) for value in (low, high, *known)))
        for (bound, low, high), *known in zip(bounds, *exact, strict=True)
    ]
    return table(text(found, result, words).subtitle, head, rows)


FIGURE = Figure("honest_did", "wrong", values, draw, text, table_of, "check_honest_did.csv")
