"""The page: one Result and a language in, one complete HTML file out.

The page never sees data, has no script and loads nothing from anywhere. It is the same to the last byte for the same Result,
language and versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evaluation._version import __version__
from evaluation.report import (
    audit_rows,
    audit_sentences,
    cycle,
    drawings,
    facts,
    persons,
    power,
    reasons,
    remarks,
    secondary,
    sentences,
)
from evaluation.report.csvs import csv_files
from evaluation.report.drawings import Shown
from evaluation.report.figures import FIGURES
from evaluation.report.tables import Table, table
from evaluation.report.together import together_sentences
from evaluation.report.words import Words, capital, load
from evaluation.result import CheckResult, Result

CHECKS_OF = {"when": ("pre_trends",), "wrong": ("placebo_in_time", "honest_did", "leave_one_out"), "turn": ("every_unit_treated",)}
"""Checks whose figure stands in a section: where one was not run, the section says so instead."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One check as it stands on the page."""

    id: str
    status: str
    title: str
    sentence: str


def render(result: Result, language: str, *, audit: bool = False) -> str:
    """The whole page in one language.

    Parameters
    ----------
    result : Result
        All there is to show.
    language : str
        One of `languages()`.
    audit : bool
        The page for auditors is written too, so that this one may lead there.

    Returns
    -------
    str
        A complete HTML file: no script, no external address, every figure with its numbers and a description.
    """
    words, result = load(language), facts.readable(result)
    csvs = csv_files(result)
    carried = drawings.small(csvs)
    shown = drawings.draw_figures((*FIGURES.values(), *audit_rows.figures(result)), result, words, carried)
    checked = audit_rows.rows(result, words, shown, carried)
    linked = {figure.csv_name for figure in shown.values()} | {name for row in checked for name, _, _ in row.files}
    design = result.design
    found = _sections(result, words, shown)
    return drawings.template("page.html.jinja").render(
        w=words,
        capital=capital,
        result=result,
        design=design,
        language=language,
        version=__version__,
        others=drawings.other_pages(result, language),
        style=drawings.style(),
        sections=found,
        titles=dict(found),
        figures=shown,
        cycle=cycle.section(result, words),
        audit={
            "rows": checked,
            "summary": audit_sentences.counts(result, words),
            "link": drawings.page_link(result, language, ".audit") if audit else None,
        },
        answer={
            "headline": sentences.headline_sentence(result, words),
            "opposite": sentences.opposite_sentence(result, words),
            "effect": words.number(result.headline.effect, design.decimals),
            "unit": words.text(design.outcome_unit),
            "over": words(
                "answer.card.once" if design.window[0] == design.window[1] else "answer.card.average",
                window=words.span(*design.window),
            ),
            "interval": _interval(result, words),
            "percent": _percent(result, words),
            "ruled_out": sentences.ruled_out_sentence(result, words) or sentences.no_interval_sentence(result, words),
            "title": words("certainty.weight_title" if result.verdict.direction == "unclear" else "certainty.title"),
            "doubt": sentences.doubt_sentence(result, words),
            "strength": sentences.strength(result, words),
            "before": power.before_sentence(result, words),
            "uncertainty": sentences.uncertainty_sentences(result, words),
            "limits": sentences.limits(result, words),
            "target": sentences.target_sentences(result, words),
            "target_source": words.text(design.target_group.source) if design.target_group else "",
            "reasons": [remarks.note_sentence(note, result, words) for note in result.verdict.reasons],
        },
        what=_what(result, words),
        excluded=_excluded(result, words),
        flow=None if "flow" in shown else _flow(result, words),
        persons={
            "counters": persons.counter_lines(result, words),
            "imputed": persons.imputed_table(result, words),
            "exits": persons.exits_table(result, words),
            "margins": persons.margins_tables(result, words),
        },
        protected=[
            remarks.note_sentence(one, result, words)
            for one in result.disclosure.actions
            if one.code != "small_units_hidden"
        ],
        text=_texts(result, words),
        secondary=secondary.results_table(result, words),
        secondary_notes=secondary.notes(result, words),
        not_run={section: _not_run(result, words, checks) for section, checks in CHECKS_OF.items()},
        failures={kind: _failures(result, words, kind) for kind in FAILED},
        checks=[_checked(one, result, words) for one in result.checks],
        check_summary=remarks.status_counts(result, words),
        methods=_methods(result, words),
        inferences=_inferences(result, words),
        chosen=reasons.chosen_sentences(result, words),
        coverage=reasons.coverage_sentences(result, words),
        coverage_table=reasons.coverage_table(result, words),
        notes=list(_notes(result, words)),
        inputs=_inputs(result, words),
        packages=_packages(result, words),
        defaults=_defaults(result, words),
        downloads=[(name, drawings.csv_link(content)) for name, content in carried.items() if name not in linked],
        glossary=[
            (words(f"glossary.{key}"), words(f"glossary.{key}_text", **_glossary_slots(result, words)))
            for key in GLOSSARY
        ],
    )


FAILED = ("estimator", "inference", "check", "figure", "secondary")
"""Kinds of what could not be computed, each a box in a section of its own."""
GLOSSARY = ("counterfactual", "effect", "interval", "placebo", "comparison", "trend", "p", "points")


def _sections(result: Result, words: Words, shown: dict[str, Shown]) -> list[tuple[str, str]]:
    """(key, title) of each section that has something to say, in the page's order."""
    drawn = {FIGURES[key].section for key in shown if key in FIGURES}
    ran = {section: _not_run(result, words, checks) for section, checks in CHECKS_OF.items()}
    present = {
        "persons": result.population is not None, "secondary": secondary.present(result), "observed": "observed" in drawn,
        "when": "when" in drawn, "turn": "turn" in drawn or bool(ran["turn"]),
        "wrong": "wrong" in drawn or bool(ran["wrong"]),
    }  # fmt: skip
    keys = (
        "answer", "what", "persons", "observed", "cycle", "when", "methods", "chance", "secondary", "turn", "wrong", "weights",
        "checks", "method", "glossary",
    )  # fmt: skip
    plural = words.text(result.design.unit_label_plural)
    return [(key, words(f"section.{key}", plural=plural)) for key in keys if present.get(key, True)]


def _texts(result: Result, words: Words) -> dict[str, list[str]]:
    """The running text of each section."""
    design = result.design
    observed = words(
        "observed.text",
        method=sentences.method(result.headline, words, "the"),
        outcome=words.text(design.outcome_label),
        units=words.listed(design.treated),
    )
    return {
        "observed": [observed],
        "persons": persons.who_sentences(result, words),
        "methods": sentences.agreement_sentences(result, words),
        "published": persons.published_sentences(result, words),
        "chance": sentences.chance_sentences(result, words),
        "secondary": secondary.intro(result, words) if secondary.present(result) else [],
        "many": secondary.many(result, words),
        "found": secondary.findings(result, words),
        "power": power.power_sentences(result, words),
        "turn": sentences.turn_sentences(result, words),
        "balance": persons.balance_sentences(result, words),
        "weights": sentences.weights_sentences(result, words),
        "when": [
            *(_checked(one, result, words).sentence for one in result.checks if one.id == "pre_trends"),
            *together_sentences(result, words),
        ],
        "wrong": [
            _checked(one, result, words).sentence
            for one in result.checks
            if one.id in CHECKS_OF["wrong"] and one.status != "not_run"
        ],
    }


def _interval(result: Result, words: Words) -> str | None:
    if not facts.valid(result):
        return None
    limits = (words.number(value, result.design.decimals) for value in (result.headline.lower, result.headline.upper))
    lower, upper = limits
    between = words("number.interval", lower=lower, upper=upper)
    return words("answer.card.interval", level=sentences.level(result.headline, words), interval=between)


def _percent(result: Result, words: Words) -> str | None:
    """The effect in per cent, where there is an effect to speak of."""
    if result.headline.percent is None or result.verdict.direction == "unclear":
        return None
    return words(
        f"answer.card.percent_{result.verdict.direction}", percent=sentences.share_of_level(result.headline, words)
    )


def _what(result: Result, words: Words) -> list[tuple[str, str]]:
    design = result.design
    plural = words.text(design.unit_label_plural)
    pairs = {
        "treated": words.listed(design.treated),
        "start": capital(_starts(result, words)),
        "window": words.span(*design.window),
        "before": capital(words.before(design.before, each=facts.several_starts(result))),
        "outcome": capital(words.text(design.outcome_label)),
        "unit": words.text(design.outcome_unit),
        "compared": words("what.compared_value", controls=words.number(len(design.controls)), plural=plural),
        "weights": capital(words(f"what.weighted.{design.weights}", plural=plural)),
        "method": capital(sentences.method(result.headline, words)),
        "data": words.text(design.data_source),
    }
    return [(words(f"what.{key}"), value) for key, value in pairs.items() if value]


def _starts(result: Result, words: Words) -> str:
    """The start of the programme; of units that started at different times, every start."""
    known = facts.starts(result)
    if len(known) > 1 or not facts.several_starts(result):
        return words.listed([words.period(start) for start in known])
    return words("period.later", first=words.period(known[0]))


def _excluded(result: Result, words: Words) -> Table | None:
    rows = [(one.unit, words.text(one.reason) or words("what.excluded.missing")) for one in result.design.excluded]
    head = (words("what.excluded.unit"), words("what.excluded.reason"))
    return table(words("what.excluded.title"), head, rows, (0, 1)) if rows else None


def _flow(result: Result, words: Words) -> Table | None:
    rows = [
        (
            persons.step_name(one, words, result.population is not None),
            persons.counted(one.rows, words),
            words.number(one.units),
        )
        for one in result.flow
    ]
    head = [words(f"flow.{key}") for key in ("step", "rows", "units")]
    return table(words("flow.title"), head, rows) if rows else None


def _checked(one: CheckResult, result: Result, words: Words) -> Checked:
    return Checked(
        one.id, one.status, remarks.check_title(one, result, words), remarks.check_sentence(one, result, words)
    )


def _not_run(result: Result, words: Words, checks: tuple[str, ...]) -> list[str]:
    return [
        _checked(one, result, words).sentence for one in result.checks if one.id in checks and one.status == "not_run"
    ]


def _failures(result: Result, words: Words, kind: str) -> list[tuple[str, list[str]]]:
    return [
        (remarks.failure_sentence(one, result, words), remarks.problems(one, words))
        for one in result.failures
        if one.kind == kind
    ]


def _methods(result: Result, words: Words) -> list[tuple[str, str]]:
    """Each method once, headline first, with its paragraph."""
    codes = dict.fromkeys(one.method for one in (result.headline, *result.estimates))
    known = [code for code in codes if f"methods.{code}.text" in words]
    return [(capital(words(f"methods.{code}.name")), words(f"methods.{code}.text")) for code in known]


def _inferences(result: Result, words: Words) -> list[tuple[str, str]]:
    codes = dict.fromkeys(one.inference for one in (result.headline, *result.estimates))
    known = [code for code in codes if f"inference.{code}.text" in words]
    return [(capital(words(f"inference.{code}.name")), words(f"inference.{code}.text")) for code in known]


def _notes(result: Result, words: Words) -> Iterator[tuple[str, str]]:
    """Remarks on each estimate, with its name; the same remark on several stands once."""
    said: dict[str, list[str]] = {}
    for one in (result.headline, *result.estimates):
        for note in one.notes:
            said.setdefault(remarks.note_sentence(note, result, words), []).append(sentences.method(one, words))
    for sentence, names in said.items():
        yield capital(words.listed(list(dict.fromkeys(names)))), sentence


def _inputs(result: Result, words: Words) -> Table:
    head = [words(f"method.{key}") for key in ("file", "rows", "columns", "bytes", "hash")]
    rows = [
        (one.name, words.number(one.rows), words.number(one.columns), words.number(one.bytes), one.sha256)
        for one in result.provenance.inputs
    ]
    return table(words("method.files"), head, rows, (0, 4))


def _packages(result: Result, words: Words) -> Table:
    known = {"nettoeffekt": result.provenance.version, "Python": result.provenance.python, **result.provenance.packages}
    return table(words("method.software"), (words("method.package"), words("method.version")), known.items(), (0, 1))


def _defaults(result: Result, words: Words) -> Table | None:
    rows = [
        (key, words.number(value, 2) if isinstance(value, float) else str(value))
        for key, value in result.provenance.defaults.items()
    ]
    head = (words("method.default_key"), words("method.default_value"))
    return table(words("method.defaults"), head, rows, (0, 1)) if rows else None


def _glossary_slots(result: Result, words: Words) -> dict[str, str]:
    return {"plural": words.text(result.design.unit_label_plural), "level": sentences.level(result.headline, words)}
