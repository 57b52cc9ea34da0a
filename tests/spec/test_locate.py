"""The locator only points; tomllib reads. So whatever it points at must read as the value tomllib has, for any document."""

from __future__ import annotations

import datetime
import math
import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation.spec.locate import locate, spans

# ---- a writer of TOML that uses every spelling the language has


def _basic(text: str) -> str:
    out = []
    for sign in text:
        if sign in '"\\':
            out.append("\\" + sign)
        elif ord(sign) < 32 or ord(sign) == 127:
            out.append(f"\\u{ord(sign):04X}")
        else:
            out.append(sign)
    return '"' + "".join(out) + '"'


def _plain(text: str) -> bool:
    return all(ord(sign) >= 32 and ord(sign) != 127 for sign in text)


@st.composite
def _string(draw: st.DrawFn, text: str) -> str:
    ways = [_basic(text), '"""' + _basic(text)[1:-1] + '"""', '"""\n' + _basic(text)[1:-1] + '"""']
    if _plain(text) and "'" not in text:
        ways += [f"'{text}'", f"'''{text}'''", f"'''\n{text}'''"]
    if "\\" not in text and '"""' not in text and not text.endswith('"') and _plain(text):
        ways.append(f'"""{text}"""')
    if "\\" not in text and '"""' not in text and text.endswith('"') and not text.endswith('""') and _plain(text):
        ways.append(f'"""{text}"""')  # four marks in a row close the text: one of them is part of it
    return draw(st.sampled_from(ways))


_texts = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["#", "a = 1", "[x]", "]", "}", ",", '"', "'", '""', "æøå", "\n[no]\n", "x # y", "\\", "=", "]]", "\u2028", "\x85"]
)
_keys = st.sampled_from(["a", "b", "c-d", "1", "æ", "x y", "a.b", "", '"', "#", "true", "]"])
_scalars = st.one_of(
    _texts,
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=True, width=32),
    st.booleans(),
    st.datetimes(min_value=datetime.datetime(1000, 1, 1), timezones=st.none() | st.just(datetime.UTC)),
    st.dates(min_value=datetime.date(1000, 1, 1)),
    st.times(),
)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3), max_leaves=8
)
_documents = st.dictionaries(_keys, _values, max_size=5)


@st.composite
def _written(draw: st.DrawFn) -> str:
    document = draw(_documents)
    lines: list[str] = []

    def noise() -> str:
        return draw(st.sampled_from(["", "", "\n", "# a comment = [1, 'x']\n", "   \n", '\t# "\n']))

    def blank() -> str:
        return draw(st.sampled_from(["", " ", "\t", "  "]))

    def gap() -> str:
        return draw(st.sampled_from(["", " ", "\n", ' # ] , " comment\n', "\n\n  "]))

    def key(name: str) -> str:
        bare = name and all(sign.isascii() and (sign.isalnum() or sign in "-_") for sign in name)
        return name if bare and draw(st.booleans()) else (f"'{name}'" if "'" not in name else _basic(name))

    def value(item: Any) -> str:
        if isinstance(item, bool):
            return "true" if item else "false"
        if isinstance(item, str):
            return draw(_string(item))
        if isinstance(item, float):
            return "inf" if item == math.inf else "-inf" if item == -math.inf else repr(item)
        if isinstance(item, datetime.datetime):
            return item.isoformat(sep=draw(st.sampled_from(["T", " "])))
        if isinstance(item, (datetime.date, datetime.time)):
            return item.isoformat()
        if isinstance(item, list):
            inside = "".join(gap() + value(each) + gap() + "," for each in item)
            if inside and draw(st.booleans()):
                inside = inside[:-1]
            return "[" + inside + gap() + "]"
        if isinstance(item, dict):
            pairs = [f"{blank()}{key(k)}{blank()}={blank()}{value(v)}{blank()}" for k, v in item.items()]
            return "{" + ",".join(pairs) + "}"
        return str(item)

    def table(path: tuple[str, ...], content: dict[str, Any]) -> None:
        later = {}
        for name, item in content.items():
            is_tables = isinstance(item, list) and item and all(isinstance(each, dict) for each in item)
            if (isinstance(item, dict) or is_tables) and draw(st.booleans()):
                later[name] = item
                continue
            dotted = key(name)
            if isinstance(item, dict) and len(item) == 1 and draw(st.booleans()):
                ((inner, item),) = item.items()
                dotted = f"{dotted}{blank()}.{blank()}{key(inner)}"
            lines.append(f"{noise()}{blank()}{dotted}{blank()}={blank()}{value(item)}{blank()}")
            lines.append(draw(st.sampled_from(["\n", " # comment\n", "\n\n"])))
        for name, item in later.items():
            heading = f"{blank()}.{blank()}".join(key(each) for each in (*path, name))
            if isinstance(item, dict):
                lines.append(f"{noise()}{blank()}[{blank()}{heading}{blank()}]{blank()}\n")
                table((*path, name), item)
            else:
                for each in item:
                    lines.append(f"{noise()}[[{blank()}{heading}{blank()}]] # one\n")
                    table((*path, name), each)

    table((), document)
    return "".join(lines)


def _walk(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _walk(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_written(), st.booleans())
def test_every_located_value_reads_as_tomllib_reads_it(text: str, windows: bool) -> None:
    document = tomllib.loads(text)
    found = spans(text)
    assert not found.repeated
    everything = dict(_walk(document))
    for path, value in everything.items():
        if path in found.values:
            start, end = found.values[path]
            assert tomllib.loads(f"x = {text[start:end]}")["x"] == value, path
        else:
            assert isinstance(value, (dict, list)), (
                path
            )  # only what headers and dotted keys open has no text of its own
        if isinstance(path[-1], str):
            start, end = found.keys[path]
            assert list(tomllib.loads(f"{text[start:end]} = 1")) == [path[-1]]
    assert set(found.values) <= set(everything)
    assert set(found.keys) <= set(everything)

    # lines and columns say the same as offsets, and Windows line ends change neither
    locator = locate(text.replace("\n", "\r\n") if windows and "\r" not in text else text, "x.toml")
    for path, (start, _) in found.values.items():
        line, column = locator.values[path]
        assert text[start] == locator.lines[line - 1][column - 1]


@given(st.text(alphabet="ab[]{}=.,\"'#\n\\ 1", max_size=40))
@settings(max_examples=500, deadline=None)
def test_a_text_that_is_not_toml_never_breaks_the_locator(text: str) -> None:
    locate(text, "x.toml")


SPEC = '''# a comment with a [table] and a key = 1
title = "x"   # title = "no"
question = { da = "Virkede det?", "en" = 'Did it?' }

[data]
path = """
data # not a comment
"""
covariates = [   # a list
  "a",
  "b", # and this = 1
]
where.year = 2015

[[estimator]]
name = "did"
[[ estimator ]]
"name" = "synthetic_control"
predictors = [{ column = "a", periods = [1980, 1988] }]

[estimator.extra]
x = 1
'''


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("title",), (2, 1), (2, 9)),
        (("question", "da"), (3, 14), (3, 19)),
        (("question", "en"), (3, 35), (3, 42)),
        (("data",), (5, 2), (5, 1)),
        (("data", "path"), (6, 1), (6, 8)),
        (("data", "covariates", 1), None, (11, 3)),
        (("data", "where", "year"), (13, 7), (13, 14)),
        (("estimator",), (15, 3), (15, 1)),
        (("estimator", 0), (15, 3), (15, 1)),
        (("estimator", 0, "name"), (16, 1), (16, 8)),
        (("estimator", 1), (17, 4), (17, 1)),
        (("estimator", 1, "name"), (18, 1), (18, 10)),
        (("estimator", 1, "predictors", 0, "periods", 1), None, (19, 48)),
        (("estimator", 1, "extra", "x"), (22, 1), (22, 5)),
    ],
)
def test_lines_and_columns_by_hand(path: Any, key: Any, value: Any) -> None:
    locator = locate(SPEC, "x.toml")
    if key is not None:
        assert locator.keys[path] == key
    assert locator.values[path] == value


def test_a_problem_stands_at_the_nearest_table_when_its_key_is_missing() -> None:
    problem = locate(SPEC, "specs/x.toml").problem(("data", "unit"), "missing key 'unit'")
    assert str(problem) == "specs/x.toml:5:1: missing key 'unit'\n     5 | [data]"


def test_a_key_given_twice_is_noticed() -> None:
    assert spans("a = 1\nb = 2\na = 3\n").repeated == [(("a",), 12)]
    assert spans("[a]\nx = 1\n[b]\n[a]\n").repeated == [(("a",), 14)]
