"""What the checks, the notes and the failures say, one sentence each, chosen by status and filled from facts."""

from __future__ import annotations

import math

from evaluation.report import facts
from evaluation.report.sentences import adjustment, amount, fact, group, inference
from evaluation.report.words import Words, capital
from evaluation.result import CheckResult, Failure, Note, Result, Value


def check_title(one: CheckResult, result: Result, words: Words) -> str:
    """The question a check asks."""
    key = words.first(f"check.{one.id}.title", f"audit.{one.id}.title")
    if key is None:
        return capital(one.id.replace("_", " "))
    return words(key, plural=words.text(result.design.unit_label_plural), units=words.listed(result.design.treated))


def check_sentence(one: CheckResult, result: Result, words: Words) -> str:
    """What a check found; when it was not run, why not."""
    kind = honest_kind(one) if one.id == "honest_did" else one.status
    known = f"check.{one.id}.{kind}" in words
    sentence = words(f"check.{one.id}.{kind}" if known else f"check.other.{one.status}", **_slots(one, result, words))
    if one.status == "not_run" and one.reason:
        return f"{sentence} {words('checks.reason', reason=reason(one.reason, words, one.facts.get('count')))}"
    return sentence


def status_counts(result: Result, words: Words) -> str:
    """How many checks passed, warn, failed and were not run."""
    counts = {
        status: sum(one.status == status for one in result.checks)
        for status in ("passed", "warns", "failed", "not_run")
    }
    return words.listed(
        [words(f"status.count.{status}", count=words.number(count)) for status, count in counts.items() if count]
    )


def reason(code: str, words: Words, count: Value = None) -> str:
    """Why something was not run: a phrase where the reason is a key, else the reason itself."""
    if count is not None and (key := f"reason.{code}_count") in words:
        return words(key, count=fact(count, words))
    return words(f"reason.{code}") if f"reason.{code}" in words else code.rstrip(".")


def note_sentence(note: Note, result: Result, words: Words) -> str:
    """A note in the reader's language; one there are no words for (or not all facts of) is shown as it came."""
    key = f"note.{note.code}"
    if key not in words:
        return note.text
    try:
        slots = {name: fact(value, words) for name, value in note.facts.items()}
        named = note.facts.get("methods", note.facts.get("names"))
        if named is not None:
            codes = facts.texts(named) or tuple(str(named).split(", "))
            slots["methods"] = words.listed([_method_name(code, words) for code in codes])
        if note.code == "cycle_decides" and not note.facts.get("opposite"):
            key = "note.cycle_decides_zero"
        if note.code == "methods_agree" and note.facts.get("count") == 2:
            key = "note.methods_agree_two"
        if note.code == "inference_not_valid":
            if result.headline.lower is None or result.headline.upper is None:
                key = "note.inference_no_interval"
            elif facts.doubtful(result):
                key = "note.inference_doubtful"
        if note.code == "checks_missing" and not _before_untested(result):
            key = "note.checks_missing_methods"
        if note.code == "checks_passed":
            return _checks_passed(note, result, words)
        standing = _standing(result, words)
        if note.code == "too_few_placebos":
            standing["plural"] = group(result, words)
        return words(key, **slots, **standing)
    except (KeyError, TypeError):
        return note.text


def problems(failure: Failure, words: Words) -> list[str]:
    """The program's own messages, without the code name of a method or an inference they begin with."""
    told = []
    for one in failure.problems:
        code, colon, rest = one.partition(": ")
        known = code == failure.name or words.first(f"methods.{code}.name", f"inference.{code}.name") is not None
        told.append((rest if colon and known else one).rstrip("."))
    return told


def _before_untested(result: Result) -> bool:
    """Whether no check looked at the time before the start."""
    return all(facts.check(result, name) is None for name in ("pre_trends", "placebo_in_time"))


def _checks_passed(note: Note, result: Result, words: Words) -> str:
    """How many checks passed, and where not all could be run, how many could."""
    passed, ran = (int(facts.number(note.facts.get(key)) or 0) for key in ("passed", "count"))
    total = max(len(result.checks), ran)
    if ran == total:
        kind = "checks_passed_all" if passed == ran > 2 else "checks_passed"
    elif passed < ran or not ran:
        kind = "checks_run_some"
    else:
        kind = {1: "checks_run_one", 2: "checks_run_both"}.get(ran, "checks_run_all")
    slots = {"passed": words.number(passed), "count": words.number(ran), "total": words.number(total)}
    return words(f"note.{kind}", **slots)


def failure_sentence(failure: Failure, result: Result, words: Words) -> str:
    """What could not be computed."""
    names = {
        "estimator": lambda: _method_name(failure.name, words),
        "inference": lambda: inference(failure.name, words),
        "check": lambda: check_title(CheckResult(failure.name, "not_run"), result, words),
        "figure": lambda: failure.name.replace("_", " "),
        "secondary": lambda: words.text(failure.label) or failure.name,
    }
    return capital(words(f"failure.{failure.kind}", name=names[failure.kind]()))


def _standing(result: Result, words: Words) -> dict[str, str]:
    """Slots every note may use besides its own facts."""
    return {
        "treated_units": words.listed(result.design.treated),
        "unit_word": words.text(result.design.unit_label),
        "plural": words.text(result.design.unit_label_plural),
    }


def _slots(one: CheckResult, result: Result, words: Words) -> dict[str, str]:
    """Every slot a check's sentence may have."""
    slots = {
        "units": words.listed(result.design.treated),
        "plural": words.text(result.design.unit_label_plural),
        "p": words.p_value(None),
        "adjust": adjustment(result.cycle.adjust, words),
    }
    if one.status == "not_run":
        return slots
    filler = _FILLERS.get(one.id)
    return slots | (filler(one, result, words) if filler else {})


def _pre_trends(one: CheckResult, result: Result, words: Words) -> dict[str, str]:
    largest = str(one.facts.get("largest_period", ""))
    # with several starts the effects are by periods since each unit's own
    before = words("check.pre_trends.before", count=largest[1:]) if largest.startswith("-") else words.period(largest)
    return {
        "largest": amount(facts.number(one.facts.get("largest")) or 0.0, result, words),
        "period": before,
        "p": words.p_value(facts.number(one.facts.get("p_value"))),
    }


def _placebo_in_time(one: CheckResult, result: Result, words: Words) -> dict[str, str]:
    known = [p for p in facts.numbers(one.series.get("p_values")) if p is not None]
    return {
        "starts": words.listed([words.period(start) for start in facts.texts(one.series.get("starts"))]),
        "p": words.p_value(min(known) if known else None),
    }


def _leave_one_out(one: CheckResult, result: Result, words: Words) -> dict[str, str]:
    decimals = result.design.decimals
    return {
        "low": words.number(facts.number(one.facts.get("low")), decimals),
        "high": words.number(facts.number(one.facts.get("high")), decimals),
        "low_unit": str(one.facts.get("low_unit", "")),
        "high_unit": str(one.facts.get("high_unit", "")),
    }


def _donor_weights(one: CheckResult, result: Result, words: Words) -> dict[str, str]:
    return {
        "method": _method_name(str(one.facts.get("method", result.headline.method)), words),
        "used": words.number(facts.number(one.facts.get("n_used"))),
        "effective": words.number(facts.number(one.facts.get("effective")), 1),
        "share": words.share(facts.number(one.facts.get("largest"))),
        "largest_unit": str(one.facts.get("largest_unit", "")),
    }


def _method_name(code: str, words: Words) -> str:
    """The name of an estimator, or of a way of taking the business cycle out."""
    key = words.first(f"methods.{code}.name", f"cycle.adjust.{code}")
    return code.replace("_", " ") if key is None else words(key)


def _every_unit_treated(one: CheckResult, result: Result, words: Words) -> dict[str, str]:
    names = facts.texts(one.series.get("methods"))
    shares = dict(zip(names, facts.numbers(one.series.get("shares"), len(names)), strict=True))
    used = result.headline.inference
    return {
        "count": words.number(facts.number(one.facts.get("n_units"))),
        "method": inference(used, words, "the"),
        "share": words.share(shares.get(used, one.value)),
        "level": words.percent(facts.number(one.facts.get("level")) or 0.05),
    }


def honest_kind(one: CheckResult) -> str:
    """The status, or a finer kind of it: there is no effect to lose, or nothing would take it."""
    if one.status == "not_run":
        return one.status
    if one.facts.get("significant") is False:
        return "open"
    return "always" if facts.number(one.facts.get("m_bar")) is None else one.status


def honest_slots(one: CheckResult, result: Result, words: Words) -> dict[str, str]:
    """What the sentences on trends that differ need."""
    decimals = result.design.decimals
    bounds = facts.numbers(one.series.get("m_bar"))
    ends = {key: facts.numbers(one.series.get(key), len(bounds)) for key in ("lowers", "uppers")}
    as_large = bounds.index(1.0) if 1.0 in bounds else -1

    def end(key: str) -> str:
        return words.number(ends[key][as_large] if as_large >= 0 else None, decimals)

    period = one.facts.get("last_before")
    return {
        "units": words.listed(result.design.treated),
        "step": amount(facts.number(one.facts.get("largest_step")) or 0.0, result, words),
        "times": _rounded_down(facts.number(one.facts.get("m_bar")) or 0.0, words),
        "interval": words(
            "number.interval",
            lower=words.number(facts.number(one.facts.get("lower")), decimals),
            upper=words.number(facts.number(one.facts.get("upper")), decimals),
        ),
        "wide": words("number.interval", lower=end("lowers"), upper=end("uppers")),
        "period": words.period(period) if isinstance(period, str) else "",
    }


def _rounded_down(value: float, words: Words) -> str:
    """So many times as large and no more, with as many decimals as it takes not to be zero."""
    decimals = 1
    while 0.0 < value < 10.0**-decimals and decimals < 4:
        decimals += 1
    return words.number(math.floor(value * 10.0**decimals + 1e-9) / 10.0**decimals, decimals)


_FILLERS = {
    "honest_did": honest_slots,
    "pre_trends": _pre_trends,
    "placebo_in_time": _placebo_in_time,
    "leave_one_out": _leave_one_out,
    "donor_weights": _donor_weights,
    "every_unit_treated": _every_unit_treated,
}
