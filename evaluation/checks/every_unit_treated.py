"""What if every unit were the treated one? How often each inference cries wolf on real data where nothing happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Inference, Pipeline
from evaluation.errors import EstimationError
from evaluation.inference import INFERENCES
from evaluation.inference.draws import clusters_of_units
from evaluation.panel import Panel
from evaluation.result import CheckResult, Value
from evaluation.study import Study, make_pipeline

LEVEL = 0.05
WARNS, FAILS = 0.10, 0.15
"""Shares of false alarms. With 94 units a test that is right at 5 % stays below 10 % in 98 of 100 panels."""

TRIED = ("placebo", "ferman_pinto", "standardized_placebo", "conley_taber", "conformal", "cluster")
"""Beside the headline's own inference: those that take seconds for all units. The others refit or resample hundreds of times for
each one."""

FEWEST = 20
"""Fewer untreated units than this say too little about a rate of 5 %."""


@dataclass(frozen=True, slots=True)
class _Row:
    inference: str
    estimator: str
    alarms: int
    units: int


def check(study: Study) -> CheckResult:
    """Treat each untreated unit in turn, from the same period, and count how many each inference calls significant at 5 %.

    Nothing happened to these units, so a method that keeps its promise calls about 5 % of them significant; rank tests
    such as `placebo` do so by construction, which is their point. The truly treated units are left out. Regressions'
    standard errors are tried on `did` where the headline has none.

    References
    ----------
    Bertrand, Duflo & Mullainathan (2004), Quarterly Journal of Economics 119(1), section III, on one treated unit.
    """
    panel = study.panel
    controls = np.flatnonzero(~panel.treated)
    if len(panel.starts) != 1 or panel.treated.sum() != 1 or clusters_of_units(panel):
        return CheckResult("every_unit_treated", "not_run", reason="several_treated")
    if controls.size < FEWEST:
        return CheckResult("every_unit_treated", "not_run", reason="few_controls", facts={"count": int(controls.size)})
    rows: list[_Row] = []
    for name in dict.fromkeys((study.inference.name, *TRIED)):
        row = _alarms(study, INFERENCES[name], controls)
        if row is not None:
            rows.append(row)
    own = next((row for row in rows if row.inference == study.inference.name), None)
    if own is None:
        return CheckResult("every_unit_treated", "not_run", reason="not_computable")
    share = own.alarms / own.units
    facts: dict[str, Value] = {
        "level": LEVEL,
        "n_units": own.units,
        "inference": own.inference,
        "share": share,
        "count": own.alarms,
        "estimator": own.estimator,
    }
    cluster = next((row for row in rows if row.inference == "cluster"), None)
    if cluster is not None:
        facts["cluster_share"] = cluster.alarms / cluster.units
        facts["cluster_count"] = cluster.alarms
    return CheckResult(
        "every_unit_treated",
        "failed" if share > FAILS else "warns" if share > WARNS else "passed",
        value=share,
        threshold=WARNS,
        facts=facts,
        series={
            "methods": [row.inference for row in rows],
            "estimators": [row.estimator for row in rows],
            "shares": [row.alarms / row.units for row in rows],
            "counts": [row.alarms for row in rows],
            "n_units": [row.units for row in rows],
        },
    )


def _alarms(study: Study, inference: Inference, controls: np.ndarray[tuple[int], np.dtype[np.int64]]) -> _Row | None:
    """How many controls this inference calls significant; by `did` where the headline's estimator cannot serve it."""
    without_treated = study.panel.assign({}, without=np.flatnonzero(study.panel.treated))
    start = study.panel.starts[0]
    fallback = make_pipeline("did", study.pipeline.adjustment.name, {})
    for pipeline in (study.pipeline, fallback):
        try:
            p_values = _p_values(pipeline, inference, without_treated, start, study)
        except EstimationError:
            continue
        return _Row(inference.name, pipeline.method.name, int((p_values <= LEVEL).sum()), int(p_values.size))
    return None


def _p_values(
    pipeline: Pipeline, inference: Inference, panel: Panel, start: int, study: Study
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rng = study.rng(f"every_unit_treated/{inference.name}")
    if inference.test_each is not None:
        return inference.test_each(pipeline, panel, start, rng)
    return np.array([inference.test(pipeline, panel.assign({row: start}), rng) for row in range(panel.n_units)])
