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
from evaluation.cycle.slopes import pooled_slopes, without_effects
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
    """The regressors, what they are called, the slope of each unit's series on the nation, and who has one."""

    series: Array
    names: tuple[str, ...]
    beta: Array | None
    known: Mask | None
    dropped: str = ""


def remove(panel: Panel, options: Options) -> Removal:
    """γ_l l_it + γ_c c_it, each measured from its mean before the start: the national movement is included.

    c_it = β_i N_t is the unit's usual reaction to the nation: β_i is the slope of its series, before the start, on the mean
    series of the other never-treated units; N_t is the series "NAME|nation" where the panel has it, else that mean.
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
    if options.use == "predicted" or options.split:
        parts = _split(panel, name, own, values, options.use)
    else:
        parts = _Parts(values[None], ("local",), None, None)
    titles = tuple(_title(name, options.use, part) for part in parts.names)
    found = pooled_slopes(panel, parts.series, titles, "local_series")
    regressors = np.array([from_before(panel, part) for part in parts.series])
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


def _split(panel: Panel, name: str, own: Array, values: Array, use: str) -> _Parts:
    """The series in two: the unit's usual reaction to the nation, and what is left."""
    enough_periods(panel, "local_series")
    others = leave_own_out(panel, own)
    found = loadings(values, others, cells_before(panel))
    treated_known(panel, found.known, "local_series")
    given = panel.cycle.get(f"{name}|nation")
    nation = others if given is None else np.broadcast_to(given, own.shape)
    reaction = np.where(found.known, found.slope, 0.0)[:, None] * nation
    if use == "predicted":
        return _Parts(reaction[None], ("national",), found.slope, found.known)
    parts = np.array([values - reaction, reaction])
    rows = np.flatnonzero(~panel.treated)
    everywhere = np.ones((rows.size, panel.n_periods), dtype=np.bool_)
    left = without_effects(np.concatenate([values[None], parts])[:, rows], everywhere, np.ones(rows.size))
    whole, local, national = (left**2).sum(axis=(1, 2))
    if national <= NO_MOVEMENT * whole:
        return _Parts(values[None], ("local",), found.slope, found.known, "national")
    if local <= NO_MOVEMENT * whole:
        return _Parts(values[None], ("national",), found.slope, found.known, "local")
    return _Parts(parts, ("local", "national"), found.slope, found.known)


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
