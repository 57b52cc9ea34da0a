"""The waterfall: the treated unit's raw change, part by part, down to the effect of the programme."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from evaluation.accounting.decomposition import Asked, change, decomposed
from evaluation.cycle import local_series, sensitivity
from evaluation.errors import EstimationError
from evaluation.inference.draws import critical_size
from evaluation.panel import Panel
from evaluation.result import WaterfallPart, number
from evaluation.study import Study

MOST_PLACEBOS = 300
"""With several treated units: this many of the headline's placebo assignments, evenly spaced, give the parts' intervals."""

ROUNDING = 1e-9
"""A rest below this share of the largest part is what rounding leaves, and no part."""

COMMON = frozenset({"national_cycle", "composition"})
"""Parts that are nearly the same whoever is treated: their uncertainty is how far the placebos' scatter about their own mean."""


def waterfall(study: Study) -> tuple[WaterfallPart, ...]:
    """The parts of the raw change; the first entry is the whole, and `math.fsum` of the others is exactly that number.

    In this order, as far as the data allow: "national_cycle", the change of the equally weighted controls (control persons
    unweighted where a panel was made from registers); "composition", what weighting those persons adds; "own_sensitivity",
    "local_demand", "predicted_demand" and "policies", by one joint regression on untreated cells (`decomposition`);
    "weighting", what the headline's weights on controls and periods take out beyond, or for an equally weighted headline
    "rest", what it takes out otherwise or leaves in; "programme", the headline effect.

    A part's interval inverts the rank test on the same part of every control in turn; that of the programme is the headline's.
    """
    if (study.panel.start[study.panel.treated] == 0).any():
        return ()
    parts = _parts(study.panel, study, study.headline.effect)
    largest = max(abs(amount) for amount in parts.values())
    rest = _rest_name(study)
    if abs(parts[rest]) <= ROUNDING * largest:
        del parts[rest]
    draws = list(_placebos(study))
    found = [WaterfallPart("raw_change", math.fsum(parts.values()))]
    for name, amount in parts.items():
        if name == "programme":
            found.append(WaterfallPart(name, amount, study.headline.lower, study.headline.upper))
        else:
            half = _half(name, draws, study.level)
            found.append(WaterfallPart(name, amount, number(amount - half), number(amount + half)))
    return tuple(found)


def _parts(panel: Panel, study: Study, effect: float) -> dict[str, float]:
    """{part: amount} in the order of the page for a panel and the headline's effect in it; they add up to the raw change."""
    weights, controls = change(panel), np.flatnonzero(~panel.treated)
    whole = weights.of_treated(panel.outcome)
    national = weights.of_controls(panel.outcome, controls)
    parts = {"national_cycle": national}
    unweighted = _unweighted(study, panel)
    if unweighted is not None:
        parts["national_cycle"] = weights.of_controls(unweighted, controls)
        parts["composition"] = national - parts["national_cycle"]
    for name, amount in decomposed(panel, _asked(study, panel)).items():
        parts[name] = amount
    parts[_rest_name(study)] = math.fsum([whole, -effect, *(-amount for amount in parts.values())])
    parts["programme"] = effect
    return parts


def _asked(study: Study, panel: Panel) -> Asked:
    """The influences, measured as the headline's adjustment does where it is one of them."""
    own = study.pipeline.adjustment_options
    place = {name: row for row, name in enumerate(study.panel.units)}
    return Asked(
        own if isinstance(own, sensitivity.Options) else sensitivity.Options(),
        own if isinstance(own, local_series.Options) else local_series.Options(),
        study.context.policies,
        tuple(place[name] for name in panel.units),
    )


def _unweighted(study: Study, panel: Panel) -> np.ndarray[tuple[int, int], np.dtype[np.float64]] | None:
    """(units, periods) outcomes with control persons unweighted, in the rows of `panel`; None where there are none."""
    variant = study.context.variants.get("unweighted")
    if variant is None or variant.n_periods != panel.n_periods:
        return None
    place = {name: row for row, name in enumerate(variant.units)}
    if not set(panel.units) <= set(place):
        return None
    return variant.outcome[[place[name] for name in panel.units]]


def _rest_name(study: Study) -> str:
    """Whether what is left over is what weights take out, or what an equally weighted headline treats otherwise."""
    weights = list(study.headline.unit_weights.values())
    return "weighting" if weights and max(weights) - min(weights) > 1e-9 else "rest"


def _placebos(study: Study) -> Iterator[Mapping[str, float]]:
    """The parts with each control in turn in the treated's place, the truly treated left out."""
    made = study.fitted[0].placebos if study.fitted else None
    if made is None or len(study.panel.starts) != 1:
        return
    treated, start = np.flatnonzero(study.panel.treated), study.panel.starts[0]
    step = max(1, math.ceil(len(made.fits) / MOST_PLACEBOS))
    for rows, fit in list(zip(made.assignments, made.fits, strict=True))[::step]:
        pretended = study.panel.assign(dict.fromkeys(rows, start), without=treated)
        try:
            yield _parts(pretended, study, fit.att)
        except EstimationError:
            continue


def _half(name: str, draws: list[Mapping[str, float]], level: float) -> float:
    values = np.array([each[name] for each in draws if name in each])
    if values.size == 0:
        return math.inf
    return critical_size(values - values.mean() if name in COMMON else values, level)
