"""Does the counterfactual follow the treated unit through a downturn that it was not fitted on?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.audit import thresholds
from evaluation.audit.downturn import YEARS, Downturn, downturn, span_label
from evaluation.contracts import Fit, Pipeline
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.inference import INFERENCES
from evaluation.inference.draws import Placebos, placebo_fits, rank_p_value
from evaluation.panel import Array, Panel
from evaluation.periods import PER_YEAR
from evaluation.result import CheckResult, number, numbers
from evaluation.study import Study

FEWEST_LEFT = 3
"""Periods before the start that are left to fit on, once the downturn is held out."""


@dataclass(frozen=True, slots=True)
class Backcast:
    """The downturn as predicted from the other periods before the start.

    `fit` is that of the panel from `hold_out`, `rmse` the root mean square error over the held-out periods; `donors` and
    `donor_rmse` (donors,) are the same for every control in turn, rescaled to the treated unit's noise where sizes are known.
    """

    fit: Fit
    rmse: float
    donors: tuple[str, ...]
    donor_rmse: Array

    @property
    def share(self) -> float:
        """The share of all units, the treated included, that are predicted no better than the treated."""
        return rank_p_value(self.donor_rmse, self.rmse)


def check(study: Study) -> CheckResult:
    """Leave the downturn out, refit everything on the other periods before the start, and predict it.

    A counterfactual that was fitted to a downturn follows it by construction; one that was not can be held against it. The
    same is done to every control in turn, and the treated unit is ranked among them. Nothing after the start is used.

    Returns
    -------
    CheckResult
        `value` is the share of units with a root mean square error at least as large as the treated unit's, itself included,
        as in every rank test of the package. Errors are observed minus backcast, in the outcome's unit; `trough_error` is that
        in the downturn's deepest period. `did_rmse` and `did_median` are those of difference-in-differences.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), section 7 (backdating), with the periods left out in the middle rather
    than at the end.
    """
    panel = study.panel
    if len(panel.starts) != 1:
        return CheckResult("backcast", "not_run", reason="several_starts")
    if _has_own_trends(study.pipeline):
        return CheckResult("backcast", "not_run", reason="own_trends")
    if panel.starts[0] < YEARS * PER_YEAR[panel.periods[0].frequency] + FEWEST_LEFT:
        return CheckResult("backcast", "not_run", reason="few_periods")
    try:
        fall = downturn(panel)
        if fall is None:
            return CheckResult("backcast", "not_run", reason="no_downturn")
        own = backcast(study, study.pipeline, fall)
    except EstimationError:
        return CheckResult("backcast", "not_run", reason="not_computable")
    count = own.donor_rmse.size
    if 1.0 / (1 + count) > thresholds.threshold("backcast"):
        return CheckResult("backcast", "not_run", reason="few_controls", facts={"count": count})
    other = _did(study, fall, own)
    held = [panel.periods[column].label for column in fall.columns]
    path = _in_order(panel, own.fit, fall)
    trough = panel.periods[fall.trough].label
    return CheckResult(
        "backcast",
        thresholds.status("backcast", own.share),
        value=own.share,
        threshold=thresholds.threshold("backcast"),
        facts={
            "rmse": own.rmse,
            "trough_error": number(float(_errors(own.fit)[fall.trough - fall.first])),
            "trough_period": trough,
            "median_donor": float(np.median(own.donor_rmse)),
            "share": own.share,
            "periods": span_label(panel, fall.first, fall.last),
            "method": study.headline.method,
            "did_rmse": None if other is None else other.rmse,
            "did_median": None if other is None else float(np.median(other.donor_rmse)),
            "did_share": None if other is None else other.share,
        },
        series={
            "periods": [panel.periods[column].label for column in range(panel.starts[0])],
            "observed": numbers(path[0]),
            "backcast": numbers(path[1]),
            "held_out": list(held),
            "donor_units": list(own.donors),
            "donor_rmse": numbers(own.donor_rmse.tolist()),
        },
    )


def hold_out(panel: Panel, columns: Sequence[int]) -> Panel:
    """The periods before the start with `columns` moved to the end, where the treated units are "treated" in them.

    An estimator then fits on the others and predicts these, and an adjustment sees neither the treated units' held-out cells
    nor any period after the true start. Every period keeps its own label, but columns no longer follow the calendar: a unit's own
    trend, which counts columns, cannot be fitted to such a panel; the noise level of synthetic difference in differences,
    which takes differences of neighbouring columns, meets one longer step over the gap.
    """
    held = list(columns)
    order = [column for column in range(panel.starts[0]) if column not in held] + held

    def ordered(values: Array | None) -> Array | None:
        return None if values is None else values[..., order]

    return dataclasses.replace(
        panel,
        outcome=panel.outcome[:, order],
        periods=tuple(panel.periods[column] for column in order),
        start=np.where(panel.treated, len(order) - len(held), len(order)),
        size=ordered(panel.size),
        noise=ordered(panel.noise),
        covariates={key: value[:, order] if value.ndim == 2 else value for key, value in panel.covariates.items()},
        cycle={key: value[..., order] for key, value in panel.cycle.items()},
        window=None,
    )


def backcast(study: Study, pipeline: Pipeline, fall: Downturn) -> Backcast:
    """The downturn predicted by a pipeline, for the treated unit and for every control in its place.

    Controls that are not observed throughout the downturn are left out.

    Raises
    ------
    EstimationError
        The pipeline cannot be fitted on the periods that are left, there are too few controls, or the treated unit is not
        observed in the downturn.
    """
    held = hold_out(study.panel, fall.columns)
    fit = pipeline(held)
    if not np.isfinite(_rmse(fit)):
        raise EstimationError("backcast: the treated unit is not observed throughout the downturn")
    found = placebo_fits(pipeline, held, study.rng(f"backcast/{pipeline.method.name}"))
    seen = [place for place, each in enumerate(found.fits) if np.isfinite(_rmse(each))]
    placebos = dataclasses.replace(
        found,
        assignments=tuple(found.assignments[place] for place in seen),
        fits=tuple(found.fits[place] for place in seen),
    )
    rmse = np.array([_rmse(each) for each in placebos.fits])
    names = tuple(" + ".join(held.units[row] for row in rows) for rows in placebos.assignments)
    return Backcast(fit, _rmse(fit), names, _comparable(pipeline, held, fit, placebos, rmse, study.level))


def _has_own_trends(pipeline: Pipeline) -> bool:
    """Whether adjustment or estimator draws a line through each unit's columns, in their order."""
    return pipeline.adjustment.name == "unit_trend" or bool(getattr(pipeline.options, "unit_trends", False))


def _did(study: Study, fall: Downturn, own: Backcast) -> Backcast | None:
    """The same by difference-in-differences under the headline's adjustment; None where it cannot be computed."""
    method = ESTIMATORS["did"]
    pipeline = dataclasses.replace(study.pipeline, method=method, options=method.options())
    if pipeline == study.pipeline:
        return own
    try:
        return backcast(study, pipeline, fall)
    except EstimationError:
        return None


def _comparable(pipeline: Pipeline, panel: Panel, fit: Fit, placebos: Placebos, rmse: Array, level: float) -> Array:
    """(donors,) errors as they would be if each control were as noisy as the treated unit; unchanged where sizes are unknown.

    Mean squared errors follow the variance function a + b / size that effects do, so the inference for unequal sizes is asked.
    """
    if panel.size is None and panel.noise is None:
        return rmse
    scaled = INFERENCES["ferman_pinto"].infer_from
    assert scaled is not None

    # the error of shared slopes is part of every unit's own error already
    def error(one: Fit) -> Fit:
        return dataclasses.replace(one, att=_rmse(one), slope_variance=0.0)

    found = scaled(pipeline, panel, level, error(fit), placebos.changed(error))
    listed = found.details["placebo"]
    assert isinstance(listed, dict)
    return np.array(listed["effects"], dtype=np.float64)


def _errors(fit: Fit) -> Array:
    """(held-out periods,) observed minus backcast, in the order of the calendar."""
    return np.asarray(fit.effects[fit.event_times >= 0])


def _rmse(fit: Fit) -> float:
    return float(np.sqrt(np.mean(_errors(fit) ** 2)))


def _in_order(panel: Panel, fit: Fit, fall: Downturn) -> tuple[list[float], list[float]]:
    """Observed and backcast in all periods before the start, in the order of the calendar."""
    start = panel.starts[0]
    order = np.argsort([column for column in range(start) if column not in fall.columns] + list(fall.columns))
    lines = np.full((2, start), np.nan)
    if fit.observed is not None and fit.counterfactual is not None and fit.periods is not None:
        # a path need not have all periods
        lines[:, fit.periods] = fit.observed, fit.counterfactual
    return lines[0, order].tolist(), lines[1, order].tolist()
