"""pydantic's list of errors, said in our words. Its own texts are never shown.

The same words serve the spec's tables and the options of a method, so each error is read against the raw value it is
about and against the fields of the table it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from evaluation.spec.findings import Fields, Finding, choice, explained, found, holds, label, value_at
from evaluation.spec.locate import KeyPath

_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "date_type": "a date",
    "model_type": "a table",
    "dataclass_type": "a table",
}
_BOUNDS = {
    "greater_than": "above",
    "greater_than_equal": "of at least",
    "less_than": "below",
    "less_than_equal": "of at most",
}
_LANGUAGES = {
    "dk": "da",
    "dan": "da",
    "dansk": "da",
    "danish": "da",
    "gb": "en",
    "uk": "en",
    "us": "en",
    "eng": "en",
    "engelsk": "en",
    "english": "en",
}
_SWITCHES = {"true": "true", "yes": "true", "ja": "true", "false": "false", "no": "false", "nej": "false"}
_NUMBER = re.compile(r"\s*[+-]?\d[\d_]*([.,]\d+)?\s*")

Describe: TypeAlias = Callable[[KeyPath], Fields]
"""The keys of the table at a path, with their meanings (empty where there is no such table)."""


def findings_of(errors: Iterable[Mapping[str, Any]], raw: Any, describe: Describe, base: KeyPath = ()) -> list[Finding]:
    """pydantic's errors about `raw`, which stands at `base` in the spec, as findings in our words."""
    grouped: dict[KeyPath, list[Mapping[str, Any]]] = {}
    for error in errors:
        path = _path_in(raw, error)
        if error["type"] == "missing" and isinstance(error["loc"][-1], int):
            path = path[:-1]  # a list that is too short: it is the list that is wrong
        grouped.setdefault(path, []).append(error)
    findings = []
    for path, group in grouped.items():
        if group[0]["type"] == "extra_forbidden":
            continue  # unknown keys are found by our own walk, which knows what they may have meant
        # what is wrong inside a value says more than that the whole of it did not fit one alternative
        if any(len(other) > len(path) and other[: len(path)] == path for other in grouped) and not _only_missing(group):
            continue
        findings.append(_finding(path, group, raw, describe, base))
    return findings


def _path_in(raw: Any, error: Mapping[str, Any]) -> KeyPath:
    """The error's location without the names of the alternatives that pydantic tried."""
    path: KeyPath = ()
    location = error["loc"]
    for number, part in enumerate(location, start=1):
        here = value_at(raw, path) if path else raw
        if holds(here, part) or (error["type"] == "missing" and number == len(location)):
            path = (*path, part)
    return path


def _only_missing(group: list[Mapping[str, Any]]) -> bool:
    return all(error["type"] == "missing" for error in group)


def _finding(path: KeyPath, group: list[Mapping[str, Any]], raw: Any, describe: Describe, base: KeyPath) -> Finding:
    error = group[0]
    kind = error["type"]
    value = value_at(raw, path)
    if kind == "missing" and isinstance(error["loc"][-1], str):
        return missing((*base, *path), describe(path[:-1]).get(str(path[-1]), ""))
    if kind in ("missing", "too_long", "too_short"):
        return Finding((*base, *path), _length(error, value, describe(path[:-1]).get(str(path[-1]), "")))
    literal = next((each for each in group if each["type"] == "literal_error"), None)
    if literal is not None:
        others = [_EXPECTED[each["type"]] for each in group if each["type"] in _EXPECTED]
        return Finding((*base, *path), _choice(literal, value, path, others, value_at(raw, path[:-1])))
    if kind in _BOUNDS:
        return Finding((*base, *path), _bound(error, value))
    if all(each["type"] in _EXPECTED for each in group):
        return Finding((*base, *path), wrong_type([each["type"] for each in group], value, path))
    return Finding((*base, *path), _own_words(error, value))


def missing(path: KeyPath, meaning: str) -> Finding:
    """A key or a whole table that must be there and is not."""
    name, table = str(path[-1]), path[:-1]
    if not table and name in ("data", "treatment", "headline"):
        return Finding(path, f"missing table [{name}]" + (f" ({meaning})" if meaning else ""), quoted=False)
    if not table:
        what = f"missing key {explained(name, meaning)}; write it above the first [table]"
        return Finding(path, what, quoted=False)
    return Finding(path, f"missing key {explained(name, meaning)} in {label(table)}")


def wrong_type(kinds: Iterable[str], value: Any, path: KeyPath) -> str:
    """What was expected, what was found, and how to write it."""
    expected = set(kinds)
    if expected == {"string_type", "int_type"} and path[:2] != ("data", "where"):
        wanted = 'a period (2015, "2015Q1" or "2015M01")'
    elif expected == {"string_type", "dict_type"}:
        wanted = 'a text, or one per language ({ da = "...", en = "..." })'
    else:
        wanted = _either({_EXPECTED[kind] for kind in expected})
    remedy = _remedy(expected, value, path)
    return f"expected {wanted}, found {found(value)}" + (f"; {remedy}" if remedy else "")


def _remedy(expected: set[str], value: Any, path: KeyPath) -> str:
    name = str(path[-1]) if path else ""
    numeric = bool(expected & {"int_type", "float_type", "int_from_float"})
    if isinstance(value, str):
        if numeric and _NUMBER.fullmatch(value):
            return "remove the quotation marks" + (" and write the decimal mark as a point" if "," in value else "")
        if "bool_type" in expected:
            meant = _SWITCHES.get(value.strip().casefold())
            return f"write {meant} without quotation marks" if meant else ""
        if expected & {"tuple_type", "list_type"}:
            return f'write it in brackets: ["{value}"]'
    if isinstance(value, list) and expected == {"model_type"}:
        return f"write [{name}] in single brackets, once"
    if isinstance(value, Mapping) and "tuple_type" in expected and (len(path) == 1 or path[0] == "cycle"):
        return f"write {label((*path, 0))} in double brackets"
    if "model_type" in expected and len(path) == 1:
        return f"write [{name}] on a line of its own and its keys below it"
    if "string_type" in expected:
        if isinstance(value, int if "int_type" in expected else (int, float)) and not isinstance(value, bool):
            return f'put it in quotation marks: "{value}"'
        if hasattr(value, "strftime") and "int_type" in expected and path[:2] != ("data", "where"):
            return f'write its month: "{value:%Y}M{value:%m}"'
        if hasattr(value, "isoformat"):
            return f'put it in quotation marks: "{value}"'
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
            return f'write it without brackets: "{value[0]}"'
    if isinstance(value, (int, float)) and expected & {"tuple_type", "list_type"}:
        return f"write it in brackets: [{value}]"
    if isinstance(value, float) and expected == {"int_type"} and value.is_integer():
        return f"write {int(value)}"
    return ""


def _either(names: set[str]) -> str:
    """Alternatives in prose; a whole number is a number, too."""
    if "a number" in names:
        names = names - {"a whole number"}
    return either(sorted(names, key=lambda name: list(_EXPECTED.values()).index(name)))


def either(words: Sequence[str]) -> str:
    """Alternatives in prose: "a, b or c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _length(error: Mapping[str, Any], value: Any, meaning: str) -> str:
    held = len(value) if isinstance(value, (list, tuple)) else 0
    if error["type"] == "too_short":
        least = error["ctx"]["min_length"]
        wanted = "at least one value" if least == 1 else f"at least {least} values"
        return f"expected {wanted}, found {held or found(value)}"
    form = re.search(r"\[\w+, \w+\]", meaning)
    wanted = f"two values, {form[0]}" if form else "two values"
    if error["type"] == "too_long" and error["ctx"]["max_length"] != 2:
        wanted = f"at most {error['ctx']['max_length']} values"
    return f"expected {wanted}, found {held or 'none'}"


def _choice(error: Mapping[str, Any], value: Any, path: KeyPath, others: list[str], siblings: Any) -> str:
    choices = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    if not isinstance(value, str):
        return f"expected {either([*map(repr, choices), *others])}, found {found(value)}"
    if path and path[0] == "languages":
        return unknown_language(value, choices, given=siblings)
    return choice(value, choices)


def unknown_language(code: str, known: Sequence[str], given: Iterable[str] = ()) -> str:
    """A language that there are no words for, and which one was meant, unless that is given too."""
    meant = _LANGUAGES.get(code.casefold())
    if meant is not None and meant in known:
        return f"no language '{code}'; " + ("leave it out" if meant in set(given) else f"did you mean '{meant}'?")
    return choice(code, known, "language")


def _bound(error: Mapping[str, Any], value: Any) -> str:
    bound = next(iter(error["ctx"].values()))
    hint = ""
    if error["type"] == "less_than" and bound == 1 and isinstance(value, (int, float)) and 1 < value <= 100:
        hint = f"; write {value / 100:g} for {value:g} %"
    shown = f"{value}" if isinstance(value, (int, float)) else found(value)
    return f"expected a number {_BOUNDS[error['type']]} {_plain(bound)}, found {shown}{hint}"


def _plain(number: Any) -> str:
    return f"{number:g}" if isinstance(number, (int, float)) else str(number)


def _own_words(error: Mapping[str, Any], value: Any) -> str:
    """An error raised by an options class says what it has to say itself."""
    cause = error.get("ctx", {}).get("error")
    return str(cause) if cause is not None and str(cause) else f"this value does not fit: {found(value)}"
