"""The JSON Schema of specs, for completion and hover text in editors: from the model and the catalogue, never by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import TypeAdapter

from evaluation.spec.base import Language
from evaluation.spec.catalogue import ALWAYS, Catalogue, Kind
from evaluation.spec.model import Spec

_TITLE = "nettoeffekt spec"
_DESCRIPTION = "What `evaluate SPEC` evaluates: the data, who was treated from when, and by which methods."


def schema_text(catalogue: Catalogue) -> str:
    """The schema as it is written to specs/schema.json."""
    return json.dumps(json_schema(catalogue), indent=1, ensure_ascii=False) + "\n"


def json_schema(catalogue: Catalogue) -> dict[str, Any]:
    """The schema (draft 2020-12), with the names and options of the catalogue."""
    schema = _plain(Spec.model_json_schema())
    tables = schema["$defs"]
    _name_choices(tables["InferenceTable"]["properties"], catalogue)
    tables["Headline"] = _open_table(tables["Headline"], "method", catalogue, tables)
    tables["EstimatorTable"] = _open_table(tables["EstimatorTable"], "name", catalogue, tables)
    tables["CycleTable"] = _open_table(tables["CycleTable"], "adjust", catalogue, tables)
    tables["Treatment"]["anyOf"] = [{"required": names} for names in (["units", "start"], ["starts"], ["start_column"])]
    schema["required"] = [name for name in schema["required"] if name != "data"]
    schema["anyOf"] = [{"required": ["data"]}, {"required": ["register"]}]
    for table in tables.values():
        if "description" in table:
            table["description"] = " ".join(table["description"].split())
    for name, part in schema["properties"].items():
        if "description" not in part:
            part["description"] = _description(part, tables) or name
    ordered = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": _TITLE,
        "description": _DESCRIPTION,
        "type": "object",
    }
    return ordered | {key: value for key, value in schema.items() if key not in ordered}


def _name_choices(properties: dict[str, Any], catalogue: Catalogue) -> None:
    """Names of methods as a choice, where a key takes one."""
    for key, part in properties.items():
        if key in ("method", "inference"):
            properties[key] = part | _choice(catalogue, "inference")


def _choice(catalogue: Catalogue, kind: Kind) -> dict[str, Any]:
    names = catalogue.names(kind)
    entries = catalogue.entries(kind)
    summaries = [_summary(entries[name]) if name in entries else "chosen by the design" for name in names]
    # x-taplo: what Even Better TOML shows beside each choice
    return {"type": "string", "enum": list(names), "x-taplo": {"docs": {"enumValues": summaries}}}


def _open_table(table: dict[str, Any], key: str, catalogue: Catalogue, tables: dict[str, Any]) -> dict[str, Any]:
    """A table whose further keys depend on the method it names: one alternative per method."""
    own = dict(table["properties"])
    if "inference" in own:
        _name_choices(own, catalogue)
    kind: Kind = "adjustment" if key == "adjust" else "estimator"
    own[key] = own[key] | _choice(catalogue, kind)
    alternatives = []
    needed = list(table.get("required", ()))
    for name, entry in catalogue.entries(kind).items():
        options = _options(entry, tables)
        # without the key, the adjustment that is always there is meant
        named = [] if key in needed or name in ALWAYS[kind] else [key]
        further = {option: part for option, part in options["properties"].items() if option not in own}
        alternatives.append(
            {
                "title": name,
                "description": _summary(entry),
                "type": "object",
                "properties": own | {key: {"const": name, "description": _summary(entry)}} | further,
                "required": [*needed, *named, *options.get("required", ())],
                "additionalProperties": False,
            }
        )
    kept = {name: table[name] for name in ("title", "description", "type") if name in table}
    return kept | {"properties": own, "required": needed, "anyOf": alternatives}


def _options(entry: Any, tables: dict[str, Any]) -> dict[str, Any]:
    if not dataclasses.is_dataclass(getattr(entry, "options", None)):
        return {"properties": {}}
    schema: dict[str, Any] = _plain(TypeAdapter(entry.options).json_schema(ref_template="#/$defs/{model}"))
    for name, inner in schema.pop("$defs", {}).items():
        inner.setdefault("additionalProperties", False)
        tables[name] = inner
    schema.setdefault("properties", {})
    return schema


def _plain(part: Any, within: str = "") -> Any:
    """The schema without what TOML cannot say (null), without repeated titles, and with languages by name."""
    if isinstance(part, list):
        return [_plain(item) for item in part if item != {"type": "null"}]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "object" and part.get("additionalProperties") == {"type": "string"}:
        return part | {"additionalProperties": False, "properties": _languages(), "minProperties": 1}
    plain = {
        key: _plain(value, key)
        for key, value in part.items()
        if not (key == "default" and value is None)
        and not (key == "title" and isinstance(value, str) and within != "$defs")
    }
    alternatives = plain.get("anyOf")
    if isinstance(alternatives, list) and len(alternatives) == 1:
        del plain["anyOf"]
        plain = alternatives[0] | plain
    return plain


def _languages() -> dict[str, Any]:
    names: Mapping[str, str] = {"da": "in Danish", "en": "in English"}
    return {code: {"type": "string", "description": names.get(code, code)} for code in get_args(Language)}


def _description(part: Mapping[str, Any], tables: Mapping[str, Any]) -> str:
    for reference in _references(part):
        text = tables.get(reference.rsplit("/", 1)[-1], {}).get("description")
        if text:
            return str(text)
    return ""


def _references(part: Any) -> Iterable[str]:
    if isinstance(part, Mapping):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for item in part:
            yield from _references(item)


def _summary(entry: Any) -> str:
    return " ".join(str(getattr(entry, "summary", "")).split())
