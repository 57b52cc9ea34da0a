"""What the page says of the persons behind a panel: who they are, what was mended, where they went, and how alike they are."""

from __future__ import annotations

import re

from evaluation.report.tables import Table, table
from evaluation.report.words import Words, capital
from evaluation.result import BalanceRow, FlowStep, Population, Published, Result

FINE, MOST = 0.05, 0.25
"""Standardised differences of the What Works Clearinghouse: up to the first nothing matters, beyond the second nothing helps."""

SIDES = ("treated", "controls")
MARGINS = ("any_hours", "hours_if_any", "annual_hours")
UNKNOWN_CODES, LOOKED_AT = "benefit_weeks_unknown_code", "benefit_weeks_looked_at"
"""The second counts what the first was looked for in, and says nothing without it."""
PART = frozenset({"observed"})
"""Steps of the flow that take nobody out: they tell how many of those who are left are seen throughout."""
_MONTH = re.compile(r"^(\d{4})-(\d{2})$")
_BAND = re.compile(r"^(\d+)(?:-(\d+)|(\+))?$")


def who_sentences(result: Result, words: Words) -> list[str]:
    """Which persons are followed, and how they were found."""
    people = result.population
    if people is None:
        return []
    slots = {
        "units": words.listed(result.design.treated),
        "treated": words.number(people.treated),
        "controls": words.number(people.controls),
        "count": words.number(len(result.design.controls)),
        "plural": words.text(result.design.unit_label_plural),
        "baseline": baseline(people, words),
    }
    if people.design != "cohort":
        return [words("persons.stock"), words("persons.stock_size", **slots)]
    return [words("persons.cohort", **slots), words("persons.followed")]


def balance_sentences(result: Result, words: Words) -> list[str]:
    """How the control persons were weighted, and what that left of them."""
    people = result.population
    if people is None:
        return []
    slots = {
        "units": words.listed(result.design.treated),
        "plural": words.text(result.design.unit_label_plural),
        "baseline": baseline(people, words),
    }
    key = words.first(f"weighting.{people.method}") or "weighting.other"
    said = [words(key, **slots)]
    if people.method != "none" and people.effective_controls is not None:
        effective = words.number(people.effective_controls)
        said.append(words("weighting.effective", controls=words.number(people.controls), effective=effective))
    if people.off_support is not None:
        key = "off_support" if people.off_support else "on_support"
        said.append(words(f"weighting.{key}", units=slots["units"], count=words.number(people.off_support)))
    return said


def counter_lines(result: Result, words: Words) -> list[str]:
    """How often each rule for the raw rows was used, a line each; what never happened and parts of a total are in the files."""
    counters = {} if result.population is None else dict(result.population.counters)
    if counters.get(UNKNOWN_CODES, 0) == 0:
        counters.pop(LOOKED_AT, None)
    # what was done to the hours first, then what was odd in each register
    codes = sorted(counters, key=lambda code: "_rows_" in code or "_weeks_" in code)
    return [
        words("persons.counter", name=_named(f"counter.{code}", code, words), count=counted(counters[code], words))
        for code in codes
        if "|" not in code and counters[code] != 0
    ]


def imputed_table(result: Result, words: Words) -> Table | None:
    """The share of rows with computed hours, by group and side of the baseline."""
    people = result.population
    if people is None or not people.imputed:
        return None
    rows = []
    for side in SIDES:
        pairs = [people.imputed.get(f"{side}|{when}", [None, None]) for when in ("before", "after")]
        rows.append((words(f"side.{side}"), *(_share(some, every, words) for some, every in pairs)))
    known = baseline(people, words)
    head = (words("side.group"), words("persons.until", baseline=known), words("persons.since", baseline=known))
    return table(words("persons.imputed"), head, rows)


def exits_table(result: Result, words: Words) -> Table | None:
    """Where the persons were at the end of the last period, in numbers and shares."""
    people = result.population
    if people is None or not people.exits or not people.periods:
        return None
    rows = []
    for state, sides in people.exits.items():
        cells = []
        for side, total in zip(SIDES, (people.treated, people.controls), strict=True):
            count = (sides.get(side) or [None])[-1]
            share = words.number(None if count is None else 100 * count / total, 1)
            cells.append(
                hidden(words) if count is None else words("persons.of", count=words.number(count), share=share)
            )
        rows.append((_named(f"state.{state}", state, words), *cells))
    head = (words("persons.state"), *(words(f"side.{side}") for side in SIDES))
    return table(words("persons.exits", period=words.period(people.periods[-1])), head, rows)


def margins_tables(result: Result, words: Words) -> list[Table]:
    """Hours a head by period, a table per group: the share with any hours times the hours of those who have any."""
    people = result.population
    if people is None or not all(measure in people.margins for measure in MARGINS):
        return []
    head = (words("table.period"), *(words(f"margin.{measure}") for measure in MARGINS))
    found = []
    for side in SIDES:
        rows = []
        for place, period in enumerate(people.periods):
            share, *hours = (people.margins[measure].get(side, [])[place] for measure in MARGINS)
            cells = [hidden(words) if value is None else words.number(value, 1) for value in hours]
            rows.append((words.period(period), hidden(words) if share is None else words.share(share), *cells))
        found.append(table(words(f"side.{side}"), head, rows))
    return found


def balance_table(caption: str, people: Population, words: Words) -> Table:
    """Every band: its shares (or the means) before and after weighting, and the standardised differences."""
    keys = ("treated", "controls_before", "controls_after", "difference_before", "difference_after")
    head = (words("table.covariate"), *(words(f"table.{key}") for key in keys))
    return table(caption, head, [_balance_row(row, words) for row in people.balance])


def _balance_row(row: BalanceRow, words: Words) -> tuple[str, ...]:
    name = full_name(row, words)
    if row.treated is None:
        return (name, *[hidden(words)] * 5)
    levels = (row.treated, row.before, row.after)
    written = [words.number(level, 1) if not row.band else words.percent(level, 1) for level in levels]
    return (name, *written, *(words.number(gap, 2) for gap in (row.difference_before, row.difference_after)))


def flow_table(caption: str, result: Result, words: Words) -> Table:
    """Every step with what was left and what it took away, rows of jobs too."""
    rows = []
    before: dict[object, int | None] = {}
    for step in result.flow:
        kind, known = str(step.facts.get("of")), step.rows
        last = before.get(kind)
        out = "" if last is None or known is None or step.step in PART else words.number(last - known)
        rows.append((step_name(step, words, True), counted(known, words), out, words.number(step.units)))
        before[kind] = last if known is None else known
    head = [words(f"flow.{key}") for key in ("step", "persons", "out", "units")]
    return table(caption, head, rows)


def published_sentences(result: Result, words: Words) -> list[str]:
    """What others have published for this effect, named as theirs."""
    said = []
    for one in result.published:
        slots = {"label": words.text(one.label), "range": published_range(one, words), "source": words.text(one.source)}
        said.append(words("published.sentence" if slots["source"] else "published.sentence_plain", **slots))
    return said


def published_range(one: Published, words: Words, unit: bool = True) -> str:
    """A published range as it stands in a sentence, with its unit or without."""
    decimals = 0 if all(float(value).is_integer() for value in (one.low, one.high)) else 1
    low, high = (words.number(value, decimals) for value in (one.low, one.high))
    text = low if low == high else words("number.range", low=low, high=high)
    return words("number.amount", number=text, unit=words.text(one.unit)) if unit and words.text(one.unit) else text


def baseline(people: Population, words: Words) -> str:
    """The baseline in words, whether it is written 2014M12 or 2014-12."""
    return words.period(_MONTH.sub(r"\1M\2", people.baseline))


def step_name(step: FlowStep, words: Words, registers: bool) -> str:
    """A step of the flow in words: from registers, or from the file of a panel."""
    key = words.first(*([f"persons.step.{step.step}"] if registers else []), f"steps.{step.step}")
    return words(key) if key else capital(step.step.replace("_", " "))


def covariate_name(code: str, words: Words) -> str:
    """A covariate in words."""
    return _named(f"covariate.{code}", code, words)


def band_name(row: BalanceRow, words: Words) -> str:
    """A band in words: "18–24 years", "60 years or more", "no hours", "women"."""
    if not row.band:
        return words("band.mean")
    key = words.first(f"band.{row.covariate}.{row.band}", f"band.{row.band}")
    if key is not None:
        return words(key)
    match = _BAND.match(row.band)
    if match is None or f"band.{row.covariate}.one" not in words:
        return row.band.replace("_", " ")
    kind = "above" if match[3] else "between" if match[2] else "one"
    low, high = (words.number(float(number)) if number else "" for number in (match[1], match[2]))
    return words(f"band.{row.covariate}.{kind}", low=low, high=high)


def full_name(row: BalanceRow, words: Words) -> str:
    """A covariate with its band: "Age: 60 years or more"."""
    return words("band.full", covariate=covariate_name(row.covariate, words), band=band_name(row, words))


def hidden(words: Words) -> str:
    """What stands where a number may not be shown."""
    return words("persons.hidden")


def counted(count: int | None, words: Words) -> str:
    """A count, or that it is not shown."""
    return hidden(words) if count is None else words.number(count)


def _share(some: int | None, every: int | None, words: Words) -> str:
    return hidden(words) if some is None or not every else words.percent(some / every, 1)


def _named(key: str, code: str, words: Words) -> str:
    return words(key) if key in words else capital(code.replace("_", " "))
