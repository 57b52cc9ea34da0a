"""Robust intervals against slow twins: linear programs for every value, searches for every optimum, draws for every size."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog, minimize
from scipy.stats import norm, truncnorm

from evaluation import honest
from evaluation.honest import conditional, duals, restrictions, sensitivity
from evaluation.honest.programs import Programs


def some_study(seed: int, n_pre: int, n_post: int, weights: np.ndarray | None = None) -> honest.EventStudy:
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(n_pre + n_post, 2 * (n_pre + n_post)))
    covariance = mix @ mix.T / mix.shape[1]
    effects = rng.normal(size=n_pre + n_post) + np.r_[np.zeros(n_pre), np.full(n_post, 1.5)]
    return honest.event_study(effects, covariance, n_pre, n_post, weights)


SHAPES = [
    ("differences", lambda k, t: restrictions.parallel_trends_bounded(k, t, 0.7)[1]),
    ("differences, the other sign", lambda k, t: restrictions.parallel_trends_bounded(k, t, 1.3)[-1]),
    ("second differences", lambda k, t: restrictions.linear_trend_bounded(k, t, 0.5)[0]),
    ("smooth", lambda k, t: restrictions.smooth(k, t, 0.4)[0]),
    ("straight", lambda k, t: restrictions.smooth(k, t, 0.0)[0]),
    ("smooth and increasing", lambda k, t: restrictions.smooth(k, t, 0.4, "increasing")[0]),
    ("smooth and negative", lambda k, t: restrictions.smooth(k, t, 0.4, "negative")[0]),
    ("differences, decreasing", lambda k, t: restrictions.parallel_trends_bounded(k, t, 0.7, "decreasing")[0]),
]


def slow_p_value(known: honest.EventStudy, of: duals.Moments, value: float) -> float:
    """The conditional test of one value, from the definition: the smallest η by a program over nuisance parameters; its
    multipliers; and the bounds between which those stay optimal, by bisection on the program of the multipliers."""
    pivot = int(np.argmax(np.abs(known.weights)))
    after = of.rows[:, known.n_pre :]
    at = of.rows @ known.effects - of.limits - after[:, pivot] / known.weights[pivot] * value
    variance = of.rows @ known.covariance @ of.rows.T
    solved = linprog(np.r_[1.0, np.zeros(of.system.shape[1] - 1)], A_ub=-of.system, b_ub=-at, bounds=(None, None))
    statistic, gamma = float(solved.fun), -np.asarray(solved.ineqlin.marginals)
    spread = float(gamma @ variance @ gamma)
    if spread < 1e-12:
        return 0.0 if statistic > 1e-9 else 1.0
    along = variance @ gamma / spread
    rest = at - along * statistic

    def stays(x: float) -> bool:
        right = np.r_[1.0, np.zeros(of.system.shape[1] - 1)]
        best = -linprog(-(rest + along * x), A_eq=of.system.T, b_eq=right).fun
        return bool(best <= x + 1e-7)

    def bound(side: float) -> float:
        inside, outside = statistic, statistic + side * 40.0
        if stays(outside):
            return side * math.inf
        for _ in range(26):
            middle = (inside + outside) / 2.0
            inside, outside = (middle, outside) if stays(middle) else (inside, middle)
        return inside

    root = math.sqrt(spread)
    low, high = bound(-1.0) / root, bound(1.0) / root
    return float(truncnorm.sf(statistic / root, low, high)) if high - low > 1e-6 else 1.0


@pytest.mark.parametrize(("name", "build"), SHAPES, ids=[name for name, _ in SHAPES])
def test_vertices_and_programs_decide_as_the_definition_does(name, build):
    """All three at values near the ends of the interval; where the slow p-value lies within the solver's tolerance of the level
    nothing is compared."""
    compared = 0
    for n_pre, n_post, weights in ((2, 1, None), (3, 3, np.array([0.5, 0.2, -0.3]))):
        known = some_study(n_pre, n_pre, n_post, weights)
        of = duals.moments(build(n_pre, n_post), known.covariance, known.weights)
        vertices = duals.vertices(of, known.weights)
        assert vertices is not None
        first = conditional.FirstStage(0.05, 0.005)
        quick = conditional.lines_of(vertices, of, known.effects, known.covariance, known.weights)
        solved = Programs(of, known.effects, known.covariance, known.weights)
        values = known.target + known.std_error * np.array([-1.4, 2.2])
        tested = quick.prepared(first, known.covariance).test(values)
        again = np.array([solved._keeps(float(value), first, known.covariance) for value in values])
        for value, one, other in zip(values, tested, again, strict=True):
            slow = slow_p_value(known, of, float(value))
            if abs(slow - 0.05) > 1e-4:
                assert one == other == (slow >= 0.05), f"{name} at {value}: {slow}"
                compared += 1
    assert compared >= 3


@pytest.mark.parametrize(("name", "build"), SHAPES, ids=[name for name, _ in SHAPES])
def test_the_vertices_give_the_statistic_of_the_program(name, build):
    """Closed form or enumerated: no vertex is missing, or the largest value would be too small somewhere."""
    known = some_study(7, 3, 4, np.full(4, 0.25))
    of = duals.moments(build(3, 4), known.covariance, known.weights)
    vertices = duals.vertices(of, known.weights)
    assert vertices is not None
    assert np.abs(vertices @ of.system - np.eye(4)[0]).max() < 1e-9
    rng = np.random.default_rng(1)
    for _ in range(20):
        at = rng.normal(size=len(of.rows))
        least = linprog(np.r_[1.0, np.zeros(3)], A_ub=-of.system, b_ub=-at, bounds=(None, None)).fun
        assert (vertices @ at).max() == pytest.approx(least, abs=1e-8)  # the solver's tolerance


def test_many_rows_take_programs_and_give_the_same_interval(monkeypatch):
    """What decides between vertices and programs is how many there are, not what comes out."""
    known = some_study(3, 2, 2)
    shape = honest.smooth(2, 2, 0.3, "increasing")[0]
    first = conditional.FirstStage(0.05, 0.005, weights=np.ones(4), centre=known.target, half=2.5 * known.std_error)
    listed = sensitivity._dual(known, shape)
    monkeypatch.setattr(duals, "MOST_BASES", 0)
    solved = sensitivity._dual(known, shape)
    assert isinstance(listed, conditional.Lines)
    assert isinstance(solved, Programs)
    assert solved.reach(2.0) == pytest.approx(listed.reach(2.0), abs=1e-6)  # the solver's tolerance
    monkeypatch.setattr(conditional, "BITS", 10)
    ends = [replace(dual.prepared(first, known.covariance), grid=16).ends() for dual in (listed, solved)]
    assert ends[0] is not None
    # the second one's end lies within 2⁻¹⁰ of a step of the grid, the first one's nearer still
    assert ends[1] == pytest.approx(ends[0], abs=2.0 * 5.0 * known.std_error / 16 / 2**10)


@pytest.mark.parametrize("bound", [0.0, 0.05, 0.5, 5.0])
@pytest.mark.parametrize("n_pre", [1, 2, 5])
def test_the_fixed_length_interval_is_the_shortest(n_pre, bound):
    """No other weights before the start, found by a search from many places, give a shorter one."""
    known = some_study(11 + n_pre, n_pre, 3, np.array([0.2, 0.3, 0.5]))
    found = honest.fixed_length(known.effects, known.covariance, known.weights, bound, 0.95)
    second = np.delete(np.diff(np.eye(n_pre + 4), n=2, axis=0), n_pre, axis=1)

    def half(before: np.ndarray) -> float:
        combined = np.r_[before, known.weights]
        # the multiples of second differences that make up the combination; any straight line in it has no bound
        parts, _, _, _ = np.linalg.lstsq(second.T, combined, rcond=None)
        if np.abs(second.T @ parts - combined).max() > 1e-8:
            return math.inf
        error = math.sqrt(combined @ known.covariance @ combined)
        return error * honest.folded_normal_quantile(bound * np.abs(parts).sum() / error, 0.95)

    assert half(found.weights[:n_pre]) == pytest.approx(found.half, rel=1e-9)
    free = second[: n_pre - 1, :n_pre]
    best = found.half
    rng = np.random.default_rng(0)
    for _ in range(2 if n_pre > 1 else 0):
        search = minimize(
            lambda move: half(found.weights[:n_pre] + free.T @ move),
            rng.normal(size=n_pre - 1),
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 600},
        )
        best = min(best, float(search.fun))
    assert best >= found.half * (1.0 - 1e-8)


def test_the_identified_set_by_programs_is_that_of_the_closed_form():
    for seed in range(4):
        known = some_study(seed, 4, 3, np.array([0.6, -0.1, 0.5]))
        for bound in (0.0, 0.5, 2.0):
            shapes = honest.parallel_trends_bounded(4, 3, bound)
            assert honest.identified_set(known, shapes) == pytest.approx(honest.identified_by(known, bound), abs=1e-6)


def test_the_conditional_test_rejects_as_often_as_promised():
    """At the upper end of the identified set of a smooth difference: 5 % of 1500 draws, within four standard errors (of 0.56 %)."""
    n_pre, n_post, bound = 2, 2, 0.3
    known = some_study(5, n_pre, n_post)
    shape = honest.smooth(n_pre, n_post, bound)[0]
    # δ bends as far down as it may around the reference period, so the first effect is β_1 + 0.3 at most
    difference = np.array([0.0, 0.0, -bound, -3.0 * bound])
    of = duals.moments(shape, known.covariance, known.weights)
    vertices = duals.vertices(of, known.weights)
    assert vertices is not None
    rng, first, rejected, count = np.random.default_rng(2), conditional.FirstStage(0.05, 0.005), 0, 1500
    for noise in rng.multivariate_normal(difference, known.covariance, size=count):
        quick = conditional.lines_of(vertices, of, noise, known.covariance, known.weights)
        rejected += not quick.prepared(first, known.covariance).test(np.array([0.0]))[0]
    assert abs(rejected / count - 0.05) < 4.0 * math.sqrt(0.05 * 0.95 / count)


def test_robust_intervals_cover_where_the_bound_is_met_and_the_plain_one_does_not():
    """A difference that grows after the start as fast as it once did before: within Δ^RM(1), so the interval for M̄ = 1 covers
    the true effect (here zero) in at least 95 of 100 draws, and the one for parallel trends hardly ever."""
    difference = np.array([1.0, 1.0, 0.0, 1.0, 2.0])
    covariance = 0.04 * (np.eye(5) + 0.5)
    rng, count = np.random.default_rng(3), 120
    covered, plain = 0, 0
    for draw in rng.multivariate_normal(difference[[0, 1, 3, 4]], covariance[:4, :4], size=count):
        known = honest.event_study(draw, covariance[:4, :4], 2, 2, [0.5, 0.5])
        noise = sensitivity._noise(known, 1000, np.random.default_rng(0))
        shapes = honest.parallel_trends_bounded(2, 2, 1.0)
        covered += sensitivity._holds(known, shapes, 0.95, noise, 0.0)
        lower, upper = honest.original(known)
        plain += lower <= 0.0 <= upper
    assert covered >= 0.95 * count - 2.0 * math.sqrt(0.95 * 0.05 * count)
    assert plain < 0.05 * count


def test_truncated_p_values_keep_their_digits_in_the_tail():
    """Against scipy where that has digits, and against the ratio of tails where it has none."""
    statistic, low, high = np.array([1.2, 2.5, 0.3]), np.array([0.5, -np.inf, -1.0]), np.array([np.inf, 2.8, 3.0])
    ours = conditional.truncated_p_value(statistic, low, high, np.ones(3))
    assert ours == pytest.approx(truncnorm.sf(statistic, low, high), rel=1e-10)
    far = conditional.truncated_p_value(np.array([50.02]), np.array([50.0]), np.array([np.inf]), np.ones(1))
    assert far[0] == pytest.approx(math.exp(norm.logsf(50.02) - norm.logsf(50.0)), rel=1e-9)
    assert conditional.truncated_p_value(np.array([1.0]), np.array([1.0]), np.array([1.0]), np.ones(1))[0] == 1.0
