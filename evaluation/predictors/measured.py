"""The predictors of a synthetic control, measured on a panel, and the donor weights that follow from them and from V."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field

from evaluation.errors import EstimationError, did_you_mean, listed
from evaluation.panel import Array, Panel
from evaluation.periods import parse_period
from evaluation.predictors import given_v, nested_v
from evaluation.predictors.inner import standardised_gaps
from evaluation.predictors.penalty import best_penalty, left_out_scores, penalised_weights
from evaluation.result import Value

V: TypeAlias = Literal["nested", "cross_validation", "inverse_variance", "equal"] | tuple[float, ...]
Span: TypeAlias = tuple[int | str, int | str]


@dataclass(frozen=True, slots=True)
class Predictor:
    """One predictor: the mean of a column over some periods before the start."""

    column: Annotated[str, Field(description="a covariate of the panel, or the outcome")]
    periods: Annotated[
        tuple[int | str, int | str] | None, Field(description="[first, last]; default: all periods before the start")
    ] = None

    @property
    def name(self) -> str:
        """The column, and its periods where some are given."""
        if self.periods is None:
            return self.column
        first, last = self.periods
        return f"{self.column} {first}" if first == last else f"{self.column} {first}-{last}"


def predictor_weights(
    panel: Panel,
    chosen: Sequence[Predictor],
    v: V,
    loss_periods: Span | None,
    penalty: float | Literal["cv"] | None,
    treated: Array,
    start: int,
) -> tuple[Array, dict[str, Value]]:
    """Donor weights that match predictors, and what a reader may want to know of them.

    Parameters
    ----------
    panel : Panel
        One start; the controls are its untreated units.
    v : V
        How the predictors weigh. Each is divided by its standard deviation over all units, so that `equal` weights are inverse
        variances. `cross_validation`: predictors measured over the first half of the pre-periods, V searched for the smallest
        gap over the second; then, with this V, predictors measured over the second half.
    loss_periods : pair or None
        What the search minimises the gap of; under cross-validation the validation periods, training being all before them.
    penalty : float, "cv" or None
        λ of the penalised synthetic control, on the same V-weighted distances.
    treated : Array
        (units,) weights of the treated units, summing to 1.
    start : int
        Index of the first treated period.

    Returns
    -------
    (Array, dict)
        (donors,) weights and details: predictors, V, what the treated unit and its synthetic control have, the loss.

    Raises
    ------
    EstimationError
        A predictor is not there, constant, missing for some unit or reaches past the start; V or the periods do not fit.

    References
    ----------
    Abadie, Diamond & Hainmueller (2010), section 2.3; (2015), American Journal of Political Science 59(2), section on
    cross-validation, for which predictors have no periods of their own.
    """
    rows = ~panel.treated
    first, last = _loss_span(panel, loss_periods, start, v == "cross_validation")
    z1, z0 = (treated @ panel.outcome)[first : last + 1], panel.outcome[rows, first : last + 1].T
    used = (first, last) if v == "cross_validation" else (0, start - 1)
    x1, x0 = _measured(panel, chosen, treated, start, used)
    if v == "nested":
        found = nested_v(x1, x0, z1, z0)
        values, omega = found.v, found.weights
    else:
        if v == "cross_validation":
            values = nested_v(*_measured(panel, chosen, treated, start, (0, first - 1)), z1, z0).v
        elif isinstance(v, str):
            values = np.full(len(chosen), 1.0 / len(chosen))
        else:
            values = np.asarray(v, dtype=np.float64)
            if values.size != len(chosen) or (values < 0).any() or values.sum() <= 0:
                raise EstimationError(
                    f"synthetic_control: `v` needs {len(chosen)} weights, none negative and not all zero"
                )
        omega = given_v(x1, x0, values)
    details: dict[str, Value] = {}
    if penalty is not None:
        gaps = standardised_gaps(x1, x0) * np.sqrt(values / values.sum())[:, None]
        if penalty == "cv":
            # the distances between donors do not depend on the treated unit: only the scale does
            penalty = best_penalty(left_out_scores(gaps, panel.outcome[rows][:, start:].T))
        omega = penalised_weights(gaps, penalty)
        details["penalty"] = penalty
    details |= {
        "predictors": [predictor.name for predictor in chosen],
        "v": [float(value) for value in values / values.sum()],
        "predictor_treated": [float(value) for value in x1],
        "predictor_synthetic": [float(value) for value in x0 @ omega],
        "predictor_controls": [float(value) for value in x0.mean(axis=1)],
        "loss": float(np.mean((z1 - z0 @ omega) ** 2)),
    }
    return omega, details


def _measured(
    panel: Panel, chosen: Sequence[Predictor], treated: Array, start: int, used: tuple[int, int]
) -> tuple[Array, Array]:
    """(K,) and (K, donors) values of the predictors; those without periods of their own over `used`."""
    values = np.stack([_values(panel, predictor, start, used) for predictor in chosen])
    broken = [predictor.name for predictor, row in zip(chosen, values, strict=True) if not np.isfinite(row).all()]
    if broken:
        raise EstimationError(
            f"synthetic_control: the predictor {listed(broken)} is missing for some unit in its periods"
        )
    return values @ treated, values[:, ~panel.treated]


def _values(panel: Panel, predictor: Predictor, start: int, used: tuple[int, int]) -> Array:
    """(units,) mean of a predictor over its observed periods."""
    if predictor.column == "outcome":
        layer = panel.outcome
    elif predictor.column in panel.covariates:
        layer = panel.covariates[predictor.column]
    else:
        known = ["outcome", *panel.covariates]
        raise EstimationError(
            f"synthetic_control: no covariate '{predictor.column}' in the panel{did_you_mean(predictor.column, known)}"
        )
    if layer.ndim == 1:
        return layer
    first, last = used if predictor.periods is None else _span(panel, predictor.periods, start, predictor.column)
    block = layer[:, first : last + 1]
    seen = np.isfinite(block)
    return np.asarray(np.where(seen, block, 0.0).sum(axis=1) / np.where(seen.any(axis=1), seen.sum(axis=1), np.nan))


def _loss_span(panel: Panel, periods: Span | None, start: int, halves: bool) -> tuple[int, int]:
    """First and last index of the periods whose gap is minimised."""
    if not halves:
        return (0, start - 1) if periods is None else _span(panel, periods, start, "loss_periods")
    first, last = (start // 2, start - 1) if periods is None else _span(panel, periods, start, "loss_periods")
    if first == 0:
        raise EstimationError(
            'synthetic_control: v = "cross_validation" needs a training period before the validation period'
        )
    return first, last


def _span(panel: Panel, periods: Span, start: int, what: str) -> tuple[int, int]:
    """First and last index of the periods named, which must be in the data and before the start."""
    try:
        first, last = (panel.periods.index(parse_period(period)) for period in periods)
    except ValueError:
        raise EstimationError(f"synthetic_control: the periods of '{what}' are not in the data") from None
    if not first <= last < start:
        raise EstimationError(f"synthetic_control: the periods of '{what}' must lie before the start")
    return first, last
