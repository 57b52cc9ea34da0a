"""The engine's cells are those of the slow twin, to the last digit, for many random registers and every option."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evaluation.errors import DataError, SpecError
from evaluation.register import cache
from evaluation.register.cells import Cells, cells, to_panel
from evaluation.register.engine import open_engine
from evaluation.register.kept import from_entry, to_entry
from evaluation.register.layout import read_layout
from tests.register.registers import SmallSources, register_of
from tests.register.twin import MEASURES, Asked, Rows, Twin, random_rows


@pytest.fixture(scope="module")
def engine():
    with open_engine("duckdb", "500MB") as opened:
        yield opened


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return read_layout("statistics-denmark", tmp_path_factory.mktemp("spec"))


def made(rows: Rows, layout, engine, asked: Asked, measures=MEASURES, where="") -> Cells:
    return cells(SmallSources(rows, layout, engine), register_of(asked, measures, where), lambda stage, text: None)


def agree(found: Cells, twin: Twin, measures=MEASURES) -> None:
    """Every array of the cells against the twin's dictionary."""
    labels = [period.label for period in found.periods]
    stock = found.persons.ndim == 3

    def flat(array, *names) -> dict:
        places = labels if array.ndim == 3 else [""]
        cube = array if array.ndim == 3 else array[:, :, None]
        return {
            (*names, found.units[u], found.groups[g], places[t]): int(cube[u, g, t])
            for u, g, t in zip(*np.nonzero(cube), strict=True)
        }

    def only(counter, measure) -> dict:
        return {key: value for key, value in counter.items() if value and key[0] == measure}

    assert flat(found.persons) == {key: value for key, value in twin.persons.items() if value}
    assert set(found.units) == {key[0] for key in twin.persons}
    assert set(found.groups) == {key[1] for key in twin.persons}
    assert list(found.units) == sorted(found.units)
    assert list(found.groups) == sorted(found.groups)
    assert stock == (twin.asked.design == "stock")
    for name in found.sums:
        assert flat(found.sums[name], name) == only(twin.sums, name)
    for measure in measures:
        assert flat(found.count[measure], measure) == only(twin.count, measure), measure
        assert flat(found.total[measure], measure) == only(twin.total, measure), measure
        assert flat(found.squares[measure], measure) == only(twin.squares, measure), measure
    for name, array in found.exits.items():
        seen = {(name, found.units[u], labels[t]): int(array[u, t]) for u, t in zip(*np.nonzero(array), strict=True)}
        assert seen == only(twin.exits, name), name
    assert {name: found.counters[name] for name in sorted(twin.counters)} == dict(twin.counters)
    assert {name for name, count in found.counters.items() if count} <= {*twin.counters, "hours_rows_implausible"}
    for unit in found.units:
        for side in ("before", "after"):
            expected = tuple(twin.imputed[unit, side, what] for what in ("imputed", "rows"))
            assert found.imputed[f"{unit}|{side}"] == expected
    assert {step.step: step.rows for step in found.flow} == dict(twin.flow)


VARIANTS = {
    "cohort": Asked(),
    "stock": Asked(design="stock", periods=(2012, 2016)),
    "quarters": Asked(frequency="quarter", periods=(2013, 2015)),
    "stock_quarters": Asked(design="stock", frequency="quarter", periods=(2014, 2016)),
    "windows": Asked(frequency="window", baseline=(2014, 6), periods=(2013, 2016)),
    "windows_december": Asked(frequency="window", periods=(2013, 2016)),
    "years_around_a_june": Asked(baseline=(2014, 6), periods=(2013, 2015)),
    "bridge": Asked(baseline=(2013, 12)),
    "no_readiness": Asked(readiness=None, age=(25, 50), weeks=13),
    "movers_dropped": Asked(movers="drop"),
    "stock_movers_dropped": Asked(movers="drop", design="stock", periods=(2014, 2016)),
    "movers_dropped_june": Asked(movers="drop", baseline=(2014, 6), frequency="window", periods=(2013, 2016)),
    "all_kinds": Asked(kinds="all", cap=800),
    "two_kinds_reported": Asked(kinds=("ordinary", "fleksjob"), reported_only=True, cap=1924.5),
    "fifty_three_weeks": Asked(baseline=(2015, 12), periods=(2014, 2016)),
    "few_covariates": Asked(covariates=("hours_before", "sex")),
    "no_covariates": Asked(covariates=()),
}


FAST = ("cohort", "stock", "quarters", "windows", "bridge", "movers_dropped", "two_kinds_reported", "no_covariates")


@pytest.mark.parametrize(
    ("variant", "seed"),
    [
        pytest.param(variant, seed, marks=() if seed == 1 and variant in FAST else pytest.mark.slow)
        for seed in range(1, 7)
        for variant in VARIANTS
    ],
)
def test_cells_are_those_of_the_slow_twin(variant, seed, engine, layout):
    asked, rows = VARIANTS[variant], random_rows(seed)
    found, twin = made(rows, layout, engine, asked), Twin(rows, layout, asked)
    assert sum(twin.persons.values()) > 5, "the register is too small to show anything"
    agree(found, twin)


def test_margins_add_up_exactly(engine, layout):
    """Hours a person are the share with hours times the hours of those who have any: in every cell, without rounding."""
    found = made(random_rows(1), layout, engine, Asked(cap=500))
    assert (found.total["annual_hours"] == found.total["hours_if_any"]).all()
    assert (found.squares["annual_hours"] == found.squares["hours_if_any"]).all()
    assert (found.total["any_hours"] == found.count["hours_if_any"]).all()
    assert found.total["annual_hours"].any()
    assert found.scale["annual_hours"] == found.scale["hours_if_any"] == 0.01


def test_several_passes_over_the_hours_give_the_same_cells(engine, layout, monkeypatch):
    from evaluation.register import outcomes

    monkeypatch.setattr(outcomes, "ROWS_AT_ONCE", 300)
    for name in ("stock", "windows"):
        rows, asked = random_rows(1), VARIANTS[name]
        agree(made(rows, layout, engine, asked, ("annual_hours",)), Twin(rows, layout, asked), ("annual_hours",))


@pytest.mark.slow
def test_spark_gives_the_same_cells(layout):
    pytest.importorskip("pyspark")
    asked, rows = Asked(periods=(2013, 2015)), random_rows(1, persons=40)
    with open_engine("pyspark") as spark:
        agree(
            made(rows, layout, spark, asked, ("annual_hours", "self_support")),
            Twin(rows, layout, asked),
            ("annual_hours", "self_support"),
        )


def test_the_order_of_rows_does_not_matter(engine, layout):
    rows = random_rows(1)
    turned = dataclasses.replace(rows, population=rows.population[::-1], hours=rows.hours[::-1])
    one, other = (made(each, layout, engine, Asked()) for each in (rows, turned))
    assert one.groups == other.groups
    for measure in MEASURES:
        assert (one.total[measure] == other.total[measure]).all()


def test_a_condition_on_persons(engine, layout):
    pytest.importorskip("evaluation.register.where")
    rows = random_rows(1)
    asked = Asked(where=lambda facts: facts["sex"] == "woman" and facts["age"] >= 30 and facts["benefit_years"] > 2)
    found = made(rows, layout, engine, asked, where="sex == 'woman' and age >= 30 and benefit_years > 2")
    agree(found, Twin(rows, layout, asked))


def test_cells_are_read_only_and_survive_a_file(engine, layout, tmp_path):
    for asked in (VARIANTS["stock_quarters"], VARIANTS["cohort"]):
        found = made(random_rows(1), layout, engine, asked, ("annual_hours", "fleksjob"))
        assert cache.store("key", to_entry(found, ()), tmp_path)
        again, _ = from_entry(cache.load("key", tmp_path))
        for name in ("units", "periods", "covariates", "groups", "flow", "scale", "counters", "imputed"):
            assert getattr(again, name) == getattr(found, name), name
        assert (again.persons == found.persons).all()
        for name in ("sums", "count", "total", "squares", "exits"):
            assert getattr(again, name).keys() == getattr(found, name).keys()
            for key, array in getattr(again, name).items():
                assert (array == getattr(found, name)[key]).all()
                assert array.dtype == np.int64
                with pytest.raises(ValueError, match="read-only"):
                    array[0] = 1
        files = sorted(tmp_path.glob("cells-key.*"))
        first = [path.read_bytes() for path in files]
        assert len(first) == 2
        assert cache.store("key", to_entry(again, ()), tmp_path)
        assert [path.read_bytes() for path in files] == first


def test_nothing_of_a_person_is_said(engine, layout):
    said: list[str] = []
    register = register_of(Asked())
    cells(SmallSources(random_rows(1), layout, engine), register, lambda stage, text: said.append(f"{stage} {text}"))
    assert said
    assert not any("S000" in line for line in said)


def test_nobody_left_says_at_which_step(engine, layout):
    rows = random_rows(1)
    with pytest.raises(DataError, match=r"years old; check \[register.who\] age"):
        made(rows, layout, engine, Asked(age=(98, 99)))
    with pytest.raises(DataError, match="is uddannelsesparat at the baseline"):
        made(rows, layout, engine, Asked(readiness="uddannelsesparat"))
    lost = dataclasses.replace(rows, population=[(f"X{row[0]}", *row[1:]) for row in rows.population])
    with pytest.raises(DataError, match="same person keys"):
        made(lost, layout, engine, Asked())
    lost = dataclasses.replace(rows, hours=[(f"X{row[0]}", *row[1:]) for row in rows.hours])
    with pytest.raises(DataError, match="no person of the group has a row of hours"):
        made(lost, layout, engine, Asked())


def test_years_that_are_missing_are_named(engine, layout):
    rows = random_rows(1)
    short = dataclasses.replace(rows, population=[row for row in rows.population if row[1] != 2012])
    with pytest.raises(DataError, match="at the end of 2012"):
        made(short, layout, engine, Asked())
    late = dataclasses.replace(rows, hours=[row for row in rows.hours if row[2] > 2012])
    with pytest.raises(DataError, match="in 2012, a baseline year"):
        made(late, layout, engine, Asked(design="stock", periods=(2013, 2015)))


def test_what_cannot_be_combined_is_refused(engine, layout):
    rows = random_rows(4, persons=20)
    with pytest.raises(SpecError, match="found each December"):
        made(rows, layout, engine, Asked(design="stock", baseline=(2014, 6)))
    with pytest.raises(SpecError, match="cut off by year"):
        made(rows, layout, engine, Asked(frequency="quarter", cap=100))


def test_weeks_are_read_only_where_they_are_needed(engine, layout):
    """The benefit register has over a thousand columns; hours alone need the last week of a year, and the seven years before."""
    sources = SmallSources(random_rows(1), layout, engine)
    cells(sources, register_of(Asked(covariates=("age",))), lambda stage, text: None)
    assert len(sources.weeks_read) == 4 + 7 - 1


# ------------------------------------------------------------------ the panel


def test_the_panel_of_unweighted_cells_is_the_mean_over_persons(engine, layout):
    rows = random_rows(1)
    found = made(rows, layout, engine, Asked())
    panel = to_panel(found, "annual_hours", starts={"860": 5}, window=(5, 6))
    assert set(panel.units) == {"Frederikshavn", "Læsø", "Hjørring"}
    assert panel.region_names == ("Landsdel Nordjylland",)
    assert panel.start.tolist() == [7, 7, 5]
    assert panel.window == (5, 6)
    twin = Twin(rows, layout, Asked())
    for row, unit in enumerate(found.units):
        for column, period in enumerate(found.periods):
            key = {
                k: v for k, v in twin.count.items() if k[0] == "annual_hours" and k[1] == unit and k[3] == period.label
            }
            count, total = sum(key.values()), sum(twin.total[k] for k in key) / 100
            squares = sum(twin.squares[k] for k in key) / 10000
            assert panel.outcome[row, column] == pytest.approx(total / count, rel=1e-12)
            assert panel.size[row, column] == pytest.approx(count, rel=1e-12)
            variance = (squares - total**2 / count) / (count - 1) / count
            assert panel.noise[row, column] == pytest.approx(variance, rel=1e-9, abs=1e-9)


def test_weights_count_as_if_persons_were_copied(engine, layout):
    """A cell with weight 2 gives the mean of a cell in which everybody stands twice; the size is Kish's."""
    found = made(random_rows(1), layout, engine, Asked(covariates=("sex",)), ("any_hours",))
    weights = np.where(np.array(found.groups)[:, 0] == "woman", 2.0, 1.0)[None, :].repeat(len(found.units), axis=0)
    panel = to_panel(found, "any_hours", weights)
    men, women = (found.groups.index((sex,)) for sex in ("man", "woman"))
    count, total = found.count["any_hours"][0], found.total["any_hours"][0]
    expected = (total[men] + 2 * total[women]) / (count[men] + 2 * count[women])
    assert panel.outcome[0] == pytest.approx(expected)
    kish = (count[men] + 2 * count[women]) ** 2 / (count[men] + 4 * count[women])
    assert panel.size[0] == pytest.approx(kish)


def test_a_unit_without_persons_in_a_period_is_missing_there(engine, layout):
    found = made(random_rows(1), layout, engine, Asked(covariates=()), ("annual_hours",))
    count, total = found.count["annual_hours"].copy(), found.total["annual_hours"].copy()
    squares = found.squares["annual_hours"].copy()
    for array in (count, total, squares):
        array[0, :, 2] = 0
    count[1, :, 2], total[1, :, 2], squares[1, :, 2] = 1, 5, 25
    panel = to_panel(
        dataclasses.replace(
            found, count={"annual_hours": count}, total={"annual_hours": total}, squares={"annual_hours": squares}
        ),
        "annual_hours",
    )
    assert np.isnan(panel.outcome[0, 2])
    assert panel.size[0, 2] == 0
    assert np.isnan(panel.noise[0, 2])
    # one person tells nothing of the spread, so the other persons' does
    assert panel.noise[1, 2] > 0
    assert np.isfinite(panel.outcome[1:]).all()


def test_a_measure_that_was_not_counted_is_named(engine, layout):
    found = made(random_rows(1), layout, engine, Asked(), ("annual_hours",))
    with pytest.raises(DataError, match="'annual_hour' was not counted; did you mean 'annual_hours'"):
        to_panel(found, "annual_hour")
    with pytest.raises(DataError, match="no municipality 'Hjorring'"):
        to_panel(found, "annual_hours", starts={"Hjorring": 3})
