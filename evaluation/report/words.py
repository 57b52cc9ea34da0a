"""Phrases and number forms of one language, read from `words/LANGUAGE.toml` and, for the auditor, `words/audit/LANGUAGE.toml`.

A phrase is a whole sentence or label with slots; nothing here glues sentences together. A new language is these two files with
the same keys and slots as English, found by their name.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from evaluation.result import Text

MINUS = "\N{MINUS SIGN}"
HUGE = 1e9
"""From here on a number is written with a power of ten."""
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_DOUBLE_STOP = re.compile(r"(?<!\.)\.\.(?!\.)")
_EMPTY_SLOT = re.compile(r",\s*(?=,|\.?$)")
_PART_OF_YEAR = re.compile(r"^(-?\d+)([QM])(\d+)$")


@dataclass(frozen=True, slots=True)
class Words:
    """One language: `words("key", slot=...)` is a phrase, the other methods write numbers, periods and lists."""

    language: str
    phrases: Mapping[str, str]

    def __call__(self, key: str, /, **slots: str) -> str:
        """The phrase under `key` with its slots filled; abbreviations keep one full stop, empty slots leave no comma."""
        return _DOUBLE_STOP.sub(".", _EMPTY_SLOT.sub("", self.phrases[key].format(**slots)))

    def __contains__(self, key: object) -> bool:
        return key in self.phrases

    def first(self, *keys: str) -> str | None:
        """The first of `keys` that has a phrase."""
        return next((key for key in keys if key in self.phrases), None)

    def text(self, value: Text) -> str:
        """A text of the spec in this language, else in the one it is written in."""
        return value.get(self.language) or next(iter(value.values()), "")

    def number(self, value: float | None, decimals: int = 0) -> str:
        """A number: 1,234.5 in English, 1.234,5 in Danish; a true minus, and never a minus before zero.

        From a thousand million on: 1.23 × 10⁹, in Danish 1,23 · 10⁹.
        """
        if value is None or not math.isfinite(value):
            return self("number.missing")
        if abs(value) >= HUGE:
            digits, power = f"{value:.2e}".split("e+")
            return self("number.power", number=self.number(float(digits), 2), power=str(int(power)).translate(_RAISED))
        text = f"{abs(value):,.{decimals}f}"
        negative = value < 0 and any(digit in "123456789" for digit in text)
        marks = {",": self.phrases["number.thousands"], ".": self.phrases["number.decimal"]}
        return (MINUS if negative else "") + "".join(marks.get(letter, letter) for letter in text)

    def telling(self, value: float, decimals: int) -> str:
        """A number with as many more decimals as it takes to be told from zero (0.03 where 0.0 would be wrong)."""
        while value and round(value, decimals) == 0 and decimals < 8:
            decimals += 1
        return self.number(value, decimals)

    def percent(self, share: float | None, decimals: int = 0) -> str:
        """A share between 0 and 1 in per cent."""
        return self("number.percent", number=self.number(None if share is None else 100 * share, decimals))

    def share(self, share: float | None) -> str:
        """A share in per cent, rounded alike wherever it stands: 23 %, 5.1 %, 5 %, less than 0.1 %."""
        if share is None or not math.isfinite(share):
            return self.percent(share)
        if 0 < share < 0.0005:
            return self("number.less", number=self.percent(0.001, 1))
        whole = share >= 0.0995 or abs(share * 100 - round(share * 100)) < 1e-9
        return self.percent(share, 0 if whole else 1)

    def p_value(self, p: float | None) -> str:
        """A p-value with its relation: "= 0.65", "< 0.001"."""
        if p is None or not math.isfinite(p):
            return "=\N{NO-BREAK SPACE}" + self("number.missing")
        if p < 0.001:
            return "<\N{NO-BREAK SPACE}" + self.number(0.001, 3)
        return "=\N{NO-BREAK SPACE}" + self.number(p, 3 if p < 0.01 else 2)

    def period(self, label: str) -> str:
        """A period in words: 2015, "1. kvartal 2019", "januar 2015"."""
        match = _PART_OF_YEAR.match(label)
        if match is None:
            return label
        year, kind, part = match[1], match[2], int(match[3])
        if kind == "Q":
            return self("period.quarter", quarter=str(part), year=year)
        return self("period.month", month=self.phrases["period.months"].split(" ")[part - 1], year=year)

    def before(self, span: tuple[str, str], *, each: bool) -> str:
        """The periods before the start; where units started at different times, those before each one's."""
        return self("when.before_each") if each else self.span(*span)

    def span(self, first: str, last: str) -> str:
        """A range of periods, both ends included."""
        if first == last:
            return self.period(first)
        key = "period.years" if first.isdigit() and last.isdigit() else "period.span"
        return self(key, first=self.period(first), last=self.period(last))

    def listed(self, names: Sequence[str], most: int = 12) -> str:
        """Names in prose: "a, b and c", or "a, b and 12 more"."""
        shown = list(names[:most])
        if len(names) > most:
            shown.append(self("list.more", count=self.number(len(names) - most)))
        if len(shown) < 2:
            return "".join(shown)
        return self("list.and", first=", ".join(shown[:-1]), last=shown[-1])


def capital(text: str) -> str:
    """The text with its first letter large, the rest as it was."""
    return text[:1].upper() + text[1:]


def languages() -> tuple[str, ...]:
    """The languages there are words for."""
    folder = files("evaluation.report").joinpath("words")
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


@cache
def load(language: str) -> Words:
    """The words of one language.

    Raises
    ------
    FileNotFoundError
        There are no words for this language.
    """
    folder = files("evaluation.report").joinpath("words")
    places = (folder.joinpath(f"{language}.toml"), folder.joinpath("audit", f"{language}.toml"))
    texts = [place.read_text(encoding="utf-8") for place in places]
    return Words(language, {key: phrase for text in texts for key, phrase in _flat(tomllib.loads(text)).items()})


def _flat(table: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Nested tables as dotted keys."""
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = str(value)
    return flat
