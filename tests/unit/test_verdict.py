"""The verdict follows written rules: what may be reached, what costs a level, and never more certainty than the design has."""

from dataclasses import replace

from evaluation.result import CheckResult, Estimate, LadderRung, Note
from evaluation.verdict import judge

BASE = Estimate(
    method="did", adjust="none", inference="placebo", effect=2.0, std_error=0.5, lower=1.0, upper=3.0, level=0.95,
    p_value=0.01, baseline=10.0, percent=20.0, path=(), unit_weights={}, time_weights={}, n_units=50, n_treated=1, n_periods=10,
)  # fmt: skip


def level(headline=BASE, estimates=(), **statuses):
    return judge(headline, estimates, [CheckResult(name, status) for name, status in statuses.items()]).level


def test_one_treated_unit_reaches_three_and_many_four():
    assert judge(BASE, (), ()).possible == 3
    assert judge(replace(BASE, n_treated=6), (), ()).possible == 4


def test_each_failure_costs_one_level_and_one_is_the_least():
    assert level(pre_trends="passed", placebo_in_time="warns") == 3
    assert level(pre_trends="failed") == 2
    assert level(pre_trends="failed", placebo_in_time="failed") == 2
    assert level(pre_trends="failed", leave_one_out="failed", every_unit_treated="failed") == 1


def test_methods_disagree_only_with_opposite_signs_more_than_a_standard_error_apart():
    near = replace(BASE, effect=0.2, method="synthetic_control")
    against = replace(BASE, effect=-1.0, method="synthetic_control")
    close = replace(BASE, effect=-0.1, method="synthetic_control")
    assert level(estimates=(near,)) == 3
    assert level(estimates=(against,)) == 2
    assert level(replace(BASE, effect=0.1), (close,)) == 3


def test_no_interval_or_an_invalid_one_costs_a_level():
    assert level(replace(BASE, lower=None, upper=None)) == 2
    assert level(replace(BASE, notes=(Note("cluster_few_treated", "not valid"),))) == 2


def test_direction_needs_an_interval_that_leaves_zero_out():
    assert judge(BASE, (), ()).direction == "higher"
    assert judge(replace(BASE, effect=-2.0, lower=-3.0, upper=-1.0), (), ()).direction == "lower"
    assert judge(replace(BASE, lower=-0.1), (), ()).direction == "unclear"
    assert judge(replace(BASE, lower=None, upper=None), (), ()).direction == "unclear"


def test_what_could_not_be_tested_never_raises_the_level():
    assert level(pre_trends="not_run", placebo_in_time="not_run") == 2
    assert level(pre_trends="not_run", placebo_in_time="passed") == 3
    assert judge(BASE, (), (), ["synthetic_control"]).level == 2
    other = replace(BASE, method="event_study")
    assert judge(BASE, (other,), (), ["synthetic_control"]).level == 3
    assert "methods_agree" not in {note.code for note in judge(BASE, (other,), (), ["synthetic_control"]).reasons}


def test_nothing_is_drawn_from_an_interval_that_is_not_valid():
    verdict = judge(replace(BASE, notes=(Note("cluster_few_treated", "not valid"),)), (), ())
    assert (verdict.direction, verdict.ruled_out_above, verdict.detectable) == ("unclear", None, None)


def test_clusters_count_as_one_treated_each():
    assert judge(replace(BASE, n_treated=30, details={"treated_clusters": 2}), (), ()).possible == 3


def rung(effect=2.0, lower=1.0, upper=3.0, p_value=0.01, **more):
    return LadderRung(more.pop("adjust", "sensitivity"), effect, lower, upper, p_value, 0.0, **more)


def codes(*ladder, headline=BASE):
    return [note.code for note in judge(headline, (), (), (), ladder).reasons]


def test_the_cycle_decides_where_another_believable_way_turns_the_sign():
    against = rung(-1.0, -2.0, -0.1, 0.09)
    assert "cycle_decides" in codes(against)
    assert judge(BASE, (), (), (), (against,)).level == 2
    assert judge(BASE, (), (), (), (against, against)).level == 2  # once, however many
    assert "cycle_decides" not in codes(replace(against, p_value=0.10))
    assert "cycle_decides" not in codes(replace(against, status="comparison"))
    assert "cycle_decides" not in codes(replace(against, p_value=None))


def test_the_cycle_decides_where_the_recommended_way_cannot_tell_the_claimed_effect_from_zero():
    doubt = rung(0.5, -0.2, 1.2, 0.2, recommended=True)
    assert "cycle_decides" in codes(doubt)
    assert "cycle_decides" in codes(replace(doubt, lower=None, upper=None))
    assert "cycle_decides" not in codes(replace(doubt, lower=0.1))
    assert "cycle_decides" not in codes(replace(doubt, recommended=False))
    # nothing is claimed: nothing can be taken back
    assert "cycle_decides" not in codes(doubt, headline=replace(BASE, lower=-0.1))


def test_a_recommended_way_that_was_not_run_takes_nothing_away():
    missing = LadderRung("local_series", None, None, None, None, None, recommended=True, status="not_run", reason="no_series")
    assert "cycle_decides" not in codes(missing)
