"""Changes in changes: each treated unit moves as the controls at its place in the distribution moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.special import ndtri

from evaluation.changes import Block, Comparison, Mapped, changes, comparison
from evaluation.contracts import Fit, Method
from evaluation.panel import Array, Indices, Panel
from evaluation.regression import cluster_errors
from evaluation.result import Note, Value, number

ENOUGH = 20
"""Treated units in every period before quantile effects are given: with fewer, a quantile is one unit's outcome."""

TIED = 0.05
"""The share of controls with a common outcome in the base period from which the reader is told of the bounds."""

OUTSIDE = 0.01
"""The share of treated cells beyond the controls' outcomes in the base period from which the reader is told."""


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `changes_in_changes`."""

    quantiles: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(description="quantiles whose effects are given")
    ] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    estimator: Annotated[
        Literal["changes_in_changes", "quantile_did"],
        Field(
            description="`changes_in_changes` compares equal outcomes before the start, `quantile_did` equal ranks in their own group"
        ),
    ] = "changes_in_changes"
    ties: Annotated[
        Literal["conditional_independence", "continuous"],
        Field(
            description="units with one outcome before the start: spread evenly over the outcomes that the controls with it have "
            "later, or all moved to the highest of them, as the formula for continuous outcomes does"
        ),
    ] = "conditional_independence"


def fit(panel: Panel, options: Options) -> Fit:
    """Changes in changes: what would have become of the treated, from the controls' distributions before and after.

    For a treated unit with outcome y in its base period (the last before the start in which it is observed), period t would have
    brought k(y) = F₀ₜ⁻¹(F₀ᵦ(y)), with F₀ the distributions of the controls observed in both periods; the effect is y_it − k(y_ib),
    averaged. This holds if a unit's outcome without treatment is a rising function, the same in both groups, of something whose
    distribution in each group does not change over time. Unlike parallel trends it does not depend on the scale of the outcome,
    and gives the whole counterfactual distribution. Periods before the start compare with the base period in the same way.

    Parameters
    ----------
    panel : Panel
        Units (mostly persons) are the observations. Missing cells and several starts are allowed; controls are never treated.

    Returns
    -------
    Fit
        `att` in the outcome's unit, `influence` by unit (both periods of a control together, as in a panel they must be);
        `details` holds quantile effects, bounds where outcomes tie, and the share outside the controls' outcomes.

    Raises
    ------
    EstimationError
        Nobody is treated or never treated, the window is empty, or no treated cell can be compared.

    References
    ----------
    Athey & Imbens (2006), Econometrica 74(2): theorem 3.1 (identification); section 4 (discrete outcomes: bounds, theorem 4.1, and
    conditional independence, theorem 4.2); section 5 (theorem 5.1, and its remarks on panel data); `quantile_did` is their QDID.
    """
    found = comparison(panel, "changes_in_changes")
    plain = options.estimator == "changes_in_changes"
    spread = _Spread(found, options)

    def mapping(block: Block) -> Mapped:
        ranks = _Ranks.of(block) if plain else None
        if ranks is None:
            expected = _by_own_rank(block)
            # over all ranks the mean difference of quantiles is the difference of means
            influence = block.weights.sum(axis=1, keepdims=True) * block.mean_influence
        else:
            expected, influence = ranks.counterfactual(options.ties), ranks.influence()
        spread.add(block, expected, ranks)
        return expected, influence

    made = changes(found, mapping).fit
    notes, details = spread.told(plain)
    return replace(made, notes=(*made.notes, *notes), details=details)


@dataclass(frozen=True, eq=False)
class _Ranks:
    """Where the treated outcomes of the base period lie among the controls' m, and what these became.

    `then` (controls,) and `now` (periods, controls) are sorted; `below` and `upto` (treated,) count the controls with a smaller,
    and with no larger, outcome in the base period.
    """

    block: Block
    then: Array
    now: Array
    below: Indices
    upto: Indices

    @classmethod
    def of(cls, block: Block) -> _Ranks:
        then = np.sort(block.control_then)
        now = np.sort(block.control_now, axis=1)
        return cls(block, then, now, np.searchsorted(then, block.then), np.searchsorted(then, block.then, "right"))

    def at(self, count: Indices) -> Array:
        """(periods, treated) F₀ₜ⁻¹(count / m): the outcome that `count` controls do not exceed; the smallest for none."""
        return np.asarray(self.now[:, np.maximum(count - 1, 0)])

    def counterfactual(self, ties: str) -> Array:
        """(periods, treated) k(y): among tied controls the mean of F₀ₜ⁻¹ over their ranks, else F₀ₜ⁻¹(F₀ᵦ(y))."""
        upper = self.at(self.upto)
        tied = self.upto > self.below + 1
        if ties == "continuous" or not tied.any():
            return upper
        lowest = self.now[:, :1]
        sums = _summed(self.now - lowest)
        low, high = self.below[tied], self.upto[tied]
        upper[:, tied] = lowest + (sums[:, high] - sums[:, low]) / (high - low)
        return upper

    def influence(self) -> Array:
        """(periods, controls) influence on Σ w_i k(y_i).

        With g the density of the treated's ranks among the controls (w in a class of ranks, over the class's share) and
        A(x) = ∫ˣ g(F₀ₜ(v)) dv, the term p + q of theorem 5.1 for a control with outcomes (y₀, y₁) is A(y₁) − Ā(y₀), where Ā is the
        mean of A(F₀ₜ⁻¹(u)) over the ranks u of y₀. No density of an outcome is needed, and atoms are covered.
        """
        n_periods, m = self.now.shape
        classes = int(np.ceil(2.0 * min(m, self.upto.size) ** (1.0 / 3.0)))
        edges = np.arange(1, min(classes, m) + 1) * m // min(classes, m)
        # a class ends where a tie ends
        edges = np.unique(np.searchsorted(self.then, self.then[edges - 1], "right"))
        place = np.searchsorted(edges, np.maximum(self.upto, 1)) + edges.size * np.arange(n_periods)[:, None]
        mass = np.bincount(place.ravel(), self.block.weights.ravel(), edges.size * n_periods).reshape(n_periods, -1)
        density = mass * m / np.diff(edges, prepend=0)
        integral = np.zeros((n_periods, m))
        np.cumsum(np.diff(self.now) * density[:, np.searchsorted(edges, np.arange(1, m))], axis=1, out=integral[:, 1:])
        came = np.empty_like(integral)
        np.put_along_axis(came, np.argsort(self.block.control_now, axis=1), integral, 1)
        low = np.searchsorted(self.then, self.block.control_then)
        high = np.searchsorted(self.then, self.block.control_then, "right")
        if (high == low + 1).all():
            return np.asarray((came - integral[:, low]) / m)
        sums = _summed(integral)
        return np.asarray((came - (sums[:, high] - sums[:, low]) / (high - low)) / m)


def _summed(values: Array) -> Array:
    """(rows, 1 + columns) sums of the first 0, 1, ... columns."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _by_own_rank(block: Block) -> Array:
    """(periods, treated) y + F₀ₜ⁻¹(q) − F₀ᵦ⁻¹(q) with q the unit's rank among the treated themselves.

    q is the middle of the step of the distribution function at y, so that one unit alone is compared with the controls' median.
    """
    values, which = np.unique(block.then, return_inverse=True)
    then, now = np.sort(block.control_then), np.sort(block.control_now, axis=1)
    expected = np.empty_like(block.now)
    for row, weights in zip(range(len(expected)), block.weights, strict=True):
        mass = np.bincount(which, weights, values.size)
        ranks = ((np.cumsum(mass) - 0.5 * mass) / mass.sum())[which]
        place = np.clip(np.ceil(ranks * then.size - 1e-9).astype(np.int64) - 1, 0, then.size - 1)
        expected[row] = block.then + now[row, place] - then[place]
    return expected


class _Spread:
    """What is gathered over the cells of the window beside the mean: quantile effects, bounds, who lies outside."""

    def __init__(self, found: Comparison, options: Options) -> None:
        self.found = found
        self.at = np.unique(options.quantiles)
        self.total = float(found.window.sum())
        self.effects = np.zeros(self.at.size)
        self.shares = np.zeros(self.at.size)
        self.influence = np.zeros((self.at.size, found.panel.n_units))
        self.counterfactuals = [0.0, 0.0]  # the lowest and the highest mean that ties allow
        self.outside = 0.0
        self.tied = 0.0
        self.fewest = found.rows.size

    def add(self, block: Block, expected: Array, ranks: _Ranks | None) -> None:
        """Take a block in, each period with its share of the headline."""
        counted = np.flatnonzero(self.found.counts(block))
        if not counted.size:
            return
        self.fewest = min(self.fewest, block.places.size)
        weights = block.weights[counted] / self.total
        if ranks is not None:
            # untied, the two conventions differ by one rank, which vanishes; only ties are bounds of substance
            for index, count in enumerate((np.minimum(ranks.below + 1, ranks.upto), ranks.upto)):
                self.counterfactuals[index] += float((weights * ranks.at(count)[counted]).sum())
            beyond = (block.then < ranks.then[0]) | (block.then > ranks.then[-1])
            self.outside += float(weights.sum(axis=0) @ beyond)
            same = np.diff(ranks.then) == 0
            shared = np.append(same, False) | np.append(False, same)
            self.tied = max(self.tied, float(shared.mean()))
        if self.at.size and block.places.size >= ENOUGH:
            for row in counted.tolist():
                self._quantiles(block, row, expected[row], ranks)

    def _quantiles(self, block: Block, row: int, expected: Array, ranks: _Ranks | None) -> None:
        """Quantile effects of one period and their linearisation."""
        weights, now = block.weights[row], block.now[row]
        share = float(weights.sum()) / self.total
        weights = weights / weights.sum()
        own, would = _Distribution.of(now, weights), _Distribution.of(expected, weights)
        value, counterfactual = own.quantile(self.at), would.quantile(self.at)
        self.effects += share * (value - counterfactual)
        steps = would.sparsity(self.at)
        treated = _below(expected, counterfactual, steps) - _below(now, value, own.sparsity(self.at))
        self.shares += share * np.array([float(weights @ (now <= each)) for each in counterfactual])
        self.influence[:, self.found.rows[block.places]] += share * weights * (treated - (treated @ weights)[:, None])
        then = _Distribution.of(block.control_then, np.ones(block.controls.size))
        later = _Distribution.of(block.control_now[row], np.ones(block.controls.size))
        if ranks is None:
            came = _below(block.control_then, then.quantile(self.at), then.sparsity(self.at))
            came -= _below(block.control_now[row], later.quantile(self.at), later.sparsity(self.at))
        else:
            z = _Distribution.of(block.then, weights).quantile(self.at)
            width = later.sparsity(np.searchsorted(then.values, z, "right") / then.values.size)
            came = _below(block.control_then, z, width) - _below(block.control_now[row], counterfactual, width)
        deviation = (came - came.mean(axis=1, keepdims=True)) / came.shape[1]
        self.influence[:, block.controls] -= share * deviation

    def told(self, plain: bool) -> tuple[tuple[Note, ...], dict[str, Value]]:
        """Notes and details."""
        panel = self.found.panel
        notes, details = [], dict[str, Value]()
        if self.at.size and self.fewest >= ENOUGH:
            errors = cluster_errors(self.influence, panel.cluster)
            details["quantile_effects"] = [
                {
                    "quantile": q,
                    "effect": effect,
                    # a quantile of tied outcomes jumps: no density, no such error
                    "std_error": number(error) if error > 0 and self.tied < TIED else None,
                    "share_below": below,
                }
                for q, effect, error, below in zip(
                    self.at.tolist(), self.effects.tolist(), errors.tolist(), self.shares.tolist(), strict=True
                )
            ]
        elif self.at.size:
            text = (
                f"In some period only {self.fewest} treated units can be compared: there is no distribution to speak of, so there "
                f"are no quantile effects (they need {ENOUGH}); each unit is moved as the controls of its rank were."
            )
            notes.append(Note("few_for_quantiles", text, {"treated": self.fewest, "enough": ENOUGH}))
        if not plain:
            return tuple(notes), details
        details["share_outside"] = self.outside
        details["share_tied"] = self.tied
        if self.outside >= OUTSIDE:
            percent = round(100 * self.outside)
            text = (
                f"{percent} per cent of the treated lie outside the controls' outcomes before the start; for them nothing is known "
                "but what happened to the nearest."
            )
            notes.append(Note("outside_the_others", text, {"percent": percent}))
        if self.tied > 0:
            lower, upper = (self._mean() - each for each in reversed(self.counterfactuals))
            details["bounds"] = {"lower": lower, "upper": upper}
            if self.tied >= TIED:
                percent = round(100 * self.tied)
                text = (
                    f"{percent} per cent of the controls share their outcome before the start with others, so that the effect is "
                    f"only known to lie between {lower:.4g} and {upper:.4g}; the answer takes those who share one as alike."
                )
                notes.append(Note("ties_bound_the_effect", text, {"percent": percent, "lower": lower, "upper": upper}))
        return tuple(notes), details

    def _mean(self) -> float:
        """The treated's mean outcome over the window."""
        values = self.found.panel.outcome[self.found.rows]
        return float((self.found.window * np.where(self.found.window > 0, values, 0.0)).sum() / self.total)


# ---------------------------------------------------------------------- quantiles


@dataclass(frozen=True, eq=False)
class _Distribution:
    """Sorted values and the share of weight up to and with each."""

    values: Array
    shares: Array

    @classmethod
    def of(cls, values: Array, weights: Array) -> _Distribution:
        order = np.argsort(values, kind="stable")
        sums = np.cumsum(weights[order])
        return cls(values[order], sums / sums[-1])

    def quantile(self, q: Array) -> Array:
        """(quantiles,) the smallest value with at least a share q up to it; rounding of the sums aside."""
        return np.asarray(self.values[np.minimum(np.searchsorted(self.shares, q - 1e-12), self.values.size - 1)])

    def sparsity(self, q: Array) -> Array:
        """(quantiles,) 1 / density at each, by the difference of two quantiles as far apart as Hall & Sheather (1988) advise."""
        count = self.values.size
        z = ndtri(np.clip(q, 0.5 / count, 1.0 - 0.5 / count))
        density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
        width = (1.5 * (ndtri(0.975) * density) ** 2 / (2.0 * z * z + 1.0) / count) ** (1.0 / 3.0)
        low, high = np.clip(q - width, 0.5 / count, None), np.clip(q + width, None, 1.0)
        return np.asarray((self.quantile(high) - self.quantile(low)) / (high - low))


def _below(values: Array, limits: Array, amounts: Array) -> Array:
    """(limits, values) `amounts` where a value is at most the limit, else 0; `limits` may come in any order."""
    return np.where(values <= limits[:, None], amounts[:, None], 0.0)


METHOD = Method(
    name="changes_in_changes",
    summary="changes in changes: each treated unit moves as the controls at its place in the distribution did",
    fit=fit,
    options=Options,
    needs=("never_treated", "one_pre_period"),
    # not "unit_shift": a unit's level is its place in the distribution; not "scale": a negative factor turns ranks round
    keeps=frozenset({"period_shift", "common_shift", "unit_order"}),
    default_inference="cluster",
    source="Athey & Imbens (2006), Econometrica 74(2)",
)
