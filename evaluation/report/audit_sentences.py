"""What the auditor's checks say: the question, the number against its bound, the sentence to quote, and how it was computed.

A sentence is chosen by status and filled from the check's own facts; a fact that is missing reads "not available". No sentence
says more than was computed: a check that passed "found nothing that speaks against", never "there is nothing".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evaluation.report import facts
from evaluation.report.remarks import reason
from evaluation.report.sentences import adjustment, method
from evaluation.report.words import Words, capital
from evaluation.result import CheckResult, Result, Value

Side = Literal["most", "least", "above"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a check's value is written, and up to (or from) where it passes and warns; beyond that it fails.

    The bounds are those of `evaluation.audit.thresholds`, which the report may not import; a test holds one against the other.
    `warns` is None where something else than the value decides between a warning and a failure; with `warns_above` the bound
    itself fails.
    """

    kind: str
    side: Side
    passes: float
    warns: float | None
    warns_above: bool = False


RULES: dict[str, Rule] = {
    "loading_balance": Rule("spread", "most", 0.25, 1.0),
    "backcast": Rule("donors", "least", 0.20, 0.05),
    "ladder": Rule("rungs", "most", 0.0, None),
    "equal_shock_placebos": Rule("share", "most", 0.05, 0.10),
    "in_time_placebos": Rule("p", "above", 0.10, 0.05),
    "negative_controls": Rule("p", "above", 0.10, 0.05),
    "common_shock": Rule("shock", "most", 0.02, 0.10),
    "planted_effect": Rule("planted", "most", 0.02, 0.02),
    "factor_sufficiency": Rule("spread", "most", 0.5, 1.0),
    "spillover_rings": Rule("spread", "most", 0.5, 1.0),
    "donors": Rule("spread", "most", 1.0, 2.0),
    "policy_shocks": Rule("spread", "most", 0.5, 1.0),
    "composition": Rule("spread", "most", 0.5, 1.0),
    "breakdown": Rule("m_bar", "least", 1.0, 0.5),
    "cycle_state": Rule("phase", "least", 0.5, 0.0, True),
    "provenance": Rule("missing", "most", 0.0, None),
}
"""The sixteen checks in the auditor's order, with the default bounds."""

_IN_PERCENT = frozenset({"donors", "share", "shock", "planted", "phase"})
_COUNTS = frozenset({"rungs", "missing"})

# how each fact is written: with the outcome's unit, with two decimals, as a share of one, as a count, ...
_FACTS: dict[str, dict[str, str]] = {
    "loading_balance": {
        "beta": "two", "beta_low": "two", "beta_high": "two", "counterfactual_beta": "two", "donors_mean": "two",
        "donors_sd": "two", "reliability": "two", "cycle_change": "amount", "bias": "amount", "did_bias": "amount",
        "std_error": "amount",
    },
    "backcast": {
        "rmse": "amount", "trough_error": "amount", "trough_period": "period", "median_donor": "amount", "share": "share",
        "periods": "span", "method": "method", "did_rmse": "amount", "did_median": "amount",
    },
    "ladder": {
        "cycle": "amount", "cycle_lower": "number", "cycle_upper": "amount", "outside": "rungs", "opposite": "rungs",
        "highest": "amount", "lowest": "number", "count": "count",
    },
    "equal_shock_placebos": {"count": "count", "effect": "amount", "rank": "count", "beta_within": "two", "demand_within": "two"},
    "in_time_placebos": {"count": "count"},
    "negative_controls": {"count": "count", "largest": "two", "largest_name": "named"},
    "common_shock": {"mean": "amount", "shock": "amount", "rejected": "share", "draws": "count", "tests": "count"},
    "planted_effect": {"planted": "amount", "recovered": "amount", "coverage": "share", "count": "count"},
    "factor_sufficiency": {"rank": "count", "change": "size"},
    "spillover_rings": {
        "full": "amount", "without_ring1": "amount", "without_ring2": "amount", "ring1_effect": "amount",
        "ring2_effect": "amount", "ring1": "list", "ring2": "list",
    },
    "donors": {"low": "number", "low_unit": "text", "high": "amount", "high_unit": "text", "full": "amount"},
    "policy_shocks": {"count": "count", "full": "amount"},
    "composition": {
        "cohort": "amount", "stock": "amount", "reweighted": "amount", "exits_treated": "count", "exits_controls": "count",
    },
    "breakdown": {
        "drift": "two", "drift_limit": "two", "drift_sd": "two", "shock": "amount", "shock_limit": "amount",
        "shock_units": "one", "shock_units_limit": "one", "downturn_fall": "amount", "downturn": "span", "m_bar": "two",
        "m_bar_limit": "two", "local_sd": "amount",
    },
    "cycle_state": {"weakest": "span", "weakest_effect": "amount", "mean": "amount"},
    "provenance": {
        "inputs": "count", "hashes": "count", "spec_sha256": "text", "frozen": "text", "seed": "plain", "version": "text",
        "steps": "count", "deviations": "text",
    },
}  # fmt: skip


def title(one: CheckResult, result: Result, words: Words) -> str:
    """The question a check asks."""
    key = f"audit.{one.id}.title"
    return words(key, **standing(result, words)) if key in words else capital(one.id.replace("_", " "))


def sentence(one: CheckResult, result: Result, words: Words) -> str:
    """The sentence an auditor would quote; of a check that was not run, why not."""
    known = f"audit.{one.id}.{one.status}" in words
    if one.status == "not_run":
        said = words(f"audit.{one.id}.not_run" if known else "check.other.not_run", **standing(result, words))
        if not one.reason:
            return said
        why = words("checks.reason", reason=reason(one.reason, words, one.facts.get("count")))
        return words("audit.not_run_because", sentence=said, reason=why)
    if not known:
        return words(f"audit.other.{one.status}")
    told = slots(one, result, words)
    return " ".join(words(f"audit.{one.id}.{kind}", **told) for kind in _kinds(one, result))


def _kinds(one: CheckResult, result: Result) -> list[str]:
    """The status, or a finer kind of it where a sentence of the status would say more than the facts do."""

    def missing(name: str) -> bool:
        return facts.number(one.facts.get(name)) is None

    if one.id == "provenance" and one.status == "warns" and one.facts.get("frozen"):
        return ["warns_other"]
    if one.id == "loading_balance" and (missing("beta_low") or missing("beta_high")):
        return [f"{one.status}_plain"]
    if one.id == "ladder" and result.cycle.adjust == "none":
        return [f"{one.status}_plain"]
    if one.id == "breakdown":
        first = "open" if one.facts.get("significant") is False else "no_drift" if missing("drift") else one.status
        return [first, "shock_plain" if missing("local_sd") else "shock"]
    return [one.status]


def measured(one: CheckResult, words: Words) -> str:
    """The number against its bound, in words."""
    rule = RULES.get(one.id)
    if one.status == "not_run" or rule is None or one.value is None:
        return words("audit.measured.none")
    bound = rule.passes if one.threshold is None else one.threshold
    return words(
        f"audit.measured.{rule.kind}", value=written(one.value, rule, words), threshold=written(bound, rule, words)
    )


def written(value: float | None, rule: Rule, words: Words) -> str:
    """A value or a bound as its check writes it."""
    if rule.kind == "p":
        return words.p_value(value).removeprefix("=\N{NO-BREAK SPACE}")
    if rule.kind in _IN_PERCENT:
        return words.share(value) if value is None or value >= 0 else words.percent(value)
    return words.number(value, 0 if rule.kind in _COUNTS else 2)


def rule_texts(name: str, words: Words) -> tuple[str, str]:
    """Where a check passes and where it warns, in words."""
    rule = RULES[name]

    def said(bound: float, side: str = rule.side) -> str:
        return words(f"audit.bound.{side}", bound=words(f"audit.unit.{rule.kind}", value=written(bound, rule, words)))

    if rule.warns is None:
        return said(rule.passes), words("audit.bound.other")
    if rule.warns == rule.passes:
        return said(rule.passes), words("audit.bound.other")
    return said(rule.passes), said(rule.warns, "above" if rule.warns_above else rule.side)


def computed(one: CheckResult, result: Result, words: Words) -> str:
    """How the number was computed, in two or three sentences."""
    key = f"audit.{one.id}.computed"
    return words(key, **standing(result, words)) if key in words else ""


def slots(one: CheckResult, result: Result, words: Words) -> dict[str, str]:
    """Every slot the texts of a check may have."""
    found = {name: fact(one.facts.get(name), kind, result, words) for name, kind in _FACTS.get(one.id, {}).items()}
    found |= {"status": words(f"status.{one.status}"), "measured": measured(one, words)}
    rule = RULES.get(one.id)
    found["value"] = words.number(one.value, 2) if rule is None else written(one.value, rule, words)
    if one.id == "in_time_placebos":
        starts = dict.fromkeys(words.period(start) for start in facts.texts(one.series.get("starts")))
        found["starts"] = words.listed(list(starts))
    if one.id == "breakdown":
        shock, usual = (facts.number(one.facts.get(name)) for name in ("shock", "local_sd"))
        found["times"] = words.number(abs(shock) / usual if shock is not None and usual else None, 1)
    if one.id == "provenance":
        items = facts.texts(one.series.get("items"))
        present = facts.values(one.series.get("present"))
        missing = [name for name, there in zip(items, present, strict=False) if not there]
        found["missing"] = words.listed([_inside(item(name, words)) for name in missing]) or words("number.missing")
    return standing(result, words) | found


def standing(result: Result, words: Words) -> dict[str, str]:
    """Slots that every text about a check may use."""
    return {
        "units": words.listed(result.design.treated),
        "plural": words.text(result.design.unit_label_plural),
        "outcome": words.text(result.design.outcome_label),
        "unit": words.text(result.design.outcome_unit),
        "window": words.span(*result.design.window),
        "before": words.span(*result.design.before),
        "headline": amount(result.headline.effect, result, words),
        "main_method": method(result.headline, words),
    }


def amount(value: float | None, result: Result, words: Words) -> str:
    """A number with the outcome's unit, with as many decimals as tell it from zero; words for a missing one."""
    if value is None:
        return words("number.missing")
    text, unit = words.telling(value, result.design.decimals), words.text(result.design.outcome_unit)
    return words("number.amount", number=text, unit=unit) if unit else text


def fact(value: Value, kind: str, result: Result, words: Words) -> str:
    """One fact as it stands in a sentence."""
    number = facts.number(value)
    if kind in {"amount", "size"}:
        return amount(abs(number) if kind == "size" and number is not None else number, result, words)
    if kind == "share":
        return words.share(number)
    if kind in {"number", "two", "one", "count"}:
        decimals = {"number": result.design.decimals, "two": 2, "one": 1, "count": 0}[kind]
        return words.number(number, decimals)
    if kind == "rungs":
        return words.listed([adjustment(name, words) for name in facts.texts(value)]) or words("audit.nothing")
    if kind == "list":
        return words.listed(list(facts.texts(value)), 6) or words("audit.nothing")
    if value is None or value == "":
        return words("number.missing")
    if kind == "span":
        first, dash, last = str(value).partition("-")
        return words.span(first, last) if dash else words.period(first)
    if kind == "period":
        return words.period(str(value))
    if kind == "named":
        return _label(str(value), result, words)
    if kind == "method":
        return words(key) if (key := f"methods.{value}.name") in words else str(value).replace("_", " ")
    return words.listed(list(facts.texts(value)), 6) if isinstance(value, list) else str(value)


def item(name: str, words: Words) -> str:
    """The name of one item of the record of the run."""
    return words(key) if (key := f"audit.item.{name}") in words else name.replace("_", " ")


def _inside(name: str) -> str:
    """A name as it stands inside a sentence: with a small letter, unless it is an abbreviation."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def _label(name: str, result: Result, words: Words) -> str:
    """What cannot be moved, by the label the spec gives it."""
    check = facts.audit(result, "negative_controls")
    if check is not None:
        names, labels = facts.texts(check.series.get("names")), labels_of(check, words)
        if name in names and len(labels) == len(names):
            return labels[names.index(name)]
    return name.replace("_", " ")


def labels_of(check: CheckResult, words: Words) -> tuple[str, ...]:
    """The labels of a check's rows in the reader's language, else their names."""
    names = facts.texts(check.series.get("names"))
    own = facts.texts(check.series.get(f"labels_{words.language}")) or facts.texts(check.series.get("labels_en"))
    if len(own) != len(names):
        return tuple(name.replace("_", " ") for name in names)
    return tuple(label or name.replace("_", " ") for label, name in zip(own, names, strict=True))


def counts(result: Result, words: Words) -> str:
    """How many of the auditor's checks passed, warn, failed and were not run."""
    known = {
        status: sum(one.status == status for one in result.cycle.audit)
        for status in ("passed", "warns", "failed", "not_run")
    }
    return words.listed(
        [words(f"status.count.{status}", count=words.number(count)) for status, count in known.items() if count]
    )
