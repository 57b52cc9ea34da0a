"""Texts made fit to be shown on a terminal: what is in a file or a name must not steer it."""

from __future__ import annotations

import unicodedata

WIDEST = 120
"""Characters of a line of the user's that are quoted."""


def escaped(text: str, *, keep: str = "\t") -> str:
    """The text with control and invisible formatting characters written out: a backslash and the number."""
    if text.isprintable():
        return text
    return "".join(char if char in keep or not _steers(char) else _written(char) for char in text)


def excerpt(text: str, column: int) -> str:
    """At most so many characters of a line that it can be read, around a column (from 1)."""
    if len(text) <= WIDEST:
        return text
    start = max(0, min(column - 1 - WIDEST // 2, len(text) - WIDEST))
    return ("…" if start else "") + text[start : start + WIDEST] + ("…" if start + WIDEST < len(text) else "")


def _steers(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _written(char: str) -> str:
    return ascii(char)[1:-1]
