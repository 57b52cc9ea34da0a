"""Intervals that stay right when trends differ: how much, and what it would take to lose the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import ndtri

from evaluation.contracts import Rng
from evaluation.errors import EstimationError
from evaluation.honest.conditional import Dual, FirstStage, lines_of
from evaluation.honest.duals import moments, vertices
from evaluation.honest.flci import FixedLength, fixed_length
from evaluation.honest.programs import Programs, extremes
from evaluation.honest.restrictions import (
    Direction,
    Polyhedron,
    linear_trend_bounded,
    parallel_trends_bounded,
    smooth,
)
from evaluation.panel import Array

Way: TypeAlias = Literal["FLCI", "Conditional", "C-F", "C-LF"]
"""Fixed length; conditional test; conditional after a first stage by fixed length, or by the least favourable quantile."""

FIRST_SHARE = 0.1
"""κ/α: the share of the level that the first stage of a hybrid test takes, as Rambachan & Roth (2023) choose it."""

DRAWS = 20_000
"""Draws for a least favourable quantile: at κ = 0.005 their error moves an end by about 0.003 of that end's standard error."""


@dataclass(frozen=True, slots=True)
class EventStudy:
    """Effects by period and their covariance, and the weighted sum of those after the start that is asked for.

    Attributes
    ----------
    effects : Array
        (K + T,) effects at the K periods before the reference period and the T after it, in time's order and without the
        reference period, in the outcome's unit.
    covariance : Array
        (K + T, K + T) their sampling covariance.
    weights : Array
        (T,) l: the target is l'τ.
    """

    effects: Array
    covariance: Array
    weights: Array

    @property
    def n_post(self) -> int:
        """T."""
        return self.weights.size

    @property
    def n_pre(self) -> int:
        """K."""
        return self.effects.size - self.weights.size

    @property
    def target(self) -> float:
        """The estimate of l'τ if trends are parallel."""
        return float(self.weights @ self.effects[self.n_pre :])

    @property
    def std_error(self) -> float:
        """Its standard error."""
        after = self.covariance[self.n_pre :, self.n_pre :]
        return math.sqrt(max(float(self.weights @ after @ self.weights), 0.0))


@dataclass(frozen=True, slots=True)
class RobustInterval:
    """What a restriction on trends leaves: the values of l'τ that are not rejected.

    `bound` is M̄ or M. Limits are infinite where nothing is rejected on that side; both are NaN where everything is, which says
    that no trend within the bound fits the effects before the start.
    """

    bound: float
    lower: float
    upper: float

    def holds(self, value: float) -> bool:
        """Whether `value` is in it."""
        return self.lower <= value <= self.upper


def event_study(
    effects: Sequence[float] | Array,
    covariance: Sequence[Sequence[float]] | Array,
    n_pre: int,
    n_post: int,
    weights: Sequence[float] | Array | None = None,
) -> EventStudy:
    """Check and put together what every function here takes; without `weights` the first period after the start.

    Raises
    ------
    EstimationError
        Sizes do not fit, something is not a number, or the covariance is none.
    """
    values, matrix = np.asarray(effects, dtype=np.float64).ravel(), np.asarray(covariance, dtype=np.float64)
    target = np.eye(max(n_post, 1))[0] if weights is None else np.asarray(weights, dtype=np.float64).ravel()
    problems = []
    if n_pre < 1 or n_post < 1:
        problems.append("it takes at least one period before the reference period and one after it")
    if values.size != n_pre + n_post:
        problems.append(f"there are {values.size} effects for {n_pre} + {n_post} periods")
    if matrix.shape != (values.size, values.size):
        problems.append(f"the covariance is {matrix.shape}, not {values.size} × {values.size}")
    if target.size != n_post:
        problems.append(f"there are {target.size} weights for {n_post} periods after the start")
    if not (np.isfinite(values).all() and np.isfinite(matrix).all() and np.isfinite(target).all()):
        problems.append("an effect, a covariance or a weight is not a number")
    elif not np.any(target):
        problems.append("all weights are zero, so nothing is asked for")
    if not problems:
        scale = float(np.abs(matrix).max())
        if np.abs(matrix - matrix.T).max() > 1e-8 * scale or np.linalg.eigvalsh(matrix).min() < -1e-8 * scale:
            problems.append("the covariance is not symmetric and positive semi-definite")
        elif scale == 0.0:
            problems.append("the covariance is zero")
    if problems:
        raise EstimationError(*(f"honest_did: {problem}" for problem in problems))
    return EventStudy(values, (matrix + matrix.T) / 2.0, target)


def original(study: EventStudy, level: float = 0.95) -> tuple[float, float]:
    """The interval that takes parallel trends for granted."""
    half = float(ndtri(0.5 + level / 2.0)) * study.std_error
    return study.target - half, study.target + half


def relative_magnitudes(
    study: EventStudy,
    bounds: Iterable[float],
    *,
    level: float = 0.95,
    way: Way = "C-LF",
    also: Direction | None = None,
    linear: bool = False,
    rng: Rng | None = None,
    draws: int = DRAWS,
) -> tuple[RobustInterval, ...]:
    """Intervals for l'τ when trends may part after the start by up to M̄ times as much per period as they did before.

    Parameters
    ----------
    bounds : iterable of float
        M̄, each at least 0. With 0 trends are parallel after the start.
    way : "C-LF" or "Conditional"
        The authors recommend C-LF here.
    also : "increasing", "decreasing", "positive", "negative", optional
        A further restriction on the difference in trends.
    linear : bool
        Measure departures from a straight line (second differences) instead of from parallel trends; needs K ≥ 2.
    rng : Rng, optional
        For the least favourable quantiles; by default a fixed stream.

    Raises
    ------
    EstimationError
        A bound is negative, or there are too few periods before.

    References
    ----------
    Rambachan & Roth (2023), Review of Economic Studies 90(5), section 2.4.1 (Δ^RM) and section 3 (tests).
    """
    noise = _noise(study, draws, rng) if way == "C-LF" else None
    return tuple(
        RobustInterval(bound, *_union(study, _relative(study, bound, also, linear), level, way, noise, None))
        for bound in _checked(bounds)
    )


def smoothness(
    study: EventStudy,
    bounds: Iterable[float],
    *,
    level: float = 0.95,
    way: Way | None = None,
    also: Direction | None = None,
    rng: Rng | None = None,
    draws: int = DRAWS,
) -> tuple[RobustInterval, ...]:
    """Intervals for l'τ when the difference in trends bends by at most M from one period to the next.

    Parameters
    ----------
    bounds : iterable of float
        M in the outcome's unit per period, each at least 0. With 0 the difference is a straight line.
    way : optional
        By default the fixed-length interval; C-F with a further restriction, which fixed length does not use.
    also : "increasing", "decreasing", "positive", "negative", optional
        A further restriction on the difference in trends.

    References
    ----------
    Rambachan & Roth (2023), section 2.4.2 (Δ^SD), section 4 (fixed length).
    """
    chosen: Way = way or ("FLCI" if also is None else "C-F")
    noise = _noise(study, draws, rng) if chosen == "C-LF" else None
    found = []
    for bound in _checked(bounds):
        if chosen == "FLCI":
            flat = fixed_length(study.effects, study.covariance, study.weights, bound, level)
            found.append(RobustInterval(bound, flat.centre - flat.half, flat.centre + flat.half))
            continue
        first = None
        if chosen == "C-F":
            kappa = FIRST_SHARE * (1.0 - level)
            first = fixed_length(study.effects, study.covariance, study.weights, bound, 1.0 - kappa)
        shapes = smooth(study.n_pre, study.n_post, bound, also)
        found.append(RobustInterval(bound, *_union(study, shapes, level, chosen, noise, first)))
    return tuple(found)


def breakdown(
    study: EventStudy,
    kind: Literal["relative_magnitudes", "smoothness"] = "relative_magnitudes",
    *,
    level: float = 0.95,
    null: float = 0.0,
    rng: Rng | None = None,
    draws: int = DRAWS,
) -> float:
    """The largest bound up to which every robust interval leaves `null` out.

    By bisection between the first bound found to hold it and the last one before. 0 where the interval with bound 0 holds it
    already; infinite where no bound does, because trends before the start did not differ at all.
    """
    if kind == "smoothness":
        scale = max(study.std_error, abs(study.target - null)) / max(1.0, float(study.n_post))

        def holds(bound: float) -> bool:
            return smoothness(study, [bound], level=level)[0].holds(null)
    else:
        scale, noise = 1.0, _noise(study, draws, rng)

        def holds(bound: float) -> bool:
            return _holds(study, _relative(study, bound, None, False), level, noise, null)

    return _first(holds, scale)


SMALLEST_SHARE, LARGEST_POWER, HALVINGS = 1.0 / 16.0, 14, 18
"""The first bound tried is 1/16 of its scale; it is doubled up to 14 times, and the last step halved 18 times."""


def _first(holds: Callable[[float], bool], scale: float) -> float:
    if holds(0.0):
        return 0.0
    low, high = 0.0, SMALLEST_SHARE * scale
    for _ in range(LARGEST_POWER + 1):
        if holds(high):
            break
        low, high = high, 2.0 * high
    else:
        return math.inf
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if holds(middle) else (middle, high)
    return low


def identified_set(study: EventStudy, shapes: Iterable[Polyhedron]) -> tuple[float, float]:
    """The values of l'τ that are possible if the effects before and after the start were known without error.

    The union over the polyhedra of l'β − l'δ with δ equal to the effects before the start; the estimate alone where no δ of any
    polyhedron is.

    References
    ----------
    Rambachan & Roth (2023), Lemma 2.1.
    """
    found = [extremes(shape, study.effects[: study.n_pre], study.weights) for shape in shapes]
    bounds = [each for each in found if each is not None]
    if not bounds:
        return study.target, study.target
    return study.target - max(high for _, high in bounds), study.target - min(low for low, _ in bounds)


def identified_by(study: EventStudy, bound: float) -> tuple[float, float]:
    """`identified_set` of Δ^RM(M̄), in closed form: l'β ± M̄ × the largest step before × Σ_t |Σ_{s ≥ t} l_s|."""
    half = bound * largest_step(study) * float(np.abs(np.cumsum(study.weights[::-1])).sum())
    return study.target - half, study.target + half


def largest_step(study: EventStudy) -> float:
    """The largest change of the effects from one period to the next before the start, the reference period's zero included."""
    return float(np.abs(np.diff(np.append(study.effects[: study.n_pre], 0.0))).max())


# ---------------------------------------------------------------------- one bound


def _checked(bounds: Iterable[float]) -> list[float]:
    found = [float(bound) for bound in bounds]
    if any(not (math.isfinite(bound) and bound >= 0.0) for bound in found):
        raise EstimationError("honest_did: a bound on the difference in trends is at least 0")
    return found


def _relative(study: EventStudy, bound: float, also: Direction | None, linear: bool) -> list[Polyhedron]:
    if linear and study.n_pre < 2:
        raise EstimationError(
            "honest_did: a straight line before the start takes two periods before the reference period"
        )
    build = linear_trend_bounded if linear else parallel_trends_bounded
    return build(study.n_pre, study.n_post, bound, also)


def _noise(study: EventStudy, draws: int, rng: Rng | None) -> Array:
    """(K + T, draws) noise of the effects; each draw with its mirror, so that an effect of the other sign is treated alike."""
    values, vectors = np.linalg.eigh(study.covariance)
    # the symmetric root is the only one, whatever the order and the signs of the vectors
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    generator = np.random.Generator(np.random.PCG64(0)) if rng is None else rng
    half = root @ generator.standard_normal((study.effects.size, (draws + 1) // 2))
    return np.hstack([half, -half])


def _union(
    study: EventStudy, shapes: list[Polyhedron], level: float, way: Way, noise: Array | None, fixed: FixedLength | None
) -> tuple[float, float]:
    """The least and the greatest value that some polyhedron of the union does not reject."""
    lower, upper = math.inf, -math.inf
    for dual, first, outer in _widest_first(study, shapes, level, way, noise, fixed):
        if lower <= upper and not _may_add(study, dual, first, outer, (lower, upper)):
            continue
        ends = dual.prepared(_hybrid(dual, first, noise), study.covariance).ends()
        if ends is not None:
            lower, upper = min(lower, ends[0]), max(upper, ends[1])
    return (lower, upper) if lower <= upper else (math.nan, math.nan)


def _may_add(
    study: EventStudy, dual: Dual, first: FirstStage, outer: tuple[float, float], known: tuple[float, float]
) -> bool:
    """Whether a polyhedron may keep values outside what is found already, judged without draws.

    With the upper limit in place of the least favourable quantile both stages keep more; what lies outside is looked at on a grid
    whose ends are the known ones, so that a set that reaches a little further is not missed.
    """
    if known[0] <= outer[0] and outer[1] <= known[1]:
        return False
    if not (math.isfinite(outer[0]) and math.isfinite(outer[1])):
        return True
    generous = dual.prepared(replace(first, largest=dual.limits(first.kappa)[1]), study.covariance)
    return generous.keeps_any(
        [np.linspace(outer[0], min(outer[1], known[0]), 300), np.linspace(max(outer[0], known[1]), outer[1], 300)]
    )


def _holds(study: EventStudy, shapes: list[Polyhedron], level: float, noise: Array, value: float) -> bool:
    """Whether some polyhedron of the union does not reject `value`, by C-LF.

    A larger least favourable quantile keeps more in both stages: what is kept with its lower limit is kept, and what is rejected
    with its upper limit is rejected. Draws are made for the others alone.
    """
    known = _widest_first(study, shapes, level, "C-LF", noise, None)
    open_ones = []
    for dual, first, outer in known:
        if not outer[0] <= value <= outer[1]:
            continue
        least, most = (replace(first, largest=limit) for limit in dual.limits(first.kappa))
        if dual.prepared(least, study.covariance).keeps(value):
            return True
        if math.isinf(most.largest) or dual.prepared(most, study.covariance).keeps(value):
            open_ones.append((dual, first))
    return any(dual.prepared(_hybrid(dual, first, noise), study.covariance).keeps(value) for dual, first in open_ones)


def _widest_first(
    study: EventStudy, shapes: list[Polyhedron], level: float, way: Way, noise: Array | None, fixed: FixedLength | None
) -> list[tuple[Dual, FirstStage, tuple[float, float]]]:
    """Each polyhedron's dual, first stage so far, and an interval that surely holds its set; those that reach furthest first."""
    alpha = 1.0 - level
    kappa = FIRST_SHARE * alpha
    first = FirstStage(alpha if way == "Conditional" else (alpha - kappa) / (1.0 - kappa), kappa)
    if fixed is not None:
        first = replace(first, weights=fixed.weights, centre=fixed.centre, half=fixed.half)
    found = []
    for shape in shapes:
        dual = _dual(study, shape)
        outer = (-math.inf, math.inf) if noise is None else dual.reach(dual.limits(kappa)[1])
        found.append((dual, first, outer))
    return sorted(found, key=lambda each: each[2][0] - each[2][1])


def _dual(study: EventStudy, shape: Polyhedron) -> Dual:
    tested = moments(shape, study.covariance, study.weights)
    duals = vertices(tested, study.weights)
    if duals is None:
        return Programs(tested, study.effects, study.covariance, study.weights)
    return lines_of(duals, tested, study.effects, study.covariance, study.weights)


def _hybrid(dual: Dual, first: FirstStage, noise: Array | None) -> FirstStage:
    """The first stage, with its least favourable quantile where that is what it is."""
    return first if noise is None else replace(first, largest=dual.least_favourable(noise, first.kappa))
