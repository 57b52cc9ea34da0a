"""Random numbers by name: a draw depends on the seed, on what it is for and on whom, never on what was drawn before it.

So two scenarios with one seed have the same persons, and municipalities can be drawn in any order or in parts.
"""

from __future__ import annotations

import zlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def stream(seed: int, name: str, place: int = 0) -> np.random.Generator:
    """The generator for one purpose (`name`) in one municipality (`place`, its code)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode()), place])))


def keyed(seed: int, name: str, *keys: NDArray[np.integer]) -> Array:
    """One uniform number in (0, 1) for each combination of keys (e.g. person and month), by the splitmix64 finaliser.

    For draws about rows whose number depends on the scenario: a row has its number whether or not others exist.
    """
    with np.errstate(over="ignore"):
        state = np.uint64(seed) * _GOLDEN + np.uint64(zlib.crc32(name.encode()))
        mixed = np.broadcast_to(_mixed(np.atleast_1d(state)), np.broadcast_shapes(*(key.shape for key in keys)))
        for key in keys:
            mixed = _mixed(mixed + key.astype(np.uint64) * _GOLDEN + _GOLDEN)
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * _MIX[0]
    values = (values ^ (values >> np.uint64(27))) * _MIX[1]
    return values ^ (values >> np.uint64(31))
