"""Placebo inference: treat every control in turn, refit everything, and see how unusual the treated unit is."""

from __future__ import annotations

import dataclasses

import numpy as np

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.inference.draws import (
    Placebos,
    as_large,
    critical_size,
    deviation,
    each_in_turn,
    path_test,
    placebo_fits,
    rank_p_value,
    slope_factors,
)
from evaluation.inference.joint import over_window
from evaluation.noise import mean_persons, persons_spread
from evaluation.panel import Array, Panel
from evaluation.result import Note, Value, number, numbers

POOR = 20.0
"""A placebo whose pre-period mean squared gap is more than this multiple of the treated unit's is counted as poorly fitted:
the widest of the cut-offs in Abadie, Diamond & Hainmueller (2010), section 3.4."""

PERFECT = 0.01
"""A pre-period gap below this share of the outcome's usual change from period to period is counted as a perfect fit, whose
post/pre ratio rests on a denominator near zero."""


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Exhaustive refitting placebo test, with the interval by inverting it.

    Parameters
    ----------
    panel : Panel
        One or few treated units and many controls.

    Returns
    -------
    Interval
        `std_error` is the standard deviation of the placebo effects; the limits are infinite when there are too few
        controls for any test at this level; `details["placebo"]` holds the distribution.

    Raises
    ------
    EstimationError
        Too few controls.

    References
    ----------
    Abadie, Diamond & Hainmueller (2010), section 2.4 and 3.4; Firpo & Possebom (2018), Journal of Causal Inference 6(2),
    section 3 (inversion); standard error: Arkhangelsky et al. (2021), Algorithm 4, over all controls instead of draws.
    """
    return infer_from(pipeline, panel, level, pipeline(panel), placebo_fits(pipeline, panel, rng))


def infer_from(pipeline: Pipeline, panel: Panel, level: float, fit: Fit, placebos: Placebos) -> Interval:
    """The interval from a fit and its placebo fits."""
    return from_placebos(fit, placebos, panel, level, np.ones(len(placebos.fits)))


def from_placebos(
    fit: Fit, placebos: Placebos, panel: Panel, level: float, factors: Array, weights: Array | None = None
) -> Interval:
    """The interval from placebo effects multiplied by `factors` (assignments,): 1 for equally noisy units.

    Shared slopes of the adjustment for the cycle widen them further where the treated unit's series moved more than theirs.
    `weights` (assignments,) say how likely each was drawn, relative to the true one; without them all are equally likely.
    """
    interval, draws, joint = ranked(fit, placebos, panel, level, factors, weights)
    details = {**placebo_details(fit, placebos, draws, panel, weights), **joint}
    return dataclasses.replace(interval, details={"placebo": details})


def ranked(
    fit: Fit, placebos: Placebos, panel: Panel, level: float, factors: Array, weights: Array | None = None
) -> tuple[Interval, Array, dict[str, Value]]:
    """The interval without details, the (assignments,) effects it ranks, and what the joint test over the window adds to them."""
    factors = factors * slope_factors(fit, placebos, placebos.effects * factors)
    draws = placebos.effects * factors
    paths = placebos.paths(fit.event_times) * factors[:, None]
    half = critical_size(draws, level, weights)
    errors, lower, upper, p_values = path_test(paths, fit.effects, level, weights)
    adjusted, joint = over_window(fit, paths, panel, level, weights)
    notes: list[Note] = []
    smallest = 1.0 / (1.0 + (draws.size if weights is None else float(weights.sum())))
    if not np.isfinite(half):
        notes.append(
            Note(
                "too_few_placebos",
                f"With {draws.size} placebos no p-value can be smaller than {smallest:.3f}, so there is no interval at this level.",
                {"count": int(draws.size), "smallest_p": smallest, "level": level},
            )
        )
    if placebos.failed:
        notes.append(
            Note(
                "placebos_failed",
                f"{placebos.failed} placebos could not be computed and are left out.",
                {"count": placebos.failed},
            )
        )
    if not placebos.exhaustive:
        notes.append(
            Note(
                "placebos_sampled",
                f"{draws.size} of all possible placebo assignments were drawn at random.",
                {"count": int(draws.size)},
            )
        )
    interval = Interval(
        std_error=deviation(draws, weights),
        lower=fit.att - half,
        upper=fit.att + half,
        p_value=rank_p_value(draws, fit.att, weights),
        path_std_error=errors,
        path_lower=lower,
        path_upper=upper,
        path_p_value=p_values,
        path_p_adjusted=adjusted,
        notes=tuple(notes),
    )
    return interval, draws, {"joint": joint} if joint else {}


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The placebo p-value alone."""
    fit, placebos = pipeline(panel), placebo_fits(pipeline, panel, rng)
    return rank_p_value(placebos.effects * slope_factors(fit, placebos, placebos.effects), fit.att)


def test_each(pipeline: Pipeline, panel: Panel, start: int, rng: Rng) -> Array:
    """(units,) p-values when each unit in turn is the treated one and the others are its placebos.

    The refits are shared: a pretended unit stays among the controls of the others, since nothing happened to it.
    """
    effects = each_in_turn(pipeline, panel, start)
    return np.array([rank_p_value(np.delete(effects, row), effects[row]) for row in range(effects.size)])


def placebo_details(
    fit: Fit, placebos: Placebos, draws: Array, panel: Panel, weights: Array | None = None
) -> dict[str, Value]:
    """What the page shows of placebos: the effects as ranked (`draws`, (assignments,)), and their own gaps and ratios."""
    names = [" + ".join(panel.units[row] for row in rows) for rows in placebos.assignments]
    details: dict[str, Value] = {
        "units": list(names),
        "effects": numbers(draws.tolist()),
        "treated_effect": fit.att,
        "rank": 1 + as_large(draws, fit.att),
        "count": 1 + int(draws.size),
        "smallest_p": 1.0 / (1.0 + (draws.size if weights is None else float(weights.sum()))),
        "sd": deviation(draws, weights),
    }
    if weights is not None:
        details["weights"] = numbers((weights / (1.0 + weights.sum())).tolist())
        details["share"] = rank_p_value(draws, fit.att, weights)
    if fit.periods is None:
        return {**details, **_before_the_starts(fit, placebos)}
    if fit.fit_rmse is None:
        return details
    # ratios and gaps are each placebo's own; only the effects above are rescaled (to the treated unit's noise)
    paths = placebos.paths(fit.event_times)
    window = np.asarray(panel.target.any(axis=0))[fit.periods]
    fits = gaps_before(fit, placebos)
    window &= np.isfinite(fit.effects)
    ratios = np.sqrt(np.mean(paths[:, window] ** 2, axis=1)) / np.maximum(np.abs(fits), 1e-300)
    own_ratio = float(np.sqrt(np.mean(fit.effects[window] ** 2)) / max(fit.fit_rmse, 1e-300))
    usual = usual_change(panel, panel.starts[0])
    finite = np.isfinite(ratios)
    details.update(
        {
            "ratios": numbers(ratios.tolist()),
            "rmspe_pre": numbers(fits.tolist()),
            "gaps": [numbers(row.tolist()) for row in paths],
            "gap_periods": [panel.periods[index].label for index in fit.periods],
            "treated_gaps": numbers(fit.effects.tolist()),
            "treated_ratio": number(own_ratio),
            "treated_rmspe_pre": fit.fit_rmse,
            "rank_ratio": 1 + as_large(ratios[finite], own_ratio),
            "p_ratio": rank_p_value(ratios[finite], own_ratio, None if weights is None else weights[finite]),
            "poor_fit": int((fits**2 > POOR * fit.fit_rmse**2).sum()),
            "perfect_fit": int((fits < PERFECT * usual).sum()),
        }
    )
    return details


def gaps_before(fit: Fit, placebos: Placebos) -> Array:
    """(assignments,) root mean square gaps before the start; with several starts, at the event times before that the fit has.

    NaN where an estimator gives none.
    """
    if fit.periods is not None:
        return np.array([np.nan if each.fit_rmse is None else each.fit_rmse for each in placebos.fits])
    before = (fit.event_times < 0) & np.isfinite(fit.effects)
    squares = placebos.paths(fit.event_times)[:, before] ** 2
    known = np.isfinite(squares)
    count = known.sum(axis=1)
    return np.asarray(np.sqrt(np.where(known, squares, 0.0).sum(axis=1) / np.where(count > 0, count, np.nan)))


def _before_the_starts(fit: Fit, placebos: Placebos) -> dict[str, Value]:
    """With several starts: root mean squares of the effects at the event times before, of the placebos and of the treated."""
    before = (fit.event_times < 0) & np.isfinite(fit.effects)
    if not before.any() or not np.isfinite(placebos.paths(fit.event_times)[:, before]).all():
        return {}
    own = float(np.sqrt(np.mean(fit.effects[before] ** 2)))
    return {"rmspe_pre": numbers(gaps_before(fit, placebos).tolist()), "treated_rmspe_pre": own}


def usual_change(panel: Panel, start: int) -> float:
    """The median size of a change from one period to the next before `start`: the yardstick for a perfect fit."""
    changes = np.abs(np.diff(panel.outcome[:, :start], axis=1))
    return float(np.nanmedian(changes)) if np.isfinite(changes).any() else 0.0


ENOUGH_CONTROLS = 20
"""With several treated units and fewer controls than this, placebo averages share too many units to be independent draws."""


def few_controls(panel: Panel) -> Note | None:
    """The warning for several treated units and few controls, where the test rejects up to twice as often as it should."""
    controls = int((~panel.treated).sum())
    if panel.treated.sum() < 2 or controls >= ENOUGH_CONTROLS:
        return None
    return Note(
        "placebo_few_controls",
        f"Several treated units and only {controls} controls: placebo averages overlap, so p-values are somewhat too small.",
        {"controls": controls, "enough": ENOUGH_CONTROLS},
    )


def unsuited(panel: Panel) -> Note | None:
    """Not valid when sizes differ much, because small units have noisier placebos; doubtful with few controls."""
    persons = mean_persons(panel)
    if persons is None or not panel.treated.any():
        return few_controls(panel)
    spread = persons_spread(persons)
    if not spread > 5.0:
        return few_controls(panel)
    return Note(
        "placebo_unequal_sizes",
        f"The largest unit has {spread:.0f} times the persons of the smallest: small units have noisier placebos, which "
        "`ferman_pinto` allows for.",
        {"spread": spread},
    )


METHOD = Inference(
    name="placebo",
    summary="every control in turn is treated as if it were the one; the interval is what this test does not reject",
    infer=infer,
    test=test,
    unsuited=unsuited,
    source="Abadie, Diamond & Hainmueller (2010), Journal of the American Statistical Association 105(490), section 2.4",
    test_each=test_each,
    infer_from=infer_from,
)
