"""The table of the coverage study, its rule of support, and the page and pictures made from it."""

import importlib.util
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coverage_study import cells, page, pictures, table, worlds
from coverage_study.study import Group
from coverage_study.worlds import LANDSDELE, PERSONS, REGION, SHAPES, WORLDS, draw, variance_by_persons

from evaluation.denmark.areas import municipalities
from evaluation.estimators import ESTIMATORS
from evaluation.inference import INFERENCES
from evaluation.proof.coverage import LEAST, MOST, SAME_AS, coverage
from evaluation.study import stream

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "benchmarks" / "coverage.csv"
ROWS = table.read(TABLE)


def command():
    found = importlib.util.spec_from_file_location("coverage_command", ROOT / "benchmarks" / "coverage.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


# ------------------------------------------------------------------ the rule


@pytest.mark.parametrize(("size", "replications", "expected"), [
    (0.03, 1000, True), (0.07, 1000, True), (0.041, 500, True), (0.041, 499, False), (0.0751, 1000, True), (0.080, 1000, False),
    (0.0751, 100_000, False), (0.0255, 1000, True), (0.02, 1000, False), (0.0, 4000, False), (None, 0, False),
])  # fmt: skip
def test_three_to_seven_per_cent_and_one_monte_carlo_error(size, replications, expected):
    assert table.supported(size, replications) is expected


def test_every_row_is_judged_by_the_rule_and_has_its_error():
    assert ROWS
    for row in ROWS.values():
        assert row.supported is table.supported(row.size_05, row.replications), row.key
        if row.size_05 is not None:
            assert row.error == pytest.approx(table.monte_carlo_error(row.size_05, row.replications), abs=1e-4)
            assert row.size_05 <= row.size_10 + 1e-9
        else:
            assert row.note, row.key
        assert row.world in WORLDS
        assert row.inference in INFERENCES or row.inference == "default"
        assert row.estimator.split()[0] in ESTIMATORS


def test_a_table_is_read_as_it_was_written(tmp_path):
    path, again = tmp_path / "t.csv", tmp_path / "again.csv"
    path.write_text(TABLE.read_text("utf-8"), encoding="utf-8")
    rows = table.read(path)
    table.write(again, rows)
    assert table.read(again) == rows
    assert again.read_text("utf-8") == path.read_text("utf-8")


def test_an_interval_that_keeps_its_size_holds_a_planted_effect_as_often():
    # by the same panels, since the interval is what the test does not reject
    kept = [row for row in ROWS.values() if row.supported and row.coverage is not None and row.inference != "cluster"]
    assert len(kept) > 20
    for row in kept:
        assert row.coverage == pytest.approx(1.0 - row.size_05, abs=0.005), row.key


# ------------------------------------------------------------------ what the table must show


def test_the_usual_errors_are_shown_to_fail_and_placebos_by_size_to_hold():
    def size(world, treated_size, inference, estimator="did"):
        row = ROWS.get((world, "14", "1", treated_size, estimator, "none", inference, "effect"))
        return None if row is None else row.size_05

    assert size("sizes", "small", "placebo") > 0.15
    assert size("sizes", "large", "placebo") < 0.01
    for place in ("small", "median", "large"):
        assert LEAST - 0.01 <= size("sizes", place, "ferman_pinto") <= MOST
    for world in ("iid", "ar1", "cycle"):
        found = size(world, "any", "cluster")
        assert found is None or found > 0.5


# ------------------------------------------------------------------ page and pictures


def test_the_page_and_its_pictures_are_those_of_the_table():
    rows, text = table.read(TABLE), page.PAGE.read_text("utf-8")
    drawn = {name: (pictures.IMAGES / f"{name}.svg").read_text("utf-8") for name in ("coverage_size", "coverage_power")}
    assert page.filled(text, rows) == text, "python benchmarks/coverage.py --page"
    for name, made in (("coverage_size", pictures.sizes(rows)), ("coverage_power", pictures.power(rows))):
        assert drawn[name] == made, "python benchmarks/coverage.py --page"
        root = ElementTree.fromstring(made)
        assert root.find("{http://www.w3.org/2000/svg}desc").text


def test_a_marker_without_a_table_is_refused():
    with pytest.raises(ValueError, match="nonsense"):
        page.filled("<!-- nonsense -->\n<!-- end of nonsense -->", ROWS)


def test_what_rejects_too_often_is_bold_and_too_seldom_in_brackets():
    row = next(iter(ROWS.values()))
    written = [page.written(replace(row, size_05=size, replications=1000)) for size in (0.2, 0.05, 0.001, None)]
    assert written == ["**20.0**", "5.0", "(0.1)", "–"]
    assert page.written(None) == ""


# ------------------------------------------------------------------ the command


def test_what_is_there_is_not_run_again(tmp_path):
    made = command()
    group = next(group for group in cells.groups() if made.done(group, ROWS))
    assert not made.done(replace(group, replications=10 * group.replications), ROWS)
    assert not made.done(group, {})
    assert {each.world for each in made.chosen("world=cycle|ar1,treated=1", None)} == {"cycle", "ar1"}
    assert {each.replications for each in made.chosen("world=cycle", 7)} == {7}
    with pytest.raises(SystemExit, match="no field 'wrld'"):
        made.chosen("wrld=cycle", None)


def test_every_group_is_made_of_names_that_exist():
    for group in cells.groups():
        assert group.world in WORLDS
        assert group.estimator.split()[0] in ESTIMATORS
        assert group.inference in INFERENCES or group.inference == "placebos"
    assert set(SAME_AS) <= set(ESTIMATORS)
    assert len(cells.groups()) == len({group.first_key for group in cells.groups()})


# ------------------------------------------------------------------ the worlds


def test_the_landsdele_have_as_many_municipalities_as_in_denmark():
    counts = {}
    for area in municipalities():
        counts[area.landsdel] = counts.get(area.landsdel, 0) + 1
    assert sorted(counts.values()) == sorted(LANDSDELE)


def test_worlds_have_the_moments_they_are_said_to_have():
    rng = stream(5, "moments")
    many = {name: WORLDS[name].draw(300, SHAPES[60], rng)[0] for name in ("iid", "ar1", "regional", "sizes")}
    for name, values in many.items():
        assert values.var() == pytest.approx(1.0, abs=0.03), name
    ar1 = many["ar1"]
    assert np.mean(ar1[..., 1:] * ar1[..., :-1]) == pytest.approx(0.6, abs=0.01)
    assert np.mean(many["iid"][..., 1:] * many["iid"][..., :-1]) == pytest.approx(0.0, abs=0.01)
    regional = many["regional"]
    inside, across = np.flatnonzero(REGION == 4), np.flatnonzero(REGION == 5)
    assert np.mean(regional[:, inside[0]] * regional[:, inside[1]]) == pytest.approx(0.17, abs=0.03)
    assert np.mean(regional[:, inside[0]] * regional[:, across[1]]) == pytest.approx(0.0, abs=0.03)
    variance = variance_by_persons(PERSONS)
    assert variance[0] / variance[-1] == pytest.approx(worlds.NOISE_RATIO)
    assert PERSONS[-1] / PERSONS[0] == pytest.approx(100.0)


def test_factors_have_their_shares_of_the_residuals():
    values = WORLDS["factors"].draw(200, SHAPES[60], stream(6, "factors"))[0]
    values = values - values.mean(axis=2, keepdims=True)
    values -= values.mean(axis=1, keepdims=True)
    shares = np.linalg.svd(values, compute_uv=False) ** 2
    shares /= shares.sum(axis=1, keepdims=True)
    # two paths drawn at random are somewhat correlated, so the first takes from the second
    assert shares.mean(axis=0)[:2].sum() == pytest.approx(0.71, abs=0.06)
    assert shares.mean(axis=0)[0] > 0.45 > 0.26 > 0.1 > shares.mean(axis=0)[2]


def test_treated_units_are_who_they_are_said_to_be():
    rng = stream(7, "who")
    high = draw(WORLDS["highest_level"], SHAPES[14], 20, rng).outcome.mean(axis=2)
    assert (high[:, 0] == high.max(axis=1)).all()
    small, large = (draw(WORLDS["sizes"], SHAPES[14], 5, rng, 5, size).persons for size in ("small", "large"))
    assert small[:, :5].max() < np.quantile(PERSONS, 0.12) < np.quantile(PERSONS, 0.9) < large[:, :5].min()
    assert all(np.array_equal(np.sort(row), PERSONS) for row in small)
    far = draw(WORLDS["far_loading"], SHAPES[14], 400, rng).outcome
    nation = worlds.nation(SHAPES[14])
    reaction = far @ nation / (nation @ nation)
    assert reaction[:, 0].mean() == pytest.approx(1.48, abs=0.03)
    assert reaction[:, 1:].mean() == pytest.approx(1.0, abs=0.02)
    alone = draw(WORLDS["regional"], SHAPES[14], 300, rng, 5).region[:, :5]
    assert not np.isin(alone, REGION[worlds.ALONE]).any()


def test_a_group_says_what_it_is():
    assert Group("sizes", 14, 2, "small", "did", "none", "placebos", 5).label == (
        "sizes T=14 treated=2 small did x none, placebos"
    )


def test_what_the_product_quotes_is_in_the_table():
    """The table may be ahead: `python benchmarks/coverage.py --page` copies it."""
    by_key = {row.key: row for row in table.read(TABLE).values()}
    for quoted in coverage():
        key = (
            quoted.world,
            str(quoted.periods),
            str(quoted.treated),
            quoted.treated_size,
            quoted.estimator,
            quoted.adjust,
        )
        row = by_key[(*key, quoted.inference, quoted.statistic)]
        assert row.replications >= quoted.replications
        if row.replications == quoted.replications:
            assert (row.size_05, row.coverage, row.length) == (quoted.size_05, quoted.coverage, quoted.length)
