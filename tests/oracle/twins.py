"""Slow, obviously right twins of the package's numerics, kept for comparison only.

Nothing here is clever. Least squares over the simplex is a general-purpose method followed by a certificate that bounds how
far from the optimum the answer can be; fixed effects are columns of zeros and ones; a placebo test is a loop; an interval
is every value on a grid that the test does not reject.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize

Array = npt.NDArray[np.float64]


# ------------------------------------------------------------------ least squares over the simplex


def simplex_objective(donors: Array, target: Array, weights: Array, ridge: float = 0.0) -> float:
    """||donors @ weights - target||² + ridge ||weights||²."""
    return float(np.sum((donors @ weights - target) ** 2) + ridge * np.sum(weights**2))


def simplex_certificate(donors: Array, target: Array, weights: Array, ridge: float = 0.0) -> float:
    """An upper bound on how much lower the objective can get anywhere on the simplex (the Frank-Wolfe gap).

    For a convex f and any u on the simplex, f(u) >= f(w) + f'(w)·(u - w); the right side is smallest at a corner.
    """
    gradient = 2 * donors.T @ (donors @ weights - target) + 2 * ridge * weights
    return float(gradient @ weights - gradient.min())


def simplex_least_squares(donors: Array, target: Array, ridge: float = 0.0, tolerance: float = 1e-9) -> Array:
    """The simplex weights with the smallest `simplex_objective`, proven by the certificate.

    Accelerated projected gradient finds which weights are positive; the linear system of those weights then gives them to
    machine precision. A weight that comes out negative leaves; the certificate says whether one had to come back.
    """
    # With weights summing to one, donors @ w - target = (donors - target) @ w, which is much better conditioned.
    deviations = donors - target[:, None]
    gram = deviations.T @ deviations + ridge * np.eye(donors.shape[1])
    scale = max(float(np.sum(target**2)), 1.0)
    step = 1.0 / max(float(np.linalg.eigvalsh(gram)[-1]), 1e-300)
    n_donors = donors.shape[1]
    weights = np.full(n_donors, 1.0 / n_donors)
    ahead, momentum = weights, 1.0
    for iteration in range(1, 400_001):
        before = weights
        weights = project_on_simplex(ahead - step * gram @ ahead)
        if (weights - before) @ (ahead - weights) > 0:  # restart: the momentum points uphill
            ahead, momentum = weights, 1.0
            continue
        grown = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = weights + (momentum - 1) / grown * (weights - before)
        momentum = grown
        if iteration % 500 == 0:
            polished = _polish(gram, weights)
            for candidate in (polished, weights):
                if simplex_certificate(donors, target, candidate, ridge) <= tolerance * scale:
                    return candidate
    raise AssertionError("the slow solver did not reach its certificate")


def _polish(gram: Array, weights: Array) -> Array:
    """The optimum on the face of the simplex that `weights` lies on, as long as it stays inside that face."""
    support = np.flatnonzero(weights > 1e-9)
    while len(support):
        n_kept = len(support)
        system = np.zeros((n_kept + 1, n_kept + 1))
        system[:n_kept, :n_kept] = gram[np.ix_(support, support)]
        system[:n_kept, n_kept] = system[n_kept, :n_kept] = 1.0
        solution = np.linalg.lstsq(system, np.append(np.zeros(n_kept), 1.0), rcond=None)[0][:n_kept]
        if solution.min() >= 0:
            polished = np.zeros_like(weights)
            polished[support] = solution / solution.sum()
            return polished
        support = np.delete(support, int(solution.argmin()))
    return weights


def project_on_simplex(point: Array) -> Array:
    """The nearest point of the simplex (Held, Wolfe & Crowder 1974)."""
    ordered = np.sort(point)[::-1]
    excess = (np.cumsum(ordered) - 1) / np.arange(1, len(point) + 1)
    last = int(np.flatnonzero(ordered > excess)[-1])
    return np.maximum(point - excess[last], 0.0)


def simplex_by_slsqp(donors: Array, target: Array, ridge: float = 0.0) -> Array:
    """The same weights from a general nonlinear programme that knows nothing of simplexes."""
    n_donors = donors.shape[1]
    deviations = (donors - target[:, None]) / max(float(np.abs(donors - target[:, None]).max()), 1e-300)
    shrunk = ridge / max(float(np.abs(donors - target[:, None]).max()), 1e-300) ** 2
    found = optimize.minimize(
        lambda w: float(np.sum((deviations @ w) ** 2) + shrunk * np.sum(w**2)),
        np.full(n_donors, 1.0 / n_donors),
        jac=lambda w: 2 * deviations.T @ (deviations @ w) + 2 * shrunk * w,
        bounds=[(0.0, 1.0)] * n_donors,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones_like(w)},
        method="SLSQP",
        options={"maxiter": 2000, "ftol": 1e-15},
    )
    weights = np.maximum(found.x, 0.0)
    return weights / weights.sum()


# ------------------------------------------------------------------ regressions with explicit dummies


def dummies(codes: npt.NDArray[np.int64]) -> Array:
    """(rows, groups) one column of zeros and ones per group."""
    return (codes[:, None] == np.unique(codes)[None, :]).astype(np.float64)


def long_form(outcome: Array) -> tuple[Array, npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The observed cells as rows: outcome, unit code, period code; and which cells they are."""
    observed = np.isfinite(outcome)
    unit, period = np.nonzero(observed)
    return outcome[observed], unit, period, observed


def two_way_demeaned(values: Array) -> Array:
    """(units, periods) residuals of a regression on unit and period dummies; cells that are missing stay missing."""
    y, unit, period, observed = long_form(values)
    design = np.hstack([dummies(unit), dummies(period)])
    residuals = np.full(values.shape, np.nan)
    residuals[observed] = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return residuals


def least_squares(design: Array, y: Array) -> tuple[Array, Array]:
    """Coefficients and residuals, by numpy's singular values: a redundant dummy does no harm."""
    coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
    return coefficients, y - design @ coefficients


def did_by_dummies(
    outcome: Array,
    treatment: Array,
    covariates: tuple[Array, ...] = (),
    weights: Array | None = None,
    unit_trends: bool = False,
) -> float:
    """The coefficient on `treatment` in a regression with a dummy for every unit and every period."""
    y, unit, period, observed = long_form(outcome)
    columns = [treatment[observed][:, None], *(x[observed][:, None] for x in covariates)]
    design = np.hstack([*columns, dummies(unit), dummies(period)])
    if unit_trends:
        design = np.hstack([design, dummies(unit) * period[:, None]])
    if weights is not None:
        root = np.sqrt(weights[observed])
        y, design = y * root, design * root[:, None]
    return float(least_squares(design, y)[0][0])


def cluster_std_error(outcome: Array, treatment: Array, covariates: tuple[Array, ...] = (), factor: str = "CR1") -> float:
    """The cluster-robust standard error of `did_by_dummies`, clusters being units, by the textbook sandwich.

    "CR0": none; "CR1": G/(G-1); "fixest": G/(G-1) × (N-1)/(N-K), K not counting the unit dummies (nested in the clusters).
    """
    y, unit, period, observed = long_form(outcome)
    columns = [treatment[observed][:, None], *(x[observed][:, None] for x in covariates)]
    design = np.hstack([*columns, dummies(unit), dummies(period)[:, 1:]])
    _, residuals = least_squares(design, y)
    bread = np.linalg.pinv(design.T @ design)
    scores = np.vstack([design[unit == g].T @ residuals[unit == g] for g in np.unique(unit)])
    variance = float((bread @ (scores.T @ scores) @ bread)[0, 0])
    n_clusters, n_rows = len(np.unique(unit)), len(y)
    if factor in ("CR1", "fixest"):
        variance *= n_clusters / (n_clusters - 1)
    if factor == "fixest":
        # regressors + period dummies; one dummy is lost to the constant that both sets of effects share
        n_counted = len(columns) + len(np.unique(period))
        variance *= (n_rows - 1) / (n_rows - n_counted)
    return float(np.sqrt(variance))


def did_by_linearmodels(outcome: Array, treatment: Array) -> tuple[float, float]:
    """Coefficient and unadjusted cluster-robust standard error (CR0) from linearmodels' PanelOLS."""
    from linearmodels.panel import PanelOLS

    y, unit, period, observed = long_form(outcome)
    frame = pd.DataFrame({"unit": unit, "period": period, "y": y, "d": treatment[observed]}).set_index(["unit", "period"])
    fitted = PanelOLS(frame["y"], frame[["d"]], entity_effects=True, time_effects=True).fit(
        cov_type="clustered", cluster_entity=True, group_debias=False, debiased=False, auto_df=False, count_effects=False
    )
    return float(fitted.params["d"]), float(fitted.std_errors["d"])


def did_by_statsmodels(outcome: Array, treatment: Array) -> tuple[float, float]:
    """Coefficient and standard error from statsmodels' OLS with dummies; its factor counts every dummy: CR1S."""
    import statsmodels.api as sm

    y, unit, period, observed = long_form(outcome)
    design = np.hstack([treatment[observed][:, None], dummies(unit), dummies(period)[:, 1:]])
    fitted = sm.OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": unit, "use_correction": True})
    return float(fitted.params[0]), float(fitted.bse[0])


# ------------------------------------------------------------------ estimators of one treated unit


def target_mean(outcome: Array, unit: int, columns: npt.NDArray[np.int64]) -> float:
    """The unit's mean over some periods."""
    return float(outcome[unit, columns].mean())


def did_gap(outcome: Array, treated: int, start: int, window: npt.NDArray[np.int64]) -> float:
    """Change of the treated unit minus the mean change of the others, window against all periods before the start."""
    change = outcome[:, window].mean(axis=1) - outcome[:, :start].mean(axis=1)
    return float(change[treated] - np.delete(change, treated).mean())


def sc_gap(outcome: Array, treated: int, start: int, window: npt.NDArray[np.int64], demeaned: bool = False) -> float:
    """Synthetic control on all outcomes before the start; with `demeaned`, every unit's own mean is taken off first."""
    values = outcome - outcome[:, :start].mean(axis=1, keepdims=True) if demeaned else outcome
    donors = np.delete(values, treated, axis=0)
    weights = simplex_least_squares(donors[:, :start].T, values[treated, :start])
    return float((values[treated] - weights @ donors)[window].mean())


def sdid_gap(outcome: Array, treated: int, start: int, window: npt.NDArray[np.int64]) -> float:
    """Synthetic DiD (Arkhangelsky et al. 2021, Algorithm 1), each weight problem given to the general solver.

    The window plays the part of the post-periods: in its mean, in the time weights, and in the number of them in zeta.
    """
    donors = np.delete(outcome, treated, axis=0)
    before, own = donors[:, :start], outcome[treated, :start]
    noise = float(np.diff(before, axis=1).std(ddof=1))
    zeta_unit = len(window) ** 0.25 * noise
    zeta_time = 1e-6 * noise

    def centred(x: Array) -> Array:
        return x - x.mean(axis=0, keepdims=True)

    # An intercept in a least-squares fit is the same as taking the mean over its rows off both sides.
    unit_weights = simplex_least_squares(centred(before.T), own - own.mean(), ridge=zeta_unit**2 * start)
    after = donors[:, window].mean(axis=1)
    time_weights = simplex_least_squares(centred(before), after - after.mean(), ridge=zeta_time**2 * len(donors))
    own_change = outcome[treated, window].mean() - own @ time_weights
    donor_change = after - before @ time_weights
    return float(own_change - unit_weights @ donor_change)


# ------------------------------------------------------------------ inference by brute force


def placebo_gaps(outcome: Array, treated: int, estimate: Callable[[Array, int], float]) -> Array:
    """Every other unit in turn as if it were treated, the truly treated one left out."""
    others = np.delete(outcome, treated, axis=0)
    return np.array([estimate(others, unit) for unit in range(len(others))])


def placebo_p_value(effect: float, placebos: Array) -> float:
    """Share of units, the treated one included, whose effect is at least as large in size."""
    as_large = int(np.sum(np.abs(placebos) >= abs(effect) - 1e-10 * max(abs(effect), 1.0)))
    return (1 + as_large) / (1 + len(placebos))


def interval_by_grid(p_value: Callable[[float], float], level: float, low: float, high: float, steps: int) -> tuple[float, float]:
    """The smallest and largest value on a grid that a test does not reject."""
    kept = [value for value in np.linspace(low, high, steps) if p_value(float(value)) > 1 - level + 1e-12]
    return (min(kept), max(kept)) if kept else (np.nan, np.nan)


def conformal_p_value(residuals: Array, n_post: int) -> float:
    """Chernozhukov, Wüthrich & Zhu (2021): cyclic shifts of the null-imposed residuals, statistic mean |u| of the last ones."""
    n_periods = len(residuals)
    last = np.arange(n_periods - n_post, n_periods)
    shifted = (last + np.arange(n_periods)[:, None]) % n_periods  # a row for each shift
    statistics = np.abs(residuals[shifted]).mean(axis=1)
    return float(np.mean(statistics >= statistics[0] - 1e-12))
