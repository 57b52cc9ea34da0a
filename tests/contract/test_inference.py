"""One loop over the registry of inferences, each with every estimator it can serve."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import evaluation
from evaluation.contracts import Pipeline
from evaluation.cycle import ADJUSTMENTS
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.inference import INFERENCES
from evaluation.result import Note
from tests.contract import plain
from tests.contract.test_estimators import furnished
from tests.oracle.panels import factor_outcome, factor_panel, make_panel

PLAINEST = ("did", "event_study", "synthetic_control", "synthetic_did")
"""A regression, its path, weights on controls, weights on both: every inference is tried with these ..."""

PAIRS = [
    pytest.param(inference, method, id=f"{inference}-{method}")
    for inference in INFERENCES
    for method in ESTIMATORS
    # ... and every estimator with the inference that is its own, unless that is the same refits of placebos
    if method in PLAINEST or (ESTIMATORS[method].default_inference == inference != "placebo")
]
SIZES = np.random.default_rng(3).integers(200, 9000, (45, 26)).astype(float)


def world(inference=None):
    """45 units (so that 2.5 % in one tail can be reached), 26 periods, one treated from the 19th; eight where many are needed."""
    treated = range(3, 43, 5) if inference in INFERENCES and INFERENCES[inference].many_treated else [3]
    regions = np.arange(45) % 9 if inference == "block_placebo" else None
    return make_panel(factor_outcome(1, 45, 26), dict.fromkeys(treated, 18), size=SIZES, region=regions)


def estimate(panel, method, inference, **more):
    """The Estimate, or None where the estimator says it cannot serve this inference."""
    try:
        return evaluation.estimate(furnished(ESTIMATORS[method], panel), method, inference=inference, **more)
    except EstimationError as refusal:
        if not str(refusal).startswith(f"{inference}:"):
            raise AssertionError("a refusal must say who refuses") from refusal
        return None


@functools.cache
def answer(inference, method):
    """What the pair says of `world`, computed once for all that is compared with it."""
    return estimate(world(inference), method, inference)


def pipeline(method):
    chosen, none = ESTIMATORS[method], ADJUSTMENTS["none"]
    return Pipeline(chosen, chosen.options(), none, none.options())


@pytest.mark.parametrize("name", INFERENCES)
def test_entry_describes_itself(name):
    inference = INFERENCES[name]
    assert inference.name == name
    assert inference.summary
    assert not inference.summary.endswith(".")
    assert any(character.isdigit() for character in inference.source), "the source needs a year"
    remark = inference.unsuited(world())
    assert remark is None or isinstance(remark, Note)


@pytest.mark.parametrize("name", INFERENCES)
def test_serves_at_least_one_estimator(name):
    assert any(answer(name, method) is not None for method in ESTIMATORS)


SERVES_DID = [name for name in INFERENCES if name != "analytic"]
"""All but the one that takes the estimator's own formula: did has none."""


@pytest.mark.parametrize("inference", SERVES_DID)
def test_serves_did(inference):
    """The plainest estimator goes with every inference."""
    assert answer(inference, "did") is not None


@pytest.mark.parametrize(("inference", "method"), PAIRS)
def test_interval_holds_the_effect_and_p_is_a_probability(inference, method):
    found = answer(inference, method)
    if found is None:
        return  # refused, in words: see `estimate`
    assert found.inference == inference
    assert found.level == 0.95
    assert 0 < found.p_value <= 1
    assert found.lower <= found.effect <= found.upper
    assert found.std_error is None or found.std_error > 0
    for point in found.path:
        assert point.p_value is None or 0 <= point.p_value <= 1
        assert (point.lower is None) == (point.upper is None)
        assert point.lower is None or point.lower <= point.effect <= point.upper


@pytest.mark.parametrize(("inference", "method"), PAIRS)
def test_wider_level_gives_a_wider_interval(inference, method):
    wide = answer(inference, method)
    if wide is None:
        return  # refused, in words: see `estimate`
    narrow = estimate(world(inference), method, inference, level=0.8)
    assert (narrow.level, wide.level) == (0.8, 0.95)
    assert wide.lower <= narrow.lower
    assert wide.upper >= narrow.upper
    assert (wide.p_value, wide.effect) == (narrow.p_value, narrow.effect)


@pytest.mark.parametrize(("inference", "method"), PAIRS)
def test_adding_an_amount_moves_the_interval_by_exactly_that(inference, method):
    panel = world(inference)
    before = answer(inference, method)
    if before is None:
        return  # refused, in words: see `estimate`
    after = estimate(panel.with_outcome(panel.outcome + 2.5 * panel.target), method, inference)
    # a limit found by bisection is known to some 1e-6 of a step
    assert after.effect == pytest.approx(before.effect + 2.5, abs=1e-9)
    assert after.lower == pytest.approx(before.lower + 2.5, abs=1e-5)
    assert after.upper == pytest.approx(before.upper + 2.5, abs=1e-5)
    if before.std_error is not None:
        assert after.std_error == pytest.approx(before.std_error, rel=1e-9)


@pytest.mark.parametrize(("inference", "method"), PAIRS)
def test_test_and_interval_agree_on_whether_zero_is_rejected(inference, method):
    """Inverting the test or adding quantiles: either way 0 lies outside the interval just when p <= 1 - level."""
    panel = world(inference)
    found = answer(inference, method)
    if found is None:
        return  # refused, in words: see `estimate`
    for target in (found.lower, found.upper):
        for inward in (0.999, 1.001):
            hypothesis = found.effect + inward * (target - found.effect)
            moved = panel.with_outcome(panel.outcome - hypothesis * panel.target)
            again = estimate(moved, method, inference)
            assert (again.p_value <= 0.05 + 1e-12) == (not again.lower <= 0 <= again.upper)


@pytest.mark.parametrize(("inference", "method"), PAIRS)
def test_p_value_alone_equals_the_one_beside_the_interval(inference, method):
    """`test` is what treats hundreds of units in turn; it must be the same test."""
    chosen = INFERENCES[inference]
    panel = furnished(ESTIMATORS[method], world(inference))
    try:
        expected = chosen.infer(pipeline(method), panel, 0.95, np.random.default_rng(5)).p_value
    except EstimationError:
        with pytest.raises(EstimationError):
            chosen.test(pipeline(method), panel, np.random.default_rng(5))
        return
    assert chosen.test(pipeline(method), panel, np.random.default_rng(5)) == pytest.approx(expected, abs=1e-12)


EACH = [name for name, inference in INFERENCES.items() if inference.test_each is not None]
CAUTIOUS = ("volatility_placebo", "bias_aware_placebo")
"""Those that are careful with a restless or badly matched unit: their p-values are ranks or larger."""


@pytest.mark.parametrize("inference", EACH)
@pytest.mark.parametrize("method", PLAINEST)
def test_every_unit_in_turn_gives_every_rank_once(inference, method):
    """Shared refits: among n units with no ties the p-values are 1/n, 2/n, ..., 1, each once, whoever comes first."""
    panel = make_panel(factor_outcome(4, 20, 26), {}, size=np.full((20, 26), 700.0), region=np.arange(20) % 5)
    p_values = INFERENCES[inference].test_each(pipeline(method), panel, 18, np.random.default_rng(5))
    if inference in CAUTIOUS:
        assert (np.sort(p_values) >= np.arange(1, 21) / 20 - 1e-12).all()
        return
    np.testing.assert_allclose(np.sort(p_values), np.arange(1, 21) / 20, atol=1e-12)


@pytest.mark.parametrize("inference", EACH)
def test_every_unit_in_turn_is_nearly_the_test_done_one_by_one(inference):
    """Nearly: one by one, the unit that is treated is no donor of the others; in turn, it is."""
    panel = make_panel(factor_outcome(4, 20, 26), {}, size=SIZES[:20], region=np.arange(20) % 5)
    chosen = INFERENCES[inference]
    together = chosen.test_each(pipeline("did"), panel, 18, np.random.default_rng(5))
    alone = [chosen.test(pipeline("did"), panel.assign({row: 18}), np.random.default_rng(5)) for row in range(20)]
    assert np.abs(together - alone).max() <= 3 / 20
    assert np.abs(together - alone).mean() <= 1 / 20


@pytest.mark.parametrize(("inference", "method"), PAIRS)
def test_units_in_another_order_give_the_same_interval(inference, method):
    before = answer(inference, method)
    if before is None:
        return  # refused, in words: see `estimate`
    # furnished first, so that what it was given goes along with the units
    panel = furnished(ESTIMATORS[method], world(inference))
    after = estimate(panel.keep_units(np.random.default_rng(2).permutation(45)), method, inference)
    for name in ("effect", "lower", "upper", "p_value"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), abs=1e-5)


@pytest.mark.parametrize(("inference", "method"), PAIRS)
def test_plain_values_the_same_bytes_twice_and_nothing_it_was_given_is_changed(inference, method):
    panel = world(inference)
    before = plain.digest(panel)
    second = estimate(panel, method, inference)
    assert plain.digest(panel) == before
    first = answer(inference, method)
    if first is None:
        assert second is None
        return  # refused, in words: see `estimate`
    plain.assert_plain(first)
    assert plain.as_bytes(second) == plain.as_bytes(first)


@pytest.mark.parametrize("inference", SERVES_DID)
def test_estimate_is_written_to_json_and_read_back_unchanged(inference):
    plain.assert_survives_json(answer(inference, "did"))


@pytest.mark.parametrize("inference", INFERENCES)
def test_few_controls_give_no_number_that_is_not_one(inference):
    """With three controls nothing can be rejected at 5 %: no limits rather than false ones, and a sentence why."""
    panel = factor_panel(1, n_units=4, n_periods=26, start=18, size=SIZES[:4])
    found = estimate(panel, "did", inference)
    if found is None:
        return
    plain.assert_plain(found)
    if inference in ("placebo", "ferman_pinto", "conley_taber"):
        assert found.lower is None
        assert found.upper is None
        assert found.p_value >= 0.25
        assert found.notes


@pytest.mark.parametrize("inference", INFERENCES)
def test_several_treated_units_are_served_or_refused_by_name(inference):
    panel = make_panel(factor_outcome(2, 16, 20), {0: 14, 4: 14}, size=SIZES[:16, :20], region=np.arange(16) % 8)
    found = estimate(panel, "did", inference)
    if found is not None:
        assert found.lower is None or found.lower <= found.effect <= found.upper


@pytest.mark.parametrize("inference", INFERENCES)
@pytest.mark.parametrize("method", ESTIMATORS)
@pytest.mark.filterwarnings("error")
def test_any_pair_answers_or_refuses_in_words(inference, method):
    """Whatever a spec combines gives plain values or a refusal by name: never a traceback, never a warning of numpy's."""
    panel = make_panel(factor_outcome(5, 10, 9), {3: 6}, size=SIZES[:10, :9], region=np.arange(10) % 5)
    found = estimate(panel, method, inference)
    if found is not None:
        plain.assert_plain(found)


def test_cluster_is_marked_as_not_valid_with_one_treated_unit():
    found = estimate(world(), "did", "cluster")
    assert any("Not valid here" in str(note) for note in found.notes)


def test_default_is_a_placebo_test_with_few_treated_units_and_rescaled_where_sizes_are_known():
    assert evaluation.estimate(world(), "did").inference == "ferman_pinto"
    assert evaluation.estimate(factor_panel(1), "did").inference == "placebo"
    many = make_panel(factor_outcome(2, 40, 20), dict.fromkeys(range(20), 14))
    assert evaluation.estimate(many, "did").inference == ESTIMATORS["did"].default_inference


def test_seed_changes_only_what_is_drawn():
    """Enumerated placebos draw nothing: the seed must not matter to them."""
    one, two = (evaluation.estimate(world(), "did", inference="placebo", seed=seed) for seed in (1, 2))
    assert plain.as_bytes(one) == plain.as_bytes(two)


def test_default_without_never_treated_units_needs_nobody_to_stand_in():
    everybody = make_panel(factor_outcome(3, 12, 14), {row: 5 + row % 4 * 2 for row in range(12)})
    assert evaluation.estimate(everybody, "imputation").inference == "cluster"
    assert evaluation.estimate(everybody, "matrix_completion", penalty=0.1).inference == "block_bootstrap"
