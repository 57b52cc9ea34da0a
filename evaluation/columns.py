"""One column of a data frame, read as names, as periods or as numbers; what cannot be read is counted, never quoted.

Everything goes through Arrow, so that pandas, polars and Arrow frames give the same codes and numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from evaluation.errors import did_you_mean, listed
from evaluation.panel import Array, Indices, Mask
from evaluation.periods import PER_YEAR, Frequency, Period, parse_period

if TYPE_CHECKING:
    import narwhals as nw

Scalar = TypeVar("Scalar", np.int64, np.float64)

MOST_PERIODS = 20_000
"""More different values than this in the time column cannot be periods of a panel; it is the wrong column."""

MISSING = ("..", ".", "-", "–", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL")
"""Marks that stand for "no number" in a column of numbers; in a column of text they stay what they are."""

LARGEST = 1e100
"""Numbers beyond this overflow when they are squared a few times; no statistic is that large."""

NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
COMMA_NUMBER = r"^\s*[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+\s*$"
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_WEEK = re.compile(r"^\d{4}\s*-?\s*[UuWw]\d{1,2}$")


@dataclass(frozen=True, slots=True)
class Names:
    """A column of names: `labels` in order, `codes` (rows,) pointing into them, -1 where the name is missing."""

    codes: Indices
    labels: tuple[str, ...]

    @property
    def missing(self) -> int:
        """How many rows have no name."""
        return int((self.codes < 0).sum())


@dataclass(frozen=True, slots=True)
class Times:
    """A column of periods: every period from the first to the last, `codes` (rows,) into them, -1 where missing.

    `wrong` says in words what is no period, when something is; then the other fields are of no use.
    """

    codes: Indices
    periods: tuple[Period, ...]
    seen: tuple[bool, ...]
    wrong: str = ""

    @property
    def missing(self) -> int:
        """How many rows have no period."""
        return int((self.codes < 0).sum())


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of numbers, (rows,) float64 with NaN for missing; `wrong` says in words what is no number."""

    values: Array
    wrong: str = ""


def arrow_column(frame: nw.DataFrame[Any], name: str) -> Any:
    """A column as an Arrow array without dictionaries; values of no Arrow type become their text.

    Arrow's own message would quote a cell, so the fall-back to text happens without it.
    """
    import pyarrow as pa

    series = frame.get_column(name)
    try:
        column = series.to_arrow()
    except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError):
        return pa.array([_text(value) for value in series.to_list()], pa.string())
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(column, pa.ChunkedArray):  # too large for one chunk
        column = pa.concat_arrays(column.chunks)
    if isinstance(column, pa.ExtensionArray) or pa.types.is_nested(column.type):
        return pa.array([_text(value) for value in series.to_list()], pa.string())
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    # few of Arrow's functions for text know views
    return column.cast(pa.large_string()) if is_text(column.type) and "view" in str(column.type) else column


def names(column: Any) -> Names:
    """Read names: text (trimmed, Unicode NFC), whole numbers ("8001.0" is "8001"); empty is missing.

    Labels are sorted, by value where all are whole numbers, so that they do not depend on the order of the rows.
    """
    values, codes = distinct(column)
    texts = [name_of(value) for value in values]
    labels = sorted_names({text for text in texts if text})
    position = {label: index for index, label in enumerate(labels)}
    lookup = np.array([*(position.get(text, -1) for text in texts), -1], dtype=np.int64)
    return Names(lookup[codes], tuple(labels))


def times(column: Any) -> Times:
    """Read periods; years with quarters as decimals (1990.25) are quarters, dates are months."""
    values, codes = distinct(column)
    if len(values) > MOST_PERIODS:
        return Times(codes, (), (), f"{len(values):,} different values; is this the column of the period?")
    if quarters := decimal_quarters(values):
        read: list[Period | None] = list(quarters)
    else:
        read = [period_of(value) for value in values]
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    bad = sum(int(counts[k]) for k, value in enumerate(values) if read[k] is None and name_of(value))
    if bad:
        weeks = any(_WEEK.match(name_of(value)) for value in values)
        advice = "weeks cannot be used, because years have 52 or 53 of them; sum them up to months or quarters"
        advice = advice if weeks else "write 2015, 2015Q1 or 2015M01"
        return Times(codes, (), (), f"{share(bad, codes)} not a period; {advice}")
    known = [period for period in read if period is not None]
    if not known:
        return Times(codes, (), (), "no row has a period")
    if wrong := _mixed(read, counts):
        return Times(codes, (), (), wrong)
    first, last = min(known), max(known)
    length = last.ordinal - first.ordinal + 1
    ordinals = sorted({period.ordinal for period in known})
    if len(ordinals) < length:
        return Times(codes, (), (), _unequal(ordinals, first.frequency))
    lookup = np.array([*(-1 if p is None else p.ordinal - first.ordinal for p in read), -1], dtype=np.int64)
    steps = lookup[codes]
    seen = np.bincount(steps[steps >= 0], minlength=length) > 0
    return Times(steps, tuple(first.shift(k) for k in range(length)), tuple(bool(flag) for flag in seen))


def numbers(column: Any, name: str, *, from_file: bool = False) -> Numbers:
    """Read numbers; text is refused with the number of rows, and for a frame the expression that finds them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    empty = np.full(len(column), np.nan)
    if pa.types.is_null(kind):
        return Numbers(empty)
    numeric = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean, pa.types.is_decimal)
    if any(test(kind) for test in numeric):
        values = _numpy(pc.cast(column, pa.float64(), safe=False), np.float64, np.nan)
        infinite = int(np.isinf(values).sum())
        if infinite:
            return Numbers(values, f"{share(infinite, values)} infinite; leave the cell empty where it is not known")
        huge = int((np.abs(values) > LARGEST).sum())
        if huge:
            what = f"{share(huge, values)} larger than 1e100, plus or minus"
            return Numbers(values, f"{what}; leave the cell empty where it is not known, or use a larger unit")
        return Numbers(values)
    if not is_text(kind):
        return Numbers(empty, f"holds values of type {kind}, not numbers")
    return Numbers(empty, _not_numbers(column, "" if from_file else name))


def share(count: int, of: Sized, one: str = "is", many: str = "are") -> str:
    """ "1 of 24 rows is" or "3 of 24 rows are"."""
    return f"{count:,} of {len(of):,} rows {one if count == 1 else many}"


def is_text(kind: Any) -> bool:
    """True for the Arrow types of text."""
    import pyarrow as pa

    view = getattr(pa.types, "is_string_view", None)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or (view is not None and view(kind)))


def has_controls(label: str) -> bool:
    """Whether a name holds a control character or one that is none: it cannot be printed or drawn."""
    return _CONTROLS.search(label) is not None


def sorted_names(labels: Iterable[str]) -> list[str]:
    """Names in order: by number where all are whole numbers, else by letter."""
    known = list(labels)
    if known and all(label.lstrip("-").isdecimal() for label in known):
        return sorted(known, key=lambda label: (int(label), label))
    return sorted(known)


def distinct(column: Any) -> tuple[list[Any], Indices]:
    """The distinct values and, (rows,), which of them each row holds: -1 for null."""
    import pyarrow as pa

    if pa.types.is_null(column.type):
        return [], np.full(len(column), -1, dtype=np.int64)
    encoded = column.dictionary_encode()
    return encoded.dictionary.to_pylist(), _numpy(encoded.indices.cast(pa.int64()), np.int64, -1)


def _numpy(column: Any, kind: type[Scalar], absent: float) -> npt.NDArray[Scalar]:
    """An Arrow array of int64 or float64 as numpy, with `absent` for null.

    Arrow's own `to_numpy` imports pandas, which costs half a second; the buffers are there for the taking.
    """
    validity, content = column.buffers()
    rows = slice(column.offset, column.offset + len(column))
    if content is None or not len(column):
        return np.full(len(column), absent, dtype=kind)
    values = np.frombuffer(content, dtype=kind)[rows]
    if not column.null_count:
        return values
    known = np.unpackbits(np.frombuffer(validity, dtype=np.uint8), bitorder="little")[rows]
    return np.where(known.astype(np.bool_), values, kind(absent))


def name_of(value: object) -> str:
    """The name a value stands for; empty for missing."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return unicodedata.normalize("NFC", str(value)).strip()


def _text(value: object) -> str | None:
    """Any Python value as text, None for the many spellings of missing.

    Half a surrogate pair is no text; it becomes U+FFFE, which is none either and is refused in names.
    """
    if value is None or str(value) in ("nan", "NaN", "NaT", "<NA>"):
        return None
    return _SURROGATE.sub("\ufffe", name_of(value))


def period_of(value: object) -> Period | None:
    """The period a value stands for; None for missing and for what is none."""
    if isinstance(value, str):
        value = value.strip()
    try:
        return parse_period(value)
    except (ValueError, OverflowError):
        return None


def decimal_quarters(values: Sequence[object]) -> list[Period | None]:
    """Quarters from years with decimals 0, .25, .5 and .75, empty unless all are such and some are not whole."""
    if not all(value is None or isinstance(value, float) for value in values):
        return []
    years = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    known = years[~np.isnan(years)]
    if not (known * 4 % 1 == 0).all() or (known % 1 == 0).all():  # an infinite value fails the first test
        return []
    return [None if np.isnan(year) else Period("quarter", int(year * 4)) for year in years]


def _mixed(read: Sequence[Period | None], counts: Indices) -> str:
    """In words: years beside quarters or months, when the column holds more than one of them."""
    rows: dict[Frequency, int] = {}
    for period, count in zip(read, counts, strict=True):
        if period is not None:
            rows[period.frequency] = rows.get(period.frequency, 0) + int(count)
    if len(rows) < 2:
        return ""
    parts = [f"{count:,} {kind}{'s' if count > 1 else ''}" for kind in PER_YEAR if (count := rows.get(kind, 0))]
    return f"{listed(parts)} stand in one column; keep one of them"


def _unequal(ordinals: list[int], frequency: Frequency) -> str:
    """In words: which periods are missing for all units, and what may be meant."""
    steps = set(np.diff(ordinals).tolist())
    years = ordinals[0] >= 100_001 and frequency == "year"
    if years and all(1 <= ordinal % 100 <= 12 for ordinal in ordinals):
        return "looks like year and month in one number; write 2015M01 for January 2015"
    if len(steps) == 1:
        step = steps.pop()
        if frequency == "month" and step == 12:
            return "holds one date a year; write the year alone"
        if frequency == "month" and step == 3:
            return "holds one date a quarter; write 2015Q1 for the first quarter of 2015"
        return f"the periods are {step} {frequency}s apart; number them 1, 2, 3, ..."
    missing: list[str] = []
    n_missing = 0
    for before, after in pairwise(ordinals):
        n_missing += after - before - 1
        missing += [Period(frequency, k).label for k in range(before + 1, min(after, before + 7))]
    shown = listed(missing[:6]) if n_missing <= 6 else f"{', '.join(missing[:6])} and {n_missing - 6} more"
    return (
        f"periods must be equally spaced, but no unit has a row for {shown}; "
        "add the rows (with an empty outcome) or keep the periods on one side of the gap"
    )


def _not_numbers(column: Any, name: str) -> str:
    """In words: how many texts are no numbers, and what to do about it; empty when all texts are empty.

    With the column's `name` in a frame, also the expression that finds them.
    """
    import pyarrow.compute as pc

    filled = pc.fill_null(column, "")
    absent = f"^({'|'.join(re.escape(mark) for mark in ('', *MISSING))})$"
    full = pc.invert(pc.match_substring_regex(pc.utf8_trim_whitespace(filled), absent))
    plain = pc.match_substring_regex(filled, NUMBER)
    comma = pc.match_substring_regex(filled, COMMA_NUMBER)
    n_full, n_plain, n_comma = (int(pc.sum(flags).as_py() or 0) for flags in (full, plain, comma))
    if not n_full:
        return ""
    if n_full == n_plain:
        return f"the numbers are stored as text; {'convert them, e.g. with pd.to_numeric' if name else 'store them as numbers'}"
    if n_full == n_plain + n_comma:
        return f'{share(n_comma, column)} a number with a decimal comma, stored as text; read them with decimal = ","'
    bad = n_full - n_plain
    comma_note = f" ({n_comma:,} have a decimal comma)" if n_comma else ""
    what = f"{share(bad, column)} not a number{comma_note}; leave the cell empty where there is none"
    if not name:
        return what
    return f"{what}. To see them: pd.to_numeric(data[{name!r}], errors='coerce').isna() & data[{name!r}].notna()"


def rows_where(
    frame: nw.DataFrame[Any], where: Mapping[str, Any], source: str
) -> tuple[Mask, list[tuple[str, str, Literal["key", "value"]]]]:
    """(rows,) True where the columns of `where` hold the values asked for, and what is wrong with it: (column, what, at)."""
    keep = np.ones(len(frame), dtype=np.bool_)
    faults: list[tuple[str, str, Literal["key", "value"]]] = []
    for column, wanted in where.items():
        if column not in frame.columns:
            hint = did_you_mean(column, frame.columns) or f"; there are {listed(frame.columns, 12)}"
            faults.append((column, f"no column '{column}' in {source}{hint}", "key"))
            continue
        found = names(arrow_column(frame, column))
        kept = []
        for value in wanted if isinstance(wanted, tuple) else (wanted,):
            label = name_of(value)
            if label in found.labels:
                kept.append(found.labels.index(label))
                continue
            few = f"; there are {listed(found.labels, 12)}" if len(found.labels) <= 12 else ""
            faults.append((column, f"no row has '{label}' in '{column}'{did_you_mean(label, found.labels) or few}", "value"))
        keep &= np.isin(found.codes, kept)
    return keep, faults


def arrow_indices(rows: Indices) -> Any:
    """Row numbers as an Arrow array, over the same memory (and without pandas)."""
    import pyarrow as pa

    rows = np.ascontiguousarray(rows, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows)])


def arrow_floats(values: Array) -> Any:
    """Numbers as an Arrow array, over the same memory (and without pandas, which `pa.array` imports to look for a series)."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.float64(), values.size, [None, pa.py_buffer(np.ascontiguousarray(values))])


def arrow_names(labels: Sequence[str], codes: Indices) -> Any:
    """The column of text that `codes` (rows,) into `labels` stand for, null where negative."""
    import pyarrow as pa

    encoded = [label.encode() for label in labels]
    offsets = np.concatenate([[0], np.cumsum([len(label) for label in encoded])]).astype(np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    dictionary = pa.Array.from_buffers(pa.large_string(), len(encoded), buffers)
    valid = pa.py_buffer(np.packbits(codes >= 0, bitorder="little"))
    values = np.ascontiguousarray(np.maximum(codes, 0), dtype=np.int64)
    indices = pa.Array.from_buffers(pa.int64(), len(values), [valid, pa.py_buffer(values)])
    return dictionary.take(indices)
