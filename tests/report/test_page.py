"""The page as a whole: complete, accessible by law, offline, the same to the last byte, and honest about what failed."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from evaluation.report.page import render
from evaluation.result import CheckResult, Failure, Value, from_json, to_json
from tests.report.conftest import CASES, page
from tests.report.fixtures import california, hjorring
from tests.report.reading import Node, lines, read, spaced

GOLDEN = Path(__file__).parent / "golden"
LIMIT = 1_000_000


@pytest.mark.parametrize("case", list(CASES))
def test_the_words_of_the_page(case: str) -> None:
    """Every heading, sentence and label, word for word. To renew: `python -m tests.report.golden`."""
    assert lines(page(case)) == (GOLDEN / f"{case}.txt").read_text(encoding="utf-8").splitlines()


def test_the_language_of_the_page_is_said(html: str) -> None:
    root = read(html).all("html")[0]
    assert root.attributes["lang"] in {"da", "en"}


def test_one_first_heading_and_no_level_skipped(html: str) -> None:
    levels = [int(node.tag[1]) for node in read(html).all("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_landmarks_and_a_way_past_the_head(html: str) -> None:
    tree = read(html)
    for tag in ("header", "main", "footer"):
        assert len(tree.all(tag)) == 1
    first = tree.all("a")[0]
    assert first.attributes == {"class": "skip", "href": "#answer"}
    labels = [node.attributes.get("aria-label", "") for node in tree.all("nav")]
    assert all(labels)
    assert len(labels) == len(set(labels))


def test_ids_are_unique_and_every_reference_has_one(html: str) -> None:
    """Two drawings of one figure, a dozen figures: Vega's own ids would repeat."""
    nodes = list(read(html).walk())
    ids = [node.attributes["id"] for node in nodes if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    wanted = {
        name
        for node in nodes
        for key in ("aria-labelledby", "aria-describedby")
        for name in node.attributes.get(key, "").split()
    }
    wanted |= {node.attributes["href"][1:] for node in nodes if node.attributes.get("href", "").startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", html))
    assert wanted <= set(ids)


def test_every_table_has_a_caption_and_its_heads_a_scope(html: str) -> None:
    tables = read(html).all("table")
    assert len(tables) > 8
    for table in tables:
        assert [child.tag for child in table.children if isinstance(child, Node)] == ["caption", "thead", "tbody"]
        assert table.all("caption")[0].text()
        assert {head.attributes.get("scope") for head in table.all("th")} <= {"col", "row"}
        assert all(head.text() for head in table.all("th"))


def test_what_scrolls_can_be_reached_by_keyboard(html: str) -> None:
    for node in read(html).walk():
        if node.attributes.get("class") == "scroll" or node.tag == "pre":
            assert node.attributes["tabindex"] == "0"
            assert node.attributes["role"] == "region"
            assert node.attributes["aria-label"]


def test_every_figure_has_title_reading_description_and_table(html: str) -> None:
    figures = read(html).all("figure")
    assert len(figures) >= 7
    for figure in figures:
        assert (figure.all("h3") or figure.all("h5"))[0].text()
        assert len(figure.all("svg")) in {1, 2}
        for drawing in figure.all("svg"):
            assert drawing.attributes["role"] == "graphics-document"
            assert drawing.all("title")[0].text()
            assert drawing.all("desc")[0].text()
        kinds = [node.attributes.get("class") for node in figure.all("p")]
        assert {"subtitle", "how"} <= set(kinds)
        assert figure.all("details")[0].all("table")
        link = next(node for node in figure.all("a") if "download" in node.attributes)
        assert link.attributes["href"].startswith("data:text/csv;charset=utf-8,")


def test_nothing_is_loaded_and_no_script_runs(html: str) -> None:
    tree = read(html)
    policy = next(node for node in tree.all("meta") if node.attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy.attributes["content"] == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert not tree.all("script", "iframe", "object", "embed", "img", "video", "audio", "form")
    for node in tree.walk():
        assert not any(name.startswith("on") for name in node.attributes)
        for name in ("src", "href", "action", "data", "poster"):
            value = node.attributes.get(name, "")
            assert "//" not in value.split(",")[0], value
    css = tree.all("style")[0].text()
    assert "@import" not in css
    assert "url(" not in css


def test_addresses_stand_only_in_namespaces(html: str) -> None:
    found = set(re.findall(r"https?://[^\s\"'<)]+", html.replace("&#34;", '"')))
    assert found <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_the_page_stays_small(html: str) -> None:
    assert len(html.encode()) < LIMIT


def test_very_many_placebos_are_thinned_and_the_page_stays_small() -> None:
    """2,000 lines and dots would weigh several megabytes: 150 are drawn, and the files beside the page hold all."""
    placebo: dict[str, Value] = {**california().headline.details["placebo"]}  # type: ignore[dict-item]
    for key in ("units", "effects", "ratios", "rmspe_pre", "gaps"):
        placebo[key] = (list(placebo[key]) * 60)[:2000]  # type: ignore[arg-type]
    placebo |= {"count": 2001, "rank": 1, "smallest_p": 1 / 2001}
    html = render(replace(california(), headline=replace(california().headline, details={"placebo": placebo})), "en")
    assert len(html.encode()) < LIMIT
    said = "\n".join(spaced(line) for line in lines(html))
    assert (
        "150 of 2,000 lines are drawn, evenly spaced by size; all are in the file california/placebo_gaps.csv." in said
    )
    assert "150 of 2,000 dots are drawn, evenly spaced by size; all are in the file california/placebos.csv." in said
    assert "All the numbers are in the file california/placebo_gaps.csv, beside this page." in said
    assert 'download="placebo_gaps.csv"' not in html


def test_the_programs_own_message_is_announced_on_a_danish_page() -> None:
    failure = Failure("estimator", "did", ("did: too few periods",))
    said = [spaced(line) for line in lines(render(replace(hjorring(), failures=(failure,)), "da"))]
    assert "Programmets egen besked, på engelsk: too few periods." in said


def test_every_start_is_named() -> None:
    several = {**hjorring().headline.details, "starts": ["2016", "2018", "2019"]}
    result = replace(hjorring(), headline=replace(hjorring().headline, details=several))
    assert "2016, 2018 and 2019" in render(result, "en")


def test_the_generator_is_named_where_the_writer_looks_for_it(html: str) -> None:
    """`evaluate` overwrites only pages of its own making, and looks at the first 4,000 bytes."""
    assert b'name="generator" content="nettoeffekt' in html.encode()[:4000]


@pytest.mark.parametrize("case", list(CASES))
def test_the_same_result_gives_the_same_bytes(case: str) -> None:
    make, language = CASES[case]
    assert render(make(), language) == page(case)


@pytest.mark.usefixtures("drawn_afresh")
@pytest.mark.parametrize("case", ["cycle.da", "register.en"])
def test_drawn_afresh_too(case: str) -> None:
    """The converter counts its ids on from figure to figure, and is asked in another order."""
    make, language = CASES[case]
    assert render(make(), language) == page(case)


def test_a_result_read_back_from_json_gives_the_same_page() -> None:
    assert render(from_json(to_json(hjorring())), "da") == page("hjorring.da")


def test_pages_in_several_languages_link_to_one_another() -> None:
    link = next(node for node in read(page("hjorring.da")).all("a") if "hreflang" in node.attributes)
    assert link.attributes == {"href": "hjorring_employment.en.html", "hreflang": "en", "lang": "en"}
    assert link.text() == "Read this page in English"
    assert not any("hreflang" in node.attributes for node in read(page("california.en")).all("a"))


def test_contents_list_every_section_in_order(html: str) -> None:
    tree = read(html)
    nav = next(node for node in tree.all("nav") if node.attributes["class"] == "contents")
    linked = [node.attributes["href"][1:] for node in nav.all("a")]
    assert linked == [node.attributes["id"] for node in tree.all("section")]


def test_made_up_data_are_said_so_before_anything_else() -> None:
    result = replace(california(), design=replace(california().design, synthetic=True))
    said = lines(render(result, "en"))
    body = said.index(
        "The data behind this page are made up. It shows what an evaluation looks like, and tells nothing about the world."
    )
    assert body < next(index for index, line in enumerate(said) if line.startswith("# "))


def test_who_asked_and_who_paid_stand_in_the_head() -> None:
    result = replace(california(), commissioned_by={"en": "The county"}, funding={"en": "A foundation"})
    head = read(render(result, "en")).all("header")[0].text()
    assert "Commissioned by The county" in head
    assert "Funded by A foundation" in head


@pytest.mark.parametrize("kind", ["estimator", "inference", "check", "figure"])
def test_what_failed_is_a_visible_box(kind: str) -> None:
    """Nothing is silently missing."""
    result = replace(california(), failures=(Failure(kind, "something", ("the reason why",)),))  # type: ignore[arg-type]
    boxes = [node.text() for node in read(render(result, "en")).walk() if node.attributes.get("class") == "failure"]
    assert len(boxes) == 1
    assert "the reason why." in boxes[0]
    assert "could not be" in boxes[0]


def test_a_check_that_was_not_run_says_why_where_its_figure_would_stand() -> None:
    checks = (
        CheckResult("leave_one_out", "not_run", reason="few_controls"),
        CheckResult("every_unit_treated", "not_run", reason="several_treated"),
    )
    tree = read(render(replace(california(), checks=checks), "en"))
    sections = {node.attributes["id"]: node.text() for node in tree.all("section")}
    assert "there are too few to compare with" in sections["wrong"]
    assert "more than one is treated" in sections["turn"]
    assert "Not run." in sections["checks"]


def test_text_from_a_spec_is_never_markup() -> None:
    design = replace(
        california().design,
        treated=("<b>Nordby</b>",),
        outcome_label={"en": '<script>alert("x")</script>'},
        outcome_unit={"en": "a & b"},
    )
    result = replace(california(), design=design, title={"en": "</title><img src=x>"})
    html = render(result, "en")
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>Nordby" not in html


def test_the_spec_is_printed_as_it_is() -> None:
    text = next(node for node in read(page("california.en")).all("pre")).children[0]
    assert text == california().provenance.spec_text


def test_an_outcome_without_a_unit_leaves_no_holes() -> None:
    design = replace(california().design, outcome_unit={"en": ""}, outcome_label={"en": "arrears"})
    said = [spaced(line) for line in lines(render(replace(california(), design=design), "en"))]
    assert not any(", ," in line or " ." in line or line.endswith(",") for line in said)


def test_no_interval_and_no_checks_still_make_a_page() -> None:
    bare = replace(
        california().headline, lower=None, upper=None, std_error=None, p_value=None, details={}, percent=None
    )
    bare = replace(bare, path=tuple(replace(one, lower=None, upper=None, std_error=None) for one in bare.path))
    result = replace(
        california(), headline=bare, checks=(), estimates=(), flow=(),
        verdict=replace(california().verdict, direction="unclear", ruled_out_above=None, ruled_out_below=None, detectable=None),
    )  # fmt: skip
    said = lines(render(result, "en"))
    assert "No checks were run." in said
    assert "This was not examined: the inference that was used makes no placebo comparisons." in said


# -- colours -----------------------------------------------------------------------------------------------------------


@cache
def palettes() -> dict[str, dict[str, str]]:
    css = files("evaluation.report").joinpath("style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, flags=re.S)
    names = ("light", "dark", "print")
    return {
        name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for name, block in zip(names, blocks, strict=True)
    }


def contrast(one: str, other: str) -> float:
    """WCAG 2.1: (lighter + 0.05) / (darker + 0.05) of the relative luminances."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


TEXT_ON_PAPER = ("ink", "muted", "main", "accent-ink", "passed", "warns", "failed")
TEXT_ON_CARDS = ("ink", "muted", "main")
MARKS = ("main", "accent", "quiet", "ink")


@pytest.mark.parametrize("palette", ["light", "dark", "print"])
def test_text_and_marks_stand_out_enough(palette: str) -> None:
    """WCAG AA: text at least 4.5, marks at least 3 (figures stand on paper, never on a card)."""
    colours = palettes()[palette]
    assert all(contrast(colours[name], colours["paper"]) >= 4.5 for name in TEXT_ON_PAPER)
    assert all(contrast(colours[name], colours["card"]) >= 4.5 for name in TEXT_ON_CARDS)
    assert all(contrast(colours[name], colours["paper"]) >= 2.995 for name in MARKS)


@pytest.mark.parametrize("palette", ["light", "dark"])
def test_the_two_lines_that_are_compared_differ_in_brightness_too(palette: str) -> None:
    colours = palettes()[palette]
    assert contrast(colours["main"], colours["accent"]) >= 2.5
    assert contrast(colours["main"], colours["quiet"]) >= 2.0


def test_print_is_light() -> None:
    assert palettes()["print"] == palettes()["light"]


def test_every_colour_a_figure_uses_is_the_pages(html: str) -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", html))
    assert used <= set(palettes()["light"])
    assert set(palettes()["light"]) == set(palettes()["dark"])
