"""Which rung of the ladder a written rule recommends, from the data at hand and never from the answers."""

from __future__ import annotations

from evaluation.panel import Panel

ENOUGH_BEFORE = 6
"""Periods before the start from which a slope on the national cycle is estimated: fewer leave under four degrees of freedom."""


def recommended(panel: Panel) -> str:
    """The name of the adjustment to rely on.

    A local series of the units' own labour markets sees a local boom and goes first; without one, the units' own slopes on the
    national cycle, if there are enough periods to estimate them; else nothing beyond the comparison itself.
    """
    if any(values.ndim == 2 for values in panel.cycle.values()):
        return "local_series"
    if panel.starts and min(panel.starts) >= ENOUGH_BEFORE:
        return "sensitivity"
    return "none"
