"""The headline's pipeline fitted again on a changed panel: what several checks do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Interval, Pipeline
from evaluation.errors import EstimationError
from evaluation.panel import Panel
from evaluation.study import Fitted, Study, fit_pipeline


@dataclass(frozen=True, slots=True)
class Refit:
    """The effect on a changed panel, in the outcome's unit, with its interval."""

    effect: float
    interval: Interval


def refit(study: Study, panel: Panel, name: str, pipeline: Pipeline | None = None) -> Refit | None:
    """The headline's pipeline (or another) and the headline's inference on another panel; None where they cannot be computed.

    `name` is that of the random stream, where one is needed.
    """
    chosen = study.pipeline if pipeline is None else pipeline
    try:
        interval = study.inference.infer(chosen, panel, study.level, study.rng(name))
        return Refit(chosen(panel).att, interval)
    except EstimationError:
        return None


def effect_without(study: Study, names: Collection[str]) -> float | None:
    """The headline effect when the units of these names are left out of the panel; None where it cannot be computed then."""
    keep = np.array([name not in names for name in study.panel.units])
    try:
        return study.pipeline(study.panel.keep_units(keep)).att
    except EstimationError:
        return None


def donors_in_use(study: Study) -> tuple[str, ...]:
    """The controls that carry weight in the headline, in the order of the panel; all controls where it does not say."""
    panel = study.panel
    controls = [name for name, treated in zip(panel.units, panel.treated.tolist(), strict=True) if not treated]
    return tuple(name for name in controls if name in study.headline.unit_weights) or tuple(controls)


def without_each_donor(study: Study) -> dict[str, float]:
    """The headline effect without each control that carries weight in turn, by its name; what cannot be computed is left out.

    References
    ----------
    Abadie, Diamond & Hainmueller (2015), American Journal of Political Science 59(2), section 4 ("leave-one-out").
    """
    effects = {name: effect_without(study, (name,)) for name in donors_in_use(study)}
    return {name: effect for name, effect in effects.items() if effect is not None}


def headline_fits(study: Study) -> Fitted:
    """The fits behind the headline: those at hand, else made again."""
    if study.fitted:
        return study.fitted[0]
    return fit_pipeline(study.pipeline, study.panel, study.inference.name, study.level, study.seed)
