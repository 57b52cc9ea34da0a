"""Populations and their cells: each out of the cache where neither files nor its question changed, the others in one reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evaluation.errors import DataError, EvaluationError, Problem
from evaluation.register import cache
from evaluation.register.cells import Cells
from evaluation.register.engine import EngineError, open_engine
from evaluation.register.files import input_hashes
from evaluation.register.gather import Asked, gather_all
from evaluation.register.kept import Left, from_entry, to_entry
from evaluation.register.layout import Layout
from evaluation.result import InputFile
from evaluation.spec.loaded import LoadedSpec

if TYPE_CHECKING:
    from evaluation.spec.model import Register

Say = Callable[[str, str], None]

MAIN = ""
"""The name of the population that the spec asks about."""
_CANNOT_MATTER = {
    "population", "benefits", "hours", "education", "layout", "engine", "memory", "synthetic", "source",
    "negative_group", "second_group",
}  # fmt: skip
"""Keys of [register] that do not change the cells of a population beyond what the hashes of the files and the layout say."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The cells of each population, what kept others from being measured, and the files that all were made from."""

    cells: Mapping[str, Cells]
    left: Mapping[str, Left]
    inputs: tuple[InputFile, ...]


def measure(
    loaded: LoadedSpec,
    asked: Mapping[str, Asked],
    layout: Layout,
    problem: Callable[[str, str], Problem],
    say: Say,
) -> Measured:
    """The cells of all populations. Registers are opened only for those that the cache does not hold.

    Parameters
    ----------
    asked : mapping, name -> Asked
        `MAIN` and whatever is wanted beside it.
    problem : callable
        problem(key, what) makes the Problem at the spec's line for ("register", key).

    Raises
    ------
    DataError
        Everything that is wrong with the files, or with the population that the spec asks about.
    """
    inputs = input_hashes(asked[MAIN].register, loaded.folder, problem)
    keys = {name: cache.cache_key(inputs, _question(one), layout.sha256) for name, one in asked.items()}
    found: dict[str, Cells | Left] = {}
    for name, key in keys.items():
        entry = cache.load(key)
        kept = None if entry is None else from_entry(entry)
        if kept is not None:
            found[name] = kept[0]
            inputs = kept[1]
    missing = {name: one for name, one in asked.items() if name not in found}
    if missing:
        made, inputs = _read(loaded, missing, inputs, layout, problem, say)
        for name, each in made.items():
            # what an engine could not do today it may do tomorrow, so only what the registers lack is kept
            if not isinstance(each, EngineError):
                cache.store(keys[name], to_entry(_plain(each), inputs))
        found |= {name: _plain(each) for name, each in made.items()}
    cells = {name: each for name, each in found.items() if isinstance(each, Cells)}
    say("Registers", f"{'' if missing else 'unchanged since they were last read: '}{_size(cells[MAIN])}")
    return Measured(cells, {name: each for name, each in found.items() if isinstance(each, Left)}, inputs)


def _read(
    loaded: LoadedSpec,
    missing: Mapping[str, Asked],
    inputs: tuple[InputFile, ...],
    layout: Layout,
    problem: Callable[[str, str], Problem],
    say: Say,
) -> tuple[dict[str, Cells | EvaluationError], tuple[InputFile, ...]]:
    """The populations that are missing, in one reading; where that fails by what is optional, only the others."""
    from evaluation.register.sources import open_sources

    register = _register(loaded)
    with open_engine(register.engine, register.memory) as engine:
        sources = open_sources(register, layout, loaded.folder, engine, problem, inputs=inputs, say=say)
        try:
            return gather_all(sources, missing, say), sources.inputs
        except DataError as error:
            needed = {name: one for name, one in missing.items() if not one.optional}
            if len(needed) == len(missing):
                raise
            found: dict[str, Cells | EvaluationError] = {name: error for name in missing if name not in needed}
            return found | (gather_all(sources, needed, say) if needed else {}), sources.inputs


def _plain(found: Cells | EvaluationError) -> Cells | Left:
    return found if isinstance(found, Cells) else Left(tuple(problem.what for problem in found.problems))


def _question(asked: Asked) -> dict[str, Any]:
    """What the cells of a population depend on; how they are weighted is not among it."""
    question: dict[str, Any] = asked.register.model_dump(mode="json", exclude=_CANNOT_MATTER)
    del question["balance"]["method"]
    # what is measured beside the spec's own population has fewer counts, and may have been cut to what the registers hold
    return {**question, "beside": True} if asked.optional else question


def _register(loaded: LoadedSpec) -> Register:
    assert loaded.spec.registers is not None  # the caller has looked
    return loaded.spec.registers


def _size(cells: Cells) -> str:
    persons = int(cells.persons.sum() if cells.persons.ndim == 2 else cells.persons[:, :, -1].sum())
    return f"{persons:,} persons in {len(cells.units)} municipalities, {len(cells.periods)} periods"
