"""Two whole Results without the estimators: a Danish case in which nothing can be told, and an American one with an effect.

They are worked out here in plain Python from the committed public data, so that the report can be tested on its own.
"""

from __future__ import annotations

import csv
import tomllib
from functools import cache
from pathlib import Path
from statistics import mean, pstdev

from evaluation.result import (
    CheckResult,
    Cycle,
    Design,
    Disclosure,
    Estimate,
    Exclusion,
    Failure,
    FlowStep,
    InputFile,
    Note,
    PeriodEffect,
    Provenance,
    Result,
    TargetGroup,
    Value,
    Verdict,
)

SPECS = Path(__file__).parents[2] / "specs"

Panel = dict[str, dict[int, float]]


def read(name: str, unit: str, time: str, outcome: str) -> Panel:
    panel: Panel = {}
    with (SPECS / "data" / name).open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            panel.setdefault(row[unit], {})[int(row[time])] = float(row[outcome])
    return panel


def gaps(
    panel: Panel, unit: str, weights: dict[str, float], years: list[int], start: int, demean: bool = True
) -> list[float]:
    """Observed minus the weighted average of the others, net of the mean gap before the start."""
    raw = [panel[unit][year] - sum(weight * panel[name][year] for name, weight in weights.items()) for year in years]
    level = mean(gap for gap, year in zip(raw, years, strict=True) if year < start) if demean else 0.0
    return [gap - level for gap in raw]


def rms(values: list[float]) -> float:
    return (sum(value * value for value in values) / len(values)) ** 0.5


def equal(names: list[str]) -> dict[str, float]:
    return dict.fromkeys(names, 1 / len(names))


def estimate(
    panel: Panel,
    treated: str,
    controls: list[str],
    years: list[int],
    start: int,
    window: tuple[int, int],
    method: str,
    weights: dict[str, float],
    inference: str = "placebo",
) -> Estimate:
    pool = {name: panel[name] for name in (*controls, treated)}
    own = gaps(pool, treated, weights, years, start)
    inside = [index for index, year in enumerate(years) if window[0] <= year <= window[1]]
    before = [index for index, year in enumerate(years) if year < start]
    others = [
        gaps(pool, name, equal([other for other in controls if other != name]), years, start) for name in controls
    ]
    effects = [mean(row[index] for index in inside) for row in others]
    effect = mean(own[index] for index in inside)
    spread = pstdev(effects)
    path = []
    for index, year in enumerate(years):
        sd = pstdev(row[index] for row in others)
        observed = panel[treated][year]
        path.append(
            PeriodEffect(
                str(year),
                year - start,
                own[index],
                sd,
                own[index] - 2 * sd,
                own[index] + 2 * sd,
                0.5,
                observed,
                observed - own[index],
            )
        )
    rank = 1 + sum(abs(value) >= abs(effect) for value in effects)
    before_rms = [rms([row[index] for index in before]) for row in others]
    poor = sum(value > 2 * rms([own[index] for index in before]) for value in before_rms)
    placebo: dict[str, Value] = {
        "units": list(controls),
        "effects": list(effects),
        "rmspe_pre": list(before_rms),
        "ratios": [
            rms([row[index] for index in inside]) / value for row, value in zip(others, before_rms, strict=True)
        ],
        "gaps": [list(row) for row in others],
        "gap_periods": [str(year) for year in years],
        "treated_effect": effect,
        "treated_gaps": list(own),
        "treated_rmspe_pre": rms([own[index] for index in before]),
        "treated_ratio": 2.1,
        "rank": rank,
        "count": len(controls) + 1,
        "smallest_p": 1 / (len(controls) + 1),
        "p_ratio": 0.4,
        "rank_ratio": 40,
        "sd": spread,
        "poor_fit": poor,
        "perfect_fit": 0,
    }
    baseline = mean(panel[treated][years[index]] - own[index] for index in inside)
    return Estimate(
        method, "none", inference, effect, spread, effect - 2.1 * spread, effect + min(1.9 * spread, 0.8 * abs(effect) if start < 2000 else 99), 0.95, rank / (len(controls) + 1), baseline, 100 * effect / baseline,
        tuple(path), dict(weights), {}, len(controls) + 1, 1, len(years), (), {"placebo": placebo},
    )  # fmt: skip


def provenance(spec: str, data: str, rows: int) -> Provenance:
    return Provenance(
        "0.1.0", "3.11.7", {"numpy": "2.3.5", "scipy": "1.16.3", "altair": "6.3.0"}, 860, spec, "ab" * 32, (SPECS / spec).read_text(encoding="utf-8"),
        (InputFile(data, "cd" * 32, 23456, rows, 3, {"encoding": "utf-8", "delimiter": ","}),), {"inference.method": "default", "inference.level": 0.95},
    )  # fmt: skip


@cache
def hjorring() -> Result:
    """No effect can be told: 94 municipalities, 2008-2021, one of them treated from 2015."""
    spec = tomllib.loads((SPECS / "hjorring_employment.toml").read_text(encoding="utf-8"))
    every = read("ras200_employment_rate.csv", "area", "year", "employment_rate_pct")
    areas = {"Copenhagen": "København"}
    panel = {
        areas.get(name, name): row
        for name, row in every.items()
        if "Denmark" not in name and not name.startswith(("Region", "Province", "Christiansø"))
    }
    panel = dict(list(panel.items()))
    left_out = spec["controls"]["exclude"]
    controls = sorted(name for name in panel if name != "Hjørring" and name not in left_out)
    years = list(range(2008, 2022))
    headline = estimate(panel, "Hjørring", controls, years, 2015, (2015, 2018), "did", equal(controls))
    sparse = {"Frederikshavn": 0.40, "Brønderslev": 0.28, "Glostrup": 0.15, "Mariagerfjord": 0.10, "Ærø": 0.07}
    further = [
        estimate(panel, "Hjørring", controls, years, 2015, (2015, 2018), "event_study", equal(controls)),
        estimate(panel, "Hjørring", controls, years, 2015, (2015, 2018), "synthetic_control", sparse),
        estimate(panel, "Hjørring", controls, years, 2015, (2015, 2018), "synthetic_did", equal(controls)),
    ]
    from dataclasses import replace

    further.insert(2, replace(further[1], effect=-0.16, details={**further[1].details, "label": "demeaned"}))
    texts = spec["target_group"]
    group = TargetGroup(
        524, 40000, (39, 51), texts["effect_unit"], texts["scale"], (0.02655, 0.03472), texts["name"], texts["source"]
    )
    design = Design(
        ("Hjørring",), tuple(controls), tuple(Exclusion(name, spec["controls"]["reasons"][name]) for name in left_out), tuple(map(str, years)), "2015", ("2015", "2018"), ("2008", "2014"),
        "equal", spec["data"]["unit_label"], spec["data"]["unit_label_plural"], spec["data"]["outcome_label"], spec["data"]["outcome_unit"], 2, "higher", group,
        spec["data"]["source"], False, (("2020", {"da": "corona", "en": "corona"}),),
    )  # fmt: skip
    loo = {name: headline.effect + 0.012 * ((index % 9) - 4) for index, name in enumerate(controls)}
    low, high = min(loo, key=loo.__getitem__), max(loo, key=loo.__getitem__)
    checks = (
        CheckResult("pre_trends", "passed", 0.41, 0.1, facts={"p_value": 0.41, "statistic": 1.1, "largest": 0.43, "largest_period": "2008", "n_pre": 6}),
        CheckResult("placebo_in_time", "passed", 0.5, 0.1, series={"starts": ["2011", "2012", "2013"], "effects": [0.45, 0.08, -0.37], "lower": [-0.9, -1.1, -1.6], "upper": [1.7, 1.2, 0.9], "p_values": [0.5, 0.89, 0.66]}),
        CheckResult("leave_one_out", "passed", 0.1, 1.0, facts={"low": loo[low], "low_unit": low, "high": loo[high], "high_unit": high, "full": headline.effect, "std_error": 0.58}, series={"units": list(loo), "effects": list(loo.values())}),
        CheckResult("donor_weights", "passed", 93.0, 5.0, facts={"n_used": 93, "effective": 93.0, "largest": 1 / 93, "largest_unit": "Albertslund"}),
        CheckResult("every_unit_treated", "passed", 0.05, 0.1, facts={"level": 0.05, "n_units": 98, "estimator": "did"}, series={"methods": ["cluster", "placebo", "conformal"], "estimators": ["did", "did", "event_study"], "shares": [0.77, 0.051, 0.061], "counts": [75, 5, 6], "n_units": [98, 98, 98]}),
        CheckResult("balance", "not_run", reason="no covariates in the data"),
    )  # fmt: skip
    assert headline.upper is not None
    assert headline.lower is not None
    reasons = (
        Note("one_treated", "One treated unit can reach level 3 of 5 at most.", {"possible": 3}),
        Note("methods_agree", "The methods agree.", {"count": 5}),
        Note("checks_passed", "5 of 5 checks passed.", {"passed": 5, "count": 5}),
    )
    verdict = Verdict("unclear", 3, 3, headline.lower, headline.upper, 1.7, reasons)
    return Result(
        spec["title"], spec["question"], ("da", "en"), design, headline, tuple(further), Cycle("none"), checks, verdict,
        provenance("hjorring_employment.toml", "ras200_employment_rate.csv", 1470), Disclosure(True, 5, 1),
        (FlowStep("read", 1470, 105), FlowStep("municipalities", 1372, 98), FlowStep("excluded", 1316, 94)),
        (Failure("estimator", "matrix_completion", ("the panel has no missing cells to complete",)),), funding={"da": "Hjørring Kommune", "en": "Hjørring Municipality"},
    )  # fmt: skip


@cache
def california() -> Result:
    """A clear effect: 39 states, 1970-2000, California treated from 1989."""
    panel = read("california_smoking.csv", "state", "year", "cigsale")
    controls = sorted(name for name in panel if name != "California")
    years = list(range(1970, 2001))
    weights = {"Utah": 0.334, "Nevada": 0.234, "Montana": 0.199, "Colorado": 0.164, "Connecticut": 0.069}
    window = (1989, 2000)
    headline = estimate(panel, "California", controls, years, 1989, window, "synthetic_did", weights)
    further = (
        estimate(panel, "California", controls, years, 1989, window, "did", equal(controls)),
        estimate(panel, "California", controls, years, 1989, window, "synthetic_control", weights),
    )
    words = {"outcome": "cigarette sales", "unit": "packs a head and year"}
    design = Design(
        ("California",), tuple(controls), (), tuple(map(str, years)), "1989", ("1989", "2000"), ("1970", "1988"), "equal", {"en": "state"}, {"en": "states"},
        {"en": words["outcome"]}, {"en": words["unit"]}, 1, "lower", None, {"en": "Abadie, Diamond & Hainmueller (2010)"}, False, (),
    )  # fmt: skip
    checks = (
        CheckResult(
            "donor_weights",
            "warns",
            4.2,
            5.0,
            facts={"n_used": 5, "effective": 4.2, "largest": 0.334, "largest_unit": "Utah"},
        ),
    )
    verdict = Verdict("lower", 3, 3, headline.lower, headline.upper, 20.0, ())
    return Result(
        {"en": "California's Proposition 99"}, {"en": "Did California's tobacco control programme lower cigarette sales?"}, ("en",), design, headline, further, Cycle("none"), checks, verdict,
        provenance("california.toml", "california_smoking.csv", 1209), Disclosure(True, 5, 1), (FlowStep("read", 1209, 39),),
    )  # fmt: skip
