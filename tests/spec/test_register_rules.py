"""Specs that read registers: one source of data, years and months that fit, and a panel whose labels are filled in."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.run import catalogue
from evaluation.spec.reader import judged


def spec(**changes: Any) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "question": "Did it?",
        "register": {
            "population": "bef*.parquet", "benefits": "dream.parquet", "hours": "bfl*.parquet", "periods": [2008, 2018],
            "who": {"baseline": "2014-12"},
        },
        "treatment": {"units": ["Hjørring"], "start": 2015, "window": [2015, 2018]},
        "headline": {"method": "did"},
    }  # fmt: skip
    for path, value in changes.items():
        table = raw
        *tables, key = path.split("__")
        for name in tables:
            table = table.setdefault(name, {})
        table[key] = value
    return raw


def said(**changes: Any) -> list[str]:
    return [finding.what for finding in judged(spec(**changes), catalogue())[1]]


def test_a_first_spec_of_registers_needs_no_labels() -> None:
    found, findings = judged(spec(), catalogue())
    assert findings == []
    assert found is not None
    assert found.data.outcome_label == {"da": "årlige arbejdstimer", "en": "annual working hours"}
    assert found.data.synthetic is False
    assert found.data.public is False, "persons' registers are never public"


def test_what_is_simulated_is_synthetic() -> None:
    found, findings = judged(spec(simulate={"scenario": "null"}), catalogue())
    assert findings == []
    assert found is not None
    assert found.data.synthetic is True


@pytest.mark.parametrize("measure", ["any_hours", "stable_employment", "self_support", "on_benefit"])
def test_shares_are_spoken_of_in_percentage_points(measure: str) -> None:
    found, _ = judged(spec(register__outcome={"measure": measure}), catalogue())
    assert found is not None
    assert found.data.outcome_unit == {"da": "procentpoint", "en": "percentage points"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"path": "x.csv", "unit": "a", "time": "b", "outcome": "c"}}, "leave one of them out"),
        ({"register__periods": [2018, 2008]}, "before it begins"),
        ({"register__periods": [2007, 2018]}, "registered from 2008"),
        ({"register__who__baseline": "2014"}, "is not a month"),
        ({"register__who__baseline": "2024-12"}, "outside the years"),
        ({"register__who__age": [64, 18]}, "below its beginning"),
        ({"register__who__age": [18, 640]}, "0 to 120"),
        ({"treatment__start": 2024, "treatment__window": [2024, 2025]}, "outside the years"),
        ({"treatment__start": "2015Q1", "treatment__window": ["2015Q1", "2018Q4"]}, "the outcome is by year; write 2015"),
        ({"register__outcome": {"frequency": "quarter"}}, 'the outcome is by quarter; write "2015Q1"'),
        ({"register__outcome": {"also": ["annual_hours"]}}, "is the measure already"),
        ({"register__negative_group": [{"label": "x", "benefit": "kontanthjælp"}]}, "persons of [register.who], or some"),
        (
            {"register__second_group": {"label": "x", "benefit": "kontanthjælp", "readiness": "aktivitetsparat"}},
            "persons of [register.who]",
        ),
        ({"register__negative_group": [{"label": "x", "benefit": "dagpenge"}] * 2}, "a negative group already"),
        ({"register__negative_group": [{"label": "x", "benefit": "SU", "age": [30, 20]}]}, "below its beginning"),
        ({"register__negative_group": [{"label": "x", "benefit": "SU", "until": 2014}]}, "lies before the start, 2015"),
        ({"register__negative_group": [{"label": "x", "benefit": "SU", "until": "2016Q1"}]}, "the outcome is by year"),
        ({"treatment": {"start_column": "first"}}, "write units and start"),
        ({"claim": [{"label": "x", "low": 51, "high": 39}]}, "write the smaller one as low"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(changes: dict[str, Any], words: str) -> None:
    assert any(words in what for what in said(**changes)), said(**changes)


def test_a_simulation_without_registers_that_read_it_is_refused() -> None:
    raw = spec(simulate={})
    del raw["register"]
    assert any("no [register] that reads them" in finding.what for finding in judged(raw, catalogue())[1])
