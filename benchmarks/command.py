"""Whole commands as a user types them: `evaluate --help`, `import evaluation`, and the real evaluation of specs/.

    python benchmarks/command.py

Each is a new process, timed from its start to its end; the first run of each is thrown away (it fills the file cache and
compiles the byte code). Writes results/command.csv.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
EVALUATE = "import sys; from evaluation.cli import main; sys.argv[0] = 'evaluate'; main()"

COMMANDS: dict[str, list[str]] = {
    "python -c pass": ["-c", "pass"],
    "import evaluation": ["-c", "import evaluation"],
    "evaluate --help": ["-c", EVALUATE, "--help"],
    "evaluate specs/hjorring_employment.toml --check": ["-c", EVALUATE, "specs/hjorring_employment.toml", "--check"],
    "evaluate specs/hjorring_employment.toml": ["-c", EVALUATE, "specs/hjorring_employment.toml", "--output", "OUT"],
    "evaluate specs/california.toml": ["-c", EVALUATE, "specs/california.toml", "--output", "OUT"],
    "evaluate specs/hjorring.toml, registers read": ["-c", EVALUATE, "specs/hjorring.toml", "--output", "OUT"],
    "evaluate specs/hjorring.toml, cells in the cache": ["-c", EVALUATE, "specs/hjorring.toml", "--output", "OUT"],
    "evaluate --simulate DIR --persons 100000": [
        "-c",
        EVALUATE,
        "--simulate",
        "OUT3",
        "--persons",
        "100000",
        "--force",
    ],
    "evaluate --render hjorring_employment.json": [
        "-c",
        EVALUATE,
        "--render",
        "OUT/hjorring_employment.json",
        "--output",
        "OUT2",
    ],
}
LIMITS = {
    "import evaluation": 0.25,
    "evaluate --help": 0.25,
    "evaluate specs/hjorring_employment.toml": 5.0,
    "evaluate specs/hjorring.toml, registers read": 20.0,
    "evaluate specs/hjorring.toml, cells in the cache": 8.0,
    "evaluate --simulate DIR --persons 100000": 10.0,
}
"""Seconds of wall clock to reach."""


def once(words: list[str], cache: str) -> tuple[float, float, float, int]:
    """Wall clock, processor seconds, peak memory in MB, exit code of one new process."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NETTOEFFEKT_CACHE": cache},
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, process.returncode


def main() -> None:
    """Time every command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "command.csv")
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for command, words in COMMANDS.items():
            placed = [
                word.replace("OUT", str(Path(folder, "out")), 1) if word.startswith("OUT") else word for word in words
            ]
            caches = [
                str(Path(folder, f"cache{run if 'registers read' in command else ''}"))
                for run in range(asked.repetitions + 1)
            ]
            runs = [once(placed, cache) for cache in caches][1:]
            codes = {run[3] for run in runs}
            row: dict[str, Any] = {
                "command": command,
                "wall_s": round(min(run[0] for run in runs), 3),
                "wall_median_s": round(statistics.median(run[0] for run in runs), 3),
                "cpu_s": round(min(run[1] for run in runs), 3),
                "peak_mb": round(max(run[2] for run in runs)),
                "to_reach_s": LIMITS.get(command, ""),
                "exit_code": "/".join(str(code) for code in sorted(codes)),
            }
            rows.append(row)
            print(row, flush=True)
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    with asked.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{asked.output}: Python {platform.python_version()}, {platform.machine()}")


if __name__ == "__main__":
    main()
