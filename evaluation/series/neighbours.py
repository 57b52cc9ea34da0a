"""Who is whose neighbour: weights by commuting, without the unit itself and without the treated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.panel import Array, Mask
from evaluation.periods import PER_YEAR, Period
from evaluation.series.files import Asked, Role, grid, read_long
from evaluation.series.match import Geography
from evaluation.series.remarks import Remarks

COMMUTING_AREA = 0.10
"""Two units belong to one commuting area when more than this share of the residents of either work in the other (assumption)."""


@dataclass(frozen=True, slots=True)
class Flows:
    """How many live in one place and work in another: (places, places), with those who work where they live on the diagonal.

    Without numbers in the file every pair counts 1, both ways (`counted` is False).
    """

    keys: tuple[str, ...]
    flow: Array
    counted: bool
    source: str
    period: str = ""


def read_flows(asked: Asked, geo: Geography, start: Period, remarks: Remarks) -> Flows | None:
    """The file of neighbours at the level of the panel's units; of several years the last one before the programme."""
    long = read_long(asked, remarks)
    if long is None:
        return None
    roles: tuple[Role, ...] = ("home", "work", "time") if long.time is not None else ("home", "work")
    cells = grid(long, roles, asked, remarks)
    if cells is None:
        return None
    period = ""
    if long.time is not None:
        before = [at for at, each in enumerate(long.time.periods) if _month(each.shift(1)) <= _month(start)]
        if not before:
            first = long.time.periods[0]
            what = f"{long.source} begins in {first}, but the programme in {start}; commuting must be from before it"
            remarks.wrong(asked.place, what)
            return None
        cells, period = cells[:, :, before[-1]], long.time.periods[before[-1]].label
    flow = np.nan_to_num(cells)
    if (flow < 0).any():
        remarks.wrong(
            asked.place, f"{long.source}: {int((flow < 0).sum()):,} flows are negative; they are numbers of persons"
        )
        return None
    homes, home_levels = geo.keys_of(long.names["home"].labels)
    works, work_levels = geo.keys_of(long.names["work"].labels)
    keep_home = [at for at, level in enumerate(home_levels) if level == geo.level]
    keep_work = [at for at, level in enumerate(work_levels) if level == geo.level]
    keys = tuple(sorted({homes[at] for at in keep_home} | {works[at] for at in keep_work}))
    square = np.zeros((len(keys), len(keys)))
    index = {key: at for at, key in enumerate(keys)}
    for at in keep_home:
        for other in keep_work:
            square[index[homes[at]], index[works[other]]] += flow[at, other]
    if not long.valued:
        square = np.maximum(square, square.T)
    return Flows(keys, square, long.valued, long.source, period)


def _month(period: Period) -> int:
    """The number of a period's first month, so that periods of all kinds can be put in order."""
    return period.ordinal * (12 // PER_YEAR[period.frequency])


def weights(flows: Flows, keys: Sequence[str], others: Sequence[str], without: frozenset[str]) -> Array:
    """(keys, others) the weight of each other place in the mean around each place, summing to 1 in each row.

    A place has no weight in its own mean, and the places in `without` (the treated ones) have none in any. Rows without any
    neighbour left are 0.
    """
    index = {key: at for at, key in enumerate(flows.keys)}
    table = np.zeros((len(keys), len(others)))
    for row, key in enumerate(keys):
        for column, other in enumerate(others):
            if key != other and other not in without and key in index and other in index:
                table[row, column] = flows.flow[index[key], index[other]]
    total = table.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(table, total, out=np.zeros_like(table), where=total > 0))


def commuting_area(flows: Flows | None, keys: Sequence[str], others: Sequence[str]) -> Mask:
    """(keys, others) True for the place itself and, with numbers of commuters, for what belongs to its commuting area."""
    own = np.array([[key == other for other in others] for key in keys], dtype=np.bool_).reshape(len(keys), len(others))
    if flows is None or not flows.counted:
        return own
    total = flows.flow.sum(axis=1, keepdims=True)
    share = np.divide(flows.flow, total, out=np.zeros_like(flows.flow), where=total > 0)
    near = (share > COMMUTING_AREA) | (share.T > COMMUTING_AREA)
    index = {key: at for at, key in enumerate(flows.keys)}
    for row, key in enumerate(keys):
        for column, other in enumerate(others):
            if key in index and other in index:
                own[row, column] |= near[index[key], index[other]]
    return own
