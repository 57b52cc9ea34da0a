"""The ladder: every rung there, each what it says, nothing fitted twice, nothing that stops the run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import evaluation
from evaluation.accounting import ladder as module
from evaluation.accounting.ladder import by_name, ladder, raw_change
from evaluation.accounting.matching import NEAREST, nearest
from evaluation.context import Context
from evaluation.cycle import ADJUSTMENTS
from evaluation.inference import INFERENCES
from evaluation.inference.draws import critical_size, placebo_fits
from evaluation.report.words import load
from evaluation.study import fit_pipeline, make_pipeline
from tests.accounting.worlds import N_UNITS, hjorring, nation, studied, world
from tests.oracle.panels import factor_outcome, factor_panel, make_panel

SOURCE = Path(evaluation.__file__).parent / "accounting"
IN_ORDER = [
    ("before_after", ""), ("none", ""), ("region_time", ""), ("sensitivity", ""), ("local_series", "own"),
    ("local_series", "neighbours"), ("local_series", "predicted"), ("shift_share", ""), ("matched_controls", ""),
    ("synthetic_control", ""), ("synthetic_did", ""), ("factors", ""), ("cce", ""), ("unit_trend", ""), ("triple_difference", ""),
]  # fmt: skip


def rich(seed: int = 1, n_units: int = N_UNITS):
    """A panel with everything any rung needs."""
    rng = np.random.default_rng(seed)
    outcome = factor_outcome(seed, n_units, 14)
    local = outcome - outcome.mean(axis=1, keepdims=True) + rng.normal(0, 1, outcome.shape)
    cycle = {
        "jobs": local, "jobs|neighbours": local + rng.normal(0, 1, local.shape), "jobs|nation": local[1:].mean(axis=0),
        "shift_share": local + rng.normal(0, 1, local.shape),
    }  # fmt: skip
    panel = make_panel(outcome, {0: 9}, cycle=cycle, region=np.arange(n_units) % 5, region_names=tuple("abcde"))
    return panel, Context(second_group=panel.with_outcome(outcome[::-1].copy()))


# ------------------------------------------------------------------ Hjørring


def test_hjorring_reproduces_the_published_audit_of_this_design():
    """Employment rate in RAS200, pre 2008-14, window 2015-18: two decimals were written down before this code existed."""
    rungs = by_name(ladder(hjorring()))
    found = {
        key: round(rungs[key, ""].effect, 2) for key in ("none", "region_time", "sensitivity", "synthetic_control")
    }
    assert found == {"none": -0.23, "region_time": -0.51, "sensitivity": -0.17, "synthetic_control": 0.02}
    assert rungs["synthetic_control", ""].effect == pytest.approx(0.015, abs=5e-4)  # published to three decimals


def test_hjorring_headline_is_its_rung_to_the_last_digit():
    study = hjorring()
    own = [rung for rung in ladder(study) if rung.headline]
    assert [(rung.adjust, rung.effect, rung.lower, rung.upper, rung.p_value) for rung in own] == [
        ("none", study.headline.effect, study.headline.lower, study.headline.upper, study.headline.p_value)
    ]


# ------------------------------------------------------------------ what is there


def test_every_rung_is_there_in_order_and_computed_when_its_data_are():
    panel, context = rich()
    rungs = ladder(studied(panel, context=context))
    assert [(rung.adjust, rung.variant) for rung in rungs] == IN_ORDER
    assert {rung.adjust for rung in rungs} >= set(ADJUSTMENTS)
    assert [rung.adjust for rung in rungs if rung.effect is None] == []
    assert {rung.adjust for rung in rungs if rung.status == "comparison"} >= {"before_after", "unit_trend"}
    assert all(rung.n_donors > 0 and rung.n_units > 1 for rung in rungs if rung.adjust != "before_after")


def test_a_rung_without_its_data_says_which_are_missing():
    rungs = by_name(ladder(studied(factor_panel(n_units=12))))
    missing = {key: rung.reason for key, rung in rungs.items() if rung.status == "not_run"}
    assert missing == {
        ("region_time", ""): "no_regions",
        ("local_series", "own"): "no_series",
        ("local_series", "neighbours"): "no_series",
        ("local_series", "predicted"): "no_series",
        ("shift_share", ""): "no_shares",
        ("matched_controls", ""): "few_controls",
        ("triple_difference", ""): "no_second_group",
    }
    panel, context = rich()
    cycle = {name: values for name, values in panel.cycle.items() if name != "jobs|neighbours"}
    rungs = by_name(ladder(studied(replace(panel, cycle=cycle), context=context)))
    assert rungs["local_series", "neighbours"].reason == "no_neighbours"
    assert rungs["local_series", "own"].status == "valid"


def test_too_few_periods_for_a_rung_stop_nothing():
    panel = make_panel(factor_outcome(2, 12, 6), {3: 2})
    rungs = by_name(ladder(studied(panel)))
    assert rungs["sensitivity", ""].reason == "few_periods"
    assert rungs["none", ""].status == "valid"
    assert rungs["sensitivity", ""].notes[0].code == "rung_not_computed"


def test_several_starts_leave_only_the_rungs_that_can_take_them():
    panel = make_panel(factor_outcome(2, 14, 12), {3: 6, 4: 8})
    rungs = by_name(ladder(studied(panel)))
    assert rungs["synthetic_control", ""].reason == "several_starts"
    assert rungs["synthetic_did", ""].effect is not None
    assert rungs["none", ""].effect is not None


def test_every_reason_has_words_in_every_language():
    codes = set()
    for file in SOURCE.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        codes |= set(re.findall(r"(?:missing|reason|doubt)=\"([a-z_]+)\"", text))
        codes |= set(re.findall(r"(?:return|else) \"([a-z]+_[a-z_]+)\"", text))
    codes |= {"eats_effect", "no_comparison", "poor_fit", "several_starts", "few_periods", "not_computable"}
    codes -= {"local_series"}  # what `recommended` returns is an adjustment
    for language in ("da", "en"):
        words = load(language)
        assert {
            code for code in codes if f"reason.{code}" not in words and f"cycle.adjust.{code}" not in words
        } == set()


# ------------------------------------------------------------------ what they are


def test_before_and_after_is_the_treated_units_own_change_and_has_no_interval():
    panel, _ = world(effect=2.0)
    rung = ladder(studied(panel))[0]
    assert rung.effect == pytest.approx(
        panel.outcome[0, 8:].mean() - panel.outcome[0, :8].mean(), rel=1e-12
    )  # summation order
    assert (rung.lower, rung.upper, rung.p_value, rung.status) == (None, None, None, "comparison")


def test_raw_change_weights_cells_by_persons_as_the_headline_does():
    size = np.ones((12, 10))
    size[3, 8:] = [1.0, 3.0]
    panel = make_panel(factor_outcome(5, 12, 10), {3: 8}, size=size)
    expected = panel.outcome[3, 8:] @ [0.25, 0.75] - panel.outcome[3, :8].mean()
    assert raw_change(panel) == pytest.approx(expected, rel=1e-12)  # summation order


def test_removed_is_rung_none_minus_the_rung_and_its_interval_inverts_the_placebos_of_that_difference():
    """The slow way: refit both for every control, rank the differences."""
    panel = factor_panel(n_units=30)
    study = studied(panel)
    rung = by_name(ladder(study))["sensitivity", ""]
    rng = np.random.default_rng(0)
    draws = [placebo_fits(make_pipeline("did", adjust, {}), panel, rng).effects for adjust in ("none", "sensitivity")]
    half = critical_size(draws[0] - draws[1], 0.95)
    removed = study.headline.effect - make_pipeline("did", "sensitivity", {})(panel).att
    assert (rung.removed, rung.removed_lower, rung.removed_upper) == pytest.approx(
        (removed, removed - half, removed + half), rel=1e-12  # the same arithmetic in another order
    )  # fmt: skip


def test_the_headlines_own_options_are_used_on_its_rung_and_on_its_variants():
    panel, _ = rich()
    study = studied(panel, adjust="local_series", use="neighbours", split=False)
    rungs = by_name(ladder(study))
    assert [key for key, rung in rungs.items() if rung.headline] == [("local_series", "neighbours")]
    assert rungs["local_series", "neighbours"].effect == study.headline.effect
    own = make_pipeline("did", "local_series", {}, {"use": "own", "split": False})(panel).att
    assert rungs["local_series", "own"].effect == own
    assert [key for key, rung in rungs.items() if rung.recommended] == [("local_series", "own")]


def test_triple_difference_takes_out_what_hits_both_groups():
    panel, parts = world(effect=2.0, exposure=1.6)
    other = panel.with_outcome(parts["reaction"][:, None] * nation() + 50.0)
    rungs = by_name(ladder(studied(panel, context=Context(second_group=other))))
    assert rungs["triple_difference", ""].effect == pytest.approx(
        2.0, abs=1e-10
    )  # no noise: rounding of numbers near 70
    assert rungs["none", ""].effect > 2.5


def test_a_second_group_without_the_same_units_cannot_be_compared():
    panel, _ = world()
    other = panel.keep_units(np.arange(N_UNITS - 1))
    rung = by_name(ladder(studied(panel, context=Context(second_group=other))))["triple_difference", ""]
    assert (rung.status, rung.reason) == ("not_run", "not_computable")


def test_matched_controls_are_the_nearest_and_the_smallest_p_is_one_in_twenty_one():
    panel, parts = world(exposure=1.4, noise=0.01)
    chosen = nearest(panel)
    assert chosen.sum() == NEAREST + 1
    away = np.abs(parts["reaction"] - 1.4)
    assert away[chosen][1:].mean() < away[~chosen].mean()
    rung = by_name(ladder(studied(panel)))["matched_controls", ""]
    assert rung.n_donors == NEAREST
    assert rung.p_value >= 1 / (NEAREST + 1)
    assert [(note.facts["count"], note.facts["smallest_p"]) for note in rung.notes if note.code == "smallest_p"] == [
        (NEAREST, 1 / (NEAREST + 1))
    ]


def test_matching_looks_at_nothing_after_the_start():
    panel, _ = world(noise=0.3)
    outcome = panel.outcome.copy()
    outcome[:, 8:] = np.random.default_rng(9).normal(0, 50, outcome[:, 8:].shape)
    assert np.array_equal(nearest(panel), nearest(panel.with_outcome(outcome)))


def test_weights_that_cannot_follow_the_treated_are_not_believed():
    """A treated unit far above all others: no weighted mean of these comes near, and the rung says so."""
    panel, _ = world(noise=0.3)
    outcome = panel.outcome.copy()
    outcome[0] += 100.0
    rung = by_name(ladder(studied(panel.with_outcome(outcome))))["synthetic_control", ""]
    assert (rung.status, rung.reason) == ("comparison", "poor_fit")


def test_nothing_is_fitted_twice(monkeypatch):
    """The headline, rung "none" where it is the same, and an estimate that is a rung bring their fits along."""
    panel = factor_panel(n_units=14)
    study = studied(panel)
    beside = fit_pipeline(make_pipeline("synthetic_control", "none", {}), panel, "default", 0.95, 1)
    study = replace(study, fitted=(*study.fitted, beside))
    made = []

    def counted(pipeline, *rest):
        made.append((pipeline.method.name, pipeline.adjustment.name))
        return placebo_fits(pipeline, *rest)

    monkeypatch.setattr(module, "placebo_fits", counted)
    rungs = ladder(study)
    assert len(made) == len(set(made))
    assert ("did", "none") not in made
    assert ("synthetic_control", "none") not in made
    assert by_name(rungs)["synthetic_control", ""].effect == beside.estimate.effect


def test_with_thousands_of_assignments_every_rung_draws_the_same_few():
    """Two treated among 40: 703 pairs. What was removed can only be ranked where both were refitted for the same pairs."""
    panel = make_panel(factor_outcome(6, N_UNITS, 12), {3: 8, 4: 8})
    study = studied(panel)
    rung = by_name(ladder(study))["sensitivity", ""]
    assert [note.facts["count"] for note in rung.notes if note.code == "placebos_sampled"] == [module.MOST_PLACEBOS]
    pipelines = [make_pipeline("did", adjust, {}) for adjust in ("none", "sensitivity")]
    base = study.fitted[0].placebos
    some = placebo_fits(pipelines[1], panel, study.rng("placebo/did"), module.MOST_PLACEBOS)
    assert set(some.assignments) < set(base.assignments)
    effects = dict(zip(base.assignments, base.effects, strict=True))
    draws = np.array([effects[rows] for rows in some.assignments]) - some.effects
    half = critical_size(draws, 0.95)
    assert rung.removed_upper - rung.removed == pytest.approx(half, rel=1e-9)  # a difference of sums in another order


@pytest.mark.parametrize("name", [name for name, inference in INFERENCES.items() if inference.infer_from])
def test_an_interval_from_placebos_that_are_there_is_the_one_of_inference(name):
    size = np.random.default_rng(3).integers(200, 9000, (24, 14)).astype(float)
    panel = factor_panel(n_units=24, size=size, region=np.arange(24) % 6)
    pipeline, inference = make_pipeline("did", "sensitivity", {}), INFERENCES[name]
    rng = np.random.default_rng(0)
    again = inference.infer_from(pipeline, panel, 0.9, pipeline(panel), placebo_fits(pipeline, panel, rng))
    whole = inference.infer(pipeline, panel, 0.9, np.random.default_rng(0))
    assert (again.lower, again.upper, again.p_value, again.details) == (
        whole.lower,
        whole.upper,
        whole.p_value,
        whole.details,
    )


def test_an_inference_without_placebos_still_gives_every_rung():
    panel = make_panel(factor_outcome(4, 30, 12), dict.fromkeys(range(8), 8))
    rungs = by_name(ladder(studied(panel)))
    assert rungs["sensitivity", ""].inference == "wild_bootstrap"
    assert rungs["sensitivity", ""].lower is not None
    assert rungs["sensitivity", ""].removed_lower is None
