"""Interactive fixed effects: common factors, and for each unit its own loadings on them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evaluation.common_effects import nested_loadings
from evaluation.completion import ROUGHLY, Beginning, Completion, beginning_of, completed, hard, unsettled_note
from evaluation.contracts import Fit, Method
from evaluation.cross_validation import folds_error, predictions, preferred
from evaluation.errors import EstimationError, listed
from evaluation.gaps import Cells, cells_of, effects_of, fit_from_gaps, mean_gap
from evaluation.panel import Array, Mask, Panel
from evaluation.result import Note, Value

NAME = "interactive_fixed_effects"


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for `interactive_fixed_effects`."""

    rank: Annotated[
        Annotated[int, Field(ge=0)] | Literal["cv"],
        Field(description="how many factors, or `cv`: as many as predict left-out periods before the start best"),
    ] = "cv"
    most_factors: Annotated[int, Field(ge=0, le=20, description="the most factors that `cv` may choose")] = 5
    covariates: Annotated[tuple[str, ...], Field(description="covariates that vary over time, held constant")] = ()
    effects: Annotated[Literal["two_way"], Field(description="effects beside the factors: of units and of periods")] = (
        "two_way"
    )
    em: Annotated[
        bool,
        Field(
            description="false: factors from never-treated units alone; true: from all untreated cells, those of the treated too"
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class _Ranked:
    """What one number of factors gives: gaps (treated, periods used), or None where it cannot be estimated."""

    rank: int
    gaps: Array | None
    found: Completion
    error: float | None


def fit(panel: Panel, options: Options) -> Fit:
    """The treated units' outcomes minus α_i + ξ_t + x_it'β + λ_i'f_t, what common factors say they would have been.

    Default: f, ξ and β are the least squares fit to the never-treated units; each treated unit's α_i and λ_i come from its own
    periods before the start. `em`: all are the least squares fit to all untreated cells. The number of factors, where it is not
    given, is the one with the lowest squared error when each period before the start is predicted from the others (factors
    from the never-treated units, which know nothing of that error).

    Parameters
    ----------
    panel : Panel
        Outcomes (units, periods). Missing cells of controls are allowed for: their effects and factors are then fitted to the
        observed cells. Several starts, and units without a never-treated comparison (`em` with a given rank), are allowed.

    Returns
    -------
    Fit
        `att` in the outcome's unit. `details["by_rank"]`: for each number of factors its effect and its cross-validated error.

    Raises
    ------
    EstimationError
        Too few periods before the start for the factors, factors that move together before it, or nobody to compare with.

    References
    ----------
    Bai (2009), Econometrica 77(4), eqs. (11)-(12) and, for missing cells, the supplement; Xu (2017), Political Analysis 25(1),
    eqs. (3)-(6) and Algorithm 1; Gobillon & Magnac (2016), Review of Economics and Statistics 98(3), section III.
    """
    cells = _cells(panel, options)
    most, notes = _most(cells, options)
    before = cells.untreated[cells.panel.treated]
    ranks = sorted({*range(most + 1), options.rank} if isinstance(options.rank, int) else range(most + 1))
    tried = _tried(cells, before, ranks, options)
    chosen = _chosen(tried, options)
    if chosen.gaps is None:
        raise _collinear(chosen.rank)
    effects = iter(effects_of(cells, [each.gaps for each in tried if each.gaps is not None]))
    by_rank: list[Value] = [
        {"rank": each.rank, "effect": None if each.gaps is None else next(effects), "mspe": each.error}
        for each in tried
    ]
    details: dict[str, Value] = {
        "rank": chosen.rank,
        "rule": "given" if isinstance(options.rank, int) else "cross-validation",
        "by_rank": by_rank,
        "coefficients": _named(options.covariates, chosen.found.coefficients),
        "factors": _factors(cells, chosen),
    }
    notes = (*cells.notes, *notes, *unsettled_note(chosen.found.moved))
    return fit_from_gaps(cells, chosen.gaps, notes=notes, details=details)


def gaps(panel: Panel, options: Options) -> Array:
    """(periods,) residuals of the treated when the model is fitted on all periods, the null imposed everywhere."""
    cells = _cells(panel, options)
    null = Cells(
        cells.panel, cells.columns, cells.outcome, cells.observed, cells.observed, cells.covariates, cells.notes
    )
    most, _ = _most(cells, options)
    ranks = [options.rank] if isinstance(options.rank, int) else list(range(most + 1))
    tried = _tried(null, null.observed[null.panel.treated], ranks, options)
    chosen = _chosen(tried, options)
    if chosen.gaps is None:
        raise _collinear(chosen.rank)
    return mean_gap(cells, chosen.gaps)


def _cells(panel: Panel, options: Options) -> Cells:
    fewest = (options.rank if isinstance(options.rank, int) else 0) + 2
    return cells_of(panel, options.covariates, NAME, never_treated=not options.em, fewest=fewest, slopes=True)


def _most(cells: Cells, options: Options) -> tuple[int, tuple[Note, ...]]:
    """The most factors to try, and the note that it is fewer than asked for.

    A treated unit's loadings and its level take one period each, and one more for the residual; factors of n units or T
    periods without effects are n − 1 or T − 1.
    """
    panel = cells.panel
    before = cells.untreated[panel.treated].sum(axis=1)
    # where nobody is never treated, one unit at least must show that the factors are not its own
    units = int((~panel.treated).sum()) or panel.n_units - 1
    shape = min(units, cells.columns.size) - 1
    most = max(0, min(int(before.min()) - 2, shape))
    if isinstance(options.rank, int) and options.rank > most:
        short = listed([panel.units[row] for row in np.flatnonzero(panel.treated)[before == before.min()]])
        raise EstimationError(
            f"{NAME}: rank {options.rank} is too large; {short} is observed in {int(before.min())} periods before its start, "
            f"and there are {units} units to learn from: it can be at most {most}"
        )
    if most >= options.most_factors or isinstance(options.rank, int):
        return min(most, options.most_factors), ()
    note = Note(
        "few_factors_possible",
        f"With {int(before.min())} periods before the start and {units} units at most {most} factors can be estimated.",
        {"periods": int(before.min()), "units": units, "most": most},
    )
    return most, (note,)


def _tried(cells: Cells, before: Mask, ranks: list[int], options: Options) -> list[_Ranked]:
    """Every number of factors; `before` (treated, periods used) are the cells that loadings are learnt from."""
    if not options.em:
        return list(_from_never_treated(cells, before, ranks))
    controls = ~cells.panel.treated
    enough = int(controls.sum()) > max(ranks) + 1 and bool(cells.untreated[controls].any(axis=0).all())
    others = list(_from_never_treated(cells, before, ranks)) if enough else None
    tried = list(_from_all(cells, ranks, others, options))
    rank = _chosen(tried, options).rank
    place = ranks.index(rank)
    # least squares with missing cells may have several local minima: two starts, and the lower of the two
    starts = [tried[place].found, *([others[place].found] if others is not None else [])]
    found = min(
        (
            completed(cells.outcome, cells.untreated, cells.covariates, hard(rank), beginning_of(start))
            for start in starts
        ),
        key=lambda each: each.objective,
    )
    tried[place] = _Ranked(rank, (cells.outcome - found.fitted)[cells.panel.treated], found, tried[place].error)
    return tried


def _from_all(cells: Cells, ranks: list[int], others: list[_Ranked] | None, options: Options) -> Iterator[_Ranked]:
    """The fit to all untreated cells for each rank, to the digits that are read, beginning from the one before."""
    beginning: Beginning | None = None
    for place, rank in enumerate(ranks):
        found = completed(cells.outcome, cells.untreated, cells.covariates, hard(rank), beginning, ROUGHLY)
        error = None
        if others is not None:
            error = others[place].error
        elif options.rank == "cv":
            error = folds_error(cells, cells.untreated, hard(rank))
        yield _Ranked(rank, (cells.outcome - found.fitted)[cells.panel.treated], found, error)
        one_more = np.where(np.arange(found.decomposition.values.size) <= rank, 1.0, 0.0)
        beginning = beginning_of(found, one_more)


def _from_never_treated(cells: Cells, before: Mask, ranks: list[int]) -> Iterator[_Ranked]:
    """Xu's estimator for each rank: effects and factors of the controls, loadings of the treated from `before`."""
    seen = cells.observed[~cells.panel.treated]
    found = zip(ranks, predictions(cells, seen, before, [*map(hard, ranks)]), strict=True)
    # of complete controls the factors are the same for all ranks, and the loadings on the first few of them nested
    for _, group in itertools.groupby(found, key=lambda each: id(each[1].found.decomposition)):
        several = list(group)
        own, last = several[0][1], several[-1][1].found.decomposition
        factors = last.factors[: several[-1][0]]
        counts = [min(rank, len(factors)) for rank, _ in several]
        nested = nested_loadings(own.left, factors[:, None, :], before, counts)
        for (rank, each), loadings in zip(several, nested, strict=True):
            if loadings.collinear.any():
                yield _Ranked(rank, None, each.found, None)
                continue
            gaps = each.left - loadings.level[:, None] - loadings.slopes.T @ factors[:rank]
            yield _Ranked(rank, gaps, each.found, each.error)


def _chosen(tried: list[_Ranked], options: Options) -> _Ranked:
    if isinstance(options.rank, int):
        return next(each for each in tried if each.rank == options.rank)
    return tried[preferred([each.error for each in tried])]


def _collinear(rank: int) -> EstimationError:
    return EstimationError(
        f"{NAME}: before the start the {rank} factors do not move, or move together (collinear); choose a lower rank"
    )


def _named(names: tuple[str, ...], values: Array) -> dict[str, Value]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _factors(cells: Cells, chosen: _Ranked) -> list[Value]:
    """The factors by period, each of length one, the largest value positive."""
    labels = [cells.panel.periods[column].label for column in cells.columns]
    shown: list[Value] = []
    for factor in chosen.found.decomposition.factors[: chosen.rank]:
        signed = factor * np.sign(factor[int(np.argmax(np.abs(factor)))])
        shown.append(dict(zip(labels, signed.tolist(), strict=True)))
    return shown


METHOD = Method(
    name=NAME,
    summary="interactive fixed effects: common factors, and for each unit its own loadings on them",
    fit=fit,
    options=Options,
    needs=("never_treated", "one_pre_period"),
    keeps=frozenset({"period_shift", "unit_shift", "common_shift", "scale", "unit_order"}),
    default_inference="placebo",
    source="Bai (2009), Econometrica 77(4); Xu (2017), Political Analysis 25(1); Gobillon & Magnac (2016), "
    "Review of Economics and Statistics 98(3)",
    gaps=gaps,
)
