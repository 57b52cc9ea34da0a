"""Secondary outcomes and groups of persons: in one reading, and the same as a run of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evaluation.errors import DataError
from evaluation.register import flow
from evaluation.register.flow import Registered
from evaluation.run import load_spec
from evaluation.simulate import simulate

SPEC = """question = "Did it?"

[register]
population = "registers/bef/*.parquet"
benefits = "registers/dream.parquet"
hours = "registers/bfl/*.parquet"
education = "registers/udda.parquet"
periods = [2013, 2016]
synthetic = true

[register.who]
baseline = "2014-12"
where = "age >= 25"

[register.balance]
method = "propensity"
covariates = ["age"]

[treatment]
units = ["Hjørring"]
start = 2015

[headline]
method = "did"
"""
FURTHER = """
[[secondary]]
label = "any hours"
measure = "any_hours"

[[secondary]]
label = "public support of women"
measure = "on_benefit"
where = "sex == 'woman'"

[[secondary]]
label = "nobody"
where = "age > 90"
"""


def silent(stage: str, text: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("secondary")
    simulate(folder / "registers", scenario="effect", persons=6_000, seed=3)

    def prepare(text: str) -> Registered:
        path = folder / "spec.toml"
        path.write_text(text, encoding="utf-8")
        return flow.prepare(load_spec(path), silent)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETTOEFFEKT_CACHE", str(folder / "cache"))
        yield prepare


def test_another_measure_and_a_group_are_what_runs_of_their_own_give(prepared: Callable[[str], Registered]) -> None:
    made = prepared(SPEC + FURTHER)
    where, outcome = "where = \"age >= 25 and sex == 'woman'\"", '[register.outcome]\nmeasure = "on_benefit"\n'
    alone = prepared(SPEC.replace('where = "age >= 25"', where) + outcome).prepared.panel
    measure, women, nobody = made.further
    assert [one.kind for one in made.further] == ["outcome", "group", "group"]
    assert women.panel is not None
    assert women.panel.units == alone.units
    for name in ("outcome", "size", "noise", "start"):
        np.testing.assert_array_equal(getattr(women.panel, name), getattr(alone, name))
    assert (women.better, women.shares) == ("lower", True)
    assert women.panel.size is not None
    assert made.prepared.panel.size is not None
    row = made.prepared.panel.units.index("Hjørring")
    assert women.panel.size[row, 0] < made.prepared.panel.size[row, 0]
    assert measure.panel is not None
    share = made.population.margins["any_hours"]["treated"]
    assert measure.panel.outcome[row] == pytest.approx([100.0 * value for value in share if value is not None])
    assert measure.outcome_unit["en"] == "percentage points"
    assert nobody.panel is None
    assert "nobody is left under the condition (age >= 25) and (age > 90)" in nobody.problems[0]


def test_conditions_that_cannot_be_read_are_told_before_anything_is_read(prepared: Callable[[str], Registered]) -> None:
    wrong = """
[[secondary]]
label = "women"
where = "sex = 'woman'"

[[secondary]]
label = "incomes"
where = "income > 10"
"""
    with pytest.raises(DataError) as told:
        prepared(SPEC.replace("registers/", "nowhere/") + wrong)
    said = [(problem.where.rsplit(":", 2)[1], problem.what) for problem in told.value.problems]
    lines = (SPEC + wrong).splitlines()
    assert [lines[int(line) - 1] for line, _ in said] == ["where = \"sex = 'woman'\"", 'where = "income > 10"']
    assert "write == to compare" in said[0][1]
    assert "no column 'income'" in said[1][1]
