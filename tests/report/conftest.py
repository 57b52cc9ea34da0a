from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from evaluation.report.page import render
from evaluation.result import Result
from tests.report.fixtures import california, hjorring

CASES: dict[str, tuple[Callable[[], Result], str]] = {
    "hjorring.da": (hjorring, "da"),
    "hjorring.en": (hjorring, "en"),
    "california.en": (california, "en"),
}


@cache
def page(case: str) -> str:
    make, language = CASES[case]
    return render(make(), language)


@pytest.fixture(params=list(CASES))
def html(request: pytest.FixtureRequest) -> str:
    return page(request.param)
