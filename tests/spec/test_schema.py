"""The editor's schema says what the reader does: what is accepted fits it, and what it refuses is refused."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from evaluation.spec.schema import json_schema, schema_text

jsonschema = pytest.importorskip("jsonschema")
flow = pytest.importorskip("evaluation.run")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema(flow.catalogue())


def test_the_committed_schema_is_up_to_date() -> None:
    committed = (ROOT / "specs" / "schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(flow.catalogue()), "stale: evaluate --schema > specs/schema.json"


def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", sorted(ROOT.glob("specs/*.toml")), ids=lambda path: path.name)
def test_the_specs_fit(path: Path, schema: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(json.dumps(tomllib.loads(path.read_text(encoding="utf-8")))), schema)


@pytest.mark.parametrize(
    "name",
    [
        "unknown_key",
        "unknown_table",
        "text_for_number",
        "wrong_choice",
        "unknown_options",
        "treatment_half",
        "not_available_yet",
    ],
)
def test_what_the_reader_refuses_the_editor_marks(name: str, schema: dict[str, Any]) -> None:
    text = (ROOT / "tests" / "cli" / "corpus" / f"{name}.toml").read_text(encoding="utf-8")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), schema)


def test_every_name_and_every_option_is_offered(schema: dict[str, Any]) -> None:
    headline = schema["$defs"]["Headline"]
    assert headline["properties"]["method"]["enum"] == list(flow.catalogue().estimators)
    offered = {each["properties"]["method"]["const"]: set(each["properties"]) for each in headline["anyOf"]}
    assert "demeaned" in offered["synthetic_control"]
    assert "demeaned" not in offered["did"]


def test_everything_is_described_and_nothing_is_null(schema: dict[str, Any]) -> None:
    def walk(part: Any, path: str) -> None:
        if isinstance(part, dict):
            assert part.get("type") != "null", path
            for name, each in part.get("properties", {}).items():
                assert each.get("description") or "$ref" in each or "const" in each, f"{path}.{name} has no description"
            for key, each in part.items():
                walk(each, f"{path}.{key}")
        elif isinstance(part, list):
            for each in part:
                walk(each, path)

    walk(schema, "")


def test_cycle_offers_the_options_of_the_adjustment_it_names(schema: dict[str, Any]) -> None:
    cycle = schema["$defs"]["CycleTable"]
    offered = {each["properties"]["adjust"]["const"]: each for each in cycle["anyOf"]}
    assert set(offered) == set(flow.catalogue().adjustments)
    assert "shrink" in offered["sensitivity"]["properties"]
    assert "shrink" not in offered["none"]["properties"]
    # the files are `series`, whatever an adjustment calls its choice among them
    assert offered["sensitivity"]["properties"]["series"] == offered["none"]["properties"]["series"]


@pytest.mark.parametrize("name", ["cycle_keys", "cycle_options", "cycle_option_without_adjustment", "cycle_in_single_brackets"])
def test_what_is_wrong_with_the_cycle_the_editor_marks(name: str, schema: dict[str, Any]) -> None:
    text = (ROOT / "tests" / "cli" / "corpus" / f"{name}.toml").read_text(encoding="utf-8")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), schema)
