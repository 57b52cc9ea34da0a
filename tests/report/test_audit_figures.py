"""The figures of the auditor's checks: valid, of the asked width, their numbers the check's, and no text outside them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import altair
import pytest

from evaluation.report.figures import NARROW, PLAIN
from evaluation.report.figures.audit import AUDIT_FIGURES
from evaluation.report.figures.audit_base import label_middle, line_tops
from evaluation.report.figures.base import Figure, Frame
from evaluation.report.words import load
from evaluation.result import Result
from tests.report.audited import audited, registered

FIGURES = {figure.key: figure for figures in AUDIT_FIGURES.values() for figure in figures}


def base(key: str) -> Result:
    return registered() if key == "audit_composition" else audited()


def drawn(key: str, result: Result | None = None, language: str = "en") -> dict[str, Any]:
    figure, words = FIGURES[key], load(language)
    found = figure.values(result or base(key), words)
    spec: dict[str, Any] = figure.draw(found, words, PLAIN, NARROW)
    return spec


def rows(spec: dict[str, Any], kind: str) -> list[list[dict[str, Any]]]:
    return [layer["data"]["values"] for layer in spec["layer"] if layer["mark"]["type"] == kind]


def series(name: str, column: str) -> list[Any]:
    one = next(each for each in audited().cycle.audit if each.id == name)
    values = one.series[column]
    assert isinstance(values, list)
    return values


@pytest.mark.parametrize("key", list(FIGURES))
def test_the_chart_is_valid_vega_lite_of_the_asked_width(key: str) -> None:
    spec = drawn(key)
    altair.LayerChart.validate(spec)  # raises where it is no Vega-Lite
    assert spec["autosize"] == {"type": "none"}
    assert spec["width"] + spec["padding"]["left"] + spec["padding"]["right"] == NARROW
    assert spec["width"] >= NARROW / 2


@pytest.mark.parametrize("language", ["da", "en"])
@pytest.mark.parametrize("status", ["passed", "failed"])
def test_the_title_is_a_finding_that_follows_the_status(status: str, language: str) -> None:
    def titles(result: Result) -> dict[str, str]:
        words = load(language)
        return {
            key: figure.text(figure.values(result, words), result, words).title
            for key, figure in FIGURES.items()
            if figure.values(result, words) is not None
        }

    other = titles(registered("failed" if status == "passed" else "passed"))
    same = {key for key, title in titles(registered(status)).items() if other[key] == title}
    # what the factors explain and how the cycle went do not hang on the verdict
    assert same == {"audit_factor_sufficiency_shares", "audit_cycle_state_cycle"}


@pytest.mark.parametrize("key", list(FIGURES))
def test_a_check_that_was_not_run_or_has_no_numbers_draws_nothing(key: str) -> None:
    words = load("en")
    assert FIGURES[key].values(audited("not_run"), words) is None
    bare = audited()
    checks = tuple(replace(one, series={}, facts={}) for one in bare.cycle.audit)
    assert FIGURES[key].values(replace(bare, cycle=replace(bare.cycle, audit=checks)), words) is None


def test_every_reaction_is_drawn_with_its_interval_and_the_two_that_are_compared() -> None:
    spec = drawn("audit_loading_balance")
    dots = [row["x"] for layer in rows(spec, "circle") for row in layer]
    assert sorted(dots) == sorted(series("loading_balance", "betas"))
    assert rows(spec, "point")[0][0]["x"] == 0.91
    said = [row["text"] for layer in rows(spec, "text") for row in layer]
    assert said == ["Hjørring 0.91", "the comparison 0.90"]


def test_the_treated_unit_is_no_dot_among_the_others() -> None:
    result = audited()
    checks = tuple(
        replace(one, series={**one.series, "units": ["Hjørring", *series("loading_balance", "units")[1:]]})
        if one.id == "loading_balance"
        else one
        for one in result.cycle.audit
    )
    spec = drawn("audit_loading_balance", replace(result, cycle=replace(result.cycle, audit=checks)))
    assert sum(len(layer) for layer in rows(spec, "circle")) == len(series("loading_balance", "units")) - 1


def test_equal_weights_make_no_dot_darker() -> None:
    """The treated unit has no weight in its own comparison, which makes the others no less equal."""
    result = audited()
    units = ["Hjørring", *series("loading_balance", "units")[1:]]
    even = {"units": units, "weights": [0.0, *[1 / 92] * 92]}
    checks = tuple(
        replace(one, series={**one.series, **even}) if one.id == "loading_balance" else one
        for one in result.cycle.audit
    )
    found = FIGURES["audit_loading_balance"].values(
        replace(result, cycle=replace(result.cycle, audit=checks)), load("en")
    )
    assert not any(found.values.strong)


def test_held_out_periods_are_shaded() -> None:
    (bands,) = rows(drawn("audit_backcast"), "rect")
    assert [(row["x"], row["x2"]) for row in bands] == [(0.5, 1.5), (1.5, 2.5)]
    predicted, observed = ([row["y"] for row in layer] for layer in rows(drawn("audit_backcast"), "line"))
    assert observed == series("backcast", "observed")
    assert predicted == series("backcast", "backcast")


def test_the_histogram_counts_every_draw_from_zero() -> None:
    (bars,) = rows(drawn("audit_common_shock"), "rect")
    assert sum(row["y"] for row in bars) == 400
    assert {row["zero"] for row in bars} == {0}


def test_what_cannot_be_moved_is_drawn_in_placebo_spreads_with_the_sign_of_the_effect() -> None:
    result = audited()
    checks = tuple(
        replace(
            one,
            series={
                **one.series,
                "effects": [0.2, -0.8],
                "standardised": [0.4, 1.4],
                "lowers": [-0.3, -2.0],
                "uppers": [0.7, 0.4],
            },
        )
        if one.id == "negative_controls"
        else one
        for one in result.cycle.audit
    )
    spec = drawn("audit_negative_controls", replace(result, cycle=replace(result.cycle, audit=checks)))
    points = [row for layer in rows(spec, "point") for row in layer]
    assert [row["x"] for row in points] == [0.4, -1.4]
    assert [row["low"] for row in points] == pytest.approx([-0.6, -3.5])


def test_groups_of_donors_are_hollow_and_the_extremes_named() -> None:
    spec = drawn("audit_donors")
    named = {row["told"].split(":")[0] for layer in rows(spec, "circle") for row in layer if row["named"]}
    one = next(each for each in audited().cycle.audit if each.id == "donors")
    assert named == {one.facts["low_unit"], "neighbours"}


def test_exits_are_shares_of_the_persons_the_treated_first() -> None:
    people = registered().population
    assert people is not None
    found = FIGURES["audit_composition"].values(registered(), load("en")).values
    assert [bar.share for bar in found][:2] == pytest.approx([31 / 524, 700 / 13888])
    assert [bar.strong for bar in found] == [True, False, True, False]


def test_the_drift_that_overturns_the_answer_is_marked_on_the_curve() -> None:
    spec = drawn("audit_breakdown")
    said = [row["text"] for layer in rows(spec, "text") for row in layer]
    assert said == ["usual drift among the others: 0.24", "brings the estimate to zero: 0.31"]
    (line,) = rows(spec, "line")
    assert [row["x"] for row in line] == series("breakdown", "drift")


def test_no_line_runs_through_a_label_below_its_own() -> None:
    frame = Frame(360, 16, 16, 44, 28, 100)
    assert line_tops([100.0, 104.0], ["first", "second"], frame) == [-4.0, -4.0]
    assert line_tops([20.0, 300.0], ["first", "second"], frame) == [-22.0, -4.0]
    assert label_middle(0.0, "a long label", frame) > 16


def test_every_text_stays_inside_the_figure() -> None:
    """Labels above a plot are moved in; names and numbers have margins (the browser test looks at the rest)."""
    for key in ("audit_loading_balance", "audit_planted_effect", "audit_breakdown", "audit_common_shock"):
        for language in ("da", "en"):
            spec = drawn(key, language=language)
            for layer in spec["layer"]:
                if layer["mark"]["type"] == "text" and layer["mark"].get("align") == "center":
                    (row,) = layer["data"]["values"]
                    half = len(row["text"]) * 7.8 / 2
                    middle = layer["encoding"]["x"]["value"]
                    assert middle - half >= -spec["padding"]["left"]
                    assert middle + half <= spec["width"] + spec["padding"]["right"]


def test_figures_carry_their_own_table_and_file() -> None:
    words = load("en")
    for key, figure in FIGURES.items():
        assert isinstance(figure, Figure)
        table = figure.table(figure.values(base(key), words), base(key), words)
        assert table is not None
        assert table.rows
        assert figure.csv.startswith("audit_")
