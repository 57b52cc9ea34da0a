"""Panels beside the headline's: other persons, other outcomes, in the same units."""

from __future__ import annotations

from dataclasses import replace

from evaluation.panel import Panel


def with_series_of(panel: Panel, like: Panel) -> Panel:
    """The panel with the cycle series of another one, where it has none and every unit and period of it is in the other.

    The labour market around a unit is the same for whoever lives there, so what adjusts the headline can adjust this too.
    """
    rows = {name: row for row, name in enumerate(like.units)}
    columns = {period: column for column, period in enumerate(like.periods)}
    alike = all(name in rows for name in panel.units) and all(period in columns for period in panel.periods)
    if panel.cycle or not like.cycle or not alike:
        return panel
    kept = [rows[name] for name in panel.units]
    seen = [columns[period] for period in panel.periods]
    cycle = {name: values[..., seen] for name, values in like.cycle.items()}
    return replace(panel, cycle={name: one[kept] if one.ndim == 2 else one for name, one in cycle.items()})


def over_periods_of(panel: Panel, like: Panel) -> Panel:
    """The panel over the periods of another one; the panel as it is where these do not all lie in it."""
    first, last = like.periods[0], like.periods[-1]
    if first not in panel.periods or last not in panel.periods:
        return panel
    return panel.keep_periods(panel.periods.index(first), panel.periods.index(last))
