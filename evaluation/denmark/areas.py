"""Danish areas by code, by Danish or English name, or as StatBank writes both ("860 Hjørring").

StatBank's area column mixes the nation, 5 regions, 11 landsdele and 98 municipalities; a panel holds one level only.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from evaluation.errors import listed

Level: TypeAlias = Literal["municipality", "landsdel", "region", "nation", "other"]
LEVELS: tuple[Level, ...] = ("nation", "region", "landsdel", "municipality", "other")
_WORDS: dict[Level, tuple[str, str]] = {
    "municipality": ("municipality", "municipalities"),
    "landsdel": ("landsdel", "landsdele"),
    "region": ("region", "regions"),
    "nation": ("nation", "nations"),
    "other": ("other area", "other areas"),
}

_FOLDER = Path(__file__).parent
_CODE_AND_NAME = re.compile(r"^(\d{2,3})\s+(\D.*)$")
_MUNICIPALITY_WORD = re.compile(r" (kommune|regionskommune|municipality)$")

# StatBank keeps the Danish names in English tables, but other English sources do not
_ENGLISH_LANDSDELE = {
    "01": ("Copenhagen City", "City of Copenhagen"),
    "02": ("Copenhagen surroundings", "Copenhagen suburbs"),
    "03": ("North Zealand",),
    "05": ("East Zealand",),
    "06": ("West and South Zealand",),
    "07": ("Funen",),
    "08": ("South Jutland",),
    "09": ("East Jutland",),
    "10": ("West Jutland",),
    "11": ("North Jutland",),
}
_ENGLISH_REGIONS = {
    "081": ("North Denmark Region",),
    "082": ("Central Denmark Region",),
    "083": ("Region of Southern Denmark",),
    "084": ("Capital Region", "Capital Region of Denmark"),
    "085": ("Region Zealand",),
}
_OTHERS = {"411": ("Christiansø",), "997": ("Uoplyst", "Unknown"), "99": (), "950": ("Udlandet", "Abroad")}


@dataclass(frozen=True, slots=True)
class Area:
    """One area: its level, Danish name and code, and the landsdel and region it lies in (empty for what spans several)."""

    level: Level
    name: str
    code: str
    landsdel: str = ""
    region: str = ""


def recognise(labels: Sequence[str]) -> list[Area | None]:
    """The area that each label stands for, None for a label that is none.

    Codes must have their leading zeros ("081", "01"), since 1 to 11 may number anything; only where nearly all other
    labels are Danish areas are codes read that have lost theirs.
    """
    known = _known()
    found = [_recognise(label, known) for label in labels]
    bare = [place for place, label in enumerate(labels) if found[place] is None and label.isdecimal()]
    if (
        bare
        and len(labels) - len(bare) >= 0.8 * len(labels)
        and any(area and area.level == "municipality" for area in found)
    ):
        for place in bare:
            number = int(labels[place])
            found[place] = known.get("000" if number == 0 else f"{number:02d}" if number <= 11 else f"{number:03d}")
    return found


@lru_cache(maxsize=1)
def municipalities() -> tuple[Area, ...]:
    """The 98 municipalities in the order of their codes; Christiansø is none."""
    return tuple(area for area in _areas() if area.level == "municipality")


def _recognise(label: str, known: Mapping[str, Area]) -> Area | None:
    text = label.strip()
    if both := _CODE_AND_NAME.match(text):
        by_code, by_name = known.get(both[1]), _by_name(both[2], known)
        # "01 Bornholm" is neither: code and name must not contradict one another; "04 Bornholm" is the landsdel
        return by_code if by_code is None or by_name is None or _bare(by_code) == _bare(by_name) else None
    return known.get(text) or _by_name(text, known)


def _by_name(name: str, known: Mapping[str, Area]) -> Area | None:
    folded = _fold(name)
    if folded in known:
        return known[folded]
    short, cut = _MUNICIPALITY_WORD.subn("", folded)
    if not cut:
        return None
    # "Københavns Kommune", but "Vesthimmerlands Kommune" keeps its s
    area = known.get(short) or known.get(short.removesuffix("s"))
    return area if area is not None and area.level == "municipality" else None


def _bare(area: Area) -> str:
    return area.name.removeprefix("Landsdel ").removeprefix("Region ")


def _fold(name: str) -> str:
    """A name without case, hyphens and the choice between aa and å."""
    folded = unicodedata.normalize("NFC", name).casefold().replace("aa", "å").replace("-", " ")
    return " ".join(folded.split())


@lru_cache(maxsize=1)
def _areas() -> tuple[Area, ...]:
    """All areas of the two classifications."""
    areas = [Area("nation", "Hele landet", "000")]
    regions: dict[str, Area] = {}
    landsdele: dict[str, Area] = {}
    rows = _rows("regions.csv")
    for row in rows:
        regions.setdefault(row["region_code"], Area("region", row["region"], row["region_code"], "", row["region"]))
        landsdel = f"Landsdel {row['landsdel']}"
        landsdele.setdefault(
            row["landsdel_code"], Area("landsdel", landsdel, row["landsdel_code"], landsdel, row["region"])
        )
    areas += [regions[code] for code in sorted(regions)] + [landsdele[code] for code in sorted(landsdele)]
    codes = {row["code"] for row in _rows("municipalities.csv")}
    areas += [
        Area("municipality", row["name_da"], row["code"], f"Landsdel {row['landsdel']}", row["region"])
        for row in sorted(rows, key=lambda row: row["code"])
        if row["code"] in codes
    ]
    areas += [Area("other", names[0] if names else "Uoplyst", code) for code, names in _OTHERS.items()]
    return tuple(areas)


@lru_cache(maxsize=1)
def _known() -> Mapping[str, Area]:
    """Every code, and every name without case, to its area; where names collide, the smaller area has the bare name."""
    known: dict[str, Area] = {}
    by_code = {area.code: area for area in _areas()}
    for area in _areas():
        known[area.code] = area
        known.setdefault(_fold(area.name), area)
    for row in _rows("municipalities.csv"):
        known[_fold(row["name_en"])] = by_code[row["code"]]
    for code, names in _OTHERS.items():
        known.update({_fold(name): by_code[code] for name in names})
    known.update({_fold(name): by_code["000"] for name in ("All Denmark", "Danmark", "Denmark")})
    for area in _areas():
        if area.level == "landsdel":
            bare = area.name.removeprefix("Landsdel ")
            for name in (bare, *_ENGLISH_LANDSDELE.get(area.code, ())):
                known[_fold(f"Province {name}")] = known[_fold(f"Landsdel {name}")] = area
                known.setdefault(_fold(name), area)
    for area in _areas():
        if area.level == "region":
            for name in (area.name.removeprefix("Region "), *_ENGLISH_REGIONS[area.code]):
                known.setdefault(_fold(name), area)
    return MappingProxyType(known)


def counted(areas: Sequence[Area]) -> str:
    """How many areas of each level: "98 municipalities, 11 landsdele and 5 regions"."""
    counts = [(level, sum(area.level == level for area in areas)) for level in reversed(LEVELS)]
    return listed([f"{count} {_WORDS[level][count > 1]}" for level, count in counts if count])


def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
