"""Several contrasts as one fit: each treated unit, or each group that starts together, against weights of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Fit
from evaluation.numerics import Contrast, Target
from evaluation.panel import Array, Indices, Panel
from evaluation.result import Note, Value


@dataclass(frozen=True, slots=True)
class Part:
    """Treated units with one start, and what they were compared with.

    Attributes
    ----------
    rows : Indices
        Rows of the panel.
    start : int
        Index of their first treated period.
    controls : Array
        (units,) weights in the panel's order, summing to 1.
    found : Contrast
        Of these treated units alone, their shares summing to 1.
    """

    rows: Indices
    start: int
    controls: Array
    found: Contrast


def combined_fit(
    panel: Panel, target: Target, parts: Sequence[Part], notes: tuple[Note, ...], details: Mapping[str, Value]
) -> Fit:
    """The parts as one fit: att = Σ_g s_g att_g, with s_g the share of part g in the target cells, by persons where known.

    With one start the path is by period, weighted within each as the headline is, so that its mean over the window is the
    effect. With several it is by event time, each part weighted by its persons then (by its units where no sizes are known):
    what is averaged changes with the event time, as the parts that are observed then do.

    Parameters
    ----------
    panel : Panel
        The one that the parts' rows and controls refer to.
    target : Target
        Its headline weights; every part holds some.
    """
    shares = np.array([target.units[part.rows].sum() for part in parts])
    paths = np.array([part.found.effects for part in parts])
    gaps = np.array([part.found.fit_rmse for part in parts])
    att = float(shares @ [part.found.att for part in parts])
    controls = np.asarray(shares @ np.array([part.controls for part in parts]))
    rmse = float(np.sqrt(shares @ gaps**2))
    if len({part.start for part in parts}) > 1:
        times, effects = _by_event_time(panel, parts, paths)
        return Fit(att, effects, times, unit_weights=controls, fit_rmse=rmse, notes=notes, details=details)
    weights = np.array([target.shares_of(part.rows).sum(axis=0) for part in parts])
    observed = (weights * np.array([part.found.observed for part in parts])).sum(axis=0)
    effects = (weights * paths).sum(axis=0)
    times = np.arange(panel.n_periods)
    return Fit(
        att=att,
        effects=effects,
        event_times=times - parts[0].start,
        periods=times,
        observed=observed,
        counterfactual=observed - effects,
        unit_weights=controls,
        fit_rmse=rmse,
        notes=notes,
        details=details,
    )


def _by_event_time(panel: Panel, parts: Sequence[Part], paths: Array) -> tuple[Indices, Array]:
    """The event times that some part reaches, and the mean effect at each of them."""
    last, first = max(part.start for part in parts), min(part.start for part in parts)
    times = np.arange(-last, panel.n_periods - first)
    effects, persons, units = np.zeros((3, len(parts), times.size))
    for row, (part, path) in enumerate(zip(parts, paths, strict=True)):
        place = slice(last - part.start, last - part.start + panel.n_periods)
        effects[row, place], units[row, place] = path, part.rows.size
        if panel.size is not None:
            persons[row, place] = np.nan_to_num(panel.size[part.rows]).sum(axis=0)
    weights = np.where(persons.sum(axis=0) > 0.0, persons, units)
    return times, np.asarray((weights * effects).sum(axis=0) / weights.sum(axis=0))
