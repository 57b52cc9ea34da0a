"""The ladder: the headline estimator under every way of taking the business cycle out, one rung each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluation.accounting.recommend import recommended
from evaluation.accounting.rungs import WEIGHTED, Rung, plain, rungs, variant_of
from evaluation.contracts import Fit, Interval, Pipeline
from evaluation.errors import EstimationError
from evaluation.inference.draws import Placebos, placebo_fits, rank_p_value
from evaluation.inference.placebo import from_placebos
from evaluation.numerics import target_weights
from evaluation.panel import Panel
from evaluation.result import LadderRung, Note, number
from evaluation.study import Study

USED = 1e-6
"""A control with a weight above this counts as a donor."""

MOST_PLACEBOS = 500
"""With several treated units there can be thousands of assignments; a rung tries this many, drawn by one stream for all rungs."""

LOADING_PERIODS = 6
"""Before fewer periods than this, a rung that learns each unit's own reaction and fails does so for want of periods."""

POOR_FIT = 0.05
"""A weighting rung whose gap before the start ranks among this share of the largest, the placebos' included, is not believed."""

LEARNS_FROM_BEFORE = frozenset({"sensitivity", "local_series", "factors", "cce", "unit_trend"})


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A rung that could be computed."""

    panel: Panel
    fit: Fit
    interval: Interval
    placebos: Placebos | None


def ladder(study: Study) -> tuple[LadderRung, ...]:
    """One rung for each way of taking the cycle out, in a fixed order; what cannot be computed is there with the reason.

    Every rung is the headline's estimator with the headline's inference, adjustment and estimator refitted in every placebo.
    `removed` is the effect of rung "none" minus the rung's; its interval inverts the same test on the same difference of each
    control in turn, so it says how much of the difference could be chance. Fits that the headline, or an estimate beside it,
    has made are used again.
    """
    base = _plain_rung(study)
    wanted = recommended(study.panel)
    found = [_before_after(study, base)]
    for rung in rungs(study):
        own = rung.adjust == study.headline.adjust and rung.variant == variant_of(study.pipeline)
        advised = rung.adjust == wanted and rung.variant in ("", "own")
        found.append(_rung(rung, study, base, own, advised))
    return tuple(found)


def raw_change(panel: Panel) -> float:
    """Mean of the treated in the window minus their mean before their start, weighted as the headline weights them."""
    target = target_weights(panel, np.isfinite(panel.outcome))
    rows = np.flatnonzero(target.units)
    before = [float(np.nanmean(panel.outcome[row, : panel.start[row]])) for row in rows]
    return float((target.cells * np.nan_to_num(panel.outcome)).sum() - target.units[rows] @ np.array(before))


def _plain_rung(study: Study) -> _Fitted | EstimationError:
    """Rung "none", which all others are held against."""
    try:
        return _fitted(study, plain(study), study.panel)
    except EstimationError as error:
        return error


def _before_after(study: Study, base: _Fitted | EstimationError) -> LadderRung:
    if (study.panel.start[study.panel.treated] == 0).any():
        return LadderRung("before_after", *(None,) * 5, status="not_run", reason="few_periods")
    change = raw_change(study.panel)
    removed = None if isinstance(base, EstimationError) else number(base.fit.att - change)
    treated = int(study.panel.treated.sum())
    return LadderRung(
        "before_after", number(change), None, None, None, removed, n_units=treated, status="comparison",
        reason="no_comparison",
    )  # fmt: skip


def _rung(rung: Rung, study: Study, base: _Fitted | EstimationError, own: bool, advised: bool) -> LadderRung:
    """One rung of the Result; one that fails says why, and the run goes on."""
    if rung.missing or rung.pipeline is None or rung.panel is None:
        reason = rung.missing or "not_computable"
        return LadderRung(
            rung.adjust, *(None,) * 5, variant=rung.variant, headline=own, recommended=advised, status="not_run",
            reason=reason,
        )  # fmt: skip
    try:
        if rung.adjust == "none":
            if isinstance(base, EstimationError):
                raise base
            found = base
        else:
            found = _fitted(study, rung.pipeline, rung.panel)
    except EstimationError as error:
        return LadderRung(
            rung.adjust, *(None,) * 5, variant=rung.variant, headline=own, recommended=advised, status="not_run",
            reason=_why(rung, study.panel), notes=(_told(error),),
        )  # fmt: skip
    doubt = rung.doubt or _poor_fit(rung, found)
    removed, low, high = _removed(study, rung, found, base)
    interval = found.interval
    return LadderRung(
        rung.adjust,
        number(found.fit.att),
        number(interval.lower),
        number(interval.upper),
        number(interval.p_value),
        removed,
        variant=rung.variant,
        method=rung.pipeline.method.name,
        inference=study.inference.name,
        removed_lower=low,
        removed_upper=high,
        n_units=_units(found),
        n_donors=_donors(found),
        headline=own,
        recommended=advised,
        status="comparison" if doubt else "valid",
        reason=doubt,
        notes=(*found.fit.notes, *interval.notes, *_smallest_p(rung, found)),
    )


def _fitted(study: Study, pipeline: Pipeline, panel: Panel) -> _Fitted:
    """A pipeline with the headline's inference; fits that were made for the headline or an estimate beside it serve again."""
    inference = study.inference
    known = next((each for each in study.fitted if each.pipeline == pipeline), None) if panel is study.panel else None
    fit = known.fit if known is not None else pipeline(panel)
    if not math.isfinite(fit.att):
        raise EstimationError(f"{pipeline.method.name}: the effect is not a number")
    # one stream for every rung: where assignments are drawn at random, all rungs draw the same ones, and the headline these too
    rng = study.rng(f"{inference.name}/{study.pipeline.method.name}")
    if inference.infer_from is None:
        return _Fitted(panel, fit, inference.infer(pipeline, panel, study.level, rng), None)
    placebos = known.placebos if known is not None else None
    if placebos is None:
        placebos = placebo_fits(pipeline, panel, rng, MOST_PLACEBOS)
    return _Fitted(panel, fit, inference.infer_from(pipeline, panel, study.level, fit, placebos), placebos)


def _smallest_p(rung: Rung, found: _Fitted) -> tuple[Note, ...]:
    """What a rank test can say at most where the rung itself left most controls out."""
    if rung.adjust != "matched_controls" or found.placebos is None:
        return ()
    count = len(found.placebos.fits)
    smallest = 1.0 / (1 + count)
    text = f"With {count} controls no p-value can be below {smallest:.3f}."
    return (Note("smallest_p", text, {"count": count, "smallest_p": smallest}),)


def _poor_fit(rung: Rung, found: _Fitted) -> str:
    """Weights only take the cycle out if they follow the treated through it: "poor_fit" where nearly all placebos fit better."""
    if rung.adjust not in WEIGHTED or found.placebos is None or found.fit.fit_rmse is None:
        return ""
    fits = np.array([each.fit_rmse for each in found.placebos.fits if each.fit_rmse is not None])
    return "poor_fit" if fits.size and rank_p_value(fits, found.fit.fit_rmse) <= POOR_FIT else ""


def _removed(
    study: Study, rung: Rung, found: _Fitted, base: _Fitted | EstimationError
) -> tuple[float | None, float | None, float | None]:
    """How much a rung takes out beyond the comparison, and its placebo interval: (removed, lower, upper)."""
    if isinstance(base, EstimationError):
        return None, None, None
    if found is base:
        return 0.0, None, None
    removed = base.fit.att - found.fit.att
    placebos = _differences(base, found)
    if placebos is None or rung.pipeline is None:
        return number(removed), None, None
    # the error of shared slopes is in the rung and not in "none", so it is in their difference as it is in the rung
    fit = _without_path(removed, found.fit.slope_variance)
    interval = interval_of(study, rung.pipeline, found.panel, fit, placebos)
    return number(removed), number(interval.lower), number(interval.upper)


def _differences(base: _Fitted, found: _Fitted) -> Placebos | None:
    """Rung "none" minus the rung, for every assignment of the rung's panel that both were refitted for."""
    if base.placebos is None or found.placebos is None:
        return None
    rungs = base.panel, found.panel
    differences = _of_both(base.placebos, found.placebos, *rungs)
    alone = None
    if base.placebos.alone is not None and found.placebos.alone is not None:
        alone = _of_both(base.placebos.alone, found.placebos.alone, *rungs)
    return replace(differences, alone=alone) if differences is not None else None


def _of_both(plain: Placebos, other: Placebos, plain_panel: Panel, panel: Panel) -> Placebos | None:
    """The first minus the second, for every assignment that both have."""
    effects = {_names(plain_panel, rows): fit.att for rows, fit in zip(plain.assignments, plain.fits, strict=True)}
    both = [
        (rows, _without_path(effects[_names(panel, rows)] - fit.att, fit.slope_variance))
        for rows, fit in zip(other.assignments, other.fits, strict=True)
        if _names(panel, rows) in effects
    ]
    return Placebos(tuple(rows for rows, _ in both), tuple(fit for _, fit in both), 0, True) if both else None


def _without_path(value: float, slope_variance: float) -> Fit:
    return Fit(value, np.empty(0), np.empty(0, dtype=np.int64), slope_variance=slope_variance)


def interval_of(study: Study, pipeline: Pipeline, panel: Panel, fit: Fit, placebos: Placebos) -> Interval:
    """The headline's inference on a number and its placebos; plain ranks where that needs more than a number."""
    if study.inference.infer_from is not None:
        try:
            return study.inference.infer_from(pipeline, panel, study.level, fit, placebos)
        except EstimationError:
            pass  # an inference that measures effects against the fit before the start: a difference has none
    return from_placebos(fit, placebos, panel, study.level, np.ones(len(placebos.fits)))


def _names(panel: Panel, rows: Sequence[int]) -> tuple[str, ...]:
    return tuple(panel.units[row] for row in rows)


def _units(found: _Fitted) -> int:
    """Units in the fit: those of the panel but for the ones that could not be adjusted or were incomplete."""
    lost = sum(
        count
        for note in found.fit.notes
        if note.code in ("units_not_adjusted", "incomplete_units_dropped")
        and isinstance(count := note.facts["count"], int)
    )
    return found.panel.n_units - lost


def _donors(found: _Fitted) -> int:
    weights = found.fit.unit_weights
    if weights is None:
        return _units(found) - int(found.panel.treated.sum())
    return int((weights[~found.panel.treated] > USED).sum())


def _why(rung: Rung, panel: Panel) -> str:
    few = rung.adjust in LEARNS_FROM_BEFORE and min(panel.starts, default=0) < LOADING_PERIODS
    return "few_periods" if few else "not_computable"


def _told(error: EstimationError) -> Note:
    problem = error.problems[0].what
    return Note("rung_not_computed", f"The program says: {problem}.", {"problem": problem})


def by_name(found: Sequence[LadderRung]) -> Mapping[tuple[str, str], LadderRung]:
    """Rungs by (adjust, variant)."""
    return {(rung.adjust, rung.variant): rung for rung in found}
