"""One group of the table: replications of a world, the fits and placebos of one pipeline, and what each inference makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from coverage_study import lean
from coverage_study.adjusted import REMOVED, WEIGHTS, adjusted
from coverage_study.kernels import KERNELS, Paths, assignments
from coverage_study.removed import Replication
from coverage_study.shortened import fits_of, shortened
from coverage_study.table import Row, monte_carlo_error, supported
from coverage_study.worlds import SHAPES, UNITS, WORLDS, Drawn, Shape, draw, panel, shows_persons, spread
from evaluation.by_design import Choice, by_design, by_fit
from evaluation.contracts import Fit, Pipeline
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

    @property
    def label(self) -> str:
        """For progress messages."""
        size = "" if self.treated_size == "any" else f" {self.treated_size}"
        return f"{self.world} T={self.periods} treated={self.treated}{size} {self.estimator} x {self.adjust}, {self.inference}"

    @property
    def first_key(self) -> tuple[str, ...]:
        """The key of a row that the group is sure to write."""
        family = self.inference == "placebos"
        name, statistic = (PLACEBO_FAMILY[-1], "first_period") if family else (self.inference, "effect")
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
    """The rows of a group; of the placebo family `only` some."""
    return _placebo_rows(group, only) if group.inference == "placebos" else _single_rows(group)


# ---------------------------------------------------------------------- inferences on placebo fits


def _placebo_rows(group: Group, only: tuple[str, ...]) -> list[Row]:
    shape, scale = SHAPES[group.periods], spread(group.world, group.periods)
    pipeline = pipeline_of(group.estimator, group.adjust)
    tallies: dict[tuple[str, str], Tally] = {}
    refused: dict[str, Refusals] = {}
    count = 0
    estimates = estimates_of(group, pipeline)
    for drawn, place in draws(group):
        seen = panel_of(group, drawn, place)
        try:
            fit, placebos, paths = estimates(drawn, place, seen)
        except EstimationError as error:
            if refused.setdefault(WHOLE_FIT, Refusals()).add(f"refused: {error}", not tallies):
                break
            continue
        count = len(placebos.fits)
        known: dict[str, dict[str, lean.Test]] = {}
        sizes = lean.size_factors_of(fit, placebos, seen)
        for name in only:
            if not _asked(group, name) or (name in refused and refused[name].always):
                continue
            used = default_choice(pipeline, seen, fit, placebos).name if name == "default" else name
            shown = _shown(group, used, seen, drawn, place)
            try:
                if used not in known:
                    own = sizes if shown is seen else lean.size_factors_of(fit, placebos, shown)
                    known[used] = lean.tests(used, fit, placebos, shown, LEVEL, own)
            except EstimationError as error:
                refused.setdefault(name, Refusals()).add(f"refused: {error}", (name, "effect") not in tallies)
                continue
            for statistic, found in known[used].items():
                tallies.setdefault((name, statistic), Tally()).add(found.lower, found.upper, found.p_value)
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


Estimates = Callable[[Drawn, int, Panel], tuple[Fit, Placebos, Paths | None]]
"""(chunk, place in it, its panel) → the treated unit's fit and the placebos', shortened, and their whole paths where there are some."""


def estimates_of(group: Group, pipeline: Pipeline) -> Estimates:
    """By a kernel where there is one for the estimator and the adjustment, else by the product's pipeline, refit by refit."""
    kernel, shape = kernel_of(group), SHAPES[group.periods]
    rows = assignments(group.treated, group.most, stream(SEED, f"assignments/{group.treated}"))

    def quick(drawn: Drawn, place: int, seen: Panel) -> tuple[Fit, Placebos, Paths | None]:
        assert kernel is not None
        return fits_by_kernel(group, kernel, drawn, place, rows)

    def whole(drawn: Drawn, place: int, seen: Panel) -> tuple[Fit, Placebos, Paths | None]:
        fit = pipeline(seen)
        return shortened(
            fit, placebo_fits(pipeline, seen, stream(SEED, f"assignments/{group.treated}"), most=group.most), shape
        )

    return whole if kernel is None else quick


def _asked(group: Group, name: str) -> bool:
    """Persons that the product is not told are told to `ferman_pinto` for comparison, where one unit is treated and nothing adjusted;
    regions of several treated units are not compared."""
    if name == "ferman_pinto" and not shows_persons(WORLDS[group.world]):
        return group.treated == 1 and group.adjust == "none"
    return name != "block_placebo" or group.treated == 1


def _shown(group: Group, name: str, seen: Panel, drawn: Drawn, place: int) -> Panel:
    """The panel as `name` is shown it: `ferman_pinto` with persons, whoever else knows them."""
    if name != "ferman_pinto" or seen.size is not None:
        return seen
    return panel(drawn, place, SHAPES[group.periods], group.treated, sized=True)


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


def fits_by_kernel(
    group: Group, kernel: Callable[[Drawn, int, Indices], Paths], drawn: Drawn, place: int, rows: Indices
) -> tuple[Fit, Placebos, Paths]:
    """A kernel's paths, and as fits; with several treated units of known size the controls alone in the place of one of them too."""
    shape, paths = SHAPES[group.periods], kernel(drawn, place, rows)
    fit, placebos = fits_of(paths, rows, shape, exhaustive=group.treated == 1)
    if group.treated == 1 or not shows_persons(WORLDS[group.world]):
        return fit, placebos, paths
    kept = np.append(0, np.arange(group.treated, UNITS))
    lone = Drawn(
        drawn.outcome[[place]][:, kept],
        drawn.series[[place]][:, kept],
        drawn.persons[[place]][:, kept],
        drawn.region[[place]][:, kept],
    )
    singles = np.arange(1, kept.size)[:, None]
    _, alone = fits_of(kernel(lone, 0, singles), kept[singles], shape, exhaustive=True)
    return fit, replace(placebos, alone=alone), paths


def _over_periods(tallies: dict[tuple[str, str], Tally], paths: Paths, shape: Shape, scale: float) -> None:
    """The ratio of gaps after and before the start, and the power of the joint test over the window's periods, by plain ranks."""
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

    tallies.setdefault(("placebo", "ratio"), Tally()).add(math.nan, math.nan, ratio(0.0))
    if ("placebo", "joint") in tallies:
        tallies["placebo", "joint"].found.append(tuple(joint(size * scale) <= 0.05 for size in EFFECTS))
    tallies["placebo", "ratio"].found.append(tuple(ratio(size * scale) <= 0.05 for size in EFFECTS))


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
