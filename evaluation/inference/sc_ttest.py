"""The t-test for synthetic controls: cross-fitting over blocks of periods before the start takes the bias out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from evaluation.contracts import Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.held_out import one_start, refit
from evaluation.panel import Panel
from evaluation.result import Note, number

NAME = "sc_ttest"

FOLDS = 3
"""K: with three the authors find the best balance of size and length in short panels."""


@dataclass(frozen=True, slots=True)
class _TTest:
    """The debiased effect, its standard error, and the length of a block."""

    effect: float
    std_error: float
    block: int

    def p_value(self) -> float:
        return float(2.0 * stdtr(FOLDS - 1, -abs(self.effect) / self.std_error))


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Leave out each of K = 3 blocks before the start; what the weights miss there is taken off what they find afterwards.

    With block k of r = min(⌊T₀/K⌋, T₁) periods, the last rK before the start being cut into K:

        τ_k = mean gap in the window − mean gap in block k        (both by the fit without block k)
        τ = mean of τ_k,    error = √(1 + Kr/T₁) · sd(τ_k) / √K,    t with K − 1 degrees of freedom

    The interval is for the debiased τ, which need not be the estimator's effect; where that lies outside, a note says so. Any
    estimator with an effect for each period can be debiased so; the theory is for weights on controls.

    Parameters
    ----------
    panel : Panel
        One common start; at least three periods before it, and better many: the theory is for long panels, stationary gaps.

    Raises
    ------
    EstimationError
        Several starts, too few periods before, or an estimator without an effect for each period.

    References
    ----------
    Chernozhukov, Wüthrich & Zhu (2024), A t-test for synthetic controls, arXiv:1812.10820v7, section 2 and theorem 1.
    """
    effect = pipeline(panel).att
    found = _t_test(pipeline, panel)
    half = float(stdtrit(FOLDS - 1, 0.5 + level / 2.0)) * found.std_error
    lower, upper = found.effect - half, found.effect + half
    notes: tuple[Note, ...] = ()
    if not lower <= effect <= upper:
        notes = (
            Note(
                "ttest_debiased",
                f"The t-test takes off what the weights miss before the start: its effect is {found.effect:.3g}, and the interval "
                f"around it does not hold the estimator's {effect:.3g}.",
                {"debiased": found.effect, "effect": effect},
            ),
        )
    return Interval(
        std_error=found.std_error,
        lower=lower,
        upper=upper,
        p_value=found.p_value(),
        notes=notes,
        details={"sc_ttest": {"debiased_effect": number(found.effect), "block": found.block, "folds": FOLDS}},
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    return _t_test(pipeline, panel).p_value()


def _t_test(pipeline: Pipeline, panel: Panel) -> _TTest:
    panel, start = one_start(panel, pipeline, NAME)
    n_after = int(panel.target.any(axis=0).sum())
    if start <= FOLDS:
        raise EstimationError(
            f"{NAME}: {start} periods before the start are too few to leave one of {FOLDS} blocks out"
        )
    block = min(start // FOLDS, n_after)
    first = start - block * FOLDS
    effects = []
    for fold in range(FOLDS):
        found = refit(pipeline, panel, np.arange(first + fold * block, first + (fold + 1) * block), NAME)
        effects.append(found.att - float(found.held_out.mean()))
    error = math.sqrt((1.0 + FOLDS * block / n_after) / FOLDS) * float(np.std(effects, ddof=1))
    if error <= 1e-12 * float(np.nanmax(np.abs(panel.outcome))):
        raise EstimationError(
            f"{NAME}: the treated unit's gaps are the same in all blocks, so there is no error to estimate"
        )
    return _TTest(float(np.mean(effects)), error, block)


def unsuited(panel: Panel) -> Note | None:
    """The theory lets the periods before the start grow; few of them are a warning."""
    if len(panel.starts) != 1 or panel.starts[0] >= 5 * FOLDS:
        return None
    return Note(
        "ttest_few_periods",
        f"The t-test is for long panels: {panel.starts[0]} periods before the start make blocks of {panel.starts[0] // FOLDS}.",
        {"periods": panel.starts[0], "block": panel.starts[0] // FOLDS},
    )


METHOD = Inference(
    name=NAME,
    summary="t-test with three blocks before the start left out in turn, which takes the weights' bias off",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Chernozhukov, Wüthrich & Zhu (2024), A t-test for synthetic controls, arXiv:1812.10820v7",
)
