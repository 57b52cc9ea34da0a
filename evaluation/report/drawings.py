"""Figures as they stand on a page: drawn, described, with their table and their file. All pages of a run share this."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from evaluation.report import sentences, svg
from evaluation.report.figures import NARROW, PAGE, WIDE, Figure
from evaluation.report.tables import Table
from evaluation.report.words import Words, languages, load
from evaluation.result import Result

LINKED = 200_000
"""Bytes of the largest table the page carries as a link; larger ones are named, and lie beside it."""

ONCE = frozenset({"answer", "audit"})
"""Sections whose figures are small and drawn once, for a phone's width."""

_SAFE = ",-_.~:/()!*'@$;"


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure as it stands on the page; `narrow` is the drawing for phones, or None when `wide` serves everywhere."""

    key: str
    title: str
    subtitle: str
    how: str
    wide: Markup
    narrow: Markup | None
    table: Table | None
    csv_name: str
    csv_link: str | None
    csv_file: str
    source: str | None


def draw_figures(figures: Iterable[Figure], result: Result, words: Words, csvs: dict[str, str]) -> dict[str, Shown]:
    """Every figure there are values for, drawn once or (for phones) twice; `csvs` are the files the page itself carries."""
    found = [(figure, values) for figure in figures if (values := figure.values(result, words)) is not None]
    texts = {figure.key: figure.text(values, result, words) for figure, values in found}
    drawings = []
    for figure, values in found:
        for suffix, width in _widths(figure):
            drawings.append(
                svg.Drawing(
                    f"{figure.key}-{suffix}",
                    lambda figure=figure, values=values, width=width: figure.draw(values, words, PAGE, width),  # type: ignore[misc]
                    texts[figure.key].title,
                    texts[figure.key].description,
                )
            )
    # the one place where text is taken as markup: what the converter wrote
    drawn = {key: Markup(text) for key, text in svg.draw(drawings, words).items()}
    return {
        figure.key: Shown(
            figure.key, texts[figure.key].title, texts[figure.key].subtitle, texts[figure.key].how,
            drawn.get(f"{figure.key}-wide") or drawn[f"{figure.key}-narrow"],
            drawn[f"{figure.key}-narrow"] if f"{figure.key}-wide" in drawn else None,
            figure.table(values, result, words), figure.csv,
            csv_link(csvs[figure.csv]) if figure.csv in csvs else None,
            sentences.file(figure.csv, result),
            texts[figure.key].source,
        )
        for figure, values in found
    }  # fmt: skip


def small(csvs: dict[str, str]) -> dict[str, str]:
    """The files a page itself carries: small ones. The others lie beside it."""
    return {name: content for name, content in csvs.items() if len(quote(content, safe=_SAFE)) <= LINKED}


def csv_link(text: str) -> str:
    """A CSV file as a link that holds it."""
    return "data:text/csv;charset=utf-8," + quote(text, safe=_SAFE)


def other_pages(
    result: Result, language: str, ending: str = "", codes: Sequence[str] | None = None
) -> list[tuple[str, str, str]]:
    """(language, link, words in that language) of the same page in other languages, which lie beside this one."""
    known = set(languages())
    return [
        (other, page_link(result, other, ending), load(other)("language.other"))
        for other in codes or result.languages
        if other != language and other in known and _stem(result)
    ]


def page_link(result: Result, language: str, ending: str = "") -> str:
    """The address of a page beside this one: NAME.html, or NAME.da.html where there are several languages."""
    several = f".{language}" if len(result.languages) > 1 else ""
    return f"{quote(_stem(result))}{ending}{several}.html"


def _stem(result: Result) -> str:
    return PurePath(result.provenance.spec_name).stem


def _widths(figure: Figure) -> tuple[tuple[str, int], ...]:
    return (("narrow", NARROW),) if figure.section in ONCE else (("wide", WIDE), ("narrow", NARROW))


@cache
def style() -> Markup:
    """The style sheet of every page."""
    return Markup(files("evaluation.report").joinpath("style.css").read_text(encoding="utf-8"))


@cache
def template(name: str) -> Template:
    """A template by its file name."""

    def read(wanted: str) -> str:
        return files("evaluation.report").joinpath("templates", wanted).read_text(encoding="utf-8")

    environment = Environment(
        loader=FunctionLoader(read), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)
