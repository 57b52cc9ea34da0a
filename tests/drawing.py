"""Fixtures for tests that write many pages: they share most of their figures, and a figure takes the converter as long as the
rest of the page takes us."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from evaluation.report import svg
from evaluation.report.figures.base import Spec

CONVERT, DRAWN = svg.convert, dict[str, str]()


def _once(spec: Spec, locale: Mapping[str, Any]) -> str:
    key = json.dumps([spec, dict(locale)])
    if key not in DRAWN:
        DRAWN[key] = CONVERT(spec, locale)
    return DRAWN[key]


@pytest.fixture(scope="module", autouse=True)
def each_drawing_is_converted_once() -> Iterator[None]:
    """For every module below the conftest that imports it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg, "convert", _once)
        yield


@pytest.fixture
def drawn_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what must be true of the converter, too."""
    monkeypatch.setattr(svg, "convert", CONVERT)
