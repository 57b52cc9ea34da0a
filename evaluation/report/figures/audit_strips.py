"""Checks that are a dot per estimate: donors hit by an equal shock, and donors left out one at a time or by groups."""

from __future__ import annotations

from evaluation.report import facts
from evaluation.report.figures.audit_base import audit_figure, column
from evaluation.report.figures.base import Palette, Spec
from evaluation.report.figures.strip import Strip, draw_strip
from evaluation.report.words import Words
from evaluation.result import CheckResult, Result


def _draw(found: Strip, words: Words, palette: Palette, width: int) -> Spec:
    return draw_strip(found, words, palette, width)


def _strip(
    names: tuple[str, ...],
    effects: tuple[float | None, ...],
    mark: tuple[float, str, bool],
    result: Result,
    words: Words,
    lighter: frozenset[int] = frozenset(),
    named: frozenset[str] = frozenset(),
) -> Strip | None:
    """The dots that have an effect; `mark` is its place, its text, and whether it is a dot among them."""
    known = [place for place, effect in enumerate(effects) if effect is not None]
    kept = [known[place] for place in facts.thinned([effects[place] or 0.0 for place in known])]
    if not kept:
        return None
    order = sorted(
        (place for place, index in enumerate(kept) if names[index] in named),
        key=lambda place: effects[kept[place]] or 0.0,
    )
    return Strip(
        names=tuple(names[index] for index in kept),
        places=tuple(effects[index] or 0.0 for index in kept),
        lighter=tuple(index in lighter for index in kept),
        described=tuple(f"{names[index]}: {words.number(effects[index], result.design.decimals)}" for index in kept),
        mark=mark[0],
        mark_text=mark[1],
        mark_is_dot=mark[2],
        named=tuple(order),
    )


def _equal_shock(check: CheckResult, result: Result, words: Words) -> Strip | None:
    names = facts.texts(check.series.get("units"))
    effect = facts.number(check.facts.get("effect"))
    mark = result.headline.effect if effect is None else effect
    text = f"{words.listed(result.design.treated, 2)} {words.number(mark, result.design.decimals)}"
    return _strip(names, column(check, "effects", len(names)), (mark, text, True), result, words)


def _donors(check: CheckResult, result: Result, words: Words) -> Strip | None:
    """Single donors as filled dots, groups as hollow ones; the two extremes named."""
    names = facts.texts(check.series.get("labels"))
    kinds = facts.texts(check.series.get("kinds"))
    full = facts.number(check.facts.get("full"))
    mark = result.headline.effect if full is None else full
    text = f"{words('label.all')} {words.number(mark, result.design.decimals)}"
    ends = frozenset(str(check.facts.get(key, "")) for key in ("low_unit", "high_unit"))
    groups = frozenset(place for place, kind in enumerate(kinds) if kind == "group")
    return _strip(names, column(check, "effects", len(names)), (mark, text, False), result, words, groups, ends)


EQUAL_SHOCK = audit_figure("equal_shock_placebos", _equal_shock, _draw)
DONORS = audit_figure("donors", _donors, _draw)
