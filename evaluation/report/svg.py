"""A Vega-Lite figure as static SVG for the page: coloured by the page's variables, described, and safe beside other figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from evaluation.report import converter
from evaluation.report.figures.base import Spec
from evaluation.report.words import MINUS, Words

HELPERS = 2
"""Figures drawn at the same time."""

_SVG = "http://www.w3.org/2000/svg"
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_NUMERIC = frozenset({"d", "transform", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "cx", "cy", "r"})
_NEEDLESS = frozenset({"font-family", "pointer-events", "stroke-miterlimit", "version"})

ElementTree.register_namespace("", _SVG)


@dataclass(frozen=True, slots=True)
class Drawing:
    """One figure at one width: a key that is unique on the page, its specification, title and description."""

    key: str
    spec: Callable[[], Spec]
    title: str
    description: str


def draw(drawings: Sequence[Drawing], words: Words) -> dict[str, str]:
    """Every drawing's SVG by its key; specifications are written here while the converter draws those before."""
    locale = _locale(words)
    converter.warm_up(HELPERS)
    with ThreadPoolExecutor(max_workers=HELPERS) as pool:
        waiting: dict[str, Future[str]] = {one.key: pool.submit(convert, one.spec(), locale) for one in drawings}
        return {one.key: finished(waiting[one.key].result(), one) for one in drawings}


def convert(spec: Spec, locale: Mapping[str, Any]) -> str:
    """Vega-Lite to SVG, without any access to addresses."""
    return converter.convert(
        {"vl_spec": spec, "vl_version": converter.VL_VERSION, "allowed_base_urls": [], "format_locale": dict(locale)}
    )


def finished(svg: str, drawing: Drawing) -> str:
    """The converter's SVG made fit for the page.

    It drops the chart's description, repeats ids from figure to figure, and writes fourteen digits: put title and
    description in, prefix ids, round to a tenth of a pixel, and let the page choose the font.
    """
    root = ElementTree.fromstring(svg)
    # the converter counts ids on from figure to figure, so that the second page of a run would differ from the first
    found = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    ids = {name: f"{drawing.key}-{index}" for index, name in enumerate(found)}
    for parent in list(root.iter()):
        for child in [child for child in parent if _invisible(child)]:
            parent.remove(child)
    for element in root.iter():
        for name in _NEEDLESS & element.attrib.keys():
            del element.attrib[name]
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, ids[value])
            elif name in _NUMERIC:
                element.set(name, _NUMBER.sub(_rounded, value))
            elif "url(#" in value:
                element.set(name, _REFERENCE.sub(lambda match: f"url(#{ids[match[1]]})", value))
    names = {"title": f"{drawing.key}-title", "desc": f"{drawing.key}-desc"}
    for place, (tag, words) in enumerate((("title", drawing.title), ("desc", drawing.description))):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": names[tag]})
        element.text = words
        root.insert(place, element)
    root.set("role", "graphics-document")
    root.set("aria-labelledby", names["title"])
    root.set("aria-describedby", names["desc"])
    return ElementTree.tostring(root, encoding="unicode")


def _invisible(element: ElementTree.Element) -> bool:
    """Vega's empty backgrounds and foregrounds."""
    return (
        element.get("class") in {"background", "foreground"}
        and element.get("fill") is None
        and element.get("stroke") is None
    )


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.1f}".removesuffix(".0")


def _locale(words: Words) -> dict[str, Any]:
    marks = {"decimal": words.phrases["number.decimal"], "thousands": words.phrases["number.thousands"]}
    return {**_LOCALE, **marks}


_LOCALE: dict[str, Any] = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["", ""], "minus": MINUS}
