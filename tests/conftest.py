"""How the tests share a machine: pytest-xdist runs a worker on each core, and both should have work until the end."""

from __future__ import annotations

import os

import pytest

for library in ("OPENBLAS", "OMP", "MKL"):
    # threads that wait for one another would only burn the cores; read when numpy is first imported, and inherited by workers
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes a minute is not begun last, when there is nothing left for the other workers to do."""
    items.sort(key=lambda item: item.get_closest_marker("first") is None)
