"""Every figure of the registry: its numbers are the Result's, its SVG is safe, described, and no wider than asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from xml.etree import ElementTree

import altair
import jsonschema
import pytest
import vl_convert

from evaluation.report import converter, svg
from evaluation.report.figures import FIGURES, NARROW, PAGE, PLAIN, WIDE
from evaluation.report.figures.base import TEXT, Figure, apart, broken, chart, period_ticks, scale
from evaluation.report.words import load
from evaluation.result import CheckResult, Result
from tests.report.cycled import cycled
from tests.report.fixtures import california, hjorring, register

SVG = "{http://www.w3.org/2000/svg}"


RESULTS = {"hjorring": cycled, "california": california, "register": register}
PAIRS = [
    (key, name)
    for key, figure in FIGURES.items()
    for name, make in RESULTS.items()
    if figure.values(make(), load("en")) is not None
]


def drawn(key: str, name: str, width: int, palette: Any = PLAIN, language: str = "en") -> dict[str, Any]:
    figure, words = FIGURES[key], load(language)
    return figure.draw(figure.values(RESULTS[name](), words), words, palette, width)


@cache
def picture(key: str, name: str, width: int, language: str = "en") -> ElementTree.Element:
    figure, words = FIGURES[key], load(language)
    result = RESULTS[name]()
    values = figure.values(result, words)
    text = figure.text(values, result, words)
    one = svg.Drawing(f"{key}-{width}", lambda: figure.draw(values, words, PAGE, width), text.title, text.description)
    return ElementTree.fromstring(svg.draw([one], words)[one.key])


def rows(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind of mark, row) of everything drawn."""
    for layer in spec["layer"]:
        for row in layer["data"]["values"]:
            yield layer["mark"]["type"], row


def test_the_converter_knows_the_version_that_figures_are_written_in() -> None:
    assert converter.VL_VERSION in vl_convert.get_vegalite_versions()
    assert altair.SCHEMA_VERSION.startswith(f"v{converter.VL_VERSION.split('.')[0]}.")


def test_a_chart_that_is_no_vega_lite_is_refused() -> None:
    spec = drawn("forest", "hjorring", WIDE)
    assert isinstance(chart(spec), altair.LayerChart)
    with pytest.raises(jsonschema.ValidationError):
        altair.LayerChart.validate({**spec, "layer": [{**spec["layer"][0], "mark": {"type": "no such mark"}}]})
    with pytest.raises(jsonschema.ValidationError):
        chart({**spec, "layer": [{**spec["layer"][0], "mark": {"type": "no such mark"}}]})


def test_every_figure_is_drawn_by_some_result() -> None:
    assert {key for key, _ in PAIRS} == set(FIGURES)


@pytest.mark.parametrize(("key", "name"), PAIRS)
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_chart_is_valid_vega_lite_of_the_asked_width(key: str, name: str, width: int) -> None:
    spec = drawn(key, name, width)
    altair.LayerChart.validate(spec)  # raises where it is no Vega-Lite; `chart` does so for every part of it again
    assert spec["autosize"] == {"type": "none"}
    assert spec["width"] + spec["padding"]["left"] + spec["padding"]["right"] == width
    assert spec["width"] >= width / 2, "the plot keeps most of the figure"


@pytest.mark.parametrize("key", list(FIGURES))
def test_a_figure_without_its_facts_is_left_out(key: str) -> None:
    """No check, no placebos, no path: nothing to draw is None, never an empty plot."""
    from dataclasses import replace

    bare = replace(
        hjorring(),
        headline=replace(hjorring().headline, path=(), details={}, unit_weights={}, lower=None, upper=None),
        estimates=(),
        checks=(CheckResult("leave_one_out", "not_run", reason="few_controls"),),
    )
    assert (FIGURES[key].values(bare, load("en")) is None) == (key not in ("forest", "real_size"))


def test_observed_and_expected_are_the_path() -> None:
    spec, path = drawn("observed_expected", "hjorring", WIDE), hjorring().headline.path
    lines = [[row["y"] for row in each["data"]["values"]] for each in spec["layer"] if each["mark"]["type"] == "line"]
    assert lines == [[one.counterfactual for one in path], [one.observed for one in path]]


def test_the_band_is_observed_minus_the_interval_and_begins_at_the_start() -> None:
    spec, path = drawn("observed_expected", "hjorring", WIDE), hjorring().headline.path
    band = [row for kind, row in rows(spec) if kind == "area"]
    after = [one for one in path if one.event_time >= 0]
    assert [row["y"] for row in band] == [one.observed - one.upper for one in after]  # type: ignore[operator]
    assert [row["y2"] for row in band] == [one.observed - one.lower for one in after]  # type: ignore[operator]


def test_observed_is_solid_and_expected_dashed() -> None:
    """Not by colour alone."""
    spec = drawn("observed_expected", "hjorring", WIDE)
    dashes = [each["mark"]["strokeDash"] for each in spec["layer"] if each["mark"]["type"] == "line"]
    assert dashes == [[6, 4], [1, 0]]


def test_dots_before_the_start_are_hollow_and_after_it_filled() -> None:
    spec = drawn("event_study", "hjorring", WIDE)
    before, after = (each for each in spec["layer"] if each["mark"]["type"] == "circle")
    assert before["mark"]["fill"] == PLAIN.paper
    assert after["mark"]["fill"] == PLAIN.main
    effects = [row["y"] for each in (before, after) for row in each["data"]["values"]]
    assert effects == [one.effect for one in hjorring().headline.path]


def test_the_forest_holds_every_estimate_headline_first() -> None:
    dots = [row for kind, row in rows(drawn("forest", "hjorring", WIDE)) if kind == "point"]
    ordered = [row["x"] for row in sorted(dots, key=lambda row: row["y"])]
    assert ordered == [one.effect for one in (hjorring().headline, *hjorring().estimates)]


@pytest.mark.parametrize("key", ["every_unit_treated", "donor_weights"])
def test_bars_start_at_zero(key: str) -> None:
    spec = drawn(key, "hjorring", WIDE)
    bars = [row for kind, row in rows(spec) if kind == "rect"]
    assert bars
    assert {row["zero"] for row in bars} == {0.0}
    assert all(
        each["encoding"]["x"]["scale"]["domain"][0] == 0 for each in spec["layer"] if each["mark"]["type"] == "rect"
    )


def test_every_placebo_is_drawn_and_the_poor_ones_lighter() -> None:
    spec = drawn("placebo_gaps", "hjorring", WIDE)
    crowds = [each for each in spec["layer"] if each["mark"]["type"] == "line" and each["mark"].get("clip")]
    breaks = [row for each in crowds for row in each["data"]["values"] if row["y"] is None]
    assert len(breaks) == len(hjorring().design.controls), "a gap after each unit's line"
    assert {tuple(each["mark"].get("strokeDash", [1, 0])) for each in crowds} == {(1, 3), (1, 0)}
    assert all(each["mark"]["aria"] is False for each in crowds)


def test_axes_of_effects_hold_zero() -> None:
    for key in ("event_study", "forest", "answer_interval", "rank_strip"):
        spec = drawn(key, "california", WIDE)
        channel = "y" if key == "event_study" else "x"
        domains = [
            each["encoding"][channel]["scale"]["domain"]
            for each in spec["layer"]
            if "scale" in each["encoding"].get(channel, {})
        ]
        assert all(low <= 0 <= high for low, high in domains)


@pytest.mark.parametrize(("key", "name"), PAIRS)
@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("language", ["da", "en"])
def test_the_drawing_is_described_and_no_wider_than_asked(key: str, name: str, width: int, language: str) -> None:
    root = picture(key, name, width, language)
    box = [float(value) for value in root.attrib["viewBox"].split()]
    assert box[:3] == [0, 0, width]
    assert root.attrib["role"] == "graphics-document"
    title, description = root[0], root[1]
    assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
    assert root.attrib["aria-labelledby"] == title.attrib["id"]
    assert root.attrib["aria-describedby"] == description.attrib["id"]
    assert title.text
    assert description.text


@pytest.mark.parametrize(("key", "name"), PAIRS)
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_no_text_leaves_the_drawing(key: str, name: str, width: int) -> None:
    """By a generous estimate of its width: the reader's font is another than the converter's."""
    root = picture(key, name, width, "da")
    _, _, wide, high = (float(value) for value in root.attrib["viewBox"].split())
    for text, x, y in texts(root):
        length = max(len(part) for part in text.itertext() if part.strip()) * TEXT * 0.56
        anchor = text.attrib.get("text-anchor", "start")
        left = x - {"start": 0, "middle": length / 2, "end": length}[anchor]
        assert left >= -2, "".join(text.itertext())
        assert left + length <= wide + 2, "".join(text.itertext())
        assert 0 <= y <= high, "".join(text.itertext())


def texts(root: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, float, float]]:
    """Every text with its place in the drawing."""

    def visit(node: ElementTree.Element, x: float, y: float) -> Iterator[tuple[ElementTree.Element, float, float]]:
        move = re.match(r"translate\(([-\d.]+),\s*([-\d.]+)\)", node.attrib.get("transform", ""))
        if move:
            x, y = x + float(move[1]), y + float(move[2])
        if node.tag == f"{SVG}text":
            yield node, x, y
        for child in node:
            yield from visit(child, x, y)

    return visit(root, 0.0, 0.0)


@pytest.mark.parametrize(("key", "name"), PAIRS)
def test_colours_are_the_pages_variables_and_nothing_is_fetched(key: str, name: str) -> None:
    text = ElementTree.tostring(picture(key, name, WIDE), encoding="unicode")
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', text))
    assert all(colour in {"none", "transparent"} or colour.startswith("var(--") for colour in colours), colours
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
    assert "<script" not in text
    assert "href" not in text


def test_ids_carry_the_drawings_key_and_every_reference_has_one() -> None:
    """Vega's `clip1` would repeat from figure to figure, and count on from page to page."""
    for width in (WIDE, NARROW):
        text = ElementTree.tostring(picture("placebo_gaps", "hjorring", width), encoding="unicode")
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids))
        assert all(one.startswith(f"placebo_gaps-{width}-") for one in ids)
        assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)
        assert "url(#" in text


def test_numbers_on_axes_are_in_the_readers_form() -> None:
    danish = [("".join(text.itertext())) for text, _, _ in texts(picture("placebo_gaps", "hjorring", WIDE, "da"))]
    assert any("," in label for label in danish)
    assert not any("." in label for label in danish)
    assert any(label.startswith("\N{MINUS SIGN}") for label in danish)


def test_the_plain_palette_has_no_variables() -> None:
    """A canvas or an image file does not know CSS variables: lines would vanish."""
    assert "var(" not in json.dumps(drawn("observed_expected", "hjorring", WIDE))


@pytest.mark.parametrize(("key", "name"), PAIRS)
def test_every_figure_has_a_finding_a_reading_and_its_numbers(key: str, name: str) -> None:
    figure: Figure = FIGURES[key]
    for language in ("da", "en"):
        result, words = RESULTS[name](), load(language)
        values = figure.values(result, words)
        text = figure.text(values, result, words)
        assert all((text.title, text.subtitle, text.how, text.description))
        table = figure.table(values, result, words)
        assert table is not None
        assert table.caption
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.head)}


def test_scales_hold_their_numbers_and_have_round_ticks() -> None:
    found = scale([0.13, 0.97], 5)
    assert found.low < 0.13
    assert found.high > 0.97
    assert [round(tick, 10) for tick in found.ticks] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert found.decimals == 1
    assert scale([5.0, 5.0]).high > 5.0


def test_labels_are_moved_apart_and_long_names_broken() -> None:
    assert apart([10.0, 12.0], 10.0) == [6.0, 16.0]
    assert apart([10.0, 50.0], 10.0) == [10.0, 50.0]
    assert broken("Syntetisk kontrolgruppe, uden niveauforskelle", 230) == [
        "Syntetisk kontrolgruppe,",
        "uden niveauforskelle",
    ]
    assert broken("kort", 230) == ["kort"]
    assert len(broken("Konform inferens, med forskel-i-forskelle for hver periode", 150)) == 4


@pytest.mark.parametrize(
    ("labels", "start", "most", "expected"),
    [
        ([str(year) for year in range(2008, 2022)], 7, 8, [2009, 2011, 2013, 2015, 2017, 2019, 2021]),
        (
            [f"{year}Q{q}" for year in range(2014, 2018) for q in (1, 2, 3, 4)],
            4,
            8,
            ["2014Q1", "2015Q1", "2016Q1", "2017Q1"],
        ),
    ],
)
def test_only_round_periods_are_labelled_and_the_start_among_them(
    labels: list[str], start: int, most: int, expected: list[Any]
) -> None:
    assert [labels[index] for index in period_ticks(labels, start, most)] == [str(label) for label in expected]


def test_effects_by_event_time_are_drawn_where_units_start_at_different_times() -> None:
    """Then there is no common period: the axis counts periods since the start, and there is no counterfactual path."""
    from dataclasses import replace

    result, words = hjorring(), load("da")
    path = tuple(replace(one, period="", observed=None, counterfactual=None) for one in result.headline.path)
    result = replace(result, headline=replace(result.headline, path=path))
    values = FIGURES["event_study"].values(result, words)
    assert values.line.labels[0] == "−7"
    assert values.line.start == 7
    assert FIGURES["observed_expected"].values(result, words) is None
    labels = ["".join(text.itertext()) for text, _, _ in texts(_svg("event_study", result))]
    assert {"−6", "0", "6"} <= set(labels)


def _svg(key: str, result: Result) -> ElementTree.Element:
    figure, words = FIGURES[key], load("da")
    values = figure.values(result, words)
    one = svg.Drawing(key, lambda: figure.draw(values, words, PAGE, WIDE), "title", "description")
    return ElementTree.fromstring(svg.draw([one], words)[key])
