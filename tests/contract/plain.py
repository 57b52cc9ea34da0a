"""What "plain values" means, and what a description is: shared by the contract tests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import typing
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from evaluation.panel import Panel
from evaluation.result import Estimate


def assert_plain(value: Any, where: str = "") -> None:
    """Only text, numbers, booleans, None, and tuples, lists, dicts and dataclasses of them; no numpy, no NaN, no infinity."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            assert_plain(getattr(value, field.name), f"{where}.{field.name}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            assert type(key) is str, f"{where}: the key {key!r} is a {type(key).__name__}"
            assert_plain(inner, f"{where}[{key!r}]")
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            assert_plain(inner, f"{where}[{place}]")
    else:
        assert value is None or type(value) in (str, int, float, bool), f"{where}: {value!r} is a {type(value).__module__}.{type(value).__name__}"
        assert not isinstance(value, float) or math.isfinite(value), f"{where}: {value!r}"


def as_bytes(estimate: Estimate) -> bytes:
    """The Estimate as JSON, to the last digit; a NaN is an error."""
    return json.dumps(dataclasses.asdict(estimate), allow_nan=False, ensure_ascii=False).encode()


def assert_survives_json(estimate: Estimate) -> None:
    """Written and read back, nothing changes."""
    adapter = TypeAdapter(Estimate)
    assert adapter.validate_json(adapter.dump_json(estimate)) == estimate


def digest(panel: Panel) -> str:
    """A hash of every array of the panel."""
    found = hashlib.sha256()
    for field in dataclasses.fields(panel):
        value = getattr(panel, field.name)
        arrays = value.values() if hasattr(value, "values") else [value]
        for array in arrays:
            found.update(np.ascontiguousarray(array).tobytes() if isinstance(array, np.ndarray) else repr(array).encode())
    return found.hexdigest()


def arrays_of(panel: Panel) -> list[np.ndarray]:
    """Every array of the panel."""
    single = [panel.outcome, panel.start, panel.size, panel.noise, panel.cluster, panel.region]
    return [array for array in [*single, *panel.covariates.values(), *panel.cycle.values()] if array is not None]


def options_without_description(options: type) -> list[str]:
    """The options (fields of a dataclass) that no pydantic Field describes."""
    assert dataclasses.is_dataclass(options)
    assert options.__dataclass_params__.frozen, f"{options.__module__}: Options must be frozen"
    hints = typing.get_type_hints(options, include_extras=True)
    missing = []
    for field in dataclasses.fields(options):
        described = [extra for extra in getattr(hints[field.name], "__metadata__", ()) if isinstance(extra, FieldInfo)]
        if not any(info.description for info in described):
            missing.append(field.name)
    return missing
