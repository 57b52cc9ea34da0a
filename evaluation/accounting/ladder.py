"""The ladder: the headline estimator under every adjustment."""

from __future__ import annotations

from evaluation.result import LadderRung
from evaluation.study import Study


def ladder(study: Study) -> tuple[LadderRung, ...]:
    """One rung for each way of taking the cycle out."""
    headline = study.headline
    return (
        LadderRung(
            headline.adjust, headline.effect, headline.lower, headline.upper, headline.p_value, 0.0, headline=True
        ),
    )
