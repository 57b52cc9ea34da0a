"""What it would cost if the programme itself moved the series that the adjustment uses.

If the programme moves local unemployment by Δu and the outcome reacts to it with the slope γ, an adjustment with the own series
takes γ·Δu of the effect away (Angrist & Pischke 2009, Mostly Harmless Econometrics, section 3.2.3). The programme's own Δu is
not known, so what is said is how large it would have to be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluation.accounting.decomposition import change
from evaluation.accounting.ladder import by_name
from evaluation.accounting.recommend import recommended
from evaluation.cycle import local_series
from evaluation.errors import EstimationError
from evaluation.result import LadderRung, Value, number
from evaluation.study import Study


def bad_control(study: Study, ladder: Sequence[LadderRung]) -> dict[str, Value] | None:
    """The arithmetic, or None where neither the headline nor the recommended rung uses the units' own series.

    Returns
    -------
    dict
        `series`: its name. `slope`, `slope_se`: change of the outcome per unit of the series' own movement, from never-treated
        cells. `effect_none`, `effect_own`, `effect_neighbours`, `effect_predicted`: the rungs (None where not computed).
        `spread`: the largest minus the smallest of the last three. `removed`: `effect_none` − `effect_own`. `moved`: how far the
        treated's series changed beyond the controls', from before to the window. `whole`, `half`: by how much the programme
        would have to have moved the series for all, or half, of what the adjustment removed to be its own effect. `headline`:
        whether the headline, and not only the recommended rung, uses the series.
    """
    options = study.pipeline.adjustment_options
    uses = isinstance(options, local_series.Options) and options.use == "own"
    if not uses and recommended(study.panel) != "local_series":
        return None
    # whichever rung it is, the same slope: the headline's options, or the defaults of the recommended rung
    chosen = options if isinstance(options, local_series.Options) and uses else local_series.Options()
    try:
        terms = local_series.METHOD.adjust(study.panel, chosen).terms
    except EstimationError:
        return None
    rungs = by_name(ladder)
    none = _effect(rungs.get(("none", "")))
    effects = {use: _effect(rungs.get(("local_series", use))) for use in ("own", "neighbours", "predicted")}
    known = [value for value in effects.values() if value is not None]
    slope, error = float(terms["local"]), float(terms["local_se"])
    removed = None if none is None or effects["own"] is None else none - effects["own"]
    whole = None if removed is None or not slope or not math.isfinite(slope) else removed / slope
    series = str(terms["series"])
    weights, values = change(study.panel), study.panel.cycle[series]
    controls = (~study.panel.treated).nonzero()[0]
    return {
        "series": series,
        "slope": number(slope),
        "slope_se": number(error),
        "effect_none": none,
        "effect_own": effects["own"],
        "effect_neighbours": effects["neighbours"],
        "effect_predicted": effects["predicted"],
        "spread": max(known) - min(known) if len(known) > 1 else None,
        "removed": removed,
        "moved": weights.of_treated(values) - weights.of_controls(values, controls),
        "whole": number(whole),
        "half": None if whole is None else number(whole / 2.0),
        "headline": uses,
    }


def _effect(rung: LadderRung | None) -> float | None:
    return None if rung is None else rung.effect
