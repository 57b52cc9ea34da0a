"""Secondary outcomes and groups of a data file: their panels are those of a run of their own, and mistakes are told at their lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluation.errors import DataError
from evaluation.further import prepare_all, treated_from
from evaluation.prepare import prepare
from evaluation.run import load_spec

HEAD = """question = "Did it work?"
languages = ["da", "en"]
[data]
path = "rows.csv"
unit = "place"
time = "year"
outcome = "rate"
size = "persons"
noise = "variance"
public = true
where = { sex = "all" }
outcome_unit = "points"
better = "lower"
decimals = 3
[treatment]
units = ["Ada"]
start = 2015
[headline]
method = "did"
"""


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., Path]:
    rows = ["place,year,sex,rate,hours,persons,variance"]
    for place, name in enumerate(("Ada", "Bo", "Cai", "Dan", "Eva")):
        for year in range(2010, 2019):
            for number, sex in enumerate(("all", "women", "men")):
                if sex != "men" or name != "Ada":
                    base = place + 0.1 * year + number + (place * year) % 7
                    rows.append(f"{name},{year},{sex},{base},{3 * base + year % 2},{100 - 40 * number},{0.1 + number}")
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")

    def write(*tables: str, head: str = HEAD) -> Path:
        path = tmp_path / "spec.toml"
        path.write_text(head + "".join(f"[[secondary]]\n{table}\n" for table in tables), encoding="utf-8")
        return path

    return write


def test_each_panel_is_that_of_a_run_of_its_own(spec: Callable[..., Path]) -> None:
    path = spec(
        'label = { da = "timer", en = "hours" }\noutcome = "hours"\noutcome_unit = "hours"\ndecimals = 1',
        'label = "women"\nwhere = { sex = "women" }',
        'label = "hours of women"\noutcome = "hours"\nwhere = { sex = "women" }\nbetter = "higher"',
    )
    prepared, further = prepare_all(load_spec(path))
    assert [one.kind for one in further] == ["outcome", "group", "group"]
    for one, old, new in (
        (further[0], 'outcome = "rate"', 'outcome = "hours"'),
        (further[1], 'sex = "all"', 'sex = "women"'),
    ):
        alone = prepare(load_spec(spec(head=HEAD.replace(old, new)))).panel
        assert one.panel is not None
        assert one.panel.units == alone.units == prepared.panel.units
        np.testing.assert_array_equal(one.panel.outcome, alone.outcome)
        np.testing.assert_array_equal(one.panel.size, alone.size)
        assert treated_from(one.panel) == {"Ada": "2015"}
    both, women = further[2].panel, further[1].panel
    assert both is not None
    assert women is not None
    assert not np.array_equal(both.outcome, women.outcome)


def test_words_are_the_outcomes_own_or_those_of_the_primary_one(spec: Callable[..., Path]) -> None:
    path = spec(
        'label = { da = "timer", en = "hours" }\noutcome = "hours"\noutcome_unit = "hours"\ndecimals = 1\nbetter = "higher"',
        'label = "women"\nwhere = { sex = "women" }',
    )
    first, second = prepare_all(load_spec(path))[1]
    assert (first.label, first.outcome_unit["da"], first.decimals, first.better) == (
        {"da": "timer", "en": "hours"},
        "hours",
        1,
        "higher",
    )
    assert (second.outcome_unit["en"], second.decimals, second.better) == ("points", 3, "lower")


def test_the_sampling_variance_belongs_to_the_primary_outcome(spec: Callable[..., Path]) -> None:
    path = spec('label = "hours"\noutcome = "hours"', 'label = "women"\nwhere = { sex = "women" }')
    first, second = prepare_all(load_spec(path))[1]
    assert first.panel is not None
    assert first.panel.noise is None
    assert second.panel is not None
    assert second.panel.noise is not None


def test_mistakes_are_told_at_once_each_at_its_line(spec: Callable[..., Path]) -> None:
    path = spec(
        'label = "men"\nwhere = { sex = "men" }',
        'label = "children"\nwhere = { sex = "child" }',
        'label = "typo"\noutcome = "hors"',
        'label = "column"\nwhere = { sx = "men" }',
        'label = "fine"\noutcome = "hours"',
    )
    with pytest.raises(DataError) as told:
        prepare_all(load_spec(path))
    lines = path.read_text(encoding="utf-8").splitlines()
    said = []
    for problem in told.value.problems:
        line, column = (int(part) for part in problem.where.rsplit(":", 2)[1:])
        said.append((lines[line - 1][column - 1 :], problem.what))
    assert [where for where, _ in said] == ['{ sex = "men" }', '"child" }', '"hors"', 'sx = "men" }']
    assert "treated unit 'Ada'" in said[0][1]
    assert "there are all, men and women" in said[1][1]
    assert "did you mean 'hours'?" in said[2][1]
    assert "did you mean 'sex'?" in said[3][1]


def test_what_is_wrong_with_the_primary_outcome_is_not_said_again(spec: Callable[..., Path]) -> None:
    head = HEAD.replace('time = "year"', 'time = "yaer"')
    path = spec('label = "hours"\noutcome = "hours"', 'label = "typo"\noutcome = "hors"', head=head)
    with pytest.raises(DataError) as told:
        prepare_all(load_spec(path))
    said = [problem.what for problem in told.value.problems]
    assert sum("yaer" in what for what in said) == 1
    assert sum("hors" in what for what in said) == 1


def test_a_group_must_be_treated_from_the_same_period(spec: Callable[..., Path], tmp_path: Path) -> None:
    rows = (tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()
    starts = [
        row
        + (",2015" if row.startswith("Ada") and ",women," not in row else ",2014" if row.startswith("Ada") else ",0")
        for row in rows[1:]
    ]
    (tmp_path / "rows.csv").write_text("\n".join([rows[0] + ",first", *starts]) + "\n", encoding="utf-8")
    head = HEAD.replace('units = ["Ada"]\nstart = 2015', 'start_column = "first"')
    with pytest.raises(DataError, match="not treated from the same period"):
        prepare_all(load_spec(spec('label = "women"\nwhere = { sex = "women" }', head=head)))
