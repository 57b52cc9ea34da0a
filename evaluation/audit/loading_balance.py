"""Does the counterfactual react to the business cycle as the treated unit does?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from evaluation.audit import thresholds
from evaluation.cycle.loadings import FEWEST_PERIODS, Loadings, Shrunk, cells_before, leave_own_out, loadings, shrink
from evaluation.errors import EstimationError
from evaluation.noise import unit_noise
from evaluation.numerics import target_weights
from evaluation.panel import Array, Panel
from evaluation.result import CheckResult, number, numbers
from evaluation.study import Study

FEWEST_DONORS = 5
"""Controls with a slope: fewer say nothing of how slopes differ, hence of how much of their spread is noise."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What a difference in slopes is worth.

    `found` and `drawn` are slopes by unit before and after shrinking; `bias` is the drawn difference between the treated and
    the weighted controls times `change`, the national movement from before to the window, and `did_bias` the same for equal
    weights on controls and on periods before.
    """

    found: Loadings
    drawn: Shrunk
    change: float
    bias: float
    did_bias: float


def check(study: Study) -> CheckResult:
    """The slope of each unit on the others' mean before the start, and what a difference in slopes does to the effect.

    The outcomes are those the estimator sees, hence with the headline's adjustment already taken out: after an adjustment for
    each unit's own slope only what that got wrong is left. The regressor is the mean outcome of the never-treated, the unit's
    own left out, so that 1 means "as the others". Slopes are estimated with error, which makes any two units look more
    different than they are; the bias is therefore that of slopes shrunk toward the donors' mean, by the share of the slopes'
    variance that is noise. The weights on controls and on periods before are the headline's own.

    Returns
    -------
    CheckResult
        `value` is |bias| / spread. `facts` and `series` hold the slopes before shrinking, with intervals at the study's level;
        `did_bias` is the bias of equal weights, `reliability` the share of the slopes' variance that is no noise, and
        `cycle_change` the national movement in the outcome's unit.

    References
    ----------
    Gobillon & Magnac (2016), Review of Economics and Statistics 98(3), on the bias of difference-in-differences under unequal
    factor loadings. Shrinking: see `evaluation.cycle.loadings.shrink`.
    """
    panel = study.panel
    if len(panel.starts) != 1:
        return CheckResult("loading_balance", "not_run", reason="several_starts")
    if panel.starts[0] < FEWEST_PERIODS:
        return CheckResult("loading_balance", "not_run", reason="few_periods")
    spread = study.spread
    if spread is None or spread <= 0.0:
        return CheckResult("loading_balance", "not_run", reason="no_placebos")
    if (donors := int((~panel.treated).sum())) < FEWEST_DONORS:
        return CheckResult("loading_balance", "not_run", reason="few_controls", facts={"count": donors})
    try:
        adjusted = study.pipeline.adjust(panel).panel
        nation = leave_own_out(panel, panel.outcome)[[panel.units.index(name) for name in adjusted.units]]
        controls, before = _weights(study, adjusted)
        held = balance(adjusted, nation, controls, before)
    except EstimationError:
        return CheckResult("loading_balance", "not_run", reason="not_computable")
    found, drawn = held.found, held.drawn
    if not found.known[adjusted.treated].all() or int((found.known & ~adjusted.treated).sum()) < FEWEST_DONORS:
        return CheckResult("loading_balance", "not_run", reason="few_periods")
    half = _half_widths(adjusted, found, study.level)
    rows = np.flatnonzero(found.known)
    shares = target_weights(adjusted).units
    own = float(shares[rows] @ found.slope[rows])
    own_half = float(np.sqrt(((shares * half)[adjusted.treated] ** 2).sum()))
    value = abs(held.bias) / spread
    return CheckResult(
        "loading_balance",
        thresholds.status("loading_balance", value),
        value=value,
        threshold=thresholds.threshold("loading_balance"),
        facts={
            "beta": own,
            "beta_low": number(own - own_half),
            "beta_high": number(own + own_half),
            "counterfactual_beta": float(controls @ np.where(found.known, found.slope, drawn.mean)),
            "donors_mean": drawn.mean,
            "donors_sd": drawn.spread,
            "reliability": drawn.reliability,
            "cycle_change": held.change,
            "bias": held.bias,
            "did_bias": held.did_bias,
            "std_error": spread,
        },
        series={
            "units": [adjusted.units[row] for row in rows],
            "betas": numbers(found.slope[rows].tolist()),
            "lows": numbers((found.slope - half)[rows].tolist()),
            "highs": numbers((found.slope + half)[rows].tolist()),
            "weights": numbers(controls[rows].tolist()),
        },
    )


def balance(panel: Panel, nation: Array, controls: Array, before: Array) -> Balance:
    """Slopes on the national movement before the start, and the bias that their difference makes.

    Parameters
    ----------
    panel : Panel
        With one start.
    nation : Array
        (units, periods) the national movement as each unit sees it.
    controls, before : Array
        (units,) and (periods,) weights of the counterfactual, each summing to 1.

    Raises
    ------
    EstimationError
        The national movement is constant before the start.
    """
    start = panel.starts[0]
    found = loadings(panel.outcome, nation, cells_before(panel))
    drawn = shrink(found, ~panel.treated, unit_noise(panel, np.arange(panel.n_periods) < start))
    slopes = np.where(found.known, drawn.slope, drawn.mean)  # of an unknown slope the best guess is the mean
    target = target_weights(panel)
    seen = target.units @ nation
    equal = (~panel.treated) / float((~panel.treated).sum())
    flat = np.where(np.arange(panel.n_periods) < start, 1.0 / start, 0.0)

    def change(weights: Array) -> float:
        return float(target.periods @ seen - weights @ seen)

    def difference(weights: Array) -> float:
        return float((target.units - weights) @ slopes)

    return Balance(
        found, drawn, change(before), difference(controls) * change(before), difference(equal) * change(flat)
    )


def _weights(study: Study, panel: Panel) -> tuple[Array, Array]:
    """(units,) and (periods,) weights of the headline's counterfactual; equal ones where it gives none."""
    start, headline = panel.starts[0], study.headline
    controls = np.array([headline.unit_weights.get(name, 0.0) for name in panel.units]) * ~panel.treated
    if not headline.unit_weights:
        controls = (~panel.treated).astype(np.float64)
    before = np.array([headline.time_weights.get(period.label, 0.0) for period in panel.periods])
    if not headline.time_weights:
        before = (np.arange(panel.n_periods) < start).astype(np.float64)
    return controls / controls.sum(), before / before.sum()


def _half_widths(panel: Panel, found: Loadings, level: float) -> Array:
    """(units,) half the interval of each slope, by Student's t with as many degrees of freedom as it has periods, less two."""
    count = (cells_before(panel) & np.isfinite(panel.outcome)).sum(axis=1)
    quantile = stdtrit(np.maximum(count - 2, 1), 0.5 + level / 2.0)
    return np.asarray(quantile * found.std_error)
