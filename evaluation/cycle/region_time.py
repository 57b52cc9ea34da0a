"""What happened to the region in each period: the mean of its never-treated units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Adjustment, Removal, Term
from evaluation.cycle.loadings import from_before
from evaluation.errors import EstimationError, listed
from evaluation.panel import Array, Mask, Panel


@dataclass(frozen=True, slots=True)
class Options:
    """Nothing to choose."""


def remove(panel: Panel, options: Options) -> Removal:
    """m_rt − its mean before the start, with m_rt the mean outcome of the never-treated units of region r in period t.

    Difference-in-differences on what is left is the regression with unit and region × period effects. A control that is alone in
    its region has nobody to be compared with there and is left out.

    Parameters
    ----------
    panel : Panel
        With `region`; treated cells blank, missing cells left out of the means.

    Returns
    -------
    Removal
        `terms`: `regions`, and for the treated `region`, `controls_in_region` and `change` (of the region's mean from before to
        the window).

    Raises
    ------
    EstimationError
        The panel has no regions, or a treated unit's region has no never-treated unit in some period.

    References
    ----------
    Wooldridge (2010), Econometric Analysis of Cross Section and Panel Data, 2nd ed., section 6.5, effects of group × period.
    """
    if panel.region is None:
        raise EstimationError(
            "region_time: the panel has no regions; give the column with `region` in [data], or `region=` of Panel.from_frame"
        )
    codes, place = np.unique(panel.region, return_inverse=True)
    place = place.ravel()
    seen = np.isfinite(panel.outcome) & ~panel.treated[:, None]
    member = (place == np.arange(codes.size)[:, None]).astype(np.float64)
    count = member @ seen
    means = member @ np.where(seen, panel.outcome, 0.0) / np.where(count > 0.0, count, np.nan)
    amount = means[place]
    _treated_have_a_mean(panel, amount)
    controls = (member @ ~panel.treated)[place].astype(np.int64)
    keep = panel.treated | (controls > 1)
    if not (keep & ~panel.treated).any():
        raise EstimationError("region_time: every control is alone in its region; give larger regions")
    # a region-period without anybody observed is nobody's cell
    amount = from_before(panel, np.where(np.isfinite(amount), amount, 0.0))
    terms: dict[str, Term] = {"regions": int(codes.size)}
    if panel.treated.any():
        terms["region"] = listed(_region_names(panel, panel.treated))
        terms["controls_in_region"] = int(controls[panel.treated].min())
        terms["change"] = float(amount[panel.target].mean()) if panel.target.any() else float("nan")
    return Removal(amount, terms, None if keep.all() else keep)


def _treated_have_a_mean(panel: Panel, amount: Array) -> None:
    """Raise EstimationError that names regions and periods in which the treated have no never-treated unit beside them."""
    bare = ~np.isfinite(amount) & panel.treated[:, None]
    if not bare.any():
        return
    never = np.asarray(bare.sum(axis=1) == panel.n_periods)
    if never.any():
        names = listed(_region_names(panel, never))
        raise EstimationError(
            f"region_time: no never-treated unit in {names}, so nothing tells what happened there; give larger regions"
        )
    names = listed(_region_names(panel, np.asarray(bare.any(axis=1))))
    periods = [panel.periods[column].label for column in np.flatnonzero(bare.any(axis=0))]
    raise EstimationError(f"region_time: no never-treated unit of {names} is observed in {listed(periods)}")


def _region_names(panel: Panel, rows: Mask) -> list[str]:
    """The names of the regions of these units (a mask), each once."""
    assert panel.region is not None
    codes = list(dict.fromkeys(panel.region[rows].tolist()))
    known = panel.region_names
    return [known[code] if 0 <= code < len(known) else f"region {code}" for code in codes]


METHOD = Adjustment(
    name="region_time",
    summary="what happened to the region in each period: the mean of its never-treated units",
    remove=remove,
    options=Options,
    source="Wooldridge (2010), Econometric Analysis of Cross Section and Panel Data, section 6.5",
)
