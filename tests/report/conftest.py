from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest

from evaluation.report.page import render
from evaluation.result import Result, from_json
from tests.drawing import drawn_afresh, each_drawing_is_converted_once
from tests.report.cycled import cycled
from tests.report.fixtures import california, hjorring, register

__all__ = ["drawn_afresh", "each_drawing_is_converted_once"]

CASES: dict[str, tuple[Callable[[], Result], str]] = {
    "hjorring.da": (hjorring, "da"),
    "hjorring.en": (hjorring, "en"),
    "california.en": (california, "en"),
    "register.da": (register, "da"),
    "register.en": (register, "en"),
    "cycle.da": (cycled, "da"),
    "cycle.en": (cycled, "en"),
}

WRITTEN = Path(__file__).parents[2] / "reports"
"""The example reports: pages of what the estimators really found must pass the same tests."""


@cache
def written(name: str) -> Result:
    return from_json((WRITTEN / f"{name}.json").read_bytes())


EXAMPLES: dict[str, tuple[Callable[[], Result], str]] = {
    f"{file.stem}.{language}.written": (partial(written, file.stem), language)
    for file in sorted(WRITTEN.glob("*.json"))
    for language in json.loads(file.read_bytes())["languages"]
}
PAGES = CASES | EXAMPLES


@cache
def page(case: str) -> str:
    make, language = PAGES[case]
    return render(make(), language)


@pytest.fixture(scope="module", params=list(PAGES))
def html(request: pytest.FixtureRequest) -> str:
    return page(request.param)
