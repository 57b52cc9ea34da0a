"""Callaway & Sant'Anna: an effect for each group of common start and each period, and averages of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError, listed
from evaluation.group_time import (
    Aggregate,
    Averages,
    GroupTimes,
    aggregate_rows,
    averages,
    cell_rows,
    mean_observed,
    pre_test,
)
from evaluation.numerics import (
    Target,
    dropped_note,
    single_unit_groups,
    something_treated,
    target_weights,
    without_always_treated,
)
from evaluation.panel import Array, Indices, Mask, Panel
from evaluation.propensity import at_period, design_matrix, trimmed_note
from evaluation.regression import covariate_values, weight_values
from evaluation.result import Note
from evaluation.two_period import Effects, Kind, cross_section_effects, mean_difference, panel_effects

NAME = "callaway_santanna"

KINDS: dict[str, Kind] = {"dr": "traditional", "ipw": "std_ipw", "reg": "reg"}


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `callaway_santanna`."""

    est_method: Annotated[
        Literal["dr", "ipw", "reg"],
        Field(description="how covariates enter: doubly robust, inverse probability weights, or outcome regression"),
    ] = "dr"
    control_group: Annotated[Literal["never_treated", "not_yet_treated"], Field(description="who is compared with")] = (
        "never_treated"
    )
    base_period: Annotated[
        Literal["varying", "universal"],
        Field(
            description="effects before the start: against the period before each, or against the last before the start"
        ),
    ] = "varying"
    anticipation: Annotated[int, Field(ge=0, description="periods before the start in which it may already work")] = 0
    covariates: Annotated[
        tuple[str, ...],
        Field(description="trends may depend on these; of one that varies over time the earlier period's value counts"),
    ] = ()
    aggregate: Annotated[Aggregate, Field(description="which average of group-time effects is the answer")] = "simple"
    unbalanced: Annotated[
        Literal["pairs", "complete", "cross_sections"],
        Field(
            description="units with gaps: compared where seen in both periods, left out, or each period a sample of its own"
        ),
    ] = "pairs"
    weights: Annotated[str, Field(description='covariate that weights the units, or "size"')] = ""
    min_event_time: Annotated[int | None, Field(description="first event time of path and dynamic average")] = None
    max_event_time: Annotated[int | None, Field(ge=0, description="last event time of path and dynamic average")] = None
    balance: Annotated[
        int | None, Field(ge=0, description="path and dynamic average only from groups seen this long after the start")
    ] = None  # fmt: skip


def fit(panel: Panel, options: Options) -> Fit:
    """Group-time effects ATT(g,t), each a two-period comparison, and their average over the target cells.

    ATT(g,t) compares the change of group g from its base period to t with that of units not treated by t. After the start the
    base is the last period before (start − anticipation); before the start it is the period before t (`varying`) or the same
    (`universal`). Parallel trends need hold only given the covariates.

    Parameters
    ----------
    panel : Panel
        May have several starts and missing cells. Units treated from the first period on are left out.

    Returns
    -------
    Fit
        `att` by `options.aggregate`; the path by event time. `details`: "att_gt", "aggregates", "pre_test".

    Raises
    ------
    EstimationError
        Nobody to compare with, no effect of the window can be estimated, or the covariates do not overlap or are collinear.

    References
    ----------
    Callaway & Sant'Anna (2021), Journal of Econometrics 225(2), eqs. (2.2)-(2.4), theorem 1, section 3.
    """
    groups, notes = _groups(panel, options)
    if options.unbalanced == "complete" and not panel.balanced:
        panel, dropped = _complete(panel)
        notes = (*notes, *dropped)
    work = _work(panel, options)
    found, more = _group_times(work, groups)
    path, averaged = _averages(panel, options, found)
    headline = averaged[options.aggregate]
    labels = [period.label for period in panel.periods]
    assert panel.cluster is not None  # set by Panel itself
    common = len(panel.starts) == 1
    observed = mean_observed(found, work.outcome, path.keys) if common else None
    last = panel.starts[0] - options.anticipation - 1
    before = path.effects[(path.keys < 0) & path.influence.any(axis=1)]
    plain = common and panel.balanced and not options.covariates and not options.weights
    return Fit(
        att=headline.overall,
        effects=path.effects,
        event_times=path.keys,
        periods=path.keys + panel.starts[0] if common else None,
        observed=observed,
        counterfactual=None if observed is None else observed - path.effects,
        unit_weights=(~panel.treated) / float((~panel.treated).sum()) if plain else None,
        time_weights=(np.arange(panel.n_periods) == last).astype(np.float64) if plain else None,
        fit_rmse=float(np.sqrt(np.mean(before**2))) if before.size else None,
        influence=headline.overall_influence,
        path_influence=path.influence,
        small_sample=False,
        n_obs=int(work.seen.sum()),
        notes=(*notes, *more),
        details={
            "att_gt": cell_rows(found, labels, panel.cluster),
            "aggregates": aggregate_rows(averaged, labels, panel.cluster),
            "pre_test": pre_test(found, panel.cluster),
        },
    )


def _averages(panel: Panel, options: Options, found: GroupTimes) -> tuple[Averages, dict[Aggregate, Averages]]:
    """The path by event time, and the averages over the target cells."""
    times = found.event_times
    keep = np.ones(times.size, dtype=np.bool_)
    if options.min_event_time is not None:
        keep &= times >= options.min_event_time
    if options.max_event_time is not None:
        keep &= times <= options.max_event_time
    if options.balance is not None:
        seen_after = panel.n_periods - 1 - found.groups
        keep &= (seen_after >= options.balance) & (times <= options.balance)
    if not (keep & found.target).any():
        raise EstimationError(f"{NAME}: `min_event_time`, `max_event_time` and `balance` leave no effect of the window")
    shown = found.only(keep)
    path = averages(shown, "dynamic")
    target = found.only(found.target)
    kinds: tuple[Aggregate, ...] = ("simple", "group", "calendar")
    averaged = {kind: averages(target, kind) for kind in kinds}
    over = averages(shown.only(shown.target), "dynamic")
    averaged["dynamic"] = replace(path, overall=over.overall, overall_influence=over.overall_influence)
    return path, averaged


# ---------------------------------------------------------------------- which comparisons there are


def _groups(panel: Panel, options: Options) -> tuple[tuple[int, ...], tuple[Note, ...]]:
    """The starts that have a period to start from, and what the reader must know of the others."""
    something_treated(panel, NAME)
    groups = tuple(start for start in panel.starts if start > options.anticipation)
    if not groups:
        raise EstimationError(f"{NAME}: no period before the start")
    if options.control_group == "never_treated" and panel.treated.all():
        raise EstimationError(
            f'{NAME}: every unit is treated at some time; `control_group = "not_yet_treated"` compares with those treated later'
        )
    kept, notes = without_always_treated(panel)
    return groups, (*notes, *single_unit_groups(kept))


def _complete(panel: Panel) -> tuple[Panel, tuple[Note, ...]]:
    """The panel without a single outcome of incomplete units, which then enter no comparison, and the note that names them."""
    complete = np.asarray(np.isfinite(panel.outcome).all(axis=1))
    names = tuple(panel.units[row] for row in np.flatnonzero(~complete))
    return panel.with_outcome(np.where(complete[:, None], panel.outcome, np.nan)), dropped_note(names)


def _cells(groups: tuple[int, ...], n_periods: int, options: Options) -> Indices:
    """(cells, 3) group, period and base period, all as indices."""
    universal = options.base_period == "universal"
    cells: list[tuple[int, int, int]] = []
    for group in groups:
        last = group - options.anticipation - 1
        cells += [
            (group, time, last if universal or time >= group else time - 1)
            for time in range(0 if universal else 1, n_periods)
        ]
    return np.array(cells, dtype=np.int64).reshape(-1, 3)


@dataclass(frozen=True, slots=True)
class _Work:
    """The panel laid out for the comparisons: `outcome` and `seen` are (periods, units)."""

    panel: Panel
    options: Options
    outcome: Array
    seen: Mask
    covariates: list[Array]
    weights: Array | None
    persons: Target | None

    def controls(self, group: int, last: int) -> Mask:
        """(units,) who is compared with a group: untreated through period `last` and the anticipation after it."""
        start = self.panel.start
        if self.options.control_group == "never_treated":
            return np.asarray(start == self.panel.n_periods)
        free = (start > last + self.options.anticipation) | (start == self.panel.n_periods)
        return np.asarray(free & (start != group))

    def row_weights(self, rows: Indices, group: int, time: int, period: int) -> Array:
        """(rows,) weights in a comparison: those asked for in `period`, else persons in `time` among the treated."""
        if self.weights is not None:
            return np.nan_to_num(at_period(self.weights, period)[rows])
        weights = np.ones(rows.size)
        if self.persons is not None:
            own = self.panel.start[rows] == group
            weights[own] = self.cell_weights(rows[own], time)
        return weights

    def cell_weights(self, rows: Indices, time: int) -> Array | None:
        """Weights of treated units in averages over cells; None for equal ones."""
        if self.weights is not None:
            if self.weights.ndim == 1:
                return np.nan_to_num(self.weights[rows])
            values = np.nan_to_num(self.weights[rows])
            return np.asarray(values[:, 0] if self.options.unbalanced != "cross_sections" else values.mean(axis=1))
        if self.persons is None:
            return None
        weights: Array = self.persons.cells[rows, time]
        if not weights.any():
            # outside the window the headline says nothing: as within it
            weights = self.persons.units[rows] / np.maximum(1, self.panel.target[rows].sum(axis=1))
        return weights

    def values(self, rows: Indices, period: int) -> Array:
        """(rows, covariates) in a period."""
        return np.column_stack([at_period(each, period)[rows] for each in self.covariates])


def _work(panel: Panel, options: Options) -> _Work:
    outcome = np.ascontiguousarray(panel.outcome.T)
    seen = np.isfinite(outcome)
    weights = weight_values(panel, options.weights, NAME)
    persons = None
    if panel.size is not None and weights is None:
        persons = target_weights(panel, None if options.unbalanced == "cross_sections" else seen.T)
    return _Work(panel, options, outcome, seen, covariate_values(panel, options.covariates, NAME), weights, persons)


# ---------------------------------------------------------------------- the comparisons


def _group_times(work: _Work, groups: tuple[int, ...]) -> tuple[GroupTimes, tuple[Note, ...]]:
    """All effects by group and period that can be estimated.

    A group none of whose effects can be is left out with its comparisons before the start. Covariates that rule out an effect of
    the window are an error, not a gap: the average would be over others than it says.
    """
    panel, options = work.panel, work.options
    cells = _cells(groups, panel.n_periods, options)
    group, time, base = cells.T
    units = panel.n_units
    effects, influence = np.zeros(len(cells)), np.zeros((len(cells), units))
    known = time == base
    members = {start: np.flatnonzero(panel.start == start) for start in groups}
    rows = [members[start] for start in group.tolist()]
    weights: list[Array | None] = [None] * len(cells)
    first, final = (0, panel.n_periods - 1) if panel.window is None else panel.window
    after = time >= group
    target = after & (time >= first) & (time <= final)
    trimmed = 0
    problems: dict[str, list[str]] = {}
    failed = np.zeros(len(cells), dtype=np.bool_)
    for batch in _batches(work, cells):
        try:
            found = (_cross_sections if options.unbalanced == "cross_sections" else _pairs)(work, cells[batch])
        except EstimationError as error:
            failed[batch] = True
            if target[batch].any():
                problems.setdefault(str(error), []).append(panel.periods[int(group[batch[0]])].label)
            continue
        if found is None:
            continue
        used, estimate = found
        effects[batch] = estimate.att
        influence[np.ix_(batch, used)] = estimate.influence
        known[batch] = True
        trimmed = max(trimmed, estimate.trimmed)
        if options.unbalanced != "cross_sections" and not panel.balanced:
            own = used[panel.start[used] == group[batch[0]]]
            for cell in batch:
                rows[cell] = own
    if problems:
        raise EstimationError(
            *(f"{NAME}: start {listed(sorted(set(starts)))}: {text}" for text, starts in problems.items())
        )
    if work.weights is not None or work.persons is not None:
        weights = [work.cell_weights(each, when) for each, when in zip(rows, time.tolist(), strict=True)]
    with_effect = np.isin(group, group[known & after])
    keep = known & with_effect
    if not (keep & target).any():
        raise EstimationError(
            f"{NAME}: no effect of the window can be estimated: nobody untreated is seen in the same periods as the treated"
        )
    everything = GroupTimes(group, time, effects, influence, tuple(rows), tuple(weights), target, time == base)
    found_times = everything.only(keep)
    lost = (target | (failed & with_effect)) & ~keep
    return found_times, _remarks(work, everything, lost, found_times, trimmed)


def _batches(work: _Work, cells: Indices) -> Iterator[Indices]:
    """Cells that share treated, controls, covariates and weights: they are worked on together."""
    panel, options = work.panel, work.options
    alone = not panel.balanced or options.unbalanced == "cross_sections"
    moving = any(each.ndim == 2 for each in work.covariates) or (work.weights is not None and work.weights.ndim == 2)
    persons = work.persons is not None and bool(work.covariates)
    batches: dict[tuple[int, ...], list[int]] = {}
    for index, (group, time, base) in enumerate(cells.tolist()):
        if time == base:
            continue
        last = max(time, base) if options.control_group == "not_yet_treated" else 0
        key = (group, last, min(time, base) if moving else 0, index if alone else time if persons else 0)
        batches.setdefault(key, []).append(index)
    for batch in batches.values():
        yield np.array(batch)


def _pairs(work: _Work, cells: Indices) -> tuple[Indices, Effects] | None:
    """Units seen in both periods: their changes compared; None where there is nobody on one side."""
    group, time, base = (int(value) for value in cells[0])
    earlier = min(time, base)
    member = work.controls(group, max(time, base)) | (work.panel.start == group)
    if not work.panel.balanced:
        member &= work.seen[time] & work.seen[base]
    rows = np.flatnonzero(member)
    values = work.values(rows, earlier) if work.covariates else None
    if values is not None and not np.isfinite(values).all():
        complete = np.isfinite(values).all(axis=1)
        rows, values = rows[complete], values[complete]
    weights = work.row_weights(rows, group, time, earlier)
    treated = work.panel.start[rows] == group
    if not (weights[treated].any() and weights[~treated].any()):
        return None
    lines = work.outcome.take(rows, axis=1)
    change = lines[cells[:, 1]]
    change -= lines[cells[:, 2]]
    if values is None:
        if work.persons is not None and len(cells) > 1:
            weights = np.vstack([work.row_weights(rows, group, when, earlier) for when in cells[:, 1].tolist()])
        return rows, mean_difference(change, treated, weights)
    kind = KINDS[work.options.est_method]
    return rows, panel_effects(kind, change, treated, design_matrix(values), weights)


def _cross_sections(work: _Work, cells: Indices) -> tuple[Indices, Effects] | None:
    """Everybody seen in either period: samples before and after compared, influences summed by unit."""
    group, time, base = (int(value) for value in cells[0])
    member = work.controls(group, max(time, base)) | (work.panel.start == group)
    parts, values, weights = [], [], []
    for period in (time, base):
        rows = np.flatnonzero(member & work.seen[period])
        if work.covariates:
            found = work.values(rows, period)
            complete = np.isfinite(found).all(axis=1)
            rows, found = rows[complete], found[complete]
            values.append(found)
        weight = work.row_weights(rows, group, time, period)
        treated = work.panel.start[rows] == group
        if not (weight[treated].any() and weight[~treated].any()):
            return None
        parts.append(rows)
        weights.append(weight)
    both = np.concatenate(parts)
    after = np.arange(both.size) < parts[0].size
    outcome = np.concatenate([work.outcome[time][parts[0]], work.outcome[base][parts[1]]])
    design = design_matrix(np.concatenate(values)) if work.covariates else None
    found_effects = cross_section_effects(
        KINDS[work.options.est_method], outcome, work.panel.start[both] == group, after, design, np.concatenate(weights)
    )
    used, place = np.unique(both, return_inverse=True)
    summed = np.zeros((1, used.size))
    np.add.at(summed[0], place.ravel(), found_effects.influence[0])
    return used, replace(found_effects, influence=summed)


def _remarks(work: _Work, everything: GroupTimes, lost: Mask, found: GroupTimes, trimmed: int) -> tuple[Note, ...]:
    """What could not be estimated, and controls without weight."""
    panel = work.panel
    notes: list[Note] = []
    if lost.any():
        labels = [period.label for period in panel.periods]
        cells = zip(everything.groups[lost].tolist(), everything.times[lost].tolist(), strict=True)
        names = [f"{labels[group]}/{labels[time]}" for group, time in cells]
        notes.append(
            Note(
                "effects_not_estimated",
                f"{len(names)} effects (start/period) could not be estimated and are left out: {listed(names)}.",
                {"count": len(names), "cells": listed(names)},
            )
        )
    if not panel.balanced:
        counted = np.zeros(panel.n_units, dtype=np.bool_)
        for rows in found.only(found.target).rows:
            counted[rows] = True
        without = np.flatnonzero(panel.target.any(axis=1) & ~counted & (panel.start > 0))
        if without.size:
            names = [panel.units[row] for row in without]
            notes.append(
                Note(
                    "treated_not_compared",
                    f"{len(names)} treated units are not seen in the periods to compare and do not count: {listed(names)}.",
                    {"count": len(names), "units": listed(names)},
                )
            )
    return (*notes, *trimmed_note(trimmed))


METHOD = Method(
    name=NAME,
    summary="Callaway & Sant'Anna: effects by start and period, averaged; trends may depend on covariates",
    fit=fit,
    options=Options,
    needs=("one_pre_period",),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="cluster",
    source="Callaway & Sant'Anna (2021), Journal of Econometrics 225(2)",
)
