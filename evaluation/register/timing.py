"""When persons are found and when they are measured: baselines, periods, and which months and weeks belong to them.

Months are counted as 12 × year + month - 1, so that one is later than another when its number is larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import narwhals as nw

from evaluation.errors import SpecError
from evaluation.periods import Period, parse_period
from evaluation.register.expressions import where_holds
from evaluation.register.weeks import last_weeks

if TYPE_CHECKING:
    from evaluation.spec.model import Register

Week = tuple[int, int]
MONTHS = {"year": 12, "quarter": 3, "window": 12}


@dataclass(frozen=True, slots=True)
class Baseline:
    """A month at whose end persons are found, and the periods (their places in `Timing.periods`) measured for them."""

    year: int
    month: int
    periods: tuple[int, ...]

    @property
    def end(self) -> int:
        """The month's number."""
        return 12 * self.year + self.month - 1

    @property
    def home(self) -> int:
        """The latest year at whose end it is known where persons live: residence is registered on 31 December."""
        return home_year(self.end)

    @property
    def quarter(self) -> tuple[int, int]:
        """The quarter the month lies in, whose referral category counts."""
        return self.year, (self.month + 2) // 3

    def weeks(self, count: int) -> tuple[Week, ...]:
        """The last `count` weeks up to the month's end."""
        return last_weeks(self.year, self.month, count)


@dataclass(frozen=True, slots=True)
class Timing:
    """The periods of the outcome in order, the frequency they come in, and the baselines they belong to."""

    frequency: Literal["year", "quarter", "window"]
    periods: tuple[Period, ...]
    baselines: tuple[Baseline, ...]
    declared: int
    month: int
    stock: bool

    def end(self, place: int) -> int:
        """The number of a period's last month. A window is named after the year it ends in."""
        period = self.periods[place]
        if self.frequency == "quarter":
            return 3 * period.ordinal + 2
        return 12 * period.ordinal + (self.month - 1 if self.frequency == "window" else 11)

    def home(self, place: int) -> int:
        """The latest year at whose end it is known who lives where in a period."""
        return home_year(self.end(place))

    def weeks(self, place: int, count: int) -> tuple[Week, ...]:
        """The last `count` weeks of a period."""
        return last_weeks(*divmod_month(self.end(place)), count)

    def before(self, place: int) -> bool:
        """Whether a period was over when the declared baseline was reached."""
        return self.end(place) <= self.declared

    def span(self) -> tuple[int, int]:
        """The first and the last month that any period or baseline year needs hours of."""
        first = min(self.end(0) - MONTHS[self.frequency], *(each.end - 12 for each in self.baselines)) + 1
        return first, max(self.end(len(self.periods) - 1), *(each.end for each in self.baselines))

    def ordinal(self) -> nw.Expr:
        """The period's ordinal from the columns `year` and `month`; only comparisons and sums, which all engines agree on."""
        if self.frequency == "quarter":
            part = nw.sum_horizontal(*(where_holds(nw.col("month") > last) for last in (3, 6, 9)))
            return nw.col("year") * 4 + part
        if self.frequency == "window" and self.month < 12:
            return nw.col("year") + where_holds(nw.col("month") > self.month)
        return nw.col("year") + 0

    def last_quarter(self) -> nw.Expr:
        """Whether a month is one of the last three of its period."""
        if self.frequency == "quarter":
            return nw.col("month") > 0
        last = 12 if self.frequency == "year" else self.month
        return nw.col("month").is_in([(last - back - 1) % 12 + 1 for back in range(3)])


def timing(register: Register) -> Timing:
    """Baselines and periods of a spec.

    Raises
    ------
    SpecError
        A stock that is not found in December, or a cap on hours together with quarters.
    """
    who, outcome = register.who, register.outcome
    baseline = baseline_end(who.baseline)
    year, month = divmod_month(baseline)
    problems = []
    if who.design == "stock" and month != 12:
        problems.append('register.who.baseline: a stock is found each December; write the baseline as "2014-12"')
    if outcome.frequency == "quarter" and outcome.cap is not None:
        problems.append("register.outcome.cap: hours are cut off by year; leave the cap out, or measure years")
    first, last = register.periods
    if last < first:
        problems.append(f"register.periods: the first year, {first}, comes after the last, {last}")
    if problems:
        raise SpecError(*problems)
    quarters = outcome.frequency == "quarter"
    periods = (
        [Period("quarter", number) for number in range(4 * first, 4 * last + 4)]
        if quarters
        else [Period("year", number) for number in range(first, last + 1)]
    )
    each = 4 if quarters else 1
    baselines: Sequence[Baseline] = [Baseline(year, month, tuple(range(len(periods))))]
    if who.design == "stock":
        baselines = [
            Baseline(one - 1, 12, tuple(range(each * (one - first), each * (one - first) + each)))
            for one in range(first, last + 1)
        ]
    return Timing(outcome.frequency, tuple(periods), tuple(baselines), baseline, month, who.design == "stock")


def baseline_end(value: object) -> int:
    """The number of the month at whose end persons are found: "2014-12"; a year or a quarter means its last month."""
    period = parse_period(value)
    if period.frequency == "month":
        return period.ordinal
    per = 12 if period.frequency == "year" else 3
    return period.ordinal * per + per - 1


def divmod_month(number: int) -> tuple[int, int]:
    """Year and month of a month's number."""
    year, place = divmod(number, 12)
    return year, place + 1


def home_year(end: int) -> int:
    """The latest 31 December that is not after a month's end."""
    year, month = divmod_month(end)
    return year if month == 12 else year - 1
