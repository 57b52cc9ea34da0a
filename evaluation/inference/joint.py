"""Many periods, one window: whether any of them shows an effect, and which, when all are looked at together."""

from __future__ import annotations

import numpy as np

from evaluation.contracts import Fit
from evaluation.multiplicity import band_halfwidths, joint_p_value, romano_wolf
from evaluation.panel import Array, Mask, Panel
from evaluation.result import Value, numbers


def over_window(
    fit: Fit, paths: Array, panel: Panel, level: float, weights: Array | None = None
) -> tuple[Array, dict[str, Value] | None]:
    """Adjusted p-values of the window's periods, and the joint test of no effect in any of them.

    With six years looked at one by one, one in five evaluations of nothing has a year with p below 5 %. The adjusted p-values
    hold for all years at once, by the placebos' largest deviation in any of them (`multiplicity.romano_wolf`).

    Parameters
    ----------
    paths : Array
        (assignments, times) placebo effects beside `fit.effects`, rescaled as the headline's placebos are.
    weights : Array, optional
        (assignments,) of the assignments, relative to the true one's.

    Returns
    -------
    tuple
        (times,) adjusted p-values, NaN outside the window; and the joint p-value, the periods, and the band that holds all of
        them at once. None with fewer than two periods: one period is tested by its own p-value.
    """
    adjusted = np.full(fit.effects.size, np.nan)
    tested = in_window(fit, panel) & np.isfinite(fit.effects) & np.isfinite(paths).all(axis=0)
    # a period whose effects are zero by construction is a reference period, whatever the window says
    tested &= (fit.effects != 0.0) | np.any(paths != 0.0, axis=0)
    if tested.sum() < 2:
        return adjusted, None
    values, draws = fit.effects[tested], paths[:, tested]
    adjusted[tested] = romano_wolf(values, draws, weights)
    half = band_halfwidths(draws, level, weights)
    places = np.flatnonzero(tested)
    return adjusted, {
        "p_value": joint_p_value(values, draws, weights),
        "statistic": "largest",
        "periods": [] if fit.periods is None else [panel.periods[int(fit.periods[place])].label for place in places],
        "event_times": fit.event_times[tested].tolist(),
        "band": {"lower": numbers((values - half).tolist()), "upper": numbers((values + half).tolist())},
    }


def in_window(fit: Fit, panel: Panel) -> Mask:
    """(times,) entries of the path that some treated cell of the headline's window belongs to."""
    if fit.periods is not None:
        window: Mask = np.asarray(panel.target.any(axis=0))
        return np.asarray(window[fit.periods])
    rows, columns = np.nonzero(panel.target)
    return np.isin(fit.event_times, columns - panel.start[rows])
