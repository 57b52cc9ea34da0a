"""Do the neighbours share the effect, or do they carry the answer?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.audit import thresholds
from evaluation.checks.refits import Refit, refit
from evaluation.contracts import Rng
from evaluation.errors import EstimationError
from evaluation.inference.draws import critical_size
from evaluation.noise import unit_noise, variance_function
from evaluation.panel import Array, Panel
from evaluation.result import CheckResult, Value, number
from evaluation.study import Study

DRAWS = 2000
"""Random groups of far controls, as many as a ring holds, behind the interval of a ring's own mean effect."""


@dataclass(frozen=True, slots=True)
class Row:
    """One estimate of the check: its label's code, the effect and its limits in the outcome's unit."""

    label: str
    effect: float
    lower: float | None
    upper: float | None


def check(study: Study) -> CheckResult:
    """Drop the neighbours from the controls ring by ring, and ask how the neighbours themselves fared.

    "without_ring1" leaves those that border on the treated unit out, "without_ring2" the second ring too. A neighbour that
    shares in the effect, or loses by it, is no control; and a synthetic control likes neighbours best. Each ring's own effect
    is the mean over its units, each held against the controls outside all rings; its interval comes from random groups of as
    many far controls.

    Returns
    -------
    CheckResult
        `value` is the largest change of the headline effect when rings are dropped, in placebo standard deviations. Effects
        are in the outcome's unit; facts about the second ring are None where there is none.
    """
    panel = study.panel
    rings = rings_in(study)
    if not rings:
        return CheckResult("spillover_rings", "not_run", reason="no_neighbours")
    if study.spread is None or study.spread <= 0.0:
        return CheckResult("spillover_rings", "not_run", reason="no_placebos")
    names = ("without_ring1", "without_ring2")
    headline = study.headline
    rows = [Row("full", headline.effect, headline.lower, headline.upper)]
    for count, label in zip(range(1, len(rings) + 1), names, strict=False):
        found = _without(study, {name for ring in rings[:count] for name in ring}, label)
        if found is not None:
            rows.append(Row(label, found.effect, number(found.interval.lower), number(found.interval.upper)))
    changes = [abs(row.effect - headline.effect) for row in rows[1:]]
    if not changes:
        count = int((~panel.treated).sum()) - sum(len(ring) for ring in rings)
        return CheckResult("spillover_rings", "not_run", reason="few_controls", facts={"count": count})
    rows += ring_effects(study, rings)
    effects: dict[str, Value] = {row.label: row.effect for row in rows}
    value = max(changes) / study.spread
    return CheckResult(
        "spillover_rings",
        thresholds.status("spillover_rings", value),
        value=value,
        threshold=thresholds.threshold("spillover_rings"),
        facts={
            "full": headline.effect,
            "without_ring1": effects.get("without_ring1"),
            "without_ring2": effects.get("without_ring2"),
            "ring1_effect": effects.get("ring1"),
            "ring2_effect": effects.get("ring2"),
            "ring1": list(rings[0]),
            "ring2": list(rings[1]) if len(rings) > 1 else [],
        },
        series={
            "labels": [row.label for row in rows],
            "effects": [row.effect for row in rows],
            "lowers": [row.lower for row in rows],
            "uppers": [row.upper for row in rows],
        },
    )


def rings_in(study: Study) -> tuple[tuple[str, ...], ...]:
    """The first two rings of the context, with the controls of the panel alone; a ring without any is not counted."""
    panel = study.panel
    controls = {name for name, treated in zip(panel.units, panel.treated.tolist(), strict=True) if not treated}
    rings = (tuple(name for name in ring if name in controls) for ring in study.context.rings)
    return tuple(ring for ring in rings if ring)[:2]


def ring_effects(study: Study, rings: tuple[tuple[str, ...], ...]) -> list[Row]:
    """The mean effect on the units of each ring ("ring1", "ring2"), held against the controls outside all of them.

    Each unit is fitted alone, as placebos are, and the mean over a ring is held against means over random groups of far
    controls, rescaled to the ring's noise by a + b / size where sizes are known. Neighbours share shocks that far controls do
    not, so the interval is rather too short. Empty where the treated units start at different times, or where there are too few
    far controls to fit.
    """
    panel = study.panel
    if len(panel.starts) != 1:
        return []
    near = [name for ring in rings for name in ring]
    far = tuple(
        name
        for name, treated in zip(panel.units, panel.treated.tolist(), strict=True)
        if not treated and name not in near
    )
    single = _one_by_one(study, far, far)
    rng, rows = study.rng("spillover_rings/groups"), []
    for place, ring in enumerate(rings):
        own = _one_by_one(study, ring, far)
        if not own:
            continue
        effect = float(np.mean(list(own.values())))
        half = critical_size(_group_means(panel, single, tuple(own), rng), study.level)
        rows.append(Row(f"ring{place + 1}", effect, number(effect - half), number(effect + half)))
    return rows


def _without(study: Study, names: set[str], label: str) -> Refit | None:
    keep = np.array([name not in names for name in study.panel.units])
    return refit(study, study.panel.keep_units(keep), f"spillover_rings/{label}")


def _one_by_one(study: Study, names: tuple[str, ...], far: tuple[str, ...]) -> dict[str, float]:
    """The effect of each unit in turn, as if it alone had been treated, with the far units (itself apart) as controls."""
    panel, start = study.panel, study.panel.starts[0]
    place = {name: row for row, name in enumerate(panel.units)}
    near = set(range(panel.n_units)) - {place[name] for name in far}
    effects: dict[str, float] = {}
    for name in names:
        try:
            effects[name] = study.pipeline(panel.assign({place[name]: start}, without=near - {place[name]})).att
        except EstimationError:
            continue
    return effects


def _group_means(panel: Panel, single: dict[str, float], ring: tuple[str, ...], rng: Rng) -> Array:
    """(draws,) mean effects of random groups of far units as large as the ring, as noisy as the ring; empty if too few."""
    if len(single) <= len(ring):
        return np.empty(0)
    effects = np.array(list(single.values()))
    groups = np.arange(effects.size)[:, None]
    if len(ring) > 1:
        groups = np.argsort(rng.random((DRAWS, effects.size)), axis=1)[:, : len(ring)]
    means = effects[groups].mean(axis=1)
    noise = unit_noise(panel, np.arange(panel.n_periods) < panel.starts[0])
    if noise is None:
        return np.asarray(means)
    design = np.column_stack([np.ones(panel.n_units), noise])
    place = {name: row for row, name in enumerate(panel.units)}
    rows = [place[name] for name in single]
    variance = design @ np.array(variance_function(design[rows], effects**2))
    wanted, found = variance[[place[name] for name in ring]].sum(), variance[rows][groups].sum(axis=1)
    return np.asarray(means * np.sqrt(wanted / found) if (found > 0.0).all() else means)
