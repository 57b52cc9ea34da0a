"""Does the same shock alone produce such an effect?"""

from __future__ import annotations

import numpy as np

from evaluation.audit import thresholds
from evaluation.cycle.loadings import (
    FEWEST_PERIODS,
    cells_before,
    leave_own_out,
    loadings,
    series_names,
)
from evaluation.errors import EstimationError
from evaluation.inference.draws import as_large
from evaluation.numerics import target_weights
from evaluation.panel import Array, Mask, Panel
from evaluation.result import CheckResult, numbers
from evaluation.study import Study

BETA_WITHIN = 0.10
"""How far a donor's slope on the others' mean may lie from the treated unit's."""

DEMAND_WITHIN = 0.25
"""How far its change of local demand may, in standard deviations of that change between donors."""

FEWEST = 20
"""Donors alike in both: fewer do not tell a share of 5 % from one of 10 %."""


def check(study: Study) -> CheckResult:
    """Take the donors that met the same shock as the treated unit, and count those with an effect as large.

    The same shock: a slope on the others' mean before the start that is within `BETA_WITHIN` of the treated unit's and, where
    the panel has a series of local demand, a change of it from before to the window within `DEMAND_WITHIN` standard
    deviations. Predicted demand always counts. An observed local series counts where it leaves `FEWEST` donors: one published
    for a few large regions would rule out all but the neighbours. Effects are the headline's placebo effects as they are, hence
    rescaled to the treated unit's noise where the inference rescales them.

    Returns
    -------
    CheckResult
        `value` is the share of these donors with an effect at least as large in size; `rank` counts the treated unit among
        them. `demand_within` is None where local demand did not count.
    """
    panel, placebos = study.panel, study.placebo
    if len(panel.starts) != 1:
        return CheckResult("equal_shock_placebos", "not_run", reason="several_starts")
    if panel.treated.sum() != 1:
        return CheckResult("equal_shock_placebos", "not_run", reason="several_treated")
    if panel.starts[0] < FEWEST_PERIODS:
        return CheckResult("equal_shock_placebos", "not_run", reason="few_periods")
    if placebos is None:
        return CheckResult("equal_shock_placebos", "not_run", reason="no_placebos")
    try:
        nation = leave_own_out(panel, panel.outcome)
        near, by_demand = alike(panel, nation)
    except EstimationError:
        return CheckResult("equal_shock_placebos", "not_run", reason="not_computable")
    known = dict(zip(placebos["units"], placebos["effects"], strict=True))
    names = [panel.units[row] for row in np.flatnonzero(near) if known.get(panel.units[row]) is not None]
    if len(names) < FEWEST:
        return CheckResult("equal_shock_placebos", "not_run", reason="few_controls", facts={"count": len(names)})
    effects = np.array([known[name] for name in names], dtype=np.float64)
    effect = study.headline.effect
    larger = as_large(effects, effect)
    share = larger / effects.size
    return CheckResult(
        "equal_shock_placebos",
        thresholds.status("equal_shock_placebos", share),
        value=share,
        threshold=thresholds.threshold("equal_shock_placebos"),
        facts={
            "count": len(names),
            "effect": effect,
            "rank": 1 + larger,
            "beta_within": BETA_WITHIN,
            "demand_within": DEMAND_WITHIN if by_demand else None,
        },
        series={"units": list(names), "effects": numbers(effects.tolist())},
    )


def alike(panel: Panel, nation: Array) -> tuple[Mask, bool]:
    """(units,) the donors that met the same shock as the treated unit, and whether local demand was asked too.

    Parameters
    ----------
    nation : Array
        (units, periods) the national movement as each unit sees it.
    """
    slopes = loadings(panel.outcome, nation, cells_before(panel)).slope
    own = slopes[panel.treated].mean()
    near = np.asarray(~panel.treated & (np.abs(slopes - own) <= BETA_WITHIN))  # an unknown slope is near to none
    predicted = panel.cycle.get("shift_share")
    if predicted is not None:
        return near & _met_same_demand(panel, predicted), True
    observed = _local_series(panel)
    if observed is not None:
        nearer = near & _met_same_demand(panel, observed)
        if nearer.sum() >= FEWEST:
            return nearer, True
    return near, False


def _local_series(panel: Panel) -> Array | None:
    """(units, periods) the first local series at the neighbours', else the own, which the programme itself may have moved."""
    local = [name for name in series_names(panel) if panel.cycle[name].ndim == 2]
    found = (panel.cycle.get(name) for name in (*(f"{name}|neighbours" for name in local), *local))
    return next((values for values in found if values is not None), None)


def _met_same_demand(panel: Panel, demand: Array) -> Mask:
    """(units,) whose change of demand from before to the window is within `DEMAND_WITHIN` of the treated unit's."""
    change = demand @ target_weights(panel).periods - demand[:, : panel.starts[0]].mean(axis=1)
    within = DEMAND_WITHIN * change[~panel.treated].std()
    return np.asarray(np.abs(change - change[panel.treated].mean()) <= within)
