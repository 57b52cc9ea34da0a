"""Conformal inference: under a hypothesis the treated unit's gaps should look alike before and after."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from evaluation.contracts import Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.panel import Array, Indices, Panel
from evaluation.result import Note, Value

MOST_SUBSETS = 5000
"""Independent-errors permutations: all choices of periods when there are no more than these, else a seeded sample."""


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Impose a hypothetical effect, refit on all periods, and permute the gaps over time.

    The p-value uses cyclic shifts of the gaps (moving blocks), valid for stationary, serially dependent gaps. The interval
    inverts that test for a constant effect over the window; where too few shifts exist for this level, it inverts the test
    that permutes periods as if gaps were independent, and says so.

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
    joint = _P(pipeline, panel, window)
    p_value = joint.moving_block(0.0)
    tested, notes = _suited(joint, level, rng)
    lower, upper = _invert(tested, fit.att, _reach(fit.effects), 1.0 - level)
    times = fit.effects.size
    path = np.full((3, times), np.nan)
    for index in window if fit.periods is not None else ():
        place = int(np.flatnonzero(fit.periods == index)[0])
        single = _P(pipeline, panel, np.array([index]))
        path[2, place] = single.moving_block(0.0)
        if 1.0 / single.length <= 1.0 - level:
            path[:2, place] = _invert(single.moving_block, fit.effects[place], _reach(fit.effects), 1.0 - level)
    details: dict[str, Value] = {
        "p_moving_block": p_value,
        "p_independent": joint.independent(rng)(0.0),
        "smallest_p": 1.0 / joint.length,
        "periods": joint.length,
        "pre_periods": start,
    }
    return Interval(
        std_error=math.nan,
        lower=lower,
        upper=upper,
        p_value=p_value,
        path_lower=path[0],
        path_upper=path[1],
        path_p_value=path[2],
        notes=notes,
        details={"conformal": details},
    )


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone; by independent permutations where too few cyclic shifts exist to reject anything at 5 %."""
    joint = _P(pipeline, panel, _window(panel)[1])
    return joint.moving_block(0.0) if joint.length >= 20 else joint.independent(rng)(0.0)


class _P:
    """p-values of a constant effect over some periods, by two ways of permuting the null-imposed gaps."""

    def __init__(self, pipeline: Pipeline, panel: Panel, window: Indices) -> None:
        start = panel.starts[0]
        columns = np.concatenate([np.arange(start), window])
        self._pipeline = pipeline
        self._panel = panel
        self._columns = columns
        self._tested = np.arange(start, columns.size)
        self.length = int(columns.size)

    def _gaps(self, effect: float) -> Array:
        outcome = self._panel.outcome.copy()
        treated = np.flatnonzero(self._panel.treated)
        outcome[np.ix_(treated, self._columns[self._tested])] -= effect
        imposed = _columns(self._panel.with_outcome(outcome), self._columns)
        gaps = self._pipeline.gaps(imposed)
        if gaps is None:
            raise EstimationError(
                f"conformal: {self._pipeline.method.name} has no fit with the null imposed on all periods; "
                "did, synthetic_control and synthetic_did have"
            )
        return np.abs(gaps)

    def moving_block(self, effect: float) -> float:
        """Share of the cyclic shifts whose mean |gap| at the tested places is at least the actual one."""
        sizes = self._gaps(effect)
        shifted = sizes[(self._tested[None, :] + np.arange(self.length)[:, None]) % self.length].mean(axis=1)
        return float((shifted >= shifted[0] - 1e-10 * sizes.max()).mean())

    def independent(self, rng: Rng) -> Callable[[float], float]:
        """The same for arbitrary choices of as many periods: all of them, or a sample that holds the actual one."""
        count = int(self._tested.size)
        if math.comb(self.length, count) <= MOST_SUBSETS:
            subsets = np.array(list(itertools.combinations(range(self.length), count)))
        else:
            drawn = rng.permuted(np.tile(np.arange(self.length), (MOST_SUBSETS - 1, 1)), axis=1)[:, :count]
            subsets = np.vstack([self._tested, drawn])

        def p_value(effect: float) -> float:
            sizes = self._gaps(effect)
            actual = sizes[self._tested].mean()
            return float((sizes[subsets].mean(axis=1) >= actual - 1e-10 * sizes.max()).mean())

        return p_value


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


def _suited(joint: _P, level: float, rng: Rng) -> tuple[Callable[[float], float], tuple[Note, ...]]:
    if 1.0 / joint.length <= 1.0 - level + 1e-12:
        return joint.moving_block, ()
    note = Note(
        "conformal_few_periods",
        f"{joint.length} periods allow no moving-block p-value below {1.0 / joint.length:.3f}; the interval permutes periods "
        "as if the gaps were independent over time.",
        {"periods": joint.length, "smallest_p": 1.0 / joint.length},
    )
    return joint.independent(rng), (note,)


def _reach(effects: Array) -> float:
    return max(float(np.nanstd(effects)), 1e-3 * float(np.nanmax(np.abs(effects), initial=0.0)), 1e-12)


def _invert(p_value: Callable[[float], float], centre: float, step: float, alpha: float) -> tuple[float, float]:
    """The limits of the effects around `centre` that are not rejected: doubling steps out, then bisection to 1e-6 of a step."""
    if not math.isfinite(centre) or p_value(centre) <= alpha:
        return math.nan, math.nan
    limits = []
    for sign in (-1.0, 1.0):
        inside, distance = 0.0, step
        while p_value(centre + sign * distance) > alpha:
            inside, distance = distance, 2.0 * distance
            if distance > 1e6 * step:
                inside = math.inf
                break
        outside = distance
        while math.isfinite(inside) and outside - inside > 1e-6 * step:
            middle = 0.5 * (inside + outside)
            if p_value(centre + sign * middle) > alpha:
                inside = middle
            else:
                outside = middle
        limits.append(centre + sign * inside)
    return limits[0], limits[1]


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
