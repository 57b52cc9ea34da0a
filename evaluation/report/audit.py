"""The page for auditors: every number of the adjustment for the business cycle traced to its formula, rows and coefficients.

Like the other pages a pure function of a Result and a language: no data, no script, nothing from anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from evaluation._version import __version__
from evaluation.report import audit_rows, audit_sentences, drawings, facts, persons, remarks, sentences
from evaluation.report.audit_formulas import CELLS, FORMULAS
from evaluation.report.audit_rows import AuditRow
from evaluation.report.csvs import csv_files
from evaluation.report.cycle import rung_name
from evaluation.report.tables import Table, table
from evaluation.report.words import HUGE, Words, capital, load
from evaluation.result import CheckResult, LadderRung, Result, Value

NAMED = frozenset({"adjust", "variant", "notes"})
"""Fields of a rung that its name and its remarks tell already."""


@dataclass(frozen=True, slots=True)
class Traced:
    """One check with everything it rests on."""

    row: AuditRow
    rule: str
    formula: str
    cells: str
    facts: Table | None


def render_audit(result: Result, language: str) -> str:
    """The whole page for auditors in one language.

    Parameters
    ----------
    result : Result
        All there is to show.
    language : str
        One of `languages()`.

    Returns
    -------
    str
        A complete HTML file: no script, no external address, every figure with its numbers and a description.
    """
    words, result = load(language), facts.readable(result)
    csvs = csv_files(result)
    carried = drawings.small(csvs)
    shown = drawings.draw_figures(audit_rows.figures(result), result, words, carried)
    rows = audit_rows.rows(result, words, shown, carried, most=None)
    checks = {one.id: one for one in result.cycle.audit}
    return drawings.template("audit.html.jinja").render(
        w=words,
        result=result,
        design=result.design,
        language=language,
        version=__version__,
        style=drawings.style(),
        others=drawings.other_pages(result, language, ".audit"),
        main_page=drawings.page_link(result, language),
        figures=shown,
        failures={
            "check": [
                (remarks.failure_sentence(one, result, words), remarks.problems(one, words))
                for one in result.failures
                if one.kind == "check"
            ]
        },
        headline=sentences.headline_sentence(result, words),
        size=sentences.size_sentence(result, words),
        answer=_answer(result, words),
        summary=audit_sentences.counts(result, words),
        traced=[_traced(row, checks[row.id], result, words) for row in rows],
        overview=_overview(rows, result, words),
        thresholds=_thresholds(result, words),
        terms=_terms(result, words),
        ladder=_ladder(result, words),
        rung_notes=[
            (capital(rung_name(rung, words)), [remarks.note_sentence(note, result, words) for note in rung.notes])
            for rung in result.cycle.ladder
            if rung.notes
        ],
        accounts=[each for each in (_waterfall(result, words), _series(result, words), _bad_control(result, words)) if each],
        cycle_notes=[remarks.note_sentence(note, result, words) for note in result.cycle.notes],
        inputs=_inputs(result, words),
        flow=_flow(result, words),
        cells=_cells(result, words),
        excluded=_excluded(result, words),
        packages=_pairs(
            words("method.software"),
            (words("method.package"), words("method.version")),
            {"nettoeffekt": result.provenance.version, "Python": result.provenance.python, **result.provenance.packages},
            words,
        ),
        defaults=_pairs(
            words("method.defaults"), (words("method.default_key"), words("method.default_value")), result.provenance.defaults, words
        ),
        protected=[remarks.note_sentence(one, result, words) for one in result.disclosure.actions],
        downloads=[(name, drawings.csv_link(text)) for name, text in carried.items()],
    )  # fmt: skip


def _answer(result: Result, words: Words) -> Table:
    """The headline in full, with more digits than the page."""
    one = result.headline
    known: dict[str, Value] = {
        "method": sentences.method(one, words),
        "adjust": sentences.adjustment(one.adjust, words),
        "inference": sentences.inference(one.inference, words),
        **{name: getattr(one, name) for name in ("effect", "std_error", "lower", "upper", "level", "p_value")},
        **{name: getattr(one, name) for name in ("baseline", "percent", "n_units", "n_treated", "n_periods")},
    }
    named = {words(f"audit_page.headline.{name}"): value for name, value in known.items()}
    return _pairs(words("audit_page.answer"), _heads(words), named, words) or table("", ("", ""), [])


def _traced(row: AuditRow, one: CheckResult, result: Result, words: Words) -> Traced:
    rule = ""
    if one.id in audit_sentences.RULES:
        passes, warns = audit_sentences.rule_texts(one.id, words)
        rule = words("audit_page.rule", passes=passes, warns=warns)
        if (key := f"audit.also.{one.id}") in words:
            rule = words("audit_page.rule_also", passes=passes, warns=warns, also=words(key))
    cells = CELLS.get(one.id, "")
    return Traced(
        row,
        rule,
        FORMULAS.get(one.id, ""),
        words(f"audit_page.cells.{cells}", **_cell_slots(result, words)) if cells else "",
        _pairs(words("audit_page.facts", title=row.title), _heads(words), one.facts, words),
    )


def _overview(rows: Iterable[AuditRow], result: Result, words: Words) -> Table:
    head = [words(f"audit_page.overview.{key}") for key in ("check", "status", "value")]
    told = [(row.title, f"{row.icon}\N{NO-BREAK SPACE}{words(f'status.{row.status}')}", row.measured) for row in rows]
    return table(words("audit.block"), head, told, (0, 1, 2))


def _thresholds(result: Result, words: Words) -> Table:
    """Every bound in one table; all are defaults, and an assumption of ours."""
    head = [words(f"audit_page.threshold.{key}") for key in ("check", "passes", "warns", "also", "source")]
    rows = []
    for name in audit_sentences.RULES:
        one = facts.audit(result, name) or CheckResult(name, "not_run")
        also = words(key) if (key := f"audit.also.{name}") in words else ""
        bounds = audit_sentences.rule_texts(name, words)
        rows.append((audit_sentences.title(one, result, words), *bounds, also, words("audit_page.threshold.default")))
    return table(words("audit_page.thresholds"), head, rows, range(5))


def _terms(result: Result, words: Words) -> list[Table]:
    """The coefficients of the headline's adjustment: single numbers, then one row per unit."""
    terms = result.cycle.terms or _adjustment(result)
    single = {key: value for key, value in terms.items() if not isinstance(value, (dict, list))}
    found = [_pairs(words("audit_page.terms_single"), _heads(words), single, words)]
    by_unit = {key: value for key, value in terms.items() if isinstance(value, dict)}
    names = list(dict.fromkeys(name for column in by_unit.values() for name in column))
    if names:
        rows = [(name, *(_number(column.get(name), words) for column in by_unit.values())) for name in names]
        head = (words("audit.column.units"), *by_unit)
        found.append(table(words("audit_page.terms_units", count=words.number(len(names))), head, rows))
    lists = {key: value for key, value in terms.items() if isinstance(value, list)}
    found.append(_pairs(words("audit_page.terms_lists"), _heads(words), lists, words))
    return [one for one in found if one is not None]


def _adjustment(result: Result) -> Mapping[str, Value]:
    terms = result.headline.details.get("adjustment")
    return terms if isinstance(terms, dict) else {}


def _ladder(result: Result, words: Words) -> Table | None:
    """Every field of every rung, also of those that could not be computed."""
    if not result.cycle.ladder:
        return None
    kept = [each.name for each in fields(LadderRung) if each.name not in NAMED]
    rows = []
    for rung in result.cycle.ladder:
        told = [_rung_cell(name, getattr(rung, name), words) for name in kept]
        rows.append((capital(rung_name(rung, words)), *told))
    head = (words("audit.column.adjusts"), *(words(f"audit_page.rung.{name}") for name in kept))
    text = (
        0,
        *(1 + kept.index(name) for name in ("method", "inference", "status", "reason", "headline", "recommended")),
    )
    return table(words("audit_page.ladder"), head, rows, text)


def _rung_cell(name: str, value: Value, words: Words) -> str:
    if isinstance(value, bool):
        return words("audit.yes" if value else "audit.no")
    if name == "method":
        return words(key) if (key := f"methods.{value}.name") in words else str(value).replace("_", " ")
    if name == "inference":
        return sentences.inference(str(value), words)
    if name == "status":
        return words(f"audit.statuses.{value}")
    if name == "reason":
        return remarks.reason(str(value), words) if value else ""
    return "" if value is None else _number(value, words)


def _waterfall(result: Result, words: Words) -> Table | None:
    rows = [
        (_part(one.name, words), *(_number(value, words) for value in (one.amount, one.lower, one.upper)))
        for one in result.cycle.waterfall
    ]
    head = [words(f"audit_page.part.{key}") for key in ("name", "amount", "lower", "upper")]
    return table(words("audit_page.waterfall"), head, rows) if rows else None


def _part(name: str, words: Words) -> str:
    key = words.first(f"cycle.part.{name}", f"cycle.parts.{name}", f"waterfall.{name}")
    return words(key) if key else name.replace("_", " ")


def _series(result: Result, words: Words) -> Table | None:
    rows = [
        (words.text(one.label) or one.name, words(f"audit_page.level.{one.level}"), words.text(one.unit), _plain(one.facts, words))
        for one in result.cycle.series
    ]  # fmt: skip
    head = [words(f"audit_page.series.{key}") for key in ("name", "level", "unit", "facts")]
    return table(words("audit_page.series.title"), head, rows, range(4)) if rows else None


def _bad_control(result: Result, words: Words) -> Table | None:
    return _pairs(words("audit_page.bad_control"), _heads(words), result.cycle.bad_control or {}, words)


def _inputs(result: Result, words: Words) -> Table:
    head = [words(f"method.{key}") for key in ("file", "rows", "columns", "bytes", "hash")]
    rows = [
        (one.name, words.number(one.rows), words.number(one.columns), words.number(one.bytes), one.sha256)
        for one in result.provenance.inputs
    ]
    return table(words("method.files"), head, rows, (0, 4))


def _flow(result: Result, words: Words) -> Table | None:
    rows = [
        (
            persons.step_name(one, words, result.population is not None),
            persons.counted(one.rows, words),
            words.number(one.units),
            _plain({key: value for key, value in one.facts.items() if value not in ("", None)}, words),
        )
        for one in result.flow
    ]
    head = [*(words(f"flow.{key}") for key in ("step", "rows", "units")), words("audit_page.series.facts")]
    return table(words("flow.title"), head, rows, (0, 3)) if rows else None


def _cells(result: Result, words: Words) -> Table:
    """How many cells there are, and which of them a coefficient may rest on."""
    slots = _cell_slots(result, words)
    keys = ("units", "controls", "periods", "start", "before", "window", "every", "untreated")
    rows = [(words(f"audit_page.cell.{key}"), slots[key]) for key in keys]
    return table(words("audit_page.cell.title"), _heads(words), rows, (0, 1))


def _cell_slots(result: Result, words: Words) -> dict[str, str]:
    design = result.design
    treated, controls, periods = len(design.treated), len(design.controls), len(design.periods)
    before = sum(period < design.start for period in design.periods)
    return {
        "units": words.listed(design.treated),
        "controls": words.number(controls),
        "count": words.number(treated + controls),
        "plural": words.text(design.unit_label_plural),
        "periods": words("audit_page.cell.span", count=words.number(periods), span=_span(design.periods, words)),
        "start": words.period(design.start),
        "before": words.span(*design.before),
        "window": words.span(*design.window),
        "every": words.number((treated + controls) * periods),
        "untreated": words.number(controls * periods + treated * before),
    }


def _span(periods: tuple[str, ...], words: Words) -> str:
    return words.span(periods[0], periods[-1]) if periods else ""


def _excluded(result: Result, words: Words) -> Table | None:
    rows = [(one.unit, words.text(one.reason) or words("what.excluded.missing")) for one in result.design.excluded]
    head = (words("what.excluded.unit"), words("what.excluded.reason"))
    return table(words("what.excluded.title"), head, rows, (0, 1)) if rows else None


def _heads(words: Words) -> tuple[str, str]:
    return words("audit_page.name"), words("audit_page.value")


def _pairs(caption: str, head: tuple[str, str], values: Mapping[str, Value], words: Words) -> Table | None:
    """Names and values as a table; None without any."""
    rows = [(name, _number(value, words)) for name, value in values.items()]
    return table(caption, head, rows, (0, 1)) if rows else None


def _plain(values: Mapping[str, Value], words: Words) -> str:
    return "; ".join(f"{name}: {_number(value, words)}" for name, value in values.items())


def _number(value: Value, words: Words) -> str:
    """Any value in the language's own form: numbers with four digits at least, lists one after another."""
    if value is None:
        return words("number.missing")
    if isinstance(value, bool):
        return words("audit.yes" if value else "audit.no")
    if isinstance(value, str):
        return value or words("audit.nothing")
    if isinstance(value, dict):
        return _plain(value, words) or words("audit.nothing")
    if isinstance(value, list):
        return ", ".join(_number(each, words) for each in value) or words("audit.nothing")
    if float(value).is_integer():
        return words.number(value)
    digits = 4
    while digits < 10 and abs(value) < 10.0 ** (3 - digits):
        digits += 1
    text, mark = words.number(value, digits), words.phrases["number.decimal"]
    return text.rstrip("0").removesuffix(mark) if mark in text and value < HUGE else text
