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

from evaluation.register.expressions import where_holds
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
    """1 when at least one of the weeks has one of the codes, else 0.

    The weeks are joined to one text such as ",130,,731," that is searched once: as comparisons of hundreds of columns with
    dozens of ranges, it takes engines longer to plan than to compute.
    """
    text = nw.concat_str(
        nw.lit(""), *(nw.col(column(week)).cast(nw.String).fill_null("") for week in weeks), nw.lit(""), separator=","
    )
    wanted = "|".join(str(code) for code in sorted(codes)) or "none"
    return where_holds(text.str.contains(f",(?:{wanted}),"))


def years_before(year: int) -> tuple[tuple[Week, ...], ...]:
    """The weeks of each of the calendar years before a baseline's year in which benefits are counted."""
    return tuple(weeks_of(one) for one in range(year - BENEFIT_YEARS, year))


def benefit_years(layout: Layout, years: Sequence[Sequence[Week]]) -> nw.Expr:
    """In how many of the years at least one week had public support."""
    return nw.sum_horizontal(*(some_week(weeks, state_codes(layout, "on_benefit")) for weeks in years))


def period_weeks(times: Timing, measures: Collection[str]) -> tuple[Week, ...]:
    """The weeks that `period_states` looks at: the last of each period, or its last four for the measures that need them."""
    count = LAST_WEEKS if set(measures) & set(MEASURES) else 1
    return tuple(sorted({week for place in range(len(times.periods)) for week in times.weeks(place, count)}))


def period_states(wide: Frame, layout: Layout, times: Timing, measures: Collection[str]) -> Frame:
    """What the weeks say at the end of each period, of persons with the columns of `period_weeks`.

    Returns
    -------
    lazy table
        person, place (of the period), and 0 or 1: dead, emigrated, left_STATE of `LEFT`, on_STATE for each measure; behind
        `self_support` stands its contrary, on_any.
    """
    frames = []
    for place in range(len(times.periods)):
        last, four = times.weeks(place, 1), times.weeks(place, LAST_WEEKS)
        flags = {name: some_week(last, state_codes(layout, name)) for name in ("dead", "emigrated")}
        flags |= {f"left_{name}": some_week(last, state_codes(layout, name)) for name in LEFT}
        flags |= {
            state_column(name): some_week(four, state_codes(layout, name)) for name in MEASURES if name in measures
        }
        frames.append(wide.select("person", place=nw.lit(place), **flags))
    return frames[0] if len(frames) == 1 else nw.concat(frames, how="vertical")


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
