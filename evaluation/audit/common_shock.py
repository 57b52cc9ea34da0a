"""Does the method stay at zero when nothing but a shock is added that hits units unequally?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evaluation.audit import thresholds
from evaluation.audit.chance import band_status, share_interval
from evaluation.audit.national import change_to_window, national_path
from evaluation.contracts import Fit, Pipeline, Rng
from evaluation.errors import EstimationError
from evaluation.inference.draws import clusters_of_units
from evaluation.panel import Array, Indices, Panel
from evaluation.result import CheckResult, numbers
from evaluation.study import Study

REFITS = 750
"""About how many refits to spend: each draw refits every unit, so 94 units have 8 draws. Raise it for a finer answer."""

FEWEST_DRAWS = 6
"""At least these, however many units there are: a pair of opposite draws for each kind of shock."""

LOADING_SD = thresholds.BREAKDOWN_DRIFT
"""Standard deviation of how strongly units react."""

CORRELATION = 0.5
"""Of the reactions with the units' size, or with their region's level, in the kinds "size" and "region"."""

NEAR, FEWEST = 20, 20
"""How many of the units most like the treated one stand in for it; with fewer units than these nothing can be said of 5 %."""

LEVEL = 0.05
NO_SHOCK = 1e-6
"""A national change below this share of the path's range is no shock."""


@dataclass(frozen=True, slots=True)
class _Draw:
    """One shock: its kind, and for the stand-ins the bias it brought, (near,), and whether the test rejected, (near,)."""

    kind: str
    pair: int
    bias: Array
    rejected: Array


def check(study: Study) -> CheckResult:
    """Add a made-up common shock to the untreated units, let those most like the treated one stand in for it, and refit.

    The shock is s_t × λ_i. s_t is the path of the units' mean outcome, so that it swings as this outcome swings, before the
    start too; the size of the shock is its change from before the start (with the headline's weights of those periods, where
    it has some) to the window. λ_i = 1 + 0.24 (ρ z_i + √(1−ρ²) e_i) with e_i standard normal. Kinds: "independent" (ρ = 0);
    "size", where z is the standardised log size, and "region", where it is the standardised level of the unit's region before
    the start (ρ = 0.5), as far as the panel knows these. Draws come in pairs with opposite e, which cancels the noise of
    drawing in everything that is linear.

    A rank test over *all* units rejects 5 % by construction, whatever was added. So only the twenty never-treated units
    nearest to the treated one stand in for it, in log size, or in mean outcome before the start where sizes are unknown; the
    others are their placebos. The headline's adjustment is refitted with everything else.

    Rule: the bias of the worst kind, relative to the shock, and the share of rejections over all draws are each held against
    their bounds, and the worse counts. Both are only known up to the draws made: a bias lies above a bound if its 95 %
    interval does, a share lies outside a band if its whole exact binomial interval does. The same twenty units return in every
    draw, so both intervals are clustered by unit and by draw: the binomial one counts an effective number of trials.

    Returns
    -------
    CheckResult
        `value` is |mean bias| / |shock| of the worst kind. `facts`: that `mean` and the `shock`, in the outcome's unit; the
        `kind`, and `bias_least`, the lower end of the value's interval; the share `rejected` with `rejected_lower` and
        `rejected_upper`; the number of `draws` and `tests`, and `effective_tests`. `series`: mean bias of each of `draws`,
        with its kind in `kinds`.

    References
    ----------
    Arkhangelsky et al. (2021), American Economic Review 111(12), section II, for simulations on a real panel with placebo
    assignments; clustering in two ways: Cameron, Gelbach & Miller (2011), Journal of Business & Economic Statistics 29(2).
    """
    panel = study.panel
    if len(panel.starts) != 1 or panel.treated.sum() != 1 or clusters_of_units(panel):
        return CheckResult("common_shock", "not_run", reason="several_treated")
    controls = int((~panel.treated).sum())
    if controls < FEWEST:
        return CheckResult("common_shock", "not_run", reason="few_controls", facts={"count": controls})
    path = national_path(panel)
    shock = change_to_window(panel, path, study.headline.time_weights)
    if not abs(shock) > NO_SHOCK * float(np.ptp(path)):
        return CheckResult("common_shock", "not_run", reason="no_cycle")
    try:
        draws = _draws(study, path)
    except EstimationError:
        return CheckResult("common_shock", "not_run", reason="not_computable")
    return _judged(draws, shock)


def _judged(draws: Sequence[_Draw], shock: float) -> CheckResult:
    kinds = list(dict.fromkeys(draw.kind for draw in draws))
    means = {kind: float(np.mean([draw.bias.mean() for draw in draws if draw.kind == kind])) for kind in kinds}
    worst = max(kinds, key=lambda kind: abs(means[kind]))
    value = abs(means[worst]) / abs(shock)
    least = max(0.0, value - 1.96 * _bias_error([draw for draw in draws if draw.kind == worst]) / abs(shock))
    rejected = np.array([draw.rejected for draw in draws])
    share, trials = float(rejected.mean()), effective_trials(rejected)
    interval = share_interval(share, trials)
    return CheckResult(
        "common_shock",
        thresholds.worst(
            thresholds.status("common_shock", least), band_status(thresholds.BANDS["common_shock"], interval)
        ),
        value=value,
        threshold=thresholds.threshold("common_shock"),
        facts={
            "mean": means[worst],
            "shock": shock,
            "kind": worst,
            "bias_least": least,
            "rejected": share,
            "rejected_lower": interval[0],
            "rejected_upper": interval[1],
            "draws": len(draws),
            "tests": int(rejected.size),
            "effective_tests": trials,
        },
        series={
            "draws": numbers([float(draw.bias.mean()) for draw in draws]),
            "kinds": [draw.kind for draw in draws],
        },
    )


def _bias_error(draws: Sequence[_Draw]) -> float:
    """The standard error of a kind's mean bias; opposite draws are one trial, and one trial has no spread between trials."""
    pairs = sorted({draw.pair for draw in draws})
    means = np.array([np.mean([draw.bias for draw in draws if draw.pair == pair], axis=0) for pair in pairs])
    return float(np.sqrt(variance_of_mean(means)))


def variance_of_mean(values: Array) -> float:
    """The variance of the mean of (draws, units) values that are alike within draws and within units.

    Sums within units and within draws are squared, and what both hold is subtracted (Cameron, Gelbach & Miller 2011, eq.
    2.8, for a mean), never below what the units alone say.
    """
    rest = values - values.mean()
    by_unit = float((rest.sum(axis=0) ** 2).sum())
    squares = by_unit + float((rest.sum(axis=1) ** 2).sum()) - float((rest**2).sum())
    return max(squares, by_unit) / values.size**2


def effective_trials(rejected: Array) -> float:
    """How many independent trials the (draws, units) rejections are worth: at least the units, at most all of them.

    A binomial share with the variance of this mean has p (1 − p) / variance trials. Where nothing or everything was rejected
    there is no variance to learn from, and the units alone count.
    """
    share, (draws, units) = float(rejected.mean()), rejected.shape
    variance = variance_of_mean(rejected)
    if variance <= 0.0:
        return float(units)
    return float(np.clip(share * (1.0 - share) / variance, units, draws * units))


# ---------------------------------------------------------------------- the draws


def _draws(study: Study, path: Array) -> list[_Draw]:
    """Every draw, refitted."""
    panel, start = study.panel, study.panel.starts[0]
    donors = panel.assign({}, without=np.flatnonzero(panel.treated))
    near = _near(panel, start)
    before = _outcomes(study.pipeline, donors, near, start)
    rng = study.rng("common_shock")
    found = []
    for kind, pair, reactions in _reactions(_kinds(panel, start), donors.n_units, rng):
        shocked = donors.with_outcome(donors.outcome + reactions[:, None] * path[None, :])
        effects, p_values = _tested(study, shocked, near, start)
        found.append(_Draw(kind, pair, effects - before, (p_values <= LEVEL).astype(np.float64)))
    return found


def _near(panel: Panel, start: int) -> Indices:
    """Rows, among the never-treated, of those most like the treated unit; ties go to the first."""
    like = _log_size(panel) if panel.size is not None else np.nanmean(panel.outcome[:, :start], axis=1)
    distance = np.abs(like - like[panel.treated].mean())[~panel.treated]
    return np.sort(np.argsort(np.where(np.isfinite(distance), distance, np.inf), kind="stable")[:NEAR])


def _log_size(panel: Panel) -> Array:
    assert panel.size is not None
    return np.asarray(np.log(np.maximum(np.nanmean(panel.size, axis=1), 1.0)))


def _kinds(panel: Panel, start: int) -> dict[str, Array | None]:
    """What reactions may go along with: by kind a standardised (donors,) trait, or None."""
    never = ~panel.treated
    kinds: dict[str, Array | None] = {"independent": None}
    if panel.size is not None:
        kinds["size"] = _standardised(_log_size(panel)[never])
    if panel.region is not None:
        codes = panel.region[never]
        level = np.nanmean(panel.outcome[never][:, :start], axis=1)
        kinds["region"] = _standardised(np.array([np.nanmean(level[codes == code]) for code in codes]))
    return {kind: trait for kind, trait in kinds.items() if trait is None or np.any(trait)}


def _standardised(values: Array) -> Array:
    deviation = float(np.nanstd(values))
    return np.nan_to_num((values - np.nanmean(values)) / deviation) if deviation > 0 else np.zeros_like(values)


def _reactions(kinds: dict[str, Array | None], n_units: int, rng: Rng) -> Iterator[tuple[str, int, Array]]:
    """Kind, pair and (units,) reactions of each draw: pairs of opposite draws, the kinds in turn."""
    pairs = max(FEWEST_DRAWS, REFITS // n_units + 1) // (2 * len(kinds))
    for pair in range(max(1, pairs)):
        for kind, trait in kinds.items():
            own = rng.standard_normal(n_units)
            for noise in (own, -own):
                mixed = noise if trait is None else CORRELATION * trait + np.sqrt(1.0 - CORRELATION**2) * noise
                yield kind, pair, 1.0 + LOADING_SD * mixed


def _outcomes(pipeline: Pipeline, panel: Panel, rows: Indices, start: int) -> Array:
    return np.array([pipeline(panel.assign({int(row): start})).att for row in rows])


def _tested(study: Study, panel: Panel, near: Indices, start: int) -> tuple[Array, Array]:
    """(near,) effects and p-values of the stand-ins; each unit is fitted once."""
    effects: dict[str, float] = {}
    watched = _watched(study.pipeline, effects)
    rng = study.rng("common_shock/test")
    if study.inference.test_each is not None:
        p_values = study.inference.test_each(watched, panel, start, rng)[near]
    else:
        p_values = np.array([study.inference.test(watched, panel.assign({int(row): start}), rng) for row in near])
    missing = [row for row in near.tolist() if panel.units[row] not in effects]
    for row in missing:
        effects[panel.units[row]] = study.pipeline(panel.assign({row: start})).att
    return np.array([effects[panel.units[row]] for row in near]), p_values


def _watched(pipeline: Pipeline, effects: dict[str, float]) -> Pipeline:
    """The same pipeline, which also writes down the effect of the unit that is treated."""

    def fit(panel: Panel, options: Any) -> Fit:
        found = pipeline.method.fit(panel, options)
        effects[panel.units[int(np.argmax(panel.treated))]] = found.att
        return found

    return replace(pipeline, method=replace(pipeline.method, fit=fit))
