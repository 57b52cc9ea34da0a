"""The numbers behind the auditor's checks as tables and files: which columns belong together, and how each is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.report import facts
from evaluation.report.audit_sentences import item, labels_of, title
from evaluation.report.sentences import adjustment
from evaluation.report.tables import Table, table
from evaluation.report.words import Words, capital
from evaluation.result import CheckResult, Result, Value

FEW = 30
"""Rows of a table on the main page; the page for auditors and the files hold all."""

BLOCKS: dict[str, dict[str, tuple[str, ...]]] = {
    "loading_balance": {"": ("units", "betas", "lows", "highs", "weights")},
    "backcast": {"": ("periods", "observed", "backcast", "held_out"), "donors": ("donor_units", "donor_rmse")},
    "ladder": {"": ("adjusts", "variants", "effects", "lowers", "uppers", "statuses")},
    "equal_shock_placebos": {"": ("units", "effects")},
    "in_time_placebos": {"": ("starts", "windows", "effects", "lowers", "uppers", "p_values")},
    "negative_controls": {
        "": (
            "names", "labels_da", "labels_en", "effects", "units_da", "units_en", "lowers", "uppers", "p_values", "standardised",
        )
    },
    "common_shock": {"": ("kinds", "draws")},
    "planted_effect": {"": ("units", "recovered", "lowers", "uppers")},
    "factor_sufficiency": {"": ("ranks", "effects", "lowers", "uppers"), "shares": ("shares",)},
    "spillover_rings": {"": ("labels", "effects", "lowers", "uppers")},
    "donors": {"": ("labels", "kinds", "effects")},
    "policy_shocks": {
        "": ("names", "labels_da", "labels_en", "effects", "lowers", "uppers", "coefficients", "std_errors")
    },
    "composition": {"": ("states", "sides", "periods", "counts")},
    "breakdown": {"": ("drift", "effects", "lowers", "uppers")},
    "cycle_state": {
        "": ("phases", "effects", "lowers", "uppers"), "cycle": ("periods", "cycle"), "path": ("path_periods", "path_effects"),
    },
    "provenance": {"": ("items", "present")},
}  # fmt: skip
"""Check -> part -> columns that are rows together; the first part is the figure's."""

_TEXT = frozenset(
    {
        "units", "periods", "held_out", "donor_units", "adjusts", "variants", "starts", "names", "labels", "kinds", "states",
        "sides", "phases", "path_periods", "items", "present", "units_da", "units_en", "statuses", "windows",
    }
)  # fmt: skip
_PERIODS = frozenset({"periods", "path_periods", "starts"})
_OUTCOME = frozenset(
    {"effects", "lowers", "uppers", "observed", "backcast", "donor_rmse", "recovered", "path_effects", "draws"}
)
_COUNTED = frozenset({"ranks", "factor"})
_CODES = {
    "kinds": "audit.kind",
    "sides": "side",
    "states": "state",
    "statuses": "audit.statuses",
    "labels": "audit.ring",
}


@dataclass(frozen=True, slots=True)
class Block:
    """Equally long columns of one check: the part's name and the columns by name."""

    part: str
    columns: dict[str, list[Value]]


def blocks(check: CheckResult) -> list[Block]:
    """The series of a check as blocks of equally long columns; what no block names stands beside its first column's like."""
    series = {key: value for key, value in _plain(check).items() if isinstance(value, list)}
    found: list[Block] = []
    named = BLOCKS.get(check.id, {"": tuple(series)})
    for part, names in named.items():
        columns = {name: list(facts.values(series.pop(name))) for name in names if name in series}
        size = max((len(column) for column in columns.values()), default=0)
        if size:
            found.append(
                Block(part, {name: [*column, *[None] * (size - len(column))] for name, column in columns.items()})
            )
    for name, value in series.items():
        column: list[Value] = [str(each) if isinstance(each, (list, dict)) else each for each in facts.values(value)]
        home = next((block for block in found if len(next(iter(block.columns.values()))) == len(column)), None)
        if home is not None:
            home.columns[name] = column
        elif column:
            found.append(Block(name, {name: column}))
    return found


def csv_blocks(check: CheckResult) -> dict[str, tuple[tuple[str, ...], list[Sequence[object]]]]:
    """The files of one check: "audit_ID.csv" and, for numbers that are no rows of it, "audit_ID_PART.csv"."""
    return {
        f"audit_{check.id}{f'_{block.part}' if block.part else ''}.csv": (
            tuple(block.columns),
            list(zip(*block.columns.values(), strict=True)),
        )
        for block in blocks(check)
    }


def tables(check: CheckResult, result: Result, words: Words, most: int | None = None) -> list[Table]:
    """Every number of a check in tables; of long ones only `most` rows, evenly spaced."""
    found = []
    for block in blocks(check):
        columns = _shown(check, block, words)
        rows = list(zip(*(_written(name, column, result, words) for name, column in columns.items()), strict=True))
        caption = _caption(check, block.part, result, words)
        if most is not None and len(rows) > most:
            count = len(rows)
            rows = [rows[round(place * (count - 1) / (most - 1))] for place in range(most)]
            shown = words("page.rows_shown", shown=words.number(most), count=words.number(count))
            caption = f"{caption}. {shown}"
        text = [place for place, name in enumerate(columns) if name in _TEXT]
        found.append(table(caption, [_head(name, words) for name in columns], rows, text))
    return found


def _caption(check: CheckResult, part: str, result: Result, words: Words) -> str:
    key = f"audit.part.{part}"
    if not part or key not in words:
        return title(check, result, words)
    return words("audit.part.of", title=title(check, result, words), part=words(key))


def _plain(check: CheckResult) -> Mapping[str, Value]:
    """The series, with those that are nested or counted apart made one row per number."""
    series = dict(check.series)
    if check.id == "composition":
        return {
            **{key: value for key, value in series.items() if key not in {"states", "treated", "controls", "periods"}},
            **_exits(series),
        }
    if check.id == "backcast":
        held = set(facts.texts(series.get("held_out")))
        series["held_out"] = [int(period in held) for period in facts.texts(series.get("periods"))]
    if check.id == "factor_sufficiency" and "shares" in series:
        shares = facts.values(series.pop("shares"))
        return {**series, "shares": shares}
    return series


def _exits(series: Mapping[str, Value]) -> dict[str, Value]:
    """States by side and period as one long table; where there is one number a state, it is that of the last period."""
    states, periods = facts.texts(series.get("states")), facts.texts(series.get("periods"))
    rows: list[tuple[Value, Value, Value, Value]] = []
    for side in ("treated", "controls"):
        for state, one in zip(states, facts.values(series.get(side)), strict=False):
            several = one if isinstance(one, list) else [one]
            when = periods if len(periods) == len(several) else (periods[-1:] if len(several) == 1 else ())
            rows += [
                (state, side, period, value)
                for period, value in zip(when or ("",) * len(several), several, strict=False)
            ]
    return {name: [row[place] for row in rows] for place, name in enumerate(("states", "sides", "periods", "counts"))}


def _shown(check: CheckResult, block: Block, words: Words) -> dict[str, list[Value]]:
    """The columns of the page: labels in the reader's language instead of names in all."""
    columns = dict(block.columns)
    languages = {name for name in columns if name[-3:] in {"_da", "_en"}}
    units = columns.get(f"units_{words.language}", columns.get("units_en"))
    if "names" in columns and languages:
        columns["names"] = list(labels_of(check, words)) or columns["names"]
        if units is not None:
            columns = {"names": columns["names"], "units": units} | columns
    if block.part == "shares":
        numbered: list[Value] = [place + 1 for place in range(len(columns["shares"]))]
        columns = {"factor": numbered} | columns
    return {name: column for name, column in columns.items() if name not in languages}


def _head(name: str, words: Words) -> str:
    return words(key) if (key := f"audit.column.{name}") in words else capital(name.replace("_", " "))


def _written(name: str, column: Sequence[Value], result: Result, words: Words) -> list[str]:
    return [_cell(name, value, result, words) for value in column]


def _cell(name: str, value: Value, result: Result, words: Words) -> str:
    if name in {"present", "held_out"}:
        return words("audit.yes" if value else "audit.no")
    number = facts.number(value)
    if name in _TEXT:
        text = "" if value is None else str(value)
        if name == "adjusts":
            return capital(adjustment(text, words))
        if name == "items":
            return item(text, words)
        if name in _CODES:
            return words(key) if (key := f"{_CODES[name]}.{text}") in words else text.replace("_", " ")
        return words.period(text) if name in _PERIODS else text
    if value is not None and number is None and not isinstance(value, bool):
        return str(value)
    if name == "p_values":
        return words.p_value(number).removeprefix("=\N{NO-BREAK SPACE}")
    if name == "shares":
        return words.share(number)
    if name in _COUNTED or (name == "counts" and number is not None and number.is_integer()):
        return words.number(number)
    return words.number(number, result.design.decimals if name in _OUTCOME else 3)
