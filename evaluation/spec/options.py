"""The options of a method: checked against its `Options` dataclass, from a spec or from Python.

Options are validated in pydantic's strict JSON mode: lists stand for tuples and tables for dataclasses, as in TOML, but
the text "3" is no number and 1 is no boolean.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import types
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from evaluation.errors import EvaluationError, UsageError, listed
from evaluation.spec.catalogue import Catalogue, Kind, option_fields
from evaluation.spec.findings import Fields, Finding, explained, near_miss
from evaluation.spec.locate import KeyPath
from evaluation.spec.words import findings_of

Entry = TypeVar("Entry")


def named_choice(kind: Kind, name: str, registry: Mapping[str, Entry]) -> Entry:
    """The entry of a registry by its name.

    Raises
    ------
    UsageError
        There is no such name; the nearest one is suggested.
    """
    if name not in registry:
        none: Mapping[str, Any] = {}
        catalogue = Catalogue(
            estimators=registry if kind == "estimator" else none,
            inferences=registry if kind == "inference" else none,
            adjustments=registry if kind == "adjustment" else none,
            checks=registry if kind == "check" else none,
        )
        raise UsageError(catalogue.fault(kind, name) or f"no {kind} '{name}'; `evaluate --methods` lists them")
    return registry[name]


def validated_options(entry: Any, raw: Mapping[str, Any]) -> Any:
    """The options of an estimator, inference, adjustment or check as its own dataclass, from plain values.

    None for an entry that takes no options.

    Raises
    ------
    UsageError
        It has no such option, or a value does not fit; all problems at once.
    """
    fields = {option: text for option, (_, text, _) in option_fields(entry).items()}
    findings, meant = _unknown_in(raw, fields, (), "no option")
    options, more = checked(entry, {key: value for key, value in raw.items() if key in fields})
    findings += [finding for finding in more if finding.path not in meant]
    if findings:
        raise UsageError(*(f"{_spoken(entry.name, finding)}{finding.what}" for finding in findings))
    return options


def checked(entry: Any, raw: Mapping[str, Any], base: KeyPath = ()) -> tuple[Any, list[Finding]]:
    """The options of an entry (None when they do not fit) and what is wrong with them; unknown names are for others."""
    if not option_fields(entry):
        return (entry.options() if isinstance(getattr(entry, "options", None), type) else None), []
    nested, meant = _unknown_inside(entry.options, raw, base)
    plain = json.dumps(dict(raw), default=_plain)
    try:
        options = TypeAdapter(entry.options).validate_json(plain, strict=True)
    except ValidationError as error:
        found = findings_of(error.errors(include_url=False), json.loads(plain), _describer(entry.options), base)
        return None, nested + [finding for finding in found if finding.path not in meant]
    except EvaluationError as error:
        return None, nested + [Finding(base, problem.what) for problem in error.problems]
    return (None if nested else options), nested


def _spoken(name: str, finding: Finding) -> str:
    """Where an option stands, when there is no file to point into: "did: covariates[0]: "."""
    path = finding.path[:-1] if finding.at == "key" else finding.path
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return f"{name}: {where}: " if where else f"{name}: "


def _plain(value: Any) -> Any:
    """A value from Python or TOML as JSON can say it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        label = getattr(value, "label", None)
        return label if isinstance(label, str) else dataclasses.asdict(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    listing = getattr(value, "tolist", None)  # numpy's arrays and numbers, data-frame columns
    return listing() if callable(listing) else str(value)


def _unknown_inside(hint: Any, raw: Any, base: KeyPath) -> tuple[list[Finding], set[KeyPath]]:
    """Unknown keys in tables inside the options; pydantic would let them pass in a plain dataclass."""
    findings: list[Finding] = []
    meant: set[KeyPath] = set()
    for path, fields, table in _tables(hint, raw, base):
        if path != base:
            more, near = _unknown_in(table, fields, path, "unknown key")
            findings += more
            meant |= near
    return findings, meant


def _unknown_in(
    table: Mapping[str, Any], fields: Fields, path: KeyPath, word: str
) -> tuple[list[Finding], set[KeyPath]]:
    """The keys a table does not have, and the missing ones they were near misses of."""
    findings, meant = [], set()
    for key in table:
        if key in fields:
            continue
        near = near_miss(key, fields, table)
        if near is not None:
            meant.add((*path, near))
            hint = f"did you mean {explained(near, fields[near])}?"
        else:
            hint = f"choose from {listed(list(fields), 12)}" if fields else "there are none"
        findings.append(Finding((*path, key), f"{word} '{key}'; {hint}", at="key"))
    return findings, meant


def _tables(hint: Any, value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Fields, Mapping[str, Any]]]:
    """Every table inside a value whose type is a dataclass: where it is, its fields, and what was written."""
    origin = get_origin(hint)
    if hasattr(hint, "__metadata__"):
        yield from _tables(get_args(hint)[0], value, path)
    elif origin in (Union, types.UnionType):
        for arg in get_args(hint):
            yield from _tables(arg, value, path)
    elif origin in (tuple, list) and isinstance(value, (list, tuple)):
        args = [arg for arg in get_args(hint) if arg is not Ellipsis]
        for index, item in enumerate(value):
            yield from _tables(args[min(index, len(args) - 1)], item, (*path, index))
    elif isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        hints = get_type_hints(hint, include_extras=True)
        yield path, {name: _described(hints[name]) for name in (each.name for each in dataclasses.fields(hint))}, value
        for name, item in value.items():
            if name in hints:
                yield from _tables(hints[name], item, (*path, name))


def _described(hint: Any) -> str:
    texts = (getattr(note, "description", None) for note in getattr(hint, "__metadata__", ()))
    return next((text for text in texts if text), "")


def _describer(options: type) -> Any:
    """The meanings of the keys at a path inside the options."""

    def describe(path: KeyPath) -> Fields:
        hint: Any = options
        for part in path:
            hint = _inner(hint)
            if isinstance(part, str) and isinstance(hint, type) and dataclasses.is_dataclass(hint):
                hint = get_type_hints(hint, include_extras=True).get(part)
        hint = _inner(hint)
        if not (isinstance(hint, type) and dataclasses.is_dataclass(hint)):
            return {}
        return {name: _described(each) for name, each in get_type_hints(hint, include_extras=True).items()}

    return describe


def _inner(hint: Any) -> Any:
    """The dataclass inside Annotated, a union or a list, or the hint itself."""
    if isinstance(hint, type) and not get_args(hint):
        return hint
    for arg in get_args(hint):
        inner = _inner(arg)
        if isinstance(inner, type) and dataclasses.is_dataclass(inner):
            return inner
    return hint
