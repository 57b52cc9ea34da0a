"""Series that an evaluator would fetch from public sources, in the layout in which StatBank's API writes them.

They come from the same economy as the hours: local demand, and a local upswing, are in both. The programme is in none of them,
since its group is not counted as unemployed and too small to show in total employment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from evaluation.simulate.cycle import BASELINE, YEARS, Economy
from evaluation.simulate.parameters import Parameters
from evaluation.simulate.streams import Array, stream

INDUSTRIES = (
    "1 Landbrug, skovbrug og fiskeri",
    "2 Industri, råstofindvinding og forsyning",
    "3 Bygge og anlæg",
    "4 Handel og transport",
    "5 Information og kommunikation",
    "6 Finansiering og forsikring",
    "7 Ejendomshandel og udlejning",
    "8 Erhvervsservice",
    "9 Offentlig administration, undervisning og sundhed",
    "10 Kultur, fritid og anden service",
)
# assumptions: employment in per cent of the nation, answer to the national cycle, and how rural each industry is
_SHARE = np.array([2.6, 12.5, 6.2, 24.0, 3.8, 2.9, 1.7, 10.3, 31.5, 4.5])
_ANSWER = np.array([0.3, 1.7, 2.4, 1.3, 0.9, 0.7, 0.8, 1.9, 0.2, 0.6])
_RURAL = np.array([1.6, 0.4, 0.25, 0.0, -1.0, -0.8, -0.3, -0.5, 0.0, 0.0])


FILES = (
    "unemployment",
    "employment",
    "industry_shares",
    "industry_growth",
    "industry_employment",
    "commuting",
    "exemption_225",
)
"""The series, each in a file of this name."""


def absent(folder: Path) -> tuple[str, ...]:
    """The series that a folder does not have."""
    return tuple(name for name in FILES if not (folder / f"{name}.csv").exists())


def write_series(
    folder: Path, parameters: Parameters, economy: Economy, seed: int, only: Sequence[str] = FILES
) -> tuple[Path, ...]:
    """Write series, all or only some: unemployment and employment by month, industries, commuting, 225-hour exemptions."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{area.code} {area.name}" for area in economy.areas]
    months = [f"{year}M{month:02d}" for year in YEARS for month in range(1, 13)]
    share, growth = industries(economy, seed)
    weights = economy.population / economy.population.sum()
    employment = _months_of(economy.employment)
    tables: dict[str, tuple[tuple[str, ...], Iterable[tuple[str, ...]]]] = {
        "unemployment": _area_series(names, months, economy.unemployment, weights, 1),
        "employment": _area_series(names, months, employment, weights, 2),
        "industry_shares": (
            ("OMRÅDE", "BRANCHE", "TID", "INDHOLD"),
            (
                (name, industry, str(BASELINE - 1), _decimal(100 * share[place, at], 2))
                for place, name in enumerate(names)
                for at, industry in enumerate(INDUSTRIES)
            ),
        ),
        "industry_growth": (
            ("BRANCHE", "TID", "INDHOLD"),
            (
                (industry, str(year), _decimal(growth[at, when], 2))
                for at, industry in enumerate(INDUSTRIES)
                for when, year in enumerate(YEARS)
                if year >= 2008
            ),
        ),
        "industry_employment": (
            ("OMRÅDE", "BRANCHE", "TID", "INDHOLD"),
            _employment_rows(names, industry_employment(economy, share, growth)),
        ),
        "commuting": (("BOPÆL", "ARBEJDSSTED", "TID", "INDHOLD"), _commuting_rows(names, commuting(economy))),
        "exemption_225": (
            ("OMRÅDE", "TID", "INDHOLD"),
            (
                (name, time, _decimal(100 * economy.exemption[place] + shift, 1))
                for place, name in enumerate(names)
                for time, shift in (("2016M11", 0.4), ("2016M12", -0.4))
            ),
        ),
    }
    written = []
    for name, (header, each) in tables.items():
        if name not in only:
            continue
        rows = tuple(each)
        path = folder / f"{name}.csv"
        # the layout has no comments, so one more variable with a single value says what this is
        labels = ("DATA", *("SYNTHETIC" for _ in rows))
        lines = [";".join((*row[:-2], label, *row[-2:])) for label, row in zip(labels, (header, *rows), strict=True)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        written.append(path)
    return tuple(written)


def industries(economy: Economy, seed: int) -> tuple[Array, Array]:
    """Shares (municipalities, industries) before the programme, and national growth in per cent (industries, years).

    The shares are tilted so that sensitive municipalities have sensitive industries: prediction by shares and growth then
    recovers a part of the sensitivity.
    """
    n = len(economy.areas)
    answer = (_ANSWER - _ANSWER @ _SHARE / 100) / _ANSWER.std()
    rural = 0.5 - np.tanh(economy.population / 100_000)
    tilt = 1.2 * np.outer(economy.sensitivity.mean(axis=1) - 1, answer) + 0.5 * np.outer(rural, _RURAL)
    share = _SHARE * np.exp(tilt + stream(seed, "industry shares").normal(0.0, 0.15, (n, len(_SHARE))))
    share /= share.sum(axis=1, keepdims=True)
    weights = economy.population / economy.population.sum()
    national = weights @ economy.employment
    change = np.diff(national, prepend=national[0]) / national * 100
    growth = np.outer(_ANSWER, change) + stream(seed, "industry growth").normal(0.0, 0.5, (len(_SHARE), len(YEARS)))
    return share, growth


def industry_employment(economy: Economy, share: Array, growth: Array) -> Array:
    """(municipalities, industries, years) employed persons: the shares before the programme, grown as the nation and the place.

    Summed over the municipalities each industry grows as `growth` says, but for rounding; within it a municipality grows faster
    when its own employment does. Prediction from growth that holds the own place would therefore hold its own boom.
    """
    base = YEARS.index(BASELINE - 1)
    employed = 0.63 * economy.population * economy.employment[:, base] / 100
    levels = np.cumprod(1 + np.hstack([np.zeros((len(growth), 1)), growth[:, 1:]]) / 100, axis=1)
    nation = economy.population @ economy.employment
    own = (economy.employment / economy.employment[:, [base]]) / (nation / nation[base])
    start = employed[:, None] * share
    persons = start[:, :, None] * own[:, None, :]
    wanted = start.sum(axis=0)[:, None] * levels / levels[:, [base]]
    return np.asarray(np.rint(persons * wanted / persons.sum(axis=0)))


def _employment_rows(names: Sequence[str], persons: Array) -> Iterable[tuple[str, ...]]:
    for place, name in enumerate(names):
        for at, industry in enumerate(INDUSTRIES):
            for when, year in enumerate(YEARS):
                yield name, industry, str(year), str(int(persons[place, at, when]))


def commuting(economy: Economy) -> Array:
    """(homes, workplaces) employed persons: a gravity model with many at home, some in the landsdel, few elsewhere."""
    landsdel = np.array([area.landsdel for area in economy.areas])
    region = np.array([area.region for area in economy.areas])
    near = np.where(landsdel[:, None] == landsdel, 1.0, np.where(region[:, None] == region, 0.15, 0.01))
    pull = near * np.sqrt(economy.population)
    np.fill_diagonal(pull, 0.0)
    stay = np.clip(0.35 + 0.09 * np.log(economy.population / 10_000), 0.3, 0.85)
    flows = (1 - stay)[:, None] * pull / pull.sum(axis=1, keepdims=True) + np.diag(stay)
    return np.asarray(
        np.rint(flows * (0.63 * economy.population * economy.employment[:, YEARS.index(BASELINE)] / 100)[:, None])
    )


def _commuting_rows(names: Sequence[str], flows: Array) -> Iterable[tuple[str, ...]]:
    for home, work in np.argwhere(flows > 0):
        yield names[home], names[work], str(BASELINE), str(int(flows[home, work]))


def _area_series(
    names: Sequence[str], times: Sequence[str], values: Array, weights: Array, decimals: int
) -> tuple[tuple[str, ...], Iterable[tuple[str, ...]]]:
    """Every municipality and the nation, as StatBank mixes levels in its area column."""
    table = np.vstack([weights @ values, values])
    return ("OMRÅDE", "TID", "INDHOLD"), (
        (name, time, _decimal(table[place, when], decimals))
        for place, name in enumerate(["000 Hele landet", *names])
        for when, time in enumerate(times)
    )


def _months_of(yearly: Array) -> Array:
    """Values of the end of November to months, straight lines between."""
    ends = np.arange(yearly.shape[1]) * 12 + 10
    return np.array([np.interp(np.arange(12 * yearly.shape[1]), ends, row) for row in yearly])


def _decimal(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".replace(".", ",")
