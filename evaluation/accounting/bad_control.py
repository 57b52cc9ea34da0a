"""What it would cost if the programme itself moved the series that the adjustment uses."""

from __future__ import annotations

from evaluation.result import Value
from evaluation.study import Study


def bad_control(study: Study) -> dict[str, Value] | None:
    """The arithmetic, or None where the headline uses no series that the programme could move."""
    return None
