"""What a spec must fulfil beyond the types of its keys. Each rule looks at raw values, so that all rules speak at once.

A rule says nothing about a value whose type is wrong: that has been said already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

from evaluation.errors import did_you_mean
from evaluation.periods import Period, parse_period
from evaluation.spec.base import Language
from evaluation.spec.catalogue import Catalogue, Kind, option_fields
from evaluation.spec.cycle_rules import cycle, cycle_options, cycle_periods
from evaluation.spec.findings import Finding, explained, starts_at, treated_names, value_at
from evaluation.spec.locate import KeyPath
from evaluation.spec.model import NOT_AVAILABLE_YET
from evaluation.spec.options import checked
from evaluation.spec.register_rules import registers
from evaluation.spec.secondary_rules import secondary
from evaluation.spec.tables import by_language, describe, walk
from evaluation.spec.words import unknown_language

LANGUAGES: tuple[str, ...] = get_args(Language)

# texts without which nothing can be found or shown; elsewhere an empty text only means that there is none
_NEVER_EMPTY = (
    ("question",),
    ("data", "path"),
    ("data", "unit"),
    ("data", "time"),
    ("data", "outcome"),
    ("treatment", "start_column"),
    ("headline", "method"),
)
_LISTS = (
    ("languages",),
    ("data", "covariates"),
    ("treatment", "units"),
    ("controls", "only"),
    ("controls", "exclude"),
)


def ruled(raw: Mapping[str, Any], catalogue: Catalogue, meant: set[KeyPath]) -> Iterator[Finding]:
    """Everything the rules find; `meant` are keys that are only misspelt, so they are not called missing."""
    yield from _treatment(raw, meant)
    yield from _periods(raw)
    yield from _names_of_units(raw)
    yield from _repeated(raw)
    yield from _empty(raw)
    yield from _columns(raw)
    yield from _delimiter(raw)
    yield from _texts(raw)
    yield from _methods(raw, catalogue)
    yield from registers(raw)
    yield from secondary(raw, meant)
    yield from cycle(raw, catalogue, meant)


def without_planned(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """The spec without the parts that are described but not built, and the refusal of each of those."""
    kept: dict[str, Any] = dict(raw)
    findings = []
    for name, what in NOT_AVAILABLE_YET.items():
        path = tuple(name.split("."))
        table = kept if len(path) == 1 else kept.get(path[0])
        if not isinstance(table, Mapping) or path[-1] not in table:
            continue
        findings.append(Finding(path, f"'{name}' ({what}) is not available yet; leave it out", at="key"))
        if len(path) == 1:
            kept.pop(name)
        else:
            kept[path[0]] = {key: value for key, value in table.items() if key != path[-1]}
    return kept, findings


def _treatment(raw: Mapping[str, Any], meant: set[KeyPath]) -> Iterator[Finding]:
    table = raw.get("treatment")
    if not isinstance(table, Mapping):
        return
    meanings = describe(("treatment",))
    given = [name for name in ("units", "start") if name in table]
    if "start_column" in table:
        if given:
            what = "give either units and start, or start_column, not both"
            yield Finding(("treatment", "start_column"), what, at="key")
        if "starts" in table:
            what = "give either starts, or start_column, not both"
            yield Finding(("treatment", "start_column"), what, at="key")
        return
    if "starts" in table:
        if given:
            what = "starts names the units and when each began; leave units and start out"
            yield Finding(("treatment", "starts"), what, at="key")
        elif table["starts"] == {}:
            what = 'starts is empty; name each treated unit with its first treated period: { "..." = 2015 }'
            yield Finding(("treatment", "starts"), what)
        return
    missing = [name for name in ("units", "start") if name not in table and ("treatment", name) not in meant]
    if {("treatment", "start_column"), ("treatment", "starts")} & meant or not missing:
        return
    if len(missing) == 2 and not given:
        yield Finding(
            ("treatment",), "[treatment] needs units and start, or starts, or start_column; it has none of them"
        )
        return
    for name in missing:
        what = f"missing key {explained(name, meanings[name])} in [treatment]"
        yield Finding(("treatment", name), what)


def _periods(raw: Mapping[str, Any]) -> Iterator[Finding]:
    read: dict[KeyPath, Period] = {}
    places: list[KeyPath] = starts_at(raw)
    for pair in (("treatment", "window"), ("data", "periods")):
        value = value_at(raw, pair)
        if isinstance(value, list) and len(value) == 2:
            places += [(*pair, 0), (*pair, 1)]
    places += cycle_periods(raw)
    events = raw.get("event")
    places += [("event", index, "period") for index in range(len(events) if isinstance(events, list) else 0)]
    for path in places:
        value = value_at(raw, path)
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            continue
        try:
            read[path] = parse_period(value)
        except ValueError:
            yield Finding(path, f'\'{value}\' is not a period; write 2015, "2015Q1" or "2015M01"')
    first_of_each = [read[path] for path in starts_at(raw) if path in read]
    kinds = {period.frequency for period in first_of_each}
    start = min(first_of_each) if len(kinds) == 1 else next(iter(first_of_each), None)
    yield from _same_frequency(read, start)
    for pair in (("treatment", "window"), ("data", "periods")):
        first, last = read.get((*pair, 0)), read.get((*pair, 1))
        if first is None or last is None or first.frequency != last.frequency:
            continue
        if last < first:
            what = (
                f"{pair[-1]} ends in {last}, before it begins in {first}; write [{_written(last)}, {_written(first)}]"
            )
            yield Finding(pair, what)
        elif start is None or start.frequency != first.frequency:
            continue
        elif pair[-1] == "window" and first < start:
            yield Finding((*pair, 0), f"the window begins in {first}, before the start of treatment in {start}")
        elif pair[-1] == "periods" and start > last and "plan" in raw:
            continue  # planned for later; an evaluation says so once it has read the data
        elif pair[-1] == "periods" and not first < start <= last:
            what = f"treatment starts in {start}, but the periods used run from {first} to {last}"
            ahead = "; with a [plan] table, `--plan` looks ahead to it" if start > last else ""
            yield Finding(pair, f"{what}; periods before the start and at least one after it are needed{ahead}")


def _written(period: Period) -> str:
    return period.label if period.frequency == "year" else f'"{period.label}"'


def _same_frequency(read: Mapping[KeyPath, Period], start: Period | None) -> Iterator[Finding]:
    leader = start or next(iter(read.values()), None)
    for path, period in read.items():
        if leader is not None and period.frequency != leader.frequency:
            which = "start" if start is not None else "the first period in this spec"
            what = f"{period} is a {period.frequency}, but {which}, {leader}, is a {leader.frequency}"
            yield Finding(path, f"{what}; write all periods like {_written(leader)}")


def _names_of_units(raw: Mapping[str, Any]) -> Iterator[Finding]:
    treated = set(treated_names(raw))
    only = set(_texts_at(raw, ("controls", "only")))
    exclude = _texts_at(raw, ("controls", "exclude"))
    for key in ("only", "exclude"):
        for index, name in _indexed(raw, ("controls", key)):
            path = ("controls", key, index)
            if name in treated:
                part = "it is never a control, so leave it out here" if key == "exclude" else "it cannot be a control"
                yield Finding(path, f"'{name}' is treated; {part}")
            elif key == "exclude" and name in only:
                yield Finding(path, f"'{name}' is both in only and in exclude; leave it out of one of them")
    reasons = value_at(raw, ("controls", "reasons"))
    for name in reasons if isinstance(reasons, Mapping) else ():
        if name not in exclude:
            hint = did_you_mean(name, exclude) or "; add it to exclude, or leave the reason out"
            yield Finding(
                ("controls", "reasons", name), f"a reason for '{name}', which is not excluded{hint}", at="key"
            )


def _repeated(raw: Mapping[str, Any]) -> Iterator[Finding]:
    for path in _LISTS:
        seen = set()
        for index, name in _indexed(raw, path):
            if name in seen:
                yield Finding((*path, index), f"'{name}' is in {path[-1]} twice; leave one out")
            seen.add(name)
    tables: list[tuple[str, Any]] = []
    headline = raw.get("headline")
    if isinstance(headline, Mapping):
        tables.append(("the headline", {**headline, "name": headline.get("method")}))
        tables[0][1].pop("method", None)
    more = raw.get("estimator")
    for index, table in enumerate(more if isinstance(more, list) else ()):
        first = next((where for where, other in tables if other == table), None)
        if first is not None:
            what = f"'{table.get('name')}' with the same options is {first} already; change an option or leave it out"
            yield Finding(("estimator", index), what)
        tables.append(("in the list", table))


def _empty(raw: Mapping[str, Any]) -> Iterator[Finding]:
    for path in _NEVER_EMPTY:
        value = value_at(raw, path)
        if isinstance(value, str) and not value.strip():
            meaning = describe(path[:-1]).get(path[-1], "")
            yield Finding(path, f"{path[-1]} is empty; write {meaning}")
    for path in _LISTS:
        for index, name in _indexed(raw, path):
            if not name.strip():
                yield Finding((*path, index), f"an empty name in {path[-1]}; leave it out")
    units = value_at(raw, ("treatment", "units"))
    if units == []:
        yield Finding(("treatment", "units"), 'units is empty; name the treated unit: ["..."]')


def _columns(raw: Mapping[str, Any]) -> Iterator[Finding]:
    used: dict[str, str] = {}
    for role in ("unit", "time", "outcome"):
        column = value_at(raw, ("data", role))
        if not isinstance(column, str) or not column.strip():
            continue
        if column in used:
            yield Finding(
                ("data", role), f"column '{column}' is already {used[column]}; {role} needs a column of its own"
            )
        used.setdefault(column, role)


def _delimiter(raw: Mapping[str, Any]) -> Iterator[Finding]:
    value = value_at(raw, ("data", "delimiter"))
    if not isinstance(value, str) or (len(value) == 1 and value.isascii() and (value.isprintable() or value == "\t")):
        if value == '"':
            yield Finding(("data", "delimiter"), "the quotation mark encloses fields, so it cannot part them")
        return
    what = "delimiter must be one character"
    yield Finding(("data", "delimiter"), f'{what}, such as ";" or "\\t" (tab); leave it out to have it found out')


def _texts(raw: Mapping[str, Any]) -> Iterator[Finding]:
    languages = [code for _, code in _indexed(raw, ("languages",)) if code in LANGUAGES]
    if "languages" not in raw:
        languages = ["en"]
    for path, annotation, value in walk(raw):
        if not by_language(annotation):
            continue
        texts = [(path, value)]
        if path == ("controls", "reasons"):
            texts = [((*path, name), reason) for name, reason in value.items()] if isinstance(value, Mapping) else []
        for here, text in texts:
            if isinstance(text, Mapping):
                yield from _languages_of(here, text, languages)


def _languages_of(path: KeyPath, text: Mapping[str, Any], languages: Sequence[str]) -> Iterator[Finding]:
    unknown = [code for code in text if code not in LANGUAGES]
    missing = [code for code in languages if code not in text]
    for code in unknown:
        yield Finding((*path, code), unknown_language(code, LANGUAGES, given=text), at="key")
    if not unknown:
        for code in missing:
            yield Finding(path, f"no text in '{code}', which is in languages; add {code} = \"...\"")


def _methods(raw: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Finding]:
    yield from _named(raw, ("cycle", "adjust"), "adjustment", catalogue)
    yield from _named(raw, ("inference", "method"), "inference", catalogue)
    yield from _named(raw, ("headline", "method"), "estimator", catalogue)
    yield from _options(raw, ("headline",), "method", catalogue)
    yield from cycle_options(raw, catalogue)
    more = raw.get("estimator")
    for index in range(len(more) if isinstance(more, list) else 0):
        path: KeyPath = ("estimator", index)
        yield from _named(raw, (*path, "name"), "estimator", catalogue)
        yield from _named(raw, (*path, "inference"), "inference", catalogue)
        yield from _options(raw, path, "name", catalogue)


def _named(raw: Mapping[str, Any], path: KeyPath, kind: Kind, catalogue: Catalogue) -> Iterator[Finding]:
    name = value_at(raw, path)
    if isinstance(name, str) and name.strip():
        fault = catalogue.fault(kind, name)
        if fault is not None:
            yield Finding(path, fault)


def _options(raw: Mapping[str, Any], path: KeyPath, key: str, catalogue: Catalogue) -> Iterator[Finding]:
    table = value_at(raw, path)
    name = table.get(key) if isinstance(table, Mapping) else None
    entry = catalogue.estimators.get(name) if isinstance(name, str) else None
    if entry is None:
        return
    options = option_fields(entry)
    _, findings = checked(entry, {option: value for option, value in table.items() if option in options}, path)
    yield from findings
    yield from _covariates(raw, path, table)


def _covariates(raw: Mapping[str, Any], path: KeyPath, table: Mapping[str, Any]) -> Iterator[Finding]:
    """Columns that an estimator uses must be read, so they must be among the covariates of [data]."""
    if "register" in raw:
        return
    known = _texts_at(raw, ("data", "covariates"))
    outcome = value_at(raw, ("data", "outcome"))
    for index, name in _indexed(table, ("covariates",)):
        if name not in known:
            yield Finding((*path, "covariates", index), _no_covariate(name, known))
    for option in ("weights", "dose", "second_group"):
        asked = table.get(option)
        if isinstance(asked, str) and asked not in (*known, "", "size"):
            yield Finding((*path, option), _no_covariate(asked, known))
    predictors = table.get("predictors")
    for index, each in enumerate(predictors if isinstance(predictors, list) else ()):
        column = each.get("column") if isinstance(each, Mapping) else None
        if isinstance(column, str) and column not in (*known, outcome, "outcome"):
            yield Finding((*path, "predictors", index, "column"), _no_covariate(column, [*known, str(outcome)]))


def _no_covariate(name: str, known: Sequence[str]) -> str:
    return f"'{name}' is not among the covariates of [data]{did_you_mean(name, known) or '; add it there'}"


def _indexed(raw: Mapping[str, Any], path: KeyPath) -> Iterable[tuple[int, str]]:
    """The texts of a list with their places; whatever else stands in it has been complained about."""
    value = value_at(raw, path)
    return (
        [(index, item) for index, item in enumerate(value) if isinstance(item, str)] if isinstance(value, list) else []
    )


def _texts_at(raw: Mapping[str, Any], path: KeyPath) -> list[str]:
    return [text for _, text in _indexed(raw, path)]
