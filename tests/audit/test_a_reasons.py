"""A check that lacks its data says why, in words that both languages have."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.audit import AUDIT, thresholds
from evaluation.context import Context
from tests.audit.a_worlds import START, world
from tests.audit.b_studies import studied
from tests.oracle.panels import make_panel

PACKAGE = Path(thresholds.__file__).parents[1]

OURS = (
    "loading_balance", "backcast", "equal_shock_placebos", "in_time_placebos", "factor_sufficiency", "spillover_rings", "donors", "cycle_state",
)  # fmt: skip


def starting(column):
    """The usual world, in which the programme begins in another column."""
    return make_panel(world().outcome, {0: column}, first=2007)


def few(n_units):
    return world(n_units=n_units)


def rising():
    """Nobody ever fell behind: the cycle is a trend."""
    panel = world(scale=0.01, loadings=np.zeros(40), beta=0.0)
    return panel.with_outcome(panel.outcome + np.arange(14.0))


def staggered():
    return make_panel(world().outcome, {0: START, 1: START + 2}, first=2007)


REASONS = [
    ("loading_balance", lambda: starting(2), "few_periods"),
    ("loading_balance", lambda: few(5), "few_controls"),
    ("backcast", lambda: starting(4), "few_periods"),
    ("backcast", rising, "no_downturn"),
    ("backcast", lambda: few(4), "few_controls"),
    ("equal_shock_placebos", lambda: starting(2), "few_periods"),
    ("equal_shock_placebos", lambda: few(15), "few_controls"),
    ("equal_shock_placebos", lambda: make_panel(world().outcome, {0: START, 1: START}), "several_treated"),
    ("in_time_placebos", lambda: starting(3), "few_periods"),
    ("in_time_placebos", lambda: few(8), "few_controls"),
    ("factor_sufficiency", lambda: starting(3), "few_periods"),
    ("spillover_rings", world, "no_neighbours"),
    ("donors", lambda: world(n_units=3).keep_units([0, 1]), "few_controls"),
    ("cycle_state", lambda: starting(12), "few_periods_after"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "make", "reason"), [pytest.param(*case, id=f"{case[0]}-{case[2]}") for case in REASONS]
)
def test_says_why(name, make, reason):
    panel = make()
    if (~panel.treated).sum() < 2:
        study = replace(studied(world()), panel=panel, headline=replace(studied(world()).headline, unit_weights={}))
    else:
        study = studied(panel)
    found = AUDIT[name](study)
    assert (found.status, found.reason) == ("not_run", reason)
    assert found.value is None
    if reason == "few_controls":
        assert isinstance(found.facts["count"], int)


@pytest.mark.parametrize("name", [name for name in OURS if name not in {"spillover_rings", "donors", "in_time_placebos"}])
def test_several_starts(name):
    found = AUDIT[name](studied(staggered(), inference="cluster"))
    assert (found.status, found.reason) == ("not_run", "several_starts")


@pytest.mark.parametrize("name", ["loading_balance", "factor_sufficiency", "spillover_rings", "donors"])
def test_a_spread_of_zero_measures_nothing(name):
    panel = make_panel(np.full((12, 14), 70.0), {0: START})
    found = AUDIT[name](studied(panel, context=Context(rings=(panel.units[1:3],))))
    assert (found.status, found.reason) == ("not_run", "no_placebos")


def test_every_reason_has_words_in_both_languages():
    reasons = set()
    for file in (PACKAGE / "audit").glob("*.py"):
        reasons |= set(re.findall(r"reason=\"([a-z_]+)\"", file.read_text("utf-8")))
    assert {reason for _, _, reason in REASONS} <= reasons
    for language in ("da", "en"):
        words = tomllib.loads((PACKAGE / f"report/words/{language}.toml").read_text("utf-8"))
        assert reasons <= set(words["reason"]), language


# ------------------------------------------------------------------ the table of bounds


@pytest.mark.parametrize(
    ("check", "value", "status"),
    [
        ("loading_balance", 0.25, "passed"), ("loading_balance", 1.0, "warns"), ("loading_balance", 1.01, "failed"),
        ("backcast", 0.20, "passed"), ("backcast", 0.05, "warns"), ("backcast", 0.049, "failed"),
        ("ladder", 0.0, "passed"), ("ladder", 7.0, "warns"),
        ("equal_shock_placebos", 0.05, "passed"), ("equal_shock_placebos", 0.10, "warns"), ("equal_shock_placebos", 0.11, "failed"),
        ("in_time_placebos", 0.101, "passed"), ("in_time_placebos", 0.10, "warns"), ("in_time_placebos", 0.05, "failed"),
        ("negative_controls", 0.10, "warns"), ("common_shock", 0.02, "passed"), ("common_shock", 0.11, "failed"),
        ("planted_effect", 0.02, "passed"), ("planted_effect", 0.021, "failed"),
        ("factor_sufficiency", 0.5, "passed"), ("spillover_rings", 1.0, "warns"), ("policy_shocks", 1.1, "failed"), ("composition", 0.6, "warns"),
        ("donors", 1.0, "passed"), ("donors", 2.0, "warns"), ("donors", 2.1, "failed"),
        ("breakdown", 1.0, "passed"), ("breakdown", 0.5, "warns"), ("breakdown", 0.4, "failed"),
        ("cycle_state", 0.5, "passed"), ("cycle_state", 0.01, "warns"), ("cycle_state", 0.0, "failed"),
        ("provenance", 0.0, "passed"), ("provenance", 1.0, "warns"),
        ("backcast", float("nan"), "failed"),
    ],
)  # fmt: skip
def test_bounds_belong_to_the_side_the_written_rule_gives_them(check, value, status):
    assert thresholds.status(check, value) == status


def test_every_check_has_bounds_and_the_worst_status_counts():
    assert set(thresholds.THRESHOLDS) == set(AUDIT)
    assert thresholds.worst("passed", "failed", "warns") == "failed"
    assert thresholds.BANDS["common_shock"].status(0.07) == "passed"
    assert thresholds.BANDS["common_shock"].status(0.10) == "warns"
    assert thresholds.BANDS["planted_effect"].status(0.89) == "failed"
