"""Which inference a design calls for, and why: the rule behind `inference = "default"`.

The rule reads the design first (how many clusters were treated and how many were not, in how many starts, whether the persons
behind the cells are known) and then, where placebos carry the inference, what the placebos show (whether the treated unit was
followed before the start, whether its outcome is much noisier than the controls'). Each step is there because the inference
before it was found not to keep its size: `docs/methods/coverage.md` has the rates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from evaluation.contracts import Fit, Pipeline
from evaluation.inference import INFERENCES
from evaluation.inference.cluster import ENOUGH
from evaluation.inference.draws import Placebos, clusters_of_units, critical_size, rank_p_value
from evaluation.inference.ferman_pinto import size_factors
from evaluation.inference.volatility_placebo import LEAST_PERIODS, volatilities
from evaluation.noise import mean_persons, persons_spread
from evaluation.panel import Array, Panel
from evaluation.regression import count_clusters
from evaluation.result import Value

PLENTY = 15
"""Treated (or control) clusters from which cluster-robust errors keep a test at 5 % below 7 %: with 98 units, serial correlation
of 0.6 and 6, 8, 10, 12 and 15 treated it rejects 11, 9, 9, 7.4 and 6.9 %."""

REFITTED = 500
"""With more clusters than this a placebo for every control takes too long."""

LEVEL = 0.95
"""The level at which the placebos are asked how often they would cry wolf."""

TOLERATED = 0.06
"""Plain ranks are given up where they would cry wolf more often than this at 5 %: the estimate of it is noisy, and 7 % is the bound."""

UNFOLLOWED = 0.10
"""p-value up to which the treated unit's average gap before the start is unlike the controls': the fit left a gap open."""

BIASED = 0.1
"""Such a gap matters from this share of half the interval: an effect off by as much is called significant in 5.4 % instead of 5."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The inference chosen, why (`code`, which the report has words for), and the facts the reason rests on."""

    name: str
    code: str
    facts: Mapping[str, Value] = field(default_factory=dict)

    @property
    def details(self) -> dict[str, Value]:
        """What an estimate's details hold of the choice."""
        return {"chosen": {"code": self.code, **self.facts}}


REASONS: Mapping[str, str] = {
    "all_treated": "every unit is treated at some time",
    "few_treated": "{treated} treated against {controls}, persons unknown",
    "few_treated_sizes": "{treated} treated against {controls}, persons known",
    "poor_fit": "the treated unit was not followed before the start",
    "noisy_treated": "the treated unit is noisier than most, persons unknown",
    "single_unit_starts": "{alone} starts of a single unit",
    "some_treated": "fewer than {enough} treated clusters or controls",
    "many_treated": "{treated} treated against {controls}",
}
"""Each reason in a few words, for the terminal; the page has sentences of its own."""


def reason(details: Mapping[str, Value]) -> str:
    """The reason for the inference as the tail of a line: " (1 treated against 93, persons unknown)"; empty where one was asked for."""
    chosen = details.get("chosen")
    if not isinstance(chosen, dict):
        return ""
    return f" ({REASONS[str(chosen['code'])].format_map(chosen)})"


def by_design(pipeline: Pipeline, panel: Panel) -> Choice:
    """What the number of treated and control clusters, their starts and the known sizes call for.

    - every unit treated at some time: the estimator's own, or a bootstrap, since nobody can stand in for the treated;
    - fewer than six treated or control clusters, or a start of a single cluster for an estimator that works by start:
      placebos, rescaled by size where sizes are known;
    - fewer than fifteen: a wild bootstrap where the estimator is a regression, else the jackknife;
    - from there on the estimator's own.
    """
    own = pipeline.method.default_inference
    if panel.treated.all():
        bootstrap = INFERENCES[own].infer_from is not None
        return Choice("block_bootstrap" if bootstrap else own, "all_treated")
    assert panel.cluster is not None  # set by Panel itself
    treated, controls = (count_clusters(panel.cluster[rows]) for rows in (panel.treated, ~panel.treated))
    sized = panel.size is not None or panel.noise is not None
    placebos = "ferman_pinto" if sized else "placebo"
    facts: dict[str, Value] = {"treated": treated, "controls": controls, "pre_periods": int(panel.starts[0])}
    if min(treated, controls) < ENOUGH:
        return Choice(placebos, "few_treated_sizes" if sized else "few_treated", facts)
    alone = sum(count_clusters(panel.cluster[panel.start == start]) == 1 for start in panel.starts)
    influences = INFERENCES[own].from_fit is not None and INFERENCES[own].many_treated
    if alone and influences and treated < controls <= REFITTED and len(panel.starts) > 1:
        return Choice(placebos, "single_unit_starts", {**facts, "alone": alone})
    if min(treated, controls) < PLENTY and influences:
        name = "wild_bootstrap" if pipeline.method.regression is not None else "jackknife"
        return Choice(name, "some_treated", {**facts, "enough": PLENTY})
    return Choice(own, "many_treated", facts)


def by_fit(choice: Choice, pipeline: Pipeline, fit: Fit, placebos: Placebos, panel: Panel) -> Choice:
    """What the placebos say of the choice: `bias_aware_placebo` where the treated unit was not followed before the start,
    `volatility_placebo` where sizes are unknown and its outcome is so noisy that plain ranks would cry wolf.

    Only for a choice of `placebo` or `ferman_pinto` with one common start; any other is returned as it is.
    """
    if choice.code not in ("few_treated", "few_treated_sizes") or len(panel.starts) != 1 or clusters_of_units(panel):
        return choice
    noisy = _noisy(choice, placebos, panel)
    factors = None if noisy is None else noisy[1]
    # an estimator that a constant added to a unit leaves alone takes level gaps out itself
    levels = "unit_shift" not in pipeline.method.keeps
    unfollowed = _unfollowed(choice, fit, placebos, panel, factors) if levels else None
    if unfollowed is not None:
        return Choice("bias_aware_placebo", "poor_fit", {**choice.facts, "p_fit": unfollowed})
    return choice if noisy is None else noisy[0]


def _noisy(choice: Choice, placebos: Placebos, panel: Panel) -> tuple[Choice, Array] | None:
    """Placebos scaled by how much each unit varied, and the factors; None where sizes are known or plain ranks would not mislead."""
    found = volatilities(panel) if choice.name == "placebo" and panel.starts[0] >= LEAST_PERIODS else None
    if found is None or not found.differ:
        return None
    factors = found.factors(placebos, panel, cautious=False)
    half = critical_size(placebos.effects, LEVEL)
    # how often plain ranks would call such a noisy unit significant although nothing happened to it
    alarms = float((np.abs(placebos.effects * factors) >= half).mean()) if np.isfinite(half) else 0.0
    if alarms <= TOLERATED:
        return None
    facts = {"alarms": alarms, "ratio": float(1.0 / np.median(1.0 / factors)), "agreement": found.agreement}
    return Choice("volatility_placebo", "noisy_treated", {**choice.facts, **facts}), factors


def persons(panel: Panel) -> dict[str, Value]:
    """`spread`: how many times the persons of the smallest unit the largest has; `place`: whether the treated are among the
    `small`, the `large` (a fifth of the units each) or the `median` ones. Empty where the persons of the treated are not known."""
    sizes = mean_persons(panel)
    if sizes is None or not np.isfinite(sizes[panel.treated]).all():
        return {}
    below = float((sizes < sizes[panel.treated].mean()).mean())
    return {
        "spread": persons_spread(sizes),
        "place": "small" if below < 0.2 else "large" if below > 0.8 else "median",
    }


def _unfollowed(choice: Choice, fit: Fit, placebos: Placebos, panel: Panel, noise: Array | None) -> float | None:
    """How unusual the treated unit's average gap before the start is among the placebos'; None where it is usual or small.

    `noise` (assignments,): factors for the treated unit's own restlessness, where that stands out; a noisy unit's gap is large too.
    """
    before = fit.event_times < 0
    own = fit.effects[before]
    gaps = placebos.paths(fit.event_times)[:, before]
    if fit.fit_rmse is None or own.size < 2 or not (np.isfinite(own).all() and np.isfinite(gaps).all()):
        return None

    def rescaled(values: Callable[[Placebos], Array]) -> Array:
        factors = size_factors(fit, placebos, panel, values) if choice.name == "ferman_pinto" else 1.0
        return values(placebos) * (factors if noise is None else noise)

    gap = float(own.mean())
    if not abs(gap) > BIASED * critical_size(rescaled(lambda some: some.effects), LEVEL):
        return None  # nothing by construction, or nothing to speak of
    p_value = rank_p_value(rescaled(lambda some: some.paths(fit.event_times)[:, before].mean(axis=1)), gap)
    return p_value if p_value <= UNFOLLOWED else None
