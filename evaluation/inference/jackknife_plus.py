"""Jackknife+ over time: every period before the start is left out in turn, and predicted."""

from __future__ import annotations

import math

import numpy as np

from evaluation.contracts import Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.held_out import one_start, refit, tuned
from evaluation.panel import Array, Panel
from evaluation.result import Note

NAME = "jackknife_plus"


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Refit without each period before the start; the error there says how far the effect of that refit may be off.

    With τ₍ₛ₎ the effect when period s is left out and eₛ the treated unit's gap in s by that refit, the interval runs from the
    α/2 quantile of τ₍ₛ₎ − |eₛ| to the 1 − α/2 quantile of τ₍ₛ₎ + |eₛ|. One period's error stands for the error of the mean over
    the window too, which makes the headline's interval wide rather than narrow where errors are independent over time. A penalty
    chosen by cross-validation keeps the value chosen with all periods, as in the authors' program.

    Parameters
    ----------
    panel : Panel
        One common start; the treated units are one unit to this inference.

    Raises
    ------
    EstimationError
        Several starts, fewer than three periods before, or an estimator without an effect for each period.

    References
    ----------
    Ben-Michael, Feller & Rothstein (2021), Journal of the American Statistical Association 116(536), after Barber, Candès,
    Ramdas & Tibshirani (2021), Annals of Statistics 49(1), eq. (1.6). Quantiles interpolate, as in the authors' program.
    """
    fit = pipeline(panel)
    low, high, n_before = _draws(tuned(pipeline, fit), panel)
    tail = 0.5 * (1.0 - level)
    bounds = np.full((3, fit.effects.size), np.nan)
    if fit.periods is not None:
        start = panel.n_periods - (low.shape[1] - 1)
        inside = np.flatnonzero(fit.periods >= start)
        columns = fit.periods[inside] - start + 1
        usable = np.isfinite(low[:, columns]).all(axis=0)
        inside, columns = inside[usable], columns[usable]
        bounds[0, inside] = np.quantile(low[:, columns], tail, axis=0)
        bounds[1, inside] = np.quantile(high[:, columns], 1.0 - tail, axis=0)
        bounds[2, inside] = [_p_value(low[:, column], high[:, column]) for column in columns.tolist()]
    return Interval(
        std_error=math.nan,
        lower=float(np.quantile(low[:, 0], tail)),
        upper=float(np.quantile(high[:, 0], 1.0 - tail)),
        p_value=_p_value(low[:, 0], high[:, 0]),
        path_lower=bounds[0],
        path_upper=bounds[1],
        path_p_value=bounds[2],
        notes=_notes(n_before, level),
        details={"jackknife_plus": {"pre_periods": n_before, "smallest_p": 2.0 / (n_before + 1)}},
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    low, high, _ = _draws(tuned(pipeline, pipeline(panel)), panel)
    return _p_value(low[:, 0], high[:, 0])


def _draws(pipeline: Pipeline, panel: Panel) -> tuple[Array, Array, int]:
    """(pre-periods, 1 + periods after) the effect (first column) and its path, less and plus the size of the error left out."""
    panel, start = one_start(panel, pipeline, NAME)
    if start < 3:
        raise EstimationError(f"{NAME}: {start} periods before the start are too few to leave one out; it needs three")
    refits = [refit(pipeline, panel, np.array([column]), NAME) for column in range(start)]
    effects = np.stack([np.append(each.att, each.after) for each in refits])
    errors = np.abs(np.concatenate([each.held_out for each in refits]))[:, None]
    return effects - errors, effects + errors, start


def _p_value(low: Array, high: Array) -> float:
    """The smallest α whose interval leaves 0 out.

    Where 0 lies beyond every draw the interpolated quantiles leave it out at every level; no more is claimed then than the
    number of draws allows: 1 / (1 + n), or 0.05 where that is larger.
    """
    share = 2.0 * min(_share_below(low), _share_below(-high))
    return min(1.0, share) if share > 0.0 else min(1.0 / (1 + low.size), 0.05)


def _share_below(draws: Array) -> float:
    """The largest u whose interpolated quantile is not above 0: 0 where all draws are above, 1 where none is."""
    ordered = np.sort(draws)
    below = int((ordered <= 0.0).sum())
    if below == 0:
        return 0.0
    if below == ordered.size:
        return 1.0
    between = -ordered[below - 1] / (ordered[below] - ordered[below - 1])
    return float((below - 1 + between) / (ordered.size - 1))


def _notes(n_before: int, level: float) -> tuple[Note, ...]:
    """What is to be said where the draws are too few for the level."""
    surest = 1.0 - 2.0 / (n_before + 1)
    if level <= surest + 1e-12:
        return ()
    return (
        Note(
            "jackknife_few_periods",
            f"{n_before} periods before the start can carry a level of {surest:.2f} at most; the interval for {level:.2f} goes "
            "beyond what they show.",
            {"periods": n_before, "surest": surest, "level": level},
        ),
    )


def unsuited(panel: Panel) -> Note | None:
    """Always usable with one start; what it lacks is said beside the interval."""
    return None


METHOD = Inference(
    name=NAME,
    summary="leaves each period before the start out in turn and predicts it; needs gaps that stay as they were",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Ben-Michael, Feller & Rothstein (2021), Journal of the American Statistical Association 116(536)",
)
