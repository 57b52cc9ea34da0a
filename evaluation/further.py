"""What `[[secondary]]` asks for, as panels: another column of the same file, or the rows of a group, by the same steps.

A mistake of the spec (no such column, no row of the treated unit) is refused with the primary outcome's own, before anything is
estimated; what cannot be estimated later is told on the page and stops nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from evaluation.errors import DataError, Problem, listed
from evaluation.panel import Panel
from evaluation.prepare import Prepared, panel_from_spec, read_data
from evaluation.result import Text, texts
from evaluation.spec.loaded import LoadedSpec, Locator
from evaluation.spec.measures import HOURS, words_of
from evaluation.spec.model import SecondaryTable

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Further:
    """One secondary outcome or group before it is estimated.

    Attributes
    ----------
    panel : Panel or None
        As a run of its own would make it; None where there is none, for the reasons in `problems`.
    shares : bool
        The outcome is known to be a share of persons, in per cent.
    """

    label: Text
    kind: Literal["outcome", "group"]
    outcome_unit: Text
    decimals: int
    better: Literal["higher", "lower", "neither"]
    panel: Panel | None
    problems: tuple[str, ...] = ()
    shares: bool = False


def prepare_all(loaded: LoadedSpec) -> tuple[Prepared, tuple[Further, ...]]:
    """The panel of a spec with a data file, and those of its secondary outcomes and groups; the file is read once.

    Raises
    ------
    DataError
        Everything that is wrong with the file or its data for any of them, each with the line of the spec it belongs to.
    """
    table = read_data(loaded)
    problems: dict[Problem, None] = {}
    prepared: Prepared | None = None
    try:
        prepared = panel_from_spec(loaded, table)
    except DataError as error:
        problems.update(dict.fromkeys(error.problems))
    found: list[Further] = []
    for place, asked in enumerate(loaded.spec.secondary):
        said = {problem.what for problem in problems}
        try:
            panel = panel_from_spec(question(loaded, place, asked), table).panel
            problems.update(dict.fromkeys(_other_treated(loaded, place, panel, prepared)))
            found.append(further(loaded, asked, panel))
        except DataError as error:
            # what is wrong with the primary outcome's rows as well has been said there
            told = (_of_group(loaded, place, asked, problem) for problem in error.problems if problem.what not in said)
            problems.update(dict.fromkeys(told))
    if problems or prepared is None:
        raise DataError(*problems)
    return prepared, tuple(found)


def further(loaded: LoadedSpec, asked: SecondaryTable, panel: Panel | None, problems: tuple[str, ...] = ()) -> Further:
    """The panel with its words: those of the measure, of the spec, or of the primary outcome."""
    data, languages = loaded.spec.data, loaded.spec.languages
    label = texts(asked.label, languages)
    register = loaded.spec.registers
    if register is not None:
        measure = asked.measure or register.outcome.measure
        words = words_of(measure, register.outcome.frequency)
        unit = texts(words.unit, languages)
        return Further(
            label, asked.kind, unit, words.decimals, words.better, panel, problems, shares=measure not in HOURS
        )
    unit = texts(data.outcome_unit if asked.outcome_unit is None else asked.outcome_unit, languages)
    decimals = data.decimals if asked.decimals is None else asked.decimals
    return Further(label, asked.kind, unit, decimals, asked.better or data.better, panel, problems)


def question(loaded: LoadedSpec, place: int, asked: SecondaryTable) -> LoadedSpec:
    """The spec as if this were its outcome and these its rows; what is wrong with them is told at the line of [[secondary]].

    The sampling variance of [data] is the primary outcome's, and serves no other.
    """
    data = loaded.spec.data
    here: Path = ("secondary", place)
    changes: dict[str, object] = {}
    moved: dict[Path, Path] = {}
    outcome = asked.measure if loaded.spec.registers is not None else asked.outcome
    if outcome is not None:
        changes["outcome"] = outcome
        moved["data", "outcome"] = (*here, "measure" if asked.outcome is None else "outcome")
        if loaded.spec.registers is None and outcome != data.outcome:
            changes["noise"] = None
    if isinstance(asked.where, dict):
        changes["where"] = {**data.where, **asked.where}
        moved["data", "where"] = (*here, "where")
        moved |= {("data", "where", column): (*here, "where", column) for column in asked.where}
        treated = loaded.spec.treatment.names
        for path in [("treatment", "units"), *(("treatment", "units", row) for row in range(len(treated)))]:
            moved[path] = (*here, "where")
        for path in [("treatment", "starts"), *(("treatment", "starts", name) for name in treated)]:
            moved[path] = (*here, "where")
    spec = loaded.spec.model_copy(update={"data": data.model_copy(update=changes)})
    return replace(loaded, spec=spec, locator=_moved(loaded.locator, moved))


def _moved(locator: Locator, moved: dict[Path, Path]) -> Locator:
    """The same file, in which the keys on the left are said to stand where those on the right do."""
    keys, values = dict(locator.keys), dict(locator.values)
    for path, target in moved.items():
        for places in (keys, values):
            if target in places:
                places[path] = places[target]
    return replace(locator, keys=keys, values=values)


def _of_group(loaded: LoadedSpec, place: int, asked: SecondaryTable, problem: Problem) -> Problem:
    """The problem; where it is about the treated unit, that it is so among the rows of the group."""
    if not isinstance(asked.where, dict) or "no unit '" not in problem.what:
        return problem
    name = problem.what.partition("no unit '")[2].partition("'")[0]
    what = (
        f"no row of this group is of the treated unit '{name}', so nothing can be said of it; name a group that it has"
    )
    return loaded.locator.problem(("secondary", place, "where"), what)


def _other_treated(loaded: LoadedSpec, place: int, panel: Panel, prepared: Prepared | None) -> tuple[Problem, ...]:
    """The treated must be those of the primary outcome, from the same period on: they are compared with the same stand-ins."""
    if prepared is None:
        return ()
    wanted, found = treated_from(prepared.panel), treated_from(panel)
    lost = [unit for unit, start in wanted.items() if found.get(unit) != start]
    if not lost:
        return ()
    what = f"{listed(lost)} is not treated from the same period here as for the primary outcome; choose rows in which it is"
    return (loaded.locator.problem(("secondary", place), what),)


def treated_from(panel: Panel) -> dict[str, str]:
    """{treated unit: its first treated period}."""
    return {
        panel.units[row]: panel.periods[int(panel.start[row])].label
        for row, treated in enumerate(panel.treated)
        if treated
    }
