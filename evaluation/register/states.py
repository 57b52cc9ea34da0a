"""What the weekly benefit codes say of a person at the end of each period, and over the years before the baseline.

A state of support (`education`, `fleksjob`, `disability_pension`, `on_benefit`) holds when at least one of the period's last
four weeks has such a code, since a week has a code when one day of it has; `self_support` holds when none of them has a code
of public support or of education. `dead`, `emigrated` and the exits are read from the last week alone. An empty week, and a
code that the layout does not know, is no support.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeAlias

import narwhals as nw

from evaluation.register.layout import Layout
from evaluation.register.timing import Timing, Week
from evaluation.register.weeks import weeks_of

Frame: TypeAlias = "nw.LazyFrame[Any]"

LEFT = ("disability_pension", "fleksjob", "education")
MEASURES = ("self_support", "education", "fleksjob", "disability_pension", "on_benefit")
LAST_WEEKS = 4
BENEFIT_YEARS = 7


def column(week: Week) -> str:
    """The canonical column of a week."""
    return f"week_{week[0]}_{week[1]:02d}"


def some_week(weeks: Iterable[Week], codes: Collection[int]) -> nw.Expr:
    """1 when at least one of a few weeks has one of the codes, else 0."""
    return nw.max_horizontal(*(_within(nw.col(column(week)), codes) for week in weeks))


def years_before(year: int) -> tuple[tuple[Week, ...], ...]:
    """The weeks of each of the calendar years before a baseline's year in which benefits are counted."""
    return tuple(weeks_of(one) for one in range(year - BENEFIT_YEARS, year))


def benefit_years(wide: Frame, layout: Layout, years: Sequence[Sequence[Week]]) -> Frame:
    """person, benefit_years: in how many of the years one week had public support; who never had is not in it.

    The week columns are turned into rows, for the members only: as one expression over hundreds of columns they take engines
    longer to plan than to compute.
    """
    support = state_codes(layout, "on_benefit")
    frames = [
        _long(wide, weeks).filter(_within(nw.col("code"), support) == 1).select("person").unique() for weeks in years
    ]
    return nw.concat(frames, how="vertical").group_by("person").agg(benefit_years=nw.len().cast(nw.Int64))


def period_weeks(times: Timing, measures: Collection[str]) -> tuple[Week, ...]:
    """The weeks that `period_states` looks at: the last of each period, or its last four for the measures that need them."""
    count = LAST_WEEKS if set(measures) & set(MEASURES) else 1
    return tuple(sorted({week for place in range(len(times.periods)) for week in times.weeks(place, count)}))


def period_states(wide: Frame, layout: Layout, times: Timing, measures: Collection[str]) -> Frame:
    """person, place (of the period), and 0 or 1: dead, emigrated, left_STATE of `LEFT`, on_STATE for each measure but
    `self_support`, whose contrary is on_any. Who has no code in a period's last weeks is not in it.
    """  # fmt: skip
    lasts = [_number(times.weeks(place, 1)[0]) for place in range(len(times.periods))]
    code, week = nw.col("code"), nw.col("number")
    later = [nw.when(week > last).then(1).otherwise(0) for last in lasts[:-1]]
    at_end = nw.when(week.is_in(lasts)).then(1).otherwise(0)
    flags = {name: at_end * _within(code, state_codes(layout, name)) for name in ("dead", "emigrated")}
    flags |= {f"left_{name}": at_end * _within(code, state_codes(layout, name)) for name in LEFT}
    flags |= {state_column(name): _within(code, state_codes(layout, name)) for name in MEASURES if name in measures}
    return (
        _long(wide, period_weeks(times, measures))
        .with_columns(
            number=nw.col("week").str.slice(5, 4).cast(nw.Int64) * 100 + nw.col("week").str.slice(10, 2).cast(nw.Int64)
        )
        .select("person", place=nw.sum_horizontal(*later) if later else nw.lit(0), **flags)
        .group_by("person", "place")
        .agg(**{name: nw.col(name).max() for name in flags})
    )


def state_column(measure: str) -> str:
    """The column of `period_states` behind a measure."""
    return "on_any" if measure == "self_support" else f"on_{measure}"


def state_codes(layout: Layout, state: str) -> frozenset[int]:
    """The codes of a state; "on_benefit" is public support, "self_support" stands for what rules it out."""
    support = layout.states.get("support", frozenset())
    if state == "on_benefit":
        return support
    if state == "self_support":
        return support | layout.states.get("education", frozenset())
    return layout.states.get(state, frozenset())


def ranges(codes: Collection[int]) -> tuple[tuple[int, int], ...]:
    """Whole numbers as few closed ranges, which engines test faster than long lists."""
    spans: list[tuple[int, int]] = []
    for code in sorted(codes):
        if spans and code == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], code)
        else:
            spans.append((code, code))
    return tuple(spans)


def _long(wide: Frame, weeks: Sequence[Week]) -> Frame:
    """person, week (the column's name), code: a row per week with a code."""
    columns = [column(week) for week in weeks]
    rows = wide.select("person", *columns).unpivot(on=columns, index="person", variable_name="week", value_name="code")
    return rows.filter(~nw.col("code").is_null())


def _number(week: Week) -> int:
    return 100 * week[0] + week[1]


def _within(value: nw.Expr, codes: Collection[int]) -> nw.Expr:
    """1 when the value is one of the codes, else 0; also where there is no value."""
    spans = ranges(codes)
    if not spans:
        return nw.when(value.is_null()).then(0).otherwise(0)
    inside = value.is_between(*spans[0])
    for low, high in spans[1:]:
        inside = inside | value.is_between(low, high)
    return nw.when(inside).then(1).otherwise(0)
