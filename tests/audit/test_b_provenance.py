"""The record of the run: complete, without a date, without a hash; a hash is checked, not believed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from evaluation.audit import provenance
from evaluation.context import Context
from evaluation.result import FlowStep, InputFile, Provenance
from tests.audit.b_studies import plain, studied

TEXT = 'seed = 7\ncommissioned_by = "The council"\n'
FILE = InputFile("data.csv", "0" * 64, 10, 2, 2)
RECORD = Provenance(
    "1.0", "3.11.7", {"numpy": "2.0"}, 7, "jobs.toml", hashlib.sha256(TEXT.encode()).hexdigest(), TEXT, (FILE,)
)


FLOW = (FlowStep("read", 2, 1),)
BASE = studied(plain())


def checked(record=RECORD, frozen="2026-11-20", flow=FLOW, base=BASE):
    return provenance.check(replace(base, record=record, flow=flow, context=Context(frozen=frozen)))


def rewritten(text, **more):
    return replace(RECORD, spec_text=text, spec_sha256=hashlib.sha256(text.encode()).hexdigest(), **more)


def missing(found):
    return [item for item, there in zip(found.series["items"], found.series["present"], strict=True) if not there]


def test_passes_when_complete():
    found = checked()
    assert (found.status, found.value) == ("passed", 0.0)
    assert missing(found) == []
    assert found.facts["inputs"] == found.facts["hashes"] == found.facts["steps"] == 1
    assert (found.facts["seed"], found.facts["version"], found.facts["frozen"]) == (7, "1.0", "2026-11-20")


@pytest.mark.parametrize(
    ("changed", "item"),
    [
        ({"frozen": ""}, "freeze_date"),
        ({"flow": ()}, "rows"),
        ({"record": rewritten("seed = 7\n")}, "commissioned_by"),
        ({"record": replace(RECORD, packages={"numpy": "not installed"})}, "versions"),
        ({"record": replace(RECORD, seed=8)}, "deviations"),
        ({"record": rewritten('commissioned_by = "The council"\n')}, "deviations"),  # the default seed is 1, not 7
    ],
)
def test_warns_without_anything_but_a_hash(changed, item):
    found = checked(**changed)
    assert (found.status, found.value, missing(found)) == ("warns", 1.0, [item])


@pytest.mark.parametrize(
    ("record", "item"),
    [
        (replace(RECORD, inputs=(FILE, replace(FILE, sha256=""))), "input_hashes"),
        (replace(RECORD, inputs=()), "input_hashes"),
        (replace(RECORD, spec_sha256=""), "spec_hash"),
        (replace(RECORD, spec_text=TEXT + "# changed afterwards\n"), "spec_hash"),
    ],
)
def test_fails_without_a_hash_or_with_a_wrong_one(record, item):
    found = checked(record)
    assert (found.status, missing(found)) == ("failed", [item])


def test_a_spec_that_cannot_be_read_back_lacks_its_client():
    assert missing(checked(rewritten("= not toml"))) == ["commissioned_by"]


def test_without_a_record():
    assert checked(record=None).reason == "no_record"
