from __future__ import annotations

import pytest

from . import registers


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """The files of `effect` and `null`, five thousand persons each, same seed."""
    base = tmp_path_factory.mktemp("simulated")
    return {scenario: registers.written(base / scenario, scenario) for scenario in ("effect", "null")}
