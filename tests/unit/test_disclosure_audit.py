"""Nothing about a unit, or about persons, that is too small leaves with the auditor's checks, the ladder or the coefficients."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from evaluation.disclosure import protect, protected_cycle
from evaluation.result import Cycle, Note, Population, Result, Series, to_json
from tests.report.audited import audited, registered

SMALL = ("Læsø", "Albertslund", "Brøndby")


def protected(result: Result, small: tuple[str, ...] = SMALL, public: bool = False) -> Result:
    return protect(result, public=public, minimum=5, base=1, sizes_known=True, small=small)


def told(cycle: Cycle) -> str:
    return json.dumps(json.loads(to_json(replace(audited(), cycle=cycle)))["cycle"], ensure_ascii=False)


def series(cycle: Cycle, name: str) -> dict[str, Any]:
    return dict(next(one for one in cycle.audit if one.id == name).series)


def test_the_fixture_names_them() -> None:
    assert all(name in told(audited().cycle) for name in SMALL)


def test_a_small_unit_is_named_nowhere_in_the_cycle() -> None:
    result = audited()
    noted = Note("units_not_adjusted", "1 controls could not be adjusted: Læsø.", {"count": 1, "units": "Læsø"})
    cycle = replace(
        result.cycle,
        notes=(noted,),
        ladder=tuple(replace(rung, notes=(noted,)) for rung in result.cycle.ladder),
        series=(Series("demand", {"en": "demand"}, "local", facts={"filled": ["Brøndby"]}),),
        bad_control={"moved": "most in Albertslund"},
    )
    found = protected(replace(result, cycle=cycle)).cycle
    assert not any(name in told(found) for name in SMALL)
    assert "*" in told(found)


def test_its_row_goes_and_the_others_stay_in_step() -> None:
    before, after = audited().cycle, protected(audited()).cycle
    for name, key in (("loading_balance", "units"), ("planted_effect", "units"), ("donors", "labels")):
        old, new = series(before, name), series(after, name)
        assert {len(column) for column in new.values()} == {len(old[key]) - len(SMALL)}
        for column in old:
            kept = [value for value, unit in zip(old[column], old[key], strict=True) if unit not in SMALL]
            assert new[column] == kept


def test_periods_are_not_taken_for_units() -> None:
    """The backcast has as many periods as another panel has donors: only the donors' own columns lose rows."""
    result = audited()
    checks = []
    for one in result.cycle.audit:
        if one.id == "backcast":
            known = {
                **one.series,
                "donor_units": ["Læsø", *[f"By{place}" for place in range(13)]],
                "donor_rmse": [0.1] * 14,
            }
            one = replace(one, series=known)
        checks.append(one)
    found = series(protected(replace(result, cycle=replace(result.cycle, audit=tuple(checks)))).cycle, "backcast")
    assert len(found["donor_units"]) == len(found["donor_rmse"]) == 13
    assert len(found["periods"]) == len(found["observed"]) == len(found["backcast"]) == 14


def test_its_coefficients_go_from_the_terms_and_from_the_estimates() -> None:
    result = audited()
    result = replace(result, headline=replace(result.headline, details={"adjustment": dict(result.cycle.terms)}))
    found = protected(result)
    for terms in (found.cycle.terms, found.headline.details["adjustment"]):
        assert isinstance(terms, dict)
        assert isinstance(terms["beta"], dict)
        assert not set(SMALL) & set(terms["beta"])
        assert len(terms["beta"]) == 94 - len(SMALL)
        assert terms["mean"] == 0.99


def test_the_unit_that_decides_is_told_without_its_name() -> None:
    result = audited()
    low = next(one for one in result.cycle.audit if one.id == "donors").facts["low_unit"]
    found = protected(result, (str(low),))
    assert next(one for one in found.cycle.audit if one.id == "donors").facts["low_unit"] == "*"


def test_public_data_lose_nothing() -> None:
    assert protected(audited(), public=True).cycle == audited().cycle


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ([20, 31], [20, 31]),
        ([4, 31], [None, 31]),
        ([20, 23], [20, None]),  # three more who died: the difference counts persons too
        ([20, 522], [20, None]),  # all but two
        ([0, None], [None, None]),
    ],
)
def test_too_few_who_left_are_not_counted(counts: list[int | None], shown: list[int | None]) -> None:
    result = registered()
    people = result.population
    assert people is not None
    assert people.treated == 524
    cycle = with_exits(result.cycle, counts)
    assert series(protected_cycle(cycle, frozenset(), 5, 1, people), "composition")["treated"][0] == shown


def test_counts_are_rounded_as_in_the_population() -> None:
    people: Population | None = registered().population
    found = series(protected_cycle(with_exits(registered().cycle, [21, 34]), frozenset(), 5, 10, people), "composition")
    assert found["treated"][0] == [20, 30]


def test_a_sum_of_too_few_goes_with_its_share() -> None:
    cycle = with_exits(registered().cycle, [20, 31], exits_treated=3, share_treated=3 / 524)
    facts = next(
        one
        for one in protected_cycle(cycle, frozenset(), 5, 1, registered().population).audit
        if one.id == "composition"
    ).facts
    assert facts["exits_treated"] is None
    assert facts["share_treated"] is None
    assert facts["exits_controls"] == 1403


def with_exits(cycle: Cycle, counts: list[int | None], **facts: Any) -> Cycle:
    """The cycle with these persons dead among the treated."""
    checks = tuple(
        replace(one, facts={**one.facts, **facts}, series={**one.series, "treated": [counts, [9, 30]]})
        if one.id == "composition"
        else one
        for one in cycle.audit
    )
    return replace(cycle, audit=checks)
