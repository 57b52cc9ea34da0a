"""Group-time effects, their averages and standard errors against did 2.1.2 (01_did.R) and did 2.3.0 (13_did_newer.R)."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from evaluation.estimators import ESTIMATORS
from evaluation.panel import Panel
from tests.reference import golden

CONTROLS = {"nevertreated": "never_treated", "notyettreated": "not_yet_treated"}
NAMES = [
    f"did/mpdta/{covariates}/{method}/{controls}/{base}"
    for covariates in ("x1", "xlpop")
    for method in ("dr", "ipw", "reg")
    for controls in CONTROLS
    for base in ("varying", "universal")
    if (covariates, method, controls, base)
    != ("xlpop", "ipw", "notyettreated", "universal")  # not among the references
]
BY = {"dynamic": "event_time", "group": "group", "calendar": "period"}


def counties() -> Panel:
    return Panel.from_frame(
        golden.table("mpdta"), unit="countyreal", time="year", outcome="lemp", start="first.treat", covariates=("lpop",)
    )


def fit(panel=None, **options):
    method = ESTIMATORS["callaway_santanna"]
    return method.fit(counties() if panel is None else panel, method.options(**options))


def close(ours, theirs, within):
    """A reference cell has no standard error: NaN there, None here."""
    if theirs is None:
        assert ours is None
    else:
        golden.assert_close(ours, theirs, within)


def assert_cells(found, theirs, within):
    ours = {(row["group"], row["period"]): row for row in found.details["att_gt"]}
    assert set(ours) == {(str(row["group"]), str(row["time"])) for row in theirs}
    for row in theirs:
        own = ours[str(row["group"]), str(row["time"])]
        close(own["effect"], row["att"], within)
        close(own["std_error"], row["se"], within)


def assert_average(found, kind, theirs, within, *, overall_error=True):
    ours = found.details["aggregates"][kind]
    close(ours["effect"], theirs["overall_att"], within)
    if overall_error:
        close(ours["std_error"], theirs["overall_se"], within)
    if theirs.get("by"):
        assert [str(row[BY[kind]]) for row in ours["by"]] == [str(row["e"]) for row in theirs["by"]]
        for own, row in zip(ours["by"], theirs["by"], strict=True):
            close(own["effect"], row["att"], within)
            close(own["std_error"], row["se"], within)


@pytest.mark.parametrize("name", NAMES)
def test_group_time_effects_and_averages_equal_did(name):
    theirs, within = golden.value(name), golden.tolerance(name)
    _, _, covariates, method, controls, base = name.split("/")
    found = fit(
        est_method=method, control_group=CONTROLS[controls], base_period=base,
        covariates=("lpop",) if covariates == "xlpop" else (),
    )  # fmt: skip
    assert_cells(found, theirs["att_gt"], within)
    for kind in ("simple", "dynamic", "group", "calendar"):
        if kind in theirs:
            # did 2.1.2's standard error of the overall group average is 0.2-0.5 % too small: see the test below
            assert_average(found, kind, theirs[kind], within, overall_error=kind != "group")
    if theirs["wald_pretest"] is not None:
        golden.assert_close(found.details["pre_test"]["statistic"], theirs["wald_pretest"], within)
        # the program rounds its p-value to five digits
        assert found.details["pre_test"]["p_value"] == pytest.approx(theirs["wald_pvalue"], abs=0.6e-5)


@pytest.mark.parametrize("covariates", ["x1", "xlpop"])
@pytest.mark.parametrize("controls", CONTROLS)
@pytest.mark.parametrize("kind", ["simple", "dynamic", "group", "calendar"])
def test_overall_standard_errors_equal_the_corrected_program(covariates, controls, kind):
    """As the headline too: the effect and its standard error by `cluster`."""
    name = f"did230/mpdta/{covariates}/{controls}"
    theirs, within = golden.value(name)[kind], golden.tolerance(name)
    ours = evaluation.estimate(
        counties(), "callaway_santanna", inference="cluster", aggregate=kind, control_group=CONTROLS[controls],
        covariates=("lpop",) if covariates == "xlpop" else (),
    )  # fmt: skip
    golden.assert_close(ours.effect, theirs["overall_att"], within)
    golden.assert_close(ours.std_error, theirs["overall_se"], within)


def test_path_and_its_errors_are_the_dynamic_average():
    theirs = golden.value("did/mpdta/x1/dr/nevertreated/varying")["dynamic"]["by"]
    ours = evaluation.estimate(counties(), "callaway_santanna", inference="cluster")
    assert [point.event_time for point in ours.path] == [row["e"] for row in theirs]
    for point, row in zip(ours.path, theirs, strict=True):
        golden.assert_close(point.effect, row["att"], 1e-6)
        golden.assert_close(point.std_error, row["se"], 1e-6)


def test_chosen_event_times_equal_did():
    name = "did/mpdta/min_max_e"
    assert_average(fit(min_event_time=-1, max_event_time=1), "dynamic", golden.value(name), golden.tolerance(name))


def test_repeated_cross_sections_equal_did():
    """Every county-year as a unit of its own, seen once."""
    name = "did/mpdta/repeated_cross_sections"
    panel = counties()
    outcome = np.full((2500, 5), np.nan)
    for year in range(5):
        outcome[year::5, year] = panel.outcome[:, year]
    apart = Panel(
        outcome=outcome, units=tuple(f"{unit}/{year}" for unit in panel.units for year in range(5)), periods=panel.periods,
        start=np.repeat(panel.start, 5),
    )  # fmt: skip
    found = fit(apart, unbalanced="cross_sections")
    assert_cells(found, golden.value(name)["att_gt"], golden.tolerance(name))
    assert_average(found, "simple", golden.value(name)["simple"], golden.tolerance(name))
