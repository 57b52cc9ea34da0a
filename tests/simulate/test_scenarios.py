"""What each scenario does, and that it does nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.simulate.cycle import NEIGHBOURS, SCENARIOS, YEARS, economy, effect_path
from evaluation.simulate.people import blocks
from evaluation.simulate.register import draw_part
from evaluation.spec.model import Simulate

from .registers import PARAMETERS, SEED, annual, at, hjorring, mean

PATH = np.array([15.0, 40.0, 55.0, 70.0])
WINDOW = slice(at(2015), at(2019))


def realised(scenario):
    """(years,) mean of hours with minus without the programme, over Hjørring's cohort."""
    _, part = hjorring(scenario)
    return mean(annual(part.hours) - annual(part.without), part.cohort, part.present)


def test_the_spec_offers_these_scenarios():
    import typing

    assert typing.get_args(Simulate.model_fields["scenario"].annotation) == SCENARIOS


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if not name.startswith("null")])
def test_the_planted_effect_is_the_path(scenario):
    found = realised(scenario)
    assert found[WINDOW] == pytest.approx(PATH, abs=0.01)
    assert found[WINDOW].mean() == pytest.approx(45.0, abs=0.01)
    assert found == pytest.approx(effect_path(PARAMETERS, scenario), abs=0.01)


def test_the_other_municipalities_have_their_parts_of_it_from_their_own_start():
    drawn = economy(PARAMETERS, "four_municipalities", 70_000, SEED)
    codes = [area.code for area in drawn.areas]
    numbers = (PARAMETERS.numbers(f"effect.{name}") for name in ("others", "others_start", "others_part"))
    parts = {"860": (2015, 1.0)}
    parts |= {f"{int(code):03d}": (int(start), part) for code, start, part in zip(*numbers, strict=True)}
    assert {codes[place] for place in np.flatnonzero(drawn.effect.any(axis=1))} == set(parts)
    for code, (start, part) in parts.items():
        own = drawn.effect[codes.index(code)]
        assert not own[: at(start)].any()
        assert own[at(start) : at(start) + 2] == pytest.approx([part * PATH[0], part * PATH[1]])


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name.startswith("null")])
def test_null_has_no_effect(scenario):
    drawn, part = hjorring(scenario)
    assert not drawn.effect.any()
    assert (part.hours == part.without).all()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_persons_and_cohort_are_those_of_every_other_scenario(scenario):
    _, part = hjorring(scenario)
    _, other = hjorring("null")
    for name in type(part.people).__dataclass_fields__:
        assert np.array_equal(getattr(part.people, name), getattr(other.people, name)), name
    assert np.array_equal(part.cohort, other.cohort)
    assert np.array_equal(part.state, other.state)
    until = 12 * at(2014) if scenario == "anticipation" else 12 * at(2015)
    assert np.array_equal(part.hours[:until], other.hours[:until])
    assert np.array_equal(part.codes[: 12 * at(2015)], other.codes[: 12 * at(2015)])


@pytest.mark.parametrize("scenario", ["effect", "effect_fading", "anticipation", "effect_with_spillover"])
def test_an_effect_changes_hours_and_what_hours_change_only(scenario):
    drawn, part = hjorring(scenario)
    other_drawn, other = hjorring("null")
    assert np.array_equal(part.without, other.hours)
    assert np.array_equal(drawn.unemployment, other_drawn.unemployment)
    assert np.array_equal(part.pension, other.pension)
    changed = part.codes != other.codes
    assert (part.codes[changed] == 0).all()  # who works much has no benefit; nothing else moves
    assert changed.any()


def test_most_of_the_effect_is_persons_who_had_no_hours():
    _, part = hjorring("effect")
    here = part.cohort & part.present[:, at(2018)]
    gained = (annual(part.hours) - annual(part.without))[here, at(2018)]
    idle = annual(part.without)[here, at(2018)] == 0
    assert gained[idle].sum() / gained.sum() == pytest.approx(0.8, abs=0.05)


def test_the_effect_reaches_those_who_come_into_the_group_later():
    _, part = hjorring("effect")
    later = part.stock[:, at(2018)] & ~part.cohort
    gained = mean(annual(part.hours) - annual(part.without), later, part.present)
    assert gained[at(2018)] > 20


def test_fading_and_anticipation():
    assert realised("effect_fading")[at(2019) :] == pytest.approx(35.0, abs=0.01)
    assert realised("anticipation")[at(2014)] == pytest.approx(15.0, abs=0.01)


def test_downturn_costs_hours_everywhere_and_shows_in_unemployment():
    deep, mild = economy(PARAMETERS, "effect_with_downturn", 70_000, SEED), economy(PARAMETERS, "effect", 70_000, SEED)
    assert (deep.shift - mild.shift)[:, at(2020)].mean() == pytest.approx(-12, abs=1.5)
    assert (deep.unemployment - mild.unemployment)[:, -6].mean() == pytest.approx(3.0, abs=0.4)
    assert np.array_equal(deep.shift[:, : at(2020)], mild.shift[:, : at(2020)])


def test_the_upswing_leaves_its_trace_in_the_series():
    boom, calm = economy(PARAMETERS, "null_with_local_upswing", 70_000, SEED), economy(PARAMETERS, "null", 70_000, SEED)
    here, codes = boom.treated, [area.code for area in boom.areas]
    years = (boom.unemployment - calm.unemployment).reshape(98, len(YEARS), 12).mean(axis=2)
    assert years[here, at(2018)] < -1.5
    assert (boom.employment - calm.employment)[here, at(2018)] > 1.5
    ring = [codes.index(code) for code in NEIGHBOURS]
    assert (years[ring, at(2018)] < -0.5).all()
    others = np.setdiff1d(np.arange(98), [here, *ring])
    assert not years[others].any()
    assert np.array_equal(boom.shift[others], calm.shift[others])


def test_composition_moves_the_stock_and_not_the_cohort():
    _, calm = hjorring("null")
    _, part = hjorring("null_with_composition")
    assert np.array_equal(part.hours[:, part.cohort], calm.hours[:, calm.cohort])
    stock, before = (mean(annual(each.hours), each.stock, each.present) for each in (part, calm))
    assert stock[at(2018)] > before[at(2018)] + 2
    assert (part.pension < 168).sum() > 1.5 * (calm.pension < 168).sum()


def test_reform_hits_hjorring_harder_and_flere_skal_med_the_others():
    drawn, calm = (economy(PARAMETERS, name, 70_000, SEED) for name in ("null_with_reform", "null"))
    assert drawn.exemption[drawn.treated] == pytest.approx(0.10)
    assert not drawn.long_term[drawn.treated].any()
    assert (drawn.long_term[:, at(2018)] > 0).sum() == 88
    others = np.arange(98) != drawn.treated
    assert np.array_equal(drawn.exemption[others], calm.exemption[others])


def test_neighbours_gain_a_third():
    drawn = economy(PARAMETERS, "effect_with_spillover", 70_000, SEED)
    place = [area.code for area in drawn.areas].index(NEIGHBOURS[0])
    part = draw_part(PARAMETERS, drawn, blocks(drawn, place), SEED)
    gained = mean(annual(part.hours) - annual(part.without), part.cohort, part.present)
    assert gained[WINDOW] == pytest.approx(PATH / 3, abs=0.05)
    assert (drawn.effect.any(axis=1)).sum() == 4


def test_a_large_municipality_is_drawn_in_blocks_and_has_the_effect_in_each():
    drawn = economy(PARAMETERS, "effect", 1_200_000, SEED)
    here = blocks(drawn, drawn.treated)
    assert here[0].persons == 10_000
    assert sum(block.persons for block in here) == drawn.persons[drawn.treated]
    assert len({block.key for block in blocks(drawn)}) == len(blocks(drawn))
    part = draw_part(PARAMETERS, drawn, here[1:], SEED)
    gained = mean(annual(part.hours) - annual(part.without), part.cohort, part.present)
    assert gained[WINDOW] == pytest.approx(PATH, abs=0.01)
