"""The two-period family against DRDID 1.2.3 (03_drdid.R)."""

from __future__ import annotations

import numpy as np
import pytest

import evaluation
from evaluation.panel import Panel
from evaluation.periods import parse_period
from tests.reference import golden

PANEL = {
    "drdid_imp_panel": "improved", "drdid_panel": "traditional", "reg_did_panel": "reg", "ipw_did_panel": "ipw",
    "std_ipw_did_panel": "std_ipw", "twfe_did_panel": "twfe",
}  # fmt: skip
LINEAR = ("age", "educ", "black", "married", "nodegree", "hisp", "re74")
CROSS_SECTIONS = {
    "drdid_imp_rc": ("improved", True), "drdid_imp_rc1": ("improved", False), "drdid_rc": ("traditional", True),
    "drdid_rc1": ("traditional", False), "reg_did_rc": ("reg", True), "ipw_did_rc": ("ipw", True),
    "std_ipw_did_rc": ("std_ipw", True),
}  # fmt: skip


def earnings(rows, treated) -> Panel:
    """Earnings in 1975 and 1978, in dollars of 1982."""
    return Panel(
        outcome=rows[["re75", "re78"]].to_numpy(),
        units=tuple(str(row) for row in range(len(rows))),
        periods=(parse_period(1975), parse_period(1976)),  # two periods: panels know none that are three years apart
        start=np.where(rows[treated] == 1, 1, 2),
        covariates={name: rows[name].to_numpy(float) for name in LINEAR},
    )


def randomised_out() -> Panel:
    """Controls of the experiment against the population survey: nobody was trained, so the true effect is 0."""
    rows = golden.table("nsw")
    return earnings(rows[(rows["treated"] == 0) | (rows["sample"] == 2)], "experimental")


def test_sample_is_the_one_the_numbers_were_computed_on():
    theirs, panel = golden.value("DRDID/controls_vs_cps/sample"), randomised_out()
    change = panel.outcome[:, 1] - panel.outcome[:, 0]
    assert (panel.n_units, int(panel.treated.sum())) == (theirs["n"], theirs["n_treated"])
    golden.assert_close(change[panel.treated].mean(), theirs["mean_dy_treated"], 1e-9)
    golden.assert_close(change[~panel.treated].mean(), theirs["mean_dy_control"], 1e-9)


@pytest.mark.parametrize("covariates", ["none", "linear"])
@pytest.mark.parametrize("program", PANEL)
def test_panel_estimators_equal_drdid(covariates, program):
    name = f"DRDID/controls_vs_cps/{covariates}/{program}"
    theirs, within = golden.value(name), golden.tolerance(name)
    # beside covariates the program's two-way regression takes a person's two observations for independent
    own_formula = program == "twfe_did_panel" and covariates == "linear"
    ours = evaluation.estimate(
        randomised_out(), "dr_did", estimator=PANEL[program], covariates=LINEAR if covariates == "linear" else (),
        inference="analytic" if own_formula else "cluster",
    )  # fmt: skip
    golden.assert_close(ours.effect, theirs["att"], within)
    golden.assert_close(ours.std_error, theirs["se"], within)
    golden.assert_close(ours.effect - 1.96 * ours.std_error, theirs["lci"], within)
    golden.assert_close(ours.effect + 1.96 * ours.std_error, theirs["uci"], within)


def test_experiment_without_covariates_equals_drdid():
    rows = golden.table("nsw")
    panel = earnings(rows[rows["sample"] == 1], "treated")
    name = "DRDID/nsw_experimental/unconditional"
    ours = evaluation.estimate(panel, "dr_did", estimator="reg", inference="cluster")
    assert panel.n_units == golden.value(name)["n"]
    golden.assert_close(ours.effect, golden.value(name)["att"], golden.tolerance(name))
    golden.assert_close(ours.std_error, golden.value(name)["se"], golden.tolerance(name))


@pytest.mark.parametrize("program", CROSS_SECTIONS)
def test_repeated_cross_sections_equal_drdid(program):
    rows = golden.table("drdid_sim_rc")
    after = rows["post"].to_numpy() == 1
    outcome = np.full((len(rows), 2), np.nan)
    outcome[np.arange(len(rows)), after.astype(int)] = rows["y"]
    panel = Panel(
        outcome=outcome,
        units=tuple(rows["id"].astype(str)),
        periods=(parse_period(2001), parse_period(2002)),
        start=np.where(rows["d"] == 1, 1, 2),
        covariates={name: rows[name].to_numpy() for name in ("x1", "x2", "x3", "x4")},
    )
    estimator, efficient = CROSS_SECTIONS[program]
    ours = evaluation.estimate(
        panel, "dr_did", estimator=estimator, locally_efficient=efficient, cross_sections=True,
        covariates=("x1", "x2", "x3", "x4"), inference="cluster",
    )  # fmt: skip
    name = f"DRDID/sim_rc/{program}"
    golden.assert_close(ours.effect, golden.value(name)["att"], golden.tolerance(name))
    golden.assert_close(ours.std_error, golden.value(name)["se"], golden.tolerance(name))
