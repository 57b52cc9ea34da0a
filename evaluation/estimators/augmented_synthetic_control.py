"""Augmented synthetic control: a synthetic control whose pre-period gaps a ridge regression takes out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.contracts import Fit, Method
from evaluation.errors import EstimationError, did_you_mean, listed
from evaluation.hull import hull_weights
from evaluation.numerics import (
    common_start,
    complete_units,
    contrast,
    dropped_note,
    fit_of,
    spread,
    target_weights,
    without_always_treated,
)
from evaluation.panel import Array, Mask, Panel
from evaluation.result import Note, Value

NAME = "augmented_synthetic_control"

PENALTIES = 20
"""Steps from the largest penalty of the grid, the squared length of the controls' first principal axis, to the smallest."""

SMALLEST_PENALTY = 1e-8
"""The smallest penalty of the grid, relative to the largest."""


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `augmented_synthetic_control`."""

    ridge: Annotated[
        float | Literal["cv"],
        Field(
            description="the ridge penalty, in squared units of the outcome, or `cv`: leave one pre-period out, "
            "the largest penalty within one standard error of the best"
        ),
    ] = "cv"
    scm: Annotated[
        bool, Field(description="the ridge corrects a synthetic control; false: the plain mean of the controls")
    ] = True
    fixed_effects: Annotated[
        bool, Field(description="compare deviations from each unit's own mean over the pre-periods")
    ] = False
    covariates: Annotated[
        tuple[str, ...], Field(description="balance the mean of each covariate over the pre-periods too")
    ] = ()
    residualise: Annotated[
        bool, Field(description="balance the covariates exactly, and the outcomes' part that they do not explain")
    ] = False

    def __post_init__(self) -> None:
        if self.ridge != "cv" and not (np.isfinite(self.ridge) and self.ridge > 0.0):
            raise ValueError('`ridge` must be a number above zero, or "cv"')
        if self.residualise and not self.covariates:
            raise ValueError("`residualise` needs `covariates`")


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is to be balanced, as deviations from the controls' mean: (rows, controls) and (rows,).

    Rows are pre-periods, then covariates on the scale of the outcomes. Covariates that are to be balanced exactly stand apart in
    `exact` (covariates, controls) and `exact_line`.
    """

    columns: Array
    line: Array
    exact: Array | None = None
    exact_line: Array | None = None


@dataclass(frozen=True, slots=True)
class _Weights:
    """The controls' weights without (`base`) and with the ridge, the penalty, and the path it was chosen from."""

    base: Array
    augmented: Array
    penalty: float
    search: dict[str, Value]


def fit(panel: Panel, options: Options) -> Fit:
    """Ridge-augmented synthetic control for one common start; several treated units are averaged first.

    Synthetic control weights w leave gaps d = x₁ − X₀'w before the start; a ridge regression of the outcome on the pre-period
    outcomes says what they are worth afterwards. Both together are a weighted mean again, with the weights

        ω = w + X₀ (X₀'X₀ + λI)⁻¹ d        (outcomes as deviations from the controls' mean)

    which sum to 1 and may be negative: a small λ buys a better fit before the start by extrapolation.

    Parameters
    ----------
    panel : Panel
        Controls with a missing cell are left out, and named in a note.

    Returns
    -------
    Fit
        `att` in the outcome's unit; `unit_weights` (units,) summing to 1. `details` hold the penalty, the search for it, the
        length of the pre-period gaps (also relative to that of equal weights) and what the ridge changed in the effect.

    Raises
    ------
    EstimationError
        Several starts, a treated unit with a missing cell, fewer than three pre-periods to choose the penalty from, or a
        covariate that is not there, is missing or does not vary.

    References
    ----------
    Ben-Michael, Feller & Rothstein (2021), Journal of the American Statistical Association 116(536): eqs. (5)-(7), lemma 1;
    covariates: section 5.2; the penalty: section 5.3. The grid of penalties is that of the authors' program.
    """
    full = panel
    panel, notes = without_always_treated(panel)
    panel, dropped = complete_units(panel, NAME)
    start = common_start(panel, NAME)
    target = target_weights(panel)
    line = target.units @ panel.outcome
    problem = _problem(panel, options, target.units, start, start)
    found = _solve(problem, options)
    before = np.where(np.arange(panel.n_periods) < start, 1.0 / start, 0.0) if options.fixed_effects else None
    controls, alone = np.zeros(panel.n_units), np.zeros(panel.n_units)
    controls[~panel.treated], alone[~panel.treated] = found.augmented, found.base
    effect = contrast(panel.outcome, target, controls, before, start)
    unaugmented = contrast(panel.outcome, target, alone, before, start)
    gaps = effect.effects[:start]
    even = _levels(line[None, :] - panel.outcome[~panel.treated].mean(axis=0), options, start)[0, :start]
    details: dict[str, Value] = {
        "ridge": found.penalty,
        **found.search,
        "imbalance": float(np.linalg.norm(gaps)),
        "relative_imbalance": _ratio(gaps, even),
        "effect_without_ridge": unaugmented.att,
        "dropped_units": list(dropped),
    }
    if options.covariates:
        if problem.exact is not None and problem.exact_line is not None:
            balanced, wanted = problem.exact, problem.exact_line
        else:
            balanced, wanted = problem.columns[start:], problem.line[start:]
        away = wanted - balanced @ found.augmented
        details["covariates"] = list(options.covariates)
        details["covariate_imbalance"] = float(np.linalg.norm(away))
        details["relative_covariate_imbalance"] = _ratio(away, wanted)
    return fit_of(
        effect,
        start,
        spread(controls, panel, full),
        before,
        notes=(*notes, *dropped_note(dropped), *_means_note(options)),
        details=details,
    )


def gaps(panel: Panel, options: Options) -> Array:
    """(periods,) gaps of weights fitted on all periods, the null imposed; penalty and covariates stay those of the pre-periods."""
    treated, start = target_weights(panel).units, panel.starts[0]
    penalty = None
    if options.ridge == "cv":
        before = _problem(panel, options, treated, start, start)
        penalty = _penalty_before(before.columns.tobytes(), before.line.tobytes(), before.columns.shape, options)
    found = _solve(_problem(panel, options, treated, panel.n_periods, start), options, penalty)
    lines = _levels(panel.outcome, options, panel.n_periods)
    return np.asarray(treated @ lines - found.augmented @ lines[~panel.treated])


@lru_cache(maxsize=8)
def _penalty_before(columns: bytes, line: bytes, shape: tuple[int, int], options: Options) -> float:
    """The penalty chosen for these pre-periods; remembered, because conformal inference asks for every hypothesis anew."""
    return _choose(_Problem(np.frombuffer(columns).reshape(shape), np.frombuffer(line)), options)[0]


# ---------------------------------------------------------------------- what is balanced


def _problem(panel: Panel, options: Options, treated: Array, last: int, start: int) -> _Problem:
    """The outcomes of the first `last` periods, and the covariates' means before `start`."""
    lines = _levels(panel.outcome, options, last)[:, :last]
    controls = lines[~panel.treated].T
    columns, line = controls - controls.mean(axis=1, keepdims=True), treated @ lines - controls.mean(axis=1)
    if not options.covariates:
        return _Problem(columns, line)
    scale = 1.0 if options.residualise else float(columns.std(ddof=1))
    exact, exact_line = _covariates(panel, options, treated, start, scale)
    if not options.residualise:
        return _Problem(np.vstack([columns, exact]), np.append(line, exact_line))
    slopes = np.linalg.lstsq(exact.T, columns.T, rcond=None)[0].T
    return _Problem(columns - slopes @ exact, line - slopes @ exact_line, exact, exact_line)


def _levels(lines: Array, options: Options, last: int) -> Array:
    """The lines, with fixed effects as deviations from their mean over the first `last` periods."""
    return lines - lines[:, :last].mean(axis=1, keepdims=True) if options.fixed_effects else lines


def _covariates(panel: Panel, options: Options, treated: Array, start: int, scale: float) -> tuple[Array, Array]:
    """Covariates as deviations from the controls' mean, their standard deviation made `scale`: (covariates, controls) and
    (covariates,)."""
    rows = ~panel.treated
    values = np.stack([_mean_before(panel, name, start) for name in options.covariates])
    broken: Mask = np.asarray(~np.isfinite(values[:, rows | panel.treated]).all(axis=1))
    if broken.any():
        names = listed([name for name, missing in zip(options.covariates, broken.tolist(), strict=True) if missing])
        raise EstimationError(
            f"{NAME}: the covariate {names} is missing for some unit in every period before the start"
        )
    controls = values[:, rows]
    if options.residualise and np.linalg.matrix_rank(controls - controls.mean(axis=1, keepdims=True)) < len(values):
        raise EstimationError(
            f"{NAME}: the covariates ({listed(list(options.covariates))}) do not vary independently among the controls, "
            "so they cannot be balanced exactly; leave some out, or `residualise`"
        )
    deviation = controls.std(axis=1, ddof=1) if controls.shape[1] > 1 else np.zeros(len(values))
    flat: Mask = np.asarray(deviation <= 1e-12 * np.abs(controls).max(axis=1))
    if flat.any():
        names = listed([name for name, same in zip(options.covariates, flat.tolist(), strict=True) if same])
        raise EstimationError(f"{NAME}: the covariate {names} does not vary among the controls; leave it out")
    centre, units = controls.mean(axis=1), scale / deviation
    return (controls - centre[:, None]) * units[:, None], (values @ treated - centre) * units


def _mean_before(panel: Panel, name: str, start: int) -> Array:
    """(units,) mean of a covariate over its observed periods before the start."""
    if name not in panel.covariates:
        raise EstimationError(f"{NAME}: no covariate '{name}' in the panel{did_you_mean(name, list(panel.covariates))}")
    layer = panel.covariates[name]
    if layer.ndim == 1:
        return layer
    seen = np.isfinite(layer[:, :start])
    count = np.where(seen.any(axis=1), seen.sum(axis=1), np.nan)
    return np.asarray(np.where(seen, layer[:, :start], 0.0).sum(axis=1) / count)


def _means_note(options: Options) -> tuple[Note, ...]:
    """What is known against the penalty that is chosen together with fixed effects."""
    if not (options.fixed_effects and options.ridge == "cv"):
        return ()
    text = (
        "With fixed effects the penalty comes out too small: the period left out is still in the means, and so can be told from "
        "the others. Giving `ridge` a number avoids it."
    )
    return (Note("penalty_from_shared_means", text),)


# ---------------------------------------------------------------------- weights and penalty


def _solve(problem: _Problem, options: Options, penalty: float | None = None) -> _Weights:
    """The weights, with the penalty given (here or by the options) or chosen."""
    columns, line = problem.columns, problem.line
    base, inside = _base(columns, line, options)
    search: dict[str, Value] = {}
    if penalty is None and options.ridge == "cv":
        penalty, search = _choose(problem, options, inside=inside)
    elif penalty is None:
        penalty = float(options.ridge)
    augmented = base
    if columns.any():
        ridged = columns @ columns.T + penalty * np.eye(line.size)
        augmented = base + columns.T @ np.linalg.solve(ridged, line - columns @ base)
    if problem.exact is not None and problem.exact_line is not None:
        left = problem.exact_line - problem.exact @ augmented
        augmented = augmented + np.linalg.lstsq(problem.exact, left, rcond=None)[0]
    return _Weights(base, augmented, penalty, search)


def _base(columns: Array, line: Array, options: Options, *, inside: bool = False) -> tuple[Array, bool]:
    """The weights that the ridge corrects, and whether the line is a weighted mean of the columns; `inside`: it is known to be."""
    if not options.scm:
        return np.full(columns.shape[1], 1.0 / columns.shape[1]), False
    return hull_weights(columns, line, inside=inside)


def _choose(problem: _Problem, options: Options, *, inside: bool = False) -> tuple[float, dict[str, Value]]:
    """The largest penalty whose squared error for a row left out is within one standard error of the smallest.

    Leaving row i out and predicting it is a ridge regression's leave-one-out residual: with A = X₀'X₀ + λI over all rows and d
    the gaps of the weights found without row i, the error is (A⁻¹d)ᵢ / (A⁻¹)ᵢᵢ. So one decomposition of X₀'X₀ gives it for every
    row and penalty, and only the synthetic control is solved anew. As in the authors' program, whose penalties are found
    again, covariates are left out in their turn like periods, and the last row never is. `inside`: the line is a weighted mean
    of the columns in all rows, and so it is in fewer.
    """
    columns, line = problem.columns, problem.line
    if line.size < 3:
        raise EstimationError(
            f"{NAME}: {line.size} periods before the start are too few to choose the ridge penalty from (three are needed); "
            "give `ridge` a number, or use synthetic_control"
        )
    folds = np.arange(line.size - 1)
    weights = np.empty((folds.size, columns.shape[1]))
    for row in folds:
        kept = np.arange(line.size) != row
        weights[row], _ = _base(columns[kept], line[kept], options, inside=inside)
    distances = line - weights @ columns.T
    squares, axes = np.linalg.eigh(columns @ columns.T)
    squares = np.maximum(squares, 0.0)
    penalties = squares[-1] * SMALLEST_PENALTY ** (np.arange(PENALTIES + 1) / PENALTIES)
    if squares[-1] <= 0.0:
        return 0.0, {}  # all controls are the same: there is nothing that a ridge could weight
    inverse = 1.0 / (squares[:, None] + penalties[None, :])
    diagonal = (axes[folds] ** 2) @ inverse
    errors = (((axes[folds] * (distances @ axes)) @ inverse) / diagonal) ** 2
    means, deviations = errors.mean(axis=0), errors.std(axis=0, ddof=1) / np.sqrt(folds.size)
    best = int(np.argmin(means))
    # rounding must not decide between penalties that predict equally well
    within = means <= (means[best] + deviations[best]) * (1.0 + 1e-9)
    chosen = float(penalties[np.flatnonzero(within)[0]])
    return chosen, {
        "penalties": penalties.tolist(),
        "errors": means.tolist(),
        "error_std_errors": deviations.tolist(),
    }


def _ratio(gaps: Array, even: Array) -> float | None:
    """Length of the gaps relative to that of equal weights; None where equal weights leave none."""
    length = float(np.linalg.norm(even))
    return float(np.linalg.norm(gaps)) / length if length > 0.0 else None


METHOD = Method(
    name=NAME,
    summary="augmented synthetic control: a ridge regression takes out what the synthetic control does not match",
    fit=fit,
    options=Options,
    needs=("never_treated", "balanced", "common_start", "two_pre_periods"),
    keeps=frozenset({"period_shift", "common_shift", "scale", "unit_order"}),
    default_inference="placebo",
    source="Ben-Michael, Feller & Rothstein (2021), Journal of the American Statistical Association 116(536)",
    gaps=gaps,
)
