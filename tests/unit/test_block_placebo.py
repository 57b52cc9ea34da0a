"""A region is drawn, then a unit in it: the weights, the interval that inverts them, and how often nothing is called something."""

from __future__ import annotations

import csv
import math
from importlib.resources import files

import numpy as np
import pytest

import evaluation
from evaluation.errors import EstimationError
from evaluation.inference import INFERENCES
from evaluation.study import make_pipeline
from tests.oracle.panels import factor_outcome, make_panel

UNEVEN = np.repeat(np.arange(8), [1, 2, 3, 4, 5, 6, 7, 12])
"""40 units in eight regions of 1 to 12."""


def did_effects(outcome, start, treated):
    """By hand: the treated unit's change less the mean change of the others, and the same of each control without the treated."""
    change = outcome[:, start:].mean(axis=1) - outcome[:, :start].mean(axis=1)
    others = np.delete(np.arange(len(change)), treated)
    draws = [change[j] - np.mean([change[k] for k in others if k != j]) for j in others]
    return change[treated] - change[others].mean(), np.array(draws), others


@pytest.mark.parametrize("treated", [3, 39])
def test_every_unit_counts_by_how_likely_it_was_to_be_drawn(treated):
    outcome = factor_outcome(1, 40, 20)
    found = evaluation.estimate(make_panel(outcome, {treated: 14}, region=UNEVEN), "did", inference="block_placebo")
    effect, draws, others = did_effects(outcome, 14, treated)
    likely = {row: 1.0 / (8 * (UNEVEN[row] == UNEVEN).sum()) for row in range(40)}
    as_large = [row for row, draw in zip(others, draws, strict=True) if abs(draw) >= abs(effect)]
    assert found.p_value == pytest.approx(likely[treated] + sum(likely[row] for row in as_large))
    placebo = found.details["placebo"]
    np.testing.assert_allclose(placebo["weights"], [likely[row] for row in others])
    assert placebo["smallest_p"] == pytest.approx(likely[treated])
    assert placebo["rank"] == 1 + len(as_large)
    assert found.details["blocks"]["regions"] == 8
    assert found.details["blocks"]["own"] == (UNEVEN[treated] == UNEVEN).sum()
    # the interval ends where the weight of larger placebos first exceeds 5 %
    half = found.upper - found.effect
    assert found.effect - found.lower == pytest.approx(half)
    for size, outside in ((half * 1.0001, True), (half * 0.9999, False)):
        share = likely[treated] + sum(likely[row] for row, draw in zip(others, draws, strict=True) if abs(draw) >= size)
        assert (share <= 0.05) == outside


def test_regions_of_one_size_make_it_the_plain_placebo_test():
    panel = make_panel(factor_outcome(2, 40, 20), {3: 14}, region=np.arange(40) % 8)
    block, plain = (
        evaluation.estimate(panel, "synthetic_control", inference=name) for name in ("block_placebo", "placebo")
    )
    for one, other in ((block, plain), *zip(block.path, plain.path, strict=True)):
        for name in ("lower", "upper", "p_value", "std_error"):
            mine, theirs = getattr(one, name), getattr(other, name)
            assert mine == theirs if theirs is None else mine == pytest.approx(theirs)
    assert [one.p_adjusted for one in block.path] == pytest.approx([one.p_adjusted for one in plain.path], nan_ok=True)


def test_sizes_rescale_it_as_they_rescale_ferman_pinto():
    size = np.repeat(np.geomspace(100, 9000, 40)[::-1, None], 20, axis=1)
    panel = make_panel(factor_outcome(3, 40, 20), {3: 14}, region=UNEVEN, size=size)
    block, scaled = (evaluation.estimate(panel, "did", inference=name) for name in ("block_placebo", "ferman_pinto"))
    assert block.details["variance"] == scaled.details["variance"]
    np.testing.assert_allclose(block.details["placebo"]["effects"], scaled.details["placebo"]["effects"])


def test_whole_regions_stand_in_for_a_treated_region_and_count_alike():
    region = np.repeat(np.arange(24), [1, 2, 3] * 8)
    outcome = factor_outcome(4, 48, 16)
    panel = make_panel(outcome, {3: 10, 4: 10, 5: 10}, region=region, cluster=region)
    block, plain = (evaluation.estimate(panel, "did", inference=name) for name in ("block_placebo", "placebo"))
    assert block.details["placebo"]["smallest_p"] == pytest.approx(1 / 24)
    assert (block.p_value, block.lower, block.upper) == pytest.approx((plain.p_value, plain.lower, plain.upper))


def test_several_treated_in_different_regions_draw_that_many_regions():
    region = np.repeat(np.arange(6), [2, 2, 3, 3, 4, 4])
    panel = make_panel(factor_outcome(5, 18, 16), {0: 10, 9: 10}, region=region)
    found = evaluation.estimate(panel, "did", inference="block_placebo")
    pairs = [(a, b) for a in range(18) for b in range(a + 1, 18) if region[a] != region[b] and not {a, b} & {0, 9}]
    sizes = np.bincount(region)
    expected = np.array([1.0 / (sizes[region[a]] * sizes[region[b]]) for a, b in pairs])
    own = 1.0 / (sizes[region[0]] * sizes[region[9]])
    np.testing.assert_allclose(found.details["placebo"]["weights"], expected / (own + expected.sum()))
    assert found.details["blocks"]["own"] is None


@pytest.mark.parametrize(
    ("changes", "treated", "said"),
    [
        ({}, {3: 14}, "the panel has no regions"),
        ({"region": np.arange(40) % 4}, {3: 14}, "4 regions are too few"),
        ({"region": np.arange(40) % 8}, {3: 14, 11: 14}, "two treated units lie in one region"),
        ({"region": np.where(np.arange(40) == 3, -1, np.arange(40) % 8)}, {3: 14}, "unit 03 lies in no known region"),
        ({"region": np.arange(40) % 8, "cluster": np.arange(40) // 2}, {2: 14, 3: 14}, "lies in several regions"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(changes, treated, said):
    panel = make_panel(factor_outcome(6, 40, 20), treated, **changes)
    with pytest.raises(EstimationError, match=f"^block_placebo: .*{said}"):
        evaluation.estimate(panel, "did", inference="block_placebo")


def test_units_of_no_region_stand_in_for_nobody_and_are_told():
    region = np.arange(40) % 5
    region[[7, 20]] = -1
    found = evaluation.estimate(
        make_panel(factor_outcome(7, 40, 20), {3: 14}, region=region), "did", inference="block_placebo"
    )
    assert "unit 07" not in found.details["placebo"]["units"]
    assert len(found.details["placebo"]["units"]) == 37
    (note,) = [note for note in found.notes if note.code == "units_without_region"]
    assert note.facts == {"count": 2, "units": "unit 07 and unit 20"}


def test_alone_in_its_region_nothing_can_be_said_at_five_per_cent():
    found = evaluation.estimate(
        make_panel(factor_outcome(8, 40, 20), {0: 14}, region=UNEVEN), "did", inference="block_placebo"
    )
    assert (found.lower, found.upper) == (None, None)
    assert found.p_value >= 1 / 8
    (note,) = [note for note in found.notes if note.code == "too_few_blocks"]
    assert note.facts == {"regions": 8, "smallest_p": pytest.approx(1 / 8), "level": 0.95}


def test_who_has_a_region_to_itself_holds_the_interval_open_and_is_named():
    outcome = factor_outcome(8, 40, 20)
    outcome[0, 14:] += 50.0
    found = evaluation.estimate(make_panel(outcome, {30: 14}, region=UNEVEN), "did", inference="block_placebo")
    assert found.upper - found.effect >= 45.0  # u00 weighs 1/8, more than the 5 % that may lie outside
    (note,) = [note for note in found.notes if note.code == "block_heavy"]
    assert note.facts == {"count": 3, "units": "unit 00, unit 01 and unit 02"}  # the pair weigh 1/16 each
    even = make_panel(outcome, {30: 14}, region=np.arange(40) % 8)
    assert not evaluation.estimate(even, "did", inference="block_placebo").notes


def landsdele():
    """The landsdel of each of the 98 municipalities, as codes, and the names."""
    text = (files("evaluation.denmark") / "municipalities.csv").read_text(encoding="utf-8")
    names = [row["landsdel"] for row in csv.DictReader(text.splitlines())]
    return np.unique(names, return_inverse=True)[1], sorted(set(names))


def shares_rejected(correlation, worlds, seed):
    """(98,) how often each municipality, treated alone, is called significant at 5 %, by region and plainly."""
    region, _ = landsdele()
    rng = np.random.default_rng(seed)
    sizes = np.bincount(region)
    likely = 1.0 / (sizes.size * sizes[region])
    found = np.zeros((2, 98))
    for _ in range(worlds):
        change = math.sqrt(correlation) * rng.standard_normal(sizes.size)[region]
        change += math.sqrt(1.0 - correlation) * rng.standard_normal(98)
        own = np.abs(change - (change.sum() - change) / 97)
        # row i: each other unit treated on paper, the treated i left out
        draws = np.abs(change - (change.sum() - change[:, None] - change) / 96)
        np.fill_diagonal(draws, np.inf)
        as_large = draws >= own[:, None] - 1e-12
        found += [(as_large * likely).sum(axis=1) <= 0.05 + 1e-12, as_large.mean(axis=1) <= 0.05 + 1e-12]
    return found / worlds


@pytest.mark.parametrize("correlation", [0.17, 0.6])
def test_regional_shocks_do_not_make_small_regions_cry_wolf(correlation):
    """98 municipalities in their 11 landsdele, 2,000 worlds in which regions share shocks; error of a region's share: 0.5 points.

    Over a draw of region and unit the weighted test rejects at most 5 %, and in no landsdel more than 5 % but for chance. Where
    all units are as likely to be drawn the plain test is right too, however strong the correlation; but it is right on average
    only: with a correlation of 0.6 it rejects twice as often in Bornholm (one municipality) as in the largest landsdele.
    """
    region, names = landsdele()
    block, plain = shares_rejected(correlation, 2000, 9)
    by_region = np.array([[share[region == code].mean() for code in range(11)] for share in (block, plain)])
    error = math.sqrt(0.05 * 0.95 / 2000)
    assert by_region[0].mean() <= 0.05 + 3 * error / math.sqrt(11)
    assert by_region[0].max() <= 0.05 + 3 * error
    assert plain.mean() <= 0.05 + 3 * error / math.sqrt(11)
    assert block[region == names.index("Bornholm")].max() == 0.0  # 1/11 is the smallest p there
    if correlation == 0.6:
        sizes = np.bincount(region)
        assert by_region[1][sizes == 1].mean() > 1.5 * by_region[1][sizes >= 12].mean()


def test_those_worlds_are_the_ones_the_package_sees():
    """The short-cut above is `did`: the same p-values from panels, one treated in a small landsdel and one in a large one."""
    region, names = landsdele()
    rng = np.random.default_rng(10)
    sizes = np.bincount(region)
    likely = 1.0 / (11 * sizes[region])
    for name in ("Byen København", "Københavns omegn"):
        row = int(np.flatnonzero(region == names.index(name))[0])
        change = math.sqrt(0.6) * rng.standard_normal(11)[region] + math.sqrt(0.4) * rng.standard_normal(98)
        outcome = np.column_stack([np.zeros(98), np.zeros(98), change])
        effect, draws, others = did_effects(outcome, 2, row)
        expected = likely[row] + likely[others][np.abs(draws) >= abs(effect)].sum()
        panel = make_panel(outcome, {row: 2}, region=region)
        p_value = INFERENCES["block_placebo"].test(make_pipeline("did", "none", {}), panel, rng)
        assert p_value == pytest.approx(expected)


def test_a_unit_that_may_not_be_shown_leaves_neither_its_weight_nor_its_name():
    from evaluation.disclosure import protected_estimate

    panel = make_panel(factor_outcome(8, 40, 20), {30: 14}, region=UNEVEN)
    shown = protected_estimate(evaluation.estimate(panel, "did", inference="block_placebo"), frozenset({"unit 00"}), 5)
    placebo = shown.details["placebo"]
    assert len(placebo["weights"]) == len(placebo["effects"]) == len(placebo["units"]) == 38
    assert "unit 00" not in str(shown)
