"""Results with the auditor's sixteen checks, in any status. The numbers are made up, their shapes those of the real checks."""

from __future__ import annotations

import math
from dataclasses import replace

from evaluation.result import CheckResult, LadderRung, Note, Result, Status, Value
from tests.report.fixtures import hjorring, register

IDS = (
    "loading_balance", "backcast", "ladder", "equal_shock_placebos", "in_time_placebos", "negative_controls", "common_shock",
    "planted_effect", "factor_sufficiency", "spillover_rings", "donors", "policy_shocks", "composition", "breakdown",
    "cycle_state", "provenance",
)  # fmt: skip
"""In the auditor's order."""

THRESHOLD = dict(
    zip(IDS, (0.25, 0.2, 0.0, 0.05, 0.1, 0.1, 0.02, 0.02, 0.5, 0.5, 1.0, 0.5, 0.5, 1.0, 0.5, 0.0), strict=True)
)
VALUE = dict(
    zip(IDS, (0.12, 0.13, 1.0, 0.68, 0.5, 0.65, 0.004, 0.011, 0.31, 0.44, 1.4, 0.2, 0.3, 1.2, -0.3, 1.0), strict=True)
)


def wave(place: int, size: float = 1.0) -> float:
    """A number that looks like noise and is the same every time."""
    return size * math.sin(7.3 * place + 0.4) * math.cos(2.1 * place)


def contents(result: Result) -> dict[str, tuple[dict[str, Value], dict[str, Value]]]:
    """Facts and series of each check."""
    units = list(result.design.controls)
    periods = list(result.design.periods)
    size = result.headline.std_error or 1.0
    effect = result.headline.effect
    betas = [0.99 + wave(place, 0.4) for place in range(len(units))]
    some = units[:25]
    grid = [round(0.02 * place, 2) for place in range(26)]
    ends: dict[str, Value] = {
        "lowers": [effect - size * 2, effect - size],
        "uppers": [effect + size, effect + size * 2],
    }
    few: list[Value] = [effect, effect * 0.8]
    labels: dict[str, Value] = {
        "names": ["employment", "pension"], "labels_da": ["beskæftigelse i alt", "timer for førtidspensionister"],
        "labels_en": ["total employment", "hours of those on disability pension"],
    }  # fmt: skip
    return {
        "loading_balance": (
            {"beta": 0.91, "beta_low": 0.63, "beta_high": 1.18, "counterfactual_beta": 0.9, "donors_mean": 0.99, "donors_sd": 0.24, "reliability": 0.84, "cycle_change": 0.86, "bias": -0.07, "did_bias": -0.07, "std_error": size},
            {"units": [*units], "betas": [*betas], "lows": [one - 0.28 for one in betas], "highs": [one + 0.28 for one in betas], "weights": [0.2 if place < 5 else 0.0 for place in range(len(units))]},
        ),
        "backcast": (
            {"rmse": 0.78, "trough_error": -1.09, "trough_period": "2009", "median_donor": 0.4, "share": 0.13, "periods": "2009-2010", "method": "synthetic_control", "did_rmse": 0.63, "did_median": 0.44},
            {"periods": [*periods], "observed": [70 + wave(place) for place in range(len(periods))], "backcast": [70 + wave(place) + 0.3 for place in range(len(periods))], "held_out": ["2009", "2010"], "donor_units": [*units], "donor_rmse": [0.4 + abs(wave(place, 0.4)) for place in range(len(units))]},
        ),
        "ladder": (
            {"cycle": -0.06, "cycle_lower": -0.4, "cycle_upper": 0.3, "outside": ["region_time"], "opposite": ["region_time"], "highest": 0.02, "lowest": -0.51, "count": 4},
            {"adjusts": ["none", "region_time", "sensitivity", "local_series"], "variants": ["", "", "", "neighbours"], "effects": [-0.23, -0.51, -0.17, None], "lowers": [-1.6, -1.9, -1.5, None], "uppers": [1.2, 0.9, 1.3, None]},
        ),
        "equal_shock_placebos": (
            {"count": 25, "effect": effect, "rank": 17, "beta_within": 0.1, "demand_within": None},
            {"units": [*some], "effects": [wave(place, 1.2 * size) for place in range(len(some))]},
        ),
        "in_time_placebos": (
            {"count": 3},
            {"starts": ["2012", "2013", "2009"], "effects": [0.45, 0.08, -0.37], "lowers": [-0.9, -1.1, None], "uppers": [1.7, 1.2, None], "p_values": [0.5, 0.89, 0.66]},
        ),
        "negative_controls": (
            {"count": 2, "largest": 1.4, "largest_name": "pension"},
            {**labels, **ends, "units_da": ["procentpoint", "timer"], "units_en": ["points", "hours"], "effects": few, "p_values": [0.65, 0.4], "standardised": [0.4, -1.4]},
        ),
        "common_shock": (
            {"mean": 0.01, "shock": -3.9, "rejected": 0.052, "draws": 400, "tests": 400},
            {"draws": [wave(place, 0.3) for place in range(400)], "kinds": ["independent" if place % 2 else "size" for place in range(400)]},
        ),
        "planted_effect": (
            {"planted": 1.0, "recovered": 0.99, "coverage": 0.95, "count": len(units)},
            {"units": [*units], "recovered": [1 + wave(place, 0.3) for place in range(len(units))], "lowers": [0.4 + wave(place, 0.3) for place in range(len(units))], "uppers": [1.6 + wave(place, 0.3) for place in range(len(units))]},
        ),
        "factor_sufficiency": (
            {"rank": 2, "change": 0.2},
            {"shares": [0.45, 0.26, 0.07, 0.06], "ranks": [0, 1, 2], "effects": [-0.23, -0.1, -0.2], "lowers": [-1.6, -1.4, -1.7], "uppers": [1.2, 1.1, 1.3]},
        ),
        "spillover_rings": (
            {"full": -0.23, "without_ring1": -0.2, "without_ring2": -0.43, "ring1_effect": 0.1, "ring2_effect": 0.0, "ring1": units[:2], "ring2": units[2:5]},
            {"labels": ["full", "without_ring1", "without_ring2"], "effects": [-0.23, -0.2, -0.43], "lowers": [-1.6, -1.5, -1.8], "uppers": [1.2, 1.3, 1.0]},
        ),
        "donors": (
            {"low": -0.68, "low_unit": units[7], "high": 0.16, "high_unit": "neighbours", "full": effect},
            {"labels": [*units, "neighbours"], "effects": [*(effect + wave(place, 0.2) for place in range(len(units))), 0.16], "kinds": [*["unit"] * len(units), "group"]},
        ),
        "policy_shocks": (
            {"count": 2, "full": effect},
            {**labels, **ends, "effects": few, "coefficients": [-0.4, 0.2], "std_errors": [0.3, None]},
        ),
        "composition": (
            {"cohort": effect, "stock": effect * 1.3, "reweighted": effect * 1.1, "exits_treated": 61, "exits_controls": 1403},
            {"states": ["dead", "moved"], "periods": periods[-2:], "treated": [[20, 31], [9, 30]], "controls": [[400, 700], [390, 703]]},
        ),
        "breakdown": (
            {"drift": 0.31, "drift_limit": 0.05, "drift_sd": 0.24, "shock": 1.2, "shock_limit": 0.1, "shock_units": 2.3, "shock_units_limit": 0.2, "downturn_fall": -3.9, "downturn": "2008-2010", "m_bar": 1.2, "m_bar_limit": 0.3, "local_sd": 0.5},
            {"drift": [*grid], "effects": [effect * (1 - one / 0.31) for one in grid], "lowers": [effect * (1 - one / 0.31) - size for one in grid], "uppers": [effect * (1 - one / 0.31) + size for one in grid]},
        ),
        "cycle_state": (
            {"weakest": "2019", "weakest_effect": -0.3, "mean": 0.4},
            {"phases": ["2015-2016", "2017-2018", "2019"], "effects": [0.5, 0.7, -0.3], "lowers": [-0.5, -0.2, -1.3], "uppers": [1.5, 1.7, 0.7], "periods": [*periods], "cycle": [70 + wave(place, 3) for place in range(len(periods))], "path_periods": periods[-4:], "path_effects": [0.4, 0.6, 0.7, -0.3]},
        ),
        "provenance": (
            {"inputs": 2, "hashes": 2, "spec_sha256": "ab" * 32, "frozen": "2026-01-31", "seed": 860, "version": "0.1.0", "steps": 3, "deviations": 0},
            {"items": ["input_hashes", "spec_sha256", "frozen", "something_else"], "present": [True, True, False, True]},
        ),
    }  # fmt: skip


def audited(status: Status = "passed", base: Result | None = None) -> Result:
    """A Result whose sixteen checks all have this status, with a ladder and terms."""
    result = base or hjorring()
    told = contents(result)
    checks = tuple(
        CheckResult(name, "not_run", reason="not_computable")
        if status == "not_run"
        else CheckResult(name, status, VALUE[name], THRESHOLD[name], "", *told[name])
        for name in IDS
    )
    rungs = (
        LadderRung("none", -0.23, -1.6, 1.2, 0.65, 0.0, method="did", inference="placebo", n_units=94, n_donors=93),
        LadderRung("sensitivity", -0.17, -1.6, 1.3, 0.7, -0.06, headline=True, notes=(Note("cells_missing", "3 cells are missing.", {"cells": 3}),)),
    )  # fmt: skip
    terms: dict[str, Value] = {
        "beta": {
            name: 1.0 + wave(place, 0.3) for place, name in enumerate((*result.design.treated, *result.design.controls))
        },
        "std_error": dict.fromkeys((*result.design.treated, *result.design.controls), 0.1),
        "mean": 0.99,
        "reliability": 0.84,
        "series": "own average",
    }
    cycle = replace(result.cycle, adjust="sensitivity", audit=checks, ladder=rungs, terms=terms)
    return replace(result, cycle=cycle)


def registered(status: Status = "passed") -> Result:
    """The same, of persons in registers."""
    return audited(status, register())
