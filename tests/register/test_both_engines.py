"""The whole way from files to cells on both engines: the same to the last digit. Spark takes minutes for what DuckDB does in seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from evaluation.errors import Problem
from evaluation.register.cells import Cells, cells, packed
from evaluation.register.engine import open_engine
from evaluation.register.layout import read_layout
from evaluation.register.sources import open_sources
from evaluation.simulate import simulate
from evaluation.spec.model import Register

REGISTER = {
    "population": "bef/*.parquet", "benefits": "dream.parquet", "hours": "bfl/*.parquet", "education": "udda.parquet",
    "periods": [2010, 2016], "who": {"baseline": "2014-12"}, "outcome": {"also": ["any_hours", "on_benefit"]},
}  # fmt: skip


@pytest.mark.slow
def test_duckdb_and_spark_agree_on_a_simulated_register(tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="the extra [cluster] is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    simulate(tmp_path, scenario="effect", persons=1_500, seed=1)
    register = Register.model_validate(REGISTER)
    layout = read_layout(register.layout, tmp_path)
    found: dict[str, Cells] = {}
    for name in ("duckdb", "pyspark"):
        with open_engine(name) as engine:
            sources = open_sources(register, layout, tmp_path, engine, Problem, cache=tmp_path / "cache")
            found[name] = cells(sources, register, lambda stage, text: None)
    ours, theirs = packed(found["duckdb"]), packed(found["pyspark"])
    assert ours[1] == theirs[1]
    assert ours[0].keys() == theirs[0].keys()
    for key, array in ours[0].items():
        np.testing.assert_array_equal(array, theirs[0][key])
