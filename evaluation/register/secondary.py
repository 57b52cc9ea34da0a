"""Secondary outcomes and groups of persons: counted in the same reading as the primary outcome, as a run of their own would.

Another measure of the same persons is one more sum over the same cells, with the same weights. A group is a population of its
own: those of [register.who] who also meet its condition, with control persons weighted to look like its treated ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from evaluation.columns import arrow_floats, arrow_names
from evaluation.errors import DataError, EstimationError, EvaluationError, Problem, SpecError
from evaluation.further import Further, further, question
from evaluation.panel import Array, Panel
from evaluation.prepare import panel_from_spec
from evaluation.readers import Table
from evaluation.register import balance
from evaluation.register.cells import Cells, in_points, to_panel
from evaluation.register.gather import Asked
from evaluation.register.measure import MAIN, Measured
from evaluation.register.others import Compared, last_before
from evaluation.register.population import WHERE
from evaluation.register.where import parse
from evaluation.result import InputFile
from evaluation.spec.loaded import LoadedSpec

if TYPE_CHECKING:
    from evaluation.spec.model import Register, SecondaryTable


def counted(register: Register, asked: Sequence[SecondaryTable]) -> Register:
    """The same registers, with the measures of secondary outcomes among those that are counted into the same cells."""
    wanted = [one.measure for one in asked if one.where is None and one.measure is not None]
    also = tuple(dict.fromkeys((*register.outcome.also, *wanted)))
    return register.model_copy(update={"outcome": register.outcome.model_copy(update={"also": also})})


def asked_for(register: Register, asked: Sequence[SecondaryTable]) -> dict[str, Asked]:
    """The population of each group by its name."""
    found = {}
    for place, one in enumerate(asked):
        if not isinstance(one.where, str):
            continue
        where = f"({register.who.where}) and ({one.where})" if register.who.where.strip() else one.where
        outcome = {"measure": one.measure or register.outcome.measure, "also": ()}
        changed = register.model_copy(
            update={
                "who": register.who.model_copy(update={"where": where}),
                "outcome": register.outcome.model_copy(update=outcome),
                "negative_group": (),
                "second_group": None,
            }
        )
        found[_name(place)] = Asked(changed, optional=True)
    return found


def judge(loaded: LoadedSpec) -> None:
    """Refuse conditions on persons that cannot be read, before the registers are.

    Raises
    ------
    DataError
        Each at its line of the spec, with the sign that is not understood.
    """
    problems: list[Problem] = []
    for place, one in enumerate(loaded.spec.secondary):
        try:
            if isinstance(one.where, str):
                parse(one.where, WHERE)
        except SpecError as error:
            for problem in error.problems:
                what = f"{problem.where}: {problem.what}"
                problems.append(loaded.locator.problem(("secondary", place, "where"), what))
    if problems:
        raise DataError(*problems)


def panels(
    loaded: LoadedSpec, register: Register, compared: Compared, measured: Measured, weights: Array
) -> tuple[Further, ...]:
    """The panel of each secondary outcome and group; what kept one from being made is told with it.

    Parameters
    ----------
    register : Register
        With the measures of secondary outcomes among those counted.
    compared : Compared
        The panel of the primary outcome, and the codes of who is treated and who is no control.
    weights : Array
        (units, groups) or (units, groups, periods): of the primary outcome's persons.
    """
    found = []
    for place, one in enumerate(loaded.spec.secondary):
        try:
            panel = _panel(loaded, register, compared, measured, weights, place)
        except EvaluationError as error:
            found.append(further(loaded, one, None, tuple(problem.what for problem in error.problems)))
        else:
            found.append(further(loaded, one, panel))
    return tuple(found)


def _panel(
    loaded: LoadedSpec, register: Register, compared: Compared, measured: Measured, weights: Array, place: int
) -> Panel:
    one = loaded.spec.secondary[place]
    measure = one.measure or register.outcome.measure
    cells = measured.cells[MAIN]
    if one.where is not None:
        if _name(place) not in measured.cells:
            raise EstimationError(*measured.left[_name(place)].problems)
        cells = measured.cells[_name(place)]
        period = None
        if register.who.design == "stock":
            period = last_before(cells, loaded.spec.treatment.first)
        weights = balance.weights(cells, compared.treated, compared.excluded, register.balance, period).weights
    asked = question(loaded, place, one)
    return panel_from_spec(asked, rows_of(cells, measure, weights, measured.inputs)).panel


def _name(place: int) -> str:
    return f"secondary.{place}"


# ------------------------------------------------------------------ rows of a panel


def rows_of(cells: Cells, measure: str, weights: Array, inputs: tuple[InputFile, ...]) -> Table:
    """The panel of a measure as rows under the names that a spec's registers give its columns.

    Municipalities without persons have none.
    """
    import narwhals as nw
    import pyarrow as pa

    panel = in_points(to_panel(cells, measure, weights), measure)
    rows, columns = np.nonzero(np.isfinite(panel.outcome))
    assert panel.size is not None  # registers always know it
    assert panel.noise is not None
    frame = pa.table(
        {
            "municipality": arrow_names(panel.units, rows),
            "period": arrow_names([period.label for period in panel.periods], columns),
            measure: arrow_floats(panel.outcome[rows, columns]),
            "persons": arrow_floats(panel.size[rows, columns]),
            "noise": arrow_floats(panel.noise[rows, columns]),
        }
    )
    return Table(nw.from_native(frame, eager_only=True), inputs)
