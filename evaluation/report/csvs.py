"""The numbers of the page as CSV: comma, decimal point, UTF-8, English column names; the same text as the page's links."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from evaluation.proof import SizeRow, real_size
from evaluation.report import facts, secondary
from evaluation.report.audit_tables import csv_blocks
from evaluation.report.cycle import terms
from evaluation.result import CheckResult, Cycle, Estimate, Population, Result, Text, Value

_ESTIMATE = (
    "effect", "std_error", "lower", "upper", "level", "p_value", "baseline", "percent", "n_units", "n_treated", "n_periods",
)  # fmt: skip
_TABLES = frozenset(
    {
        "estimates.csv", "effects_by_period.csv", "weights.csv", "checks.csv", "cycle_ladder.csv", "flow.csv", "cycle_waterfall.csv",
        "cycle_coefficients.csv", "cycle_series.csv",
        "placebos.csv", "placebo_gaps.csv", "power.csv", "balance.csv", "persons.csv", "published.csv", "cycle_audit.csv",
        "secondary.csv",
        "real_size.csv",
    }
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PERIOD = (
    "period",
    "event_time",
    "effect",
    "std_error",
    "lower",
    "upper",
    "p_value",
    "p_adjusted",
    "observed",
    "counterfactual",
)


def is_table(name: str) -> bool:
    """Whether a file of this name may be one of the tables."""
    return name in _TABLES or (name.startswith(("check_", "audit_")) and name.endswith(".csv"))


def csv_files(result: Result) -> dict[str, str]:
    """Every table by file name, e.g. "estimates.csv"; a table without rows is left out."""
    every = (result.headline, *result.estimates)
    tables: dict[str, tuple[Sequence[str], list[Sequence[object]]]] = {
        "estimates.csv": (
            ("role", "method", "label", "adjust", "inference", *_ESTIMATE),
            [
                (
                    "headline" if one is result.headline else "further",
                    *_name(one),
                    one.adjust,
                    one.inference,
                    *(getattr(one, key) for key in _ESTIMATE),
                )
                for one in every
            ],
        ),
        "effects_by_period.csv": (
            ("method", "label", *_PERIOD),
            [(*_name(one), *(getattr(step, key) for key in _PERIOD)) for one in every for step in one.path],
        ),
        "weights.csv": (
            ("method", "label", "kind", "name", "weight"),
            [
                (*_name(one), kind, name, weight)
                for one in every
                for kind, weights in (("unit", one.unit_weights), ("time", one.time_weights))
                for name, weight in weights.items()
            ],
        ),
        "checks.csv": (
            ("id", "status", "value", "threshold", "reason"),
            [(one.id, one.status, one.value, one.threshold, one.reason) for one in result.checks],
        ),
        "flow.csv": (("step", "rows", "units"), [(one.step, one.rows, one.units) for one in result.flow]),
        "published.csv": (
            ("low", "high", "unit", "label", "source"),
            [
                (one.low, one.high, *(_text_of(text) for text in (one.unit, one.label, one.source)))
                for one in result.published
            ],
        ),
    }
    tables["secondary.csv"] = secondary.csv_rows(result)
    if result.population is not None:
        tables |= _persons(result.population)
    tables |= _placebos(result.headline, result)
    tables |= _power(result.headline)
    tables |= _proof()
    tables |= _cycle(result.cycle)
    tables |= _audit(result.cycle.audit)
    for check in result.checks:
        columns = {key: column for key, column in check.series.items() if isinstance(column, list) and _flat(column)}
        if columns:
            tables[f"check_{check.id}.csv"] = (tuple(columns), list(zip_longest(*columns.values())))
    return {name: _text(head, rows) for name, (head, rows) in tables.items() if rows}


def _placebos(estimate: Estimate, result: Result) -> dict[str, tuple[Sequence[str], list[Sequence[object]]]]:
    found = facts.placebos(estimate)
    if found is None:
        return {}
    treated = ", ".join(result.design.treated)
    drawn = [() for _ in found.units] if not found.weights else [(weight,) for weight in found.weights]
    own = (treated, 1, found.treated_effect, found.treated_rmspe_before, found.treated_ratio)
    others = zip(found.units, found.effects, found.rmspe_before, found.ratios, drawn, strict=True)
    lines = [(treated, found.treated_gaps), *zip(found.units, found.gaps, strict=False)]
    return {
        "placebos.csv": (
            ("unit", "treated", "effect", "rmspe_before", "ratio_after_to_before", *(("weight",) if found.weights else ())),
            [
                (*own, *((found.smallest_p,) if found.weights else ())),
                *((unit, 0, *rest, *weight) for unit, *rest, weight in others),
            ],
        ),
        "placebo_gaps.csv": (
            ("unit", "period", "gap"),
            [(unit, period, gap) for unit, row in lines for period, gap in zip(found.periods, row, strict=False)],
        ),
    }


def _power(estimate: Estimate) -> dict[str, tuple[Sequence[str], list[Sequence[object]]]]:
    """The chance of finding an effect, by its size."""
    found = estimate.details.get("power")
    curve = found.get("curve") if isinstance(found, dict) else None
    if not isinstance(curve, dict):
        return {}
    steps = zip(facts.numbers(curve.get("effects")), facts.numbers(curve.get("power")), strict=False)
    return {"power.csv": (("effect", "power"), list(steps))}


def _proof() -> dict[str, tuple[Sequence[str], list[Sequence[object]]]]:
    """What was measured of the methods themselves, the same for every Result."""
    fields = [each.name for each in dataclasses.fields(SizeRow)]
    return {"real_size.csv": (fields, [tuple(getattr(row, key) for key in fields) for row in real_size()])}


def _cycle(cycle: Cycle) -> dict[str, tuple[Sequence[str], list[Sequence[object]]]]:
    """The ladder, the parts of the raw change, the coefficients of the headline's adjustment, and the series that were used."""
    rung = (
        "adjust", "variant", "status", "reason", "headline", "recommended", "method", "inference", "effect", "lower", "upper",
        "p_value", "removed", "removed_lower", "removed_upper", "n_units", "n_donors",
    )  # fmt: skip
    part = ("name", "amount", "lower", "upper")
    return {
        "cycle_ladder.csv": (rung, [tuple(_flag(getattr(one, key)) for key in rung) for one in cycle.ladder]),
        "cycle_waterfall.csv": (part, [tuple(getattr(one, key) for key in part) for one in cycle.waterfall]),
        "cycle_coefficients.csv": (
            ("term", "unit", "value"),
            [
                (name, unit, json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value)
                for name, unit, value in terms(cycle.terms)
            ],
        ),
        "cycle_series.csv": (
            ("name", "label", "level", "unit", "facts"),
            [
                (
                    one.name,
                    _text_of(one.label),
                    one.level,
                    _text_of(one.unit),
                    json.dumps(one.facts, ensure_ascii=False),
                )
                for one in cycle.series
            ],
        ),
    }


def _audit(checks: Sequence[CheckResult]) -> dict[str, tuple[Sequence[str], list[Sequence[object]]]]:
    """The auditor's checks, their facts as JSON in one column, and the series of each in files of their own."""
    found: dict[str, tuple[Sequence[str], list[Sequence[object]]]] = {
        "cycle_audit.csv": (
            ("id", "status", "value", "threshold", "reason", "facts"),
            [
                (one.id, one.status, one.value, one.threshold, one.reason, json.dumps(one.facts, ensure_ascii=False))
                for one in checks
            ],
        )
    }
    for one in checks:
        found |= csv_blocks(one)
    return found


def _persons(people: Population) -> dict[str, tuple[Sequence[str], list[Sequence[object]]]]:
    """The balance, and every count of persons or rows in one long table."""
    long: list[Sequence[object]] = [("counter", code, "", "", count) for code, count in people.counters.items()]
    for key, (some, every) in people.imputed.items():
        side, _, when = key.partition("|")
        long += [("imputed_rows", side, when, "", some), ("rows", side, when, "", every)]
    for kind, series in (("exit", people.exits), ("mean", people.margins)):
        for name, sides in series.items():
            for side, found in sides.items():
                long += [
                    (kind, name, side, period, value) for period, value in zip(people.periods, found, strict=False)
                ]
    fields = ("covariate", "band", "treated", "before", "after", "difference_before", "difference_after")
    return {
        "balance.csv": (fields, [tuple(getattr(row, key) for key in fields) for row in people.balance]),
        "persons.csv": (("kind", "name", "part", "period", "value"), long),
    }


def _flag(value: object) -> object:
    return int(value) if isinstance(value, bool) else value


def _text_of(text: Text) -> str:
    return text.get("en") or next(iter(text.values()), "")


def _name(estimate: Estimate) -> tuple[str, str]:
    label = estimate.details.get("label")
    return estimate.method, label if isinstance(label, str) else ""


def _flat(column: Iterable[Value]) -> bool:
    return not any(isinstance(cell, (list, dict)) for cell in column)


def _text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> str:
    """A number with ten significant digits: more would only be the last bits of one machine's arithmetic."""
    if value is None:
        return ""
    if isinstance(value, str):
        # a spreadsheet would compute a text that begins like a formula; with an apostrophe before it, it stays a text
        # (and a lone carriage return would end the row: the csv module does not quote it)
        return (f"'{value}" if value.startswith(_FORMULA) else value).replace("\r", " ")
    return f"{value:.10g}" if isinstance(value, float) else str(value)
