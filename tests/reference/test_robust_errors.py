"""Variances from scores, against fixest 0.14.2, sandwich 3.0.2, clubSandwich 0.5.8 and fwildclusterboot 0.13.0.

Scripts: `scripts/02_fixest.R`, `scripts/08_vcov_plm.R`, `scripts/14_inference.R`.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import evaluation
from evaluation.contracts import Pipeline
from evaluation.cycle import ADJUSTMENTS
from evaluation.estimators import ESTIMATORS
from evaluation.inference import sandwich, wild_bootstrap
from evaluation.inference.scores import plain_scores, scores_of
from tests.reference import golden

# Both sides sum the same products in double precision, in another order.
SUMMATION = 1e-9

# The reference takes matrix roots of whole clusters, where the unit effects' eigenvalues are 0 up to rounding only.
ROOTS = 1e-8

KINDS = ("HC0", "HC1", "HC2", "HC3", "HC4")


def scores(panel, **options):
    method, none = ESTIMATORS["did"], ADJUSTMENTS["none"]
    return scores_of(Pipeline(method, method.options(**options), none, none.options()), panel, "test")[1]


def base_did():
    return scores(golden.base_did(), covariates=("x1",))


def zones():
    """New Jersey and Pennsylvania's restaurants, by five zones: (outcome, (rows, 4) regressors, zones)."""
    frame = golden.table("njmin3").dropna(subset=["fte"])
    zone = np.select([frame["centralj"] == 1, frame["southj"] == 1, frame["pa1"] == 1, frame["pa2"] == 1], [1, 2, 3, 4], 5)
    regressors = np.column_stack([np.ones(len(frame)), frame["nj"], frame["d"], frame["d_nj"]]).astype(float)
    return frame["fte"].to_numpy(), regressors, zone


NJ = {"nj": 1, "d": 2, "d_nj": 3}


def njmin3(name):
    outcome, regressors, zone = zones()
    return plain_scores(outcome, regressors, np.eye(4)[NJ[name]], zone)


CASES = [
    pytest.param("vcov/base_did", base_did, "tp", id="base_did"),
    pytest.param("vcov/ezunem", lambda: scores(golden.ezunem()), "ez", id="ezunem"),
    *(pytest.param("vcov/njmin3_zone", lambda name=name: njmin3(name), name, id=f"njmin3-{name}") for name in NJ),
]


@pytest.mark.parametrize(("entry", "make", "name"), CASES)
def test_errors_of_independent_cells_equal_sandwich(entry, make, name):
    theirs, found = golden.value(entry), make()
    golden.assert_close(math.sqrt(sandwich.iid(found)), theirs["iid"][name], SUMMATION)
    for kind in KINDS:
        golden.assert_close(math.sqrt(sandwich.heteroskedastic(found, kind)), theirs[kind][name], SUMMATION)


@pytest.mark.parametrize(("entry", "make", "name"), CASES)
def test_cluster_robust_errors_equal_clubsandwich(entry, make, name):
    theirs, found = golden.value(entry), make()
    groups = found.n_clusters
    assert groups == theirs["clusters"]
    bare = sandwich.clustered(found)
    golden.assert_close(math.sqrt(bare), theirs["CR0"][name], SUMMATION)
    golden.assert_close(math.sqrt(bare * groups / (groups - 1)), theirs["CR1"][name], SUMMATION)
    every = sandwich.small_sample(found, sandwich.parameters(found, "full"), groups)
    golden.assert_close(math.sqrt(bare * every), theirs["CR1S"][name], SUMMATION)


@pytest.mark.parametrize(("entry", "make", "name"), CASES)
def test_bias_reduced_error_and_its_degrees_of_freedom_equal_clubsandwich(entry, make, name):
    theirs, found = golden.value(entry), make()
    variance, degrees = sandwich.bias_reduced(found, sandwich.leverage_of(found))
    golden.assert_close(math.sqrt(variance), theirs["CR2"][name], ROOTS)
    row = next(row for row in theirs["CR2_satterthwaite"] if row["Coef"] == name)
    golden.assert_close(degrees, row["df_Satt"], ROOTS)


@pytest.mark.parametrize(("entry", "make", "name"), CASES)
def test_closed_form_jackknife_equals_refits(entry, make, name):
    theirs, found = golden.value(entry), make()
    moved = sandwich.without_each_cluster(found, sandwich.leverage_of(found))
    factor = (moved.size - 1) / moved.size
    golden.assert_close(math.sqrt(factor * (moved**2).sum()), theirs["CV3_jackknife"][name], SUMMATION)
    golden.assert_close(math.sqrt(factor * moved.var() * moved.size), theirs["CV3J_jackknife"][name], SUMMATION)
    if "CR3" in theirs:
        golden.assert_close(math.sqrt((moved**2).sum()), theirs["CR3"][name], SUMMATION)


@pytest.mark.parametrize(("panel", "options", "entry", "name"), [
    (golden.base_did, {"covariates": ("x1",)}, "vcov/base_did", "tp"),
    (golden.ezunem, {}, "vcov/ezunem", "ez"),
])  # fmt: skip
def test_jackknife_inference_equals_refits_without_each_cluster(panel, options, entry, name):
    found = evaluation.estimate(panel(), "did", inference="jackknife", **options)
    golden.assert_close(found.std_error, golden.value(entry)["CV3_jackknife"][name], SUMMATION)


def test_bias_reduced_inference_equals_clubsandwich():
    theirs = golden.value("vcov/ezunem")["CR2_satterthwaite"][0]
    found = evaluation.estimate(golden.ezunem(), "did", inference="cluster_cr2")
    golden.assert_close(found.std_error, theirs["SE"], ROOTS)
    golden.assert_close(found.p_value, theirs["p_Satt"], ROOTS)


@pytest.mark.parametrize("name", ["iid", "hetero", "HC1"])
def test_errors_of_independent_cells_equal_fixest(name):
    theirs, found = golden.value(f"fixest/base_did/vcov/{name}")["coef"]["treat:post"], base_did()
    variance = sandwich.iid(found) if name == "iid" else sandwich.heteroskedastic(found, "HC1")
    golden.assert_close(math.sqrt(variance), theirs["se"], SUMMATION)


@pytest.mark.parametrize("g_df", ["min", "conventional"])
@pytest.mark.parametrize("g_adj", [True, False])
@pytest.mark.parametrize("effects", ["none", "nonnested", "full"])
@pytest.mark.parametrize("k_adj", [True, False])
def test_small_sample_factors_equal_fixest(k_adj, effects, g_adj, g_df):
    """All 24 combinations of fixest's `ssc`, one way and two ways: K, and G/(G − 1) of the fewest or of each."""
    word = {True: "TRUE", False: "FALSE"}
    theirs = golden.value(f"fixest/base_did/ssc/Kadj={word[k_adj]},Kfixef={effects},Gadj={word[g_adj]},Gdf={g_df}")
    found = base_did()

    def factor(nested):
        return sandwich.small_sample(found, sandwich.parameters(found, effects, nested)) if k_adj else 1.0

    def groups(count):
        return count / (count - 1) if g_adj else 1.0

    one_way = sandwich.clustered(found) * factor("unit") * groups(108)
    golden.assert_close(math.sqrt(one_way), theirs["one_way"]["treat:post"], SUMMATION)
    parts = sandwich.two_way(found)
    by_cluster, by_period, by_both = (groups(10),) * 3 if g_df == "min" else (groups(108), groups(10), groups(1080))
    both = by_cluster * parts.by_cluster + by_period * parts.by_period - by_both * parts.by_both
    golden.assert_close(math.sqrt(both * factor("both")), theirs["two_way"]["treat:post"], SUMMATION)


def test_errors_by_unit_and_period_equal_fixest():
    theirs = golden.value("fixest/base_did/vcov/cluster_id_period_twoway")["coef"]["treat:post"]
    found = evaluation.estimate(golden.base_did(), "did", inference="two_way_cluster", covariates=("x1",))
    golden.assert_close(found.std_error, theirs["se"], SUMMATION)
    assert found.p_value == pytest.approx(theirs["p"], rel=1e-8)


@pytest.mark.parametrize("lag", [1, 2, 4])
@pytest.mark.parametrize(("bare", "name"), [
    (sandwich.driscoll_kraay, "driscoll_kraay"), (sandwich.newey_west, "newey_west")
])  # fmt: skip
def test_errors_that_allow_for_lasting_shocks_equal_fixest(bare, name, lag):
    theirs, found = golden.value(f"fixest/base_did/{name}_lag{lag}")["coef"]["treat:post"], base_did()
    factor = sandwich.small_sample(found, sandwich.parameters(found, "full"), 10)
    golden.assert_close(math.sqrt(bare(found, lag) * factor), theirs["se"], SUMMATION)


@pytest.mark.parametrize("name", ["driscoll_kraay", "newey_west"])
def test_lag_is_that_of_fixest_and_degrees_of_freedom_are_periods_less_one(name):
    """fixest's lag is T^¼, rounded down: 1 for 10 periods."""
    theirs = golden.value(f"fixest/base_did/{name}_lag1")["coef"]["treat:post"]
    found = evaluation.estimate(golden.base_did(), "did", inference=name, covariates=("x1",))
    assert found.details["lag"] == 1
    golden.assert_close(found.std_error, theirs["se"], SUMMATION)
    assert found.p_value == pytest.approx(theirs["p"], rel=1e-8)


@pytest.mark.parametrize(("name", "imposed"), [("restricted", True), ("unrestricted", False)])
def test_wild_bootstrap_over_all_sign_vectors_equals_fwildclusterboot(name, imposed):
    theirs, found = golden.value(f"wcb/njmin3_zone/{name}"), njmin3("d_nj")
    assert theirs["enumerated"]
    draws = wild_bootstrap.bootstrap(found, wild_bootstrap.sign_vectors(5), True)
    assert draws.numerator.shape[1] == theirs["boot_iter"]
    assert draws.p_value(0.0, imposed=imposed) == theirs["p_value"]
    golden.assert_close(draws.effect, theirs["point_estimate"], SUMMATION)
    error = math.sqrt(draws.variance * sandwich.small_sample(found, 4, 5))
    golden.assert_close(draws.effect / error, theirs["t_stat"], SUMMATION)
