"""The tables of docs/methods/coverage.md, written between its markers so that they cannot differ from benchmarks/coverage.csv."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from coverage_study.table import Row, monte_carlo_error
from coverage_study.worlds import WORLDS
from evaluation.proof.coverage import LEAST, judged

PAGE = Path(__file__).parents[2] / "docs" / "methods" / "coverage.md"
ESTIMATORS = (
    "did", "event_study", "synthetic_did", "synthetic_control demeaned", "synthetic_control", "common_correlated_effects",
    "augmented_synthetic_control", "interactive_fixed_effects", "matrix_completion", "structural_time_series",
)  # fmt: skip
FAMILY = (
    "default",
    "placebo",
    "ferman_pinto",
    "standardized_placebo",
    "volatility_placebo",
    "bias_aware_placebo",
    "block_placebo",
)
ONE_PANEL = (
    "conley_taber", "wild_bootstrap", "cluster", "cluster_cr2", "multiplier_bootstrap", "newey_west", "driscoll_kraay",
    "jackknife", "block_bootstrap",
)  # fmt: skip
ONE_PATH = ("conformal", "jackknife_plus", "prediction_interval", "sc_ttest")
ADJUSTMENTS = ("sensitivity", "region_time", "unit_trend", "local_series", "shift_share", "factors", "cce")

Rows = Mapping[tuple[str, ...], Row]


def places() -> list[tuple[str, str]]:
    """(world, treated unit's size) in the order of the columns."""
    return [
        (world.name, size)
        for world in WORLDS.values()
        for size in (("small", "median", "large") if world.sized else ("any",))
    ]


def column(world: str, size: str) -> str:
    """The head of a column."""
    name = world.replace("_", " ")
    return name if size == "any" else f"{name}: {size}"


def written(row: Row | None) -> str:
    """A size in per cent: plain where it is supported, bold where it rejects too often, in brackets where it does so too seldom."""
    if row is None:
        return ""
    if row.size_05 is None:
        return "–"
    text = f"{100 * row.size_05:.1f}"
    found = judged(row.size_05, monte_carlo_error(row.size_05, row.replications))
    return {"fails": f"**{text}**", "cautious": f"({text})", "holds": text}[found]


def sizes(
    rows: Rows, lines: Mapping[str, Callable[[str, str], tuple[str, ...]]], head: str, statistic: str = "effect"
) -> str:
    """A table of sizes, a line for each name with the keys of its cells by world and size, without empty lines and columns."""
    columns = places()
    found = {name: [rows.get((*key(world, size), statistic)) for world, size in columns] for name, key in lines.items()}
    found = {name: cells for name, cells in found.items() if any(cell is not None for cell in cells)}
    kept = [place for place in range(len(columns)) if any(cells[place] is not None for cells in found.values())]
    if not kept:
        return "Not run yet."
    heads = [head, *(column(*columns[place]) for place in kept)]
    out = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * len(kept) + "|"]
    for name, cells in found.items():
        out.append("| " + " | ".join([name, *(written(cells[place]) for place in kept)]) + " |")
    return "\n".join(out)


def by_inference(
    rows: Rows,
    periods: int,
    treated: int,
    estimator: str,
    names: tuple[str, ...],
    adjust: str = "none",
    statistic: str = "effect",
) -> str:
    """Lines are inferences."""

    def key(name: str) -> Callable[[str, str], tuple[str, ...]]:
        return lambda world, size: (world, str(periods), str(treated), size, estimator, adjust, name)

    return sizes(rows, {f"`{name}`": key(name) for name in names}, "inference", statistic)


def by_estimator(
    rows: Rows, periods: int, treated: int, inference: str, names: tuple[str, ...], statistic: str = "effect"
) -> str:
    """Lines are estimators."""

    def key(name: str) -> Callable[[str, str], tuple[str, ...]]:
        return lambda world, size: (world, str(periods), str(treated), size, name, "none", inference)

    return sizes(rows, {f"`{name}`": key(name) for name in names}, "estimator", statistic)


def by_adjustment(rows: Rows, periods: int, estimator: str, inference: str) -> str:
    """Lines are adjustments for the cycle."""

    def key(name: str) -> Callable[[str, str], tuple[str, ...]]:
        return lambda world, size: (world, str(periods), "1", size, estimator, name, inference)

    return sizes(rows, {f"`{name}`": key(name) for name in ("none", *ADJUSTMENTS)}, "adjustment")


def power(rows: Rows, periods: int, inference: str) -> str:
    """Length of the interval, coverage, and the share of effects found, by world and estimator."""
    out = [
        "| world | estimator | interval's length, sd | coverage | finds 0.25 sd | 0.5 sd | 1 sd |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for world, size in places():
        for estimator in ("did", "synthetic_did", "synthetic_control demeaned"):
            row = rows.get((world, str(periods), "1", size, estimator, "none", inference, "effect"))
            if row is None or row.size_05 is None or not row.supported:
                continue
            length = "" if row.length is None else f"{row.length:.1f}"
            shares = (row.coverage, row.power_025, row.power_050, row.power_100)
            numbers = ["" if share is None else f"{100 * share:.0f} %" for share in shares]
            out.append("| " + " | ".join([column(world, size), f"`{estimator}`", length, *numbers]) + " |")
    return "\n".join(out) if len(out) > 2 else "Not run yet."


PRINTED = {"effect": "", "first_period": ", single periods", "joint": ", all periods together"}
"""Statistics whose p-values a page prints by default, as the list of failures names them."""


def unsupported(rows: Rows) -> str:
    """Designs in which no inference of the table keeps its size, and those in which the default one does not."""
    designs: dict[tuple[str, ...], list[Row]] = {}
    for row in rows.values():
        if row.statistic in PRINTED and row.size_05 is not None:
            key = (row.world, str(row.periods), str(row.treated), row.treated_size, row.estimator, row.adjust)
            designs.setdefault((*key, row.statistic), []).append(row)
    nothing, bold, careful = [], [], []
    for (world, periods, treated, size, estimator, adjust, statistic), found in sorted(designs.items()):
        own = next((row for row in found if row.inference == "default"), None)
        if own is None or own.supported:
            continue
        assert own.size_05 is not None
        after = "" if adjust == "none" else f" after `{adjust}`"
        name = f"{column(world, size)}, {periods} periods, {treated} treated, `{estimator}`{after}{PRINTED[statistic]}"
        line = f"- {name}: {100 * own.size_05:.1f} %"
        if own.size_05 < LEAST:
            careful.append(line)
        elif any(row.supported for row in found):
            bold.append(line)
        else:
            least = min(row.size_05 for row in found if row.size_05 is not None)
            told = "the others reject too seldom or too often" if least < LEAST else "and so does every other"
            nothing.append(f"{line}, {told}")
    none = ["- none of the designs"]
    return "\n".join(
        [
            "The default rejects too often, and no inference of the table keeps its size, in:",
            "",
            *(nothing or none),
            "",
            "The default rejects too often, though some inference keeps its size, in:",
            "",
            *(bold or none),
            "",
            "The default rejects too seldom (valid, but finds less than it could) in:",
            "",
            *(careful or none),
        ]
    )


def tables(rows: Rows) -> dict[str, str]:
    """Every table by the name of its marker."""
    simple = ("did", "synthetic_did", "synthetic_control demeaned", "synthetic_control")
    made = {f"{estimator.replace(' ', '_')}_{periods}": by_inference(rows, periods, 1, estimator, FAMILY)
            for estimator in simple for periods in (14, 60)}  # fmt: skip
    for periods in (14, 60):
        made[f"one_panel_{periods}"] = by_inference(rows, periods, 1, "did", ONE_PANEL)
        made[f"one_path_{periods}"] = by_inference(rows, periods, 1, "synthetic_control", ONE_PATH)
        made[f"one_path_demeaned_{periods}"] = by_inference(rows, periods, 1, "synthetic_control demeaned", ONE_PATH)
        made[f"power_{periods}"] = power(rows, periods, "default")
        made[f"adjusted_{periods}"] = by_adjustment(rows, periods, "did", "default")
        for treated in (2, 5):
            made[f"several_{treated}_{periods}"] = by_estimator(rows, periods, treated, "default", simple)
    for estimator in simple[1:3]:
        made[f"adjusted_{estimator.replace(' ', '_')}_14"] = by_adjustment(rows, 14, estimator, "default")
    for statistic in ("first_period", "joint"):
        made[f"default_{statistic}"] = by_estimator(rows, 14, 1, "default", (*simple, "event_study"), statistic)
    made["default_ratio"] = by_estimator(rows, 14, 1, "placebo", (*simple, "event_study"), "ratio")
    for statistic in ("first_period", "joint"):
        made[f"did_{statistic}"] = by_inference(rows, 14, 1, "did", FAMILY, statistic=statistic)
    made["estimators_14"] = by_estimator(rows, 14, 1, "default", ESTIMATORS)
    made["worlds"] = "\n".join(
        [
            "| world | what |",
            "|---|---|",
            *(f"| {world.name.replace('_', ' ')} | {world.summary} |" for world in WORLDS.values()),
        ]
    )
    made["unsupported"] = unsupported(rows)
    done = [row for row in rows.values() if row.statistic == "effect"]
    supported = sum(row.supported for row in done)
    made["count"] = f"{len(rows)} rows, {len(done)} of them of the headline effect, of which {supported} are supported."
    return made


def filled(text: str, rows: Rows) -> str:
    """The page with every table between its markers made anew.

    Raises
    ------
    ValueError
        A marker without a table.
    """
    made = tables(rows)

    def put(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in made:
            raise ValueError(f"coverage.md has a marker '{name}' without a table")
        return f"<!-- {name} -->\n{made[name]}\n<!-- end of {name} -->"

    return re.sub(r"<!-- (?P<name>[a-z_0-9]+) -->\n.*?<!-- end of (?P=name) -->", put, text, flags=re.DOTALL)


def renew(rows: Rows, path: Path = PAGE) -> None:
    """Write the page's tables from the rows."""
    if path.exists():
        path.write_text(filled(path.read_text("utf-8"), rows), encoding="utf-8")
