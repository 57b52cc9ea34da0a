"""The table of parameters: every row has its basis, and what was computed from published data is computed again here."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

import numpy as np
import pytest

from evaluation.denmark.areas import municipalities
from evaluation.simulate.cycle import YEARS, economy
from evaluation.spec.model import Simulate

from .registers import PARAMETERS, at

ROOT = Path(__file__).parents[2]
RAS200 = ROOT / "specs" / "data" / "ras200_employment_rate.csv"
LANDSDEL = np.array([area.landsdel for area in municipalities()])


@pytest.fixture(scope="module")
def ras200():
    """The published employment rates (municipalities, 2008-2021), and the nation's."""
    with RAS200.open(encoding="utf-8", newline="") as file:
        rates = {(row["area"], int(row["year"])): float(row["employment_rate_pct"]) for row in csv.DictReader(file)}
    names = [area.name if area.name != "København" else "Copenhagen" for area in municipalities()]
    years = range(2008, 2022)
    return np.array([[rates[name, year] for year in years] for name in names]), np.array(
        [rates["All Denmark", year] for year in years]
    )


def moments(rates: np.ndarray, nation: np.ndarray) -> dict[str, float]:
    """Of employment rates (municipalities, years from 2008) and the nation's: what DOMAIN says about two-way residuals."""
    residual = rates - rates.mean(axis=1, keepdims=True) - rates.mean(axis=0) + rates.mean()
    shares = np.linalg.svd(residual, compute_uv=False) ** 2
    shares /= shares.sum()
    together = np.corrcoef(residual)
    same = (LANDSDEL[:, None] == LANDSDEL) & ~np.eye(len(LANDSDEL), dtype=bool)
    lagged = (residual[:, 1:] * residual[:, :-1]).sum()
    slopes = [
        np.array([np.polyfit(nation[part], row[part], 1)[0] for row in rates]) for part in (slice(0, 7), slice(6, None))
    ]
    return {
        "sensitivity_sd": slopes[0].std(ddof=1),
        "sensitivity_correlation": np.corrcoef(*slopes)[0, 1],
        "employment_sd": residual.std(),
        "residual_ar": lagged / np.sqrt((residual[:, 1:] ** 2).sum() * (residual[:, :-1] ** 2).sum()),
        "landsdel_correlation": together[same].mean(),
        "first": shares[0],
        "second": shares[1],
        "third": shares[2],
    }


def test_every_row_has_a_basis_and_a_source_and_assumptions_say_so():
    for row in PARAMETERS.rows.values():
        assert row.basis in ("S", "C", "A"), row.key
        assert row.source, row.key
        assert row.use in ("put in", "check", "none"), row.key
        assert row.use != "none" or row.note, f"{row.key} is not simulated and does not say why"
        if row.basis == "A":
            assert row.source.startswith(("assumption", "calibrated", "derived", "survey")), row.key


@pytest.mark.parametrize(
    "key",
    [
        "population.hjorring", "population.median", "population.smallest", "population.largest", "group.any_time_2017", "group.any_time_2018",
        "group.job_ready_2017", "group.all_2017", "group.hjorring_cohort", "population.hjorring_share", "group.system_full_time",
        "hours.baseline_mean", "hours.zero_share", "hours.month_share", "hours.positive_mean", "hours.person_sd", "hours.cap",
        "hours.become_positive", "hours.become_zero", "hours.season", "cycle.sensitivity_sd", "cycle.sensitivity_correlation",
        "cycle.sensitivity_hjorring", "cycle.factor_shares", "cycle.residual_ar", "cycle.landsdel_correlation", "cycle.shock_common",
        "cycle.shock_by_size", "cycle.hours_per_point", "reforms.rule_225_hours", "reforms.exemption", "reforms.flere_skal_med",
        "reforms.flere_skal_med_hours", "group.integration_groups", "effect.path", "effect.mean", "pension.hjorring", "pension.nation",
        "group.leave_month", "group.enter_month", "covariates.age", "covariates.age_mean", "covariates.women", "covariates.non_western",
        "covariates.education", "covariates.mental", "covariates.somatic", "covariates.substance", "covariates.years_median",
        "measurement.imputed", "measurement.corrections", "measurement.duplicates", "measurement.late", "measurement.one_day",
        "measurement.wrong_category", "measurement.long_years", "attrition.deaths_year", "attrition.emigration_year", "attrition.moves_year",
    ],
)  # fmt: skip
def test_the_rows_of_the_plan_are_there(key):
    assert PARAMETERS.numbers(key)


def test_every_number_put_in_is_used():
    code = "".join(path.read_text("utf-8") for path in (ROOT / "evaluation" / "simulate").glob("*.py"))
    for row in PARAMETERS.rows.values():
        # the rows that look back from the baseline are found by adding to the name
        name = row.key.removesuffix("_before") if row.key.startswith("group.") else row.key
        by_loop = row.key.split(".")[1] in ("mental", "somatic", "substance")
        if row.use == "put in" and not by_loop:
            assert f'"{name}' in code, f"{row.key} is put in nowhere"


def test_the_computed_rows_follow_from_the_published_rates(ras200):
    rates, nation = ras200
    found = moments(rates, nation)
    assert found["sensitivity_sd"] == pytest.approx(PARAMETERS.number("cycle.sensitivity_sd"), abs=0.005)
    assert found["sensitivity_correlation"] == pytest.approx(
        PARAMETERS.number("cycle.sensitivity_correlation"), abs=0.005
    )
    assert found["employment_sd"] == pytest.approx(PARAMETERS.number("cycle.employment_sd"), abs=0.005)
    assert found["residual_ar"] == pytest.approx(PARAMETERS.number("cycle.residual_ar"), abs=0.03)
    assert found["landsdel_correlation"] == pytest.approx(PARAMETERS.number("cycle.landsdel_correlation"), abs=0.005)
    assert [found[name] for name in ("first", "second", "third")] == pytest.approx(
        PARAMETERS.numbers("cycle.factor_shares"), abs=0.005
    )
    hjorring = rates[[area.code for area in municipalities()].index("860")]
    assert np.polyfit(nation[:7], hjorring[:7], 1)[0] == pytest.approx(
        PARAMETERS.number("cycle.sensitivity_hjorring"), abs=0.005
    )


def test_the_shipped_series_are_the_published_ones(ras200):
    rates, nation = ras200
    drawn = economy(PARAMETERS, "null", 70_000, 1)
    with (ROOT / "evaluation" / "simulate" / "data" / "national.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["employment_pct"]) for row in rows[1:]] == nation[:13].tolist()
    published = [3.6, 2.6, 4.8, 6.1, 5.9, 6.0, 5.8, 5.0, 4.5, 4.1, 4.2, 3.8, 3.7, 4.6]
    assert [float(row["unemployment_pct"]) for row in rows] == published
    # what is drawn around 2014 starts from the published level of each municipality
    assert np.abs(drawn.employment[:, at(2014)] - rates[:, 6]).mean() < 1.0


def test_simulated_employment_has_the_moments_of_the_published_rates():
    found = []
    for seed in range(12):
        drawn = economy(PARAMETERS, "null", 70_000, seed)
        nation = drawn.population @ drawn.employment / drawn.population.sum()
        found.append(list(moments(drawn.employment[:, 1:], nation[1:]).values()))
    wanted = {
        "sensitivity_sd": (0.24, 0.04), "sensitivity_correlation": (0.40, 0.20), "employment_sd": (0.57, 0.06), "residual_ar": (0.60, 0.06),
        "landsdel_correlation": (0.17, 0.07), "first": (0.45, 0.08), "second": (0.26, 0.08), "third": (0.07, 0.04),
    }  # fmt: skip
    for value, (name, (target, slack)) in zip(np.mean(found, axis=0), wanted.items(), strict=True):
        assert value == pytest.approx(target, abs=slack), name


def test_the_default_register_is_the_one_the_table_is_about():
    assert Simulate.model_fields["persons"].default == PARAMETERS.number("group.persons_of_default")


def test_the_effect_path_averages_45_hours():
    assert np.mean(PARAMETERS.numbers("effect.path")) == PARAMETERS.number("effect.mean") == 45.0


def test_the_cap_is_a_full_time_year():
    assert PARAMETERS.number("hours.cap") == round(12 * 160.33)


def test_long_years_are_those_of_the_calendar():
    long = [year for year in YEARS if datetime.date(year, 12, 28).isocalendar().week == 53]
    assert PARAMETERS.numbers("measurement.long_years") == tuple(long)
