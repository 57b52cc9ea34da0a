"""What adjustments find in data that were made from known coefficients, and what they say where they cannot be computed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import evaluation
from evaluation.cycle import ADJUSTMENTS
from evaluation.cycle.factors import _chosen_rank
from evaluation.cycle.loadings import cells_before, leave_own_out, loadings, shrink
from evaluation.errors import EstimationError
from evaluation.inference import INFERENCES
from evaluation.study import make_pipeline
from tests.oracle.panels import make_panel

START, PERIODS = 9, 14


def adjusted(name, panel, **options):
    adjustment = ADJUSTMENTS[name]
    return adjustment.adjust(panel, adjustment.options(**options))


def walk(rng, *shape):
    return rng.normal(0, 1, shape).cumsum(axis=-1)


def made(seed=1, n_units=40, noise=0.0, local=-0.8, national=-1.3, effect=5.0):
    """Outcomes from a local series: unit level + period + national × usual reaction + local × the rest, and an effect."""
    rng = np.random.default_rng(seed)
    nation = 6 + 0.7 * walk(rng, PERIODS)
    own = rng.normal(0, 0.5, (n_units, PERIODS))
    reaction = rng.uniform(0.5, 1.5, (n_units, 1))
    # what is own averages to nothing over the units and is unrelated to the nation before, so that slopes are known exactly
    own -= own.mean(axis=0)
    before = nation[:START] - nation[:START].mean()
    reaction -= (own[:, :START] @ before / (before @ before))[:, None]
    series = reaction * nation + own
    given = leave_own_out(make_panel(series, {3: START}), series)
    panel = make_panel(
        np.zeros((n_units, PERIODS)), {3: START}, cycle={"unemployment": series, "unemployment|nation": nation}
    )
    beta = loadings(series, given, cells_before(panel)).slope[:, None]
    outcome = rng.normal(70, 4, (n_units, 1)) + walk(rng, PERIODS)
    outcome = (
        outcome + national * beta * nation + local * (series - beta * nation) + rng.normal(0, 1, series.shape) * noise
    )
    return panel.with_outcome(outcome + effect * panel.after)


# ------------------------------------------------------------------ known coefficients come back


def test_local_series_finds_the_slopes_the_data_were_made_with():
    found = adjusted("local_series", made())
    assert found.terms["local"] == pytest.approx(-0.8, abs=1e-9)
    assert found.terms["national"] == pytest.approx(-1.3, abs=1e-9)
    assert evaluation.estimate(made(), "did", adjust="local_series", inference="cluster").effect == pytest.approx(
        5.0, abs=1e-9
    )


def test_standard_errors_of_the_slopes_are_as_large_as_their_scatter():
    found = [adjusted("local_series", made(seed, noise=0.5)).terms for seed in range(120)]
    for part, truth in (("local", -0.8), ("national", -1.3)):
        errors = np.array([terms[part] - truth for terms in found]) / np.array([terms[f"{part}_se"] for terms in found])
        # 120 draws: the mean scatters by 0.09, the standard deviation by 0.065; CR1 of 39 units is some 5 % small
        assert abs(errors.mean()) < 0.36
        assert errors.std() == pytest.approx(1.05, abs=0.26)


def test_noisy_small_units_weigh_less_and_the_slope_is_better_for_it():
    """Noise of variance 400 / persons: the weighted slope scatters less than the one in which all units count alike."""
    rng = np.random.default_rng(3)
    size = np.exp(rng.uniform(np.log(40), np.log(8000), (60, 1))) * np.ones((60, PERIODS))
    alike, weighted = [], []
    for seed in range(60):
        panel = made(seed, n_units=60)
        noisy = panel.with_outcome(panel.outcome + rng.normal(0, 1, panel.outcome.shape) * np.sqrt(400 / size))
        alike.append(adjusted("local_series", noisy).terms["local"])
        weighted.append(adjusted("local_series", dataclasses.replace(noisy, size=size)).terms["local"])
    assert np.std(weighted) < 0.6 * np.std(alike)
    assert np.mean(weighted) == pytest.approx(-0.8, abs=4 * np.std(weighted) / np.sqrt(60))


def test_shift_share_finds_the_slope_the_data_were_made_with():
    rng = np.random.default_rng(2)
    demand = walk(rng, 20, PERIODS)
    outcome = rng.normal(70, 4, (20, 1)) + walk(rng, PERIODS) + 0.35 * demand
    panel = make_panel(outcome, {3: START}, cycle={"shift_share": demand})
    assert adjusted("shift_share", panel).terms["gamma"] == pytest.approx(0.35, abs=1e-9)


@pytest.mark.parametrize("rank", [1, 2])
def test_factors_finds_the_factors_the_data_were_made_with(rank):
    rng = np.random.default_rng(4)
    outcome = (
        rng.normal(70, 4, (20, 1)) + walk(rng, PERIODS) + rng.normal(1, 0.5, (20, rank)) @ walk(rng, rank, PERIODS)
    )
    panel = make_panel(outcome, {3: START})
    found = adjusted("factors", panel.with_outcome(outcome + 5.0 * panel.after), rank=rank)
    left = found.panel.outcome - 5.0 * panel.after
    rest = left - left.mean(axis=1, keepdims=True) - left.mean(axis=0) + left.mean()
    np.testing.assert_allclose(rest, 0.0, atol=1e-9)


@pytest.mark.parametrize("truth", [0, 1, 2, 3])
def test_the_eigenvalue_ratio_finds_how_many_factors_there_are(truth):
    """Strong factors, 60 units, 20 periods: found in at least 45 of 50 worlds (Ahn & Horenstein report nearly always)."""
    hits = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        outcome = rng.normal(0, 1, (60, truth)) @ rng.normal(0, 1.5, (truth, 20)) + rng.normal(0, 1, (60, 20))
        hits += adjusted("factors", make_panel(outcome, {3: 14})).terms["rank"] == truth
    assert hits >= 45


def test_no_more_factors_are_chosen_than_the_periods_before_carry():
    squares = np.array([100.0, 90.0, 80.0, 1.0, 0.9, 0.8, 0.7, 0.6])
    assert [_chosen_rank(squares, most) for most in (4, 3, 0)] == [3, 3, 0]
    assert _chosen_rank(squares, 2) <= 2


def test_a_local_series_that_only_follows_the_nation_keeps_one_slope():
    """A unit's slope on the others' mean differs from that on the mean of all by one part in their number, so 200 units."""
    rng = np.random.default_rng(5)
    series = rng.uniform(0.5, 1.5, (200, 1)) * (6 + walk(rng, PERIODS))
    outcome = 70 + 2.0 * series + rng.normal(0, 1, series.shape)
    terms = adjusted("local_series", make_panel(outcome, {3: START}, cycle={"jobs": series})).terms
    assert terms["dropped"] == "local"
    assert terms["national"] == pytest.approx(2.0, abs=5 * terms["national_se"])
    assert np.isnan(terms["local"])


def test_a_local_series_to_which_the_nation_adds_the_same_for_all_keeps_one_slope():
    rng = np.random.default_rng(5)
    own = rng.normal(0, 1, (20, PERIODS))
    nation = 1000 * walk(rng, PERIODS)
    # every other unit is the mirror image of the one before, and until the start none moves with the nation
    before = nation[:START] - nation[:START].mean()
    own[:, :START] -= np.outer(own[:, :START] @ before / (before @ before), before)
    own[1::2] = -own[::2]
    outcome = 70 + 3.0 * own + rng.normal(0, 1, own.shape)
    terms = adjusted("local_series", make_panel(outcome, {3: START}, cycle={"jobs": own + nation})).terms
    assert terms["dropped"] == "national"
    assert terms["local"] == pytest.approx(3.0, abs=5 * terms["local_se"])
    assert np.isnan(terms["national"])


# ------------------------------------------------------------------ shrinking


def test_equal_noise_shrinks_all_by_the_share_that_is_no_noise():
    rng = np.random.default_rng(6)
    beta = rng.normal(1.0, 0.3, 400)
    nation = walk(rng, PERIODS)
    outcome = beta[:, None] * nation + rng.normal(0, 0.8, (400, PERIODS))
    panel = make_panel(outcome, {3: START})
    found = loadings(outcome, np.broadcast_to(nation, outcome.shape), cells_before(panel))
    drawn = shrink(found, ~panel.treated, None)
    noise = 0.64 / found.spread[0]
    # 400 units: the variance is known to 7 %, so the reliability to about that
    assert drawn.reliability == pytest.approx(0.09 / (0.09 + noise), abs=0.06)
    assert np.mean((drawn.slope - beta) ** 2) < np.mean((found.slope - beta) ** 2)
    np.testing.assert_allclose(drawn.factor, drawn.reliability)


def test_small_units_are_drawn_further_than_large_ones():
    rng = np.random.default_rng(7)
    beta = rng.normal(1.0, 0.3, 400)
    size = np.where(np.arange(400) % 2, 200.0, 5000.0)
    nation = walk(rng, PERIODS)
    outcome = beta[:, None] * nation + rng.normal(0, 1, (400, PERIODS)) * np.sqrt(400 / size)[:, None]
    panel = make_panel(outcome, {3: START})
    found = loadings(outcome, np.broadcast_to(nation, outcome.shape), cells_before(panel))
    drawn = shrink(found, ~panel.treated, 1 / size)
    small, large = drawn.factor[size < 1000], drawn.factor[size > 1000]
    noise = 400 / np.array([200.0, 5000.0]) / found.spread[0]
    assert (small.mean(), large.mean()) == pytest.approx(tuple(0.09 / (0.09 + noise)), abs=0.07)
    alike = shrink(found, ~panel.treated, None)
    assert np.mean((drawn.slope - beta) ** 2) < np.mean((alike.slope - beta) ** 2)


def test_slopes_that_are_noise_alone_are_drawn_to_their_mean():
    rng = np.random.default_rng(8)
    nation = walk(rng, PERIODS)
    outcome = nation + rng.normal(0, 3.0, (300, PERIODS))
    # in half of all worlds the variance is below the squared errors; this is one of them
    panel = make_panel(outcome, {3: START})
    terms = adjusted("sensitivity", panel).terms
    assert terms["reliability"] < 0.15
    assert np.std(terms["shrunk"]) < 0.15 * np.std(terms["beta"])


# ------------------------------------------------------------------ units and starts


def test_pre_periods_are_those_before_each_treated_units_own_start_and_before_the_first_for_the_others():
    panel = make_panel(np.zeros((5, 10)), {1: 4, 2: 7})
    assert cells_before(panel).sum(axis=1).tolist() == [4, 4, 7, 4, 4]


def test_loadings_rest_on_the_cells_given_wherever_they_lie():
    rng = np.random.default_rng(3)
    values, regressor = walk(rng, 5, 10), walk(rng, 5, 10)
    cells = np.zeros((5, 10), dtype=bool)
    cells[:, [2, 3, 6, 7, 9]] = True
    found = loadings(values, regressor, cells)
    picked = loadings(values[:, [2, 3, 6, 7, 9]], regressor[:, [2, 3, 6, 7, 9]], np.ones((5, 5), dtype=bool))
    np.testing.assert_allclose(found.slope, picked.slope, atol=1e-12)
    assert not loadings(values, regressor, np.zeros((5, 10), dtype=bool)).known.any()


def test_a_control_seen_too_rarely_before_the_start_is_left_out_and_named():
    panel = make_panel(walk(np.random.default_rng(1), 8, PERIODS) + 50, {3: START})
    outcome = panel.outcome.copy()
    outcome[5, :7] = np.nan
    found = adjusted("sensitivity", panel.with_outcome(outcome))
    assert "unit 05" not in found.panel.units
    assert [note.code for note in found.notes] == ["units_not_adjusted"]
    assert "unit 05" in found.notes[0].text
    assert adjusted("unit_trend", panel.with_outcome(outcome)).panel.n_units == 7


def test_a_control_alone_in_its_region_is_left_out():
    panel = make_panel(
        walk(np.random.default_rng(1), 8, PERIODS), {3: START}, region=np.array([0, 0, 0, 0, 1, 1, 1, 2])
    )
    assert adjusted("region_time", panel).panel.units == tuple(f"unit {row:02d}" for row in range(7))


def test_a_control_with_a_missing_cell_is_left_out_by_factors():
    panel = make_panel(walk(np.random.default_rng(1), 9, PERIODS), {3: START})
    outcome = panel.outcome.copy()
    outcome[5, 2] = np.nan
    assert "unit 05" not in adjusted("factors", panel.with_outcome(outcome), rank=1).panel.units


# ------------------------------------------------------------------ refused in words


def some(seed=1, n_units=10, start=START, **more):
    rng = np.random.default_rng(seed)
    return make_panel(50 + walk(rng, n_units, PERIODS), {3: start}, **more)


RNG = np.random.default_rng(0)
LOCAL = walk(RNG, 10, PERIODS)
REFUSED = [
    ("local_series", {}, {}, r"no local series in the panel; give one in \[cycle\] series, or a column in `cycle=`"),
    ("local_series", {"series": "jobs"}, {}, r"no cycle series 'jobs': the panel has none; give one in \[cycle\] series"),
    ("local_series", {"series": "unemploiment"}, {"cycle": {"unemployment": LOCAL}}, "did you mean 'unemployment'"),
    ("local_series", {"use": "neighbours"}, {"cycle": {"unemployment": LOCAL}}, r"give \[cycle\] neighbours"),
    ("local_series", {"series": "gdp"}, {"cycle": {"gdp": LOCAL[0]}}, "one for all units.*sensitivity"),
    ("local_series", {}, {"cycle": {"gdp": LOCAL[0]}}, "no local series in the panel"),
    ("local_series", {}, {"cycle": {"jobs": LOCAL}, "start": 2}, r"2 periods before the start; .* at least 3"),
    ("local_series", {"split": False}, {"cycle": {"jobs": np.tile(LOCAL[0], (10, 1))}}, "does not move differently from unit"),
    ("sensitivity", {"series": "gpd"}, {"cycle": {"gdp": LOCAL[0]}}, "did you mean 'gdp'"),
    ("sensitivity", {"series": "gdp"}, {"cycle": {"gdp": np.full(PERIODS, 3.0)}}, "'gdp' does not move before the start"),
    ("sensitivity", {}, {"start": 2}, r"2 periods before the start; .* at least 3"),
    ("unit_trend", {}, {"start": 2}, r"2 periods before the start; .* at least 3"),
    ("factors", {}, {"start": 2}, r"2 periods before the start; .* at least 3"),
    ("factors", {"rank": 8}, {}, "rank 8 is too large; with 9 periods before the start .* at most 7"),
    ("cce", {}, {"cycle": {f"series {n}": walk(RNG, 10, PERIODS) for n in range(9)}}, "10 averages take at least 12 .* name fewer series"),
    ("cce", {"series": ("a", "b")}, {"cycle": {"a": LOCAL[0], "b": 2 * LOCAL[0] + 1}}, "move together"),
    ("region_time", {}, {}, "no regions; give the column"),
    ("region_time", {}, {"region": np.array([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]), "region_names": ("east", "west")}, "no never-treated unit in west"),
    ("region_time", {}, {"region": np.array([0, 1, 2, 0, 3, 4, 5, 6, 7, 8])}, "alone in its region"),
    ("shift_share", {}, {}, r"no predicted demand; give employment by industry in \[cycle.shares\]"),
    ("shift_share", {}, {"cycle": {"shift_share": LOCAL[0]}}, "for each unit and period"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "more", "words"), REFUSED)
def test_what_cannot_be_computed_is_said_in_words(name, options, more, words):
    with pytest.raises(EstimationError, match=words):
        adjusted(name, some(**more), **options)


def test_a_treated_unit_seen_too_rarely_before_its_start_is_named():
    panel = some()
    outcome = panel.outcome.copy()
    outcome[3, :7] = np.nan
    for name in ("sensitivity", "cce", "unit_trend", "factors"):
        with pytest.raises(EstimationError, match="unit 03 is observed in"):
            adjusted(name, panel.with_outcome(outcome))


@pytest.mark.parametrize("split", [True, False])
def test_the_outcome_is_refused_as_its_own_local_series(split):
    """Employment in per cent as a 'local series' for employment in per mille would explain everything, the effect included."""
    panel = some()
    same = dataclasses.replace(panel, cycle={"rate": 10 * panel.outcome + np.linspace(0, 5, PERIODS)})
    with pytest.raises(EstimationError, match="the outcome itself"):
        adjusted("local_series", same, split=split)


def test_two_local_parts_that_say_the_same_are_refused():
    panel = some()
    from evaluation.cycle.slopes import pooled_slopes

    with pytest.raises(EstimationError, match="a and b say the same thing"):
        pooled_slopes(panel, np.array([LOCAL, 3 * LOCAL]), ("a", "b"), "test")


@pytest.mark.filterwarnings("error")
def test_units_whose_persons_are_not_known_are_said_or_not_needed():
    size = np.full((10, PERIODS), 500.0)
    size[5] = np.nan
    panel = some(cycle={"jobs": LOCAL}, size=size)
    for name in ("sensitivity", "local_series"):
        with pytest.raises(EstimationError, match="persons behind the cells of some unit are never known"):
            adjusted(name, panel)
    # nobody asks for the persons of a unit that has no cell
    outcome = panel.outcome.copy()
    outcome[5] = np.nan
    assert "unit 05" not in adjusted("sensitivity", panel.with_outcome(outcome)).panel.units
    assert adjusted("local_series", panel.with_outcome(outcome)).terms["n_units"] == 8


def test_nobody_else_observed_in_a_period_is_said():
    panel = some()
    outcome = panel.outcome.copy()
    outcome[:, 4] = np.nan
    with pytest.raises(EstimationError, match="in 2005 no other never-treated unit is observed"):
        adjusted("sensitivity", panel.with_outcome(outcome))


def test_a_nation_that_stands_still_is_refused():
    outcome = np.tile([[1.0], [2.0], [3.0], [4.0]], (1, PERIODS))
    with pytest.raises(EstimationError, match="constant before the start"):
        adjusted("sensitivity", make_panel(outcome, {3: START}))


# ------------------------------------------------------------------ false alarms

DRAWS, ALLOWED = 60, (3, 23)
"""Of 60 tests at 20 per cent 12 reject on average; a binomial count lies outside 3 to 23 twice in a thousand worlds."""


@pytest.mark.parametrize("name", [name for name in ADJUSTMENTS if name != "none"])
def test_placebos_with_the_adjustment_refitted_raise_false_alarms_as_often_as_they_say(name):
    """Units whose factors, loadings, series and noise are alike in distribution: any of 20 may be the treated one."""
    pipeline = make_pipeline("did", name, {}, {})
    rejected = 0
    for seed in range(DRAWS):
        rng = np.random.default_rng([seed, 5])
        local = rng.normal(1, 0.4, (20, 1)) * walk(rng, 12) + rng.normal(0, 0.5, (20, 12))
        outcome = rng.normal(1, 0.4, (20, 2)) @ walk(rng, 2, 12) + 0.6 * local + rng.normal(0, 0.5, (20, 12))
        cycle = {"jobs": local, "shift_share": local + rng.normal(0, 0.5, (20, 12))}
        panel = make_panel(outcome, {3: 8}, cycle=cycle, region=np.arange(20) % 4)
        rejected += INFERENCES["placebo"].test(pipeline, panel, rng) <= 0.20 + 1e-9
    assert ALLOWED[0] <= rejected <= ALLOWED[1]
