"""Three whole Results without the estimators: a Danish case in which nothing can be told, an American one with an effect, and one
made from registers.

The first two are worked out here in plain Python from the committed public data, so that the report can be tested on its own. The
numbers of the third are made up.
"""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import mean, pstdev
from typing import Literal

from evaluation.result import (
    BalanceRow,
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
    Population,
    Primary,
    Provenance,
    Published,
    Result,
    Secondary,
    TargetGroup,
    Text,
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


def power(mde: float, share: float | None = None) -> dict[str, Value]:
    """A power curve that reaches 0.8 at `mde`."""
    effects = [2 * mde * step / 40 for step in range(41)]
    curve = [0.05 + 0.95 * min(1.0, effect / mde) ** 2 * 0.75 / 0.95 if effect <= mde else 1 - 0.2 * (2 - effect / mde) for effect in effects]
    told: dict[str, Value] = {"mde": mde, "level": 0.95, "power": 0.8, "test": "rank", "placebos": 93, "curve": {"effects": list(effects), "power": list(curve)}}
    return told if share is None else {**told, "share_persons": share, "mde_infinite_persons": mde * (1 - share) ** 0.5}


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

    headline = replace(headline, details={**headline.details, "power": power(1.7)})
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
        CheckResult("honest_did", "warns", 0.0, 1.0, facts={"significant": False, "m_bar": 0.0, "smoothness": 0.0, "largest_step": 0.549, "effect": -0.07, "lower": -1.127, "upper": 0.986, "last_before": "2014"}, series={"m_bar": [0.0, 0.5, 1.0, 1.5, 2.0], "lowers": [-1.122, -2.798, -5.44, -8.147, -10.859], "uppers": [0.981, 3.079, 5.757, 8.473, 11.188], "exact_lowers": [-0.07, -0.757, -1.444, -2.131, -2.818], "exact_uppers": [-0.07, 0.616, 1.303, 1.99, 2.677]}),
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


BALANCE = {
    "age": {"18-24": (0.086, 0.121), "25-29": (0.107, 0.139), "30-39": (0.231, 0.246), "40-49": (0.284, 0.251), "50-59": (0.231, 0.187), "60+": (0.061, 0.056)},
    "sex": {"woman": (0.502, 0.481), "man": (0.498, 0.519)},
    "origin": {"danish": (0.835, 0.712), "western": (0.046, 0.062), "non_western": (0.119, 0.226)},
    "education": {"none_beyond_school": (0.641, 0.604), "vocational": (0.277, 0.261), "higher": (0.053, 0.086), "unknown": (0.029, 0.049)},
    "benefit_years": {"0-1": (0.135, 0.182), "2-3": (0.197, 0.213), "4-5": (0.231, 0.228), "6-7": (0.437, 0.377)},
    "hours_before": {"0": (0.912, 0.884), "1-225": (0.042, 0.055), "226-800": (0.033, 0.041), "801+": (0.013, 0.02)},
}  # fmt: skip
"""Shares of the treated and of the others, made up."""
MEANS = {"age": (43.1, 41.2, 12.4), "hours_before": (41.7, 55.2, 190.0)}


def balance() -> tuple[BalanceRow, ...]:
    rows = []
    for covariate, bands in BALANCE.items():
        for place, (band, (own, others)) in enumerate(bands.items()):
            sd = math.sqrt((own * (1 - own) + others * (1 - others)) / 2)
            after = own - 0.004 * ((place % 3) - 1) * sd
            rows.append(BalanceRow(covariate, band, own, others, after, (own - others) / sd, (own - after) / sd))
        if covariate in MEANS:
            own, others, sd = MEANS[covariate]
            rows.append(BalanceRow(covariate, "", own, others, own, (own - others) / sd, 0.0))
    return tuple(rows)


@cache
def register() -> Result:
    """Made-up registers: 40 municipalities, 2008-2018, one of them treated from 2015, with everything a page can show of persons."""
    years = list(range(2008, 2019))
    names = [*hjorring().design.controls[:39]]
    effects = {2015: 12.0, 2016: 34.0, 2017: 55.0, 2018: 66.0}
    panel = {
        name: {
            year: 44 + 6 * math.sin(7.1 * place) + 1.4 * max(0, year - 2013) + 6 * math.sin(3.7 * place + 0.6 * year)
            for year in years
        }
        for place, name in enumerate(names)
    }
    panel["Hjørring"] = {
        year: 42 + 1.4 * max(0, year - 2013) + 2 * math.sin(2.9 * year) + effects.get(year, 0.0) for year in years
    }
    headline = estimate(panel, "Hjørring", names, years, 2015, (2015, 2018), "did", equal(names))
    sparse = dict(zip(names[3:8], (0.34, 0.25, 0.18, 0.13, 0.10), strict=True))
    further = tuple(
        estimate(panel, "Hjørring", names, years, 2015, (2015, 2018), method, weights)
        for method, weights in (("synthetic_control", sparse), ("synthetic_did", sparse))
    )
    place = {"da": "kommune", "en": "municipality"}, {"da": "kommuner", "en": "municipalities"}
    hours = {"da": "timer om året", "en": "hours a year"}
    source = {"da": "Syntetiske registre", "en": "Synthetic registers"}
    design = Design(
        ("Hjørring",), tuple(names), (Exclusion(hjorring().design.excluded[0].unit, {"da": "nabokommune", "en": "a neighbour"}),), tuple(map(str, years)), "2015", ("2015", "2018"), ("2008", "2014"),
        "equal", *place, {"da": "antallet af årlige arbejdstimer pr. person", "en": "annual working hours per person"}, hours, 0, "higher", None, source, True, (),
    )  # fmt: skip
    checks = (
        CheckResult("pre_trends", "passed", 0.62, 0.1, facts={"p_value": 0.62, "statistic": 0.8, "largest": 3.4, "largest_period": "2010", "n_pre": 6}),
        CheckResult("donor_weights", "passed", 39.0, 5.0, facts={"n_used": 39, "effective": 39.0, "largest": 1 / 39, "largest_unit": names[0]}),
    )  # fmt: skip
    assert headline.upper is not None
    assert headline.lower is not None
    verdict = Verdict(
        "higher", 3, 3, headline.lower, headline.upper, 9.0,
        (Note("one_treated", "One treated unit can reach level 3 of 5 at most.", {"possible": 3}), Note("methods_agree", "The methods agree.", {"count": 3})),
    )  # fmt: skip
    flow = tuple(
        FlowStep(step, rows, 98)
        for step, rows in (
            ("benefit", 70210), ("resident", 69874), ("age", 66210), ("readiness", 15120), ("observed", 13996),
        )
    )  # fmt: skip
    exits: dict[str, dict[str, list[int | None]]] = {
        state: {side: [max(0, round(total * rate * (year - 2014))) for year in years] for side, total, rate in (("treated", 524, own), ("controls", 13888, other))}
        for state, own, other in (("dead", 0.014, 0.015), ("emigrated", 0.004, 0.005), ("moved", 0.021, 0.024), ("disability_pension", 0.041, 0.02), ("fleksjob", 0.03, 0.026), ("education", 0.012, 0.013))
    }  # fmt: skip
    some = {
        "treated": ([0.10, 0.11, 0.10, 0.09, 0.10, 0.10, 0.09, 0.11, 0.14, 0.17, 0.18], 430.0),
        "controls": ([0.10, 0.10, 0.10, 0.09, 0.09, 0.10, 0.10, 0.10, 0.11, 0.11, 0.12], 425.0),
    }
    margins: dict[str, dict[str, list[float | None]]] = {
        "annual_hours": {side: [share * hours_each for share in shares] for side, (shares, hours_each) in some.items()},
        "any_hours": {side: list(shares) for side, (shares, _) in some.items()},
        "hours_if_any": {side: [hours_each] * 11 for side, (_, hours_each) in some.items()},
    }  # fmt: skip
    rows = balance()
    small = rows[18]
    people = Population(
        "cohort", "2014M12", 524, 13888, 9312.4, "entropy", 7,
        (*rows[:17], BalanceRow(rows[17].covariate, rows[17].band, *[None] * 5), BalanceRow(small.covariate, small.band, *[None] * 5), *rows[19:]),
        {"hours_rows_implausible": None, "benefit_weeks_looked_at": 4803743, "benefit_weeks_unknown_code": 0, "rows": 1859900, "imputed": 86985, "duplicates": 11870, "corrections": 24110, "negative_months": 318},
        {"treated|before": [1210, 29800], "treated|after": [1475, 29100], "controls|before": [41200, 902000], "controls|after": [43100, 899000]},
        tuple(map(str, years)), exits, margins, True,
    )  # fmt: skip
    claim = Published(
        39.0,
        51.0,
        hours,
        {"da": "ph.d.-afhandlingen (2019)", "en": "the PhD thesis (2019)"},
        {"da": "Arbejderen, 8. juli 2019", "en": "Arbejderen, 8 July 2019"},
    )
    provenance_ = Provenance(
        "0.1.0", "3.11.7", {"numpy": "2.3.5", "duckdb": "2.0"}, 860, "register.toml", "ab" * 32, 'question = "Did it work?"\n',
        (InputFile("bfl.parquet", "cd" * 32, 4_234_560, 2412880, 6, {}),), {},
    )  # fmt: skip
    return Result(
        {"da": "Hjørring-modellen på syntetiske registre", "en": "The Hjørring model on synthetic registers"},
        {"da": "Øgede indsatsen antallet af arbejdstimer?", "en": "Did the programme raise working hours?"}, ("da", "en"), design, headline, further, Cycle("none"), checks, verdict, provenance_,
        Disclosure(False, 5, 1, 0, (Note("small_counts_hidden", "4 numbers are not shown.", {"count": 4, "minimum": 5}),)), flow, population=people, published=(claim,),
        failures=(Failure("secondary", "men under 25", ("the treated unit is not observed in every period",), {"da": "mænd under 25 år", "en": "men under 25"}),),
        secondary=tuple(further_results(headline, hours)), primary=Primary("2026-11-22", 0.05, 6, "romano_wolf"),
    )  # fmt: skip


def further_results(headline: Estimate, hours: Text) -> Iterator[Secondary]:
    """Three outcomes and two groups: one found, one found the other way than was hoped for, and three that are not."""
    points: Text = {"da": "procentpoint", "en": "percentage points"}
    rows: tuple[tuple[Text, Literal["outcome", "group"], Text, float, float, float | None, float | None], ...] = (
        ({"da": "andelen med arbejdstimer", "en": "the share with any working hours"}, "outcome", points, 6.4, 1.4, 0.025, 0.05),
        ({"da": "andelen på offentlig forsørgelse", "en": "the share on public support"}, "outcome", points, -1.4, 1.1, 0.23, 0.23),
        ({"da": "andelen i uddannelse", "en": "the share in education"}, "outcome", points, -3.1, 0.9, 0.025, 0.05),
        ({"da": "kvinder", "en": "women"}, "group", hours, 29.0, 13.0, 0.05, 0.1),
        ({"da": "personer under 40 år", "en": "persons under 40"}, "group", hours, 55.9, 15.7, None, None),
    )  # fmt: skip
    for label, kind, unit, effect, error, p, adjusted in rows:
        low, high = (None, None) if p is None else (effect - 2 * error, effect + 2 * error)
        one = replace(headline, effect=effect, std_error=error, lower=low, upper=high, p_value=p, details={})
        count = 3 if kind == "outcome" else 2
        better: Literal["higher", "lower"] = "lower" if "support" in label["en"] else "higher"
        all_ = None if p is None else min(1.0, 2 * p)
        yield Secondary(label, kind, unit, 1, better, one, adjusted, count, "romano_wolf" if kind == "outcome" else "holm", all_)
