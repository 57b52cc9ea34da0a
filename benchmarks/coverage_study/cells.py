"""Which groups of the table there are, the most asked for first."""

from __future__ import annotations

from coverage_study.study import Group
from coverage_study.worlds import WORLDS

SIMPLE = ("did", "synthetic_did", "synthetic_control demeaned", "synthetic_control")
ADJUSTMENTS = ("sensitivity", "region_time", "unit_trend")
SLOW_ADJUSTMENTS = ("local_series", "shift_share", "factors", "cce")
MAIN_WORLDS = ("ar1", "factors", "regional", "cycle", "far_loading")
ONE_PANEL = (
    "cluster", "cluster_cr2", "jackknife", "conley_taber", "newey_west", "driscoll_kraay", "multiplier_bootstrap",
    "block_bootstrap", "wild_bootstrap",
)  # fmt: skip
ONE_PATH = ("sc_ttest", "jackknife_plus", "prediction_interval", "conformal")
FURTHER_ESTIMATORS = (
    "common_correlated_effects", "augmented_synthetic_control", "interactive_fixed_effects", "matrix_completion",
    "structural_time_series",
)  # fmt: skip
SLOW_INFERENCES = {"wild_bootstrap": 300, "conformal": 100, "prediction_interval": 200}
"""Fewer replications, where one takes seconds."""


def places(world: str) -> tuple[str, ...]:
    """Which treated units are looked at in a world: by size where sizes matter."""
    return ("small", "median", "large") if WORLDS[world].sized else ("any",)


def groups() -> list[Group]:
    """All groups in the order in which they are run."""
    return list(dict.fromkeys([*_one_treated(14), *_naive(14), *_adjusted(14), *_several(14), *_one_treated(60),
                               *_naive(60), *_further(), *_adjusted(60), *_several(60), *_adjusted_weights()]))  # fmt: skip


def _one_treated(periods: int) -> list[Group]:
    return [
        Group(world, periods, 1, size, estimator, "none", "placebos", 4000 if estimator == "did" else 1000)
        for estimator in SIMPLE
        for world in WORLDS
        for size in places(world)
    ]


def _naive(periods: int) -> list[Group]:
    made = [
        Group(world, periods, 1, size, "did", "none", inference, SLOW_INFERENCES.get(inference, 1000))
        for inference in ONE_PANEL
        for world in WORLDS
        for size in places(world)
        if inference != "wild_bootstrap" or world in ("ar1", "cycle")
    ]
    made += [
        Group(world, periods, 1, "any", estimator, "none", inference, SLOW_INFERENCES.get(inference, 1000))
        for inference in ONE_PATH
        for estimator in ("synthetic_control", "synthetic_control demeaned")
        for world in ("iid", "ar1", "factors", "cycle")
        if inference not in SLOW_INFERENCES or world in ("ar1", "cycle")
    ]
    return made


def _adjusted(periods: int) -> list[Group]:
    replications = 1000 if periods == 14 else 500
    made = [
        Group(world, periods, 1, size, "did", adjust, "placebos", replications)
        for adjust in ADJUSTMENTS
        for world in WORLDS
        for size in places(world)
        if not WORLDS[world].highest and world != "levels"
    ]
    made += [
        Group(world, periods, 1, "any", "did", adjust, "placebos", replications)
        for adjust in SLOW_ADJUSTMENTS
        for world in MAIN_WORLDS
        if periods == 14 or adjust != "factors"
    ]
    return made


def _several(periods: int) -> list[Group]:
    sizes = {"sizes": ("small", "large")}
    return [
        Group(world, periods, treated, size, estimator, "none", "placebos", 1000, 999 if estimator == "did" else 199)
        for estimator in SIMPLE
        for treated in (2, 5)
        for world in WORLDS
        for size in sizes.get(world, ("any",))
        if estimator == "did" or world in ("ar1", "factors", "regional", "sizes", "cycle")
    ]


def _further() -> list[Group]:
    return [
        Group(world, 14, 1, "any", estimator, "none", "placebos", 500)
        for estimator in FURTHER_ESTIMATORS
        for world in ("ar1", "factors", "cycle")
    ]


def _adjusted_weights() -> list[Group]:
    return [
        Group(world, 14, 1, "any", estimator, adjust, "placebos", 500)
        for estimator in ("synthetic_did", "synthetic_control demeaned")
        for adjust in ("sensitivity", "region_time")
        for world in ("ar1", "factors", "regional", "cycle")
    ]
