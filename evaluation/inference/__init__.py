"""Ways from a fit to an interval: one file each, one line each."""

from evaluation.contracts import Inference
from evaluation.inference import analytic, cluster, conformal, conley_taber, ferman_pinto, placebo, standardized_placebo

INFERENCES: dict[str, Inference] = {
    inference.name: inference
    for inference in (
        placebo.METHOD,
        ferman_pinto.METHOD,
        standardized_placebo.METHOD,
        conley_taber.METHOD,
        conformal.METHOD,
        cluster.METHOD,
        analytic.METHOD,
    )
}
