"""Robust intervals when trends may not be parallel (Rambachan & Roth 2023, Review of Economic Studies 90(5))."""

from evaluation.honest.flci import FixedLength, fixed_length, folded_normal_quantile
from evaluation.honest.restrictions import (
    Direction,
    Polyhedron,
    linear_trend_bounded,
    parallel_trends_bounded,
    smooth,
)
from evaluation.honest.sensitivity import (
    EventStudy,
    RobustInterval,
    breakdown,
    event_study,
    identified_by,
    identified_set,
    largest_step,
    original,
    relative_magnitudes,
    smoothness,
)

__all__ = [
    "Direction",
    "EventStudy",
    "FixedLength",
    "Polyhedron",
    "RobustInterval",
    "breakdown",
    "event_study",
    "fixed_length",
    "folded_normal_quantile",
    "identified_by",
    "identified_set",
    "largest_step",
    "linear_trend_bounded",
    "original",
    "parallel_trends_bounded",
    "relative_magnitudes",
    "smooth",
    "smoothness",
]
