"""The downturn before the programme: when the national cycle fell furthest, found from the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.cycle.loadings import first_start, leave_own_out, national, series_names
from evaluation.panel import Array, Panel
from evaluation.periods import PER_YEAR

YEARS = 2
"""How long a downturn is taken to be: Denmark's of 2009-10 was, and so are most of the OECD's."""


@dataclass(frozen=True, slots=True)
class Line:
    """The national cycle: (periods,) values of the series called `name`; "" is the mean outcome of the never-treated."""

    name: str
    values: Array


@dataclass(frozen=True, slots=True)
class Downturn:
    """The periods `first` to `last` (indices, inclusive), by how much the line fell in them, and the deepest one of them."""

    first: int
    last: int
    fall: float
    trough: int

    @property
    def columns(self) -> range:
        """The indices of its periods."""
        return range(self.first, self.last + 1)


def national_line(panel: Panel) -> Line:
    """The nation in the first outside series of the panel; without one, the mean outcome of the never-treated.

    This dates the cycle. How strongly a unit reacts to it is measured on outcomes alone (`loadings.leave_own_out`), where a
    slope of 1 means "as the others" whatever the outcome.

    Raises
    ------
    EstimationError
        In some period no never-treated unit is observed, or the series does not move before the start.
    """
    some_treated = int(np.argmax(panel.treated))
    names = series_names(panel)
    if names:
        return Line(names[0], np.asarray(national(panel, names[0])[some_treated]))
    return Line("", np.asarray(leave_own_out(panel, panel.outcome)[some_treated]))


def downturn(panel: Panel) -> Downturn | None:
    """The two years before the start in which the national line fell furthest; None where it never fell, or too few periods.

    Neither the first period nor the last before the start may belong to it: a fall needs a period to fall from, and the last
    period may already hold an anticipation of the programme. A series that runs against the outcome from period to period (the
    rate of unemployment, where the outcome is hours) is turned round first, so that a fall is one of the outcome.
    """
    start, span = first_start(panel), YEARS * PER_YEAR[panel.periods[0].frequency]
    if start < span + 2:
        return None
    line = national_line(panel).values[:start]
    line = line * _direction(panel, line)
    firsts = range(1, start - span)
    falls = [float(line[first - 1] - line[first + span - 1]) for first in firsts]
    place = int(np.argmax(falls))
    if falls[place] <= 0.0:
        return None
    first = firsts[place]
    last = first + span - 1
    return Downturn(first, last, falls[place], first + int(np.argmin(line[first : last + 1])))


def span_label(panel: Panel, first: int, last: int) -> str:
    """Periods as they are written: "2009-2010", or one alone."""
    ends = panel.periods[first].label, panel.periods[last].label
    return ends[0] if first == last else "-".join(ends)


def _direction(panel: Panel, line: Array) -> float:
    """-1 for a line whose changes run against those of the never-treated units' mean outcome before the start, else 1."""
    outcome = leave_own_out(panel, panel.outcome)[int(np.argmax(panel.treated)), : line.size]
    moves, own = np.diff(line), np.diff(outcome)
    return -1.0 if (moves - moves.mean()) @ (own - own.mean()) < 0.0 else 1.0
