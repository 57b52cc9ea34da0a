"""Local demand as the industries of a place predict it: fixed shares before the programme times growth elsewhere.

Bartik (1991); the shocks, not the shares, carry the identification: Borusyak, Hull & Jaravel (2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.errors import did_you_mean, listed
from evaluation.panel import Array, Mask
from evaluation.periods import Period, parse_period
from evaluation.result import Series, Value
from evaluation.series.align import averaged, columns_of, uncovered
from evaluation.series.files import Asked, Role, grid, read_long
from evaluation.series.local import Around
from evaluation.series.match import located
from evaluation.series.neighbours import commuting_area
from evaluation.series.remarks import Remarks
from evaluation.spec.cycle_tables import Shares

NAME = "shift_share"
LABEL = {"da": "den efterspørgsel, som kommunens brancher forudsiger", "en": "demand as predicted by local industries"}
UNIT = {"da": "pct. af beskæftigelsen i basisåret", "en": "per cent of employment in the base period"}

FACTS = ("effective_shocks", "industries", "share_sum_min", "share_sum_mean", "share_sum_max", "left_out")
"""What checks ask of the construction."""

ABOVE, BELOW = 1.02, 0.98
"""Shares that sum to more than this are wrong, to less incomplete: rounding to whole per cent explains no more."""


@dataclass(frozen=True, slots=True)
class Industries:
    """Base shares (units, industries), growth since the base in per cent (units, industries, periods), and facts on both."""

    shares: Array
    growth: Array
    facts: Mapping[str, Value]

    def predicted(self) -> Array:
        """(units, periods) Σ over industries of share × growth: predicted change of employment since the base, in per cent."""
        return np.asarray(np.einsum("uk,ukt->ut", self.shares, self.growth))


def read_industries(
    table: Shares, around: Around, languages: Sequence[str], remarks: Remarks
) -> tuple[Array, Series] | None:
    """The predicted demand (units, periods) of [cycle.shares], and what is known about it; None when something is wrong."""
    base = _base(table, around, remarks)
    if base is None:
        return None
    made = (
        _from_levels(table, around, base, remarks) if table.employment else _from_shares(table, around, base, remarks)
    )
    if made is None:
        return None
    facts: dict[str, Value] = {**made.facts, **_share_facts(made.shares), "base": base.label}
    label = {code: LABEL[code] for code in languages}
    return made.predicted(), Series(NAME, label, "local", {code: UNIT[code] for code in languages}, facts)


def effective_shocks(shares: Array) -> float:
    """1 / Σ s̄², where s̄ are the mean shares over units, scaled to sum to 1: how many industries the prediction rests on.

    Borusyak, Hull & Jaravel (2022), section 3.1: the inverse of the Herfindahl index of the average exposures.
    """
    mean = shares.mean(axis=0)
    mean = mean / mean.sum()
    return float(1.0 / np.sum(mean**2))


def growth_elsewhere(employment: Array, elsewhere: Mask, base: int) -> Array:
    """(units, industries, periods) growth since period `base` in per cent, over the places that count as elsewhere.

    Parameters
    ----------
    employment : Array
        (places, industries, periods) persons.
    elsewhere : Mask
        (units, places) False for the unit's own area and for the treated places.
    base : int
        The period (index) from which growth is counted.
    """
    total = np.einsum("up,pkt->ukt", elsewhere.astype(np.float64), employment)
    return np.asarray(100.0 * (total / total[:, :, [base]] - 1.0))


def _base(table: Shares, around: Around, remarks: Remarks) -> Period | None:
    panel = around.panel
    first = panel.periods[min(panel.starts)]
    if table.base is None:
        return first.shift(-1)
    base = parse_period(table.base)
    if base.frequency != first.frequency:
        what = f"the base, {base}, is a {base.frequency}, but the panel has {first.frequency}s; write it like {first}"
        remarks.wrong(("cycle", "shares", "base"), what)
        return None
    if base >= first:
        what = f"the base is {base}, but the programme begins in {first}; shares must be from before it"
        remarks.wrong(("cycle", "shares", "base"), what)
        return None
    return base


def _asked(table: Shares, key: str, roles: Sequence[Role], optional: tuple[Role, ...] = ()) -> Asked:
    columns = {"unit": table.unit, "industry": table.industry, "time": table.time, "value": table.value}
    path = getattr(table, key)
    here = ("cycle", "shares")
    # the growth of the nation has other columns than the shares, so what chooses rows of one cannot choose those of the other
    how = table if key != "growth" else table.model_copy(update={"where": {}})
    return Asked(path, (*here, key), {role: columns[role] for role in roles}, how, here, {}, optional)


# ---------------------------------------------------------------------- levels, which give shares and growth


def _from_levels(table: Shares, around: Around, base: Period, remarks: Remarks) -> Industries | None:
    panel, geo = around.panel, around.geo
    asked = _asked(table, "employment", ("unit", "industry", "time", "value"))
    long = read_long(asked, remarks)
    cells = None if long is None else grid(long, ("unit", "industry", "time"), asked, remarks)
    if long is None or cells is None or long.time is None:
        return None
    labels, industries = long.names["unit"].labels, long.names["industry"].labels
    made = averaged(long, cells, labels, long.time.periods, base.frequency, asked, remarks)
    if made is None:
        return None
    needed = sorted({base, *panel.periods})
    if what := uncovered(made, needed, around.window_end, around.register):
        remarks.wrong(asked.place, f"{what}{'' if base in panel.periods else f' (base: {base})'}")
        return None
    rows = located(geo, labels, made.source)
    if isinstance(rows, str):
        remarks.wrong(asked.place, rows)
        return None
    keys, levels = geo.keys_of(labels)
    places = [row for row, level in enumerate(levels) if level == geo.level]
    employment = made.values[places][:, :, columns_of(made, [base, *panel.periods])]
    if not _whole(employment, industries, made.source, asked, remarks):
        return None
    elsewhere = _elsewhere(around, [keys[row] for row in places])
    total = np.einsum("up,pk->uk", elsewhere.astype(np.float64), employment[:, :, 0])
    own = employment[[places.index(row) for row in rows], :, 0]
    nobody = np.flatnonzero(((total <= 0) & (own > 0)).any(axis=0))
    if nobody.size or (own.sum(axis=1) <= 0).any():
        who = listed([f"'{industries[k]}'" for k in nobody]) if nobody.size else "any industry of some unit"
        what = f"{made.source}: in {base} nobody worked in {who} outside the unit's own area; growth needs a level to start from"
        remarks.wrong(asked.place, what)
        return None
    # an industry without anybody in the base has no share, whatever its growth
    growth = growth_elsewhere(np.where(employment > 0, employment, 0.0), elsewhere, 0)[:, :, 1:]
    shares = own / own.sum(axis=1, keepdims=True)
    counted = around.flows is not None and around.flows.counted
    facts: dict[str, Value] = {
        "file": made.source,
        "industries": len(industries),
        "left_out": "own_commuting_area" if counted else "own",
        "most_left_out": int((~elsewhere).sum(axis=1).max()),
    }
    return Industries(shares, np.nan_to_num(growth), facts)


def _elsewhere(around: Around, places: Sequence[str]) -> Mask:
    """(units, places) where growth is counted: not the unit's own area, and nowhere that was treated."""
    area = commuting_area(around.flows, around.geo.keys(), places)
    treated = around.geo.treated_keys()
    return np.asarray(~area & np.array([place not in treated for place in places]))


def _whole(employment: Array, industries: Sequence[str], source: str, asked: Asked, remarks: Remarks) -> bool:
    """Whether every cell is known and no industry is the sum of the others."""
    missing = int(np.isnan(employment).sum())
    if missing:
        what = f"{source} has no value for {missing:,} of {employment.size:,} cells; where nobody works in an industry, write 0"
        remarks.wrong(asked.place, what)
        return False
    if (employment < 0).any():
        remarks.wrong(
            asked.place, f"{source}: {int((employment < 0).sum()):,} cells are negative; they are numbers of persons"
        )
        return False
    nation = employment.sum(axis=0)
    whole = nation.sum(axis=0)
    totals = [name for name, row in zip(industries, nation, strict=True) if np.allclose(2 * row, whole, rtol=0.002)]
    if totals and len(industries) > 2:
        what = f"'{totals[0]}' in {source} is the sum of the other industries; leave its rows out, e.g. with where"
        remarks.wrong(asked.place, what)
        return False
    return True


# ---------------------------------------------------------------------- shares and growth from two files


def _from_shares(table: Shares, around: Around, base: Period, remarks: Remarks) -> Industries | None:
    shares = _read_shares(table, around, base, remarks)
    growth = _read_growth(table, around, base, remarks)
    if shares is None or growth is None:
        return None
    (of_units, industries, source), (rates, known) = shares, growth
    lacking = [name for name in industries if name not in known]
    if lacking:
        hint = next((each for name in lacking if (each := did_you_mean(name, known))), "")
        names = [f"'{name}'" for name in lacking]
        remarks.wrong(
            ("cycle", "shares", "growth"),
            f"no growth for {len(lacking)} of {len(industries)} industries: {listed(names)}{hint}",
        )
        return None
    judged = _judged_shares(of_units, around, source, remarks)
    if judged is None:
        return None
    ordered = rates[[known.index(name) for name in industries]]
    by_unit = np.broadcast_to(ordered, (len(judged), *ordered.shape))
    text = "the industries' growth is that of the whole nation: the unit's own area could not be left out of it"
    remarks.note("growth_of_the_nation", text)
    facts: dict[str, Value] = {"file": source, "industries": len(industries), "left_out": "none", "most_left_out": 0}
    return Industries(judged, by_unit, facts)


def _read_shares(
    table: Shares, around: Around, base: Period, remarks: Remarks
) -> tuple[Array, tuple[str, ...], str] | None:
    """(units, industries) shares of the base period as they stand in the file."""
    asked = _asked(table, "shares", ("unit", "industry", "time", "value"), ("time",))
    long = read_long(asked, remarks)
    roles: tuple[Role, ...] = (
        ("unit", "industry") if long is None or long.time is None else ("unit", "industry", "time")
    )
    cells = None if long is None else grid(long, roles, asked, remarks)
    if long is None or cells is None:
        return None
    if long.time is not None:
        first = around.panel.periods[min(around.panel.starts)]
        at = long.time.periods.index(base) if base in long.time.periods else 0
        if base not in long.time.periods and (len(long.time.periods) > 1 or table.base is not None):
            first_last = (long.time.periods[0].label, long.time.periods[-1].label)
            spans = " to ".join(dict.fromkeys(first_last))
            remarks.wrong(asked.place, f"{long.source} has no shares for the base, {base}; it holds {spans}")
            return None
        if long.time.periods[at].frequency == first.frequency and long.time.periods[at] >= first:
            what = f"{long.source} has shares of {long.time.periods[at]}, but the programme begins in {first}; they must be older"
            remarks.wrong(asked.place, what)
            return None
        cells = cells[:, :, at]
    rows = located(around.geo, long.names["unit"].labels, long.source)
    if isinstance(rows, str):
        remarks.wrong(asked.place, rows)
        return None
    # an industry that a place does not have may have no row
    shares = np.nan_to_num(cells[rows])
    return shares, long.names["industry"].labels, long.source


def _read_growth(table: Shares, around: Around, base: Period, remarks: Remarks) -> tuple[Array, tuple[str, ...]] | None:
    """(industries, periods of the panel) growth since the base in per cent, compounded from that of each period."""
    asked = _asked(table, "growth", ("industry", "time", "value"))
    long = read_long(asked, remarks)
    cells = None if long is None else grid(long, ("industry", "time"), asked, remarks)
    if long is None or cells is None or long.time is None:
        return None
    periods = long.time.periods
    if periods[0].frequency != base.frequency:
        what = f"{long.source} has growth by {periods[0].frequency}; give it by {base.frequency}, as the panel is"
        remarks.wrong(asked.place, what)
        return None
    needed = sorted({base, *around.panel.periods})
    # growth of a period leads to its level, so the level before the first period is known too
    if needed[0] < periods[0].shift(-1) or needed[-1] > periods[-1]:
        what = f"{long.source} has growth from {periods[0]} to {periods[-1]}; it is needed from {needed[1]} to {needed[-1]}"
        remarks.wrong(asked.place, what)
        return None
    if np.isnan(cells).any():
        what = f"{long.source} has no value for {int(np.isnan(cells).sum()):,} of {cells.size:,} cells"
        remarks.wrong(asked.place, what)
        return None
    level = np.cumprod(np.hstack([np.ones((len(cells), 1)), 1.0 + cells / 100.0]), axis=1)
    start = periods[0].ordinal - 1
    at = [period.ordinal - start for period in around.panel.periods]
    growth = 100.0 * (level[:, at] / level[:, [base.ordinal - start]] - 1.0)
    return np.asarray(growth), long.names["industry"].labels


def _judged_shares(shares: Array, around: Around, source: str, remarks: Remarks) -> Array | None:
    """Shares between 0 and 1 (from per cent where they are); more than all is refused, less than all is said."""
    place = ("cycle", "shares", "shares")
    total = shares.sum(axis=1)
    if np.median(total) > 10.0:
        shares, total = shares / 100.0, total / 100.0
    if (shares < 0).any():
        remarks.wrong(place, f"{source}: {int((shares < 0).sum()):,} shares are negative")
        return None
    above = np.flatnonzero(total > ABOVE)
    if above.size:
        most = int(np.argmax(total))
        what = (
            f"the shares of {above.size:,} of {len(total):,} units sum to more than 1, the most in '{around.geo.units[most]}' "
            f"({total[most]:.3f}); does the file hold a total, or an industry twice?"
        )
        remarks.wrong(place, what)
        return None
    if total.min() < BELOW:
        below, least = int((total < BELOW).sum()), int(np.argmin(total))
        text = (
            f"the shares of {below:,} of {len(total):,} units sum to less than 1, the least in '{around.geo.units[least]}' "
            f"({total[least]:.3f}); what is missing counts as industries that never grow"
        )
        remarks.note(
            "shares_incomplete",
            text,
            units=below,
            of=len(total),
            least=float(total[least]),
            unit=around.geo.units[least],
        )
    return shares


def _share_facts(shares: Array) -> dict[str, Value]:
    total = shares.sum(axis=1)
    return {
        "effective_shocks": effective_shocks(shares),
        "share_sum_min": float(total.min()),
        "share_sum_mean": float(total.mean()),
        "share_sum_max": float(total.max()),
    }
