"""Reading one TOML table after another: each value by name and type, each mistake at its line, none hiding another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.errors import Problem, did_you_mean, listed
from evaluation.spec.findings import found, label
from evaluation.spec.loaded import Locator
from evaluation.spec.locate import KeyPath

_RANGE = re.compile(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?")
_WIDEST = 100_000


@dataclass(slots=True)
class Findings:
    """The mistakes found so far, with their places."""

    locator: Locator
    problems: dict[Problem, None] = field(default_factory=dict)

    def add(self, path: KeyPath, what: str, at: str = "value") -> None:
        """Note a mistake at a key or value."""
        self.problems[self.locator.problem(path, what, at=at)] = None

    def in_order(self) -> list[Problem]:
        """All mistakes in the order of the file."""
        return sorted(self.problems, key=lambda problem: tuple(int(part) for part in problem.where.rsplit(":", 2)[1:]))


class Node:
    """One table of the file. What is wrong is noted, and a harmless value stands in, so that reading goes on."""

    def __init__(self, values: Any, path: KeyPath, findings: Findings, missing: bool = False) -> None:
        self.values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        self.path = path
        self.findings = findings
        self.missing = missing
        self.asked: set[str] = set()
        self.absent: list[str] = []

    def has(self, key: str) -> bool:
        """Whether the key is given."""
        return key in self.values

    def wrong(self, key: str, what: str) -> None:
        """Note a mistake at a value of this table, or at the table itself."""
        if not self.missing:
            self.findings.add((*self.path, key) if key else self.path, what)

    def text(self, key: str, default: str | None = None) -> str:
        """A text that has to be given, unless there is a default."""
        value = self._value(key, needed=default is None)
        if value is None:
            return default or ""
        if not isinstance(value, str) or not value.strip():
            self.wrong(key, f"expected a text, found {found(value)}")
            return ""
        return value.strip()

    def optional_text(self, key: str) -> str | None:
        """A text, or None where it is left out."""
        self.asked.add(key)
        return (self.text(key) or None) if self.has(key) else None

    def texts(self, key: str, choices: Iterable[str] = ()) -> tuple[str, ...]:
        """A list of texts (one text alone will do), of these choices."""
        known = tuple(choices)
        values = self._list(key, needed=False)
        texts: list[str] = []
        for value in values:
            if not isinstance(value, str) or not value.strip():
                self.wrong(key, f"expected texts, found {found(value)}")
            elif known and value not in known:
                self.wrong(
                    key,
                    f"'{value}' is not known here{did_you_mean(value, known) or '; there are ' + listed(known, 12)}",
                )
            else:
                texts.append(value.strip())
        return tuple(texts)

    def codes(self, key: str) -> frozenset[str]:
        """Codes as texts, spelled as `canonical_code` does; empty where they are left out."""
        codes: set[str] = set()
        for value in self._list(key, needed=False):
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, str))
                or (isinstance(value, str) and not value.strip())
            ):
                self.wrong(key, f"expected codes (numbers or texts), found {found(value)}")
            else:
                codes.add(canonical_code(value))
        return frozenset(codes)

    def ranges(self, key: str, needed: bool = False) -> list[tuple[int, int]]:
        """Whole-number codes and ranges of them: 130 or "130-139", as (lowest, highest)."""
        ranges: list[tuple[int, int]] = []
        for value in self._list(key, needed=needed):
            match = None if isinstance(value, bool) else _RANGE.fullmatch(str(value).strip())
            if match is None:
                self.wrong(key, f'expected codes such as 130 or "130-139", found {found(value)}')
                continue
            low, high = int(match[1]), int(match[2] or match[1])
            if high < low or high - low > _WIDEST:
                self.wrong(
                    key,
                    f'the range "{value}" ends before it begins' if high < low else f'the range "{value}" is too wide',
                )
                continue
            ranges.append((low, high))
        return ranges

    def shown(self, key: str) -> tuple[Any, ...]:
        """The values of a list as they are written."""
        return tuple(self._list(key, needed=False))

    def whole(self, key: str, default: int) -> int:
        """A whole number above 0."""
        value = self._value(key, needed=False)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            self.wrong(key, f"expected a whole number above 0, found {found(value)}")
            return default
        return value

    def share(self, key: str, default: float) -> float:
        """A number from 0 to 1."""
        value = self._value(key, needed=False)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            self.wrong(key, f"expected a share from 0 to 1, found {found(value)}")
            return default
        return float(value)

    def flag(self, key: str) -> bool:
        """true or false (also where it is left out)."""
        value = self._value(key, needed=False)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, f"expected true or false, found {found(value)}")
        return value is True

    def table(self, key: str, optional: bool = False) -> Node:
        """A table; an empty one stands in for one that is missing."""
        value = self._value(key, needed=False)
        path = (*self.path, key)
        if value is None:
            if not optional and not self.missing:
                self.findings.add(self.path, f"the table {label(path)} is missing", at="key")
            return Node({}, self.path, self.findings, missing=True)
        if not isinstance(value, Mapping):
            self.wrong(key, f"expected a table, found {found(value)}")
            return Node({}, path, self.findings, missing=True)
        return Node(value, path, self.findings)

    def tables(self, key: str) -> list[Node]:
        """An array of tables, at least one."""
        value = self._value(key, needed=False)
        if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
            return [Node(each, (*self.path, key, place), self.findings) for place, each in enumerate(value)]
        if not self.missing:
            self.wrong(
                key if value is not None else "",
                f"at least one table [[{'.'.join(map(str, (*self.path, key)))}]] is needed",
            )
        return []

    def only(self, keys: Iterable[str]) -> None:
        """Refuse every other key."""
        self.asked.update(keys)
        self.nothing_else()

    def nothing_else(self) -> None:
        """Refuse keys that nobody asked for; a key that is missing and nearly there is told once, as the near miss."""
        unknown = [key for key in self.values if key not in self.asked]
        for key in unknown:
            meant = did_you_mean(key, [each for each in self.asked if not self.has(each)])
            choices = "" if meant else f"; this table may hold {listed(sorted(self.asked), 12)}"
            self.findings.add(
                (*self.path, key),
                f"unknown key '{key}' in {label(self.path) if self.path else 'the layout'}{meant}{choices}",
                at="key",
            )
        for key in self.absent:
            if not any(f"'{key}'" in did_you_mean(other, [key]) for other in unknown) and not self.missing:
                self.findings.add(
                    self.path, f"'{key}' is missing in {label(self.path) if self.path else 'the layout'}", at="key"
                )
        self.absent.clear()

    def _value(self, key: str, needed: bool) -> Any:
        self.asked.add(key)
        if key not in self.values and needed:
            self.absent.append(key)
        return self.values.get(key)

    def _list(self, key: str, needed: bool) -> list[Any]:
        value = self._value(key, needed)
        if value is None:
            return []
        return value if isinstance(value, list) else [value]


def canonical_code(value: object) -> str:
    """A code as text: without spaces around it, leading zeros or ".0", so that "081", 81 and 81.0 are one code."""
    text = str(value).strip()
    if re.fullmatch(r"\d+(\.0+)?", text):
        return str(int(text.split(".")[0]))
    return text
