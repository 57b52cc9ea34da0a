"""The cells drawn without persons agree with those of the register of persons."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.simulate import simulate_cells
from evaluation.simulate.cycle import HJORRING

from .registers import SEED, T, annual, at, nation


@pytest.fixture(scope="module")
def both():
    """Of one seed: cells without persons, and counts and means (municipalities, years from 2008) of the register."""
    _, part = nation()
    hours = annual(part.hours)
    counts, sums = np.zeros((98, T)), np.zeros((98, T))
    for year in range(T):
        here = part.cohort & part.present[:, year]
        counts[:, year] = np.bincount(part.people.place[here], minlength=98)
        sums[:, year] = np.bincount(part.people.place[here], weights=hours[here, year], minlength=98)
    return simulate_cells("null", SEED), counts[:, 1:], (sums / np.maximum(counts, 1))[:, 1:]


def test_sizes_agree(both):
    cells, counts, _ = both
    assert cells.persons.sum(axis=0) == pytest.approx(counts.sum(axis=0), rel=0.02)
    assert np.corrcoef(cells.persons[:, 6], counts[:, 6])[0, 1] > 0.999


def test_the_nations_path_agrees(both):
    cells, counts, means = both
    register = (counts * means).sum(axis=0) / counts.sum(axis=0)
    drawn = (cells.persons * cells.expected).sum(axis=0) / cells.persons.sum(axis=0)
    assert drawn == pytest.approx(register, abs=4)


def test_what_the_register_adds_is_the_noise_of_persons(both):
    """Same seed, same economy: the register's means lie around the expected ones as the stated variance says."""
    cells, counts, means = both
    large = counts[:, 6] > 100
    z = ((means - cells.expected) / np.sqrt(cells.noise))[large]
    assert z.std() == pytest.approx(1.0, abs=0.12)
    assert abs(z.mean()) < 0.15
    drawn = ((cells.hours - cells.expected) / np.sqrt(cells.noise))[large]
    assert drawn.std() == pytest.approx(1.0, abs=0.12)
    # hours persist, so the noise of neighbouring years does
    lag = [np.corrcoef(each[:, :-1].ravel(), each[:, 1:].ravel())[0, 1] for each in (z, drawn)]
    assert lag[0] == pytest.approx(lag[1], abs=0.12)


def test_the_spread_of_changes_agrees(both):
    cells, counts, means = both
    large = counts[:, 6] > 250
    spread = [
        (each[large][:, 7:11].mean(axis=1) - each[large][:, :7].mean(axis=1)).std() for each in (means, cells.hours)
    ]
    assert spread[0] == pytest.approx(spread[1], rel=0.3)


def test_effect_and_null_differ_by_the_effect():
    effect, null = simulate_cells("effect", 3), simulate_cells("null", 3)
    place = effect.codes.index(HJORRING)
    assert (effect.expected - null.expected)[place, 7:11] == pytest.approx([15, 40, 55, 70])
    assert np.array_equal(effect.effect[place, 7:11], [15, 40, 55, 70])
    others = np.arange(98) != place
    assert np.array_equal(effect.hours[others], null.hours[others])
    assert np.array_equal(effect.unemployment, null.unemployment)
    assert effect.years[0] == 2008
    assert at(2008) == 1


def test_a_comparison_of_means_is_right_under_null_and_wrong_in_a_local_upswing():
    """The point of it all, in small: over seeds, differences in differences is centred on the truth unless Hjørring booms."""
    answers = {}
    for scenario in ("null", "effect", "null_with_local_upswing"):
        found = []
        for seed in range(40):
            cells = simulate_cells(scenario, seed)
            change = cells.hours[:, 7:11].mean(axis=1) - cells.hours[:, :7].mean(axis=1)
            place = cells.codes.index(HJORRING)
            others = np.arange(98) != place
            found.append(change[place] - np.average(change[others], weights=cells.persons[others, 6]))
        answers[scenario] = (np.mean(found), np.std(found))
    assert answers["null"][0] == pytest.approx(0, abs=6)
    assert answers["effect"][0] == pytest.approx(45, abs=6)
    assert answers["null_with_local_upswing"][0] > 35
    assert 8 < answers["null"][1] < 20
