"""One group of the table: replications of a world, the fits and placebos of one pipeline, and what each inference makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from coverage_study import lean
from coverage_study.adjusted import REMOVED, WEIGHTS, adjusted
from coverage_study.kernels import KERNELS, Paths, assignments
from coverage_study.removed import Replication
from coverage_study.shortened import fits_of, shortened
from coverage_study.table import Row, monte_carlo_error, supported
from coverage_study.worlds import SHAPES, UNITS, WORLDS, Drawn, Shape, draw, panel, shows_persons, spread
from evaluation.by_design import Choice, by_design, by_fit
from evaluation.contracts import Fit, Interval, Pipeline
from evaluation.errors import EstimationError
from evaluation.inference import INFERENCES
from evaluation.inference.draws import Placebos, placebo_fits, rank_p_value
from evaluation.multiplicity import joint_p_value
from evaluation.panel import Indices, Panel
from evaluation.study import make_pipeline, stream

SEED = 2015
CHUNK = 100
"""Replications drawn at once. The panels of a chunk depend on the world, its shape and its number alone, so that all methods see the
same ones, and more replications begin with the same ones as fewer."""

EFFECTS = (0.25, 0.5, 1.0)
"""In standard deviations of an untreated cell."""

COVERED = 0.5
LEVEL = 0.95

PLACEBO_FAMILY = (
    "placebo", "ferman_pinto", "standardized_placebo", "volatility_placebo", "bias_aware_placebo", "block_placebo", "default",
)  # fmt: skip
"""Inferences that rest on the same placebo fits; `default` is the one the product chooses for the replication at hand."""

ADJUST_OPTIONS: dict[str, dict[str, object]] = {"local_series": {"series": "series"}}


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that share panels and fits. `inference` is "placebos" for the whole family, else one by its name."""

    world: str
    periods: int
    treated: int
    treated_size: str
    estimator: str
    adjust: str
    inference: str
    replications: int
    most: int = 999
    lean: bool = False

    @property
    def label(self) -> str:
        """For progress messages."""
        size = "" if self.treated_size == "any" else f" {self.treated_size}"
        return f"{self.world} T={self.periods} treated={self.treated}{size} {self.estimator} x {self.adjust}, {self.inference}"

    @property
    def first_key(self) -> tuple[str, ...]:
        """The key of a row that the group is sure to write."""
        family = self.inference == "placebos"
        name, statistic = PLACEBO_FAMILY[-1] if family else self.inference, "effect"
        if family and not self.lean:
            statistic = "first_period"
        return (
            self.world, str(self.periods), str(self.treated), self.treated_size, self.estimator, self.adjust, name, statistic,
        )  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What one inference said of one statistic, replication by replication."""

    effects: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    p_values: list[float] = field(default_factory=list)
    found: list[tuple[bool, ...]] = field(default_factory=list)

    def add(self, lower: float, upper: float, p_value: float) -> None:
        """An interval and the p-value of no effect."""
        self.lower.append(lower)
        self.upper.append(upper)
        self.p_values.append(p_value)


@dataclass(slots=True)
class Refusals:
    """How often there was no number, and what was said the last time; `always` from the tenth time on if it never was otherwise."""

    count: int = 0
    text: str = ""
    always: bool = False

    def add(self, text: str, so_far: bool) -> bool:
        """One more; whether it will not be otherwise, `so_far` being that it has not been."""
        self.count, self.text = self.count + 1, text
        self.always = so_far and self.count >= 10
        return self.always

    def told(self, done: int) -> str:
        """For the table's note."""
        if not self.count:
            return ""
        often = "" if not done else f"{self.count} of {self.count + done} panels "
        return often + self.text


WHOLE_FIT = "the fit itself"
"""Under this name are the refusals that no inference is to blame for."""


def pipeline_of(estimator: str, adjust: str) -> Pipeline:
    """The product's pipeline; an estimator's name may be followed by an option that is switched on."""
    name, _, option = estimator.partition(" ")
    return make_pipeline(name, adjust, {option: True} if option else {}, ADJUST_OPTIONS.get(adjust, {}))


def draws(group: Group) -> Iterator[tuple[Drawn, int]]:
    """(replications of a chunk, place in it), as many as the group asks for."""
    world, shape = WORLDS[group.world], SHAPES[group.periods]
    for first in range(0, group.replications, CHUNK):
        name = f"{group.world}/{group.periods}/{group.treated}/{group.treated_size}/{first // CHUNK}"
        drawn = draw(world, shape, CHUNK, stream(SEED, name), group.treated, group.treated_size)
        for place in range(min(CHUNK, group.replications - first)):
            yield drawn, place


def run(group: Group, only: tuple[str, ...] = PLACEBO_FAMILY) -> list[Row]:
    """The rows of a group; of the placebo family `only` some, and then not what is tested period by period."""
    if group.inference == "placebos":
        return _lean_rows(group) if group.lean else _placebo_rows(group, only)
    return _single_rows(group)


# ---------------------------------------------------------------------- inferences on placebo fits


def _placebo_rows(group: Group, only: tuple[str, ...]) -> list[Row]:
    world, shape = WORLDS[group.world], SHAPES[group.periods]
    pipeline = pipeline_of(group.estimator, group.adjust)
    kernel = kernel_of(group)
    scale = spread(group.world, group.periods)
    paths: Paths | None
    rows = assignments(group.treated, group.most, stream(SEED, f"assignments/{group.treated}"))
    tallies: dict[tuple[str, str], Tally] = {}
    refused: dict[str, Refusals] = {}
    count = 0
    for drawn, place in draws(group):
        seen = panel(drawn, place, shape, group.treated, sized=shows_persons(world))
        try:
            if kernel is not None:
                paths = kernel(drawn, place, rows)
                fit, placebos = fits_of(paths, rows, shape, exhaustive=group.treated == 1)
            else:
                whole = pipeline(seen)
                refits = placebo_fits(pipeline, seen, stream(SEED, f"assignments/{group.treated}"), most=group.most)
                fit, placebos, paths = shortened(whole, refits, shape)
        except EstimationError as error:
            if refused.setdefault(WHOLE_FIT, Refusals()).add(f"refused: {error}", not tallies):
                break
            continue
        count = len(placebos.fits)
        made_already: dict[str, Interval] = {}
        for name in only:
            if name in refused and refused[name].always:
                continue
            shown, used = seen, name
            if name == "default":
                used = default_choice(pipeline, seen, fit, placebos).name
            if name == "ferman_pinto" and not shows_persons(world):
                if group.treated > 1 or group.adjust != "none":
                    continue
                shown = panel(drawn, place, shape, group.treated, sized=True)
            infer_from = INFERENCES[used].infer_from
            assert infer_from is not None
            try:
                found = made_already.get(used) or infer_from(pipeline, shown, LEVEL, fit, placebos)
            except EstimationError as error:
                refused.setdefault(name, Refusals()).add(f"refused: {error}", (name, "effect") not in tallies)
                continue
            if shown is seen:
                made_already[used] = found
            tallies.setdefault((name, "effect"), Tally()).add(found.lower, found.upper, found.p_value)
            joint = cast("dict[str, Any]", found.details["placebo"]).get("joint")
            if joint is not None and name != "placebo":  # that one's is worked out below, with its power
                tallies.setdefault((name, "joint"), Tally()).add(math.nan, math.nan, joint["p_value"])
            if found.path_p_value is not None:
                first = int(np.flatnonzero(fit.event_times == 0)[0])
                assert found.path_lower is not None
                assert found.path_upper is not None
                tallies.setdefault((name, "first_period"), Tally()).add(
                    float(found.path_lower[first]), float(found.path_upper[first]), float(found.path_p_value[first])
                )
        if paths is not None and only == PLACEBO_FAMILY:
            _over_periods(tallies, paths, shape, scale)
    whole_fit = refused.pop(WHOLE_FIT, Refusals())
    made = [
        _row(group, name, statistic, tally, scale, count, refused.get(name, whole_fit))
        for (name, statistic), tally in tallies.items()
    ]
    told = {name for name, _ in tallies}
    made += [
        _row(group, name, "effect", Tally(), scale, count, found) for name, found in refused.items() if name not in told
    ]
    if not tallies and whole_fit.text:
        made.append(_row(group, PLACEBO_FAMILY[-1], "effect", Tally(), scale, count, whole_fit))
    return made


def _lean_rows(group: Group) -> list[Row]:
    """The headline effect alone, of all placebo inferences but that by region: what more replications are spent on."""
    world, shape = WORLDS[group.world], SHAPES[group.periods]
    pipeline, kernel = pipeline_of(group.estimator, group.adjust), kernel_of(group)
    rows = assignments(group.treated, group.most, stream(SEED, f"assignments/{group.treated}"))
    tallies: dict[str, Tally] = {}
    refused: dict[str, Refusals] = {}
    count = 0
    for drawn, place in draws(group):
        seen = panel_of(group, drawn, place)
        try:
            if kernel is not None:
                fit, placebos = fits_of(kernel(drawn, place, rows), rows, shape, exhaustive=group.treated == 1)
            else:
                whole = pipeline(seen)
                refits = placebo_fits(pipeline, seen, stream(SEED, f"assignments/{group.treated}"), most=group.most)
                fit, placebos, _ = shortened(whole, refits, shape)
        except EstimationError as error:
            if refused.setdefault("default", Refusals()).add(f"refused: {error}", not tallies):
                break
            continue
        count = len(placebos.fits)
        known: dict[str, tuple[float, float, float]] = {}
        for name in (*lean.NAMES, "default"):
            if name == "ferman_pinto" and not shows_persons(world):
                continue
            used = default_choice(pipeline, seen, fit, placebos).name if name == "default" else name
            try:
                if used not in known:
                    known[used] = lean.interval(used, fit, placebos, seen, LEVEL)
            except EstimationError as error:
                refused.setdefault(name, Refusals()).add(f"refused: {error}", name not in tallies)
                continue
            tallies.setdefault(name, Tally()).add(*known[used])
    scale = spread(group.world, group.periods)
    return [
        _row(group, name, "effect", tally, scale, count, refused.get(name, Refusals()))
        for name, tally in tallies.items()
    ]


def default_choice(pipeline: Pipeline, seen: Panel, fit: Fit, placebos: Placebos) -> Choice:
    """What the product chooses; of the periods before the start it reads the average gap, which the shortened fits hold."""
    return by_fit(by_design(pipeline, seen), pipeline, fit, placebos, seen)


def kernel_of(group: Group) -> Callable[[Drawn, int, Indices], Paths] | None:
    """(drawn, replication, rows) → paths without panels and fits, where there is a kernel for the estimator and the adjustment."""
    sized, shape = shows_persons(WORLDS[group.world]), SHAPES[group.periods]
    if group.adjust == "none" and group.estimator in KERNELS:
        plain = KERNELS[group.estimator]
        return lambda drawn, place, rows: plain(
            drawn.outcome[place], drawn.persons[place] if sized else None, rows, shape
        )
    if group.estimator in WEIGHTS and group.adjust in REMOVED and group.treated == 1:

        def kernel(drawn: Drawn, place: int, rows: Indices) -> Paths:
            persons = drawn.persons[place] if sized else None
            replication = Replication(drawn.outcome[place], drawn.series[place], persons, drawn.region[place])
            return adjusted(group.estimator, group.adjust, replication, shape)

        return kernel
    return None


def _over_periods(tallies: dict[tuple[str, str], Tally], paths: Paths, shape: Shape, scale: float) -> None:
    """The ratio of gaps after and before the start, and the joint test over the window's periods, by ranks among placebos."""
    window = slice(shape.before, shape.before + shape.window)
    possible = paths.others[np.isfinite(paths.others).all(axis=1)]
    others, own = possible[:, window], paths.own[window]
    before = np.sqrt(np.mean(possible[:, : shape.before] ** 2, axis=1))
    mine = max(float(np.sqrt(np.mean(paths.own[: shape.before] ** 2))), 1e-300)
    ratios = np.sqrt(np.mean(others**2, axis=1)) / np.maximum(before, 1e-300)

    def ratio(effect: float) -> float:
        return rank_p_value(ratios, float(np.sqrt(np.mean((own + effect) ** 2))) / mine)

    def joint(effect: float) -> float:
        return joint_p_value(own + effect, others)

    for name, test in (("ratio", ratio), ("joint", joint)):
        tally = tallies.setdefault(("placebo", name), Tally())
        tally.add(math.nan, math.nan, test(0.0))
        tally.found.append(tuple(test(size * scale) <= 0.05 for size in EFFECTS))


# ---------------------------------------------------------------------- inferences that look at one panel


TESTED_ONLY = ("conformal", "wild_bootstrap")
"""Inferences that search for their interval, which takes many times as long as the test: they are asked for p-values, of panels with
the effects planted too."""


def _single_rows(group: Group) -> list[Row]:
    pipeline = pipeline_of(group.estimator, group.adjust)
    inference = INFERENCES[group.inference]
    scale = spread(group.world, group.periods)
    tally, refused = Tally(), Refusals()
    for number, (drawn, place) in enumerate(draws(group)):
        seen, name = panel_of(group, drawn, place), f"{group.inference}/{number}"
        lower = upper = math.nan
        text = "not a number"
        found: tuple[bool, ...] = ()
        try:
            if group.inference in TESTED_ONLY:
                p_value = inference.test(pipeline, seen, stream(SEED, name))
                planted = (seen.with_outcome(seen.outcome + size * scale * seen.after) for size in EFFECTS)
                found = tuple(inference.test(pipeline, each, stream(SEED, name)) <= 0.05 for each in planted)
            else:
                interval = inference.infer(pipeline, seen, LEVEL, stream(SEED, name))
                lower, upper, p_value = interval.lower, interval.upper, interval.p_value
                text = interval.notes[0].text if interval.notes else text
            why = "" if math.isfinite(p_value) else f"no number: {text}"
        except EstimationError as error:
            why = f"refused: {error}"
        if why:
            if refused.add(why, not tally.p_values):
                break
            continue
        tally.add(lower, upper, p_value)
        if found:
            tally.found.append(found)
    return [_row(group, group.inference, "effect", tally, scale, 0, refused)]


def _warning(group: Group, name: str) -> str:
    """What the product says against the inference in this design, if anything."""
    world, shape = WORLDS[group.world], SHAPES[group.periods]
    drawn = draw(world, shape, 1, stream(SEED, "warning"), group.treated, group.treated_size)
    if name == "default":
        return ""
    said = INFERENCES[name].unsuited(panel(drawn, 0, shape, group.treated, sized=shows_persons(world)))
    return "" if said is None else f"warned: {said.code}"


# ---------------------------------------------------------------------- rates


def _row(
    group: Group, inference: str, statistic: str, tally: Tally, scale: float, count: int, refused: Refusals
) -> Row:
    p_values = np.array(tally.p_values)
    done = int(np.isfinite(p_values).sum())
    size = error = size_10 = coverage = length = None
    power: list[float | None] = [None, None, None]
    if done:
        usable = np.isfinite(p_values)
        size = float(np.mean(p_values[usable] <= 0.05 + 1e-12))
        size_10 = float(np.mean(p_values[usable] <= 0.10 + 1e-12))
        error = monte_carlo_error(size, done)
        lower, upper = np.array(tally.lower)[usable], np.array(tally.upper)[usable]
        if not np.isnan(lower).any():
            # with an effect the whole interval moves by it: see the test of that
            planted = COVERED * scale
            coverage = float(np.mean((lower + planted <= planted) & (planted <= upper + planted)))
            power = [float(np.mean((lower + e * scale > 0.0) | (upper + e * scale < 0.0))) for e in EFFECTS]
            lengths = (upper - lower) / scale
            length = float(lengths.mean()) if np.isfinite(lengths).all() else None
        elif tally.found:
            power = [float(share) for share in np.mean(np.array(tally.found)[usable], axis=0)]
    remarks = [text for text in (refused.told(done), _warning(group, inference)) if text]
    return Row(
        world=group.world,
        units=UNITS,
        periods=group.periods,
        pre_periods=SHAPES[group.periods].before,
        treated=group.treated,
        treated_size=group.treated_size,
        estimator=group.estimator,
        adjust=group.adjust,
        inference=inference,
        statistic=statistic,
        replications=done,
        size_05=size,
        size_10=size_10,
        coverage=coverage,
        power_025=power[0],
        power_050=power[1],
        power_100=power[2],
        length=length,
        error=error,
        smallest_p=1.0 / (1 + count) if count else None,
        note="; ".join(remarks),
        supported=supported(size, done),
    )


def panel_of(group: Group, drawn: Drawn, place: int) -> Panel:
    """A replication as the product sees it."""
    return panel(drawn, place, SHAPES[group.periods], group.treated, sized=shows_persons(WORLDS[group.world]))
