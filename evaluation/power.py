"""How large an effect must be to be found: the power of the headline's own test, worked out without a look at the estimate.

A placebo effect is what the comparison shows where nothing happened: the error that the treated unit's estimate may have as
well. Adding an effect d to one of them gives an estimate that d could have led to, and the test of the inference says whether
it would have been called significant. The share of placebo effects for which it would is the power at d.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from evaluation.inference.draws import rank_p_value
from evaluation.noise import unit_noise, variance_function
from evaluation.numerics import target_weights
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.result import Estimate, Text, Value, number, numbers, one_standard_error
from evaluation.verdict import INVALID_NOTES

FOUND = 0.8
"""The chance of being found that the smallest effect is given for: 8 times in 10."""

STEPS = 40
"""Steps of the power curve, from no effect to twice the smallest one."""


LEAST_UNITS = 10
"""Fewer units say nothing about how well a split of the variance is known."""


def allowed(count: int, level: float) -> int:
    """How many of `count` placebos, less one, may be as large as an effect that the rank test calls significant.

    The test rejects when (1 + #) / (1 + count) ≤ 1 − level, so when # is below this number; 0: it can reject nothing.
    """
    return math.floor((1.0 - level) * (count + 1) + 1e-9)


def not_found(draws: Array, most: int) -> tuple[Array, Array]:
    """(draws,) and (draws,): the lowest and the highest effect with which each draw would *not* be called significant.

    Draw j with an effect d is held against the other draws: it is significant when fewer than `most` of them are at least as
    large as |draw_j + d|, that is when |draw_j + d| exceeds the `most`-th largest of them.
    """
    sizes = np.abs(draws)
    largest = np.sort(sizes)[::-1]
    # without one of the `most` largest, the next one moves up to the place that counts
    bound = np.where(sizes >= largest[most - 1], largest[min(most, draws.size - 1)], largest[most - 1])
    return -bound - draws, bound - draws


def rank_power(draws: Array, effects: Array, most: int) -> Array:
    """(effects,) the share of draws with which an effect of this size is found, in the direction where that is rarer.

    Parameters
    ----------
    draws : Array
        (n,) placebo effects, in the outcome's unit, as the inference uses them (rescaled to the treated unit's noise).
    effects : Array
        (effects,) sizes, none negative, in the outcome's unit.
    most : int
        See `allowed`.
    """
    if most < 1:
        return np.zeros(effects.size)
    shares = []
    for low, high in (not_found(draws, most), not_found(-draws, most)):
        inside = (low[None, :] <= effects[:, None]) & (effects[:, None] <= high[None, :])
        shares.append(1.0 - inside.mean(axis=1))
    return np.asarray(np.minimum(*shares))


def smallest_effect(draws: Array, most: int, found: float = FOUND) -> float:
    """The smallest size from which on an effect of either sign is found with at least this probability.

    The larger of the two directions', so that the promise holds whichever way the effect goes: nobody knows beforehand which
    way the treated unit's own error points. Exact, without a grid: the share of draws that do not find an effect d changes
    only at the ends of their intervals (`not_found`). Infinite where the test can reject nothing.

    References
    ----------
    Bloom (1995), Evaluation Review 19(5), eq. 1, for estimates whose error is normal; here the error's distribution is that
    of the placebo effects.
    """
    return smallest_common_effect([draws], most, found)


def smallest_common_effect(groups: Sequence[Array], most: int, found: float = FOUND) -> float:
    """The smallest effect found with this probability when each group of draws, held against itself, is as likely as any other.

    `groups` are such as the choices of controls that one may end up with.
    """
    if most < 1 or min(group.size for group in groups) <= most:
        return math.inf
    sides = [[not_found(sign * group, most) for group in groups] for sign in (1.0, -1.0)]
    both = [[np.concatenate(ends) for ends in zip(*side, strict=True)] for side in sides]
    return max(_from_where_on(low, high, found) for low, high in both)


def _from_where_on(low: Array, high: Array, found: float) -> float:
    """The largest d ≥ 0 that too many of the intervals [low, high] hold."""
    ends = high[high >= 0.0]
    holding = np.searchsorted(np.sort(low), ends, side="right") - np.searchsorted(np.sort(high), ends, side="left")
    too_many = ends[holding > (1.0 - found) * low.size + 1e-9]
    return float(too_many.max(initial=0.0))


def normal_effect(std_error: float, level: float, found: float = FOUND) -> float:
    """The smallest effect found with this probability where the estimate is normal: 2.80 standard errors at 5 % and 0.8.

    References
    ----------
    Bloom (1995), Evaluation Review 19(5), eq. 1 and table 1.
    """
    return float(ndtri(0.5 + level / 2.0) + ndtri(found)) * std_error


def normal_power(std_error: float, effects: Array, level: float) -> Array:
    """(effects,) the probability that a normal estimate of these effects is called significant, in either direction."""
    critical = float(ndtri(0.5 + level / 2.0))
    ratio = effects / max(std_error, 1e-300)
    return np.asarray(ndtr(ratio - critical) + ndtr(-ratio - critical))


def with_power(estimate: Estimate, panel: Panel) -> Estimate:
    """The estimate with `details["power"]`; as it was where its uncertainty is not valid, or not known."""
    found = power_of(estimate, panel)
    return estimate if found is None else dataclasses.replace(estimate, details={**estimate.details, "power": found})


def power_of(estimate: Estimate, panel: Panel) -> dict[str, Value] | None:
    """The smallest effect the estimate's inference finds 8 times in 10, the power curve, and whose chance it is.

    Returns
    -------
    dict or None
        `mde` (None: no effect of any size can be found) in the outcome's unit, `level`, `power`, `test` ("rank": that of the
        placebo effects; "normal": from the standard error), `curve` with `effects` and `power`, `placebos` (how many); and
        where the variance is known as a function of persons, `share_persons` (of the variance; it is known to lie between
        `share_persons_low` and `share_persons_high`) and `mde_infinite_persons`.
        None where the inference gives no uncertainty that is valid in this design.
    """
    if {note.code for note in estimate.notes} & set(INVALID_NOTES):
        return None
    draws, error = _ranked(estimate), one_standard_error(estimate) or 0.0
    if draws is None and not error > 0.0:
        return None
    most = 0 if draws is None else allowed(draws.size, estimate.level)
    smallest = normal_effect(error, estimate.level) if draws is None else smallest_effect(draws, most)
    effects = np.linspace(0.0, 2.0 * smallest, STEPS + 1) if 0.0 < smallest < math.inf else np.zeros(0)
    power = normal_power(error, effects, estimate.level) if draws is None else rank_power(draws, effects, most)
    told: dict[str, Value] = {
        "mde": number(smallest),
        "level": estimate.level,
        "power": FOUND,
        "test": "normal" if draws is None else "rank",
        "placebos": 0 if draws is None else int(draws.size),
        "curve": {"effects": numbers(effects.tolist()), "power": numbers(power.tolist())},
    }
    share = None if draws is None else _share_of_persons(estimate, panel)
    if share is not None and draws is not None:
        told["share_persons"] = share
        told["share_persons_low"], told["share_persons_high"] = _known_to_within(estimate, panel, draws, share)
        told["mde_infinite_persons"] = number(smallest * math.sqrt(1.0 - share))
    return told


def power_line(estimate: Estimate, unit: Text) -> str | None:
    """The smallest effect in one line for the terminal, to be read before the estimate; None where it is not known."""
    power = estimate.details.get("power")
    if not isinstance(power, dict):
        return None
    smallest = power.get("mde")
    if not isinstance(smallest, float):
        return f"no effect of any size can be found at this level: {power['placebos']} placebos are too few"
    words = unit.get("en") or next(iter(unit.values()), "")
    size = f"{smallest:,.0f}" if smallest >= 100.0 else f"{smallest:.3g}"
    line = f"the smallest effect found 8 times in 10: {size}{' ' + words if words else ''}"
    base = estimate.baseline
    if base is None or not 0.0 < smallest <= 5.0 * base:
        return line
    return f"{line} ({100.0 * smallest / base:.2g} % of the level)"


def _ranked(estimate: Estimate) -> Array | None:
    """The placebo effects, when the p-value is the rank of the effect among them; None for any other test."""
    placebo = estimate.details.get("placebo")
    listed: Any = placebo.get("effects") if isinstance(placebo, dict) else None
    if not isinstance(listed, list) or not listed or None in listed or estimate.p_value is None:
        return None
    draws = np.array(listed, dtype=np.float64)
    same = abs(rank_p_value(draws, estimate.effect) - estimate.p_value) <= 1e-9
    return draws if same else None


def _share_of_persons(estimate: Estimate, panel: Panel) -> float | None:
    """Which part of the variance a + b / persons of the treated is b's; None where the function is not known."""
    variance = estimate.details.get("variance")
    if not isinstance(variance, dict):
        return None
    constant, slope = variance.get("constant"), variance.get("slope")
    noise = unit_noise(panel, periods_used(panel))
    if not isinstance(constant, float) or not isinstance(slope, float) or noise is None:
        return None
    shares = target_weights(panel, np.isfinite(panel.outcome)).units[panel.treated]
    towns, persons = constant * float((shares**2).sum()), slope * float(shares**2 @ noise[panel.treated])
    controls = variance.get("controls", 0.0)
    assert isinstance(controls, float)
    total = towns + persons + controls
    return persons / total if total > 0.0 else None


def _known_to_within(estimate: Estimate, panel: Panel, draws: Array, share: float) -> tuple[float | None, float | None]:
    """How well the placebos tell the share of persons: see `share_interval`; None where a placebo is not a single unit."""
    placebo, variance, noise = (
        estimate.details.get("placebo"), estimate.details.get("variance"), unit_noise(panel, periods_used(panel)),
    )  # fmt: skip
    names = placebo.get("units") if isinstance(placebo, dict) else None
    rows = {name: row for row, name in enumerate(panel.units)}
    if not isinstance(names, list) or not isinstance(variance, dict) or noise is None or panel.treated.sum() != 1:
        return None, None
    known = [rows[name] for name in names if isinstance(name, str) and name in rows]
    if len(known) != draws.size:
        return None, None
    own = np.array([1.0, float(noise[panel.treated][0])])
    design = np.column_stack([np.ones(draws.size), noise[known]])
    solution = np.array([variance["constant"], variance["slope"]], dtype=np.float64)
    # the squares that the variance function was fitted to: of the draws before they were rescaled
    squares = draws**2 * (design @ solution) / float(own @ solution)
    return share_interval(design, squares, own, np.arange(draws.size), share)


def share_interval(
    design: Array, squares: Array, own: Array, units: Indices, share: float
) -> tuple[float | None, float | None]:
    """Between which values the part of the variance lies that falls with size: 1.96 jackknife standard errors either way.

    Parameters
    ----------
    design, squares : Array
        (rows, 2) and (rows,) as `noise.variance_function` takes them.
    own : Array
        (2,) the row of the unit whose variance is split.
    units : Indices
        (rows,) the unit behind each row; one unit at a time is left out.
    share : float
        The estimate from all rows.
    """
    shares = []
    for unit in np.unique(units):
        parts = own * np.array(variance_function(design[units != unit], squares[units != unit]))
        if parts.sum() > 0.0:
            shares.append(float(parts[1] / parts.sum()))
    if len(shares) < LEAST_UNITS:
        return None, None
    error = math.sqrt((len(shares) - 1) * float(np.var(shares)))
    return max(0.0, share - 1.96 * error), min(1.0, share + 1.96 * error)


def periods_used(panel: Panel) -> Mask:
    """(periods,) the periods before the last start, and those of the window: the ones whose noise is in the estimate."""
    used = np.array(panel.target.any(axis=0))
    used[: max(panel.starts)] = True
    return used
