"""Conformal inference: under a hypothesis the treated unit's gaps should look alike before and after."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from evaluation.contracts import Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.panel import Array, Indices, Panel
from evaluation.result import Note, Value

PValue: TypeAlias = Callable[[float], float]
"""The p-value of a hypothetical constant effect."""

MOST_SUBSETS = 5000
"""Independent-errors permutations: all choices of periods when there are no more than these, else a seeded sample."""


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Impose a hypothetical effect, refit on all periods, and permute the gaps over time.

    The test uses cyclic shifts of the gaps (moving blocks), valid for stationary, serially dependent gaps; the interval
    inverts it for a constant effect over the window. Where too few shifts exist for this level, both permute periods as if
    gaps were independent, and say so.

    Parameters
    ----------
    panel : Panel
        One treated unit (or the mean of several), complete.

    Raises
    ------
    EstimationError
        The estimator has no null-imposed fit on all periods.

    References
    ----------
    Chernozhukov, Wüthrich & Zhu (2021), Journal of the American Statistical Association 116(536), Algorithms 1-2.
    """
    fit = pipeline(panel)
    start, window = _window(panel)
    joint = _question(pipeline, panel, window)
    tested, notes = _suited(joint, level, rng)
    lower, upper = _invert(joint, tested, fit.att, 1.0 - level, FINE)
    times = fit.effects.size
    path = np.full((3, times), np.nan)
    for index in window if fit.periods is not None else ():
        place = int(np.flatnonzero(fit.periods == index)[0])
        single = _question(pipeline, panel, np.array([index]))
        tested_alone = _moving_block(single)
        path[2, place] = tested_alone(0.0)
        if 1.0 / single.length <= 1.0 - level + 1e-12:
            path[:2, place] = _invert(single, tested_alone, float(fit.effects[place]), 1.0 - level, COARSE)
    details: dict[str, Value] = {
        "p_moving_block": _moving_block(joint)(0.0),
        "p_independent": _independent(joint, rng)(0.0),
        "smallest_p": 1.0 / joint.length,
        "periods": joint.length,
        "pre_periods": start,
    }
    return Interval(
        std_error=math.nan,
        lower=lower,
        upper=upper,
        p_value=tested(0.0),
        path_lower=path[0],
        path_upper=path[1],
        path_p_value=path[2],
        notes=notes,
        details={"conformal": details},
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone; by independent permutations where too few cyclic shifts exist to reject anything at 5 %."""
    joint = _question(pipeline, panel, _window(panel)[1])
    return (_moving_block(joint) if joint.length >= 20 else _independent(joint, rng))(0.0)


@dataclass(frozen=True, slots=True)
class _Question:
    """Which effect is asked about: a panel of the periods before the start and the tested ones, `places` being the latter."""

    pipeline: Pipeline
    panel: Panel
    places: Indices

    @property
    def length(self) -> int:
        """How many periods are permuted."""
        return self.panel.n_periods


def _question(pipeline: Pipeline, panel: Panel, window: Indices) -> _Question:
    start = panel.starts[0]
    columns = np.concatenate([np.arange(start), window])
    return _Question(pipeline, _columns(panel, columns), np.arange(start, columns.size))


def _sizes(question: _Question, effect: float) -> Array:
    """(periods,) sizes of the gaps when `effect` is taken off the tested cells and the model is fitted on all periods."""
    panel = question.panel
    outcome = panel.outcome.copy()
    outcome[np.ix_(np.flatnonzero(panel.treated), question.places)] -= effect
    gaps = question.pipeline.gaps(panel.with_outcome(outcome))
    if gaps is None:
        raise EstimationError(
            f"conformal: {question.pipeline.method.name} has no fit with the null imposed on all periods; "
            "did, synthetic_control and synthetic_did have"
        )
    return np.abs(gaps)


def _moving_block(question: _Question) -> PValue:
    """Share of the cyclic shifts whose mean |gap| at the tested places is at least the actual one."""
    places = (question.places[None, :] + np.arange(question.length)[:, None]) % question.length
    return lambda effect: _share_as_large(_sizes(question, effect), places)


def _independent(question: _Question, rng: Rng) -> PValue:
    """The same for arbitrary choices of as many periods: all of them, or a sample that holds the actual one (first)."""
    length, count = question.length, int(question.places.size)
    if math.comb(length, count) <= MOST_SUBSETS:
        others = [rows for rows in itertools.combinations(range(length), count) if rows != tuple(question.places)]
        places = np.array([tuple(question.places), *others])
    else:
        drawn = rng.permuted(np.tile(np.arange(length), (MOST_SUBSETS - 1, 1)), axis=1)[:, :count]
        places = np.vstack([question.places, drawn])
    return lambda effect: _share_as_large(_sizes(question, effect), places)


def _share_as_large(sizes: Array, places: Indices) -> float:
    """Share of the rows of `places` with a mean size at least that of the first row; rounding counts as equal."""
    means = sizes[places].mean(axis=1)
    return float((means >= means[0] - 1e-10 * sizes.max()).mean())


def _columns(panel: Panel, keep: Indices) -> Panel:
    """The panel of the given periods only, in order; gaps between them do not matter to a fit on all periods."""
    start = np.where(panel.treated, int((keep < panel.starts[0]).sum()), keep.size)
    return Panel(
        outcome=panel.outcome[:, keep],
        units=panel.units,
        periods=tuple(panel.periods[index] for index in keep),
        start=start,
        size=None if panel.size is None else panel.size[:, keep],
        cluster=panel.cluster,
        region=panel.region,
        region_names=panel.region_names,
        covariates={key: value[:, keep] if value.ndim == 2 else value for key, value in panel.covariates.items()},
        cycle={key: value[..., keep] for key, value in panel.cycle.items()},
    )


def _window(panel: Panel) -> tuple[int, Indices]:
    if len(panel.starts) != 1:
        raise EstimationError("conformal: the treated units need one common start")
    if not panel.balanced:
        raise EstimationError("conformal: it needs an observation of every unit in every period")
    return panel.starts[0], np.flatnonzero(panel.target.any(axis=0))


def _suited(joint: _Question, level: float, rng: Rng) -> tuple[PValue, tuple[Note, ...]]:
    if 1.0 / joint.length <= 1.0 - level + 1e-12:
        return _moving_block(joint), ()
    note = Note(
        "conformal_few_periods",
        f"{joint.length} periods allow no moving-block p-value below {1.0 / joint.length:.3f}; p-value and interval permute periods "
        "as if the gaps were independent over time.",
        {"periods": joint.length, "smallest_p": 1.0 / joint.length},
    )
    return _independent(joint, rng), (note,)


FINE, COARSE = 100, 16
"""Steps in a typical gap: for the headline, and for the interval of a single period."""

REACH = 3
"""The search ends this many typical gaps beyond the last effect that was not rejected."""


def _invert(question: _Question, p_value: PValue, centre: float, alpha: float, steps: int) -> tuple[float, float]:
    """The smallest and largest effect that are not rejected: NaN where all are, infinite where no size of effect is.

    The set need not be an interval, so the search walks outward in even steps, past gaps, until nothing was accepted for
    `REACH` typical gaps; the last change from accepted to rejected is then bisected. A typical gap is the mean gap of the fit
    with the estimate imposed, so the search moves and scales with the data.
    """
    accepted_at = 1e-9 + alpha
    sizes = _sizes(question, centre)
    step = float(sizes.mean()) / steps
    if not (math.isfinite(centre) and step > 0.0):
        return math.nan, math.nan
    limits = []
    furthest = 100 * REACH * steps
    for sign in (-1.0, 1.0):
        if p_value(centre + sign * furthest * step) > accepted_at:
            limits.append(sign * math.inf)  # too few permutations to reject anything, however large
            continue
        last, here = None, 0
        while here - (0 if last is None else last) <= REACH * steps and here < furthest:
            if p_value(centre + sign * here * step) > accepted_at:
                last = here
            here += 1
        if last is None:
            limits.append(math.nan)
            continue
        inside, outside = float(last), float(last + 1)
        while outside - inside > 1e-5:
            middle = 0.5 * (inside + outside)
            if p_value(centre + sign * middle * step) > accepted_at:
                inside = middle
            else:
                outside = middle
        limits.append(centre + sign * inside * step)
    lower, upper = limits
    return (upper if math.isnan(lower) else lower), (lower if math.isnan(upper) else upper)


def unsuited(panel: Panel) -> Note | None:
    """Not sharp with few periods."""
    return None


METHOD = Inference(
    name="conformal",
    summary="permutes the treated unit's gaps over time with the hypothesis imposed; needs stationary gaps",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Chernozhukov, Wüthrich & Zhu (2021), Journal of the American Statistical Association 116(536)",
)
