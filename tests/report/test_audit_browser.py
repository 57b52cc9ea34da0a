"""The auditor's checks in a real browser, everything unfolded: nothing overflows, no text is cut or covered, nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation.report.audit import render_audit
from evaluation.report.page import render
from tests.report.audited import audited, registered
from tests.report.test_browser import CHROMIUM, CLIPPED, OVERFLOWING, QUIET, TOUCHING

playwright = pytest.importorskip("playwright.sync_api", reason="the playwright package is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium found; set NETTOEFFEKT_CHROMIUM to its path"),
]

PAGES: dict[str, Callable[[], str]] = {
    "answer.da": lambda: render(audited("failed"), "da", audit=True),
    "auditors.da": lambda: render_audit(audited("warns"), "da"),
    "auditors.en": lambda: render_audit(registered("passed"), "en"),
}


@pytest.mark.parametrize("name", list(PAGES))
def test_unfolded_it_fits_and_is_silent(name: str, tmp_path: Path) -> None:
    page = tmp_path / f"{name}.html"
    page.write_text(PAGES[name](), encoding="utf-8")
    said: list[str] = []
    fetched: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        tab: Any = browser.new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("request", lambda request: fetched.append(request.url))
        for width in (360, 1280):
            tab.set_viewport_size({"width": width, "height": 800})
            tab.goto(page.as_uri())
            tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert tab.evaluate("document.documentElement.scrollWidth") == width
            for found in (OVERFLOWING, CLIPPED, TOUCHING):
                assert tab.evaluate(found) == []
        tab.emulate_media(media="print")
        tab.goto(page.as_uri())
        heights = tab.evaluate(
            "[...document.querySelectorAll('.sections details table')].map(one => one.getBoundingClientRect().height)"
        )
        assert min(heights) > 0, "paper shows every table"
        browser.close()
    assert said == []
    assert [url for url in fetched if url != page.as_uri() and not url.startswith("data:")] == []
