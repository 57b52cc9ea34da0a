"""Small synthetic registers, drawn once and shared by the tests of this folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from evaluation.simulate import simulate
from evaluation.simulate.cycle import YEARS, Economy, economy
from evaluation.simulate.parameters import read_parameters
from evaluation.simulate.people import blocks
from evaluation.simulate.register import Part, draw_part

PARAMETERS = read_parameters()
SEED = 860
T = len(YEARS)


@lru_cache(maxsize=2)
def nation(scenario: str = "null", persons: int = 70_000) -> tuple[Economy, Part]:
    """All municipalities."""
    drawn = economy(PARAMETERS, scenario, persons, SEED)
    return drawn, draw_part(PARAMETERS, drawn, blocks(drawn), SEED)


@lru_cache(maxsize=9)
def hjorring(scenario: str) -> tuple[Economy, Part]:
    """Hjørring alone, in a register so large that its cohort has 1,500 persons."""
    drawn = economy(PARAMETERS, scenario, 200_000, SEED)
    return drawn, draw_part(PARAMETERS, drawn, blocks(drawn, drawn.treated), SEED)


def annual(months: np.ndarray) -> np.ndarray:
    """(persons, years) hours, from (months, persons) hundredths."""
    return months.reshape(T, 12, -1).sum(axis=1).T / 100


def mean(values: np.ndarray, persons: np.ndarray, present: np.ndarray) -> np.ndarray:
    """(years,) mean over persons (persons,) or (persons, years), of those present."""
    here = (persons[:, None] if persons.ndim == 1 else persons) & present
    return (values * here).sum(axis=0) / np.maximum(here.sum(axis=0), 1)


def at(year: int) -> int:
    return YEARS.index(year)


def written(folder: Path, scenario: str = "effect", **changes: int) -> Path:
    simulate(folder, **({"scenario": scenario, "persons": 5_000, "seed": SEED} | changes))
    return folder


def columns(path: Path) -> dict[str, list]:
    return pq.read_table(path).to_pydict()
