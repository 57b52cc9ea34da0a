"""The arithmetic of a series that the programme may itself have moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.accounting.bad_control import bad_control
from evaluation.accounting.ladder import by_name, ladder
from tests.accounting.worlds import contrast, studied, world


def test_a_series_that_the_programme_moved_takes_its_effect_away_and_the_arithmetic_says_by_how_much():
    """The programme raises the series by 2 in unit 0, and each unit of it the outcome by 0.5: all of it is effect, none is left."""
    panel, parts = world(demand=0.5)
    study = studied(panel, adjust="local_series", split=False)
    rungs = ladder(study)
    found = bad_control(study, rungs)
    reaction = contrast(parts["reaction"][:, None] * np.ones_like(parts["local"]))
    assert reaction == 0.0
    assert found["slope"] == pytest.approx(0.5, rel=0.1)  # the units' reactions to the nation are noise to this slope
    assert found["moved"] == pytest.approx(contrast(parts["local"]), rel=1e-12)  # summation order
    assert found["whole"] == pytest.approx(found["removed"] / found["slope"])
    assert found["half"] == pytest.approx(found["whole"] / 2)
    # one slope and one series: what was taken out is the slope times how far the series moved
    assert found["whole"] == pytest.approx(found["moved"], rel=1e-9)
    assert found["headline"] is True


def test_effects_are_those_of_the_rungs():
    panel, _ = world(demand=0.5, noise=0.2)
    panel = replace(panel, cycle={**panel.cycle, "jobs|neighbours": panel.cycle["jobs"][::-1].copy()})
    study = studied(panel, adjust="local_series")
    rungs = ladder(study)
    found, names = bad_control(study, rungs), by_name(rungs)
    for use in ("own", "neighbours", "predicted"):
        assert found[f"effect_{use}"] == names["local_series", use].effect
    effects = [found[f"effect_{use}"] for use in ("own", "neighbours", "predicted")]
    assert found["spread"] == max(effects) - min(effects)
    assert found["removed"] == names["none", ""].effect - found["effect_own"]


def test_it_is_told_where_the_recommended_way_uses_the_series_and_nowhere_else():
    panel, _ = world(demand=0.5, noise=0.2)
    study = studied(panel)
    assert bad_control(study, ladder(study))["headline"] is False
    bare, _ = world(noise=0.2)
    study = studied(bare)
    assert bad_control(study, ladder(study)) is None
