"""Paid hours: from one row per job and month to one row per person and period, and from there to each measure.

The steps, in this order: exact duplicates count once; a negative row is added to the job's month that it corrects; a job's
month that is left below zero becomes zero; jobs are summed within a month, months within a period. Every step is counted. Hours
are whole hundredths, so that all engines agree to the last digit and margins add up exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import narwhals as nw

from evaluation.errors import DataError
from evaluation.register.expressions import row_count, totals, where_holds
from evaluation.register.states import state_column
from evaluation.register.timing import MONTHS, Timing
from evaluation.spec.model import Register

if TYPE_CHECKING:
    from evaluation.register.sources import Sources

Frame: TypeAlias = "nw.LazyFrame[Any]"
Say: TypeAlias = Callable[[str, str], None]

COUNTERS = ("rows", "imputed", "duplicates", "corrections", "negative_months", "months_over")
FULL_QUARTER = 2775 * 13
"""Hundredths of an hour: 27.75 hours in each of a quarter's 13 weeks, three quarters of full time."""
ROWS_AT_ONCE = 2_000_000
"""About so many rows are aggregated at once: their hash tables stay small and fast, and memory bounded."""
BEFORE = 12


def person_hours(
    sources: Sources, register: Register, timing: Timing, persons: Frame, span: tuple[int, int], say: Say
) -> Frame:
    """Hours by person and period, kept in the engine.

    The register is read once: the rows of these persons, few columns wide, are kept in the engine (on disk where memory does
    not suffice) and added up some years at a time.

    Parameters
    ----------
    persons : lazy table
        A column `person`, each once.
    span : (first, last)
        The months (numbers) whose rows are read.

    Returns
    -------
    lazy table
        person, year (of the month), ordinal (of the period), hours (hundredths), last (those of its last three months), before
        (those of the twelve months up to the baseline; 0 in a stock), and `COUNTERS`.
    """
    say("Hours", "by person and period")
    rows = sources.engine.keep(_rows(sources, register, persons, span), "rows")
    table = sources.engine.collect(rows.group_by("year").agg(rows=row_count()))
    counts = dict(zip(table.column("year").to_pylist(), table.column("rows").to_pylist(), strict=True))
    if not counts:
        raise no_hours_at_all(register)
    parts = []
    for number, some in enumerate(_passes(counts)):
        months = _months_summed(sources, register, timing, rows.filter(nw.col("year").is_in(some)))
        parts.append(sources.engine.keep(months, f"hours{number}"))
    return parts[0] if len(parts) == 1 else nw.concat(parts, how="vertical")


def _passes(counts: Mapping[int, int]) -> list[list[int]]:
    """Years in order, as many together as have no more than `ROWS_AT_ONCE` rows."""
    passes: list[list[int]] = []
    held = 0
    for year in sorted(counts):
        if not passes or held + counts[year] > ROWS_AT_ONCE:
            passes.append([])
            held = 0
        passes[-1].append(year)
        held += counts[year]
    return passes


def by_period(parts: Frame) -> Frame:
    """person, ordinal with hours, last and counters: the passes added up."""
    return parts.group_by("person", "ordinal").agg(**totals("hours", "last", *COUNTERS))


def hours_before(parts: Frame, timing: Timing) -> Frame:
    """person, base, hours_before: hundredths of an hour in the twelve months up to the person's baseline."""
    if not timing.stock:
        return (
            parts.group_by("person")
            .agg(**totals("before"))
            .select("person", base=nw.lit(timing.baselines[0].year), hours_before=nw.col("before"))
        )
    # the baselines of a stock are Decembers, so the twelve months up to them are calendar years
    return (
        parts.group_by("person", "year")
        .agg(**totals("hours"))
        .select("person", base=nw.col("year"), hours_before=nw.col("hours"))
    )


def _rows(sources: Sources, register: Register, persons: Frame, span: tuple[int, int]) -> Frame:
    """These persons' rows of hours in the months needed. A register has hundreds of millions, so what is kept is narrow."""
    first, last = span
    number = nw.col("year") * 12 + nw.col("month") - 1
    rows = sources.hours.filter((number >= first) & (number <= last))
    columns = ["person", "job", "kind"]
    if register.outcome.kinds != "all":
        rows = rows.filter(nw.col("kind").is_in(list(register.outcome.kinds)))
        if len(set(register.outcome.kinds)) == 1:
            columns.remove("kind")
    return rows.join(persons, on="person", how="semi").select(
        *columns,
        "reported",
        year=nw.col("year").cast(nw.Int32),
        month=nw.col("month").cast(nw.Int32),
        hours_100=nw.col("hours_100").cast(nw.Int32),
    )


def _months_summed(sources: Sources, register: Register, timing: Timing, rows: Frame) -> Frame:
    """The hours of some years by person and period, in one plan."""
    outcome, limits = register.outcome, sources.layout.limits
    number = nw.col("year") * 12 + nw.col("month") - 1
    counted = where_holds(nw.col("reported"), nw.col("hours_100")) if outcome.reported_only else nw.col("hours_100") + 0
    once = (
        rows.group_by(*rows.collect_schema().names())
        .agg(rows=nw.len())
        .with_columns(
            counted=counted,
            duplicates=nw.col("rows") - 1,
            imputed=where_holds(~nw.col("reported"), 1),
            corrections=where_holds(nw.col("hours_100") < 0, 1),
            rows=nw.lit(1),
        )
    )
    by_job = once.group_by("person", "job", "year", "month").agg(
        **totals("counted", "rows", "imputed", "duplicates", "corrections")
    )
    by_month = (
        by_job.with_columns(
            negative_months=where_holds(nw.col("counted") < 0, 1),
            counted=where_holds(nw.col("counted") > 0, nw.col("counted")),
        )
        .group_by("person", "year", "month")
        .agg(**totals("counted", "rows", "imputed", "duplicates", "corrections", "negative_months"))
    )
    baseline = timing.declared
    is_before = (number > baseline - BEFORE) & (number <= baseline)
    return (
        by_month.with_columns(
            ordinal=timing.ordinal(),
            last=where_holds(timing.last_quarter(), nw.col("counted")),
            before=where_holds(is_before, nw.col("counted")),
            months_over=where_holds(nw.col("counted") > 100 * limits.month_hours, 1),
        )
        .rename({"counted": "hours"})
        .group_by("person", "year", "ordinal")
        .agg(**totals("hours", "last", "before", *COUNTERS))
    )


# ------------------------------------------------------------------ measures


def capped(register: Register) -> nw.Expr:
    """The hours of a person and period, cut off where the spec says so."""
    cap = register.outcome.cap
    if cap is None:
        return nw.col("hours") + 0
    most = round(100 * cap)
    return nw.when(nw.col("hours") > most).then(nw.lit(most)).otherwise(nw.col("hours"))


def years_over(register: Register, sources: Sources, timing: Timing) -> tuple[nw.Expr, nw.Expr]:
    """Whether a person's hours in a period are more than plausible, and whether they were cut off."""
    limit = 100 * sources.layout.limits.year_hours * MONTHS[timing.frequency] // 12
    cap = register.outcome.cap
    over_cap = nw.col("hours") * 0 if cap is None else where_holds(nw.col("hours") > round(100 * cap), 1)
    return where_holds(nw.col("hours") > limit, 1), over_cap


def value(measure: str) -> tuple[nw.Expr, nw.Expr]:
    """Who counts (0 or 1) and the whole number counted, from `present`, `worked` (hours after the cap), `last` and flags.

    `hours_if_any` counts those with hours, so that its total is that of `annual_hours` and its count the total of `any_hours`:
    mean hours = share with any × hours if any, exactly.
    """
    present = nw.col("present")
    any_hours = where_holds(nw.col("worked") > 0, 1)
    if measure == "annual_hours":
        return present, nw.col("worked") * present
    if measure == "any_hours":
        return present, any_hours * present
    if measure == "hours_if_any":
        return any_hours * present, nw.col("worked") * present
    if measure == "stable_employment":
        return present, where_holds(nw.col("last") >= FULL_QUARTER, 1) * present
    state = nw.col(state_column(measure))
    return present, (1 - state if measure == "self_support" else state) * present


def scale(measure: str) -> float:
    """What one of the whole numbers is in the measure's own unit."""
    return 0.01 if measure in ("annual_hours", "hours_if_any") else 1.0


def no_hours_at_all(register: Register) -> DataError:
    """The error for members of whom nobody has a single row of hours."""
    kinds = "any kind" if register.outcome.kinds == "all" else " or ".join(register.outcome.kinds)
    return DataError(
        f"register.hours: no person of the group has a row of hours ({kinds}) in any period; check that the registers use the "
        "same person keys, that the files cover [register] periods, and the layout's kinds of hours"
    )
