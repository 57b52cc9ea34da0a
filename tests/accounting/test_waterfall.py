"""The waterfall: parts that are recovered where they are known, that add up to the last bit, and that no order decides."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from evaluation.accounting.decomposition import Asked, decomposed, slopes
from evaluation.accounting.ladder import raw_change
from evaluation.accounting.waterfall import waterfall
from evaluation.context import Context, PolicyShock
from evaluation.cycle import local_series, sensitivity
from tests.accounting.worlds import N_UNITS, START, contrast, hjorring, nation, studied, world
from tests.oracle.panels import factor_panel

ASKED = Asked(sensitivity.Options(), local_series.Options(), rows=tuple(range(N_UNITS)))


def amounts(study):
    return {part.name: part.amount for part in waterfall(study)}


def shock(share, name="reform", start=START):
    return PolicyShock(name, {"en": name}, start, np.asarray(share))


@pytest.mark.parametrize("method", ["did", "synthetic_control", "synthetic_did"])
@pytest.mark.parametrize("seed", range(4))
def test_the_parts_add_up_bit_by_bit(method, seed):
    """The order is documented: `math.fsum` of the entries after the first is the first, not nearly but exactly."""
    panel, parts = world(demand=0.4, reform=1.0, noise=0.3, exposure=1.5, effect=0.7, seed=seed)
    study = studied(panel, method, context=Context(policies=(shock(parts["share"]),)))
    whole, *others = waterfall(study)
    assert whole.name == "raw_change"
    assert math.fsum(part.amount for part in others) == whole.amount
    assert others[-1].name == "programme"
    assert others[-1].amount == study.headline.effect
    assert whole.amount == pytest.approx(raw_change(panel), rel=1e-13)  # rounding of parts larger than their sum


def test_hjorring_adds_up_too():
    whole, *others = waterfall(hjorring())
    assert math.fsum(part.amount for part in others) == whole.amount
    assert whole.amount == pytest.approx(0.625, abs=5e-4)


def test_own_exposure_is_found():
    """No noise: the part is (own reaction − the others' mean) × the change of the nation, to rounding of numbers near 70."""
    panel, parts = world(exposure=1.8)
    found = amounts(studied(panel))
    expected = contrast(parts["reaction"][:, None] * nation())
    assert found["own_sensitivity"] == pytest.approx(expected, abs=1e-9)
    assert found["programme"] == pytest.approx(expected, abs=1e-9)  # did takes it for an effect, and the rest says so
    assert found["rest"] == pytest.approx(-expected, abs=1e-9)


def test_every_planted_part_is_found_at_once():
    """Exposure, local demand, a reform and an effect, all in one unit, without noise.

    The units' reactions are drawn toward their mean by what looks like noise (it is the local series), which the joint slope
    undoes on average and not unit by unit: a tenth of each part is left for that.
    """
    panel, parts = world(exposure=1.8, demand=0.5, reform=2.0, effect=3.0)
    study = studied(panel, "did", "sensitivity", context=Context(policies=(shock(parts["share"]),)))
    found = amounts(study)
    dated = np.arange(panel.n_periods) >= START
    assert found["own_sensitivity"] == pytest.approx(contrast(parts["reaction"][:, None] * nation()), rel=0.1)
    assert found["local_demand"] == pytest.approx(0.5 * contrast(parts["local"]), rel=0.1)
    assert found["policies"] == pytest.approx(2.0 * contrast(parts["share"][:, None] * dated), rel=0.1)
    assert found["national_cycle"] == pytest.approx(
        panel.outcome[1:, START:].mean() - panel.outcome[1:, :START].mean(), rel=1e-9
    )


def test_no_treated_cell_moves_a_part_beside_the_programme():
    panel, _ = world(exposure=1.4, demand=0.5, noise=0.2)
    more, _ = world(exposure=1.4, demand=0.5, noise=0.2, effect=5.0)
    without, with_effect = amounts(studied(panel)), amounts(studied(more))
    assert with_effect["programme"] == pytest.approx(without["programme"] + 5.0, abs=1e-10)  # numbers near 70
    for name in ("national_cycle", "own_sensitivity", "local_demand"):
        assert with_effect[name] == without[name]


def test_no_order_decides():
    """Gelbach's point: whichever influence is named first, each gets the same part."""
    panel, parts = world(exposure=1.5, demand=0.4, reform=1.0, noise=0.3)
    rng = np.random.default_rng(0)
    reforms = (shock(parts["share"]), shock(rng.uniform(0, 1, N_UNITS), "second", START - 2))
    forward = decomposed(panel, replace(ASKED, policies=reforms))
    backward = decomposed(panel, replace(ASKED, policies=reforms[::-1]))
    assert forward == pytest.approx(backward, rel=1e-9)  # the same system solved in another order
    layers = rng.normal(0, 1, (4, *panel.outcome.shape))
    order = [2, 0, 3, 1]
    assert slopes(panel, layers)[order] == pytest.approx(slopes(panel, layers[order]), rel=1e-9)


def test_influences_that_cannot_be_told_apart_share_what_they_explain():
    panel, parts = world(reform=1.0, noise=0.1)
    once = decomposed(panel, replace(ASKED, policies=(shock(parts["share"]),)))
    twice = decomposed(panel, replace(ASKED, policies=(shock(parts["share"]), shock(parts["share"], "again"))))
    assert twice == pytest.approx(once, rel=1e-6)  # directions below a thousand-millionth are cut off


def test_a_reform_that_hit_all_alike_is_part_of_the_national_change():
    panel, _ = world(noise=0.2)
    found = decomposed(panel, replace(ASKED, policies=(shock(np.full(N_UNITS, 0.4)),)))
    assert found["policies"] == pytest.approx(0.0, abs=1e-9)


def test_composition_is_what_weighting_the_control_persons_changes():
    panel, _ = world(noise=0.2)
    unweighted = panel.outcome.copy()
    unweighted[1:, START:] += 0.3
    study = studied(panel, context=Context(variants={"unweighted": panel.with_outcome(unweighted)}))
    found = amounts(study)
    assert found["composition"] == pytest.approx(-0.3, abs=1e-10)  # numbers near 70
    whole, *others = waterfall(study)
    assert [part.name for part in others][:2] == ["national_cycle", "composition"]
    assert math.fsum(part.amount for part in others) == whole.amount


def test_what_weights_take_out_beyond_is_a_part_of_its_own():
    study = studied(factor_panel(n_units=20), "synthetic_did")
    assert "weighting" in amounts(study)
    assert "rest" not in amounts(study)


def test_nothing_measured_leaves_the_nation_and_the_programme():
    panel = factor_panel(n_units=20, start=2)
    assert list(amounts(studied(panel))) == ["raw_change", "national_cycle", "programme"]


def test_intervals_are_those_of_the_same_part_of_every_control():
    study = studied(factor_panel(n_units=45))
    found = {part.name: part for part in waterfall(study)}
    assert found["raw_change"].lower is None
    assert (found["programme"].lower, found["programme"].upper) == (study.headline.lower, study.headline.upper)
    own = found["own_sensitivity"]
    draws = []
    for row in range(45):
        if row != 3:
            panel = study.panel.assign({row: 9}, without=[3])
            draws.append(decomposed(panel, replace(ASKED, rows=tuple(range(44))))["own_sensitivity"])
    half = sorted(np.abs(draws))[-2]  # ⌊0.05 × 45⌋ = 2: the second largest
    assert (own.lower, own.upper) == pytest.approx((own.amount - half, own.amount + half), rel=1e-12)  # summation order


def test_too_few_controls_leave_the_parts_without_intervals():
    found = waterfall(studied(factor_panel(n_units=12)))
    assert all(part.lower is None for part in found)
