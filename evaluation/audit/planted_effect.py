"""Is an effect found where one was planted?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from evaluation.audit import thresholds
from evaluation.audit.chance import band_status, share_interval
from evaluation.contracts import Fit
from evaluation.errors import EstimationError
from evaluation.inference.draws import Placebos, clusters_of_units, placebo_fits
from evaluation.panel import Mask, Panel
from evaluation.result import CheckResult, numbers
from evaluation.study import Study
from evaluation.verdict import POWER

FEWEST = 5
"""Fewer controls than this say nothing about how often an interval covers."""


@dataclass(frozen=True, slots=True)
class _Coverage:
    """Whether each donor's interval holds the planted effect, and by row the limits where the inference gives them cheaply."""

    covered: Mask
    limits: dict[int, tuple[float, float]]


def check(study: Study) -> CheckResult:
    """Add a known effect to each control in turn, within the window, and see whether it is found.

    The effect is as large as the headline's, or, where that is smaller than this comparison can detect, 2.8 placebo standard
    deviations. Adjustment and estimator are refitted with the truly treated left out, and what is found is measured against
    the same control's placebo effect without the planting, so that the control's own luck is in neither. A linear estimator
    finds it exactly; one that lets treated periods into its weights or its adjustment does not.

    Coverage is the share of donors whose interval holds the planted effect. The interval of a donor is the headline
    inference's, from the other donors' placebo fits, rescaled as that inference rescales; where it makes no placebos, its test
    on the donor without the planting tells the same, and there are no limits to show. The bounds of coverage move with the level, and
    it is judged with the binomial error of so many donors: outside only where the whole interval of the share is.

    Returns
    -------
    CheckResult
        `value` is |mean recovered / planted − 1|. `facts`: `planted`, and `recovered`, the mean estimate less the mean
        placebo effect, in the outcome's unit; `coverage` of the `count` donors' intervals. `series`: estimate and interval
        of each donor, its own luck included; an interval without end is None.

    References
    ----------
    Bertrand, Duflo & Mullainathan (2004), Quarterly Journal of Economics 119(1), section III, on planted effects.
    """
    panel = study.panel
    if len(panel.starts) != 1 or panel.treated.sum() != 1 or clusters_of_units(panel):
        return CheckResult("planted_effect", "not_run", reason="several_treated")
    if study.spread is None or study.spread <= 0:
        return CheckResult("planted_effect", "not_run", reason="no_placebos")
    controls = int((~panel.treated).sum())
    if controls < FEWEST:
        return CheckResult("planted_effect", "not_run", reason="few_controls", facts={"count": controls})
    planted = max(abs(study.headline.effect), POWER * study.spread)
    try:
        placebos = _placebos(study)
    except EstimationError:
        return CheckResult("planted_effect", "not_run", reason="not_computable")
    found = _found(study, placebos, planted)
    if len(found) < FEWEST:
        return CheckResult("planted_effect", "not_run", reason="not_computable")
    luck = {rows[0]: fit.att for rows, fit in zip(placebos.assignments, placebos.fits, strict=True)}
    recovered = float(np.mean([fit.att - luck[row] for row, fit in found.items()]))
    value = abs(recovered / planted - 1.0)
    status = thresholds.status("planted_effect", value)
    coverage = _coverage(study, placebos, found, planted)
    share = float(coverage.covered.mean()) if coverage.covered.size else None
    if share is not None:
        limits = share_interval(share, coverage.covered.size)
        # the written bounds are those of a 95 % interval
        judged = band_status(thresholds.BANDS["planted_effect"], limits, shift=study.level - 0.95)
        status = thresholds.worst(status, judged)
    none = (math.nan, math.nan)
    return CheckResult(
        "planted_effect",
        status,
        value=value,
        threshold=thresholds.threshold("planted_effect"),
        facts={"planted": planted, "recovered": recovered, "coverage": share, "count": len(found)},
        series={
            "units": [panel.units[row] for row in found],
            "recovered": numbers([fit.att for fit in found.values()]),
            "lowers": numbers([coverage.limits.get(row, none)[0] for row in found]),
            "uppers": numbers([coverage.limits.get(row, none)[1] for row in found]),
        },
    )


def _placebos(study: Study) -> Placebos:
    """The placebo fits behind the headline, or made here where the inference needs none."""
    made = study.fitted[0].placebos if study.fitted else None
    return made if made is not None else placebo_fits(study.pipeline, study.panel, study.rng("planted_effect"))


def _found(study: Study, placebos: Placebos, planted: float) -> dict[int, Fit]:
    """Row of each donor -> the fit with the effect planted on it."""
    panel, start = study.panel, study.panel.starts[0]
    treated = np.flatnonzero(panel.treated)
    found: dict[int, Fit] = {}
    for (row,) in placebos.assignments:
        try:
            found[row] = study.pipeline(_planted(panel, row, planted).assign({row: start}, without=treated))
        except EstimationError:
            continue
    return found


def _planted(panel: Panel, row: int, planted: float) -> Panel:
    """The panel with the effect added to one unit's cells of the window."""
    outcome = panel.outcome.copy()
    outcome[row, panel.target.any(axis=0)] += planted
    return panel.with_outcome(outcome)


def _coverage(study: Study, placebos: Placebos, found: Mapping[int, Fit], planted: float) -> _Coverage:
    """Whether each donor's interval holds the planted effect, from the other donors' placebo fits where it rests on those."""
    panel, start, inference = study.panel, study.panel.starts[0], study.inference
    treated, rng = np.flatnonzero(panel.treated), study.rng("planted_effect/test")
    covered: list[bool] = []
    limits: dict[int, tuple[float, float]] = {}
    for row, fit in found.items():
        try:
            if inference.infer_from is None:
                alone = panel.assign({row: start}, without=treated)
                covered.append(inference.test(study.pipeline, alone, rng) > 1.0 - study.level + 1e-12)
                continue
            pretended = _planted(panel, row, planted).assign({row: start})
            # without periods nothing is worked out for figures, which these intervals have none of
            bare, others = replace(fit, periods=None), _others(placebos, row)
            interval = inference.infer_from(study.pipeline, pretended, study.level, bare, others)
        except EstimationError:
            continue
        limits[row] = (interval.lower, interval.upper)
        covered.append(interval.lower <= planted <= interval.upper)
    return _Coverage(np.array(covered), limits)


def _others(placebos: Placebos, row: int) -> Placebos:
    """The placebo fits of all donors but one."""
    kept = [place for place, rows in enumerate(placebos.assignments) if rows != (row,)]
    return replace(
        placebos,
        assignments=tuple(placebos.assignments[place] for place in kept),
        fits=tuple(placebos.fits[place] for place in kept),
    )
