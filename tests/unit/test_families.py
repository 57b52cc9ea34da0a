"""Secondary outcomes and groups: estimated as the headline is, and their p-values adjusted by the stand-ins they share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation import families
from evaluation.families import Families, adjusted_p, estimate_all
from evaluation.further import Further
from evaluation.panel import Array, Panel
from evaluation.periods import parse_period
from evaluation.result import Estimate, from_json, to_json
from evaluation.run import catalogue, evaluate, load_spec, plan
from evaluation.spec.model import Spec
from evaluation.spec.reader import judged
from evaluation.study import Study, choose_inference, fit_pipeline, make_pipeline

PERIODS = tuple(parse_period(year) for year in range(2008, 2018))
START = 6


def spec(inference: str = "default", **changes: Any) -> Spec:
    raw: dict[str, Any] = {
        "question": "Did it?",
        "declared": "2026-11-22",
        "data": {"path": "x.csv", "unit": "a", "time": "b", "outcome": "c", "public": True},
        "treatment": {"units": ["U00"], "start": 2014},
        "headline": {"method": "did"},
        "inference": {"method": inference},
    }
    raw["data"] |= changes
    found, findings = judged(raw, catalogue())
    assert findings == []
    assert found is not None
    return found


def panel(seed: int = 1, units: int = 25, effect: float = 0.0, treated: int = 1, size: float | None = None) -> Panel:
    """Units that differ in level, and move together and apart."""
    rng = np.random.default_rng([7, seed])
    outcome = rng.normal(size=(units, 1)) + np.cumsum(rng.normal(size=10)) + rng.normal(size=(units, 10))
    outcome[:treated, START:] += effect
    start = np.full(units, 10)
    start[:treated] = START
    sizes = None if size is None else np.full((units, 10), size)
    return Panel(outcome, tuple(f"U{number:02d}" for number in range(units)), PERIODS, start, size=sizes)


def further(found: Panel | None, label: str = "one", kind: Any = "outcome", **changes: Any) -> Further:
    return replace(Further({"en": label}, kind, {"en": "points"}, 1, "higher", found), **changes)


def study(found: Panel, inference: str = "default", method: str = "did") -> Study:
    pipeline = make_pipeline(method, "none", {})
    fitted = fit_pipeline(pipeline, found, inference, 0.95, 4)
    chosen = choose_inference(pipeline, found, inference)
    return Study(found, pipeline, chosen, fitted.estimate, (), 0.95, 4, fitted=(fitted,))


def by_hand(panels: list[Panel]) -> list[float]:
    """Romano & Wolf's step-down p-values in plain Python, from refits of every control in turn."""
    pipeline = make_pipeline("did", "none", {})
    own = [pipeline(one).att for one in panels]
    rows = [
        [pipeline(one.assign({row: START}, without=[0])).att for one in panels] for row in range(1, panels[0].n_units)
    ]
    scale = [np.sqrt(np.mean([own[k] ** 2, *(row[k] ** 2 for row in rows)])) for k in range(len(panels))]
    left, found, last = sorted(range(len(panels)), key=lambda k: -abs(own[k]) / scale[k]), {}, 0.0
    while left:
        first = left[0]
        above = sum(max(abs(row[k]) / scale[k] for k in left) >= abs(own[first]) / scale[first] for row in rows)
        last = max(last, (1 + above) / (1 + len(rows)))
        found[first] = last
        left = left[1:]
    return [found[k] for k in range(len(panels))]


def test_adjusted_p_values_are_those_worked_out_by_hand() -> None:
    main = panel(effect=3.0)
    others = [panel(2, effect=2.5), panel(3), panel(4, effect=1.6)]
    found = estimate_all([further(one, f"number {place}") for place, one in enumerate(others)], study(main), spec())
    assert [one.method for one in found.secondary] == ["romano_wolf"] * 3
    assert [one.n_family for one in found.secondary] == [3] * 3
    assert [one.p_adjusted for one in found.secondary] == pytest.approx(by_hand(others), abs=1e-12)
    over_all = by_hand([main, *others])
    assert [one.p_adjusted_all for one in found.secondary] == pytest.approx(over_all[1:], abs=1e-12)
    assert found.primary is not None
    assert found.primary.p_adjusted_all == pytest.approx(over_all[0], abs=1e-12)
    assert (found.primary.declared, found.primary.tests) == ("2026-11-22", 4)
    # adjusting did something here, and never the other way
    raw = [one.estimate.p_value for one in found.secondary]
    assert all(one.p_adjusted >= p for one, p in zip(found.secondary, raw, strict=True) if p is not None)
    assert [one.p_adjusted for one in found.secondary] != raw


def test_each_estimate_is_what_a_run_of_its_own_gives() -> None:
    main, other = panel(effect=1.0, size=40.0), panel(2, effect=2.0, size=25.0)
    (one,) = estimate_all([further(other)], study(main), spec()).secondary
    alone = study(other).headline
    for key in ("effect", "std_error", "lower", "upper", "p_value", "path", "inference", "n_units"):
        assert getattr(one.estimate, key) == getattr(alone, key)
    assert one.estimate.inference == "ferman_pinto"


def test_outcomes_and_groups_are_families_of_their_own() -> None:
    asked = [further(panel(2, effect=2.0)), further(panel(3, effect=2.0), "women", "group")]
    first, second = estimate_all(asked, study(panel()), spec()).secondary
    assert (first.n_family, second.n_family) == (1, 1)
    assert (first.p_adjusted, second.p_adjusted) == (first.estimate.p_value, second.estimate.p_value)


def test_units_that_a_group_lacks_are_left_out_of_it_alone() -> None:
    main = panel()
    holes = panel(2).outcome.copy()
    holes[5, 0] = np.nan
    some = panel(3, effect=2.0).keep_units(np.arange(25) != 9)
    asked = [further(panel(2).with_outcome(holes)), further(some, "fewer")]
    first, second = estimate_all(asked, study(main, method="synthetic_did"), spec()).secondary
    assert (first.estimate.n_units, second.estimate.n_units) == (24, 24)
    assert [note.facts for note in first.estimate.notes if note.code == "secondary_fewer_units"] == [
        {"count": 1, "of": 25}
    ]
    assert (first.method, second.method) == ("romano_wolf", "romano_wolf")
    units = [set(one.estimate.details["placebo"]["units"]) for one in (first, second)]  # type: ignore[index, call-overload, arg-type]
    assert units[0] ^ units[1] == {"U05", "U09"}


def test_with_several_treated_the_same_assignments_are_drawn_everywhere() -> None:
    main, other = panel(treated=3, units=24), panel(2, treated=3, units=24)
    fewer = panel(3, treated=3, units=24).keep_units([row for row in reversed(range(24)) if row != 11])
    found = estimate_all([further(other), further(fewer, "fewer")], study(main, "placebo"), spec("placebo")).secondary
    units = [one.estimate.details["placebo"]["units"] for one in found]  # type: ignore[index, call-overload]
    assert units[0] == units[1]
    assert len(units[0]) == 999, "drawn, not all there are"  # type: ignore[arg-type]
    assert [one.estimate.n_units for one in found] == [23, 23]
    assert {one.method for one in found} == {"romano_wolf"}


def test_without_placebos_the_p_values_alone_are_used() -> None:
    main = panel(treated=8, units=30, effect=0.3)
    asked = [further(panel(seed, treated=8, units=30, effect=0.4 * seed), str(seed)) for seed in (2, 3, 4)]
    found = estimate_all(asked, study(main, "cluster"), spec("cluster")).secondary
    p = np.array([one.estimate.p_value for one in found], dtype=float)
    order = np.argsort(p)
    steps = np.maximum.accumulate(np.minimum(1.0, p[order] * np.array([3, 2, 1])))
    assert {one.method for one in found} == {"holm"}
    assert np.array([one.p_adjusted for one in found])[order] == pytest.approx(steps)


def test_assignments_that_are_not_equally_likely_everywhere_are_not_put_together() -> None:
    def told(weights: list[float]) -> Estimate:
        made = study(panel()).headline
        placebo: Any = made.details["placebo"]
        return replace(made, details={"placebo": {**placebo, "weights": weights}})

    alike = told([1.0, 2.0] * 12)
    assert adjusted_p([alike, alike])[1] == "romano_wolf"
    assert adjusted_p([alike, told([1.0] * 24)])[1] == "holm"


def test_the_series_of_the_business_cycle_are_the_headlines() -> None:
    rng = np.random.default_rng(3)
    main = replace(panel(), cycle={"rate": rng.normal(size=(25, 10)), "nation": rng.normal(size=10)})
    fewer = panel(2).keep_units(np.arange(25) != 4).keep_periods(1, 9)
    ready = families._ready(further(fewer), replace(study(panel()), panel=main))
    np.testing.assert_array_equal(ready.cycle["rate"], np.delete(main.cycle["rate"], 4, axis=0)[:, 1:])
    np.testing.assert_array_equal(ready.cycle["nation"], main.cycle["nation"][1:])


def test_what_cannot_be_estimated_is_told_and_stops_nothing() -> None:
    holes: Array = panel(2).outcome.copy()
    holes[0, 0] = np.nan
    said: list[str] = []
    asked = [
        further(None, "nobody", problems=("nobody is left",)),
        further(panel(3)),
        further(panel(2).with_outcome(holes), "treated"),
    ]
    made = estimate_all(
        asked, study(panel(), method="synthetic_did"), spec(), lambda stage, text: said.append(f"{stage}: {text}")
    )
    assert [one.label["en"] for one in made.secondary] == ["one"]
    assert [(one.kind, one.name, one.label) for one in made.failures] == [
        ("secondary", "nobody", {"en": "nobody"}),
        ("secondary", "treated", {"en": "treated"}),
    ]
    assert said == [
        "Secondary: 1 outcome",
        "Failed: nobody: nobody is left",
        "Failed: treated: the treated unit is not observed in every period",
    ]
    assert estimate_all([], study(panel()), spec()) == Families()


# ------------------------------------------------------------------ what may leave


def sized(**rows: float) -> Panel:
    """Forty persons in each cell, but for the units named."""
    made = panel(2, size=40.0)
    assert made.size is not None
    size = made.size.copy()
    for unit, persons in rows.items():
        size[int(unit[1:])] = persons
    return replace(made, size=size)


@pytest.mark.parametrize(("persons", "words"), [(4.0, "fewer than 5"), (37.0, "tell about those few")])
def test_too_few_persons_of_the_treated_and_all_but_too_few_are_refused(persons: float, words: str) -> None:
    closed = spec(public=False, size="n")
    made = estimate_all([further(sized(U00=persons), "women", "group")], study(panel(size=40.0)), closed)
    assert made.secondary == ()
    assert words in made.failures[0].problems[0]
    assert estimate_all([further(sized(U00=20.0), "women", "group")], study(panel(size=40.0)), closed).failures == ()


def test_small_units_are_not_named_but_still_count() -> None:
    asked = [further(sized(U07=3.0, U00=20.0), "women", "group"), further(panel(5, size=20.0), "men", "group")]
    hidden = estimate_all(asked, study(panel(size=40.0)), spec(public=False, size="n"))
    shown = estimate_all(asked, study(panel(size=40.0)), spec())
    assert "U07" in str(shown.secondary[0])
    assert "U07" not in str(hidden.secondary[0])
    assert [one.p_adjusted for one in hidden.secondary] == [one.p_adjusted for one in shown.secondary]


def test_a_share_that_counts_too_few_is_not_given_back_by_its_level() -> None:
    made = sized(U00=20.0)
    outcome = 50.0 + made.outcome
    outcome[0, START + 1] = 10.0  # two of twenty
    one = further(made.with_outcome(outcome), "women", "group", shares=True)
    (found,) = estimate_all([one], study(panel(size=40.0)), spec(public=False, size="n")).secondary
    levels = {step.period: step.observed for step in found.estimate.path}
    assert levels["2015"] is None
    assert levels["2010"] is not None
    assert found.estimate.baseline is None
    assert found.estimate.percent is None
    hours = estimate_all([replace(one, shares=False)], study(panel(size=40.0)), spec(public=False, size="n")).secondary[
        0
    ]
    assert hours.estimate.baseline is not None


# ------------------------------------------------------------------ a whole run


def test_a_run_keeps_them_in_the_result(tmp_path: Path) -> None:
    main, other = panel(effect=2.0, units=12), panel(2, effect=1.0, units=12)
    rows = ["place,year,sex,rate,hours"]
    for row, name in enumerate(main.units):
        for column, period in enumerate(PERIODS):
            for sex, extra in (("all", 0.0), ("women", 0.3 * ((row * column) % 5))):
                rate, hours = main.outcome[row, column] + extra, other.outcome[row, column]
                rows.append(f"{name},{period},{sex},{rate},{hours}")
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    path = tmp_path / "spec.toml"
    path.write_text(
        'question = "q"\n[data]\npath = "rows.csv"\nunit = "place"\ntime = "year"\noutcome = "rate"\npublic = true\n'
        'where = { sex = "all" }\n[treatment]\nunits = ["U00"]\nstart = 2014\n[headline]\nmethod = "did"\n'
        '[[secondary]]\nlabel = "hours"\noutcome = "hours"\n[[secondary]]\nlabel = "women"\nwhere = { sex = "women" }\n',
        encoding="utf-8",
    )
    assert ("Secondary", "1 outcome, 1 group") in plan(load_spec(path))
    result = evaluate(path)
    assert [(one.label["en"], one.kind) for one in result.secondary] == [("hours", "outcome"), ("women", "group")]
    assert result.secondary[0].estimate.effect == pytest.approx(study(other).headline.effect)
    assert result.primary is not None
    assert result.primary.declared == ""
    assert from_json(to_json(result)) == result
    assert "gaps" not in str(result.secondary), "the gaps of every placebo are the headline's alone"
