"""The example reports in `reports/` are what the command writes today: this test tells when they are stale.

To renew them: `evaluate specs/NAME.toml` for each of them, from the top of the project.
"""

import json
import math
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from evaluation.output import page_name
from evaluation.report.csvs import csv_files
from evaluation.report.page import render
from evaluation.result import from_json, to_json
from evaluation.run import evaluate

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "reports").glob("*.json"))
OWN_DATA = {"hjorring_own_data"}
"""Specs that wait for files of one's own."""
PLANS = {path.stem for path in (ROOT / "specs").glob("plan_*.toml")}
"""Specs of programmes that have not started: there is nothing to report yet."""
SPECS = sorted({path.stem for path in (ROOT / "specs").glob("*.toml")} - OWN_DATA - PLANS)

VERSIONS = ("python", "packages")
"""What may differ between machines without the report being stale."""

SIMULATED = ("inputs",)
"""Also where registers are simulated: another version of the Parquet writer gives other bytes for the same rows."""
HUNDREDTH = 1e-3
"""Of simulated registers: exponentials differ between processors in the last digit, and hours are rounded to hundredths."""

SOLVER_NOISE = ("ratios", "p_ratio", "rank_ratio", "rmspe_pre", "treated_ratio")
"""Perfectly fitted placebos have a pre-period gap of rounding size, and a ratio that is one over it."""


def differences(ours, theirs, path="", leave_out=(), close=1e-6):
    """Places where two JSON values differ; numbers by more than 1e-6, which other BLAS libraries stay below."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{path}.{key}: only in one" for key in ours.keys() ^ theirs.keys()]
        for key in ours.keys() & theirs.keys():
            if key not in (*VERSIONS, *SOLVER_NOISE, *leave_out):
                found += differences(ours[key], theirs[key], f"{path}.{key}", leave_out, close)
        return found
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return [f"{path}: {len(ours)} against {len(theirs)} entries"]
        return [
            each for i, pair in enumerate(zip(ours, theirs, strict=True)) for each in differences(*pair, f"{path}[{i}]", leave_out, close)
        ]
    if isinstance(ours, float | int) and isinstance(theirs, float | int):
        return [] if math.isclose(ours, theirs, rel_tol=close, abs_tol=close) else [f"{path}: {theirs} is now {ours}"]
    return [] if ours == theirs else [f"{path}: {theirs!r} is now {ours!r}"]


def test_every_runnable_spec_has_its_report():
    assert EXAMPLES == SPECS


def stale(name, today):
    """Where the committed numbers of a spec differ from those of today."""
    committed = json.loads((ROOT / "reports" / f"{name}.json").read_text())
    simulated = "[simulate]" in (ROOT / "specs" / f"{name}.toml").read_text(encoding="utf-8")
    return differences(today, committed, "", SIMULATED if simulated else (), HUNDREDTH if simulated else 1e-6)


IN_README = {name for name in EXAMPLES if re.search(rf"evaluate specs/{name}\.toml *(#|$)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)}
"""Specs that the test of the README's commands runs, which compares their numbers as well: registers take a while."""

MINUTES = {"four_municipalities"}
"""Specs that draw a thousand assignments for each of six methods."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in MINUTES else ()) for name in EXAMPLES if name not in IN_README]
)
def test_the_numbers_are_those_of_today(name):
    assert stale(name, json.loads(to_json(evaluate(ROOT / "specs" / f"{name}.toml")))) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_pages_are_drawn_from_the_committed_numbers(name):
    result = from_json((ROOT / "reports" / f"{name}.json").read_bytes())
    drawn_with = {name: result.provenance.packages[name] for name in ("altair", "vl-convert-python")}
    if drawn_with != {name: version(name) for name in drawn_with}:
        pytest.skip("figures are byte-identical only for the versions they were drawn with")
    for language in result.languages:
        committed = (ROOT / "reports" / page_name(result, name, language)).read_text(encoding="utf-8")
        assert render(result, language) == committed
    for csv_name, text in csv_files(result).items():
        assert (ROOT / "reports" / name / csv_name).read_bytes() == text.encode()
