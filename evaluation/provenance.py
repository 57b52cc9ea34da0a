"""Where the numbers come from: versions, hashes, seed and the spec's own text. No clock, no path, no user name."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform

from evaluation._version import __version__
from evaluation.result import InputFile, Provenance, Value
from evaluation.spec.loaded import LoadedSpec

PACKAGES = ("numpy", "scipy", "pandas", "narwhals", "pyarrow", "pydantic", "altair", "vl-convert-python", "jinja2")


ENGINES = {"duckdb": ("duckdb",), "pyspark": ("pyspark",)}
"""What further reads person registers, by engine."""


def record(loaded: LoadedSpec, inputs: tuple[InputFile, ...], defaults: dict[str, Value]) -> Provenance:
    """What it takes to repeat the run."""
    registers = loaded.spec.registers
    engine = ENGINES[registers.engine] if registers is not None else ()
    return Provenance(
        version=__version__,
        python=platform.python_version(),
        packages={name: _version(name) for name in (*PACKAGES, *engine)},
        seed=loaded.spec.seed,
        spec_name=loaded.path.name,
        spec_sha256=hashlib.sha256(loaded.text.encode()).hexdigest(),
        spec_text=loaded.text,
        inputs=inputs,
        defaults=defaults,
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
