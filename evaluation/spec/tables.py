"""The spec's tables as the reader sees them: the keys of each, and where a misspelt or misplaced key belongs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from evaluation.errors import listed
from evaluation.spec.base import LocalText, OpenTable
from evaluation.spec.catalogue import Catalogue, Kind, option_fields
from evaluation.spec.cycle_tables import OWN_KEYS, CycleTable
from evaluation.spec.findings import Fields, Finding, explained, label, near_miss
from evaluation.spec.locate import KeyPath
from evaluation.spec.model import EstimatorTable, Headline, Spec

_LOCAL_TEXT = next(arg for arg in get_args(get_args(LocalText)[0]) if get_origin(arg) is dict)

_NAMED_BY: Mapping[type, str] = {Headline: "method", EstimatorTable: "name", CycleTable: "adjust"}
_KIND: Mapping[type, Kind] = {Headline: "estimator", EstimatorTable: "estimator", CycleTable: "adjustment"}

_SYNONYMS = {
    "name": ("method",),
    "method": ("name", "adjust"),
    "estimator": ("method",),
    "file": ("path",),
    "filename": ("path",),
    "period": ("time",),
    "year": ("time",),
    "quarter": ("time",),
    "id": ("unit",),
    "weight": ("size",),
    "population": ("size",),
    "treated": ("units",),
    "adjustment": ("adjust",),
    "confidence": ("level",),
}


@cache
def table_at(path: KeyPath) -> type[BaseModel] | None:
    """The model of the table at a path: ("data",), ("estimator", 0), () for the whole spec."""
    model: type[BaseModel] = Spec
    for part in path:
        if isinstance(part, int):
            continue
        field = _fields(model).get(part)
        inner = _model_in(field.annotation) if field is not None else None
        if inner is None:
            return None
        model = inner
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for arg in get_args(annotation) if (model := _model_in(arg)) is not None), None)


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys of a table; one of them cannot be the name of a field in Python, and has an alias."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


@cache
def describe(path: KeyPath) -> Fields:
    """The keys of the table at a path, with their meanings."""
    model = table_at(path)
    if model is None:
        return {}
    meanings = {}
    for name, field in _fields(model).items():
        inner = _model_in(field.annotation)
        meanings[name] = field.description or (_purpose(inner) if inner is not None else "")
    return meanings


def _purpose(model: type[BaseModel]) -> str:
    """The first sentence of a table's docstring as it goes into a sentence of ours."""
    text = " ".join((model.__doc__ or "").split()).split(". ")[0].rstrip(".")
    return text[:1].lower() + text[1:]


def walk(raw: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any, Any]]:
    """Every known key of the spec as (path, its type, its raw value)."""
    model = table_at(path)
    for name, value in raw.items():
        field = _fields(model).get(name) if model is not None else None
        if field is None:
            continue
        here = (*path, name)
        yield here, field.annotation, value
        if table_at(here) is None:
            continue
        if isinstance(value, Mapping):
            yield from walk(value, here)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Mapping):
                    yield from walk(item, (*here, index))


def by_language(annotation: Any) -> bool:
    """Whether a key takes a text that may be given in several languages."""
    return annotation == _LOCAL_TEXT or any(by_language(arg) for arg in get_args(annotation))


def unknown_keys(raw: Mapping[str, Any], catalogue: Catalogue) -> tuple[list[Finding], set[KeyPath]]:
    """Keys that no table has, and the keys they were near misses of (which then are not missing, but misspelt)."""
    findings: list[Finding] = []
    meant: set[KeyPath] = set()
    _unknown_in(raw, (), catalogue, findings, meant)
    return findings, meant


def _unknown_in(
    table: Mapping[str, Any], path: KeyPath, catalogue: Catalogue, findings: list[Finding], meant: set[KeyPath]
) -> None:
    model = table_at(path)
    if model is None:
        return
    fields = dict(describe(path))
    method = None
    of_nothing: Mapping[str, Any] = {}
    if issubclass(model, OpenTable):
        method = table.get(_NAMED_BY[model], "none" if model is CycleTable else None)
        entries = catalogue.entries(_KIND[model])
        entry = entries.get(method) if isinstance(method, str) else None
        # a method that does not exist has no options to hold the keys against: all of them may be meant
        of_nothing = entries if entry is None and method is not None else {}
        fields = {name: text for name, (_, text, _) in option_fields(entry).items()} | fields
    for key, value in table.items():
        here = (*path, key)
        if key in fields:
            for index, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(item, Mapping):
                    _unknown_in(item, here if index is None else (*here, index), catalogue, findings, meant)
        else:
            near = near_miss(key, fields, table) or _other_word(key, fields, table)
            if of_nothing and (near is None or any(key in option_fields(each) for each in of_nothing.values())):
                continue
            if near is not None:
                meant.add((*path, near))
            owner = _other_adjustment(key, catalogue) if model is CycleTable and near is None else None
            what = f"'{key}' is an option of '{owner}', but adjust is '{method}'" if owner else None
            findings.append(Finding(here, what or _unknown(here, value, fields, near, method), at="key"))


def _other_adjustment(key: str, catalogue: Catalogue) -> str | None:
    """The adjustment that has this option."""
    return next((name for name, entry in catalogue.adjustments.items() if key in option_fields(entry)), None)


def _other_word(key: str, fields: Fields, present: Mapping[str, Any]) -> str | None:
    """What other programs, or the neighbouring table, call the same thing."""
    return next((word for word in _SYNONYMS.get(key, ()) if word in fields and word not in present), None)


def _unknown(path: KeyPath, value: Any, fields: Fields, near: str | None, method: Any) -> str:
    key, table = str(path[-1]), path[:-1]
    is_table = not table and isinstance(value, (Mapping, list))
    of_method = isinstance(method, str)
    subject = f"unknown table [{key}]" if is_table else f"unknown key '{key}'"
    if near is not None:
        meaning = fields[near]
        shown = f"[{near}] ({meaning})" if table_at((near,)) and not table else explained(near, meaning)
        return f"{subject}; did you mean {shown}?"
    home = _home(key, table)
    if home is not None:
        return f"{subject} in {label(table)}; {home}"
    if of_method:
        own = OWN_KEYS if table == ("cycle",) else ("method", "name", "inference")
        options = [name for name in fields if name not in own]
        if table == ("cycle",) and not options:
            return f"{subject} in [cycle]; it takes {listed(list(fields), 12)}"
        takes = f"the options of '{method}' are {listed(options, 12)}" if options else f"'{method}' has no options"
        return f"{subject} in {label(table)}; {takes}"
    if is_table:
        return f"{subject}; the tables are {listed([name for name in fields if table_at((name,))], 12)}"
    return f"{subject} in {label(table)}; it takes {listed(list(fields), 12)}"


def _home(key: str, table: KeyPath) -> str | None:
    """Where a key that stands in the wrong table belongs."""
    if table and table[0] in ("headline", "estimator") and key == "inference":
        return "the headline's inference is `method` in [inference]"
    if table and key in _fields(Spec):
        if table_at((key,)) is None:
            return "it belongs above the first [table]"
        return f"write {label((key, 0) if key in ('estimator', 'event') else (key,))} as a table of its own"
    for name in _fields(Spec):
        model = table_at((name,))
        if model is None or (name,) == table[:1] or issubclass(model, EstimatorTable | Headline):
            continue
        if key in _fields(model) and name not in ("event", "claim", "target_group"):
            return f"it belongs in [{name}]"
    return None
