"""Balance: known closed forms, a slow generic optimiser on person rows as the twin, and what must not change anything.

Held against published programs on data whose licence keeps them out of here: entropy balancing of ebal 0.1-8 on the NSW trainees
and the CPS (effect 1270.73, effective size 417.677, weights to 1e-14), Mahalanobis matching of Matching 4.10-8 on the NSW
experiment (1782.84), and R's glm on the PSID (odds to 1e-9 of the largest).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize

from evaluation.errors import EstimationError
from evaluation.register.balance import Weighted, weights
from evaluation.spec.model import Balance


@dataclass(frozen=True)
class Cells:
    """The fields of the real cells that balancing reads."""

    units: tuple[str, ...]
    covariates: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    persons: np.ndarray
    sums: dict[str, np.ndarray]


def one(groups, persons, covariates=("sex",), sums=None) -> Cells:
    persons = np.array(persons)
    units = tuple(f"{860 + row}" for row in range(len(persons)))
    return Cells(
        units, covariates, tuple(groups), persons, {key: np.array(value) for key, value in (sums or {}).items()}
    )


def made(seed=1, units=12) -> Cells:
    """A treated unit that is older, has more men and fewer hours than eleven others; ages vary inside the bands."""
    rng = np.random.default_rng(seed)
    bands = {"age": ("18-24", "30-39", "60+"), "sex": ("man", "woman"), "hours_before": ("0", "226-800")}
    groups = tuple(product(*bands.values()))
    tilt = np.array([(g[0] == "60+") * 0.7 + (g[1] == "man") * 0.4 - (g[2] != "0") * 0.5 for g in groups])
    persons = np.array([rng.poisson(9.0 * np.exp(tilt * (unit == 0))) + (unit == 0) for unit in range(units)])
    ages, hours = np.zeros_like(persons), np.zeros_like(persons)
    for (unit, g), count in np.ndenumerate(persons):
        # each cell has a level of its own, so that the means say more than the bands do
        ages[unit, g] = (rng.integers(-2, 3, count) + {"18-24": 21, "30-39": 35, "60+": 62}[groups[g][0]] + g % 3).sum()
        hours[unit, g] = (groups[g][2] != "0") * (rng.integers(-5000, 5001, count) + 40000 + 7000 * (g % 4 == 3)).sum()
    return Cells(
        tuple(str(101 + 2 * unit) for unit in range(units)),
        tuple(bands),
        groups,
        persons,
        {"age": ages, "hours_before": hours},
    )


def fit(cells: Cells, method: str, treated=None, excluded=(), **more) -> Weighted:
    return weights(
        cells, treated or cells.units[:1], excluded, Balance(method=method, covariates=cells.covariates), **more
    )


def rows_of(cells: Cells, units) -> np.ndarray:
    """(persons, columns): dummies of each band but the first, and the cell means of the numbers; a row per person."""
    places = [cells.units.index(unit) for unit in units]
    rows = []
    for g, group in enumerate(cells.groups):
        count = cells.persons[places, g].sum()
        row = []
        for place in range(len(cells.covariates)):
            bands = sorted({each[place] for each in cells.groups})
            row += [float(group[place] == band) for band in bands[1:]]
        row += [total[places, g].sum() / max(count, 1) / 100.0 for total in cells.sums.values()]
        rows += [row] * int(count)
    return np.array(rows)


def test_entropy_has_the_closed_form_of_one_covariate():
    """With one covariate the weights are the ratio of the shares."""
    cells = one([("man",), ("woman",)], [[30, 10], [50, 50], [10, 90]])
    found = fit(cells, "entropy")
    assert found.weights[0] == pytest.approx([1, 1])
    assert found.weights[1] == pytest.approx([0.75 / (60 / 200), 0.25 / (140 / 200)])
    assert np.array_equal(found.weights[1], found.weights[2])
    assert found.effective == pytest.approx(200**2 / (60 * 2.5**2 + 140 * (0.25 / 0.7) ** 2))


@pytest.mark.parametrize("method", ["entropy", "propensity", "nearest"])
def test_methods_agree_where_cells_are_saturated(method):
    cells = one([("man",), ("woman",)], [[30, 10], [50, 50], [10, 90]])
    assert fit(cells, method).weights[1] == pytest.approx([2.5, 0.25 / 0.7])


@pytest.mark.parametrize("method", ["none", "entropy", "propensity", "nearest"])
def test_control_weights_average_one_and_the_treated_count_once(method):
    cells = made()
    found = fit(cells, method, excluded=cells.units[-2:])
    counts = cells.persons[1:-2]
    assert (counts * found.weights[1:-2]).sum() == pytest.approx(counts.sum())
    assert (found.weights[0] == 1).all()
    assert (found.weights[1:] == found.weights[1]).all()
    assert (found.treated, found.controls) == (cells.persons[0].sum(), counts.sum())


def test_entropy_meets_every_mean():
    found = fit(made(), "entropy")
    assert max(abs(row.difference_before) for row in found.rows) > 0.2
    assert max(abs(row.difference_after) for row in found.rows) < 1e-8
    assert {(row.covariate, row.band) for row in found.rows} >= {
        ("age", ""),
        ("age", "60+"),
        ("hours_before", ""),
        ("sex", "man"),
    }


def test_entropy_is_what_a_generic_optimiser_finds_on_persons():
    """Minimise Σ w log w over persons under the moment conditions: SLSQP, a row per person, numerical and slow."""
    cells = made(seed=3, units=3)
    fewer = (cells.persons + 3) // 4
    cells = replace(
        cells,
        persons=fewer,
        sums={key: value / np.maximum(cells.persons, 1) * fewer for key, value in cells.sums.items()},
    )
    treated, controls = rows_of(cells, cells.units[:1]), rows_of(cells, cells.units[1:])
    spread = controls.std(axis=0)
    gaps = (controls - treated.mean(axis=0)) / spread
    n = len(controls)
    solved = minimize(
        lambda w: w @ np.log(np.maximum(w, 1e-300) * n), np.full(n, 1 / n), jac=lambda w: np.log(np.maximum(w, 1e-300) * n) + 1,
        bounds=[(1e-12, 1)] * n, method="SLSQP", options={"maxiter": 500, "ftol": 1e-14},
        constraints={"type": "eq", "fun": lambda w: np.append(w @ gaps, w.sum() - 1), "jac": lambda w: np.vstack([gaps.T, np.ones(n)])},
    )  # fmt: skip
    assert solved.success
    ours = np.concatenate(
        [
            [weight] * count
            for weight, count in zip(fit(cells, "entropy").weights[1], cells.persons[1:].sum(axis=0), strict=True)
        ]
    )
    assert ours / n == pytest.approx(solved.x, abs=2e-6)


def test_propensity_is_the_logit_a_generic_optimiser_finds_on_persons():
    cells = made(seed=4, units=4)
    # the same mean on both sides of a cell, so that the twin's rows and ours hold the same numbers
    cells = replace(cells, sums={})
    treated, controls = rows_of(cells, cells.units[:1]), rows_of(cells, cells.units[1:])
    design = np.column_stack([np.ones(len(treated) + len(controls)), np.vstack([treated, controls])])
    outcome = np.repeat([1.0, 0.0], [len(treated), len(controls)])
    solved = minimize(
        lambda b: (np.logaddexp(0, design @ b) - outcome * (design @ b)).sum(),
        np.zeros(design.shape[1]),
        method="BFGS",
        options={"gtol": 1e-8},
    )
    odds = np.exp(design[len(treated) :] @ solved.x)
    ours = np.concatenate(
        [
            [weight] * count
            for weight, count in zip(fit(cells, "propensity").weights[1], cells.persons[1:].sum(axis=0), strict=True)
        ]
    )
    assert ours == pytest.approx(odds / odds.mean(), rel=1e-5)


def test_nearest_takes_the_nearest_cell_and_ties_share():
    """Nobody aged 30 among the controls: 25 and 35 are equally near, and share by their persons."""
    groups = [("a",), ("b",), ("c",), ("d",)]
    persons = [[0, 8, 0, 0], [6, 0, 2, 10], [0, 0, 0, 2]]
    age = [[0, 240, 0, 0], [150, 0, 70, 600], [0, 0, 0, 120]]
    cells = one(groups, persons, ("age",), {"age": age})
    found = fit(replace(cells, groups=(("x",),) * 4), "nearest")
    # eight treated persons spread over the eight persons at 25 and 35; 20 control persons in all
    assert found.weights[1] == pytest.approx([20 / 8, 0, 20 / 8, 0])
    assert found.off_support == 8


def test_nearest_is_exact_where_it_can_be():
    cells = one([("man",), ("woman",)], [[4, 0], [8, 5]])
    assert fit(cells, "nearest").weights[1] == pytest.approx([13 / 8, 0])


def test_several_treated_and_excluded_units_have_no_part():
    cells = made(units=8)
    found = fit(cells, "entropy", treated=cells.units[:2], excluded=cells.units[5:])
    elsewhere = cells.persons.copy()
    elsewhere[5:] *= 7
    again = fit(replace(cells, persons=elsewhere), "entropy", treated=cells.units[:2], excluded=cells.units[5:])
    assert np.array_equal(found.weights[:5], again.weights[:5])
    assert found.treated == cells.persons[:2].sum()


@pytest.mark.parametrize("method", ["entropy", "propensity", "nearest"])
def test_order_of_units_and_cells_does_not_matter(method):
    cells = made(seed=6)
    units, groups = (
        np.random.default_rng(0).permutation(len(cells.units)),
        np.random.default_rng(1).permutation(len(cells.groups)),
    )
    turned = Cells(
        tuple(cells.units[i] for i in units), cells.covariates, tuple(cells.groups[i] for i in groups),
        cells.persons[np.ix_(units, groups)], {key: value[np.ix_(units, groups)] for key, value in cells.sums.items()},
    )  # fmt: skip
    straight = fit(cells, method, treated=["101"]).weights
    assert fit(turned, method, treated=["101"]).weights == pytest.approx(
        straight[np.ix_(units, groups)], rel=1e-7, abs=1e-10
    )


def test_entropy_does_not_change_with_the_unit_of_a_number_or_with_size():
    cells = made(seed=7)
    base = fit(cells, "entropy").weights
    assert fit(
        replace(cells, sums={key: value * 1000 for key, value in cells.sums.items()}), "entropy"
    ).weights == pytest.approx(base, rel=1e-6)
    doubled = replace(cells, persons=cells.persons * 3, sums={key: value * 3 for key, value in cells.sums.items()})
    assert fit(doubled, "entropy").weights == pytest.approx(base, rel=1e-6)


def test_a_band_without_controls_is_refused_with_its_name_and_the_way_out():
    cells = one([("18-24",), ("60+",)], [[5, 5], [9, 0]], ("age",))
    with pytest.raises(EstimationError, match=r"'60\+' of age.*Leave age out.*propensity"):
        fit(cells, "entropy")
    assert fit(cells, "propensity").off_support == 5


def test_what_lies_beyond_the_controls_is_refused_with_the_covariate():
    """Bands alone could be balanced; the mean age inside them cannot."""
    groups = [(sex, age) for sex in ("man", "woman") for age in ("18-24", "25-29")]
    persons = np.array([[5, 5, 5, 5], [9, 2, 4, 6], [3, 3, 3, 3]])
    ages = persons * np.array([20, 26, 20, 26])
    ages[0] += persons[0] * 3
    cells = one(groups, persons, ("sex", "age"), {"age": ages})
    with pytest.raises(EstimationError, match="can give age the means of the treated persons"):
        fit(cells, "entropy")


def test_bands_that_no_treated_person_has_weigh_nothing():
    cells = one([("18-24",), ("30-39",), ("60+",)], [[5, 5, 0], [9, 3, 4], [2, 1, 7]], ("age",))
    for method in ("entropy", "propensity", "nearest"):
        found = fit(cells, method).weights[1]
        assert found[2] == 0
        assert found[0] * 11 == pytest.approx(found[1] * 4)


def test_sides_that_a_number_tells_apart_have_no_propensity():
    cells = one([("x",), ("x",)], [[5, 5], [9, 4]], ("age",), {"age": [[300, 310], [270, 100]]})
    with pytest.raises(EstimationError, match="without error"):
        fit(cells, "propensity")


def test_bands_that_only_one_side_has_do_not_stop_the_propensity():
    cells = one([("a",), ("b",), ("c",)], [[5, 5, 3], [9, 0, 4]], ("education",))
    found = fit(cells, "propensity")
    assert found.off_support == 5
    assert found.weights[1][1] == 0


def test_standardised_differences_use_the_spread_before_weighting():
    row = next(
        each for each in fit(one([("man",), ("woman",)], [[30, 10], [50, 50]]), "entropy").rows if each.band == "man"
    )
    assert (row.treated, row.before) == (0.75, 0.5)
    assert row.difference_before == pytest.approx(0.25 / np.sqrt((0.75 * 0.25 + 0.5 * 0.5) / 2))
    assert row.difference_after == 0.0


def test_a_stock_needs_a_period():
    cells = made()
    stock = replace(
        cells,
        persons=np.stack([cells.persons * 2, cells.persons], axis=2),
        sums={key: np.stack([value * 2, value], axis=2) for key, value in cells.sums.items()},
    )
    assert fit(stock, "entropy", period=1).weights == pytest.approx(fit(cells, "entropy").weights)
    with pytest.raises(ValueError, match="stock"):
        fit(stock, "entropy")


def test_nobody_to_compare_with_is_said():
    cells = one([("man",)], [[5], [0]])
    with pytest.raises(EstimationError, match="no control person is left"):
        fit(cells, "entropy")


@pytest.mark.parametrize("seed", range(12))
def test_any_cells_are_balanced_or_refused_in_words(seed):
    """Sparse cells, small treated groups: never an unbalanced answer, never a failure without words."""
    rng = np.random.default_rng(100 + seed)
    groups = tuple(product(("0-1", "2-3", "4-5", "6-7"), ("man", "woman"), ("danish", "western", "non_western")))
    persons = rng.poisson(rng.choice([0.3, 1.0, 4.0], len(groups)), (rng.integers(2, 6), len(groups)))
    cells = Cells(tuple(map(str, range(len(persons)))), ("benefit_years", "sex", "origin"), groups, persons, {})
    for method in ("entropy", "propensity", "nearest"):
        found, said = None, ""
        try:
            found = fit(cells, method)
        except EstimationError as error:
            said = str(error)
        if found is None:
            assert "[register.balance]" in said or "person" in said
            continue
        assert np.isfinite(found.weights).all()
        assert (found.weights >= 0).all()
        if method == "entropy":
            assert (
                max((abs(row.difference_after) for row in found.rows if row.difference_after is not None), default=0)
                < 1e-6
            )
