"""The auditor's sixteen checks on the page and on a page of their own: complete, traced, accessible, and true in every status."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from evaluation.report import audit_rows, audit_sentences
from evaluation.report.audit import render_audit
from evaluation.report.audit_formulas import CELLS, FORMULAS
from evaluation.report.audit_tables import FEW, blocks, csv_blocks, tables
from evaluation.report.csvs import csv_files, is_table
from evaluation.report.page import render
from evaluation.report.words import load
from evaluation.result import CheckResult, Failure, Note, Result, Series, Value, WaterfallPart, from_json, to_json
from tests.report.audited import IDS, audited, registered
from tests.report.fixtures import hjorring
from tests.report.reading import Node, lines, read, spaced

STATUSES = ("passed", "warns", "failed", "not_run")
BASES = {"panel": audited, "register": registered}
LIMIT = 1_000_000


@cache
def result(base: str, status: str) -> Result:
    return BASES[base](status)  # type: ignore[arg-type]


@cache
def main_page(base: str, status: str, language: str) -> str:
    return render(result(base, status), language, audit=True)


@cache
def audit_page(base: str, status: str, language: str) -> str:
    return render_audit(result(base, status), language)


EVERY = [("panel", status, language) for status in STATUSES for language in ("da", "en")]
EVERY += [("register", "passed", "da"), ("register", "failed", "en")]
PAGES = [(make, *one) for make in (main_page, audit_page) for one in EVERY]


@pytest.fixture(scope="module", params=PAGES, ids=lambda one: f"{one[0].__wrapped__.__name__}-{'-'.join(one[1:])}")
def html(request: pytest.FixtureRequest) -> str:
    make, *which = request.param
    page: str = make(*which)
    return page


# -- both pages, in every status and language --------------------------------------------------------------------------


def test_every_element_is_closed_and_ids_are_unique(html: str) -> None:
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
    assert wanted <= set(ids)


def test_headings_and_landmarks_are_in_order(html: str) -> None:
    tree = read(html)
    levels = [int(node.tag[1]) for node in tree.all("h1", "h2", "h3", "h4", "h5")]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for tag in ("header", "main", "footer"):
        assert len(tree.all(tag)) == 1
    assert tree.all("a")[0].attributes["class"] == "skip"


def test_tables_have_captions_and_scopes_and_scroll_by_keyboard(html: str) -> None:
    for table in read(html).all("table"):
        assert table.all("caption")[0].text()
        assert {head.attributes.get("scope") for head in table.all("th")} <= {"col", "row"}
        heads = len(table.all("thead")[0].all("th"))
        for row in table.all("tbody")[0].all("tr"):
            assert len(row.all("th", "td")) == heads
    for node in read(html).walk():
        if node.attributes.get("class") == "scroll" or node.tag == "pre":
            assert node.attributes["tabindex"] == "0"
            assert node.attributes["aria-label"]


def test_figures_are_described_and_nothing_is_loaded(html: str) -> None:
    tree = read(html)
    for drawing in tree.all("svg"):
        assert drawing.all("title")[0].text()
        assert drawing.all("desc")[0].text()
    assert not tree.all("script", "iframe", "object", "embed", "img", "form")
    for node in tree.walk():
        assert not any(name.startswith("on") for name in node.attributes)
        for name in ("src", "href"):
            assert "//" not in node.attributes.get(name, "").split(",")[0]
    found = set(re.findall(r"https?://[^\s\"'<)]+", html.replace("&#34;", '"')))
    assert found <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert b'name="generator" content="nettoeffekt' in html.encode()[:4000]
    assert len(html.encode()) < LIMIT


def test_no_hole_and_no_slot_is_left_in_a_sentence(html: str) -> None:
    for line in lines(html):
        assert not re.search(r"\{\w*\}|\bNone\b(?! of)|\bnan\b|  |\(\)|\.\.(?!\.)", spaced(line)), line


@pytest.mark.parametrize(("base", "status", "language"), EVERY)
def test_a_status_is_said_by_sign_and_word_in_every_row(base: str, status: str, language: str) -> None:
    """Never by colour alone."""
    rows = [
        node
        for node in read(main_page(base, status, language)).walk()
        if node.attributes.get("id", "").startswith("audit-")
    ]
    assert [node.attributes["id"] for node in rows] == [f"audit-{name}" for name in IDS]
    word = load(language)(f"status.{status}")
    for row in rows:
        mark = next(node for node in row.walk() if node.attributes.get("class") == "status")
        assert mark.text() == f"{audit_rows.ICONS[status]} {word}"
        icon = next(node for node in mark.walk() if node.attributes.get("class") == "icon")
        assert icon.attributes["aria-hidden"] == "true"


# -- the page with the answer ------------------------------------------------------------------------------------------


def test_the_block_stands_in_the_section_of_the_cycle_and_every_row_unfolds() -> None:
    section = next(
        node for node in read(main_page("panel", "warns", "en")).all("section") if node.attributes["id"] == "cycle"
    )
    rows = [node for node in section.all("li") if node.attributes.get("id", "").startswith("audit-")]
    assert len(rows) == 16
    for row in rows:
        unfolded = row.all("details")[0]
        assert "open" not in unfolded.attributes
        assert unfolded.all("table")
        assert "How it was computed" in unfolded.text()
    drawn = {row.attributes["id"] for row in rows if row.all("svg")}
    assert {f"audit-{name}" for name in IDS} - drawn == {"audit-provenance", "audit-composition"}


def test_persons_of_a_register_are_drawn() -> None:
    row = next(
        node
        for node in read(main_page("register", "passed", "da")).walk()
        if node.attributes.get("id") == "audit-composition"
    )
    assert row.all("svg")


def test_an_audit_figure_is_drawn_once() -> None:
    tree = read(main_page("panel", "passed", "da"))
    figures = [node for node in tree.all("figure") if node.attributes["id"].startswith("audit_")]
    assert len(figures) == 16
    assert all(len(figure.all("svg")) == 1 for figure in figures)


def test_without_checks_there_is_no_block() -> None:
    assert "audit" not in {node.attributes.get("id") for node in read(render(hjorring(), "en")).walk()}


def test_each_page_leads_to_the_other_only_where_it_was_written() -> None:
    def links(html: str) -> set[str]:
        return {node.attributes.get("href", "") for node in read(html).all("a")}

    assert "hjorring_employment.audit.da.html" in links(main_page("panel", "passed", "da"))
    assert not any(".audit" in link for link in links(render(audited(), "da")) if not link.startswith("data:"))
    assert {"hjorring_employment.da.html", "hjorring_employment.audit.en.html"} <= links(
        audit_page("panel", "passed", "da")
    )
    one = replace(audited(), languages=("en",))
    assert "hjorring_employment.html" in links(render_audit(one, "en"))
    assert "hjorring_employment.audit.html" in links(render(one, "en", audit=True))


# -- sentences ---------------------------------------------------------------------------------------------------------


def sentence(name: str, status: str, language: str = "en", base: str = "panel", **facts: Value) -> str:
    found = result(base, status)
    one = next(each for each in found.cycle.audit if each.id == name)
    return spaced(audit_sentences.sentence(replace(one, facts={**one.facts, **facts}), found, load(language)))


@pytest.mark.parametrize("language", ["da", "en"])
@pytest.mark.parametrize("name", IDS)
def test_each_status_has_a_sentence_of_its_own(name: str, language: str) -> None:
    said = [sentence(name, status, language) for status in STATUSES]
    assert len(set(said)) == 4
    assert all(text.endswith(".") for text in said)


@pytest.mark.parametrize("language", ["da", "en"])
def test_cannot_tell_is_never_no_effect(language: str) -> None:
    for status in STATUSES:
        for name in IDS:
            text = sentence(name, status, language).casefold()
            assert "no effect" not in text
            assert "ingen effekt" not in text
            assert "proves" not in text


def test_a_local_shock_can_never_be_ruled_out() -> None:
    for status in ("passed", "warns", "failed"):
        text = sentence("breakdown", status)
        assert "A shock that hits only Hjørring and leaves no trace in any series cannot be ruled out." in text
        assert "It would have to be 1.20 percentage points on average, 2.4 times the usual size of such shocks." in text


def test_an_interval_that_holds_zero_has_no_effect_to_break() -> None:
    text = sentence("breakdown", "warns", significant=False, drift_limit=None, m_bar_limit=None)
    assert text.startswith("The interval already holds zero, so there is no clear effect to overturn.")


def test_sentences_say_only_what_is_known() -> None:
    assert "not available" not in sentence("breakdown", "warns", drift=None, local_sd=None)
    assert "not available" not in sentence("loading_balance", "passed", beta_low=None)
    assert "the specification was fixed on 2026-01-31" in sentence("provenance", "warns")
    assert "hindsight" in sentence("provenance", "warns", frozen="")


def test_word_for_word() -> None:
    assert sentence("loading_balance", "passed") == (
        "Hjørring reacts to the cycle with 0.91 (from 0.63 to 1.18), the comparison with 0.90. The difference is worth −0.07 "
        "percentage points over the window: little against chance."
    )
    assert sentence("equal_shock_placebos", "failed", "da") == (
        "Blandt 25 kommuner, der blev ramt af det samme stød, viser 68 pct. en forskel på størrelse med −0,23 procentpoint for "
        "Hjørring helt uden indsats. Stødet alene kan have skabt den."
    )


def test_a_headline_that_only_compares_takes_nothing_out() -> None:
    plain = replace(audited("passed"), cycle=replace(audited("passed").cycle, adjust="none"))
    one = next(each for each in plain.cycle.audit if each.id == "ladder")
    said = audit_sentences.sentence(one, plain, load("en"))
    assert said.startswith("The headline only compares with others.")
    assert "moves the estimate" not in said


def test_the_reason_for_not_running_is_said() -> None:
    one = CheckResult("spillover_rings", "not_run", reason="no_neighbours")
    assert audit_sentences.sentence(one, audited(), load("en")) == (
        "Whether neighbours share the effect was not examined. Reason: " + load("en")("reason.no_neighbours") + "."
    )


def test_a_check_that_broke_is_named_in_the_readers_language() -> None:
    broken = replace(audited(), failures=(Failure("check", "donors", ("singular",)),))
    boxes = [
        node.text() for node in read(render_audit(broken, "da")).walk() if node.attributes.get("class") == "failure"
    ]
    assert boxes
    assert "Er der én i sammenligningen, der afgør svaret?" in boxes[0]


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", list(BASES))
def test_every_number_of_every_series_is_in_a_file(base: str) -> None:
    files = csv_files(result(base, "passed"))
    for one in result(base, "passed").cycle.audit:
        told: dict[str, list[str]] = {}
        for name in csv_blocks(one):
            assert is_table(name)
            rows = list(csv.DictReader(io.StringIO(files[name])))
            told |= {column: [row[column] for row in rows] for column in rows[0]}
        for column, values in one.series.items():
            if column in {"held_out", "shares"} or one.id == "composition":
                continue
            assert isinstance(values, list)
            if all(value is None or isinstance(value, (int, float)) for value in values):
                known = [None if cell in {"", "False", "True"} else float(cell) for cell in told[column]]
                wanted = [None if value is None or isinstance(value, bool) else value for value in values]
                assert [cell is None for cell in known] == [cell is None for cell in wanted]
                pairs = zip(known, wanted, strict=True)
                # written with ten digits
                assert all(a == pytest.approx(b, rel=1e-9) for a, b in pairs if b is not None), (one.id, column)
            else:
                assert told[column] == values


def test_exits_are_one_row_a_state_side_and_period() -> None:
    text = csv_files(audited())["audit_composition.csv"]
    assert text.splitlines()[:3] == ["states,sides,periods,counts", "dead,treated,2020,20", "dead,treated,2021,31"]
    assert len(text.splitlines()) == 9


def test_held_out_periods_are_marked_and_donors_lie_in_a_file_of_their_own() -> None:
    files = csv_files(audited())
    held = [
        row["periods"] for row in csv.DictReader(io.StringIO(files["audit_backcast.csv"])) if row["held_out"] == "1"
    ]
    assert held == ["2009", "2010"]
    assert len(files["audit_backcast_donors.csv"].splitlines()) == 94


def test_the_summary_file_has_a_row_a_check() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_files(audited("warns"))["cycle_audit.csv"])))
    assert [row["id"] for row in rows] == list(IDS)
    assert {row["status"] for row in rows} == {"warns"}
    assert '"drift_sd": 0.24' in rows[13]["facts"]


@pytest.mark.parametrize("language", ["da", "en"])
def test_every_row_of_every_series_stands_on_the_page_for_auditors(language: str) -> None:
    found = result("panel", "passed")
    captions = {
        table.all("caption")[0].text(): len(table.all("tbody")[0].all("tr"))
        for table in read(audit_page("panel", "passed", language)).all("table")
    }
    for one in found.cycle.audit:
        every = tables(one, found, load(language))
        assert len(every) == len(blocks(one))
        for table in every:
            assert captions[table.caption] == len(table.rows)


def test_long_tables_are_shortened_on_the_page_with_the_answer() -> None:
    one = next(each for each in audited().cycle.audit if each.id == "common_shock")
    (short,) = tables(one, audited(), load("en"), FEW)
    assert len(short.rows) == FEW
    assert short.caption.endswith("30 of 400 rows are shown, evenly spaced by size.") or "30 of 400" in short.caption


def test_a_column_that_nobody_foresaw_is_shown_all_the_same() -> None:
    one = next(each for each in audited().cycle.audit if each.id == "in_time_placebos")
    more = replace(one, series={**one.series, "extra": [1, 2, 3], "other": ["a", "b", "c", "d"]})
    assert [list(block.columns)[-1] for block in blocks(more)] == ["extra", "other"]
    assert set(csv_blocks(more)) == {"audit_in_time_placebos.csv", "audit_in_time_placebos_other.csv"}


def without(value: Any) -> Any:
    """The same shape with every number missing."""
    if isinstance(value, list):
        return [without(each) for each in value]
    if isinstance(value, dict):
        return {key: without(each) for key, each in value.items()}
    return None if isinstance(value, (int, float)) else value


@pytest.mark.parametrize(
    ("kind", "status", "language"),
    [
        ("missing", "passed", "da"),
        ("missing", "warns", "en"),
        ("empty", "failed", "da"),
        ("empty", "warns", "en"),
        ("ends", "passed", "en"),
    ],
)
def test_missing_numbers_break_nothing(kind: str, status: str, language: str) -> None:
    def bare(one: CheckResult) -> CheckResult:
        if kind == "empty":
            return replace(one, value=None, threshold=None, facts={}, series={})
        if kind == "missing":
            return replace(one, value=None, facts=without(one.facts), series=without(one.series))
        gone = {"lowers", "uppers", "lows", "highs", "p_values", "weights", "std_errors"}
        return replace(one, series={key: without(each) if key in gone else each for key, each in one.series.items()})

    found = audited(status)  # type: ignore[arg-type]
    found = replace(found, cycle=replace(found.cycle, audit=tuple(bare(one) for one in found.cycle.audit), terms={}))
    assert read(render(found, language))
    assert read(render_audit(found, language))


def test_a_check_nobody_has_words_for_is_shown_all_the_same() -> None:
    odd = CheckResult("new_idea", "warns", 1.0, 2.0, facts={"a": 1}, series={"xs": [1, 2], "odd": [[1], [2]]})
    found = replace(audited(), cycle=replace(audited().cycle, audit=(*audited().cycle.audit, odd)))
    assert "New idea" in "\n".join(lines(render(found, "en")))
    assert "New idea" in "\n".join(lines(render_audit(found, "en")))


# -- the page for auditors ---------------------------------------------------------------------------------------------


def section(name: str, language: str = "en", base: str = "panel") -> Node:
    return next(
        node for node in read(audit_page(base, "warns", language)).all("section") if node.attributes["id"] == name
    )


def test_every_check_is_traced() -> None:
    assert set(FORMULAS) == set(CELLS) == set(IDS) == set(audit_sentences.RULES)
    text = section("checks").text()
    for name in IDS:
        assert " ".join(FORMULAS[name].split()) in text
    assert text.count("Cells used") == 16
    assert text.count("Facts by their names in the JSON file") == 16


def test_bounds_stand_in_one_table_with_their_source() -> None:
    rows = [[cell.text() for cell in row.all("th", "td")] for row in section("thresholds").all("tbody")[0].all("tr")]
    assert len(rows) == 16
    assert spaced(rows[0][1]) == "at most 0.25 placebo spreads"
    assert spaced(rows[14][1]) == "at least 50 % of the average effect"
    assert spaced(rows[14][2]) == "above 0 % of the average effect"
    assert {row[-1] for row in rows} == {"default, assumption"}


def test_the_coefficients_of_every_unit_are_listed() -> None:
    units = section("coefficients").all("table")[1]
    assert [head.text() for head in units.all("thead")[0].all("th")] == ["Name", "beta", "std_error"]
    assert len(units.all("tbody")[0].all("tr")) == 94


def test_coefficients_come_from_the_headline_where_the_cycle_has_none() -> None:
    found = audited()
    found = replace(
        found,
        cycle=replace(found.cycle, terms={}),
        headline=replace(found.headline, details={"adjustment": {"gamma": -0.125}}),
    )
    assert "gamma −0.125" in spaced(read(render_audit(found, "en")).text())


def test_ladder_rows_spec_and_versions_are_there() -> None:
    assert len(section("ladder").all("tbody")[0].all("tr")) == 2
    assert "3" in section("ladder").text()
    text = section("rows").text()
    assert "cd" * 32 in text
    assert "Cells without treatment" in text
    assert section("spec").all("pre")[0].children[0] == audited().provenance.spec_text
    assert "2.3.5" in section("spec").text()


def test_accounts_are_shown_where_there_are_any() -> None:
    assert not any(
        node.attributes["id"] == "accounts" for node in read(audit_page("panel", "warns", "en")).all("section")
    )
    found = audited()
    cycle = replace(
        found.cycle,
        waterfall=(WaterfallPart("raw_change", 1.5), WaterfallPart("nation", 0.5, 0.1, 0.9)),
        series=(Series("demand", {"en": "local demand"}, "local", {"en": "%"}, {"areas": 98}),),
        bad_control={"slope": 0.3},
        notes=(Note("cells_missing", "3 of 9 cells.", {"cells": 3, "of": 9, "units": 2}),),
    )
    text = read(render_audit(replace(found, cycle=cycle), "en")).text()
    for wanted in ("local demand", "areas: 98", "The parts of the raw change", "slope 0.3"):
        assert wanted in text


def test_the_page_is_the_same_from_the_file() -> None:
    assert render_audit(from_json(to_json(audited())), "da") == render_audit(audited(), "da")


def test_text_from_a_spec_is_never_markup() -> None:
    odd = replace(
        audited(), design=replace(audited().design, treated=("<b>Nordby</b>",), outcome_label={"en": "<img src=x>"})
    )
    html = render_audit(odd, "en")
    assert "<img" not in html
    assert "<b>Nordby" not in html
