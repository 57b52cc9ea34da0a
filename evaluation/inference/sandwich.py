"""Variances of a regression's effect from its scores: iid, heteroskedastic, clustered, bias-reduced, and over time.

Each is a plain function of `Scores`. Without a factor of its own a function gives the bare sum of products; `small_sample`
gives the factors of fixest, whose words are kept (Bergé 2018, "On standard errors" in its documentation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from evaluation.errors import EstimationError
from evaluation.inference.scores import Scores
from evaluation.panel import Array

Effects: TypeAlias = Literal["none", "nonnested", "full"]
Nested: TypeAlias = Literal["unit", "both", "nothing"]

SINGULAR = 1e-9
"""An eigenvalue of a cluster's leverage this near to 1 is 1: without the cluster something is not identified."""

LARGEST = 60_000_000
"""Products held at a time for the leverage of all clusters (half a gigabyte)."""


def parameters(scores: Scores, effects: Effects = "nonnested", nested: Nested = "unit") -> int:
    """How many parameters the small-sample factor counts.

    Parameters
    ----------
    effects : "none", "nonnested" or "full"
        Which of the unit and period effects count: none, those not nested in the clusters, all.
    nested : "unit", "both" or "nothing"
        The clusters nest the unit effects, (two ways) unit and period effects, or neither. Slopes of units always count.
    """
    count = len(scores.inverse)
    if scores.effects is None or effects == "none":
        return count
    observed = scores.observed
    units, periods = int(observed.any(axis=1).sum()), int(observed.any(axis=0).sum())
    slopes = units if scores.trends else 0
    if effects == "full" or nested == "nothing":
        return count + units + periods - 1 + slopes
    return count + slopes + (1 if nested == "both" else periods)


def small_sample(scores: Scores, n_parameters: int, groups: int | None = None) -> float:
    """(N − 1)/(N − K), times G/(G − 1) where there are groups; 1 for K = 1."""
    if scores.n_obs <= n_parameters:
        raise EstimationError("as many parameters as observations")
    factor = (scores.n_obs - 1) / (scores.n_obs - n_parameters)
    return factor if groups is None else factor * groups / (groups - 1)


def iid(scores: Scores) -> float:
    """σ̂² Σ w α², with σ̂² = Σ w e² / (N − K), every effect counted."""
    squares = float(np.einsum("it,it,it->", scores.cells, scores.residuals, scores.residuals))
    spare = scores.n_obs - parameters(scores, "full")
    if spare <= 0:
        raise EstimationError("as many parameters as observations")
    return squares / spare * float(np.einsum("it,it,it->", scores.cells, scores.alpha, scores.alpha))


def heteroskedastic(scores: Scores, kind: Literal["HC0", "HC1", "HC2", "HC3", "HC4"] = "HC1") -> float:
    """Σ (w α e)², of independent cells, with the residuals blown up for their leverage h.

    HC1: × N/(N − K). HC2, HC3, HC4: e²/(1 − h)^d with d = 1, 2, min(4, N h / K).

    References
    ----------
    MacKinnon & White (1985), Journal of Econometrics 29(3); Cribari-Neto (2004), Computational Statistics & Data Analysis 45(2).
    """
    squares = scores.scores**2
    if kind == "HC0":
        return float(squares.sum())
    count = parameters(scores, "full")
    if kind == "HC1":
        return float(squares.sum()) * scores.n_obs / (scores.n_obs - count)
    used = scores.observed
    leverage = _leverage(scores)[used]
    power: Array | float = {"HC2": 1.0, "HC3": 2.0}.get(kind, 0.0)
    if kind == "HC4":
        power = np.minimum(4.0, scores.n_obs * leverage / count)
    return float((squares[used] / (1.0 - leverage) ** power).sum())


def _leverage(scores: Scores) -> Array:
    """(units, periods) diagonal of the projection on unit effects, period effects and regressors."""
    columns = scores.columns()
    leverage: Array = scores.cells * np.einsum("pit,pq,qit->it", columns, scores.core, columns, optimize=True)
    if scores.effects is not None:
        for period in range(scores.cells.shape[1]):
            # what a unit's own effects take out of one of its cells
            one, own = np.zeros(scores.cells.shape), np.zeros(scores.cells.shape)
            one[:, period] = 1.0
            leverage[:, period] += np.where(
                scores.observed[:, period], 1.0 - scores.effects.within(one, own)[:, period], 0.0
            )
    return leverage


def clustered(scores: Scores) -> float:
    """Σ over clusters of (Σ w α e)²: CR0. CR1 is × G/(G − 1), and `small_sample` gives the other factors.

    References
    ----------
    Liang & Zeger (1986), Biometrika 73(1); Cameron & Miller (2015), Journal of Human Resources 50(2), eqs. (11)-(12).
    """
    sums = scores.within_clusters(scores.scores.sum(axis=1))
    return float(sums @ sums)


@dataclass(frozen=True, slots=True)
class TwoWay:
    """Sums of squares by cluster, by period, and by cluster and period; the variance is the first two less the third."""

    by_cluster: float
    by_period: float
    by_both: float


def two_way(scores: Scores) -> TwoWay:
    """The three parts of a variance that is clustered by unit (or above) and by period.

    References
    ----------
    Cameron, Gelbach & Miller (2011), Journal of Business & Economic Statistics 29(2), section 2.
    """
    cells = scores.scores
    periods = cells.sum(axis=0)
    both = scores.within_clusters(cells.T)
    return TwoWay(clustered(scores), float(periods @ periods), float((both**2).sum()))


def observed_periods(scores: Scores) -> int:
    """How many periods have a cell that is used."""
    return int(scores.observed.any(axis=0).sum())


def default_lag(scores: Scores) -> int:
    """⌊T^¼⌋ with T the observed periods, as fixest chooses for panels."""
    return int(observed_periods(scores) ** 0.25 + 1e-9)


def driscoll_kraay(scores: Scores, lag: int) -> float:
    """Scores summed over units in each period, h_t, then Σ_t h_t² + 2 Σ_l (1 − l/(L + 1)) Σ_t h_t h_{t−l}.

    References
    ----------
    Driscoll & Kraay (1998), Review of Economics and Statistics 80(4), with the weights of Newey & West (1987).
    """
    return _bartlett(scores.scores.sum(axis=0)[None, :], lag)


def newey_west(scores: Scores, lag: int) -> float:
    """The same sums within each unit, no unit being related to another: Σ_i [Σ_t s_it² + 2 Σ_l (1 − l/(L + 1)) Σ_t s_it s_i,t−l].

    References
    ----------
    Newey & West (1987), Econometrica 55(3), by unit.
    """
    return _bartlett(scores.scores, lag)


def _bartlett(series: Array, lag: int) -> float:
    total = float((series**2).sum())
    for step in range(1, min(lag, series.shape[1] - 1) + 1):
        total += 2.0 * (1.0 - step / (lag + 1.0)) * float((series[:, step:] * series[:, :-step]).sum())
    return total


# ---------------------------------------------------------------------- what a cluster's own leverage does


@dataclass(frozen=True, slots=True)
class Leverage:
    """The eigenvalues λ (clusters, p) and eigenvectors (clusters, p, p) of every cluster's own leverage, in the p directions of
    the period effects and the regressors that `root` (p, p) makes orthonormal."""

    values: Array
    vectors: Array
    root: Array


def leverage_of(scores: Scores) -> Leverage:
    """I − H_gg on cluster g is R_g − U_g U_g' with R_g taking out the unit effects and U_g = R_g [periods, regressors] core^½.

    All that is needed of it are U'U, U'α and U'e, which are (p, p) and (p,) however many cells a cluster has; and it is the same
    for every effect of one regression.

    Raises
    ------
    EstimationError
        There are so many clusters that the correction takes gigabytes and changes nothing.
    """
    core = scores.core
    if len(core) ** 2 * scores.cells.shape[0] > LARGEST:
        raise EstimationError(
            f"with {scores.n_clusters} clusters this correction changes nothing that could be seen; `cluster` will do"
        )
    values, turned = np.linalg.eigh(core)
    root = (turned * np.sqrt(np.maximum(values, 0.0))) @ turned.T
    columns = scores.columns()
    products = np.einsum("pit,it,qit->pqi", columns, scores.cells, columns, optimize=True)
    gram = np.moveaxis(scores.within_clusters(products), -1, 0).reshape(scores.n_clusters, -1)
    # clusters alike, as all that are never treated often are, share one decomposition
    alike = np.round(gram / max(float(np.abs(gram).max()), 1e-300), 13)
    _, first, which = np.unique(alike, axis=0, return_index=True, return_inverse=True)
    values, vectors = np.linalg.eigh(root @ gram[first].reshape(-1, *root.shape) @ root)
    return Leverage(np.clip(values, 0.0, 1.0)[which.ravel()], vectors[which.ravel()], root)


def bias_reduced(scores: Scores, leverage: Leverage) -> tuple[float, float]:
    """CR2 and Satterthwaite's degrees of freedom, for independent errors of one variance as the working model.

    Residuals of cluster g are multiplied by (I − H_gg)^(−½), which makes the variance unbiased under that model; the degrees of
    freedom match its mean and variance to a χ².

    Returns
    -------
    (float, float)
        Variance and degrees of freedom.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28(2); Pustejovsky & Tipton (2018), Journal of Business & Economic Statistics
    36(4), with the leverage of all effects, swept out or not.
    """
    alpha, residuals = _along(scores, leverage)
    squares = scores.within_clusters((scores.cells * scores.alpha**2).sum(axis=1))
    free = leverage.values < 1.0 - SINGULAR
    rest = np.where(free, 1.0 - leverage.values, 1.0)
    root = np.sqrt(rest)
    # (1 − λ)^(−½) − 1, divided by λ; in a direction that is all leverage the pseudo-inverse puts 0 for the root
    blown = np.where(free, 1.0 / (root * (1.0 + root)), -1.0)
    adjusted = scores.within_clusters(scores.scores.sum(axis=1)) + (blown * alpha * residuals).sum(axis=1)
    direct = squares + (np.where(free, 1.0 / rest, -1.0) * alpha**2).sum(axis=1)
    loads = np.einsum("gpq,gq->gp", leverage.vectors, np.where(free, alpha / root, 0.0))
    product = loads.T @ loads
    trace = float(direct.sum() - np.trace(product))
    second = float((direct**2).sum() - 2.0 * direct @ (loads**2).sum(axis=1) + (product**2).sum())
    return float(adjusted @ adjusted), trace**2 / second


def without_each_cluster(scores: Scores, leverage: Leverage) -> Array:
    """(clusters,) θ̂ less the effect without that cluster, α'(I − H_gg)⁻¹e, exactly and without refitting.

    NaN where the effect is not identified without the cluster. The sum of squares is CR3; × (G − 1)/G it is CV3, the jackknife.

    References
    ----------
    MacKinnon, Nielsen & Webb (2023), Journal of Applied Econometrics 38(5).
    """
    alpha, residuals = _along(scores, leverage)
    free = leverage.values < 1.0 - SINGULAR
    moved = np.where(free, alpha * residuals / np.where(free, 1.0 - leverage.values, 1.0), 0.0).sum(axis=1)
    size = np.sqrt(scores.within_clusters((scores.cells * scores.alpha**2).sum(axis=1)))[:, None]
    lost = (~free & (np.abs(alpha) > 1e-7 * size)).any(axis=1)
    return np.where(lost, np.nan, scores.within_clusters(scores.scores.sum(axis=1)) + moved)


def _along(scores: Scores, leverage: Leverage) -> tuple[Array, Array]:
    """(clusters, p) the coordinates of α and of e along the eigenvectors."""
    back = np.swapaxes(leverage.vectors, 1, 2)
    alpha = np.einsum("gpq,gq->gp", back, scores.sums(scores.alpha) @ leverage.root)
    return alpha, np.einsum("gpq,gq->gp", back, scores.sums(scores.residuals) @ leverage.root)
