"""Composition: the cohort against the stock, who left, and that no small count of persons gets out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluation.audit import composition
from evaluation.audit.others import with_series_of
from evaluation.context import Context
from evaluation.result import Population
from tests.audit.b_studies import noise, plain, studied

PEOPLE = Population(
    design="cohort",
    baseline="2008",
    treated=400,
    controls=20_000,
    periods=("2009", "2010"),
    exits={
        "dead": {"treated": [10, 20], "controls": [500, 1000]},
        "fleksjob": {"treated": [40, 60], "controls": [1000, 3000]},
    },
)


def with_stock(shift, **more):
    """A study whose stock's effect is `shift` placebo standard deviations above the cohort's."""
    made = studied(plain(effect=1.0))
    outcome = made.panel.outcome.copy()
    outcome[0, 8:] += shift * made.spread
    return replace(made, context=Context(variants={"stock": made.panel.with_outcome(outcome), **more}))


@pytest.mark.parametrize(
    ("shift", "status"), [(0.0, "passed"), (0.49, "passed"), (-0.51, "warns"), (0.99, "warns"), (1.01, "failed")]
)
def test_change_in_placebo_standard_deviations(shift, status):
    found = composition.check(with_stock(shift))
    assert found.value == pytest.approx(abs(shift), abs=1e-9)
    assert found.status == status


def test_reweighted_where_it_is_there():
    made = with_stock(0.3)
    again = replace(made, context=Context(variants={**made.context.variants, "stock_reweighted": made.panel}))
    assert composition.check(made).facts["reweighted"] is None
    assert composition.check(again).facts["reweighted"] == pytest.approx(made.headline.effect)


def test_who_left_is_counted_per_side():
    found = composition.check(replace(with_stock(0.0), population=PEOPLE))
    assert (found.facts["exits_treated"], found.facts["exits_controls"]) == (80, 4000)
    assert (found.facts["share_treated"], found.facts["share_controls"]) == (0.2, 0.2)
    assert found.series["states"] == ["dead", "fleksjob"]
    assert found.series["treated"] == [[10, 20], [40, 60]]
    assert found.series["periods"] == ["2009", "2010"]


def test_small_counts_of_persons_never_get_out():
    """Three dead among the treated: neither the count, nor a sum or share it could be worked out from."""
    few = replace(PEOPLE, exits={**PEOPLE.exits, "dead": {"treated": [3, 3], "controls": [500, 1000]}})
    found = composition.check(replace(with_stock(0.0), population=few))
    assert found.series["treated"][0] == [None, None]
    assert (found.facts["exits_treated"], found.facts["share_treated"]) == (None, None)
    assert found.facts["exits_controls"] == 4000


def test_the_specs_own_minimum_and_rounding_count():
    from evaluation.result import Provenance

    record = Provenance("1", "3", {}, 1, "a.toml", "", "[disclosure]\nminimum = 30\nround = 50\n", ())
    found = composition.check(replace(with_stock(0.0), population=PEOPLE, record=record))
    assert found.series["treated"] == [[None, None], [50, 50]]


def test_without_a_stock_the_exits_are_still_told():
    found = composition.check(replace(studied(plain()), population=PEOPLE))
    assert (found.status, found.reason) == ("not_run", "no_stock")
    assert found.facts["exits_treated"] == 80
    assert found.series["states"] == ["dead", "fleksjob"]


def test_a_ready_panel_knows_no_persons():
    assert composition.check(studied(plain())).reason == "no_registers"


def test_a_stock_that_cannot_be_estimated():
    made = studied(plain())
    broken = made.panel.assign({})  # nobody is treated in it
    found = composition.check(replace(made, context=Context(variants={"stock": broken})))
    assert found.reason == "not_computable"


def test_a_stock_with_fewer_periods_is_compared_over_those():
    """The first year of a stock is lost; the cohort is then estimated without it too."""
    made = studied(plain(effect=1.0))
    later = made.panel.keep_periods(1, 11)
    found = composition.check(replace(made, context=Context(variants={"stock": later})))
    assert found.value == pytest.approx(0.0, abs=1e-9)
    assert found.facts["cohort"] == pytest.approx(studied(later).headline.effect)
    assert found.facts["cohort"] != made.headline.effect


def test_the_headlines_series_serve_the_stock_too():
    """By unit and period, not by position: the stock's units are in another order and begin later."""
    demand = noise(4, 40, 12).cumsum(axis=1)
    panel = plain(effect=1.0, cycle={"demand": demand, "demand|nation": demand.mean(axis=0)})
    made = studied(panel, adjust="local_series")
    order = [0, *range(39, 0, -1)]
    stock = replace(panel.keep_units(order).keep_periods(2, 11), cycle={})
    found = composition.check(replace(made, context=Context(variants={"stock": stock})))
    assert found.value == pytest.approx(0.0, abs=1e-9)
    again = with_series_of(stock, panel)
    assert again.cycle["demand"].tolist() == demand[order][:, 2:].tolist()
    assert again.cycle["demand|nation"].tolist() == demand.mean(axis=0)[2:].tolist()


def test_series_of_other_places_or_times_are_not_borrowed():
    panel = plain(cycle={"demand": noise(4, 40, 12)})
    elsewhere = replace(plain(), units=tuple(f"elsewhere {row}" for row in range(40)))
    assert not with_series_of(elsewhere, panel).cycle
    assert not with_series_of(plain(), panel.keep_periods(0, 10)).cycle
    own = plain(cycle={"other": noise(5, 40, 12)})
    assert with_series_of(own, panel) is own
