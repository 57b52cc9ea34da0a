"""What [cycle] must fulfil beyond the types of its keys; each rule looks at raw values, so that all rules speak at once."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from evaluation.errors import did_you_mean, listed
from evaluation.spec.catalogue import Catalogue, option_fields
from evaluation.spec.cycle_tables import options_of
from evaluation.spec.findings import Finding, treated_names, value_at
from evaluation.spec.locate import KeyPath
from evaluation.spec.options import checked

TAKEN = ("shift_share",)
"""Names that the program gives to series it makes itself."""


def name_of_path(path: str) -> str:
    """The name of a series that has none: its file's name without the ending, in lower case, other signs as "_"."""
    stem = PurePosixPath(path.replace("\\", "/")).stem.casefold()
    return "".join(sign if sign.isalnum() else "_" for sign in stem).strip("_")


def cycle(raw: Mapping[str, Any], catalogue: Catalogue, meant: set[KeyPath]) -> Iterator[Finding]:
    """Everything the rules find about [cycle] and the date of the declaration; `meant` are keys that are only misspelt."""
    yield from _declared(raw)
    table = raw.get("cycle")
    if not isinstance(table, Mapping):
        return
    yield from _paths(table)
    yield from _names(table)
    yield from _chosen(table, catalogue)
    if not any(path[:2] == ("cycle", "shares") for path in meant):
        yield from _shares(table)
    yield from _units(raw, table)


def cycle_periods(raw: Mapping[str, Any]) -> list[KeyPath]:
    """Where periods stand in [cycle]."""
    places: list[KeyPath] = [("cycle", "shares", "base")]
    for key, period in (("policy", "start"), ("negative_control", "until")):
        places += [("cycle", key, index, period) for index in range(len(_tables(value_at(raw, ("cycle",)), key)))]
    return places


def cycle_options(raw: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Finding]:
    """The further keys of [cycle] against the options of the adjustment it names."""
    table = raw.get("cycle")
    name = table.get("adjust", "none") if isinstance(table, Mapping) else None
    entry = catalogue.adjustments.get(name) if isinstance(name, str) else None
    if entry is None or not isinstance(table, Mapping):
        return
    known = option_fields(entry)
    if "adjust_series" in table and "series" not in known:
        yield Finding(
            ("cycle", "adjust_series"), f"adjust = '{name}' uses no series; leave adjust_series out", at="key"
        )
    given = options_of(dict(table), table.get("adjust_series"))
    _, findings = checked(entry, {option: value for option, value in given.items() if option in known}, ("cycle",))
    for finding in findings:
        path = finding.path
        if path[:2] == ("cycle", "series"):
            path = ("cycle", "adjust_series", *path[2:])
        yield Finding(path, finding.what, finding.at, finding.quoted)


def _declared(raw: Mapping[str, Any]) -> Iterator[Finding]:
    value = raw.get("declared")
    if not isinstance(value, str):
        return
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        yield Finding(("declared",), f"'{value}' is not a date; write year, month and day: \"2026-11-20\"")


def _paths(table: Mapping[str, Any]) -> Iterator[Finding]:
    """A path that is empty leads nowhere."""
    places: list[tuple[KeyPath, Any]] = [(("cycle", key), table.get(key)) for key in ("series", "neighbours")]
    for key in ("series", "policy", "negative_control"):
        places += [(("cycle", key, index, "path"), each.get("path")) for index, each in _tables(table, key)]
    for key, names in (
        ("shares", ("employment", "shares", "growth")),
        ("neighbours", ("path",)),
        ("second_group", ("path",)),
    ):
        inner = table.get(key)
        if isinstance(inner, Mapping):
            places += [(("cycle", key, name), inner.get(name)) for name in names]
    for path, value in places:
        if isinstance(value, str) and not value.strip():
            yield Finding(path, f"{path[-1]} is empty; write the path of a file, or leave it out")


def _names(table: Mapping[str, Any]) -> Iterator[Finding]:
    """Names are identifiers in lower case, and tell two of a kind apart."""
    for key, word in (("series", "series"), ("policy", "reform"), ("negative_control", "negative control")):
        seen: set[str] = set()
        for index, each in _tables(table, key):
            place, name = ("cycle", key, index, "name"), each.get("name")
            if name is None and key == "series" and isinstance(each.get("path"), str):
                place, name = ("cycle", key, index, "path"), name_of_path(each["path"])
            if not isinstance(name, str):
                continue
            if not name.isidentifier() or name != name.casefold():
                meant = name_of_path(name)
                remedy = f", such as '{meant}'" if meant.isidentifier() else ""
                how = "write" if place[-1] == "name" else "give it a name:"
                yield Finding(
                    place, f"'{name}' is no name for a {word}; {how} letters in lower case, digits and _{remedy}"
                )
            elif name in TAKEN:
                yield Finding(place, f"'{name}' is the name of a series that is worked out here; choose another")
            elif name in seen:
                yield Finding(place, f"there is a {word} '{name}' already; give each a name of its own")
            seen.add(name)
    yield from _path_alone(table)


def _path_alone(table: Mapping[str, Any]) -> Iterator[Finding]:
    """A series given by its path alone takes its name from it."""
    path = table.get("series")
    if isinstance(path, str) and path.strip() and not name_of_path(path).isidentifier():
        what = f"'{name_of_path(path)}' is no name for a series; use [[cycle.series]] with path and name"
        yield Finding(("cycle", "series"), what)


def series_names(table: Mapping[str, Any]) -> list[str]:
    """The names of the series that [cycle] gives."""
    path = table.get("series")
    if isinstance(path, str):
        return [name_of_path(path)]
    given = [each.get("name") or name_of_path(str(each.get("path", ""))) for _, each in _tables(table, "series")]
    return [str(name) for name in given]


def _chosen(table: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Finding]:
    """The series that the adjustment uses must be given; so must what an adjustment cannot do without."""
    names, chosen = series_names(table), table.get("adjust_series")
    for place, name in enumerate(chosen) if isinstance(chosen, list) else [(None, chosen)]:
        if isinstance(name, str) and name not in names:
            hint = did_you_mean(name, names) or (f"; there are {listed(names)}" if names else "; [cycle] gives none")
            path: KeyPath = ("cycle", "adjust_series")
            yield Finding(path if place is None else (*path, place), f"no series '{name}' in [cycle]{hint}")
    adjust = table.get("adjust")
    if adjust not in tuple(catalogue.adjustments):
        return
    if adjust == "local_series" and not names:
        yield Finding(("cycle", "adjust"), "adjust = 'local_series' needs a series; give its file as series = \"...\"")
    if adjust == "shift_share" and "shares" not in table:
        what = "adjust = 'shift_share' needs employment by industry; give its file in [cycle.shares]"
        yield Finding(("cycle", "adjust"), what)


def _shares(table: Mapping[str, Any]) -> Iterator[Finding]:
    """Either levels, which give both, or shares together with growth."""
    shares = table.get("shares")
    if not isinstance(shares, Mapping):
        return
    given = [key for key in ("shares", "growth") if key in shares]
    if "employment" in shares:
        if given:
            what = "employment gives shares and growth; leave out shares and growth, or employment"
            yield Finding(("cycle", "shares", given[0]), what, at="key")
    elif len(given) < 2:
        missing = "employment, or shares and growth" if not given else "shares" if given == ["growth"] else "growth"
        yield Finding(("cycle", "shares"), f"[cycle.shares] needs {missing}")


def _units(raw: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[Finding]:
    """Rings and groups are of controls, and a unit is in one ring."""
    treated = treated_names(raw)
    lists: list[KeyPath] = [("cycle", "rings", ring) for ring in ("first", "second")]
    lists += [("cycle", "group", index, "units") for index, _ in _tables(table, "group")]
    first = value_at(raw, ("cycle", "rings", "first"))
    for path in lists:
        names = value_at(raw, path)
        if not isinstance(names, list):
            continue
        what = "a ring" if path[1] == "rings" else "a group of controls"
        if not names and path[1] == "group":
            yield Finding(path, "units is empty; name the controls of this group")
        for place, name in enumerate(names):
            if name in treated:
                yield Finding((*path, place), f"'{name}' is treated, so it is in no {what.removeprefix('a ')}")
            elif name in names[:place]:
                yield Finding((*path, place), f"'{name}' is in {path[-1]} twice; leave one out")
            elif path[-1] == "second" and isinstance(first, list) and name in first:
                yield Finding((*path, place), f"'{name}' is in both rings; leave it out of one of them")
    seen: set[str] = set()
    for index, each in _tables(table, "group"):
        name = each.get("name")
        if isinstance(name, str) and name in seen:
            yield Finding(
                ("cycle", "group", index, "name"), f"there is a group '{name}' already; give each a name of its own"
            )
        seen.add(str(name))


def _tables(table: Any, key: str) -> list[tuple[int, Mapping[str, Any]]]:
    """The tables of a list with their places; whatever else stands in it has been complained about."""
    value = table.get(key) if isinstance(table, Mapping) else None
    return [
        (index, each)
        for index, each in enumerate(value if isinstance(value, list) else ())
        if isinstance(each, Mapping)
    ]
