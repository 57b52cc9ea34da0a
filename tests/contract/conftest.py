"""What every inference promises does not hang on how often it draws or how fine its first steps are: the loops over all pairs
take fewer draws of the bootstrap, and coarser steps of the search that inverts conformal tests (its limits are bisected)."""

from __future__ import annotations

import pytest

from evaluation.inference import block_bootstrap, conformal


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_bootstrap, "DRAWS", 99)
    monkeypatch.setattr(conformal, "FINE", 12)
    monkeypatch.setattr(conformal, "COARSE", 6)
