"""What one coefficient of treatment averages when units start at different times.

The coefficient of a two-way regression is a weighted sum of the effects in all treated cells, and some weights can be negative
(de Chaisemartin & D'Haultfœuille 2020). It is also a weighted mean of all comparisons of two groups with two different starts,
among them comparisons with units that are treated already (Goodman-Bacon 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from evaluation.by_cohort import Cells, CohortRegression
from evaluation.panel import Array, Indices, Mask
from evaluation.result import Value, number


def negative_weights(regression: CohortRegression, treated: Mask) -> Value:
    """How the coefficient weights the effects of the treated cells, and how unequal effects would have to be to turn its sign.

    With ε the residual of treatment on everything else in the regression, the weight of a treated cell is w ε / Σ w ε. Under
    parallel trends `sensibility` is the smallest standard deviation of the effects over the treated cells at which their mean
    may be zero, `sensibility2` (only with negative weights) that at which all may have the sign opposite to the coefficient.

    Parameters
    ----------
    treated : Mask
        (cohorts, periods).

    References
    ----------
    de Chaisemartin & D'Haultfœuille (2020), American Economic Review 110(9), theorem 1 and corollary 1.
    """
    coefficient = float(regression.coefficients[0])
    weights, shares, counts = _treated_weights(regression, treated)
    positive, negative = weights > 0.0, weights < 0.0
    ratio = weights / shares
    # the sample variance (n - 1), as the authors' program
    n_cells = float(counts.sum())
    spread = float((counts * shares) @ (ratio - 1.0) ** 2) * n_cells / max(n_cells - 1.0, 1.0)
    found: dict[str, Value] = {
        "n_plus": int(counts[positive].sum()),
        "n_minus": int(counts[negative].sum()),
        "sum_plus": float((counts * weights)[positive].sum()),
        "sum_minus": float((counts * weights)[negative].sum()),
        "sensibility": number(abs(coefficient) / math.sqrt(spread)) if spread > 0.0 else None,
        "sensibility2": None,
    }
    if negative.any():
        found["sensibility2"] = number(abs(coefficient) / _turning(ratio, counts * shares))
    return found


def _treated_weights(regression: CohortRegression, treated: Mask) -> tuple[Array, Array, Array]:
    """Of each kind of treated cell: its weight in the coefficient, its share of the (weighted) treated cells, how many there are.

    In a complete panel all units of a cohort are of one kind.
    """
    weights, cells, counts = [], [], []
    for cohort, periods in enumerate(treated):
        rows = np.flatnonzero(regression.cohort == cohort)
        if not periods.any() or not rows.size:
            continue
        alike = rows.size if regression.uniform else 1
        some = rows[:1] if regression.uniform else rows
        own = regression.cell_weights(np.eye(1, regression.coefficients.size)[0], some)[:, periods]
        used = regression.weights_of(some)[:, periods]
        inside = used > 0.0
        weights.append(own[inside])
        cells.append(used[inside])
        counts.append(np.full(int(inside.sum()), float(alike)))
    together, count = np.concatenate(cells), np.concatenate(counts)
    return np.concatenate(weights), together / float(count @ together), count


def _turning(ratio: Array, shares: Array) -> float:
    """The denominator of the second bound: with w sorted downwards, S and T its tail sums, √(T_s + S_s² / (1 − P_s)).

    s is the first cell with w_s < −S_s / (1 − P_s), tails starting at s.
    """
    order = np.argsort(-ratio, kind="stable")
    ratio, shares = ratio[order], shares[order]
    p, s, t = (np.cumsum(values[::-1])[::-1] for values in (shares, shares * ratio, shares * ratio**2))
    rest = np.maximum(1.0 - p, 1e-300)
    first = int(np.argmax(ratio < -s / rest))
    return math.sqrt(float(t[first] + s[first] ** 2 / rest[first]))


def goodman_bacon(cells: Cells, starts: Indices, labels: Sequence[str]) -> Value:
    """Every comparison of two groups that the coefficient averages, with its estimate and weight; None where data are missing.

    Parameters
    ----------
    starts : Indices
        (cohorts,) first treated period of each cohort; the number of periods for the never treated.
    labels : sequence of str
        Of the periods.

    References
    ----------
    Goodman-Bacon (2021), Journal of Econometrics 225(2), eqs. (7)-(9), (10e)-(10g) and theorem 1.
    """
    if cells.weights is not None or cells.covariates or cells.trends or not np.isfinite(cells.outcome).all():
        return None
    n_periods = cells.outcome.shape[1]
    counts = np.bincount(cells.cohort, minlength=starts.size)
    means = np.stack([cells.outcome[cells.cohort == cohort].mean(axis=0) for cohort in range(starts.size)])
    shares = counts / counts.sum()
    rows = []
    for treated in range(starts.size):
        for control in range(starts.size):
            if treated != control and starts[treated] < n_periods:
                rows.append(_comparison(treated, control, starts, shares, means))
    total = sum(row[1] for row in rows)
    names = [labels[start] if start < n_periods else "never" for start in starts.tolist()]
    comparisons: list[Value] = [
        {
            "treated": names[k],
            "control": names[u],
            "type": kind,
            "effect": float(effect),
            "weight": float(weight / total),
        }
        for effect, weight, kind, k, u in rows
    ]
    kinds: list[Value] = []
    for kind in sorted({row[2] for row in rows}):
        own = [(effect, weight / total) for effect, weight, other, _, _ in rows if other == kind]
        weight = sum(each for _, each in own)
        mean = sum(effect * each for effect, each in own) / weight
        kinds.append({"type": kind, "effect": float(mean), "weight": float(weight)})
    return {"by_type": kinds, "comparisons": comparisons}


def _comparison(k: int, u: int, starts: Indices, shares: Array, means: Array) -> tuple[float, float, str, int, int]:
    """Estimate and (unscaled) weight of the change of group k against group u, over the periods in which u does not change."""
    n_periods = means.shape[1]
    ours, theirs = int(starts[k]), int(starts[u])
    own, other = 1.0 - ours / n_periods, 1.0 - theirs / n_periods  # shares of periods treated
    both = shares[k] + shares[u]
    part = shares[k] / both
    within = part * (1.0 - part)
    difference = means[k] - means[u]
    if theirs >= n_periods:
        kind, weight = "treated_vs_never", both**2 * within * own * (1.0 - own)
        effect = difference[ours:].mean() - difference[:ours].mean()
    elif ours < theirs:
        kind = "earlier_vs_later"
        weight = (both * (1.0 - other)) ** 2 * within * (own - other) / (1.0 - other) * (1.0 - own) / (1.0 - other)
        effect = difference[ours:theirs].mean() - difference[:ours].mean()
    else:
        kind = "later_vs_earlier"
        weight = (both * other) ** 2 * within * own / other * (other - own) / other
        effect = difference[ours:].mean() - difference[theirs:ours].mean()
    return float(effect), float(weight), kind, k, u
