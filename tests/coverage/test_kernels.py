"""The fast estimates and intervals of the coverage study are the product's own."""

import dataclasses

import numpy as np
import pytest
from coverage_study import lean
from coverage_study.adjusted import REMOVED
from coverage_study.batched_noise import variance_functions
from coverage_study.kernels import KERNELS, assignments, did_effects
from coverage_study.shortened import TIMES, fits_of
from coverage_study.study import PLACEBO_FAMILY, Group, default_choice, draws, kernel_of, pipeline_of, run
from coverage_study.worlds import SHAPES, WORLDS, draw, panel, shows_persons

from evaluation.errors import EstimationError
from evaluation.inference import INFERENCES
from evaluation.inference.draws import placebo_fits
from evaluation.noise import variance_function
from evaluation.proof.coverage import SAME_AS
from evaluation.study import run_pipeline, stream

# sums of a hundred numbers near one, in another order
ROUNDING = 1e-9


def one(name, periods=14, treated=1, size="any"):
    """A replication of a world, and the panel that the product is given."""
    world, shape = WORLDS[name], SHAPES[periods]
    drawn = draw(world, shape, 1, stream(1, f"{name}/{periods}"), treated, size)
    return drawn, panel(drawn, 0, shape, treated, sized=shows_persons(world))


def paths_of(kernel, drawn, name, rows, periods=14):
    persons = drawn.persons[0] if shows_persons(WORLDS[name]) else None
    return KERNELS[kernel](drawn.outcome[0], persons, rows, SHAPES[periods])


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_finds_what_the_product_finds_in_every_world(kernel):
    rows = assignments(2, 6, stream(2, "rows"))
    for name, world in WORLDS.items():
        drawn, seen = one(name, treated=2, size="small" if world.sized else "any")
        found = paths_of(kernel, drawn, name, rows)
        pipeline = pipeline_of(kernel, "none")
        fit, placebos = pipeline(seen), placebo_fits(pipeline, seen, stream(2, "rows"), most=6)
        assert placebos.assignments == tuple(map(tuple, rows.tolist()))
        assert np.abs(found.own - fit.effects).max() <= ROUNDING, name
        assert np.abs(found.others - placebos.paths(fit.event_times)).max() <= ROUNDING, name


@pytest.mark.parametrize(("estimator", "adjust", "name", "periods"), [
    ("did", "none", "sizes", 14), ("did", "none", "factors", 60), ("synthetic_control", "none", "levels", 14),
    ("synthetic_did", "none", "cycle", 14), ("synthetic_control demeaned", "none", "sizes", 14),
    ("did", "shift_share", "far_loading", 14), ("synthetic_did", "local_series", "sizes", 14),
])  # fmt: skip
def test_with_one_treated_unit_the_intervals_are_the_product_s(estimator, adjust, name, periods):
    size = "median" if WORLDS[name].sized else "any"
    drawn, seen = one(name, periods, size=size)
    shape = SHAPES[periods]
    rows = assignments(1, 999, stream(2, "rows"))
    kernel = kernel_of(Group(name, periods, 1, size, estimator, adjust, "placebos", 1))
    fit, placebos = fits_of(kernel(drawn, 0, rows), rows, shape, exhaustive=True)
    pipeline = pipeline_of(estimator, adjust)
    whole, refits = pipeline(seen), placebo_fits(pipeline, seen, stream(2, "rows"))
    late, shown = TIMES[shape] >= 0, np.isin(whole.event_times, TIMES[shape][TIMES[shape] >= 0])
    for inference in PLACEBO_FAMILY:
        if inference not in lean.NAMES or (inference == "ferman_pinto" and seen.size is None):
            continue
        infer = INFERENCES[inference].infer_from
        short, long = infer(pipeline, seen, 0.95, fit, placebos), infer(pipeline, seen, 0.95, whole, refits)
        for value in ("lower", "upper", "p_value", "std_error"):
            assert getattr(short, value) == pytest.approx(getattr(long, value), abs=ROUNDING), inference
        quick = lean.tests(inference, fit, placebos, seen, 0.95, lean.size_factors_of(fit, placebos, seen))
        first = int(np.flatnonzero(whole.event_times == 0)[0])
        expected = {
            "effect": (long.lower, long.upper, long.p_value),
            "first_period": (long.path_lower[first], long.path_upper[first], long.path_p_value[first]),
        }
        for statistic, (lower, upper, p_value) in expected.items():
            made = quick[statistic]
            assert (made.lower, made.upper, made.p_value) == pytest.approx((lower, upper, p_value), abs=ROUNDING), (
                inference
            )
        for value in ("path_lower", "path_upper", "path_p_value"):
            assert getattr(short, value)[late] == pytest.approx(getattr(long, value)[shown], abs=ROUNDING), inference
        if periods == 14:
            joint = [made.details["placebo"]["joint"]["p_value"] for made in (short, long)]
            assert joint == pytest.approx([quick["joint"].p_value] * 2, abs=ROUNDING), inference


@pytest.mark.parametrize(("kernel", "name"), [
    ("did", "sizes"), ("did", "sizes_unknown"), ("synthetic_control", "highest_level"), ("did", "ar1"),
])  # fmt: skip
def test_the_default_of_the_study_is_the_product_s(kernel, name):
    drawn, seen = one(name, size="small" if WORLDS[name].sized else "any")
    rows = assignments(1, 999, stream(2, "rows"))
    paths = paths_of(kernel, drawn, name, rows)
    fit, placebos = fits_of(paths, rows, SHAPES[14], exhaustive=True)
    pipeline = pipeline_of(kernel, "none")
    expected = run_pipeline(pipeline, seen, "default", 0.95, 1)
    assert default_choice(pipeline, seen, fit, placebos).name == expected.inference


@pytest.mark.parametrize(("estimator", "adjust"), [
    ("did", "none"), ("did", "sensitivity"), ("did", "factors"), ("did", "local_series"), ("synthetic_control", "none"),
    ("synthetic_did", "none"), ("interactive_fixed_effects", "none"), ("matrix_completion", "none"),
    ("common_correlated_effects", "none"),
])  # fmt: skip
def test_an_effect_moves_the_interval_and_nothing_else(estimator, adjust):
    """The rates at planted effects are read off the intervals without one: this is what allows it."""
    seen = one("sizes", size="median")[1]
    seen = seen.keep_units(np.arange(12))
    planted = seen.outcome.copy()
    planted[0, SHAPES[14].before :] += 0.7
    pipeline = pipeline_of(estimator, adjust)
    fits = [
        (each, pipeline(each), placebo_fits(pipeline, each, stream(3, "any")))
        for each in (seen, seen.with_outcome(planted))
    ]
    for inference in ("placebo", "ferman_pinto", "standardized_placebo"):
        infer = INFERENCES[inference].infer_from
        if inference == "standardized_placebo" and fits[0][1].fit_rmse is None:
            continue
        # 11 controls allow no interval at 95 %
        before, after = (infer(pipeline, each, 0.8, fit, placebos) for each, fit, placebos in fits)
        # matrix completion and interactive effects iterate to a tolerance of their own
        assert after.lower - before.lower == pytest.approx(0.7, abs=1e-6), inference
        assert after.upper - before.upper == pytest.approx(0.7, abs=1e-6), inference


@pytest.mark.parametrize("inference", ["cluster", "cluster_cr2", "newey_west", "driscoll_kraay", "conley_taber"])
def test_an_effect_moves_the_interval_of_one_fit(inference):
    seen = one("ar1")[1]
    planted = seen.outcome.copy()
    planted[0, SHAPES[14].before :] += 0.7
    infer, pipeline = INFERENCES[inference].infer, pipeline_of("did", "none")
    before, after = (infer(pipeline, each, 0.95, stream(3, "any")) for each in (seen, seen.with_outcome(planted)))
    assert (after.lower - before.lower, after.upper - before.upper) == pytest.approx((0.7, 0.7), abs=ROUNDING)


def test_with_one_start_estimators_for_several_are_difference_in_differences():
    """So the rows of `did`, or of `event_study`, in the table are theirs: same effects, hence the same placebos and intervals."""
    _, seen = one("cycle")
    for row in (0, 5):
        each = seen.assign({row: SHAPES[14].before})
        for estimator, same in SAME_AS.items():
            expected = pipeline_of(same, "none")(each).att
            # those that solve normal equations lose some digits
            assert pipeline_of(estimator, "none")(each).att == pytest.approx(expected, abs=ROUNDING), estimator


def few_units(name, periods, units):
    """A replication with its first units only, which the product fits sooner: outcomes and what is known of them, and the panel."""
    drawn, seen = one(name, periods, size="small" if WORLDS[name].sized else "any")
    parts = {field: getattr(drawn, field)[:, :units] for field in ("outcome", "series", "persons", "region")}
    return dataclasses.replace(drawn, **parts), seen.keep_units(np.arange(units))


def adjusted_paths(estimator, adjust, drawn, name, periods=14):
    rows = assignments(1, 999, stream(2, "rows"))[: drawn.outcome.shape[1] - 1]
    return kernel_of(Group(name, periods, 1, "any", estimator, adjust, "placebos", 1))(drawn, 0, rows), rows


@pytest.mark.parametrize(("estimator", "adjust"), [
    *(("did", adjust) for adjust in REMOVED),
    *((each, adjust) for each in ("synthetic_did", "synthetic_control demeaned")
      for adjust in ("sensitivity", "region_time", "local_series")),
])  # fmt: skip
def test_an_adjusted_kernel_finds_what_the_product_finds(estimator, adjust):
    for name, periods, units in (
        ("cycle", 14, 60), ("sizes", 14, 24), ("factors", 14, 24), ("far_loading", 14, 24), ("cycle", 60, 24),
    ):  # fmt: skip
        drawn, seen = few_units(name, periods, units)
        paths, rows = adjusted_paths(estimator, adjust, drawn, name, periods)
        pipeline = pipeline_of(estimator, adjust)
        fit, placebos = pipeline(seen), placebo_fits(pipeline, seen, stream(2, "rows"))
        possible = np.isfinite(paths.others).all(axis=1)
        assert placebos.assignments == tuple(map(tuple, rows[possible].tolist()))  # some have nobody beside them
        assert np.abs(paths.own - fit.effects).max() <= ROUNDING, name
        assert np.abs(paths.others[possible] - placebos.paths(fit.event_times)).max() <= ROUNDING, name
        variances = np.array([each.slope_variance for each in (fit, *placebos.fits)])
        if paths.slope_variances is None:
            assert not variances.any()
        else:
            assert paths.slope_variances == pytest.approx(variances, rel=ROUNDING, abs=ROUNDING)


def test_an_adjusted_kernel_refuses_where_the_product_does():
    drawn, seen = few_units("ar1", 14, 12)
    same = dataclasses.replace(drawn, series=drawn.outcome)
    shown = dataclasses.replace(seen, cycle={"series": seen.outcome})
    with pytest.raises(EstimationError):
        pipeline_of("did", "cce")(shown)
    with pytest.raises(EstimationError):
        adjusted_paths("did", "cce", same, "ar1")


def test_a_series_that_all_units_react_to_alike_has_one_slope():
    drawn, seen = few_units("ar1", 14, 24)
    series = drawn.series.copy()
    series[..., : SHAPES[14].before] = np.arange(SHAPES[14].before)
    paths, _ = adjusted_paths("did", "local_series", dataclasses.replace(drawn, series=series), "ar1")
    shown, pipeline = dataclasses.replace(seen, cycle={"series": series[0]}), pipeline_of("did", "local_series")
    assert pipeline.adjust(shown).terms["dropped"] == "national"
    fit, placebos = pipeline(shown), placebo_fits(pipeline, shown, stream(2, "rows"))
    assert np.abs(paths.own - fit.effects).max() <= ROUNDING
    assert np.abs(paths.others - placebos.paths(fit.event_times)).max() <= ROUNDING
    assert paths.slope_variances[0] == pytest.approx(fit.slope_variance, rel=ROUNDING)


def test_variances_by_persons_of_many_problems_are_the_product_s():
    """Rising and falling with the persons, so that either part may be zero; and persons that are all alike, which tell nothing."""
    rng = stream(4, "variances")
    noise = 1.0 / np.geomspace(500.0, 50_000.0, 30)
    squares = rng.chisquare(5, size=(12, 30)) * np.where(np.arange(12)[:, None] % 3, 1.0 + 4000.0 * noise, 1.0 / noise)
    used = rng.random((12, 30)) < 0.8
    for each in (noise, np.full(30, 0.01)):
        found = variance_functions(each, squares, used)
        for problem, rows in enumerate(used):
            design = np.column_stack([np.ones(30), each])
            expected = design @ variance_function(design[rows], squares[problem, rows])
            assert found[problem] == pytest.approx(expected, rel=ROUNDING)


def test_effects_of_many_replications_at_once():
    shape = SHAPES[14]
    drawn = draw(WORLDS["regional"], shape, 3, stream(4, "any"))
    own, others = did_effects(drawn.outcome, shape)
    rows = assignments(1, 999, stream(2, "rows"))
    for place, outcome in enumerate(drawn.outcome):
        paths = KERNELS["did"](outcome, None, rows, shape)
        assert own[place] == pytest.approx(paths.own[7:11].mean(), abs=ROUNDING)
        assert others[place] == pytest.approx(paths.others[:, 7:11].mean(axis=1), abs=ROUNDING)


def test_more_replications_begin_with_the_same_panels():
    few, many = (
        [
            drawn.outcome[place, 0]
            for drawn, place in draws(Group("ar1", 14, 1, "any", "did", "none", "placebos", count))
        ]
        for count in (3, 110)
    )
    assert np.array_equal(few, many[:3])
    assert not np.array_equal(many[0], many[100])


def test_a_group_gives_the_same_rows_twice():
    group = Group("sizes", 14, 1, "small", "did", "none", "placebos", 3)
    assert run(group) == run(group)
