"""The page in a real browser: phone and desktop, light and dark, paper. Nothing overflows, nothing is said, nothing is fetched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.conftest import PAGES, page

CHROMIUM = os.environ.get("NETTOEFFEKT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="the playwright package is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium found; set NETTOEFFEKT_CHROMIUM to its path"),
]

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

OVERFLOWING = """() => {
  const wide = document.documentElement.clientWidth, found = [];
  for (const node of document.querySelectorAll("body *")) {
    if (node.closest("svg") || node.closest(".scroll") || node.closest("pre") || node.closest(".hidden")) continue;
    if (node.closest("details:not([open])") || node.className === "skip") continue;
    const box = node.getBoundingClientRect();
    if (box.width && (box.right > wide + 1 || box.left < -1)) found.push(node.tagName + " " + node.className);
  }
  return found;
}"""

CLIPPED = """() => {
  const found = [];
  for (const text of document.querySelectorAll("svg text")) {
    const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
    if (!frame.width || !box.width) continue;
    if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
      found.push(text.textContent);
  }
  return found;
}"""

TOUCHING = """() => {
  const found = [];
  for (const svg of document.querySelectorAll("svg")) {
    if (!svg.getBoundingClientRect().width) continue;
    const boxes = [...svg.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()]);
    boxes.forEach(([one, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 2 && down > 5) found.push(one + " | " + other);
    }));
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield running
        running.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pages")
    for case in PAGES:
        (found / f"{case}.html").write_text(page(case), encoding="utf-8")
    return found


@pytest.mark.parametrize("case", list(PAGES))
def test_the_page_fits_and_is_silent(browser: Any, folder: Path, case: str) -> None:
    tab = browser.new_page()
    said: list[str] = []
    fetched: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: fetched.append(request.url))
    address = (folder / f"{case}.html").as_uri()
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        for width in (360, 768, 1280):
            tab.set_viewport_size({"width": width, "height": 800})
            tab.goto(address)
            assert tab.evaluate("document.documentElement.scrollWidth") == width
            assert tab.evaluate(OVERFLOWING) == []
            assert tab.evaluate(CLIPPED) == []
            assert tab.evaluate(TOUCHING) == []
    assert said == []
    assert [url for url in fetched if url != address and not url.startswith("data:")] == []
    tab.close()


@pytest.mark.parametrize("case", list(PAGES))
def test_open_tables_stay_on_a_phone(browser: Any, folder: Path, case: str) -> None:
    tab = browser.new_page(viewport={"width": 360, "height": 800})
    tab.goto((folder / f"{case}.html").as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    tab.close()


def test_one_drawing_of_each_figure_is_shown(browser: Any, folder: Path) -> None:
    """The other is hidden from screen readers too."""
    for width in (360, 1280):
        tab = browser.new_page(viewport={"width": width, "height": 800})
        tab.goto((folder / "hjorring.da.html").as_uri())
        shown = tab.evaluate(
            "[...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().width).length)"
        )
        assert set(shown) == {1}
        tab.close()


def test_text_survives_twice_its_size(browser: Any, folder: Path) -> None:
    """Readable at 200 %: a window of 640 shows 320 of the page's own pixels."""
    tab = browser.new_page(viewport={"width": 640, "height": 800})
    tab.goto((folder / "hjorring.da.html").as_uri())
    tab.evaluate("document.documentElement.style.fontSize = '200%'")
    assert tab.evaluate("document.documentElement.scrollWidth") == 640
    tab.close()


def test_paper_is_light_with_tables_open_and_the_answer_first(browser: Any, folder: Path) -> None:
    tab = browser.new_page(viewport={"width": 794, "height": 1123}, color_scheme="dark")
    tab.goto((folder / "hjorring.da.html").as_uri())
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    heights = tab.evaluate(
        "[...document.querySelectorAll('.sections details table')].map(one => one.getBoundingClientRect().height)"
    )
    assert heights
    assert min(heights) > 0
    # A4 less its margins is 267 mm, 1009 pixels: the head and the whole answer stand on it
    tab.set_viewport_size({"width": 672, "height": 1009})
    bottom = tab.evaluate("document.querySelector('#answer').getBoundingClientRect().bottom + window.scrollY")
    assert bottom <= 1009
    tab.close()


def test_the_keyboard_finds_the_answer_first(browser: Any, folder: Path) -> None:
    tab = browser.new_page(viewport={"width": 1280, "height": 800})
    tab.goto((folder / "hjorring.da.html").as_uri())
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "answer"
    tab.close()
