"""What `evaluate --methods` says, as lines of text: the whole catalogue, or one entry."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from evaluation.errors import UsageError
from evaluation.spec.catalogue import ALWAYS, PLANNED, Catalogue, Kind, option_fields

KINDS: tuple[tuple[Kind, str, str], ...] = (
    ("estimator", "estimators", "[headline] method = ..., [[estimator]] name = ..."),
    ("inference", "inference", "[inference] method = ..., default: chosen by the design"),
    ("adjustment", "cycle adjustments", "[cycle] adjust = ..."),
    ("check", "checks", "run by themselves"),
)
_NEEDS = {
    "never_treated": "at least one unit that is never treated",
    "balanced": "no missing cells",
    "common_start": "all treated units start in the same period",
    "one_pre_period": "at least one period before the start",
    "two_pre_periods": "at least two periods before the start",
    "second_group": "the outcome of a second group in the same units, as a covariate",
    "dose": "a covariate that says how intensely each unit was treated",
}
_KEEPS = {
    "period_shift": "a constant added to all units in a period",
    "unit_shift": "a constant added to a unit in all periods",
    "common_shift": "a constant added to everything",
    "scale": "everything multiplied by a constant (the effect scales along)",
    "unit_order": "the order of the units",
}


def overview(catalogue: Catalogue, width: int = 100) -> list[str]:
    """Everything there is, one line each, and what is planned."""
    names = [name for kind, _, _ in KINDS for name in catalogue.entries(kind)]
    indent = max((len(name) for name in names), default=0) + 4
    lines: list[str] = []
    for kind, title, where in KINDS:
        entries = catalogue.entries(kind)
        if not entries:
            continue
        lines += [f"{title}   {where}"]
        for name, entry in entries.items():
            lines += _hanging(f"  {name}".ljust(indent), _summary(entry), width)
        lines += [""]
    planned = [
        (title, [name for name in catalogue.planned.get(kind, ()) if name not in catalogue.entries(kind)])
        for kind, title, _ in KINDS
    ]
    if any(each for _, each in planned):
        lines += ["not available yet"]
        indent = max(len(title) for title, each in planned if each) + 4
        for title, each in planned:
            if each:
                lines += _hanging(f"  {title}".ljust(indent), ", ".join(each), width)
        lines += [""]
    return [*lines, "`evaluate --methods NAME` says what one of them needs, its options and its source"]


def page(catalogue: Catalogue, name: str, width: int = 100) -> list[str]:
    """What is to be known about one entry.

    Raises
    ------
    UsageError
        Nothing has this name; the nearest one is suggested.
    """
    for kind, _, _ in KINDS:
        entry = catalogue.entries(kind).get(name)
        if entry is not None:
            return _page(kind, name, entry, width)
    raise UsageError(_unknown(catalogue, name))


def _page(kind: Kind, name: str, entry: Any, width: int) -> list[str]:
    lines = [f"{name}   {kind}", *_hanging("  ", _summary(entry), width)]
    sections = (
        ("needs", [_NEEDS.get(need, need.replace("_", " ")) for need in getattr(entry, "needs", ())]),
        ("is not changed by", [text for key, text in _KEEPS.items() if key in getattr(entry, "keeps", ())]),
    )
    for title, items in sections:
        if items:
            lines += ["", title, *(f"  {item}" for item in items)]
    if getattr(entry, "default_inference", None):
        lines += ["", "inference where at least six clusters are treated", f"  {entry.default_inference}"]
    options = option_fields(entry)
    if options:
        lines += ["", "options"]
    elif kind == "estimator":
        lines += ["", "options", "  none"]
    for option, (hint, description, default) in options.items():
        needed = "required" if default is dataclasses.MISSING else f"default {shown(default)}"
        # the files of [cycle] are its series, so the choice among them has another name in a spec
        key = "adjust_series" if kind == "adjustment" and option == "series" else option
        lines += _hanging(f"  {key}   ", f"{type_in_words(hint)}; {needed}", width)
        if description:
            lines += _hanging("      ", description, width)
        for inner, text in _inner_fields(hint):
            lines += _hanging(f"        {inner}   ", text, width)
    if getattr(entry, "source", "").strip("- "):
        lines += ["", "source", *_hanging("  ", entry.source, width)]
    return lines


def type_in_words(hint: Any) -> str:
    """A type as a person would say it: "true or false", "a list of texts"."""
    return _words(hint, many=False)


def shown(value: Any) -> str:
    """A default as it would be written in TOML."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(shown(item) for item in value)}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {shown(item)}" for key, item in value.items()) + " }" if value else "{}"
    return str(value)


def _words(hint: Any, many: bool) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if hasattr(hint, "__metadata__"):
        return _words(args[0], many)
    if origin is Literal:
        return _or([shown(arg) for arg in args])
    if origin in (Union, types.UnionType):
        kinds = [arg for arg in args if arg is not type(None)]
        if set(kinds) == {int, str}:
            return "periods" if many else "a period"
        return _or([_words(arg, many) for arg in kinds])
    if origin in (tuple, list) and args:
        if origin is tuple and Ellipsis not in args:
            return f"[{', '.join(_words(arg, False).removeprefix('a ').removeprefix('whole ') for arg in args)}]"
        return f"{'lists' if many else 'a list'} of {_words(args[0], True)}"
    single, plural = {
        bool: ("true or false", "true or false"),
        int: ("a whole number", "whole numbers"),
        float: ("a number", "numbers"),
        str: ("a text", "texts"),
    }.get(hint, ("a table", "tables"))
    return plural if many else single


def _inner_fields(hint: Any) -> list[tuple[str, str]]:
    """The keys of a table inside an option."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint, include_extras=True)
        return [
            (name, f"{type_in_words(each)}: {next(iter(getattr(each, '__metadata__', ())), None).description}")  # type: ignore[union-attr]
            if getattr(each, "__metadata__", ())
            else (name, type_in_words(each))
            for name, each in hints.items()
        ]
    return next((found for arg in get_args(hint) if (found := _inner_fields(arg))), [])


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _summary(entry: Any) -> str:
    """The entry's summary; a check is a function, and says in its docstring what it does."""
    text = getattr(entry, "summary", None) or (entry.__doc__ or "").split("\n\n")[0]
    return " ".join(str(text).split()).rstrip(".")


def _hanging(lead: str, text: str, width: int) -> list[str]:
    """`text` behind `lead`, wrapped under itself."""
    from textwrap import wrap

    return wrap(text, width, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False) or [
        lead.rstrip()
    ]


def _unknown(catalogue: Catalogue, name: str) -> str:
    for kind, _, _ in KINDS:
        if name in catalogue.planned.get(kind, ()):
            return f"{kind} '{name}' is not available yet; `evaluate --methods` lists what is"
        if name in ALWAYS[kind]:
            return f"'{name}' stands for the {kind} that fits the design; `evaluate --methods` lists them"
    # all kinds at once: a name is a name, whatever it is of
    everything = Catalogue(
        estimators={**catalogue.checks, **catalogue.adjustments, **catalogue.inferences, **catalogue.estimators},
        inferences={},
        adjustments={},
        checks={},
        planned={"estimator": tuple(each for names in PLANNED.values() for each in names)},
    )
    fault = everything.fault("estimator", name) or f"no '{name}'"
    return fault.replace("no estimator", "no method")
