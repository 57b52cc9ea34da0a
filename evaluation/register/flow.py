"""From registers to the panel of a spec: sources, cells (from the cache where nothing changed), weights, panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.denmark.areas import municipalities, recognise
from evaluation.errors import DataError, Problem, did_you_mean
from evaluation.further import Further
from evaluation.panel import Array
from evaluation.periods import parse_period
from evaluation.prepare import Prepared, panel_from_spec
from evaluation.register import balance, others, secondary
from evaluation.register.cells import Cells
from evaluation.register.layout import read_layout
from evaluation.register.measure import MAIN, measure
from evaluation.result import Population
from evaluation.spec.loaded import LoadedSpec

if TYPE_CHECKING:
    from evaluation.spec.model import Register

Say = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Registered:
    """The panel that registers gave, the persons behind it, and the secondary outcomes and groups."""

    prepared: Prepared
    population: Population
    further: tuple[Further, ...] = ()


def prepare(loaded: LoadedSpec, say: Say) -> Registered:
    """Read the registers of a spec and build its panel.

    Raises
    ------
    SpecError
        The layout has mistakes.
    DataError
        Everything that is wrong with the files, each with the line of the spec it belongs to.
    EstimationError
        The control persons cannot be balanced.
    """
    register = secondary.counted(_register(loaded), loaded.spec.secondary)
    _judge_names(loaded)
    layout = read_layout(register.layout, loaded.folder)
    others.judge_groups(loaded, register, layout)
    secondary.judge(loaded)
    asked_for = {**others.asked_for(register), **secondary.asked_for(register, loaded.spec.secondary)}
    measured = measure(loaded, asked_for, layout, _problems(loaded), say)
    cells, asked = measured.cells[MAIN], register.outcome.measure
    treated = _codes(loaded.spec.treatment.names)
    excluded = _excluded(loaded, cells)
    period = None
    if register.who.design == "stock":
        period = others.last_before(cells, loaded.spec.treatment.first)
    weighted = balance.weights(cells, treated, excluded, register.balance, period)
    prepared = panel_from_spec(loaded, secondary.rows_of(cells, asked, weighted.weights, measured.inputs))
    compared = others.Compared(prepared.panel, treated, excluded)
    context = others.context(loaded, register, compared, measured.cells, measured.left)
    prepared = replace(prepared, flow=cells.flow, context=context)
    population = _population(cells, weighted, register, set(treated), set(excluded), loaded)
    return Registered(prepared, population, secondary.panels(loaded, register, compared, measured, weighted.weights))


def check(loaded: LoadedSpec) -> list[tuple[str, str]]:
    """What `--check` says of the registers: reads what files say of themselves and counts, but makes no cells.

    Raises
    ------
    SpecError, DataError
        As `prepare`, as far as it can be told without the cells: also weeks and quarters that the benefit register does not hold.
    """
    from evaluation.register.engine import open_engine
    from evaluation.register.gather import measures_of
    from evaluation.register.population import lacking
    from evaluation.register.sources import open_sources
    from evaluation.register.timing import timing

    register = secondary.counted(_register(loaded), loaded.spec.secondary)
    _judge_names(loaded)
    layout = read_layout(register.layout, loaded.folder)
    others.judge_groups(loaded, register, layout)
    secondary.judge(loaded)
    simulate = loaded.spec.simulate
    if simulate is not None and not (loaded.folder / simulate.folder).exists():
        return [
            ("Registers", f"simulated on the first run: {simulate.persons:,} persons, scenario '{simulate.scenario}'")
        ]
    with open_engine(register.engine, register.memory) as engine:
        problem = _problems(loaded)
        sources = open_sources(register, layout, loaded.folder, engine, problem)
        lost = lacking(sources, register, timing(register), measures_of(register))
    if lost:
        raise DataError(*(problem("benefits", what) for what in lost))
    return [("Registers", f"{len(sources.inputs)} files in the layout '{layout.name}', read by {register.engine}")]


# ------------------------------------------------------------------ names, codes and problems


def _register(loaded: LoadedSpec) -> Register:
    assert loaded.spec.registers is not None  # the caller has looked
    return loaded.spec.registers


def _judge_names(loaded: LoadedSpec) -> None:
    """Refuse names that are no municipality's before the registers are read, which may take minutes."""
    spec = loaded.spec
    known = [area.name for area in municipalities()]
    problems = []
    for path, names in (
        (("treatment", "starts" if spec.treatment.starts else "units"), spec.treatment.names),
        (("controls", "only"), spec.controls.only),
        (("controls", "exclude"), spec.controls.exclude),
    ):
        for place, (name, area) in enumerate(zip(names, recognise(list(names)), strict=True)):
            if area is None or area.level != "municipality":
                hint = did_you_mean(name, known) or "; registers know the 98 municipalities"
                at: tuple[str | int, ...] = (*path, name if path[-1] == "starts" else place)
                problems.append(loaded.locator.problem(at, f"no municipality '{name}'{hint}"))
    if problems:
        raise DataError(*problems)


def _codes(names: Sequence[str]) -> tuple[str, ...]:
    """The codes of municipalities named in the spec; a name that is none is complained about with the panel."""
    return tuple(area.code for area in recognise(list(names)) if area is not None)


def _excluded(loaded: LoadedSpec, cells: Cells) -> tuple[str, ...]:
    """Municipalities that may not serve as comparison: they have no part in the weights either."""
    controls = loaded.spec.controls
    out = set(_codes(controls.exclude))
    if controls.only:
        out |= set(cells.units) - set(_codes(controls.only))
    return tuple(sorted(out - set(_codes(loaded.spec.treatment.names))))


def _problems(loaded: LoadedSpec) -> Callable[[str, str], Problem]:
    return lambda key, what: loaded.locator.problem(("register", *key.split(".")), what)


# ------------------------------------------------------------------ what the page says of the persons


def _population(
    cells: Cells,
    weighted: balance.Weighted,
    register: Register,
    treated: set[str],
    excluded: set[str],
    loaded: LoadedSpec,
) -> Population:
    side = np.array(["treated" if unit in treated else "" if unit in excluded else "controls" for unit in cells.units])
    return Population(
        design=register.who.design,
        baseline=parse_period(register.who.baseline).label,
        treated=weighted.treated,
        controls=weighted.controls,
        effective_controls=weighted.effective,
        method=weighted.method,
        off_support=weighted.off_support,
        balance=weighted.rows,
        counters=dict(cells.counters),
        imputed=_imputed(cells, side),
        periods=tuple(period.label for period in cells.periods),
        exits={state: _by_side(counts, side) for state, counts in cells.exits.items()},
        margins={measure: _means(cells, measure, weighted.weights, side) for measure in cells.count},
        synthetic=loaded.spec.data.synthetic,
    )


def _by_side(counts: Any, side: Any) -> dict[str, list[int | None]]:
    return {name: [int(value) for value in counts[side == name].sum(axis=0)] for name in ("treated", "controls")}


def _imputed(cells: Cells, side: Any) -> dict[str, list[int | None]]:
    """[imputed rows, all rows] of hours, for the treated and the controls, before and after the start."""
    found: dict[str, list[int | None]] = {}
    place = dict(zip(cells.units, side.tolist(), strict=True))
    for key, (imputed, rows) in cells.imputed.items():
        unit, when = key.split("|")
        name = place.get(unit, "")
        if name:
            seen = found.setdefault(f"{name}|{when}", [0, 0])
            found[f"{name}|{when}"] = [(seen[0] or 0) + imputed, (seen[1] or 0) + rows]
    return found


def _means(cells: Cells, measure: str, weights: Array, side: Any) -> dict[str, list[float | None]]:
    """The measure's mean in each period, the controls weighted."""
    means: dict[str, list[float | None]] = {}
    for name in ("treated", "controls"):
        some = np.where((side == name)[:, None], weights, 0.0)
        count = np.einsum("ug,ugt->t", some, cells.count[measure])
        total = np.einsum("ug,ugt->t", some, cells.total[measure]) * cells.scale[measure]
        means[name] = [float(sum_ / n) if n > 0 else None for sum_, n in zip(total, count, strict=True)]
    return means
