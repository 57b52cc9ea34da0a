"""A national register of hours to cells: seconds, memory, and how that compares with merely reading the columns.

    python benchmarks/registers.py FOLDER [--rows 100000000]

Writes to FOLDER (about 1.5 GB, kept for the next run): the synthetic register of 70,000 persons on benefits, and around it the
hours and residence of a working population of 700,000, so that the register of hours has the rows asked for. Then, each in a
process of its own: a bare scan of the columns that are used, the way from files to cells, and the same from the cache.
Writes results/registers.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
YEARS = range(2008, 2019)
WORKERS = 700_000
HEAD = ["what", "rows", "wall_s", "cpu_s", "peak_mb", "times_scan"]

SPEC = """
question = "?"
[register]
population = "bef/*.parquet"
benefits = "dream.parquet"
hours = "bfl/*.parquet"
education = "udda.parquet"
periods = [2008, 2018]
[register.who]
baseline = "2014-12"
[register.outcome]
also = ["any_hours", "hours_if_any"]
[treatment]
units = ["Hjørring"]
start = 2015
[headline]
method = "did"
"""


def generate(folder: Path, rows: int) -> None:
    """The files, unless they are there."""
    import duckdb

    from evaluation.simulate import simulate

    done = folder / "done.json"
    if done.exists() and json.loads(done.read_text())["rows"] == rows:
        return
    simulate(folder, scenario="effect", persons=70_000, seed=860)
    each = rows // len(YEARS)
    codes = (
        "['101','147','151','157','159','167','169','173','175','183','185','187','190','201','851','860','751','461']"
    )
    for path in (*(folder / "bef").glob("*.parquet"), *(folder / "bfl").glob("*.parquet")):
        if int(path.stem[-4:]) not in (*YEARS, YEARS[0] - 1):
            path.unlink()
    for year in YEARS:
        workers = f"""
            SELECT 'N' || lpad((hash(i + {year}) % {WORKERS})::VARCHAR, 9, '0') AS PNR,
                   'N' || lpad((hash(i + {year}) % {WORKERS})::VARCHAR, 9, '0') || '-' || (hash(i) % 2)::VARCHAR AS AJO_JOB_ID,
                   make_date({year}, 1 + (i % 12)::INT, 1) AS AJO_JOB_START_DATO,
                   last_day(make_date({year}, 1 + (i % 12)::INT, 1)) AS AJO_JOB_SLUT_DATO,
                   round((hash(i * 7) % 17000) / 100.0, 2)::DOUBLE AS AJO_LOENTIMER,
                   (CASE WHEN hash(i * 3) % 20 = 0 THEN 0 ELSE 1 END)::TINYINT AS AJO_LOENTIME_KODE,
                   1::TINYINT AS AJO_INDKOMST_ART_KODE, '860' AS AJO_ARB_KOMKODE
            FROM range({each}) t(i)"""
        residents = f"""
            SELECT 'N' || lpad(i::VARCHAR, 9, '0') AS PNR, {codes}[1 + (hash(i) % 18)::INT] AS KOM,
                   make_date(1960 + (hash(i) % 35)::INT, 6, 1) AS FOED_DAG, (1 + hash(i) % 2)::TINYINT AS KOEN,
                   1::TINYINT AS IE_TYPE, 5100::SMALLINT AS OPR_LAND
            FROM range({WORKERS}) t(i)"""
        for kind, more in (("bfl", workers), ("bef", residents)):
            path, beside = folder / kind / f"{kind}{year}.parquet", folder / f"{kind}.part"
            query = f"SELECT * FROM read_parquet('{path}') UNION ALL BY NAME ({more})"
            with duckdb.connect(config={"preserve_insertion_order": False, "memory_limit": "4GB"}) as connection:
                connection.sql(f"COPY ({query}) TO '{beside}' (FORMAT parquet, COMPRESSION snappy)")
            os.replace(beside, path)
    (folder / "spec.toml").write_text(SPEC)
    done.write_text(json.dumps({"rows": rows}))


def scan(folder: Path) -> int:
    """Read the columns that are used and add them up."""
    import duckdb

    used = ("max(PNR)", "max(AJO_JOB_ID)", "max(AJO_JOB_START_DATO)", "sum(AJO_LOENTIMER)")
    columns = ", ".join((*used, "sum(AJO_LOENTIME_KODE)", "sum(AJO_INDKOMST_ART_KODE)", "count(*)"))
    found = duckdb.connect().execute(f"SELECT {columns} FROM read_parquet('{folder}/bfl/*.parquet')").fetchall()
    return int(found[0][-1])


def cells(folder: Path) -> int:
    """From files (or the cache) to the panel."""
    from evaluation.register.flow import prepare
    from evaluation.run import load_spec

    made = prepare(load_spec(folder / "spec.toml"), lambda stage, text: None)
    return made.population.treated + made.population.controls


def measured(what: str, folder: Path, cache: str) -> dict[str, float]:
    """One task in a process of its own."""
    command = [sys.executable, __file__, str(folder), "--task", what]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NETTOEFFEKT_CACHE": cache}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def task(what: str, folder: Path) -> None:
    """Do it and tell what it took."""
    began = time.perf_counter()
    found = (scan if what == "scan" else cells)(folder)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    wall, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    print(json.dumps({"found": found, "wall_s": wall, "cpu_s": cpu, "peak_mb": usage.ru_maxrss / 1024}))


def main() -> None:
    """Generate, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--task", choices=["scan", "cells"], help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "registers.csv")
    given = parser.parse_args()
    if given.task:
        task(given.task, given.folder)
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    generate(given.folder, given.rows)
    table = []
    with tempfile.TemporaryDirectory() as cache:
        for name, what in (
            ("bare scan of the columns", "scan"),
            ("files to cells", "cells"),
            ("the same, out of the cache", "cells"),
        ):
            told = measured(what, given.folder, cache)
            base = table[0]["wall_s"] if table else told["wall_s"]
            row = {
                "what": name,
                "rows": given.rows,
                **{key: told[key] for key in HEAD[2:5]},
                "times_scan": told["wall_s"] / base,
            }
            table.append(row)
            print(
                f"{name:30s} {told['wall_s']:7.1f} s wall {told['cpu_s']:7.1f} s CPU {told['peak_mb']:7.0f} MB, {told['found']:,}"
            )
    with given.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEAD, lineterminator="\n")
        writer.writeheader()
        for row in table:
            writer.writerow({key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()})


if __name__ == "__main__":
    main()
