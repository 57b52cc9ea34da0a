"""A Result with a whole account of the business cycle: every state of a rung, every kind of part. The numbers are made up."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

from evaluation.result import Cycle, LadderRung, Result, Series, WaterfallPart
from tests.report.fixtures import hjorring

SERIES = Series(
    "jobs", {"da": "ledigheden i kommunen", "en": "unemployment in the municipality"}, "local",
    {"da": "pct.", "en": "per cent"}, {"source": "AUP02"},
)  # fmt: skip


def rungs(result: Result) -> tuple[LadderRung, ...]:
    headline = result.headline
    none, lower, upper = headline.effect, headline.lower, headline.upper
    common = {"method": "did", "inference": "placebo", "n_units": 94, "n_donors": 93}
    missing = {"status": "not_run"}
    return (
        LadderRung("before_after", 0.625, None, None, None, none - 0.625, n_units=1, status="comparison", reason="no_comparison"),
        LadderRung("none", none, lower, upper, headline.p_value, 0.0, headline=True, **common),
        LadderRung("region_time", *[None] * 5, reason="no_regions", **missing),
        LadderRung("sensitivity", -0.17, -1.62, 1.28, 0.73, none + 0.17, removed_lower=-0.49, removed_upper=0.36, **common),
        LadderRung("local_series", 0.31, -0.9, 1.5, 0.7, none - 0.31, "own", removed_lower=-1.1, removed_upper=0.02, recommended=True, **common),
        LadderRung("local_series", 0.11, -1.1, 1.4, 0.8, none - 0.11, "neighbours", removed_lower=-0.9, removed_upper=0.2, **common),
        LadderRung("local_series", *[None] * 5, "predicted", reason="few_periods", **missing),
        LadderRung("unit_trend", -0.7, -2.9, 1.5, 0.4, none + 0.7, removed_lower=-1.7, removed_upper=2.6, status="comparison", reason="eats_effect", **common),
        LadderRung("triple_difference", *[None] * 5, reason="no_second_group", **missing),
    )  # fmt: skip


@cache
def cycled() -> Result:
    """Hjørring with a ladder, a waterfall, a bad control, and the coefficients of an adjustment by a local series."""
    result = hjorring()
    parts = {
        "national_cycle": 0.86, "own_sensitivity": -0.04, "local_demand": -0.31, "predicted_demand": 0.0, "policies": 0.02,
        "rest": 0.33, "programme": result.headline.effect,
    }  # fmt: skip
    whole = WaterfallPart("raw_change", math.fsum(parts.values()))
    known = {name: (amount - 0.3, amount + 0.3) for name, amount in parts.items()}
    cycle = Cycle(
        "local_series",
        rungs(result),
        (whole, *(WaterfallPart(name, amount, *known[name]) for name, amount in parts.items())),
        terms={
            "series": "jobs", "use": "own", "slopes": "local, national", "local": -0.39, "local_se": 0.15, "n_cells": 1209,
            "beta": {"Hjørring": 1.21, result.design.controls[0]: 0.8},
        },
        series=(SERIES,),
        bad_control={
            "series": "jobs", "slope": -0.39, "slope_se": 0.15, "effect_none": result.headline.effect, "effect_own": 0.31,
            "effect_neighbours": 0.11, "effect_predicted": None, "spread": 0.2, "removed": -0.54, "moved": 0.9, "whole": 1.38,
            "half": 0.69, "headline": True,
        },
    )  # fmt: skip
    return replace(result, cycle=cycle)
