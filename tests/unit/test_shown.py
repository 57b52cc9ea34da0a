"""What a file or a name holds cannot steer the terminal it is shown on."""

from __future__ import annotations

import pytest

from evaluation.shown import WIDEST, escaped, excerpt


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hjørring × 2015", "Hjørring × 2015"),
        ("a\tb", "a\tb"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("a\nb\r\x07\x9b", "a\\nb\\r\\x07\\x9b"),
        ("a\u202eb\u200b\ufeff", "a\\u202eb\\u200b\\ufeff"),
        ("\u2028\udc80", "\\u2028\\udc80"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize("column", [1, 5000, 10_000])
def test_a_long_line_is_cut_around_the_place(column: int) -> None:
    line = "".join("x" if place != column else "!" for place in range(1, 10_001))
    cut = excerpt(line, column)
    assert "!" in cut
    assert len(cut) <= WIDEST + 2
    assert cut.startswith("…") == (column > 1)
    assert cut.endswith("…") == (column < 10_000)
    assert excerpt("short", 1) == "short"
