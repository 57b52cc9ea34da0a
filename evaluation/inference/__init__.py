"""Ways from a fit to an interval: one file each, one line each."""

from evaluation.contracts import Inference
from evaluation.inference import (
    analytic,
    bias_aware_placebo,
    block_bootstrap,
    block_placebo,
    cluster,
    cluster_cr2,
    conformal,
    conley_taber,
    driscoll_kraay,
    ferman_pinto,
    jackknife,
    jackknife_plus,
    multiplier_bootstrap,
    newey_west,
    placebo,
    prediction_interval,
    sc_ttest,
    standardized_placebo,
    two_way_cluster,
    volatility_placebo,
    wild_bootstrap,
)

INFERENCES: dict[str, Inference] = {
    inference.name: inference
    for inference in (
        placebo.METHOD,
        ferman_pinto.METHOD,
        standardized_placebo.METHOD,
        volatility_placebo.METHOD,
        bias_aware_placebo.METHOD,
        block_placebo.METHOD,
        conley_taber.METHOD,
        conformal.METHOD,
        prediction_interval.METHOD,
        jackknife_plus.METHOD,
        sc_ttest.METHOD,
        cluster.METHOD,
        cluster_cr2.METHOD,
        wild_bootstrap.METHOD,
        multiplier_bootstrap.METHOD,
        jackknife.METHOD,
        block_bootstrap.METHOD,
        two_way_cluster.METHOD,
        driscoll_kraay.METHOD,
        newey_west.METHOD,
        analytic.METHOD,
    )
}
