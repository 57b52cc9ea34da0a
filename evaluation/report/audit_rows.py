"""The block of the auditor's checks: one row each, in the auditor's order, with what unfolds beneath it."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report import audit_sentences, drawings
from evaluation.report.audit_tables import FEW, csv_blocks, tables
from evaluation.report.drawings import Shown
from evaluation.report.figures.audit import AUDIT_FIGURES
from evaluation.report.figures.base import Figure
from evaluation.report.tables import Table
from evaluation.report.words import Words
from evaluation.result import CheckResult, Result

ICONS = {"passed": "✓", "warns": "!", "failed": "✕", "not_run": "–"}
"""A sign beside the word of each status; neither colour nor sign is ever alone."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One check as it stands on a page."""

    id: str
    status: str
    icon: str
    title: str
    measured: str
    sentence: str
    computed: str
    figures: tuple[Shown, ...]
    tables: tuple[Table, ...]
    files: tuple[tuple[str, str | None, str], ...]


def figures(result: Result) -> tuple[Figure, ...]:
    """The figures of the checks that were run, in the auditor's order."""
    return tuple(figure for one in in_order(result) for figure in AUDIT_FIGURES.get(one.id, ()))


def in_order(result: Result) -> tuple[CheckResult, ...]:
    """The checks in the auditor's order; others after them."""
    known = list(audit_sentences.RULES)
    return tuple(sorted(result.cycle.audit, key=lambda one: known.index(one.id) if one.id in known else len(known)))


def rows(
    result: Result, words: Words, shown: dict[str, Shown], carried: dict[str, str], most: int | None = FEW
) -> list[AuditRow]:
    """Every check; shortened tables that stand beneath a figure are left to it. `carried` are the files the page holds."""
    found = []
    for one in in_order(result):
        drawn = tuple(shown[figure.key] for figure in AUDIT_FIGURES.get(one.id, ()) if figure.key in shown)
        told = {figure.table for figure in drawn} if most is not None else set()
        files = [name for name in csv_blocks(one) if name not in {figure.csv_name for figure in drawn}]
        found.append(
            AuditRow(
                one.id, one.status, ICONS[one.status], audit_sentences.title(one, result, words), audit_sentences.measured(one, words),
                audit_sentences.sentence(one, result, words), audit_sentences.computed(one, result, words), drawn,
                tuple(each for each in tables(one, result, words, most) if each not in told),
                tuple((name, drawings.csv_link(carried[name]) if name in carried else None, name) for name in files),
            )
        )  # fmt: skip
    return found
