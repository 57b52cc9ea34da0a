"""One group of the table: replications of a world, the fits and placebos of one pipeline, and what each inference makes of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from coverage_study.adjusted import ADJUSTED
from coverage_study.kernels import KERNELS, Paths, assignments
from coverage_study.table import Row, monte_carlo_error, supported
from coverage_study.worlds import SHAPES, UNITS, WORLDS, Drawn, Shape, draw, panel, shows_persons, spread
from evaluation.by_design import Choice, by_design, by_fit
from evaluation.contracts import Fit, Interval, Pipeline
from evaluation.errors import EstimationError
from evaluation.inference import INFERENCES
from evaluation.inference.draws import Placebos, placebo_fits, rank_p_value
from evaluation.multiplicity import joint_p_value
from evaluation.panel import Array, Indices, Panel
from evaluation.study import make_pipeline, stream

SEED = 2015
CHUNK = 100
"""Replications drawn at once. The panels of a chunk depend on the world, its shape and its number alone, so that all methods see the
same ones, and more replications begin with the same ones as fewer."""

EFFECTS = (0.25, 0.5, 1.0)
"""In standard deviations of an untreated cell."""

COVERED = 0.5
LEVEL = 0.95

PLACEBO_FAMILY = ("placebo", "ferman_pinto", "standardized_placebo", "volatility_placebo", "block_placebo", "default")
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

    @property
    def label(self) -> str:
        """For progress messages."""
        size = "" if self.treated_size == "any" else f" {self.treated_size}"
        return f"{self.world} T={self.periods} treated={self.treated}{size} {self.estimator} x {self.adjust}, {self.inference}"

    @property
    def first_key(self) -> tuple[str, ...]:
        """The key of a row that the group is sure to write."""
        name = PLACEBO_FAMILY[-1] if self.inference == "placebos" else self.inference
        return (
            self.world, str(self.periods), str(self.treated), self.treated_size, self.estimator, self.adjust, name, "effect",
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
        return _placebo_rows(group, only)
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
    notes: dict[str, str] = {}
    failed = 0
    count = 0
    for drawn, place in draws(group):
        seen = panel(drawn, place, shape, group.treated, sized=shows_persons(world))
        if kernel is not None:
            paths = kernel(drawn, place, rows)
            fit, placebos = fits_of(paths, rows, shape, exhaustive=group.treated == 1)
        else:
            try:
                whole = pipeline(seen)
                refits = placebo_fits(pipeline, seen, stream(SEED, f"assignments/{group.treated}"), most=group.most)
            except EstimationError as error:
                failed += 1
                notes[""] = f"refused: {error}"
                continue
            fit, placebos, paths = shortened(whole, refits, shape)
        count = len(placebos.fits)
        made_already: dict[str, Interval] = {}
        for name in only:
            if name in notes:
                continue
            shown, used = seen, name
            if name == "default":
                used = default_choice(pipeline, seen, fit, placebos, paths).name
            if name == "ferman_pinto" and not shows_persons(world):
                if group.treated > 1 or group.adjust != "none":
                    continue
                shown = panel(drawn, place, shape, group.treated, sized=True)
            infer_from = INFERENCES[used].infer_from
            assert infer_from is not None
            try:
                found = made_already.get(used) or infer_from(pipeline, shown, LEVEL, fit, placebos)
            except EstimationError as error:
                notes[name] = f"refused: {error}"
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
    made = [
        _row(group, name, statistic, tally, scale, count, notes.get(name, ""))
        for (name, statistic), tally in tallies.items()
    ]
    told = {name for name, _ in tallies}
    made += [
        _row(group, name or PLACEBO_FAMILY[-1], "effect", Tally(), scale, count, text)
        for name, text in notes.items()
        if name not in told
    ]
    return made


def default_choice(pipeline: Pipeline, seen: Panel, fit: Fit, placebos: Placebos, paths: Paths | None) -> Choice:
    """What the product chooses; it looks at all periods before the start, which the shortened fits have not."""
    choice = by_design(pipeline, seen)
    if paths is None:
        return by_fit(choice, fit, placebos, seen)
    times = np.arange(paths.own.size) - seen.starts[0]
    possible = paths.others[np.isfinite(paths.others).all(axis=1)]
    whole = dataclasses.replace(fit, effects=paths.own, event_times=times)
    return by_fit(choice, whole, Whole(placebos, possible), seen)


def kernel_of(group: Group) -> Callable[[Drawn, int, Indices], Paths] | None:
    """(drawn, replication, rows) → paths without panels and fits, where there is a kernel for the estimator and the adjustment."""
    sized, shape = shows_persons(WORLDS[group.world]), SHAPES[group.periods]
    if group.adjust == "none" and group.estimator in KERNELS:
        plain = KERNELS[group.estimator]
        return lambda drawn, place, rows: plain(
            drawn.outcome[place], drawn.persons[place] if sized else None, rows, shape
        )
    if group.adjust in ADJUSTED and group.estimator == "did" and group.treated == 1:
        adjusted = ADJUSTED[group.adjust]
        return lambda drawn, place, rows: adjusted(
            drawn.outcome[place], drawn.persons[place] if sized else None, drawn.region[place], rows, shape
        )
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


class Quick(Placebos):
    """Placebos whose fits all have the same event times, so that their paths need no look at them one by one."""

    __slots__ = ()

    def paths(self, event_times: Indices) -> Array:
        """(assignments, times)."""
        assert event_times is self.fits[0].event_times
        return np.array([fit.effects for fit in self.fits])


class Whole(Placebos):
    """Placebos with the whole paths that their shortened fits have not."""

    def __init__(self, placebos: Placebos, whole: Array) -> None:
        super().__init__(placebos.assignments, placebos.fits, placebos.failed, placebos.exhaustive)
        object.__setattr__(self, "whole", whole)  # the class it extends is frozen

    def paths(self, event_times: Indices) -> Array:
        """(assignments, times)."""
        found: Array = self.whole  # type: ignore[attr-defined]
        assert found.shape[1] == event_times.size
        return found


def shown_times(shape: Shape) -> Indices:
    """Event times of the shortened paths: two before the start, and the window where it is short, else its first."""
    return np.arange(-2, shape.window if shape.window < 10 else 1)


TIMES = {shape: shown_times(shape) for shape in SHAPES.values()}


def fits_of(paths: Paths, rows: Indices, shape: Shape, *, exhaustive: bool) -> tuple[Fit, Placebos]:
    """Paths as fits and placebos for the product's inferences, shortened: whole ones cost more than they tell."""
    window = slice(shape.before, shape.before + shape.window)
    times = TIMES[shape]
    possible = np.isfinite(paths.others).all(axis=1)
    if not possible.all():
        fewer = Paths(paths.own, paths.others[possible])
        fit, placebos = fits_of(fewer, rows[possible], shape, exhaustive=exhaustive)
        return fit, dataclasses.replace(placebos, failed=int((~possible).sum()))
    every = np.vstack([paths.own, paths.others])
    effects = every[:, window].mean(axis=1).tolist()
    gaps = np.sqrt(np.mean(every[:, : shape.before] ** 2, axis=1)).tolist()
    fits = [
        Fit(att=effect, effects=path, event_times=times, fit_rmse=gap)
        for effect, path, gap in zip(effects, every[:, shape.before + times], gaps, strict=True)
    ]
    return fits[0], Quick(tuple(map(tuple, rows.tolist())), tuple(fits[1:]), 0, exhaustive)


def shortened(fit: Fit, placebos: Placebos, shape: Shape) -> tuple[Fit, Placebos, Paths | None]:
    """The product's fits with the same few periods only; and their whole paths where all have one."""
    wanted = TIMES[shape]

    def short(one: Fit) -> Fit:
        place = {int(time): index for index, time in enumerate(one.event_times)}
        kept = np.array([one.effects[place[time]] if time in place else np.nan for time in wanted.tolist()])
        return Fit(
            att=one.att, effects=kept, event_times=wanted, fit_rmse=one.fit_rmse, slope_variance=one.slope_variance
        )

    paths = None
    if fit.periods is not None and fit.effects.size == shape.periods:
        paths = Paths(fit.effects, placebos.paths(fit.event_times))
        if not (np.isfinite(paths.own).all() and np.isfinite(paths.others).all()):
            paths = None
    few = Quick(placebos.assignments, tuple(short(one) for one in placebos.fits), placebos.failed, placebos.exhaustive)
    return short(fit), few, paths


# ---------------------------------------------------------------------- inferences that look at one panel


def _single_rows(group: Group) -> list[Row]:
    world, shape = WORLDS[group.world], SHAPES[group.periods]
    pipeline = pipeline_of(group.estimator, group.adjust)
    inference = INFERENCES[group.inference]
    tally = Tally()
    note = ""
    count = 0
    for number, (drawn, place) in enumerate(draws(group)):
        seen = panel(drawn, place, shape, group.treated, sized=shows_persons(world))
        try:
            found = inference.infer(pipeline, seen, LEVEL, stream(SEED, f"{group.inference}/{number}"))
        except EstimationError as error:
            note = f"refused: {error}"
            if number == 9 and not tally.p_values:
                break  # it will not do otherwise
            continue
        if not math.isfinite(found.p_value):
            note = f"no number: {found.notes[0].text if found.notes else 'not a number'}"
            if number == 9 and not tally.p_values:
                break
            continue
        tally.add(found.lower, found.upper, found.p_value)
    return [_row(group, group.inference, "effect", tally, spread(group.world, group.periods), count, note)]


def _warning(group: Group, name: str) -> str:
    """What the product says against the inference in this design, if anything."""
    world, shape = WORLDS[group.world], SHAPES[group.periods]
    drawn = draw(world, shape, 1, stream(SEED, "warning"), group.treated, group.treated_size)
    if name == "default":
        return ""
    said = INFERENCES[name].unsuited(panel(drawn, 0, shape, group.treated, sized=shows_persons(world)))
    return "" if said is None else f"warned: {said.code}"


# ---------------------------------------------------------------------- rates


def _row(group: Group, inference: str, statistic: str, tally: Tally, scale: float, count: int, note: str) -> Row:
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
    remarks = [text for text in (note, _warning(group, inference)) if text]
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
