"""Who resembles the treated: propensity scores, odds weights and outcome regressions with their linearisations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from evaluation.errors import EstimationError
from evaluation.panel import Array, Mask
from evaluation.result import Note

TRIM = 0.995
"""A control with a propensity score this high gets no weight: hardly anybody like it was untreated."""

COLLINEAR = 1e-11
"""Smallest eigenvalue, relative to the largest, of the standardised covariates' products that still counts as rank."""

MOST_STEPS = 60

APART = (
    "the covariates tell the treated and the controls (almost) perfectly apart, so no propensity score exists; "
    "use fewer covariates, or an outcome regression (`reg`)"
)
COLLINEAR_TEXT = (
    "the covariates are collinear among those compared (one is constant, or follows from the others); leave one out"
)


def design_matrix(values: Array) -> Array:
    """(rows, 1 + covariates): a constant and the covariates, each with mean 0 and standard deviation 1.

    What is estimated does not depend on location and scale; the rounding errors do.

    Parameters
    ----------
    values : Array
        (rows, covariates), finite.

    Raises
    ------
    EstimationError
        A covariate is constant.
    """
    design = np.empty((values.shape[0], 1 + values.shape[1]))
    design[:, 0] = 1.0
    mean = values.mean(axis=0)
    centred = values - mean
    spread = np.sqrt(np.einsum("ij,ij->j", centred, centred) / max(1, values.shape[0]))
    if (spread <= 1e-12 * np.maximum(1.0, np.abs(mean))).any():
        raise EstimationError(COLLINEAR_TEXT)
    design[:, 1:] = centred / spread
    return design


def inverse_of(gram: Array) -> Array:
    """The inverse of a matrix of products of regressors.

    Raises
    ------
    EstimationError
        It has none: the regressors are collinear.
    """
    if gram.shape == (1, 1):
        if not gram[0, 0] > 0.0:
            raise EstimationError(COLLINEAR_TEXT)
        return np.asarray(1.0 / gram)
    values, vectors = np.linalg.eigh(gram)
    if not values[0] > COLLINEAR * values[-1]:
        raise EstimationError(COLLINEAR_TEXT)
    return np.asarray((vectors / values) @ vectors.T)


# ---------------------------------------------------------------------- the odds of being treated


@dataclass(frozen=True, slots=True)
class Odds:
    """How strongly each control stands in for the treated.

    Attributes
    ----------
    weights : Array
        (rows,) w·p/(1 − p) of controls whose score p lies below `TRIM`; 0 for the treated.
    scores, inverse : Array
        (rows,) w·(D − p) and the inverse information: scoreᵢ·xᵢ'·inverse is the linearisation of the coefficients.
    trimmed : int
        Controls with a score above `TRIM`.
    """

    weights: Array
    scores: Array
    inverse: Array
    trimmed: int


def logit_odds(design: Array, treated: Mask, weights: Array) -> Odds:
    """Odds from a logistic regression by maximum likelihood: Newton steps, each a few matrix products.

    Parameters
    ----------
    design : Array
        (rows, regressors), the first constant.
    treated : Mask
        (rows,).
    weights : Array
        (rows,), not negative.

    Raises
    ------
    EstimationError
        The covariates separate treated from controls, or are collinear.
    """
    inverse_of((design * weights[:, None]).T @ design)  # collinear covariates are refused as such
    status = treated.astype(np.float64)
    share = float(weights @ status) / float(weights.sum())
    coefficients = np.zeros(design.shape[1])
    coefficients[0] = np.log(share / (1.0 - share))
    score = np.full(status.size, share)
    gradient = (weights * (status - score)) @ design
    enough = 1e-14 * float(weights.sum())
    for _ in range(MOST_STEPS):
        step = _information(design, weights * score * (1.0 - score)) @ gradient
        # twice what a full step still gains in likelihood
        decrement = float(step @ gradient)
        for _ in range(30):
            index = design @ (coefficients + step)
            score = expit(index)
            gradient = (weights * (status - score)) @ design
            # the likelihood is concave: while it still rises along the step, the step is not too long
            if float(gradient @ step) >= -0.5 * decrement:
                break
            step = step / 2.0
        coefficients = coefficients + step
        if decrement <= enough:
            counted = weights > 0.0
            if index[treated & counted].min() > index[~treated & counted].max() + 1e-6:
                # an index that parts the two can be scaled up without end, and the likelihood with it
                raise EstimationError(APART)
            score = np.minimum(score, 1.0 - 1e-6)
            return _odds(score, treated, weights, _information(design, weights * score * (1.0 - score)))
    raise EstimationError(APART)


def calibrated_odds(design: Array, treated: Mask, weights: Array) -> Odds:
    """Odds exp(xγ) under which the controls' covariates average exactly what those of the treated do.

    The inverse probability tilting of Graham, Pinto & Egel (2012), as in the improved estimators: γ minimises the convex
    Σ w [(1 − D)·exp(xγ) − D·xγ].

    Raises
    ------
    EstimationError
        No weights on the controls reproduce the averages of the treated, or the covariates are collinear.

    References
    ----------
    Sant'Anna & Zhao (2020), Journal of Econometrics 219(1), eq. (3.1).
    """
    total = float(weights[treated].sum())
    goal = weights[treated] @ design[treated] / total
    others, others_weights = design[~treated], weights[~treated] / total
    inverse_of((others * others_weights[:, None]).T @ others)  # collinear covariates are refused as such
    coefficients = np.zeros(design.shape[1])
    coefficients[0] = -np.log(float(others_weights.sum()))
    odds = others_weights * np.exp(others @ coefficients)
    loss = float(odds.sum()) - float(goal @ coefficients)
    for _ in range(MOST_STEPS):
        gradient = odds @ others - goal
        try:
            step = -_information(others, odds) @ gradient
        except EstimationError:
            break  # all weight on too few controls
        done = -float(step @ gradient) <= 1e-20
        for _ in range(40):
            with np.errstate(over="ignore"):
                moved = others_weights * np.exp(others @ (coefficients + step))
                lower = float(moved.sum()) - float(goal @ (coefficients + step))
            if np.isfinite(lower) and lower <= loss + 1e-12 * abs(loss):
                break
            step = step / 2.0
        else:
            break
        coefficients, odds, loss = coefficients + step, moved, lower
        if done:
            score = np.minimum(expit(design @ coefficients), 1.0 - 1e-6)
            return _odds(score, treated, weights, np.zeros((design.shape[1], design.shape[1])))
    raise EstimationError(
        "no weights on the controls give them the treated's average covariates: the treated lie outside what the controls "
        "cover; use fewer covariates, or an outcome regression (`reg`)"
    )


def _information(design: Array, weights: Array) -> Array:
    """The inverse information; where covariates that are not collinear have none, the likelihood is flat out to infinity."""
    gram = (design * weights[:, None]).T @ design
    if not np.isfinite(gram).all() or not gram[0, 0] > 0.0:
        raise EstimationError(APART)
    try:
        return inverse_of(gram)
    except EstimationError:
        raise EstimationError(APART) from None


def _odds(score: Array, treated: Mask, weights: Array, inverse: Array) -> Odds:
    kept = ~treated & (score < TRIM)
    odds = np.where(kept, weights * score / (1.0 - score), 0.0)
    if not odds.any():
        raise EstimationError(APART)
    return Odds(odds, weights * (treated - score), inverse, int((~treated & ~kept).sum()))


def trimmed_note(count: int) -> tuple[Note, ...]:
    """The note that says how many controls got no weight."""
    if not count:
        return ()
    text = f"{count} controls look so much like the treated, and so few others do, that they got no weight."
    return (Note("controls_trimmed", text, {"count": count}),)


# ---------------------------------------------------------------------- what the outcome would have been


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """A weighted regression on some rows, evaluated on all.

    Attributes
    ----------
    coefficients, residuals : Array
        (columns, regressors) and (columns, rows).
    weights : Array
        (rows,) zero for the rows not used.
    inverse : Array
        (regressors, regressors) inverse of Σ weight·xx'.
    """

    coefficients: Array
    residuals: Array
    weights: Array
    inverse: Array
    design: Array

    @property
    def fitted(self) -> Array:
        """(columns, rows) predictions."""
        return np.asarray(self.coefficients @ self.design.T)

    def leverage(self, at: Array) -> Array:
        """(rows,) by row, how much its residual moves the prediction at the regressors `at`: weight·x'·inverse·at."""
        return np.asarray(self.weights * (self.design @ (self.inverse @ at)))


def least_squares(outcome: Array, design: Array, weights: Array) -> LeastSquares:
    """Regress (columns, rows) outcomes on the design by weighted least squares.

    Raises
    ------
    EstimationError
        The regressors are collinear among the rows with a weight.
    """
    weighted = design * weights[:, None]
    inverse = inverse_of(weighted.T @ design)
    coefficients = outcome @ weighted @ inverse
    residuals = coefficients @ design.T
    np.subtract(outcome, residuals, out=residuals)
    return LeastSquares(coefficients, residuals, weights, inverse, design)


# ---------------------------------------------------------------------- what a panel holds


def at_period(values: Array, period: int) -> Array:
    """(units,) values in a period, or those of all periods."""
    return values if values.ndim == 1 else values[:, period]
