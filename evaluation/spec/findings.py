"""What was found wrong with a spec, by key path, before it is given its place in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Literal, TypeAlias

from evaluation.errors import Problem, listed, nearest
from evaluation.spec.loaded import Locator
from evaluation.spec.locate import KeyPath

Fields: TypeAlias = Mapping[str, str]
"""The keys of one table and what each means."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong at `path`: with its value, or with the key itself; not `quoted` when no line is to blame."""

    path: KeyPath
    what: str
    at: Literal["key", "value"] = "value"
    quoted: bool = True


def placed(findings: Iterable[Finding], locator: Locator) -> tuple[Problem, ...]:
    """The findings as problems in the order of the file, each once."""
    problems: dict[Problem, None] = {}
    for finding in findings:
        problem = locator.problem(finding.path, finding.what, at=finding.at)
        problems[problem if finding.quoted else replace(problem, quote="")] = None
    return tuple(sorted(problems, key=_place))


def _place(problem: Problem) -> tuple[int, int]:
    _, line, column = problem.where.rsplit(":", 2)
    return int(line), int(column)


def label(path: KeyPath) -> str:
    """A table as it is written: [data], [[estimator]], or "the spec" for the lines above the first table."""
    words = [str(part) for part in path if isinstance(part, str)]
    if not words:
        return "the spec"
    name = ".".join(words)
    return f"[[{name}]]" if isinstance(path[-1], int) else f"[{name}]"


def explained(name: str, meaning: str) -> str:
    """'name' (what it means)."""
    return f"'{name}' ({meaning})" if meaning else f"'{name}'"


def near_miss(key: str, fields: Fields, present: Iterable[str]) -> str | None:
    """The key of this table that `key` most likely meant and that is not given already."""
    taken = set(present)
    meant = nearest(key, [field for field in fields if field not in taken])
    # keys are short: what serves for names of places would take 'colour' for 'cluster'
    close = meant is not None and SequenceMatcher(None, key.casefold(), meant).ratio() >= 0.7
    return meant if close else None


def found(value: Any) -> str:
    """What stands in the file, in words: the text "0.9", the number 3, a list, a table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if not value.strip():
            return "an empty text"
        return f'the text "{value}"' if len(value) <= 40 else f'the text "{value[:36]}..."'
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    if isinstance(value, Mapping):
        return "a table"
    return "nothing" if value is None else f"the date {value}"


def choice(value: str, choices: Sequence[str], what: str = "") -> str:
    """A word that is not among the choices: which it may have meant, or else all of them."""
    meant = nearest(value, choices)
    quoted = [f"'{each}'" for each in choices]
    subject = f"no {what} '{value}'" if what else f"'{value}' is not a choice here"
    return f"{subject}; did you mean '{meant}'?" if meant else f"{subject}; choose from {listed(quoted, 12)}"


def value_at(raw: Any, path: KeyPath) -> Any:
    """The value at a path, or None."""
    for part in path:
        if not holds(raw, part):
            return None
        raw = raw[part]
    return raw


def starts_at(raw: Any) -> list[KeyPath]:
    """Where a spec says when treatment began: once for all units, or for each."""
    each = value_at(raw, ("treatment", "starts"))
    return [("treatment", "starts", name) for name in each] if isinstance(each, Mapping) else [("treatment", "start")]


def treated_names(raw: Any) -> list[str]:
    """The units that a spec names as treated, whatever else is wrong with it."""
    each, units = value_at(raw, ("treatment", "starts")), value_at(raw, ("treatment", "units"))
    names = list(each) if isinstance(each, Mapping) else []
    return names + [name for name in (units if isinstance(units, list) else ()) if isinstance(name, str)]


def holds(raw: Any, part: str | int) -> bool:
    """Whether a table has this key, or a list this index."""
    if isinstance(raw, Mapping):
        return part in raw
    return isinstance(raw, (list, tuple)) and isinstance(part, int) and 0 <= part < len(raw)
