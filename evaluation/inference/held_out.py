"""Refits that are not shown some periods before the start, and what the treated unit's gaps are there.

The periods held out are moved behind the start, in front of the truly treated ones, and the treated units count as treated there:
then neither the estimator nor the adjustment for the business cycle looks at the treated units' outcomes in them, and the fit's
path says what it makes of them. The window stays what it was.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.contracts import Fit, Pipeline
from evaluation.errors import EstimationError
from evaluation.numerics import without_always_treated
from evaluation.panel import Array, Indices, Panel

IN_ORDER = ("unit_trend", "structural_time_series")
"""Adjustments and estimators that read the order of the periods, which moving some of them destroys."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A refit: the headline effect, and the effects at the periods held out and from the start on, each in order."""

    att: float
    held_out: Array
    after: Array


def one_start(panel: Panel, pipeline: Pipeline, method: str) -> tuple[Panel, int]:
    """The panel without units treated from its first period, and the start that all treated units share.

    Raises
    ------
    EstimationError
        Several starts, or an estimator or adjustment that reads the order of the periods.
    """
    panel, _ = without_always_treated(panel)
    if len(panel.starts) != 1:
        raise EstimationError(f"{method}: the treated units need one common start")
    name = pipeline.adjustment.name if pipeline.adjustment.name in IN_ORDER else pipeline.method.name
    if name in IN_ORDER or getattr(pipeline.options, "unit_trends", False):
        what = "a linear trend of each unit" if name not in IN_ORDER else name
        raise EstimationError(f"{method}: it leaves periods out, and {what} reads all periods in their order")
    return panel, panel.starts[0]


def tuned(pipeline: Pipeline, fit: Fit) -> Pipeline:
    """The pipeline with what cross-validation chose (options "cv") held at the values that `fit` tells under their names."""
    chosen: dict[str, Any] = {}
    if dataclasses.is_dataclass(pipeline.options):
        for option in dataclasses.fields(pipeline.options):
            value = fit.details.get(option.name)
            if getattr(pipeline.options, option.name) == "cv" and isinstance(value, int | float) and value > 0:
                chosen[option.name] = value
    return (
        dataclasses.replace(pipeline, options=dataclasses.replace(pipeline.options, **chosen)) if chosen else pipeline
    )


def refit(pipeline: Pipeline, panel: Panel, columns: Indices, method: str) -> HeldOut:
    """The pipeline's fit without the periods `columns` (indices before the start) of the treated units.

    Raises
    ------
    EstimationError
        The refit is impossible, or has no effect for each period.
    """
    start = panel.starts[0]
    before = np.setdiff1d(np.arange(start), columns)
    order = np.concatenate([before, columns, np.arange(start, panel.n_periods)])
    window = panel.window if panel.window is not None else (start, panel.n_periods - 1)
    try:
        fit = pipeline(_reordered(panel, order, before.size, (max(window[0], start), window[1])))
    except EstimationError as error:
        raise EstimationError(
            f"{method}: with {columns.size} of {start} periods before the start left out, {error}"
        ) from error
    path = path_by_period(fit, panel.n_periods)
    if path is None or not np.isfinite(path[before.size : start]).all():
        raise EstimationError(f"{method}: {pipeline.method.name} has no effect for each period before the start")
    return HeldOut(fit.att, path[before.size : start], path[start:])


def path_by_period(fit: Fit, n_periods: int) -> Array | None:
    """(periods,) the effects in the order of the panel, NaN where the fit has none; None where it has no path by period."""
    if fit.periods is None:
        return None
    path = np.full(n_periods, np.nan)
    path[fit.periods] = fit.effects
    return path


def _reordered(panel: Panel, order: Indices, start: int, window: tuple[int, int]) -> Panel:
    """The panel with its columns in another order, treated from `start`; the names of the periods stay where they were."""
    return dataclasses.replace(
        panel,
        outcome=panel.outcome[:, order],
        start=np.where(panel.treated, start, panel.n_periods),
        size=None if panel.size is None else panel.size[:, order],
        noise=None if panel.noise is None else panel.noise[:, order],
        covariates={key: value[:, order] if value.ndim == 2 else value for key, value in panel.covariates.items()},
        cycle={key: value[..., order] for key, value in panel.cycle.items()},
        window=window,
    )
