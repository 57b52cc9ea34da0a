"""Jackknife, block bootstrap and the errors from scores on awkward panels; what must agree with what."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import evaluation
from evaluation.contracts import Pipeline
from evaluation.cycle import ADJUSTMENTS
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.inference import block_bootstrap, jackknife, sandwich, wild_bootstrap
from evaluation.inference.cluster import infer as cluster_infer
from evaluation.inference.scores import scores_of
from evaluation.numerics import contrast, fit_of, target_weights
from tests.oracle.panels import factor_outcome, make_panel

RNG = np.random.default_rng(0)
REGRESSIONS = [name for name, method in ESTIMATORS.items() if method.regression is not None]
FROM_SCORES = ("cluster_cr2", "wild_bootstrap", "two_way_cluster", "driscoll_kraay", "newey_west")


def pipeline(name, **options):
    method, none = ESTIMATORS[name], ADJUSTMENTS["none"]
    return Pipeline(method, method.options(**options), none, none.options())


def stream():
    return np.random.default_rng(7)


def panel(treated=8, n_units=24, n_periods=12, start=7, **more):
    return make_panel(factor_outcome(3, n_units, n_periods), dict.fromkeys(range(treated), start), **more)


def holed():
    made = panel()
    return made.with_outcome(np.where(np.random.default_rng(1).random(made.outcome.shape) < 0.1, np.nan, made.outcome))


AWKWARD = {
    "clusters above the units": panel(cluster=np.arange(24) // 2),
    "clusters of treated and untreated": make_panel(
        factor_outcome(3, 24, 12), dict.fromkeys(range(0, 16, 2), 7), cluster=np.arange(24) // 2
    ),
    "several starts": make_panel(factor_outcome(3, 24, 12), {row: 5 + row % 3 for row in range(9)}),
    "cells missing": holed(),
    "treated from the first period": make_panel(factor_outcome(3, 24, 12), {0: 0, **dict.fromkeys(range(1, 9), 7)}),
    "persons": panel(size=RNG.integers(9, 99, (24, 12)).astype(float)),
    "a window": panel().with_window((8, 9)),
    "a treated unit never observed": panel().with_outcome(np.vstack([np.full(12, np.nan), panel().outcome[1:]])),
    "two periods": panel(n_periods=2, start=1),
}


# ------------------------------------------------------------------ scores


@pytest.mark.parametrize("name", REGRESSIONS)
@pytest.mark.parametrize("case", [case for case in AWKWARD if case != "persons"])
def test_squared_scores_of_clusters_are_the_variance_of_cluster_inference(case, name):
    """Not with persons: there the regression gets a regressor more, in which the effect may vary with them."""
    made = AWKWARD[case]
    fit, scores, _ = scores_of(pipeline(name), made, "test")
    factor = cluster_infer(pipeline(name), made, 0.95, stream())
    bare = math.sqrt(sandwich.clustered(scores) * (factor.details["small_sample_factor"] if fit.small_sample else 1.0))
    assert bare == pytest.approx(factor.std_error, rel=1e-9)


@pytest.mark.parametrize("name", ["did", "sun_abraham", "extended_twfe"])
def test_weighted_regressions_give_the_same_scores(name):
    """did has no weights of its own; the others' `weights` are those of least squares."""
    made = make_panel(
        factor_outcome(3, 24, 12), {row: 5 + row % 3 for row in range(9)}, covariates={"w": RNG.uniform(0.5, 4.0, 24)}
    )
    options = {} if name == "did" else {"weights": "w"}
    fit, scores, _ = scores_of(pipeline(name, **options), made, "test")
    assert fit.influence is not None
    assert sandwich.clustered(scores) == pytest.approx(float((fit.influence**2).sum()), rel=1e-8)


@pytest.mark.parametrize("inference", FROM_SCORES)
@pytest.mark.parametrize("case", AWKWARD)
@pytest.mark.filterwarnings("error")
def test_awkward_panels_are_answered_or_refused_by_name(case, inference):
    if (inference, case) == ("driscoll_kraay", "two periods"):
        with pytest.raises(EstimationError, match=r"^driscoll_kraay: "):
            evaluation.estimate(AWKWARD[case], "did", inference=inference)
        return
    found = evaluation.estimate(AWKWARD[case], "did", inference=inference)
    assert found.std_error > 0
    assert found.lower < found.effect < found.upper


@pytest.mark.parametrize("inference", FROM_SCORES)
def test_an_estimator_without_a_regression_is_refused_by_name(inference):
    with pytest.raises(EstimationError, match=rf"^{inference}: `synthetic_did` is no regression"):
        evaluation.estimate(panel(), "synthetic_did", inference=inference)


def test_regression_that_fits_every_period_leaves_driscoll_kraay_nothing():
    with pytest.raises(EstimationError, match="fits the sum of each period"):
        evaluation.estimate(panel(), "event_study", inference="driscoll_kraay")


def test_two_ways_is_one_way_where_the_regression_fits_every_period():
    """Without this the variance would be that by cluster less that of the cells: a fifth of it."""
    both = evaluation.estimate(panel(), "event_study", inference="two_way_cluster").std_error
    assert both > 0.9 * evaluation.estimate(panel(), "event_study", inference="cluster").std_error


def test_few_periods_are_remarked_on():
    codes = {note.code for note in evaluation.estimate(panel(), "did", inference="newey_west").notes}
    assert codes >= {"variance_few_periods"}
    long = make_panel(factor_outcome(3, 24, 50), dict.fromkeys(range(8), 30))
    assert not {note.code for note in evaluation.estimate(long, "did", inference="newey_west").notes} & codes


def test_path_of_a_plain_difference_has_intervals_too():
    for inference in ("wild_bootstrap", "newey_west"):
        path = evaluation.estimate(panel(), "did", inference=inference).path
        assert all(point.lower < point.effect < point.upper for point in path)


# ------------------------------------------------------------------ wild bootstrap


@pytest.mark.parametrize(("count", "draws", "exhaustive"), [(5, 9999, False), (6, 64, True), (13, 8192, True), (14, 9999, False)])
def test_signs_are_enumerated_while_they_are_few(count, draws, exhaustive):
    weights, every = wild_bootstrap.cluster_weights(count, stream())
    assert (weights.shape, every) == ((draws, count), exhaustive)
    if exhaustive:
        assert len(np.unique(weights, axis=0)) == draws
    assert abs(float((weights.astype(float) ** 2).mean()) - 1.0) < 0.02  # Webb's six points too have variance 1


def test_no_p_value_is_below_the_share_of_the_data_and_their_mirror_image():
    made = panel(treated=3, n_units=8)
    moved = made.with_outcome(made.outcome + 500.0 * made.target)
    assert evaluation.estimate(moved, "did", inference="wild_bootstrap").p_value >= 2 / 2**8


# ------------------------------------------------------------------ jackknife


def test_one_treated_cluster_gives_no_number_and_says_why():
    for made in (panel(treated=1), panel(treated=2, cluster=np.array([0, 0, *range(1, 23)]))):
        found = evaluation.estimate(made, "did", inference="jackknife")
        assert (found.std_error, found.lower, found.p_value) == (None, None, None)
        assert "jackknife_one_treated" in {note.code for note in found.notes}


def test_synthetic_did_keeps_its_weights():
    """Algorithm 3 of Arkhangelsky et al. (2021), written out unit by unit."""
    made = panel()
    fit = ESTIMATORS["synthetic_did"].fit(made, ESTIMATORS["synthetic_did"].options())
    after = made.target[0]
    without = []
    for unit in range(24):
        keep = np.arange(24) != unit
        own = made.outcome[keep & made.treated].mean(axis=0)
        omega = fit.unit_weights[keep] / fit.unit_weights[keep].sum()
        gap = own - omega @ made.outcome[keep]
        without.append(gap[after].mean() - fit.time_weights @ gap)
    error = math.sqrt(23 / 24 * np.sum((np.array(without) - fit.att) ** 2))
    found = evaluation.estimate(made, "synthetic_did", inference="jackknife")
    assert found.std_error == pytest.approx(error, rel=1e-9)


@pytest.mark.parametrize("method", ["did", "synthetic_control", "event_study"])
def test_other_estimators_are_fitted_again(method):
    made = panel(cluster=np.arange(24) // 2)
    chosen = ESTIMATORS[method]
    full = chosen.fit(made, chosen.options()).att
    without = [chosen.fit(made.keep_units(made.cluster != code), chosen.options()).att for code in range(12)]
    found = evaluation.estimate(made, method, inference="jackknife")
    assert found.std_error == pytest.approx(math.sqrt(11 / 12 * np.sum((np.array(without) - full) ** 2)), rel=1e-9)


def test_many_clusters_are_left_out_in_closed_form_or_in_groups(monkeypatch):
    made = panel(treated=60, n_units=140)
    one_by_one = jackknife.infer(pipeline("did"), made, 0.95, stream())
    monkeypatch.setattr(jackknife, "MOST_REFITS", 50)
    closed = jackknife.infer(pipeline("did"), made, 0.95, stream())
    assert closed.std_error == pytest.approx(one_by_one.std_error, rel=1e-9)
    grouped = jackknife.infer(pipeline("synthetic_did"), made, 0.95, stream())
    assert {note.code for note in grouped.notes} == {"jackknife_in_groups"}
    assert grouped.details["left_out"] == 50
    monkeypatch.setattr(jackknife, "MOST_REFITS", 500)
    full = jackknife.infer(pipeline("synthetic_did"), made, 0.95, stream())
    # 50 groups give the error itself an error of about 1 / √(2 × 50) = 10 %
    assert grouped.std_error == pytest.approx(full.std_error, rel=0.3)


@pytest.mark.parametrize("case", AWKWARD)
def test_jackknife_of_awkward_panels(case):
    found = evaluation.estimate(AWKWARD[case], "did", inference="jackknife")
    assert found.lower < found.effect < found.upper


def test_control_that_carries_all_weight_cannot_be_left_out():
    made = panel()
    donor, before = np.eye(24)[20], np.where(np.arange(12) < 7, 1 / 7, 0.0)

    def fit(drawn, options):
        return fit_of(contrast(drawn.outcome, target_weights(drawn), donor, before, 7), 7, donor, before)

    method, none = dataclasses.replace(ESTIMATORS["synthetic_did"], fit=fit), ADJUSTMENTS["none"]
    found = jackknife.infer(Pipeline(method, method.options(), none, none.options()), made, 0.95, stream())
    assert math.isnan(found.std_error)
    assert [(note.code, note.facts) for note in found.notes] == [("jackknife_group_of_one", {"units": "unit 20"})]


# ------------------------------------------------------------------ block bootstrap


def test_draws_keep_the_numbers_of_treated_and_others_and_name_units_apart():
    seen = []

    def spy(drawn, options):
        seen.append(drawn)
        return ESTIMATORS["did"].fit(drawn, options)

    made = panel(cluster=np.arange(24) // 2)
    none = ADJUSTMENTS["none"]
    method = dataclasses.replace(ESTIMATORS["did"], fit=spy)
    block_bootstrap.infer(Pipeline(method, method.options(), none, none.options()), made, 0.95, stream())
    assert len(seen) == 1 + block_bootstrap.DRAWS
    for drawn in seen[1:20]:
        assert (drawn.n_units, drawn.treated.sum(), len(set(drawn.units))) == (24, 8, 24)
        assert len(np.unique(drawn.cluster)) == 12
    assert any(len({name.partition(" #")[0] for name in drawn.units}) < 24 for drawn in seen[1:])


def test_standard_error_is_near_that_by_cluster():
    """Both estimate the same variance; 499 draws leave 3 % of chance and 24 units a bias of about 1/24."""
    made = panel(treated=12)
    ours = evaluation.estimate(made, "did", inference="block_bootstrap").std_error
    assert ours == pytest.approx(evaluation.estimate(made, "did", inference="cluster").std_error, rel=0.15)


def test_influences_drawn_anew_are_the_first_order_of_refits(monkeypatch):
    made = panel(treated=30, n_units=80)
    refitted = block_bootstrap.infer(pipeline("did"), made, 0.95, stream())
    monkeypatch.setattr(block_bootstrap, "MOST_REFITS", 10)
    drawn = block_bootstrap.infer(pipeline("did"), made, 0.95, stream())
    assert {note.code for note in drawn.notes} == {"bootstrap_from_influence"}
    # did without covariates is linear in its clusters, so only chance differs: 499 draws, twice 3 %
    assert drawn.std_error == pytest.approx(refitted.std_error, rel=0.15)
    assert not {note.code for note in refitted.notes}


@pytest.mark.parametrize("case", AWKWARD)
def test_block_bootstrap_of_awkward_panels(case, monkeypatch):
    monkeypatch.setattr(block_bootstrap, "DRAWS", 99)
    found = evaluation.estimate(AWKWARD[case], "did", inference="block_bootstrap")
    assert found.lower < found.upper
    assert found.std_error > 0


def test_one_treated_cluster_is_refused():
    with pytest.raises(EstimationError, match=r"^block_bootstrap: only one treated cluster"):
        evaluation.estimate(panel(treated=1), "did", inference="block_bootstrap")


def test_draws_that_cannot_be_computed_are_counted_and_too_many_refused():
    made = panel()
    calls = []

    def broken(every):
        def fit(drawn, options):
            calls.append(None)
            if len(calls) > 1 and len(calls) % every == 0:
                raise EstimationError("did: broken")
            return ESTIMATORS["did"].fit(drawn, options)

        method, none = dataclasses.replace(ESTIMATORS["did"], fit=fit), ADJUSTMENTS["none"]
        return Pipeline(method, method.options(), none, none.options())

    found = block_bootstrap.infer(broken(50), made, 0.95, stream())
    assert found.notes[0].facts == {"count": 10, "draws": 499}
    calls.clear()
    with pytest.raises(EstimationError, match=r"^block_bootstrap: "):
        block_bootstrap.infer(broken(2), made, 0.95, stream())
