"""Secondary outcomes and groups: each estimated as the headline is, their p-values adjusted for how many were looked at.

The primary outcome is the one that the spec declares, and its p-value is its own. All other outcomes are one family, all groups
another; within each the chance of even one false finding is held to the level. What ties the members together is read off the
placebo assignments that they share: the same stand-ins were treated on paper in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from evaluation.disclosure import blotted, protected_estimate
from evaluation.errors import EstimationError
from evaluation.further import Further
from evaluation.multiplicity import holm, romano_wolf
from evaluation.panel import Array, Panel
from evaluation.result import Estimate, Failure, Note, PeriodEffect, Primary, Secondary, Value
from evaluation.spec.model import SecondaryTable, Spec
from evaluation.study import Study, fit_pipeline

PLACEBO = ("units", "effects", "weights", "treated_effect", "rank", "count", "smallest_p", "sd")
"""What is kept of each placebo distribution: enough to adjust the p-values again."""
DETAILS = ("label", "placebo", "variance", "chosen", "blocks", "rmspe_pre", "treated_clusters", "starts")
"""What is kept of an estimate's details."""
ENOUGH_SHARED = 0.5
"""Less than this share of the assignments in common would be a test of much less than the p-values that it adjusts."""


@dataclass(frozen=True, slots=True)
class Families:
    """The secondary outcomes and groups that could be estimated, what is known of the primary one, and what failed."""

    secondary: tuple[Secondary, ...] = ()
    primary: Primary | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class _One:
    """A secondary outcome or group on its way: its panel, and its estimate once there is one."""

    place: int
    further: Further
    panel: Panel
    estimate: Estimate | None = None


def estimate_all(
    asked: Sequence[Further], study: Study, spec: Spec, say: Callable[[str, str], None] = lambda stage, text: None
) -> Families:
    """The headline's pipeline and level on each panel, and p-values adjusted within outcomes and within groups.

    The inference is the one that the spec names; where it names none, the rule that chose the headline's chooses for each panel,
    since one outcome may be far more restless in the treated unit than another.

    Each panel keeps all the units it has. Only with several treated units, whose stand-ins are drawn at random, are all cut to the
    units they share, so that the same assignments are drawn everywhere.

    Parameters
    ----------
    asked : sequence of Further
        In the order of the spec.
    study : Study
        Its headline is the primary outcome's estimate.
    say : callable, optional
        say(stage, text) is told how many there are, and what failed.

    Returns
    -------
    Families
        In the order of the spec. Whatever cannot be estimated, or may not be published, is among the failures.
    """
    if not asked:
        return Families()
    failures: dict[int, Failure] = {}
    ready: list[_One] = []
    for place, further in enumerate(asked):
        try:
            panel = _ready(further, study)
            _refuse_few(panel, study, spec)
            ready.append(_One(place, further, panel))
        except EstimationError as error:
            failures[place] = _failure(further, study, spec, error)
    if study.panel.treated.sum() > 1:
        ready = _shared(ready)
    found: list[_One] = []
    for one in ready:
        try:
            fitted = fit_pipeline(study.pipeline, one.panel, spec.inference.method, study.level, study.seed)
            found.append(replace(one, estimate=_counted(fitted.estimate, one.panel, study.panel)))
        except EstimationError as error:
            failures[one.place] = _failure(one.further, study, spec, error)
    secondary, primary = _adjusted(found, study, spec)
    for stage, text in kinds(secondary):
        say(stage, text)
    for _, failure in sorted(failures.items()):
        say("Failed", f"{failure.name}: {failure.problems[0]}")
    return Families(secondary, primary, tuple(failures[place] for place in sorted(failures)))


def kinds(secondary: Sequence[Secondary | SecondaryTable]) -> list[tuple[str, str]]:
    """One line, where there are any: "2 outcomes, 1 group"."""
    told = [one.kind for one in secondary]
    counts = {kind: told.count(kind) for kind in ("outcome", "group") if kind in told}
    words = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items())
    return [("Secondary", words)] if words else []


def _failure(further: Further, study: Study, spec: Spec, error: EstimationError) -> Failure:
    name = further.label.get("en") or next(iter(further.label.values()), "")
    hidden = frozenset() if spec.data.public else _small((study.panel, further.panel), spec.disclosure.minimum)
    problems = tuple(blotted(problem.what, hidden) for problem in error.problems)
    return Failure("secondary", name, problems, further.label)


# ------------------------------------------------------------------ panels


def _ready(further: Further, study: Study) -> Panel:
    """The panel of the headline's units in their order, with the series of the business cycle, and without holes where none may be.

    Raises
    ------
    EstimationError
        There is no panel, or a treated unit is not observed in some period.
    """
    if further.panel is None:
        raise EstimationError(*further.problems)
    main = study.panel
    row = {unit: place for place, unit in enumerate(further.panel.units)}
    # in one order, so that the same random stream draws the same stand-ins
    panel = further.panel.keep_units([row[unit] for unit in main.units if unit in row])
    if "balanced" in study.pipeline.method.needs:
        whole = np.asarray(np.isfinite(panel.outcome).all(axis=1))
        if not whole[panel.treated].all():
            raise EstimationError("the treated unit is not observed in every period")
        panel = panel.keep_units(whole)
    return replace(panel, cycle=_cycle(panel, main))


def _counted(estimate: Estimate, panel: Panel, main: Panel) -> Estimate:
    """The estimate, with a remark where it is made from fewer units than the headline."""
    fewer = main.n_units - panel.n_units
    if not fewer:
        return estimate
    text = f"{fewer} of the {main.n_units} units of the primary outcome are not observed here in every period, and left out."
    note = Note("secondary_fewer_units", text, {"count": fewer, "of": main.n_units})
    return replace(estimate, notes=(note, *estimate.notes))


def _cycle(panel: Panel, main: Panel) -> dict[str, Array]:
    """The headline's outside series at the panel's units and periods."""
    row = {unit: place for place, unit in enumerate(main.units)}
    column = {period: place for place, period in enumerate(main.periods)}
    if not main.cycle:
        return {}
    if any(period not in column for period in panel.periods):
        raise EstimationError(
            "it has periods that the primary outcome lacks, for which the outside series are not known"
        )
    rows = np.array([row[unit] for unit in panel.units], dtype=np.int64)
    columns = np.array([column[period] for period in panel.periods], dtype=np.int64)
    return {
        name: values[columns] if values.ndim == 1 else values[np.ix_(rows, columns)]
        for name, values in main.cycle.items()
    }


def _shared(ready: Sequence[_One]) -> list[_One]:
    """The panels of the units that all of them have."""
    units = [set(one.panel.units) for one in ready]
    common = sorted(set.intersection(*units)) if units else []
    return [replace(one, panel=one.panel.keep_units(np.isin(one.panel.units, common))) for one in ready]


# ------------------------------------------------------------------ what may be published


def _refuse_few(panel: Panel, study: Study, spec: Spec) -> None:
    """Refuse what rests on too few persons of a treated unit, or on so many that it tells of the few who are left.

    Raises
    ------
    EstimationError
        It rests on fewer persons than may be published.
    """
    if spec.data.public or panel.size is None or study.panel.size is None:
        return
    minimum, size = spec.disclosure.minimum, np.nan_to_num(panel.size)
    if (size[panel.treated] < minimum).any():
        raise EstimationError(
            f"a cell of the treated unit rests on fewer than {minimum} persons, so nothing about it may be published"
        )
    whole = {unit: study.panel.size[row] for row, unit in enumerate(study.panel.units)}
    column = {period: place for place, period in enumerate(study.panel.periods)}
    known = [place for place, period in enumerate(panel.periods) if period in column]
    columns = [column[panel.periods[place]] for place in known]
    for row in np.flatnonzero(panel.treated).tolist():
        # half a person is rounding: treated persons all have the same weight, so their size is a count
        others = whole[panel.units[row]][columns] - size[row, known]
        if ((others > 0.5) & (others < minimum)).any():
            raise EstimationError(
                f"all but fewer than {minimum} persons of the treated unit are counted here, so it would tell about those few"
            )


def _publishable(estimate: Estimate, one: _One, study: Study, spec: Spec) -> Estimate:
    """The estimate with the details that are kept, without what must not leave."""
    slim = replace(estimate, details=_kept(estimate.details))
    if spec.data.public or one.panel.size is None:
        return slim
    minimum = spec.disclosure.minimum
    slim = protected_estimate(slim, _small((study.panel, one.panel), minimum), minimum)
    return _without_counts(slim, one.panel, minimum) if one.further.shares else slim


def _kept(details: dict[str, Value]) -> dict[str, Value]:
    """What tells how the result came about, without the gaps of every placebo and the estimator's own tables."""
    kept = {key: value for key, value in details.items() if key in DETAILS}
    placebo = kept.get("placebo")
    if isinstance(placebo, dict):
        kept["placebo"] = {key: placebo[key] for key in PLACEBO if key in placebo}
    return kept


def _small(panels: Iterable[Panel | None], minimum: int) -> frozenset[str]:
    """Units with a cell of too few persons in any of the panels."""
    found: set[str] = set()
    for panel in panels:
        if panel is not None and panel.size is not None:
            below = np.asarray((np.nan_to_num(panel.size, nan=np.inf) < minimum).any(axis=1))
            found.update(panel.units[row] for row in np.flatnonzero(below).tolist())
    return frozenset(found)


def _without_counts(estimate: Estimate, panel: Panel, minimum: int) -> Estimate:
    """The estimate of a share without levels that count too few persons, or all but too few."""
    assert panel.size is not None  # the caller has looked
    size = np.nan_to_num(panel.size[panel.treated])
    count = np.round(np.nan_to_num(panel.outcome[panel.treated]) / 100.0 * size)
    few = np.asarray(((count < minimum) | (np.round(size) - count < minimum)).any(axis=0))
    gone = {panel.periods[place].label for place in np.flatnonzero(few)}

    def bare(step: PeriodEffect) -> PeriodEffect:
        return replace(step, observed=None, counterfactual=None) if not step.period or step.period in gone else step

    path = tuple(bare(step) for step in estimate.path) if gone else estimate.path
    if not few[panel.target.any(axis=0)].any():
        return replace(estimate, path=path)
    return replace(estimate, path=path, baseline=None, percent=None)


# ------------------------------------------------------------------ p-values


def _adjusted(found: Sequence[_One], study: Study, spec: Spec) -> tuple[tuple[Secondary, ...], Primary]:
    """Every p-value over its family, and over all tests there were, the primary one included."""
    estimates = [one.estimate for one in found if one.estimate is not None]
    everything, method_of_all = adjusted_p([study.headline, *estimates])
    of_family: dict[int, tuple[float | None, int, Literal["romano_wolf", "holm"]]] = {}
    for kind in ("outcome", "group"):
        places = [place for place, one in enumerate(found) if one.further.kind == kind]
        values, method = adjusted_p([estimates[place] for place in places])
        of_family |= {place: (value, len(places), method) for place, value in zip(places, values, strict=True)}
    secondary = tuple(
        Secondary(
            one.further.label, one.further.kind, one.further.outcome_unit, one.further.decimals, one.further.better,
            _publishable(estimates[place], one, study, spec), *of_family[place], everything[1 + place],
        )
        for place, one in enumerate(found)
    )  # fmt: skip
    declared = "" if spec.declared is None else str(spec.declared)
    return secondary, Primary(declared, everything[0], len(everything), method_of_all)


def adjusted_p(estimates: Sequence[Estimate]) -> tuple[list[float | None], Literal["romano_wolf", "holm"]]:
    """Step-down p-values of several estimates, and how they were found.

    By Romano & Wolf where every estimate has a placebo distribution and the same assignments stand behind them, as far as all
    could be computed; else by Holm. None for an estimate that has no p-value, which then is none of the family; no adjusted
    p-value is below the estimate's own.

    Parameters
    ----------
    estimates : sequence of Estimate
        With `details["placebo"]`: `units` (names of the stand-ins), `effects` as the inference ranks them, `weights` if unequal.

    References
    ----------
    Romano & Wolf (2005), Econometrica 73(4); Holm (1979), Scandinavian Journal of Statistics 6(2).
    """
    own = np.array([np.nan if each.p_value is None else each.p_value for each in estimates])
    joint = _joint(estimates)
    if joint is None:
        return [_plain(value) for value in holm(own)], "holm"
    draws, weights = joint
    values = np.where(np.isfinite(own), [each.effect for each in estimates], np.nan)
    return [_plain(value) for value in np.maximum(romano_wolf(values, draws, weights), own)], "romano_wolf"


def _joint(estimates: Sequence[Estimate]) -> tuple[Array, Array | None] | None:
    """(assignments, estimates) effects of the assignments that all estimates have, and their weights; None where too few are."""
    rows: list[dict[str, tuple[float, float]]] = []
    for each in estimates:
        placebo = each.details.get("placebo")
        if not isinstance(placebo, dict) or not isinstance(placebo.get("units"), list):
            return None
        facts = cast("dict[str, Any]", placebo)
        likely = facts.get("weights") or [1.0] * len(facts["units"])
        known = zip(facts["units"], facts["effects"], likely, strict=True)
        rows.append({unit: (effect, weight) for unit, effect, weight in known if effect is not None})
    if not rows:
        return None
    common = [unit for unit in rows[0] if all(unit in other for other in rows)]
    if len(common) < ENOUGH_SHARED * max(len(each) for each in rows) or not common:
        return None
    told = np.array([[row[unit] for row in rows] for unit in common])
    draws, weight = told[:, :, 0], told[:, 0, 1]
    if not np.allclose(told[:, :, 1], weight[:, None]):
        return None  # the same assignment is not equally likely in all of them
    return draws, None if (weight == 1.0).all() else weight


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
