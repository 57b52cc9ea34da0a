"""The steps from rows of hours to a person's year, each on a handful of rows worked out by hand."""

from __future__ import annotations

import pytest

from evaluation.register import outcomes
from evaluation.register.cells import cells
from evaluation.register.engine import open_engine
from evaluation.register.layout import read_layout
from tests.register.registers import SmallSources, register_of
from tests.register.twin import Asked, Rows

PERSON = "S00001"


def person(hours, weeks=None) -> Rows:
    """One woman in Hjørring, on cash benefit and activity-ready at the end of 2014, with these rows of hours in 2015."""
    rows = Rows()
    rows.population = [(PERSON, year, "860", 1970, 5, "woman", "danish") for year in (2014, 2015)]
    rows.weeks[PERSON] = weeks or {(2014, 51): 130}
    rows.visits[PERSON] = {(2014, 4): "aktivitetsparat"}
    rows.education[PERSON] = "vocational"
    rows.hours = [(PERSON, *row) for row in hours]
    return rows


def of_2015(hours, tmp_path, measures=("annual_hours", "stable_employment"), weeks=None, **more):
    asked = Asked(periods=(2015, 2015), covariates=(), **more)
    with open_engine("duckdb", "300MB") as engine:
        sources = SmallSources(person(hours, weeks), read_layout("statistics-denmark", tmp_path), engine)
        found = cells(sources, register_of(asked, measures), lambda stage, text: None)
    return {name: int(found.total[name].sum()) for name in measures}, found.counters


def row(job, month, hours, reported=True, kind="ordinary", year=2015):
    return (job, year, month, hours, reported, kind)


@pytest.mark.parametrize(
    ("hours", "total", "counted"),
    [
        ([row("a", 3, 1000), row("a", 3, 1000)], 1000, {"duplicates": 1, "rows": 1}),
        ([row("a", 3, 1000), row("b", 3, 1000)], 2000, {"duplicates": 0, "rows": 2}),
        ([row("a", 3, 1000), row("a", 3, -400)], 600, {"corrections": 1, "negative_months": 0}),
        # a job left below zero is zero, and takes nothing from another job or month
        ([row("a", 3, -400), row("b", 3, 1000), row("a", 4, 100)], 1100, {"corrections": 1, "negative_months": 1}),
        ([row("a", 3, 25000)], 25000, {"months_over": 0}),
        ([row("a", 3, 20000), row("b", 3, 5001)], 25001, {"months_over": 1}),
        ([row("a", month, 17400) for month in range(1, 13)], 208800, {"years_over": 1, "months_over": 0}),
        ([row("a", 3, 500), row("a", 3, 700, kind="fleksjob")], 500, {"rows": 1}),
        ([row("a", 3, 500), row("a", 4, 700, reported=False)], 1200, {"imputed": 1, "rows": 2}),
        ([row("a", 12, 900, year=2014), row("a", 1, 500)], 500, {"rows": 1}),
    ],
)
def test_each_step_on_few_rows(hours, total, counted, tmp_path):
    found, counters = of_2015(hours, tmp_path)
    assert found["annual_hours"] == total
    assert {name: counters[name] for name in counted} == counted


def test_imputed_hours_do_not_count_where_only_reported_ones_do(tmp_path):
    rows = [row("a", 3, 500), row("a", 4, 700, reported=False)]
    found, counters = of_2015(rows, tmp_path, reported_only=True)
    assert found["annual_hours"] == 500
    assert counters["imputed"] == 1


def test_stable_employment_is_27_75_hours_in_each_week_of_the_last_quarter(tmp_path):
    enough = [row("a", month, outcomes.FULL_QUARTER // 3) for month in (10, 11, 12)]
    assert outcomes.FULL_QUARTER == 36075
    assert of_2015(enough, tmp_path)[0]["stable_employment"] == 1
    assert of_2015([*enough[:2], row("a", 12, 12024)], tmp_path)[0]["stable_employment"] == 0
    assert of_2015([row("a", 9, 20000), *enough[:2]], tmp_path)[0]["stable_employment"] == 0
