"""A second process takes its share of the audit, and changes nothing but the time it takes."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from evaluation.audit import AUDIT
from evaluation.checking import AWAY, Second, audit, run_checks, second_process
from evaluation.result import Cycle
from tests.audit import b_studies
from tests.contract import plain


def account() -> Cycle:
    return Cycle("none")


@pytest.fixture(scope="module")
def study():
    return b_studies.studied(b_studies.plain(effect=2.0))


def test_a_panel_arrives_as_it_was_sent(study):
    there = pickle.loads(pickle.dumps(study.panel))
    assert plain.digest(there) == plain.digest(study.panel)
    assert there.units == study.panel.units
    assert not there.outcome.flags.writeable
    np.testing.assert_array_equal(there.treated, study.panel.treated)


def test_the_second_process_finds_what_is_found_here(study):
    _, alone = audit(study, account, None)
    with second_process(wanted=True) as second:
        if second is None:
            pytest.skip("one core only")
        assert second.ask(study)
        away = second.answer()
    assert list(away) == [name for name in AUDIT if name in AWAY]
    assert all(away[name] == alone[name] for name in away)


def test_all_checks_stand_in_their_order_with_it_and_without(study):
    _, alone = audit(study, account, None)
    with second_process(wanted=True) as second:
        _, together = audit(study, account, second)
    assert list(alone) == list(together) == list(AUDIT)
    assert alone == together


def test_what_a_dead_process_owes_is_computed_here(study):
    dead = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    dead.wait()
    _, found = audit(study, account, Second(dead))
    dead.communicate()
    assert found == audit(study, account, None)[1]


def test_none_is_started_where_none_is_wanted():
    with second_process(wanted=False) as second:
        assert second is None


def test_only_the_checks_asked_for_are_run(study):
    assert list(run_checks(AUDIT, ["donors", "loading_balance"], study)) == ["loading_balance", "donors"]
