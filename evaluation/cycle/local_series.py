"""A series of the units' own labour markets, times a slope that the never-treated units share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.contracts import Adjustment, Removal, Term
from evaluation.cycle.loadings import (
    HOW_TO_GIVE,
    cells_before,
    enough_periods,
    from_before,
    leave_own_out,
    loadings,
    series,
    series_names,
    treated_known,
)
from evaluation.cycle.slopes import Within, pooled_slopes, refuse_the_outcome, within_never_treated
from evaluation.errors import EstimationError
from evaluation.panel import Array, Mask, Panel

NO_MOVEMENT = 1e-4
"""A part of the series with less than this share of its squares, effects removed, says nothing and is dropped."""


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `local_series`."""

    series: Annotated[str, Field(description="the local series by its name; empty: the first one")] = ""
    use: Annotated[
        Literal["own", "neighbours", "predicted"],
        Field(
            description="own: the unit's own series, which the programme may have moved; neighbours: that of the units around; "
            "predicted: only the unit's usual reaction to the nation, so that its own series after the start has no part"
        ),
    ] = "own"
    split: Annotated[
        bool,
        Field(
            description="a slope each for the unit's usual reaction to the nation and for what is its own (local) movement"
        ),
    ] = True


@dataclass(frozen=True, slots=True)
class _Parts:
    """The regressors, what they are called, the same without effects; the slope of each unit's series on the nation, if asked."""

    series: Array
    names: tuple[str, ...]
    within: Within
    beta: Array | None
    known: Mask | None
    dropped: str


def remove(panel: Panel, options: Options) -> Removal:
    """γ_l l_it + γ_c c_it, each measured from its mean before the start: the national movement is included.

    c_it = β_i N_t is the unit's usual reaction to the nation: β_i is the slope of its series, before the start, on the mean
    series of the other never-treated units; N_t is "NAME|nation" where the panel has it, else the mean of all of them.
    l_it = x_it − c_it is what is left, the unit's own movement. γ comes from the never-treated units, all periods, with unit
    and period effects (`slopes.pooled_slopes`). Without `split` one γ multiplies x_it itself.

    Parameters
    ----------
    panel : Panel
        With a (units, periods) series in `cycle`, and "NAME|neighbours" beside it for `use="neighbours"`.

    Returns
    -------
    Removal
        `terms`: `local`, `local_se`, `national`, `national_se` (missing where that part is not used), `beta` by unit and
        `treated_beta`, `n_cells`, `n_units`, a and b of the weights 1 / (a + b × noise), what was `dropped`. `regressors` are
        in the order of the names in `slopes`.

    Raises
    ------
    EstimationError
        No such series, one that is national, constant or the outcome itself; fewer than three periods before the start.

    References
    ----------
    Bartik (1991), Who Benefits from State and Local Economic Development Policies?, chapter 4, for local demand as a control;
    own movement as a bad control: Angrist & Pischke (2009), Mostly Harmless Econometrics, section 3.2.3.
    """
    name, own, values = _chosen(panel, options)
    parts = _parts(panel, name, own, values, options)
    titles = tuple(_title(name, options.use, part) for part in parts.names)
    found = pooled_slopes(panel, parts.series, titles, "local_series", parts.within)
    regressors = from_before(panel, parts.series)
    terms: dict[str, Term] = {"series": name, "use": options.use, "slopes": ", ".join(parts.names)}
    for part in ("local", "national"):
        at = parts.names.index(part) if part in parts.names else None
        terms[part] = float("nan") if at is None else float(found.coefficients[at])
        terms[f"{part}_se"] = float("nan") if at is None else float(found.std_errors[at])
    terms |= {"n_cells": found.n_cells, "n_units": found.n_units, "dropped": parts.dropped}
    terms |= {"weights_constant": found.constant, "weights_slope": found.falling}
    if parts.beta is not None:
        terms["beta"] = parts.beta
        if panel.treated.any():
            terms["treated_beta"] = float(parts.beta[panel.treated].mean())
    keep = None if parts.known is None or parts.known.all() else parts.known
    amount = np.tensordot(found.coefficients, regressors, axes=1)
    return Removal(amount, terms, keep, regressors=regressors, covariance=found.covariance)


def _chosen(panel: Panel, options: Options) -> tuple[str, Array, Array]:
    """The series' name, the units' own series, and the one to use."""
    local = [name for name in series_names(panel) if panel.cycle[name].ndim == 2]
    if not options.series and not local:
        raise EstimationError(f"local_series: no local series in the panel{HOW_TO_GIVE}")
    name = options.series or local[0]
    own = series(panel, name)
    if own.ndim == 1:
        raise EstimationError(
            f"local_series: the series '{name}' is one for all units; it needs a value for each unit and period. "
            f'For the nation alone take adjust = "sensitivity" with series = "{name}"'
        )
    if options.use != "neighbours":
        return name, own, own
    beside = panel.cycle.get(f"{name}|neighbours")
    if beside is None:
        raise EstimationError(
            f"local_series: no neighbours' series of '{name}'; give [cycle] neighbours, or another `use`"
        )
    return name, own, beside


def _parts(panel: Panel, name: str, own: Array, values: Array, options: Options) -> _Parts:
    """The series whole, or in two: the unit's usual reaction to the nation, and what is left."""
    beta, known = None, None
    layers = values[None]
    if options.split or options.use == "predicted":
        enough_periods(panel, "local_series")
        found = loadings(values, leave_own_out(panel, own), cells_before(panel))
        treated_known(panel, found.known, "local_series")
        beta, known = found.slope, found.known
        # one nation for all: the others' mean would hold a bit of each unit's own movement, with the sign turned
        nation = panel.cycle.get(f"{name}|nation", own[~panel.treated].mean(axis=0))
        reaction = np.where(known, beta, 0.0)[:, None] * nation
        layers = np.array([values, values - reaction, reaction])
    within = within_never_treated(panel, layers, "local_series")
    refuse_the_outcome(within, 1, _title(name, options.use, "local"), "local_series")
    chosen, dropped = [0], ""
    names: tuple[str, ...] = ("local",)
    if options.use == "predicted":
        chosen, names = [2], ("national",)
    elif options.split:
        whole, local, national = within.squares[1:]
        if national <= NO_MOVEMENT * whole:
            dropped = "national"
        elif local <= NO_MOVEMENT * whole:
            names, dropped = ("national",), "local"
        else:
            chosen, names = [1, 2], ("local", "national")
    kept = [0, *(index + 1 for index in chosen)]
    within = Within(within.rows, within.seen, within.raw[kept], within.within[kept])
    return _Parts(layers[chosen], names, within, beta, known, dropped)


def _title(name: str, use: str, part: str) -> str:
    if part == "national":
        return f"the usual reaction of '{name}' to the nation"
    return f"the neighbours' series '{name}'" if use == "neighbours" else f"the series '{name}'"


METHOD = Adjustment(
    name="local_series",
    summary="a series of the units' own labour markets, times a slope learnt from the never-treated units",
    remove=remove,
    options=Options,
    source="Bartik (1991), Who Benefits from State and Local Economic Development Policies?, chapter 4",
)
