"""The waterfall: the treated unit's raw change, part by part."""

from __future__ import annotations

from evaluation.result import WaterfallPart
from evaluation.study import Study


def waterfall(study: Study) -> tuple[WaterfallPart, ...]:
    """The parts, the whole first."""
    return ()
