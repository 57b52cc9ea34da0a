"""A text that is not TOML: one problem, in plain words, at the place where the mending has to be done."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.spec.syntax import syntax_problem

CASES = [
    ("a = did", (1, 5), 'a text needs quotation marks: "did"'),
    ("a = True", (1, 5), "write true in lower case"),
    ("a = yes", (1, 5), "expected true or false; for yes write true"),
    ("a = null", (1, 5), "null is not a value in TOML; leave the key out where there is none"),
    ("a = 0,95", (1, 5), "write the decimal mark as a point: 0.95"),
    ("a = 40 000", (1, 5), "write a number without marks between its digits: 40000"),
    ("a = 50%", (1, 5), "write a number without the per cent sign: 50"),
    ("a = .5", (1, 5), "write a digit on both sides of the decimal point: 0.5"),
    ("a = 05", (1, 5), "write the number without the zero in front: 5"),
    ("a = 2015Q1", (1, 5), 'a text needs quotation marks: "2015Q1"'),
    ("a =   # later", (1, 7), "nothing stands after a =; write its value, or leave the key out"),
    ("a: 1", (1, 2), "write = between a key and its value, not a colon"),
    ("a == 1", (1, 4), "write one = between a key and its value"),
    ("= 1", (1, 3), "the key in front of = is missing"),
    ("a b = 1", (1, 1), 'a key with spaces or letters beyond a to z needs quotation marks: "a b" = ...'),
    ("a = 1 b = 2", (1, 7), "write each key on a line of its own"),
    ('a = "x""', (1, 8), "the text has ended before this quotation mark; write it once at each end"),
    ("a = [1 2]", (1, 8), "expected a comma or ] here"),
    ("a = [x]", (1, 6), 'a text needs quotation marks: "x"'),
    ("a = [1,\n 2\n\n[b]\nc = 1", (1, 5), "the list that begins here is not closed; end it with ]"),
    ("a = { b = 1", (1, 5), "the table that begins here is not closed; end it with }"),
    ("[a\nb = 1", (1, 3), "close the name of the table with ]"),
    ("[[a]\nb = 1", (1, 4), "close the name of the table with ]]"),
    ('a = """x\ny', (1, 5), "the text that begins here is not closed; end it with the same quotation mark"),
    ("a = 1\na = 2", (2, 1), "key 'a' is given twice, first on line 1; leave one out"),
    ("[a]\nb = 1\n[[a]]", (3, 1), "'a' is given already in another form; write either [a] once, or [[a]] each time"),
    ("some words", (1, 1), "this line is not TOML; write key = value, [table] or # comment"),
]


@pytest.mark.parametrize(("text", "place", "what"), CASES, ids=[text for text, _, _ in CASES])
def test_common_mistakes(text: str, place: tuple[int, int], what: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    problem = syntax_problem(text, "x.toml", caught.value)
    assert problem.what == what
    assert problem.where == f"x.toml:{place[0]}:{place[1]}"
    assert problem.quote.endswith(text.split("\n")[place[0] - 1])


@settings(max_examples=1000, deadline=None)
@given(st.text(alphabet="ab[]{}=.,\"'#\n\\ 10:-æ“", max_size=40))
def test_any_text_that_is_not_toml_gets_a_place_within_it(text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = syntax_problem(text, "x.toml", error)
        line, column = (int(number) for number in problem.where.split(":")[1:])
        assert 1 <= line <= text.count("\n") + 1
        assert 1 <= column <= len(text.split("\n")[line - 1]) + 1
        assert problem.what
