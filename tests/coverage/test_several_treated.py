"""With several treated units the study takes the product's steps too: averages stand in, and controls alone for the noise by size."""

import numpy as np
import pytest
from coverage_study import study
from coverage_study.kernels import assignments, did
from coverage_study.study import Group, draws, estimates_of, panel_of, pipeline_of, run
from coverage_study.worlds import SHAPES, UNITS

from evaluation.contracts import Fit
from evaluation.inference import INFERENCES
from evaluation.inference.draws import Placebos, placebo_fits, rank_p_value
from evaluation.inference.ferman_pinto import size_factors
from evaluation.proof.coverage import LEAST, MOST
from evaluation.study import stream

# sums of a hundred numbers near one, in another order
ROUNDING = 1e-9


@pytest.mark.parametrize(("estimator", "treated", "size"), [
    ("did", 2, "small"), ("did", 5, "large"), ("event_study", 2, "large"), ("synthetic_did", 2, "small"),
    ("synthetic_control demeaned", 2, "large"),
])  # fmt: skip
def test_the_kernels_find_the_product_s_controls_alone(estimator, treated, size):
    group = Group("sizes", 14, treated, size, estimator, "none", "placebos", 1, 20)
    (drawn, place), pipeline = next(draws(group)), pipeline_of(estimator, "none")
    seen = panel_of(group, drawn, place)
    _, placebos, _ = estimates_of(group, pipeline)(drawn, place, seen)
    refits = placebo_fits(pipeline, seen, stream(study.SEED, f"assignments/{treated}"), most=20)
    # no more controls alone than assignments: the product is asked for all of them apart
    refits_alone = placebo_fits(pipeline, seen.assign({0: 7}, without=range(1, treated)), stream(1, "any"))
    assert [rows for (rows,) in placebos.alone.assignments] == list(range(treated, 98))
    assert placebos.alone.effects == pytest.approx(refits_alone.effects, abs=ROUNDING)
    assert set(refits.alone.assignments) <= set(placebos.alone.assignments)
    place_of = {rows: number for number, rows in enumerate(placebos.alone.assignments)}
    some = [place_of[rows] for rows in refits.alone.assignments]
    assert refits.alone.effects == pytest.approx(placebos.alone.effects[some], abs=ROUNDING)


def test_two_small_ones_by_the_product_and_by_the_study(monkeypatch):
    """All 96 controls alone on both sides: same factors, same interval."""
    group = Group("sizes", 14, 2, "small", "did", "none", "placebos", 1, 199)
    (drawn, place), pipeline = next(draws(group)), pipeline_of("did", "none")
    seen = panel_of(group, drawn, place)
    fit, placebos, _ = estimates_of(group, pipeline)(drawn, place, seen)
    whole = pipeline(seen)
    refits = placebo_fits(pipeline, seen, stream(study.SEED, "assignments/2"), most=199)
    factors = size_factors(fit, placebos, seen)
    assert factors == pytest.approx(size_factors(whole, refits, seen), abs=ROUNDING)
    assert np.ptp(factors) > 0.5
    infer = INFERENCES["ferman_pinto"].infer_from
    short, long = infer(pipeline, seen, 0.95, fit, placebos), infer(pipeline, seen, 0.95, whole, refits)
    for value in ("lower", "upper", "p_value", "std_error"):
        assert getattr(short, value) == pytest.approx(getattr(long, value), abs=ROUNDING)
    monkeypatch.setattr(study, "CHUNK", 1)
    (row,) = [row for row in run(group, ("ferman_pinto",)) if row.statistic == "effect"]
    assert row.size_05 == float(long.p_value <= 0.05)


def test_averages_of_five_are_told_from_chance_as_often_as_promised(monkeypatch):
    """Five small and five large ones; a function fitted to averages of five rejects in 9 to 10 % here."""
    # panels that the table has not seen
    monkeypatch.setattr(study, "SEED", 45)
    shape, none, replications = SHAPES[14], np.empty(0, dtype=np.int64), 500
    rows, lone = assignments(5, 199, stream(45, "assignments/5")), np.append(0, np.arange(5, UNITS))

    def effects(outcome, persons, units):
        paths = did(outcome, persons, units, shape)
        window = slice(shape.before, shape.before + shape.window)
        return paths.own[window].mean(), paths.others[:, window].mean(axis=1)

    def placebos(found, units, alone=None):
        fits = tuple(Fit(att, np.empty(0), none) for att in found.tolist())
        return Placebos(tuple(map(tuple, units.tolist())), fits, 0, False, alone)

    p_values = []
    for size in ("small", "large"):
        group = Group("sizes", 14, 5, size, "did", "none", "placebos", replications)
        for drawn, place in draws(group):
            outcome, persons = drawn.outcome[place], drawn.persons[place]
            own, averages = effects(outcome, persons, rows)
            singles = effects(outcome[lone], persons[lone], np.arange(1, lone.size)[:, None])[1]
            factors = size_factors(
                Fit(own, np.empty(0), none),
                placebos(averages, rows, placebos(singles, lone[1:, None])),
                panel_of(group, drawn, place),
            )
            p_values.append(rank_p_value(averages * factors, own))
    # the error is 0.8 points: 9.5 % would be seen
    assert len(p_values) == 2 * replications
    assert LEAST <= np.mean(np.array(p_values) <= 0.05) <= MOST
