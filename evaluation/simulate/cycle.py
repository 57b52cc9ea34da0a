"""The economy of the synthetic register: a national cycle that municipalities share unequally, local shocks, and reforms.

Everything here is by municipality and year; what persons do with it is in `people.py` and `hours.py`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from evaluation.denmark.areas import Area, municipalities
from evaluation.simulate.parameters import Parameters
from evaluation.simulate.streams import Array, IntArray, stream
from evaluation.spec.model import Scenario

FIRST_YEAR, LAST_YEAR = 2007, 2020
YEARS = tuple(range(FIRST_YEAR, LAST_YEAR + 1))
BASELINE = 2014
HJORRING = "860"
NEIGHBOURS = ("849", "810", "813")
"""Jammerbugt, Brønderslev and Frederikshavn: they border on Hjørring (assumption)."""
SCENARIOS: tuple[str, ...] = get_args(Scenario)

_DATA = Path(__file__).parent / "data"
_SMALL = ("825", "563", "741", "492")  # Læsø, Fanø, Samsø, Ærø: the smallest, by general knowledge
_LARGE = ("101", "751", "851", "461")  # København, Aarhus, Aalborg, Odense
_URBAN = {
    "Hovedstadskommuner": 0.8,
    "Storbykommuner": 1.2,
    "Provinsbykommuner": 0.2,
    "Oplandskommuner": -0.2,
    "Landkommuner": -0.9,
}


@dataclass(frozen=True, slots=True)
class Economy:
    """What happens to each municipality.

    Arrays are (municipalities, years) over `YEARS` unless noted. `shift` is the change of the group's mean annual hours against
    2014 that everybody in the municipality has (the sum of `parts`), `side_jobs` what the 225-hour rule adds,
    `long_term` what Flere skal med adds for those with many years on benefits, `effect` the planted mean effect on the treated
    group. `unemployment` is (municipalities, months) in per cent of the labour force, `employment` in per cent of ages 16-64.
    """

    scenario: str
    areas: tuple[Area, ...]
    population: Array
    persons: IntArray
    cohort_size: Array
    sensitivity: Array
    exemption: Array
    level: Array
    parts: dict[str, Array]
    shift: Array
    side_jobs: Array
    long_term: Array
    effect: Array
    pension: Array
    unemployment: Array
    employment: Array

    @property
    def treated(self) -> int:
        """Hjørring's place among the municipalities."""
        return [area.code for area in self.areas].index(HJORRING)


def economy(parameters: Parameters, scenario: str, persons: int, seed: int) -> Economy:
    """Draw the economy of one scenario; all scenarios of a seed share every random draw.

    `persons` is the number of persons in the whole benefit register; the sizes that decide how large shocks are
    (`cohort_size`) stay those of the default register, so that a small register is a sample of the same country.
    """
    areas = municipalities()
    n, treated = len(areas), [area.code for area in areas].index(HJORRING)
    ring = np.array([[area.code for area in areas].index(code) for code in NEIGHBOURS])
    population = _population(parameters, areas)
    share = _shares(parameters, population, treated, seed)
    cohort_size = share * parameters.number("group.hjorring_cohort") / share[treated]
    national = _national()
    change = national["unemployment"] - national["unemployment"][YEARS.index(BASELINE)]
    if scenario == "effect_with_downturn":
        change = change + np.where(np.array(YEARS) == 2020, parameters.number("cycle.downturn_points"), 0.0)
    sensitivity = _sensitivity(parameters, n, treated, seed)
    beta = np.where(np.array(YEARS) <= BASELINE, sensitivity[:, :1], sensitivity[:, 1:])

    drift, demand, own = _shocks(parameters, areas, seed)
    sd_common = np.sqrt(parameters.number("cycle.shock_common"))
    sd_total = np.sqrt(parameters.number("cycle.shock_common") + parameters.number("cycle.shock_by_size") / cohort_size)
    drift_share, demand_share = parameters.number("cycle.drift_share"), parameters.number("cycle.local_demand")
    sd_demand = sd_common * np.sqrt(demand_share)
    sd_drift = sd_common * np.sqrt(drift_share)
    # the size-dependent part belongs to the municipality alone: in small places a few employers decide
    sd_own = np.sqrt(sd_total**2 - sd_demand**2 - sd_drift**2)[:, None]
    boom = np.zeros((n, len(YEARS)))
    if scenario == "null_with_local_upswing":
        boom[treated] = effect_path(parameters, "effect")
        boom[ring] = parameters.number("cycle.neighbours") * boom[treated]
    parts = {
        "cycle": -parameters.number("cycle.hours_per_point") * beta * change,
        "drift": sd_drift * drift,
        "local_demand": sd_demand * demand,
        "other_shock": sd_own * own,
        "local_upswing": boom,
    }
    at_baseline = YEARS.index(BASELINE)
    exemption, rule, long_term = _reforms(parameters, scenario, n, treated, seed)

    local = (sd_demand * demand + boom) / parameters.number("cycle.local_hours_per_point")
    rng = stream(seed, "labour market levels")
    base = np.clip(rng.normal(0.0, 0.7, n) + 0.12 * (72.0 - _employment_2014(areas)), -1.4, 2.5)
    months = _monthly(change)
    month_local = np.repeat(0.25 * parameters.number("cycle.drift_employment") * drift + local, 12, axis=1)
    season = np.tile(0.25 * np.cos(2 * np.pi * np.arange(12) / 12), len(YEARS))
    wobble = stream(seed, "monthly unemployment").normal(0.0, 0.06, (n, 12 * len(YEARS)))
    month_beta = np.repeat(beta, 12, axis=1)
    unemployment = (
        national["unemployment"][at_baseline] + base[:, None] + month_beta * months - month_local + season + wobble
    )
    # the nation's employment answers to the further downturn point by point
    extra = change - (national["unemployment"] - national["unemployment"][at_baseline])
    employed = national["employment"] - national["employment"][at_baseline] - extra
    employment = (
        _employment_2014(areas)[:, None]
        + beta * employed
        + parameters.number("cycle.drift_employment") * drift
        + parameters.number("cycle.local_employment") * demand
        + 1.2 * boom / parameters.number("cycle.local_hours_per_point")
    )
    return Economy(
        scenario=scenario,
        areas=areas,
        population=population,
        persons=_apportion(share, persons),
        cohort_size=cohort_size,
        sensitivity=sensitivity,
        exemption=exemption,
        level=stream(seed, "municipal level").normal(0.0, parameters.number("hours.municipal_level_sd"), n),
        parts=parts,
        shift=sum(parts.values(), np.zeros((n, len(YEARS)))),
        side_jobs=rule,
        long_term=long_term,
        effect=_effects(parameters, scenario, n, treated, ring),
        pension=_pension(parameters, scenario, n, treated),
        unemployment=np.maximum(unemployment, 0.6),
        employment=employment,
    )


def effect_path(parameters: Parameters, scenario: str) -> Array:
    """(years,) the mean effect on the treated group's annual hours, before any scenario that has none is considered."""
    path = np.zeros(len(YEARS))
    for year, hours in zip(parameters.numbers("effect.years"), parameters.numbers("effect.path"), strict=True):
        path[YEARS.index(int(year))] = hours
    path[YEARS.index(2019) :] = parameters.number("effect.later")
    if scenario == "effect_fading":
        path[YEARS.index(2019) :] *= parameters.number("effect.fading")
    if scenario == "anticipation":
        path[YEARS.index(2014)] = parameters.number("effect.anticipation") * parameters.number("effect.mean")
    return path


def _effects(parameters: Parameters, scenario: str, n: int, treated: int, ring: IntArray) -> Array:
    effects = np.zeros((n, len(YEARS)))
    if not scenario.startswith("null"):
        effects[treated] = effect_path(parameters, scenario)
        if scenario == "effect_with_spillover":
            effects[ring] = parameters.number("effect.spillover") * effects[treated]
        if scenario == "four_municipalities":
            first = YEARS.index(int(parameters.numbers("effect.years")[0]))
            for place, start, part in _others(parameters):
                late = YEARS.index(start) - first
                effects[place, late:] = part * effects[treated, : len(YEARS) - late]
    return effects


def _others(parameters: Parameters) -> list[tuple[int, int, float]]:
    """Place, first year and part of the effect of the other municipalities that invested."""
    codes = [area.code for area in municipalities()]
    rows = (parameters.numbers(key) for key in ("effect.others", "effect.others_start", "effect.others_part"))
    return [(codes.index(f"{int(code):03d}"), int(start), part) for code, start, part in zip(*rows, strict=True)]


def _population(parameters: Parameters, areas: tuple[Area, ...]) -> Array:
    """Log-normal sizes: only the largest, the smallest and Hjørring are named; the rest by degree of urbanity and code."""
    from scipy.special import ndtri

    groups = _groups()
    rest = [area for area in areas if area.code not in (*_SMALL, *_LARGE, HJORRING)]
    # 37 is coprime to the codes' spacing: a fixed shuffle, so that size does not follow the code
    rest.sort(key=lambda area: (-round(_URBAN[groups[area.code]] + (int(area.code) * 37 % 101) / 50, 3), area.code))
    order = [*_LARGE, *(area.code for area in rest), *reversed(_SMALL)]
    ranks = (len(order) - np.arange(len(order)) - 0.5) / len(order)
    sizes = np.exp(
        np.log(parameters.number("population.median")) + parameters.number("population.log_sd") * ndtri(ranks)
    )
    by_code = dict(zip(order, sizes, strict=True))
    nation = parameters.number("population.hjorring") / parameters.number("population.hjorring_share")
    named = {
        HJORRING: parameters.number("population.hjorring"),
        "101": parameters.number("population.largest"),
        "825": parameters.number("population.smallest"),
    }
    free = sum(size for code, size in by_code.items() if code not in named)
    scale = (nation - sum(named.values())) / free
    return np.array([named.get(area.code, by_code.get(area.code, 0.0) * scale) for area in areas])


def _shares(parameters: Parameters, population: Array, treated: int, seed: int) -> Array:
    """Each municipality's share of the recipients; Hjørring's is its share of the population."""
    need = np.exp(stream(seed, "need").normal(0.0, parameters.number("population.need_log_sd"), len(population)))
    weight = population * need
    weight[treated] = 0.0
    share = weight / weight.sum() * (1.0 - parameters.number("population.hjorring_share"))
    share[treated] = parameters.number("population.hjorring_share")
    return np.asarray(share)


def _apportion(share: Array, persons: int) -> IntArray:
    """Whole persons by largest remainders, at least one in each municipality."""
    exact = share * (persons - len(share))
    whole = np.floor(exact).astype(np.int64)
    left = persons - len(share) - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:left]] += 1
    return whole + 1


def _sensitivity(parameters: Parameters, n: int, treated: int, seed: int) -> Array:
    """(municipalities, 2) slopes on the national cycle before and after the baseline year; Hjørring's are known."""
    rho, sd = parameters.number("cycle.sensitivity_true_correlation"), parameters.number("cycle.sensitivity_true_sd")
    normal = stream(seed, "sensitivity").normal(size=(n, 2))
    normal[:, 1] = rho * normal[:, 0] + np.sqrt(1 - rho**2) * normal[:, 1]
    sensitivity = 1.0 + sd * normal
    sensitivity[treated] = parameters.number("cycle.sensitivity_hjorring")
    return np.asarray(np.clip(sensitivity, 0.2, 1.8))


def _shocks(parameters: Parameters, areas: tuple[Area, ...], seed: int) -> tuple[Array, Array, Array]:
    """Urban-rural drift, local demand, and the rest: each (municipalities, years) with variance one."""
    n, groups = len(areas), _groups()
    loading = np.array([_URBAN[groups[area.code]] for area in areas]) + stream(seed, "drift loading").normal(
        0.0, 0.5, n
    )
    loading = (loading - loading.mean()) / loading.std()
    walk = np.cumsum(stream(seed, "drift").normal(0.0, 0.15, len(YEARS)) + stream(seed, "drift slope").normal(0.0, 0.2))
    walk = (walk - walk.mean()) / walk.std()
    landsdel = np.unique([area.landsdel for area in areas], return_inverse=True)[1]
    shared = parameters.number("cycle.landsdel_shared")
    demand, own = (
        np.sqrt(shared) * _autoregression(parameters, seed, f"{name} landsdel", int(landsdel.max()) + 1)[landsdel]
        + np.sqrt(1 - shared) * _autoregression(parameters, seed, name, n)
        for name in ("local demand", "other shock")
    )
    return np.outer(loading, walk), demand, own


def _autoregression(parameters: Parameters, seed: int, name: str, rows: int) -> Array:
    """(rows, years) stationary AR(1) with variance one."""
    rho = parameters.number("cycle.local_ar")
    values = stream(seed, name).normal(size=(rows, len(YEARS)))
    for year in range(1, len(YEARS)):
        values[:, year] = rho * values[:, year - 1] + np.sqrt(1 - rho**2) * values[:, year]
    return values


def _reforms(parameters: Parameters, scenario: str, n: int, treated: int, seed: int) -> tuple[Array, Array, Array]:
    """Exemption shares (municipalities,), hours by the 225-hour rule and by Flere skal med (municipalities, years)."""
    low, high = parameters.numbers("reforms.exemption")
    exemption = stream(seed, "exemption").uniform(low, high, n)
    reform = scenario == "null_with_reform"
    exemption[treated] = parameters.number("reforms.exemption_low" if reform else "reforms.exemption_hjorring")
    years = np.array(YEARS)
    reached = np.select([years == 2016, years > 2016], parameters.numbers("reforms.rule_225_years"), 0.0)
    rule = parameters.number("reforms.rule_225_hours") * np.outer(1 - exemption, reached)

    rng = stream(seed, "flere skal med")
    order = rng.permutation(np.delete(np.arange(n), treated))
    least, most = parameters.numbers("reforms.flere_skal_med_hours")
    gain = rng.uniform(least, most, n)
    chosen = np.zeros(n)
    members = int(parameters.number("reforms.flere_skal_med"))
    # whether Hjørring took part is not known: it does, except where the reform scenario says otherwise
    chosen[order[: members - (not reform)]] = 1.0
    chosen[treated] = 0.0 if reform else 1.0
    gain[treated] = np.mean(parameters.numbers("reforms.flere_skal_med_hours"))
    return exemption, rule, np.outer(chosen * gain, (years >= 2017) & (years <= 2019))


def _pension(parameters: Parameters, scenario: str, n: int, treated: int) -> Array:
    """(municipalities, years) awards of disability pension a year, as a share of the group."""
    years = np.array(YEARS)
    rise = np.clip((years - BASELINE) / 4.0, 0.0, 1.0)
    base = parameters.number("pension.base_year") * np.where(years < 2013, 1.5, 1.0)
    rate = np.tile(base * parameters.number("pension.nation") ** rise, (n, 1))
    start = parameters.number("pension.hjorring_start")
    rate[treated] = base * start * parameters.number("pension.hjorring") ** rise
    if scenario == "null_with_composition":
        rate[treated] *= np.where(years > BASELINE, parameters.number("pension.composition"), 1.0)
    return rate


def _monthly(yearly: Array) -> Array:
    """Yearly means to months, straight lines between the middles of the years."""
    middles = np.arange(len(yearly)) * 12 + 5.5
    return np.interp(np.arange(12 * len(yearly)), middles, yearly)


def _national() -> dict[str, Array]:
    rows = _rows("national.csv")
    employment = [float(row["employment_pct"] or "nan") for row in rows]
    # the employment rate begins in 2008; 2007 is outside every outcome and takes the value of 2008
    employment[0] = employment[1]
    return {
        "unemployment": np.array([float(row["unemployment_pct"]) for row in rows]),
        "employment": np.array(employment),
    }


def _employment_2014(areas: tuple[Area, ...]) -> Array:
    known = {row["code"]: float(row["employment_pct"]) for row in _rows("employment_2014.csv")}
    return np.array([known[area.code] for area in areas])


def _groups() -> dict[str, str]:
    import evaluation.denmark.areas as areas

    path = Path(areas.__file__).with_name("municipalities.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return {row["code"]: row["dst_group"] for row in csv.DictReader(file)}


def _rows(name: str) -> list[dict[str, str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
