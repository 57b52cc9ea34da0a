"""The rule behind the default inference: what it reads in a design, and that it says why."""

import numpy as np
import pytest

import evaluation
from evaluation.by_design import REASONS, by_design
from evaluation.inference import INFERENCES
from evaluation.panel import Panel
from evaluation.periods import Period
from evaluation.report.words import load
from evaluation.study import make_pipeline


def panel(outcome, starts, size=None):
    units, periods = outcome.shape
    start = np.full(units, periods)
    for row, first in starts.items():
        start[row] = first
    sizes = None if size is None else np.tile(np.asarray(size, dtype=float)[:, None], (1, periods))
    return Panel(
        outcome,
        tuple(f"u{row:02d}" for row in range(units)),
        tuple(Period("year", 2000 + index) for index in range(periods)),
        start,
        size=sizes,
    )


def noise(seed, units=60, periods=14):
    return np.random.default_rng(seed).normal(size=(units, periods))


def chosen(found):
    return found.inference, found.details["chosen"]["code"]


def test_one_treated_unit_gets_placebos_and_rescaled_ones_where_persons_are_known():
    plain = evaluation.estimate(panel(noise(1), {0: 7}), "did")
    assert chosen(plain) == ("placebo", "few_treated")
    assert plain.details["chosen"]["treated"] == 1
    assert plain.details["chosen"]["controls"] == 59
    sized = evaluation.estimate(panel(noise(1), {0: 7}, size=np.geomspace(100, 1000, 60)), "did")
    assert chosen(sized) == ("ferman_pinto", "few_treated_sizes")
    # how persons are spread is told once, beside the reason, whichever inference is used
    assert set(sized.details["chosen"]) == {"code", "treated", "controls", "pre_periods"}
    assert sized.details["persons"]["spread"] == pytest.approx(10.0)
    assert sized.details["persons"]["place"] == "small"


def restless(seed):
    """Units of very different noise; the first is the noisiest."""
    spread = np.exp(np.linspace(1.5, -1.5, 60))
    return noise(seed) * spread[:, None]


@pytest.mark.parametrize("method", ["did", "synthetic_control"])
def test_a_restless_treated_unit_of_unknown_size_is_not_ranked_plainly(method):
    found = evaluation.estimate(panel(restless(2), {0: 7}), method)
    assert chosen(found) == ("volatility_placebo", "noisy_treated")
    assert found.details["chosen"]["alarms"] > 0.07
    assert found.details["chosen"]["ratio"] > 1.5


def test_a_calm_treated_unit_among_restless_ones_keeps_the_plain_ranks():
    found = evaluation.estimate(panel(restless(2), {59: 7}), "did")
    assert chosen(found) == ("placebo", "few_treated")


def test_persons_known_make_restlessness_unnecessary():
    sizes = np.geomspace(100, 40000, 60)
    found = evaluation.estimate(panel(restless(2), {0: 7}, size=sizes), "did")
    assert found.inference == "ferman_pinto"


def test_a_unit_that_was_not_followed_is_measured_against_its_own_gap():
    outcome = noise(3)
    outcome[0] += 9.0
    found = evaluation.estimate(panel(outcome, {0: 7}), "synthetic_control")
    assert chosen(found) == ("bias_aware_placebo", "poor_fit")
    assert found.details["chosen"]["p_fit"] <= 0.05
    # the level of a unit is nothing to difference-in-differences
    assert chosen(evaluation.estimate(panel(outcome, {0: 7}), "did")) == ("placebo", "few_treated")


def test_the_gap_of_a_restless_unit_is_no_poor_fit_unless_it_stands_out_of_such_units_gaps_too():
    # seed 21: a large mean gap by chance, which plain ranks would call unfollowed
    outcome = restless(21)
    usual = evaluation.estimate(panel(outcome, {0: 7}), "synthetic_control")
    assert chosen(usual) == ("volatility_placebo", "noisy_treated")
    fit = usual.path[:7]
    gaps = np.array(usual.details["placebo"]["gaps"], dtype=float)[:, :7].mean(axis=1)
    own = np.mean([one.effect for one in fit])
    assert (1 + np.sum(np.abs(gaps) >= abs(own))) / (1 + gaps.size) <= 0.10
    far = outcome.copy()
    far[0] += 60.0
    assert chosen(evaluation.estimate(panel(far, {0: 7}), "synthetic_control")) == ("bias_aware_placebo", "poor_fit")


@pytest.mark.parametrize(
    ("treated", "method", "expected"),
    [
        (5, "did", ("placebo", "few_treated")),
        (6, "did", ("wild_bootstrap", "some_treated")),
        (14, "callaway_santanna", ("jackknife", "some_treated")),
        (15, "did", ("cluster", "many_treated")),
        (15, "synthetic_did", ("placebo", "many_treated")),
        (50, "did", ("wild_bootstrap", "some_treated")),
        (56, "did", ("placebo", "few_treated")),
        (60, "event_study", ("cluster", "all_treated")),
    ],
)
def test_the_number_of_treated_and_controls_decides(treated, method, expected):
    found = by_design(make_pipeline(method, "none", {}), panel(noise(4), dict.fromkeys(range(treated), 7)))
    assert (found.name, found.code) == expected


def test_starts_of_single_units_are_ranked_among_controls():
    alone = panel(noise(5), {row: 5 + row % 7 for row in range(7)})
    found = by_design(make_pipeline("imputation", "none", {}), alone)
    assert (found.name, found.code) == ("placebo", "single_unit_starts")
    assert found.facts["alone"] == 7


def test_an_inference_asked_for_is_not_second_guessed():
    found = evaluation.estimate(panel(restless(2), {0: 7}), "did", inference="placebo")
    assert found.inference == "placebo"
    assert "chosen" not in found.details


@pytest.mark.parametrize("language", ["en", "da"])
def test_every_reason_has_words(language):
    words = load(language)
    assert all(f"chosen.{code}" in words for code in REASONS)


def test_a_restless_unit_is_called_significant_about_as_often_as_promised():
    """Plain ranks call the noisiest of 60 significant in about a third of panels without any effect, the default in few."""
    plain, default = [], []
    pipeline = make_pipeline("did", "none", {})
    for seed in range(40):
        made = panel(restless(1000 + seed), {2: 7})
        plain.append(INFERENCES["placebo"].test(pipeline, made, np.random.default_rng(1)) <= 0.05)
        default.append(evaluation.estimate(made, "did").p_value <= 0.05)
    assert np.mean(plain) > 0.2
    # 5 % within three standard errors of 40 draws
    assert np.mean(default) <= 0.154
