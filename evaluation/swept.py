"""Unit and period effects that differ by what is constant in time, taken out exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.panel import Array, Indices, Mask
from evaluation.regression import UnitEffects, scaled_inverse, without_rounding


@dataclass(frozen=True, slots=True)
class Sweep:
    """Unit effects, and period effects that differ by covariates that are constant in time.

    With `basis` (terms, units), whose first row is 1 and whose others are these covariates, standardised, the outcome's period part
    is Σ_k basis_ki c_kt; the normal equations of c are (terms · periods) square, with blocks Σ_i basis_ki basis_li W_i R_i (see
    `UnitEffects`). `system` and `inverse` are theirs. So a constant covariate costs a few sums over units, and no layer of cells
    for each of its slopes.
    """

    effects: UnitEffects
    basis: Array
    system: Array
    inverse: Array

    def period_effects(self, layer: Array) -> Array:
        """(terms, periods) c of a (units, periods) layer, fitted on the untreated cells."""
        within = self.effects.within(layer, np.empty_like(layer))
        within *= self.effects.cells
        return np.asarray((self.inverse @ (self.basis @ within).ravel()).reshape(len(self.basis), -1))

    def gaps(self, layer: Array) -> Array:
        """(units, periods) the layer less its period effects and each unit's own mean (line), fitted on the untreated cells."""
        effects = self.effects
        gaps = layer - self.basis.T @ self.period_effects(layer)
        gaps -= (np.einsum("it,it->i", effects.cells, gaps) * effects.total)[:, None]
        if effects.slope is not None:
            line = self.lines()
            gaps -= line * (np.einsum("it,it,it->i", effects.cells, line, gaps) * effects.slope)[:, None]
        return np.asarray(gaps)

    def lines(self, rows: Indices | None = None) -> Array:
        """(units, periods) the distance of each period from the mean of the unit's untreated periods; of some units only."""
        some = slice(None) if rows is None else rows
        cells, total = self.effects.cells[some], self.effects.total[some]
        times = np.arange(cells.shape[1], dtype=np.float64)
        return np.asarray(times - ((cells @ times) * total)[:, None])

    def taken(self, rows: Indices, weights: Array) -> Array:
        """(periods, terms · periods) what Σ w·gap over `rows`, with (rows, periods) weights, takes from c, period by period."""
        cells, total = self.effects.cells[rows], self.effects.total[rows, None]
        line = None if self.effects.slope is None else self.lines(rows)
        found = []
        for values in self.basis[:, rows]:
            weighted = weights * values[:, None]
            part = -weighted.T @ (cells * total)
            if line is not None and self.effects.slope is not None:
                part -= (weighted * line).T @ (cells * line * self.effects.slope[rows, None])
            part[np.diag_indices_from(part)] += weighted.sum(axis=0)
            found.append(part)
        return np.concatenate(found, axis=1)

    def unidentified(self) -> Array:
        """(terms · periods, directions) what the untreated cells leave open of c.

        Of what a shift (and a trend) of the unit effects makes up for, only if there is something else: where everybody's cells
        hang together, as they nearly always do, these are the periods without untreated cells alone.
        """
        told = np.diag(self.system) > 0.0
        expected = int(told.sum()) - len(self.basis) * (1 if self.effects.slope is None else 2)
        silent = np.eye(told.size)[:, ~told]
        if float(np.einsum("st,st->", self.system, self.inverse)) > expected - 0.5:
            return silent
        scale = 1.0 / np.sqrt(np.diag(self.system)[told])
        values, vectors = np.linalg.eigh(self.system[np.ix_(told, told)] * np.outer(scale, scale))
        open_ones = np.zeros((told.size, int(told.sum())))
        open_ones[told] = vectors * scale[:, None]
        open_ones /= np.sqrt((open_ones**2).sum(axis=0))
        return np.column_stack([silent, open_ones[:, values <= 1e-10 * values[-1]]])


def sweep(used: Mask, constant: Array, *, trends: bool, weights: Array | None) -> Sweep:
    """The unit and period effects of the untreated cells, with (covariates, units) covariates that are constant in time."""
    effects = UnitEffects(used, trends=trends, weights=weights)
    one = np.ones((1, used.shape[0]))
    if not len(constant):
        return Sweep(effects, one, effects.system, effects.inverse)
    seen = used.any(axis=1)
    centred = np.where(np.isfinite(constant), constant - constant[:, seen].mean(axis=1, keepdims=True), 0.0)
    spread = np.sqrt((centred[:, seen] ** 2).mean(axis=1, keepdims=True))
    # one that differs between no two units says nothing, and is 0
    basis = np.concatenate([one, centred / np.where(spread > 0.0, spread, 1.0)])
    cells, rows = effects.cells, []
    line = None if effects.slope is None else Sweep(effects, one, effects.system, effects.inverse).lines() * cells
    for left in basis:
        blocks = []
        for right in basis:
            both = left * right
            block = np.diag(both @ cells) - cells.T @ (cells * (both * effects.total)[:, None])
            if line is not None and effects.slope is not None:
                block -= line.T @ (line * (both * effects.slope)[:, None])
            blocks.append(block)
        rows.append(blocks)
    system = without_rounding(np.block(rows), ((basis**2) @ cells).ravel())
    return Sweep(effects, basis, system, scaled_inverse(system))
