"""Which groups of the table there are, the most asked for first."""

from __future__ import annotations

from coverage_study.study import Group
from coverage_study.worlds import WORLDS

REPLICATIONS = 1000
"""Of a group; twice as many of what is fast."""

SIMPLE = ("did", "synthetic_did", "synthetic_control demeaned", "synthetic_control", "event_study")
FAST = ("did", "event_study")
ADJUSTMENTS = ("sensitivity", "region_time", "unit_trend")
SLOW_ADJUSTMENTS = ("local_series", "shift_share", "factors", "cce")
MAIN_WORLDS = ("ar1", "factors", "regional", "cycle", "far_loading")
SEVERAL_WORLDS = ("ar1", "factors", "regional", "sizes", "cycle")
FIRST_WORLDS = ("ar1", "factors", "cycle", "far_loading", "highest_level")
ONE_PANEL = (
    "cluster", "cluster_cr2", "jackknife", "conley_taber", "newey_west", "driscoll_kraay", "multiplier_bootstrap",
    "block_bootstrap", "wild_bootstrap",
)  # fmt: skip
ONE_PATH = ("sc_ttest", "jackknife_plus", "conformal")
FURTHER_ESTIMATORS = (
    "common_correlated_effects", "augmented_synthetic_control", "interactive_fixed_effects", "matrix_completion",
    "structural_time_series",
)  # fmt: skip
CHEAP = tuple(name for name in ONE_PANEL if name != "wild_bootstrap")
SLOW = ("wild_bootstrap", "conformal", "prediction_interval")
"""Inferences of which one replication takes long: in two worlds."""
SLOW_LATE = (*SLOW, "cluster_cr2", "newey_west", "driscoll_kraay")
"""The same with 60 periods."""


def places(world: str) -> tuple[str, ...]:
    """Which treated units are looked at in a world: by size where sizes matter."""
    return ("small", "median", "large") if WORLDS[world].sized else ("any",)


def groups() -> list[Group]:
    """All groups in the order in which they are run: what matters most first."""
    ordered = [
        *_one_treated(14),
        *_headlines(),
        *_several(14),
        *_adjusted(14, ADJUSTMENTS),
        *_adjusted(14, SLOW_ADJUSTMENTS),
        *_adjusted_weights(),
        *_naive(14, (*CHEAP, *ONE_PATH)),
        *_one_treated(60, SIMPLE[:2]),
        *_one_treated(60, SIMPLE[4:]),
        *_naive(60, (*CHEAP, *ONE_PATH)),
        *_adjusted(60, ADJUSTMENTS),
        *_adjusted(60, SLOW_ADJUSTMENTS),
        *_further(("ar1",)),
        *_naive(14),
        *_one_treated(60, SIMPLE[2:3]),
        *_several(60),
        *_further(("cycle", "factors")),
        *(group for group in _one_treated(60, SIMPLE[3:4]) if group.world in FIRST_WORLDS),
        *_naive(60),
        *_naive(14, ("prediction_interval",)),
    ]
    return list(dict.fromkeys(ordered))


def _one_treated(periods: int, estimators: tuple[str, ...] = SIMPLE) -> list[Group]:
    often = FAST if periods == 14 else ()
    return [
        Group(world, periods, 1, size, estimator, "none", "placebos", REPLICATIONS * (2 if estimator in often else 1))
        for estimator in estimators
        for world in WORLDS
        for size in places(world)
    ]


def _headlines() -> list[Group]:
    """What the example evaluations declare as their headline."""
    return [
        Group(world, 14, 1, size, "synthetic_did", "local_series", "placebos", REPLICATIONS)
        for world in ("ar1", "factors", "cycle", "sizes")
        for size in places(world)
    ]


def _naive(periods: int, only: tuple[str, ...] = (*ONE_PANEL, *ONE_PATH)) -> list[Group]:
    made = [
        Group(world, periods, 1, size, "did", "none", inference, REPLICATIONS)
        for inference in ONE_PANEL
        for world in WORLDS
        for size in places(world)
        if inference in only and (world in ("ar1", "cycle") or inference not in (SLOW if periods == 14 else SLOW_LATE))
    ]
    made += [
        Group(world, periods, 1, "any", estimator, "none", inference, REPLICATIONS)
        for inference in (*ONE_PATH, "prediction_interval")
        for estimator in ("synthetic_control", "synthetic_control demeaned")
        for world in ("iid", "ar1", "factors", "cycle")
        if inference in only and (inference not in SLOW or world in ("ar1", "cycle"))
    ]
    return made


def _adjusted(periods: int, adjustments: tuple[str, ...]) -> list[Group]:
    return [
        Group(world, periods, 1, size, "did", adjust, "placebos", REPLICATIONS)
        for adjust in adjustments
        for world in (WORLDS if adjustments == ADJUSTMENTS else MAIN_WORLDS)
        for size in places(world)
        if world not in ("levels", "highest_level")
    ]


def _several(periods: int) -> list[Group]:
    sizes = {"sizes": ("small", "large")}
    return [
        Group(
            world,
            periods,
            treated,
            size,
            estimator,
            "none",
            "placebos",
            REPLICATIONS,
            199 if estimator in FAST else 99,
        )
        for estimator in SIMPLE[:3]
        for treated in (2, 5)
        for world in WORLDS
        for size in sizes.get(world, ("any",))
        if estimator == "did" or world in (("ar1", "factors", "sizes") if periods == 60 else SEVERAL_WORLDS)
    ]


def _further(worlds: tuple[str, ...]) -> list[Group]:
    return [
        Group(world, 14, 1, "any", estimator, "none", "placebos", REPLICATIONS)
        for estimator in FURTHER_ESTIMATORS
        for world in worlds
    ]


def _adjusted_weights() -> list[Group]:
    return [
        Group(world, 14, 1, "any", estimator, adjust, "placebos", REPLICATIONS)
        for estimator in ("synthetic_did", "synthetic_control demeaned")
        for adjust in ("sensitivity", "region_time")
        for world in MAIN_WORLDS
    ]
