"""Placebo inference by regions: first a region is drawn, then a unit in it, so that a large region counts no more than a small one."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from evaluation.contracts import Fit, Inference, Interval, Pipeline, Rng
from evaluation.errors import EstimationError, listed
from evaluation.inference.draws import Placebos, each_in_turn, placebo_fits, rank_p_value
from evaluation.inference.ferman_pinto import rescaled, rescaled_in_turn
from evaluation.inference.placebo import few_controls, from_placebos
from evaluation.panel import Array, Indices, Panel
from evaluation.result import Note, Value, number

FEWEST = 5
"""Fewer regions than this say next to nothing about how much regions differ."""


def infer(pipeline: Pipeline, panel: Panel, level: float, rng: Rng) -> Interval:
    """Rank test of placebo effects weighted by region, with the interval by inverting it.

    A region is drawn with equal probability among R, then a unit among its n: each unit j was 1 / (R nⱼ) likely to be the treated
    one, and p is the sum of that over all units, the treated one included, whose effect is at least as large as its own. Exact
    for that draw, however units in one region move together; no p-value can be below 1 / (R n) with n the size of the treated
    unit's region. Where treatment was given to clusters, clusters take the units' place: with whole regions as clusters,
    whole regions stand in, and each counts the same. Several treated units in different regions: that many regions are drawn,
    then a unit in each. Where sizes are known the placebo effects are rescaled as `ferman_pinto` does.

    Parameters
    ----------
    panel : Panel
        With `region`; one or few treated units, no two clusters of treated units in one region.

    Returns
    -------
    Interval
        As `placebo`; `details["placebo"]` holds each placebo's `weights`, `details["blocks"]` the number of `regions`, and with
        one treated unit its `region` and how many units that `own` region has.

    Raises
    ------
    EstimationError
        No regions, fewer than 5 of them, two treated units in one region, a treated unit without a region, or too few controls.

    References
    ----------
    Firpo & Possebom (2018), Journal of Causal Inference 6(2), eqs. (7)-(9): p-values by the probabilities of the assignments;
    Abadie, Diamond & Hainmueller (2010), section 2.4. Why dependence between units matters with few treated: Ferman (2023),
    Journal of Applied Econometrics 38.
    """
    return infer_from(pipeline, panel, level, pipeline(panel), placebo_fits(pipeline, panel, rng))


def infer_from(pipeline: Pipeline, panel: Panel, level: float, fit: Fit, placebos: Placebos) -> Interval:
    """The interval from a fit and its placebo fits."""
    blocks = blocks_of(placebos, panel)
    if panel.size is None and panel.noise is None:
        factors = np.ones(len(blocks.placebos.fits))
        interval = from_placebos(fit, blocks.placebos, panel, level, factors, blocks.weights)
    else:
        interval = rescaled(fit, blocks.placebos, panel, level, blocks.weights)
    notes = [note for note in interval.notes if note.code != "too_few_placebos"]
    if not math.isfinite(interval.upper):
        notes.insert(0, blocks.too_few(level))
    elif heavy := blocks.heavy(panel, level):
        notes.append(heavy)
    if blocks.homeless:
        notes.append(
            Note(
                "units_without_region",
                f"{len(blocks.homeless)} units lie in no known region and stand in for nobody: {listed(blocks.homeless)}.",
                {"count": len(blocks.homeless), "units": listed(blocks.homeless)},
            )
        )
    details = {**interval.details, "blocks": blocks.told()}
    return dataclasses.replace(interval, notes=tuple(notes), details=details)


def test(pipeline: Pipeline, panel: Panel, rng: Rng) -> float:
    """The p-value alone."""
    return infer(pipeline, panel, 0.95, rng).p_value


def test_each(pipeline: Pipeline, panel: Panel, start: int, rng: Rng) -> Array:
    """(units,) p-values when each unit in turn is the treated one; the refits are shared."""
    region = _known_regions(panel)
    _, place, counts = np.unique(region, return_inverse=True, return_counts=True)
    _enough(counts.size)
    likely = 1.0 / counts[place.ravel()]
    effects = each_in_turn(pipeline, panel, start)
    sized = panel.size is not None or panel.noise is not None
    scaled = rescaled_in_turn(effects, panel, start) if sized else np.tile(effects, (effects.size, 1))
    p_values = np.empty(effects.size)
    for row in range(effects.size):
        others = np.arange(effects.size) != row
        p_values[row] = rank_p_value(scaled[row, others], effects[row], likely[others] / likely[row])
    return p_values


@dataclass(frozen=True, slots=True)
class Blocks:
    """Placebos that could have been drawn, (assignments,) their weights relative to the true one's, and what is told of them."""

    placebos: Placebos
    weights: Array
    regions: int
    own: int | None
    name: str | None
    homeless: tuple[str, ...]

    @property
    def smallest(self) -> float:
        """No p-value can be below it."""
        return float(1.0 / (1.0 + self.weights.sum()))

    def heavy(self, panel: Panel, level: float) -> Note | None:
        """The remark on placebos that alone weigh more than the interval may leave out: it reaches their effects, however far out."""
        shares = self.weights * self.smallest
        rows = [self.placebos.assignments[place] for place in np.flatnonzero(shares > 1.0 - level + 1e-12)]
        if not rows:
            return None
        names = listed([" + ".join(panel.units[row] for row in each) for each in rows])
        return Note(
            "block_heavy",
            f"Alone or nearly alone in a region, and so weighing more than the interval may leave out: {names}. The interval is at "
            "least as wide as the largest of their effects.",
            {"count": len(rows), "units": names},
        )

    def told(self) -> Value:
        """The facts for the page."""
        return {"regions": self.regions, "own": self.own, "region": self.name, "smallest_p": number(self.smallest)}

    def too_few(self, level: float) -> Note:
        """Why there is no interval."""
        return Note(
            "too_few_blocks",
            f"{self.regions} regions count alike, so no p-value can be smaller than {self.smallest:.3f}, and there is no interval "
            "at this level.",
            {"regions": self.regions, "smallest_p": self.smallest, "level": level},
        )


def blocks_of(placebos: Placebos, panel: Panel) -> Blocks:
    """Which of the placebos could have been drawn, and how likely each was."""
    region = _known_regions(panel)
    assert panel.cluster is not None  # set by Panel itself
    treated = np.flatnonzero(panel.treated)
    home = _region_of_clusters(panel, region)
    own = _pieces(treated.tolist(), panel.cluster)
    lost = [panel.units[row] for row in treated.tolist() if home[int(panel.cluster[row])] < 0]
    if lost:
        raise EstimationError(f"block_placebo: the treated unit {listed(lost)} lies in no known region")
    if len({home[piece] for piece in own}) < len(own):
        raise EstimationError(
            "block_placebo: two treated units lie in one region, so it is not clear what was drawn; if the whole region was "
            "treated, name the column of regions as `cluster` too, else use `placebo` or `ferman_pinto`"
        )
    drawn = [_pieces(rows, panel.cluster) for rows in placebos.assignments]
    members: dict[int, set[int]] = {}
    for piece in {piece for pieces in (own, *drawn) for piece in pieces}:
        members.setdefault(home[piece], set()).add(piece)
    regions = sum(code >= 0 for code in members)
    _enough(regions)
    sizes = {code: len(pieces) for code, pieces in members.items()}

    def ways(pieces: tuple[int, ...]) -> float:
        """In how many ways units could have been drawn from the regions of these; infinite where they could not."""
        codes = [home[piece] for piece in pieces]
        possible = len(set(codes)) == len(codes) and min(codes) >= 0
        return float(math.prod(sizes[code] for code in codes)) if possible else math.inf

    weights = np.array([ways(own) / ways(pieces) for pieces in drawn])
    kept = np.flatnonzero(weights > 0.0)
    single = len(own) == 1
    names = panel.region_names
    code = home[own[0]]
    return Blocks(
        placebos=dataclasses.replace(
            placebos,
            assignments=tuple(placebos.assignments[place] for place in kept),
            fits=tuple(placebos.fits[place] for place in kept),
        ),
        weights=weights[kept],
        regions=regions,
        own=sizes[code] if single else None,
        name=names[code] if single and code < len(names) else None,
        homeless=tuple(panel.units[row] for row in np.flatnonzero(region < 0).tolist() if not panel.treated[row]),
    )


def _pieces(rows: tuple[int, ...] | list[int], cluster: Indices) -> tuple[int, ...]:
    """The clusters of these rows, each once, in order."""
    return tuple(dict.fromkeys(int(cluster[row]) for row in rows))


def _region_of_clusters(panel: Panel, region: Indices) -> dict[int, int]:
    """Cluster -> region; a cluster may not lie in two."""
    assert panel.cluster is not None  # set by Panel itself
    home: dict[int, int] = {}
    for row, (piece, code) in enumerate(zip(panel.cluster.tolist(), region.tolist(), strict=True)):
        if home.setdefault(piece, code) != code:
            raise EstimationError(
                f"block_placebo: the cluster of {panel.units[row]} lies in several regions; regions must hold whole clusters"
            )
    return home


def _known_regions(panel: Panel) -> Indices:
    if panel.region is None:
        raise EstimationError(
            "block_placebo: the panel has no regions; give the column with `region` in [data], or `region=` of Panel.from_frame"
        )
    return panel.region


def _enough(regions: int) -> None:
    if regions < FEWEST:
        raise EstimationError(
            f"block_placebo: {regions} regions are too few to see how much regions differ, it needs {FEWEST}; use `placebo` or "
            "`ferman_pinto`, or smaller regions"
        )


METHOD = Inference(
    name="block_placebo",
    summary="placebos weighted so that every region counts alike; for shocks that hit whole regions",
    infer=infer,
    test=test,
    unsuited=few_controls,
    source="Firpo & Possebom (2018), Journal of Causal Inference 6(2), eqs. (7)-(9), with the weights of a draw of region and unit",
    test_each=test_each,
    infer_from=infer_from,
)
