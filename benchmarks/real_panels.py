"""Real panels in which nothing happened, the dates from which something is pretended, and what their units are like.

The employment rates of all 98 Danish municipalities (four of them did start something, and Hjørring did in 2015: of so many laws they
are too few to matter), and the weekly hours of women in 50 US states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.denmark.areas import recognise
from evaluation.panel import Panel
from evaluation.readers import Settings, read_table

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Real:
    """A real panel without any treatment, the dates from which laws are pretended, and the windows (periods; 0: to the end).

    `fewer` are the dates for estimators whose placebos take long: windows of neighbouring dates hold almost the same years.
    """

    name: str
    panel: Panel
    starts: tuple[int, ...]
    windows: tuple[int, ...]
    fewer: tuple[int, ...]


def employment() -> Real:
    """Employment rates of the 98 Danish municipalities, 2008-2021, as specs/hjorring_employment.toml reads them."""
    frame = read_table(HERE.parent / "specs" / "data" / "ras200_employment_rate.csv", Settings()).frame.to_pandas()
    areas = {name: area for name in frame["area"].unique() if (area := recognise([name])[0]) is not None}
    frame = frame[[name in areas and areas[name].level == "municipality" for name in frame["area"]]]
    frame = frame.assign(landsdel=[areas[name].landsdel for name in frame["area"]])
    return Real(
        "employment",
        _panel(frame, "area", "employment_rate_pct", "landsdel"),
        tuple(range(2012, 2019)),
        (4, 2),
        (2012, 2015, 2018),
    )


def cps_hours() -> Real:
    """Weekly hours of women in 50 US states, 1979-2018; the size of a state is its population in 2000."""
    frame = read_table(HERE / "data" / "cps_state_hours.csv", Settings()).frame.to_pandas()
    panel = _panel(frame, "state", "hours", "division", size="population_2000")
    starts = tuple(range(1989, 2011, 2))
    return Real("cps_hours", panel, starts, (4, 0), starts)


def _panel(frame: Any, unit: str, outcome: str, region: str, **columns: str) -> Panel:
    some = frame[unit].iloc[0]  # the door asks who is treated; nobody is
    panel = Panel.from_frame(
        frame,
        unit=unit,
        time="year",
        outcome=outcome,
        region=region,
        treated={some: int(frame["year"].max())},
        **columns,
    )
    return panel.assign({})


DATA: dict[str, Callable[[], Real]] = {"employment": employment, "cps_hours": cps_hours}


def thinned(real: Real) -> Real:
    """A few units and two dates, to see that everything runs."""
    rows = np.arange(0, real.panel.n_units, 4)
    return replace(
        real, panel=real.panel.keep_units(rows.tolist()), starts=(ends := (real.starts[0], real.starts[-1])), fewer=ends
    )


def cut(panel: Panel, start: int, window: int) -> Panel:
    """The panel up to the end of the window."""
    last = panel.n_periods - 1 if window == 0 else start + window - 1
    return panel.keep_periods(0, last)


def groups_of(real: Real, first: int) -> dict[str, np.ndarray]:
    """(units, dates) masks: everybody; thirds by the root mean square of own changes before each date; thirds by size."""
    shape = (real.panel.n_units, len(real.starts))
    noise = np.empty(shape)
    for column, start in enumerate(real.starts):
        changes = np.diff(real.panel.outcome[:, : start - first], axis=1)
        noise[:, column] = np.sqrt(np.mean((changes - changes.mean(axis=0)) ** 2, axis=1))
    found = {"all": np.ones(shape, dtype=np.bool_), **_thirds(noise, ("calm", "middling", "noisy"))}
    if real.panel.size is not None:
        persons = np.repeat(real.panel.size.mean(axis=1)[:, None], shape[1], axis=1)
        found |= _thirds(persons, ("small", "median", "large"))
    return found


def _thirds(values: np.ndarray, names: tuple[str, str, str]) -> dict[str, np.ndarray]:
    """Masks of the lowest, the middle and the highest third of units at each date."""
    ranks = values.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    thirds = 3 * ranks // values.shape[0]
    return {name: thirds == place for place, name in enumerate(names)}
