"""How often each inference rejects where nothing happens, how often its interval holds a planted effect, and what it can find.

    python benchmarks/coverage.py [--only world=cycle,estimator=did] [--again] [--replications 1000] [--processes 2] [--list]

Writes benchmarks/coverage.csv, and docs/methods/coverage.md with its pictures, as rows come; groups whose rows are there already,
with as many replications, are skipped. `--again` runs the chosen ones once more; `--page` only writes the page from
the table, and evaluation/proof/coverage.csv, the part of it that the product quotes (a run leaves that one alone).
"""

from __future__ import annotations

import argparse
import re
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from coverage_study import page, pictures, table
from coverage_study.cells import groups
from coverage_study.condensed import condense
from coverage_study.study import Group, run

TABLE = Path(__file__).parent / "coverage.csv"


def chosen(wanted: str, replications: int | None) -> list[Group]:
    """The groups whose fields have the values asked for ("world=cycle,estimator=did"; several values with |)."""
    found = groups()
    for part in filter(None, wanted.split(",")):
        name, _, values = part.partition("=")
        if name not in Group.__dataclass_fields__:
            raise SystemExit(f"--only: no field '{name}'; there are {', '.join(Group.__dataclass_fields__)}")
        found = [group for group in found if str(getattr(group, name)) in values.split("|")]
    return found if replications is None else [replace(group, replications=replications) for group in found]


def done(group: Group, rows: dict[tuple[str, ...], table.Row]) -> bool:
    """Whether the table has the group's rows, with as many replications, or the reason why there are fewer."""
    row = rows.get(group.first_key) or rows.get((*group.first_key[:-1], "effect"))
    if row is None:
        return False
    if row.key != group.first_key and row.replications:
        return False  # the headline effect alone
    refused = re.match(r"\d+ of (\d+) panels (refused|no number)", row.note)
    if refused:
        return int(refused[1]) >= group.replications
    return row.replications >= group.replications or (row.replications == 0 and row.note != "")


def renew(rows: dict[tuple[str, ...], table.Row]) -> None:
    """The tables and pictures of docs/methods/coverage.md."""
    page.renew(rows)
    pictures.renew(rows)


def study(waiting: list[Group], processes: int, path: Path, again: bool) -> None:
    """Run groups in their order, a few at a time, and write the table after each."""
    began, count = time.perf_counter(), len(waiting)
    with ProcessPoolExecutor(processes) as pool:
        running: dict[Future[list[table.Row]], Group] = {}
        while waiting or running:
            while waiting and len(running) < processes:
                group = waiting.pop(0)
                running[pool.submit(run, group)] = group
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                group = running.pop(future)
                rows = table.read(path)
                # some rows may be there with more replications
                rows.update(
                    (row.key, row)
                    for row in future.result()
                    if row.key not in rows or again or row.replications >= rows[row.key].replications
                )
                table.write(path, rows)
                left = len(waiting) + len(running)
                print(f"[{count - left}/{count}, {time.perf_counter() - began:.0f} s] {group.label}", flush=True)


def main() -> None:
    """Run what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--list", action="store_true", help="show the groups that would be run, and stop")
    parser.add_argument(
        "--page", action="store_true", help="only write, from the table, the page and what the package quotes"
    )
    parser.add_argument("--replications", type=int)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=TABLE)
    given = parser.parse_args()
    if given.page:
        rows = table.read(TABLE)
        renew(rows)
        condense(rows)
        return
    rows = {} if given.again else table.read(given.output)
    waiting = [group for group in chosen(given.only, given.replications) if not done(group, rows)]
    if given.list:
        for group in waiting:
            print(group.label)
        print(len(waiting))
        return
    study(waiting, given.processes, given.output, given.again)
    if given.output == TABLE:
        renew(table.read(TABLE))


if __name__ == "__main__":
    main()
