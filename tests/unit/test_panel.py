"""A panel is frozen, copies what it is given, and its cuts keep starts and windows in step."""

import numpy as np
import pytest

from evaluation.errors import DataError
from evaluation.panel import Panel
from evaluation.periods import Period


def make(**changes):
    outcome = np.arange(20.0).reshape(4, 5)
    fields = {
        "outcome": outcome,
        "units": ("a", "b", "c", "d"),
        "periods": tuple(Period("year", 2010 + index) for index in range(5)),
        "start": np.array([5, 3, 5, 5]),
        "window": (3, 4),
        "covariates": {"x": np.arange(4.0), "z": outcome + 1},
        "cycle": {"national": np.arange(5.0)},
    } | changes
    return Panel(**fields)


def test_arrays_are_read_only_and_the_callers_stays_writable():
    outcome = np.zeros((4, 5))
    panel = make(outcome=outcome)
    with pytest.raises(ValueError, match="read-only"):
        panel.outcome[0, 0] = 1.0
    outcome[0, 0] = 1.0
    assert panel.outcome[0, 0] == 0.0


def test_shapes_that_do_not_agree_are_refused():
    with pytest.raises(DataError, match=r"'size' has shape \(2, 2\), expected \(4, 5\)"):
        make(size=np.ones((2, 2)))


def test_target_is_the_treated_cells_of_the_window():
    target = make(window=(4, 4)).target
    assert target.sum() == 1
    assert target[1, 4]


def test_cutting_before_the_start_leaves_nobody_treated():
    cut = make().keep_periods(0, 2)
    assert not cut.treated.any()
    assert cut.n_periods == 3
    assert cut.covariates["z"].shape == (4, 3)
    assert cut.covariates["x"].shape == (4,)
    assert cut.cycle["national"].shape == (3,)


def test_cutting_at_the_left_moves_start_and_window():
    cut = make().keep_periods(1, 4)
    assert cut.starts == (2,)
    assert cut.window == (2, 3)


def test_assign_moves_the_treatment_and_drops_rows():
    moved = make().assign({2: 3}, without=[1])
    assert moved.units == ("a", "c", "d")
    assert moved.treated.tolist() == [False, True, False]
    assert np.array_equal(moved.outcome[1], make().outcome[2])
