"""Checks that are many estimates with intervals, sorted by size: the reactions to the cycle, and the effects that were planted."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import facts
from evaluation.report.figures.audit_base import audit_figure, column, label_middle, line_tops
from evaluation.report.figures.base import (
    Frame,
    Palette,
    Row,
    Scale,
    Spec,
    at,
    field,
    finish,
    marks,
    number_axis,
    quantity,
    scale,
    text_marks,
)
from evaluation.report.words import Words
from evaluation.result import CheckResult, Result


@dataclass(frozen=True, slots=True)
class Sorted:
    """Estimates with intervals, which of them count more, the one that is marked, and labelled lines across all.

    A line is (place, label, strong): a strong one is drawn whole and a weak one dashed.
    """

    values: tuple[float, ...]
    lows: tuple[float | None, ...]
    highs: tuple[float | None, ...]
    strong: tuple[bool, ...]
    lines: tuple[tuple[float, str, bool], ...]
    own: tuple[float, float | None, float | None] | None = None


def _draw(found: Sorted, words: Words, palette: Palette, width: int) -> Spec:
    """Thin intervals from below up, the marked one in a row of its own at the top."""
    order = sorted(range(len(found.values)), key=lambda place: found.values[place])
    ends = [*found.values, *found.lows, *found.highs, *(place for place, _, _ in found.lines), *(found.own or ())]
    axis = scale(ends, 4, pad=0.03)
    labels = [text for _, text, _ in found.lines]
    top = 8 + 18 * len(labels)
    step = max(1.6, min(9.0, 190 / max(1, len(order))))
    frame = Frame(width, 16, 16, top, 28, round(step * len(order)) + (24 if found.own else 6))
    x = quantity("x", axis, number_axis(axis, palette, "bottom"))
    y = quantity("y", Scale(0, frame.height, (), 0), None)
    layers = []
    for strong, color in ((False, palette.quiet), (True, palette.ink)):
        rows: list[Row] = [
            {"x": found.values[index], "low": found.lows[index], "high": found.highs[index], "y": 4 + step * place}
            for place, index in enumerate(order)
            if found.strong[index] == strong
        ]
        bars = [row for row in rows if row["low"] is not None and row["high"] is not None]
        if bars:
            mark = marks(bars, "rule", color=color, strokeWidth=1, opacity=0.45, aria=False)
            layers.append(mark.encode(x=x | {"field": "low"}, x2=field("high"), y=y))
        if rows:
            size = max(5.0, min(30.0, (1.4 * step) ** 2))
            layers.append(marks(rows, "circle", color=color, size=size, opacity=1, aria=False).encode(x=x, y=y))
    tops = line_tops([axis.place(value, frame.inner) for value, _, _ in found.lines], labels, frame)
    for place, (value, text, strong) in enumerate(found.lines):
        color = palette.main if strong else palette.accent
        dash = [1, 0] if strong else [5, 3]
        level = -4 - 18 * (len(labels) - 1 - place)
        rule = marks([{"x": value}], "rule", color=color, strokeWidth=2, strokeDash=dash, aria=False)
        layers.append(rule.encode(x=x, y=at(tops[place]), y2=at(frame.height)))
        middle = label_middle(axis.place(value, frame.inner), text, frame)
        ink = palette.main if strong else palette.accent_ink
        look = {"align": "center", "baseline": "bottom", "fontWeight": 600}
        layers.append(text_marks([{"text": text}], middle, level - 2, ink, **look))
    if found.own:
        value, low, high = found.own
        own: list[Row] = [{"x": value, "low": low, "high": high, "y": frame.height - 9}]
        if low is not None and high is not None:
            bar = marks(own, "rule", color=palette.main, strokeWidth=4, aria=False)
            layers.append(bar.encode(x=x | {"field": "low"}, x2=field("high"), y=y))
        look = {"shape": "diamond", "filled": True, "fill": palette.main, "stroke": palette.paper, "strokeWidth": 1.5}
        dot = marks(own, "point", size=150, opacity=1, aria=False, **look)
        layers.append(dot.encode(x=x, y=y))
    return finish(layers, frame)


def _sorted(
    check: CheckResult, names: tuple[str, str, str], lines: tuple[tuple[float, str, bool], ...], weights: tuple[float | None, ...] = (),
    own: tuple[float, float | None, float | None] | None = None, without: frozenset[int] = frozenset(),
) -> Sorted | None:  # fmt: skip
    values = column(check, names[0])
    lows, highs = (column(check, name, len(values)) for name in names[1:])
    heavy = (*weights, *(None,) * len(values))
    kept = [place for place, value in enumerate(values) if value is not None and place not in without]
    even = len({round(heavy[place] or 0.0, 9) for place in kept}) < 2
    if not kept:
        return None
    return Sorted(
        tuple(values[place] or 0.0 for place in kept),
        tuple(lows[place] for place in kept),
        tuple(highs[place] for place in kept),
        tuple(not even and (heavy[place] or 0.0) > 0.01 for place in kept),
        lines,
        own,
    )


def _loadings(check: CheckResult, result: Result, words: Words) -> Sorted | None:
    """Every unit's reaction; those the comparison leans on darker, the treated unit and the whole comparison marked."""
    names = facts.texts(check.series.get("units"))
    beta, low, high = (facts.number(check.facts.get(key)) for key in ("beta", "beta_low", "beta_high"))
    other = facts.number(check.facts.get("counterfactual_beta"))
    treated = words.listed(result.design.treated, 2)
    lines = tuple(
        (place, f"{name} {words.number(place, 2)}", strong)
        for place, name, strong in ((beta, treated, True), (other, words("audit.comparison"), False))
        if place is not None
    )
    own = None if beta is None else (beta, low, high)
    apart = frozenset(place for place, name in enumerate(names) if name in result.design.treated)
    return _sorted(check, ("betas", "lows", "highs"), lines, column(check, "weights", len(names)), own, apart)


def _planted(check: CheckResult, result: Result, words: Words) -> Sorted | None:
    """What was found of an effect that was planted, and the effect itself."""
    planted = facts.number(check.facts.get("planted"))
    decimals = result.design.decimals
    lines = () if planted is None else ((planted, f"{words('audit.planted')} {words.number(planted, decimals)}", True),)
    return _sorted(check, ("recovered", "lowers", "uppers"), lines)


LOADINGS = audit_figure("loading_balance", _loadings, _draw)
PLANTED = audit_figure("planted_effect", _planted, _draw)
