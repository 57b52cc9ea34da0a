"""Looking ahead: the numbers of a plan against the test they are about, their algebra, and a world where they are known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from evaluation import ahead
from evaluation import run as flow
from evaluation.errors import DataError, DisclosureError, EstimationError
from evaluation.inference.draws import each_in_turn
from evaluation.panel import Panel
from evaluation.periods import parse_period
from evaluation.planning.look import least_controls
from evaluation.planning.plan import Plan, to_json
from evaluation.planning.stand_ins import StandIns, multiple, spread_of, stand_ins, window
from evaluation.power import allowed, smallest_effect
from evaluation.study import make_pipeline

SPEC = """
question = "What could be found?"
seed = 3
[data]
path = "data.csv"
unit = "town"
time = "year"
outcome = "y"
{columns}
[treatment]
{treatment}
[headline]
method = "did"
{more}
"""


def made(
    folder: Path,
    values: Any,
    *,
    size: Any = None,
    columns: str = "public = true",
    treatment: str = 'units = ["t0"]\nstart = 2030',
    more: str = "",
) -> Plan:
    """The plan for a table of outcomes (units, periods)."""
    lines = ["town,year,y,persons"]
    for row, series in enumerate(values):
        for step, value in enumerate(series):
            lines.append(f"t{row},{2000 + step},{value:.9f},{'' if size is None else size[row]}")
    (folder / "data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "plan.toml").write_text(SPEC.format(columns=columns, treatment=treatment, more=more), encoding="utf-8")
    return ahead.look_ahead(flow.load_spec(folder / "plan.toml"))


def noise(n_units: int = 40, n_periods: int = 10, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(n_units, n_periods))


def panel_of(values: Any) -> Panel:
    n_units, n_periods = values.shape
    periods = tuple(parse_period(2000 + step) for step in range(n_periods))
    return Panel(values, tuple(f"t{row}" for row in range(n_units)), periods, np.full(n_units, n_periods))


def cell(plan: Plan, periods: int, controls: int, persons: float | None = None) -> Any:
    return next(row for row in plan.rows if (row.periods, row.controls, row.persons) == (periods, controls, persons))


def test_the_last_pretended_start_gives_the_number(tmp_path: Path) -> None:
    """Against a count by hand: the panel cut at its end, every unit in turn treated in the last two periods."""
    values = noise()
    plan = made(tmp_path, values, more="[plan]\nperiods = [2]")
    (length,) = plan.lengths
    assert length.starts == ("2006", "2007", "2008")
    assert length.before == 6
    part = panel_of(values[:, 2:])
    effects = each_in_turn(make_pipeline("did", "none", {}), part, 6)
    assert cell(plan, 2, 39).mde == pytest.approx(smallest_effect(effects, allowed(39, 0.95)), rel=1e-6)
    assert plan.controls == 39
    known = cell(plan, 2, 39)
    assert known.lowest <= known.mde <= known.highest


def test_in_a_world_of_independent_noise_it_is_the_formula_of_a_mean(tmp_path: Path) -> None:
    plan = made(tmp_path, noise(250, 12, seed=5), more="[plan]\nperiods = [1, 4]\ncontrols = [249]")
    for periods, before in ((1, 9), (4, 6)):
        formula = float(ndtri(0.975) + ndtri(0.8)) * math.sqrt(1.0 / periods + 1.0 / before)
        # 250 stand-ins: quantiles of so many are known to about a tenth
        assert cell(plan, periods, 249).mde == pytest.approx(formula, rel=0.15)
        assert next(each for each in plan.lengths if each.periods == periods).before == before
    # averages of several stand-ins fall with the root of their number
    by_number = {each.treated: each.mde for each in plan.together if each.periods == 1}
    assert by_number[4] == pytest.approx(by_number[1] / 2.0, rel=0.15)  # type: ignore[operator]


def test_it_scales_with_the_outcome_and_knows_no_level(tmp_path: Path) -> None:
    values = noise(30, 9)
    plain, changed = (made(tmp_path, each) for each in (values, 100.0 + 10.0 * values))
    assert [row.controls for row in plain.rows] == [row.controls for row in changed.rows]
    for one, other in zip(plain.rows, changed.rows, strict=True):
        assert (one.mde is None) == (other.mde is None)
        if one.mde is not None:
            assert other.mde == pytest.approx(10.0 * one.mde, rel=1e-5)


def test_more_persons_help_as_far_as_towns_do_not_drift(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    size = rng.integers(50, 5000, 120)
    towns = rng.normal(size=(120, 10)) * np.sqrt(0.25 + 400.0 / size)[:, None]
    more = "[plan]\neffect = [0.9, 3.0, 100.0]\nperiods = [2]\npersons = [100, 400, 1600, 1000000000]\ncontrols = [119]"
    plan = made(tmp_path, towns, size=size, columns='public = true\nsize = "persons"', more=more)
    found = [row.mde for row in plan.rows]
    assert found == sorted(found, reverse=True)  # type: ignore[type-var]
    (length,) = plan.lengths
    assert length.mde_infinite_persons == pytest.approx(found[-1], rel=1e-3)
    assert plan.persons == size[0]
    # a + b / persons with a = 0.25 and b = 400, both times 1/2 + 1/6 by the number of periods
    assert found[0] / found[2] == pytest.approx(math.sqrt((0.25 + 4.0) / (0.25 + 0.25)), rel=0.25)  # type: ignore[operator]
    small, middle, large = plan.answers
    assert small.persons[0].persons is None
    assert small.effect < length.mde_infinite_persons  # type: ignore[operator]
    needed = middle.persons[0].persons
    assert needed is not None
    times = found[0] / found[2]  # type: ignore[operator]
    assert 100 < needed < 1600
    assert times > 1.0
    assert large.periods == 2
    # with so large an effect, the smallest units that the data know of are enough
    assert large.persons[0].persons == pytest.approx(np.quantile(size, 0.05), abs=1.0)


def test_the_persons_that_it_takes_give_that_effect(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    size = rng.integers(50, 5000, 60)
    towns = rng.normal(size=(60, 8)) * np.sqrt(0.1 + 400.0 / size)[:, None]
    columns = 'public = true\nsize = "persons"'
    first = made(
        tmp_path, towns, size=size, columns=columns, more="[plan]\nperiods = [1]\neffect = 2.5\ncontrols = [59]"
    )
    needed = first.answers[0].persons[0].persons
    assert needed is not None
    again = made(
        tmp_path,
        towns,
        size=size,
        columns=columns,
        more=f"[plan]\nperiods = [1]\npersons = [{needed}]\ncontrols = [59]",
    )
    # rounded up to whole persons
    assert again.rows[0].mde == pytest.approx(2.5, rel=0.01)
    assert again.rows[0].mde <= 2.5  # type: ignore[operator]


@pytest.mark.parametrize(
    ("level", "treated", "least"), [(0.95, 1, 19), (0.9, 1, 9), (0.99, 1, 99), (0.95, 2, 7), (0.95, 3, 6)]
)
def test_the_fewest_controls_are_those_the_test_needs(level: float, treated: int, least: int) -> None:
    assert least_controls(level, treated) == least
    assert allowed(math.comb(least, treated), level) == 1
    assert least - 1 <= treated or allowed(math.comb(least - 1, treated), level) == 0


def test_too_few_controls_find_nothing(tmp_path: Path) -> None:
    plan = made(tmp_path, noise(21, 8), more="[plan]\neffect = 1000.0\ncontrols = [20, 19, 18]")
    assert cell(plan, 1, 18).mde is None
    assert cell(plan, 1, 19).mde is not None
    few = made(tmp_path, noise(12, 8), more="[plan]\neffect = 1000.0")
    assert all(row.mde is None for row in few.rows)
    assert few.answers[0].periods is None


def test_what_happened_after_a_start_within_the_data_is_not_looked_at(tmp_path: Path) -> None:
    """The planned unit counts as untreated before its start only: whatever happened to it afterwards changes nothing."""
    values = noise(30, 10)
    shifted = values.copy()
    shifted[0, 6:] += 50.0
    plans = [made(tmp_path, each, treatment='units = ["t0"]\nstart = 2006') for each in (values, shifted)]
    assert plans[0] == plans[1]
    assert {each.before for each in plans[0].lengths} <= {3, 4, 5, 6}


def test_several_planned_units_are_one_average(tmp_path: Path) -> None:
    values = noise(60, 8)
    one = made(tmp_path, values, more="[plan]\nperiods = [2]\ncontrols = [50]")
    four = made(
        tmp_path,
        values,
        treatment='units = ["t0", "t1", "t2", "t3"]\nstart = 2008',
        more="[plan]\nperiods = [2]\ncontrols = [50]",
    )
    assert four.rows[0].mde == pytest.approx(one.rows[0].mde / 2.0, rel=0.25)  # type: ignore[operator]
    assert min(each.treated for each in four.together) == 4


def test_the_spec_decides_level_power_and_seed(tmp_path: Path) -> None:
    values, asked = noise(40, 6), "[plan]\nperiods = [1]\ncontrols = [39]"
    base, often, loose = (
        made(tmp_path, values, more=more)
        for more in (asked, f"{asked}\npower = 0.95", f"[inference]\nlevel = 0.8\n{asked}")
    )
    assert often.rows[0].mde > base.rows[0].mde > loose.rows[0].mde  # type: ignore[operator]


def test_the_seed_chooses_among_controls_and_nothing_else_is_left_to_chance(tmp_path: Path) -> None:
    first = made(tmp_path, noise(30, 5), more="[plan]\nperiods = [1]\ncontrols = [29, 19]")
    loaded = flow.load_spec(tmp_path / "plan.toml")
    again, other = ahead.look_ahead(loaded), ahead.look_ahead(loaded, seed=8)
    assert to_json(first) == to_json(again)
    assert first.rows[0] == other.rows[0]
    assert first.rows[1] != other.rows[1]


def test_the_json_holds_what_the_plan_holds(tmp_path: Path) -> None:
    plan = made(tmp_path, noise(25, 7), more="[plan]\neffect = 1.5")
    read = json.loads(to_json(plan))
    assert read["rows"][0]["mde"] == plan.rows[0].mde
    assert read["answers"][0]["effect"] == 1.5
    assert read["start"] == "2030"


# ---- what cannot be planned


def test_more_than_the_data_have_is_said_at_its_place(tmp_path: Path) -> None:
    with pytest.raises(DataError) as told:
        made(tmp_path, noise(25, 7), more="[plan]\nperiods = [1, 6]\ncontrols = [24, 25]")
    first, second = told.value.problems
    assert (
        first.what
        == "6 periods after the start, but the data have 7, and a pretended start needs 2 before it; look at 5 at most"
    )
    assert second.what == "25 controls, but the data have 24 units that can be one; leave the number out"
    assert "plan.toml:16" in first.where


def test_two_periods_are_too_few_to_plan_by(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the data have 2 periods; planning needs 3 at least"):
        made(tmp_path, noise(25, 2))


def test_a_group_too_small_to_tell_of_is_not_planned_for(tmp_path: Path) -> None:
    with pytest.raises(DisclosureError, match="fewer persons than may be told of"):
        made(tmp_path, noise(25, 7), size=[3] * 25, columns='size = "persons"')
    with pytest.raises(DisclosureError):
        made(tmp_path, noise(25, 7), columns="")


def test_persons_are_rounded_where_data_are_not_public(tmp_path: Path) -> None:
    plan = made(tmp_path, noise(25, 7), size=[123] * 25, columns='size = "persons"', more="[disclosure]\nround = 10")
    assert plan.persons == 120.0


def test_clusters_of_units_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(EstimationError, match="assigned to clusters of several units"):
        made(tmp_path, noise(25, 7), size=[1] * 25, columns='public = true\ncluster = "persons"')


def test_an_estimator_that_cannot_be_computed_says_why() -> None:
    with pytest.raises(EstimationError, match="second_group"):
        stand_ins(make_pipeline("triple_difference", "none", {}), panel_of(noise(5, 5)), 3)


# ---- the parts


def test_only_what_was_untreated_throughout_stands_in() -> None:
    start = np.array([9, 9, 4, 6, 9])
    panel = Panel(noise(5, 9), tuple("abcde"), tuple(parse_period(2000 + step) for step in range(9)), start)
    part = window(panel, 4, 3, 2)
    assert part.units == ("a", "b", "d", "e")
    assert [period.label for period in part.periods] == ["2001", "2002", "2003", "2004", "2005"]
    assert not part.treated.any()


def test_unequal_units_are_brought_to_one_measure() -> None:
    rng = np.random.default_rng(3)
    persons = rng.integers(20, 4000, 3000).astype(float)
    found = StandIns(rng.normal(size=3000) * np.sqrt(0.5 + 300.0 / persons), 1.0 / persons, 0)
    spread = spread_of([found])
    assert spread.constant == pytest.approx(0.5, rel=0.15)
    assert spread.slope == pytest.approx(300.0, rel=0.15)
    assert spread.scaled(found).std() == pytest.approx(1.0, rel=0.05)
    assert spread_of([StandIns(found.effects, None, 0)]).slope == 0.0


def test_nobody_is_left_to_stand_in_for_too_many() -> None:
    rng = np.random.default_rng(1)
    draws = rng.normal(size=30)
    assert multiple([draws], 30, 29, 0.95, 0.8, rng) == math.inf
    assert multiple([draws], 3, 3, 0.95, 0.8, rng) == math.inf
    assert multiple([draws], 2, 28, 0.95, 0.8, rng) < multiple([draws], 1, 28, 0.95, 0.8, rng)
