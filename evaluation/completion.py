"""A matrix with missing cells, completed by low rank beside unit and period effects and covariates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from evaluation.low_rank import Decomposition, decomposed, smoothed, smoother
from evaluation.panel import Array, Mask
from evaluation.result import Note

Shrink: TypeAlias = Callable[[Array], Array]
"""Singular values, (values,), falling, to the shares that are kept of them, (values,), in [0, 1]."""

MEMORY = 8
"""How many earlier rounds the extrapolation looks back on."""

MOST_ROUNDS = 500
"""Rounds after which a completion is left as it is, with a note: the cells that are observed hardly tell the ones that are not."""

SETTLED = 1e-8
"""A round that moves no missing cell by more than this, relative to the spread of what is left, is the last."""

ROUGHLY = 1e-5
"""The same for fits that are only looked at beside the answer."""

CHOOSING = 1e-4
"""The same for errors of left-out cells: what they decide between differs by more."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A matrix of low rank beside unit and period effects and covariates, fitted to the observed cells.

    Attributes
    ----------
    coefficients : Array
        (covariates,).
    decomposition : Decomposition
        Of the outcome without the covariates, its missing cells filled with the fit.
    keep : Array
        (values,) the share kept of each singular value.
    objective : float
        Half the sum of squared residuals of the observed cells (+ the penalty).
    moved : float
        The largest last change of a missing cell, relative to the spread: below `SETTLED` where it has converged.
    covariates : Array
        (covariates, units, periods) what was handed in.
    """

    coefficients: Array
    decomposition: Decomposition
    keep: Array
    objective: float
    moved: float
    covariates: Array

    @property
    def fitted(self) -> Array:
        """(units, periods) the fit, covariates included, in missing cells too."""
        last = self.decomposition
        low = (last.rest @ last.factors.T * self.keep) @ last.factors
        fitted = last.periods + last.units[:, None] + low
        return fitted + np.tensordot(self.coefficients, self.covariates, axes=1) if len(self.covariates) else fitted


def hard(rank: int) -> Shrink:
    """Keep the `rank` largest singular values whole: least squares with that many factors."""

    def shares(values: Array) -> Array:
        return np.where(np.arange(values.size) < rank, 1.0, 0.0)

    return shares


def soft(threshold: float) -> Shrink:
    """Lower every singular value by the threshold, to zero at the least: the nuclear norm times the threshold as penalty."""

    def shares(values: Array) -> Array:
        return np.maximum(0.0, 1.0 - threshold / np.maximum(values, 1e-300))

    return shares


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a completion starts from: `periods` (periods,) effects, `factors` (k, periods), their `keep` (k,), coefficients."""

    periods: Array
    factors: Array
    keep: Array
    coefficients: Array


def beginning_of(last: Completion, keep: Array | None = None) -> Beginning:
    """Where the next completion begins that follows this one; `keep` (values,) other shares than its own."""
    found = last.decomposition
    return Beginning(found.periods, found.factors, last.keep if keep is None else keep, last.coefficients)


def completed(
    outcome: Array,
    observed: Mask,
    covariates: Array,
    shrink: Shrink,
    beginning: Beginning | None = None,
    settled: float = SETTLED,
) -> Completion:
    """Fit y_it = α_i + ξ_t + x_it'β + L_it to the observed cells, α, ξ and β free, L of low rank by `shrink`.

    Parameters
    ----------
    outcome : Array
        (units, periods); values in missing cells are ignored.
    observed : Mask
        (units, periods); every period and every unit has at least one observed cell.
    covariates : Array
        (k, units, periods), finite everywhere.
    shrink : Shrink
        `hard(rank)` or `soft(threshold)`: the minimiser of ½‖observed residuals‖² over L of that rank, or with
        threshold·‖L‖_* added.
    beginning : Beginning, optional
        Else that of the fit with unit and period effects alone.
    settled : float
        How little a round must move the missing cells to be the last, relative to the outcome's spread.

    Notes
    -----
    A round has two steps, neither of which can raise the objective. With missing cells and β given, the effects and the
    factors are those of the completed matrix: for `hard` the EM step of Bai (2009, appendix) and Gobillon & Magnac (2016), for
    `soft` that of Mazumder, Hastie & Tibshirani (2010). With the period effects and the factors given, β and the loadings of
    the incomplete units follow by (ridge) regression, and fill the missing cells: the second half of Hastie, Mazumder, Lee &
    Zadeh (2015), Algorithm 3.1. A fixed point of both is one of the EM step alone; it takes far fewer rounds, because the
    factors hardly depend on the few incomplete units. Rounds are extrapolated by Anderson's mixing, and a step that raises
    the objective is taken back.
    """
    problem = _Problem(outcome, observed, covariates)
    if beginning is None:
        state = problem.rows_given(_two_way_periods(problem.outcome, observed))
    else:
        state = problem.rows_given(beginning.periods, beginning.factors, beginning.keep, beginning.coefficients)
    found = _settle(problem, state, shrink, settled)
    coefficients = found.state[: len(covariates)] / problem.scale
    return Completion(coefficients, found.decomposition, found.keep, found.objective, found.moved, covariates)


def completions(
    outcome: Array, observed: Mask, covariates: Array, shrinks: Iterable[Shrink], whole: Decomposition | None = None
) -> Iterator[Completion]:
    """`completed` for one way of shrinking after the other, each beginning where the last one ended.

    Of a complete matrix without covariates the effects and factors are the same for all, and are found once; whoever has found
    them already hands them in as `whole`.
    """
    if observed.all() and not len(covariates):
        found = decomposed(outcome) if whole is None else whole
        keeps = [shrink(found.values) for shrink in shrinks]
        for keep, objective in zip(keeps, _objective(found, np.array(keeps)).tolist(), strict=True):
            yield Completion(np.empty(0), found, keep, objective, 0.0, covariates)
        return
    beginning: Beginning | None = None
    for shrink in shrinks:
        last = completed(outcome, observed, covariates, shrink, beginning)
        yield last
        beginning = beginning_of(last)


def _two_way_periods(outcome: Array, observed: Mask) -> Array:
    """(periods,) effects of the periods beside those of the units, by least squares on the observed cells."""
    cells = observed.astype(np.float64)
    share = cells / cells.sum(axis=1, keepdims=True)
    system = np.diag(cells.sum(axis=0)) - cells.T @ share
    right = (outcome - cells * (outcome.sum(axis=1) / cells.sum(axis=1))[:, None]).sum(axis=0)
    level = outcome.sum() / cells.sum()
    return np.asarray(level + np.linalg.lstsq(system, right, rcond=1e-12)[0])


class _Problem:
    """What stays the same from round to round. The state is (β in units of the outcome, missing cells without covariates)."""

    def __init__(self, outcome: Array, observed: Mask, covariates: Array) -> None:
        self.outcome = np.where(observed, outcome, 0.0)
        self.observed = observed
        self.missing = ~observed
        self.incomplete = np.flatnonzero(self.missing.any(axis=1))
        self.covariates = covariates
        self.centred = covariates - covariates.mean(axis=1, keepdims=True) if len(covariates) else covariates
        spread = np.sqrt(np.maximum((self.centred**2).mean(axis=(1, 2)), 1e-300)) if len(covariates) else np.empty(0)
        self.scale = spread
        level = self.outcome.sum() / observed.sum()
        self.size = float(np.sqrt(((self.outcome - level)[observed] ** 2).mean()))

    def matrix(self, state: Array) -> Array:
        """The completed matrix without the covariates."""
        net = self.outcome
        count = len(self.covariates)
        if count:
            net = net - np.tensordot(state[:count] / self.scale, self.covariates, axes=1)
        if self.incomplete.size:
            net = net.copy() if net is self.outcome else net
            net[self.missing] = state[count:]
        return net

    def rows_given(
        self,
        periods: Array,
        factors: Array | None = None,
        keep: Array | None = None,
        coefficients: Array | None = None,
    ) -> Array:
        """The state that follows from period effects, factors and the coefficients these effects were taken with."""
        basis = smoother(
            np.empty((0, periods.size)) if factors is None else factors, np.empty(0) if keep is None else keep
        )
        rows = self.incomplete
        if not len(self.covariates):
            if not rows.size:
                return np.empty(0)
            filled = smoothed(self.outcome[rows] - periods, self.observed[rows], basis) + periods
            return np.asarray(filled[self.missing[rows]])
        # the period effects move along when β does, as column means do
        means = self.covariates.mean(axis=1)
        old = np.zeros(len(means)) if coefficients is None else coefficients
        left = self.outcome - (periods + old @ means)
        beta = self._coefficients(left, basis)
        if not rows.size:
            return beta * self.scale
        left = left[rows] - np.tensordot(beta, self.centred[:, rows], axes=1)
        filled = smoothed(left, self.observed[rows], basis) + (periods + (old - beta) @ means)
        return np.concatenate([beta * self.scale, filled[self.missing[rows]]])

    def _coefficients(self, left: Array, basis: Array) -> Array:
        """β with the loadings profiled out: Σ X'RX β = Σ X'R(y − ξ), with R what the smoother leaves of a unit's values."""
        stack = np.where(self.observed, np.concatenate([left[None], self.centred / self.scale[:, None, None]]), 0.0)
        rest = np.array(
            [values - np.where(self.observed, smoothed(values, self.observed, basis), 0.0) for values in stack]
        )
        gram = np.einsum("kut,lut->kl", stack[1:], rest[1:])
        right = np.einsum("kut,ut->k", stack[1:], rest[0])
        return np.asarray(np.linalg.lstsq(gram, right, rcond=1e-12)[0] / self.scale)


@dataclass(frozen=True, slots=True)
class _Settled:
    state: Array
    decomposition: Decomposition
    keep: Array
    objective: float
    rounds: int
    moved: float


def _settle(problem: _Problem, state: Array, shrink: Shrink, settled: float) -> _Settled:
    """Rounds of both steps from `state` until the state stays."""
    count = len(problem.covariates)
    states: list[Array] = []
    changes: list[Array] = []
    best, plain = np.inf, state
    extrapolated = False
    rounds = 0
    while True:
        rounds += 1
        found = decomposed(problem.matrix(state))
        keep = shrink(found.values)
        objective = float(_objective(found, keep))
        if extrapolated and objective > best * (1.0 + 1e-12):
            states, changes, state, extrapolated = [], [], plain, False
            continue
        best = objective
        coefficients = state[:count] / problem.scale
        plain = problem.rows_given(found.periods, found.factors, keep, coefficients)
        change = plain - state
        moved = float(np.max(np.abs(change), initial=0.0)) / max(problem.size, 1e-300)
        if moved <= settled or rounds >= MOST_ROUNDS:
            return _Settled(state, found, keep, objective, rounds, moved)
        states.append(state)
        changes.append(change)
        del states[:-MEMORY], changes[:-MEMORY]
        state, extrapolated = _mixed(states, changes), len(states) > 1


def _mixed(states: list[Array], changes: list[Array]) -> Array:
    """Anderson's extrapolation: the combination of earlier rounds whose change would be smallest."""
    if len(states) == 1:
        return np.asarray(states[-1] + changes[-1])
    steps = np.diff(np.array(states), axis=0)
    turns = np.diff(np.array(changes), axis=0)
    weights = np.linalg.lstsq(turns.T, changes[-1], rcond=1e-10)[0]
    return np.asarray(states[-1] + changes[-1] - weights @ (steps + turns))


def _objective(found: Decomposition, keep: Array) -> Array:
    """What is left of the completed matrix, with the penalty that the shares kept stand for: Σ h(σ).

    A value kept by the share s = 1 − θ/σ costs θσ − θ²/2, one kept whole nothing, one dropped σ²/2: all are (1 − s²)σ²/2. The
    last axis of `keep` is that of the values.
    """
    return np.asarray((0.5 * (1.0 - keep**2)) @ found.values**2)


def fold_errors(outcome: Array, observed: Mask, covariates: Array, shrink: Shrink, rows: Mask, blocks: int) -> Array:
    """(units, periods) error of each observed cell of `rows` when a run of neighbouring cells is left out; NaN elsewhere.

    The observed cells of each such row are cut into `blocks` runs, and the first of all rows are left out together, then the
    second, ...; a cell without which its unit, or its period, would not be observed at all stays in.
    """
    errors = np.full(outcome.shape, np.nan)
    beginning = beginning_of(completed(outcome, observed, covariates, shrink, None, CHOOSING))
    order = np.cumsum(observed, axis=1) - 1
    number = order * blocks // np.maximum(observed.sum(axis=1), 1)[:, None]
    for block in range(blocks):
        out = observed & rows[:, None] & (number == block)
        left = observed & ~out
        out &= left.any(axis=1)[:, None] & left.any(axis=0)
        if out.any():
            found = completed(outcome, observed & ~out, covariates, shrink, beginning, CHOOSING)
            errors[out] = (outcome - found.fitted)[out]
    return errors


def unsettled_note(moved: float) -> tuple[Note, ...]:
    """The note that a completion had not come to rest."""
    if moved <= 1e-6:
        return ()
    return (
        Note(
            "completion_not_settled",
            f"The fit to the untreated cells still moved, by {moved:.1e} of the outcome's spread, after {MOST_ROUNDS} rounds: "
            "the data hardly tell the cells that are missing. Fewer factors, or a larger penalty, would.",
            {"moved": moved, "rounds": MOST_ROUNDS},
        ),
    )
