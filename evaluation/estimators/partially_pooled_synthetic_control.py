"""Partially pooled synthetic control: one synthetic control for each treated unit, chosen so that their mean fits as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError, listed
from evaluation.numerics import (
    Target,
    comparable,
    complete_units,
    dropped_note,
    simplex_least_squares,
    spread,
    target_weights,
    without_always_treated,
)
from evaluation.panel import Array, Indices, Panel
from evaluation.result import Note, Value

NAME = "partially_pooled_synthetic_control"

GAP = 1e-9
"""The search ends when no other weights can lower the objective by more than this share of what separate weights reach."""

ENOUGH = 1e-6
"""Where rounding keeps the search from that (a unit that fits perfectly beside one that does not), this share is accepted."""

MOST_STEPS = 60

MOST_POOLING = 0.99
"""More pooling than this is taken as this: of all weights that balance the mean, those that fit the units best are meant, and
the closer to 1, the less rounding leaves of what tells them apart."""

MOST_UNITS = 200
"""Effects of single units are listed in the details up to this many treated units."""


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `partially_pooled_synthetic_control`."""

    pooling: Annotated[
        float | Literal["heuristic"],
        Field(
            description="from 0 (a separate synthetic control for each treated unit) to 1 (only their mean is balanced; "
            "above 0.99 taken as 0.99); `heuristic`: the mean gap of separate ones relative to their typical gap"
        ),
    ] = "heuristic"
    fixed_effects: Annotated[
        bool, Field(description="compare deviations from each unit's own mean before the treated unit's start")
    ] = True
    lags: Annotated[
        int | None, Field(description="how many periods before the start are balanced; default: all there are")
    ] = None
    leads: Annotated[
        int | None,
        Field(
            description="how many periods from the start on count, and for how long a control must stay untreated; default: "
            "all in the window"
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.pooling != "heuristic" and not 0.0 <= self.pooling <= 1.0:
            raise ValueError('`pooling` must lie between 0 and 1, or be "heuristic"')
        if self.lags is not None and self.lags < 1:
            raise ValueError("`lags` must be 1 or more")
        if self.leads is not None and self.leads < 1:
            raise ValueError("`leads` must be 1 or more")


@dataclass(frozen=True, slots=True)
class _Unit:
    """One treated unit: its row and start, its donors' rows, all lines as its weights see them, and what is balanced.

    `lines` (units, periods) are deviations from the never treated's mean and, with fixed effects, from the mean before `start`;
    `columns` (lags, donors) the donors' minus the unit's own in the lags before the start, zeros above where there are fewer.
    """

    row: int
    start: int
    donors: Indices
    last: int
    lines: Array
    columns: Array
    n_lags: int


@dataclass(frozen=True, slots=True)
class _Pooled:
    """Weights of the donors of each unit, the share of pooling, and how far the weights can be from the best."""

    weights: list[Array]
    pooling: float
    gap: float


def fit(panel: Panel, options: Options) -> Fit:
    """Synthetic controls for treated units with several starts, balanced each on its own and together.

    With g_j the pre-period gaps of treated unit j, aligned at its start, the weights minimise

        ν · |mean of g_j|² / (its value for separate weights) + (1 − ν) · mean of |g_j|² / (its value for separate weights)

    each unit's weights being non-negative and summing to 1. Controls of a unit are the never treated, and those that start more
    than `leads` periods later. The effect is the mean over the treated cells, not the mean of means.

    Parameters
    ----------
    panel : Panel
        May have several starts. Controls with a missing cell, and units treated from the first period, are left out and named.
        Where all units are treated in the end, the last to start serve as controls and the periods from then on are left out.

    Returns
    -------
    Fit
        `att` in the outcome's unit and the path by event time; `influence` (units,) takes the weights as given, as the authors'
        weighted bootstrap does. `unit_weights` exist where only never treated units have weight.

    Raises
    ------
    EstimationError
        Nobody is treated or nobody a control, a treated unit with a missing cell, or (fixed effects) with one pre-period only.

    References
    ----------
    Ben-Michael, Feller & Rothstein (2022), Journal of the Royal Statistical Society B 84(2): eqs. (6)-(9) and (12), the
    heuristic in section 4.3; normalisation and eligible controls as in the authors' program.
    """
    full = panel
    panel, notes = without_always_treated(panel)
    panel, dropped = complete_units(panel, NAME)
    panel, more = _last_as_controls(panel)
    comparable(panel, NAME)
    times = np.arange(panel.n_periods)
    horizon = panel.n_periods if options.leads is None else options.leads
    target = target_weights(panel, times[None, :] < panel.start[:, None] + horizon)
    units = _units(panel, options, target)
    found = _solve(units, options)
    # (treated, periods) gaps, NaN where a donor may be treated
    gaps = np.full((len(units), panel.n_periods), np.nan)
    for line, unit, weights in zip(gaps, units, found.weights, strict=True):
        line[: unit.last] = (unit.lines[unit.row] - weights @ unit.lines[unit.donors])[: unit.last]
    rows = np.array([unit.row for unit in units])
    att = float(np.nansum(target.cells[rows] * np.where(np.isfinite(gaps), gaps, 0.0)))
    event_times, shares = _path_shares(units, target, panel.n_periods)
    effects = np.einsum("ejt,jt->e", shares, np.where(np.isfinite(gaps), gaps, 0.0))
    influence = _influence(units, found.weights, target.cells[rows][None], np.array([att]), panel.n_units)[0]
    path_influence = _influence(units, found.weights, shares, effects, panel.n_units)
    periods = observed = None
    if len(panel.starts) == 1:
        periods = event_times + panel.starts[0]
        observed = np.einsum("ejt,jt->e", shares, panel.outcome[rows])
    return Fit(
        att=att,
        effects=effects,
        event_times=event_times,
        periods=periods,
        observed=observed,
        counterfactual=None if observed is None else observed - effects,
        unit_weights=_unit_weights(units, found.weights, target, panel, full),
        fit_rmse=float(np.sqrt(np.mean(effects[event_times < 0] ** 2))),
        influence=spread(influence, panel, full),
        path_influence=spread(path_influence, panel, full),
        small_sample=False,
        notes=(*notes, *dropped_note(dropped), *more),
        details=_details(panel, units, found, gaps, target, options, dropped),
    )


def _last_as_controls(panel: Panel) -> tuple[Panel, tuple[Note, ...]]:
    """Where every unit is treated in the end: the periods before the last start, in which the last are untreated."""
    if not panel.treated.all() or len(panel.starts) < 2:
        return panel, ()
    last = panel.starts[-1]
    names = listed([panel.units[row] for row in np.flatnonzero(panel.start == last)])
    label = panel.periods[last].label
    note = Note(
        "last_treated_are_controls",
        f"Every unit is treated in the end: the last to start ({names}) serve as controls, and the periods from {label} on are "
        "left out.",
        {"units": names, "period": label},
    )
    return panel.keep_periods(0, last - 1), (note,)


# ---------------------------------------------------------------------- what is balanced


def _units(panel: Panel, options: Options, target: Target) -> list[_Unit]:
    """The treated units whose cells count, with their donors and what is balanced."""
    # time effects cancel in every gap (weights sum to 1); taken out, they leave the influence what it should be
    centred = panel.outcome - panel.outcome[~panel.treated].mean(axis=0)
    rows = np.flatnonzero(target.units > 0)
    short = [panel.units[row] for row in rows.tolist() if panel.start[row] == 1]
    if options.fixed_effects and short:
        raise EstimationError(
            f"{NAME}: {listed(short)} has only one period before its start, from which no fixed effect can be told; leave it "
            "out, or set `fixed_effects` to false"
        )
    most = int(panel.start[rows].max())
    lags = most if options.lags is None else min(options.lags, most)
    levelled: dict[int, Array] = {}
    units = []
    for row in rows.tolist():
        start = int(panel.start[row])
        if start not in levelled:
            means = centred[:, :start].mean(axis=1, keepdims=True) if options.fixed_effects else 0.0
            levelled[start] = centred - means
        lines = levelled[start]
        until = int(np.flatnonzero(target.cells[row] > 0)[-1]) + 1
        donors = np.flatnonzero(~panel.treated | (panel.start > until))
        first_of_donors = int(panel.start[donors].min())
        n_lags = min(start, lags)
        columns = np.zeros((lags, donors.size))
        columns[lags - n_lags :] = (lines[donors, start - n_lags : start] - lines[row, start - n_lags : start]).T
        last = first_of_donors if options.leads is None else min(first_of_donors, start + options.leads)
        units.append(_Unit(row, start, donors, last, lines, columns, n_lags))
    return units


def _solve(units: list[_Unit], options: Options) -> _Pooled:
    """Separate weights first; they say how to measure the two imbalances, and how much to pool."""
    separate = [simplex_least_squares(unit.columns, np.zeros(len(unit.columns))) for unit in units]
    gaps = np.stack([unit.columns @ weights for unit, weights in zip(units, separate, strict=True)])
    count, most = len(units), max(unit.start for unit in units)
    together, apart = gaps.mean(axis=0), np.linalg.norm(gaps, axis=1)
    scale = max(np.abs(unit.columns).max() for unit in units)
    # an imbalance of rounding size is none: there is nothing to pool
    perfect = float(np.linalg.norm(together)) <= 1e-9 * scale
    if options.pooling == "heuristic":
        pooling = 0.0 if perfect else float(np.linalg.norm(together) / apart.mean())
    else:
        pooling = float(options.pooling)
    if pooling == 0.0 or perfect or count == 1:
        return _Pooled(separate, pooling, 0.0)
    n_lags = np.array([unit.n_lags for unit in units])
    pooled_norm = float(together @ together) / most
    separate_norm = float(np.mean(apart**2 / n_lags))
    shared = pooling / (pooled_norm * gaps.shape[1] * count**2)
    own = (1.0 - min(pooling, MOST_POOLING)) / (separate_norm * count * n_lags)
    weights, gap = _pooled([unit.columns for unit in units], own, shared, separate)
    return _Pooled(weights, pooling, gap)


def _pooled(columns: list[Array], own: Array, shared: float, weights: list[Array]) -> tuple[list[Array], float]:
    """The weights γ_j on simplexes that minimise Σ own_j |D_j γ_j|² + shared · |Σ D_j γ_j|², and the gap that may be left.

    The units meet in Σ D_j γ_j alone, which has one number for each lag. With a price y on it, shared · |Σ D_j γ_j|² is the
    largest value of 2y'Σ D_j γ_j − |y|²/shared, and each unit's problem is a simplex of its own: the point of its hull nearest to
    −y/own_j. What that leaves is concave and smooth in y; Newton's steps, whose slope is the projector on the faces the points
    lie on, find its top. It bounds the objective from below, so the difference says how far from the best the weights can be.
    """
    reached = np.stack([matrix @ each for matrix, each in zip(columns, weights, strict=True)])
    first = float(own @ (reached**2).sum(axis=1)) + shared * float(reached.sum(axis=0) @ reached.sum(axis=0))
    price = shared * reached.sum(axis=0)
    weights, reached, dual = _at_price(columns, own, shared, price)
    best: tuple[float, list[Array]] = (np.inf, weights)
    for _ in range(MOST_STEPS):
        total = reached.sum(axis=0)
        gap = (float(own @ (reached**2).sum(axis=1)) + shared * float(total @ total) - dual) / first
        if gap < best[0]:
            best = (gap, weights)
        if gap <= GAP:
            break
        slope = total - price / shared
        curvature = np.eye(price.size) / shared
        for matrix, each, weight in zip(columns, weights, own.tolist(), strict=True):
            curvature += _face_projector(matrix[:, each > 0.0]) / weight
        step = np.linalg.solve(curvature, slope)
        length = 1.0
        while True:
            tried = _at_price(columns, own, shared, price + length * step)
            # the usual share of the ascent that the slope promises; at rounding size any step will do
            if tried[2] >= dual + 1e-4 * length * float(slope @ step) or length < 1e-6:
                break
            length *= 0.5
        price = price + length * step
        weights, reached, dual = tried
    if best[0] > ENOUGH:
        raise EstimationError(
            f"{NAME}: the pooled weights of {len(columns)} treated units did not converge ({best[0]:.1g} of the objective may be "
            "left); a smaller `pooling` may help"
        )
    return best[1], max(best[0], 0.0)


def _at_price(columns: list[Array], own: Array, shared: float, price: Array) -> tuple[list[Array], Array, float]:
    """The units' best weights at a price, their gaps (treated, lags), and the lower bound of the objective."""
    weights = [simplex_least_squares(matrix, -price / weight) for matrix, weight in zip(columns, own, strict=True)]
    reached = np.stack([matrix @ each for matrix, each in zip(columns, weights, strict=True)])
    bound = (
        float(own @ (reached**2).sum(axis=1)) + float(2.0 * price @ reached.sum(axis=0)) - float(price @ price) / shared
    )
    return weights, reached, bound


def _face_projector(corners: Array) -> Array:
    """(lags, lags) the orthogonal projector on the directions within the face that the (lags, corners) span."""
    directions = corners[:, 1:] - corners[:, :1]
    if directions.shape[1] == 0:
        return np.zeros((len(corners), len(corners)))
    left, sizes, _ = np.linalg.svd(directions, full_matrices=False)
    axes = left[:, sizes > 1e-10 * sizes[0]] if sizes[0] > 0.0 else left[:, :0]
    return np.asarray(axes @ axes.T)


# ---------------------------------------------------------------------- what is told


def _path_shares(units: list[_Unit], target: Target, n_periods: int) -> tuple[Indices, Array]:
    """Event times, and (times, treated, periods) the weight of each treated unit's gap, summing to 1 at every event time.

    In the window those of its cells; elsewhere, where the headline says nothing, those of the units.
    """
    first = -max(unit.start for unit in units)
    last = max(unit.last - unit.start for unit in units)
    event_times = np.arange(first, last)
    shares = np.zeros((event_times.size, len(units), n_periods))
    for place, event in enumerate(event_times.tolist()):
        there = [(index, unit.start + event) for index, unit in enumerate(units) if 0 <= unit.start + event < unit.last]
        cells = np.array([target.cells[units[index].row, column] for index, column in there])
        if not cells.any():
            cells = np.array([target.units[units[index].row] for index, _ in there])
        for (index, column), weight in zip(there, cells / cells.sum(), strict=True):
            shares[place, index, column] = weight
    return event_times, shares


def _influence(units: list[_Unit], weights: list[Array], shares: Array, effects: Array, n_units: int) -> Array:
    """(effects, units) what each unit brings to an effect, the weights taken as given: each row sums to 0."""
    influence = np.zeros((effects.size, n_units))
    for index, (unit, each) in enumerate(zip(units, weights, strict=True)):
        cells = shares[:, index]
        influence[:, unit.row] += cells @ unit.lines[unit.row] - cells.sum(axis=1) * effects
        influence[:, unit.donors] -= (cells @ unit.lines[unit.donors].T) * each
    return influence


def _unit_weights(units: list[_Unit], weights: list[Array], target: Target, panel: Panel, full: Panel) -> Array | None:
    """(units,) mean weights over the treated cells; None where a unit that is treated later has some."""
    together = np.zeros(panel.n_units)
    for unit, each in zip(units, weights, strict=True):
        together[unit.donors] += target.units[unit.row] * each
    return None if together[panel.treated].any() else spread(together, panel, full)


def _details(
    panel: Panel,
    units: list[_Unit],
    found: _Pooled,
    gaps: Array,
    target: Target,
    options: Options,
    dropped: tuple[str, ...],
) -> dict[str, Value]:
    reached = np.stack([unit.columns @ weights for unit, weights in zip(units, found.weights, strict=True)])
    most = max(unit.start for unit in units)
    n_lags = np.array([unit.n_lags for unit in units])
    even = []
    for unit in units:
        # as the authors measure it: equal weights on levels
        lines = panel.outcome[unit.donors].mean(axis=0) - panel.outcome[unit.row]
        even.append(
            np.concatenate([np.zeros(reached.shape[1] - unit.n_lags), lines[unit.start - unit.n_lags : unit.start]])
        )
    equal = np.stack(even)
    pooled, separate = _imbalances(reached, n_lags, most)
    pooled_equal, separate_equal = _imbalances(equal, n_lags, most)
    details: dict[str, Value] = {
        "pooling": found.pooling,
        "lags": int(reached.shape[1]),
        "leads": options.leads,
        "optimality_gap": found.gap,
        "pooled_imbalance": pooled,
        "separate_imbalance": separate,
        "relative_pooled_imbalance": pooled / pooled_equal if pooled_equal > 0.0 else None,
        "relative_separate_imbalance": separate / separate_equal if separate_equal > 0.0 else None,
        "dropped_units": list(dropped),
    }
    if len(units) <= MOST_UNITS:
        each = [target.cells[unit.row] / target.units[unit.row] for unit in units]
        details["units"] = [
            {
                "unit": panel.units[unit.row],
                "start": panel.periods[unit.start].label,
                "effect": float(shares[: unit.last] @ gap[: unit.last]),
                "imbalance": float(np.linalg.norm(reach)),
            }
            for unit, shares, gap, reach in zip(units, each, gaps, reached, strict=True)
        ]
    return details


def _imbalances(gaps: Array, n_lags: Indices, most: int) -> tuple[float, float]:
    """Root mean squares over the lags of the mean gap, and of the gaps."""
    together = float(np.linalg.norm(gaps.mean(axis=0)) / np.sqrt(most))
    return together, float(np.sqrt(np.mean((gaps**2).sum(axis=1) / n_lags)))


METHOD = Method(
    name=NAME,
    summary="partially pooled synthetic control: for several starts, each treated unit and their mean are balanced",
    fit=fit,
    options=Options,
    needs=("balanced", "two_pre_periods"),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="cluster",
    source="Ben-Michael, Feller & Rothstein (2022), Journal of the Royal Statistical Society B 84(2)",
)
