"""The section on the business cycle: what was taken out, how much that was, and what else the answer could have been."""

from __future__ import annotations

from evaluation.report.remarks import reason
from evaluation.report.sentences import adjustment
from evaluation.report.words import Words, capital
from evaluation.result import LadderRung


def rung_name(rung: LadderRung, words: Words) -> str:
    """The name of a rung, with what tells it from another of the same adjustment."""
    name = adjustment(rung.adjust, words)
    if not rung.variant:
        return name
    key = f"cycle.variant.{rung.variant}"
    return words("cycle.with_variant", adjust=name, variant=words(key) if key in words else rung.variant)


def rung_label(rung: LadderRung, words: Words) -> str:
    """The name as it stands beside a row: marked where the rung is the one advised, or is not to be believed."""
    name = capital(rung_name(rung, words))
    if rung.status == "comparison":
        return words("cycle.label.comparison", name=name)
    return words("cycle.label.recommended", name=name) if rung.recommended else name


def rung_state(rung: LadderRung, words: Words) -> str:
    """What the table says about a rung: the headline, the one advised, or why it is not to be believed or not there."""
    if rung.status == "comparison":
        return words("cycle.state.comparison", reason=reason(rung.reason, words))
    if rung.status == "not_run":
        return words("cycle.state.not_run", reason=reason(rung.reason, words))
    if rung.headline:
        return words("cycle.state.headline_recommended" if rung.recommended else "cycle.state.headline")
    return words("cycle.state.recommended") if rung.recommended else ""
