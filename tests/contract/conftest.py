"""What every inference promises does not hang on how often it draws: in the loops over all pairs the bootstrap draws less often."""

from __future__ import annotations

import pytest

from evaluation.inference import block_bootstrap


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_bootstrap, "DRAWS", 99)
