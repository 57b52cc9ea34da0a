"""Which rungs the ladder has for the data at hand, and why it lacks the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.accounting.matching import nearest
from evaluation.contracts import Pipeline
from evaluation.cycle import ADJUSTMENTS
from evaluation.errors import EstimationError
from evaluation.estimators import ESTIMATORS
from evaluation.estimators.triple_difference import difference
from evaluation.panel import Panel
from evaluation.spec.options import validated_options
from evaluation.study import Study

ADJUSTED_FIRST = (
    ("none", ""), ("region_time", ""), ("sensitivity", ""), ("local_series", "own"), ("local_series", "neighbours"),
    ("local_series", "predicted"), ("shift_share", ""),
)  # fmt: skip
"""(adjustment, variant) of the rungs before those that choose or weight controls, in the order of the ladder."""

ADJUSTED_LAST = (("factors", ""), ("cce", ""), ("unit_trend", ""))
"""The rungs after them: they lean harder on the periods before the start."""

WEIGHTED = ("synthetic_control", "synthetic_did")
"""Estimators that are rungs of their own: their weights on controls answer the same question as an adjustment."""

COMPARISONS = {"unit_trend": "eats_effect"}
"""Why an adjustment that is shown for comparison should not be the answer."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung before it is computed: `pipeline` on `panel`, or the reason code of what is `missing`.

    `doubt` is the reason code of a rung that is shown but not to be believed.
    """

    adjust: str
    variant: str = ""
    pipeline: Pipeline | None = None
    panel: Panel | None = None
    missing: str = ""
    doubt: str = ""


def rungs(study: Study) -> Iterator[Rung]:
    """Every rung from "none" on, in the order of the ladder; one whose data are missing says which."""
    for name, variant in ADJUSTED_FIRST:
        yield _adjusted(study, name, variant)
    yield _matched(study)
    for name in WEIGHTED:
        yield from _weighted(study, name)
    known = {name for name, _ in (*ADJUSTED_FIRST, *ADJUSTED_LAST)}
    for name, variant in (*ADJUSTED_LAST, *((name, "") for name in ADJUSTMENTS if name not in known)):
        yield _adjusted(study, name, variant)
    yield _triple_difference(study)


def plain(study: Study) -> Pipeline:
    """The headline's estimator without any adjustment: what the rung "none" fits."""
    none = ADJUSTMENTS["none"]
    return dataclasses.replace(study.pipeline, adjustment=none, adjustment_options=none.options())


def variant_of(pipeline: Pipeline) -> str:
    """What tells two rungs of one adjustment apart: which series a local adjustment uses."""
    return str(getattr(pipeline.adjustment_options, "use", ""))


def _adjusted(study: Study, name: str, variant: str) -> Rung:
    """The headline's estimator under an adjustment: the headline's own options where it is the same one, else the defaults."""
    adjustment = ADJUSTMENTS[name]
    options: Any = validated_options(adjustment, {"use": variant} if variant else {})
    if name == study.pipeline.adjustment.name:
        own = study.pipeline.adjustment_options
        options = dataclasses.replace(own, use=variant) if variant else own
    pipeline = dataclasses.replace(study.pipeline, adjustment=adjustment, adjustment_options=options)
    doubt = COMPARISONS.get(name, "comparison_only") if adjustment.comparison else ""
    return Rung(name, variant, pipeline, study.panel, _missing(study.panel, name, variant, options), doubt)


def _missing(panel: Panel, name: str, variant: str, options: Any) -> str:
    """The reason code of the data an adjustment lacks; empty where it has them."""
    if name == "region_time" and panel.region is None:
        return "no_regions"
    if name == "shift_share" and "shift_share" not in panel.cycle:
        return "no_shares"
    if name == "local_series":
        chosen = options.series or next(iter(local_series(panel)), "")
        if chosen not in panel.cycle:
            return "no_series"
        if variant == "neighbours" and f"{chosen}|neighbours" not in panel.cycle:
            return "no_neighbours"
    return ""


def local_series(panel: Panel) -> list[str]:
    """The names of the panel's own local series: not their neighbours' means, and not the predicted demand."""
    return [
        name for name, values in panel.cycle.items() if values.ndim == 2 and "|" not in name and name != "shift_share"
    ]


def _matched(study: Study) -> Rung:
    """The headline's estimator on the controls most like the treated before the start."""
    keep = nearest(study.panel)
    if keep is None:
        return Rung("matched_controls", missing="few_controls")
    return Rung("matched_controls", pipeline=plain(study), panel=study.panel.keep_units(keep))


def _weighted(study: Study, name: str) -> Iterator[Rung]:
    """A weighting estimator without an adjustment, where rung "none" is not the same already."""
    method, none = ESTIMATORS[name], ADJUSTMENTS["none"]
    pipeline = Pipeline(method, validated_options(method, {}), none, none.options())
    if pipeline == plain(study):
        return
    several = "common_start" in method.needs and len(study.panel.starts) > 1
    yield Rung(name, pipeline=pipeline, panel=study.panel, missing="several_starts" if several else "")


def _triple_difference(study: Study) -> Rung:
    """The headline's estimator on the outcome minus that of a group in the same units that the programme did not reach."""
    other = study.context.second_group
    if other is None:
        return Rung("triple_difference", missing="no_second_group")
    try:
        panel = difference_of_groups(study.panel, other)
    except EstimationError:
        return Rung("triple_difference", missing="not_computable")
    return Rung("triple_difference", pipeline=plain(study), panel=panel)


def difference_of_groups(panel: Panel, other: Panel) -> Panel:
    """The panel with the outcome minus the second group's, matched by the names of units and periods.

    Raises
    ------
    EstimationError
        The second group lacks a unit or a period of the panel.
    """
    rows = {name: row for row, name in enumerate(other.units)}
    columns = {period.label: column for column, period in enumerate(other.periods)}
    labels = [period.label for period in panel.periods]
    if not (set(panel.units) <= set(rows) and set(labels) <= set(columns)):
        raise EstimationError("triple_difference: the second group lacks units or periods of the first")
    cells = np.ix_([rows[name] for name in panel.units], [columns[label] for label in labels])
    return difference(panel, other.outcome[cells], None if other.noise is None else other.noise[cells])
