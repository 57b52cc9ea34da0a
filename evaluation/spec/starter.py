"""A first spec that works as it stands, with made-up numbers beside it: `evaluate --init NAME`."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

from evaluation.errors import UsageError

UNITS = (
    "Nordby",
    "Sønderby",
    "Vestervang",
    "Østerlund",
    "Sandvig",
    "Klitgård",
    "Åbyskov",
    "Holmsted",
    "Bakkelev",
    "Engholt",
    "Fjordrup",
    "Mosehøj",
)
YEARS = range(2010, 2022)
TREATED, START, EFFECT = "Nordby", 2016, 1.5

_TEMPLATE = Path(__file__).parent / "starter" / "spec.toml"


def write_starter(name: str, *, force: bool = False) -> tuple[Path, Path]:
    """Write NAME.toml and NAME_data.csv and return their paths; `name` may be a path, with or without .toml.

    Raises
    ------
    UsageError
        The name is no name, or a file is there already (and `force` was not said).
    """
    folder, stem = _folder_and_stem(name)
    spec, data = folder / f"{stem}.toml", folder / f"{stem}_data.csv"
    taken = [path for path in (spec, data) if path.exists()]
    if taken and not force:
        raise UsageError(
            *(f"{path}: this file is there already; choose another name, or --force replaces it" for path in taken)
        )
    folder.mkdir(parents=True, exist_ok=True)
    data.write_text(example_csv(), encoding="utf-8", newline="\n")
    spec.write_text(starter_spec(spec.with_suffix("").as_posix(), data.name), encoding="utf-8", newline="\n")
    return spec, data


def starter_spec(name: str, data: str) -> str:
    """The commented spec; `name` is what its comments call it, `data` the file beside it."""
    template = _TEMPLATE.read_text(encoding="utf-8")
    # JSON's quotation is TOML's, too
    return template.replace("@NAME@", name).replace("@DATA@", json.dumps(data, ensure_ascii=False))


def example_csv() -> str:
    """Twelve made-up municipalities in twelve years, the same on every machine: a level, a business cycle, noise, and in
    Nordby 1.5 points from 2016 on."""
    draw = random.Random(2016)

    def noise() -> float:
        # a sum of twelve uniforms is near enough to normal, and `random()` never changes between Python versions
        return sum(draw.random() for _ in range(12)) - 6.0

    lines = ["municipality,year,employment_rate,persons"]
    for unit in UNITS:
        level, swing, persons = 71.0 + 2.0 * noise(), 1.0 + 0.15 * noise(), round(18000 * math.exp(0.4 * noise()))
        for year in YEARS:
            cycle = swing * 1.6 * math.sin((year - 2012) / 9.0 * 2.0 * math.pi) + 0.25 * (year - 2010)
            effect = EFFECT if unit == TREATED and year >= START else 0.0
            rate = level + cycle + effect + 0.25 * noise()
            lines.append(f"{unit},{year},{rate:.1f},{round(persons * (1 + 0.004 * (year - 2010)))}")
    return "\n".join(lines) + "\n"


def _folder_and_stem(name: str) -> tuple[Path, str]:
    path = Path(name)
    stem = path.name.removesuffix(".toml")
    if not stem or name.endswith(("/", "\\")) or path.name in ("", ".", "..") or path.is_dir():
        raise UsageError(f"'{name}' is not a name for a spec; write one such as `evaluate --init jobs`")
    return path.parent, stem
