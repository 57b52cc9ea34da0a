"""Why the uncertainty is measured as it is: what the default rule saw in the design."""

from __future__ import annotations

from evaluation.report import facts
from evaluation.report.words import Words
from evaluation.result import Result


def chosen_sentences(result: Result, words: Words) -> list[str]:
    """The reason for the headline's inference; none where the spec asked for it by name."""
    chosen = result.headline.details.get("chosen")
    if not isinstance(chosen, dict) or f"chosen.{chosen.get('code')}" not in words:
        return []
    slots = {
        "treated": words.number(facts.number(chosen.get("treated"))),
        "controls": words.number(facts.number(chosen.get("controls"))),
        "alone": words.number(facts.number(chosen.get("alone"))),
        "enough": words.number(facts.number(chosen.get("enough"))),
        "p_fit": words.p_value(facts.number(chosen.get("p_fit"))),
        "alarms": words.share(facts.number(chosen.get("alarms")) or 0.0),
        "units": words.listed(result.design.treated),
    }
    return [words(f"chosen.{chosen['code']}", **slots)]
