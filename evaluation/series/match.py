"""The areas of a file and the units of the panel: Danish areas by code or any of their names, all else by the exact name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.denmark.areas import Area, Level, counted, recognise
from evaluation.errors import did_you_mean, listed
from evaluation.panel import Panel

MOSTLY = 0.8
"""A panel of which this share of units are Danish areas is a panel of Danish areas."""

NATION = "000"


@dataclass(frozen=True, slots=True)
class Geography:
    """What the panel's units are: Danish areas of one level, or names that mean nothing to us (`level` is None).

    A place is known by its key: the area's code where Danish, else the name itself.
    """

    units: tuple[str, ...]
    treated: frozenset[str]
    areas: tuple[Area | None, ...]
    level: Level | None

    def keys(self, level: Level | None = None) -> tuple[str, ...]:
        """(units,) the key of each unit, or of the larger area that it lies in."""
        if level is None or level == self.level or self.level is None:
            return tuple(unit if area is None else area.code for unit, area in zip(self.units, self.areas, strict=True))
        return tuple("" if area is None else _around(area, level) for area in self.areas)

    def treated_keys(self, level: Level | None = None) -> frozenset[str]:
        """The keys of the treated units, or of the larger areas that they lie in."""
        pairs = zip(self.units, self.keys(level), strict=True)
        return frozenset(key for unit, key in pairs if unit in self.treated)

    def keys_of(self, labels: Sequence[str]) -> tuple[list[str], list[Level | None]]:
        """The key of each label of a file, and the level of the Danish area it stands for."""
        if self.level is None:
            return list(labels), [None] * len(labels)
        areas = recognise(list(labels))
        keys = [label if area is None else area.code for label, area in zip(labels, areas, strict=True)]
        return keys, [None if area is None else area.level for area in areas]


def geography(panel: Panel) -> Geography:
    """What the units of a panel are."""
    treated = frozenset(name for name, is_treated in zip(panel.units, panel.treated, strict=True) if is_treated)
    areas = recognise(panel.units)
    levels = {area.level for area in areas if area is not None}
    known = sum(area is not None for area in areas)
    if known < MOSTLY * len(areas) or len(levels) != 1:
        return Geography(panel.units, treated, (None,) * panel.n_units, None)
    return Geography(panel.units, treated, tuple(areas), levels.pop())


def located(geo: Geography, labels: Sequence[str], source: str) -> list[int] | str:
    """The row of each of the panel's units among the areas of a file, or in words which units the file lacks."""
    keys, levels = geo.keys_of(labels)
    here = rows_at(geo.level, labels, keys, levels, source)
    if isinstance(here, str):
        return here
    wanted = geo.keys()
    absent = [row for row, key in enumerate(wanted) if key not in here]
    if absent:
        return f"{source} {missing_units(geo, labels, keys, absent)}"
    return [here[key] for key in wanted]


def rows_at(
    level: Level | None, labels: Sequence[str], keys: Sequence[str], levels: Sequence[Level | None], source: str
) -> dict[str, int] | str:
    """Key -> row of the areas of one level, or in words which two rows are one area ("København", "Copenhagen")."""
    here: dict[str, int] = {}
    for row, key in enumerate(keys):
        if levels[row] != level:
            continue
        if key in here:
            return f"{source} has '{labels[here[key]]}' and '{labels[row]}', which are the same area; keep one of them"
        here[key] = row
    return here


def missing_units(geo: Geography, labels: Sequence[str], keys: Sequence[str], absent: Sequence[int]) -> str:
    """In words: which units a file lacks, and what they may be called in it."""
    names = [f"'{geo.units[row]}'" for row in absent]
    what = f"lacks {len(absent):,} of {len(geo.units):,} units: {listed(names)}"
    known = set(geo.keys())
    foreign = [label for label, key in zip(labels, keys, strict=True) if key not in known]
    hints = [did_you_mean(geo.units[row], foreign) for row in absent]
    hint = next((each for each in hints if each), "")
    if hint:
        return what + hint
    if geo.level is not None:
        areas = [area for area in recognise(list(labels)) if area is not None]
        return f"{what}; it holds {counted(areas)}" if areas else f"{what}; none of its areas is a Danish one"
    quoted = [f"'{label}'" for label in labels]
    return f"{what}; it holds {listed(quoted)}"


def _around(area: Area, level: Level) -> str:
    """The code of the larger area, empty where an area spans several of them."""
    if level == "nation":
        return NATION
    name = area.landsdel if level == "landsdel" else area.region
    larger = recognise([name])[0] if name else None
    return "" if larger is None else larger.code
