"""Two-stage difference-in-differences: take unit and period effects out with untreated cells, then average what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from evaluation.contracts import Fit, Method
from evaluation.panel import Array, Panel
from evaluation.untreated import Model, fit_of_averages, impute, null_gaps


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `two_stage`."""

    covariates: Annotated[
        tuple[str, ...],
        Field(description="covariates held constant; one that never changes gets a slope in each period"),
    ] = ()
    unit_trends: Annotated[bool, Field(description="also a linear trend of each unit")] = False
    anticipation: Annotated[
        int, Field(ge=0, description="periods before the start that may be affected already, and are not fitted to")
    ] = 0
    weights: Annotated[
        str, Field(description='covariate that weights the cells, or "size" for the persons; empty for equal weights')
    ] = ""


def fit(panel: Panel, options: Options) -> Fit:
    """Regress untreated outcomes on unit and period effects, then all outcomes less these effects on treatment dummies.

    The estimates are those of `imputation`; the variance is that of both stages as one GMM problem: with x₁ the regressors of
    the first stage and x₂ those of the second, unit i's influence is
    (X₂'X₂)⁻¹ (x₂i'u₂i − X₂'X₁ (X₁₀'X₁₀)⁻¹ x₁₀i'u₁i), X₁₀ being X₁ with 0 in treated cells. The headline's second stage has one
    dummy for the window, the path's one for each event time; neither has an intercept.

    Parameters
    ----------
    panel : Panel
        May have missing cells, several starts, and no unit that is never treated.

    Returns
    -------
    Fit
        `effects` by event time, before the start the mean residual of the first stage; no small-sample factor.

    Raises
    ------
    EstimationError
        Nobody is treated, no treated cell can be reached by the first stage, or a covariate is explained by the effects.

    References
    ----------
    Gardner (2022), Two-Stage Differences in Differences, sections 3-4; Newey & McFadden (1994), theorem 6.1.
    """
    return fit_of_averages(panel, impute(panel, _model(options), "two_stage"), "two_stage", by_cell=False)


def _model(options: Options) -> Model:
    return Model(options.anticipation, options.covariates, options.unit_trends, options.weights)


def gaps(panel: Panel, options: Options) -> Array:
    """(periods,) gap between treated and first stage, fitted on all periods: Chernozhukov, Wüthrich & Zhu (2021), section 2."""
    return null_gaps(panel, _model(options), "two_stage")


METHOD = Method(
    name="two_stage",
    summary="two-stage difference-in-differences: effects estimated on untreated cells are taken out before averaging",
    fit=fit,
    options=Options,
    needs=("one_pre_period",),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="cluster",
    source="Gardner (2022), Two-Stage Differences in Differences, sections 3-4",
    gaps=gaps,
)
