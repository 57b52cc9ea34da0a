"""The tables of README.md's "Size on real data", from results/real_size.csv.

python -m benchmarks.real_size_tables
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.real_size import RESULTS, TESTS, WAYS, read

Rows = dict[tuple[str, ...], dict[str, str]]
SETS = {"employment": "98 municipalities", "cps_hours": "50 states"}
ENOUGH = 50
"""Fewer laws than this say too little about a rate of 5 %."""
THIRDS = {"by noise": ("calm", "middling", "noisy"), "by size": ("small", "median", "large")}
BESIDE = ("placebo_earlier",)


def by_did(rows: Sequence[dict[str, str]]) -> str:
    """A row per test by `did` with windows of four years: everybody, and each third of the units."""
    known = _known(rows)
    head = ["test"]
    for data, name in SETS.items():
        head += [f"{name}: all", "by noise"] + ["by size"] * (data == "cps_hours")
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for test in (*TESTS, *BESIDE):
        cells = [f"`{test}`"]
        for data in SETS:
            key = (data, "4", "did", "none", test)
            cells += [_share(known.get((*key, "all")), error=True), _thirds(known, key, "by noise")]
            cells += [_thirds(known, key, "by size")] * (data == "cps_hours")
        if any(cells[1:]):
            lines.append(cells)
    return _markdown(lines)


def by_estimator(rows: Sequence[dict[str, str]]) -> str:
    """A row per test, a column per data and estimator: all units, windows of four years."""
    known = _known(rows)
    ways = [
        (data, way)
        for data in SETS
        for way in WAYS
        if any(key[:4] == (data, "4", way.label, way.adjust) for key in known)
        and (way.estimator, way.adjust) != ("did", "none")
    ]
    short = {"employment": "municipalities", "cps_hours": "states"}
    head = [
        "test",
        *(
            f"{short[data]}: `{way.label}`" + (f", `{way.adjust}`" if way.adjust != "none" else "")
            for data, way in ways
        ),
    ]
    lines = [head, ["---", *["---:"] * len(ways)]]
    for test in (*TESTS, *BESIDE):
        cells = [_share(known.get((data, "4", way.label, way.adjust, test, "all"))) for data, way in ways]
        if any(cells):
            lines.append([f"`{test}`", *cells])
    return _markdown(lines)


def _known(rows: Sequence[dict[str, str]]) -> Rows:
    names = ("data", "window", "estimator", "adjust", "inference", "group")
    return {tuple(row[name] for name in names): row for row in rows}


def _share(row: dict[str, str] | None, error: bool = False) -> str:
    """In per cent, with its standard error; a test that never gave a number says so."""
    if row is None or 0 < int(row["laws"]) - int(row["no_number"]) < ENOUGH:
        return ""
    if not row["rejected_5"]:
        return "no number"
    share = f"{100 * float(row['rejected_5']):.1f}"
    return f"{share} ± {100 * float(row['se_5']):.1f}" if error else share


def _thirds(known: Rows, key: tuple[str, ...], kind: str) -> str:
    rows = [known.get((*key, group)) for group in THIRDS[kind]]
    shares = [f"{100 * float(row['rejected_5']):.0f}" for row in rows if row is not None and row["rejected_5"]]
    return " / ".join(shares) if len(shares) == len(rows) else ""


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    print(by_did(read(RESULTS)), by_estimator(read(RESULTS)), sep="\n\n")
