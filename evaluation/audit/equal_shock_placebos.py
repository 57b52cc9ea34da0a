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
    deviations. Effects are the headline's placebo effects as they are, hence rescaled to the treated unit's noise where the
    inference rescales them.

    Returns
    -------
    CheckResult
        `value` is the share of these donors with an effect at least as large in size; `rank` counts the treated unit among
        them. `demand_within` is None without a series of local demand.
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
        near = alike(panel, nation)
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
            "demand_within": None if local_demand(panel) is None else DEMAND_WITHIN,
        },
        series={"units": list(names), "effects": numbers(effects.tolist())},
    )


def alike(panel: Panel, nation: Array) -> Mask:
    """(units,) the donors that react to the national movement as the treated unit does, and met the same local demand.

    Parameters
    ----------
    nation : Array
        (units, periods) the national movement as each unit sees it.
    """
    slopes = loadings(panel.outcome, nation, cells_before(panel)).slope
    own = slopes[panel.treated].mean()
    near = ~panel.treated & (np.abs(slopes - own) <= BETA_WITHIN)  # an unknown slope is near to none
    demand = local_demand(panel)
    if demand is None:
        return np.asarray(near)
    change = demand @ target_weights(panel).periods - demand[:, : panel.starts[0]].mean(axis=1)
    within = DEMAND_WITHIN * change[~panel.treated].std()
    return np.asarray(near & (np.abs(change - change[panel.treated].mean()) <= within))


def local_demand(panel: Panel) -> Array | None:
    """(units, periods) local demand: as predicted from industries, else a local series at the neighbours', else the own one.

    The neighbours' goes before the own series, which the programme itself may have moved. None without any.
    """
    local = [name for name in series_names(panel) if panel.cycle[name].ndim == 2]
    for name in ("shift_share", *(f"{name}|neighbours" for name in local), *local):
        values = panel.cycle.get(name)
        if values is not None and values.ndim == 2:
            return values
    return None
