"""Why the uncertainty is measured as it is, and how often it errs in made-up panels of this design."""

from __future__ import annotations

from evaluation.proof import CoverageRow, fitting
from evaluation.report import facts
from evaluation.report.tables import Table, table
from evaluation.report.words import Words
from evaluation.result import Result


def chosen_sentences(result: Result, words: Words) -> list[str]:
    """The reason for the headline's inference; none where the spec asked for it by name."""
    chosen = result.headline.details.get("chosen")
    if not isinstance(chosen, dict) or f"chosen.{chosen.get('code')}" not in words:
        return []
    slots = {
        "treated": words.number(facts.number(chosen.get("treated"))),
        "controls": words.number(facts.number(chosen.get("controls"))),
        "alone": words.number(facts.number(chosen.get("alone"))),
        "enough": words.number(facts.number(chosen.get("enough"))),
        "p_fit": words.p_value(facts.number(chosen.get("p_fit"))),
        "alarms": words.share(facts.number(chosen.get("alarms")) or 0.0),
        "units": words.listed(result.design.treated),
    }
    return [words(f"chosen.{chosen['code']}", **slots)]


MOST_TREATED = 8
"""The simulated panels have one, two or five treated units; they say nothing about many more."""


def cited(result: Result, statistic: str = "effect") -> tuple[tuple[CoverageRow, ...], bool]:
    """The rows of the simulated panels nearest to this design, and whether they are those of its own adjustment for the cycle.

    Where the adjustment was not simulated with this estimator, the rows without any stand in. No rows where several starts, many
    treated units or an estimator that was not simulated leave nothing to cite.
    """
    headline, design = result.headline, result.design
    before = sum(one.event_time < 0 for one in headline.path)
    if facts.several_starts(result) or len(design.treated) > MOST_TREATED or not before:
        return (), True
    known = headline.details.get("persons")
    sizes = known if isinstance(known, dict) else {}
    label = headline.details.get("label")
    for adjust in dict.fromkeys((headline.adjust, "none")):
        rows = fitting(
            f"{headline.method} {label}" if isinstance(label, str) and label else headline.method,
            adjust,
            headline.inference,
            treated=len(design.treated),
            before=before,
            spread=facts.number(sizes.get("spread")),
            place=str(sizes.get("place", "")),
            statistic=statistic,
        )
        if rows:
            return rows, adjust == headline.adjust
    return (), True


def coverage_sentences(result: Result, words: Words) -> list[str]:
    """How often this estimator with this uncertainty calls nothing something, and where it errs more often than it promises."""
    rows, own = cited(result)
    if not rows:
        return [words("coverage.none")]
    shares = [row.size_05 for row in rows if row.size_05 is not None]
    first = rows[0]
    sentences = [
        words(
            "coverage.found" if len(rows) > 1 else "coverage.found_one",
            panels=words.number(min(row.replications for row in rows)),
            worlds=words.number(len(rows)),
            treated=words.number(first.treated),
            periods=words.number(first.periods),
            low=words.share(min(shares)),
            high=words.share(max(shares)),
        )
    ]
    for verdict in ("fails", "cautious"):
        named = [words(f"coverage.world.{row.world}") for row in rows if row.verdict == verdict]
        if named:
            sentences.append(words(f"coverage.{verdict}", worlds=words.listed(named)))
    if not own:
        sentences.append(words("coverage.unadjusted"))
    return sentences


def coverage_table(result: Result, words: Words) -> Table | None:
    """One row per simulated world: the headline, and the tests of single periods and of all together where these were counted."""
    rows, _ = cited(result)
    if not rows:
        return None
    counted = {name: {row.world: row for row in cited(result, name)[0]} for name in ("first_period", "joint")}
    also = [
        name for name, found in counted.items() if any(_size(found.get(row.world), row) is not None for row in rows)
    ]
    head = [words(f"coverage.{key}") for key in ("head", "size", *also, "covers", "finds")]
    return table(
        words("coverage.title"),
        head,
        [
            (
                words(f"coverage.world.{row.world}"),
                words.percent(row.size_05, 1),
                *(_told(_size(counted[name].get(row.world), row), words) for name in also),
                words.percent(row.coverage, 1),
                words.percent(row.power_100),
            )
            for row in rows
        ],
    )


def _size(row: CoverageRow | None, beside: CoverageRow) -> float | None:
    """The share of a further test's row, if it is of the same adjustment as the headline's row."""
    return row.size_05 if row is not None and row.adjust == beside.adjust else None


def _told(share: float | None, words: Words) -> str:
    return words("number.missing") if share is None else words.percent(share, 1)
