"""Conley-Taber inference: the controls' own changes, from one fit, are the distribution of the treated unit's noise."""

from __future__ import annotations

import math

import numpy as np

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.draws import clusters_of_units
from evaluation.numerics import target_weights
from evaluation.panel import Array, Panel
from evaluation.result import Note

DRAWS = 5000
"""With several treated units: draws of as many controls, whose average change is the noise of the treated average."""


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Equal-tailed interval and p-value from the controls' residual changes; the model is fitted once.

    The limits and the p-value use ranks among n + 1 (the treated unit included), which the paper's large-sample quantiles
    approach.

    Parameters
    ----------
    panel : Panel
        Few treated units with one common start, many controls of about the same size.

    Raises
    ------
    EstimationError
        The estimator is not a regression with unit and period effects.

    References
    ----------
    Conley & Taber (2011), Review of Economics and Statistics 93(1), propositions 1-2.
    """
    fit = pipeline(panel)
    draws, paths = _changes(fit, panel, rng)
    lower, upper, p_value = _tails(draws, fit.att, level)
    columns = [_tails(column, effect, level) for column, effect in zip(paths.T, fit.effects, strict=True)]
    path = np.array(columns).reshape(-1, 3)
    notes: tuple[Note, ...] = ()
    if not math.isfinite(lower):
        smallest = 2.0 / (1 + draws.size)
        notes = (
            Note(
                "too_few_placebos",
                f"With {draws.size} controls no p-value can be smaller than {smallest:.3f}, so there is no interval at this level.",
                {"count": int(draws.size), "smallest_p": smallest, "level": level},
            ),
        )
    return Interval(
        std_error=float(draws.std()),
        lower=lower,
        upper=upper,
        p_value=p_value,
        path_std_error=paths.std(axis=0),
        path_lower=path[:, 0],
        path_upper=path[:, 1],
        path_p_value=path[:, 2],
        notes=notes,
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    fit = pipeline(panel)
    return _tails(_changes(fit, panel, rng)[0], fit.att, 0.95)[2]


def _changes(fit: Fit, panel: Panel, rng: Rng) -> tuple[Array, Array]:
    """(draws,) residual changes of the controls in the place of the effect, and (draws, times) in the place of the path."""
    if fit.influence is None or fit.unit_weights is None or fit.path_influence is None:
        raise EstimationError(
            "conley_taber: it needs difference-in-differences or an event study with one common start, complete data and no covariates"
        )
    if clusters_of_units(panel):
        raise EstimationError(
            "conley_taber: clusters hold several units; use `placebo`, which lets whole clusters stand in"
        )
    controls = np.flatnonzero(fit.unit_weights > 0)
    # a control enters the estimate as −ω_j (d_j − d̄), so its residual change d_j − d̄ is read off its influence
    own = -fit.influence[controls] / fit.unit_weights[controls]
    paths = -(fit.path_influence[:, controls] / fit.unit_weights[controls]).T
    share = target_weights(panel).units[panel.treated]
    if share.size == 1:
        return own, paths
    rows = rng.choice(controls.size, size=(DRAWS, share.size))
    return own[rows] @ share, np.einsum("dkt,k->dt", paths[rows], share)


def _tails(draws: Array, value: float, level: float) -> tuple[float, float, float]:
    """Lower limit, upper limit and two-sided p-value by ranks among n + 1."""
    if not np.any(draws) and value == 0.0:
        return math.nan, math.nan, math.nan
    slack = 1e-9 * max(abs(value), float(np.max(np.abs(draws))))
    above = 1 + int((draws >= value - slack).sum())
    below = 1 + int((draws <= value + slack).sum())
    p_value = min(1.0, 2.0 * min(above, below) / (1 + draws.size))
    k = math.floor((1.0 - level) / 2.0 * (draws.size + 1) + 1e-9)
    if k == 0:
        return -math.inf, math.inf, p_value
    ordered = np.sort(draws)
    return float(value - ordered[-k]), float(value - ordered[k - 1]), p_value


def unsuited(panel: Panel) -> Note | None:
    """Not valid when sizes differ much."""
    from evaluation.inference.placebo import unsuited as unequal

    return unequal(panel)


METHOD = Inference(
    name="conley_taber",
    summary="the controls' own changes are the distribution of the treated unit's noise; one fit, equal sizes",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Conley & Taber (2011), Review of Economics and Statistics 93(1)",
)
