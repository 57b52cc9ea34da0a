"""Who is in a planned unit: how many persons, and how noisy its mean is with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.errors import DisclosureError
from evaluation.noise import unit_noise
from evaluation.panel import Array, Panel
from evaluation.spec.loaded import LoadedSpec


@dataclass(frozen=True, slots=True)
class People:
    """Persons in a planned unit, the noise of such a unit, and its noise × persons; persons are None where unknown.

    From `fewest` to `most` is where the units of the data are: of smaller and larger ones nothing is known.
    """

    persons: float | None
    noise: float
    per_person: float
    fewest: int = 1
    most: float = math.inf

    def noise_of(self, persons: float | None) -> float:
        """The noise of a unit with so many persons."""
        return self.noise if persons is None else self.per_person / persons


def people_of(panel: Panel, rows: Sequence[int], loaded: LoadedSpec) -> People:
    """Who is in a planned unit, on average over its periods; rounded as the spec asks where data are not public.

    Raises
    ------
    DisclosureError
        Fewer than may be told of.
    """
    noise = unit_noise(panel, np.ones(panel.n_periods, dtype=np.bool_))
    own = 0.0 if noise is None else _mean_of(noise, rows)
    if panel.size is None or not np.isfinite(panel.size).any():
        return People(None, own, 0.0)
    persons = _mean_of(panel.size, rows)
    spec, base = loaded.spec, 1
    if not spec.data.public:
        base = max(1, spec.disclosure.round)
        if persons < spec.disclosure.minimum:
            what = f"the planned unit has fewer persons than may be told of ({spec.disclosure.minimum})"
            raise DisclosureError(loaded.locator.problem(("treatment", "units"), f"{what}; plan for more of them"))
    usual = np.array([np.mean(row[np.isfinite(row)]) for row in panel.size if np.isfinite(row).any()])
    fewest = base * max(1, round(math.ceil(np.quantile(usual, 0.05)) / base))
    return People(float(base * max(1, round(persons / base))), own, own * persons, fewest, float(usual.max()))


def _mean_of(values: Array, rows: Sequence[int]) -> float:
    """The mean of what is known in these rows; where nothing is, in all; 0 where nothing is known at all."""
    for part in (values[list(rows)], values):
        known = part[np.isfinite(part)]
        if known.size:
            return float(known.mean())
    return 0.0
