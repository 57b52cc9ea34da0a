"""Other populations beside the one that the spec asks about: which there are, and what they give the checks to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from evaluation.context import Context, NegativeControl
from evaluation.errors import DataError, EstimationError, EvaluationError, Problem, did_you_mean, listed
from evaluation.panel import Array, Panel
from evaluation.periods import parse_period
from evaluation.register import balance, mix
from evaluation.register.cells import Cells, in_points, to_panel
from evaluation.register.gather import Asked
from evaluation.register.kept import Left
from evaluation.register.layout import Layout
from evaluation.register.measure import MAIN
from evaluation.result import Note, Text, texts
from evaluation.spec.loaded import LoadedSpec

if TYPE_CHECKING:
    from evaluation.spec.model import OtherGroup, Register

SECOND = "second_group"
_LEFT = {"dead": {"da": "andelen, der er død", "en": "the share that has died"},
         "emigrated": {"da": "andelen, der er udvandret", "en": "the share that has emigrated"}}  # fmt: skip
_POINTS = {"da": "procentpoint", "en": "percentage points"}


def asked_for(register: Register) -> dict[str, Asked]:
    """The population of the spec, the same question by the other design, and the groups that the spec names."""
    who = register.who
    plain = register.model_copy(
        update={"outcome": register.outcome.model_copy(update={"also": ()}), "negative_group": (), "second_group": None}
    )
    other = "cohort" if who.design == "stock" else "stock"
    designed = plain.model_copy(update={"who": who.model_copy(update={"design": other})})
    found = {MAIN: Asked(register), other: Asked(designed, optional=True, adapts=other == "stock")}
    for name, group in named_groups(register).items():
        changed = {"benefit": group.benefit, "readiness": group.readiness, "age": group.age or who.age}
        updates = {"who": who.model_copy(update=changed)}
        # compared municipality by municipality as they are, so nothing need be known of them but where they live
        nothing = register.balance.model_copy(update={"covariates": ()})
        found[name] = Asked(plain.model_copy(update={**updates, "balance": nothing}), optional=True)
    return found


def named_groups(register: Register) -> dict[str, OtherGroup]:
    """The groups of the spec by the name of their population."""
    found = {f"negative_group.{place}": group for place, group in enumerate(register.negative_group)}
    return found if register.second_group is None else {**found, SECOND: register.second_group}


def judge_groups(loaded: LoadedSpec, register: Register, layout: Layout) -> None:
    """Refuse benefits and referral categories that the layout does not know, before the registers are read."""
    problems: list[Problem] = []
    for name, group in named_groups(register).items():
        table, _, place = name.partition(".")
        path: tuple[str | int, ...] = ("register", table, int(place)) if place else ("register", table)
        for key, value, known, what in (
            ("benefit", group.benefit, sorted(layout.benefits_by_name), "benefit"),
            ("readiness", group.readiness, list(layout.readiness), "referral category"),
        ):
            if value is not None and value not in known:
                meant = did_you_mean(value, known) or f"; there are {listed(known, 12)}"
                problem = f"the layout knows no {what} '{value}'{meant}"
                problems.append(loaded.locator.problem((*path, key), problem))
    if problems:
        raise DataError(*problems)


@dataclass(frozen=True, slots=True)
class Compared:
    """What all populations have in common: the panel of the headline, and the codes of who is treated and who is no control."""

    panel: Panel
    treated: tuple[str, ...]
    excluded: tuple[str, ...]


def context(
    loaded: LoadedSpec, register: Register, compared: Compared, cells: Mapping[str, Cells], left: Mapping[str, Left]
) -> Context:
    """What the checks may look at: other populations, deaths and emigration, and notes on what had to be left out.

    Every panel has the treatment, the window and the regions of the headline's, and its units and periods in the same order as
    far as there was somebody: municipalities without a single person in some period are left out, and so are years in which
    the population is not known. Only the second group keeps them all, since it is taken from the first cell by cell.
    """
    notes: list[Note] = []
    variants = dict(_variants(register, compared, cells, left, notes))
    controls = list(_shares(register, compared, cells))
    second = None
    for name, group in named_groups(register).items():
        try:
            panel = _panel(_measured(name, cells, left), register.outcome.measure, None, compared, whole=name == SECOND)
        except EvaluationError as error:
            notes.append(_group_left(name, group, _told(error)))
            continue
        if name == SECOND:
            second = panel
        else:
            controls.append(_negative(loaded, group, panel))
    return Context(
        negative_controls=tuple(_told_apart(controls)), second_group=second, variants=variants, notes=tuple(notes)
    )


def last_before(cells: Cells, start: object) -> int:
    """The last period (index) before the treatment starts: the stock whose members are balanced."""
    first = parse_period(start)
    before = [index for index, period in enumerate(cells.periods) if period < first]
    return before[-1] if before else 0


# ------------------------------------------------------------------ the same question asked of other persons


def _variants(
    register: Register,
    compared: Compared,
    cells: Mapping[str, Cells],
    left: Mapping[str, Left],
    notes: list[Note],
) -> Iterator[tuple[str, Panel]]:
    """The persons unweighted, the other design, and the stock weighted to the mix of the cohort at baseline."""
    measure, main = register.outcome.measure, cells[MAIN]
    yield "unweighted", _panel(main, measure, None, compared)
    other = "cohort" if register.who.design == "stock" else "stock"
    try:
        found = _measured(other, cells, left)
        period = last_before(found, _start(compared.panel)) if other == "stock" else None
        weights = balance.weights(found, compared.treated, compared.excluded, register.balance, period).weights
        yield other, _panel(found, measure, weights, compared)
    except EvaluationError as error:
        text = f"the {other} is left out: {_told(error)}"
        if other == "stock":
            notes.append(Note("stock_left_out", text, {"problem": _told(error)}))
        else:
            notes.append(Note("cohort_left_out", text, {"problem": _told(error)}))
    if other not in cells:
        return
    stock, cohort = (cells[other], main) if other == "stock" else (main, cells[other])
    if other == "stock":
        notes.extend(_given_up(register, stock, cohort))
    try:
        weights = mix.to_baseline(stock, cohort, compared.treated, compared.excluded, register.balance)
        yield "stock_reweighted", _panel(stock, measure, weights, compared)
    except EvaluationError as error:
        text = f"the stock is not weighted to the mix at baseline: {_told(error)}"
        notes.append(Note("stock_reweighted_left_out", text, {"problem": _told(error)}))


def _given_up(register: Register, stock: Cells, cohort: Cells) -> Iterator[Note]:
    """Which years and covariates of the stock the registers do not know."""
    if stock.periods[0] > cohort.periods[0]:
        first = stock.periods[0].label
        yield Note("stock_begins_later", f"the stock is known from {first} on", {"first": first})
    known = [name for name in cohort.covariates if name in stock.covariates]
    if len(known) < len(cohort.covariates):
        yield Note(
            "stock_covariates_fewer",
            f"the stock is balanced on {len(known)} of {len(cohort.covariates)} covariates, since the registers know no more",
            {"count": len(known), "of": len(cohort.covariates)},
        )


# ------------------------------------------------------------------ what the programme cannot have moved


def _shares(register: Register, compared: Compared, cells: Mapping[str, Cells]) -> Iterator[NegativeControl]:
    """The shares of the cohort that have died and emigrated, in per cent of those found at the baseline."""
    name = MAIN if register.who.design == "cohort" else "cohort"
    if name not in cells:
        return
    for state, label in _LEFT.items():
        yield NegativeControl(state, label, aligned(share_panel(cells[name], state), compared.panel), unit=_POINTS)


def share_panel(cells: Cells, state: str) -> Panel:
    """The share of a cohort that is in a state of having left at the end of each period, in per cent.

    `noise` is binomial with the share of the whole country, so that a municipality in which nobody died is not certain to
    have no deaths; `size` the persons found at the baseline.
    """
    plain = to_panel(cells, next(iter(cells.count)), None)
    persons = cells.persons.sum(axis=1).astype(np.float64)[:, None] * np.ones(len(cells.periods))
    gone: Array = cells.exits[state].astype(np.float64)
    everywhere = gone.sum(axis=0) / persons.sum(axis=0)
    noise = 100.0**2 * everywhere * (1.0 - everywhere) / persons
    return replace(plain, outcome=100.0 * gone / persons, size=persons, noise=noise)


def _negative(loaded: LoadedSpec, group: OtherGroup, panel: Panel) -> NegativeControl:
    languages = loaded.spec.languages
    until = None
    if group.until is not None:
        last = parse_period(group.until)
        until = sum(period <= last for period in panel.periods) - 1
    label: Text = texts(group.label, languages)
    unit: Text = texts(loaded.spec.data.outcome_unit, languages)
    return NegativeControl(_name(group), label, panel, kind="group", unit=unit, until=until)


def _name(group: OtherGroup) -> str:
    return group.benefit if group.readiness is None else f"{group.benefit}, {group.readiness}"


def _told_apart(controls: Sequence[NegativeControl]) -> Iterator[NegativeControl]:
    """Names that occur twice get a number."""
    seen: dict[str, int] = {}
    for one in controls:
        seen[one.name] = seen.get(one.name, 0) + 1
        yield one if seen[one.name] == 1 else replace(one, name=f"{one.name} {seen[one.name]}")


def _group_left(name: str, group: OtherGroup, problem: str) -> Note:
    text = f"the group '{_name(group)}' is left out: {problem}"
    if name == SECOND:
        return Note("second_group_left_out", text, {"group": _name(group), "problem": problem})
    return Note("negative_group_left_out", text, {"group": _name(group), "problem": problem})


# ------------------------------------------------------------------ from cells to panels like the headline's


def _measured(name: str, cells: Mapping[str, Cells], left: Mapping[str, Left]) -> Cells:
    if name not in cells:
        raise DataError(*left[name].problems)
    return cells[name]


def _panel(cells: Cells, measure: str, weights: Array | None, compared: Compared, whole: bool = False) -> Panel:
    return aligned(in_points(to_panel(cells, measure, weights), measure), compared.panel, whole)


def aligned(found: Panel, headline: Panel, whole: bool = False) -> Panel:
    """Other outcomes in the frame of the headline's panel.

    Raises
    ------
    EstimationError
        Nobody of a treated municipality is left in some period, or fewer than two periods lie before the start.
    """
    shared = [place for place, period in enumerate(headline.periods) if period in found.periods]
    frame = headline.keep_periods(shared[0], shared[-1])
    rows = {name: row for row, name in enumerate(found.units)}
    columns = np.array([found.periods.index(period) for period in frame.periods], dtype=np.int64)
    own = np.array([row for row, name in enumerate(frame.units) if name in rows], dtype=np.int64)
    theirs = np.array([rows[frame.units[row]] for row in own.tolist()], dtype=np.int64)

    def placed(values: Array | None) -> Array:
        cells = np.full((frame.n_units, frame.n_periods), np.nan)
        assert values is not None  # registers always know size and noise
        cells[own] = values[np.ix_(theirs, columns)]
        return cells

    outcome, size = placed(found.outcome), np.nan_to_num(placed(found.size))
    panel = replace(frame, outcome=outcome, size=size, noise=placed(found.noise))
    if min(panel.starts) < 2:
        raise EstimationError("it is known for fewer than two periods before the start")
    complete = np.asarray(np.isfinite(outcome).all(axis=1))
    if not complete[panel.treated].all():
        raise EstimationError("a treated municipality has nobody of this group in some period")
    return panel if whole else panel.keep_units(complete)


def _start(panel: Panel) -> str:
    return panel.periods[panel.starts[0]].label


def _told(error: EvaluationError) -> str:
    return "; ".join(problem.what for problem in error.problems)
