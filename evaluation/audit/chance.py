"""Shares counted in a limited number of trials: how far chance alone moves them, and what a rule says of them then."""

from __future__ import annotations

from scipy.special import betaincinv

from evaluation.audit.thresholds import Band
from evaluation.result import Status

CONFIDENCE = 0.95
"""Of the interval around a counted share."""


def share_interval(share: float, trials: float) -> tuple[float, float]:
    """The exact binomial interval of a share counted in `trials`, which need not be whole (an effective number of trials).

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26(4), by quantiles of the beta distribution.
    """
    hits, tail = share * trials, (1.0 - CONFIDENCE) / 2.0
    lower = 0.0 if hits <= 0.0 else float(betaincinv(hits, trials - hits + 1.0, tail))
    upper = 1.0 if hits >= trials else float(betaincinv(hits + 1.0, trials - hits, 1.0 - tail))
    return lower, upper


def band_status(band: Band, interval: tuple[float, float], shift: float = 0.0) -> Status:
    """What the rule says of a share that is only known to lie in `interval`.

    A share is outside a band only if its whole interval is: a check must not fail because it was drawn a few times only.
    `shift` moves both bands, for an interval of another level than 95 %.
    """
    if _meets(band.passes, interval, shift):
        return "passed"
    return "warns" if _meets(band.warns, interval, shift) else "failed"


def _meets(bounds: tuple[float, float], interval: tuple[float, float], shift: float) -> bool:
    return interval[0] <= bounds[1] + shift and interval[1] >= bounds[0] + shift
