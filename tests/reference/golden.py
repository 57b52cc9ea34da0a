"""Numbers computed by others (golden.json), the data they were computed on, and how close is close.

An entry's tolerance holds for abs(ours - theirs) <= tolerance × max(1, abs(theirs)); where a test uses another one, the reason
stands beside it. The scripts that made the numbers lie in `scripts/`, the sources of the data in `data/SOURCES.md`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evaluation.panel import Panel
from evaluation.periods import parse_period

HERE = Path(__file__).parent


@cache
def _entries() -> dict[str, dict[str, Any]]:
    return {entry["id"]: entry for entry in json.loads((HERE / "golden.json").read_text("utf-8"))["entries"]}


def value(name: str) -> Any:
    """What the reference program gave."""
    return _entries()[name]["value"]


def tolerance(name: str) -> float:
    """How close we must come."""
    return float(_entries()[name]["tolerance"])


def assert_close(ours: float, theirs: float, within: float) -> None:
    """abs(ours - theirs) <= within × max(1, abs(theirs))."""
    assert abs(ours - theirs) <= within * max(1.0, abs(theirs)), f"{ours!r} is not within {within} of {theirs!r}"


def assert_weights(ours: dict[str, float], theirs: dict[str, float], within: float) -> None:
    """Every weight, named or not named on either side, agrees to `within` (absolutely)."""
    for name in {*ours, *theirs}:
        assert abs(ours.get(name, 0.0) - theirs.get(name, 0.0)) <= within, f"{name}: {ours.get(name)} and {theirs.get(name)}"


@cache
def table(name: str) -> pd.DataFrame:
    """One data file. Do not change it: tests share it."""
    return pd.read_csv(HERE / "data" / f"{name}.csv")


@cache
def prop99() -> Panel:
    """Cigarette sales in 39 states, 1970-2000; California treated from 1989."""
    return Panel.from_frame(
        table("california_prop99"), unit="State", time="Year", outcome="PacksPerCapita", treated={"California": 1989}
    )


@cache
def smoking() -> Panel:
    """The same sales, as read to more digits, with the published study's predictors."""
    return Panel.from_frame(
        table("smoking"), unit="state", time="year", outcome="cigsale", treated={"California": 1989},
        covariates=("lnincome", "beer", "age15to24", "retprice"),
    )  # fmt: skip


@cache
def basque() -> Panel:
    """GDP per head in 17 Spanish regions, 1955-1997; the Basque Country treated from 1970.

    The school columns are shares of their sum, as the published study uses them: averaged over 1964-69 first, then divided.
    """
    frame = table("basque").query("regionno != 1").copy()
    frame["school.high"] = frame["school.high"] + frame["school.post.high"]
    school = ["school.illit", "school.prim", "school.med", "school.high"]
    means = frame[frame["year"].between(1964, 1969)].groupby("regionname")[school].mean()
    shares = means.div(means.sum(axis=1), axis=0) * 100
    frame[school] = shares.loc[frame["regionname"]].to_numpy()
    others = ["invest", "popdens", *(column for column in frame if column.startswith("sec."))]
    return Panel.from_frame(
        frame, unit="regionname", time="year", outcome="gdpcap", treated={"Basque Country (Pais Vasco)": 1970},
        covariates=(*school, *others),
    )  # fmt: skip


@cache
def base_did() -> Panel:
    """A simulated panel, 108 units × 10 periods, treated from period 6."""
    frame = table("base_did")
    treated = sorted(frame.loc[frame["treat"] == 1, "id"].unique())
    return Panel.from_frame(
        frame, unit="id", time="period", outcome="y", treated={str(unit): 6 for unit in treated}, covariates=("x1",)
    )


@cache
def mpdta() -> Panel:
    """Teen employment in 500 counties, 2003-2007; minimum wages rose in 2004, 2006, 2007 or never."""
    return Panel.from_frame(table("mpdta"), unit="countyreal", time="year", outcome="lemp", start="first.treat")


@cache
def mpdta_lpop() -> Panel:
    """The same with the log of the county's population, which does not change."""
    return Panel.from_frame(
        table("mpdta"), unit="countyreal", time="year", outcome="lemp", start="first.treat", covariates=("lpop",)
    )


@cache
def mpdta_employment() -> Panel:
    """The same with employment itself in place of its log."""
    return mpdta_lpop().with_outcome(np.exp(mpdta_lpop().outcome))


@cache
def base_stagg() -> Panel:
    """A simulated panel, 95 units × 10 years, treated from year 2 to 10 or never."""
    frame = table("base_stagg").copy()
    frame["start"] = frame["year_treated"].where(frame["year_treated"] < 1000, 0)
    return Panel.from_frame(frame, unit="id", time="year", outcome="y", start="start", covariates=("x1",))


def four_means(name: str, group: str, after: str, outcome: str, where: str = "") -> Panel:
    """Repeated cross sections as the four cell means of two groups (`group` 0 and 1) before and `after`."""
    frame = table(name).query(where) if where else table(name)
    cells = frame.dropna(subset=[outcome]).groupby([group, after], as_index=False)[outcome].mean()
    # built by hand: a frame with a single control is refused at the door
    return Panel(
        outcome=cells.pivot(index=group, columns=after, values=outcome).to_numpy(), units=("others", "treated"),
        periods=(parse_period(0), parse_period(1)), start=np.array([2, 1]),
    )  # fmt: skip


@cache
def ezunem() -> Panel:
    """Unemployment claims in 22 cities, 1980-1988; enterprise zones from 1984 or 1985."""
    frame = table("ezunem").copy()
    first = frame[frame["ez"] == 1].groupby("city")["year"].min()
    frame["start"] = frame["city"].map(first).fillna(0).astype(int)
    return Panel.from_frame(frame, unit="city", time="year", outcome="luclms", start="start")


@cache
def njmin3() -> Panel:
    """Fast-food employment in New Jersey and Pennsylvania before and after April 1992, as the four cell means."""
    frame = table("njmin3").dropna(subset=["fte"])
    cells = frame.groupby(["nj", "d"], as_index=False)["fte"].mean()
    outcome = cells.pivot(index="nj", columns="d", values="fte").to_numpy()
    # built by hand: a frame with a single control is refused at the door
    return Panel(
        outcome=outcome, units=("Pennsylvania", "New Jersey"), periods=(parse_period(0), parse_period(1)),
        start=np.array([2, 1]),
    )  # fmt: skip


@cache
def kansas() -> Panel:
    """Log GDP per head in 50 states by quarter, 1990-2016; Kansas cut its taxes in 2012Q2.

    Covariates as in the published study: logs of revenues and wages, establishments and employment per head, and the mean of
    the outcome itself.
    """
    frame = table("kansas").copy()
    frame["quarter"] = frame["year"].astype(str) + "Q" + frame["qtr"].astype(str)
    logs = {"revenue_state": "revstatecapita", "revenue_local": "revlocalcapita", "wages": "avgwklywagecapita"}
    for name, column in logs.items():
        frame[name] = np.log(frame[column])
    frame["gdp_before"] = frame["lngdpcapita"]
    return Panel.from_frame(
        frame, unit="state", time="quarter", outcome="lngdpcapita", treated={"Kansas": "2012Q2"},
        covariates=("gdp_before", *logs, "estabscapita", "emplvlcapita"),
    )  # fmt: skip


@cache
def castle() -> Panel:
    """Log homicide rates in 50 states, 2000-2010; castle doctrine laws from 2005 to 2009, or never."""
    frame = table("castle").copy()
    frame["start"] = frame["effyear"].fillna(0).astype(int)
    return Panel.from_frame(frame, unit="state", time="year", outcome="l_homicide", start="start")


@cache
def causalimpact() -> Panel:
    """The simulated series of the CausalImpact vignette, 100 periods: y treated from the 71st (true effect 10), x1 a control."""
    frame = table("causalimpact_sim").melt(id_vars="t", value_vars=["y", "x1"], var_name="series")
    outcome = frame.pivot(index="series", columns="t", values="value").loc[["y", "x1"]]
    # built by hand: a frame with a single control is refused at the door
    return Panel(
        outcome=outcome.to_numpy(), units=("y", "x1"), periods=tuple(parse_period(t) for t in outcome.columns),
        start=np.array([70, 100]),
    )  # fmt: skip


EXCLUDED = ("Aabenraa", "Silkeborg", "Ballerup", "Vordingborg")
"""Municipalities that invested in the same way, or ran a trial, in the same years."""

NORDJYLLAND = (
    "Frederikshavn", "Brønderslev", "Aalborg", "Jammerbugt", "Læsø", "Mariagerfjord", "Morsø", "Rebild", "Thisted",
    "Vesthimmerlands",
)  # fmt: skip


@cache
def gsynth_simdata() -> Panel:
    """A simulated panel with two factors and two covariates, 50 units × 30 periods; five treated from period 21."""
    frame = table("gsynth_simdata")
    first = frame[frame["D"] == 1].groupby("id")["time"].min()
    frame = frame.assign(start=frame["id"].map(first).fillna(0).astype(int))
    return Panel.from_frame(frame, unit="id", time="time", outcome="Y", start="start", covariates=("X1", "X2"))


@cache
def municipalities() -> pd.DataFrame:
    """Employment rates (per cent of those aged 16-64) of Denmark's 98 municipalities, 2008-2021, one row per cell."""
    frame = pd.read_csv(HERE.parents[1] / "specs" / "data" / "ras200_employment_rate.csv")
    other = frame["area"].str.startswith(("Region ", "Province ")) | frame["area"].isin(["All Denmark", "Christiansø"])
    return frame[~other]


def denmark(
    *,
    treated: str = "Hjørring",
    first: int = 2008,
    last: int = 2018,
    without: tuple[str, ...] = (),
) -> Panel:
    """`treated` against all other municipalities but `without`: treated from 2015, window 2015 to `last` (at most 2018)."""
    frame = municipalities()
    frame = frame[frame["year"].between(first, last) & ~frame["area"].isin(without)]
    return Panel.from_frame(
        frame, unit="area", time="year", outcome="employment_rate_pct", treated={treated: 2015}, window=(2015, last)
    )
