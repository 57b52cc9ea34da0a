"""Are unit and period effects enough, or do units follow further common factors, each in its own way?"""

from __future__ import annotations

from evaluation.audit import thresholds
from evaluation.checks.refits import Refit, refit
from evaluation.cycle import ADJUSTMENTS
from evaluation.cycle.factors import MOST_CHOSEN
from evaluation.errors import EstimationError
from evaluation.panel import Panel
from evaluation.result import CheckResult, number, numbers
from evaluation.study import Study, make_pipeline


def check(study: Study) -> CheckResult:
    """Look for common factors in what unit and period effects leave of the never-treated, and take them out one by one.

    The scree: each factor's share of the squared two-way residuals of the never-treated units over all periods. The effect:
    difference-in-differences on the panel without its r leading factors, for r = 0, 1, ... up to `most_factors`, with the
    headline's inference. With r = 0 it is plain difference-in-differences, whatever the headline's adjustment.

    All of these are shown; judged are those with at least one factor, up to the number that stand out from the noise, against
    the headline effect: by difference-in-differences without an adjustment that is r = 0, and a headline that deals with
    factors in its own way should agree with them taken out. Beyond that number it is noise that is taken out, by loadings from
    few periods, and that alone moves the effect by more than the bound in a third of all panels without any factor. Where no
    factor stands out, unit and period effects are enough and nothing changes.

    Returns
    -------
    CheckResult
        `value` is the largest judged difference from the headline effect, in placebo standard deviations of the headline; the
        fact `change` is that difference in the outcome's unit, and `rank` the number of factors that stand out.

    References
    ----------
    Xu (2017), Political Analysis 25(1), eqs. (4)-(7); the number of factors: Ahn & Horenstein (2013), Econometrica 81(3).
    """
    panel = study.panel
    if len(panel.starts) != 1:
        return CheckResult("factor_sufficiency", "not_run", reason="several_starts")
    if most_factors(panel) < 1:
        return CheckResult("factor_sufficiency", "not_run", reason="few_periods")
    if study.spread is None or study.spread <= 0.0:
        return CheckResult("factor_sufficiency", "not_run", reason="no_placebos")
    try:
        rank, shares = scree(panel)
    except EstimationError:
        return CheckResult("factor_sufficiency", "not_run", reason="not_computable")
    tried = {count: _without_factors(study, count) for count in range(most_factors(panel) + 1)}
    found = {count: each for count, each in tried.items() if each is not None}
    if 0 not in found or len(found) < 2:
        return CheckResult("factor_sufficiency", "not_run", reason="not_computable")
    judged = [each.effect for count, each in found.items() if 1 <= count <= rank]
    change = max((effect - study.headline.effect for effect in judged), key=abs, default=0.0)
    value = abs(change) / study.spread
    return CheckResult(
        "factor_sufficiency",
        thresholds.status("factor_sufficiency", value),
        value=value,
        threshold=thresholds.threshold("factor_sufficiency"),
        facts={"rank": rank, "change": change},
        series={
            "shares": numbers(shares),
            "ranks": list(found),
            "effects": [number(each.effect) for each in found.values()],
            "lowers": [number(each.interval.lower) for each in found.values()],
            "uppers": [number(each.interval.upper) for each in found.values()],
        },
    )


def most_factors(panel: Panel) -> int:
    """How many factors are taken out at the most: half the periods before the start (less the two that a loading needs), or four.

    A treated unit's loadings are estimated from these periods, and with as many loadings as periods it fits anything.
    """
    return min(MOST_CHOSEN, (panel.starts[0] - 2) // 2)


def scree(panel: Panel) -> tuple[int, list[float]]:
    """How many factors stand out in the never-treated units' two-way residuals, and the leading factors' shares of them.

    Raises
    ------
    EstimationError
        Too few controls are observed throughout, or too few periods before the start.
    """
    factors = ADJUSTMENTS["factors"]
    terms = factors.adjust(panel, factors.options()).terms
    shares = [float(terms[name]) for name in terms if name.startswith("share_")]
    return int(terms["rank"]), shares


def _without_factors(study: Study, count: int) -> Refit | None:
    """Difference-in-differences without the `count` leading factors; None where it cannot be computed."""
    # in the adjustment a rank of 0 means "choose"
    pipeline = make_pipeline("did", "factors", {}, {"rank": count}) if count else make_pipeline("did", "none", {})
    return refit(study, study.panel, f"factor_sufficiency/{count}", pipeline)
