from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from evaluation.report import svg
from evaluation.report.figures.base import Spec
from evaluation.report.page import render
from evaluation.result import Result, from_json
from tests.report.cycled import cycled
from tests.report.fixtures import california, hjorring, register

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


CONVERT, DRAWN = svg.convert, dict[str, str]()


def _once(spec: Spec, locale: Mapping[str, Any]) -> str:
    key = json.dumps([spec, dict(locale)])
    if key not in DRAWN:
        DRAWN[key] = CONVERT(spec, locale)
    return DRAWN[key]


@pytest.fixture(scope="module", autouse=True)
def _each_drawing_is_converted_once() -> Iterator[None]:
    """Dozens of pages share most of their figures, and a figure takes the converter as long as the rest of the page takes us."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg, "convert", _once)
        yield


@pytest.fixture
def drawn_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what must be true of the converter, too."""
    monkeypatch.setattr(svg, "convert", CONVERT)


@cache
def page(case: str) -> str:
    make, language = PAGES[case]
    return render(make(), language)


@pytest.fixture(scope="module", params=list(PAGES))
def html(request: pytest.FixtureRequest) -> str:
    return page(request.param)
