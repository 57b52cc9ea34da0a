"""From columns of text to numbers, in Danish and English spelling; what is not certain stays text, with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evaluation.columns import MISSING
from evaluation.result import Note

_WHOLE = r"^[+-]?\d+$"
# 1e-05 as programs write it; 12E3 may be a code
_SCIENTIFIC = r"^[+-]?\d+[eE][+-]\d+$"
_LEADING_ZERO = r"^0\d+$"
_EXPONENT = r"([eE][+-]?\d+)?$"
_FRACTION = {".": r"^[+-]?(\d+\.\d*|\.\d+)", ",": r"^[+-]?(\d+,\d*|,\d+)"}
# 1.234 and 12,345 may be a fraction of three decimals or a whole number with its thousands parted
_EITHER = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"
_THOUSANDS = {".": r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$", ",": r"^[+-]?\d{1,3}(\.\d{3})+(,\d*)?$"}
_SPACED = "^[+-]?\\d{1,3}([ '\u00a0\u2009\u202f]\\d{3})+([.,]\\d*)?$"
_WORDS = {".": "point", ",": "comma"}

Mark = Literal[".", ","]
NUMBER_LIKE = re.compile(r"^[+-]?\d+([.,]\d+)*$")


@dataclass(frozen=True, slots=True)
class Numerals:
    """The columns with their numbers as numbers, the decimal mark, and what was not certain.

    `missing` counts the marks that were read as missing; `ambiguous` names columns that only the writer can explain.
    """

    columns: dict[str, Any]
    decimal: str
    missing: Mapping[str, int]
    remarks: Mapping[str, str]

    @property
    def notes(self) -> tuple[Note, ...]:
        """A dash is "nothing" in a StatBank table, that is zero: worth a remark where it was read as missing."""
        dashes = self.missing.get("-", 0) + self.missing.get("–", 0)
        if not dashes:
            return ()
        text = (
            f"{dashes:,} cells hold a dash and were read as missing; in a StatBank table it means nothing, that is zero"
        )
        return (Note("dash_is_missing", text, {"cells": dashes}),)


def read_numerals(columns: Mapping[str, Any], decimal: Mark | None, delimiter: str = "") -> Numerals:
    """Turn every column of text that holds numbers only into numbers.

    The decimal mark is that of the whole file. Columns with leading zeros ("081") are codes and stay text, as do whole
    numbers of more than 18 digits. Thousands separators are never read: they leave the column text, with a remark.

    Parameters
    ----------
    columns : mapping of Arrow string arrays
    decimal : "." or ",", optional
        The decimal mark; found out from all columns when None.
    delimiter : str
        The field separator of the file; between commas a bare number cannot have a decimal comma.
    """
    shapes = {name: _Shape.of(column) for name, column in columns.items()}
    mark, certain = _decimal_mark(list(shapes.values()), decimal, delimiter)
    done: dict[str, Any] = {}
    remarks: dict[str, str] = {}
    missing: dict[str, int] = {}
    for name, shape in shapes.items():
        numeric, remark = shape.judge(mark, certain)
        if remark:
            remarks[name] = remark
        done[name] = shape.numbers(mark) if numeric else columns[name]
        if numeric:
            for word, count in shape.missing().items():
                missing[word] = missing.get(word, 0) + count
    return Numerals(done, mark, missing, remarks)


def _decimal_mark(shapes: Sequence[_Shape], decimal: Mark | None, delimiter: str) -> tuple[Mark, bool]:
    """The decimal mark of the file, and whether that is certain where a number could be read both ways."""
    if decimal is not None:
        return decimal, True
    if any(shape.only(",") for shape in shapes):
        return ",", True
    if any(shape.only(".") for shape in shapes):
        return ".", True
    commas = any(shape.either(",") for shape in shapes)
    points = any(shape.either(".") for shape in shapes)
    if points and not commas and delimiter == ",":
        return ".", True
    return ("," if commas else "."), not (commas or points)


class _Shape:
    """What the distinct texts of one column look like."""

    def __init__(self, encoded: Any, words: Any) -> None:
        import pyarrow.compute as pc

        self._encoded = encoded
        self._words = words
        # patterns rather than Python values: Arrow imports pandas to convert even one, which costs half a second
        empty = pc.match_substring_regex(words, "^$")
        marked = pc.match_substring_regex(words, f"^({'|'.join(re.escape(mark) for mark in MISSING)})$")
        self._absent = pc.or_(empty, marked)
        self._marked = marked
        self._kept = words.filter(pc.invert(self._absent))

    @classmethod
    def of(cls, column: Any) -> _Shape:
        """Look at a column once; only its distinct texts are examined."""
        import pyarrow.compute as pc

        encoded = column.dictionary_encode()
        return cls(encoded, pc.utf8_trim_whitespace(encoded.dictionary))

    def _all(self, *patterns: str) -> bool:
        return len(self._kept) > 0 and self._count(*patterns) == len(self._kept)

    def _count(self, *patterns: str) -> int:
        import pyarrow.compute as pc

        flags = [pc.match_substring_regex(self._kept, pattern) for pattern in patterns]
        found = flags[0]
        for flag in flags[1:]:
            found = pc.or_(found, flag)
        return int(pc.sum(found).as_py() or 0)

    def either(self, mark: Mark) -> bool:
        """Numbers only, some of which may be fractions with this mark or thousands parted by it."""
        import pyarrow.compute as pc

        fraction = _FRACTION[mark] + _EXPONENT
        return self._all(_WHOLE, _SCIENTIFIC, fraction) and bool(pc.any(pc.match_substring(self._kept, mark)).as_py())

    def only(self, mark: Mark) -> bool:
        """Numbers only, and at least one of them can only be a fraction with this mark."""
        if not self.either(mark):
            return False
        return self._count(_FRACTION[mark] + _EXPONENT) > self._count(_EITHER)

    def judge(self, mark: Mark, certain: bool) -> tuple[bool, str]:
        """Whether the column holds numbers; and the reason when it seems to but is left as text."""
        other: Mark = "," if mark == "." else "."
        if not len(self._kept):
            return len(self._words) > 0 and self._has_marks(), ""
        if self._all(_WHOLE):
            coded = self._count(_LEADING_ZERO) or self._count(r"^[+-]?\d{19,}$")
            return (
                not coded,
                "some have leading zeros, so the column was read as codes, not as numbers" if coded else "",
            )
        if self._all(_WHOLE, _SCIENTIFIC, _FRACTION[mark] + _EXPONENT):
            if not certain and self._count(_EITHER):
                return False, (
                    "a number such as 1.234 or 1,234 may be a fraction or have its thousands parted; "
                    'set decimal = "." or decimal = ","'
                )
            return True, ""
        if self._all(_WHOLE, _SCIENTIFIC, _FRACTION[other] + _EXPONENT) and self._count(
            _FRACTION[other] + _EXPONENT
        ) > self._count(_EITHER):
            return False, (
                f"has a decimal {_WORDS[other]}, but the file is read with a decimal {_WORDS[mark]}; "
                f"one file must keep to one of them"
            )
        if self._all(_WHOLE, _SCIENTIFIC, _FRACTION[mark] + _EXPONENT, _THOUSANDS[mark], _THOUSANDS[other], _SPACED):
            return False, f"{self._count_rows(_THOUSANDS[mark], _THOUSANDS[other], _SPACED):,} rows have thousands " \
                          "separators; write the numbers without them"  # fmt: skip
        if self._all(_WHOLE, _SCIENTIFIC, _FRACTION["."] + _EXPONENT, _FRACTION[","] + _EXPONENT):
            return False, "some rows have a decimal comma and some a decimal point; one file must keep to one of them"
        return False, ""

    def _has_marks(self) -> bool:
        import pyarrow.compute as pc

        return bool(pc.any(self._marked).as_py())

    def _count_rows(self, *patterns: str) -> int:
        import pyarrow.compute as pc

        column = pc.utf8_trim_whitespace(self._encoded.dictionary_decode())
        flags = [pc.match_substring_regex(column, pattern) for pattern in patterns]
        found = flags[0]
        for flag in flags[1:]:
            found = pc.or_(found, flag)
        return int(pc.sum(found).as_py() or 0)

    def numbers(self, mark: Mark) -> Any:
        """The column as int64 where all are whole, else float64; absent ones are null."""
        import pyarrow as pa
        import pyarrow.compute as pc

        texts = pc.if_else(self._absent, pa.nulls(len(self._words), self._words.type), self._words)
        texts = pc.replace_substring_regex(texts, r"^\+", "")
        if not len(self._kept):
            values = pa.nulls(len(texts), pa.float64())
        elif self._all(_WHOLE):
            values = texts.cast(pa.int64())
        else:
            plain = pc.replace_substring(texts, ",", ".") if mark == "," else texts
            values = plain.cast(pa.float64())
        return pc.take(values, self._encoded.indices)

    def missing(self) -> dict[str, int]:
        """How many rows hold each mark for missing."""
        import pyarrow.compute as pc

        words = pc.utf8_trim_whitespace(self._encoded.dictionary_decode())
        counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(words).to_pylist()}
        return {mark: counts[mark] for mark in MISSING if mark in counts}
