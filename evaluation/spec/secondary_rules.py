"""What `[[secondary]]` must fulfil beyond the types of its keys: each another outcome or a group, of the source the spec has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evaluation.spec.findings import Finding, value_at
from evaluation.spec.locate import KeyPath

_OF_OUTCOME = ("outcome_unit", "decimals", "better")


def secondary(raw: Mapping[str, Any], meant: set[KeyPath]) -> Iterator[Finding]:
    """Everything these rules find; `meant` are keys that are only misspelt, so they are not called missing."""
    tables = raw.get("secondary")
    labels: list[set[str]] = []
    asked: list[tuple[Any, Any]] = []
    for index, table in enumerate(tables if isinstance(tables, list) else ()):
        if not isinstance(table, Mapping):
            continue
        path: KeyPath = ("secondary", index)
        yield from _label(path, table, labels)
        if not any((*path, key) in meant for key in ("outcome", "measure", "where")):
            yield from _one(raw, path, table)
        yield from _again(raw, path, table, asked)


def _label(path: KeyPath, table: Mapping[str, Any], seen: list[set[str]]) -> Iterator[Finding]:
    """A label that is there, and is no other's in any language."""
    label = table.get("label")
    texts = list(label.values()) if isinstance(label, Mapping) else [label]
    mine = {text.strip().casefold() for text in texts if isinstance(text, str)}
    if "" in mine:
        yield Finding((*path, "label"), "label is empty; write the outcome or the group in words")
    elif any(mine & other for other in seen):
        yield Finding((*path, "label"), "another [[secondary]] has this label; the page could not tell them apart")
    seen.append(mine - {""})


def _one(raw: Mapping[str, Any], path: KeyPath, table: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys that belong to the spec's source of data, and say something."""
    registers = "register" in raw and "data" not in raw
    own, other = ("measure", "outcome") if registers else ("outcome", "measure")
    if other in table:
        means = (
            'a column of [data]; with [register] name a measure: measure = "any_hours"'
            if registers
            else "what [register] counts; with [data] name a column: outcome"
        )
        yield Finding((*path, other), f"{other} is {means}", at="key")
    elif own not in table and "where" not in table:
        what = "measure (another measure)" if registers else "outcome (another column)"
        yield Finding(
            path, f"[[secondary]] needs {what}, or where (a group); without it, it is the primary outcome again"
        )
    yield from _where(raw, path, table, registers)
    outcome = table.get("outcome")
    if isinstance(outcome, str) and not registers:
        if not outcome.strip():
            yield Finding((*path, "outcome"), "outcome is empty; write another column of the file")
        role = next((role for role in ("unit", "time") if value_at(raw, ("data", role)) == outcome), None)
        if role is not None and outcome.strip():
            yield Finding(
                (*path, "outcome"), f"column '{outcome}' is already {role}; an outcome needs a column of its own"
            )
    for key in _OF_OUTCOME:
        if key in table and registers:
            yield Finding((*path, key), f"{key} is known of every measure of [register]; leave it out", at="key")
        elif key in table and "outcome" not in table and "measure" not in table:
            yield Finding((*path, key), f"{key} describes another outcome, and none is named; leave it out", at="key")


def _where(raw: Mapping[str, Any], path: KeyPath, table: Mapping[str, Any], registers: bool) -> Iterator[Finding]:
    """A condition on persons for registers, columns and values for a file; some rows other than those of [data]."""
    where = table.get("where")
    here = (*path, "where")
    if registers and isinstance(where, Mapping):
        yield Finding(here, 'with [register] where is a condition on the persons: "age < 30"')
    elif not registers and isinstance(where, str):
        yield Finding(here, 'with [data] where is a table of columns and their values: { sex = "women" }')
    elif where == {} or (isinstance(where, str) and not where.strip()):
        yield Finding(here, "where is empty; say who is in the group, or leave it out")
    elif isinstance(where, Mapping):
        known = value_at(raw, ("data", "where"))
        if isinstance(known, Mapping) and all(key in known and known[key] == value for key, value in where.items()):
            yield Finding(here, "these are the rows of [data] where already; name others")


def _again(
    raw: Mapping[str, Any], path: KeyPath, table: Mapping[str, Any], seen: list[tuple[Any, Any]]
) -> Iterator[Finding]:
    """Not the primary outcome, and nothing twice."""
    registers = "register" in raw and "data" not in raw
    key = "measure" if registers else "outcome"
    primary = (
        value_at(raw, ("register", "outcome", "measure")) or "annual_hours"
        if registers
        else value_at(raw, ("data", "outcome"))
    )
    where = table.get("where")
    mine = table.get(key, primary), where
    if key in table and where is None and table[key] == primary:
        yield Finding((*path, key), f"'{primary}' is the primary outcome, the one of the headline; leave it out here")
    elif mine in seen and (key in table or where is not None):
        yield Finding(path, "this is a [[secondary]] already; leave one of the two out")
    seen.append(mine)
