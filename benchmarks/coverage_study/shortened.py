"""Paths as fits for the product's inferences, shortened to a few periods: whole ones cost more than they tell."""

from __future__ import annotations

import dataclasses

import numpy as np

from coverage_study.kernels import Paths
from coverage_study.worlds import SHAPES, Shape
from evaluation.contracts import Fit
from evaluation.inference.draws import Placebos
from evaluation.panel import Array, Indices


class Quick(Placebos):
    """Placebos whose fits all have the same event times, so that their paths need no look at them one by one."""

    __slots__ = ()

    def paths(self, event_times: Indices) -> Array:
        """(assignments, times)."""
        assert event_times is self.fits[0].event_times
        return np.array([fit.effects for fit in self.fits])


def shown_times(shape: Shape) -> Indices:
    """Event times of the shortened paths: two before the start, which both hold the average gap there, and the window where it is
    short, else its first."""
    return np.arange(-2, shape.window if shape.window < 10 else 1)


TIMES = {shape: shown_times(shape) for shape in SHAPES.values()}


def fits_of(paths: Paths, rows: Indices, shape: Shape, *, exhaustive: bool) -> tuple[Fit, Placebos]:
    """Paths as fits and placebos for the product's inferences, shortened: whole ones cost more than they tell."""
    window = slice(shape.before, shape.before + shape.window)
    times = TIMES[shape]
    possible = np.isfinite(paths.others).all(axis=1)
    if not possible.all():
        kept = np.append(True, possible)
        fewer = Paths(
            paths.own,
            paths.others[possible],
            None if paths.slope_variances is None else paths.slope_variances[kept],
            None if paths.weights is None else paths.weights[kept],
        )
        fit, placebos = fits_of(fewer, rows[possible], shape, exhaustive=exhaustive)
        return fit, dataclasses.replace(placebos, failed=int((~possible).sum()))
    every = np.vstack([paths.own, paths.others])
    effects = every[:, window].mean(axis=1).tolist()
    gaps = np.sqrt(np.mean(every[:, : shape.before] ** 2, axis=1)).tolist()
    shown = every[:, shape.before + times]
    shown[:, times < 0] = every[:, : shape.before].mean(axis=1, keepdims=True)
    variances = [0.0] * len(every) if paths.slope_variances is None else paths.slope_variances.tolist()
    weights = [None] * len(every) if paths.weights is None else list(paths.weights)
    if weights[0] is not None:
        # the treated unit's panel has the treated too
        weights[0] = np.append(np.zeros(rows.shape[1]), weights[0])
    fits = [
        Fit(att=effect, effects=path, event_times=times, fit_rmse=gap, slope_variance=variance, unit_weights=weight)
        for effect, path, gap, variance, weight in zip(effects, shown, gaps, variances, weights, strict=True)
    ]
    return fits[0], Quick(tuple(map(tuple, rows.tolist())), tuple(fits[1:]), 0, exhaustive)


def shortened(fit: Fit, placebos: Placebos, shape: Shape) -> tuple[Fit, Placebos, Paths | None]:
    """The product's fits with the same few periods only; and their whole paths where all have one."""
    wanted = TIMES[shape]

    def short(one: Fit) -> Fit:
        place = {int(time): index for index, time in enumerate(one.event_times)}
        kept = np.array([one.effects[place[time]] if time in place else np.nan for time in wanted.tolist()])
        early = one.effects[one.event_times < 0]
        if np.isfinite(early).any():
            kept[wanted < 0] = np.nanmean(early)
        return Fit(
            att=one.att,
            effects=kept,
            event_times=wanted,
            fit_rmse=one.fit_rmse,
            slope_variance=one.slope_variance,
            unit_weights=one.unit_weights,
        )

    paths = None
    if fit.periods is not None and fit.effects.size == shape.periods:
        paths = Paths(fit.effects, placebos.paths(fit.event_times))
        if not (np.isfinite(paths.own).all() and np.isfinite(paths.others).all()):
            paths = None

    def few(some: Placebos) -> Placebos:
        alone = None if some.alone is None else few(some.alone)
        return Quick(some.assignments, tuple(map(short, some.fits)), some.failed, some.exhaustive, alone)

    return short(fit), few(placebos), paths
